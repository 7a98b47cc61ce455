//! The model passes the suite, and its faults do what they say.

use std::time::Duration;

use tlog::{LogIndex, NodeHash, RootHash, TreeHead, TreeSize};

use super::*;
use crate::suite::{self, Place};
use crate::{NewEntry, NewHashes};

struct InMemory(MemoryStore);

#[async_trait]
impl Place for InMemory {
    async fn open(&mut self) -> Arc<dyn Store> {
        self.0 = self.0.reopen();
        Arc::new(self.0.clone())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn passes_the_suite() {
    suite::all(async || InMemory(MemoryStore::new())).await;
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

fn tree() -> TreeId {
    TreeId::new(1).unwrap()
}

/// A batch of one entry on top of a head smaller than a tile.
fn batch_on(on: TreeHead) -> Batch {
    let body = on.size.0.to_be_bytes().to_vec();
    let leaf_hash = tlog::hash_leaf(&body);
    let hashes = vec![NewHashes { level: 0, first: on.size.0, hashes: vec![leaf_hash.to_node()] }];
    let head = TreeHead {
        size: TreeSize(on.size.0 + 1),
        root: RootHash::from_bytes([on.size.0 as u8 + 1; 32]),
    };
    let entry =
        NewEntry { body, leaf_hash, integrated_time: 0, index_keys: vec![], attestation: None };
    Batch { entries: vec![entry], hashes, head }
}

fn note(size: TreeSize) -> StoredCheckpoint {
    StoredCheckpoint { size, note: format!("{size}") }
}

/// Commits and publishes three times; gives what was acknowledged: head size and published size.
async fn workload(store: &MemoryStore) -> (u64, Option<u64>) {
    let (mut committed, mut published) = (0, None);
    let Ok(log) = store.create_log(record()).await else {
        return (committed, published);
    };
    let mut head = TreeHead::empty();
    for _ in 0..3 {
        let batch = batch_on(head);
        let new = batch.head;
        if log.commit(head, batch).await.is_err() {
            break;
        }
        head = new;
        committed = head.size.0;
        if log.publish(note(head.size)).await.is_err() {
            break;
        }
        published = Some(head.size.0);
    }
    (committed, published)
}

async fn left(store: &MemoryStore) -> (u64, Option<u64>) {
    let Ok(log) = store.log(tree()).await else {
        return (0, None);
    };
    let size = log.head().await.unwrap().size.0;
    assert_eq!(log.entries(LogIndex(0), 99).await.unwrap().len() as u64, size);
    assert_eq!(log.hashes(0, 0, 99).await.unwrap().len() as u64, size);
    (size, log.checkpoint().await.unwrap().map(|checkpoint| checkpoint.size.0))
}

#[tokio::test]
async fn a_power_cut_at_every_step_keeps_what_was_acknowledged() {
    let whole = MemoryStore::new();
    assert_eq!(workload(&whole).await, (3, Some(3)));
    assert_eq!(whole.steps(), 7);
    for step in 0..whole.steps() {
        for write in [Fate::Kept, Fate::Lost] {
            let store = MemoryStore::new();
            store.cut_power_at(step, write);
            let (committed, published) = workload(&store).await;
            assert_eq!(store.steps(), step + 1);
            assert!(store.logs().await.is_err(), "alive after the cut");

            let (size, checkpoint) = left(&store.reopen()).await;
            let cut_in_commit = step % 2 == 1; // after create_log: commit, publish, commit, ...
            let kept = u64::from(write == Fate::Kept && cut_in_commit);
            assert_eq!(size, committed + kept, "step {step}, {write:?}");
            match write {
                Fate::Kept if step >= 2 && !cut_in_commit => {
                    assert_eq!(checkpoint, Some(committed));
                }
                Fate::Kept => assert_eq!(checkpoint, published),
                // The last publication before a lost commit goes with it.
                Fate::Lost => assert!(checkpoint <= published && checkpoint <= Some(size)),
            }
        }
    }
}

#[tokio::test]
async fn a_power_cut_loses_publications_since_the_last_commit() {
    let store = MemoryStore::new();
    workload(&store).await;
    assert_eq!(left(&store.copy()).await, (3, Some(3)));
    assert_eq!(left(&store.reopen()).await, (3, Some(3)), "the death of the process loses nothing");

    let store = MemoryStore::new();
    workload(&store).await;
    store.cut_power();
    assert_eq!(left(&store.reopen()).await, (3, Some(2)));
}

#[tokio::test]
async fn a_failed_write_poisons_until_reopened() {
    for (write, size) in [(Fate::Kept, 2), (Fate::Lost, 1)] {
        let store = MemoryStore::new();
        store.fail_write_at(3, write);
        assert_eq!(workload(&store).await, (1, Some(1)));
        let log = store.log(tree()).await.unwrap();
        let head = log.head().await.unwrap();
        assert_eq!(head.size.0, size, "reads go on");
        let refusal = log.commit(head, batch_on(head)).await.unwrap_err();
        assert!(matches!(refusal, CommitError::Storage(StorageError::Engine(_))), "{refusal:?}");
        assert!(log.publish(note(head.size)).await.is_err());
        assert_eq!(store.steps(), 4, "nothing was tried after the failure");

        let log = store.reopen().log(tree()).await.unwrap();
        log.commit(head, batch_on(head)).await.unwrap();
    }
}

#[tokio::test]
async fn reads_fail_and_recover() {
    let store = MemoryStore::new();
    workload(&store).await;
    let log = store.log(tree()).await.unwrap();
    store.fail_reads(true);
    assert!(store.logs().await.is_err());
    assert!(log.head().await.is_err());
    assert!(log.entries(LogIndex(0), 1).await.is_err());
    assert!(log.hashes(0, 0, 1).await.is_err());
    assert!(log.indices_of(&[]).await.is_err());
    assert!(log.search("", LogIndex(0), 1).await.is_err());
    assert!(log.attestation("").await.is_err());
    assert!(log.checkpoint().await.is_err());
    store.fail_reads(false);
    let head = log.head().await.unwrap();
    store.fail_reads(true);
    log.commit(head, batch_on(head)).await.unwrap();
    store.fail_reads(false);
    assert_eq!(log.head().await.unwrap().size.0, 4);
}

#[tokio::test]
async fn held_commits_wait() {
    let store = MemoryStore::new();
    let log = store.create_log(record()).await.unwrap();
    let held = store.hold_commits().await;
    let head = TreeHead::empty();
    let waiting = {
        let log = Arc::clone(&log);
        tokio::spawn(async move { log.commit(head, batch_on(head)).await })
    };
    tokio::task::yield_now().await;
    assert_eq!(log.head().await.unwrap(), head);
    drop(held);
    waiting.await.unwrap().unwrap();
    assert_eq!(log.head().await.unwrap().size.0, 1);
}

#[tokio::test]
async fn delayed_commits_take_their_time() {
    let store = MemoryStore::new();
    let log = store.create_log(record()).await.unwrap();
    store.delay_commits(Duration::from_secs(3600));
    let head = TreeHead::empty();
    let commit = log.commit(head, batch_on(head));
    assert!(tokio::time::timeout(Duration::from_millis(20), commit).await.is_err());
    assert_eq!(log.head().await.unwrap(), head);
}

#[tokio::test]
async fn tampering_shows() {
    let store = MemoryStore::new();
    workload(&store).await;
    let log = store.log(tree()).await.unwrap();
    let hash = NodeHash::from_bytes([9; 32]);
    assert!(store.tamper_hash(tree(), 0, 1, hash));
    assert!(store.tamper_body(tree(), LogIndex(2), b"forged"));
    for hits in [vec![LogIndex(1)], vec![]] {
        assert!(store.tamper_search(tree(), "key", LogIndex(1)));
        assert_eq!(log.search("key", LogIndex(0), 9).await.unwrap(), hits);
    }
    assert!(!store.tamper_search(TreeId::new(2).unwrap(), "key", LogIndex(1)));
    assert!(!store.tamper_hash(tree(), 0, 3, hash));
    assert!(!store.tamper_body(tree(), LogIndex(3), b"forged"));
    assert_eq!(log.hashes(0, 1, 1).await.unwrap(), [hash]);
    assert_eq!(log.entries(LogIndex(2), 1).await.unwrap()[0].body, b"forged");
}
