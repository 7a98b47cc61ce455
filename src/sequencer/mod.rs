//! The single writer: queue → batch → integrate → commit.
//!
//! Batching is natural: while one batch is being synced the next one gathers in the queue. There is
//! no timer; a lone entry waits for one sync, a thousand entries share one.
//! What is inside a leaf is of no concern here.
//!
//! Where other processes write to the log too, it is the only writer of its own process, and
//! integrates anew what they were faster with.

mod integrate;
mod queue;
mod shared;
mod time;

use std::sync::Arc;

use storage::{Batch, CommitError, LogStore, StorageError, Turn};
use tlog::{Extension, InclusionProof, LeafHash, LogIndex, RightEdge, TreeHead};
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

use crate::admission::AdmittedEntry;
use crate::clock::UnixSeconds;
use crate::limits::{QUEUE_ENTRIES_MAX, TURNS_AFTER_CONFLICT, UNPUBLISHED_HEADS_MAX};
use crate::telemetry::LogMetrics;

use integrate::{Integration, Placements, again, integrate};
use queue::{Submission, room, room_for, take_batch};

/// Why an entry was not placed in the log.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AddError {
    /// The queue is full: nothing was written, try again later.
    #[error("the log is busy: too many entries are waiting")]
    Pushback,
    /// There is no room to store it: nothing was written, and there may be room again.
    #[error("the log's store is full: {0}")]
    Full(Arc<str>),
    /// The log has stopped writing; the entry may or may not be in it.
    #[error("the log has stopped writing: {0}")]
    Stopped(Arc<str>),
}

/// What [`Sequencer::add`] does when the queue is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// Says so at once.
    Refuse,
    /// Waits for room.
    Wait,
}

/// An entry in the queue.
#[derive(Debug)]
pub struct Queued {
    placed: oneshot::Receiver<Result<Placement, AddError>>,
}

/// Where an entry stands: durable, not yet published.
#[derive(Clone, Debug)]
pub enum Placement {
    /// It is new.
    Integrated(Integrated),
    /// The same body stands in this tree already.
    Duplicate(LogIndex),
}

/// A new entry's place in the log.
#[derive(Clone, Debug)]
pub struct Integrated {
    /// Its index in this tree.
    pub index: LogIndex,
    /// Seconds since 1970.
    pub integrated_time: i64,
    growth: Arc<Extension>,
}

impl Integrated {
    /// The head of the tree that the entry's batch made.
    pub fn head(&self) -> TreeHead {
        self.growth.head()
    }

    /// The proof that [`head`](Self::head) holds the entry, made from memory.
    pub fn inclusion_proof(&self) -> Option<InclusionProof> {
        self.growth.inclusion_proof(self.index)
    }
}

/// The door to the single writer; cheap to clone.
#[derive(Clone)]
pub struct Sequencer {
    queue: mpsc::Sender<Submission>,
    room: Arc<Semaphore>, // for the bytes in the queue
    stopped: watch::Receiver<Option<Arc<str>>>,
}

impl Sequencer {
    /// Starts the writer on a log whose right edge is `edge`.
    ///
    /// Gives the door, and the heads in the order in which they become durable. The writer ends
    /// when every door is closed and the queue is empty, or at the first commit that fails.
    pub fn start(
        store: Arc<dyn LogStore>,
        edge: RightEdge,
        now: UnixSeconds,
        metrics: Arc<LogMetrics>,
    ) -> (Self, mpsc::Receiver<TreeHead>) {
        let (queue, submissions) = mpsc::channel(QUEUE_ENTRIES_MAX);
        let (heads, integrated) = mpsc::channel(UNPUBLISHED_HEADS_MAX);
        let (stop, stopped) = watch::channel(None);
        let writer = Writer {
            store,
            edge,
            submissions,
            heads,
            now,
            last_time: None,
            contended: 0,
            stop,
            metrics,
        };
        tokio::spawn(writer.run());
        (Self { queue, room: room(), stopped }, integrated)
    }

