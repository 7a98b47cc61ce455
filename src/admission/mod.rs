//! Admission: who may enter the log. Parse, verify, canonicalise.
//!
//! [`admit`] turns what is [`Proposed`] into an [`AdmittedEntry`]: its signature is verified, its
//! leaf bytes are canonical, its index keys are known. Nothing here knows of indices, time or
//! engines. One file for each kind and version of Rekor v1 is in `kinds`, those of Rekor v2 are in
//! `rekor_v2`, one for each key format is in `pki`.

mod base64;
mod canonical;
mod index_keys;
mod json;
mod kinds;
pub(crate) mod pki;
mod policy;
mod proposal;
mod rekor_v2;
mod schema;

use bytes::Bytes;
use serde_json::Value;
use storage::Attestation;
use tlog::{LeafHash, hash_leaf};

pub use base64::{IllegalBase64, decode as decode_base64};
pub use index_keys::fold as fold_index_key;
pub use policy::{Accepts, Policy, PolicyError, SigningAlgorithm};
pub use proposal::{API_VERSION_PATTERN, KINDS, ParseError, Proposal};
pub(crate) use rekor_v2::DSSE_LIST_MAX;
pub use rekor_v2::{
    EnvelopeSignatureV2, EnvelopeV2, KeyV2, RequestV2, SignatureV2, VerifierV2, key_details_number,
};

use kinds::{Canonical, Context, KindVersion};
use pki::key::{HashAlgorithm, Key};

/// What a client proposes, by the API that it came through.
#[derive(Clone, Debug)]
pub enum Proposed {
    /// Of any kind, as Rekor v1 has them.
    RekorV1(Proposal),
    /// A hashedrekord or dsse entry of version 0.0.2.
    RekorV2(RequestV2),
    /// Bytes, which nobody looks at.
    Raw(Bytes),
}

/// An entry whose signature is verified, unless its log takes any bytes. Only [`admit`] makes one.
#[derive(Clone, Debug)]
pub struct AdmittedEntry {
    kind: &'static str,
    leaf_hash: LeafHash,
    parts: Parts,
}

/// What goes into the store of an [`AdmittedEntry`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parts {
    /// The canonical body: the exact leaf bytes.
    pub body: Vec<u8>,
    /// The keys under which a search finds the entry, in lower case, each once.
    pub index_keys: Vec<String>,
    /// What is stored beside the entry, if anything.
    pub attestation: Option<Attestation>,
}

/// Why an entry may not enter; its text is shown to the client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The proposal is at fault.
    #[error("{0}")]
    Input(String),
    /// The same, but clients are only told that; the reason is for the server's log.
    #[error("{shown}")]
    Masked {
        /// What clients are told.
        shown: &'static str,
        /// The reason.
        detail: String,
    },
    /// We are.
    #[error("{0}")]
    Internal(String),
}

impl Rejection {
    pub(crate) fn input(text: impl Into<String>) -> Self {
        Self::Input(text.into())
    }
}

/// Why a public key cannot be searched for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SearchKeyError {
    /// No such format.
    #[error("the PKI format requested is not supported by this server")]
    UnknownFormat,
    /// Not a key of that format; the text says why, for the log.
    #[error("public key provided could not be parsed")]
    Unparsable(String),
}

impl Proposed {
    /// Length in bytes of what has to be read to judge it.
    pub fn bytes(&self) -> usize {
        match self {
            Self::RekorV1(proposal) => proposal.text_bytes(),
            Self::RekorV2(request) => request.bytes(),
            Self::Raw(bytes) => bytes.len(),
        }
    }

    fn accepted_by(&self) -> Accepts {
        match self {
            Self::RekorV1(_) => Accepts::RekorV1,
            Self::RekorV2(_) => Accepts::RekorV2,
            Self::Raw(_) => Accepts::Raw,
        }
    }
}

impl From<Proposal> for Proposed {
    fn from(proposal: Proposal) -> Self {
        Self::RekorV1(proposal)
    }
}

impl From<RequestV2> for Proposed {
    fn from(request: RequestV2) -> Self {
        Self::RekorV2(request)
    }
}

impl AdmittedEntry {
    /// The last step of admission: caps and hash of the leaf, keys for the index.
    fn new(kind: &'static str, canonical: Canonical, policy: &Policy) -> Result<Self, Rejection> {
        let Canonical { body, index_keys, attestation } = canonical;
        if body.len() > policy.body_bytes_max {
            let max = policy.body_bytes_max;
            return Err(Rejection::Input(format!(
                "the canonical entry is larger than {max} bytes"
            )));
        }
        let leaf_hash = hash_leaf(&body);
        let parts = Parts { body, index_keys: index_keys::finish(index_keys)?, attestation };
        Ok(Self { kind, leaf_hash, parts })
    }

    /// The kind, for example `hashedrekord`.
    pub fn kind(&self) -> &str {
        self.kind
    }

    /// The canonical body: the exact leaf bytes.
    pub fn body(&self) -> &[u8] {
        &self.parts.body
    }

    /// The RFC 6962 leaf hash of the body.
    pub fn leaf_hash(&self) -> LeafHash {
        self.leaf_hash
    }

