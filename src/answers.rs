//! What the hall answers with: entries and all that proves them, shards, health, and why not.

use std::sync::Arc;

use storage::TreeId;
use tlog::{InclusionProof, TreeHead};

use crate::admission::Rejection;
use crate::publisher::signer::SignError;
use crate::publisher::{NotPublishing, Published};
use crate::reader::ReadError;
use crate::sequencer::AddError;
use crate::shards::{EntryId, VirtualIndex};

/// An entry that is in the log and published, with all that proves it.
#[derive(Clone, Debug)]
pub struct LoggedEntry {
    /// Its name.
    pub id: EntryId,
    /// SHA-256 of the SPKI DER of the key that signed for it.
    pub log_id: [u8; 32],
    /// The canonical body.
    pub body: Vec<u8>,
    /// Seconds since 1970.
    pub integrated_time: i64,
    /// Its index over all shards; the index in its own tree is `proof.index`.
    pub virtual_index: VirtualIndex,
    /// That the checkpoint's tree holds it.
    pub proof: InclusionProof,
    /// The checkpoint that the proof leads to.
    pub checkpoint: Arc<Published>,
    /// The SET: the log's signature over body, time, log ID and virtual index.
    pub signed_entry_timestamp: Vec<u8>,
    /// What is stored beside it; never in the answer to a creation.
    pub attestation: Option<Vec<u8>>,
}

/// Why an entry was not created.
#[derive(Debug, thiserror::Error)]
pub enum CreateEntryError {
    /// The entry itself is not acceptable.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The same body is in the log, published, under this name.
    #[error("an equivalent entry already exists in the transparency log with UUID {0}")]
    Duplicate(EntryId),
    /// Too much is waiting: nothing was written, try again.
    #[error("too many entries are waiting to be logged; try again later")]
    Pushback,
    /// It took too long; the entry may be in the log, sending it again is harmless.
    #[error("the entry was not published in time")]
    TimedOut,
    /// The log has stopped; whether the entry is in it is unknown, sending it again is harmless.
    #[error("{0}")]
    Stopped(Arc<str>),
    /// The key did not sign; the entry is in the log.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// A proof could not be made; the entry is in the log.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Why an entry could not be read.
#[derive(Debug, thiserror::Error)]
pub enum GetEntryError {
    /// The store failed.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The key did not sign.
    #[error(transparent)]
    Sign(#[from] SignError),
}

/// Why there is no consistency proof.
#[derive(Debug, thiserror::Error)]
pub enum ProofRequestError {
    /// The first size is beyond the last.
    #[error("firstSize({first}) must be less than lastSize({last})")]
    FirstBeyondLast {
        /// As asked.
        first: u64,
        /// As asked.
        last: u64,
    },
    /// The last size is beyond what is published.
    #[error(
        "the tree size requested({requested}) was greater than what is currently observable({size})"
    )]
    BeyondTree {
        /// As asked.
        requested: u64,
        /// What is published.
        size: u64,
    },
    /// No shard has this tree ID.
    #[error("no log range found for tree ID {0}")]
    UnknownTree(TreeId),
    /// The store failed.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// One shard as `GET /api/v1/log` shows it.
#[derive(Clone, Debug)]
pub struct ShardInfo {
    /// The tree.
    pub tree_id: TreeId,
    /// Its newest published checkpoint.
    pub checkpoint: Arc<Published>,
}

/// All shards of the log.
#[derive(Clone, Debug)]
pub struct LogInfo {
    /// The one that grows.
    pub active: ShardInfo,
    /// The others, oldest first.
    pub inactive: Vec<ShardInfo>,
}

/// Whether the log does its work.
#[derive(Clone, Debug)]
pub struct Health {
    /// The published head.
    pub head: TreeHead,
    /// Why entries are not written, if so.
    pub not_writing: Option<Arc<str>>,
    /// Why checkpoints are not published, if so.
    pub not_publishing: Option<Arc<str>>,
}

impl From<AddError> for CreateEntryError {
    fn from(error: AddError) -> Self {
        match error {
            AddError::Pushback => Self::Pushback,
            AddError::Stopped(why) => Self::Stopped(why),
        }
    }
}

impl From<NotPublishing> for CreateEntryError {
    fn from(NotPublishing(why): NotPublishing) -> Self {
        Self::Stopped(why)
    }
}