    /// Puts an entry into the queue.
    ///
    /// Dropping what it gives does not take the entry back.
    pub async fn add(&self, entry: AdmittedEntry, when_full: WhenFull) -> Result<Queued, AddError> {
        let (room, wanted) = (self.room.clone(), room_for(&entry));
        let room = match when_full {
            WhenFull::Refuse => room.try_acquire_many_owned(wanted).ok(),
            WhenFull::Wait => room.acquire_many_owned(wanted).await.ok(),
        };
        let (submission, placed) = Submission::new(entry, room.ok_or(AddError::Pushback)?);
        match self.queue.try_send(submission) {
            Ok(()) => {}
            Err(mpsc::error::TrySendError::Full(submission)) => match when_full {
                WhenFull::Refuse => return Err(AddError::Pushback),
                WhenFull::Wait => {
                    self.queue.send(submission).await.map_err(|_| self.why_stopped())?;
                }
            },
            Err(mpsc::error::TrySendError::Closed(_)) => return Err(self.why_stopped()),
        }
        Ok(Queued { placed })
    }

    /// Waits until a queued entry is durable.
    pub async fn placed(&self, mut queued: Queued) -> Result<Placement, AddError> {
        let placed = tokio::select! {
            biased;
            placed = &mut queued.placed => placed.ok(),
            // What slips into the queue while the writer ends is neither answered nor dropped: the
            // queue keeps it for as long as one door is open.
            () = self.queue.closed() => queued.placed.try_recv().ok(),
        };
        placed.unwrap_or_else(|| Err(self.why_stopped()))
    }

    /// The reason why nothing is written, for now or for good, if that is so.
    pub fn stopped(&self) -> Option<Arc<str>> {
        let why = self.stopped.borrow().clone();
        // It ended without a word: a bug, or the end of the process.
        why.or_else(|| self.queue.is_closed().then(|| "the writer has ended".into()))
    }

    /// Entries that wait for the writer.
    pub fn queue_depth(&self) -> usize {
        self.queue.max_capacity() - self.queue.capacity()
    }

    fn why_stopped(&self) -> AddError {
        AddError::Stopped(self.stopped().unwrap_or_else(|| "the writer has ended".into()))
    }
}

/// What became of a batch.
enum Outcome {
    /// It is durable.
    Stored,
    /// Others were first, and the tree ends here now; the batch as it was.
    Moved(RightEdge, Batch),
    /// There is no room for it: nothing of it is stored.
    Full(Arc<str>),
}

struct Writer {
    store: Arc<dyn LogStore>,
    edge: RightEdge, // owned by `sequence` alone
    submissions: mpsc::Receiver<Submission>,
    heads: mpsc::Sender<TreeHead>,
    now: UnixSeconds,
    last_time: Option<i64>, // of the newest entry; none before the first batch
    contended: u32,         // batches that are still to wait for their turn
    stop: watch::Sender<Option<Arc<str>>>,
    metrics: Arc<LogMetrics>,
}

impl Writer {
    async fn run(mut self) {
        while let Some(batch) = take_batch(&mut self.submissions).await {
            self.metrics.queue_depth.set(count(self.submissions.len()));
            if self.heads.is_closed() {
                // Nothing would ever be published of what is written from here on.
                self.stop.send_replace(Some("it does not publish any more".into()));
                return;
            }
            if self.sequence(batch).await.is_err() {
                return; // what is stored is unknown: only a start from the stored head can tell
            }
        }
    }

