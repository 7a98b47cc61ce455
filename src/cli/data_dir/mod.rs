//! The data folder: what binds folder, trees, origins and keys together.
//!
//! ```text
//! cairn-data/
//!   v1.key      a log's private key (unless --key-file names one elsewhere), mode 0600
//!   v1.pub      its public key, for clients; written last, so that it says: this log was made
//!   v2.key …    the same for every other log
//!   db/         the store, with the logs' identities in it, unless it is on a server
//!   ENGINE      which engine stored it, and in which version of its format
//!   CREATING    only while the folder is being made; a folder with it has never served anything
//! ```
//!
//! A store is made only in an empty folder; a log only where neither store nor folder know it. What
//! does not fit is an error that names the fix; nothing is ever made anew beside what exists.

mod error;
mod files;
mod stores;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use storage::{LogRecord, LogStore, StorageError, Store, TreeId};
use tlog::{KeyId, Verifier};

use crate::clock::{random_tree_id, unix_seconds};
use crate::config::{ApiSetting, LogConfig, Settings, StorageSetting};
use crate::publisher::signer::{FileSigner, KeyKind, Signer, public_key_pem};

pub(super) use error::DataDirError;
use files::{first_file, lock, make_folder, sync_folder, write_synced};
use stores::Mode;

const HOSTNAME_DEFAULT: &str = "localhost";
const STORE: &str = "db";
const CREATING: &str = "CREATING";

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
    let created = match first_file(&path).map_err(io)? {
        None => true,
        Some(_) if shared || path.join(STORE).is_dir() => false,
        Some(found) => return Err(DataDirError::NotALog { path, found, missing: STORE }),
    };
    let founding: Vec<_> = logs.iter().map(Founding::check).collect::<Result<_, _>>()?;
    if created && !shared {
        write_synced(&path.join(CREATING), b"").map_err(io)?;
    }
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
    let empty = first_file(&to).map_err(io)?.is_none();
    if !empty && !to.join(stores::ENGINE).exists() {
        let found = first_file(&to).map_err(io)?.unwrap_or_default();
        return Err(DataDirError::NotALog { path: to, found, missing: stores::ENGINE });
    }
    let _lock = lock(&to, matches!(engine, StorageSetting::Postgres(_)))?;
    for file in fs::read_dir(&from).map_err(io)? {
        let path = file.map_err(io)?.path();
        let kept = path.extension().is_some_and(|end| end == "key" || end == "pub");
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

/// A log's settings where the folder is concerned, checked before anything is written.
struct Founding<'a> {
    log: &'a LogConfig,
    hostname: Option<&'a str>,
    tree_id: Option<TreeId>,
}

impl<'a> Founding<'a> {
    fn check(log: &'a LogConfig) -> Result<Self, DataDirError> {
        let hostname = log.set.hostname.as_deref();
        let wrong = |name: &&str| {
            name.is_empty()
                || name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+')
        };
        if let Some(hostname) = hostname.filter(wrong) {
            return Err(DataDirError::Hostname(hostname.into()));
        }
        let tree_id = log.set.tree_id.map(|id| TreeId::new(id).ok_or(DataDirError::TreeId(id)));
        Ok(Self { log, hostname, tree_id: tree_id.transpose()? })
    }

    fn key_file(&self, path: &Path) -> PathBuf {
        let beside = || path.join(format!("{}.key", self.log.name));
        self.log.set.key_file.clone().unwrap_or_else(beside)
    }

    /// The log as the store knows it, or a new one.
    async fn open_or_found(
        &self,
        path: &Path,
        store: &dyn Store,
    ) -> Result<OwnedLog, DataDirError> {
        let name = &self.log.name;
        let find = async || {
            let known = store.logs().await?;
            Ok::<_, DataDirError>(known.into_iter().find(|record| record.name == *name))
        };
        if let Some(record) = find().await? {
            return self.open(path, store, record).await;
        }
        match self.found(path, store).await {
            // Another replica made it in this moment.
            Err(DataDirError::Storage(StorageError::LogExists { tree_id, name })) => {
                match find().await? {
                    Some(record) => self.open(path, store, record).await,
                    None => Err(StorageError::LogExists { tree_id, name }.into()),
                }
            }
            made => made,
        }
    }

