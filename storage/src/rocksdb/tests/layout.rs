//! Keys sort as their numbers do, mean one thing each, and what is missing is noticed.

use ::rocksdb::{ColumnFamily, DB};
use proptest::prelude::*;
use tlog::{LeafHash, LogIndex};

use super::*;
use crate::keys::{self, Part};

fn trees() -> impl Strategy<Value = TreeId> {
    prop_oneof![1..=3_i64, 250..=260_i64, i64::MAX - 2..=i64::MAX, 1..=i64::MAX]
        .prop_map(|id| TreeId::new(id).unwrap())
}

fn numbers() -> impl Strategy<Value = u64> {
    prop_oneof![0..=3_u64, 250..=260_u64, u64::MAX - 2..=u64::MAX, any::<u64>()]
}

/// Short keys of few letters, with the bytes of small trees and indices among them.
fn index_keys() -> impl Strategy<Value = String> {
    prop_oneof!["[\\x00\\x01a]{0,40}", "\\PC{0,20}"]
}

proptest! {
    #[test]
    fn entries_and_hashes_sort_as_their_positions(
        a in (trees(), any::<u8>(), numbers()),
        b in (trees(), any::<u8>(), numbers()),
    ) {
        prop_assert_eq!(keys::hash(a.0, a.1, a.2).cmp(&keys::hash(b.0, b.1, b.2)), a.cmp(&b));
        let (a, b) = ((a.0, a.2), (b.0, b.2));
        prop_assert_eq!(keys::entry(a.0, a.1).cmp(&keys::entry(b.0, b.1)), a.cmp(&b));
    }

    #[test]
    fn a_search_finds_its_own_keys_alone(
        asked in (index_keys(), trees(), numbers()),
        other in (index_keys(), trees(), numbers()),
    ) {
        let start = keys::search(&asked.0, asked.1, LogIndex(asked.2));
        let end = keys::search_end(&asked.0, asked.1);
        let key = keys::search(&other.0, other.1, LogIndex(other.2));
        let hit = (start <= key && key < end).then(|| keys::search_hit(&asked.0, &key)).flatten();
        let wanted = asked.0 == other.0 && asked.1 == other.1 && asked.2 <= other.2;
        prop_assert_eq!(hit, wanted.then_some(LogIndex(other.2)));
        prop_assert_eq!(start == key, asked == other);
    }

    #[test]
    fn values_come_back(size in numbers(), root: [u8; 32], note in "\\PC{0,99}") {
        let head = TreeHead { size: TreeSize(size), root: RootHash::from_bytes(root) };
        prop_assert_eq!(keys::parse_head(&keys::head_value(head)), Some(head));
        let checkpoint = crate::StoredCheckpoint { size: TreeSize(size), note };
        let value = keys::checkpoint_value(&checkpoint);
        prop_assert_eq!(keys::parse_checkpoint(&value), Some(checkpoint));
    }
}

/// The bytes of `FORMAT.md`, one example of each: a change of them is a change of the format.
#[test]
fn the_format_is_this() {
    let tree = TreeId::new(0x0102_0304_0506_0708).unwrap();
    let id = "\x01\x02\x03\x04\x05\x06\x07\x08";
    let one = "\0\0\0\0\0\0\0\x01";
    let hash = LeafHash::from_bytes([b'h'; 32]);
    for (seen, wanted) in [
        (keys::part(tree, Part::Record), format!("{id}r")),
        (keys::part(tree, Part::Head), format!("{id}h")),
        (keys::part(tree, Part::Checkpoint), format!("{id}c")),
        (keys::entry(tree, 1), format!("{id}{one}")),
        (keys::hash(tree, 7, 1), format!("{id}\x07{one}")),
        (keys::leaf(tree, &hash).to_vec(), format!("{id}{}", "h".repeat(32))),
        (keys::search("key", tree, LogIndex(1)), format!("key\0{id}{one}")),
        (
            keys::entry_value(1, &["key".into(), "".into()], b"body"),
            format!("{one}\x02\x03key\0body"),
        ),
        (
            keys::record_value(1, &record()).unwrap(),
            "\0\0\0\x01{\"tree_id\":1,\"name\":\"v1\",\
            \"origin\":\"log.example - 1\",\"public_key\":[1],\"created\":0}"
                .to_owned(),
        ),
    ] {
        assert_eq!(seen, wanted.into_bytes());
    }
    assert_eq!(FORMAT_VERSION, 3);
    assert_eq!(keys::FORMAT_KEY, b"format");
    let names = "logs entries hashes nodes leaves search attestations";
    assert_eq!(keys::FAMILIES.join(" "), names);
}

