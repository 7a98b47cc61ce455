//! What a real Rekor 1.5.4 stored for rekord entries with keys of minisign, signify and OpenSSH.
//!
//! The vectors are not part of this repository; without them the test says that it is skipped.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};

use super::golden::{Files, vectors};
use super::signer::admitted;
use crate::admission::base64::encode;
use crate::admission::public_key_index_keys;

const MINISIGN: &str = "pkg/pki/minisign/testdata";
const SSH: &str = "pkg/pki/ssh/testdata";

/// Leaf hashes, of one only the start: content, signature, key, format.
const ENTRIES: &[(&str, [&str; 3], &str, &str)] = &[
    (
        "f8d7066c978aaad47e8511656a5930afca3a7cd2de9f29dd227a5c2a11bcd2c6",
        ["hello_world.txt", "hello_world.txt.minisig", "minisign.pub"],
        "minisign",
        MINISIGN,
    ),
    (
        "f8d7066c978aaad47e8511656a5930afca3a7cd2de9f29dd227a5c2a11bcd2c6",
        ["hello_world.txt", "hello_world.txt.minisig", "minisign_key_only.pub"],
        "minisign",
        MINISIGN,
    ),
    (
        "cc9f93fddd8739b8",
        ["hello_world.txt", "hello_world_hashed.txt.minisig", "minisign_hashed.pub"],
        "minisign",
        MINISIGN,
    ),
    (
        "610f7060629fd807b5461e9e634f79e28fc9668ede945da53b10c647c4dba331",
        ["hello_world.txt", "hello_world.txt.signify", "signify.pub"],
        "minisign",
        MINISIGN,
    ),
    (
        "b29a8ae3f4eb543577b0c94b6636b681a5678165581e36bd7aaeffabc05cc0f7",
        ["hello_world.txt", "hello_world.txt.sig", "id_rsa.pub"],
        "ssh",
        SSH,
    ),
];

#[test]
fn leaf_hashes_and_keys_are_those_of_rekor() {
    let Some(folder) = vectors() else {
        eprintln!("SKIPPED: the golden vectors are not at ../shared/vectors");
        return;
    };
    let lines = fs::read_to_string(folder.join("golden-v1.jsonl")).unwrap();
    let golden: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let files = Files(folder);
    for (leaf, names, format, place) in ENTRIES {
        let [content, signature, key] = names.map(|name| files.bytes(&format!("{place}/{name}")));
        let entry = admitted(&json!({"kind": "rekord", "apiVersion": "0.0.1", "spec": {
            "data": {"content": encode(&content)},
            "signature": {"format": format, "content": encode(&signature),
                          "publicKey": {"content": encode(&key)}},
        }}));
        let found = entry.leaf_hash().to_string();
        assert!(found.starts_with(leaf), "{names:?}: {found}");
        let search = public_key_index_keys(format, &key).unwrap();
        assert!(entry.index_keys().contains(&search[0]), "{names:?}");
        let Some(line) = golden.iter().find(|line| line["uuid"] == found.as_str()) else {
            continue;
        };
        assert_eq!(str::from_utf8(entry.body()), Ok(line["body"].as_str().unwrap()));
        let keys: BTreeSet<&str> = entry.index_keys().iter().map(String::as_str).collect();
        let expected = line["index_keys"].as_array().unwrap();
        assert_eq!(keys, expected.iter().map(|key| key.as_str().unwrap()).collect(), "{names:?}");
    }
}
