//! A log of two entries, made here: every form in which its first entry can be shown verifies, and
//! no other one does.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use cairn::publisher::signer::public_key_pem;
use cairn::verify::{Artifact, Demand, Outcome, Report, Request, Step, TrustRoot, verify};
use serde_json::{Value, json};
use tlog::{Checkpoint, KeyId, TreeHead, TreeSize, hash_children, hash_leaf};

const TIME: i64 = 1_700_000_000;
pub(crate) const ARTIFACT: &[u8] = b"what was signed";

pub(crate) struct Key(EcdsaKeyPair);

impl Key {
    pub(crate) fn new() -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap())
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.0.sign(&SystemRandom::new(), message).unwrap().as_ref().to_vec()
    }

    pub(crate) fn spki(&self) -> Vec<u8> {
        let der: PublicKeyX509Der<'_> = self.0.public_key().as_der().unwrap();
        der.as_ref().to_vec()
    }

    fn pem(&self) -> String {
        public_key_pem(&self.spki())
    }
}

/// A log, a signer, and the first entry in its parts.
pub(crate) struct World {
    pub(crate) log: Key,
    signer: Key,
    signature: Vec<u8>,
    body: Vec<u8>,
    other: Vec<u8>,
}

impl World {
    fn new() -> Self {
        let signer = Key::new();
        let (signature, pem) = (signer.sign(ARTIFACT), signer.pem());
        Self::of(signer, signature, &pem)
    }

    /// With an entry of this signature by this key or certificate.
    pub(crate) fn of(signer: Key, signature: Vec<u8>, pem: &str) -> Self {
        let log = Key::new();
        let body = json!({
            "apiVersion": "0.0.1",
            "kind": "hashedrekord",
            "spec": {
                "data": { "hash": {
                    "algorithm": "sha256", "value": hex::encode(digest(&SHA256, ARTIFACT)),
                } },
                "signature": {
                    "content": BASE64.encode(&signature),
                    "publicKey": { "content": BASE64.encode(pem) },
                },
            },
        });
        let body = body.to_string().into_bytes();
        Self { log, signer, signature, body, other: b"another entry".to_vec() }
    }

    pub(crate) fn log_id(&self) -> [u8; 32] {
        digest(&SHA256, &self.log.spki()).as_ref().try_into().unwrap()
    }

    /// The checkpoint over both entries.
    fn note(&self) -> String {
        let [one, two] = [&self.body, &self.other].map(|body| hash_leaf(body).to_node());
        let root = hash_children(&one, &two).to_root();
        self.note_of(TreeHead { size: TreeSize(2), root })
    }

    fn note_of(&self, head: TreeHead) -> String {
        let checkpoint =
            Checkpoint { origin: "log.example - 7".into(), head, extensions: Vec::new() };
        let text = checkpoint.text();
        let signature = self.log.sign(text.as_bytes());
        let line = tlog::NoteSignature {
            name: "log.example".into(),
            key_id: KeyId::rekor_v1(&self.log.spki()),
            signature,
        };
        tlog::Note { text, signatures: vec![line] }.to_string()
    }

    fn promise(&self, index: u64) -> Vec<u8> {
        let (body, id) = (BASE64.encode(&self.body), hex::encode(self.log_id()));
        let signed = format!(
            r#"{{"body":"{body}","integratedTime":{TIME},"logID":"{id}","logIndex":{index}}}"#
        );
        self.log.sign(signed.as_bytes())
    }

    fn root_hash(&self) -> Vec<u8> {
        let note = self.note();
        BASE64.decode(note.split('\n').nth(2).unwrap()).unwrap()
    }

    /// An answer of Rekor v1.
    fn rekor_v1(&self) -> Value {
        let id = format!("{:016x}{}", 7, hash_leaf(&self.body));
        let sibling = hash_leaf(&self.other).to_string();
        json!({ id: {
            "body": BASE64.encode(&self.body),
            "integratedTime": TIME,
            "logID": hex::encode(self.log_id()),
            "logIndex": 90,
            "verification": {
                "inclusionProof": {
                    "checkpoint": self.note(),
                    "hashes": [sibling],
                    "logIndex": 0,
                    "rootHash": hex::encode(self.root_hash()),
                    "treeSize": 2,
                },
                "signedEntryTimestamp": BASE64.encode(self.promise(90)),
            },
        } })
    }

