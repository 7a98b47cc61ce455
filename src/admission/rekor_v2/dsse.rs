//! dsse 0.0.2: an envelope, and verifiers that account for all of its signatures.
//!
//! Rekor 2.3 took it out, but released clients still send it. Logged are the payload's SHA-256 and
//! each signature with its verifier; the payload is not.

use aws_lc_rs::digest::Digest;

use super::super::index_keys::sha256_hex;
use super::super::kinds::{Canonical, statement};
use super::super::pki::key::{HashAlgorithm, Key};
use super::super::policy::Policy;
use super::{EnvelopeV2, Verifier, VerifierV2, body};

/// Verifiers of one entry, and signatures of its envelope: bounds the time of one entry.
pub(crate) const DSSE_LIST_MAX: usize = 10;

/// Judges a request; the error is the reason.
pub(super) fn judge(
    envelope: Option<&EnvelopeV2>,
    verifiers: &[VerifierV2],
    policy: &Policy,
) -> Result<Canonical, String> {
    let envelope = envelope.ok_or("missing envelope")?;
    check_lists(envelope, verifiers)?;
    let read = |verifier| {
        let verifier = Verifier::read(verifier)?;
        if is_allowed(&verifier, policy) { Ok(verifier) } else { Err(verifier.not_allowed()) }
    };
    let verifiers = verifiers.iter().map(read).collect::<Result<Vec<_>, String>>()?;
    for (n, verifier) in verifiers.iter().enumerate() {
        let bytes = verifier.sent.bytes();
        if verifiers.iter().take(n).any(|earlier| earlier.sent.bytes() == bytes) {
            return Err("duplicate verifiers".into());
        }
    }

    let mut signed = Signed::new(envelope);
    let mut verified: Vec<(&[u8], &Verifier<'_>)> = Vec::new();
    for verifier in &verifiers {
        let sig = first_verified(envelope, verifier, &mut signed);
        let sig = sig.ok_or("could not verify envelope: a verifier matches no signature")?;
        match verified.iter_mut().find(|(known, _)| *known == sig) {
            Some(known) => known.1 = verifier,
            None => verified.push((sig, verifier)),
        }
    }
    if envelope.signatures.iter().any(|s| verified.iter().all(|(sig, _)| *sig != s.sig)) {
        return Err("all signatures must have a key that verifies it".into());
    }
    verified.sort_by_key(|(sig, _)| *sig);

    let payload_sha256 = tlog::hash::sha256(&envelope.payload);
    let mut index_keys = Vec::new();
    for (_, verifier) in &verified {
        index_keys.push(format!("sha256:{}", sha256_hex(verifier.key.canonical())));
        index_keys.extend_from_slice(verifier.key.subjects());
    }
    index_keys.push(format!("sha256:{}", hex::encode(payload_sha256)));
    index_keys.extend(statement::index_keys(&envelope.payload_type, &envelope.payload));
    let body = body::dsse(&payload_sha256, &verified);
    Ok(Canonical { body, index_keys, attestation: None })
}

fn check_lists(envelope: &EnvelopeV2, verifiers: &[VerifierV2]) -> Result<(), String> {
    for (name, len) in [("verifiers", verifiers.len()), ("signatures", envelope.signatures.len())] {
        if len == 0 {
            return Err(format!("missing {name}"));
        }
        if len > DSSE_LIST_MAX {
            return Err(format!("more than {DSSE_LIST_MAX} {name}"));
        }
    }
    if envelope.signatures.iter().any(|signature| signature.sig.is_empty()) {
        return Err("empty signature".into());
    }
    Ok(())
}

/// Pure Ed25519 has no name in the setting (it signs no digest); it goes with Ed25519ph.
fn is_allowed(verifier: &Verifier<'_>, policy: &Policy) -> bool {
    let key = verifier.key.key();
    let hash = match (key, verifier.details.hash()) {
        (Key::Ed25519(_), None) => Some(HashAlgorithm::Sha512),
        (_, hash) => hash,
    };
    policy.is_allowed(key, hash)
}

/// The first signature that a verifier accounts for. Which key it names does not matter, as in
/// Rekor 2.2.1.
fn first_verified<'a>(
    envelope: &'a EnvelopeV2,
    verifier: &Verifier<'_>,
    signed: &mut Signed,
) -> Option<&'a [u8]> {
    let found = envelope.signatures.iter().find(|s| signed.is_signed(&s.sig, verifier));
    found.map(|s| s.sig.as_slice())
}

/// What the signatures are over, and its digests as they are needed.
struct Signed {
    message: Vec<u8>,
    digests: Vec<(HashAlgorithm, Digest)>,
}

impl Signed {
    /// The pre-authentication encoding of DSSE (secure-systems-lab/dsse, protocol).
    fn new(envelope: &EnvelopeV2) -> Self {
        let EnvelopeV2 { payload, payload_type: kind, .. } = envelope;
        let head = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len());
        Self { message: [head.as_bytes(), payload].concat(), digests: Vec::new() }
    }

    /// Ed25519 signs the message itself, all others its digest.
    fn is_signed(&mut self, signature: &[u8], verifier: &Verifier<'_>) -> bool {
        let key = verifier.key.key();
        if matches!(key, Key::Ed25519(_)) {
            return key.verify_content(&self.message, signature).is_ok();
        }
        let Some(hash) = verifier.details.hash() else { return false };
        let known = self.digests.iter().position(|(known, _)| *known == hash);
        let at = known.unwrap_or_else(|| {
            self.digests.push((hash, hash.digest(&self.message)));
            self.digests.len() - 1
        });
        key.verify_digest(hash, self.digests[at].1.as_ref(), signature).is_ok()
    }
}
