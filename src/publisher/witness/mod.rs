//! Witnesses: every checkpoint is shown to all of them, and published with their cosignatures
//! (C2SP tlog-witness, tlog-cosignature, tlog-policy).
//!
//! A witness that does not answer costs no more than a round's time, and one that is still busy
//! with an older checkpoint is left alone. Only cosignatures that verify are attached.

mod http;

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use storage::{LogStore, StorageError};
use tlog::{
    AddCheckpoint, Checkpoint, ConsistencyPlan, NodeHash, Note, NoteSignature, Policy,
    PolicyWitness, ProofError, TreeSize, VerifierKey,
};
use tokio::sync::{Mutex, OwnedMutexGuard, mpsc};
use tokio::time::{Instant, timeout_at};

use super::core::Published;
pub use http::HttpWitness;

/// Times that one witness is asked in a round: its size may be behind or ahead of what we remember.
const TRIES_MAX: usize = 3;

/// Signatures on a note, the log's included, as many as all verifiers have to read.
const SIGNATURES_MAX: usize = 16;

/// What happens to a checkpoint that is short of the quorum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WithoutQuorum {
    /// It is published with the cosignatures that there are.
    Publish,
    /// It is held back, and shown to the witnesses again.
    Wait,
    /// The log stops.
    Stop,
}

/// Someone who cosigns checkpoints.
#[async_trait]
pub trait Witness: Send + Sync {
    /// Shows a checkpoint, as the body of `add-checkpoint`; the cosignatures are not verified yet.
    async fn add_checkpoint(&self, body: String) -> Result<Vec<NoteSignature>, WitnessError>;
}

/// Why a witness gave no cosignature.
#[derive(Debug, thiserror::Error)]
pub enum WitnessError {
    /// It has seen a checkpoint of another size last.
    #[error("it has seen a checkpoint of {0} entries last")]
    Stale(TreeSize),
    /// It has seen more than there is.
    #[error("it has cosigned a checkpoint of {seen} entries, and the log has {ours}")]
    Ahead {
        /// What it has seen.
        seen: TreeSize,
        /// What there is.
        ours: TreeSize,
    },
    /// It said no.
    #[error("{0}")]
    Refused(String),
    /// It did not answer.
    #[error("{0}")]
    Unreachable(String),
    /// None of its cosignatures verifies with the key in the policy.
    #[error("it sent no cosignature that verifies with its key in the policy")]
    NotItsKey,
    /// The proof that it asked for could not be made.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The same.
    #[error(transparent)]
    Proof(#[from] ProofError),
}

/// The witnesses of a log, their quorum, and what happens without it.
pub struct Witnessing {
    policy: Policy,
    targets: Vec<Arc<Target>>,
    without_quorum: WithoutQuorum,
    round_max: Duration,
}

struct Target {
    name: String,
    key: VerifierKey,
    witness: Arc<dyn Witness>,
    known: Arc<Mutex<TreeSize>>, // what it has seen last, as far as we know
}

/// What came of one round.
pub(super) struct Round {
    /// Cosignatures that verify.
    pub(super) cosignatures: Vec<NoteSignature>,
    /// Whether they make the quorum.
    pub(super) quorum: bool,
    /// A witness that has seen more of this log than there is.
    pub(super) ahead: Option<(String, TreeSize)>,
    /// What the others said, for the log.
    pub(super) complaints: Vec<String>,
}

impl Witnessing {
    /// The witnesses of a policy, each reached as `connect` says: it is given name and URL.
    ///
    /// # Errors
    /// The name of a witness without URL.
    pub fn new(
        policy: Policy,
        without_quorum: WithoutQuorum,
        round_max: Duration,
        connect: impl Fn(&str, &str) -> Arc<dyn Witness>,
    ) -> Result<Self, String> {
        let target = |witness: &PolicyWitness| {
            let url = witness.url.as_deref().ok_or_else(|| witness.name.clone())?;
            Ok(Arc::new(Target {
                name: witness.name.clone(),
                key: witness.key.clone(),
                witness: connect(&witness.name, url),
                known: Arc::new(Mutex::new(TreeSize(0))),
            }))
        };
        let targets = policy.witnesses.iter().map(target).collect::<Result<_, String>>()?;
        Ok(Self { policy, targets, without_quorum, round_max })
    }

    pub(super) fn without_quorum(&self) -> WithoutQuorum {
        self.without_quorum
    }

    /// Whether a note carries the quorum's cosignatures.
    pub(super) fn is_quorate(&self, note: &str) -> bool {
        let Some((checkpoint, lines)) = parse(note) else { return false };
        let signed = |target: &&Arc<Target>| {
            lines.iter().any(|line| target.key.verify_cosignature(&checkpoint, line).is_ok())
        };
        let names = self.targets.iter().filter(signed).map(|target| target.name.as_str());
        self.quorum(&names.collect())
    }

    fn quorum(&self, signed: &BTreeSet<&str>) -> bool {
        self.policy.satisfied_by(&|name: &str| signed.contains(name))
    }