    /// A `TransparencyLogEntry`.
    pub(crate) fn entry(&self) -> Value {
        json!({
            "logIndex": "90",
            "logId": { "keyId": BASE64.encode(self.log_id()) },
            "kindVersion": { "kind": "hashedrekord", "version": "0.0.1" },
            "integratedTime": TIME.to_string(),
            "inclusionPromise": { "signedEntryTimestamp": BASE64.encode(self.promise(90)) },
            "inclusionProof": {
                "logIndex": "0",
                "rootHash": BASE64.encode(self.root_hash()),
                "treeSize": "2",
                "hashes": [BASE64.encode(hash_leaf(&self.other).as_bytes())],
                "checkpoint": { "envelope": self.note() },
            },
            "canonicalizedBody": BASE64.encode(&self.body),
        })
    }

    /// A Sigstore bundle of this version.
    fn bundle(&self, version: u8, entry: &Value) -> Value {
        json!({
            "mediaType": format!("application/vnd.dev.sigstore.bundle+json;version=0.{version}"),
            "verificationMaterial": { "publicKey": { "hint": "" }, "tlogEntries": [entry] },
            "messageSignature": { "signature": BASE64.encode(&self.signature) },
        })
    }

    /// A bundle of cosign's.
    fn cosign(&self) -> Value {
        json!({
            "base64Signature": BASE64.encode(&self.signature),
            "cert": "",
            "rekorBundle": {
                "SignedEntryTimestamp": BASE64.encode(self.promise(90)),
                "Payload": {
                    "body": BASE64.encode(&self.body),
                    "integratedTime": TIME,
                    "logIndex": 90,
                    "logID": hex::encode(self.log_id()),
                },
            },
        })
    }

    fn tlog_proof(&self, extra: &[u8]) -> String {
        let proof = tlog::TlogProof {
            extra: extra.to_vec(),
            index: tlog::LogIndex(0),
            hashes: vec![hash_leaf(&self.other).to_node()],
            note: self.note(),
        };
        proof.to_string()
    }

    fn verify(&self, file: &str, leaf: Option<&[u8]>, artifact: &[u8]) -> Report {
        let mut trust = TrustRoot::default();
        trust.add_log_key("our log", &self.log.spki()).unwrap();
        self.verify_by(&trust, file, leaf, artifact)
    }

    fn verify_by(
        &self,
        trust: &TrustRoot,
        file: &str,
        leaf: Option<&[u8]>,
        artifact: &[u8],
    ) -> Report {
        let mut demand = Demand::default();
        // Bytes of any kind have no signer.
        if leaf.is_none_or(|leaf| leaf == self.body) {
            demand.set_key(self.signer.pem().as_bytes()).unwrap();
        }
        let artifact = Artifact::of(artifact.to_vec());
        verify(&Request {
            file: file.as_bytes(),
            leaf,
            artifact: Some(&artifact),
            trust,
            demand: &demand,
            policy: None,
            now: TIME,
        })
    }

    fn forms(&self) -> Vec<(&'static str, String)> {
        let mut without_proof = self.entry();
        without_proof.as_object_mut().unwrap().remove("inclusionProof");
        let mut without_promise = self.entry();
        without_promise.as_object_mut().unwrap().remove("inclusionPromise");
        vec![
            ("an answer of Rekor v1", self.rekor_v1().to_string()),
            ("a TransparencyLogEntry", self.entry().to_string()),
            ("without a promise", without_promise.to_string()),
            ("a bundle 0.1 with both", self.bundle(1, &self.entry()).to_string()),
            ("a bundle 0.1 without proof", self.bundle(1, &without_proof).to_string()),
            ("a bundle 0.2", self.bundle(2, &self.entry()).to_string()),
            ("a bundle 0.3 without promise", self.bundle(3, &without_promise).to_string()),
            ("a bundle of cosign's", self.cosign().to_string()),
            ("a tlog-proof", self.tlog_proof(&self.body)),
        ]
    }
}

