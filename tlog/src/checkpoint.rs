//! C2SP tlog-checkpoint: the text over a tree head that a log signs, with the origin of a Rekor v1
//! log or a plain one. Signing is done elsewhere, and so are cosignatures.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use thiserror::Error;

use crate::hash::{HASH_BYTES, RootHash, TreeHead, TreeSize};
use crate::note::{KeyId, Note, NoteError, NoteSignature};
use crate::verifier::Verifier;
use crate::vkey::VerifierKey;

/// What a checkpoint says: which log, and its tree head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log's unique name: one line, not empty.
    pub origin: String,
    /// Size and root hash.
    pub head: TreeHead,
    /// Lines after the root hash, none of them empty; only old checkpoints have them (Rekor's
    /// `Timestamp: …`).
    pub extensions: Vec<String>,
}

/// Why a note is not a checkpoint of the log that was expected.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CheckpointError {
    /// Not a signed note.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The text has not the three lines of a checkpoint, or not in the right form.
    #[error("the checkpoint's {0}")]
    Text(&'static str),
    /// Another log's checkpoint.
    #[error("the checkpoint is of another log: {found:?}")]
    Origin {
        /// The origin that was found.
        found: String,
    },
    /// No signature line names the key.
    #[error("the checkpoint has no signature by the log's key {0}")]
    NoSignature(KeyId),
    /// A signature line names the key, but the key did not make it.
    #[error("the log's signature on the checkpoint does not verify")]
    Signature,
}

impl Checkpoint {
    /// The signed bytes; ends in a newline.
    pub fn text(&self) -> String {
        let root = BASE64_STANDARD.encode(self.head.root.as_bytes());
        let mut text = format!("{}\n{}\n{root}\n", self.origin, self.head.size);
        for extension in &self.extensions {
            text.push_str(extension);
            text.push('\n');
        }
        text
    }

    /// Parses a checkpoint's text; [`Self::text`] writes the same bytes again.
    ///
    /// # Errors
    /// [`CheckpointError::Text`].
    pub fn parse_text(text: &str) -> Result<Self, CheckpointError> {
        use CheckpointError::Text;
        let body = text.strip_suffix('\n').ok_or(Text("last line does not end"))?;
        let mut lines = body.split('\n');
        let origin = lines.next().filter(|line| !line.is_empty());
        let origin = origin.ok_or(Text("origin is empty"))?.to_owned();
        let size = lines.next().and_then(parse_decimal).map(TreeSize);
        let size = size.ok_or(Text("tree size is not a decimal number"))?;
        let root = lines.next().and_then(parse_hash).map(RootHash::from_bytes);
        let root = root.ok_or(Text("root hash is not the base64 of 32 bytes"))?;
        let extensions: Vec<String> = lines.map(str::to_owned).collect();
        if extensions.iter().any(String::is_empty) {
            return Err(Text("extension line is empty"));
        }
        Ok(Self { origin, head: TreeHead { size, root }, extensions })
    }

    /// The name that the log signs under: the origin, without the ` - <treeID>` of Rekor v1.
    pub fn key_name(&self) -> &str {
        key_name(&self.origin)
    }
}

/// The origin of a Rekor v1 log: `<hostname> - <tree ID>`.
pub fn v1_origin(hostname: &str, tree_id: i64) -> String {
    format!("{hostname} - {tree_id}")
}

fn key_name(origin: &str) -> &str {
    match origin.rsplit_once(" - ") {
        Some((hostname, id)) if is_digits(id) => hostname,
        _ => origin,
    }
}

/// A checkpoint with at least one verified signature of its log; only
/// [`Self::open`] and [`Self::open_by`] make one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignedCheckpoint {
    checkpoint: Checkpoint,
    note: Note,
}

impl SignedCheckpoint {
    /// Parses a note as a checkpoint of the log with this origin, and verifies the log's signature.
    ///
    /// The log's signature lines are those with `key_id` and the log's name (the origin; for a
    /// Rekor v1 log its hostname). There must be one, and each must verify. Lines of other keys,
    /// such as cosignatures, are kept but not verified.
    ///
    /// # Errors
    /// One [`CheckpointError`] for each of these.
    pub fn open(
        note: &str,
        origin: &str,
        verifier: &Verifier,
        key_id: KeyId,
    ) -> Result<Self, CheckpointError> {
        let opened = Self::unverified(note, origin)?;
        opened.verify(opened.checkpoint.key_name(), key_id, |line| {
            verifier.verify(opened.note.text.as_bytes(), &line.signature).is_ok()
        })?;
        Ok(opened)
    }

    /// As [`open`](Self::open), for a log whose key is known as a verifier key: the lines are those
    /// with its name and id. That name may be another than the origin, as in Rekor v1.
    ///
    /// # Errors
    /// As [`open`](Self::open) does.
    pub fn open_by(note: &str, origin: &str, key: &VerifierKey) -> Result<Self, CheckpointError> {
        let opened = Self::unverified(note, origin)?;
        opened.verify(key.name(), key.key_id(), |line| {
            key.verify(&opened.checkpoint, line).is_ok()
        })?;
        Ok(opened)
    }

    fn unverified(note: &str, origin: &str) -> Result<Self, CheckpointError> {
        let note = Note::parse(note)?;
        let checkpoint = Checkpoint::parse_text(&note.text)?;
        if checkpoint.origin != origin {
            return Err(CheckpointError::Origin { found: checkpoint.origin });
        }
        Ok(Self { checkpoint, note })
    }

    fn verify(
        &self,
        name: &str,
        key_id: KeyId,
        verifies: impl Fn(&NoteSignature) -> bool,
    ) -> Result<(), CheckpointError> {
        let lines = self.note.signatures.iter();
        let mut lines = lines.filter(|s| s.key_id == key_id && s.name == name).peekable();
        if lines.peek().is_none() {
            return Err(CheckpointError::NoSignature(key_id));
        }
        if lines.all(verifies) { Ok(()) } else { Err(CheckpointError::Signature) }
    }

    /// What the log signed.
    pub const fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The whole note; its [`Display`](std::fmt::Display) is what was opened, byte for byte.
    pub const fn note(&self) -> &Note {
        &self.note
    }
}

/// Decimal digits without leading zeros, as the C2SP formats write every number.
pub(crate) fn parse_decimal(text: &str) -> Option<u64> {
    if !is_digits(text) || (text.len() > 1 && text.starts_with('0')) {
        return None;
    }
    text.parse().ok()
}

/// The base64 of 32 bytes.
pub(crate) fn parse_hash(text: &str) -> Option<[u8; HASH_BYTES]> {
    BASE64_STANDARD.decode(text).ok()?.try_into().ok()
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
