//! Any signature and key of minisign, signify and OpenSSH are judged without a panic, and both ways
//! of judging agree. A key that an entry is made with is one that can be searched for.
#![no_main]

mod base64;

use base64::encode;
use cairn::admission::{Policy, Proposal, admit, leaf_hash_of, public_key_index_keys};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

fuzz_target!(|input: (bool, bool, &[u8], &[u8], &[u8])| {
    let (ssh, framed, content, signature, key) = input;
    let format = if ssh { "ssh" } else { "minisign" };
    // Half of the inputs are what is inside the outer encodings, which a fuzzer finds hard to make.
    let (signature, key) = match (framed, ssh) {
        (false, _) => (signature.to_vec(), key.to_vec()),
        (true, true) => {
            let begin = "-----BEGIN SSH SIGNATURE-----";
            let end = "-----END SSH SIGNATURE-----";
            let signature = format!("{begin}\n{}\n{end}\n", encode(signature));
            (signature.into_bytes(), format!("ssh-ed25519 {}", encode(key)).into_bytes())
        }
        (true, false) => {
            let signature = format!("untrusted comment:\n{}\n", encode(signature));
            (signature.into_bytes(), format!("c\n{}\n", encode(key)).into_bytes())
        }
    };
    let value = json!({"kind": "rekord", "apiVersion": "0.0.1", "spec": {
        "data": {"content": encode(content)},
        "signature": {"format": format, "content": encode(&signature),
                      "publicKey": {"content": encode(&key)}},
    }});
    let keys = public_key_index_keys(format, &key);
    let Ok(proposal) = Proposal::from_value(value) else { return };
    let leaf = leaf_hash_of(&proposal, &Policy::default());
    if let Ok(entry) = admit(&proposal.into(), &Policy::default()) {
        assert_eq!(leaf.ok(), Some(entry.leaf_hash()));
        assert!(keys.is_ok_and(|keys| entry.index_keys().contains(&keys[0])));
    }
});
