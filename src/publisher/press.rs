//! The one task that publishes: durable head → sign → witnesses → visible → kept.

use std::future::{pending, ready};
use std::sync::Arc;

use storage::{StorageError, StoredCheckpoint};
use tlog::TreeHead;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until};

use super::core::Published;
use super::witness::{WithoutQuorum, Witnessing, attach, published_before};
use super::{PublishError, Setup, State, newest, show};
use crate::limits::{
    REPLICA_LOOK_AFTER, REPLICA_LOOK_PAUSE, STORE_RETRY_PAUSE, WITNESS_LINGER_PAUSE,
    WITNESS_RETRY_PAUSE,
};

pub(super) struct Press {
    pub(super) setup: Setup,
}

/// What the publisher has to do next.
enum Next {
    /// The log has grown.
    Grown(TreeHead),
    /// It has not, for long.
    Stale,
    /// Other replicas may have published.
    Look,
    /// It will not any more.
    Ended,
}

/// What the publisher is at.
struct At {
    /// A head that could not be published yet.
    held: Option<TreeHead>,
    /// A stored head that nobody had published at the last look.
    unpublished: Option<TreeHead>,
    /// When the newest checkpoint was signed.
    signed: Instant,
}

/// A signed checkpoint that went round the witnesses.
pub(super) enum Witnessed {
    /// It may be published.
    Yes(Arc<Published>),
    /// It may not; what the witnesses said.
    NotYet(String),
}

