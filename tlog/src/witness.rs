//! C2SP tlog-witness: the request of `add-checkpoint` and the answers to it, as texts. HTTP is
//! elsewhere, and so is what a witness remembers.

use std::fmt;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use thiserror::Error;

use crate::checkpoint::{parse_decimal, parse_hash};
use crate::hash::{NodeHash, TreeSize, sha256};
use crate::note::{NoteError, NoteSignature, parse_signatures};
use crate::proof::ConsistencyProof;

/// The most hashes that a request has.
pub const PROOF_HASHES_MAX: usize = 63;

/// Content type of the answer to a request from the wrong size.
pub const TREE_SIZE_TYPE: &str = "text/x.tlog.size";

/// A request to cosign a checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddCheckpoint {
    /// Size of the checkpoint that the witness cosigned last, as the client thinks; 0 when none.
    pub old: TreeSize,
    /// The consistency proof from that size to the checkpoint's; at most [`PROOF_HASHES_MAX`].
    pub hashes: Vec<NodeHash>,
    /// The checkpoint: a signed note, as it was written.
    pub note: String,
}

/// Why a body is not a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum AddCheckpointError {
    /// The first line.
    #[error("the first line is not `old` and a tree size in decimal")]
    OldSize,
    /// A line of the proof.
    #[error("line {line} is not the base64 of a hash")]
    Hash {
        /// Which line of the body, from 1.
        line: usize,
    },
    /// More than [`PROOF_HASHES_MAX`].
    #[error("the consistency proof has more than {PROOF_HASHES_MAX} hashes")]
    TooManyHashes,
    /// Nothing separates the proof from a checkpoint.
    #[error("there is no empty line with a checkpoint behind it")]
    NoCheckpoint,
}

impl AddCheckpoint {
    /// Parses a request; [`Display`](fmt::Display) writes the same bytes again. The note is not
    /// looked into.
    ///
    /// # Errors
    /// One [`AddCheckpointError`] for each rule of the format.
    pub fn parse(body: &str) -> Result<Self, AddCheckpointError> {
        let (head, note) = body.split_once("\n\n").ok_or(AddCheckpointError::NoCheckpoint)?;
        if note.is_empty() {
            return Err(AddCheckpointError::NoCheckpoint);
        }
        let mut lines = head.split('\n');
        let old = lines.next().and_then(|line| parse_decimal(line.strip_prefix("old ")?));
        let old = old.map(TreeSize).ok_or(AddCheckpointError::OldSize)?;
        let mut hashes = Vec::new();
        for (line, number) in lines.zip(2..) {
            if hashes.len() == PROOF_HASHES_MAX {
                return Err(AddCheckpointError::TooManyHashes);
            }
            let hash = parse_hash(line).ok_or(AddCheckpointError::Hash { line: number })?;
            hashes.push(NodeHash::from_bytes(hash));
        }
        Ok(Self { old, hashes, note: note.to_owned() })
    }

    /// The proof that the request makes for a checkpoint of size `new`.
    pub fn proof(&self, new: TreeSize) -> ConsistencyProof {
        ConsistencyProof { old: self.old, new, hashes: self.hashes.clone() }
    }
}

/// The body of the request.
impl fmt::Display for AddCheckpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old)?;
        for hash in &self.hashes {
            writeln!(f, "{}", BASE64_STANDARD.encode(hash.as_bytes()))?;
        }
        write!(f, "\n{}", self.note)
    }
}

/// The body of the answer that carries cosignatures.
pub fn format_cosignatures(lines: &[NoteSignature]) -> String {
    lines.iter().map(NoteSignature::to_string).collect()
}

/// Reads the answer that carries cosignatures. Nothing is verified, and lines of keys that nobody
/// knows may be among them.
///
/// # Errors
/// [`NoteError`] unless it is one to 64 signature lines.
pub fn parse_cosignatures(body: &str) -> Result<Vec<NoteSignature>, NoteError> {
    parse_signatures(body)
}

/// The body of the answer to a request from the wrong size: the size that was cosigned last.
pub fn format_tree_size(size: TreeSize) -> String {
    format!("{size}\n")
}

/// Reads the answer to a request from the wrong size; `None` unless it is a decimal and a newline.
pub fn parse_tree_size(body: &str) -> Option<TreeSize> {
    parse_decimal(body.strip_suffix('\n')?).map(TreeSize)
}

/// What names a log under a witness's monitoring prefix: the SHA-256 of its origin, in lower-case
/// hexadecimal digits.
pub fn origin_hash(origin: &str) -> String {
    hex::encode(sha256(origin.as_bytes()))
}
