//! Real entries of public logs, from the verification bundles of sigstore-conformance when they
//! are at hand (a folder `shared` beside the repository); skipped otherwise.

use std::path::{Path, PathBuf};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use serde_json::Value;

use crate::{
    Checkpoint, InclusionProof, KeyId, LogIndex, NodeHash, Note, RootHash, SignedCheckpoint,
    TreeSize, Verifier, VerifierKey, hash_leaf,
};

/// The public key of rekor.sigstore.dev (in sigstore's published trusted root).
const PUBLIC_GOOD: &str = "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE2G2Y+2tabdTV5BcGiBIx0a9fAFwrkBbmLSGt\
    ks4L3qX6yYY0zufBnhC8Ur/iy55GhWP/9A/bY2LhC30M9+RYtw==";

fn cases() -> Option<PathBuf> {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?;
    let cases = repository.parent()?.join("shared/vectors/bundle-verify");
    if !cases.is_dir() {
        println!("skipped: no bundle verification cases beside the repository");
        return None;
    }
    Some(cases)
}

fn read(path: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn bytes(value: &Value) -> Vec<u8> {
    BASE64_STANDARD.decode(text(value)).unwrap()
}

fn hash(value: &Value) -> [u8; 32] {
    bytes(value).try_into().unwrap()
}

/// One entry of a log, as a bundle carries it.
struct Entry {
    body: Vec<u8>,
    proof: InclusionProof,
    root: RootHash,
    note: String,
}

fn entry(case: &Path) -> Entry {
    let bundle = ["bundle.sigstore.json", "bundle.json"].map(|name| case.join(name));
    let bundle = read(bundle.iter().find(|path| path.exists()).unwrap());
    let entry = &bundle["verificationMaterial"]["tlogEntries"][0];
    let proof = &entry["inclusionProof"];
    let hashes = proof["hashes"].as_array().unwrap();
    Entry {
        body: bytes(&entry["canonicalizedBody"]),
        proof: InclusionProof {
            index: LogIndex(text(&proof["logIndex"]).parse().unwrap()),
            size: TreeSize(text(&proof["treeSize"]).parse().unwrap()),
            hashes: hashes.iter().map(|value| NodeHash::from_bytes(hash(value))).collect(),
        },
        root: RootHash::from_bytes(hash(&proof["rootHash"])),
        note: text(&proof["checkpoint"]["envelope"]).to_owned(),
    }
}

fn check(entry: &Entry, origin: &str, verifier: &Verifier, key_id: KeyId) {
    let opened = SignedCheckpoint::open(&entry.note, origin, verifier, key_id).unwrap();
    let head = opened.checkpoint().head;
    assert_eq!((head.size, head.root), (entry.proof.size, entry.root));
    assert_eq!(entry.proof.verify(&hash_leaf(&entry.body), &head.root), Ok(()));
    assert_eq!(opened.note().to_string(), entry.note);
    assert!(entry.proof.verify(&hash_leaf(b"another body"), &head.root).is_err());
}

#[test]
fn entries_of_the_public_good_log_verify() {
    let verifier = Verifier::from_spki(&BASE64_STANDARD.decode(PUBLIC_GOOD).unwrap()).unwrap();
    let log_id = "c0d23d6ad406973f9559f3ba2d1ca01f84147d8ffc5b8445c224f98b9591801d";
    assert_eq!(hex::encode(verifier.log_id()), log_id);
    let key_id = KeyId::rekor_v1(verifier.spki());
    assert_eq!(key_id.to_string(), log_id[..8]);
    let Some(cases) = cases() else { return };
    for (case, tree_id) in [
        ("happy-path-v0.2", 2_605_736_670_972_794_746),
        ("happy-path-v0.3-new-mediaType", 2_605_736_670_972_794_746),
        ("happy-path-intoto-in-dsse-v3", 1_193_050_959_916_656_506),
    ] {
        let entry = entry(&cases.join(case));
        let origin = crate::v1_origin("rekor.sigstore.dev", tree_id);
        check(&entry, &origin, &verifier, key_id);
    }
}

#[test]
fn entries_of_a_rekor_v2_log_verify() {
    let Some(cases) = cases() else { return };
    let (first, third) = ("log2025-alpha1.rekor.sigstage.dev", "log2025-alpha3.rekor.sigstage.dev");
    for (case, origin) in [
        ("rekor2-happy-path", first),
        ("rekor2-dsse-happy-path", third),
        ("rekor2-checkpoint-multiple-cosigs", first),
        ("rekor2-checkpoint-origin-not-first", first),
        ("rekor2-checkpoint-two-sigs-cosigned", first),
    ] {
        let (entry, verifier, key_id) = rekor2(&cases.join(case), origin);
        check(&entry, origin, &verifier, key_id);
    }
    for case in ["missing-origin", "missing-size", "missing-log-signature"] {
        let case = cases.join(format!("rekor2-checkpoint-{case}_fail"));
        let (entry, verifier, key_id) = rekor2(&case, first);
        let opened = SignedCheckpoint::open(&entry.note, first, &verifier, key_id);
        assert!(opened.is_err(), "{}", case.display());
    }
}

/// The witnesses that cosigned a checkpoint of a staging log; their operators publish the keys.
const WITNESSES: [&str; 3] = [
    "witness.stagemole.eu+67f7aea0+BEqSG3yu9YrmcM3BHvQYTxwFj3uSWakQepafafpUqklv",
    "staging.witness.transparency.goog/ring-any-bells+2e1a8dc9+\
        BG5JTpLc3FJtwzgh1Uv+Qelz9qeOH2bfWjS1s0s+y4rL",
    "witness.navigli.sunlight.geomys.org+a3e00fe2+BNy/co4C1Hn1p+INwJrfUlgz7W55dSZReusH/GhUhJ/G",
];

#[test]
fn cosignatures_of_public_witnesses_verify() {
    let Some(cases) = cases() else { return };
    let note = Note::parse(&entry(&cases.join("rekor2-dsse-happy-path")).note).unwrap();
    let checkpoint = Checkpoint::parse_text(&note.text).unwrap();
    let [_log, lines @ ..] = note.signatures.as_slice() else { panic!("no signatures") };
    assert_eq!(lines.len(), WITNESSES.len());
    for (key, line) in WITNESSES.iter().zip(lines) {
        let key: VerifierKey = key.parse().unwrap();
        let time = key.verify_cosignature(&checkpoint, line).unwrap().unix_seconds();
        assert!((1_700_000_000..2_000_000_000).contains(&time), "{time}");
    }
}

/// A case's entry, and the key of the log at this host in the case's trusted root.
fn rekor2(case: &Path, host: &str) -> (Entry, Verifier, KeyId) {
    let root = read(&case.join("trusted_root.json"));
    let mut logs = root["tlogs"].as_array().unwrap().iter();
    let log = logs.find(|log| text(&log["baseUrl"]).ends_with(host)).unwrap();
    let verifier = Verifier::from_spki(&bytes(&log["publicKey"]["rawBytes"])).unwrap();
    let key_id = verifier.key_id(host);
    assert_eq!(bytes(&log["logId"]["keyId"])[..4], key_id.0, "the id that sigstore publishes");
    (entry(case), verifier, key_id)
}
