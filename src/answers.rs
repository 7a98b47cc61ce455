//! What the hall answers with: entries and all that proves them, shards, health, and why not.
//! And what a log is told when it is set up.

use std::fmt;
use std::sync::Arc;

use storage::TreeId;
use tlog::{InclusionProof, LeafHash, LogIndex, TreeHead};

use crate::admission::{Policy, Rejection};
use crate::publisher::{NotPublishing, Published};
use crate::quota::{OverQuota, Quota};
use crate::reader::ReadError;
use crate::sequencer::AddError;
use crate::shards::{EntryId, VirtualIndex};

/// Which API a log speaks, and so what its leaves are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Api {
    /// Rekor v1: canonical entries of every kind, with SETs and virtual indices.
    V1,
    /// Rekor v2: hashedrekord and dsse entries of version 0.0.2.
    V2,
    /// Bytes as they come, by the log's own gRPC API alone.
    Raw,
}

impl fmt::Display for Api {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
            Self::Raw => "raw",
        })
    }
}

/// What a writer is told whose entry is in the log already.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Duplicates {
    /// That it is, and where: an error.
    #[default]
    Conflict,
    /// The entry, with a fresh proof.
    ReturnExisting,
}

/// How a log is set up.
pub struct Rules {
    /// Its name in the configuration, for example `v2`.
    pub name: String,
    /// What it speaks.
    pub api: Api,
    /// What may enter.
    pub policy: Policy,
    /// What a writer of a known entry is told.
    pub duplicates: Duplicates,
    /// How much may enter.
    pub quota: Quota,
    /// How many entries may be on their way at once; by default as many as the cores deal with in
    /// a fifth of a second.
    pub in_flight_max: Option<usize>,
    /// Whether nothing may enter any more.
    pub frozen: bool,
    /// Whether that is so because it is written elsewhere.
    pub replica: bool,
}

impl Rules {
    /// A log without quota, that says so when an entry is known.
    pub fn new(name: &str, api: Api, policy: Policy) -> Self {
        let (duplicates, quota) = (Duplicates::default(), Quota::default());
        Self {
            name: name.into(),
            api,
            policy,
            duplicates,
            quota,
            in_flight_max: None,
            frozen: false,
            replica: false,
        }
    }
}

/// An entry that is in the log and published, with all that proves it.
#[derive(Clone, Debug)]
pub struct LoggedEntry {
    /// Its name.
    pub id: EntryId,
    /// The ID of the tree's key.
    /// See [`SigningCore::log_id`](crate::publisher::SigningCore::log_id).
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
    /// What is stored beside it; never in the answer to a creation.
    pub attestation: Option<Vec<u8>>,
}

/// A v1 log's entry, and the log's promise for it.
#[derive(Clone, Debug)]
pub struct PromisedEntry {
    /// The entry.
    pub entry: LoggedEntry,
    /// The SET: the log's signature over body, time, log ID and virtual index. None from a replica
    /// without the log's key.
    pub signed_entry_timestamp: Option<Vec<u8>>,
}

/// Where an entry stands: durable and published.
#[derive(Clone, Debug)]
pub struct Appended {
    /// Its index in its tree.
    pub index: LogIndex,
    /// Its leaf hash.
    pub leaf_hash: LeafHash,
    /// When it was integrated, seconds since 1970; of a duplicate, when the first copy was.
    pub integrated_time: i64,
    /// Whether it stood there before.
    pub duplicate: bool,
    /// A published checkpoint that covers it.
    pub checkpoint: Arc<Published>,
}

/// Why an entry was not created.
#[derive(Debug, thiserror::Error)]
pub enum CreateEntryError {
    /// The entry itself is not acceptable.
    #[error(transparent)]
    Rejected(#[from] Rejection),
    /// The same body is in the log, published, under this name.
    #[error("an equivalent entry already exists in the transparency log with UUID {id}")]
    Duplicate {
        /// The entry's name.
        id: EntryId,
        /// Its index in its tree.
        index: LogIndex,
    },
    /// Too much is waiting: nothing was written, try again.
    #[error("too many entries are waiting to be logged; try again later")]
    Pushback,
    /// There is no room to store it: nothing was written.
    #[error("the log's store is full; try again later")]
    Full(Arc<str>),
    /// More than the log's quota allows: nothing was written.
    #[error(transparent)]
    OverQuota(#[from] OverQuota),
    /// The log's witnesses have been away for a while: nothing was written, try again.
    #[error("the log's witnesses do not answer; try again later")]
    NoQuorum,
    /// The log takes no entries any more.
    #[error("the log is frozen")]
    Frozen,
    /// It took too long; the entry may be in the log, sending it again is harmless.
    #[error("the entry was not published in time")]
    TimedOut,
    /// The log has stopped; whether the entry is in it is unknown, sending it again is harmless.
    #[error("{0}")]
    Stopped(Arc<str>),
    /// A proof could not be made; the entry is in the log.
    #[error(transparent)]
    Read(#[from] ReadError),
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
    /// The log's name in the configuration.
    pub name: String,
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
            AddError::Full(why) => Self::Full(why),
            AddError::Stopped(why) => Self::Stopped(why),
        }
    }
}

impl From<NotPublishing> for CreateEntryError {
    fn from(NotPublishing(why): NotPublishing) -> Self {
        Self::Stopped(why)
    }
}
