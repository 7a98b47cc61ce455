//! What a file brings, whatever its form: entries with their proofs, timestamps, a signer and what
//! was signed. Nothing in it is verified.

use serde::Deserialize;
use serde::de::IgnoredAny;
use tlog::TlogProof;

use super::log_entry::LogEntry;
use super::{bundle, cosign_bundle};
use crate::admission::pki::key::HashAlgorithm;
use crate::admission::pki::x509::Certificate;

const TLOG_PROOF: &[u8] = b"c2sp.org/tlog-proof@";

/// All of it.
pub(super) struct Evidence {
    pub(super) form: Form,
    pub(super) entries: Vec<LogEntry>,
    /// Answers of timestamp authorities, DER.
    pub(super) timestamps: Vec<Vec<u8>>,
    /// `None` where only the entry says who signed.
    pub(super) signer: Option<Signer>,
    pub(super) content: Option<Content>,
}

/// What kind of file it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// A Sigstore bundle 0.*version*.
    Bundle { version: u8 },
    /// A bundle of cosign's own.
    Cosign,
    /// An answer of Rekor v1.
    RekorV1,
    /// A `TransparencyLogEntry`.
    TransparencyLogEntry,
    /// A C2SP tlog-proof.
    TlogProof,
}

/// Who signed, as the file says.
pub(super) enum Signer {
    /// Somebody whose key the verifier has to have.
    Hint(String),
    /// The signer's certificate first.
    Certificates(Vec<Certificate>),
}

/// What was signed.
pub(super) enum Content {
    /// The artifact itself. Its digest is a hint.
    Message { digest: Option<(HashAlgorithm, Vec<u8>)>, signature: Vec<u8> },
    /// An envelope (DSSE), whose payload speaks of the artifact.
    Envelope { payload_type: String, payload: Vec<u8>, signature: Vec<u8> },
}

impl Content {
    pub(super) fn signature(&self) -> &[u8] {
        match self {
            Self::Message { signature, .. } | Self::Envelope { signature, .. } => signature,
        }
    }
}

impl Form {
    /// In words.
    pub(super) fn describe(self) -> String {
        match self {
            Self::Bundle { version } => format!("a Sigstore bundle 0.{version}"),
            Self::Cosign => "a bundle of cosign's own form".into(),
            Self::RekorV1 => "an entry of a Rekor v1 log".into(),
            Self::TransparencyLogEntry => "a TransparencyLogEntry".into(),
            Self::TlogProof => "a C2SP tlog-proof".into(),
        }
    }

    /// Whether it is about a signature on an artifact, not an entry alone.
    pub(super) fn is_bundle(self) -> bool {
        matches!(self, Self::Bundle { .. } | Self::Cosign)
    }
}

/// Which member tells the forms apart.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Peek {
    #[serde(alias = "media_type")]
    media_type: Option<IgnoredAny>,
    #[serde(rename = "base64Signature")]
    base64_signature: Option<IgnoredAny>,
    #[serde(alias = "canonicalized_body")]
    canonicalized_body: Option<IgnoredAny>,
}

/// Reads a file of any form. `leaf` is the entry that a tlog-proof is about; without it the proof's
/// extra data is taken for it, as `cairn entry proof` writes it.
///
/// # Errors
/// What is wrong with it.
pub(super) fn read(text: &[u8], leaf: Option<&[u8]>) -> Result<Evidence, String> {
    if text.starts_with(TLOG_PROOF) {
        return entry_alone(Form::TlogProof, tlog_proof(text, leaf)?);
    }
    let peek: Peek = serde_json::from_slice(text)
        .map_err(|error| format!("it is neither JSON nor a tlog-proof: {error}"))?;
    if peek.media_type.is_some() {
        return bundle::read(text).map_err(|why| format!("as a Sigstore bundle: {why}"));
    }
    if peek.base64_signature.is_some() {
        return cosign_bundle::read(text).map_err(|why| format!("as a bundle of cosign's: {why}"));
    }
    if peek.canonicalized_body.is_some() {
        let entry = LogEntry::from_json(text);
        let entry = entry.map_err(|why| format!("as a TransparencyLogEntry: {why}"))?;
        return entry_alone(Form::TransparencyLogEntry, entry);
    }
    let entry = LogEntry::from_rekor_v1(text);
    entry_alone(Form::RekorV1, entry.map_err(|why| format!("as an entry of Rekor v1: {why}"))?)
}

fn tlog_proof(text: &[u8], leaf: Option<&[u8]>) -> Result<LogEntry, String> {
    let as_proof = |why: String| format!("as a tlog-proof: {why}");
    let text = str::from_utf8(text).map_err(|error| as_proof(error.to_string()))?;
    let proof = TlogProof::parse(text).map_err(|error| as_proof(error.to_string()))?;
    let body = leaf.map_or_else(|| proof.extra.clone(), <[u8]>::to_vec);
    if body.is_empty() {
        return Err("the proof does not hold its entry: name the entry's bytes with --entry".into());
    }
    LogEntry::from_tlog_proof(proof, body).map_err(as_proof)
}

fn entry_alone(form: Form, entry: LogEntry) -> Result<Evidence, String> {
    Ok(Evidence { form, entries: vec![entry], timestamps: Vec::new(), signer: None, content: None })
}
