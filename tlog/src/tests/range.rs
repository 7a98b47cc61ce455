//! Growing: every size, every split into batches, every appended leaf's proof.

use proptest::prelude::*;

use super::oracle::{Store, inclusion, leaves, mth, rs_merkle_tree};
use crate::{
    EdgeError, InclusionPlan, LogIndex, NodeHash, RightEdge, RootHash, RootPlan, TreeHead, TreeSize,
};

fn size(leaves: usize) -> TreeSize {
    TreeSize(leaves as u64)
}

#[test]
fn every_size_has_the_roots_of_both_oracles() {
    let all = leaves(1_100);
    let mut edge = RightEdge::empty();
    assert_eq!(edge.head(), TreeHead::empty());
    let mut store = Store::default();
    for n in 1..=all.len() {
        let extension = edge.extend(&all[n - 1..n]);
        store.append(&extension);
        edge = extension.edge().clone();
        let root = mth(&all[..n]);
        assert_eq!(extension.head(), TreeHead { size: size(n), root });
        assert_eq!(edge.head(), extension.head());
        assert_eq!(RightEdge::empty().extend(&all[..n]).edge(), &edge);
        let theirs = rs_merkle_tree(&all[..n]).root().map(RootHash::from_bytes);
        assert_eq!(theirs, Some(root), "rs_merkle at {n}");

        let rebuilt =
            RightEdge::from_hashes(size(n), &store.answers(&RightEdge::wanted(size(n)), size(n)));
        assert_eq!(rebuilt.as_ref(), Ok(&edge));
        let plan = RootPlan::new(size(n));
        assert_eq!(plan.build(&store.answers(plan.wanted(), size(n))), Ok(root));
    }
}

#[test]
fn every_batch_of_a_small_tree_proves_its_leaves() {
    let all = leaves(130);
    let edges: Vec<RightEdge> =
        (0..=all.len()).map(|n| RightEdge::empty().extend(&all[..n]).edge().clone()).collect();
    for new in 0..=all.len() {
        let naive: Vec<_> = (0..new).map(|index| inclusion(index, &all[..new])).collect();
        let root = mth(&all[..new]);
        for old in 0..=new {
            let extension = edges[old].extend(&all[old..new]);
            assert_eq!(extension.old_size(), size(old));
            assert_eq!(extension.edge(), &edges[new]);
            for index in 0..=new {
                let proof = extension.inclusion_proof(LogIndex(index as u64));
                let appended = (old..new).contains(&index);
                assert_eq!(proof.as_ref(), appended.then(|| &naive[index]));
                assert!(proof.is_none_or(|proof| proof.verify(&all[index], &root).is_ok()));
            }
        }
    }
}

#[test]
fn an_empty_batch_changes_nothing() {
    for n in [0, 1, 5, 256, 777] {
        let edge = RightEdge::empty().extend(&leaves(n)).edge().clone();
        let extension = edge.extend(&[]);
        assert_eq!((extension.edge(), extension.head()), (&edge, edge.head()));
        assert_eq!(extension.stored_hashes(), []);
    }
}

#[test]
fn an_edge_has_one_node_for_each_bit_of_the_size() {
    let edge = RightEdge::empty().extend(&leaves(7)).edge().clone();
    assert_eq!(edge.nodes().len(), 3);
    assert_eq!(RightEdge::new(TreeSize(7), edge.nodes().to_vec()), Ok(edge.clone()));
    let error = EdgeError::NodeCount { size: TreeSize(8), wanted: 1, given: 3 };
    assert_eq!(RightEdge::new(TreeSize(8), edge.nodes().to_vec()), Err(error));
}

