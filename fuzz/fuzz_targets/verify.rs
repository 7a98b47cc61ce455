//! Any file is verified without a panic, and against a log that signed nothing nothing is verified:
//! a Sigstore bundle, a bundle of cosign's, an entry of either API, a tlog-proof.
#![no_main]

use cairn::verify::{Artifact, Demand, Request, TrustRoot, verify};
use libfuzzer_sys::fuzz_target;

/// A point of Ed25519 that nobody here signs with: the base point.
const KEY: [u8; 44] = {
    let mut spki = [0x66; 44];
    let head = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00, 0x58];
    let mut at = 0;
    while at < head.len() {
        spki[at] = head[at];
        at += 1;
    }
    spki
};

fuzz_target!(|file: &[u8]| {
    let mut trust = TrustRoot::default();
    trust.add_log_key("nobody's", &KEY).unwrap();
    let mut demand = Demand::default();
    demand.any_identity = true;
    let artifact = Artifact::of(b"an artifact".to_vec());
    for leaf in [None, Some(&b"an entry"[..])] {
        let report = verify(&Request {
            file,
            leaf,
            artifact: Some(&artifact),
            trust: &trust,
            demand: &demand,
            policy: None,
            now: 0,
        });
        assert!(!report.is_verified(), "{:#?}", report.lines());
    }
});
