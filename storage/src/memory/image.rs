//! What the model engine holds: plain maps and vectors, and which part of it is not synced yet.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use tlog::{LeafHash, LogIndex, NodeHash, TreeHead};

use crate::{
    Batch, LogRecord, NewEntry, StorageError, StoredCheckpoint, StoredEntry, TreeId, checkpoint,
};

/// All that a store holds.
#[derive(Clone, Default)]
pub(super) struct Image {
    logs: Vec<Log>,
    attestations: HashMap<String, Vec<u8>>,
}

/// One log's part.
#[derive(Clone)]
pub(super) struct Log {
    record: LogRecord,
    pub(super) head: TreeHead,
    entries: Vec<StoredEntry>,
    levels: BTreeMap<u8, Vec<NodeHash>>,
    leaves: HashMap<LeafHash, LogIndex>,
    search: HashMap<String, BTreeSet<LogIndex>>,
    checkpoint: Option<StoredCheckpoint>,
    /// The checkpoint that a power cut leaves.
    synced_checkpoint: Option<StoredCheckpoint>,
}

impl Image {
    pub(super) fn records(&self) -> Vec<LogRecord> {
        self.logs.iter().map(|log| log.record.clone()).collect()
    }

    pub(super) fn is_taken(&self, record: &LogRecord) -> bool {
        let same =
            |log: &Log| log.record.tree_id == record.tree_id || log.record.name == record.name;
        self.logs.iter().any(same)
    }

    pub(super) fn log(&self, tree: TreeId) -> Result<&Log, StorageError> {
        self.logs.iter().find(|log| log.record.tree_id == tree).ok_or(StorageError::NoSuchLog(tree))
    }

    pub(super) fn log_mut(&mut self, tree: TreeId) -> Option<&mut Log> {
        self.logs.iter_mut().find(|log| log.record.tree_id == tree)
    }

    pub(super) fn attestation(&self, key: &str) -> Option<Vec<u8>> {
        self.attestations.get(key).cloned()
    }

    pub(super) fn create_log(&mut self, record: LogRecord) {
        self.sync();
        self.logs.push(Log {
            record,
            head: TreeHead::empty(),
            entries: Vec::new(),
            levels: BTreeMap::new(),
            leaves: HashMap::new(),
            search: HashMap::new(),
            checkpoint: None,
            synced_checkpoint: None,
        });
    }

    pub(super) fn commit(&mut self, tree: TreeId, batch: Batch) {
        self.sync();
        let Some(log) = self.logs.iter_mut().find(|log| log.record.tree_id == tree) else {
            return;
        };
        for new in batch.entries {
            let index = LogIndex(log.entries.len() as u64);
            log.leaves.insert(new.leaf_hash, index);
            for key in &new.index_keys {
                log.search.entry(key.clone()).or_default().insert(index);
            }
            if let Some(attestation) = new.attestation {
                self.attestations.insert(attestation.key, attestation.data);
            }
            let NewEntry { integrated_time, body, index_keys, .. } = new;
            log.entries.push(StoredEntry { index, integrated_time, body, index_keys });
        }
        for new in batch.hashes {
            log.levels.entry(new.level).or_default().extend(new.hashes);
        }
        log.head = batch.head;
    }

    pub(super) fn publish(&mut self, tree: TreeId, checkpoint: StoredCheckpoint) {
        if let Some(log) = self.log_mut(tree) {
            log.checkpoint = Some(checkpoint);
        }
    }

    /// A synced write takes the unsynced ones before it along.
    fn sync(&mut self) {
        for log in &mut self.logs {
            log.synced_checkpoint.clone_from(&log.checkpoint);
        }
    }

    pub(super) fn lose_unsynced(&mut self) {
        for log in &mut self.logs {
            log.checkpoint.clone_from(&log.synced_checkpoint);
        }
    }
}

impl Log {
    pub(super) fn entries(&self, first: LogIndex, max: usize) -> &[StoredEntry] {
        part(&self.entries, first.0, max)
    }

    pub(super) fn hashes(&self, level: u8, first: u64, count: usize) -> Vec<NodeHash> {
        self.levels.get(&level).map_or(Vec::new(), |all| part(all, first, count).to_vec())
    }

    pub(super) fn index_of(&self, leaf: &LeafHash) -> Option<LogIndex> {
        self.leaves.get(leaf).copied()
    }

    pub(super) fn search(&self, key: &str, from: LogIndex, max: usize) -> Vec<LogIndex> {
        self.search
            .get(key)
            .map_or(Vec::new(), |all| all.range(from..).take(max).copied().collect())
    }

    pub(super) fn checkpoint(&self) -> Option<StoredCheckpoint> {
        self.checkpoint.clone()
    }

    pub(super) fn accepts(&self, new: &StoredCheckpoint) -> Result<bool, StorageError> {
        let newest = self.checkpoint.as_ref().map(|checkpoint| checkpoint.size);
        checkpoint::is_news(self.head, newest, new)
    }

    pub(super) fn tamper_hash(&mut self, level: u8, position: u64, hash: NodeHash) -> bool {
        let all = self.levels.get_mut(&level);
        let slot = all.and_then(|all| all.get_mut(usize::try_from(position).ok()?));
        slot.map(|slot| *slot = hash).is_some()
    }

    pub(super) fn tamper_search(&mut self, key: &str, index: LogIndex) {
        let indices = self.search.entry(key.to_owned()).or_default();
        if !indices.remove(&index) {
            indices.insert(index);
        }
    }

    pub(super) fn tamper_body(&mut self, index: LogIndex, body: &[u8]) -> bool {
        let slot = usize::try_from(index.0).ok().and_then(|index| self.entries.get_mut(index));
        slot.map(|entry| entry.body = body.to_vec()).is_some()
    }
}

/// Up to `max` items from `first` on; none when `first` is beyond the end.
fn part<T>(all: &[T], first: u64, max: usize) -> &[T] {
    let rest = usize::try_from(first).ok().and_then(|first| all.get(first..)).unwrap_or(&[]);
    &rest[..rest.len().min(max)]
}
