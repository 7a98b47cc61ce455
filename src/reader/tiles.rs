//! Stored hashes, tile by tile, with the tiles that were read last kept in memory.
//!
//! A range of hashes that was written never changes, so what is cached is never stale. A tile at
//! the right edge is kept once, as far as it was read: each tree size sees its own part of it.
//! A full tile is held against the hash above it when it is read.

use std::num::NonZeroUsize;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use lru::LruCache;
use storage::{LogStore, StorageError};
use tlog::{HashRange, Hashes, NodeHash, TILE_WIDTH, Tile};

use crate::limits::CACHED_TILES_MAX;

const CACHED_TILES: NonZeroUsize = NonZeroUsize::new(CACHED_TILES_MAX).unwrap();

/// By level and first hash, the longest range that was read from there.
type Cached = LruCache<(u8, u64), Arc<Tile>>;

pub(super) struct TileCache {
    store: Arc<dyn LogStore>,
    cached: Mutex<Cached>,
}

/// The start of a tile: as much of it as a tree size sees.
pub struct TilePart {
    tile: Arc<Tile>,
    count: usize,
}

impl TilePart {
    /// 1 to 256 hashes.
    pub fn hashes(&self) -> &[NodeHash] {
        &self.tile.hashes()[..self.count] // `TileCache::read` compared them
    }
}

impl Hashes for TilePart {
    fn count(&self) -> usize {
        self.count
    }

    fn subtree(&self, part: Range<usize>) -> Option<NodeHash> {
        if part.end <= self.count { self.tile.subtree(part) } else { None }
    }
}

impl TileCache {
    pub(super) fn new(store: Arc<dyn LogStore>) -> Self {
        Self { store, cached: Mutex::new(LruCache::new(CACHED_TILES)) }
    }

    /// The hashes of each range, in the order of the ranges.
    pub(super) async fn read_all(
        &self,
        ranges: &[HashRange],
    ) -> Result<Vec<TilePart>, StorageError> {
        let mut all = Vec::with_capacity(ranges.len());
        for range in ranges {
            all.push(self.read(*range).await?);
        }
        Ok(all)
    }

    /// The hashes of a range, which starts where a tile does.
    pub(super) async fn read(&self, range: HashRange) -> Result<TilePart, StorageError> {
        let (place, count) = ((range.level, range.first), range.count);
        if let Some(tile) = self.lock().get(&place)
            && tile.hashes().len() >= count
        {
            return Ok(TilePart { tile: tile.clone(), count });
        }
        let hashes = self.store.hashes(range.level, range.first, count).await?;
        if hashes.len() != count {
            let found = hashes.len();
            let text = format!("{found} hashes are stored of {range:?}, which lies below the head");
            return Err(StorageError::Corrupt(text));
        }
        let tile = Arc::new(Tile::new(hashes));
        if count as u64 == TILE_WIDTH {
            self.check_full(range, &tile).await?;
        }
        self.lock().put(place, tile.clone());
        Ok(TilePart { tile, count })
    }

    /// That a full tile makes the hash that is stored above it.
    async fn check_full(&self, range: HashRange, tile: &Tile) -> Result<(), StorageError> {
        let (level, place) = (range.level + 1, range.first / TILE_WIDTH);
        let above = self.store.hashes(level, place, 1).await?;
        if above.first().copied() == tile.subtree(0..range.count) {
            return Ok(());
        }
        let id = range.tile();
        Err(StorageError::Corrupt(format!(
            "the hashes of tile {} at level {} do not make the hash that is stored above them",
            id.index, id.level
        )))
    }

    /// Forgets what was read.
    pub(super) fn forget(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Cached> {
        // A panic while the lock is held leaves a cache that is still right, at worst shorter.
        self.cached.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