impl Press {
    /// `held` is a head that waits for its quorum.
    pub(super) async fn run(
        self,
        held: Option<TreeHead>,
        mut heads: mpsc::Receiver<TreeHead>,
        state: watch::Sender<State>,
    ) {
        let mut at = At { held, unpublished: None, signed: Instant::now() };
        while !state.is_closed() {
            match self.step(&mut at, &mut heads, &state).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(PublishError::Storage(error @ StorageError::Engine(_)))
                    if self.setup.store.shared() =>
                {
                    tracing::warn!(%error, "the store does not answer; the log waits for it");
                    sleep(STORE_RETRY_PAUSE).await;
                }
                Err(error) => return stop(&error, &state),
            }
        }
    }

    /// Does what there is to do next. False when there is nothing any more.
    async fn step(
        &self,
        at: &mut At,
        heads: &mut mpsc::Receiver<TreeHead>,
        state: &watch::Sender<State>,
    ) -> Result<bool, PublishError> {
        let shared = self.setup.store.shared();
        let head = match at.held {
            Some(head) => {
                sleep(WITNESS_RETRY_PAUSE).await;
                if shared {
                    self.look(state, &mut at.unpublished).await?;
                }
                Some(head)
            }
            None => match self.next(heads, state, at.signed).await {
                Next::Grown(head) => Some(head),
                Next::Ended => return Ok(false),
                Next::Look => self.look(state, &mut at.unpublished).await?,
                Next::Stale => {
                    at.signed = Instant::now();
                    self.republish(heads, state).await?;
                    None
                }
            },
        };
        let Some(head) = head else { return Ok(true) };
        let began = Instant::now();
        let head = newest_of(heads, head, self.skips());
        at.held = Some(head);
        // Another replica may have published as much by now.
        if shared && head.size <= newest(&state.borrow().recent).head.size {
            at.held = None;
        } else if self.publish(head, state).await? {
            (at.held, at.signed) = (None, began);
            // Even a moment that is past costs up to a millisecond of the timer.
            if !self.setup.interval_min.is_zero() {
                sleep_until(began + self.setup.interval_min).await;
            }
        }
        Ok(true)
    }

    /// Waits for growth, here or in another replica, and with witnesses not for ever.
    async fn next(
        &self,
        heads: &mut mpsc::Receiver<TreeHead>,
        state: &watch::Sender<State>,
        signed: Instant,
    ) -> Next {
        let others = async {
            if !self.setup.store.shared() {
                pending::<()>().await;
            }
            let size = newest(&state.borrow().recent).head.size;
            sleep(REPLICA_LOOK_PAUSE).await;
            self.setup.store.checkpoint_beyond(size, REPLICA_LOOK_AFTER).await;
        };
        let stale = async {
            match self.setup.witnessing {
                Some(_) => sleep_until(signed + self.setup.republish_after).await,
                None => pending().await,
            }
        };
        tokio::select! {
            biased;
            head = heads.recv() => head.map_or(Next::Ended, Next::Grown),
            () = others => Next::Look,
            () = stale => Next::Stale,
        }
    }

    /// Shows the newest checkpoint again, with fresh cosignatures: those of all witnesses that
    /// answer before the log grows. One that is short of its quorum stays as it is.
    async fn republish(
        &self,
        heads: &mpsc::Receiver<TreeHead>,
        state: &watch::Sender<State>,
    ) -> Result<(), PublishError> {
        let head = newest(&state.borrow().recent).head;
        let grown = async {
            while heads.is_empty() && !heads.is_closed() {
                sleep(WITNESS_LINGER_PAUSE).await;
            }
        };
        let Witnessed::Yes(published) = self.sign_and_witness(head, grown).await? else {
            return Ok(());
        };
        let quorate = |witnessing: &Witnessing| witnessing.is_quorate(&published.cosigned);
        if !self.setup.witnessing.as_ref().is_some_and(quorate) {
            return Ok(());
        }
        state.send_modify(|state| {
            state.recent.pop_back();
            state.recent.push_back(published.clone());
        });
        self.keep(&published).await
    }

    /// Whether heads are skipped when newer ones are there. Where a checkpoint costs no more than a
    /// signature none is: each writer then has the proof to its own batch's head at hand.
    fn skips(&self) -> bool {
        let setup = &self.setup;
        !setup.interval_min.is_zero() || setup.witnessing.is_some() || setup.store.shared()
    }

    /// From a durable head to a visible checkpoint, and to the writers that wait for it. False when
    /// it has to wait for its quorum.
    async fn publish(
        &self,
        head: TreeHead,
        state: &watch::Sender<State>,
    ) -> Result<bool, PublishError> {
        let published = match self.sign_and_witness(head, ready(())).await? {
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
        show(state, published.clone());
        // A crash before the next line: the checkpoint was seen and the store does not know it. The
        // store has the head, so the start signs the same size and root again. Keeping it comes
        // last because an engine may make it wait for the sync of the commit that follows.
        self.keep(&published).await?;
        Ok(true)
    }

    /// Signs a head, and shows it to the witnesses. Those who are not needed for the quorum are
    /// waited for until `lingered`.
    pub(super) async fn sign_and_witness(
        &self,
        head: TreeHead,
        lingered: impl Future<Output = ()>,
    ) -> Result<Witnessed, PublishError> {
        let signed = self.sign(head).await?;
        // A crash from here on: witnesses may have seen a checkpoint that nobody else has. Its head
        // is durable, so they will be shown this one or one that extends it.
        let Some(witnessing) = &self.setup.witnessing else { return Ok(Witnessed::Yes(signed)) };
        let timer = self.setup.metrics.witness_seconds.start_timer();
        let round = witnessing.round(&self.setup.store, &signed, lingered).await;
        timer.observe_duration();
        if let Some((ahead, seen)) = round.ahead {
            // Another replica showed it more, which is stored: then there is more to show.
            if self.setup.store.shared() && self.setup.store.head().await?.size >= seen {
                return Ok(Witnessed::NotYet(ahead));
            }
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
    pub(super) async fn published_before(&self) -> Result<Option<Arc<Published>>, PublishError> {
        let Some(witnessing) = &self.setup.witnessing else { return Ok(None) };
        let kept = self.setup.store.checkpoint().await?;
        let kept = kept.filter(|kept| witnessing.is_quorate(&kept.note));
        let before = kept.and_then(|kept| published_before(&kept.note, (self.setup.now)()));
        Ok(before.map(Arc::new))
    }

    /// Signs a head that is durable, and has the guard remember it.
    async fn sign(&self, head: TreeHead) -> Result<Arc<Published>, PublishError> {
        let setup = &self.setup;
        if let Some(why) = setup.fenced.as_ref().and_then(|fenced| fenced.borrow().clone()) {
            return Err(PublishError::Fenced(why));
        }
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
    pub(super) async fn keep(&self, published: &Published) -> Result<(), PublishError> {
        let (size, note) = (published.head.size, published.cosigned.to_string());
        self.setup.store.publish(StoredCheckpoint { size, note }).await?;
        self.setup.metrics.published(size.0);
        Ok(())
    }
}

fn stop(error: &PublishError, state: &watch::Sender<State>) {
    tracing::error!(%error, "the log stops publishing; start it again to recover");
    state.send_modify(|state| state.stopped = Some(error.to_string().into()));
}

/// The newest head that is waiting, if heads may be skipped.
fn newest_of(heads: &mut mpsc::Receiver<TreeHead>, first: TreeHead, skips: bool) -> TreeHead {
    let mut newest = first;
    while skips && let Ok(head) = heads.try_recv() {
        newest = head;
    }
    newest
}
