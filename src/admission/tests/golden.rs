//! What a real Rekor 1.5.4 stored for known proposals: bodies, leaf hashes, index keys and
//! attestations.
//!
//! The vectors are not part of this repository; without them the test says that it is skipped.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

use super::signer::{admitted, parse, stored};
use crate::admission::base64::{decode, encode};
use crate::admission::index_keys::sha256_hex;
use crate::admission::pki::x509::PublicKey;
use crate::admission::{Policy, Proposal, admit, attestation_key, leaf_hash_of};

pub(super) fn vectors() -> Option<PathBuf> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/vectors");
    folder.join("golden-v1.jsonl").is_file().then_some(folder)
}

pub(super) struct Files(pub(super) PathBuf);

impl Files {
    pub(super) fn bytes(&self, path: &str) -> Vec<u8> {
        fs::read(self.0.join("rekor-v1").join(path)).unwrap_or_else(|e| panic!("{path}: {e}"))
    }

    fn text(&self, path: &str) -> String {
        String::from_utf8(self.bytes(path)).unwrap()
    }

    fn hashedrekord(&self, algorithm: &str, hash: &str, signature: &str, key: &str) -> Value {
        let content = |path| encode(&self.bytes(path));
        json!({"kind": "hashedrekord", "apiVersion": "0.0.1", "spec": {
            "data": {"hash": {"algorithm": algorithm, "value": hash}},
            "signature": {"content": content(signature), "publicKey": {"content": content(key)}},
        }})
    }

    fn rekord(&self, content: &str, signature: &str, key: &str) -> Value {
        let read = |path| encode(&self.bytes(path));
        json!({"kind": "rekord", "apiVersion": "0.0.1", "spec": {
            "data": {"content": read(content)},
            "signature": {"format": "x509", "content": read(signature),
                          "publicKey": {"content": read(key)}},
        }})
    }

    fn dsse(&self, envelope: &str, keys: &[&str]) -> Value {
        let keys: Vec<String> = keys.iter().map(|path| encode(&self.bytes(path))).collect();
        json!({"kind": "dsse", "apiVersion": "0.0.1", "spec": {"proposedContent": {
            "envelope": self.text(envelope), "verifiers": keys}}})
    }

    fn intoto_v001(&self, envelope: &str, key: &str) -> Value {
        json!({"kind": "intoto", "apiVersion": "0.0.1", "spec": {
            "content": {"envelope": self.text(envelope)}, "publicKey": encode(&self.bytes(key))}})
    }

    /// As `rekor-cli` builds it; `keys` in the order of the envelope's signatures.
    fn intoto_v002(&self, path: &str, keys: &[&str]) -> Value {
        let envelope: Value = serde_json::from_slice(&self.bytes(path)).unwrap();
        let again = |text: &Value| encode(text.as_str().unwrap().as_bytes());
        let items = envelope["signatures"].as_array().unwrap().iter().zip(keys);
        let signatures: Vec<Value> = items
            .map(|(item, key)| {
                let key = PublicKey::from_pem(&self.bytes(key)).unwrap();
                let mut out =
                    json!({"sig": again(&item["sig"]), "publicKey": encode(key.canonical())});
                if let Some(keyid) = item["keyid"].as_str().filter(|keyid| !keyid.is_empty()) {
                    out["keyid"] = keyid.into();
                }
                out
            })
            .collect();
        json!({"kind": "intoto", "apiVersion": "0.0.2", "spec": {"content": {
            "envelope": {"payload": again(&envelope["payload"]), "signatures": signatures,
                         "payloadType": envelope["payloadType"]},
            "hash": {"algorithm": "sha256", "value": sha256_hex(&self.bytes(path))},
        }}})
    }

