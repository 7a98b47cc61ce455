//! The format `minisign`: keys and signatures of minisign, and of OpenBSD's signify.
//!
//! A key is two bytes of algorithm, eight of key ID and 32 of Ed25519; a signature the same with
//! 64. As in Rekor, comments, the global signature and the key IDs are not judged: what is logged
//! holds none of the comments, so nobody could check them again.

use blake2::{Blake2b512, Digest as _};

use super::super::base64;
use super::key::Key;
use super::{CanonicalKey, Format, Verified};

pub(super) const FORMAT: Format = Format { name: "minisign", read_key, verify };

/// Algorithm and key ID.
const HEAD_BYTES: usize = 10;
const KEY_BYTES: usize = HEAD_BYTES + 32;
const SIGNATURE_BYTES: usize = HEAD_BYTES + 64;
const GLOBAL_SIGNATURE_BYTES: usize = 64;

/// The second byte of the algorithm where the BLAKE2b-512 of the content is signed.
const PREHASHED: u8 = b'D';

struct PublicKey([u8; KEY_BYTES]);

impl PublicKey {
    /// A comment and base64 on a line each, base64 alone, or the 32 bytes of old Rekor entries.
    fn read(text: &[u8]) -> Result<Self, String> {
        if let Some(key) = two_lines(text).and_then(exactly) {
            return Ok(Self(key));
        }
        if let Some(key) = exactly(text) {
            return Ok(Self(key));
        }
        if let Ok(raw) = <[u8; 32]>::try_from(text) {
            let mut key = [0; KEY_BYTES];
            key[..2].copy_from_slice(b"Ed");
            key[HEAD_BYTES..].copy_from_slice(&raw);
            return Ok(Self(key));
        }
        Err("unable to read minisign public key: Invalid encoded public key".into())
    }

    fn key(&self) -> Key {
        let mut raw = [0; 32];
        raw.copy_from_slice(&self.0[HEAD_BYTES..]);
        Key::Ed25519(raw)
    }

    fn into_canonical(self) -> CanonicalKey {
        CanonicalKey { value: base64::encode(&self.0).into_bytes(), subjects: Vec::new() }
    }
}

struct Signature([u8; SIGNATURE_BYTES]);

impl Signature {
    /// The four lines of minisign, or the first two of them, which is what signify writes.
    fn read(text: &[u8]) -> Result<Self, String> {
        let minisign = || {
            let (_, rest) = cut(text)?;
            let (signature, rest) = cut(rest)?;
            let (_, global) = cut(rest)?;
            exactly::<GLOBAL_SIGNATURE_BYTES>(global)?;
            exactly(signature)
        };
        if let Some(signature) = minisign() {
            return Ok(Self(signature));
        }
        let newlines = text.iter().rev().take_while(|byte| **byte == b'\n').count();
        let text = text.get(..text.len() - newlines).unwrap_or_default();
        let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
        let [_, signature] = lines.as_slice() else {
            let count = lines.len();
            return Err(format!("invalid signature provided: {count} lines detected"));
        };
        let decoded =
            decode(signature).ok_or("invalid signature provided: base64 decoding failed")?;
        let incorrect = |bytes: Vec<u8>| {
            format!("invalid signature provided: incorrect size {} detected", bytes.len())
        };
        decoded.try_into().map(Self).map_err(incorrect)
    }

    fn verify(&self, content: &[u8], key: &PublicKey) -> Result<(), String> {
        let signature = &self.0[HEAD_BYTES..];
        let verified = if self.0[1] == PREHASHED {
            key.key().verify_content(&Blake2b512::digest(content), signature)
        } else {
            key.key().verify_content(content, signature)
        };
        verified.map_err(|error| error.to_string())
    }

    fn into_canonical(self) -> Vec<u8> {
        format!("untrusted comment:\n{}", base64::display(&self.0)).into_bytes()
    }
}

/// What is before the first newline, and behind it.
fn cut(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = text.iter().position(|byte| *byte == b'\n')?;
    Some((text.get(..end)?, text.get(end + 1..)?))
}

fn two_lines(text: &[u8]) -> Option<&[u8]> {
    cut(text).map(|(_, rest)| rest)
}

fn decode(text: &[u8]) -> Option<Vec<u8>> {
    base64::decode(str::from_utf8(text).ok()?).ok()
}

fn exactly<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    decode(text)?.try_into().ok()
}

fn read_key(key: &[u8]) -> Result<CanonicalKey, String> {
    PublicKey::read(key).map(PublicKey::into_canonical)
}

fn verify(content: &[u8], signature: &[u8], key: &[u8]) -> Result<Verified, String> {
    let signature = Signature::read(signature)?;
    let key = PublicKey::read(key)?;
    signature.verify(content, &key)?;
    Ok(Verified { signature: signature.into_canonical(), key: key.into_canonical() })
}
