//! What survives a crash: the storage contract of a log, and the engines that keep it.
//!
//! The contract speaks of what a log needs (a head, entries, tiles, look-ups), never of tables or
//! keys. An engine computes no hash and signs nothing: it keeps what the sequencer integrated.
#![forbid(unsafe_code)]

mod batch;
mod checkpoint;
mod error;
#[cfg(feature = "fjall")]
pub mod fjall;
#[cfg(any(feature = "rocksdb", feature = "fjall", feature = "postgres"))]
mod index_keys;
#[cfg(any(feature = "rocksdb", feature = "fjall"))]
mod keys;
pub mod memory;
#[cfg(feature = "postgres")]
pub mod postgres;
#[cfg(feature = "rocksdb")]
pub mod rocksdb;
#[cfg(any(feature = "rocksdb", feature = "fjall"))]
mod room;
pub mod suite;
#[cfg(any(feature = "rocksdb", feature = "fjall"))]
mod upgrade;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tlog::{LeafHash, LogIndex, NodeHash, TreeHead, TreeSize};

pub use error::{CommitError, StorageError};

/// Names a tree: a random positive 63-bit number (Rekor's tree ID).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "i64", into = "i64")]
pub struct TreeId(i64);

impl TreeId {
    /// Takes 1 to 2^63 - 1; `None` for anything else.
    pub const fn new(id: i64) -> Option<Self> {
        if id > 0 { Some(Self(id)) } else { None }
    }

    /// The number, always positive.
    pub const fn get(self) -> i64 {
        self.0
    }
}

impl TryFrom<i64> for TreeId {
    type Error = &'static str;
    fn try_from(id: i64) -> Result<Self, Self::Error> {
        Self::new(id).ok_or("a tree ID is a positive 63-bit number")
    }
}

impl From<TreeId> for i64 {
    fn from(id: TreeId) -> Self {
        id.0
    }
}

/// Decimal, as in a v1 checkpoint's origin.
impl fmt::Display for TreeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What binds a tree to its identity; written once, when the log is made, and never changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogRecord {
    /// The tree.
    pub tree_id: TreeId,
    /// The log's name in the configuration, for example `v1`.
    pub name: String,
    /// What its leaves are, in the words of the configuration: `v1`, `v2` or `raw`. A record that
    /// says nothing is of `v1`.
    #[serde(default = "v1", skip_serializing_if = "is_v1")]
    pub api: String,
    /// The whole origin line of the log's checkpoints.
    pub origin: String,
    /// The log's public key, SPKI DER.
    pub public_key: Vec<u8>,
    /// When it was made, seconds since 1970.
    pub created: i64,
}

fn v1() -> String {
    "v1".to_owned()
}

fn is_v1(api: &str) -> bool {
    api == "v1"
}

/// One entry as it goes into the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEntry {
    /// The canonical body: the exact leaf bytes.
    pub body: Vec<u8>,
    /// Its RFC 6962 leaf hash.
    pub leaf_hash: LeafHash,
    /// Seconds since 1970.
    pub integrated_time: i64,
    /// The keys under which a search finds it; already in lower case.
    pub index_keys: Vec<String>,
    /// What is stored beside the entry, if anything.
    pub attestation: Option<Attestation>,
}

/// Bytes that are kept beside the log, under a key of their own (Rekor's attestation storage).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attestation {
    /// For example `sha256:<hex of the payload>`.
    pub key: String,
    /// The bytes.
    pub data: Vec<u8>,
}

/// One entry as it is read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEntry {
    /// Its place in this tree.
    pub index: LogIndex,
    /// Seconds since 1970.
    pub integrated_time: i64,
    /// The canonical body.
    pub body: Vec<u8>,
    /// The keys under which a search finds it, as they were given.
    pub index_keys: Vec<String>,
}

/// The body of an entry as it is read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredBody {
    /// Its place in this tree.
    pub index: LogIndex,
    /// Seconds since 1970.
    pub integrated_time: i64,
    /// The canonical body.
    pub body: Vec<u8>,
}

/// New hashes of one stored level (tree level `8 * level`), in order, without gaps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewHashes {
    /// Tile level: 0 holds leaf hashes, 1 the roots of full level-0 tiles, and so on.
    pub level: u8,
    /// Position in that level of the first hash.
    pub first: u64,
    /// The hashes.
    pub hashes: Vec<NodeHash>,
}

/// All that one commit adds: the entries from the expected head on, and the tree's growth.
#[derive(Clone, Debug)]
pub struct Batch {
    /// The entries, in index order; the first gets the index `expected.size`.
    pub entries: Vec<NewEntry>,
    /// The complete nodes of the stored levels that these entries make.
    pub hashes: Vec<NewHashes>,
    /// The head after the batch; its size is the expected size plus the number of entries.
    pub head: TreeHead,
}

