//! Stores in the old form, and deaths in the middle of bringing them over: for all engines' tests.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use tlog::{LogIndex, TreeHead};

use super::*;
use crate::suite::{add, entry, record, tree};
use crate::{NewEntry, Store};

const TREES: [i64; 2] = [1, 2];
const ENTRIES_EACH: u64 = 9;
/// So that some entries are one write.
const BODY_BYTES: usize = BYTES / 2;

/// The keys that an entry is stored with: none, or some, one of them twice.
fn keys_at(tree: i64, index: u64) -> Vec<String> {
    let keys = ["z", "shared", "a\0", "a", "z", ""].map(str::to_owned);
    let own = [format!("of {tree} {index}"), "long ".repeat(60)];
    keys.into_iter().chain(own).take(usize::try_from(index % 9).unwrap()).collect()
}

/// What the old form still knew of them.
fn known_at(tree: i64, index: u64) -> Vec<String> {
    let mut keys = keys_at(tree, index);
    keys.sort_unstable();
    keys.dedup();
    keys
}

/// Fills an empty store with logs.
pub(crate) async fn fill(store: &dyn Store) {
    for id in TREES {
        let log = store.create_log(record(tree(id))).await.unwrap();
        let entries = (0..ENTRIES_EACH).map(|index| {
            let body = format!("{id} {index} ").repeat(BODY_BYTES / 4);
            NewEntry { index_keys: keys_at(id, index), ..entry(body) }
        });
        add(&*log, TreeHead::empty(), entries.collect()).await;
    }
}

/// Puts all entries back to where their values held no keys.
pub(crate) fn put_back<S: Rows>(store: &S, version: u32) {
    let mut changes = Vec::new();
    for row in store.scan(ENTRIES, &[]) {
        let (key, value) = row.unwrap();
        let entry = keys::parse_entry(0, value.as_ref()).unwrap();
        let value = [&entry.integrated_time.to_be_bytes(), entry.body.as_slice()].concat();
        let key = key.as_ref().to_vec();
        changes.push(Change { family: ENTRIES, key, value: Some(value) });
    }
    let value = Some(version.to_be_bytes().to_vec());
    changes.push(Change { family: S::STATE, key: FORMAT_KEY.to_vec(), value });
    store.write(changes, true).unwrap();
}

/// Holds a store that was brought over against what [`fill`] put there.
pub(crate) async fn check(store: &dyn Store) {
    for id in TREES {
        let log = store.log(tree(id)).await.unwrap();
        let entries = log.entries(LogIndex(0), usize::MAX).await.unwrap();
        assert_eq!(entries.len() as u64, ENTRIES_EACH);
        for stored in entries {
            let index = stored.index.0;
            let body = format!("{id} {index} ").repeat(BODY_BYTES / 4).into_bytes();
            assert!(stored.body == body, "the body of {id} {index}");
            assert_eq!(stored.integrated_time, entry(body).integrated_time);
            assert_eq!(stored.index_keys, known_at(id, index), "the keys of {id} {index}");
            for key in &stored.index_keys {
                let hits = log.search(key, LogIndex(0), 99).await.unwrap();
                assert!(hits.contains(&stored.index), "{key:?} of {id} {index}");
            }
        }
    }
}

/// A store that dies at a write: that one, and none after it, is done.
pub(crate) struct Dies<'a, S> {
    pub(crate) store: &'a S,
    pub(crate) writes_left: Cell<u32>,
}

impl<S: Rows> Rows for Dies<'_, S> {
    const STATE: &'static str = S::STATE;

    fn get(&self, family: &'static str, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        self.store.get(family, key)
    }

    fn scan(
        &self,
        family: &'static str,
        from: &[u8],
    ) -> impl Iterator<Item = Result<(impl AsRef<[u8]>, impl AsRef<[u8]>), StorageError>> {
        self.store.scan(family, from)
    }

    fn write(&self, changes: Vec<Change>, synced: bool) -> Result<(), StorageError> {
        let left = self.writes_left.get().checked_sub(1);
        self.writes_left.set(left.ok_or_else(|| StorageError::Engine("it died".into()))?);
        self.store.write(changes, synced)
    }
}

/// An engine in memory.
#[derive(Default)]
struct Map(RefCell<Held>);

