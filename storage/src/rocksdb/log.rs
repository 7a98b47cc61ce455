//! One log in RocksDB.

use std::ops::Range;
use std::sync::Arc;

use ::rocksdb::properties::LIVE_SST_FILES_SIZE;
use ::rocksdb::{DBRawIterator, ReadOptions, WriteBatch};
use async_trait::async_trait;
use tlog::{LeafHash, LogIndex, NodeHash, TreeHead};

use super::{Durability, Shared, blocking, corrupt, failure};
use crate::batch::{self, level_size};
use crate::keys::{self, Part};
use crate::{
    Batch, CommitError, LogStore, StorageError, StoredBody, StoredCheckpoint, StoredEntry, TreeId,
    checkpoint, room,
};

/// A log of an open store.
pub(super) struct RocksLog {
    shared: Arc<Shared>,
    tree: TreeId,
}

impl RocksLog {
    pub(super) fn new(shared: Arc<Shared>, tree: TreeId) -> Self {
        Self { shared, tree }
    }
}

#[async_trait]
impl LogStore for RocksLog {
    async fn head(&self) -> Result<TreeHead, StorageError> {
        self.shared.head(self.tree)
    }

    async fn commit(&self, expected: TreeHead, batch: Batch) -> Result<(), CommitError> {
        batch::check(expected, &batch)?;
        let tree = self.tree;
        blocking(&self.shared, move |shared| shared.commit(tree, expected, &batch)).await
    }

    async fn entries(&self, first: LogIndex, max: usize) -> Result<Vec<StoredEntry>, StorageError> {
        self.shared.entries(self.tree, first, max, keys::parse_entry)
    }

    async fn bodies(&self, first: LogIndex, max: usize) -> Result<Vec<StoredBody>, StorageError> {
        self.shared.entries(self.tree, first, max, keys::parse_body)
    }

    async fn hashes(
        &self,
        level: u8,
        first: u64,
        count: usize,
    ) -> Result<Vec<NodeHash>, StorageError> {
        let size = level_size(self.shared.head(self.tree)?.size, level);
        let key = |position| keys::hash(self.tree, level, position);
        let range = clamp(first, count, size);
        self.shared.run(keys::family_of(level), range, key, |_, value| keys::parse_hash(value))
    }

    async fn indices_of(&self, leaves: &[LeafHash]) -> Result<Vec<Option<LogIndex>>, StorageError> {
        let keys: Vec<_> = leaves.iter().map(|leaf| keys::leaf(self.tree, leaf)).collect();
        let family = self.shared.family(keys::LEAVES);
        let found = self.shared.db.batched_multi_get_cf(family, &keys, false);
        let index = |value: &[u8]| {
            keys::parse_index(value).ok_or_else(|| corrupt("an index of a leaf cannot be read"))
        };
        found
            .into_iter()
            .map(|value| value.map_err(failure)?.as_deref().map(index).transpose())
            .collect()
    }

    async fn search(
        &self,
        index_key: &str,
        from: LogIndex,
        max: usize,
    ) -> Result<Vec<LogIndex>, StorageError> {
        let start = keys::search(index_key, self.tree, from);
        let end = keys::search_end(index_key, self.tree);
        let mut rows = self.shared.scan(keys::SEARCH, start, end);
        let mut hits = Vec::new();
        while hits.len() < max
            && let Some(key) = rows.key()
        {
            hits.extend(keys::search_hit(index_key, key));
            rows.next();
        }
        rows.status().map_err(failure)?;
        Ok(hits)
    }

    async fn attestation(&self, key: &str) -> Result<Option<Vec<u8>>, StorageError> {
        self.shared.get(keys::ATTESTATIONS, key)
    }

    async fn checkpoint(&self) -> Result<Option<StoredCheckpoint>, StorageError> {
        self.shared.checkpoint(self.tree)
    }

    async fn publish(&self, checkpoint: StoredCheckpoint) -> Result<(), StorageError> {
        let tree = self.tree;
        blocking(&self.shared, move |shared| shared.publish(tree, &checkpoint)).await
    }
}

impl Shared {
    fn head(&self, tree: TreeId) -> Result<TreeHead, StorageError> {
        let value = self.get(keys::LOGS, keys::part(tree, Part::Head))?;
        let head = value.as_deref().and_then(keys::parse_head);
        head.ok_or_else(|| corrupt(format!("log {tree} has no head, or none that can be read")))
    }

    fn entries<T>(
        &self,
        tree: TreeId,
        first: LogIndex,
        max: usize,
        parse: impl Fn(u64, &[u8]) -> Option<T>,
    ) -> Result<Vec<T>, StorageError> {
        let range = clamp(first.0, max, self.head(tree)?.size.0);
        self.run(keys::ENTRIES, range, |index| keys::entry(tree, index), parse)
    }

    fn checkpoint(&self, tree: TreeId) -> Result<Option<StoredCheckpoint>, StorageError> {
        let value = self.get(keys::LOGS, keys::part(tree, Part::Checkpoint))?;
        let parse = |value: Vec<u8>| {
            let unreadable = || corrupt(format!("the checkpoint of log {tree} cannot be read"));
            keys::parse_checkpoint(&value).ok_or_else(unreadable)
        };
        value.map(parse).transpose()
    }

