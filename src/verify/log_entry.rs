//! A log's entry with what proves it: an answer of Rekor v1, or a `TransparencyLogEntry`, the form
//! of Rekor v2 and of Sigstore bundles.

use std::collections::BTreeMap;

use serde::Deserialize;
use tlog::{InclusionProof, LogIndex, NodeHash, RootHash, TlogProof, TreeSize};

use super::json::{Bytes, Number, list};

/// Hashes of a proof, one for each level below a root, and no more.
const PROOF_HASHES_MAX: usize = 64;

/// An entry and its proofs, none of which is verified yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LogEntry {
    /// The canonical body: the leaf bytes.
    pub(super) body: Vec<u8>,
    /// The ID of its log; `None` if it is in the checkpoint alone.
    pub(super) log_id: Option<[u8; 32]>,
    /// Where the log says it is; virtual in Rekor v1.
    pub(super) index: u64,
    /// When the log says that it integrated it; only a promise proves it.
    pub(super) integrated_time: Option<i64>,
    /// The signed entry timestamp.
    pub(super) promise: Option<Vec<u8>>,
    pub(super) proof: Option<Proof>,
    /// Kind and version, where they stand beside the body.
    pub(super) kind_version: Option<(String, String)>,
}

/// An inclusion proof and what it is held against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Proof {
    pub(super) inclusion: InclusionProof,
    /// The root hash as the file says it.
    pub(super) root: Option<RootHash>,
    /// The checkpoint, a signed note; only old bundles lack it.
    pub(super) note: Option<String>,
}

impl LogEntry {
    /// Reads the answer of Rekor v1 to a question for one entry.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn from_rekor_v1(text: &[u8]) -> Result<Self, String> {
        let answer: BTreeMap<String, V1Entry> =
            serde_json::from_slice(text).map_err(|error| error.to_string())?;
        let mut entries = answer.into_iter();
        let (Some((id, entry)), None) = (entries.next(), entries.next()) else {
            return Err("it does not hold one entry".into());
        };
        let leaf = tlog::hash_leaf(&entry.body.0);
        if !id.ends_with(&hex::encode(leaf.as_bytes())) {
            return Err(format!("the entry is called {id}, which is not the hash of its body"));
        }
        let V1Verification { inclusion_proof, signed_entry_timestamp } = entry.verification;
        Ok(Self {
            body: entry.body.0,
            log_id: Some(read_id(hex::decode(&entry.log_id).ok())?),
            index: entry.log_index.0,
            integrated_time: positive(entry.integrated_time)?,
            promise: signed_entry_timestamp.map(|bytes| bytes.0).filter(|b| !b.is_empty()),
            proof: inclusion_proof.map(V1Proof::read).transpose()?,
            kind_version: None,
        })
    }

    /// Reads a `TransparencyLogEntry` alone.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn from_json(text: &[u8]) -> Result<Self, String> {
        serde_json::from_slice::<Tle>(text).map_err(|error| error.to_string())?.read()
    }

    /// Takes a C2SP tlog-proof, and the entry that it is about.
    pub(super) fn from_tlog_proof(proof: TlogProof, body: Vec<u8>) -> Result<Self, String> {
        let note = tlog::Note::parse(&proof.note).map_err(|error| error.to_string())?;
        let checkpoint =
            tlog::Checkpoint::parse_text(&note.text).map_err(|error| error.to_string())?;
        Ok(Self {
            body,
            log_id: None,
            index: proof.index.0,
            integrated_time: None,
            promise: None,
            proof: Some(Proof {
                inclusion: proof.inclusion_proof(checkpoint.head.size),
                root: None,
                note: Some(proof.note),
            }),
            kind_version: None,
        })
    }
}

