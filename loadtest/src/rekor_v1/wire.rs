//! The JSON of Rekor v1's answers. Members stand in the order in which a server writes them, so
//! that writing what was read gives the same bytes: Rekor's clients slice that text by offsets.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// `GET /api/v1/log`
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LogInfo {
    /// Frozen shards, oldest first; `null` if there are none.
    pub inactive_shards: Option<Vec<ShardInfo>>,
    /// Root hash of the active tree, hexadecimal.
    pub root_hash: String,
    /// Checkpoint of the active tree.
    pub signed_tree_head: String,
    /// Decimal number of the active tree.
    #[serde(rename = "treeID")]
    pub tree_id: String,
    /// Size of the active tree.
    pub tree_size: u64,
}

/// A frozen shard in [`LogInfo`].
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ShardInfo {
    /// Root hash, hexadecimal.
    pub root_hash: String,
    /// Checkpoint.
    pub signed_tree_head: String,
    /// Decimal number of the tree.
    #[serde(rename = "treeID")]
    pub tree_id: String,
    /// Size of the tree.
    pub tree_size: u64,
}

/// The answer to a proposal (201) and to a `GET` of an entry (200): one member, named by its entry
/// ID.
pub type EntryMap = BTreeMap<String, Entry>;

/// One entry of an [`EntryMap`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Entry {
    /// Never in a 201.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attestation: Option<Attestation>,
    /// Canonical body, base64.
    pub body: String,
    /// Seconds since 1970.
    pub integrated_time: i64,
    /// SHA-256 of the log's public key, hexadecimal.
    #[serde(rename = "logID")]
    pub log_id: String,
    /// Index over all shards.
    pub log_index: u64,
    /// What proves the entry.
    pub verification: Verification,
}

/// An attestation that is kept beside an entry.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attestation {
    /// base64
    pub data: String,
}

/// The proofs of an [`Entry`].
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Verification {
    /// That the tree of a checkpoint holds the entry.
    pub inclusion_proof: InclusionProof,
    /// The signed entry timestamp (SET), base64.
    pub signed_entry_timestamp: String,
}

/// An inclusion proof.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct InclusionProof {
    /// The checkpoint that the proof leads to.
    pub checkpoint: String,
    /// Nodes, hexadecimal.
    pub hashes: Vec<String>,
    /// Index in the shard's own tree.
    pub log_index: u64,
    /// Root hash of the checkpoint, hexadecimal.
    pub root_hash: String,
    /// Size of the checkpoint.
    pub tree_size: u64,
}

/// `GET /api/v1/log/proof`
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConsistencyProof {
    /// Nodes, hexadecimal.
    pub hashes: Vec<String>,
    /// The tree's current root, which need not be the root at `lastSize`.
    pub root_hash: String,
}
