//! Verification: what holds, and that nothing else does.

use proptest::prelude::*;

use super::oracle::{
    consistency, inclusion, leaves, mth, path_sides, rs_merkle_tree, subproof_sides,
};
use crate::{
    ConsistencyProof, InclusionProof, LeafHash, LogIndex, NodeHash, ProofError, RootHash, TreeSize,
};

/// Trees up to this size are tried in full.
const SMALL: usize = 130;

#[test]
fn every_inclusion_proof_of_small_trees_verifies() {
    let all = leaves(SMALL);
    for n in 1..=SMALL {
        let (tree, root) = (rs_merkle_tree(&all[..n]), mth(&all[..n]));
        for index in 0..n {
            let proof = inclusion(index, &all[..n]);
            assert_eq!(proof.verify(&all[index], &root), Ok(()));
            assert_eq!(proof.root(&all[index]), Ok(root));
            let theirs = tree.proof(&[index]);
            let hashes: Vec<_> = proof.hashes.iter().map(|hash| *hash.as_bytes()).collect();
            assert_eq!(theirs.proof_hashes(), hashes);
        }
    }
}

#[test]
fn every_consistency_proof_of_small_trees_verifies() {
    let all = leaves(SMALL);
    let roots: Vec<_> = (0..=SMALL).map(|n| mth(&all[..n])).collect();
    for new in 0..=SMALL {
        for old in 0..=new {
            let proof = consistency(old, &all[..new]);
            assert_eq!(proof.verify(&roots[old], &roots[new]), Ok(()), "{old} to {new}");
        }
    }
}

/// The hashes with one thing wrong, in every way: a bit, one missing, one too many, two swapped.
fn mutations(hashes: &[NodeHash], bit: usize) -> Vec<Vec<NodeHash>> {
    let mut mutations = Vec::new();
    let stranger = NodeHash::from_bytes([0x5a; 32]);
    for place in 0..=hashes.len() {
        let mut more = hashes.to_vec();
        more.insert(place, stranger);
        mutations.push(more);
        let mut twice = hashes.to_vec();
        twice.extend(hashes.get(place));
        mutations.push(twice);
    }
    mutations.retain(|mutation| mutation.len() > hashes.len());
    for place in 0..hashes.len() {
        let mut flipped = hashes.to_vec();
        flipped[place] = flip(hashes[place].as_bytes(), bit, NodeHash::from_bytes);
        mutations.push(flipped);
        let mut fewer = hashes.to_vec();
        fewer.remove(place);
        mutations.push(fewer);
        for other in place + 1..hashes.len() {
            let mut swapped = hashes.to_vec();
            swapped.swap(place, other);
            mutations.push(swapped);
        }
    }
    mutations
}

fn flip<T>(bytes: &[u8; 32], bit: usize, make: fn([u8; 32]) -> T) -> T {
    let mut bytes = *bytes;
    bytes[bit / 8 % 32] ^= 1 << (bit % 8);
    make(bytes)
}

fn check_inclusion_mutations(all: &[LeafHash], index: usize, bit: usize) {
    let (proof, root) = (inclusion(index, all), mth(all));
    for hashes in mutations(&proof.hashes, bit) {
        let mutated = InclusionProof { hashes, ..proof };
        assert!(mutated.verify(&all[index], &root).is_err(), "{mutated:?}");
    }
    let other_root = flip(root.as_bytes(), bit, RootHash::from_bytes);
    assert_eq!(proof.verify(&all[index], &other_root), Err(ProofError::Root));
    let other_leaf = flip(all[index].as_bytes(), bit, LeafHash::from_bytes);
    assert_eq!(proof.verify(&other_leaf, &root), Err(ProofError::Root));
    for other in (0..all.len() as u64 + 3).filter(|other| *other != index as u64) {
        let mutated = InclusionProof { index: LogIndex(other), ..proof.clone() };
        assert!(mutated.verify(&all[index], &root).is_err(), "{mutated:?}");
    }
    // The root alone does not say the size: another size passes exactly when the way from leaf to
    // root is the same there. A caller takes size and root from one tree head.
    for other in 0..2 * all.len() + 3 {
        let mutated = InclusionProof { size: TreeSize(other as u64), ..proof.clone() };
        let same_way = index < other && path_sides(index, other) == path_sides(index, all.len());
        assert_eq!(mutated.verify(&all[index], &root).is_ok(), same_way, "{mutated:?}");
    }
}

