//! Deaths of the process, torn and damaged write-ahead logs, failing writes.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use ::rocksdb::{DB, statistics::Ticker};

use super::*;
use crate::{CommitError, StoredCheckpoint};

const BYTES: usize = 450;

/// Names the directory that a child process works in.
const CHILD_DIRECTORY: &str = "STORAGE_TEST_CHILD_DIRECTORY";

/// A store with five entries, two of them published, and the length of the log after each commit.
async fn five(directory: &Path) -> (RocksStore, Vec<u64>) {
    let store = RocksStore::open(directory, &create()).unwrap();
    let log = log_of(&store).await;
    let mut ends = Vec::new();
    for published in [true, false, true, false, false] {
        let size = add_one(&*log, BYTES).await.size;
        ends.push(fs::metadata(write_ahead_log(directory)).unwrap().len());
        if published {
            log.publish(StoredCheckpoint { size, note: "n".repeat(300) }).await.unwrap();
        }
    }
    (store, ends)
}

#[tokio::test]
async fn a_torn_tail_of_the_log_loses_nothing_that_was_acknowledged() {
    let place = tempfile::tempdir().unwrap();
    let [alive, torn, again] = ["alive", "torn", "again"].map(|name| place.path().join(name));
    let (_store, ends) = five(&alive).await;
    let (first, last) = (ends[0], ends[4]);
    for length in (first..=last).step_by(211).chain(ends.iter().flat_map(|end| [end - 1, *end])) {
        copy(&alive, &torn);
        let file = fs::OpenOptions::new().write(true).open(write_ahead_log(&torn)).unwrap();
        file.set_len(length).unwrap();
        let store = RocksStore::open(&torn, &Options::default())
            .unwrap_or_else(|error| panic!("cut to {length}: {error}"));
        let log = log_of(&store).await;
        let whole = ends.iter().filter(|end| **end <= length).count() as u64;
        assert_eq!(check(&*log, BYTES).await, whole, "cut to {length}");
        // What comes next is no less safe: neither the torn log nor a second crash takes it.
        add_one(&*log, BYTES).await;
        copy(&torn, &again);
        let store = RocksStore::open(&again, &Options::default()).unwrap();
        assert_eq!(check(&*log_of(&store).await, BYTES).await, whole + 1);
        drop(store);
        fs::remove_dir_all(&torn).unwrap();
        fs::remove_dir_all(&again).unwrap();
    }
}

/// File systems may put the new length of a file on the disk before its bytes.
#[tokio::test]
async fn zeros_at_the_end_of_the_log_are_a_torn_tail() {
    let place = tempfile::tempdir().unwrap();
    let (alive, torn) = (place.path().join("alive"), place.path().join("torn"));
    let (store, _) = five(&alive).await;
    // Beyond a block, so that its record is in fragments.
    let end = fs::metadata(write_ahead_log(&alive)).unwrap().len() as usize;
    add_one(&*log_of(&store).await, 100_000).await;
    let whole = fs::read(write_ahead_log(&alive)).unwrap();
    for from in (end..end + 10).chain((end..whole.len()).step_by(4 * 4096)) {
        copy(&alive, &torn);
        let mut bytes = whole.clone();
        bytes[from..].fill(0);
        fs::write(write_ahead_log(&torn), bytes).unwrap();
        let store = RocksStore::open(&torn, &Options::default())
            .unwrap_or_else(|error| panic!("zeros from {from}: {error}"));
        assert_eq!(check(&*log_of(&store).await, BYTES).await, 5, "zeros from {from}");
        drop(store);
        fs::remove_dir_all(&torn).unwrap();
    }
}