    /// The proposal behind a golden line; `None` for a kind or format that is not here.
    fn proposal(&self, name: &str, body: &Value) -> Option<Value> {
        const CLI: &str = "cmd/rekor-cli/app/tests";
        const ALGORITHMS: &str = "tests/client-algos-testdata";
        let cli = |file: &str| format!("{CLI}/{file}");
        let algorithms = |file: &str| format!("{ALGORITHMS}/{file}");
        let dsse = cli("intoto_dsse.json");
        let dsse_key = cli("intoto_dsse.pem");
        let multi = cli("intoto_multi_dsse.json");
        let multi_keys = [dsse_key.as_str(), &cli("intoto_multi_pub2.pem")];
        let sha512 = "cmd/rekor-server/tests/envelope.sha512";
        let hash = body["spec"]["data"]["hash"]["value"].as_str().unwrap_or_default();
        Some(match name {
            "hashedrekord EC (= models/testdata/hashedrekord.json)" => serde_json::from_slice(
                &self.bytes("pkg/generated/models/testdata/hashedrekord.json"),
            )
            .unwrap(),
            "hashedrekord ed25519ph file1" => self.hashedrekord(
                "sha512",
                hash,
                &algorithms("file1.ed25519ph.sig"),
                &algorithms("ed25519_public.pem"),
            ),
            "hashedrekord rsa file1" => self.hashedrekord(
                "sha256",
                hash,
                &algorithms("file1.rsa.sig"),
                &algorithms("rsa_public.pem"),
            ),
            "rekord x509 EC (pkg/pki/x509)" => self.rekord(
                "pkg/pki/x509/testdata/hello_world.txt",
                "pkg/pki/x509/testdata/hello_world.txt.sig",
                "pkg/pki/x509/testdata/ec.pub",
            ),
            "dsse tests/intoto_dsse" => self.dsse(&dsse, &[&dsse_key]),
            "dsse multi" => self.dsse(&multi, &multi_keys),
            "intoto 0.0.1 tests/intoto_dsse" => self.intoto_v001(&dsse, &dsse_key),
            "intoto 0.0.2 tests/intoto_dsse" => self.intoto_v002(&dsse, &[&dsse_key]),
            "intoto 0.0.2 multi" => self.intoto_v002(&multi, &multi_keys),
            "intoto 0.0.2 envelope.sha512" => {
                self.intoto_v002(sha512, &["cmd/rekor-server/tests/test_sha512.pub"])
            }
            // The key file of this one is not among the vectors: the body carries it.
            "hashedrekord RSA key (cli test_x509*)" => body.clone(),
            _ => return None,
        })
    }
}

#[test]
fn bodies_hashes_keys_and_attestations_are_those_of_rekor() {
    let Some(folder) = vectors() else {
        eprintln!("SKIPPED: the golden vectors are not at ../shared/vectors");
        return;
    };
    let lines = fs::read_to_string(folder.join("golden-v1.jsonl")).unwrap();
    let files = Files(folder);
    let policy = Policy { attestation_bytes_max: Some(102_400), ..Policy::default() };
    let mut compared = 0;
    for line in lines.lines() {
        let golden: Value = serde_json::from_str(line).unwrap();
        let name = golden["name"].as_str().unwrap();
        let body = golden["body"].as_str().unwrap();
        let Some(proposal) = files.proposal(name, &serde_json::from_str(body).unwrap()) else {
            eprintln!("SKIPPED: {name}: kind or key format not in this build");
            continue;
        };
        let entry =
            admit(&parse(&proposal).into(), &policy).unwrap_or_else(|e| panic!("{name}: {e}"));
        assert_eq!(str::from_utf8(entry.body()).unwrap(), body, "{name}");
        assert_eq!(entry.leaf_hash().to_string(), golden["uuid"].as_str().unwrap(), "{name}");
        let keys: BTreeSet<&str> = entry.index_keys().iter().map(String::as_str).collect();
        let expected = golden["index_keys"].as_array().unwrap();
        assert_eq!(keys, expected.iter().map(|key| key.as_str().unwrap()).collect(), "{name}");
        let attestation = golden["attestation_b64"].as_str().map(|text| decode(text).unwrap());
        assert_eq!(entry.attestation().map(|a| a.data.clone()), attestation, "{name}");
        if let Some(attestation) = entry.attestation() {
            assert_eq!(attestation_key(entry.body()), Some(attestation.key.clone()), "{name}");
        }
        let leaf = leaf_hash_of(&parse(&proposal), &policy);
        assert_eq!(leaf, Ok(entry.leaf_hash()), "{name}");
        if entry.kind() != "rekord" {
            let stored = parse(&serde_json::from_str(body).unwrap());
            assert_eq!(leaf_hash_of(&stored, &policy), leaf, "{name}: the stored form");
        }
        eprintln!("compared {name}");
        compared += 1;
    }
    assert!(compared >= 7, "only {compared} lines were compared");
}

