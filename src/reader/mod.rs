//! Reads back: entries, proofs, look-ups and searches of one log, never beyond the published size.
//!
//! A [`View`] is bound to one published head; nothing that was integrated after it can be seen
//! through it. The reader writes nothing.

mod tiles;

use std::sync::Arc;

use storage::{LogStore, StorageError, StoredEntry};
use tlog::{
    ConsistencyPlan, ConsistencyProof, HashRange, InclusionPlan, InclusionProof, LeafHash,
    LogIndex, ProofError, RootHash, RootPlan, TILE_WIDTH, TileId, TreeHead, TreeSize,
};

use crate::limits::SEARCH_HITS_MAX;
use tiles::TileCache;
pub use tiles::TilePart;

/// A read failed.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The store failed, or holds what cannot be.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// A proof was asked for that does not exist at this size.
    #[error(transparent)]
    Proof(#[from] ProofError),
}

/// Reads one log.
pub struct Reader {
    store: Arc<dyn LogStore>,
    tiles: TileCache,
}

impl Reader {
    /// A reader of this log, with an empty cache.
    pub fn new(store: Arc<dyn LogStore>) -> Self {
        Self { tiles: TileCache::new(store.clone()), store }
    }

    /// What can be seen of the log at a published head.
    pub fn at(&self, head: TreeHead) -> View<'_> {
        View { reader: self, head }
    }
}

/// One log as it was at a published head.
#[derive(Clone, Copy)]
pub struct View<'a> {
    reader: &'a Reader,
    head: TreeHead,
}

impl View<'_> {
    /// The entry at an index; `None` beyond the head.
    pub async fn entry(&self, index: LogIndex) -> Result<Option<StoredEntry>, ReadError> {
        if !self.head.size.covers(index) {
            return Ok(None);
        }
        let found = self.reader.store.entries(index, 1).await?.pop();
        found.map(Some).ok_or_else(|| missing(format!("entry {index}")))
    }

    /// Where a leaf stands; `None` when this head does not hold it.
    pub async fn index_of(&self, leaf: LeafHash) -> Result<Option<LogIndex>, ReadError> {
        let found = self.reader.store.indices_of(&[leaf]).await?.pop().flatten();
        Ok(found.filter(|index| self.head.size.covers(*index)))
    }

    /// The leaf hash at an index; `None` beyond the head.
    pub async fn leaf_hash(&self, index: LogIndex) -> Result<Option<LeafHash>, ReadError> {
        if !self.head.size.covers(index) {
            return Ok(None);
        }
        let found = self.reader.store.hashes(0, index.0, 1).await?.pop();
        let found = found.ok_or_else(|| missing(format!("leaf hash {index}")))?;
        Ok(Some(LeafHash::from_bytes(*found.as_bytes())))
    }

    /// The first `width` hashes of a tile; `None` when this head has fewer of it, or none are asked
    /// for.
    pub async fn tile(&self, tile: TileId, width: u16) -> Result<Option<TilePart>, ReadError> {
        if !self.holds(tile, width) {
            return Ok(None);
        }
        let (first, count) = (tile.index * TILE_WIDTH, usize::from(width));
        let range = HashRange { level: tile.level, first, count };
        Ok(Some(self.reader.tiles.read(range).await?))
    }

    /// The first `width` entries of a bundle; `None` as for a [`tile`](Self::tile).
    pub async fn bundle(
        &self,
        index: u64,
        width: u16,
    ) -> Result<Option<Vec<StoredEntry>>, ReadError> {
        if !self.holds(TileId { level: 0, index }, width) {
            return Ok(None);
        }
        let (first, count) = (LogIndex(index * TILE_WIDTH), usize::from(width));
        let entries = self.reader.store.entries(first, count).await?;
        if entries.len() != count {
            return Err(missing(format!("an entry of bundle {index}")));
        }
        Ok(Some(entries))
    }

    /// Entries from an index on, at most `max`, up to the head.
    pub async fn entries(
        &self,
        first: LogIndex,
        max: usize,
    ) -> Result<Vec<StoredEntry>, ReadError> {
        let left = self.head.size.0.saturating_sub(first.0);
        let max = max.min(usize::try_from(left).unwrap_or(usize::MAX));
        if max == 0 {
            return Ok(Vec::new());
        }
        Ok(self.reader.store.entries(first, max).await?)
    }

    fn holds(&self, tile: TileId, width: u16) -> bool {
        width > 0 && width <= tile.width(self.head.size)
    }

    /// The proof that this head holds the leaf at `index`.
    ///
    /// # Errors
    /// [`ReadError::Proof`] for an index beyond the head.
    pub async fn inclusion_proof(&self, index: LogIndex) -> Result<InclusionProof, ReadError> {
        let plan = InclusionPlan::new(index, self.head.size)?;
        let hashes = self.reader.tiles.read_all(plan.wanted()).await?;
        Ok(plan.build(&hashes)?)
    }

    /// The proof that the tree of `new` leaves extends the tree of `old` leaves.
    ///
    /// # Errors
    /// [`ReadError::Proof`] unless `old <= new <=` the head's size.
    pub async fn consistency_proof(
        &self,
        old: TreeSize,
        new: TreeSize,
    ) -> Result<ConsistencyProof, ReadError> {
        debug_assert!(new <= self.head.size, "the caller compares with the head first");
        let plan = ConsistencyPlan::new(old, new)?;
        let hashes = self.reader.tiles.read_all(plan.wanted()).await?;
        Ok(plan.build(&hashes)?)
    }

    /// The root hash that the log had at an earlier size.
    pub async fn root_at(&self, size: TreeSize) -> Result<RootHash, ReadError> {
        let plan = RootPlan::new(size);
        let hashes = self.reader.tiles.read_all(plan.wanted()).await?;
        Ok(plan.build(&hashes)?)
    }

    /// The entries that carry an index key, oldest first, at most [`SEARCH_HITS_MAX`].
    pub async fn search(&self, index_key: &str) -> Result<Vec<LogIndex>, ReadError> {
        let mut hits = self.reader.store.search(index_key, LogIndex(0), SEARCH_HITS_MAX).await?;
        hits.retain(|index| self.head.size.covers(*index));
        Ok(hits)
    }

    /// The attestation under a key.
    pub async fn attestation(&self, key: &str) -> Result<Option<Vec<u8>>, ReadError> {
        Ok(self.reader.store.attestation(key).await?)
    }
}

fn missing(what: String) -> ReadError {
    StorageError::Corrupt(format!("{what} lies below the head and is not stored")).into()
}
