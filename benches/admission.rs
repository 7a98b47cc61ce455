//! Admission: what an entry costs before it may enter; nearly all of it is the signature.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a bench stops by panicking")]

use std::hint::black_box;

use cairn::admission::{Policy, Proposal, admit, leaf_hash_of};
use criterion::{Criterion, criterion_group, criterion_main};

#[path = "../tests/support/mod.rs"]
mod support;

fn admission(c: &mut Criterion) {
    let policy = Policy::default();
    let mut proposals = support::Proposals::new();
    let cases = [
        ("hashedrekord", proposals.next_json()),
        ("rekord, 1 KiB", proposals.rekord_json(&[b'x'; 1024])),
        ("dsse, 1 KiB", proposals.dsse_json(&[b'x'; 1024])),
    ];
    let mut group = c.benchmark_group("admission");
    for (name, json) in &cases {
        group.bench_function(*name, |b| {
            b.iter(|| {
                let proposal = Proposal::from_json(black_box(json.as_bytes())).unwrap();
                admit(&proposal.into(), &policy).unwrap()
            });
        });
        group.bench_function(format!("{name}, parsing alone"), |b| {
            b.iter(|| Proposal::from_json(black_box(json.as_bytes())).unwrap());
        });
    }
    group.finish();
}

/// The stored form of a dsse entry holds no envelope, so no signature is verified: what is left is
/// decoding, canonicalising and the leaf hash.
fn canonicalisation(c: &mut Criterion) {
    let policy = Policy::default();
    let json = support::Proposals::new().dsse_json(b"payload");
    let entry = admit(&Proposal::from_json(json.as_bytes()).unwrap().into(), &policy).unwrap();
    let stored = Proposal::from_json(entry.body()).unwrap();
    assert_eq!(leaf_hash_of(&stored, &policy).unwrap(), entry.leaf_hash());
    c.bench_function("canonicalisation of a stored dsse entry", |b| {
        b.iter(|| leaf_hash_of(black_box(&stored), &policy).unwrap());
    });
}

criterion_group!(benches, admission, canonicalisation);
criterion_main!(benches);
