//! C2SP tlog-proof: a checkpoint, an index and an inclusion proof as one text, which is verified
//! offline. What the entry is, and who is trusted, the verifier knows.

use std::fmt;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use thiserror::Error;

use crate::checkpoint::{parse_decimal, parse_hash};
use crate::hash::{LogIndex, NodeHash, TreeSize};
use crate::proof::InclusionProof;

const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// The most hashes that an inclusion proof can have: one for each level below a root.
const HASHES_MAX: usize = 64;

/// An entry's proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlogProof {
    /// What the application adds; nobody has signed it. Empty when there is nothing.
    pub extra: Vec<u8>,
    /// Where the entry is.
    pub index: LogIndex,
    /// Sibling hashes on the way from the leaf to the root.
    pub hashes: Vec<NodeHash>,
    /// The checkpoint: a signed note, as it was written.
    pub note: String,
}

/// Why a text is not a tlog-proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum TlogProofError {
    /// The first line.
    #[error("the proof does not begin with the line `{HEADER}`")]
    Header,
    /// The `extra` line.
    #[error("what follows `extra` is not base64 of at least one byte")]
    Extra,
    /// The `index` line.
    #[error("there is no line with `index` and a decimal number")]
    Index,
    /// A line of the inclusion proof.
    #[error("hash {number} of the proof is not the base64 of 32 bytes")]
    Hash {
        /// Which one, from 1.
        number: usize,
    },
    /// More than any tree makes.
    #[error("the proof has more than {HASHES_MAX} hashes")]
    TooManyHashes,
    /// Nothing separates the proof from a checkpoint.
    #[error("there is no empty line with a checkpoint behind it")]
    NoCheckpoint,
}

impl TlogProof {
    /// Parses a proof; [`Display`](fmt::Display) writes the same bytes again. The note is not
    /// looked into, and nothing is verified.
    ///
    /// # Errors
    /// One [`TlogProofError`] for each rule of the format.
    pub fn parse(text: &str) -> Result<Self, TlogProofError> {
        use TlogProofError::{Extra, Hash, Header, Index, NoCheckpoint, TooManyHashes};
        let rest = text.strip_prefix(HEADER).and_then(|rest| rest.strip_prefix('\n'));
        let (head, note) = rest.ok_or(Header)?.split_once("\n\n").ok_or(NoCheckpoint)?;
        if note.is_empty() {
            return Err(NoCheckpoint);
        }
        let mut lines = head.split('\n').peekable();
        let extra = match lines.next_if(|line| line.starts_with("extra ")) {
            None => Vec::new(),
            Some(line) => {
                let decoded = line.strip_prefix("extra ").map(|text| BASE64_STANDARD.decode(text));
                let extra = decoded.and_then(Result::ok).filter(|extra| !extra.is_empty());
                extra.ok_or(Extra)?
            }
        };
        let index = lines.next().and_then(|line| parse_decimal(line.strip_prefix("index ")?));
        let index = index.map(LogIndex).ok_or(Index)?;
        let mut hashes = Vec::new();
        for (line, number) in lines.zip(1..) {
            if number > HASHES_MAX {
                return Err(TooManyHashes);
            }
            let hash = parse_hash(line).ok_or(Hash { number })?;
            hashes.push(NodeHash::from_bytes(hash));
        }
        Ok(Self { extra, index, hashes, note: note.to_owned() })
    }

    /// The inclusion proof in a tree of the size that the checkpoint says.
    pub fn inclusion_proof(&self, size: TreeSize) -> InclusionProof {
        InclusionProof { index: self.index, size, hashes: self.hashes.clone() }
    }
}

/// The whole text.
impl fmt::Display for TlogProof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEADER}")?;
        if !self.extra.is_empty() {
            writeln!(f, "extra {}", BASE64_STANDARD.encode(&self.extra))?;
        }
        writeln!(f, "index {}", self.index)?;
        for hash in &self.hashes {
            writeln!(f, "{}", BASE64_STANDARD.encode(hash.as_bytes()))?;
        }
        write!(f, "\n{}", self.note)
    }
}
