//! Opening a directory: is a store there, is it ours, is it free, and can this version read it?

use std::fs::{self, File};
use std::path::Path;

use ::rocksdb::{DB, Error, IteratorMode, Options as Engine};

use super::{Options, corrupt, failure, keys, options};
use crate::StorageError;

/// Openings for reading that are tried while the writer moves files about.
const READ_ATTEMPTS: u32 = 3;

pub(super) fn for_writing(path: &Path, options: &Options) -> Result<DB, StorageError> {
    if exists(path) {
        check_families(path)?;
    } else if options.create_if_missing {
        make_directory(path).map_err(|error| StorageError::Engine(error.into()))?;
    } else {
        return Err(missing(path));
    }
    let engine = options::engine(options);
    let db = DB::open_cf_with_opts(&engine, path, options::families(options))
        .map_err(|error| opening_failed(error, path))?;
    if db.get(keys::FORMAT_KEY).map_err(failure)?.is_none() && is_empty(&db)? {
        // New, or the process that made it died before this line.
        let version = keys::FORMAT_VERSION.to_be_bytes();
        db.put_opt(keys::FORMAT_KEY, version, &options::synced())
            .map_err(failure)?;
    }
    check_version(&db, path)?;
    Ok(db)
}

pub(super) fn for_reading(path: &Path) -> Result<DB, StorageError> {
    if !exists(path) {
        return Err(missing(path));
    }
    check_families(path)?;
    let options = Options::default();
    let mut attempt = 1;
    loop {
        let engine = options::read_only(&options);
        let families = options::families(&options);
        match DB::open_cf_with_opts_for_read_only(&engine, path, families, false) {
            Ok(db) => {
                check_version(&db, path)?;
                return Ok(db);
            }
            // A file that was named a moment ago may be merged into another one by now.
            Err(_) if attempt < READ_ATTEMPTS => attempt += 1,
            Err(error) => return Err(opening_failed(error, path)),
        }
    }
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
fn check_families(path: &Path) -> Result<(), StorageError> {
    let families = DB::list_cf(&Engine::default(), path).map_err(failure)?;
    let known = |name: &String| name == "default" || keys::FAMILIES.contains(&name.as_str());
    match families.into_iter().find(|name| !known(name)) {
        Some(other) => Err(refused(format!(
            "{} has a column family {other:?}: a newer version wrote it, or another program",
            path.display()
        ))),
        None => Ok(()),
    }
}

fn check_version(db: &DB, path: &Path) -> Result<(), StorageError> {
    let path = path.display();
    let Some(version) = db.get(keys::FORMAT_KEY).map_err(failure)? else {
        return Err(corrupt(format!("{path} has no format version")));
    };
    match keys::parse_version(&version) {
        Some(keys::FORMAT_VERSION) => Ok(()),
        Some(version) if version > keys::FORMAT_VERSION => Err(refused(format!(
            "{path} has format version {version}: a newer version wrote it, this one reads up to {}",
            keys::FORMAT_VERSION
        ))),
        _ => Err(corrupt(format!(
            "{path} has a format version that never was"
        ))),
    }
}

fn is_empty(db: &DB) -> Result<bool, StorageError> {
    let mut families = vec![db.iterator(IteratorMode::Start)];
    for name in keys::FAMILIES {
        let family = db
            .cf_handle(name)
            .ok_or_else(|| corrupt("a column family is missing"))?;
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
        refused(format!(
            "another process has this store open: {}",
            path.display()
        ))
    } else if text.contains("lock hold by current process") {
        refused(format!(
            "this process has this store open already: {}",
            path.display()
        ))
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
