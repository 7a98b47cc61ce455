//! The data folder: what binds folder, trees, origins and keys together.
//!
//! ```text
//! cairn-data/
//!   v1.key      a log's private key (unless --key-file names one elsewhere), mode 0600
//!   v1.pub      its public key, for clients; written last, so that it says: this log was made
//!   v2.key …    the same for every other log
//!   db/         the store, with the logs' identities in it, unless it is on a server
//!   ENGINE      which engine stored it, and in which version of its format
//!   FOLLOWING   only in the folder of a replica: where its logs are written
//!   CREATING    only while the folder is being made; a folder with it has never served anything
//! ```
//!
//! A store is made only in an empty folder; a log only where neither store nor folder know it. What
//! does not fit is an error that names the fix; nothing is ever made anew beside what exists.

mod error;
mod files;
mod founding;
mod stores;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use storage::{LogRecord, LogStore, StorageError, Store};
use tlog::{KeyId, Verifier};

use super::Failure;
use crate::config::{ApiSetting, LogConfig, Settings, StorageSetting};
use crate::follow::Listed;
use crate::publisher::signer::{PublicHalf, Signer};

pub(super) use error::DataDirError;
use files::{first_file, lock, make_folder, sync_folder, write_synced};
use founding::Founding;
use stores::Mode;

const STORE: &str = "db";
const CREATING: &str = "CREATING";
const FOLLOWING: &str = "FOLLOWING";

/// What a folder's logs are to the process that opens it.
#[derive(Clone, Copy)]
pub(super) enum Role<'a> {
    /// It writes to them.
    Writes,
    /// They are written elsewhere; what is known of them there, if that was to be learnt.
    Follows(&'a [Listed]),
}

/// One log of the folder.
pub(super) struct FolderLog {
    /// Its identity.
    pub(super) record: LogRecord,
    /// Its part of the store.
    pub(super) store: Arc<dyn LogStore>,
}

/// A log of the folder that may be written to.
pub(super) struct OwnedLog {
    pub(super) log: FolderLog,
    /// Its key.
    pub(super) signer: Arc<dyn Signer>,
}

impl FolderLog {
    /// The name on the signature lines of its checkpoints.
    pub(super) fn hostname(&self) -> &str {
        let origin = &self.record.origin;
        match self.is_v1() {
            true => origin.strip_suffix(&format!(" - {}", self.record.tree_id)).unwrap_or(origin),
            false => origin,
        }
    }

    /// Whether it is of Rekor v1, which has rules of its own for key IDs.
    pub(super) fn is_v1(&self) -> bool {
        self.record.api == ApiSetting::V1.as_str()
    }

    /// Whether its leaves are bytes as they came, which no sigstore client knows.
    pub(super) fn is_raw(&self) -> bool {
        self.record.api == ApiSetting::Raw.as_str()
    }

    /// The hint on its signature lines.
    pub(super) fn key_id(&self, verifier: &Verifier) -> KeyId {
        match self.is_v1() {
            true => KeyId::rekor_v1(&self.record.public_key),
            false => verifier.key_id(self.hostname()),
        }
    }
}

/// What serving opens.
pub(super) struct DataDir {
    /// The logs, in the order of the configuration.
    pub(super) logs: Vec<OwnedLog>,
    /// True when this start made the folder.
    pub(super) created: bool,
    /// Locked until the process ends: the store's own lock comes too late for what is done before.
    pub(super) _lock: fs::File,
}

/// Opens the folder, makes it when it is empty or absent, and makes the logs that are not there.
///
/// # Errors
/// As [`DataDirError`] says; no log that exists is changed then.
pub(super) async fn open_or_create(
    settings: &Settings,
    logs: &[LogConfig],
    role: Role<'_>,
) -> Result<DataDir, DataDirError> {
    let path = settings.data_dir();
    let io = |source| DataDirError::Io { path: path.clone(), source };
    make_folder(&path).map_err(io)?;
    let engine = stores::engine_of(settings, &path)?;
    let shared = matches!(engine, StorageSetting::Postgres(_));
    let lock = lock(&path, shared)?;
    if path.join(CREATING).exists() {
        if holds_entries(settings, &path, &engine).await {
            return Err(DataDirError::NotUnfinished { path });
        }
        clear_unfinished(&path, logs).map_err(io)?;
    }
    let created = match first_file(&path, role).map_err(io)? {
        None => true,
        Some(_) if shared || path.join(STORE).is_dir() => false,
        Some(found) => return Err(DataDirError::NotALog { path, found, missing: STORE }),
    };
    let founding = logs.iter().map(|log| Founding::check(log, role));
    let founding: Vec<_> = founding.collect::<Result<_, _>>()?;
    if created && !shared {
        // What it says is for `clear_unfinished`.
        let says: &[u8] = if matches!(role, Role::Writes) { b"" } else { b"replica\n" };
        write_synced(&path.join(CREATING), says).map_err(io)?;
    }
    bind_role(settings, &path, role, created)?;
    let mode = if created { Mode::Create } else { Mode::Write };
    let store = stores::open(settings, &path, &engine, mode).await?;
    stores::bind(&path, &engine).map_err(io)?;
    let mut owned = Vec::new();
    for founding in founding {
        owned.push(founding.open_or_found(&path, &*store).await?);
    }
    if created && !shared {
        sync_folder(&path).map_err(io)?;
        fs::remove_file(path.join(CREATING)).map_err(io)?;
        sync_folder(&path).map_err(io)?;
    }
    warn_of_unserved(&store.logs().await?, logs);
    Ok(DataDir { logs: owned, created, _lock: lock })
}

