//! Tree extension and proofs: batches appended to a tree of 1,000,003 leaves, beside `rs_merkle`.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a bench stops by panicking")]

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use std::hint::black_box;
use tlog::{LeafHash, LogIndex, NodeHash, RightEdge, TreeSize, hash_leaf};

const BATCHES: [usize; 4] = [1, 16, 256, 4096];
const SIZE: u64 = 1_000_003;

/// RFC 6962 hashing for the oracle.
#[derive(Clone)]
struct Rfc6962;

impl rs_merkle::Hasher for Rfc6962 {
    type Hash = [u8; 32];
    fn hash(data: &[u8]) -> [u8; 32] {
        *hash_leaf(data).as_bytes()
    }
    fn concat_and_hash(left: &[u8; 32], right: Option<&[u8; 32]>) -> [u8; 32] {
        let node = |hash: &[u8; 32]| NodeHash::from_bytes(*hash);
        right.map_or(*left, |right| *tlog::hash_children(&node(left), &node(right)).as_bytes())
    }
}

fn edge() -> RightEdge {
    let nodes = (0..SIZE.count_ones()).map(|n| hash_leaf(&n.to_be_bytes()).to_node());
    RightEdge::new(TreeSize(SIZE), nodes.collect()).unwrap()
}

fn leaves(count: usize) -> Vec<LeafHash> {
    (0..count).map(|n| hash_leaf(&n.to_be_bytes())).collect()
}

fn extension(c: &mut Criterion) {
    let mut group = c.benchmark_group("merkle extension");
    let edge = edge();
    for batch in BATCHES {
        let leaves = leaves(batch);
        group.throughput(Throughput::Elements(batch as u64));
        group.bench_with_input(BenchmarkId::new("tlog", batch), &leaves, |b, leaves| {
            b.iter(|| edge.extend(black_box(leaves)).head());
        });
        let hashes: Vec<_> = leaves.iter().map(|leaf| *leaf.as_bytes()).collect();
        group.bench_with_input(BenchmarkId::new("rs_merkle", batch), &hashes, |b, hashes| {
            b.iter(|| {
                // It keeps whole trees, so it starts from an empty one: the smaller work.
                let mut tree = rs_merkle::MerkleTree::<Rfc6962>::new();
                tree.append(&mut black_box(hashes.clone())).commit();
                tree.root()
            });
        });
    }
    group.finish();
}

fn proofs(c: &mut Criterion) {
    let mut group = c.benchmark_group("inclusion proofs from memory");
    for batch in BATCHES {
        let growth = edge().extend(&leaves(batch));
        group.throughput(Throughput::Elements(batch as u64));
        group.bench_function(BenchmarkId::from_parameter(batch), |b| {
            b.iter(|| {
                for n in 0..batch as u64 {
                    black_box(growth.inclusion_proof(LogIndex(SIZE + n)));
                }
            });
        });
    }
    group.finish();
}

fn leaf_hashes(c: &mut Criterion) {
    let body = vec![b'x'; 700];
    c.bench_function("leaf hash of 700 bytes", |b| b.iter(|| hash_leaf(black_box(&body))));
}

criterion_group!(benches, leaf_hashes, extension, proofs);
criterion_main!(benches);
