//! The embedded engine passes the suite; what the suite cannot see is in the files beside.

mod crash;
mod layout;
mod opening;
mod upgrading;

use std::sync::Arc;

use async_trait::async_trait;
use tlog::{RootHash, TreeSize, hash_leaf};

use super::*;
use crate::suite::{self, Place};
use crate::{Batch, NewEntry, NewHashes};

struct Directory(tempfile::TempDir);

#[async_trait]
impl Place for Directory {
    async fn open(&mut self) -> Arc<dyn Store> {
        Arc::new(RocksStore::open(self.0.path().join("store"), &create()).unwrap())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn passes_the_suite() {
    suite::all(async || Directory(tempfile::tempdir().unwrap())).await;
}

/// With buffers so small that sorted files are made, merged and read all the time.
#[tokio::test(flavor = "multi_thread")]
async fn passes_a_random_walk_on_small_buffers() {
    struct Small(tempfile::TempDir);

    #[async_trait]
    impl Place for Small {
        async fn open(&mut self) -> Arc<dyn Store> {
            let options = Options {
                write_buffer_bytes: 128 << 10,
                cache_bytes: 64 << 10,
                open_files_max: 16,
                ..create()
            };
            Arc::new(RocksStore::open(self.0.path(), &options).unwrap())
        }
    }
    suite::random(&mut Small(tempfile::tempdir().unwrap()), 7, 400).await;
}

fn create() -> Options {
    Options { create_if_missing: true, ..Options::default() }
}

fn tree() -> TreeId {
    TreeId::new(1).unwrap()
}

fn record() -> LogRecord {
    LogRecord {
        tree_id: tree(),
        name: "v1".to_owned(),
        api: "v1".into(),
        origin: "log.example - 1".to_owned(),
        public_key: vec![1],
        created: 0,
    }
}

/// The only log of a store, made when it is not there.
async fn log_of(store: &RocksStore) -> Arc<dyn LogStore> {
    match store.log(tree()).await {
        Ok(log) => log,
        Err(_) => store.create_log(record()).await.unwrap(),
    }
}

/// The body of the entry at an index: of `bytes` bytes, another one for every index.
fn body(index: u64, bytes: usize) -> Vec<u8> {
    format!("{index:020}").bytes().cycle().take(bytes).collect()
}

/// One entry of this many bytes.
fn batch_on(on: TreeHead, bytes: usize) -> Batch {
    let body = body(on.size.0, bytes);
    let leaf_hash = hash_leaf(&body);
    let size = on.size.0 + 1;
    let hashes = (0..8)
        .map(|level| (level, 1 << (8 * u32::from(level))))
        .take_while(|(_, leaves)| size.is_multiple_of(*leaves))
        .map(|(level, leaves)| NewHashes {
            level,
            first: size / leaves - 1,
            hashes: vec![leaf_hash.to_node()],
        })
        .collect();
    let root = RootHash::from_bytes(tlog::hash::sha256(&on.size.0.to_be_bytes()));
    let head = TreeHead { size: TreeSize(on.size.0 + 1), root };
    let index_keys = vec![format!("key of {}", on.size)];
    let entry = NewEntry { body, leaf_hash, integrated_time: 0, index_keys, attestation: None };
    Batch { entries: vec![entry], hashes, head }
}

async fn add_one(log: &dyn LogStore, bytes: usize) -> TreeHead {
    let on = log.head().await.unwrap();
    let batch = batch_on(on, bytes);
    let head = batch.head;
    log.commit(on, batch).await.unwrap();
    head
}

/// Reads everything that the head speaks for.
async fn check(log: &dyn LogStore, bytes: usize) -> u64 {
    let size = log.head().await.unwrap().size.0;
    let entries = log.entries(tlog::LogIndex(0), usize::MAX).await.unwrap();
    assert_eq!(entries.len() as u64, size);
    for entry in &entries {
        assert_eq!(entry.body, body(entry.index.0, bytes));
        let found = log.indices_of(&[hash_leaf(&entry.body)]).await.unwrap();
        assert_eq!(found, [Some(entry.index)]);
        let key = format!("key of {}", entry.index);
        assert_eq!(entry.index_keys, [key.as_str()]);
        assert_eq!(log.search(&key, tlog::LogIndex(0), 9).await.unwrap(), [entry.index]);
    }
    assert_eq!(log.hashes(0, 0, usize::MAX).await.unwrap().len() as u64, size);
    let checkpoint = log.checkpoint().await.unwrap();
    assert!(checkpoint.is_none_or(|checkpoint| checkpoint.size.0 <= size));
    size
}

/// Copies a directory as it is now: what the death of the process would leave.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for file in std::fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

/// The newest write-ahead log in a directory.
fn write_ahead_log(directory: &Path) -> PathBuf {
    let files = std::fs::read_dir(directory).unwrap().map(|file| file.unwrap().path());
    files.filter(|path| path.extension().is_some_and(|end| end == "log")).max().unwrap()
}
