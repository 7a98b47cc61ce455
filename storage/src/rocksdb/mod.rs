//! The embedded engine: RocksDB in one directory, one process at a time.
//!
//! A commit is one write batch with a synced write-ahead log. Commits of all logs go through one
//! lock, which is held from the comparison of the head to the end of the write. Writes run on the
//! blocking pool and go on when the caller stops waiting. Reads are short and run where they are.
//!
//! Not here: what the bytes mean (`keys`), how the engine is tuned (`options`).

mod log;
mod open;
mod options;
#[cfg(test)]
mod tests;
mod upgrade;
mod wal;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use ::rocksdb::{ColumnFamily, DB, Error, ErrorKind, FlushOptions, IteratorMode, WriteBatch};
use async_trait::async_trait;
use tlog::TreeHead;

use crate::{LogRecord, LogStore, StorageError, Store, TreeId, keys};
use log::RocksLog;
pub use options::Options;

/// The version of the layout in `keys` that this engine writes. A store of a larger one is refused.
pub const FORMAT_VERSION: u32 = 3;

/// A store in a directory. Clones are handles on the same store.
#[derive(Clone)]
pub struct RocksStore {
    shared: Arc<Shared>,
}

struct Shared {
    db: DB,
    path: PathBuf,
    read_only: bool,
    writer: Mutex<Writer>,
}

/// Held by whoever writes.
#[derive(Default)]
struct Writer {
    /// A write failed: it may be in the log file or not, so nothing may be written after it.
    failed: bool,
}

impl RocksStore {
    /// Opens a store for reading and writing; no other process may have it open so.
    ///
    /// # Errors
    /// [`StorageError::Engine`] when there is none and none is to be made, when another process has
    /// it, or when a newer version wrote it; [`StorageError::Corrupt`] when it is damaged.
    pub fn open(path: impl AsRef<Path>, options: &Options) -> Result<Self, StorageError> {
        open::for_writing(path.as_ref(), options).map(|db| Self::new(db, path.as_ref(), false))
    }

    /// Opens what is stored at this moment for reading, beside a process that writes; later commits
    /// are not seen. Writes are refused.
    ///
    /// # Errors
    /// As [`open`](Self::open); a missing store is never made.
    pub fn open_read_only(path: impl AsRef<Path>) -> Result<Self, StorageError> {
        open::for_reading(path.as_ref()).map(|db| Self::new(db, path.as_ref(), true))
    }