    /// One batch, from the queue to the disk. The durable step is the commit, and only that.
    async fn sequence(&mut self, batch: Vec<Submission>) -> Result<(), CommitError> {
        let mut batch: Vec<_> = batch.into_iter().map(Submission::into_candidate).collect();
        let (growth, placements) = loop {
            let turn = self.turn().await?;
            let leaves: Vec<_> = batch.iter().map(|candidate| candidate.leaf_hash).collect();
            let known = self.look_up(&leaves).await?;
            let time = self.time().await?;
            let Integration { commit, growth, placements } =
                integrate(&self.edge, batch, &known, time);
            let Some(growth) = growth else { break (None, placements) };

            self.metrics.batch_entries.observe(commit.entries.len() as f64);
            let timer = self.metrics.commit_seconds.start_timer();
            // A crash before this line: nothing happened, clients retry.
            let outcome = self.commit(turn, commit).await?;
            timer.observe_duration();
            match outcome {
                // A crash from here on: the entries are in the tree, and the start publishes a
                // checkpoint that covers them. Nobody has been told an index, so nobody can be
                // contradicted.
                Outcome::Stored => break (Some(growth), placements),
                Outcome::Moved(edge, commit) => {
                    (self.edge, self.contended) = (edge, TURNS_AFTER_CONFLICT);
                    self.metrics.commit_conflicts.inc();
                    batch = again(commit, placements);
                }
                Outcome::Full(why) => {
                    self.turn_away(placements, &why);
                    return Ok(());
                }
            }
        };
        if let Some(growth) = growth {
            self.edge = growth.edge().clone();
            // The publisher is told before the writers are, so that none of them waits in vain.
            let _publisher_gone = self.heads.send(growth.head()).await;
        }
        for (_, reply, placement) in placements {
            let _client_gone = reply.send(Ok(placement));
        }
        Ok(())
    }

    /// Where these leaves stand already.
    async fn look_up(&self, leaves: &[LeafHash]) -> Result<Vec<Option<LogIndex>>, CommitError> {
        loop {
            match self.store.indices_of(leaves).await {
                Ok(known) => return Ok(known),
                Err(error @ StorageError::Engine(_)) if self.store.shared() => {
                    self.rest(&error).await;
                }
                Err(error) => return Err(self.halt(error.into())),
            }
        }
    }

    /// Stores a batch on top of the right edge. What is shared may have been moved by others.
    async fn commit(
        &self,
        turn: Option<Box<dyn Turn>>,
        batch: Batch,
    ) -> Result<Outcome, CommitError> {
        if self.store.shared() {
            return self.commit_among_others(turn, batch).await;
        }
        let outcome = match self.store.commit(self.edge.head(), batch).await {
            Ok(()) => Outcome::Stored,
            Err(CommitError::Full(why)) => Outcome::Full(why.into()),
            Err(error) => return Err(self.halt(error)),
        };
        self.recovered();
        Ok(outcome)
    }

    /// Answers a batch for which there is no room. What is known already needs none.
    fn turn_away(&self, placements: Placements, why: &Arc<str>) {
        tracing::warn!(%why, entries = placements.len(), "turned away: the store is full");
        self.stop.send_replace(Some(format!("the store is full: {why}").into()));
        for (_, reply, _) in placements {
            let _client_gone = reply.send(Err(AddError::Full(why.clone())));
        }
    }

    /// The store does its work again.
    fn recovered(&self) {
        if self.stop.borrow().is_some() {
            tracing::info!("the log writes again");
            self.stop.send_replace(None);
        }
    }

    /// Says why nothing is written any more, before the waiting writers learn that nobody answers.
    fn halt(&self, error: CommitError) -> CommitError {
        tracing::error!(%error, "the log stops writing; start it again to recover");
        self.stop.send_replace(Some(error.to_string().into()));
        error
    }
}

fn count(n: usize) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_waits_for_a_writer_that_has_ended_is_told_so() {
        let (queue, submissions) = mpsc::channel(1);
        let (stop, stopped) = watch::channel(None);
        let sequencer = Sequencer { queue, room: room(), stopped };
        let (answer_lost, placed) = oneshot::channel();
        stop.send_replace(Some("a reason".into()));
        drop(submissions);
        let placed = sequencer.placed(Queued { placed }).await;
        assert!(matches!(placed, Err(AddError::Stopped(why)) if &*why == "a reason"));
        drop(answer_lost);
    }
}