/// Proposals of which only the start of the leaf hash is on record.
#[test]
fn leaf_hashes_start_as_those_of_rekor() {
    let Some(folder) = vectors() else {
        eprintln!("SKIPPED: the golden vectors are not at ../shared/vectors");
        return;
    };
    let files = Files(folder);
    let file1 = sha256_hex(&files.bytes("tests/client-algos-testdata/file1"));
    let body = json!({"spec": {"data": {"hash": {"value": file1}}}});
    for (name, start) in [
        ("rekord x509 EC (pkg/pki/x509)", "178b95d0a67b5ff6"),
        ("intoto 0.0.1 tests/intoto_dsse", "458ec429d0767bc6"),
        ("intoto 0.0.2 multi", "4f25c8a18a7878bc"),
        ("hashedrekord rsa file1", "a57ee7838170d623"),
    ] {
        let proposal = files.proposal(name, &body).unwrap();
        let entry = admitted(&proposal);
        assert!(entry.leaf_hash().to_string().starts_with(start), "{name}");
        if entry.kind() != "rekord" {
            let leaf = leaf_hash_of(&parse(&stored(&entry)), &Policy::default());
            assert_eq!(leaf, Ok(entry.leaf_hash()), "{name}: the stored form");
        }
    }
}

/// Entries of the public-good log, from bundles of a client test suite: Fulcio certificates, dsse
/// and intoto as they are stored.
#[test]
fn entries_of_the_public_log_keep_their_leaf() {
    let Some(folder) = vectors() else {
        eprintln!("SKIPPED: the bundles are not at ../shared/vectors");
        return;
    };
    let mut compared = 0;
    for case in fs::read_dir(folder.join("bundle-verify")).unwrap() {
        let case = case.unwrap().path();
        if case.to_string_lossy().ends_with("_fail") {
            continue; // some are not what any log stored
        }
        let Ok(bundle) = fs::read(case.join("bundle.sigstore.json")) else { continue };
        let Ok(bundle) = serde_json::from_slice::<Value>(&bundle) else { continue };
        let entry = &bundle["verificationMaterial"]["tlogEntries"][0];
        let Some(body) = entry["canonicalizedBody"].as_str() else { continue };
        let body = decode(body).unwrap();
        let Ok(proposal) = Proposal::from_json(&body) else { continue };
        if (proposal.kind(), proposal.api_version()) == ("hashedrekord", "0.0.2") {
            continue; // of the second generation
        }
        let leaf = leaf_hash_of(&proposal, &Policy::default());
        assert_eq!(leaf, Ok(tlog::hash_leaf(&body)), "{}", case.display());
        if proposal.kind() == "hashedrekord" {
            let entry = admit(&proposal.into(), &Policy::default()).unwrap();
            assert_eq!(entry.body(), body);
            let is_key = entry.index_keys().len() == 2;
            let has_subject = entry.index_keys()[1].contains("://");
            assert!(is_key || has_subject, "{:?}", entry.index_keys());
        }
        compared += 1;
    }
    assert!(compared >= 5, "only {compared} entries were compared");
}

/// Every body of the vectors, of any kind, is canonical by the measure that bodies here are.
#[test]
fn the_measure_of_canonical_form_is_rekors() {
    let Some(folder) = vectors() else {
        eprintln!("SKIPPED: the golden vectors are not at ../shared/vectors");
        return;
    };
    for line in fs::read_to_string(folder.join("golden-v1.jsonl")).unwrap().lines() {
        let golden: Value = serde_json::from_str(line).unwrap();
        let body = golden["body"].as_str().unwrap();
        let parsed: Value = serde_json::from_str(body).unwrap();
        assert_eq!(serde_json_canonicalizer::to_string(&parsed).unwrap(), body);
        assert_eq!(tlog::hash_leaf(body.as_bytes()).to_string(), golden["uuid"].as_str().unwrap());
    }
}
