//! Admission: what an entry costs before it may enter; nearly all of it is the signature.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a bench stops by panicking")]

use std::hint::black_box;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cairn::admission::{Accepts, Policy, Proposal, admit, leaf_hash_of};
use cairn::frontend::read_request;
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

/// The same for Rekor v2; with a certificate as large as Fulcio's.
fn admission_v2(c: &mut Criterion) {
    let policy = Policy::of(Accepts::RekorV2);
    let mut proposals = support::Proposals::new();
    let cases = [
        ("hashedrekord", proposals.next_v2_json()),
        ("hashedrekord with a certificate", certified()),
        ("dsse, 1 KiB", proposals.dsse_v2_json(&[b'x'; 1024])),
    ];
    let mut group = c.benchmark_group("admission v2");
    for (name, json) in &cases {
        group.bench_function(*name, |b| {
            b.iter(|| {
                let request = read_request(black_box(json.as_bytes())).unwrap();
                admit(&request.into(), &policy).unwrap()
            });
        });
        group.bench_function(format!("{name}, parsing alone"), |b| {
            b.iter(|| read_request(black_box(json.as_bytes())).unwrap());
        });
    }
    group.finish();
}

/// A request by a key in a certificate of some 2 kB.
fn certified() -> String {
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let uri = "https://github.com/some/project/.github/workflows/release.yml@refs/tags/v1.0.0";
    let mut params = rcgen::CertificateParams::default();
    params.subject_alt_names = vec![rcgen::SanType::URI(uri.try_into().unwrap())];
    for n in 1..20 {
        let oid = [1, 3, 6, 1, 4, 1, 57264, 1, n];
        let extension = rcgen::CustomExtension::from_oid_content(&oid, uri.into());
        params.custom_extensions.push(extension);
    }
    let der = params.self_signed(&key).unwrap().der().to_vec();
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &key.serialize_der());
    let content = key.unwrap().sign(&SystemRandom::new(), b"artifact").unwrap();
    let encode = |bytes: &[u8]| STANDARD.encode(bytes);
    let verifier = serde_json::json!({
        "x509Certificate": {"rawBytes": encode(&der)}, "keyDetails": "PKIX_ECDSA_P256_SHA_256"});
    let signature = serde_json::json!({"content": encode(content.as_ref()), "verifier": verifier});
    let digest = encode(digest(&SHA256, b"artifact").as_ref());
    let request = serde_json::json!({"digest": digest, "signature": signature});
    serde_json::json!({"hashedRekordRequestV002": request}).to_string()
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

criterion_group!(benches, admission, admission_v2, canonicalisation);
criterion_main!(benches);
