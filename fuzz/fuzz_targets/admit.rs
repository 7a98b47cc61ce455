//! Any spec of any kind is judged without a panic, and both ways of judging agree on the leaf.
#![no_main]

use cairn::admission::{Policy, Proposal, admit, attestation_key, leaf_hash_of};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

const KINDS: [(&str, &str); 7] = [
    ("hashedrekord", "0.0.1"),
    ("dsse", "0.0.1"),
    ("intoto", "0.0.1"),
    ("intoto", "0.0.2"),
    ("rekord", "0.0.1"),
    ("helm", "0.0.1"),
    ("rpm", "0.0.1"),
];

fuzz_target!(|input: (u8, &str)| {
    let (kind, version) = KINDS[usize::from(input.0) % KINDS.len()];
    let Ok(spec) = serde_json::from_str::<serde_json::Value>(input.1) else { return };
    let value = json!({"kind": kind, "apiVersion": version, "spec": spec});
    let Ok(proposal) = Proposal::from_value(value) else { return };
    let policy = Policy { attestation_bytes_max: Some(1 << 16), ..Policy::default() };
    let leaf = leaf_hash_of(&proposal, &policy);
    if let Ok(entry) = admit(&proposal.clone().into(), &policy) {
        assert_eq!(leaf.ok(), Some(entry.leaf_hash()));
        let _ = attestation_key(entry.body());
    }
});
