//! Plans over tiles: the proofs of the recursive definitions, at every size that there can be.

use std::ops::Range;

use proptest::prelude::*;

use super::oracle::{Store, consistency, inclusion, leaves, mth};
use crate::range::subtree_root;
use crate::{
    ConsistencyPlan, HashRange, Hashes, InclusionPlan, LogIndex, NodeHash, ProofError, RightEdge,
    RootPlan, Tile, TreeSize, hash_children, hash_leaf,
};

struct Remembered(Tile);

impl Hashes for Remembered {
    fn count(&self) -> usize {
        self.0.hashes().len()
    }

    fn subtree(&self, part: Range<usize>) -> Option<NodeHash> {
        self.0.subtree(part)
    }
}

fn store_of(leaf_count: usize) -> Store {
    let mut store = Store::default();
    store.append(&RightEdge::empty().extend(&leaves(leaf_count)));
    store
}

/// Leaves and tree sizes worth trying at a size: all of them in small trees.
fn places(n: usize) -> Vec<usize> {
    if n <= 130 {
        return (0..n).collect();
    }
    let tile = n / 256 * 256;
    let mut places = vec![0, 1, n / 3, n / 2, n - 2, n - 1, tile, tile.saturating_sub(1)];
    places.retain(|place| *place < n);
    places
}

#[test]
fn planned_proofs_are_those_of_the_definition() {
    let all = leaves(1_100);
    let store = store_of(all.len());
    for n in 0..=all.len() {
        let (size, tree) = (TreeSize(n as u64), &all[..n]);
        for place in places(n) {
            let plan = InclusionPlan::new(LogIndex(place as u64), size).unwrap();
            let proof = plan.build(&store.answers(plan.wanted(), size));
            assert_eq!(proof, Ok(inclusion(place, tree)), "{place} in {n}");
            let plan = ConsistencyPlan::new(TreeSize(place as u64), size).unwrap();
            let proof = plan.build(&store.answers(plan.wanted(), size));
            assert_eq!(proof, Ok(consistency(place, tree)), "{place} to {n}");
        }
        let plan = ConsistencyPlan::new(size, size).unwrap();
        assert_eq!(plan.wanted(), []);
        assert_eq!(plan.build(&[] as &[Vec<NodeHash>]), Ok(consistency(n, tree)));
    }
}

#[test]
fn three_levels_of_tiles_prove_the_same() {
    let n = 2 * 65_536 + 3 * 256 + 77;
    let (all, size, store) = (leaves(n), TreeSize(n as u64), store_of(n));
    let root = mth(&all);
    for place in [0, 255, 256, 65_535, 65_536, 131_071, 131_072, 131_840, n - 78, n - 1] {
        let plan = InclusionPlan::new(LogIndex(place as u64), size).unwrap();
        let proof = plan.build(&store.answers(plan.wanted(), size)).unwrap();
        assert_eq!(proof, inclusion(place, &all));
        let plan = ConsistencyPlan::new(TreeSize(place as u64), size).unwrap();
        let proof = plan.build(&store.answers(plan.wanted(), size)).unwrap();
        assert_eq!(proof, consistency(place, &all));
        assert_eq!(proof.verify(&mth(&all[..place]), &root), Ok(()));
    }
}

#[test]
fn a_tile_that_remembers_proves_the_same() {
    let all = leaves(1_100);
    let store = store_of(all.len());
    for n in [1, 2, 3, 130, 255, 256, 257, 511, 700, 1_024, 1_100] {
        let size = TreeSize(n as u64);
        for place in 0..n {
            let plan = InclusionPlan::new(LogIndex(place as u64), size).unwrap();
            let answers = store.answers(plan.wanted(), size);
            let tiles = answers.iter().map(|answer| Remembered(Tile::new(answer.clone())));
            let tiles: Vec<_> = tiles.collect();
            assert_eq!(plan.build(&tiles), plan.build(&answers), "{place} in {n}");
        }
    }
}

#[test]
fn a_tile_holds_the_roots_of_its_complete_subtrees_alone() {
    for width in [1, 2, 3, 77, 128, 255, 256] {
        let hashes: Vec<_> = leaves(width).iter().map(|leaf| leaf.to_node()).collect();
        let tile = Tile::new(hashes.clone());
        for (start, length) in (0..=260).flat_map(|start| (0..=260).map(move |l| (start, l))) {
            let part = start..start + length;
            let whole = usize::is_power_of_two(length) && start % length == 0;
            let expected = hashes.get(part.clone()).filter(|_| whole).and_then(subtree_root);
            assert_eq!(tile.subtree(part.clone()), expected, "{part:?} of {width}");
        }
    }
}