/// A published checkpoint: a signed note over a head of this log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredCheckpoint {
    /// The tree size that it covers.
    pub size: TreeSize,
    /// The whole note, signatures included.
    pub note: String,
}

/// An engine: the logs that live in one place.
#[async_trait]
pub trait Store: Send + Sync {
    /// All logs, in order of creation.
    async fn logs(&self) -> Result<Vec<LogRecord>, StorageError>;

    /// Makes a log with an empty head, durably.
    ///
    /// # Errors
    /// [`StorageError::LogExists`] when the tree ID or the name is taken.
    async fn create_log(&self, record: LogRecord) -> Result<Arc<dyn LogStore>, StorageError>;

    /// Opens a log.
    ///
    /// # Errors
    /// [`StorageError::NoSuchLog`] when there is none with this tree ID.
    async fn log(&self, tree_id: TreeId) -> Result<Arc<dyn LogStore>, StorageError>;
}

/// One log's part of a store.
///
/// MUST: [`commit`](Self::commit) is all or nothing, durable on return, and refuses any head but
/// the stored one. Reads see every commit that has returned. Attestations are shared by all logs of
/// a store; everything else belongs to this log alone.
#[async_trait]
pub trait LogStore: Send + Sync {
    /// Whether other processes may write to this log too: then a conflict is nothing unusual, and
    /// an engine that fails may be back in a moment.
    fn shared(&self) -> bool {
        false
    }

    /// The newest committed head.
    async fn head(&self) -> Result<TreeHead, StorageError>;

    /// Adds a batch on top of `expected`.
    ///
    /// # Errors
    /// [`CommitError::Conflict`] when the stored head is another one: nothing was written.
    /// [`CommitError::Full`] when there is no room: nothing was written, and the next may try.
    /// [`CommitError::Storage`] otherwise: whether it was written is unknown, so the caller must
    /// stop and start again from the stored head.
    async fn commit(&self, expected: TreeHead, batch: Batch) -> Result<(), CommitError>;

    /// Waits until it is this process's turn: until it ends, the head is the one that it names, and
    /// no other process commits. `None` where there is no need, or no way, to wait.
    ///
    /// A turn makes commits of many processes cheaper, and no safer: one that was lost (the process
    /// was paused, the connection is gone) is noticed by the commit.
    async fn turn(&self) -> Result<Option<Box<dyn Turn>>, StorageError> {
        Ok(None)
    }

    /// Up to `max` entries from `first` on, in order; fewer at the end of the log.
    async fn entries(&self, first: LogIndex, max: usize) -> Result<Vec<StoredEntry>, StorageError>;

    /// As [`entries`](Self::entries), without the index keys: for those who serve entries, since
    /// keys make a read of many dearer by half.
    async fn bodies(&self, first: LogIndex, max: usize) -> Result<Vec<StoredBody>, StorageError>;

    /// The hashes `first .. first + count` of a stored level; fewer when the level ends before.
    async fn hashes(
        &self,
        level: u8,
        first: u64,
        count: usize,
    ) -> Result<Vec<NodeHash>, StorageError>;

    /// Where each leaf stands in this tree, if it does; as many answers as questions, in order.
    async fn indices_of(&self, leaves: &[LeafHash]) -> Result<Vec<Option<LogIndex>>, StorageError>;

    /// Up to `max` indices of entries that carry the index key, ascending, those `from` on.
    async fn search(
        &self,
        index_key: &str,
        from: LogIndex,
        max: usize,
    ) -> Result<Vec<LogIndex>, StorageError>;

    /// The attestation under this key.
    async fn attestation(&self, key: &str) -> Result<Option<Vec<u8>>, StorageError>;

    /// The newest checkpoint that was published.
    async fn checkpoint(&self) -> Result<Option<StoredCheckpoint>, StorageError>;

    /// Keeps a checkpoint as the newest one, unless a larger one is there. It survives the death of
    /// the process; after a power cut it may be the one before, never one beyond the stored head.
    async fn publish(&self, checkpoint: StoredCheckpoint) -> Result<(), StorageError>;

    /// Waits until another process may have kept a checkpoint of more than `size` leaves, and for
    /// `patience` at most. Where there are no others, it waits so long.
    async fn checkpoint_beyond(&self, _size: TreeSize, patience: Duration) {
        tokio::time::sleep(patience).await;
    }
}

/// A process's turn to commit. Dropping it ends it.
#[async_trait]
pub trait Turn: Send {
    /// The stored head.
    fn head(&self) -> TreeHead;

    /// Adds a batch on top of the head, and ends the turn.
    ///
    /// # Errors
    /// As [`LogStore::commit`] says.
    async fn commit(self: Box<Self>, batch: Batch) -> Result<(), CommitError>;
}
