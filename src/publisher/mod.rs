//! What the world may see: durable head → sign → guard → publish, which wakes the writers it
//! covers.
//!
//! The publisher signs only heads that storage gives back as durable, one after the other, never a
//! smaller one. It integrates nothing.

pub mod core;
mod guard;
pub mod signer;
pub mod witness;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use storage::{LogStore, StorageError, StoredCheckpoint};
use tlog::{TreeHead, TreeSize};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};

use crate::clock::UnixSeconds;
use crate::limits::{RECENT_CHECKPOINTS_MAX, WITNESS_RETRY_PAUSE};
use crate::telemetry::LogMetrics;

pub use core::{Published, SigningCore};
pub use guard::{GuardError, HeadGuard};
use signer::SignError;
use witness::{WithoutQuorum, Witnessing, attach, published_before};

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
    /// What is stored is not what was said to be durable.
    #[error("the store's head has size {stored}, {claimed} was said to be durable")]
    NotDurable {
        /// Size of the stored head.
        stored: TreeSize,
        /// Size that the sequencer named.
        claimed: TreeSize,
    },
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
    /// Who cosigns checkpoints before they are published, if anybody does.
    pub witnessing: Option<Witnessing>,
    /// Time from one checkpoint to the next, at least. Zero: one as soon as the log has grown.
    pub interval_min: Duration,
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
        let (guard, witnessing, interval_min) = (None, None, Duration::ZERO);
        Self { core, store, guard, witnessing, interval_min, now, metrics }
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
    /// checkpoint that was published last is shown until it has.
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
        let (first, held) = match (press.sign_and_witness(head).await?, before) {
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
}

fn newest(recent: &Recent) -> Arc<Published> {
    // `Publisher::start` puts the first one in, and `Press::run` removes none but the oldest of
    // many.
    #[expect(clippy::expect_used, reason = "never empty, see above")]
    recent.back().expect("at least one checkpoint is published").clone()
}

struct Press {
    setup: Setup,
}

/// A signed checkpoint that went round the witnesses.
enum Witnessed {
    /// It may be published.
    Yes(Arc<Published>),
    /// It may not; what the witnesses said.
    NotYet(String),
}

impl Press {
    /// `held` is a head that waits for its quorum.
    async fn run(
        self,
        mut held: Option<TreeHead>,
        mut heads: mpsc::Receiver<TreeHead>,
        state: watch::Sender<State>,
    ) {
        while !state.is_closed() {
            let head = match held.take() {
                Some(head) => {
                    sleep(WITNESS_RETRY_PAUSE).await;
                    head
                }
                None => match heads.recv().await {
                    Some(head) => head,
                    None => return,
                },
            };
            let began = Instant::now();
            let head = newest_of(&mut heads, head, self.skips());
            match self.publish(head, &state).await {
                // Even a moment that is past costs up to a millisecond of the timer.
                Ok(true) if self.setup.interval_min.is_zero() => {}
                Ok(true) => sleep_until(began + self.setup.interval_min).await,
                Ok(false) => held = Some(head),
                Err(error) => {
                    tracing::error!(%error, "the log stops publishing; start it again to recover");
                    state.send_modify(|state| state.stopped = Some(error.to_string().into()));
                    return;
                }
            }
        }
    }

    /// Whether heads are skipped when newer ones are there. Where a checkpoint costs no more than a
    /// signature none is: each writer then has the proof to its own batch's head at hand.
    fn skips(&self) -> bool {
        !self.setup.interval_min.is_zero() || self.setup.witnessing.is_some()
    }

    /// From a durable head to a visible checkpoint, and to the writers that wait for it. False when
    /// it has to wait for its quorum.
    async fn publish(
        &self,
        head: TreeHead,
        state: &watch::Sender<State>,
    ) -> Result<bool, PublishError> {
        let published = match self.sign_and_witness(head).await? {
            Witnessed::Yes(published) => published,
            Witnessed::NotYet(why) => {
                let since = state.borrow().held_since;
                if since.is_none() {
                    tracing::warn!(size = head.size.0, why, "held back: no quorum of witnesses");
                    state.send_modify(|state| state.held_since = Some(Instant::now()));
                }
                return Ok(false);
            }
        };
        state.send_modify(|state| {
            state.held_since = None;
            state.recent.push_back(published.clone());
            if state.recent.len() > RECENT_CHECKPOINTS_MAX {
                state.recent.pop_front();
            }
        });
        // A crash before the next line: the checkpoint was seen and the store does not know it. The
        // store has the head, so the start signs the same size and root again. Keeping it comes
        // last because an engine may make it wait for the sync of the commit that follows.
        self.keep(&published).await?;
        Ok(true)
    }

