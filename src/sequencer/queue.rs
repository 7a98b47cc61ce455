//! Cuts the queue into batches. When, not what: order and integration are in `integrate`.
//! No clock here: a batch is whatever has gathered.

use std::sync::Arc;

use storage::NewEntry;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::task::yield_now;

use super::integrate::{Candidate, Reply};
use super::{AddError, Placement};
use crate::admission::AdmittedEntry;
use crate::limits::{BATCH_BYTES_MAX, BATCH_ENTRIES_MAX, QUEUE_BYTES_MAX};

/// An entry on its way to the writer, and where its writer waits for the answer.
pub(super) struct Submission {
    pub(super) entry: AdmittedEntry,
    pub(super) reply: Reply,
    _room: OwnedSemaphorePermit, // until the entry is integrated
}

/// What [`room`] is counted in, because permits are counted in 32 bits.
const UNIT_BYTES: usize = 1024;

/// The room for the bytes of all entries that wait.
pub(super) fn room() -> Arc<Semaphore> {
    Arc::new(Semaphore::new(QUEUE_BYTES_MAX / UNIT_BYTES))
}

/// The room that an entry takes; all of it for one that is larger than that.
pub(super) fn room_for(entry: &AdmittedEntry) -> u32 {
    (bytes(entry).min(QUEUE_BYTES_MAX) / UNIT_BYTES) as u32
}

fn bytes(entry: &AdmittedEntry) -> usize {
    let index_keys: usize = entry.index_keys().iter().map(String::len).sum();
    entry.body().len() + entry.attestation().map_or(0, |a| a.data.len()) + index_keys
}

impl Submission {
    pub(super) fn new(
        entry: AdmittedEntry,
        room: OwnedSemaphorePermit,
    ) -> (Self, oneshot::Receiver<Result<Placement, AddError>>) {
        let (reply, placed) = oneshot::channel();
        (Self { entry, reply, _room: room }, placed)
    }

    /// Gives its room to others.
    pub(super) fn into_candidate(self) -> Candidate {
        let leaf_hash = self.entry.leaf_hash();
        let parts = self.entry.into_parts();
        let entry = Some(NewEntry {
            body: parts.body,
            leaf_hash,
            integrated_time: 0,
            index_keys: parts.index_keys,
            attestation: parts.attestation,
        });
        Candidate { leaf_hash, entry, reply: self.reply }
    }

    fn bytes(&self) -> usize {
        bytes(&self.entry)
    }
}

/// Waits for a first entry and takes all that has gathered behind it, within the caps.
/// `None` when the queue is closed and empty.
pub(super) async fn take_batch(queue: &mut mpsc::Receiver<Submission>) -> Option<Vec<Submission>> {
    let first = queue.recv().await?;
    let mut bytes = first.bytes();
    let mut batch = vec![first];
    // Entries that the workers have in hand right now come along. It takes no time when there are
    // none, and under load it makes batches larger: a sync and a signature less for each entry.
    yield_now().await;
    while batch.len() < BATCH_ENTRIES_MAX && bytes < BATCH_BYTES_MAX {
        let Ok(next) = queue.try_recv() else { break };
        bytes += next.bytes();
        batch.push(next);
    }
    Some(batch)
}
