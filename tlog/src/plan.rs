//! Proofs and roots from stored hashes, sans I/O: a plan says which ranges of stored hashes it
//! wants, someone fetches them, and the plan builds the proof. Which nodes a proof is made of
//! follows the recursive definitions of RFC 6962 §2.1.1 and §2.1.2, word for word.
//!
//! Every wanted range is a whole tile, or all of a partial tile, so that a reader can cache tiles.

use std::ops::Range;

use crate::hash::{LogIndex, NodeHash, RootHash, TreeSize};
use crate::proof::{ConsistencyProof, InclusionProof, ProofError};
use crate::range::{fold_right, subtree_root};
use crate::tile::{HashRange, TILE_HEIGHT, TILE_WIDTH, TileId};

/// The hashes of one wanted range, as a plan asks for them.
pub trait Hashes {
    /// How many there are.
    fn count(&self) -> usize;

    /// The root over a complete subtree of them: 2^k hashes from a multiple of 2^k on; `None` when
    /// they are not all there.
    fn subtree(&self, part: Range<usize>) -> Option<NodeHash>;
}

/// Computed anew each time; a [`Tile`](crate::tile::Tile) remembers.
impl<T: AsRef<[NodeHash]>> Hashes for T {
    fn count(&self) -> usize {
        self.as_ref().len()
    }

    fn subtree(&self, part: Range<usize>) -> Option<NodeHash> {
        subtree_root(self.as_ref().get(part)?)
    }
}

/// How to prove that a leaf is in a tree.
#[derive(Clone, Debug)]
pub struct InclusionPlan {
    index: LogIndex,
    nodes: Nodes,
}

impl InclusionPlan {
    /// Plans `PATH(index, D[size])`.
    ///
    /// # Errors
    /// [`ProofError::BeyondTree`] when the tree has no such leaf.
    pub fn new(index: LogIndex, size: TreeSize) -> Result<Self, ProofError> {
        if !size.covers(index) {
            return Err(ProofError::BeyondTree { index, size });
        }
        let mut subtree = 0..size.0;
        let mut siblings = Vec::new();
        while subtree.end - subtree.start > 1 {
            let (left, right) = halves(&subtree);
            let (inside, sibling) =
                if left.contains(&index.0) { (left, right) } else { (right, left) };
            siblings.push(sibling);
            subtree = inside;
        }
        siblings.reverse();
        Ok(Self { index, nodes: Nodes::new(size, &siblings) })
    }

    /// The stored hashes that the proof is made of, each range once.
    pub fn wanted(&self) -> &[HashRange] {
        &self.nodes.wanted
    }

    /// Makes the proof from the answers, which stand in the order of [`Self::wanted`].
    ///
    /// # Errors
    /// [`ProofError::Answers`] when an answer has not exactly the hashes that were asked for.
    pub fn build(&self, answers: &[impl Hashes]) -> Result<InclusionProof, ProofError> {
        let hashes = self.nodes.hashes(answers)?;
        Ok(InclusionProof { index: self.index, size: self.nodes.size, hashes })
    }
}

/// How to prove that a tree is a prefix of a newer one.
#[derive(Clone, Debug)]
pub struct ConsistencyPlan {
    old: TreeSize,
    nodes: Nodes,
}

impl ConsistencyPlan {
    /// Plans `PROOF(old, D[new])`; without any hash when `old` is 0 or equals `new`.
    ///
    /// # Errors
    /// [`ProofError::Shrinks`] when `old` is larger than `new`.
    pub fn new(old: TreeSize, new: TreeSize) -> Result<Self, ProofError> {
        if old > new {
            return Err(ProofError::Shrinks { old, new });
        }
        let mut subtree = 0..new.0;
        let mut parts = Vec::new();
        while old.0 > 0 && subtree.end != old.0 {
            let (left, right) = halves(&subtree);
            let (inside, other) = if old.0 <= left.end { (left, right) } else { (right, left) };
            parts.push(other);
            subtree = inside;
        }
        // The last complete subtree of the old tree; left out when it is the whole old tree.
        if subtree.start > 0 {
            parts.push(subtree);
        }
        parts.reverse();
        Ok(Self { old, nodes: Nodes::new(new, &parts) })
    }

    /// The stored hashes that the proof is made of, each range once.
    pub fn wanted(&self) -> &[HashRange] {
        &self.nodes.wanted
    }

