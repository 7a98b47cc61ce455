//! C2SP signed-note: a text and the signatures under it, strictly parsed, and the ids by which
//! signature lines name their keys. Keys themselves are in `verifier`; what a log puts into the
//! text is in `checkpoint`.

use std::fmt;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use thiserror::Error;

use crate::hash::sha256;

/// The longest note that is parsed.
pub const NOTE_BYTES_MAX: usize = 1_000_000;

/// The most signatures that a parsed note has (the specification asks for at least 16).
pub const NOTE_SIGNATURES_MAX: usize = 64;

/// What opens each signature line: an em dash and a space.
const SIGNATURE_PREFIX: &str = "\u{2014} ";

/// The most signatures that [`Note::with_cosignatures`] leaves on a note: what every verifier has
/// to take. Some take no more than 20.
pub const PUBLISHED_SIGNATURES_MAX: usize = 16;

/// Signature types that the specification assigns.
pub(crate) const ED25519: u8 = 0x01;
pub(crate) const ECDSA: u8 = 0x02;
pub(crate) const COSIGNATURE_V1: u8 = 0x04;
pub(crate) const MLDSA44_COSIGNATURE: u8 = 0x06;

/// The four bytes by which a signature line names its key; a hint, not a strong hash.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(pub [u8; 4]);

impl KeyId {
    /// The id that the specification recommends: the first four bytes of
    /// `SHA-256(name || "\n" || signature type || key)`.
    pub fn signed_note(name: &str, signature_type: u8, key: &[u8]) -> Self {
        Self::truncate(&[name.as_bytes(), b"\n", &[signature_type], key].concat())
    }

    /// An Ed25519 key that signs note texts (signature type 0x01).
    pub fn ed25519(name: &str, key: &[u8; 32]) -> Self {
        Self::signed_note(name, ED25519, key)
    }

    /// An ECDSA key that signs note texts (signature type 0x02): the first four bytes of the
    /// SHA-256 of its SPKI DER. Neither name nor type go into it.
    pub fn ecdsa(spki: &[u8]) -> Self {
        Self::truncate(spki)
    }

    /// An Ed25519 key that makes timestamped cosignatures (signature type 0x04, tlog-cosignature).
    pub fn cosignature_v1(name: &str, key: &[u8; 32]) -> Self {
        Self::signed_note(name, COSIGNATURE_V1, key)
    }

    /// An ML-DSA-44 key that makes timestamped cosignatures (signature type 0x06,
    /// tlog-cosignature).
    pub fn cosignature_mldsa44(name: &str, key: &[u8; 1312]) -> Self {
        Self::signed_note(name, MLDSA44_COSIGNATURE, key)
    }

    /// The hint on a Rekor v1 checkpoint: the first four bytes of the log id, whatever the key.
    pub fn rekor_v1(spki: &[u8]) -> Self {
        Self::truncate(spki)
    }

    fn truncate(hashed: &[u8]) -> Self {
        let [a, b, c, d, ..] = sha256(hashed);
        Self([a, b, c, d])
    }
}

/// Eight lower-case hexadecimal digits.
impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyId({self})")
    }
}

/// One signature line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoteSignature {
    /// The key's name: not empty, without spaces and `+`.
    pub name: String,
    /// The key's id.
    pub key_id: KeyId,
    /// What the key's algorithm made of the text; at least one byte.
    pub signature: Vec<u8>,
}

/// `— <name> <base64(key id || signature)>` and a newline.
impl fmt::Display for NoteSignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bytes = [&self.key_id.0, self.signature.as_slice()].concat();
        writeln!(f, "{SIGNATURE_PREFIX}{} {}", self.name, BASE64_STANDARD.encode(bytes))
    }
}

/// A text and the signatures under it. Parsing one verifies nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The signed bytes: ends in a newline.
    pub text: String,
    /// At least one when parsed.
    pub signatures: Vec<NoteSignature>,
}

