//! What a witness remembers: of each log the checkpoint that it cosigned last, one file a log.
//!
//! ```text
//! cairn-witness/
//!   witness.key                   its private key, mode 0600
//!   witness.vkey                  its name and public key, for policies
//!   lock                          held by the one process that may use the folder
//!   <SHA-256 of origin>.checkpoint
//! ```
//!
//! Whoever lost one of these files and went on could cosign a fork, so nothing is made anew.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use tlog::witness::origin_hash;
use tlog::{SignedCheckpoint, VerifierKey};

const LOCK: &str = "lock";

/// Why what is remembered cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The system refused a file operation.
    #[error("witness folder: {path}: {source}")]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Another process has the folder.
    #[error("the witness folder {0} is in use by another process")]
    InUse(PathBuf),
    /// The file is not a checkpoint of the log that this witness cosigned.
    #[error(
        "{path} is not what this witness cosigned of the log {origin:?} ({problem}): bring the \
         file back as it was. Without it a fork could be cosigned, so none is made anew"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// The log's origin.
        origin: String,
        /// What is wrong with it.
        problem: tlog::CheckpointError,
    },
}

/// The folder of a witness, for this process alone.
pub struct WitnessState {
    folder: PathBuf,
    _lock: File, // until it is closed, also by a kill
}

impl WitnessState {
    /// Opens a folder, or makes it.
    ///
    /// # Errors
    /// [`StateError::InUse`], [`StateError::Io`].
    pub fn open(folder: &Path) -> Result<Self, StateError> {
        fs::create_dir_all(folder).map_err(at(folder))?;
        let path = folder.join(LOCK);
        let lock = File::options().create(true).append(true).open(&path).map_err(at(&path))?;
        match lock.try_lock() {
            Ok(()) => Ok(Self { folder: folder.into(), _lock: lock }),
            Err(TryLockError::WouldBlock) => Err(StateError::InUse(folder.into())),
            Err(TryLockError::Error(source)) => Err(StateError::Io { path, source }),
        }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether any log's checkpoint is remembered.
    pub(super) fn is_empty(&self) -> Result<bool, StateError> {
        for file in fs::read_dir(&self.folder).map_err(at(&self.folder))? {
            let name = file.map_err(at(&self.folder))?.file_name();
            if Path::new(&name).extension().is_some_and(|extension| extension == "checkpoint") {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// What was cosigned last of a log, with the witness's own signature verified.
    pub(super) fn recall(
        &self,
        origin: &str,
        key: &VerifierKey,
    ) -> Result<Option<SignedCheckpoint>, StateError> {
        let path = self.path(origin);
        let note = match fs::read_to_string(&path) {
            Ok(note) => note,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(StateError::Io { path, source }),
        };
        let opened = SignedCheckpoint::open_by(&note, origin, key);
        let origin = origin.to_owned();
        opened.map(Some).map_err(|problem| StateError::Damaged { path, origin, problem })
    }

    /// Remembers a checkpoint durably: at any instant the old file is there, or the new one.
    pub(super) fn remember(&self, origin: &str, note: &str) -> Result<(), StateError> {
        replace(&self.path(origin), note)
    }

    fn path(&self, origin: &str) -> PathBuf {
        self.folder.join(format!("{}.checkpoint", origin_hash(origin)))
    }
}

/// Puts a file in the place of another, durably.
pub(super) fn replace(path: &Path, text: &str) -> Result<(), StateError> {
    let next = path.with_extension("next");
    let mut file = File::create(&next).map_err(at(&next))?;
    file.write_all(text.as_bytes()).map_err(at(&next))?;
    // A crash until here leaves a file that nobody reads beside the old one.
    file.sync_all().map_err(at(&next))?;
    // From here on the new file is complete, but only the folder's sync makes its name durable.
    fs::rename(&next, path).map_err(at(path))?;
    let folder = path.parent().unwrap_or(path);
    let synced = File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(at(folder))
}

pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> StateError + '_ {
    |source| StateError::Io { path: path.into(), source }
}