#[test]
fn an_edge_is_not_rebuilt_from_wrong_answers() {
    let (n, all) = (size(70_000), leaves(70_000));
    let mut store = Store::default();
    store.append(&RightEdge::empty().extend(&all));
    let wanted = RightEdge::wanted(n);
    // The widths of this tree's partial tiles are an example of the specification.
    let widths: Vec<_> = wanted.iter().map(|range| (range.level, range.count)).collect();
    assert_eq!(widths, [(0, 112), (1, 17), (2, 1)]);
    let answers = store.answers(&wanted, n);
    assert_eq!(RightEdge::from_hashes(n, &answers).unwrap().head().root, mth(&all));
    for place in 0..answers.len() {
        let mut short = answers.clone();
        short[place].pop();
        assert_eq!(RightEdge::from_hashes(n, &short), Err(EdgeError::Answers { size: n }));
        let mut long = answers.clone();
        long[place].push(NodeHash::from_bytes([0; 32]));
        assert_eq!(RightEdge::from_hashes(n, &long), Err(EdgeError::Answers { size: n }));
    }
    let missing = RightEdge::from_hashes(n, &answers[1..]);
    assert_eq!(missing, Err(EdgeError::Answers { size: n }));
}

/// Grows a log batch by batch and checks what each batch says of some of its leaves.
fn check_growth(batches: &[usize], pick: usize) {
    let all = leaves(batches.iter().sum());
    let (mut edge, mut store, mut old) = (RightEdge::empty(), Store::default(), 0);
    for batch in batches {
        let new = old + batch;
        let extension = edge.extend(&all[old..new]);
        store.append(&extension);
        let head = extension.head();
        for index in [old, old + pick % batch.max(&1), new.saturating_sub(1)] {
            let proof = extension.inclusion_proof(LogIndex(index as u64));
            assert_eq!(proof.is_some(), (old..new).contains(&index));
            let Some(proof) = proof else { continue };
            proof.verify(&all[index], &head.root).unwrap();
            let plan = InclusionPlan::new(proof.index, proof.size).unwrap();
            let planned = plan.build(&store.answers(plan.wanted(), head.size));
            assert_eq!(planned.as_ref(), Ok(&proof));
        }
        let answers = store.answers(&RightEdge::wanted(head.size), head.size);
        assert_eq!(RightEdge::from_hashes(head.size, &answers).as_ref(), Ok(extension.edge()));
        (edge, old) = (extension.edge().clone(), new);
    }
    assert_eq!(edge.head().root, mth(&all));
    check_stored(&store, &all);
    if let Some(index) = all.len().checked_sub(1).map(|last| pick % (last + 1)) {
        let tree = rs_merkle_tree(&all);
        assert_eq!(tree.root().map(RootHash::from_bytes), Some(edge.head().root));
        let theirs = tree.proof(&[index]);
        let theirs = theirs.proof_hashes().iter().copied().map(NodeHash::from_bytes);
        let plan = InclusionPlan::new(LogIndex(index as u64), size(all.len())).unwrap();
        let ours = plan.build(&store.answers(plan.wanted(), size(all.len()))).unwrap();
        assert_eq!(ours.hashes, theirs.collect::<Vec<_>>());
    }
}

/// Every stored hash is the tree hash of the leaves below it, and none is missing.
fn check_stored(store: &Store, all: &[crate::LeafHash]) {
    for level in 0..8 {
        let below = 256_usize.pow(level);
        let expected: Vec<_> = all.chunks_exact(below).map(mth).collect();
        let stored = store.level(level as usize).iter().map(|hash| hash.to_root());
        assert!(stored.eq(expected), "level {level} of {} leaves", all.len());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn any_batches_grow_the_same_tree(
        batches in prop::collection::vec(
            prop_oneof![0_usize..4, 0_usize..300, Just(256), Just(512), 250_usize..1_500],
            0..12,
        ),
        pick: usize,
    ) {
        check_growth(&batches, pick);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4))]
    #[test]
    fn large_trees_grow_the_same(
        first in 0_usize..600_000, second in 0_usize..396_000, pick: usize,
    ) {
        check_growth(&[first, second, 4_000], pick);
    }
}