#[tokio::test]
async fn damage_before_the_last_record_is_refused() {
    let place = tempfile::tempdir().unwrap();
    let (alive, bent) = (place.path().join("alive"), place.path().join("bent"));
    let (_store, ends) = five(&alive).await;
    let heads = ends[..4].iter().flat_map(|end| *end..end + 8);
    for at in heads.filter(|at| *at < ends[3]).chain((ends[0]..ends[3]).step_by(151)) {
        copy(&alive, &bent);
        let path = write_ahead_log(&bent);
        let mut bytes = fs::read(&path).unwrap();
        bytes[at as usize] ^= 0x41;
        fs::write(&path, bytes).unwrap();
        for opened in
            [RocksStore::open(&bent, &Options::default()), RocksStore::open_read_only(&bent)]
        {
            let refusal = opened.err().unwrap_or_else(|| panic!("byte {at} was lost in silence"));
            assert!(matches!(refusal, StorageError::Corrupt(_)), "byte {at}: {refusal}");
        }
        fs::remove_dir_all(&bent).unwrap();
    }
}

/// A write that the disk lost reads as zeros, which RocksDB takes for the end of a block.
#[tokio::test]
async fn zeros_before_the_last_record_are_refused() {
    let place = tempfile::tempdir().unwrap();
    let (alive, bent) = (place.path().join("alive"), place.path().join("bent"));
    let (_store, ends) = five(&alive).await;
    let whole = fs::read(write_ahead_log(&alive)).unwrap();
    for (from, to) in [
        (ends[1], ends[2]),
        (ends[0], ends[3]),
        (ends[2], ends[2] + 7),
        (ends[2], ends[2] + 100),
        (ends[2] + 100, ends[3]),
    ] {
        copy(&alive, &bent);
        let mut bytes = whole.clone();
        bytes[from as usize..to as usize].fill(0);
        fs::write(write_ahead_log(&bent), bytes).unwrap();
        for opened in
            [RocksStore::open(&bent, &Options::default()), RocksStore::open_read_only(&bent)]
        {
            let refusal = opened.err().unwrap_or_else(|| panic!("zeros in {from}..{to}"));
            assert!(
                matches!(refusal, StorageError::Corrupt(_)),
                "zeros in {from}..{to}: {refusal}"
            );
        }
        fs::remove_dir_all(&bent).unwrap();
    }
}

#[tokio::test]
async fn a_commit_is_one_sync_and_a_publication_none() {
    let place = tempfile::tempdir().unwrap();
    let mut engine = options::engine(&create());
    engine.enable_statistics();
    let db = DB::open_cf_with_opts(&engine, place.path(), options::families(&create())).unwrap();
    let store = RocksStore::new(db, place.path(), false);
    let syncs = || engine.get_ticker_count(Ticker::WalFileSynced);
    let before = syncs();
    let log = log_of(&store).await;
    assert_eq!(syncs() - before, 1, "making a log");
    for commits in 1..=3 {
        let size = add_one(&*log, BYTES).await.size;
        assert_eq!(syncs() - before, 1 + commits);
        log.publish(StoredCheckpoint { size, note: String::new() }).await.unwrap();
        assert_eq!(syncs() - before, 1 + commits);
    }
}

