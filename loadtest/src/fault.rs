//! What can be wrong with an answer, whichever API gave it.

use thiserror::Error;
use tlog::LeafHash;

/// What is wrong with an answer.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum Fault {
    /// Another status than the one that the answer needs.
    #[error("status {0}")]
    Status(u16),
    /// Headers or JSON are not written as Rekor's clients need them.
    #[error("framing: {0}")]
    Framing(String),
    /// The entry ID is not tree ID and leaf hash of the entry.
    #[error("entry ID {named} is not that of the entry, {expected}")]
    EntryId {
        /// What the answer says.
        named: String,
        /// What it must be.
        expected: String,
    },
    /// Another body than the one that was proposed or logged.
    #[error("the body is not the entry's canonical body")]
    Body,
    /// Not the SHA-256 of the log's public key.
    #[error("log ID {0} is not the hash of the log's public key")]
    LogId(String),
    /// The signed entry timestamp is not the log's signature over body, time, log ID and index.
    #[error("the signed entry timestamp does not verify")]
    Set,
    /// Indices do not fit each other, or not what was asked for.
    #[error("index {named} should be {expected}")]
    Index {
        /// What the answer says.
        named: u64,
        /// What it must be.
        expected: u64,
    },
    /// The proof's own size and root are not those of its checkpoint.
    #[error("the proof's tree size or root hash is not that of its checkpoint")]
    Head,
    /// The inclusion proof does not lead from the leaf to the root.
    #[error("inclusion proof: {0}")]
    Inclusion(String),
    /// The checkpoint is not one of this log, or not signed by it.
    #[error("checkpoint: {0}")]
    Checkpoint(String),
    /// The consistency proof does not lead from the old root to the new one.
    #[error("consistency proof from size {old} to {new}: {why}")]
    Consistency {
        /// Older size.
        old: u64,
        /// Newer size.
        new: u64,
        /// What is wrong.
        why: String,
    },
    /// An index that no entry was given, though nobody else writes.
    #[error("no entry was given an index between {before} and {after}; does somebody else write?")]
    Gap {
        /// The index before it.
        before: u64,
        /// The index after it.
        after: u64,
    },
    /// A tile or an entry bundle has not what it must have.
    #[error("tile: {0}")]
    Tile(String),
    /// Two checkpoints of one size with two roots.
    #[error("fork: two root hashes at size {0}")]
    Fork(u64),
    /// Two entries at one index.
    #[error("index {index} was already given to entry {other}")]
    IndexTwice {
        /// The index.
        index: u64,
        /// The other entry.
        other: LeafHash,
    },
}