/// Opens the folder for reading, also while a server has it open: all logs, in order of creation.
///
/// # Errors
/// As [`DataDirError`] says.
pub(super) async fn open_read_only(settings: &Settings) -> Result<Vec<FolderLog>, DataDirError> {
    let path = settings.data_dir();
    let engine = stores::engine_of(settings, &path)?;
    let shared = matches!(engine, StorageSetting::Postgres(_));
    if !shared && !path.join(STORE).is_dir() || path.join(CREATING).exists() {
        return Err(DataDirError::Absent { path });
    }
    let store = stores::open(settings, &path, &engine, Mode::Read).await?;
    let mut logs = Vec::new();
    for record in store.logs().await? {
        logs.push(FolderLog { store: store.log(record.tree_id).await?, record });
    }
    Ok(logs)
}

/// Opens the folder that a copy goes into: an empty one, or one that holds a part of the copy. The
/// keys and what else lies beside the store are copied first.
///
/// # Errors
/// As [`DataDirError`] says.
pub(super) async fn open_copy(
    source: &Settings,
    target: &Settings,
) -> Result<Arc<dyn Store>, DataDirError> {
    let (from, to) = (source.data_dir(), target.data_dir());
    let io = |source| DataDirError::Io { path: to.clone(), source };
    make_folder(&to).map_err(io)?;
    if fs::canonicalize(&from).map_err(io)? == fs::canonicalize(&to).map_err(io)? {
        return Err(DataDirError::CopyOntoItself { path: to });
    }
    let engine = stores::engine_of(target, &to)?;
    let found = first_file(&to, Role::Writes).map_err(io)?;
    if let Some(found) = found.filter(|_| !to.join(stores::ENGINE).exists()) {
        return Err(DataDirError::NotALog { path: to, found, missing: stores::ENGINE });
    }
    let _lock = lock(&to, matches!(engine, StorageSetting::Postgres(_)))?;
    for file in fs::read_dir(&from).map_err(io)? {
        let path = file.map_err(io)?.path();
        let kept = path.extension().is_some_and(|end| end == "key" || end == "pub");
        let kept = kept || path.file_name().is_some_and(|name| name == FOLLOWING);
        if let Some(name) = path.file_name().filter(|_| kept) {
            fs::copy(&path, to.join(name)).map_err(io)?; // with its mode
        }
    }
    stores::bind(&to, &engine).map_err(io)?;
    stores::open(target, &to, &engine, Mode::Create).await
}

/// The log of that name.
///
/// # Errors
/// [`DataDirError::NoSuchLog`].
pub(super) fn pick(
    settings: &Settings,
    logs: Vec<FolderLog>,
    name: &str,
) -> Result<FolderLog, DataDirError> {
    let known: Vec<_> = logs.iter().map(|log| log.record.name.clone()).collect();
    logs.into_iter().find(|log| log.record.name == name).ok_or_else(|| DataDirError::NoSuchLog {
        log: name.into(),
        path: settings.data_dir(),
        known: known.join(", "),
    })
}

/// What signs for a log of a folder that is read: its key, or where that is elsewhere its public
/// half.
///
/// # Errors
/// As [`DataDirError`] says, for a key that is not the log's for example.
pub(super) fn signer_of(settings: &Settings, log: &FolderLog) -> Result<Arc<dyn Signer>, Failure> {
    let named = |config: &LogConfig| config.name == log.record.name;
    match settings.logs()?.iter().find(|config| named(config)) {
        Some(config) => {
            let founding = Founding::check(config, Role::Follows(&[]))?;
            Ok(founding.signer(&settings.data_dir(), &log.record.public_key)?)
        }
        None => Ok(Arc::new(PublicHalf::new(log.record.public_key.clone()))),
    }
}