#[test]
fn every_form_verifies_with_its_artifact_alone() {
    let world = World::new();
    for (name, file) in world.forms() {
        let report = world.verify(&file, None, ARTIFACT);
        assert!(report.is_verified(), "{name}: {:#?}", report.lines());
        assert!(report.has(Step::Artifact, Outcome::Ok) && report.has(Step::Key, Outcome::Ok));
        let report = world.verify(&file, None, b"something else");
        assert!(!report.is_verified(), "{name}: {:#?}", report.lines());
    }
    let named = world.verify(&world.tlog_proof(b"no entry"), Some(&world.body), ARTIFACT);
    assert!(named.is_verified(), "{:#?}", named.lines());
    let other = world.verify(&world.tlog_proof(&world.body), Some(b"no entry"), ARTIFACT);
    assert!(other.has(Step::Inclusion, Outcome::Failed), "{:#?}", other.lines());
}

/// What a version has to have.
#[test]
fn neither_proof_nor_promise_can_be_left_out() {
    let world = World::new();
    let mut none = world.entry();
    let mut only_proof = world.entry();
    let mut only_promise = world.entry();
    for member in ["inclusionProof", "inclusionPromise"] {
        none.as_object_mut().unwrap().remove(member);
    }
    only_proof.as_object_mut().unwrap().remove("inclusionPromise");
    only_promise.as_object_mut().unwrap().remove("inclusionProof");
    for (file, step) in [
        (none.clone(), Step::Inclusion),
        (only_promise.clone(), Step::Inclusion),
        (world.bundle(1, &only_proof), Step::Promise),
        (world.bundle(1, &none), Step::Promise),
        (world.bundle(2, &only_promise), Step::Inclusion),
        (world.bundle(3, &only_promise), Step::Inclusion),
    ] {
        let report = world.verify(&file.to_string(), None, ARTIFACT);
        assert!(!report.is_verified() && report.has(step, Outcome::Failed), "{file}");
    }
    let mut without_checkpoint = world.entry();
    without_checkpoint["inclusionProof"]["checkpoint"] = Value::Null;
    let report = world.verify(&without_checkpoint.to_string(), None, ARTIFACT);
    assert!(report.has(Step::Checkpoint, Outcome::Failed), "{:#?}", report.lines());
    // An answer of Rekor v1 with neither.
    let mut answer = world.rekor_v1();
    let entry = answer.as_object_mut().unwrap().values_mut().next().unwrap();
    entry["verification"] = json!({});
    let report = world.verify(&answer.to_string(), None, ARTIFACT);
    assert!(!report.is_verified(), "{:#?}", report.lines());
    // One that goes by another name.
    let answer = world.rekor_v1().to_string();
    let id = hash_leaf(&world.body).to_string();
    let renamed = answer.replace(&id, &hash_leaf(b"another").to_string());
    let report = world.verify(&renamed, None, ARTIFACT);
    assert!(report.has(Step::Format, Outcome::Failed), "{:#?}", report.lines());
}

/// Every text of an answer counts, but for what is no part of it.
#[test]
fn no_part_of_an_answer_can_be_changed() {
    let world = World::new();
    for (name, file) in world.forms() {
        let Ok(whole) = serde_json::from_str::<Value>(&file) else { continue };
        let mut places = Vec::new();
        texts(&whole, "", &mut places);
        for place in places.iter().filter(|place| !place.ends_with("/hint")) {
            let mut changed = whole.clone();
            let value = changed.pointer_mut(place).unwrap();
            *value = match value.as_str().map(str::to_owned) {
                Some(text) if text.is_empty() => continue,
                Some(text) => {
                    let at = text.len() / 3;
                    let other = if text[at..].starts_with('1') { "2" } else { "1" };
                    format!("{}{other}{}", &text[..at], &text[at + 1..]).into()
                }
                None => (value.as_u64().unwrap() + 1).into(),
            };
            let report = world.verify(&changed.to_string(), None, ARTIFACT);
            // A time beside a proof that nothing promises is read by nobody.
            let unread = place.ends_with("/integratedTime") || place.ends_with("/logIndex");
            let unread = unread && report.has(Step::Promise, Outcome::NotChecked);
            assert!(unread || !report.is_verified(), "{name} {place}: {:#?}", report.lines());
        }
    }
}

