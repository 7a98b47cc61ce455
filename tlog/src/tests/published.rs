//! Published vectors of RFC 6962 trees: the eight leaves, roots and proofs that the reference
//! implementation of Certificate Transparency has in its tests (google/certificate-transparency,
//! `cpp/merkletree/merkle_tree_test.cc`; the same in transparency-dev/merkle, `testonly`).

use crate::{
    ConsistencyProof, InclusionProof, LeafHash, LogIndex, NodeHash, RightEdge, RootHash, TreeSize,
    hash_leaf,
};

const LEAVES: [&str; 8] = [
    "",
    "00",
    "10",
    "2021",
    "3031",
    "40414243",
    "5051525354555657",
    "606162636465666768696a6b6c6d6e6f",
];

/// The roots of 0 to 8 leaves.
const ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

const LEAF_0: &str = ROOTS[1];
const LEAF_1: &str = "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7";
const LEAF_4: &str = "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b";
const LEAVES_2_3: &str = "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e";
const LEAVES_4_5: &str = "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a";
const LEAVES_6_7: &str = "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0";
const LEAVES_4_7: &str = "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4";

/// Index, size, hashes.
const INCLUSION: [(u64, u64, &[&str]); 5] = [
    (0, 1, &[]),
    (0, 8, &[LEAF_1, LEAVES_2_3, LEAVES_4_7]),
    (5, 8, &[LEAF_4, LEAVES_6_7, ROOTS[4]]),
    (2, 3, &[ROOTS[2]]),
    (1, 5, &[LEAF_0, LEAVES_2_3, LEAF_4]),
];

/// Old size, new size, hashes.
const CONSISTENCY: [(u64, u64, &[&str]); 4] = [
    (1, 1, &[]),
    (1, 8, &[LEAF_1, LEAVES_2_3, LEAVES_4_7]),
    (6, 8, &[LEAVES_4_5, LEAVES_6_7, ROOTS[4]]),
    (2, 5, &[LEAVES_2_3, LEAF_4]),
];

fn published_leaves() -> Vec<LeafHash> {
    LEAVES.iter().map(|leaf| hash_leaf(&hex::decode(leaf).unwrap())).collect()
}

fn root(size: u64) -> RootHash {
    RootHash::from_hex(ROOTS[usize::try_from(size).unwrap()]).unwrap()
}

fn hashes(hashes: &[&str]) -> Vec<NodeHash> {
    hashes.iter().map(|hash| NodeHash::from_hex(hash).unwrap()).collect()
}

#[test]
fn roots_are_the_published_ones() {
    let leaves = published_leaves();
    for size in 0..ROOTS.len() {
        let head = RightEdge::empty().extend(&leaves[..size]).head();
        assert_eq!(head.root, root(size as u64));
    }
}

#[test]
fn inclusion_proofs_are_the_published_ones() {
    let leaves = published_leaves();
    for (index, size, expected) in INCLUSION {
        let place = usize::try_from(index).unwrap();
        let tree = &leaves[..usize::try_from(size).unwrap()];
        let (index, size_) = (LogIndex(index), TreeSize(size));
        let proof = InclusionProof { index, size: size_, hashes: hashes(expected) };
        assert_eq!(proof.verify(&leaves[place], &root(size)), Ok(()));
        assert_eq!(RightEdge::empty().extend(tree).inclusion_proof(index), Some(proof));
    }
}

#[test]
fn consistency_proofs_are_the_published_ones() {
    let leaves: Vec<_> = published_leaves().iter().map(|leaf| leaf.to_node()).collect();
    for (old, new, expected) in CONSISTENCY {
        let proof =
            ConsistencyProof { old: TreeSize(old), new: TreeSize(new), hashes: hashes(expected) };
        assert_eq!(proof.verify(&root(old), &root(new)), Ok(()));
        let plan = crate::ConsistencyPlan::new(proof.old, proof.new).unwrap();
        let tile = &leaves[..usize::try_from(new).unwrap()];
        assert_eq!(plan.build(&vec![tile; plan.wanted().len()]), Ok(proof));
    }
}
