//! Any OpenPGP signature and key are judged without a panic, and both ways of judging agree. A key
//! that an entry is made with is one that can be searched for.
#![no_main]

mod base64;

use base64::encode;
use cairn::admission::{Policy, Proposal, admit, leaf_hash_of, public_key_index_keys};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

fuzz_target!(|input: (&[u8], &[u8], &[u8])| {
    let (content, signature, key) = input;
    let value = json!({"kind": "rekord", "apiVersion": "0.0.1", "spec": {
        "data": {"content": encode(content)},
        "signature": {"format": "pgp", "content": encode(signature),
                      "publicKey": {"content": encode(key)}},
    }});
    let keys = public_key_index_keys("pgp", key);
    let Ok(proposal) = Proposal::from_value(value) else { return };
    let leaf = leaf_hash_of(&proposal, &Policy::default());
    if let Ok(entry) = admit(&proposal.into(), &Policy::default()) {
        assert_eq!(leaf.ok(), Some(entry.leaf_hash()));
        assert!(keys.is_ok_and(|keys| entry.index_keys().contains(&keys[0])));
    }
});
