//! What the world may see: durable head → sign → guard → publish, which wakes the writers it
//! covers.
//!
//! The publisher signs only heads that storage gives back as durable, one after the other, never a
//! smaller one. It integrates nothing.

pub mod core;
mod guard;
pub mod signer;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use storage::{LogStore, StorageError, StoredCheckpoint};
use tlog::{TreeHead, TreeSize};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use crate::clock::UnixSeconds;
use crate::limits::RECENT_CHECKPOINTS_MAX;
use crate::telemetry::LogMetrics;

pub use core::{Published, SigningCore};
pub use guard::{GuardError, HeadGuard};
use signer::SignError;

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
        Self { core, store, guard: None, interval_min: Duration::ZERO, now, metrics }
    }
}

/// The newest checkpoints, oldest first; never empty.
type Recent = VecDeque<Arc<Published>>;

#[derive(Clone)]
struct State {
    recent: Recent,
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
    /// # Errors
    /// As [`PublishError`] says, when the first head cannot be published.
    pub async fn start(
        setup: Setup,
        heads: mpsc::Receiver<TreeHead>,
    ) -> Result<Self, PublishError> {
        let core = setup.core.clone();
        let press = Press { setup };
        let first = press.sign(press.setup.store.head().await?).await?;
        press.keep(&first).await?;
        let state = State { recent: Recent::from([first]), stopped: None };
        let (sender, state) = watch::channel(state);
        tokio::spawn(press.run(heads, sender));
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
        self.state.borrow().stopped.clone()
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

impl Press {
    async fn run(self, mut heads: mpsc::Receiver<TreeHead>, state: watch::Sender<State>) {
        while let Some(head) = heads.recv().await {
            let began = Instant::now();
            let head = newest_of(&mut heads, head, self.skips());
            if let Err(error) = self.publish(head, &state).await {
                tracing::error!(%error, "the log stops publishing; start it again to recover");
                state.send_modify(|state| state.stopped = Some(error.to_string().into()));
                return;
            }
            sleep_until(began + self.setup.interval_min).await;
        }
    }

    /// Whether heads are skipped when newer ones are there. Where a checkpoint costs no more than a
    /// signature none is: each writer then has the proof to its own batch's head at hand.
    fn skips(&self) -> bool {
        !self.setup.interval_min.is_zero()
    }

    /// From a durable head to a visible checkpoint, and to the writers that wait for it.
    async fn publish(
        &self,
        head: TreeHead,
        state: &watch::Sender<State>,
    ) -> Result<(), PublishError> {
        let published = self.sign(head).await?;
        state.send_modify(|state| {
            state.recent.push_back(published.clone());
            if state.recent.len() > RECENT_CHECKPOINTS_MAX {
                state.recent.pop_front();
            }
        });
        // A crash before the next line: the checkpoint was seen and the store does not know it. The
        // store has the head, so the start signs the same size and root again. Keeping it comes
        // last because an engine may make it wait for the sync of the commit that follows.
        self.keep(&published).await
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