/// By family and key.
type Held = BTreeMap<(&'static str, Vec<u8>), Vec<u8>>;

impl Rows for Map {
    const STATE: &'static str = "state";

    fn get(&self, family: &'static str, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        Ok(self.0.borrow().get(&(family, key.to_vec())).cloned())
    }

    fn scan(
        &self,
        family: &'static str,
        from: &[u8],
    ) -> impl Iterator<Item = Result<(impl AsRef<[u8]>, impl AsRef<[u8]>), StorageError>> {
        let map = self.0.borrow();
        let rows =
            map.range((family, from.to_vec())..).take_while(|((name, _), _)| *name == family);
        let rows: Vec<_> = rows.map(|((_, key), value)| Ok((key.clone(), value.clone()))).collect();
        rows.into_iter()
    }

    fn write(&self, changes: Vec<Change>, _synced: bool) -> Result<(), StorageError> {
        let mut map = self.0.borrow_mut();
        for Change { family, key, value } in changes {
            match value {
                Some(value) => map.insert((family, key), value),
                None => map.remove(&(family, key)),
            };
        }
        Ok(())
    }
}

/// The old form: entries of two trees, and one row of the index that is of no entry.
fn old_form() -> Map {
    let map = Map::default();
    let mut changes = Vec::new();
    let mut put = |family, key, value| changes.push(Change { family, key, value: Some(value) });
    put(Map::STATE, FORMAT_KEY.to_vec(), 1_u32.to_be_bytes().to_vec());
    for id in TREES {
        for index in 0..ENTRIES_EACH {
            let value = [&[id as u8; 8], vec![index as u8; BODY_BYTES].as_slice()].concat();
            put(ENTRIES, keys::entry(tree(id), index), value);
            for key in keys_at(id, index) {
                put(SEARCH, keys::search(&key, tree(id), LogIndex(index)), Vec::new());
            }
        }
        put(SEARCH, keys::search("of nobody", tree(id), LogIndex(ENTRIES_EACH)), Vec::new());
    }
    map.write(changes, true).unwrap();
    map
}

#[test]
fn a_death_at_every_write_is_survived() {
    let whole = old_form();
    let alive = Dies { store: &whole, writes_left: Cell::new(u32::MAX) };
    add_index_keys(&alive, 2).unwrap();
    let writes = u32::MAX - alive.writes_left.get();
    assert!(writes > 10, "{writes} writes");
    for id in TREES {
        for index in 0..ENTRIES_EACH {
            let value = whole.get(ENTRIES, &keys::entry(tree(id), index)).unwrap().unwrap();
            let stored = keys::parse_entry(index, &value).unwrap();
            assert_eq!(stored.index_keys, known_at(id, index), "the keys of {id} {index}");
            assert_eq!(stored.body, [index as u8; BODY_BYTES]);
            assert_eq!(stored.integrated_time.to_be_bytes(), [id as u8; 8]);
        }
    }
    for first in 0..writes {
        for second in 0..writes {
            let map = old_form();
            let dies = |writes| Dies { store: &map, writes_left: Cell::new(writes) };
            add_index_keys(&dies(first), 2).unwrap_err();
            let version = map.get(Map::STATE, FORMAT_KEY).unwrap().unwrap();
            let begun = is_under_way(&map).unwrap();
            assert_eq!(version, [0, 0, 0, if begun { 2 } else { 1 }], "after {first} writes");
            if add_index_keys(&dies(second), 2).is_err() {
                add_index_keys(&map, 2).unwrap();
            }
            assert!(!is_under_way(&map).unwrap());
            assert!(map.0 == whole.0, "deaths after {first} and {second} writes");
        }
    }
}

#[test]
fn damage_stops_it() {
    for (family, key, value) in [
        (ENTRIES, keys::entry(tree(1), 3), b"short".as_slice()),
        (ENTRIES, b"a key".to_vec(), b"12345678body"),
        (SEARCH, b"too short".to_vec(), b""),
        (SEARCH, [b"\xff\0".as_slice(), &keys::entry(tree(1), 3)].concat(), b""),
        (Map::STATE, NEXT.to_vec(), b"nowhere"),
    ] {
        let map = old_form();
        map.write(vec![Change { family, key, value: Some(value.to_vec()) }], true).unwrap();
        let error = add_index_keys(&map, 2).unwrap_err();
        assert!(matches!(error, StorageError::Corrupt(_)), "{error}");
        assert!(family == Map::STATE || error.to_string().contains("cannot be read"), "{error}");
    }
}
