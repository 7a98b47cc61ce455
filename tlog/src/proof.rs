//! Inclusion and consistency proofs and how they are verified (RFC 6962 §2.1.1 and §2.1.2, by the
//! algorithms of RFC 9162 §2.1.3.2 and §2.1.4.2). How they are made is in `range` and `plan`.

use thiserror::Error;

use crate::hash::{LeafHash, LogIndex, NodeHash, RootHash, TreeSize, hash_children};

/// Why a proof cannot be made or does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum ProofError {
    /// The tree has no such leaf.
    #[error("index {index} is beyond a tree of {size} leaves")]
    BeyondTree {
        /// The leaf asked for.
        index: LogIndex,
        /// Size of the tree.
        size: TreeSize,
    },
    /// A log never shrinks.
    #[error("the old size {old} is larger than the new size {new}")]
    Shrinks {
        /// The old size.
        old: TreeSize,
        /// The new size.
        new: TreeSize,
    },
    /// The sizes do not go with this many hashes.
    #[error("the proof has too few or too many hashes ({hashes})")]
    Length {
        /// Hashes in the proof.
        hashes: usize,
    },
    /// The hashes lead to another root: the inclusion proof's tree, or the newer one of a
    /// consistency proof.
    #[error("the proof leads to another root hash")]
    Root,
    /// The hashes of a consistency proof lead to another old root.
    #[error("the consistency proof leads to another old root hash")]
    OldRoot,
    /// The stored hashes that were asked for are not all there (see `plan`).
    #[error("stored hashes do not match what the proof wants")]
    Answers,
}

/// Proves that a leaf is at an index of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InclusionProof {
    /// Where the leaf is.
    pub index: LogIndex,
    /// Size of the tree.
    pub size: TreeSize,
    /// Sibling hashes on the way from the leaf to the root.
    pub hashes: Vec<NodeHash>,
}

impl InclusionProof {
    /// Verifies that `leaf` is at the index in the tree with this root.
    ///
    /// The size must be that of a tree head with this root: a root alone does not say it, and some
    /// sizes put a leaf in the same place (index 0 of 3 leaves, and of 4).
    ///
    /// # Errors
    /// [`ProofError::BeyondTree`], [`ProofError::Length`], [`ProofError::Root`].
    pub fn verify(&self, leaf: &LeafHash, root: &RootHash) -> Result<(), ProofError> {
        if self.root(leaf)? == *root { Ok(()) } else { Err(ProofError::Root) }
    }

    /// The root hash to which the proof leads from `leaf`; it says nothing until it is compared
    /// with a root that is trusted.
    ///
    /// # Errors
    /// [`ProofError::BeyondTree`], [`ProofError::Length`].
    pub fn root(&self, leaf: &LeafHash) -> Result<RootHash, ProofError> {
        let Self { index, size, ref hashes } = *self;
        if !size.covers(index) {
            return Err(ProofError::BeyondTree { index, size });
        }
        let mut climb = Climb { node: index.0, last: size.0 - 1 };
        let mut root = leaf.to_node();
        for hash in hashes {
            root = match climb.step() {
                Some(Side::Left) => hash_children(hash, &root),
                Some(Side::Right) => hash_children(&root, hash),
                None => {
                    return Err(ProofError::Length { hashes: hashes.len() });
                }
            };
        }
        if climb.last != 0 {
            return Err(ProofError::Length { hashes: hashes.len() });
        }
        Ok(root.to_root())
    }
}

/// Proves that a tree is a prefix of a newer one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsistencyProof {
    /// Size of the older tree.
    pub old: TreeSize,
    /// Size of the newer tree.
    pub new: TreeSize,
    /// The hashes; none when the sizes are equal or the old tree is empty.
    pub hashes: Vec<NodeHash>,
}

impl ConsistencyProof {
    /// Verifies that the tree with `old_root` is a prefix of the one with `new_root`.
    ///
    /// An empty old tree is a prefix of every tree: then only the old root is checked. Sizes and
    /// roots must be those of two tree heads, as for an inclusion proof.
    ///
    /// # Errors
    /// [`ProofError::Shrinks`], [`ProofError::Length`], [`ProofError::OldRoot`],
    /// [`ProofError::Root`].
    pub fn verify(&self, old_root: &RootHash, new_root: &RootHash) -> Result<(), ProofError> {
        let Self { old, new, ref hashes } = *self;
        if old > new {
            return Err(ProofError::Shrinks { old, new });
        }
        let (found_old, found_new) = if old.0 == 0 || old == new {
            if !hashes.is_empty() {
                return Err(ProofError::Length { hashes: hashes.len() });
            }
            let found_old = if old.0 == 0 { RootHash::empty() } else { *new_root };
            (found_old, if old == new { found_old } else { *new_root })
        } else {
            self.roots(old_root)?
        };
        if found_old != *old_root {
            return Err(ProofError::OldRoot);
        }
        if found_new != *new_root {
            return Err(ProofError::Root);
        }
        Ok(())
    }

    /// The old and the new root to which the proof leads; both sizes are above 0 and differ.
    fn roots(&self, old_root: &RootHash) -> Result<(RootHash, RootHash), ProofError> {
        let length = ProofError::Length { hashes: self.hashes.len() };
        // Climb from the last leaf of the old tree to the top of the last complete subtree.
        let alone = (self.old.0).trailing_zeros();
        let mut climb = Climb { node: (self.old.0 - 1) >> alone, last: (self.new.0 - 1) >> alone };
        // A complete old tree is itself that subtree, so the proof leaves it out.
        let (start, rest) = if self.old.0.is_power_of_two() {
            (NodeHash::from_bytes(*old_root.as_bytes()), self.hashes.as_slice())
        } else {
            self.hashes.split_first().map(|(first, rest)| (*first, rest)).ok_or(length)?
        };
        let (mut old, mut new) = (start, start);
        for hash in rest {
            match climb.step().ok_or(length)? {
                Side::Left => {
                    old = hash_children(hash, &old);
                    new = hash_children(hash, &new);
                }
                Side::Right => new = hash_children(&new, hash),
            }
        }
        if climb.last != 0 {
            return Err(length);
        }
        Ok((old.to_root(), new.to_root()))
    }
}

/// The way from a node up to the root: positions, in their level, of the node and of the last node.
struct Climb {
    node: u64,
    last: u64,
}

/// On which side of the node the next hash of the proof stands.
enum Side {
    Left,
    Right,
}

impl Climb {
    /// Goes up to the next parent that has two children; `None` at the root.
    fn step(&mut self) -> Option<Side> {
        if self.last == 0 {
            return None;
        }
        let side = if self.node & 1 == 1 || self.node == self.last {
            // The last node, when even, has no sibling before the level where it is odd.
            self.up(self.node.trailing_zeros());
            Side::Left
        } else {
            Side::Right
        };
        self.up(1);
        Some(side)
    }

    fn up(&mut self, levels: u32) {
        self.node >>= levels;
        self.last >>= levels;
    }
}