/// Runs one of the ignored tests of this file in a process of its own, under a shell's settings.
pub(super) fn child(test: &str, directory: &Path, settings: &str) -> Child {
    Command::new("sh")
        .args(["-c", &format!("{settings}exec \"$0\" \"$@\"")])
        .arg(std::env::current_exe().unwrap())
        .args(["--ignored", "--nocapture", "--exact", &format!("rocksdb::tests::crash::{test}")])
        .env(CHILD_DIRECTORY, directory)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

fn child_directory() -> Option<PathBuf> {
    std::env::var_os(CHILD_DIRECTORY).map(PathBuf::from)
}

/// The number after a word that the child says, as often as it says it.
pub(super) fn said(child: &mut Child, word: &'static str) -> impl Iterator<Item = u64> + use<> {
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    lines.filter_map(move |line| line.unwrap().strip_prefix(word)?.trim().parse().ok())
}

#[tokio::test]
async fn a_killed_process_loses_nothing_that_was_acknowledged() {
    let place = tempfile::tempdir().unwrap();
    for more in [1, 20, 50] {
        let mut process = child("commits_until_killed", place.path(), "");
        let mut published = said(&mut process, "published"); // dropping this would stop it
        let acknowledged = published.nth(more).unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
        drop(published);
        let store = RocksStore::open(place.path(), &Options::default()).unwrap();
        let log = log_of(&store).await;
        assert!(check(&*log, BYTES).await >= acknowledged);
        let published = log.checkpoint().await.unwrap().unwrap();
        assert!(published.size.0 >= acknowledged, "publications survive the process");
    }
}

#[tokio::test]
#[ignore = "is started, and killed, by another test"]
async fn commits_until_killed() {
    let Some(directory) = child_directory() else {
        return;
    };
    let store = RocksStore::open(directory, &create()).unwrap();
    let log = log_of(&store).await;
    loop {
        let size = add_one(&*log, BYTES).await.size;
        log.publish(StoredCheckpoint { size, note: "n".repeat(300) }).await.unwrap();
        println!("\npublished {size}");
    }
}

/// The log file reaches the size that the process may write; the next write of it fails.
#[tokio::test]
async fn a_failed_write_ends_all_writing_until_reopened() {
    let place = tempfile::tempdir().unwrap();
    let settings = "trap '' XFSZ; ulimit -f 2000; ";
    let mut process = child("commits_until_refused", place.path(), settings);
    let acknowledged = said(&mut process, "committed").last().unwrap();
    assert!(process.wait().unwrap().success(), "the child saw something else");
    assert!((5..200).contains(&acknowledged), "{acknowledged}");

    let store = RocksStore::open(place.path(), &Options::default()).unwrap();
    let log = log_of(&store).await;
    let size = check(&*log, 20_000).await;
    assert!(size == acknowledged || size == acknowledged + 1, "{size} after {acknowledged}");
    add_one(&*log, 20_000).await;
}

#[tokio::test]
#[ignore = "is started by another test, with a limit on what it may write"]
async fn commits_until_refused() {
    let Some(directory) = child_directory() else {
        return;
    };
    let store = RocksStore::open(directory, &create()).unwrap();
    let log = log_of(&store).await;
    let mut head = log.head().await.unwrap();
    let refusal = loop {
        let batch = batch_on(head, 20_000);
        let new = batch.head;
        match log.commit(head, batch).await {
            Ok(()) => println!("\ncommitted {}", new.size),
            Err(refusal) => break refusal,
        }
        head = new;
    };
    assert!(matches!(refusal, CommitError::Storage(StorageError::Engine(_))), "{refusal}");
    // Even what would fit: the log file may end in half a record.
    let refusals = [
        log.commit(head, batch_on(head, 1)).await.unwrap_err().to_string(),
        log.publish(StoredCheckpoint { size: head.size, note: String::new() })
            .await
            .unwrap_err()
            .to_string(),
        store
            .create_log(LogRecord { tree_id: TreeId::new(2).unwrap(), ..record() })
            .await
            .err()
            .unwrap()
            .to_string(),
    ];
    assert!(refusals.iter().all(|text| text.contains("an earlier write failed")), "{refusals:?}");
    assert_eq!(check(&*log, 20_000).await, head.size.0, "reads go on");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_nobody_waits_for_goes_on() {
    let place = tempfile::tempdir().unwrap();
    let store = RocksStore::open(place.path(), &create()).unwrap();
    let log = log_of(&store).await;
    let head = TreeHead::empty();
    let mut commit = Box::pin(log.commit(head, batch_on(head, BYTES)));
    std::future::poll_fn(|context| {
        let _ = commit.as_mut().poll(context);
        std::task::Poll::Ready(())
    })
    .await;
    drop(commit);
    // It holds the lock of the writers, or is done: either way this one comes after it.
    while log.head().await.unwrap() == head {
        tokio::task::yield_now().await;
    }
    assert_eq!(check(&*log, BYTES).await, 1);
    assert_eq!(add_one(&*log, BYTES).await.size.0, 2);
}
