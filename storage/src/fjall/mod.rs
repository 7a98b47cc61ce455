//! The embedded engine in Rust alone: Fjall in one directory, one process at a time.
//!
//! Keys and values are RocksDB's, see `keys`. A commit is one batch over all keyspaces, with a
//! synced journal. Commits of all logs go through one lock, which is held from the comparison of
//! the head to the end of the write. Writes run on the blocking pool and go on when the caller
//! stops waiting. Nobody can look on while another process has the directory open.

mod log;
#[cfg(test)]
mod tests;
mod upgrade;

use std::collections::HashMap;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use ::fjall::config::{
    BlockSizePolicy, BloomConstructionPolicy, CompressionPolicy, FilterPolicy, FilterPolicyEntry,
};
use ::fjall::{
    CompressionType, Database, Error, Keyspace, KeyspaceCreateOptions, OwnedWriteBatch,
    PersistMode, UserValue,
};
use async_trait::async_trait;
use tlog::TreeHead;

use crate::{LogRecord, LogStore, StorageError, Store, TreeId, keys};
use log::FjallLog;

/// The version of the layout in `keys` that this engine writes. A store of a larger one is refused.
pub const FORMAT_VERSION: u32 = 2;

const MIB: u64 = 1 << 20;
/// Bound on what is written and not yet in sorted files, for each keyspace.
const MEMTABLE_BYTES: u64 = 4 * MIB;
/// The engine allows no less.
const JOURNAL_BYTES_MAX: u64 = 64 * MIB;
const CACHE_BYTES: u64 = 16 * MIB;
/// The engine's marker of a directory of its own.
const MARKER: &str = "version";

/// A store in a directory. Clones are handles on the same store.
#[derive(Clone)]
pub struct FjallStore {
    shared: Arc<Shared>,
}

struct Shared {
    db: Database,
    families: HashMap<&'static str, Keyspace>,
    path: PathBuf,
    read_only: bool,
    writer: Mutex<Writer>,
}

/// Held by whoever writes.
#[derive(Default)]
struct Writer {
    /// A write failed: it may be in the journal or not, so nothing may be written after it.
    failed: bool,
}

impl FjallStore {
    /// Opens a store for reading and writing; no other process may have it open. One that is not
    /// there is made, if `create` says so.
    ///
    /// # Errors
    /// [`StorageError::Engine`] when there is none and none is to be made, when another process has
    /// it, or when a newer version wrote it; [`StorageError::Corrupt`] when it is damaged.
    pub fn open(path: impl AsRef<Path>, create: bool) -> Result<Self, StorageError> {
        let mut shared = Self::shared(path.as_ref(), create)?;
        upgrade::to_current(&mut shared)?;
        shared.check_version()?;
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Opens a store for reading; no other process may have it open. Writes are refused.
    ///
    /// # Errors
    /// As [`open`](Self::open), and [`StorageError::Format`] for a store that opening it for
    /// writing would bring to this version.
    pub fn open_read_only(path: impl AsRef<Path>) -> Result<Self, StorageError> {
        let shared = Self::shared(path.as_ref(), false)?;
        shared.check_version()?;
        Ok(Self { shared: Arc::new(Shared { read_only: true, ..shared }) })
    }

    fn shared(path: &Path, create: bool) -> Result<Shared, StorageError> {
        let there = path.join(MARKER).exists();
        if !there && path.join("CURRENT").exists() {
            return Err(refused(format!("{} holds a store of RocksDB", path.display())));
        }
        if !there && !create {
            return Err(refused(format!("there is no store in {}", path.display())));
        }
        if !there {
            make_directory(path).map_err(|error| StorageError::Engine(error.into()))?;
        }
        let db = Database::builder(path)
            .cache_size(CACHE_BYTES)
            .max_journaling_size(JOURNAL_BYTES_MAX)
            .max_cached_files(Some(256))
            .worker_threads(2)
            .open()
            .map_err(|error| match error {
                Error::Locked => refused(format!(
                    "another process has this store open, and it can be open only once: {}",
                    path.display()
                )),
                error => failure(error),
            })?;
        let mut families = HashMap::new();
        for name in keys::FAMILIES {
            families.insert(name, db.keyspace(name, || family(name)).map_err(failure)?);
        }
        let (path, writer) = (path.into(), Mutex::default());
        let shared = Shared { db, families, path, read_only: false, writer };
        shared.make_version(there)?;
        Ok(shared)
    }

    fn handle(&self, tree: TreeId) -> Arc<dyn LogStore> {
        Arc::new(FjallLog::new(Arc::clone(&self.shared), tree))
    }
}

/// How a keyspace is set up, and why.
fn family(name: &str) -> KeyspaceCreateOptions {
    let bloom = FilterPolicyEntry::Bloom(BloomConstructionPolicy::BitsPerKey(10.0));
    KeyspaceCreateOptions::default()
        .max_memtable_size(MEMTABLE_BYTES)
        .data_block_size_policy(BlockSizePolicy::all(match name {
            // Read by the tile and by the bundle.
            keys::HASHES | keys::NODES | keys::ENTRIES => 16 << 10,
            // Read at random.
            _ => 4 << 10,
        }))
        .data_block_compression_policy(CompressionPolicy::all(match name {
            // Hashes are random: there is nothing to compress.
            keys::HASHES | keys::NODES | keys::LEAVES => CompressionType::None,
            _ => CompressionType::Lz4,
        }))
        // Nearly every question for a leaf is about one that is not there.
        .filter_policy(match name {
            keys::LEAVES => FilterPolicy::all(bloom),
            _ => FilterPolicy::disabled(),
        })
}

#[async_trait]
impl Store for FjallStore {
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
    /// A store without version is new, or the process that made it died before this line.
    fn make_version(&self, there: bool) -> Result<(), StorageError> {
        let version = self.get(keys::LOGS, keys::FORMAT_KEY)?;
        if version.is_some() || (there && !self.logs()?.is_empty()) {
            return Ok(());
        }
        let mut batch = self.batch(PersistMode::SyncAll);
        batch.insert(self.family(keys::LOGS), keys::FORMAT_KEY, FORMAT_VERSION.to_be_bytes());
        batch.commit().map_err(failure)
    }

