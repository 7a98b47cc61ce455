//! Files of `cairn export --bundle`: a tar archive each, with the paths of an export in it.
//!
//! All files of a folder count together, so that a log that was carried over piece by piece is
//! whole again. Nothing is unpacked: an archive is read where it lies. What is in it is believed as
//! little as what a server answers.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use tlog::{Checkpoint, Note};

use super::source::{Source, SourceError};
use crate::limits::ARCHIVED_FILES_MAX;

const EXTENSION: &str = "tar";
const CHECKPOINT: &str = "/checkpoint";

/// A folder of bundle files, or one such file.
pub struct Inbox {
    path: PathBuf,
    archives: Mutex<Vec<Arc<Archive>>>,
}

/// One file, and what is where in it.
struct Archive {
    path: PathBuf,
    bytes: u64,
    file: File,
    members: HashMap<String, (u64, u64)>, // offset and length
}

impl Inbox {
    /// The files of a folder whose names end in `.tar`, those that come later included; or one
    /// file, whatever its name.
    pub fn new(path: PathBuf) -> Self {
        Self { path, archives: Mutex::default() }
    }

    /// Opens what is new and forgets what is gone. A file that cannot be read, one that is still
    /// being written for example, is looked at again the next time.
    fn refresh(&self) -> std::io::Result<Vec<Arc<Archive>>> {
        let files = self.files()?;
        let mut archives = self.archives.lock().unwrap_or_else(PoisonError::into_inner);
        archives.retain(|known| files.iter().any(|(path, bytes)| known.is(path, *bytes)));
        let mut known: usize = archives.iter().map(|archive| archive.members.len()).sum();
        for (path, bytes) in files {
            if archives.iter().any(|archive| archive.is(&path, bytes)) {
                continue;
            }
            match Archive::open(&path, bytes, ARCHIVED_FILES_MAX.saturating_sub(known)) {
                Ok(archive) => {
                    known += archive.members.len();
                    archives.push(Arc::new(archive));
                }
                Err(error) if path == self.path => return Err(error),
                Err(error) => {
                    tracing::warn!(%error, path = %path.display(), "a bundle cannot be read");
                }
            }
        }
        Ok(archives.clone())
    }

    /// Paths and lengths, in the order of their names.
    fn files(&self) -> std::io::Result<Vec<(PathBuf, u64)>> {
        if self.path.is_file() {
            return Ok(vec![(self.path.clone(), self.path.metadata()?.len())]);
        }
        let mut files = Vec::new();
        for file in std::fs::read_dir(&self.path)? {
            let path = file?.path();
            if path.extension().is_some_and(|end| end == EXTENSION) && path.is_file() {
                let bytes = path.metadata()?.len();
                files.push((path, bytes));
            }
        }
        files.sort();
        Ok(files)
    }

    /// The bytes at a path, at most `max` of them, from the archives that have it.
    ///
    /// # Errors
    /// What the system says, or the archive's form does.
    pub fn read(&self, path: &str, max: usize) -> std::io::Result<Option<Vec<u8>>> {
        let archives = if path.ends_with(CHECKPOINT) || path.starts_with("logs.json") {
            self.refresh()?
        } else {
            self.archives.lock().unwrap_or_else(PoisonError::into_inner).clone()
        };
        let mut found = archives.iter().filter_map(|archive| archive.read(path, max).transpose());
        if path.ends_with(CHECKPOINT) {
            // The one that covers most; whether it is the log's is for others to say.
            let notes = found.collect::<Result<Vec<_>, _>>()?;
            return Ok(notes.into_iter().max_by_key(|note| size_of(note)));
        }
        found.next_back().transpose()
    }
}

fn size_of(note: &[u8]) -> Option<u64> {
    let note = Note::parse(std::str::from_utf8(note).ok()?).ok()?;
    Some(Checkpoint::parse_text(&note.text).ok()?.head.size.0)
}

impl Archive {
    fn open(path: &Path, bytes: u64, members_max: usize) -> std::io::Result<Self> {
        let file = File::open(path)?;
        let mut members = HashMap::new();
        for member in tar::Archive::new(&file).entries_with_seek()? {
            let member = member?;
            if !member.header().entry_type().is_file() {
                continue;
            }
            if members.len() == members_max {
                return Err(std::io::Error::other(format!(
                    "there are more than {ARCHIVED_FILES_MAX} files in the bundles"
                )));
            }
            let (at, length) = (member.raw_file_position(), member.size());
            if let Ok(name) = std::str::from_utf8(&member.path_bytes()) {
                members.insert(name.to_owned(), (at, length));
            }
        }
        Ok(Self { path: path.into(), bytes, file, members })
    }

    fn is(&self, path: &Path, bytes: u64) -> bool {
        self.path == path && self.bytes == bytes
    }

    fn read(&self, path: &str, max: usize) -> std::io::Result<Option<Vec<u8>>> {
        let Some(&(at, length)) = self.members.get(path) else { return Ok(None) };
        let short = || std::io::Error::other(format!("{path} is longer than {max} bytes"));
        let length = usize::try_from(length).ok().filter(|length| *length <= max);
        let mut bytes = vec![0; length.ok_or_else(short)?];
        self.file.read_exact_at(&mut bytes, at)?;
        Ok(Some(bytes))
    }
}

#[async_trait]
impl Source for Arc<Inbox> {
    async fn get(&self, path: &str, max: usize) -> Result<Option<Vec<u8>>, SourceError> {
        let (inbox, asked) = (self.clone(), path.to_owned());
        let read = tokio::task::spawn_blocking(move || inbox.read(&asked, max)).await;
        let read = read.unwrap_or_else(|panicked| Err(std::io::Error::other(panicked)));
        let place = format!("{} in {}", path, self.path.display());
        read.map_err(|error| SourceError { place, why: error.to_string() })
    }

    fn may_be_empty(&self) -> bool {
        true
    }
}