fn texts(value: &Value, at: &str, out: &mut Vec<String>) {
    match value {
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(n, item)| texts(item, &format!("{at}/{n}"), out));
        }
        Value::Object(members) => {
            members.iter().for_each(|(name, item)| texts(item, &format!("{at}/{name}"), out));
        }
        Value::Null | Value::Bool(_) => {}
        _ => out.push(at.to_owned()),
    }
}

/// Another key, or our own at another time.
#[test]
fn logs_are_trusted_by_key_and_time() {
    let world = World::new();
    let file = world.entry().to_string();
    let mut other = TrustRoot::default();
    other.add_log_key("another log", &Key::new().spki()).unwrap();
    let report = world.verify_by(&other, &file, None, ARTIFACT);
    assert!(report.has(Step::Log, Outcome::Failed), "{:#?}", report.lines());
    // Under our ID, with another key.
    for (spki, start, end, step) in [
        (Key::new().spki(), "2020-01-01T00:00:00Z", None, Some(Step::Promise)),
        (world.log.spki(), "2020-01-01T00:00:00Z", None, None),
        (world.log.spki(), "2023-11-14T22:13:20Z", Some("2023-11-14T22:13:20Z"), None),
        (world.log.spki(), "2023-11-14T22:13:21Z", None, Some(Step::Log)),
        (world.log.spki(), "2020-01-01T00:00:00Z", Some("2023-11-14T22:13:19Z"), Some(Step::Log)),
    ] {
        let root = json!({
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [{
                "baseUrl": "https://log.example",
                "hashAlgorithm": "SHA2_256",
                "publicKey": {
                    "rawBytes": BASE64.encode(spki),
                    "keyDetails": "PKIX_ECDSA_P256_SHA_256",
                    "validFor": { "start": start, "end": end },
                },
                "logId": { "keyId": BASE64.encode(world.log_id()) },
            }],
        });
        let root = TrustRoot::parse(root.to_string().as_bytes()).unwrap();
        let report = world.verify_by(&root, &file, None, ARTIFACT);
        assert_eq!(report.is_verified(), step.is_none(), "{start}: {:#?}", report.lines());
        if let Some(step) = step {
            assert!(report.has(step, Outcome::Failed), "{start}: {:#?}", report.lines());
        }
    }
}

/// Leaf 0 is in the same place of 3 leaves and of 4, so that the hashes alone do not tell.
#[test]
fn the_size_of_the_proof_is_that_of_the_checkpoint() {
    let world = World::new();
    let [a, b, c] = [&world.body, &world.other, &vec![7]].map(|body| hash_leaf(body).to_node());
    let root = hash_children(&hash_children(&a, &b), &c).to_root();
    for (size, verified) in [(3, true), (4, false)] {
        let mut entry = world.entry();
        entry["inclusionProof"] = json!({
            "logIndex": "0",
            "rootHash": BASE64.encode(root.as_bytes()),
            "treeSize": size.to_string(),
            "hashes": [BASE64.encode(b.as_bytes()), BASE64.encode(c.as_bytes())],
            "checkpoint": { "envelope": world.note_of(TreeHead { size: TreeSize(3), root }) },
        });
        let report = world.verify(&entry.to_string(), None, ARTIFACT);
        assert_eq!(report.is_verified(), verified, "{size}: {:#?}", report.lines());
        assert_eq!(report.has(Step::Inclusion, Outcome::Failed), !verified);
    }
}
