//! Head + batch → commit: deduplicate, give indices, extend the tree. Pure.

use std::collections::HashMap;
use std::sync::Arc;

use storage::{Batch, NewEntry, NewHashes};
use tlog::{Extension, LeafHash, LogIndex, RightEdge};
use tokio::sync::oneshot;

use super::queue::Submission;
use super::{Integrated, Placement};

/// What one batch does to the log.
pub(super) struct Integration {
    /// What has to be stored; without entries when all of the batch were duplicates.
    pub(super) commit: Batch,
    /// The tree's growth; `None` when nothing is new.
    pub(super) growth: Option<Arc<Extension>>,
    /// The answer for each submission, to be given once the commit is durable.
    pub(super) placements: Vec<(oneshot::Sender<Placement>, Placement)>,
}

/// Integrates a batch on top of `edge`. `known[i]` is where submission `i` stands already, if it
/// does.
///
/// No two leaves of the result have the same hash, and none has the hash of a known one.
pub(super) fn integrate(
    edge: &RightEdge,
    batch: Vec<Submission>,
    known: &[Option<LogIndex>],
    integrated_time: i64,
) -> Integration {
    assert_eq!(batch.len(), known.len(), "one look-up for each submission");
    let first = edge.size().0;
    let mut new: HashMap<LeafHash, LogIndex> = HashMap::with_capacity(batch.len());
    let mut leaves = Vec::with_capacity(batch.len());
    let mut entries = Vec::with_capacity(batch.len());
    let mut places = Vec::with_capacity(batch.len());

    for (submission, known) in batch.into_iter().zip(known) {
        let leaf_hash = submission.leaf_hash();
        let place = match known.or_else(|| new.get(&leaf_hash).copied()) {
            Some(index) => Err(index),
            None => {
                let index = LogIndex(first + leaves.len() as u64);
                new.insert(leaf_hash, index);
                leaves.push(leaf_hash);
                let parts = submission.entry.into_parts();
                entries.push(NewEntry {
                    body: parts.body,
                    leaf_hash,
                    integrated_time,
                    index_keys: parts.index_keys,
                    attestation: parts.attestation,
                });
                Ok(index)
            }
        };
        places.push((submission.reply, place));
    }

    let extension = Arc::new(edge.extend(&leaves));
    let hashes = extension.stored_hashes().into_iter().map(|level| NewHashes {
        level: level.level,
        first: level.first,
        hashes: level.hashes,
    });
    let commit = Batch { hashes: hashes.collect(), head: extension.head(), entries };
    let placements = places.into_iter().map(|(reply, place)| {
        let placement = match place {
            Ok(index) => Placement::Integrated(Integrated {
                index,
                integrated_time,
                growth: extension.clone(),
            }),
            Err(index) => Placement::Duplicate(index),
        };
        (reply, placement)
    });
    let placements = placements.collect();
    let growth = (!commit.entries.is_empty()).then_some(extension);
    Integration { commit, growth, placements }
}
