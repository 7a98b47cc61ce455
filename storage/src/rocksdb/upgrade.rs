//! Bringing a store of an older format to this one, when it is opened for writing.

use ::rocksdb::{DB, IteratorMode, ReadOptions, WriteBatch};

use super::{corrupt, failure, keys, options};
use crate::{StorageError, TreeId};

/// Rows that are copied at a time: some 100 KiB.
const ROWS: usize = 1024;

/// Does nothing to a store of this format or a newer one.
pub(super) fn to_current(db: &DB) -> Result<(), StorageError> {
    let version = db.get(keys::FORMAT_KEY).map_err(failure)?;
    match version.and_then(|version| keys::parse_version(&version)) {
        Some(1) => one_to_two(db),
        _ => Ok(()),
    }
}

/// Version 1 had the upper levels in `hashes`, behind the leaf hashes of their tree.
///
/// A crash before the last write: the store is of version 1 still, with rows in `nodes` that the
/// next attempt writes again.
fn one_to_two(db: &DB) -> Result<(), StorageError> {
    let family = |name| db.cf_handle(name).ok_or_else(|| corrupt("a column family is missing"));
    let (logs, hashes, nodes) = (family(keys::LOGS)?, family(keys::HASHES)?, family(keys::NODES)?);
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
