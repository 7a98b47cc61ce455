//! The engine passes the suite; what the suite cannot see is below.

use std::cell::Cell;
use std::path::Path;

use tlog::{TreeHead, TreeSize};

use super::*;
use crate::suite::{self, Place, add, plain, record, tree};
use crate::upgrade::tests as upgraded;

struct Directory(tempfile::TempDir);

#[async_trait]
impl Place for Directory {
    async fn open(&mut self) -> Arc<dyn Store> {
        Arc::new(FjallStore::open(self.0.path().join("store"), true).unwrap())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn passes_the_suite() {
    suite::all(async || Directory(tempfile::tempdir().unwrap())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_is_open_once() {
    let folder = tempfile::tempdir().unwrap();
    let open = |create| FjallStore::open(folder.path(), create).map(drop);
    let error = open(false).unwrap_err().to_string();
    assert!(error.contains("there is no store"), "{error}");
    let store = FjallStore::open(folder.path(), true).unwrap();
    let error = open(true).unwrap_err().to_string();
    assert!(error.contains("another process has this store open"), "{error}");
    drop(store);
    open(false).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_ours_to_read_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("CURRENT"), "MANIFEST-000001\n").unwrap();
    let error = FjallStore::open(folder.path(), true).err().unwrap().to_string();
    assert!(error.contains("RocksDB"), "{error}");

    let folder = tempfile::tempdir().unwrap();
    let store = FjallStore::open(folder.path(), true).unwrap();
    let logs = store.shared.family(keys::LOGS);
    logs.insert(keys::FORMAT_KEY, 3_u32.to_be_bytes()).unwrap();
    drop(store);
    let error = FjallStore::open(folder.path(), true).err().unwrap().to_string();
    assert!(error.contains("newer version"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_of_version_one_is_brought_to_this_one() {
    let folder = tempfile::tempdir().unwrap();
    let store = FjallStore::open(folder.path(), true).unwrap();
    upgraded::fill(&store).await;
    upgraded::put_back(&*store.shared, 1);
    drop(store);
    let died = copy_of(folder.path());
    let error = FjallStore::open_read_only(folder.path()).err().unwrap().to_string();
    assert!(error.contains("`cairn serve` brings it to version 2"), "{error}");

    let store = FjallStore::open(folder.path(), false).unwrap();
    upgraded::check(&store).await;
    assert!(!store.shared.db.keyspace_exists(keys::SORTED));
    drop(store);
    upgraded::check(&FjallStore::open_read_only(folder.path()).unwrap()).await;
    upgraded::check(&FjallStore::open(folder.path(), false).unwrap()).await;

    // In the sorting, after it, among the entries, and when all is done but the tidying.
    for writes in [0, 1, 2, 5, 9, 11, u32::MAX] {
        let folder = copy_of(died.path());
        let mut shared = FjallStore::shared(folder.path(), false).unwrap();
        let sorted = shared.db.keyspace(keys::SORTED, || family(keys::SORTED)).unwrap();
        shared.families.insert(keys::SORTED, sorted);
        let dies = upgraded::Dies { store: &shared, writes_left: Cell::new(writes) };
        let ended = crate::upgrade::add_index_keys(&dies, FORMAT_VERSION);
        assert_eq!(ended.is_ok(), writes == u32::MAX);
        drop(shared);
        let looked = FjallStore::open_read_only(folder.path());
        assert_eq!(looked.is_ok(), ended.is_ok());
        drop(looked);
        let store = FjallStore::open(folder.path(), false).unwrap();
        upgraded::check(&store).await;
        assert!(!store.shared.db.keyspace_exists(keys::SORTED));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_opened_for_reading_is_not_written() {
    let (folder, ..) = two_commits().await;
    let store = FjallStore::open_read_only(folder.path()).unwrap();
    let log = store.log(tree(1)).await.unwrap();
    let head = log.head().await.unwrap();
    let batch = suite::batch(head, plain(head, 1));
    let error = log.commit(head, batch).await.unwrap_err().to_string();
    assert!(error.contains("opened for reading only"), "{error}");
    assert_eq!(log.entries(tlog::LogIndex(0), 99).await.unwrap().len(), 5);
}

/// A journal that ends anywhere in its last commit, as a crash leaves it: all of it or nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_torn_commit_is_there_or_not() {
    let (folder, first, second, middle) = two_commits().await;
    let bytes = std::fs::read(journal(folder.path())).unwrap();
    let end = written(&bytes);
    let mut seen = std::collections::BTreeSet::new();
    for length in (middle..end).step_by(7).chain([end]) {
        let copy = copy_of(folder.path());
        std::fs::write(journal(copy.path()), &bytes[..length]).unwrap();
        let store = FjallStore::open(copy.path(), false).unwrap();
        let log = store.log(tree(1)).await.unwrap();
        let head = log.head().await.unwrap();
        assert!(head == first || head == second, "cut at {length} of {end}: {head:?}");
        let entries = log.entries(tlog::LogIndex(0), 99).await.unwrap();
        assert_eq!(entries.len() as u64, head.size.0);
        seen.insert(head.size);
        add(&*log, head, plain(head, 1)).await;
    }
    assert_eq!(seen.len(), 2, "the cut never met the last commit");
}

/// A flipped byte in the journal is noticed, or what follows it is dropped as if it were torn: the
/// engine does that when the byte was a length or a tag. The log that is left is whole, and shorter
/// than what was published: that is what a head guard is for (docs/storage.md).
#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_byte_in_the_journal_changes_no_entry() {
    let (folder, first, second, _) = two_commits().await;
    let bytes = std::fs::read(journal(folder.path())).unwrap();
    let end = written(&bytes);
    let (mut refused, mut shorter) = (0, 0);
    for at in (0..end).step_by(11) {
        let copy = copy_of(folder.path());
        let mut flipped = bytes.clone();
        flipped[at] ^= 0x10;
        std::fs::write(journal(copy.path()), &flipped).unwrap();
        let Ok(store) = FjallStore::open(copy.path(), false) else {
            refused += 1;
            continue;
        };
        let Ok(log) = store.log(tree(1)).await else {
            shorter += 1;
            continue;
        };
        let head = log.head().await.unwrap();
        assert!([TreeHead::empty(), first, second].contains(&head), "at {at}: {head:?}");
        for (index, entry) in log.entries(tlog::LogIndex(0), 99).await.unwrap().iter().enumerate() {
            assert_eq!(entry.body, format!("e{index}").as_bytes(), "at {at}");
        }
        shorter += usize::from(head != second);
    }
    println!("{end} bytes: {refused} flips refused, {shorter} taken for a torn end");
    assert!(refused > shorter, "checksums notice most of it");
}

/// Bytes of a journal, which is longer than what was written: the rest is zeros.
fn written(journal: &[u8]) -> usize {
    journal.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)
}

/// A store with two commits, closed: its heads after the first and the second, and where in the
/// journal the first one ended.
async fn two_commits() -> (tempfile::TempDir, TreeHead, TreeHead, usize) {
    let folder = tempfile::tempdir().unwrap();
    let store = FjallStore::open(folder.path(), true).unwrap();
    let log = store.create_log(record(tree(1))).await.unwrap();
    let first = add(&*log, TreeHead::empty(), plain(TreeHead::empty(), 3)).await;
    let middle = written(&std::fs::read(journal(folder.path())).unwrap());
    let second = add(&*log, first, plain(first, 2)).await;
    assert_eq!(second.size, TreeSize(5));
    (folder, first, second, middle)
}

fn copy_of(folder: &Path) -> tempfile::TempDir {
    let copy = tempfile::tempdir().unwrap();
    let copied =
        std::process::Command::new("cp").args(["-a", "-T"]).args([folder, copy.path()]).status();
    assert!(copied.unwrap().success());
    copy
}

/// The one journal of a small store.
fn journal(folder: &Path) -> PathBuf {
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let mut journals: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|end| end == "jnl")).collect();
    assert_eq!(journals.len(), 1, "{journals:?}");
    journals.remove(0)
}
