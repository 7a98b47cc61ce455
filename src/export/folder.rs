//! Exports into a folder, as a web server reads them.
//!
//! A file is written beside the others, synced and renamed; the names last when their folders are
//! synced, once for many. One process at a time exports into a folder.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::task::spawn_blocking;

use super::sink::{Held, Kind, Sink, SinkError, Version};
use crate::limits::EXPORT_READ_BYTES_MAX;

/// Files that are being written, below the root; emptied when the folder is opened.
const INCOMING: &str = ".incoming";

/// A folder that cannot be exported into.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Somebody else does.
    #[error("another process exports into {0}")]
    InUse(PathBuf),
    /// The system refused.
    #[error("cannot export into {path}: {source}")]
    Io {
        /// The folder.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
}

/// A folder that this process exports into.
pub struct FolderSink {
    place: Arc<Place>,
    /// One replacement at a time: it compares before it writes.
    replacing: tokio::sync::Mutex<()>,
    _lock: fs::File,
}

struct Place {
    root: PathBuf,
    written: AtomicU64,
    /// Folders whose names do not last yet.
    unsynced: Mutex<BTreeSet<PathBuf>>,
    /// Held while they are synced: who comes then waits for those of its own that are among them.
    settling: Mutex<()>,
}

impl FolderSink {
    /// Opens a folder, and makes it if there is none.
    ///
    /// # Errors
    /// As [`FolderError`] says.
    pub fn open(root: &Path) -> Result<Self, FolderError> {
        let io = |source| FolderError::Io { path: root.into(), source };
        fs::create_dir_all(root).map_err(io)?;
        let root = fs::canonicalize(root).map_err(io)?;
        let lock = fs::File::open(&root).map_err(io)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Err(FolderError::InUse(root)),
            Err(fs::TryLockError::Error(source)) => return Err(io(source)),
        }
        gone(fs::remove_dir_all(root.join(INCOMING))).map_err(io)?;
        fs::create_dir(root.join(INCOMING)).map_err(io)?;
        if let Some(parent) = root.parent() {
            sync(parent).map_err(io)?;
        }
        let (written, unsynced, settling) = (AtomicU64::new(0), Mutex::default(), Mutex::default());
        let place = Arc::new(Place { root, written, unsynced, settling });
        Ok(Self { place, replacing: tokio::sync::Mutex::new(()), _lock: lock })
    }

    async fn blocking<T: Send + 'static>(
        &self,
        name: &str,
        work: impl FnOnce(&Place, &str) -> Result<T, SinkError> + Send + 'static,
    ) -> Result<T, SinkError> {
        let (place, name) = (self.place.clone(), name.to_owned());
        let object = name.clone();
        let done = spawn_blocking(move || work(&place, &name)).await;
        done.map_err(|error| SinkError::failed(object, error))?
    }
}

#[async_trait]
impl Sink for FolderSink {
    async fn get(&self, name: &str) -> Result<Option<Held>, SinkError> {
        self.blocking(name, Place::read).await
    }

    async fn put(&self, name: &str, _: Kind, bytes: Bytes) -> Result<(), SinkError> {
        let write = move |place: &Place, name: &str| {
            place.write(name, &bytes).map_err(|error| SinkError::failed(name, error))
        };
        self.blocking(name, write).await
    }

    async fn replace(
        &self,
        name: &str,
        kind: Kind,
        bytes: Bytes,
        old: Option<&Version>,
    ) -> Result<(), SinkError> {
        let _turn = self.replacing.lock().await;
        if self.get(name).await?.map(|held| held.version).as_ref() != old {
            return Err(SinkError::Changed(name.into()));
        }
        self.settle().await?;
        self.put(name, kind, bytes).await?;
        self.settle().await
    }

    async fn remove_below(&self, folder: &str) -> Result<(), SinkError> {
        let remove = |place: &Place, name: &str| {
            let removed = gone(fs::remove_dir_all(place.root.join(name)));
            removed.map_err(|error| SinkError::failed(name, error))
        };
        self.blocking(folder, remove).await
    }

    async fn settle(&self) -> Result<(), SinkError> {
        let settle = |place: &Place, name: &str| {
            place.settle().map_err(|error| SinkError::failed(name, error))
        };
        self.blocking("the folder", settle).await
    }
}

