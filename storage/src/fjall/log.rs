//! One log in Fjall.

use std::ops::Range;
use std::sync::Arc;

use ::fjall::PersistMode;
use async_trait::async_trait;
use tlog::{LeafHash, LogIndex, NodeHash, TreeHead};

use super::{Shared, blocking, corrupt, failure, write};
use crate::batch::{self, level_size};
use crate::keys::{self, Part};
use crate::{
    Batch, CommitError, LogStore, StorageError, StoredBody, StoredCheckpoint, StoredEntry, TreeId,
    checkpoint, room,
};

/// Stands before an attestation's key: the engine has no empty keys.
const ATTESTATION: u8 = b'a';

/// A log of an open store.
pub(super) struct FjallLog {
    shared: Arc<Shared>,
    tree: TreeId,
}

impl FjallLog {
    pub(super) fn new(shared: Arc<Shared>, tree: TreeId) -> Self {
        Self { shared, tree }
    }
}

#[async_trait]
impl LogStore for FjallLog {
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
        let unreadable = || corrupt("an index of a leaf cannot be read");
        let look_up = |leaf: &LeafHash| {
            let value = self.shared.get(keys::LEAVES, keys::leaf(self.tree, leaf))?;
            value.map(|value| keys::parse_index(&value).ok_or_else(unreadable)).transpose()
        };
        leaves.iter().map(look_up).collect()
    }

    async fn search(
        &self,
        index_key: &str,
        from: LogIndex,
        max: usize,
    ) -> Result<Vec<LogIndex>, StorageError> {
        let start = keys::search(index_key, self.tree, from);
        let end = keys::search_end(index_key, self.tree);
        let mut hits = Vec::new();
        let mut rows = self.shared.family(keys::SEARCH).range(start..end);
        while hits.len() < max
            && let Some(row) = rows.next()
        {
            hits.extend(keys::search_hit(index_key, &row.key().map_err(failure)?));
        }
        Ok(hits)
    }

    async fn attestation(&self, key: &str) -> Result<Option<Vec<u8>>, StorageError> {
        let found = self.shared.get(keys::ATTESTATIONS, attestation_key(key))?;
        Ok(found.map(|data| data.to_vec()))
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
        let unreadable = || corrupt(format!("the checkpoint of log {tree} cannot be read"));
        let value = self.get(keys::LOGS, keys::part(tree, Part::Checkpoint))?;
        value.map(|value| keys::parse_checkpoint(&value).ok_or_else(unreadable)).transpose()
    }

    fn commit(&self, tree: TreeId, expected: TreeHead, batch: &Batch) -> Result<(), CommitError> {
        let mut writer = self.writer()?;
        let stored = self.head(tree)?;
        if stored != expected {
            return Err(CommitError::Conflict { expected, stored });
        }
        room::check(&self.path, batch, 0)?;
        let [entries, leaves, search, attestations] =
            [keys::ENTRIES, keys::LEAVES, keys::SEARCH, keys::ATTESTATIONS]
                .map(|name| self.family(name));
        let mut rows = self.batch(PersistMode::SyncAll);
        for (index, new) in (expected.size.0..).zip(&batch.entries) {
            let value = keys::entry_value(new.integrated_time, &new.index_keys, &new.body);
            rows.insert(entries, keys::entry(tree, index), value);
            rows.insert(leaves, keys::leaf(tree, &new.leaf_hash), index.to_be_bytes());
            for key in &new.index_keys {
                rows.insert(search, keys::search(key, tree, LogIndex(index)), []);
            }
            if let Some(new) = &new.attestation {
                rows.insert(attestations, attestation_key(&new.key), new.data.as_slice());
            }
        }
        for new in &batch.hashes {
            let hashes = self.family(keys::family_of(new.level));
            for (position, hash) in (new.first..).zip(&new.hashes) {
                rows.insert(hashes, keys::hash(tree, new.level, position), *hash.as_bytes());
            }
        }
        let head = keys::head_value(batch.head);
        rows.insert(self.family(keys::LOGS), keys::part(tree, Part::Head), head);
        // Crash before this line: nothing happened. While it runs: all of the rows are there or
        // none is, since they are one batch of the journal with one checksum.
        write(&mut writer, rows)?;
        // Crash after it: they are there.
        Ok(())
    }

    fn publish(&self, tree: TreeId, new: &StoredCheckpoint) -> Result<(), StorageError> {
        let mut writer = self.writer()?;
        let newest = self.checkpoint(tree)?.map(|newest| newest.size);
        if !checkpoint::is_news(self.head(tree)?, newest, new)? {
            return Ok(());
        }
        // With the operating system, so that it survives this process; the next commit syncs it.
        let mut rows = self.batch(PersistMode::Buffer);
        let (key, value) = (keys::part(tree, Part::Checkpoint), keys::checkpoint_value(new));
        rows.insert(self.family(keys::LOGS), key, value);
        write(&mut writer, rows)
    }

    /// The values of a range of numbered rows, none of which may be missing.
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
            let value = self.get(family, key(range.start))?;
            let value = value.and_then(|value| parse(range.start, &value));
            return Ok(vec![value.ok_or_else(|| missing(range.start))?]);
        }
        let mut rows = self.family(family).range(key(range.start)..key(range.end));
        let mut found = Vec::new();
        for position in range {
            let row = rows.next().map(|row| row.into_inner().map_err(failure)).transpose()?;
            let value = row.filter(|(found, _)| **found == *key(position));
            let value = value.and_then(|(_, value)| parse(position, &value));
            found.push(value.ok_or_else(|| missing(position))?);
        }
        Ok(found)
    }
}

fn attestation_key(key: &str) -> Vec<u8> {
    [&[ATTESTATION], key.as_bytes()].concat()
}

/// The part of `first .. first + count` that lies below `size`; a commit that returns later may add
/// more, which the caller has not asked for.
fn clamp(first: u64, count: usize, size: u64) -> Range<u64> {
    first..first.saturating_add(count as u64).min(size)
}
