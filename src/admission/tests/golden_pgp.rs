//! What a real Rekor 1.5.4 stored for proposals with OpenPGP keys.
//!
//! The vectors are not part of this repository; without them the test says that it is skipped.

use std::collections::BTreeSet;
use std::fs;

use serde_json::{Value, json};

use super::golden::{Files, vectors};
use super::signer::{admitted, refusal};
use crate::admission::base64::encode;
use crate::admission::public_key_index_keys;

fn rekord(files: &Files, content: &str, signature: &str, key: &str) -> Value {
    let read = |path: &str| encode(&files.bytes(path));
    json!({"kind": "rekord", "apiVersion": "0.0.1", "spec": {
        "data": {"content": read(content)},
        "signature": {"format": "pgp", "content": read(signature),
                      "publicKey": {"content": read(key)}},
    }})
}

/// A package of an older distribution, which Rekor refuses.
#[test]
fn signatures_of_version_3_are_refused() {
    let Some(folder) = vectors() else {
        eprintln!("SKIPPED: the golden vectors are not at ../shared/vectors");
        return;
    };
    let given = Files(folder).bytes("cmd/rekor-cli/app/tests/rpm.json");
    assert_eq!(
        refusal(&serde_json::from_slice(&given).unwrap()),
        "openpgp: unsupported feature: signature packet version 3"
    );
}

/// The proposals behind a golden line, which all become the same entry, and the key's file.
fn proposals(files: &Files, name: &str) -> Option<(Vec<Value>, &'static str)> {
    const ROOT: &str = "pkg/pki/pgp/testdata";
    let read = |path: &str| encode(&files.bytes(path));
    let content = format!("{ROOT}/hello_world.txt");
    let hello = |signature: &str| {
        let signature = format!("{ROOT}/hello_world.txt{signature}");
        let keys = ["valid_armored_public.pgp", "valid_binary_public.pgp"];
        let entry = |key| rekord(files, &content, &signature, &format!("{ROOT}/{key}"));
        (keys.map(entry).to_vec(), "pkg/pki/pgp/testdata/valid_armored_public.pgp")
    };
    Some(match name {
        "rekord-pgp (tests/test_file.*)" => {
            let key = "tests/test_public_key.key";
            (vec![rekord(files, "tests/test_file.txt", "tests/test_file.sig", key)], key)
        }
        "rekord pgp asc.sig" => hello(".asc.sig"),
        "rekord pgp asc.v3.sig" => hello(".asc.v3.sig"),
        "rekord pgp binary sig" => hello(".sig"),
        "rekord pgp binary v3.sig" => hello(".v3.sig"),
        // Its two user IDs are in the order of the key here, as they are always with us.
        "rekord pgp node SHASUMS (2 UIDs: nondeterministic)" => {
            let key = "tests/node/key";
            (vec![rekord(files, "tests/node/SHASUMS256.txt", "tests/node/sig", key)], key)
        }
        "helm test-0.1.0" => {
            let (provenance, key) = (
                "pkg/types/helm/tests/test-0.1.0.tgz.prov",
                "pkg/types/helm/tests/test_helm_armor.pub",
            );
            let spec = json!({
                "chart": {"provenance": {"content": read(provenance)}},
                "publicKey": {"content": read(key)},
            });
            let given = files.bytes("cmd/rekor-cli/app/tests/helm.json");
            let entry = json!({"kind": "helm", "apiVersion": "0.0.1", "spec": spec});
            (vec![entry, serde_json::from_slice(&given).unwrap()], key)
        }
        "rpm test.rpm" => {
            let (package, key) =
                ("pkg/types/rpm/tests/test.rpm", "pkg/types/rpm/tests/test_rpm_public_key.key");
            let spec = json!({
                "package": {"content": read(package)},
                "publicKey": {"content": read(key)},
            });
            (vec![json!({"kind": "rpm", "apiVersion": "0.0.1", "spec": spec})], key)
        }
        _ => return None,
    })
}

#[test]
fn bodies_hashes_and_keys_are_those_of_rekor() {
    let Some(folder) = vectors() else {
        eprintln!("SKIPPED: the golden vectors are not at ../shared/vectors");
        return;
    };
    let lines = fs::read_to_string(folder.join("golden-v1.jsonl")).unwrap();
    let files = Files(folder);
    let mut compared = 0;
    for line in lines.lines() {
        let golden: Value = serde_json::from_str(line).unwrap();
        let name = golden["name"].as_str().unwrap();
        let Some((proposals, key)) = proposals(&files, name) else { continue };
        for proposal in proposals {
            let entry = admitted(&proposal);
            assert_eq!(str::from_utf8(entry.body()), Ok(golden["body"].as_str().unwrap()));
            assert_eq!(entry.leaf_hash().to_string(), golden["uuid"].as_str().unwrap(), "{name}");
            let keys: BTreeSet<&str> = entry.index_keys().iter().map(String::as_str).collect();
            let expected = golden["index_keys"].as_array().unwrap();
            assert_eq!(keys, expected.iter().map(|key| key.as_str().unwrap()).collect(), "{name}");
            let search = public_key_index_keys("pgp", &files.bytes(key)).unwrap();
            assert!(keys.contains(search[0].as_str()), "{name}");
        }
        eprintln!("compared {name}");
        compared += 1;
    }
    assert!(compared >= 6, "only {compared} lines were compared");
}
