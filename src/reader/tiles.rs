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

#[cfg(test)]
mod tests {
    use storage::memory::MemoryStore;
    use storage::{Batch, LogRecord, NewEntry, NewHashes, Store, TreeId};
    use tlog::{RightEdge, hash_leaf};

    use super::*;

    /// A log of one entry in each of so many batches.
    async fn log(store: &MemoryStore, entries: u64) -> Arc<dyn LogStore> {
        let tree_id = TreeId::new(1).unwrap();
        let [name, api, origin] = ["v1", "v1", "log.example - 1"].map(String::from);
        let record = LogRecord { tree_id, name, api, origin, public_key: vec![], created: 0 };
        let log = store.create_log(record).await.unwrap();
        let mut edge = RightEdge::empty();
        for n in 0..entries {
            let body = n.to_be_bytes().to_vec();
            let leaf_hash = hash_leaf(&body);
            let growth = edge.extend(&[leaf_hash]);
            let hashes = growth.stored_hashes().into_iter().map(|level| NewHashes {
                level: level.level,
                first: level.first,
                hashes: level.hashes,
            });
            let entry = NewEntry {
                body,
                leaf_hash,
                integrated_time: 0,
                index_keys: vec![],
                attestation: None,
            };
            let batch =
                Batch { hashes: hashes.collect(), head: growth.head(), entries: vec![entry] };
            log.commit(edge.head(), batch).await.unwrap();
            edge = growth.edge().clone();
        }
        log
    }

    #[tokio::test]
    async fn a_growing_tile_takes_one_place_and_serves_every_size() {
        let store = MemoryStore::new();
        let cache = TileCache::new(log(&store, 300).await);
        let full = HashRange { level: 0, first: 0, count: 256 };
        let before = cache.read(full).await.unwrap();
        for count in 1..=44 {
            let edge = cache.read(HashRange { level: 0, first: 256, count }).await.unwrap();
            assert_eq!(edge.len(), count);
        }
        assert_eq!(cache.lock().len(), 2);
        store.fail_reads(true);
        for count in 1..=44 {
            let range = HashRange { level: 0, first: 256, count };
            let edge = cache.read(range).await.unwrap();
            let longest = cache.lock().get(&(0, 256)).unwrap().clone();
            assert_eq!(edge[..], longest[..count]);
        }
        assert_eq!(cache.read(full).await.unwrap(), before);
        let beyond = HashRange { level: 0, first: 256, count: 45 };
        assert!(cache.read(beyond).await.is_err(), "no more than was read");
    }
}
