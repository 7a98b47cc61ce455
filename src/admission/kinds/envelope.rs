//! DSSE envelopes (secure-systems-lab/dsse): reading, the pre-authentication encoding, and which
//! signatures a set of keys accounts for.

use aws_lc_rs::digest::{Digest, SHA256, digest};
use serde_json::Value;

use super::super::json;
use super::super::pki::key::{self, Key};
use super::super::pki::ssh_key::fingerprint;
use super::super::pki::x509::PublicKey;
use super::super::{Rejection, base64};

/// Signatures in one envelope, and keys to check them with.
const SIGNATURES_MAX: usize = 32;

/// What checking one envelope may cost, in checks: bounds the time of one entry. Every key may be
/// tried with every signature, and Ed25519 reads the whole payload each time.
const CHECKS_MAX: usize = 256;

/// Bytes of payload whose reading costs as much as a check.
const BYTES_OF_A_CHECK: usize = 1 << 20;

/// An envelope as text has it: payload and signatures are base64 in either alphabet.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Envelope {
    pub(super) payload_type: String,
    pub(super) payload: String,
    pub(super) signatures: Vec<Signature>,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Signature {
    pub(super) keyid: String,
    pub(super) sig: String,
}

/// The text of a signature, and the key that verified it.
pub(super) type VerifiedBy<'a> = (&'a str, PublicKey);

const UNREADABLE: &str = "unable to base64 decode payload (is payload in the right format?)";

impl Envelope {
    /// Reads JSON; a missing or null member is empty.
    pub(super) fn from_json(text: &str) -> Result<Self, Rejection> {
        let mut members = match json::parse(text.as_bytes()).map_err(Rejection::Input)? {
            Value::Null => return Ok(Self::default()),
            Value::Object(members) => members,
            _ => return Err(Rejection::input("a DSSE envelope must be a JSON object")),
        };
        let signatures = match json::take(&mut members, "signatures") {
            Value::Null => Vec::new(),
            Value::Array(items) => {
                items.into_iter().map(Signature::read).collect::<Result<_, _>>()?
            }
            _ => return Err(Rejection::input("signatures of a DSSE envelope must be a list")),
        };
        Ok(Self {
            payload_type: text_of(json::take(&mut members, "payloadType"), "payloadType")?,
            payload: text_of(json::take(&mut members, "payload"), "payload")?,
            signatures,
        })
    }

    /// The payload's bytes.
    pub(super) fn payload(&self) -> Result<Vec<u8>, String> {
        decode(&self.payload)
    }

