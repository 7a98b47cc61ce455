//! A bundle: one file with all that a replica lacks, a tar archive with the paths of an export.
//!
//! It is written under another name and gets its own when it is whole and on the disk.

use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use bytes::Bytes;

use super::sink::{Held, Kind, Sink, SinkError, Version};

/// The name until it is whole.
const UNFINISHED: &str = "unfinished";

/// A bundle that is being written.
pub struct BundleSink {
    path: PathBuf,
    open: Arc<Mutex<Open>>,
}

struct Open {
    archive: tar::Builder<BufWriter<File>>,
    /// The list of logs: it grows, and is written last.
    list: Option<Bytes>,
    time: u64,
}

impl BundleSink {
    /// Begins a file that is not there yet. `time`, in seconds since 1970, is what its members
    /// carry.
    ///
    /// # Errors
    /// [`SinkError`]; also when there is such a file.
    pub fn create(path: &Path, time: u64) -> Result<Self, SinkError> {
        let failed = |error: std::io::Error| SinkError::failed(path.display().to_string(), error);
        if path.exists() {
            return Err(failed(std::io::Error::other("there is such a file already")));
        }
        let file = File::create(unfinished(path)).map_err(failed)?;
        let archive = tar::Builder::new(BufWriter::with_capacity(1 << 20, file));
        let open = Arc::new(Mutex::new(Open { archive, list: None, time }));
        Ok(Self { path: path.into(), open })
    }

    /// Gives the file its name, durably.
    ///
    /// # Errors
    /// [`SinkError`].
    pub fn finish(self) -> Result<(), SinkError> {
        let finish = || {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(list) = open.list.take() {
                open.append("logs.json", &list)?;
            }
            open.archive.finish()?;
            let file = open.archive.get_mut();
            file.flush()?;
            file.get_ref().sync_all()?;
            fs::rename(unfinished(&self.path), &self.path)?;
            let folder = self.path.parent().filter(|folder| !folder.as_os_str().is_empty());
            File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
        };
        finish().map_err(|error| SinkError::failed(self.path.display().to_string(), error))
    }
}

fn unfinished(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(UNFINISHED);
    name.into()
}

impl Open {
    fn append(&mut self, name: &str, bytes: &[u8]) -> std::io::Result<()> {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(self.time);
        self.archive.append_data(&mut header, name, bytes)
    }
}

#[async_trait]
impl Sink for BundleSink {
    async fn get(&self, name: &str) -> Result<Option<Held>, SinkError> {
        let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let list = open.list.clone().filter(|_| name == "logs.json");
        Ok(list.map(|bytes| Held { bytes, version: Version(String::new()) }))
    }

    async fn put(&self, name: &str, kind: Kind, bytes: Bytes) -> Result<(), SinkError> {
        let (open, member) = (self.open.clone(), name.to_owned());
        let written = tokio::task::spawn_blocking(move || {
            let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
            if kind == Kind::List {
                open.list = Some(bytes);
                return Ok(());
            }
            open.append(&member, &bytes)
        });
        let written = written.await.map_err(std::io::Error::other).flatten();
        written.map_err(|error| SinkError::failed(name, error))
    }

    async fn replace(
        &self,
        name: &str,
        kind: Kind,
        bytes: Bytes,
        _old: Option<&Version>,
    ) -> Result<(), SinkError> {
        self.put(name, kind, bytes).await
    }

    async fn remove_below(&self, _folder: &str) -> Result<(), SinkError> {
        Ok(())
    }

    async fn settle(&self) -> Result<(), SinkError> {
        Ok(())
    }

    /// In order, so that two bundles of the same log are the same.
    fn at_once(&self) -> usize {
        1
    }
}

impl Drop for BundleSink {
    fn drop(&mut self) {
        // After `finish` there is none.
        let _unfinished = fs::remove_file(unfinished(&self.path));
    }
}