#[test]
fn plans_refuse_what_is_not_there() {
    let (index, size) = (LogIndex(7), TreeSize(7));
    let error = InclusionPlan::new(index, size).unwrap_err();
    assert_eq!(error, ProofError::BeyondTree { index, size });
    let error = ConsistencyPlan::new(TreeSize(8), size).unwrap_err();
    assert_eq!(error, ProofError::Shrinks { old: TreeSize(8), new: size });
}

#[test]
fn plans_refuse_wrong_answers() {
    let (size, store) = (TreeSize(700), store_of(700));
    let plan = InclusionPlan::new(LogIndex(300), size).unwrap();
    let answers = store.answers(plan.wanted(), size);
    assert!(plan.build(&answers).is_ok());
    assert_eq!(plan.build(&answers[1..]), Err(ProofError::Answers));
    assert_eq!(plan.build(&[answers.clone(), answers.clone()].concat()), Err(ProofError::Answers));
    for place in 0..answers.len() {
        let mut short = answers.clone();
        short[place].pop();
        assert_eq!(plan.build(&short), Err(ProofError::Answers));
        let mut long = answers.clone();
        let last = long[place][0];
        long[place].push(last);
        assert_eq!(plan.build(&long), Err(ProofError::Answers));
    }
}

/// A log whose leaves are all the same can be as large as logs can get: all complete nodes of a
/// level are equal.
struct Uniform(Vec<NodeHash>);

impl Uniform {
    fn new() -> Self {
        let mut nodes = vec![hash_leaf(b"the same").to_node()];
        while nodes.len() < 64 {
            nodes.extend(nodes.last().map(|node| hash_children(node, node)));
        }
        Self(nodes)
    }

    fn answers(&self, wanted: &[HashRange]) -> Vec<Vec<NodeHash>> {
        wanted.iter().map(|range| vec![self.0[8 * usize::from(range.level)]; range.count]).collect()
    }

    fn edge(&self, size: TreeSize) -> RightEdge {
        let bits = (0..64).rev().filter(|bit| size.0 >> bit & 1 == 1);
        RightEdge::new(size, bits.map(|bit| self.0[bit]).collect()).unwrap()
    }
}

fn check_uniform(log: &Uniform, old: TreeSize, new: TreeSize) {
    let (old_head, new_head) = (log.edge(old).head(), log.edge(new).head());
    let rebuilt = RightEdge::from_hashes(new, &log.answers(&RightEdge::wanted(new)));
    assert_eq!(rebuilt, Ok(log.edge(new)));
    let plan = RootPlan::new(new);
    assert_eq!(plan.build(&log.answers(plan.wanted())), Ok(new_head.root));

    let plan = ConsistencyPlan::new(old, new).unwrap();
    let proof = plan.build(&log.answers(plan.wanted())).unwrap();
    assert_eq!(proof.verify(&old_head.root, &new_head.root), Ok(()));
    if new.covers(LogIndex(old.0)) {
        let plan = InclusionPlan::new(LogIndex(old.0), new).unwrap();
        let proof = plan.build(&log.answers(plan.wanted())).unwrap();
        assert_eq!(proof.verify(&hash_leaf(b"the same"), &new_head.root), Ok(()));
        let batch = vec![hash_leaf(b"the same"); (new.0 - old.0).min(3) as usize];
        let extension = log.edge(old).extend(&batch);
        let grown = TreeSize(old.0 + batch.len() as u64);
        assert_eq!(extension.edge(), &log.edge(grown));
        let ours = extension.inclusion_proof(LogIndex(old.0)).unwrap();
        let plan = InclusionPlan::new(LogIndex(old.0), grown).unwrap();
        assert_eq!(Ok(ours), plan.build(&log.answers(plan.wanted())));
    }
}

#[test]
fn the_largest_trees_are_proven_too() {
    let log = Uniform::new();
    let edges = [0, 1, 2, 255, 256, 1 << 32, (1 << 56) - 1, 1 << 56, 1 << 62, (1 << 63) - 1];
    let top = [1 << 63, (1 << 63) + 1, u64::MAX - 256, u64::MAX - 1, u64::MAX];
    let sizes: Vec<_> = edges.into_iter().chain(top).map(TreeSize).collect();
    for (place, new) in sizes.iter().enumerate() {
        for old in &sizes[..=place] {
            check_uniform(&log, *old, *new);
        }
    }
}

proptest! {
    #[test]
    fn any_two_sizes_are_consistent(first: u64, second: u64, shift in 0_u32..64) {
        let (first, second) = (first >> shift, second >> shift);
        let (old, new) = (first.min(second), first.max(second));
        check_uniform(&Uniform::new(), TreeSize(old), TreeSize(new));
    }
}
