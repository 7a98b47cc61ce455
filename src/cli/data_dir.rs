//! The data folder: what binds folder, tree, origin and key together.
//!
//! ```text
//! cairn-data/
//!   v1.key      the log's private key (unless --key-file names one elsewhere), mode 0600
//!   v1.pub      its public key, for clients
//!   db/         the store, with the log's identity in it
//!   CREATING    only while the folder is being made; a folder with it has never served anything
//! ```
//!
//! A key or a tree is made only in an empty folder. After that, whatever does not fit is an error
//! that names the fix; nothing is ever made anew beside a log that exists.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use storage::rocksdb::{Options, RocksStore};
use storage::{LogRecord, LogStore, StorageError, Store, TreeId};

use crate::clock::{NoRandomness, random_tree_id, unix_seconds};
use crate::config::Settings;
use crate::publisher::signer::{FileSigner, KeyError, KeyKind, Signer, public_key_pem};

const LOG_NAME: &str = "v1";
const HOSTNAME_DEFAULT: &str = "localhost";
const KEY: &str = "v1.key";
const PUBLIC_KEY: &str = "v1.pub";
const STORE: &str = "db";
const CREATING: &str = "CREATING";

/// Why a data folder is not opened.
#[derive(Debug, thiserror::Error)]
pub(super) enum DataDirError {
    /// The system refused a file operation.
    #[error("data folder {path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// There is something in the folder, but no log.
    #[error(
        "data folder {path} holds {found:?} but no log ({missing} is missing): a log is made in an \
         empty folder only. Name the right folder with --data-dir, bring {missing} back from a \
         backup, or empty the folder if nothing in it matters"
    )]
    NotALog {
        /// The folder.
        path: PathBuf,
        /// Something that is in it.
        found: String,
        /// What a log would have.
        missing: &'static str,
    },
    /// There is no folder, and the command makes none.
    #[error("there is no log in {path}: `cairn serve --data-dir {path}` makes one")]
    Absent {
        /// The folder.
        path: PathBuf,
    },
    /// The log's key is gone.
    #[error(
        "the log in {path} was made with the key in {key}, and that file is gone: bring it back, or \
         name where it is with --key-file. A new key would break every verifier, so none is made"
    )]
    KeyMissing {
        /// The folder.
        path: PathBuf,
        /// Where the key should be.
        key: PathBuf,
    },
    /// The key is not the one that the log was made with.
    #[error(
        "the key in {key} is not the key of the log in {path} (log ID {expected}, the key makes \
         {found}): name the right key with --key-file"
    )]
    OtherKey {
        /// The folder.
        path: PathBuf,
        /// The key file.
        key: PathBuf,
        /// The log's ID, hexadecimal.
        expected: String,
        /// What the key would make, hexadecimal.
        found: String,
    },
    /// A setting contradicts what the log was made with.
    #[error(
        "the log in {path} was made with {what} {bound:?}, now it is {asked:?}: start with \
         --{flag} {bound}, or without --{flag}; for another log use an empty folder"
    )]
    Bound {
        /// The folder.
        path: PathBuf,
        /// What differs.
        what: &'static str,
        /// Its flag.
        flag: &'static str,
        /// What the log was made with.
        bound: String,
        /// What is asked now.
        asked: String,
    },
    /// A name that checkpoints cannot carry.
    #[error("{0:?} cannot be a log's host name: it it must not be empty or hold spaces or `+`")]
    Hostname(String),
    /// A tree ID that is none.
    #[error("{0} cannot be a tree ID: it is a positive 63-bit number")]
    TreeId(i64),
    /// The store has several logs where one is expected, or a record that is not one of ours.
    #[error("the store in {0} holds logs that this version does not know")]
    UnknownLogs(PathBuf),
    /// The key cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The store cannot be opened.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// No tree ID could be made.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

/// An opened data folder.
pub(super) struct DataDir {
    /// The log's identity.
    pub(super) record: LogRecord,
    /// The name in the log's checkpoints.
    pub(super) hostname: String,
    /// The log's part of the store.
    pub(super) log: Arc<dyn LogStore>,
    /// True when this start made the log.
    pub(super) created: bool,
}

/// Opens the log in the data folder, or makes it when the folder is empty or absent.
///
/// # Errors
/// As [`DataDirError`] says; nothing that exists is changed then.
pub(super) async fn open_or_create(
    settings: &Settings,
) -> Result<(DataDir, Arc<dyn Signer>), DataDirError> {
    let path = settings.data_dir();
    let io = |source| DataDirError::Io { path: path.clone(), source };
    fs::create_dir_all(&path).map_err(io)?;
    if path.join(CREATING).exists() {
        clear_unfinished(&path).map_err(io)?;
    }
    let created = match first_file(&path).map_err(io)? {
        None => {
            create(&path, settings).await?;
            true
        }
        Some(found) => {
            let missing = STORE;
            if !path.join(STORE).is_dir() {
                return Err(DataDirError::NotALog { path, found, missing });
            }
            false
        }
    };
    let store = RocksStore::open(path.join(STORE), &Options::default())?;
    let folder = open(path, &store, created).await?;
    let signer = bound_signer(settings, &folder)?;
    Ok((folder, signer))
}

