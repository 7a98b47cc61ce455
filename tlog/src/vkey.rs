//! C2SP signed-note verifier keys: `<name>+<key id>+<base64(signature type || key)>`, strictly
//! parsed. A log's key signs note texts, a cosigner's key what `cosignature` says.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::signature::{ML_DSA_44, ParsedPublicKey};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use thiserror::Error;

use crate::note::{COSIGNATURE_V1, ECDSA, ED25519, KeyId, MLDSA44_COSIGNATURE, is_key_name};
use crate::verifier::{KeyError, SignatureError, Verifier};

/// Bytes of an ML-DSA-44 public key (FIPS 204, table 2).
pub const MLDSA44_KEY_BYTES: usize = 1312;

/// What a key signs, and how: the signature types of signed-note that are supported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SignatureType {
    /// 0x01: Ed25519 over the note text. A log's key.
    Ed25519,
    /// 0x02: ECDSA over the note text. A log's key.
    Ecdsa,
    /// 0x04: timestamped Ed25519 cosignature. A witness's key.
    CosignatureEd25519,
    /// 0x06: timestamped ML-DSA-44 cosignature. A witness's key, or a log's.
    CosignatureMldsa44,
}

impl SignatureType {
    /// The byte that the specification assigns.
    pub const fn byte(self) -> u8 {
        match self {
            Self::Ed25519 => ED25519,
            Self::Ecdsa => ECDSA,
            Self::CosignatureEd25519 => COSIGNATURE_V1,
            Self::CosignatureMldsa44 => MLDSA44_COSIGNATURE,
        }
    }

    /// True for signatures that carry a timestamp.
    pub const fn is_cosignature(self) -> bool {
        matches!(self, Self::CosignatureEd25519 | Self::CosignatureMldsa44)
    }
}

/// A public key with the name that it signs notes under.
#[derive(Clone)]
pub struct VerifierKey {
    name: String,
    key_id: KeyId,
    signature_type: SignatureType,
    public_key: Vec<u8>,
    key: Key,
}

#[derive(Clone)]
enum Key {
    Classic(Verifier),
    Mldsa44(ParsedPublicKey),
}

/// Why a text is not a verifier key, or a key not one that notes are signed with.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum VkeyError {
    /// Not `name+id+key`.
    #[error("not a verifier key: it has the form <name>+<8 hexadecimal digits>+<base64>")]
    Form,
    /// A name that a signature line cannot carry.
    #[error("{0:?} cannot be a key name: it must not be empty or hold spaces or `+`")]
    Name(String),
    /// A signature type that is not supported.
    #[error(
        "signature type 0x{0:02x} is not supported, only 0x01 (Ed25519), 0x02 (ECDSA), 0x04 \
         (Ed25519 cosignature) and 0x06 (ML-DSA-44 cosignature)"
    )]
    SignatureType(u8),
    /// The key itself.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// Not as many bytes as a key of its type has.
    #[error("a key of signature type 0x{signature_type:02x} cannot have {bytes} bytes")]
    Length {
        /// Its signature type.
        signature_type: u8,
        /// Length of the key.
        bytes: usize,
    },
    /// The id is not the one of this name and key.
    #[error("the key id is {found}, but this name and key make {expected}")]
    KeyId {
        /// As it was written.
        found: KeyId,
        /// As it should be.
        expected: KeyId,
    },
}

impl VerifierKey {
    /// A log's key in SPKI DER: signature type 0x01 for Ed25519, 0x02 for ECDSA P-256.
    ///
    /// # Errors
    /// [`VkeyError::Name`], [`VkeyError::Key`].
    pub fn for_log(name: &str, spki: &[u8]) -> Result<Self, VkeyError> {
        let verifier = Verifier::from_spki(spki)?;
        let (signature_type, public_key) = match verifier.ed25519_key() {
            Some(key) => (SignatureType::Ed25519, key.to_vec()),
            None => (SignatureType::Ecdsa, spki.to_vec()),
        };
        let key_id = verifier.key_id(name);
        Self::with(name, key_id, signature_type, public_key, Key::Classic(verifier))
    }

    /// A cosigner's Ed25519 key: signature type 0x04.
    ///
    /// # Errors
    /// [`VkeyError::Name`], [`VkeyError::Key`].
    pub fn cosigner_ed25519(name: &str, key: &[u8; 32]) -> Result<Self, VkeyError> {
        let verifier = Key::Classic(Verifier::from_ed25519(key)?);
        let key_id = KeyId::cosignature_v1(name, key);
        Self::with(name, key_id, SignatureType::CosignatureEd25519, key.to_vec(), verifier)
    }

