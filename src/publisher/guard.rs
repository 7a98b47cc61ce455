//! The head guard: the newest checkpoint, kept in a file on another volume.
//!
//! A store that was restored from an old snapshot is consistent in itself; only somebody who knows
//! a newer checkpoint can tell. The guard is that somebody, on the operator's own machine.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::core::Published;

/// The guard file cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("head guard {path}: {source}")]
pub struct GuardError {
    path: PathBuf,
    #[source]
    source: std::io::Error,
}

/// Keeps the newest published checkpoint in a file.
#[derive(Clone, Debug)]
pub struct HeadGuard {
    path: PathBuf,
}

impl HeadGuard {
    /// A guard at this path; the file need not exist yet.
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Where the guard is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The note that it remembers; `None` when it has not been told any.
    ///
    /// # Errors
    /// [`GuardError`] when the file is there and cannot be read.
    pub fn recall(&self) -> Result<Option<String>, GuardError> {
        match fs::read_to_string(&self.path) {
            Ok(note) => Ok(Some(note)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(self.error(source)),
        }
    }

    /// Remembers a checkpoint, durably: the old file or the new one is there, never half of one.
    pub(super) async fn remember(&self, signed: &Published) -> Result<(), GuardError> {
        let (guard, note) = (self.clone(), signed.note.clone());
        let written = tokio::task::spawn_blocking(move || guard.replace(&note)).await;
        written.map_err(std::io::Error::other).flatten().map_err(|source| self.error(source))
    }

    fn replace(&self, note: &str) -> std::io::Result<()> {
        let mut next = self.path.clone().into_os_string();
        next.push(".next");
        let mut file = fs::File::create(&next)?;
        file.write_all(note.as_bytes())?;
        file.sync_data()?;
        fs::rename(&next, &self.path)?;
        let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
        fs::File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
    }

    fn error(&self, source: std::io::Error) -> GuardError {
        GuardError { path: self.path.clone(), source }
    }
}
