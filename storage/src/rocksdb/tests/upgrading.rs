//! Stores of the versions before: refused when they are only read, brought over when not.

use std::cell::Cell;

use ::rocksdb::{DB, IteratorMode, Options as Engine};
use tlog::RightEdge;

use super::opening::refusal;
use super::*;
use crate::upgrade::tests::{self, Dies, put_back};

/// So many small entries, on an empty log.
async fn add_many(log: &dyn LogStore, leaves: u64) {
    let bodies = (0..leaves).map(|index| body(index, 20));
    let hashed: Vec<_> = bodies.map(|body| (hash_leaf(&body), body)).collect();
    let leaf_hashes: Vec<_> = hashed.iter().map(|(leaf_hash, _)| *leaf_hash).collect();
    let growth = RightEdge::empty().extend(&leaf_hashes);
    let entries = hashed.into_iter().map(|(leaf_hash, body)| NewEntry {
        body,
        leaf_hash,
        integrated_time: 1,
        index_keys: Vec::new(),
        attestation: None,
    });
    let hashes = growth.stored_hashes().into_iter().map(|level| NewHashes {
        level: level.level,
        first: level.first,
        hashes: level.hashes,
    });
    let (entries, hashes) = (entries.collect(), hashes.collect());
    let batch = Batch { entries, hashes, head: growth.head() };
    log.commit(TreeHead::empty(), batch).await.unwrap();
}

/// A store as version 1 had it: no family `nodes`, its rows in `hashes`; no keys in the entries.
async fn make_version_one(path: &Path, leaves: u64) {
    let store = RocksStore::open(path, &create()).unwrap();
    let log = log_of(&store).await;
    add_many(&*log, leaves).await;
    let db = &store.shared.db;
    for item in db.iterator_cf(store.shared.family(keys::NODES), IteratorMode::Start) {
        let (key, value) = item.unwrap();
        db.put_cf(store.shared.family(keys::HASHES), key, value).unwrap();
    }
    put_back(db, 1);
    drop((log, store));
    let families = keys::FAMILIES.map(|name| (name, Engine::default()));
    let mut db = DB::open_cf_with_opts(&Engine::default(), path, families).unwrap();
    db.drop_cf(keys::NODES).unwrap();
}

#[tokio::test]
async fn a_store_of_version_one_is_brought_to_this_one() {
    let place = tempfile::tempdir().unwrap();
    let leaves = 256 * 1_100; // more rows than are copied at a time, on two levels
    make_version_one(place.path(), leaves).await;
    let text = refusal(RocksStore::open_read_only(place.path()));
    assert!(text.contains("format version 1: `cairn serve` brings it to version 3"), "{text}");

    let store = RocksStore::open(place.path(), &create()).unwrap();
    let log = log_of(&store).await;
    let (level_1, level_2) = (leaves >> 8, leaves >> 16);
    assert_eq!(log.hashes(1, 0, usize::MAX).await.unwrap().len() as u64, level_1);
    assert_eq!(log.hashes(2, 0, usize::MAX).await.unwrap().len() as u64, level_2);
    let db = &store.shared.db;
    let left = db.iterator_cf(store.shared.family(keys::HASHES), IteratorMode::Start).count();
    assert_eq!(left as u64, leaves, "leaf hashes alone are left");
    let entries = log.entries(tlog::LogIndex(leaves - 1), 9).await.unwrap();
    assert_eq!(entries[0].body, body(leaves - 1, 20));
    drop((log, store));
    RocksStore::open_read_only(place.path()).unwrap();
}

/// A store as version 2 had it: index keys in `search` alone.
async fn make_version_two(path: &Path) {
    let store = RocksStore::open(path, &create()).unwrap();
    tests::fill(&store).await;
    put_back(&store.shared.db, 2);
}

#[tokio::test]
async fn a_store_of_version_two_is_brought_to_this_one() {
    let place = tempfile::tempdir().unwrap();
    make_version_two(place.path()).await;
    let text = refusal(RocksStore::open_read_only(place.path()));
    assert!(text.contains("format version 2: `cairn serve` brings it to version 3"), "{text}");

    let store = RocksStore::open(place.path(), &Options::default()).unwrap();
    tests::check(&store).await;
    drop(store);
    let families = DB::list_cf(&Engine::default(), place.path()).unwrap();
    assert!(!families.iter().any(|name| name == keys::SORTED), "{families:?}");
    tests::check(&RocksStore::open_read_only(place.path()).unwrap()).await;
    tests::check(&RocksStore::open(place.path(), &Options::default()).unwrap()).await;
}

#[tokio::test]
async fn an_upgrade_that_died_is_finished() {
    let place = tempfile::tempdir().unwrap();
    make_version_two(place.path()).await;
    // In the sorting, after it, among the entries, and before the last write.
    for writes in [0, 1, 2, 5, 9, 11] {
        let died = tempfile::tempdir().unwrap();
        copy(place.path(), died.path());
        let families = keys::FAMILIES.map(|name| (name, Engine::default()));
        let mut db = DB::open_cf_with_opts(&Engine::default(), died.path(), families).unwrap();
        db.create_cf(keys::SORTED, &Engine::default()).unwrap();
        let dies = Dies { store: &db, writes_left: Cell::new(writes) };
        crate::upgrade::add_index_keys(&dies, FORMAT_VERSION).unwrap_err();
        drop(db);
        let text = refusal(RocksStore::open_read_only(died.path()));
        assert!(text.contains("on its way to format version 3"), "{text}");
        tests::check(&RocksStore::open(died.path(), &Options::default()).unwrap()).await;
        tests::check(&RocksStore::open_read_only(died.path()).unwrap()).await;
    }
    // Between the last write and the removal of what was sorted.
    let mut db = DB::open_cf(&Engine::default(), place.path(), keys::FAMILIES).unwrap();
    db.create_cf(keys::SORTED, &Engine::default()).unwrap();
    crate::upgrade::add_index_keys(&db, FORMAT_VERSION).unwrap();
    drop(db);
    tests::check(&RocksStore::open(place.path(), &Options::default()).unwrap()).await;
    tests::check(&RocksStore::open_read_only(place.path()).unwrap()).await;
}
