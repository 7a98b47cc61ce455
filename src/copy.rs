//! A log from one store to another, entry by entry: what arrives is held against the root.

use storage::{Batch, LogStore, NewEntry, NewHashes, StorageError, StoredEntry};
use tlog::{LogIndex, RightEdge, TreeHead, hash_leaf};

use crate::admission::attestation_key;
use crate::limits::{BATCH_BYTES_MAX, BATCH_ENTRIES_MAX};
use crate::stored_tree::{TreeError, edge_of, root_at};

/// Entries that are read at once.
const STEP: usize = 256;

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
    /// The target has an entry with another time or other index keys: no copy of this version made
    /// it.
    #[error("entry {0} of the target is not what it is in the source: copy into an empty target")]
    Differs(LogIndex),
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

/// Copies a log as it is at this moment: entries with their times, index keys and
/// attestations, and the newest checkpoint. A target that holds a part of it gets the rest.
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
    compare(source, target, there.size.0).await?;
    let mut edge = edge_of(target, there).await?;
    while edge.size() < head.size {
        let entries = read(source, edge.size().0, head.size.0).await?;
        edge = add(source, target, &edge, entries).await?;
        progress(edge.size().0, head.size.0);
    }
    if edge.head() != head {
        return Err(CopyError::Damaged { computed: edge.head(), stored: head });
    }
    if let Some(checkpoint) = checkpoint {
        target.publish(checkpoint).await?;
    }
    Ok(head)
}

/// The entries that are there already, with all that a root does not say.
async fn compare(source: &dyn LogStore, target: &dyn LogStore, end: u64) -> Result<(), CopyError> {
    let mut next = 0;
    while next < end {
        let entries = read(source, next, end).await?;
        let copied = target.entries(LogIndex(next), entries.len()).await?;
        let sorted = |entry: &StoredEntry| {
            let mut entry = entry.clone();
            entry.index_keys.sort_unstable(); // an older format kept no order
            entry
        };
        for (at, entry) in entries.iter().enumerate() {
            if copied.get(at).map(sorted) != Some(sorted(entry)) {
                return Err(CopyError::Differs(entry.index));
            }
        }
        next += entries.len() as u64;
    }
    Ok(())
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
        let size = |keys: &Vec<String>| keys.iter().map(String::len).sum::<usize>();
        bytes += read.iter().map(|entry| entry.body.len() + size(&entry.index_keys)).sum::<usize>();
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
    for StoredEntry { integrated_time, body, index_keys, .. } in entries {
        let attestation = match attestation_key(&body) {
            Some(key) => source.attestation(&key).await?.map(|data| (key, data)),
            None => None,
        };
        let attestation = attestation.map(|(key, data)| storage::Attestation { key, data });
        let leaf_hash = hash_leaf(&body);
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use storage::{LogRecord, Store, TreeId, memory::MemoryStore};

    use super::*;

    async fn empty() -> Arc<dyn LogStore> {
        let record = LogRecord {
            tree_id: TreeId::new(1).unwrap(),
            name: "v1".into(),
            api: "v1".into(),
            origin: "log.example - 1".into(),
            public_key: vec![1],
            created: 0,
        };
        MemoryStore::new().create_log(record).await.unwrap()
    }

    /// More entries, which have keys or, as an older copy left them, have none yet.
    async fn grow(log: &dyn LogStore, count: u64, with_keys: bool) {
        let edge = edge_of(log, log.head().await.unwrap()).await.unwrap();
        let entries = (edge.size().0..edge.size().0 + count).map(|index| StoredEntry {
            index: LogIndex(index),
            integrated_time: 7,
            body: index.to_string().into(),
            index_keys: if with_keys { vec![format!("z {index}"), "all".into()] } else { vec![] },
        });
        add(log, log, &edge, entries.collect()).await.unwrap();
    }

    #[tokio::test]
    async fn a_part_is_completed_with_its_keys() {
        let (source, target) = (empty().await, empty().await);
        grow(&*source, 700, true).await;
        grow(&*target, 300, true).await;
        let head = copy(&*source, &*target, &mut |_, _| ()).await.unwrap();
        assert_eq!(target.head().await.unwrap(), head);
        let [here, there] = [&source, &target].map(|log| log.entries(LogIndex(0), 999));
        assert_eq!(there.await.unwrap(), here.await.unwrap());
        for (key, hits) in [("all", 700), ("z 0", 1), ("z 699", 1)] {
            assert_eq!(target.search(key, LogIndex(0), 999).await.unwrap().len(), hits, "{key}");
        }
    }

    #[tokio::test]
    async fn a_part_without_keys_is_refused() {
        let (source, target) = (empty().await, empty().await);
        grow(&*source, 700, true).await;
        grow(&*target, 299, true).await;
        grow(&*target, 1, false).await;
        let refusal = copy(&*source, &*target, &mut |_, _| ()).await.unwrap_err();
        assert!(matches!(refusal, CopyError::Differs(LogIndex(299))), "{refusal}");
        assert_eq!(target.head().await.unwrap().size.0, 300);
    }
}
