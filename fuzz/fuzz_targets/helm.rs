//! Any provenance file is judged without a panic, whatever the key, and both ways of judging agree
//! on the leaf.
#![no_main]

mod base64;

use base64::encode;
use cairn::admission::{Policy, Proposal, admit, leaf_hash_of};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

fuzz_target!(|input: (&[u8], &[u8])| {
    let spec = json!({"chart": {"provenance": {"content": encode(input.0)}},
        "publicKey": {"content": encode(input.1)}});
    let value = json!({"kind": "helm", "apiVersion": "0.0.1", "spec": spec});
    let Ok(proposal) = Proposal::from_value(value) else { return };
    let leaf = leaf_hash_of(&proposal, &Policy::default());
    if let Ok(entry) = admit(&proposal.into(), &Policy::default()) {
        assert_eq!(leaf.ok(), Some(entry.leaf_hash()));
    }
});
