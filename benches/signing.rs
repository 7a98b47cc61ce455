//! The signing core: what one batch costs once it is durable.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a bench stops by panicking")]

use std::hint::black_box;
use std::sync::Arc;

use cairn::publisher::SigningCore;
use cairn::publisher::signer::{FileSigner, KeyKind, Signer};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tlog::{LogIndex, RightEdge, hash_leaf};

const BATCHES: [usize; 4] = [1, 16, 256, 4096];
const BODY_BYTES: usize = 700;

fn signing(c: &mut Criterion) {
    for (name, kind) in [("ecdsa p-256", KeyKind::EcdsaP256), ("ed25519", KeyKind::Ed25519)] {
        let (signer, _) = FileSigner::generate(kind).unwrap();
        let signer = Arc::new(signer);
        let core = SigningCore::rekor_v1(signer.clone(), "log.example", 1);
        let mut group = c.benchmark_group(format!("signing core, {name}"));
        group.sample_size(20);
        // What the rest is held against: it cannot be faster than the key.
        group.throughput(Throughput::Elements(1));
        group.bench_function("the key alone", |b| b.iter(|| signer.sign(&[7; 64]).unwrap()));
        for batch in BATCHES {
            let bodies: Vec<_> = (0..batch).map(body).collect();
            let leaves: Vec<_> = bodies.iter().map(|body| hash_leaf(body)).collect();
            let growth = RightEdge::empty().extend(&leaves);
            group.throughput(Throughput::Elements(batch as u64));
            group.bench_function(BenchmarkId::from_parameter(batch), |b| {
                b.iter(|| {
                    black_box(core.checkpoint(growth.head(), 1_700_000_000).unwrap());
                    for (n, body) in bodies.iter().enumerate() {
                        let index = LogIndex(n as u64);
                        black_box(growth.inclusion_proof(index));
                        black_box(core.entry_timestamp(body, 1_700_000_000, index).unwrap());
                    }
                });
            });
        }
        group.finish();
    }
}

fn body(n: usize) -> Vec<u8> {
    let mut body = vec![b'x'; BODY_BYTES];
    body[..8].copy_from_slice(&n.to_be_bytes());
    body
}

criterion_group!(benches, signing);
criterion_main!(benches);
