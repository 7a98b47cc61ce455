//! What can go wrong in a store, sorted by what the caller has to do next.

use tlog::TreeHead;

use crate::TreeId;

/// A read, an opening or a creation failed.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// There is no log with this tree ID.
    #[error("no log with tree ID {0} in this store")]
    NoSuchLog(TreeId),
    /// The tree ID or the name is taken.
    #[error("a log named {name:?} or with tree ID {tree_id} is in this store already")]
    LogExists {
        /// The tree ID that was asked for.
        tree_id: TreeId,
        /// The name that was asked for.
        name: String,
    },
    /// It was written in a format that is not read here: the text says what helps.
    #[error("the store cannot be read: {0}")]
    Format(String),
    /// What is stored cannot be what was written: stop, do not sign, restore.
    #[error("the store is damaged: {0}")]
    Corrupt(String),
    /// The engine failed (disk full, I/O error, connection lost).
    #[error("the store failed: {0}")]
    Engine(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// A commit did not happen, or may not have happened.
#[derive(Debug, thiserror::Error)]
pub enum CommitError {
    /// Somebody else moved the head: nothing was written.
    #[error(
        "the stored head has size {} and not {}: another writer, a stale replica or a restored copy",
        stored.size, expected.size
    )]
    Conflict {
        /// The head that the batch was built on.
        expected: TreeHead,
        /// The head that is stored.
        stored: TreeHead,
    },
    /// The batch does not fit the expected head (its sizes do not add up): nothing was written.
    #[error("the batch does not fit the head that it is built on: {0}")]
    Malformed(String),
    /// The disk is full: nothing was written, and there may be room again for a later batch.
    #[error("there is no room to store it: {0}")]
    Full(String),
    /// The engine failed; whether the batch was written is unknown.
    #[error(transparent)]
    Storage(#[from] StorageError),
}
