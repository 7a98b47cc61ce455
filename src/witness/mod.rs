//! The witness: it cosigns a checkpoint when that is consistent with the one that it cosigned last
//! of the same log, and remembers it before it answers (C2SP tlog-witness, tlog-cosignature).
//!
//! Its rules are here, what it remembers in `state`, its key in `cosigner`. HTTP: the frontend.

mod cosigner;
mod state;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tlog::witness::origin_hash;
use tlog::{
    AddCheckpoint, Checkpoint, CheckpointError, Note, NoteSignature, ProofError, SignedCheckpoint,
    Timestamp, TreeHead, TreeSize, VerifierKey, VkeyError,
};

use crate::clock::UnixSeconds;
pub use cosigner::{Cosigner, CosignerError};
pub use state::{StateError, WitnessState};

/// A log that a witness cosigns for: its origin, and a key of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownLog {
    /// The first line of its checkpoints.
    pub origin: String,
    /// A key that signs them. Its name may be another: a Rekor v1 log signs as its host.
    pub key: VerifierKey,
}

impl KnownLog {
    /// A log whose origin is the name of its key, as C2SP tlog-checkpoint wants it.
    pub fn named_by(key: VerifierKey) -> Self {
        Self { origin: key.name().to_owned(), key }
    }
}

/// `<verifier key>[ <origin>]`; without an origin it is the name of the key.
impl FromStr for KnownLog {
    type Err = VkeyError;

    fn from_str(text: &str) -> Result<Self, VkeyError> {
        match text.split_once(' ') {
            None => Ok(Self::named_by(text.parse()?)),
            Some((_, "")) => Err(VkeyError::Form),
            Some((key, origin)) => Ok(Self { origin: origin.to_owned(), key: key.parse()? }),
        }
    }
}

/// Cosigns for the logs that it knows.
pub struct Witness {
    cosigner: Cosigner,
    state: WitnessState,
    logs: HashMap<String, Log>, // by the hash of the origin
    clock: UnixSeconds,
}

struct Log {
    origin: String,
    keys: Vec<VerifierKey>,
    last: Mutex<Last>, // held from the look at the size until the new head is durable
}

/// The checkpoint that was cosigned last; the empty tree and no note before the first one.
struct Last {
    head: TreeHead,
    note: Option<Arc<str>>,
}

/// Why a checkpoint is not cosigned; each kind has a status of its own.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The request is not in the form, or its old size is beyond the checkpoint's.
    #[error("{0}")]
    Malformed(String),
    /// No log of this origin is known.
    #[error("no log is known by the origin {0:?}")]
    UnknownLog(String),
    /// No key of the log signed, or a line of such a key does not verify.
    #[error("{0}")]
    Unsigned(CheckpointError),
    /// The client thinks that another size was cosigned last.
    #[error("the checkpoint that was cosigned last has {seen} entries, not {old}")]
    Stale {
        /// What was cosigned last.
        seen: TreeSize,
        /// What the client thinks.
        old: TreeSize,
    },
    /// The proof does not lead from the checkpoint that was cosigned last to this one.
    #[error("the checkpoint is not consistent with the one that was cosigned last: {0}")]
    Inconsistent(ProofError),
    /// Something failed here.
    #[error("{0}")]
    Failed(String),
}

impl Witness {
    /// A witness over what its folder remembers of the logs that it knows.
    ///
    /// # Errors
    /// [`StateError`] when what is remembered of a log cannot be read, or was not cosigned with
    /// this key.
    pub fn open(
        state: WitnessState,
        cosigner: Cosigner,
        known: impl IntoIterator<Item = KnownLog>,
        clock: UnixSeconds,
    ) -> Result<Self, StateError> {
        let mut logs: HashMap<String, Log> = HashMap::new();
        for KnownLog { origin, key } in known {
            let hash = origin_hash(&origin);
            if let Some(log) = logs.get_mut(&hash) {
                log.keys.push(key); // one log with several keys
                continue;
            }
            let last = state.recall(&origin, cosigner.key())?;
            let last = last.map_or(Last { head: TreeHead::empty(), note: None }, |opened| Last {
                head: opened.checkpoint().head,
                note: Some(opened.note().to_string().into()),
            });
            logs.insert(hash, Log { origin, keys: vec![key], last: Mutex::new(last) });
        }
        Ok(Self { cosigner, state, logs, clock })
    }

    /// The key that its cosignatures verify with.
    pub fn key(&self) -> &VerifierKey {
        self.cosigner.key()
    }

