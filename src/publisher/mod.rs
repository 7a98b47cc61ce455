//! What the world may see: durable head → sign → guard → publish, which wakes the writers it
//! covers.
//!
//! The publisher signs only heads that storage gives back as durable, one after the other, never a
//! smaller one. It integrates nothing. Where other replicas write to the log too, it shows what
//! they publish as well.

pub mod core;
mod following;
mod guard;
mod press;
mod replica;
pub mod signer;
pub mod witness;

use std::collections::VecDeque;
use std::future::ready;
use std::sync::Arc;
use std::time::Duration;

use storage::{LogStore, StorageError};
use tlog::{TreeHead, TreeSize};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use crate::clock::UnixSeconds;
use crate::limits::{RECENT_CHECKPOINTS_MAX, REPUBLISH_AFTER_DEFAULT};
use crate::stored_tree::TreeError;
use crate::telemetry::LogMetrics;

pub use core::{Published, SigningCore};
pub use following::Following;
pub use guard::{GuardError, HeadGuard};
use press::{Press, Witnessed};
pub use replica::ForeignCheckpoint;
use signer::SignError;
use witness::Witnessing;

/// A head was not published.
#[derive(Debug, thiserror::Error)]
pub enum PublishError {
    /// The key did not sign.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// The store failed.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// The guard file could not be written.
    #[error(transparent)]
    Guard(#[from] GuardError),
    /// A witness has cosigned more of this log than there is.
    #[error(
        "witness {0}: this is an older copy of the log, or the witness is at fault; restore the \
         newest copy. Nothing is signed until then"
    )]
    WitnessAhead(String),
    /// Too few witnesses cosigned.
    #[error("a checkpoint is short of its quorum of witnesses ({0})")]
    NoQuorum(String),
    /// Another server may write to the log by now.
    #[error("{0}; nothing is signed here any more")]
    Fenced(Arc<str>),
    /// Another replica published what it could not.
    #[error(transparent)]
    Foreign(#[from] ForeignCheckpoint),
    /// What is stored is not what was said to be durable.
    #[error("the store's head has size {stored}, {claimed} was said to be durable")]
    NotDurable {
        /// Size of the stored head.
        stored: TreeSize,
        /// Size that the sequencer named.
        claimed: TreeSize,
    },
}

impl From<TreeError> for PublishError {
    fn from(error: TreeError) -> Self {
        Self::Storage(match error {
            TreeError::Storage(error) => error,
            other => StorageError::Corrupt(other.to_string()),
        })
    }
}

/// Nothing is published any more.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the log has stopped publishing: {0}")]
pub struct NotPublishing(pub Arc<str>);

/// What a publisher works with.
pub struct Setup {
    /// The log's key, origin and name.
    pub core: Arc<SigningCore>,
    /// Where heads are read back, and checkpoints kept.
    pub store: Arc<dyn LogStore>,
    /// Who else remembers the newest checkpoint.
    pub guard: Option<HeadGuard>,
    /// Who may say that another server writes to the log now, and why it is so.
    pub fenced: Option<watch::Receiver<Option<Arc<str>>>>,
    /// Who cosigns checkpoints before they are published, if anybody does.
    pub witnessing: Option<Witnessing>,
    /// Time from one checkpoint to the next, at least. Zero: one as soon as the log has grown.
    pub interval_min: Duration,
    /// After this long without growth the newest checkpoint is signed and shown to the witnesses
    /// again: their cosignatures carry times. Without witnesses nothing would change.
    pub republish_after: Duration,
    /// The time.
    pub now: UnixSeconds,
    /// What is measured.
    pub metrics: Arc<LogMetrics>,
}

impl Setup {
    /// A publisher without guard and witnesses, that publishes as soon as the log has grown.
    pub fn new(
        core: Arc<SigningCore>,
        store: Arc<dyn LogStore>,
        now: UnixSeconds,
        metrics: Arc<LogMetrics>,
    ) -> Self {
        let (guard, fenced, witnessing) = (None, None, None);
        let (interval_min, republish_after) = (Duration::ZERO, REPUBLISH_AFTER_DEFAULT);
        Self { core, store, guard, fenced, witnessing, interval_min, republish_after, now, metrics }
    }
}

/// The newest checkpoints, oldest first; never empty.
type Recent = VecDeque<Arc<Published>>;

#[derive(Clone)]
struct State {
    recent: Recent,
    held_since: Option<Instant>, // the newest head has been waiting for a quorum
    stopped: Option<Arc<str>>,
}

/// The view on what is published; cheap to clone.
#[derive(Clone)]
pub struct Publisher {
    core: Arc<SigningCore>,
    state: watch::Receiver<State>,
}

