//! The right edge of a tree (a compact range from leaf 0), and how a batch of leaves extends it:
//! new nodes, new root, and the inclusion proof of each new leaf (RFC 6962 §2.1), all in memory.
//!
//! Old leaves are not here: proofs about them are planned from tiles (see `plan`).

use thiserror::Error;

use crate::hash::{LeafHash, LogIndex, NodeHash, RootHash, TreeHead, TreeSize, hash_children};
use crate::proof::InclusionProof;
use crate::tile::{HashRange, TILE_HEIGHT, TILE_LEVELS, TILE_WIDTH, TileId, nodes_at};

/// The roots of the largest complete subtrees that cover a tree, leftmost (largest) first.
///
/// There is one for each bit that is set in the size; together they are all that is needed to
/// append.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RightEdge {
    size: TreeSize,
    nodes: Vec<NodeHash>,
}

/// Why hashes are not the right edge of a tree of the given size.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum EdgeError {
    /// The edge has one node for each bit that is set in the size.
    #[error("the right edge of {size} leaves has {wanted} nodes, not {given}")]
    NodeCount {
        /// Size of the tree.
        size: TreeSize,
        /// Nodes that its edge has.
        wanted: usize,
        /// Nodes that were given.
        given: usize,
    },
    /// A range of stored hashes was answered with too few or too many, or not at all.
    #[error("stored hashes do not match what the right edge of {size} leaves wants")]
    Answers {
        /// Size of the tree.
        size: TreeSize,
    },
}

impl RightEdge {
    /// The edge of the empty tree.
    pub const fn empty() -> Self {
        Self { size: TreeSize(0), nodes: Vec::new() }
    }

    /// Takes the edge of a tree of `size` leaves, leftmost node first.
    ///
    /// # Errors
    /// [`EdgeError::NodeCount`] unless there is one node for each bit that is set in the size.
    pub fn new(size: TreeSize, nodes: Vec<NodeHash>) -> Result<Self, EdgeError> {
        let wanted = size.0.count_ones() as usize;
        if nodes.len() != wanted {
            return Err(EdgeError::NodeCount { size, wanted, given: nodes.len() });
        }
        Ok(Self { size, nodes })
    }

    /// The stored hashes that rebuild the edge: the partial tile of each level, lowest level first.
    pub fn wanted(size: TreeSize) -> Vec<HashRange> {
        (0..TILE_LEVELS)
            .filter_map(|level| {
                let complete = nodes_at(size, level);
                let partial = TileId { level, index: complete / TILE_WIDTH };
                partial.hashes(size)
            })
            .collect()
    }

    /// Rebuilds the edge from the answers to [`Self::wanted`], in the same order.
    ///
    /// # Errors
    /// [`EdgeError::Answers`] when an answer has not exactly the hashes that were asked for.
    pub fn from_hashes(
        size: TreeSize,
        answers: &[impl AsRef<[NodeHash]>],
    ) -> Result<Self, EdgeError> {
        let wanted = Self::wanted(size);
        if answers.len() != wanted.len() {
            return Err(EdgeError::Answers { size });
        }
        let mut nodes = Vec::with_capacity(size.0.count_ones() as usize);
        for (range, answer) in wanted.iter().zip(answers).rev() {
            let mut rest = answer.as_ref();
            if rest.len() != range.count {
                return Err(EdgeError::Answers { size });
            }
            for bit in (0..TILE_HEIGHT).rev().filter(|bit| range.count >> bit & 1 == 1) {
                let (subtree, right) = rest.split_at(1 << bit);
                nodes.extend(subtree_root(subtree));
                rest = right;
            }
        }
        Self::new(size, nodes)
    }

    /// Number of leaves to the left of the edge.
    pub const fn size(&self) -> TreeSize {
        self.size
    }

    /// The nodes, leftmost (largest subtree) first.
    pub fn nodes(&self) -> &[NodeHash] {
        &self.nodes
    }

    /// The tree head: one hash for each node but the first.
    pub fn head(&self) -> TreeHead {
        let root = fold_right(&self.nodes).map_or_else(RootHash::empty, NodeHash::to_root);
        TreeHead { size: self.size, root }
    }

    /// Appends a batch of leaves: one hash for each node that it completes, and one for each level
    /// of the new right edge.
    ///
    /// # Panics
    /// When the tree would grow to 2^64 leaves.
    pub fn extend(&self, leaves: &[LeafHash]) -> Extension {
        let new_size = TreeSize(self.size.0 + leaves.len() as u64);
        let levels = self.grow(new_size, leaves);
        let remainders = remainders(new_size, &levels);
        let nodes = levels
            .iter()
            .enumerate()
            .rev()
            .filter(|(tree_level, _)| new_size.0 >> tree_level & 1 == 1)
            .filter_map(|(_, level)| level.hashes.last().copied())
            .collect();
        Extension {
            old_size: self.size,
            edge: Self { size: new_size, nodes },
            root: remainders.last().copied().flatten(),
            levels,
            remainders,
        }
    }