    /// The logs that it knows, each with the size that was cosigned last, by origin.
    pub fn logs(&self) -> Vec<(&str, TreeSize)> {
        let size = |log: &Log| log.last().head.size;
        let mut logs: Vec<_> =
            self.logs.values().map(|log| (log.origin.as_str(), size(log))).collect();
        logs.sort_unstable();
        logs
    }

    /// The cosigned checkpoint of the log whose origin has this hash; `None` before the first one.
    pub fn checkpoint(&self, origin_hash: &str) -> Option<Arc<str>> {
        self.logs.get(origin_hash)?.last().note.clone()
    }

    /// Cosigns the checkpoint of an `add-checkpoint` request. It blocks until the new checkpoint is
    /// durable; then it returns its signature lines.
    ///
    /// # Errors
    /// As [`Refusal`] says.
    pub fn add_checkpoint(&self, body: &[u8]) -> Result<Vec<NoteSignature>, Refusal> {
        let body = std::str::from_utf8(body).map_err(malformed)?;
        let request = AddCheckpoint::parse(body).map_err(malformed)?;
        let note = Note::parse(&request.note).map_err(malformed)?;
        let origin = Checkpoint::parse_text(&note.text).map_err(malformed)?.origin;
        let Some(log) = self.logs.get(&origin_hash(&origin)) else {
            return Err(Refusal::UnknownLog(origin));
        };
        let (checkpoint, signatures) = log.open(&request.note)?;
        let (old, head) = (request.old, checkpoint.head);
        if old > head.size {
            let text = format!("the old size {old} is beyond the checkpoint's size {}", head.size);
            return Err(Refusal::Malformed(text));
        }

        let mut last = log.last();
        if old != last.head.size {
            return Err(Refusal::Stale { seen: last.head.size, old });
        }
        if let Err(error) = request.proof(head.size).verify(&last.head.root, &head.root) {
            // Signed by the log: unless its proof is just wrong, this shows that it has forked.
            tracing::error!(origin, %error, note = request.note, "a checkpoint is inconsistent");
            return Err(Refusal::Inconsistent(error));
        }
        let cosignature = self.cosign(&checkpoint)?;
        let text = checkpoint.text();
        let note = Note { text, signatures }.with_cosignatures([cosignature.clone()]).to_string();
        // A crash before this has ended leaves the old checkpoint or the new one; nobody has seen
        // the cosignature, so either may be gone on from. So may `last` after an error.
        let remembered = self.state.remember(&log.origin, &note);
        remembered.map_err(|error| Refusal::Failed(error.to_string()))?;
        *last = Last { head, note: Some(note.into()) };
        Ok(vec![cosignature])
    }

    fn cosign(&self, checkpoint: &Checkpoint) -> Result<NoteSignature, Refusal> {
        // A clock that has not been set yet; zero would say that no time is stated.
        let now = Timestamp::from_unix((self.clock)()).filter(|now| now.unix_seconds() > 0);
        let now = now.ok_or_else(|| Refusal::Failed("the clock stands before 1970".into()))?;
        let signed = self.cosigner.cosign(now, checkpoint);
        signed.map_err(|error| Refusal::Failed(error.to_string()))
    }
}

impl Log {
    /// The checkpoint in a note, and the lines of the log's own keys. At least one key must have
    /// signed; lines of others are dropped.
    fn open(&self, note: &str) -> Result<(Checkpoint, Vec<NoteSignature>), Refusal> {
        let mut opened = None;
        let mut unsigned = None;
        for key in &self.keys {
            match SignedCheckpoint::open_by(note, &self.origin, key) {
                Ok(checkpoint) => opened = Some(checkpoint),
                Err(error @ CheckpointError::NoSignature(_)) => unsigned = Some(error),
                Err(error) => return Err(Refusal::Unsigned(error)),
            }
        }
        let Some(opened) = opened else {
            let error = unsigned.unwrap_or(CheckpointError::Signature); // a log has a key
            return Err(Refusal::Unsigned(error));
        };
        let trusted = |line: &&NoteSignature| {
            self.keys.iter().any(|key| key.key_id() == line.key_id && key.name() == line.name)
        };
        let signatures = opened.note().signatures.iter().filter(trusted).cloned().collect();
        Ok((opened.checkpoint().clone(), signatures))
    }

    fn last(&self) -> MutexGuard<'_, Last> {
        // It is set as a whole, after all that could fail.
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn malformed(error: impl ToString) -> Refusal {
    Refusal::Malformed(error.to_string())
}
