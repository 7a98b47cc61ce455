//! The log itself: leaves, an Ed25519 key, and what is made of them.

use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use loadtest::rekor_v2::wire::{
    Checkpoint, InclusionProof, KindVersion, LogId, TransparencyLogEntry,
};
use serde_json::{Value, json};
use tlog::{NodeHash, hash_leaf};
use tokio::sync::Notify;

use super::Wrong;
use crate::fake_server::altered;
use crate::tree::{path, root};

/// Origin and host name.
pub(crate) const NAME: &str = "log2.example";

/// The log.
pub(crate) struct FakeV2 {
    key: Ed25519KeyPair,
    pub(crate) wrong: Wrong,
    pub(crate) bodies: Vec<Vec<u8>>,
    pub(crate) leaves: Vec<NodeHash>,
    pub(crate) proposals: usize,
    /// Ends a connection.
    pub(crate) end: Arc<Notify>,
}

/// The canonical body of a proposal, by way of a JSON document that sorts its members.
pub(crate) fn canonical(digest: &str, content: &str, key: &str, details: &str) -> Vec<u8> {
    let verifier = json!({"keyDetails": details, "publicKey": {"rawBytes": key}});
    let spec = json!({"hashedRekordV002": {
        "data": {"algorithm": "SHA2_256", "digest": digest},
        "signature": {"content": content, "verifier": verifier},
    }});
    let entry = json!({"apiVersion": "0.0.2", "kind": "hashedrekord", "spec": spec});
    entry.to_string().into_bytes()
}

/// The canonical body of a proposal in JSON.
pub(crate) fn canonical_of_json(proposal: &[u8]) -> Vec<u8> {
    let proposal: Value = serde_json::from_slice(proposal).unwrap();
    let request = &proposal["hashedRekordRequestV002"];
    let (signature, text) =
        (&request["signature"], |value: &Value| value.as_str().unwrap().to_owned());
    let verifier = &signature["verifier"];
    canonical(
        &text(&request["digest"]),
        &text(&signature["content"]),
        &text(&verifier["publicKey"]["rawBytes"]),
        &text(&verifier["keyDetails"]),
    )
}

impl FakeV2 {
    pub(crate) fn new(wrong: Wrong, size: usize) -> Self {
        let key = Ed25519KeyPair::generate().unwrap();
        let (bodies, leaves, end) = (Vec::new(), Vec::new(), Arc::default());
        let mut log = Self { key, wrong, bodies, leaves, proposals: 0, end };
        for n in 0..size {
            log.add(format!("entry {n}").into_bytes());
        }
        log
    }

    pub(crate) fn add(&mut self, body: Vec<u8>) -> usize {
        self.leaves.push(hash_leaf(&body).to_node());
        self.bodies.push(body);
        self.leaves.len() - 1
    }

    /// Takes an entry, and does to the log what its fault demands. Gives the index and the size
    /// that are answered.
    pub(crate) fn take(&mut self, body: Vec<u8>) -> (usize, usize) {
        self.proposals += 1;
        if self.wrong == Wrong::Gap && self.proposals == 20 {
            self.add(b"nobody's".to_vec());
        }
        let index = self.add(body);
        if self.wrong == Wrong::Fork && self.proposals == 30 {
            self.leaves[0] = hash_leaf(b"another history").to_node();
        }
        (index, self.leaves.len())
    }

    /// Loses the newest entry if it is the fault of this log.
    pub(crate) fn maybe_forget(&mut self) {
        if self.wrong == Wrong::Forgets && self.leaves.len() % 3 == 2 {
            self.leaves.pop();
            self.bodies.pop();
        }
    }

    pub(crate) fn public_key_pem(&self) -> String {
        let prefix = hex::decode("302a300506032b6570032100").unwrap();
        let spki = STANDARD.encode([&prefix, self.key.public_key().as_ref()].concat());
        format!("-----BEGIN PUBLIC KEY-----\n{spki}\n-----END PUBLIC KEY-----\n")
    }

    /// signed-note: the hash whose first bytes are the key's ID.
    pub(crate) fn log_id(&self) -> Vec<u8> {
        let hashed = [NAME.as_bytes(), b"\n\x01", self.key.public_key().as_ref()].concat();
        digest(&SHA256, &hashed).as_ref().to_vec()
    }

    /// A note over any text, signed by the log.
    pub(crate) fn note(&self, text: &str) -> String {
        let signature = self.key.sign(text.as_bytes());
        let line = [&self.log_id()[..4], signature.as_ref()].concat();
        format!("{text}\n— {NAME} {}\n", STANDARD.encode(line))
    }

    pub(crate) fn checkpoint(&self, size: usize) -> String {
        let root = STANDARD.encode(root(&self.leaves[..size]).as_bytes());
        let note = self.note(&format!("{NAME}\n{size}\n{root}\n"));
        if self.wrong == Wrong::CheckpointSignature && self.proposals > 0 {
            return altered(&note, 40);
        }
        note
    }

    /// The checkpoint that is published, with a witness's line.
    pub(crate) fn published(&self) -> String {
        let shrunk = if self.wrong == Wrong::Shrinks && self.proposals > 0 { 10 } else { 0 };
        let note = self.checkpoint(self.leaves.len() - shrunk);
        format!("{note}— witness.example {}\n", STANDARD.encode([7; 76]))
    }

    pub(crate) fn inclusion(&self, index: usize, size: usize) -> Vec<NodeHash> {
        let mut hashes = path(index, &self.leaves[..size]);
        if self.wrong == Wrong::InclusionHash {
            hashes.iter_mut().for_each(|hash| *hash = NodeHash::from_bytes([9; 32]));
        }
        hashes
    }

    /// An entry as it is answered, in the tree of this size.
    pub(crate) fn entry(&self, index: usize, size: usize) -> TransparencyLogEntry {
        let wrong = |fault| self.wrong == fault;
        let node = |hash: NodeHash| STANDARD.encode(hash.as_bytes());
        let proof = InclusionProof {
            log_index: index.to_string(),
            root_hash: node(root(&self.leaves[..size])),
            tree_size: size.to_string(),
            hashes: self.inclusion(index, size).into_iter().map(node).collect(),
            checkpoint: Checkpoint { envelope: self.checkpoint(size) },
        };
        let shown = match self.wrong {
            Wrong::Index => index + 1,
            Wrong::SameIndex => 0,
            _ => index,
        };
        let version = if wrong(Wrong::Version) { "0.0.1" } else { "0.0.2" };
        let body = if wrong(Wrong::Body) { index.saturating_sub(1) } else { index };
        let log_id = if wrong(Wrong::LogId) { vec![7; 32] } else { self.log_id() };
        TransparencyLogEntry {
            log_index: shown.to_string(),
            log_id: LogId { key_id: STANDARD.encode(log_id) },
            kind_version: KindVersion { kind: "hashedrekord".into(), version: version.into() },
            integrated_time: if wrong(Wrong::Time) { "1700000000" } else { "0" }.into(),
            inclusion_promise: (),
            inclusion_proof: proof,
            canonicalized_body: STANDARD.encode(&self.bodies[body]),
        }
    }
}