    /// Makes the proof from the answers, which stand in the order of [`Self::wanted`].
    ///
    /// # Errors
    /// [`ProofError::Answers`] when an answer has not exactly the hashes that were asked for.
    pub fn build(&self, answers: &[impl Hashes]) -> Result<ConsistencyProof, ProofError> {
        let hashes = self.nodes.hashes(answers)?;
        Ok(ConsistencyProof { old: self.old, new: self.nodes.size, hashes })
    }
}

/// How to compute the root hash at a size.
#[derive(Clone, Debug)]
pub struct RootPlan {
    nodes: Nodes,
}

impl RootPlan {
    /// Plans `MTH(D[size])`.
    pub fn new(size: TreeSize) -> Self {
        let whole = Some(0..size.0).filter(|leaves| !leaves.is_empty());
        Self { nodes: Nodes::new(size, whole.as_slice()) }
    }

    /// The stored hashes that the root is made of, each range once.
    pub fn wanted(&self) -> &[HashRange] {
        &self.nodes.wanted
    }

    /// Computes the root from the answers, which stand in the order of [`Self::wanted`].
    ///
    /// # Errors
    /// [`ProofError::Answers`] when an answer has not exactly the hashes that were asked for.
    pub fn build(&self, answers: &[impl Hashes]) -> Result<RootHash, ProofError> {
        let hashes = self.nodes.hashes(answers)?;
        Ok(hashes.first().map_or_else(RootHash::empty, |root| root.to_root()))
    }
}

/// Splits a subtree of at least two leaves as RFC 6962 does: the left half is the largest power of
/// two that leaves something for the right.
fn halves(leaves: &Range<u64>) -> (Range<u64>, Range<u64>) {
    let last = leaves.end - leaves.start - 1;
    let middle = leaves.start + (1 << last.ilog2());
    (leaves.start..middle, middle..leaves.end)
}

/// The nodes that a plan computes, and the tiles from which it does.
#[derive(Clone, Debug)]
struct Nodes {
    size: TreeSize,
    wanted: Vec<HashRange>,
    /// For each node its complete subtrees, largest first.
    nodes: Vec<Vec<Subtree>>,
}

/// Where the hashes of a complete subtree are: a part of one wanted range.
#[derive(Clone, Debug)]
struct Subtree {
    range: usize,
    hashes: Range<usize>,
}

impl Nodes {
    /// Each node as the leaves below it: not empty, and starting where a subtree can start.
    fn new(size: TreeSize, nodes: &[Range<u64>]) -> Self {
        let mut plan = Self { size, wanted: Vec::new(), nodes: Vec::new() };
        for leaves in nodes {
            let mut start = leaves.start;
            let mut subtrees = Vec::new();
            while let Some(tree_level) = (leaves.end - start).checked_ilog2() {
                subtrees.push(plan.subtree(start, tree_level));
                start += 1 << tree_level;
            }
            plan.nodes.push(subtrees);
        }
        plan
    }

    /// The complete subtree with 2^`tree_level` leaves from `start` on.
    fn subtree(&mut self, start: u64, tree_level: u32) -> Subtree {
        let height = u32::from(TILE_HEIGHT);
        let level = tree_level / height;
        let first = start >> (level * height);
        let tile = TileId { level: level as u8, index: first / TILE_WIDTH };
        let offset = (first % TILE_WIDTH) as usize;
        Subtree { range: self.want(tile), hashes: offset..offset + (1 << (tree_level % height)) }
    }

    /// The place of a tile's hashes among the wanted ranges.
    fn want(&mut self, tile: TileId) -> usize {
        let count = usize::from(tile.width(self.size));
        let range = HashRange { level: tile.level, first: tile.index * TILE_WIDTH, count };
        self.wanted.iter().position(|wanted| *wanted == range).unwrap_or_else(|| {
            self.wanted.push(range);
            self.wanted.len() - 1
        })
    }

    /// The hash of each node.
    fn hashes(&self, answers: &[impl Hashes]) -> Result<Vec<NodeHash>, ProofError> {
        let counts = answers.iter().map(Hashes::count);
        if !counts.eq(self.wanted.iter().map(|range| range.count)) {
            return Err(ProofError::Answers);
        }
        let subtree = |part: &Subtree| answers.get(part.range)?.subtree(part.hashes.clone());
        self.nodes
            .iter()
            .map(|node| fold_right(&node.iter().map(subtree).collect::<Option<Vec<_>>>()?))
            .collect::<Option<_>>()
            .ok_or(ProofError::Answers)
    }
}
