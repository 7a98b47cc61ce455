//! The tree as its stored hashes tell it: its right edge, and the roots that it had.

use storage::{LogStore, StorageError};
use tlog::{EdgeError, HashRange, NodeHash, ProofError};
use tlog::{RightEdge, RootHash, RootPlan, TreeHead, TreeSize};

/// The stored hashes do not tell it.
#[derive(Debug, thiserror::Error)]
pub enum TreeError {
    /// The store failed, or holds too little.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The head's size and the hashes do not fit together.
    #[error("the store is damaged: {0}")]
    Edge(#[from] EdgeError),
    /// The hashes do not make a tree.
    #[error("the store is damaged: {0}")]
    Tree(#[from] ProofError),
    /// They make another one.
    #[error(
        "the stored hashes make root {computed} at size {size}, the stored head says {stored}: the \
         store is damaged; restore it from a backup and run `cairn fsck`"
    )]
    Head {
        /// The stored head's size.
        size: TreeSize,
        /// The root from the hashes.
        computed: RootHash,
        /// The root in the head.
        stored: RootHash,
    },
}

/// The right edge of the tree with this head, which is stored, or was.
///
/// # Errors
/// As [`TreeError`] says.
pub async fn edge_of(store: &dyn LogStore, head: TreeHead) -> Result<RightEdge, TreeError> {
    let answers = read_all(store, &RightEdge::wanted(head.size)).await?;
    let edge = RightEdge::from_hashes(head.size, &answers)?;
    let computed = edge.head().root;
    if computed != head.root {
        return Err(TreeError::Head { size: head.size, computed, stored: head.root });
    }
    Ok(edge)
}

/// The root hash that the tree had at a size up to that of the stored head.
///
/// # Errors
/// As [`TreeError`] says.
pub async fn root_at(store: &dyn LogStore, size: TreeSize) -> Result<RootHash, TreeError> {
    let plan = RootPlan::new(size);
    let answers = read_all(store, plan.wanted()).await?;
    Ok(plan.build(&answers)?)
}

async fn read_all(
    store: &dyn LogStore,
    ranges: &[HashRange],
) -> Result<Vec<Vec<NodeHash>>, StorageError> {
    let mut all = Vec::with_capacity(ranges.len());
    for range in ranges {
        all.push(store.hashes(range.level, range.first, range.count).await?);
    }
    Ok(all)
}