    fn version(&self) -> Result<Option<u32>, StorageError> {
        let version = self.get(keys::LOGS, keys::FORMAT_KEY)?;
        Ok(version.and_then(|version| keys::parse_version(&version)))
    }

    fn check_version(&self) -> Result<(), StorageError> {
        let path = self.path.display();
        match self.version()? {
            Some(FORMAT_VERSION) if !crate::upgrade::is_under_way(self)? => Ok(()),
            Some(version) if version > FORMAT_VERSION => Err(StorageError::Format(format!(
                "{path} has format version {version}: a newer version wrote it, this reads up to \
                 {FORMAT_VERSION}"
            ))),
            Some(1..=FORMAT_VERSION) => Err(StorageError::Format(format!(
                "{path} has an older format version: `cairn serve` brings it to version \
                 {FORMAT_VERSION} when it starts"
            ))),
            _ => Err(corrupt(format!("{path} has no format version that ever was"))),
        }
    }

    fn logs(&self) -> Result<Vec<LogRecord>, StorageError> {
        let mut logs = Vec::new();
        for row in self.family(keys::LOGS).iter() {
            let (key, value) = row.into_inner().map_err(failure)?;
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
        let mut batch = self.batch(PersistMode::SyncAll);
        let value = keys::record_value(position, record)?;
        batch.insert(family, keys::part(tree_id, keys::Part::Record), value);
        let head = keys::head_value(TreeHead::empty());
        batch.insert(family, keys::part(tree_id, keys::Part::Head), head);
        write(&mut writer, batch)
    }

    /// Waits for the write before; refuses when it failed.
    fn writer(&self) -> Result<MutexGuard<'_, Writer>, StorageError> {
        if self.read_only {
            return Err(refused("it was opened for reading only"));
        }
        match self.writer.lock() {
            Ok(writer) if !writer.failed => Ok(writer),
            _ => {
                Err(refused("an earlier write failed; nothing is written until it is opened again"))
            }
        }
    }

    /// A batch that is with the operating system, or on the disk, when it is written.
    fn batch(&self, durability: PersistMode) -> OwnedWriteBatch {
        self.db.batch().durability(Some(durability))
    }

    fn get(
        &self,
        family: &'static str,
        key: impl AsRef<[u8]>,
    ) -> Result<Option<UserValue>, StorageError> {
        self.family(family).get(key).map_err(failure)
    }

    #[expect(clippy::indexing_slicing, reason = "a store opens with all families or not at all")]
    fn family(&self, name: &'static str) -> &Keyspace {
        &self.families[name]
    }
}

fn write(writer: &mut Writer, batch: OwnedWriteBatch) -> Result<(), StorageError> {
    batch.commit().map_err(|error| {
        writer.failed = true;
        failure(error)
    })
}

/// Makes the directory, and makes it last: its name in the parent is synced as well.
fn make_directory(path: &Path) -> std::io::Result<()> {
    fs::create_dir_all(path)?;
    match fs::canonicalize(path)?.parent() {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
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

/// What is no longer as it was written has a checksum, a tag or a length that cannot be.
fn failure(error: Error) -> StorageError {
    match error {
        Error::Io(_) | Error::Poisoned | Error::Locked => StorageError::Engine(error.into()),
        Error::Storage(::fjall::LsmError::Io(_)) => StorageError::Engine(error.into()),
        error => StorageError::Corrupt(error.to_string()),
    }
}

fn refused(why: impl Into<String>) -> StorageError {
    StorageError::Engine(why.into().into())
}

fn corrupt(what: impl Into<String>) -> StorageError {
    StorageError::Corrupt(what.into())
}