/// Opens the log in the data folder for reading, also while a server has it open.
///
/// # Errors
/// As [`DataDirError`] says.
pub(super) async fn open_read_only(settings: &Settings) -> Result<DataDir, DataDirError> {
    let path = settings.data_dir();
    if !path.join(STORE).is_dir() || path.join(CREATING).exists() {
        return Err(DataDirError::Absent { path });
    }
    let store = RocksStore::open_read_only(path.join(STORE))?;
    open(path, &store, false).await
}

async fn open(path: PathBuf, store: &dyn Store, created: bool) -> Result<DataDir, DataDirError> {
    let logs = store.logs().await?;
    let [record] = logs.as_slice() else { return Err(DataDirError::UnknownLogs(path)) };
    let suffix = format!(" - {}", record.tree_id);
    let Some(hostname) = record.origin.strip_suffix(&suffix) else {
        return Err(DataDirError::UnknownLogs(path));
    };
    let log = store.log(record.tree_id).await?;
    Ok(DataDir { hostname: hostname.into(), record: record.clone(), log, created })
}

/// Makes a log in an empty folder. A crash at any point leaves CREATING behind.
async fn create(path: &Path, settings: &Settings) -> Result<(), DataDirError> {
    let io = |source| DataDirError::Io { path: path.into(), source };
    let hostname = settings.hostname.as_deref().unwrap_or(HOSTNAME_DEFAULT);
    if hostname.is_empty() || hostname.contains(|c: char| c.is_whitespace() || c == '+') {
        return Err(DataDirError::Hostname(hostname.into()));
    }
    let tree_id = match settings.tree_id {
        Some(id) => TreeId::new(id).ok_or(DataDirError::TreeId(id))?,
        None => random_tree_id()?,
    };
    let given = settings.key_file.as_deref().map(FileSigner::read).transpose()?;

    write_synced(&path.join(CREATING), b"").map_err(io)?;
    let signer = match given {
        Some(signer) => signer,
        None => {
            let (signer, pem) = FileSigner::generate(KeyKind::EcdsaP256)?;
            pem.write_new(&path.join(KEY))?;
            signer
        }
    };
    let pem = public_key_pem(signer.public_key());
    write_synced(&path.join(PUBLIC_KEY), pem.as_bytes()).map_err(io)?;
    let record = LogRecord {
        tree_id,
        name: LOG_NAME.into(),
        origin: tlog::v1_origin(hostname, tree_id.get()),
        public_key: signer.public_key().to_vec(),
        created: unix_seconds(),
    };
    let options = Options { create_if_missing: true, ..Options::default() };
    let store = RocksStore::open(path.join(STORE), &options)?;
    store.create_log(record).await?;
    drop(store);
    sync_folder(path).map_err(io)?;
    fs::remove_file(path.join(CREATING)).map_err(io)?;
    sync_folder(path).map_err(io)
}

/// Reads the key, and holds it and the settings against what the log was made with.
fn bound_signer(settings: &Settings, folder: &DataDir) -> Result<Arc<dyn Signer>, DataDirError> {
    let path = settings.data_dir();
    let record = &folder.record;
    let bound = |what, flag, bound: String, asked: String| {
        Err(DataDirError::Bound { path: path.clone(), what, flag, bound, asked })
    };
    if let Some(asked) = settings.hostname.as_ref().filter(|asked| **asked != folder.hostname) {
        return bound("host name", "hostname", folder.hostname.clone(), asked.clone());
    }
    if let Some(asked) = settings.tree_id.filter(|asked| *asked != record.tree_id.get()) {
        return bound("tree ID", "tree-id", record.tree_id.to_string(), asked.to_string());
    }
    let key = settings.key_file.clone().unwrap_or_else(|| path.join(KEY));
    if !key.exists() {
        return Err(DataDirError::KeyMissing { path, key });
    }
    let signer = FileSigner::read(&key)?;
    if signer.public_key() != record.public_key {
        let id = |spki| hex::encode(tlog::hash::sha256(spki));
        let (expected, found) = (id(&record.public_key), id(signer.public_key()));
        return Err(DataDirError::OtherKey { path, key, expected, found });
    }
    Ok(Arc::new(signer))
}

/// Removes what an interrupted creation left; nothing in such a folder was ever served.
fn clear_unfinished(path: &Path) -> std::io::Result<()> {
    let gone = |result: std::io::Result<()>| match result {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    };
    gone(fs::remove_dir_all(path.join(STORE)))?;
    gone(fs::remove_file(path.join(KEY)))?;
    gone(fs::remove_file(path.join(PUBLIC_KEY)))?;
    gone(fs::remove_file(path.join(CREATING)))?;
    sync_folder(path)
}

/// The name of something in the folder; what a fresh volume brings along does not count.
fn first_file(path: &Path) -> std::io::Result<Option<String>> {
    for file in fs::read_dir(path)? {
        let name = file?.file_name();
        if name != "lost+found" {
            return Ok(Some(name.to_string_lossy().into_owned()));
        }
    }
    Ok(None)
}

fn write_synced(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    use std::io::Write as _;
    let mut file = fs::File::create(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn sync_folder(path: &Path) -> std::io::Result<()> {
    fs::File::open(path)?.sync_all()
}