    /// Signs a head, and shows it to the witnesses.
    async fn sign_and_witness(&self, head: TreeHead) -> Result<Witnessed, PublishError> {
        let signed = self.sign(head).await?;
        // A crash from here on: witnesses may have seen a checkpoint that nobody else has. Its head
        // is durable, so they will be shown this one or one that extends it.
        let Some(witnessing) = &self.setup.witnessing else { return Ok(Witnessed::Yes(signed)) };
        let timer = self.setup.metrics.witness_seconds.start_timer();
        let round = witnessing.round(&self.setup.store, &signed).await;
        timer.observe_duration();
        if let Some(ahead) = round.ahead {
            return Err(PublishError::WitnessAhead(ahead));
        }
        let complaints = round.complaints.join("; ");
        if !round.quorum {
            self.setup.metrics.witness_quorum_missed.inc();
            match witnessing.without_quorum() {
                WithoutQuorum::Wait => return Ok(Witnessed::NotYet(complaints)),
                WithoutQuorum::Stop => return Err(PublishError::NoQuorum(complaints)),
                WithoutQuorum::Publish => {
                    tracing::warn!(size = head.size.0, complaints, "no quorum of witnesses");
                }
            }
        } else if !complaints.is_empty() {
            tracing::debug!(size = head.size.0, complaints, "not all witnesses cosigned");
        }
        let cosigned = attach(&signed, &round.cosignatures);
        Ok(Witnessed::Yes(Arc::new(Published { cosigned, ..(*signed).clone() })))
    }

    /// The checkpoint that was kept last, if witnesses are asked for and made its quorum.
    async fn published_before(&self) -> Result<Option<Arc<Published>>, PublishError> {
        let Some(witnessing) = &self.setup.witnessing else { return Ok(None) };
        let kept = self.setup.store.checkpoint().await?;
        let kept = kept.filter(|kept| witnessing.is_quorate(&kept.note));
        let before = kept.and_then(|kept| published_before(&kept.note, (self.setup.now)()));
        Ok(before.map(Arc::new))
    }

    /// Signs a head that is durable, and has the guard remember it.
    async fn sign(&self, head: TreeHead) -> Result<Arc<Published>, PublishError> {
        let setup = &self.setup;
        let stored = setup.store.head().await?;
        if stored.size < head.size || (stored.size == head.size && stored.root != head.root) {
            return Err(PublishError::NotDurable { stored: stored.size, claimed: head.size });
        }
        // A crash from here on: the head is durable and nobody has seen a signature over it; the
        // start signs it again, with the same size and root.
        let timer = setup.metrics.sign_seconds.start_timer();
        let signed = setup.core.checkpoint(head, (setup.now)())?;
        timer.observe_duration();
        // The guard remembers the checkpoint before anybody sees it, so that a restored older copy
        // of the store is always noticed.
        if let Some(guard) = &setup.guard {
            guard.remember(&signed).await?;
        }
        Ok(Arc::new(signed))
    }

    /// Keeps a checkpoint in the store, as the newest.
    async fn keep(&self, published: &Published) -> Result<(), PublishError> {
        let (size, note) = (published.head.size, published.cosigned.to_string());
        self.setup.store.publish(StoredCheckpoint { size, note }).await?;
        self.setup.metrics.published(size.0);
        Ok(())
    }
}

/// The newest head that is waiting, if heads may be skipped.
fn newest_of(heads: &mut mpsc::Receiver<TreeHead>, first: TreeHead, skips: bool) -> TreeHead {
    let mut newest = first;
    while skips && let Ok(head) = heads.try_recv() {
        newest = head;
    }
    newest
}
