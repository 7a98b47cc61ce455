//! A log's public key: ECDSA P-256 (SHA-256, ASN.1 DER signatures) or Ed25519, from SPKI DER
//! (RFC 5480, RFC 8410). No other kind of key; no private keys.

use std::fmt;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, ParsedPublicKey};
use thiserror::Error;

use crate::hash::sha256;
use crate::note::KeyId;

/// DER of an SPKI up to the key: `id-ecPublicKey`, `prime256v1`, then an uncompressed point.
const P256_PREFIX: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];

/// DER of an SPKI up to the key: `id-Ed25519`.
const ED25519_PREFIX: [u8; 12] =
    [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/// First byte of an uncompressed point (SEC 1 §2.3.3).
const UNCOMPRESSED: u8 = 0x04;
const POINT_BYTES: usize = 65;

/// A public key that verifies signatures.
#[derive(Clone)]
pub struct Verifier {
    spki: Vec<u8>,
    key: Key,
}

#[derive(Clone)]
enum Key {
    EcdsaP256(ParsedPublicKey),
    Ed25519(ed25519_dalek::VerifyingKey),
}

/// Why bytes are not a key that a log can have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum KeyError {
    /// Not the SPKI DER of one of the two kinds.
    #[error("the public key is neither ECDSA P-256 nor Ed25519 in SPKI DER")]
    Unsupported,
    /// The right form, but the point is not on the curve or is weak.
    #[error("the public key is not a valid point of its curve")]
    Point,
}

/// The signature was not made with this key over this message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the signature does not verify")]
pub struct SignatureError;

impl Verifier {
    /// Takes a public key in SPKI DER.
    ///
    /// # Errors
    /// [`KeyError`].
    pub fn from_spki(der: &[u8]) -> Result<Self, KeyError> {
        let key = if let Some(point) = der.strip_prefix(&P256_PREFIX) {
            if point.len() != POINT_BYTES || point.first() != Some(&UNCOMPRESSED) {
                return Err(KeyError::Unsupported);
            }
            let key = ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point);
            Key::EcdsaP256(key.map_err(|_| KeyError::Point)?)
        } else if let Some(point) = der.strip_prefix(&ED25519_PREFIX) {
            let point = point.try_into().map_err(|_| KeyError::Unsupported)?;
            let key = ed25519_dalek::VerifyingKey::from_bytes(point).ok();
            Key::Ed25519(key.filter(|key| !key.is_weak()).ok_or(KeyError::Point)?)
        } else {
            return Err(KeyError::Unsupported);
        };
        Ok(Self { spki: der.to_vec(), key })
    }

    /// Takes the 32 bytes of an Ed25519 key (RFC 8032).
    ///
    /// # Errors
    /// [`KeyError::Point`].
    pub fn from_ed25519(key: &[u8; 32]) -> Result<Self, KeyError> {
        Self::from_spki(&[ED25519_PREFIX.as_slice(), key].concat())
    }

    /// The 32 bytes of an Ed25519 key; `None` for another kind.
    pub fn ed25519_key(&self) -> Option<&[u8; 32]> {
        match &self.key {
            Key::EcdsaP256(_) => None,
            Key::Ed25519(key) => Some(key.as_bytes()),
        }
    }

    /// Verifies a signature over `message`: ASN.1 DER for ECDSA, 64 bytes for Ed25519.
    ///
    /// # Errors
    /// [`SignatureError`].
    pub fn verify(&self, message: &[u8], signature: &[u8]) -> Result<(), SignatureError> {
        match &self.key {
            Key::EcdsaP256(key) => key.verify_sig(message, signature).map_err(|_| SignatureError),
            Key::Ed25519(key) => ed25519_dalek::Signature::from_slice(signature)
                .and_then(|signature| key.verify_strict(message, &signature))
                .map_err(|_| SignatureError),
        }
    }

    /// The key in SPKI DER, as it was given.
    pub fn spki(&self) -> &[u8] {
        &self.spki
    }

    /// The log id: SHA-256 of the SPKI DER.
    pub fn log_id(&self) -> [u8; 32] {
        sha256(&self.spki)
    }

    /// The hash whose first four bytes are the key's id on a signed note under `name`; all of it is
    /// the log id of a Rekor v2 log. For ECDSA it is [`log_id`](Self::log_id), whatever the name.
    pub fn note_key_hash(&self, name: &str) -> [u8; 32] {
        match &self.key {
            Key::EcdsaP256(_) => self.log_id(),
            Key::Ed25519(key) => {
                sha256(&[name.as_bytes(), b"\n\x01", key.as_bytes().as_slice()].concat())
            }
        }
    }

    /// The key's id on a signed note under `name`: signature type 0x02 or 0x01, after its kind.
    pub fn key_id(&self, name: &str) -> KeyId {
        match &self.key {
            Key::EcdsaP256(_) => KeyId::ecdsa(&self.spki),
            Key::Ed25519(key) => KeyId::ed25519(name, key.as_bytes()),
        }
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.key {
            Key::EcdsaP256(_) => "EcdsaP256",
            Key::Ed25519(_) => "Ed25519",
        };
        write!(f, "Verifier({kind}, log id {})", hex::encode(self.log_id()))
    }
}
