//! Opening a directory: is a store there, is it ours, is it free, and can this version read it?

use std::fs::{self, File};
use std::path::Path;

use ::rocksdb::{DB, DBRecoveryMode, Error, ErrorKind, IteratorMode, Options as Engine};

use super::{FORMAT_VERSION, Options, corrupt, failure, options, upgrade, wal};
use crate::{StorageError, keys};

pub(super) fn for_writing(path: &Path, options: &Options) -> Result<DB, StorageError> {
    let mut found = Vec::new();
    if exists(path) {
        found = check_families(path)?;
    } else if options.create_if_missing {
        make_directory(path).map_err(|error| StorageError::Engine(error.into()))?;
    } else {
        return Err(missing(path));
    }
    let is_half_upgraded = found.iter().any(|name| name == keys::SORTED);
    let mut db = recover(path, options::engine(options), |engine| {
        let mut families = options::families(options);
        families.extend(is_half_upgraded.then(|| (keys::SORTED, options::sorted(options))));
        DB::open_cf_with_opts(engine, path, families)
    })?;
    if db.get(keys::FORMAT_KEY).map_err(failure)?.is_none() && is_empty(&db)? {
        // New, or the process that made it died before this line.
        let version = FORMAT_VERSION.to_be_bytes();
        db.put_opt(keys::FORMAT_KEY, version, &options::synced()).map_err(failure)?;
    }
    upgrade::to_current(&mut db, options)?;
    check_version(&db, path)?;
    Ok(db)
}

pub(super) fn for_reading(path: &Path) -> Result<DB, StorageError> {
    if !exists(path) {
        return Err(missing(path));
    }
    let families = check_families(path)?;
    if !families.iter().any(|name| name == keys::NODES) {
        return Err(older(path, 1));
    }
    if families.iter().any(|name| name == keys::SORTED) {
        return Err(StorageError::Format(format!(
            "{} is on its way to format version {FORMAT_VERSION}: `cairn serve` goes on with it \
             when it starts",
            path.display()
        )));
    }
    let options = Options::default();
    let open = || {
        recover(path, options::read_only(&options), |engine| {
            let families = options::families(&options);
            DB::open_cf_with_opts_for_read_only(engine, path, families, false)
        })
    };
    // A file that was named a moment ago may be merged into another one by now.
    let db = open().or_else(|_| open()).or_else(|_| open())?;
    check_version(&db, path)?;
    Ok(db)
}

/// Opens with a clean write-ahead log, or with one whose end is torn.
///
/// RocksDB's recovery modes each fail us in one way. `AbsoluteConsistency` refuses a torn end,
/// which a power cut may leave, and drops what follows zeros in silence.
/// `TolerateCorruptedTailRecords` accepts an end that is cut short, but not one with zeros in it,
/// and a wrong length near the end makes it drop synced records in silence. `PointInTime` accepts
/// any end, and drops in silence all that follows a damaged record. So: first a look whether
/// anything whole follows a bad spot; then the strict mode; and only when that refuses and nothing
/// whole follows, `PointInTime` drops the end.
fn recover(
    path: &Path,
    mut engine: Engine,
    open: impl Fn(&Engine) -> Result<DB, Error>,
) -> Result<DB, StorageError> {
    let damage = match exists(path) {
        true => wal::examine(path).map_err(|error| StorageError::Engine(error.into()))?,
        false => wal::Damage::default(),
    };
    let whole_follow = "whole records follow a bad one in its log: this is not a torn end";
    if damage.within_a_log {
        return Err(corrupt(whole_follow));
    }
    match open(&engine) {
        Err(error) if error.kind() == ErrorKind::Corruption => {
            if damage.anywhere {
                return Err(corrupt(format!("{error} ({whole_follow})")));
            }
        }
        other => return other.map_err(|error| opening_failed(error, path)),
    }
    engine.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
    open(&engine).map_err(|error| opening_failed(error, path))
}

/// `CURRENT` names the manifest; RocksDB writes it when the directory is a store.
fn exists(path: &Path) -> bool {
    path.join("CURRENT").exists()
}

/// Makes the directory, and makes it last: its name in the parent is synced as well.
fn make_directory(path: &Path) -> std::io::Result<()> {
    fs::create_dir_all(path)?;
    match fs::canonicalize(path)?.parent() {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

/// A later format may have more families, and RocksDB opens all of them or none.
fn check_families(path: &Path) -> Result<Vec<String>, StorageError> {
    let families = DB::list_cf(&Engine::default(), path).map_err(failure)?;
    let known = |name: &String| {
        ["default", keys::SORTED].contains(&name.as_str())
            || keys::FAMILIES.contains(&name.as_str())
    };
    match families.iter().find(|name| !known(name)) {
        Some(other) => Err(StorageError::Format(format!(
            "{} has a column family {other:?}: a newer version wrote it, or another program",
            path.display()
        ))),
        None => Ok(families),
    }
}

fn check_version(db: &DB, path: &Path) -> Result<(), StorageError> {
    let Some(version) = db.get(keys::FORMAT_KEY).map_err(failure)? else {
        return Err(corrupt(format!("{} has no format version", path.display())));
    };
    match keys::parse_version(&version) {
        Some(FORMAT_VERSION) => Ok(()),
        Some(version @ 1..FORMAT_VERSION) => Err(older(path, version)),
        Some(version) if version > FORMAT_VERSION => Err(StorageError::Format(format!(
            "{} has format version {version}: a newer version wrote it, this reads up to \
             {FORMAT_VERSION}",
            path.display()
        ))),
        _ => Err(corrupt(format!("{} has a format version that never was", path.display()))),
    }
}

/// What is opened for reading stays as it is.
fn older(path: &Path, version: u32) -> StorageError {
    StorageError::Format(format!(
        "{} has format version {version}: `cairn serve` brings it to version {FORMAT_VERSION} when \
         it starts",
        path.display()
    ))
}

fn is_empty(db: &DB) -> Result<bool, StorageError> {
    let mut families = vec![db.iterator(IteratorMode::Start)];
    for name in keys::FAMILIES {
        let family = db.cf_handle(name).ok_or_else(|| corrupt("a column family is missing"))?;
        families.push(db.iterator_cf(family, IteratorMode::Start));
    }
    for mut rows in families {
        if rows.next().transpose().map_err(failure)?.is_some() {
            return Ok(false);
        }
    }
    Ok(true)
}

fn opening_failed(error: Error, path: &Path) -> StorageError {
    // RocksDB has no kind of its own for a lock that is taken.
    let text = error.as_ref();
    if text.contains("lock file") {
        refused(format!("another process has this store open: {}", path.display()))
    } else if text.contains("lock hold by current process") {
        refused(format!("this process has this store open already: {}", path.display()))
    } else {
        failure(error)
    }
}

fn missing(path: &Path) -> StorageError {
    refused(format!("there is no store in {}", path.display()))
}

fn refused(why: String) -> StorageError {
    StorageError::Engine(why.into())
}
