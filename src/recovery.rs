//! The check before the first signature: is what is stored what was published? (Invariant 3.)
//!
//! On start the head's root is recomputed from the stored hashes, and every checkpoint that is
//! known (the store's own, the head guard's) must be a prefix of it. Otherwise the log does not
//! start: a log that is down can be repaired, a log that has forked cannot.

use storage::{LogStore, StorageError};
use tlog::{CheckpointError, RightEdge, RootHash, SignedCheckpoint};
use tlog::{KeyId, TreeHead, TreeSize, Verifier};

use crate::stored_tree::{TreeError, edge_of, root_at};

/// Why a log is not started.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// The store failed, or its hashes do not make the tree of its head.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// A published checkpoint is larger than what is stored.
    #[error(
        "{witness} holds a checkpoint of {published} entries, the store holds {stored}: this is an \
         older copy of the log; restore the newest one. Nothing was signed"
    )]
    RolledBack {
        /// Who knows the checkpoint.
        witness: String,
        /// The checkpoint's size.
        published: TreeSize,
        /// The stored head's size.
        stored: TreeSize,
    },
    /// A published checkpoint has another root than the stored tree.
    #[error(
        "{witness} holds a checkpoint of {size} entries with root {published}, the store has root \
         {stored} at that size: these are two different logs. Nothing was signed"
    )]
    Forked {
        /// Who knows the checkpoint.
        witness: String,
        /// The checkpoint's size.
        size: TreeSize,
        /// The checkpoint's root.
        published: RootHash,
        /// The root that the store has.
        stored: RootHash,
    },
    /// A kept checkpoint is not one of this log.
    #[error("{witness} holds a checkpoint that is not this log's: {source}")]
    Foreign {
        /// Who holds it.
        witness: String,
        /// What is wrong with it.
        #[source]
        source: CheckpointError,
    },
}

/// What names a log's checkpoints: whose they must be.
pub struct Identity<'a> {
    /// The origin line.
    pub origin: &'a str,
    /// The log's key.
    pub verifier: &'a Verifier,
    /// The hint on its signature lines.
    pub key_id: KeyId,
}

/// Checks a log before anything is signed, and gives its right edge.
///
/// `guarded` is the note that the head guard remembers, if there is a guard and it knows one.
///
/// # Errors
/// As [`RecoveryError`] says: any of them means that the log must not start.
pub async fn recover(
    store: &dyn LogStore,
    identity: &Identity<'_>,
    guarded: Option<&str>,
) -> Result<RightEdge, RecoveryError> {
    // Before the head: other replicas may publish more at this moment.
    let published = store.checkpoint().await?;
    let head = store.head().await?;
    let edge = edge_of(store, head).await?;
    if let Some(published) = published {
        contradicts_nothing(store, head, identity, "the store", &published.note).await?;
    }
    if let Some(note) = guarded {
        contradicts_nothing(store, head, identity, "the head guard", note).await?;
    }
    Ok(edge)
}

/// Checks that a checkpoint is this log's, and that the stored tree extends it.
pub async fn contradicts_nothing(
    store: &dyn LogStore,
    head: TreeHead,
    identity: &Identity<'_>,
    witness: &str,
    note: &str,
) -> Result<(), RecoveryError> {
    let signed = SignedCheckpoint::open(note, identity.origin, identity.verifier, identity.key_id);
    let signed =
        signed.map_err(|source| RecoveryError::Foreign { witness: witness.into(), source })?;
    let published = signed.checkpoint().head;
    if published.size > head.size {
        let (witness, published, stored) = (witness.into(), published.size, head.size);
        return Err(RecoveryError::RolledBack { witness, published, stored });
    }
    let stored = root_at(store, published.size).await?;
    if stored != published.root {
        let (witness, size, published) = (witness.into(), published.size, published.root);
        return Err(RecoveryError::Forked { witness, size, published, stored });
    }
    Ok(())
}

impl From<StorageError> for RecoveryError {
    fn from(error: StorageError) -> Self {
        Self::Tree(error.into())
    }
}