#[tokio::test]
async fn what_is_missing_or_unreadable_is_corrupt() {
    let place = tempfile::tempdir().unwrap();
    let store = RocksStore::open(place.path(), &create()).unwrap();
    let log = log_of(&store).await;
    for _ in 0..3 {
        add_one(&*log, 450).await;
    }
    let edit = |family: &'static str, edit: &dyn Fn(&DB, &ColumnFamily)| {
        edit(&store.shared.db, store.shared.family(family));
    };
    let is_corrupt = |error: StorageError| matches!(error, StorageError::Corrupt(_));

    edit(keys::ENTRIES, &|db, family| db.delete_cf(family, keys::entry(tree(), 1)).unwrap());
    assert_eq!(log.entries(LogIndex(0), 1).await.unwrap().len(), 1);
    assert_eq!(log.entries(LogIndex(2), 9).await.unwrap().len(), 1);
    assert!(is_corrupt(log.entries(LogIndex(0), 2).await.unwrap_err()), "a gap");
    assert!(is_corrupt(log.entries(LogIndex(1), 1).await.unwrap_err()), "a gap at the start");
    edit(keys::ENTRIES, &|db, family| db.put_cf(family, keys::entry(tree(), 1), b"short").unwrap());
    assert!(is_corrupt(log.entries(LogIndex(1), 1).await.unwrap_err()), "no time");
    let cut = [&[0; 8], b"\x02\x01a\x05key".as_slice()].concat();
    edit(keys::ENTRIES, &|db, family| db.put_cf(family, keys::entry(tree(), 1), &cut).unwrap());
    assert!(is_corrupt(log.entries(LogIndex(1), 1).await.unwrap_err()), "a key that ends early");
    assert!(is_corrupt(log.bodies(LogIndex(1), 1).await.unwrap_err()), "and with it the body");

    edit(keys::HASHES, &|db, family| db.delete_cf(family, keys::hash(tree(), 0, 2)).unwrap());
    assert_eq!(log.hashes(0, 0, 2).await.unwrap().len(), 2);
    assert!(is_corrupt(log.hashes(0, 0, 3).await.unwrap_err()), "a gap at the end");
    edit(keys::HASHES, &|db, family| {
        db.put_cf(family, keys::hash(tree(), 0, 2), b"short").unwrap()
    });
    assert!(is_corrupt(log.hashes(0, 2, 1).await.unwrap_err()), "no hash");

    let leaf = hash_leaf(&body(0, 450));
    edit(keys::LEAVES, &|db, family| db.put_cf(family, keys::leaf(tree(), &leaf), b"").unwrap());
    assert!(is_corrupt(log.indices_of(&[leaf]).await.unwrap_err()), "no index");

    let head = log.head().await.unwrap();
    edit(keys::LOGS, &|db, family| {
        db.put_cf(family, keys::part(tree(), Part::Checkpoint), b"").unwrap();
    });
    assert!(is_corrupt(log.checkpoint().await.unwrap_err()), "no checkpoint");
    edit(keys::LOGS, &|db, family| {
        db.delete_cf(family, keys::part(tree(), Part::Head)).unwrap();
    });
    assert!(is_corrupt(log.head().await.unwrap_err()), "no head");
    let refusal = log.commit(head, batch_on(head, 450)).await.unwrap_err();
    assert!(matches!(refusal, crate::CommitError::Storage(StorageError::Corrupt(_))));
    edit(keys::LOGS, &|db, family| {
        db.put_cf(family, keys::part(tree(), Part::Record), b"").unwrap();
    });
    assert!(is_corrupt(store.logs().await.unwrap_err()), "no record");
}