    /// The complete nodes, level by level, from the last pair of the old tree on.
    fn grow(&self, new_size: TreeSize, leaves: &[LeafHash]) -> Vec<Level> {
        let mut old_edge = self.nodes.iter().rev().copied();
        let mut appended: Vec<NodeHash> = leaves.iter().map(|leaf| leaf.to_node()).collect();
        let mut levels = Vec::new();
        for tree_level in 0..u64::BITS - new_size.0.leading_zeros() {
            let before = self.size.0 >> tree_level;
            // An odd number of nodes before: the last one waits in the old edge for its sibling.
            let waiting = if before & 1 == 1 { old_edge.next() } else { None };
            let mut hashes = Vec::with_capacity(appended.len() + 1);
            hashes.extend(waiting);
            hashes.append(&mut appended);
            appended = hash_pairs(&hashes);
            levels.push(Level { first: before & !1, hashes });
        }
        levels
    }
}

/// Complete nodes of one tree level, from position `first` (always even) on.
#[derive(Clone, Debug)]
struct Level {
    first: u64,
    hashes: Vec<NodeHash>,
}

impl Level {
    fn get(&self, position: u64) -> Option<NodeHash> {
        let offset = position.checked_sub(self.first)?;
        self.hashes.get(usize::try_from(offset).ok()?).copied()
    }
}

/// All that is known after a batch was appended to an edge: it proves every leaf of the batch
/// without any storage.
#[derive(Clone, Debug)]
pub struct Extension {
    old_size: TreeSize,
    edge: RightEdge,
    root: Option<NodeHash>,
    levels: Vec<Level>,
    /// For each tree level `k`, the root of the leaves to the right of the last complete node of
    /// that level, if there are any: `MTH(D[(n >> k) << k .. n])`. One more than there are levels.
    remainders: Vec<Option<NodeHash>>,
}

/// Complete nodes of one stored level that a batch made, in order, without gaps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LevelHashes {
    /// Tile level: 0 holds leaf hashes, 1 the roots of full level-0 tiles, and so on.
    pub level: u8,
    /// Position in that level of the first hash.
    pub first: u64,
    /// The hashes.
    pub hashes: Vec<NodeHash>,
}

impl Extension {
    /// The tree's size before the batch.
    pub const fn old_size(&self) -> TreeSize {
        self.old_size
    }

    /// The tree head after the batch.
    pub fn head(&self) -> TreeHead {
        let root = self.root.map_or_else(RootHash::empty, NodeHash::to_root);
        TreeHead { size: self.edge.size, root }
    }

    /// The right edge after the batch.
    pub const fn edge(&self) -> &RightEdge {
        &self.edge
    }

    /// What the batch adds to the stored levels (tree levels 0, 8, 16 …), lowest first; a level to
    /// which it adds nothing is left out.
    pub fn stored_hashes(&self) -> Vec<LevelHashes> {
        (0..TILE_LEVELS)
            .zip(self.levels.iter().step_by(usize::from(TILE_HEIGHT)))
            .filter_map(|(level, nodes)| {
                let first = nodes_at(self.old_size, level);
                let waiting = usize::from(first & 1 == 1);
                let hashes = nodes.hashes.get(waiting..).unwrap_or_default().to_vec();
                (!hashes.is_empty()).then_some(LevelHashes { level, first, hashes })
            })
            .collect()
    }

    /// The proof that an appended leaf is in the new tree; `None` for a leaf that the batch did not
    /// append. Hashes nothing.
    pub fn inclusion_proof(&self, index: LogIndex) -> Option<InclusionProof> {
        let size = self.edge.size;
        if index.0 < self.old_size.0 || !size.covers(index) {
            return None;
        }
        let mut hashes = Vec::with_capacity(self.levels.len());
        for (tree_level, level) in self.levels.iter().enumerate() {
            let sibling = (index.0 >> tree_level) ^ 1;
            let complete = size.0 >> tree_level;
            if sibling < complete {
                hashes.push(level.get(sibling)?);
            } else if sibling == complete {
                hashes.extend(self.remainders.get(tree_level)?);
            }
        }
        Some(InclusionProof { index, size, hashes })
    }
}

/// The remainder of each level (see [`Extension`]), from the lowest level up.
fn remainders(size: TreeSize, levels: &[Level]) -> Vec<Option<NodeHash>> {
    let mut remainders = vec![None];
    let mut right: Option<NodeHash> = None;
    for (tree_level, level) in levels.iter().enumerate() {
        if size.0 >> tree_level & 1 == 1 {
            right = match (level.hashes.last(), right) {
                (Some(left), Some(right)) => Some(hash_children(left, &right)),
                (left, right) => left.copied().or(right),
            };
        }
        remainders.push(right);
    }
    remainders
}

/// The parents of each pair; a last one without sibling has none yet.
pub(crate) fn hash_pairs(nodes: &[NodeHash]) -> Vec<NodeHash> {
    let (pairs, _) = nodes.as_chunks::<2>();
    pairs.iter().map(|[left, right]| hash_children(left, right)).collect()
}

/// The root over a complete subtree's nodes, a power of two of them; `None` when there are none.
pub(crate) fn subtree_root(nodes: &[NodeHash]) -> Option<NodeHash> {
    debug_assert!(nodes.is_empty() || nodes.len().is_power_of_two());
    let mut row = match nodes {
        [] => return None,
        [only] => return Some(*only),
        many => hash_pairs(many),
    };
    while row.len() > 1 {
        row = hash_pairs(&row);
    }
    row.first().copied()
}

/// The root over complete subtrees side by side, largest first; `None` when there are none.
pub(crate) fn fold_right(nodes: &[NodeHash]) -> Option<NodeHash> {
    nodes.iter().rev().copied().reduce(|right, left| hash_children(&left, &right))
}
