//! Where an export goes: objects by name, of which only checkpoints and the list ever change.

use async_trait::async_trait;
use bytes::Bytes;

use crate::limits::EXPORT_OBJECTS_AT_ONCE;

/// What an object is, which says what readers and caches are told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A tile or bundle: its name says all, it never changes.
    Tile,
    /// What stands beside a bundle: text that never changes either.
    Annex,
    /// A log's newest checkpoint.
    Checkpoint,
    /// Which logs there are.
    List,
}

impl Kind {
    /// The content type, as the server has it.
    pub fn content_type(self) -> &'static str {
        match self {
            Self::Tile => "application/octet-stream",
            Self::Annex | Self::Checkpoint => "text/plain; charset=utf-8",
            Self::List => "application/json",
        }
    }

    /// How long caches keep it.
    pub fn cache_control(self) -> &'static str {
        match self {
            Self::Tile | Self::Annex => "public, max-age=31536000, immutable",
            Self::Checkpoint | Self::List => "no-cache",
        }
    }
}

/// Which state of an object was read; means something to its sink alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version(pub String);

/// An object as it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// Its content.
    pub bytes: Bytes,
    /// What a replacement has to name.
    pub version: Version,
}

/// Why an object was not read or written; a later round tries again.
#[derive(Debug, thiserror::Error)]
pub enum SinkError {
    /// The destination failed.
    #[error("{object}: {source}")]
    Failed {
        /// What was read or written.
        object: String,
        /// What the destination said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Somebody else has replaced it since it was read.
    #[error("{0} was written by another exporter in this moment")]
    Changed(String),
    /// It is larger than anything that is read back.
    #[error("{0} is too large to be what an export wrote")]
    TooLarge(String),
}

impl SinkError {
    /// The destination failed with this object.
    pub fn failed(
        object: impl Into<String>,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self::Failed { object: object.into(), source: source.into() }
    }
}

/// A destination of exports. Names are paths below its root: `logs/<log ID>/tile/0/000`.
///
/// MUST: an object is there as a whole or not at all, whatever happens while it is written.
#[async_trait]
pub trait Sink: Send + Sync {
    /// A small object, up to [`EXPORT_READ_BYTES_MAX`](crate::limits::EXPORT_READ_BYTES_MAX);
    /// `None` when there is none. A sink that cannot be read has none.
    async fn get(&self, name: &str) -> Result<Option<Held>, SinkError>;

    /// Writes an object, or writes the same again. It lasts when [`settle`](Self::settle) returns.
    async fn put(&self, name: &str, kind: Kind, bytes: Bytes) -> Result<(), SinkError>;

    /// Writes an object in the place of the version that was read, or where there was none. On
    /// return it lasts, and so does all that was put before.
    ///
    /// # Errors
    /// [`SinkError::Changed`] when there is another one by now, where the sink can tell.
    async fn replace(
        &self,
        name: &str,
        kind: Kind,
        bytes: Bytes,
        old: Option<&Version>,
    ) -> Result<(), SinkError>;

    /// Removes all objects below a folder, if there are any.
    async fn remove_below(&self, folder: &str) -> Result<(), SinkError>;

    /// Makes all that was put last, also through a power cut.
    async fn settle(&self) -> Result<(), SinkError>;

    /// How many objects may be on their way at once. One: they come in order.
    fn at_once(&self) -> usize {
        EXPORT_OBJECTS_AT_ONCE
    }
}