    /// Makes the log. A crash before the record is stored leaves at most a key that never signed;
    /// the public key says that the record was stored.
    async fn found(&self, path: &Path, store: &dyn Store) -> Result<OwnedLog, DataDirError> {
        let name = &self.log.name;
        let io = |source| DataDirError::Io { path: path.into(), source };
        let public_key = path.join(format!("{name}.pub"));
        if public_key.exists() {
            return Err(DataDirError::OlderStore { log: name.clone(), public_key });
        }
        let tree_id = match self.tree_id {
            Some(tree_id) => tree_id,
            None => random_tree_id()?,
        };
        let hostname = self.hostname.or(self.log.host.as_deref()).unwrap_or(HOSTNAME_DEFAULT);
        let origin = match self.log.api {
            ApiSetting::V1 => tlog::v1_origin(hostname, tree_id.get()),
            ApiSetting::V2 | ApiSetting::Raw => hostname.into(),
        };
        refuse_same_origin(&store.logs().await?, name, &origin)?;
        let key = self.key_file(path);
        let signer = if self.log.set.key_file.is_some() || key.exists() {
            FileSigner::read(&key)?
        } else {
            let kind = match self.log.api {
                ApiSetting::V1 => KeyKind::EcdsaP256,
                ApiSetting::V2 | ApiSetting::Raw => KeyKind::Ed25519,
            };
            let (signer, pem) = FileSigner::generate(kind)?;
            pem.write_new(&key)?;
            signer
        };
        let record = LogRecord {
            tree_id,
            name: name.clone(),
            api: self.log.api.as_str().into(),
            origin,
            public_key: signer.public_key().to_vec(),
            created: unix_seconds(),
        };
        sync_folder(path).map_err(io)?; // the key's name, before anything is signed with it
        let part = store.create_log(record.clone()).await?;
        let pem = public_key_pem(signer.public_key());
        write_synced(&public_key, pem.as_bytes()).map_err(io)?;
        sync_folder(path).map_err(io)?;
        let log = FolderLog { record, store: part };
        Ok(OwnedLog { log, signer: Arc::new(signer) })
    }

    /// Holds key and settings against what the log was made with.
    async fn open(
        &self,
        path: &Path,
        store: &dyn Store,
        record: LogRecord,
    ) -> Result<OwnedLog, DataDirError> {
        let log = FolderLog { store: store.log(record.tree_id).await?, record };
        let name = &self.log.name;
        let bound = |what, flag, bound: &str, asked: String| {
            let (log, bound) = (name.clone(), bound.into());
            Err(DataDirError::Bound { log, what, flag, bound, asked })
        };
        if let Some(asked) = self.hostname.filter(|asked| *asked != log.hostname()) {
            return bound("host name", "hostname", log.hostname(), asked.into());
        }
        let tree_id = log.record.tree_id;
        if let Some(asked) = self.tree_id.filter(|asked| *asked != tree_id) {
            return bound("tree ID", "tree-id", &tree_id.to_string(), asked.to_string());
        }
        if self.log.api.as_str() != log.record.api {
            return bound("api", "config", &log.record.api, self.log.api.as_str().into());
        }
        let key = self.key_file(path);
        if !key.exists() {
            return Err(DataDirError::KeyMissing { log: name.clone(), path: path.into(), key });
        }
        let signer = FileSigner::read(&key)?;
        if signer.public_key() != log.record.public_key {
            let id = |spki| hex::encode(tlog::hash::sha256(spki));
            return Err(DataDirError::OtherKey {
                log: name.clone(),
                key,
                expected: id(&log.record.public_key),
                found: id(signer.public_key()),
            });
        }
        Ok(OwnedLog { log, signer: Arc::new(signer) })
    }
}

/// Two logs of one origin and key would be one log with two heads to every witness.
fn refuse_same_origin(known: &[LogRecord], log: &str, origin: &str) -> Result<(), DataDirError> {
    match known.iter().find(|known| known.origin == origin) {
        None => Ok(()),
        Some(other) => Err(DataDirError::SameOrigin {
            log: log.into(),
            other: other.name.clone(),
            origin: origin.into(),
        }),
    }
}

fn warn_of_unserved(known: &[LogRecord], served: &[LogConfig]) {
    for record in known {
        if served.iter().all(|log| log.name != record.name) {
            tracing::warn!(log = record.name, "this log is in the store and not served");
        }
    }
}

/// Whether there is a store with an entry: then the creation was not interrupted, whatever the
/// folder says, a backup was copied over it for example.
async fn holds_entries(settings: &Settings, path: &Path, engine: &StorageSetting) -> bool {
    let Ok(store) = stores::open(settings, path, engine, Mode::Read).await else { return false };
    for record in store.logs().await.unwrap_or_default() {
        let Ok(log) = store.log(record.tree_id).await else { continue };
        if log.head().await.is_ok_and(|head| head.size.0 > 0) {
            return true;
        }
    }
    false
}

/// Removes what an interrupted creation left; nothing in such a folder was ever served.
fn clear_unfinished(path: &Path, logs: &[LogConfig]) -> std::io::Result<()> {
    let gone = |result: std::io::Result<()>| match result {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    };
    gone(fs::remove_dir_all(path.join(STORE)))?;
    for log in logs {
        gone(fs::remove_file(path.join(format!("{}.key", log.name))))?;
        gone(fs::remove_file(path.join(format!("{}.pub", log.name))))?;
    }
    gone(fs::remove_file(path.join(stores::ENGINE)))?;
    gone(fs::remove_file(path.join(CREATING)))?;
    sync_folder(path)
}
