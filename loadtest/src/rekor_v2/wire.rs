//! The JSON of Rekor v2's answer: protojson of `dev.sigstore.rekor.v1.TransparencyLogEntry` with
//! defaults written out, as rekor-tiles gives it. Whitespace is the server's choice.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

/// What is looked at while the clock runs.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Framed<'a> {
    /// Index of the entry, decimal.
    #[serde(borrow)]
    pub log_index: Cow<'a, str>,
    /// Canonical body, base64.
    #[serde(borrow)]
    pub canonicalized_body: Cow<'a, str>,
}

/// A logged entry. All members must be there, and no others.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TransparencyLogEntry {
    /// Index of the entry, decimal.
    pub log_index: String,
    /// Which log.
    pub log_id: LogId,
    /// Which kind of entry.
    pub kind_version: KindVersion,
    /// Always `"0"`: Rekor v2 gives no time.
    pub integrated_time: String,
    /// Always `null`: Rekor v2 makes no promise.
    pub inclusion_promise: (),
    /// What proves the entry.
    pub inclusion_proof: InclusionProof,
    /// Canonical body, base64.
    pub canonicalized_body: String,
}

/// The ID of a log's key.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LogId {
    /// 32 bytes, base64.
    pub key_id: String,
}

/// Kind and version of an entry.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KindVersion {
    /// `hashedrekord`
    pub kind: String,
    /// `0.0.2`
    pub version: String,
}

/// An inclusion proof.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InclusionProof {
    /// Index of the entry, decimal.
    pub log_index: String,
    /// Root hash of the checkpoint, base64.
    pub root_hash: String,
    /// Size of the checkpoint, decimal.
    pub tree_size: String,
    /// Nodes, base64.
    pub hashes: Vec<String>,
    /// The checkpoint that the proof leads to.
    pub checkpoint: Checkpoint,
}

/// A checkpoint in a proof.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Checkpoint {
    /// The signed note.
    pub envelope: String,
}
