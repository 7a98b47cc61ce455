//! Why a log is not exported.

use storage::StorageError;
use tlog::{CheckpointError, RootHash, TreeSize};
use tokio::task::JoinError;

use super::sink::SinkError;
use crate::publisher::signer::SignError;
use crate::stored_tree::TreeError;

/// Why a log was not exported. The destination is as good as before; a later round goes on.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The store failed.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The destination failed.
    #[error(transparent)]
    Sink(#[from] SinkError),
    /// What is to be exported is no checkpoint of this log.
    #[error("the checkpoint that is to be exported is not this log's: {0}")]
    NotOurs(#[source] CheckpointError),
    /// What was exported before is not of this log.
    #[error("{object} in the destination is not this log's: {source}. Nothing was written")]
    Foreign {
        /// The destination's checkpoint.
        object: String,
        /// What is wrong with it.
        #[source]
        source: CheckpointError,
    },
    /// What was exported before is more than we have.
    #[error(
        "{object} in the destination is over {there} entries, the store holds {here}: this is an \
         older copy of the log; restore the newest one. Nothing was written"
    )]
    Older {
        /// The destination's checkpoint.
        object: String,
        /// Its size.
        there: TreeSize,
        /// The stored head's size.
        here: TreeSize,
    },
    /// What was exported before contradicts what we have.
    #[error(
        "{object} in the destination has root {there} at size {size}, the store has root {here}: \
         these are two different logs. Nothing was written"
    )]
    Forked {
        /// The destination's checkpoint.
        object: String,
        /// Its size.
        size: TreeSize,
        /// Its root.
        there: RootHash,
        /// The root that the store has.
        here: RootHash,
    },
    /// The log's key did not sign what goes beside the entries.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// More is said to be there than there is.
    #[error("the log has {size} entries, so nobody has {since} of them")]
    Beyond {
        /// What is said.
        since: TreeSize,
        /// The checkpoint's size.
        size: TreeSize,
    },
    /// A bug.
    #[error("an export ended without a word: {0}")]
    Ended(#[from] JoinError),
}

impl From<StorageError> for ExportError {
    fn from(error: StorageError) -> Self {
        Self::Tree(error.into())
    }
}
