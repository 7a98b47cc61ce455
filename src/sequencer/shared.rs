//! A log that other processes write to as well: who was first, and is what was sent stored?
//!
//! A root hash commits to every entry below it. So the stored tree alone tells whether a batch is
//! in it, whatever became of the connection that carried it.

use storage::{Batch, CommitError, LogStore, StorageError};
use tlog::{RightEdge, RootHash, TreeHead};
use tokio::time::sleep;

use super::{Outcome, Writer};
use crate::limits::STORE_RETRY_PAUSE;
use crate::stored_tree::{TreeError, edge_of, root_at};

/// How the stored tree stands to a batch.
pub(super) enum Standing {
    /// It holds the batch.
    Stored,
    /// It is the one that the batch was built on.
    Unmoved,
    /// Others were first: it is that one and more, and ends here.
    Moved(RightEdge),
}

/// What is stored cannot have come of what was.
#[derive(Debug, thiserror::Error)]
pub(super) enum Broken {
    /// Less than there was.
    #[error(
        "the store holds {stored} entries, and held {built_on}: it was replaced by an older copy, \
         or a standby took over that had not received all. Nothing more is written"
    )]
    RolledBack {
        /// The stored head's size.
        stored: u64,
        /// The size that was stored before.
        built_on: u64,
    },
    /// Another history.
    #[error(
        "the store has root {stored} at size {size}, and had {known}: these are two different \
         logs. Nothing more is written"
    )]
    Forked {
        /// Where they differ.
        size: u64,
        /// What is stored.
        stored: RootHash,
        /// What was.
        known: RootHash,
    },
    /// The hashes make no tree.
    #[error(transparent)]
    Tree(TreeError),
    /// The store does not answer; it may later.
    #[error(transparent)]
    Away(StorageError),
}

impl From<TreeError> for Broken {
    fn from(error: TreeError) -> Self {
        match error {
            TreeError::Storage(error) => error.into(),
            other => Self::Tree(other),
        }
    }
}

impl From<StorageError> for Broken {
    fn from(error: StorageError) -> Self {
        match error {
            StorageError::Engine(_) => Self::Away(error),
            other => Self::Tree(other.into()),
        }
    }
}

/// Where a batch stands that was built on `before` and makes `after`.
pub(super) async fn standing(
    store: &dyn LogStore,
    before: TreeHead,
    after: TreeHead,
) -> Result<Standing, Broken> {
    let stored = store.head().await?;
    if stored.size < before.size {
        let (stored, built_on) = (stored.size.0, before.size.0);
        return Err(Broken::RolledBack { stored, built_on });
    }
    if stored.size >= after.size && root_at(store, after.size).await? == after.root {
        return Ok(Standing::Stored);
    }
    let root = root_at(store, before.size).await?;
    if root != before.root {
        return Err(Broken::Forked { size: before.size.0, stored: root, known: before.root });
    }
    if stored.size == before.size {
        return Ok(Standing::Unmoved);
    }
    Ok(Standing::Moved(edge_of(store, stored).await?))
}

impl Writer {
    /// Stores a batch, and when that is not said to be done, finds out what became of it: as soon
    /// as the store answers again.
    pub(super) async fn commit_among_others(&self, batch: Batch) -> Result<Outcome, CommitError> {
        let (before, after) = (self.edge.head(), batch.head);
        loop {
            match self.store.commit(before, batch.clone()).await {
                Ok(()) => {
                    self.recovered();
                    return Ok(Outcome::Stored);
                }
                Err(CommitError::Full(why)) => return Ok(Outcome::Full(why.into())),
                Err(CommitError::Conflict { .. }) => {}
                Err(CommitError::Storage(error @ StorageError::Engine(_))) => {
                    self.rest(&error).await;
                }
                Err(error) => return Err(self.halt(error)),
            }
            // Sending it again is harmless whatever became of it: were it stored after this look,
            // the head would be another one, and the second copy a conflict.
            let standing = loop {
                match standing(&*self.store, before, after).await {
                    Ok(standing) => break standing,
                    Err(Broken::Away(error)) => self.rest(&error).await,
                    Err(error) => return Err(self.halt(error.into())),
                }
            };
            self.recovered();
            match standing {
                Standing::Stored => return Ok(Outcome::Stored),
                Standing::Moved(edge) => return Ok(Outcome::Moved(edge, batch)),
                Standing::Unmoved => {}
            }
        }
    }

    /// Says that the store does not answer, and waits a moment.
    pub(super) async fn rest(&self, error: &StorageError) {
        if self.stop.borrow().is_none() {
            tracing::warn!(%error, "the store does not answer; the log waits for it");
            let why = format!("the store does not answer: {error}");
            self.stop.send_replace(Some(why.into()));
        }
        sleep(STORE_RETRY_PAUSE).await;
    }
}

impl From<Broken> for CommitError {
    fn from(error: Broken) -> Self {
        match error {
            Broken::Away(error) => error.into(),
            other => StorageError::Corrupt(other.to_string()).into(),
        }
    }
}
