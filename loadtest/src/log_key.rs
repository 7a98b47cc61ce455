//! A log's public key and origin: whether a checkpoint is this log's. For all logs that are read as
//! tiles, of any API.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tlog::{KeyId, SignedCheckpoint, TreeHead, Verifier};

use crate::fault::Fault;

/// Most signatures of a checkpoint: signed-note makes verifiers take 16, and no client takes more
/// than 20.
const SIGNATURES_MAX: usize = 16;

/// Who a log is.
#[derive(Debug)]
pub struct LogKey {
    /// Origin line of its checkpoints.
    pub origin: String,
    /// The name on its signature lines.
    pub name: String,
    /// Hash of its public key: with its name for Ed25519 (signed-note), without for ECDSA.
    pub log_id: [u8; 32],
    key_id: KeyId,
    verifier: Verifier,
}

impl LogKey {
    /// A log by its public key (PEM) and any of its checkpoints, which must verify.
    ///
    /// # Errors
    /// Keys that are neither ECDSA P-256 nor Ed25519, and a checkpoint that is not the key's.
    pub fn new(key_pem: &str, checkpoint: &str) -> Result<(Self, TreeHead), Fault> {
        let verifier = parse_public_key(key_pem)?;
        let origin = checkpoint.lines().next().unwrap_or_default().to_owned();
        let v1_name = origin.rsplit_once(" - ").filter(|(_, id)| id.parse::<i64>().is_ok());
        let name = v1_name.map_or(origin.as_str(), |(host, _)| host).to_owned();
        let (log_id, key_id) = (verifier.note_key_hash(&name), verifier.key_id(&name));
        let log = Self { origin, name, log_id, key_id, verifier };
        let head = log.open(checkpoint)?;
        Ok((log, head))
    }

    /// Verifies a checkpoint: this origin, no extension lines, the log's signature before all
    /// others. Cosignatures of witnesses are not verified.
    ///
    /// # Errors
    /// [`Fault::Checkpoint`], with the rule that is broken.
    pub fn open(&self, note: &str) -> Result<TreeHead, Fault> {
        let refuse = |why: &str| Fault::Checkpoint(why.to_owned());
        let signed = SignedCheckpoint::open(note, &self.origin, &self.verifier, self.key_id)
            .map_err(|error| refuse(&error.to_string()))?;
        if !signed.checkpoint().extensions.is_empty() {
            return Err(refuse("extension lines"));
        }
        let lines = &signed.note().signatures;
        let own =
            |line: &&tlog::NoteSignature| line.key_id == self.key_id && line.name == self.name;
        if lines.first().filter(own).is_none() || lines.iter().filter(own).count() != 1 {
            return Err(refuse("the log's signature is not the first, or not the only one"));
        }
        if lines.len() > SIGNATURES_MAX {
            return Err(refuse(&format!("more than {SIGNATURES_MAX} signatures")));
        }
        Ok(signed.checkpoint().head)
    }
}

/// Reads a public key in PEM.
///
/// # Errors
/// [`Fault::Framing`] for anything but ECDSA P-256 or Ed25519 in SPKI.
pub fn parse_public_key(pem: &str) -> Result<Verifier, Fault> {
    let refuse = |why: &str| Fault::Framing(format!("public key: {why}"));
    let body = pem
        .trim()
        .strip_prefix("-----BEGIN PUBLIC KEY-----")
        .and_then(|rest| rest.strip_suffix("-----END PUBLIC KEY-----"))
        .ok_or_else(|| refuse("not PEM"))?;
    let base64: String = body.split_ascii_whitespace().collect();
    let spki = STANDARD.decode(base64).map_err(|error| refuse(&error.to_string()))?;
    Verifier::from_spki(&spki).map_err(|error| refuse(&error.to_string()))
}