/// Who writes to the folder's logs is fixed when it is made: two servers must never sign for one
/// log. [`promote`] changes it.
fn bind_role(
    settings: &Settings,
    path: &Path,
    role: Role<'_>,
    created: bool,
) -> Result<(), DataDirError> {
    let (file, bound) = (path.join(FOLLOWING), followed(path)?);
    let io = |source| DataDirError::Io { path: file.clone(), source };
    match (role, bound) {
        (Role::Writes, Some(followed)) => {
            Err(DataDirError::Follows { path: path.into(), followed: followed.trim().into() })
        }
        (Role::Follows(_), None) if !created => {
            Err(DataDirError::NotAReplica { path: path.into() })
        }
        (Role::Follows(_), None) => {
            let source = settings.follow.as_ref().map(ToString::to_string).unwrap_or_default();
            write_synced(&file, format!("{source}\n").as_bytes()).map_err(io)?;
            sync_folder(path).map_err(io)
        }
        (Role::Writes, None) | (Role::Follows(_), Some(_)) => Ok(()),
    }
}

/// What a replica's folder follows; `None` in the folder of logs that are written here.
pub(super) fn followed(path: &Path) -> Result<Option<String>, DataDirError> {
    let file = path.join(FOLLOWING);
    match fs::read_to_string(&file) {
        Ok(source) => Ok(Some(source)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(DataDirError::Io { path: file, source }),
    }
}

/// A replica's folder, held by this process alone until its logs are its own.
pub(super) struct Promotion {
    path: PathBuf,
    _lock: fs::File,
}

impl Promotion {
    /// Locks a replica's folder.
    ///
    /// # Errors
    /// [`DataDirError::NotAReplica`]; [`DataDirError::InUse`] while a server has it open.
    pub(super) fn begin(settings: &Settings) -> Result<Self, DataDirError> {
        let path = settings.data_dir();
        if followed(&path)?.is_none() {
            return Err(DataDirError::NotAReplica { path });
        }
        let _lock = lock(&path, false)?;
        Ok(Self { path, _lock })
    }

    /// From now on the folder's logs are written here.
    ///
    /// # Errors
    /// [`DataDirError::Io`].
    pub(super) fn finish(self) -> Result<(), DataDirError> {
        let io = |source| DataDirError::Io { path: self.path.clone(), source };
        fs::remove_file(self.path.join(FOLLOWING)).map_err(io)?;
        sync_folder(&self.path).map_err(io)
    }
}

fn warn_of_unserved(known: &[LogRecord], served: &[LogConfig]) {
    for record in known {
        if served.iter().all(|log| log.name != record.name) {
            tracing::warn!(log = record.name, "this log is in the store and not served");
        }
    }
}

/// Whether there is a store with an entry, or one of another version, which may have some: then the
/// creation was not interrupted, whatever the folder says, a backup was copied over it for example.
async fn holds_entries(settings: &Settings, path: &Path, engine: &StorageSetting) -> bool {
    let store = match stores::open(settings, path, engine, Mode::Read).await {
        Ok(store) => store,
        Err(error) => return matches!(error, DataDirError::Storage(StorageError::Format(_))),
    };
    for record in store.logs().await.unwrap_or_default() {
        let Ok(log) = store.log(record.tree_id).await else { continue };
        if log.head().await.is_ok_and(|head| head.size.0 > 0) {
            return true;
        }
    }
    false
}

/// Removes what an interrupted creation left; nothing in such a folder was ever served. The keys in
/// a replica's folder were put there by somebody, and stay.
fn clear_unfinished(path: &Path, logs: &[LogConfig]) -> std::io::Result<()> {
    let gone = |result: std::io::Result<()>| match result {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    };
    gone(fs::remove_dir_all(path.join(STORE)))?;
    let made_keys = fs::metadata(path.join(CREATING))?.len() == 0;
    for log in logs.iter().filter(|_| made_keys) {
        gone(fs::remove_file(path.join(format!("{}.key", log.name))))?;
        gone(fs::remove_file(path.join(format!("{}.pub", log.name))))?;
    }
    gone(fs::remove_file(path.join(stores::ENGINE)))?;
    gone(fs::remove_file(path.join(FOLLOWING)))?;
    gone(fs::remove_file(path.join(CREATING)))?;
    sync_folder(path)
}