    fn commit(&self, tree: TreeId, expected: TreeHead, batch: &Batch) -> Result<(), CommitError> {
        let mut writer = self.writer()?;
        let stored = self.head(tree)?;
        if stored != expected {
            return Err(CommitError::Conflict { expected, stored });
        }
        room::check(&self.path, batch, self.largest_merge())?;
        let rows = self.rows(tree, expected, batch);
        // Crash before this line: nothing happened. While it runs: all of the rows are there or
        // none is, since they are one record of the write-ahead log.
        self.write(&mut writer, rows, Durability::Synced)?;
        // Crash after it: they are there.
        Ok(())
    }

    /// Bytes of the larger of the families whose files are merged all at once.
    fn largest_merge(&self) -> u64 {
        let bytes = [keys::LEAVES, keys::SEARCH].map(|name| {
            self.db.property_int_value_cf(self.family(name), LIVE_SST_FILES_SIZE).ok().flatten()
        });
        bytes.into_iter().flatten().max().unwrap_or(0)
    }

    fn rows(&self, tree: TreeId, expected: TreeHead, batch: &Batch) -> WriteBatch {
        let [entries, leaves, search] =
            [keys::ENTRIES, keys::LEAVES, keys::SEARCH].map(|name| self.family(name));
        let mut rows = WriteBatch::default();
        for (index, new) in (expected.size.0..).zip(&batch.entries) {
            let value = keys::entry_value(new.integrated_time, &new.index_keys, &new.body);
            rows.put_cf(entries, keys::entry(tree, index), value);
            rows.put_cf(leaves, keys::leaf(tree, &new.leaf_hash), index.to_be_bytes());
            for key in &new.index_keys {
                rows.put_cf(search, keys::search(key, tree, LogIndex(index)), []);
            }
            if let Some(new) = &new.attestation {
                rows.put_cf(self.family(keys::ATTESTATIONS), &new.key, &new.data);
            }
        }
        for new in &batch.hashes {
            let hashes = self.family(keys::family_of(new.level));
            for (position, hash) in (new.first..).zip(&new.hashes) {
                rows.put_cf(hashes, keys::hash(tree, new.level, position), hash.as_bytes());
            }
        }
        let head = keys::head_value(batch.head);
        rows.put_cf(self.family(keys::LOGS), keys::part(tree, Part::Head), head);
        rows
    }

    fn publish(&self, tree: TreeId, new: &StoredCheckpoint) -> Result<(), StorageError> {
        let mut writer = self.writer()?;
        let newest = self.checkpoint(tree)?.map(|newest| newest.size);
        if !checkpoint::is_news(self.head(tree)?, newest, new)? {
            return Ok(());
        }
        let mut rows = WriteBatch::default();
        let key = keys::part(tree, Part::Checkpoint);
        rows.put_cf(self.family(keys::LOGS), key, keys::checkpoint_value(new));
        // It stands behind its head in the write-ahead log: no power cut leaves it without one.
        self.write(&mut writer, rows, Durability::Unsynced)
    }

    /// The values at consecutive positions, all of which are stored. There is one key a position:
    /// where one is missing, the rows end before the range does.
    fn run<T>(
        &self,
        family: &'static str,
        range: Range<u64>,
        key: impl Fn(u64) -> Vec<u8>,
        parse: impl Fn(u64, &[u8]) -> Option<T>,
    ) -> Result<Vec<T>, StorageError> {
        let missing = |position| {
            corrupt(format!("number {position} of the {family} is missing or unreadable"))
        };
        if range.is_empty() {
            return Ok(Vec::new());
        }
        if range.end - range.start == 1 {
            // An iterator for one row costs three times as much.
            let row = self.db.get_pinned_cf(self.family(family), key(range.start));
            let value = row.map_err(failure)?.and_then(|value| parse(range.start, &value));
            return Ok(vec![value.ok_or_else(|| missing(range.start))?]);
        }
        let mut rows = self.scan(family, key(range.start), key(range.end));
        let mut found = Vec::new();
        for position in range {
            let Some(value) = rows.value().and_then(|value| parse(position, value)) else {
                rows.status().map_err(failure)?;
                return Err(missing(position));
            };
            found.push(value);
            rows.next();
        }
        Ok(found)
    }

    /// An iterator at the first key of `start .. end`, which ends there.
    fn scan(&self, family: &'static str, start: Vec<u8>, end: Vec<u8>) -> DBRawIterator<'_> {
        let mut options = ReadOptions::default();
        options.set_iterate_upper_bound(end);
        let mut rows = self.db.raw_iterator_cf_opt(self.family(family), options);
        rows.seek(start);
        rows
    }
}

/// The part of `first .. first + count` that lies below `size`; a commit that returns later may add
/// more, which the caller has not asked for.
fn clamp(first: u64, count: usize, size: u64) -> Range<u64> {
    first..first.saturating_add(count as u64).min(size)
}