    /// A cosigner's ML-DSA-44 key: signature type 0x06.
    ///
    /// # Errors
    /// [`VkeyError::Name`], [`VkeyError::Key`].
    pub fn cosigner_mldsa44(name: &str, key: &[u8; MLDSA44_KEY_BYTES]) -> Result<Self, VkeyError> {
        let verifier = ParsedPublicKey::new(&ML_DSA_44, key).map_err(|_| KeyError::Unsupported)?;
        let key_id = KeyId::cosignature_mldsa44(name, key);
        let signature_type = SignatureType::CosignatureMldsa44;
        Self::with(name, key_id, signature_type, key.to_vec(), Key::Mldsa44(verifier))
    }

    fn with(
        name: &str,
        key_id: KeyId,
        signature_type: SignatureType,
        public_key: Vec<u8>,
        key: Key,
    ) -> Result<Self, VkeyError> {
        if !is_key_name(name) {
            return Err(VkeyError::Name(name.to_owned()));
        }
        Ok(Self { name: name.to_owned(), key_id, signature_type, public_key, key })
    }

    fn from_typed(name: &str, signature_type: u8, key: &[u8]) -> Result<Self, VkeyError> {
        let length = || VkeyError::Length { signature_type, bytes: key.len() };
        match signature_type {
            ED25519 => {
                let key = key.try_into().map_err(|_| length())?;
                Self::for_log(name, Verifier::from_ed25519(key)?.spki())
            }
            ECDSA => {
                let key = Self::for_log(name, key)?;
                // An Ed25519 key in SPKI DER is not what this type stands for.
                let is_ecdsa = key.signature_type == SignatureType::Ecdsa;
                if is_ecdsa { Ok(key) } else { Err(KeyError::Unsupported.into()) }
            }
            COSIGNATURE_V1 => Self::cosigner_ed25519(name, key.try_into().map_err(|_| length())?),
            MLDSA44_COSIGNATURE => {
                Self::cosigner_mldsa44(name, key.try_into().map_err(|_| length())?)
            }
            other => Err(VkeyError::SignatureType(other)),
        }
    }

    /// The name on its signature lines.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The id on its signature lines.
    pub const fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// What it signs.
    pub const fn signature_type(&self) -> SignatureType {
        self.signature_type
    }

    /// The key: 32 bytes for Ed25519, 1312 for ML-DSA-44, SPKI DER for ECDSA.
    pub fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    /// Verifies what the key's algorithm made of a message.
    pub(crate) fn verify_raw(&self, message: &[u8], raw: &[u8]) -> Result<(), SignatureError> {
        match &self.key {
            Key::Classic(verifier) => verifier.verify(message, raw),
            Key::Mldsa44(key) => key.verify_sig(message, raw).map_err(|_| SignatureError),
        }
    }
}

impl FromStr for VerifierKey {
    type Err = VkeyError;

    /// Parses a verifier key; [`Display`](fmt::Display) writes the same text again.
    fn from_str(text: &str) -> Result<Self, VkeyError> {
        // Names have no `+`, base64 may.
        let (name, rest) = text.split_once('+').ok_or(VkeyError::Form)?;
        let (id, encoded) = rest.split_once('+').ok_or(VkeyError::Form)?;
        let found = parse_key_id(id).ok_or(VkeyError::Form)?;
        let bytes = BASE64_STANDARD.decode(encoded).map_err(|_| VkeyError::Form)?;
        let (signature_type, key) = bytes.split_first().ok_or(VkeyError::Form)?;
        let parsed = Self::from_typed(name, *signature_type, key)?;
        if parsed.key_id != found {
            return Err(VkeyError::KeyId { found, expected: parsed.key_id });
        }
        Ok(parsed)
    }
}

fn parse_key_id(text: &str) -> Option<KeyId> {
    let mut id = [0; 4];
    hex::decode_to_slice(text, &mut id).ok()?;
    (hex::encode(id) == text).then_some(KeyId(id)) // lower case only
}

/// `<name>+<key id>+<base64(signature type || key)>`.
impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&[self.signature_type.byte()], self.public_key.as_slice()].concat();
        write!(f, "{}+{}+{}", self.name, self.key_id, BASE64_STANDARD.encode(bytes))
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifierKey({}+{}, {:?})", self.name, self.key_id, self.signature_type)
    }
}

impl PartialEq for VerifierKey {
    fn eq(&self, other: &Self) -> bool {
        (&self.name, self.signature_type, &self.public_key)
            == (&other.name, other.signature_type, &other.public_key)
    }
}

impl Eq for VerifierKey {}
