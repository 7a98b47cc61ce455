//! Head + batch → commit: deduplicate, give indices, extend the tree. Pure.

use std::collections::HashMap;
use std::sync::Arc;

use storage::{Batch, NewEntry, NewHashes};
use tlog::{Extension, LeafHash, LogIndex, RightEdge};
use tokio::sync::oneshot;

use super::{AddError, Integrated, Placement};

/// Where the writer of an entry waits for its place.
pub(super) type Reply = oneshot::Sender<Result<Placement, AddError>>;

/// An entry that may be integrated; its time is given then.
pub(super) struct Candidate {
    pub(super) leaf_hash: LeafHash,
    /// `None` for one of which the batch holds an earlier copy.
    pub(super) entry: Option<NewEntry>,
    pub(super) reply: Reply,
}

/// What one batch does to the log.
pub(super) struct Integration {
    /// What has to be stored; without entries when all of the batch were duplicates.
    pub(super) commit: Batch,
    /// The tree's growth; `None` when nothing is new.
    pub(super) growth: Option<Arc<Extension>>,
    /// The answer for each candidate, to be given once the commit is durable.
    pub(super) placements: Placements,
}

/// By leaf hash, who waits for what.
pub(super) type Placements = Vec<(LeafHash, Reply, Placement)>;

/// Integrates a batch on top of `edge`. `known[i]` is where candidate `i` stands already, if it
/// does.
///
/// No two leaves of the result have the same hash, and none has the hash of a known one.
pub(super) fn integrate(
    edge: &RightEdge,
    batch: Vec<Candidate>,
    known: &[Option<LogIndex>],
    integrated_time: i64,
) -> Integration {
    assert_eq!(batch.len(), known.len(), "one look-up for each candidate");
    let first = edge.size().0;
    let mut new: HashMap<LeafHash, LogIndex> = HashMap::with_capacity(batch.len());
    let mut leaves = Vec::with_capacity(batch.len());
    let mut entries = Vec::with_capacity(batch.len());
    let mut places = Vec::with_capacity(batch.len());

    for (Candidate { leaf_hash, entry, reply }, known) in batch.into_iter().zip(known) {
        let place = match (known.or_else(|| new.get(&leaf_hash).copied()), entry) {
            (Some(index), _) => Err(index),
            (None, Some(entry)) => {
                let index = LogIndex(first + leaves.len() as u64);
                new.insert(leaf_hash, index);
                leaves.push(leaf_hash);
                entries.push(NewEntry { integrated_time, ..entry });
                Ok(index)
            }
            // Its earlier copy stands before it, so it is new or known by now.
            (None, None) => continue,
        };
        places.push((leaf_hash, reply, place));
    }

    let extension = Arc::new(edge.extend(&leaves));
    let hashes = extension.stored_hashes().into_iter().map(|level| NewHashes {
        level: level.level,
        first: level.first,
        hashes: level.hashes,
    });
    let commit = Batch { hashes: hashes.collect(), head: extension.head(), entries };
    let placements = places.into_iter().map(|(leaf_hash, reply, place)| {
        let placement = match place {
            Ok(index) => Placement::Integrated(Integrated {
                index,
                integrated_time,
                growth: extension.clone(),
            }),
            Err(index) => Placement::Duplicate(index),
        };
        (leaf_hash, reply, placement)
    });
    let placements = placements.collect();
    let growth = (!commit.entries.is_empty()).then_some(extension);
    Integration { commit, growth, placements }
}

/// The same batch again, for another tree than it was integrated into.
pub(super) fn again(commit: Batch, placements: Placements) -> Vec<Candidate> {
    let mut entries = commit.entries.into_iter();
    let candidates = placements.into_iter().map(|(leaf_hash, reply, placement)| {
        let entry = match placement {
            Placement::Integrated(_) => entries.next(),
            Placement::Duplicate(_) => None,
        };
        Candidate { leaf_hash, entry, reply }
    });
    candidates.collect()
}
