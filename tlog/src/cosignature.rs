//! C2SP tlog-cosignature: what a witness signs to say that a checkpoint is consistent with all that
//! it has seen of a log, and how that is verified. Signing itself is done elsewhere.

use thiserror::Error;

use crate::checkpoint::Checkpoint;
use crate::note::NoteSignature;
use crate::vkey::{SignatureType, VerifierKey};

/// Bytes of the timestamp before a raw signature.
const TIMESTAMP_BYTES: usize = 8;
/// Bytes of a raw Ed25519 signature (RFC 8032).
const ED25519_BYTES: usize = 64;
/// Bytes of a raw ML-DSA-44 signature (FIPS 204, table 2).
const MLDSA44_BYTES: usize = 2420;

/// What opens the message of an ML-DSA-44 cosignature.
const SUBTREE_LABEL: &[u8; 12] = b"subtree/v1\n\0";

/// When a cosignature was made: seconds since 1970, at most 2^63 - 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The time of a clock; `None` before 1970.
    pub fn from_unix(seconds: i64) -> Option<Self> {
        u64::try_from(seconds).ok().map(Self)
    }

    /// Seconds since 1970. Zero in an ML-DSA-44 cosignature makes no statement about the time.
    pub const fn unix_seconds(self) -> i64 {
        self.0 as i64 // at most 2^63 - 1 by construction
    }

    fn from_bytes(bytes: [u8; TIMESTAMP_BYTES]) -> Option<Self> {
        Self::from_unix(i64::try_from(u64::from_be_bytes(bytes)).ok()?)
    }
}

/// Why a line is not a cosignature of a key on a checkpoint, or none can be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CosignatureError {
    /// The key signs note texts, without a time.
    #[error("the key makes no cosignatures")]
    NotACosigner,
    /// Another key's line.
    #[error("the signature line is of another key")]
    OtherKey,
    /// Not as long as a signature of the key's type is.
    #[error("a signature of this type cannot have {bytes} bytes")]
    Length {
        /// How long it is.
        bytes: usize,
    },
    /// Beyond 2^63 - 1.
    #[error("the cosignature's timestamp is out of range")]
    Timestamp,
    /// Names of more than 255 bytes do not go into the message of an ML-DSA-44 cosignature.
    #[error("the name of the cosigner or the origin is longer than 255 bytes")]
    NameTooLong,
    /// The key did not sign this checkpoint at this time.
    #[error("the cosignature does not verify")]
    Signature,
}

/// What an Ed25519 cosigner signs: header, time, and the checkpoint's text.
pub fn ed25519_message(timestamp: Timestamp, checkpoint: &Checkpoint) -> Vec<u8> {
    format!("cosignature/v1\ntime {}\n{}", timestamp.0, checkpoint.text()).into_bytes()
}

/// What an ML-DSA-44 cosigner signs: `cosigned_message` for the whole tree. Extension lines are not
/// in it.
///
/// # Errors
/// [`CosignatureError::NameTooLong`].
pub fn mldsa44_message(
    cosigner: &str,
    timestamp: Timestamp,
    checkpoint: &Checkpoint,
) -> Result<Vec<u8>, CosignatureError> {
    let mut message = SUBTREE_LABEL.to_vec();
    push_name(&mut message, cosigner)?;
    message.extend_from_slice(&timestamp.0.to_be_bytes());
    push_name(&mut message, &checkpoint.origin)?;
    message.extend_from_slice(&0_u64.to_be_bytes()); // the first leaf
    message.extend_from_slice(&checkpoint.head.size.0.to_be_bytes());
    message.extend_from_slice(checkpoint.head.root.as_bytes());
    Ok(message)
}

fn push_name(message: &mut Vec<u8>, name: &str) -> Result<(), CosignatureError> {
    let length = u8::try_from(name.len()).map_err(|_| CosignatureError::NameTooLong)?;
    message.push(length);
    message.extend_from_slice(name.as_bytes());
    Ok(())
}

