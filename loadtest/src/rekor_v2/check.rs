//! Decides whether a logged entry of Rekor v2 is true, whichever way it came: kind, log, body,
//! inclusion proof, checkpoint.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tlog::{InclusionProof, LogIndex, NodeHash, TreeHead, hash_leaf};

use crate::fault::Fault;
use crate::log_key::LogKey;
use crate::rekor_v2::wire;

/// What an answer says of an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedEntry {
    /// Index of the entry.
    pub index: u64,
    /// The ID of the log's key.
    pub log_id: Vec<u8>,
    /// Kind and version.
    pub kind_version: (String, String),
    /// Seconds since 1970; 0 for none.
    pub integrated_time: i64,
    /// Whether there is an inclusion promise.
    pub promised: bool,
    /// The proof's own idea of the index, the root hash and the tree size.
    pub proof: (u64, Vec<u8>, u64),
    /// The proof's nodes.
    pub hashes: Vec<Vec<u8>>,
    /// The checkpoint.
    pub checkpoint: String,
    /// Canonical body.
    pub body: Vec<u8>,
}

/// What a verified answer says.
#[derive(Clone, Debug)]
pub struct Verified {
    /// Index of the entry.
    pub index: u64,
    /// Canonical body.
    pub body: Vec<u8>,
    /// What its checkpoint commits to.
    pub head: TreeHead,
}

impl LoggedEntry {
    /// Reads the JSON of an answer.
    ///
    /// # Errors
    /// [`Fault::Framing`] with the member that is not as it must be.
    pub fn from_json(text: &[u8]) -> Result<Self, Fault> {
        let entry: wire::TransparencyLogEntry = serde_json::from_slice(text)
            .map_err(|error| Fault::Framing(format!("JSON: {error}")))?;
        let proof = entry.inclusion_proof;
        let hashes =
            proof.hashes.iter().map(|hash| base64("hashes", hash)).collect::<Result<_, _>>();
        let (index, size) = (number(&proof.log_index)?, number(&proof.tree_size)?);
        Ok(Self {
            index: number(&entry.log_index)?,
            log_id: base64("keyId", &entry.log_id.key_id)?,
            kind_version: (entry.kind_version.kind, entry.kind_version.version),
            integrated_time: number(&entry.integrated_time)?.cast_signed(),
            promised: false, // the only value that `wire` reads
            proof: (index, base64("rootHash", &proof.root_hash)?, size),
            hashes: hashes?,
            checkpoint: proof.checkpoint.envelope,
            body: base64("canonicalizedBody", &entry.canonicalized_body)?,
        })
    }

    /// Verifies the entry from end to end against what was proposed.
    ///
    /// # Errors
    /// The first [`Fault`] that is found.
    pub fn verify(self, log: &LogKey, body: &[u8]) -> Result<Verified, Fault> {
        if self.body != body {
            return Err(Fault::Body);
        }
        if self.log_id != log.log_id {
            return Err(Fault::LogId(hex::encode(self.log_id)));
        }
        let (kind, version) = (self.kind_version.0.as_str(), self.kind_version.1.as_str());
        if (kind, version) != ("hashedrekord", "0.0.2") {
            return Err(Fault::Framing(format!("kind {kind:?}, version {version:?}")));
        }
        if self.integrated_time != 0 || self.promised {
            return Err(Fault::Framing("an integrated time or an inclusion promise".to_owned()));
        }
        let head = log.open(&self.checkpoint)?;
        let (index, root, size) = self.proof;
        if index != self.index {
            return Err(Fault::Index { named: self.index, expected: index });
        }
        if size != head.size.0 || root != head.root.as_bytes() {
            return Err(Fault::Head);
        }
        let node = |hash: Vec<u8>| <[u8; 32]>::try_from(hash).map(NodeHash::from_bytes);
        let hashes = self.hashes.into_iter().map(node).collect::<Result<_, _>>();
        let hashes =
            hashes.map_err(|hash| Fault::Inclusion(format!("a hash of {} bytes", hash.len())))?;
        let proof = InclusionProof { index: LogIndex(index), size: head.size, hashes };
        let verified = proof.verify(&hash_leaf(&self.body), &head.root);
        verified.map_err(|error| Fault::Inclusion(error.to_string()))?;
        Ok(Verified { index, body: self.body, head })
    }
}

fn base64(member: &str, text: &str) -> Result<Vec<u8>, Fault> {
    STANDARD.decode(text).map_err(|error| Fault::Framing(format!("{member}: {error}")))
}

/// A number as protojson writes an int64.
///
/// # Errors
/// [`Fault::Framing`] for other spellings.
pub fn number(text: &str) -> Result<u64, Fault> {
    let number = text.parse::<u64>().ok().filter(|number| number.to_string() == text);
    number.ok_or_else(|| Fault::Framing(format!("{text:?} is not a number")))
}