    /// The keys under which a search finds the entry, in lower case, each once.
    pub fn index_keys(&self) -> &[String] {
        &self.parts.index_keys
    }

    /// What is stored beside the entry, if anything.
    pub fn attestation(&self) -> Option<&Attestation> {
        self.parts.attestation.as_ref()
    }

    /// What goes into the store.
    pub fn into_parts(self) -> Parts {
        self.parts
    }
}

/// Judges what is proposed for insertion: decode and verify, policy, canonicalise.
///
/// # Errors
/// [`Rejection`]: of the proposal's own fault in Rekor's words and order, and of what belongs into
/// a log of another API.
pub fn admit(proposed: &Proposed, policy: &Policy) -> Result<AdmittedEntry, Rejection> {
    if proposed.accepted_by() != policy.accepts {
        let (takes, found) = (policy.accepts, proposed.accepted_by());
        return Err(Rejection::Input(format!("this log takes {takes}, not {found}")));
    }
    match proposed {
        Proposed::RekorV1(proposal) => admit_v1(proposal, policy),
        Proposed::RekorV2(request) => rekor_v2::admit(request, policy),
        Proposed::Raw(bytes) => {
            let (body, index_keys) = (bytes.to_vec(), Vec::new());
            AdmittedEntry::new("raw", Canonical { body, index_keys, attestation: None }, policy)
        }
    }
}

fn admit_v1(proposal: &Proposal, policy: &Policy) -> Result<AdmittedEntry, Rejection> {
    let kind = find_kind(proposal)?;
    let entry = (kind.decode)(spec(proposal)?)?;
    if !policy.enabled_kinds.contains(kind.kind) {
        let text =
            format!("entry kind '{}' is not enabled for submission on this server", kind.kind);
        return Err(Rejection::Input(text));
    }
    entry
        .check_insertable()
        .map_err(|reason| Rejection::Input(format!("entry not insertable into log: {reason}")))?;
    match entry.signed_with() {
        Some((key, hash)) if !policy.is_allowed(key, Some(hash)) => {
            return Err(not_allowed(key, hash));
        }
        _ => {}
    }
    let attestation_bytes_max = policy.attestation_bytes_max;
    let context = Context { policy, attestation_bytes_max, now: Some((policy.clock)()) };
    AdmittedEntry::new(kind.kind, entry.canonicalise(&context)?, policy)
}

/// The leaf hash that a proposal has, or would have, in the log: signatures are verified, but not
/// whether the policy allows them or they have expired, and stored forms are taken too where the
/// kind allows it.
///
/// # Errors
/// [`Rejection`], as for [`admit`].
pub fn leaf_hash_of(proposal: &Proposal, policy: &Policy) -> Result<LeafHash, Rejection> {
    let entry = (find_kind(proposal)?.decode)(spec(proposal)?)?;
    let context = Context { policy, attestation_bytes_max: None, now: None };
    Ok(hash_leaf(&entry.canonicalise(&context)?.body))
}

/// The key of the attestation that may be stored beside an entry, from its canonical body. The body
/// is not judged again.
pub fn attestation_key(body: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let spec = body.get("spec")?;
    let hash = match body.get("kind")?.as_str()? {
        "intoto" => spec.get("content")?.get("payloadHash")?,
        "cose" => spec.get("data")?.get("envelopeHash")?,
        _ => return None,
    };
    let (algorithm, value) = (hash.get("algorithm")?.as_str()?, hash.get("value")?.as_str()?);
    Some(format!("{algorithm}:{value}"))
}

/// The index keys that a public key is found under: the bare hash of its canonical value, and that
/// with `sha256:`, which intoto and dsse entries carry.
///
/// # Errors
/// [`SearchKeyError`].
pub fn public_key_index_keys(format: &str, content: &[u8]) -> Result<Vec<String>, SearchKeyError> {
    let known = pki::format(format).ok_or(SearchKeyError::UnknownFormat)?;
    let key = (known.read_key)(content).map_err(SearchKeyError::Unparsable)?;
    let hash = index_keys::sha256_hex(&key.value);
    Ok(vec![hash.clone(), format!("sha256:{hash}")])
}

/// The signature is fine, but not by a kind of key that the operator allows.
fn not_allowed(key: &Key, hash: HashAlgorithm) -> Rejection {
    let hash = hash.title();
    Rejection::Input(format!("entry algorithms are not allowed: {key} with {hash}"))
}

fn find_kind(proposal: &Proposal) -> Result<&'static KindVersion, Rejection> {
    let (kind, version) = (proposal.kind(), proposal.api_version());
    kinds::find(kind, version).ok_or_else(|| {
        Rejection::Input(if KINDS.contains(&kind) {
            format!(
                "{kind} implementation for version '{version}' not found: \
                 unable to locate entry for version {version}"
            )
        } else {
            format!("could not unmarshal entry for kind '{kind}'")
        })
    })
}

fn spec(proposal: &Proposal) -> Result<&schema::Members, Rejection> {
    let found = match proposal.spec() {
        Value::Object(members) => return Ok(members),
        Value::Null => "nil",
        Value::Bool(_) => "bool",
        Value::Number(_) => "json.Number",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
    };
    Err(Rejection::Input(format!("unsupported input type {found} for DecodeEntry")))
}

#[cfg(test)]
mod tests;
