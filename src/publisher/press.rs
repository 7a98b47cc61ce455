//! The one task that publishes: durable head → sign → witnesses → visible → kept.

use std::future::ready;
use std::sync::Arc;

use storage::StoredCheckpoint;
use tlog::TreeHead;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::core::Published;
use super::witness::{WithoutQuorum, Witnessing, attach, published_before};
use super::{PublishError, Setup, State, newest};
use crate::limits::{RECENT_CHECKPOINTS_MAX, WITNESS_LINGER_PAUSE, WITNESS_RETRY_PAUSE};

pub(super) struct Press {
    pub(super) setup: Setup,
}

/// What the publisher has to do next.
enum Next {
    /// The log has grown.
    Grown(TreeHead),
    /// It has not, for long.
    Stale,
    /// It will not any more.
    Ended,
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
                None => match self.grown_or_stale(&mut heads).await {
                    Next::Grown(head) => head,
                    Next::Ended => return,
                    Next::Stale => {
                        if let Err(error) = self.republish(&heads, &state).await {
                            return stop(&error, &state);
                        }
                        continue;
                    }
                },
            };
            let began = Instant::now();
            let head = newest_of(&mut heads, head, self.skips());
            match self.publish(head, &state).await {
                // Even a moment that is past costs up to a millisecond of the timer.
                Ok(true) if self.setup.interval_min.is_zero() => {}
                Ok(true) => sleep_until(began + self.setup.interval_min).await,
                Ok(false) => held = Some(head),
                Err(error) => return stop(&error, &state),
            }
        }
    }

    /// Waits for growth, and with witnesses not for ever.
    async fn grown_or_stale(&self, heads: &mut mpsc::Receiver<TreeHead>) -> Next {
        let head = match self.setup.witnessing {
            None => heads.recv().await,
            Some(_) => match timeout(self.setup.republish_after, heads.recv()).await {
                Ok(head) => head,
                Err(_) => return Next::Stale,
            },
        };
        head.map_or(Next::Ended, Next::Grown)
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
        !self.setup.interval_min.is_zero() || self.setup.witnessing.is_some()
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
