//! A log from one store to another, entry by entry: what arrives is held against the root.

use storage::{Batch, LogStore, NewEntry, NewHashes, StorageError, StoredEntry};
use tlog::{LogIndex, RightEdge, TreeHead, hash_leaf};

use crate::admission::attestation_key;
use crate::limits::{BATCH_BYTES_MAX, BATCH_ENTRIES_MAX};
use crate::stored_tree::{TreeError, edge_of, root_at};

/// Entries, or rows of the index, that are read at once.
const STEP: usize = 256;
const ROWS: usize = 4096;

/// A log was not copied; what was is right, and copying again goes on from there.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// One of the stores failed.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The target does not take it.
    #[error("{0}")]
    Commit(#[from] storage::CommitError),
    /// What is in the target is no part of the source.
    #[error("the target holds {0} entries which are not the first ones of the source")]
    Other(u64),
    /// The source's entries do not make its root.
    #[error("the entries make root {computed:?}, the head of the source says {stored:?}")]
    Damaged {
        /// What they make.
        computed: TreeHead,
        /// What is stored.
        stored: TreeHead,
    },
}

impl From<StorageError> for CopyError {
    fn from(error: StorageError) -> Self {
        Self::Tree(error.into())
    }
}

/// Copies a log as it is at this moment: entries with their times and attestations, the index, and
/// the newest checkpoint. A target that holds a part of it gets the rest.
///
/// `progress` is called with the number of entries done, and of all.
///
/// # Errors
/// As [`CopyError`] says. Nothing is published in the target before its root is the source's.
pub async fn copy(
    source: &dyn LogStore,
    target: &dyn LogStore,
    progress: &mut (dyn FnMut(u64, u64) + Send),
) -> Result<TreeHead, CopyError> {
    let checkpoint = source.checkpoint().await?;
    let head = source.head().await?;
    let there = target.head().await?;
    if there.size > head.size || root_at(source, there.size).await? != there.root {
        return Err(CopyError::Other(there.size.0));
    }
    let mut edge = edge_of(target, there).await?;
    while edge.size() < head.size {
        let entries = read(source, edge.size().0, head.size.0).await?;
        edge = add(source, target, &edge, entries).await?;
        progress(edge.size().0, head.size.0);
    }
    if edge.head() != head {
        return Err(CopyError::Damaged { computed: edge.head(), stored: head });
    }
    let mut after = None;
    loop {
        let rows = source.index_rows(after.as_ref(), ROWS).await?;
        let Some(last) = rows.last().cloned() else { break };
        let within = |row: &storage::IndexRow| head.size.covers(row.index);
        let rows: Vec<_> = rows.into_iter().filter(within).collect();
        target.add_index_rows(&rows).await?;
        after = Some(last);
    }
    if let Some(checkpoint) = checkpoint {
        target.publish(checkpoint).await?;
    }
    Ok(head)
}

/// As many entries as make one commit.
async fn read(
    source: &dyn LogStore,
    first: u64,
    end: u64,
) -> Result<Vec<StoredEntry>, StorageError> {
    let (mut entries, mut bytes) = (Vec::new(), 0);
    while entries.len() + STEP <= BATCH_ENTRIES_MAX && bytes < BATCH_BYTES_MAX / 2 {
        let next = first + entries.len() as u64;
        let wanted = usize::try_from(end - next).unwrap_or(STEP).min(STEP);
        if wanted == 0 {
            break;
        }
        let read = source.entries(LogIndex(next), wanted).await?;
        if read.len() != wanted {
            let next = next + read.len() as u64;
            return Err(StorageError::Corrupt(format!("entry {next} of the source is missing")));
        }
        bytes += read.iter().map(|entry| entry.body.len()).sum::<usize>();
        entries.extend(read);
    }
    Ok(entries)
}

async fn add(
    source: &dyn LogStore,
    target: &dyn LogStore,
    edge: &RightEdge,
    entries: Vec<StoredEntry>,
) -> Result<RightEdge, CopyError> {
    let mut new = Vec::with_capacity(entries.len());
    for StoredEntry { integrated_time, body, .. } in entries {
        let attestation = match attestation_key(&body) {
            Some(key) => source.attestation(&key).await?.map(|data| (key, data)),
            None => None,
        };
        let attestation = attestation.map(|(key, data)| storage::Attestation { key, data });
        let (leaf_hash, index_keys) = (hash_leaf(&body), Vec::new());
        new.push(NewEntry { body, leaf_hash, integrated_time, index_keys, attestation });
    }
    let growth = edge.extend(&new.iter().map(|entry| entry.leaf_hash).collect::<Vec<_>>());
    let hashes = growth.stored_hashes().into_iter().map(|level| NewHashes {
        level: level.level,
        first: level.first,
        hashes: level.hashes,
    });
    let batch = Batch { hashes: hashes.collect(), head: growth.head(), entries: new };
    target.commit(edge.head(), batch).await?;
    Ok(growth.edge().clone())
}