    /// The bytes that are signed.
    pub(super) fn signed_bytes(&self, payload: &[u8]) -> Vec<u8> {
        let kind = &self.payload_type;
        let mut out = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len()).into_bytes();
        out.extend_from_slice(payload);
        out
    }

    /// Checks the envelope against one key: gives the first signature that the key verifies.
    ///
    /// With a `key_id`, signatures that name another one do not count.
    fn first_verified(
        &self,
        signed: &mut Signed,
        key: &PublicKey,
        key_id: Option<&str>,
    ) -> Result<usize, String> {
        let mut found = None;
        for (index, signature) in self.signatures.iter().enumerate() {
            // An unreadable signature spoils the envelope, wherever it stands.
            let bytes = decode(&signature.sig)?;
            let named = key_id.is_none_or(|id| signature.keyid.is_empty() || signature.keyid == id);
            if found.is_none() && named && signed.is_by(key, &bytes)? {
                found = Some(index);
            }
        }
        found.ok_or_else(|| {
            "accepted signatures do not match threshold, Found: 0, Expected 1".to_owned()
        })
    }

    /// intoto 0.0.1: one key, which must verify one of the signatures; gives the payload.
    pub(super) fn verify_one(&self, key: &PublicKey) -> Result<Vec<u8>, Rejection> {
        self.check_limits(1)?;
        key::check_supported(key.key()).map_err(Rejection::Input)?;
        if self.signatures.is_empty() {
            return Err(Rejection::input("no signature found"));
        }
        let payload = self.payload().map_err(Rejection::Input)?;
        let mut signed = Signed::new(self.signed_bytes(&payload));
        let key_id = fingerprint(key.key());
        self.first_verified(&mut signed, key, key_id.as_deref()).map_err(Rejection::Input)?;
        Ok(payload)
    }

    /// dsse 0.0.1 and intoto 0.0.2: every key that is tried must verify a signature, and every
    /// signature needs a key. Gives the payload and, for each distinct signature text in order of
    /// first verification, its key; the last key that verified a text counts.
    ///
    /// With `stop_early`, keys behind the point where all signatures are accounted for are not even
    /// read.
    pub(super) fn verify_all(
        &self,
        keys: &[Vec<u8>],
        stop_early: bool,
    ) -> Result<(Vec<u8>, Vec<VerifiedBy<'_>>), Rejection> {
        self.check_limits(keys.len())?;
        let mut verified: Vec<VerifiedBy<'_>> = Vec::new();
        let mut payload: Option<(Vec<u8>, Signed)> = None;
        for pem in keys {
            if stop_early && self.is_covered(&verified) {
                break;
            }
            let key = PublicKey::from_pem(pem).map_err(|error| {
                Rejection::Input(format!("could not parse public key as x509: {error}"))
            })?;
            let unusable = |error| Rejection::Input(format!("could not load verifier: {error}"));
            key::check_supported(key.key()).map_err(unusable)?;
            let unverified =
                |error| Rejection::Input(format!("could not verify envelope: {error}"));
            let (_, signed) = match &mut payload {
                Some(known) => known,
                none => {
                    let bytes = self.payload().map_err(unverified)?;
                    let signed = Signed::new(self.signed_bytes(&bytes));
                    none.insert((bytes, signed))
                }
            };
            let index = self.first_verified(signed, &key, None).map_err(unverified)?;
            let sig = self.signatures.get(index).map_or("", |signature| &signature.sig);
            match verified.iter_mut().find(|(known, _)| *known == sig) {
                Some(known) => known.1 = key,
                None => verified.push((sig, key)),
            }
        }
        match payload {
            Some((payload, _)) if self.is_covered(&verified) => Ok((payload, verified)),
            _ => Err(Rejection::input("all signatures must have a key that verifies it")),
        }
    }

    fn is_covered(&self, verified: &[VerifiedBy<'_>]) -> bool {
        self.signatures.iter().all(|s| verified.iter().any(|(sig, _)| *sig == s.sig))
    }

    fn check_limits(&self, keys: usize) -> Result<(), Rejection> {
        if self.signatures.len() > SIGNATURES_MAX || keys > SIGNATURES_MAX {
            let text = format!("at most {SIGNATURES_MAX} signatures and keys are accepted");
            return Err(Rejection::Input(text));
        }
        Ok(())
    }
}

impl Signature {
    fn read(item: Value) -> Result<Self, Rejection> {
        let mut members = match item {
            Value::Null => return Ok(Self::default()),
            Value::Object(members) => members,
            _ => return Err(Rejection::input("a signature of a DSSE envelope must be an object")),
        };
        Ok(Self {
            keyid: text_of(json::take(&mut members, "keyid"), "keyid")?,
            sig: text_of(json::take(&mut members, "sig"), "sig")?,
        })
    }
}

/// Signed bytes, their SHA-256, and how much checking is left to be done over them.
struct Signed {
    bytes: Vec<u8>,
    sha256: Digest,
    checks_left: usize,
}

impl Signed {
    fn new(bytes: Vec<u8>) -> Self {
        Self { sha256: digest(&SHA256, &bytes), bytes, checks_left: CHECKS_MAX }
    }

    /// The chain of a certificate is not verified here: only its key counts.
    fn is_by(&mut self, key: &PublicKey, signature: &[u8]) -> Result<bool, String> {
        let cost = match key.key() {
            Key::Ed25519(_) => 1 + self.bytes.len() / BYTES_OF_A_CHECK,
            _ => 1,
        };
        // One signature and one key are always within the limit.
        let left =
            self.checks_left.checked_sub(cost).or((self.checks_left == CHECKS_MAX).then_some(0));
        self.checks_left = left.ok_or("too many signatures and keys for a payload of this size")?;
        Ok(key.key().verify_hashed(&self.bytes, &self.sha256, signature).is_ok())
    }
}

fn decode(text: &str) -> Result<Vec<u8>, String> {
    let decoded = base64::decode(text).ok().or_else(|| base64::decode_url_safe(text));
    decoded.ok_or_else(|| UNREADABLE.to_owned())
}

fn text_of(value: Value, name: &str) -> Result<String, Rejection> {
    match value {
        Value::Null => Ok(String::new()),
        Value::String(text) => Ok(text),
        _ => Err(Rejection::Input(format!("{name} of a DSSE envelope must be a string"))),
    }
}
