//! Admission: what an entry costs before it may enter; nearly all of it is the signature.

use std::hint::black_box;

use cairn::admission::{Policy, Proposal, admit};
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
                admit(&proposal, &policy).unwrap()
            });
        });
        group.bench_function(format!("{name}, parsing alone"), |b| {
            b.iter(|| Proposal::from_json(black_box(json.as_bytes())).unwrap());
        });
    }
    group.finish();
}

/// The body of a hashedrekord, read and written again in canonical form by the crate that
/// admission uses.
fn canonicalisation(c: &mut Criterion) {
    let json = support::Proposals::new().next_json();
    let entry = admit(&Proposal::from_json(json.as_bytes()).unwrap(), &Policy::default()).unwrap();
    let value: serde_json::Value = serde_json::from_slice(entry.body()).unwrap();
    c.bench_function("canonicalisation of a hashedrekord body", |b| {
        b.iter(|| cairn::admission::canonical_json(black_box(&value)));
    });
}

criterion_group!(benches, admission, canonicalisation);
criterion_main!(benches);