    /// Shows a signed checkpoint to all witnesses at once. It is over when all have answered, or
    /// the time is, or `lingered` with the quorum there (one of nobody takes all the time).
    pub(super) async fn round(
        &self,
        store: &Arc<dyn LogStore>,
        signed: &Arc<Published>,
        lingered: impl Future<Output = ()>,
    ) -> Round {
        let mut lingered = pin!(lingered);
        let deadline = Instant::now() + self.round_max;
        let (answers, mut answered) = mpsc::channel(self.targets.len().max(1));
        let mut round =
            Round { cosignatures: Vec::new(), quorum: false, ahead: None, complaints: Vec::new() };
        for target in &self.targets {
            let Ok(known) = target.known.clone().try_lock_owned() else {
                round.complaints.push(format!("{}: it is still busy", target.name));
                continue;
            };
            let (target, store) = (target.clone(), store.clone());
            let (signed, answers) = (signed.clone(), answers.clone());
            tokio::spawn(async move {
                let answer = target.ask(known, &store, &signed).await;
                let _round_is_over = answers.send((target.name.clone(), answer)).await;
            });
        }
        drop(answers);
        let mut names = BTreeSet::new();
        let wants_all = self.quorum(&BTreeSet::new());
        loop {
            let answer = timeout_at(deadline, answered.recv());
            let answer = tokio::select! {
                biased;
                () = &mut lingered, if round.quorum && !wants_all => break,
                answer = answer => answer,
            };
            match answer {
                Ok(Some((name, Ok(cosignatures)))) => {
                    round.cosignatures.extend(cosignatures);
                    names.insert(name);
                    round.quorum = self.quorum(&names.iter().map(String::as_str).collect());
                }
                Ok(Some((name, Err(error)))) => {
                    let text = format!("{name}: {error}");
                    if let WitnessError::Ahead { seen, .. } = error {
                        round.ahead.get_or_insert((text, seen));
                    } else {
                        round.complaints.push(text);
                    }
                }
                Ok(None) => break,
                Err(_) => {
                    round.complaints.push("the time was over".into());
                    break;
                }
            }
        }
        round.quorum |= wants_all;
        round
    }
}

impl Target {
    async fn ask(
        &self,
        mut known: OwnedMutexGuard<TreeSize>,
        store: &Arc<dyn LogStore>,
        signed: &Published,
    ) -> Result<Vec<NoteSignature>, WitnessError> {
        let size = signed.head.size;
        for _ in 0..TRIES_MAX {
            let hashes = consistency_proof(store, *known, size).await?;
            let request = AddCheckpoint { old: *known, hashes, note: signed.note.to_string() };
            match self.witness.add_checkpoint(request.to_string()).await {
                Ok(lines) => {
                    let cosignatures = self.verified(&signed.note, lines);
                    if cosignatures.is_empty() {
                        return Err(WitnessError::NotItsKey);
                    }
                    *known = size;
                    return Ok(cosignatures);
                }
                Err(WitnessError::Stale(seen)) if seen > size => {
                    return Err(WitnessError::Ahead { seen, ours: size });
                }
                Err(WitnessError::Stale(seen)) => *known = seen,
                Err(other) => return Err(other),
            }
        }
        Err(WitnessError::Stale(*known))
    }

    fn verified(&self, note: &str, lines: Vec<NoteSignature>) -> Vec<NoteSignature> {
        let Some((checkpoint, _)) = parse(note) else { return Vec::new() };
        // A cosignature of a whole tree has a time (C2SP tlog-witness).
        let verifies = |line: &NoteSignature| {
            let time = self.key.verify_cosignature(&checkpoint, line);
            time.is_ok_and(|time| time.unix_seconds() > 0)
        };
        lines.into_iter().find(verifies).into_iter().collect()
    }
}

/// The signed note with cosignatures after the log's own line.
pub(super) fn attach(signed: &Published, cosignatures: &[NoteSignature]) -> Arc<str> {
    let mut note = signed.note.to_string();
    for line in cosignatures.iter().take(SIGNATURES_MAX - 1) {
        note.push_str(&line.to_string());
    }
    note.into()
}

/// The checkpoint in a note that was published before, as it was.
pub(super) fn published_before(note: &str, time: i64) -> Option<Published> {
    let (checkpoint, lines) = parse(note)?;
    let own = lines.into_iter().find(|line| line.name == checkpoint.key_name())?;
    let plain = Note { text: checkpoint.text(), signatures: vec![own] }.to_string();
    Some(Published { head: checkpoint.head, note: plain.into(), cosigned: note.into(), time })
}

fn parse(note: &str) -> Option<(Checkpoint, Vec<NoteSignature>)> {
    let note = Note::parse(note).ok()?;
    Some((Checkpoint::parse_text(&note.text).ok()?, note.signatures))
}

async fn consistency_proof(
    store: &Arc<dyn LogStore>,
    old: TreeSize,
    new: TreeSize,
) -> Result<Vec<NodeHash>, WitnessError> {
    if old.0 == 0 || old >= new {
        return Ok(Vec::new());
    }
    let plan = ConsistencyPlan::new(old, new)?;
    let mut answers = Vec::new();
    for range in plan.wanted() {
        answers.push(store.hashes(range.level, range.first, range.count).await?);
    }
    Ok(plan.build(&answers)?.hashes)
}
