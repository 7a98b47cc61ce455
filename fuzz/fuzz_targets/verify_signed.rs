//! Timestamps, certificates and SCTs of any bytes are judged without a panic. The bundle around
//! them has an entry of a log that is not trusted, which does not keep the rest from being looked
//! at.
#![no_main]

use cairn::verify::{Artifact, Demand, Request, TrustRoot, verify};
use cairn_fuzz::{encode, parts};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

fuzz_target!(|input: &[u8]| {
    let Some([certificate, timestamp, body, authority]) = parts(input) else { return };
    let raw = |der: &[u8]| json!({ "rawBytes": encode(der) });
    let bundle = json!({
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": {
            "certificate": raw(certificate),
            "tlogEntries": [{
                "logIndex": "0",
                "logId": { "keyId": encode(&[0; 32]) },
                "canonicalizedBody": encode(body),
            }],
            "timestampVerificationData": {
                "rfc3161Timestamps": [{ "signedTimestamp": encode(timestamp) }],
            },
        },
        "messageSignature": { "signature": encode(b"a signature") },
    });
    let named = |uri: &str| {
        json!({
            "uri": uri,
            "certChain": { "certificates": [raw(authority)] },
            "validFor": { "start": "1970-01-01T00:00:00Z" },
        })
    };
    let root = json!({
        "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
        "certificateAuthorities": [named("ca")],
        "timestampAuthorities": [named("tsa")],
        "ctlogs": [{
            "publicKey": {
                "rawBytes": encode(authority),
                "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                "validFor": { "start": "1970-01-01T00:00:00Z" },
            },
            "logId": { "keyId": encode(&[7; 32]) },
        }],
    });
    let root = TrustRoot::parse(root.to_string().as_bytes()).unwrap_or_default();
    let mut demand = Demand::default();
    demand.any_identity = true;
    let report = verify(&Request {
        file: bundle.to_string().as_bytes(),
        leaf: None,
        artifact: Some(&Artifact::of(Vec::new())),
        trust: &root,
        demand: &demand,
        policy: None,
        now: 0,
    });
    assert!(!report.is_verified());
});