impl VerifierKey {
    /// What this cosigner signs for a checkpoint.
    ///
    /// # Errors
    /// [`CosignatureError::NotACosigner`], [`CosignatureError::NameTooLong`].
    pub fn cosigned_message(
        &self,
        timestamp: Timestamp,
        checkpoint: &Checkpoint,
    ) -> Result<Vec<u8>, CosignatureError> {
        match self.signature_type() {
            SignatureType::CosignatureEd25519 => Ok(ed25519_message(timestamp, checkpoint)),
            SignatureType::CosignatureMldsa44 => {
                mldsa44_message(self.name(), timestamp, checkpoint)
            }
            SignatureType::Ed25519 | SignatureType::Ecdsa => Err(CosignatureError::NotACosigner),
        }
    }

    /// The signature line of this cosigner over a raw signature of
    /// [`cosigned_message`](Self::cosigned_message). It is not verified.
    ///
    /// # Errors
    /// [`CosignatureError::NotACosigner`], [`CosignatureError::Length`].
    pub fn cosignature(
        &self,
        timestamp: Timestamp,
        raw: &[u8],
    ) -> Result<NoteSignature, CosignatureError> {
        if raw.len() != self.raw_bytes().ok_or(CosignatureError::NotACosigner)? {
            return Err(CosignatureError::Length { bytes: raw.len() });
        }
        let signature = [&timestamp.0.to_be_bytes(), raw].concat();
        Ok(NoteSignature { name: self.name().to_owned(), key_id: self.key_id(), signature })
    }

    /// Verifies a cosignature line of this key on a checkpoint, and gives its time.
    ///
    /// A time in the future is for the caller to judge.
    ///
    /// # Errors
    /// As [`CosignatureError`] says.
    pub fn verify_cosignature(
        &self,
        checkpoint: &Checkpoint,
        line: &NoteSignature,
    ) -> Result<Timestamp, CosignatureError> {
        use CosignatureError::{Length, NotACosigner, OtherKey, Signature};
        if (line.name.as_str(), line.key_id) != (self.name(), self.key_id()) {
            return Err(OtherKey);
        }
        let raw_bytes = self.raw_bytes().ok_or(NotACosigner)?;
        let (timestamp, raw) = line
            .signature
            .split_first_chunk()
            .filter(|(_, raw)| raw.len() == raw_bytes)
            .ok_or(Length { bytes: line.signature.len() })?;
        let timestamp = Timestamp::from_bytes(*timestamp).ok_or(CosignatureError::Timestamp)?;
        let message = self.cosigned_message(timestamp, checkpoint)?;
        self.verify_raw(&message, raw).map_err(|_| Signature)?;
        Ok(timestamp)
    }

    /// Verifies a line of this key on a checkpoint, whatever its type: over the text, or a
    /// cosignature.
    ///
    /// # Errors
    /// As [`CosignatureError`] says.
    pub fn verify(
        &self,
        checkpoint: &Checkpoint,
        line: &NoteSignature,
    ) -> Result<(), CosignatureError> {
        if self.signature_type().is_cosignature() {
            return self.verify_cosignature(checkpoint, line).map(|_| ());
        }
        if (line.name.as_str(), line.key_id) != (self.name(), self.key_id()) {
            return Err(CosignatureError::OtherKey);
        }
        let verified = self.verify_raw(checkpoint.text().as_bytes(), &line.signature);
        verified.map_err(|_| CosignatureError::Signature)
    }

    /// Bytes of this cosigner's raw signatures; `None` for a key that makes no cosignatures.
    const fn raw_bytes(&self) -> Option<usize> {
        match self.signature_type() {
            SignatureType::CosignatureEd25519 => Some(ED25519_BYTES),
            SignatureType::CosignatureMldsa44 => Some(MLDSA44_BYTES),
            SignatureType::Ed25519 | SignatureType::Ecdsa => None,
        }
    }
}
