//! What is opened, what is refused, and with which words.

use std::fs;

use ::rocksdb::{DB, Options as Engine};

use super::*;
use crate::StoredCheckpoint;

/// The whole text of the error; that the error is one.
pub(super) fn refusal(opened: Result<RocksStore, StorageError>) -> String {
    opened.err().unwrap().to_string()
}

#[tokio::test]
async fn a_second_opening_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let first = RocksStore::open(place.path(), &create()).unwrap();
    let text = refusal(RocksStore::open(place.path(), &create()));
    let path = place.path().display();
    assert_eq!(text, format!("the store failed: this process has this store open already: {path}"));
    // A clone is the same store; the lock goes with the last handle, a log's included.
    let log = log_of(&first.clone()).await;
    drop(first);
    assert!(RocksStore::open(place.path(), &create()).is_err());
    drop(log);
    RocksStore::open(place.path(), &create()).unwrap();
}

#[test]
fn another_process_that_holds_the_lock_is_named() {
    let place = tempfile::tempdir().unwrap();
    let mut process = crash::child("commits_until_killed", place.path(), "");
    let mut published = crash::said(&mut process, "published");
    published.next().unwrap();
    let text = refusal(RocksStore::open(place.path(), &Options::default()));
    let beside = RocksStore::open_read_only(place.path());
    process.kill().unwrap();
    process.wait().unwrap();
    drop(published);
    let path = place.path().display();
    assert_eq!(text, format!("the store failed: another process has this store open: {path}"));
    beside.unwrap();
}

#[test]
fn a_missing_store_is_made_only_when_asked() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("a").join("b");
    let missing = format!("the store failed: there is no store in {}", path.display());
    assert_eq!(refusal(RocksStore::open(&path, &Options::default())), missing);
    assert_eq!(refusal(RocksStore::open_read_only(&path)), missing);
    assert!(!path.exists(), "a refusal left something behind");
    drop(RocksStore::open(&path, &create()).unwrap());
    RocksStore::open_read_only(&path).unwrap();
    RocksStore::open(&path, &Options::default()).unwrap();
}

#[tokio::test]
async fn reading_beside_a_writer() {
    let place = tempfile::tempdir().unwrap();
    let writer = RocksStore::open(place.path(), &create()).unwrap();
    let log = log_of(&writer).await;
    let head = add_one(&*log, 450).await;
    let checkpoint = StoredCheckpoint { size: head.size, note: "one".to_owned() };
    log.publish(checkpoint.clone()).await.unwrap();
    let files = || {
        let names = fs::read_dir(place.path()).unwrap().map(|file| file.unwrap().file_name());
        names.collect::<std::collections::BTreeSet<_>>()
    };
    let before = files();

    let reader = RocksStore::open_read_only(place.path()).unwrap();
    assert_eq!(reader.logs().await.unwrap(), [record()]);
    let seen = reader.log(tree()).await.unwrap();
    assert_eq!(check(&*seen, 450).await, 1);
    assert_eq!(seen.checkpoint().await.unwrap(), Some(checkpoint.clone()));

    // The writer goes on; this reader stays where it was, and writes nothing.
    add_one(&*log, 450).await;
    assert_eq!(check(&*seen, 450).await, 1);
    let refused = seen.commit(head, batch_on(head, 450)).await.unwrap_err().to_string();
    assert_eq!(refused, "the store failed: it was opened for reading only");
    assert!(seen.publish(checkpoint).await.is_err());
    let other = LogRecord { tree_id: TreeId::new(2).unwrap(), ..record() };
    assert!(reader.create_log(other).await.is_err());
    drop((seen, reader));
    assert_eq!(files(), before, "the reader touched the writer's directory");
    assert_eq!(check(&*log, 450).await, 2);
}

#[test]
fn a_newer_format_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path();
    drop(RocksStore::open(path, &create()).unwrap());
    let set_version = |bytes: &[u8]| {
        let families = keys::FAMILIES.map(|name| (name, Engine::default()));
        let db = DB::open_cf_with_opts(&Engine::default(), path, families).unwrap();
        db.put(keys::FORMAT_KEY, bytes).unwrap();
    };
    let both = || [RocksStore::open(path, &create()), RocksStore::open_read_only(path)];
    set_version(&4_u32.to_be_bytes());
    for opened in both() {
        let text = refusal(opened);
        assert!(text.contains("format version 4: a newer version wrote it"), "{text}");
    }
    for never in [&0_u32.to_be_bytes()[..], b"", b"1"] {
        set_version(never);
        for opened in both() {
            let text = refusal(opened);
            assert!(text.contains("a format version that never was"), "{text}");
        }
    }
    set_version(&FORMAT_VERSION.to_be_bytes());
    for opened in both() {
        opened.unwrap();
    }
}

#[test]
fn a_column_family_of_later_times_is_refused() {
    let place = tempfile::tempdir().unwrap();
    drop(RocksStore::open(place.path(), &create()).unwrap());
    let families = keys::FAMILIES.map(|name| (name, Engine::default()));
    let mut db = DB::open_cf_with_opts(&Engine::default(), place.path(), families).unwrap();
    db.create_cf("invented", &Engine::default()).unwrap();
    drop(db);
    for opened in
        [RocksStore::open(place.path(), &create()), RocksStore::open_read_only(place.path())]
    {
        let text = refusal(opened);
        assert!(text.contains("has a column family \"invented\""), "{text}");
    }
}

#[test]
fn a_store_of_something_else_is_refused_and_left_alone() {
    let place = tempfile::tempdir().unwrap();
    let db = DB::open_default(place.path()).unwrap();
    db.put(b"somebody's", b"data").unwrap();
    drop(db);
    let text = refusal(RocksStore::open(place.path(), &create()));
    assert!(text.contains("has no format version"), "{text}");
}

#[tokio::test]
async fn a_store_that_died_while_it_was_made_is_finished() {
    let place = tempfile::tempdir().unwrap();
    let mut engine = Engine::default();
    engine.create_if_missing(true);
    let mut db = DB::open(&engine, place.path()).unwrap();
    db.create_cf(keys::LOGS, &Engine::default()).unwrap();
    drop(db);
    let store = RocksStore::open(place.path(), &Options::default()).unwrap();
    add_one(&*log_of(&store).await, 450).await;
}

#[tokio::test]
async fn a_clean_stop_leaves_nothing_to_read_again() {
    let place = tempfile::tempdir().unwrap();
    let store = RocksStore::open(place.path(), &create()).unwrap();
    let log = log_of(&store).await;
    for _ in 0..20 {
        add_one(&*log, 5_000).await;
    }
    assert!(fs::metadata(write_ahead_log(place.path())).unwrap().len() > 100_000);
    assert!(store.disk_usage().unwrap() > 100_000);
    drop((log, store));
    let length = fs::metadata(write_ahead_log(place.path())).unwrap().len();
    assert!(length < 1_000, "{length} bytes");
    let store = RocksStore::open(place.path(), &Options::default()).unwrap();
    assert_eq!(check(&*log_of(&store).await, 5_000).await, 20);
}
