//! Reads back: entries, proofs, look-ups and searches of one log, never beyond the published size.
//!
//! A [`View`] is bound to one published head; nothing that was integrated after it can be seen
//! through it, and nothing that the head does not vouch for. The reader writes nothing.

mod tiles;
mod vouched;

use std::sync::Arc;

use storage::{LogStore, StorageError, StoredBody, StoredEntry};
use tlog::{HashRange, LeafHash, LogIndex, ProofError, TILE_WIDTH, TileId, TreeHead};

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
    pub async fn entry(&self, index: LogIndex) -> Result<Option<StoredBody>, ReadError> {
        if !self.head.size.covers(index) {
            return Ok(None);
        }
        let found = self.reader.store.bodies(index, 1).await?;
        self.vouch_for(&found).await?;
        found.into_iter().next().map(Some).ok_or_else(|| missing(format!("entry {index}")))
    }

    /// Where a leaf stands; `None` when this head does not hold it.
    pub async fn index_of(&self, leaf: LeafHash) -> Result<Option<LogIndex>, ReadError> {
        let found = self.reader.store.indices_of(&[leaf]).await?.pop().flatten();
        let Some(index) = found.filter(|index| self.head.size.covers(*index)) else {
            return Ok(None);
        };
        if self.leaf(index).await? != leaf {
            return Err(self.damaged(format!("the index {index} of leaf {leaf}")));
        }
        Ok(Some(index))
    }

    async fn stored_leaf(&self, index: LogIndex) -> Result<LeafHash, ReadError> {
        let found = self.reader.store.hashes(0, index.0, 1).await?.pop();
        let found = found.ok_or_else(|| missing(format!("leaf hash {index}")))?;
        Ok(LeafHash::from_bytes(*found.as_bytes()))
    }

    /// The first `width` hashes of a tile; `None` when this head has fewer of it, or none are asked
    /// for.
    pub async fn tile(&self, tile: TileId, width: u16) -> Result<Option<TilePart>, ReadError> {
        if !self.holds(tile, width) {
            return Ok(None);
        }
        let (first, count) = (tile.index * TILE_WIDTH, usize::from(width));
        let range = HashRange { level: tile.level, first, count };
        let part = self.reader.tiles.read(range).await?;
        self.vouch_for_tile(tile).await?;
        Ok(Some(part))
    }

    /// The first `width` entries of a bundle; `None` as for a [`tile`](Self::tile).
    pub async fn bundle(
        &self,
        index: u64,
        width: u16,
    ) -> Result<Option<Vec<StoredBody>>, ReadError> {
        if !self.holds(TileId { level: 0, index }, width) {
            return Ok(None);
        }
        let (first, count) = (LogIndex(index * TILE_WIDTH), usize::from(width));
        let entries = self.reader.store.bodies(first, count).await?;
        if entries.len() != count {
            return Err(missing(format!("an entry of bundle {index}")));
        }
        self.vouch_for(&entries).await?;
        Ok(Some(entries))
    }

    /// The entries of a [`bundle`](Self::bundle) with their index keys.
    pub async fn stored(
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
    pub async fn entries(&self, first: LogIndex, max: usize) -> Result<Vec<StoredBody>, ReadError> {
        let left = self.head.size.0.saturating_sub(first.0);
        let max = max.min(usize::try_from(left).unwrap_or(usize::MAX));
        if max == 0 {
            return Ok(Vec::new());
        }
        let entries = self.reader.store.bodies(first, max).await?;
        self.vouch_for(&entries).await?;
        Ok(entries)
    }

    fn holds(&self, tile: TileId, width: u16) -> bool {
        width > 0 && width <= tile.width(self.head.size)
    }

    /// The leaf hashes of the entries that carry an index key, oldest first, at most
    /// [`SEARCH_HITS_MAX`]. Each of them is the name of an entry that is there.
    pub async fn search(&self, index_key: &str) -> Result<Vec<LeafHash>, ReadError> {
        let store = &self.reader.store;
        let mut hits = store.search(index_key, LogIndex(0), SEARCH_HITS_MAX).await?;
        hits.retain(|index| self.head.size.covers(*index));
        let mut leaves = Vec::with_capacity(hits.len());
        for index in hits {
            leaves.push(self.stored_leaf(index).await?);
        }
        let known = store.indices_of(&leaves).await?;
        if let Some((leaf, _)) = leaves.iter().zip(known).find(|(_, known)| known.is_none()) {
            return Err(self.damaged(format!("the leaf hash {leaf} that a search has found")));
        }
        Ok(leaves)
    }

    /// Where it reads: for what has no place in the tree, and so none beyond the head.
    pub fn store(&self) -> &dyn LogStore {
        &*self.reader.store
    }
}

fn missing(what: String) -> ReadError {
    StorageError::Corrupt(format!("{what} lies below the head and is not stored")).into()
}