/// Rekor v1's `LogEntryAnon`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct V1Entry {
    #[serde(default, rename = "attestation")]
    _attestation: serde::de::IgnoredAny,
    body: Bytes,
    integrated_time: Number,
    #[serde(rename = "logID")]
    log_id: String,
    log_index: Number,
    verification: V1Verification,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct V1Verification {
    #[serde(default)]
    inclusion_proof: Option<V1Proof>,
    #[serde(default)]
    signed_entry_timestamp: Option<Bytes>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct V1Proof {
    #[serde(default)]
    checkpoint: Option<String>,
    #[serde(deserialize_with = "list")]
    hashes: Vec<String>,
    log_index: Number,
    root_hash: String,
    tree_size: Number,
}

impl V1Proof {
    fn read(self) -> Result<Proof, String> {
        let decoded = self.hashes.iter().map(|hash| hex::decode(hash).unwrap_or_default());
        let root = hex::decode(&self.root_hash).unwrap_or_default();
        proof(self.log_index, self.tree_size, decoded, &root, self.checkpoint)
    }
}

/// `dev.sigstore.rekor.v1.TransparencyLogEntry`
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Tle {
    #[serde(default, alias = "log_index")]
    log_index: Number,
    #[serde(alias = "log_id")]
    log_id: LogId,
    #[serde(default, alias = "kind_version")]
    kind_version: Option<KindVersion>,
    #[serde(default, alias = "integrated_time")]
    integrated_time: Number,
    #[serde(default, alias = "inclusion_promise")]
    inclusion_promise: Option<InclusionPromise>,
    #[serde(default, alias = "inclusion_proof")]
    inclusion_proof: Option<TleProof>,
    #[serde(default, alias = "canonicalized_body")]
    canonicalized_body: Bytes,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LogId {
    #[serde(rename = "keyId", alias = "key_id")]
    key_id: Bytes,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KindVersion {
    kind: String,
    version: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InclusionPromise {
    #[serde(default, rename = "signedEntryTimestamp", alias = "signed_entry_timestamp")]
    signed_entry_timestamp: Bytes,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TleProof {
    #[serde(default, alias = "log_index")]
    log_index: Number,
    #[serde(default, alias = "root_hash")]
    root_hash: Bytes,
    #[serde(default, alias = "tree_size")]
    tree_size: Number,
    #[serde(default, deserialize_with = "list")]
    hashes: Vec<Bytes>,
    #[serde(default)]
    checkpoint: Option<Envelope>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Envelope {
    #[serde(default)]
    envelope: String,
}

impl Tle {
    /// # Errors
    /// What is wrong with it.
    pub(super) fn read(self) -> Result<LogEntry, String> {
        if self.canonicalized_body.0.is_empty() {
            return Err("the log entry has no body".into());
        }
        let proof = self.inclusion_proof.map(|p| {
            let note = p.checkpoint.map(|checkpoint| checkpoint.envelope);
            let hashes = p.hashes.into_iter().map(|hash| hash.0);
            proof(p.log_index, p.tree_size, hashes, &p.root_hash.0, note)
        });
        let promise = self.inclusion_promise.map(|promise| promise.signed_entry_timestamp.0);
        Ok(LogEntry {
            body: self.canonicalized_body.0,
            log_id: Some(read_id(Some(self.log_id.key_id.0))?),
            index: self.log_index.0,
            integrated_time: positive(self.integrated_time)?,
            promise: promise.filter(|promise| !promise.is_empty()),
            proof: proof.transpose()?,
            kind_version: self.kind_version.map(|kind| (kind.kind, kind.version)),
        })
    }
}

fn proof(
    index: Number,
    size: Number,
    hashes: impl ExactSizeIterator<Item = Vec<u8>>,
    root: &[u8],
    note: Option<String>,
) -> Result<Proof, String> {
    if hashes.len() > PROOF_HASHES_MAX {
        return Err(format!("the inclusion proof has more than {PROOF_HASHES_MAX} hashes"));
    }
    let hash = |bytes: &[u8]| {
        <[u8; 32]>::try_from(bytes).map_err(|_| "a hash of the inclusion proof is malformed")
    };
    let hashes = hashes.map(|bytes| hash(&bytes).map(NodeHash::from_bytes));
    Ok(Proof {
        inclusion: InclusionProof {
            index: LogIndex(index.0),
            size: TreeSize(size.0),
            hashes: hashes.collect::<Result<_, _>>()?,
        },
        root: Some(RootHash::from_bytes(hash(root)?)),
        note: note.filter(|note| !note.is_empty()),
    })
}

pub(super) fn read_id(bytes: Option<Vec<u8>>) -> Result<[u8; 32], String> {
    let id = bytes.and_then(|bytes| bytes.try_into().ok());
    id.ok_or_else(|| "the log's ID does not have 32 bytes".to_owned())
}

/// A time of zero is none.
pub(super) fn positive(time: Number) -> Result<Option<i64>, String> {
    let time = i64::try_from(time.0).map_err(|_| "the integrated time is out of range")?;
    Ok((time > 0).then_some(time))
}
