//! Trees, written down from the definitions of RFC 6962 §2.1 (MTH, PATH, PROOF) and of C2SP
//! tlog-tiles, recursion and all, so that they share nothing with what they are to test.

use tlog::{NodeHash, RootHash, hash_children};

/// RFC 6962 MTH.
pub(crate) fn root(leaves: &[NodeHash]) -> NodeHash {
    match leaves {
        [] => NodeHash::from_bytes(*RootHash::empty().as_bytes()),
        [leaf] => *leaf,
        _ => {
            let (left, right) = leaves.split_at(split(leaves.len()));
            hash_children(&root(left), &root(right))
        }
    }
}

/// The largest power of two below `n`.
fn split(n: usize) -> usize {
    n.next_power_of_two() / 2
}

/// RFC 6962 PATH.
pub(crate) fn path(m: usize, leaves: &[NodeHash]) -> Vec<NodeHash> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let (left, right) = leaves.split_at(split(leaves.len()));
    let (mut path, other) = if m < left.len() {
        (path(m, left), root(right))
    } else {
        (path(m - left.len(), right), root(left))
    };
    path.push(other);
    path
}

/// RFC 6962 SUBPROOF.
pub(crate) fn subproof(m: usize, leaves: &[NodeHash], whole: bool) -> Vec<NodeHash> {
    if m == leaves.len() {
        return if whole { Vec::new() } else { vec![root(leaves)] };
    }
    let (left, right) = leaves.split_at(split(leaves.len()));
    let (mut proof, other) = if m <= left.len() {
        (subproof(m, left, whole), root(right))
    } else {
        (subproof(m - left.len(), right, false), root(left))
    };
    proof.push(other);
    proof
}

/// Hashes `width` of tile `index` at a level: entry `i` is MTH of the leaves
/// `(256 * index + i) * 256^level` and on.
pub(crate) fn tile(
    level: u8,
    index: usize,
    width: usize,
    leaves: &[NodeHash],
) -> Option<Vec<NodeHash>> {
    let each = 256_usize.pow(level.into());
    let first = index * 256;
    let subtree = |i: usize| leaves.get(i * each..(i + 1) * each).map(root);
    (first..first + width).map(subtree).collect()
}
