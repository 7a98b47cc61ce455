//! What the tests compare with: RFC 6962 §2.1 read aloud, `rs_merkle`, and a store in memory.

use rs_merkle::MerkleTree;

use crate::hash::sha256;
use crate::{
    ConsistencyProof, Extension, HashRange, InclusionProof, LeafHash, LogIndex, NodeHash, RootHash,
    TreeSize, hash_children, hash_leaf,
};

/// The first `count` leaves of the tests' log.
pub(super) fn leaves(count: usize) -> Vec<LeafHash> {
    (0..count as u64).map(|index| hash_leaf(&index.to_be_bytes())).collect()
}

/// `MTH(D)`.
pub(super) fn mth(leaves: &[LeafHash]) -> RootHash {
    match leaves {
        [] => RootHash::from_bytes(sha256(&[])),
        [leaf] => leaf.to_node().to_root(),
        _ => {
            let (left, right) = leaves.split_at(k(leaves.len()));
            hash_children(&node(left), &node(right)).to_root()
        }
    }
}

fn node(leaves: &[LeafHash]) -> NodeHash {
    NodeHash::from_bytes(*mth(leaves).as_bytes())
}

/// The largest power of two smaller than `n`.
fn k(n: usize) -> usize {
    let mut k = 1;
    while k * 2 < n {
        k *= 2;
    }
    k
}

/// `PATH(m, D)`.
pub(super) fn path(m: usize, leaves: &[LeafHash]) -> Vec<NodeHash> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let (left, right) = leaves.split_at(k(leaves.len()));
    let (mut path, sibling) = if m < left.len() {
        (path(m, left), node(right))
    } else {
        (path(m - left.len(), right), node(left))
    };
    path.push(sibling);
    path
}

/// From the leaf up: whether each hash of `PATH(m, D[n])` stands to the left.
pub(super) fn path_sides(m: usize, n: usize) -> Vec<bool> {
    if n == 1 {
        return Vec::new();
    }
    let left = k(n);
    let (mut sides, last) = if m < left {
        (path_sides(m, left), false)
    } else {
        (path_sides(m - left, n - left), true)
    };
    sides.push(last);
    sides
}

/// `SUBPROOF(m, D, b)`.
pub(super) fn subproof(m: usize, leaves: &[LeafHash], b: bool) -> Vec<NodeHash> {
    if m == leaves.len() {
        return if b { Vec::new() } else { vec![node(leaves)] };
    }
    let (left, right) = leaves.split_at(k(leaves.len()));
    let (mut proof, other) = if m <= left.len() {
        (subproof(m, left, b), node(right))
    } else {
        (subproof(m - left.len(), right, false), node(left))
    };
    proof.push(other);
    proof
}

/// From the bottom up: whether each hash of `SUBPROOF(m, D[n], b)` stands to the left, and whether
/// it starts from the old root itself.
pub(super) fn subproof_sides(m: usize, n: usize, b: bool) -> (Vec<bool>, bool) {
    if m == n {
        return (Vec::new(), b);
    }
    let left = k(n);
    let ((mut sides, from_root), last) = if m <= left {
        (subproof_sides(m, left, b), false)
    } else {
        (subproof_sides(m - left, n - left, false), true)
    };
    sides.push(last);
    (sides, from_root)
}

/// The inclusion proof as RFC 6962 §2.1.1 defines it.
pub(super) fn inclusion(index: usize, leaves: &[LeafHash]) -> InclusionProof {
    let (index_, size) = (LogIndex(index as u64), TreeSize(leaves.len() as u64));
    InclusionProof { index: index_, size, hashes: path(index, leaves) }
}

/// The consistency proof as RFC 6962 §2.1.2 defines it.
pub(super) fn consistency(old: usize, leaves: &[LeafHash]) -> ConsistencyProof {
    let hashes = if old == 0 { Vec::new() } else { subproof(old, leaves, true) };
    ConsistencyProof { old: TreeSize(old as u64), new: TreeSize(leaves.len() as u64), hashes }
}

/// RFC 6962 hashing for `rs_merkle`, which by default hashes `left || right` without prefix. Its
/// tree carries a node without sibling up unchanged, which gives the tree of RFC 6962 at every
/// size. It knows no empty tree's root and no consistency proofs.
#[derive(Clone)]
pub(super) struct Rfc6962;

impl rs_merkle::Hasher for Rfc6962 {
    type Hash = [u8; 32];

    fn hash(data: &[u8]) -> Self::Hash {
        *hash_leaf(data).as_bytes()
    }

    fn concat_and_hash(left: &Self::Hash, right: Option<&Self::Hash>) -> Self::Hash {
        let Some(right) = right else { return *left };
        sha256(&[&[0x01], left.as_slice(), right].concat())
    }
}

/// The same tree, made by `rs_merkle`.
pub(super) fn rs_merkle_tree(leaves: &[LeafHash]) -> MerkleTree<Rfc6962> {
    let leaves: Vec<_> = leaves.iter().map(|leaf| *leaf.as_bytes()).collect();
    MerkleTree::from_leaves(&leaves)
}

/// The stored levels of one log, as extensions fill them.
#[derive(Default)]
pub(super) struct Store {
    levels: Vec<Vec<NodeHash>>,
}

impl Store {
    /// Adds what an extension made; it must begin where the store ends.
    pub(super) fn append(&mut self, extension: &Extension) {
        for new in extension.stored_hashes() {
            let level = usize::from(new.level);
            if level == self.levels.len() {
                self.levels.push(Vec::new());
            }
            assert_eq!(self.levels[level].len() as u64, new.first, "level {level}");
            assert!(!new.hashes.is_empty());
            self.levels[level].extend(new.hashes);
        }
    }

    /// The answers to what a plan or an edge wants, which must be whole tiles of a tree of `size`.
    pub(super) fn answers(&self, wanted: &[HashRange], size: TreeSize) -> Vec<Vec<NodeHash>> {
        for (place, range) in wanted.iter().enumerate() {
            assert_eq!(range.tile().hashes(size), Some(*range), "a whole tile");
            assert!(!wanted[..place].contains(range), "{range:?} is wanted twice");
        }
        let range = |range: &HashRange| {
            let first = usize::try_from(range.first).unwrap();
            self.levels[usize::from(range.level)][first..first + range.count].to_vec()
        };
        wanted.iter().map(range).collect()
    }

    pub(super) fn level(&self, level: usize) -> &[NodeHash] {
        self.levels.get(level).map_or(&[], Vec::as_slice)
    }
}