#[test]
fn no_mutated_inclusion_proof_verifies() {
    let all = leaves(34);
    for n in 1..=all.len() {
        for index in 0..n {
            check_inclusion_mutations(&all[..n], index, 7 * n + index);
        }
    }
}

fn check_consistency_mutations(all: &[LeafHash], old: usize, bit: usize) {
    let proof = consistency(old, all);
    let (old_root, new_root) = (mth(&all[..old]), mth(all));
    for hashes in mutations(&proof.hashes, bit) {
        let mutated = ConsistencyProof { hashes, ..proof };
        assert!(mutated.verify(&old_root, &new_root).is_err(), "{mutated:?}");
    }
    let other_old = flip(old_root.as_bytes(), bit, RootHash::from_bytes);
    assert!(proof.verify(&other_old, &new_root).is_err());
    let other_new = flip(new_root.as_bytes(), bit, RootHash::from_bytes);
    // Nothing is said of the new tree when the old one is empty and the new one is not.
    let silent = old == 0 && !all.is_empty();
    assert_eq!(proof.verify(&old_root, &other_new).is_ok(), silent);
    if old > 0 && old < all.len() {
        assert!(proof.verify(&new_root, &old_root).is_err());
        let swapped = ConsistencyProof { old: proof.new, new: proof.old, ..proof.clone() };
        let shrinks = ProofError::Shrinks { old: proof.new, new: proof.old };
        assert_eq!(swapped.verify(&new_root, &old_root), Err(shrinks));
    }
    for other in (1..all.len()).filter(|other| old > 0 && *other != old) {
        let mutated = ConsistencyProof { old: TreeSize(other as u64), ..proof.clone() };
        assert!(mutated.verify(&old_root, &new_root).is_err(), "{mutated:?}");
    }
    for other in (old + 1..2 * all.len() + 3).filter(|_| old > 0 && old < all.len()) {
        let mutated = ConsistencyProof { new: TreeSize(other as u64), ..proof.clone() };
        let sides = |new| subproof_sides(old, new, true);
        let same_way = sides(other) == sides(all.len());
        assert_eq!(mutated.verify(&old_root, &new_root).is_ok(), same_way, "{mutated:?}");
    }
}

#[test]
fn no_mutated_consistency_proof_verifies() {
    let all = leaves(34);
    for new in 0..=all.len() {
        for old in 0..=new {
            check_consistency_mutations(&all[..new], old, 5 * new + old);
        }
    }
}

#[test]
fn proofs_about_nothing_are_refused() {
    let (leaf, root) = (leaves(1)[0], RootHash::empty());
    let proof = InclusionProof { index: LogIndex(0), size: TreeSize(0), hashes: Vec::new() };
    let beyond = ProofError::BeyondTree { index: LogIndex(0), size: TreeSize(0) };
    assert_eq!(proof.verify(&leaf, &root), Err(beyond));
    let proof = ConsistencyProof { old: TreeSize(3), new: TreeSize(5), hashes: Vec::new() };
    assert_eq!(proof.verify(&root, &root), Err(ProofError::Length { hashes: 0 }));
}

proptest! {
    #[test]
    fn mutations_of_larger_trees_do_not_verify(
        n in 1_usize..700, place: usize, bit in 0_usize..256,
    ) {
        let all = leaves(n);
        check_inclusion_mutations(&all, place % n, bit);
        check_consistency_mutations(&all, place % (n + 1), bit);
    }

    /// Sizes, indices and hashes of any kind: an answer, never a panic.
    #[test]
    fn hostile_proofs_are_refused(
        first: u64, second: u64, hashes in prop::collection::vec(any::<[u8; 32]>(), 0..70),
    ) {
        let hashes: Vec<_> = hashes.into_iter().map(NodeHash::from_bytes).collect();
        let root = RootHash::empty();
        for (first, second) in [(first, second), (first & 0xff, second & 0xff), (first, u64::MAX)] {
            let proof = InclusionProof {
                index: LogIndex(first), size: TreeSize(second), hashes: hashes.clone(),
            };
            prop_assert!(proof.verify(&leaves(1)[0], &root).is_err());
            let proof = ConsistencyProof {
                old: TreeSize(first), new: TreeSize(second), hashes: hashes.clone(),
            };
            let same = hashes.is_empty() && (first == second || first == 0);
            prop_assert_eq!(proof.verify(&root, &root).is_ok(), same);
        }
    }
}
