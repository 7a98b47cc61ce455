//! What a real Rekor 1.5.4 stored for archives, messages and timestamps.
//!
//! The vectors are not part of this repository; without them the test says that it is skipped.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};

use super::golden::{Files, vectors};
use super::signer::admitted;
use crate::admission::base64::encode;

/// The start of the leaf hash, and the proposal.
fn proposals(files: &Files) -> Vec<(&'static str, Value)> {
    let read = |path: &str| encode(&files.bytes(path));
    let entry =
        |kind: &str, spec: Value| json!({"kind": kind, "apiVersion": "0.0.1", "spec": spec});
    let content = |path: &str| json!({"content": read(path)});
    let apk = "pkg/types/alpine/tests/test_alpine";
    vec![
        (
            "052310852427858b",
            entry(
                "alpine",
                json!({"package": content(&format!("{apk}.apk")),
                "publicKey": content(&format!("{apk}.pub"))}),
            ),
        ),
        (
            "b3cb03d92c3c0daa",
            entry("rfc3161", json!({"tsr": content("pkg/types/rfc3161/tests/test.tsr")})),
        ),
        (
            "359a34acaa15079f",
            entry("jar", json!({"archive": content("pkg/types/jar/v0.0.1/tests/test.jar")})),
        ),
        (
            "c69cdca451a48e22",
            entry(
                "cose",
                json!({
                    "message": read("cmd/rekor-cli/app/tests/test_cose.cbor"),
                    "publicKey": read("cmd/rekor-cli/app/tests/test_cose.pub"),
                    "data": {"aad": encode(b"test aad")},
                }),
            ),
        ),
    ]
}

#[test]
fn bodies_hashes_and_keys_are_those_of_rekor() {
    let Some(folder) = vectors() else {
        eprintln!("SKIPPED: the golden vectors are not at ../shared/vectors");
        return;
    };
    let lines = fs::read_to_string(folder.join("golden-v1.jsonl")).unwrap();
    let golden: Vec<Value> =
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for (leaf, proposal) in proposals(&Files(folder)) {
        let entry = admitted(&proposal);
        let found = entry.leaf_hash().to_string();
        let body = str::from_utf8(entry.body()).unwrap();
        assert!(found.starts_with(leaf), "{leaf}: {found} of {body}");
        let Some(line) = golden.iter().find(|line| line["uuid"] == found.as_str()) else {
            continue;
        };
        assert_eq!(body, line["body"].as_str().unwrap());
        let keys: BTreeSet<&str> = entry.index_keys().iter().map(String::as_str).collect();
        let expected = line["index_keys"].as_array().unwrap();
        assert_eq!(keys, expected.iter().map(|key| key.as_str().unwrap()).collect(), "{leaf}");
    }
}
