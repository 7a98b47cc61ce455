//! Bringing a store of an older format to this one, when it is opened for writing.

use ::rocksdb::{ColumnFamily, DB, Direction, IteratorMode, ReadOptions, WriteBatch};

use super::{FORMAT_VERSION, Options, corrupt, failure, keys, options};
use crate::upgrade::{self, Change, Rows};
use crate::{StorageError, TreeId};

/// Rows that are copied at a time: some 100 KiB.
const ROWS: usize = 1024;

/// Does nothing to a store of this format or a newer one.
pub(super) fn to_current(db: &mut DB, options: &Options) -> Result<(), StorageError> {
    if version(db)? == Some(1) {
        one_to_two(db)?;
    }
    if version(db)? == Some(2) || upgrade::is_under_way(db)? {
        if db.cf_handle(keys::SORTED).is_none() {
            db.create_cf(keys::SORTED, &options::sorted(options)).map_err(failure)?;
        }
        upgrade::add_index_keys(db, FORMAT_VERSION)?;
    }
    match db.cf_handle(keys::SORTED) {
        Some(_) => db.drop_cf(keys::SORTED).map_err(failure),
        None => Ok(()),
    }
}

fn version(db: &DB) -> Result<Option<u32>, StorageError> {
    let version = db.get(keys::FORMAT_KEY).map_err(failure)?;
    Ok(version.and_then(|version| keys::parse_version(&version)))
}

impl Rows for DB {
    const STATE: &'static str = "default";

    fn get(&self, name: &'static str, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError> {
        self.get_cf(family(self, name)?, key).map_err(failure)
    }

    fn scan(
        &self,
        name: &'static str,
        from: &[u8],
    ) -> impl Iterator<Item = Result<(impl AsRef<[u8]>, impl AsRef<[u8]>), StorageError>> {
        let start = IteratorMode::From(from, Direction::Forward);
        let (rows, missing) = match family(self, name) {
            Ok(family) => (Some(self.iterator_cf(family, start)), None),
            Err(error) => (None, Some(Err(error))),
        };
        rows.into_iter().flatten().map(|row| row.map_err(failure)).chain(missing)
    }

    fn write(&self, changes: Vec<Change>, synced: bool) -> Result<(), StorageError> {
        let mut batch = WriteBatch::default();
        for Change { family: name, key, value } in changes {
            match value {
                Some(value) => batch.put_cf(family(self, name)?, key, value),
                None => batch.delete_cf(family(self, name)?, key),
            }
        }
        let options = if synced { options::synced() } else { options::unsynced() };
        self.write_opt(batch, &options).map_err(failure)
    }
}

fn family<'a>(db: &'a DB, name: &str) -> Result<&'a ColumnFamily, StorageError> {
    db.cf_handle(name).ok_or_else(|| corrupt("a column family is missing"))
}

/// Version 1 had the upper levels in `hashes`, behind the leaf hashes of their tree.
///
/// A crash before the last write: the store is of version 1 still, with rows in `nodes` that the
/// next attempt writes again.
fn one_to_two(db: &DB) -> Result<(), StorageError> {
    let [logs, hashes, nodes] =
        [keys::LOGS, keys::HASHES, keys::NODES].map(|name| family(db, name));
    let (logs, hashes, nodes) = (logs?, hashes?, nodes?);
    let mut last = WriteBatch::default();
    for item in db.iterator_cf(logs, IteratorMode::Start) {
        let (key, _) = item.map_err(failure)?;
        let Some(tree) = keys::parse_record_key(&key) else { continue };
        let (from, to) = upper_levels(tree);
        let mut range = ReadOptions::default();
        range.set_iterate_range(from.clone()..to.clone());
        let mut rows = WriteBatch::default();
        for item in db.iterator_cf_opt(hashes, range, IteratorMode::Start) {
            let (key, value) = item.map_err(failure)?;
            rows.put_cf(nodes, key, value);
            if rows.len() == ROWS {
                let full = std::mem::take(&mut rows);
                db.write_opt(full, &options::unsynced()).map_err(failure)?;
            }
        }
        db.write_opt(rows, &options::unsynced()).map_err(failure)?;
        last.delete_range_cf(hashes, from, to);
    }
    last.put(keys::FORMAT_KEY, 2_u32.to_be_bytes());
    db.write_opt(last, &options::synced()).map_err(failure)
}

/// The keys of levels 1 to 254 of a tree: first, and first behind them. There are 8 levels.
fn upper_levels(tree: TreeId) -> (Vec<u8>, Vec<u8>) {
    (keys::hash(tree, 1, 0), keys::hash(tree, u8::MAX, 0))
}