    /// Bytes in the store's directory.
    ///
    /// # Errors
    /// [`StorageError::Engine`] when the directory cannot be listed.
    pub fn disk_usage(&self) -> Result<u64, StorageError> {
        let sum = || {
            let mut bytes = 0;
            for file in std::fs::read_dir(&self.shared.path)? {
                match file?.metadata() {
                    Ok(metadata) => bytes += metadata.len(),
                    // Merged away since it was listed.
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(bytes)
        };
        sum().map_err(|error| StorageError::Engine(error.into()))
    }

    fn new(db: DB, path: &Path, read_only: bool) -> Self {
        let (path, writer) = (path.to_owned(), Mutex::default());
        Self { shared: Arc::new(Shared { db, path, read_only, writer }) }
    }

    fn handle(&self, tree: TreeId) -> Arc<dyn LogStore> {
        Arc::new(RocksLog::new(Arc::clone(&self.shared), tree))
    }
}

#[async_trait]
impl Store for RocksStore {
    async fn logs(&self) -> Result<Vec<LogRecord>, StorageError> {
        self.shared.logs()
    }

    async fn create_log(&self, record: LogRecord) -> Result<Arc<dyn LogStore>, StorageError> {
        let tree = record.tree_id;
        blocking(&self.shared, move |shared| shared.create_log(&record)).await?;
        Ok(self.handle(tree))
    }

    async fn log(&self, tree: TreeId) -> Result<Arc<dyn LogStore>, StorageError> {
        match self.shared.get(keys::LOGS, keys::part(tree, keys::Part::Record))? {
            Some(_) => Ok(self.handle(tree)),
            None => Err(StorageError::NoSuchLog(tree)),
        }
    }
}

impl Shared {
    fn logs(&self) -> Result<Vec<LogRecord>, StorageError> {
        let mut logs = Vec::new();
        for item in self.db.iterator_cf(self.family(keys::LOGS), IteratorMode::Start) {
            let (key, value) = item.map_err(failure)?;
            if keys::is_record(&key) {
                let log = keys::parse_record(&value);
                logs.push(log.ok_or_else(|| corrupt("a log's record cannot be read"))?);
            }
        }
        logs.sort_unstable_by_key(|(position, _)| *position);
        Ok(logs.into_iter().map(|(_, record)| record).collect())
    }

    fn create_log(&self, record: &LogRecord) -> Result<(), StorageError> {
        let mut writer = self.writer()?;
        let logs = self.logs()?;
        let tree_id = record.tree_id;
        if logs.iter().any(|log| log.tree_id == tree_id || log.name == record.name) {
            return Err(StorageError::LogExists { tree_id, name: record.name.clone() });
        }
        let position = u32::try_from(logs.len()).map_err(|_| corrupt("too many logs"))?;
        let family = self.family(keys::LOGS);
        let mut batch = WriteBatch::default();
        let value = keys::record_value(position, record)?;
        batch.put_cf(family, keys::part(tree_id, keys::Part::Record), value);
        let head = keys::head_value(TreeHead::empty());
        batch.put_cf(family, keys::part(tree_id, keys::Part::Head), head);
        self.write(&mut writer, batch, Durability::Synced)
    }

    /// Waits for the write before; refuses when it failed.
    fn writer(&self) -> Result<MutexGuard<'_, Writer>, StorageError> {
        if self.read_only {
            return Err(StorageError::Engine("it was opened for reading only".into()));
        }
        match self.writer.lock() {
            Ok(writer) if !writer.failed => Ok(writer),
            _ => Err(StorageError::Engine(
                "an earlier write failed; nothing is written until it is opened again".into(),
            )),
        }
    }

    fn write(
        &self,
        writer: &mut Writer,
        batch: WriteBatch,
        durability: Durability,
    ) -> Result<(), StorageError> {
        let options = match durability {
            Durability::Synced => options::synced(),
            Durability::Unsynced => options::unsynced(),
        };
        self.db.write_opt(batch, &options).map_err(|error| {
            writer.failed = true;
            failure(error)
        })
    }

    fn get(
        &self,
        family: &'static str,
        key: impl AsRef<[u8]>,
    ) -> Result<Option<Vec<u8>>, StorageError> {
        self.db.get_cf(self.family(family), key).map_err(failure)
    }

    #[expect(clippy::expect_used, reason = "a store opens with all families or not at all")]
    fn family(&self, name: &'static str) -> &ColumnFamily {
        self.db.cf_handle(name).expect("a family of keys::FAMILIES")
    }
}

/// A clean stop leaves an empty write-ahead log, so that the next opening has nothing to read
/// again: the engine itself does that only for writes without such a log.
impl Drop for Shared {
    fn drop(&mut self) {
        if self.read_only || self.writer.get_mut().map_or(true, |writer| writer.failed) {
            return;
        }
        let families = keys::FAMILIES.map(|name| self.family(name));
        let mut wait = FlushOptions::default();
        wait.set_wait(true);
        // What fails here is still in the write-ahead log.
        let _ = self.db.flush_cfs_opt(&families, &wait);
    }
}

/// How far a write has to get before it is acknowledged.
enum Durability {
    /// Onto the disk.
    Synced,
    /// To the operating system.
    Unsynced,
}

/// Runs a write where it may block, to its end even when nobody waits for it any more.
async fn blocking<T: Send + 'static, E: From<StorageError> + Send + 'static>(
    shared: &Arc<Shared>,
    write: impl FnOnce(&Shared) -> Result<T, E> + Send + 'static,
) -> Result<T, E> {
    let shared = Arc::clone(shared);
    let written = tokio::task::spawn_blocking(move || write(&shared)).await;
    written.unwrap_or_else(|error| Err(StorageError::Engine(error.into()).into()))
}

fn failure(error: Error) -> StorageError {
    match error.kind() {
        ErrorKind::Corruption => StorageError::Corrupt(error.into_string()),
        _ => StorageError::Engine(error.into()),
    }
}

fn corrupt(what: impl Into<String>) -> StorageError {
    StorageError::Corrupt(what.into())
}