impl Place {
    fn read(&self, name: &str) -> Result<Option<Held>, SinkError> {
        let failed = |error| SinkError::failed(name, error);
        let path = self.root.join(name);
        let bytes = match fs::metadata(&path) {
            Ok(file) if file.len() > EXPORT_READ_BYTES_MAX => {
                return Err(SinkError::TooLarge(name.into()));
            }
            Ok(_) => fs::read(&path).map_err(failed)?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let version = Version(hex::encode(tlog::hash::sha256(&bytes)));
        Ok(Some(Held { bytes: bytes.into(), version }))
    }

    fn write(&self, name: &str, bytes: &[u8]) -> std::io::Result<()> {
        let number = self.written.fetch_add(1, Ordering::Relaxed);
        let incoming = self.root.join(INCOMING).join(number.to_string());
        let mut file = fs::File::create(&incoming)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        let path = self.root.join(name);
        let folders = path.ancestors().skip(1).take_while(|folder| folder.starts_with(&self.root));
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::rename(&incoming, &path)?;
        self.lock().extend(folders.map(Path::to_owned));
        Ok(())
    }

    fn settle(&self) -> std::io::Result<()> {
        let _turn = self.settling.lock().unwrap_or_else(PoisonError::into_inner);
        let folders = std::mem::take(&mut *self.lock());
        // Deepest first: a name that lasts leads to something. One that was removed needs nothing.
        let synced = folders.iter().rev().try_for_each(|folder| gone(sync(folder)));
        if synced.is_err() {
            self.lock().extend(folders);
        }
        synced
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, BTreeSet<PathBuf>> {
        // A panic while it is held leaves a set that is still right.
        self.unsynced.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn sync(folder: &Path) -> std::io::Result<()> {
    fs::File::open(folder)?.sync_all()
}

fn gone(result: std::io::Result<()>) -> std::io::Result<()> {
    match result {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn files_come_whole_and_go_by_folder() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("deep/er");
        let sink = FolderSink::open(&root).unwrap();
        assert!(matches!(FolderSink::open(&root), Err(FolderError::InUse(_))));
        assert_eq!(sink.get("a/b").await.unwrap(), None);
        for name in ["a/b.p/1", "a/b.p/2", "a/b"] {
            sink.put(name, Kind::Tile, Bytes::from_static(b"x")).await.unwrap();
        }
        sink.settle().await.unwrap();
        sink.remove_below("a/b.p").await.unwrap();
        sink.remove_below("a/b.p").await.unwrap();
        assert_eq!(sink.get("a/b.p/1").await.unwrap(), None);
        assert_eq!(sink.get("a/b").await.unwrap().unwrap().bytes, "x");
        assert_eq!(fs::read_dir(root.join(INCOMING)).unwrap().count(), 0);

        // What a killed exporter left is not served for long.
        drop(sink);
        fs::write(root.join(INCOMING).join("7"), "half").unwrap();
        FolderSink::open(&root).unwrap();
        assert_eq!(fs::read_dir(root.join(INCOMING)).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn what_changed_since_is_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let sink = FolderSink::open(folder.path()).unwrap();
        let replace = async |bytes: &'static str, old: Option<&Version>| {
            sink.replace("c", Kind::Checkpoint, Bytes::from_static(bytes.as_bytes()), old).await
        };
        replace("1", None).await.unwrap();
        assert!(matches!(replace("2", None).await, Err(SinkError::Changed(_))));
        let first = sink.get("c").await.unwrap().unwrap().version;
        replace("2", Some(&first)).await.unwrap();
        assert!(matches!(replace("3", Some(&first)).await, Err(SinkError::Changed(_))));
        assert_eq!(sink.get("c").await.unwrap().unwrap().bytes, "2");
    }

    #[tokio::test]
    async fn what_is_too_large_is_not_read() {
        let folder = tempfile::tempdir().unwrap();
        let sink = FolderSink::open(folder.path()).unwrap();
        let file = fs::File::create(folder.path().join("c")).unwrap();
        file.set_len(EXPORT_READ_BYTES_MAX + 1).unwrap();
        assert!(matches!(sink.get("c").await, Err(SinkError::TooLarge(_))));
    }
}