impl Publisher {
    /// Publishes the stored head, then every head that comes, until the sequencer is gone.
    ///
    /// When the stored head has no quorum of witnesses yet and may not be published without, the
    /// checkpoint that was published last is shown until it has, or for good where the log stops
    /// without a quorum, or a witness has seen more of it.
    ///
    /// # Errors
    /// As [`PublishError`] says, when there is nothing that may be published.
    pub async fn start(
        setup: Setup,
        heads: mpsc::Receiver<TreeHead>,
    ) -> Result<Self, PublishError> {
        let core = setup.core.clone();
        let press = Press { setup };
        let head = press.setup.store.head().await?;
        let before = press.published_before().await?;
        // The witnesses are asked even when this head was published before: one that knows a larger
        // one must be heard before anything new is signed.
        let witnessed = match (press.sign_and_witness(head, ready(())).await, &before) {
            // It had stopped for this, or would have: what was published before can still be read,
            // and the process's other logs go on.
            (
                Err(error @ (PublishError::NoQuorum(_) | PublishError::WitnessAhead(_))),
                Some(before),
            ) => {
                tracing::error!(%error, "the log does not publish; start it again to recover");
                let (recent, stopped) = (Recent::from([before.clone()]), error.to_string());
                let (held_since, stopped) = (None, Some(stopped.into()));
                let (_, state) = watch::channel(State { recent, held_since, stopped });
                return Ok(Self { core, state });
            }
            (witnessed, _) => witnessed?,
        };
        let (first, held) = match (witnessed, before) {
            (Witnessed::Yes(first), _) => {
                press.keep(&first).await?;
                (first, None)
            }
            (Witnessed::NotYet(_), Some(before)) => {
                let held = (before.head != head).then_some(head);
                (before, held)
            }
            (Witnessed::NotYet(why), None) => return Err(PublishError::NoQuorum(why)),
        };
        let held_since = held.map(|_| Instant::now());
        let state = State { recent: Recent::from([first]), held_since, stopped: None };
        let (sender, state) = watch::channel(state);
        tokio::spawn(press.run(held, heads, sender));
        Ok(Self { core, state })
    }

    /// The newest published checkpoint.
    pub fn newest(&self) -> Arc<Published> {
        newest(&self.state.borrow().recent)
    }

    /// Waits for a checkpoint that covers `size` leaves: the smallest such that is still at hand.
    ///
    /// # Errors
    /// [`NotPublishing`] when there will be none.
    pub async fn covering(&self, size: TreeSize) -> Result<Arc<Published>, NotPublishing> {
        let mut state = self.state.clone();
        let covers =
            |state: &State| state.stopped.is_some() || newest(&state.recent).head.size >= size;
        let state = state.wait_for(covers).await;
        let state = state.map_err(|_| NotPublishing("it is shutting down".into()))?;
        if let Some(found) = state.recent.iter().find(|published| published.head.size >= size) {
            return Ok(found.clone());
        }
        Err(NotPublishing(state.stopped.clone().unwrap_or_else(|| "no reason is known".into())))
    }

    /// Waits until the newest published checkpoint is another one than this: a larger one, or one
    /// with fresh signatures.
    ///
    /// # Errors
    /// [`NotPublishing`] when there will be none.
    pub async fn other_than(&self, known: &Published) -> Result<Arc<Published>, NotPublishing> {
        let mut state = self.state.clone();
        let other = |state: &State| state.stopped.is_some() || *newest(&state.recent) != *known;
        let state = state.wait_for(other).await;
        let state = state.map_err(|_| NotPublishing("it is shutting down".into()))?;
        let found = newest(&state.recent);
        match &state.stopped {
            Some(why) if *found == *known => Err(NotPublishing(why.clone())),
            _ => Ok(found),
        }
    }

    /// The reason why nothing is published any more, if that is so.
    pub fn stopped(&self) -> Option<Arc<str>> {
        let why = self.state.borrow().stopped.clone();
        // It ended without a word: a bug, or the end of the process.
        let gone = || self.state.has_changed().is_err().then(|| "the publisher has ended".into());
        why.or_else(gone)
    }

    /// For how long the newest head has been waiting for a quorum of witnesses, if it has.
    pub fn held_for(&self) -> Option<Duration> {
        self.state.borrow().held_since.map(|since| since.elapsed())
    }

    /// The log's signing core.
    pub fn core(&self) -> &SigningCore {
        &self.core
    }

    /// The same, to be kept.
    pub fn shared_core(&self) -> Arc<SigningCore> {
        self.core.clone()
    }
}

/// Makes a checkpoint the newest that all see.
fn show(state: &watch::Sender<State>, published: Arc<Published>) {
    state.send_modify(|state| {
        state.held_since = None;
        state.recent.push_back(published);
        if state.recent.len() > RECENT_CHECKPOINTS_MAX {
            state.recent.pop_front();
        }
    });
}

fn newest(recent: &Recent) -> Arc<Published> {
    // `Publisher::start` puts the first one in, and `Press::run` removes none but the oldest of
    // many.
    #[expect(clippy::expect_used, reason = "never empty, see above")]
    recent.back().expect("at least one checkpoint is published").clone()
}