/// Why a text is not a signed note.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum NoteError {
    /// Longer than [`NOTE_BYTES_MAX`], or what else was said.
    #[error("the note is too long")]
    TooLong,
    /// A control character other than newline.
    #[error("the note has a control character in it")]
    ControlCharacter,
    /// No empty line between text and signatures.
    #[error("the note has no empty line before its signatures")]
    NoSignatures,
    /// A line below the text that is no signature line.
    #[error("signature line {line} of the note is malformed")]
    SignatureLine {
        /// Which one, from 1.
        line: usize,
    },
    /// More than [`NOTE_SIGNATURES_MAX`].
    #[error("the note has more than {NOTE_SIGNATURES_MAX} signatures")]
    TooManySignatures,
}

impl Note {
    /// Parses a whole note; [`Display`](fmt::Display) writes the same bytes again.
    ///
    /// # Errors
    /// One [`NoteError`] for each rule of the format.
    pub fn parse(note: &str) -> Result<Self, NoteError> {
        Self::parse_within(note, NOTE_BYTES_MAX)
    }

    /// As [`parse`](Self::parse), for notes that are longer than checkpoints are.
    ///
    /// # Errors
    /// As [`parse`](Self::parse) does; [`NoteError::TooLong`] beyond `bytes_max`.
    pub fn parse_within(note: &str, bytes_max: usize) -> Result<Self, NoteError> {
        if note.len() > bytes_max {
            return Err(NoteError::TooLong);
        }
        if note.bytes().any(|byte| byte < 0x20 && byte != b'\n') {
            return Err(NoteError::ControlCharacter);
        }
        // The text may have empty lines; the last one ends it.
        let (text, lines) = note.rsplit_once("\n\n").ok_or(NoteError::NoSignatures)?;
        Ok(Self { text: format!("{text}\n"), signatures: parse_signatures(lines)? })
    }

    /// The note with more signature lines behind its own: the log's line stays first. Lines of a
    /// key that is on the note already are left out, and so are those beyond
    /// [`PUBLISHED_SIGNATURES_MAX`].
    #[must_use]
    pub fn with_cosignatures(
        mut self,
        cosignatures: impl IntoIterator<Item = NoteSignature>,
    ) -> Self {
        for line in cosignatures {
            let known = |on: &NoteSignature| on.key_id == line.key_id && on.name == line.name;
            let full = self.signatures.len() >= PUBLISHED_SIGNATURES_MAX;
            if !full && !self.signatures.iter().any(known) {
                self.signatures.push(line);
            }
        }
        self
    }
}

/// Parses signature lines alone, at least one and each with its newline: what stands under the
/// empty line of a note, and what a witness answers.
///
/// # Errors
/// [`NoteError::NoSignatures`], [`NoteError::SignatureLine`], [`NoteError::TooManySignatures`].
pub fn parse_signatures(lines: &str) -> Result<Vec<NoteSignature>, NoteError> {
    if lines.is_empty() {
        return Err(NoteError::NoSignatures);
    }
    let mut signatures = Vec::new();
    for (line, number) in lines.split_inclusive('\n').zip(1..) {
        if number > NOTE_SIGNATURES_MAX {
            return Err(NoteError::TooManySignatures);
        }
        let signature = parse_signature(line);
        signatures.push(signature.ok_or(NoteError::SignatureLine { line: number })?);
    }
    Ok(signatures)
}

/// The whole note: text, empty line, signature lines.
impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.text)?;
        self.signatures.iter().try_for_each(|signature| signature.fmt(f))
    }
}

fn parse_signature(line: &str) -> Option<NoteSignature> {
    let line = line.strip_prefix(SIGNATURE_PREFIX)?.strip_suffix('\n')?;
    let (name, encoded) = line.split_once(' ')?;
    if !is_key_name(name) {
        return None;
    }
    let bytes = BASE64_STANDARD.decode(encoded).ok()?;
    let (key_id, signature) = bytes.split_first_chunk()?;
    (!signature.is_empty()).then(|| NoteSignature {
        name: name.to_owned(),
        key_id: KeyId(*key_id),
        signature: signature.to_vec(),
    })
}

/// True for a name that a signature line can carry: not empty, no Unicode space, no `+`, no control
/// character.
pub fn is_key_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|c| c.is_whitespace() || c == '+' || c < ' ')
}
