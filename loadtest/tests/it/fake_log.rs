//! A small Rekor v1 log in memory.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use aws_lc_rs::{
    digest::{SHA256, digest},
    encoding::{AsDer, PublicKeyX509Der},
};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use loadtest::rekor_v1::wire::{
    ConsistencyProof, Entry, EntryMap, InclusionProof, LogInfo, ShardInfo, Verification,
};
use tlog::{LeafHash, NodeHash, hash_leaf};

use crate::tree::{path, root, subproof};

/// Entries in frozen shards before this log.
pub(crate) const FIRST_INDEX: u64 = 1_000;
const TREE_ID: u64 = 0x04d2;
const HOSTNAME: &str = "log.example";

/// The log.
pub(crate) struct FakeLog {
    key: EcdsaKeyPair,
    bodies: Vec<Vec<u8>>,
    leaves: Vec<NodeHash>,
}

fn hex_all(hashes: &[NodeHash]) -> Vec<String> {
    hashes.iter().map(ToString::to_string).collect()
}

impl FakeLog {
    pub(crate) fn new() -> Self {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        Self { key, bodies: Vec::new(), leaves: Vec::new() }
    }

    /// Adds an entry, unless it is there; gives its local index.
    pub(crate) fn add(&mut self, body: &[u8]) -> Option<usize> {
        let leaf = hash_leaf(body).to_node();
        if self.leaves.contains(&leaf) {
            return None;
        }
        self.leaves.push(leaf);
        self.bodies.push(body.to_vec());
        Some(self.leaves.len() - 1)
    }

    /// Loses the newest entry.
    pub(crate) fn forget_last(&mut self) {
        self.leaves.pop();
        self.bodies.pop();
    }

    /// Puts another entry in the place of the first one.
    pub(crate) fn rewrite_first(&mut self) {
        self.bodies[0] = b"{}".to_vec();
        self.leaves[0] = hash_leaf(&self.bodies[0]).to_node();
    }

    pub(crate) fn size(&self) -> usize {
        self.leaves.len()
    }

    pub(crate) fn local_index_of(&self, id: &str) -> Option<usize> {
        (0..self.size()).find(|&local| self.id(local) == id)
    }

    pub(crate) fn id(&self, local: usize) -> String {
        let leaf = LeafHash::from_bytes(*self.leaves[local].as_bytes());
        format!("{TREE_ID:016x}{leaf}")
    }

    fn spki(&self) -> Vec<u8> {
        let der: PublicKeyX509Der<'_> = self.key.public_key().as_der().unwrap();
        der.as_ref().to_vec()
    }

    pub(crate) fn public_key_pem(&self) -> String {
        let base64 = STANDARD.encode(self.spki());
        let (first, second) = base64.split_at(64);
        format!("-----BEGIN PUBLIC KEY-----\n{first}\n{second}\n-----END PUBLIC KEY-----\n")
    }

    fn log_id(&self) -> Vec<u8> {
        digest(&SHA256, &self.spki()).as_ref().to_vec()
    }

    pub(crate) fn sign(&self, message: &str) -> Vec<u8> {
        self.key.sign(&SystemRandom::new(), message.as_bytes()).unwrap().as_ref().to_vec()
    }

    pub(crate) fn checkpoint(&self, size: usize) -> String {
        self.checkpoint_of(TREE_ID, size)
    }

    /// A checkpoint as if the tree had another number.
    pub(crate) fn checkpoint_of(&self, tree_id: u64, size: usize) -> String {
        let root = STANDARD.encode(root(&self.leaves[..size]).as_bytes());
        let text = format!("{HOSTNAME} - {tree_id}\n{size}\n{root}\n");
        let signature = [&self.log_id()[..4], &self.sign(&text)].concat();
        format!("{text}\n— {HOSTNAME} {}\n", STANDARD.encode(signature))
    }

    /// The entry as it is answered, in the tree of now.
    pub(crate) fn entry(&self, local: usize) -> Entry {
        let body = STANDARD.encode(&self.bodies[local]);
        let (log_id, log_index) = (hex::encode(self.log_id()), FIRST_INDEX + local as u64);
        let integrated_time = 1_700_000_000;
        let signed = format!(
            "{{\"body\":\"{body}\",\"integratedTime\":{integrated_time},\
             \"logID\":\"{log_id}\",\"logIndex\":{log_index}}}"
        );
        let inclusion_proof = InclusionProof {
            checkpoint: self.checkpoint(self.size()),
            hashes: hex_all(&path(local, &self.leaves)),
            log_index: local as u64,
            root_hash: root(&self.leaves).to_string(),
            tree_size: self.size() as u64,
        };
        let signed_entry_timestamp = STANDARD.encode(self.sign(&signed));
        let verification = Verification { inclusion_proof, signed_entry_timestamp };
        Entry { attestation: None, body, integrated_time, log_id, log_index, verification }
    }

    pub(crate) fn info(&self) -> LogInfo {
        self.info_at(self.size())
    }

    /// The log's description when it had this size.
    pub(crate) fn info_at(&self, size: usize) -> LogInfo {
        let frozen = ShardInfo {
            root_hash: "00".repeat(32),
            signed_tree_head: "of another tree".to_owned(),
            tree_id: "17".to_owned(),
            tree_size: FIRST_INDEX,
        };
        LogInfo {
            inactive_shards: Some(vec![frozen]),
            root_hash: root(&self.leaves[..size]).to_string(),
            signed_tree_head: self.checkpoint(size),
            tree_id: TREE_ID.to_string(),
            tree_size: size as u64,
        }
    }

    pub(crate) fn consistency(&self, old: usize, new: usize) -> ConsistencyProof {
        ConsistencyProof {
            hashes: hex_all(&subproof(old, &self.leaves[..new], true)),
            root_hash: root(&self.leaves).to_string(),
        }
    }
}

/// The text of an entry map with one entry.
pub(crate) fn text(id: &str, entry: &Entry) -> Vec<u8> {
    let map = EntryMap::from([(id.to_owned(), entry.clone())]);
    let mut text = serde_json::to_vec(&map).unwrap();
    text.push(b'\n');
    text
}
