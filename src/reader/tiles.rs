//! Stored hashes, tile by tile, with the tiles that were read last kept in memory.
//!
//! A range of hashes that was written never changes, so what is cached is never stale. A tile at
//! the right edge is kept once, as far as it was read: each tree size sees its own part of it.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use lru::LruCache;
use storage::{LogStore, StorageError};
use tlog::{HashRange, NodeHash};

use crate::limits::CACHED_TILES_MAX;

const CACHED_TILES: NonZeroUsize = NonZeroUsize::new(CACHED_TILES_MAX).unwrap();

/// By level and first hash, the longest range that was read from there.
type Cached = LruCache<(u8, u64), Arc<[NodeHash]>>;

pub(super) struct TileCache {
    store: Arc<dyn LogStore>,
    cached: Mutex<Cached>,
}

impl TileCache {
    pub(super) fn new(store: Arc<dyn LogStore>) -> Self {
        Self { store, cached: Mutex::new(LruCache::new(CACHED_TILES)) }
    }

    /// The hashes of each range, in the order of the ranges.
    pub(super) async fn read_all(
        &self,
        ranges: &[HashRange],
    ) -> Result<Vec<Arc<[NodeHash]>>, StorageError> {
        let mut all = Vec::with_capacity(ranges.len());
        for range in ranges {
            all.push(self.read(*range).await?);
        }
        Ok(all)
    }

    async fn read(&self, range: HashRange) -> Result<Arc<[NodeHash]>, StorageError> {
        let tile = (range.level, range.first);
        if let Some(hashes) = self.lock().get(&tile)
            && let Some(wanted) = hashes.get(..range.count)
        {
            let all_of_it = wanted.len() == hashes.len();
            return Ok(if all_of_it { hashes.clone() } else { wanted.into() });
        }
        let hashes = self.store.hashes(range.level, range.first, range.count).await?;
        if hashes.len() != range.count {
            let found = hashes.len();
            let text = format!("{found} hashes are stored of {range:?}, which lies below the head");
            return Err(StorageError::Corrupt(text));
        }
        let hashes: Arc<[NodeHash]> = hashes.into();
        self.lock().put(tile, hashes.clone());
        Ok(hashes)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Cached> {
        // A panic while the lock is held leaves a cache that is still right, at worst shorter.
        self.cached.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
