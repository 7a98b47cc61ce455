//! Cuts the queue into batches. When, not what: order and integration are in `integrate`.
//! No clock here: a batch is whatever has gathered.

use tlog::LeafHash;
use tokio::sync::{mpsc, oneshot};

use super::Placement;
use crate::admission::AdmittedEntry;
use crate::limits::{BATCH_BYTES_MAX, BATCH_ENTRIES_MAX};

/// An entry on its way to the writer, and where its writer waits for the answer.
pub(super) struct Submission {
    pub(super) entry: AdmittedEntry,
    pub(super) reply: oneshot::Sender<Placement>,
}

impl Submission {
    pub(super) fn new(entry: AdmittedEntry) -> (Self, oneshot::Receiver<Placement>) {
        let (reply, placed) = oneshot::channel();
        (Self { entry, reply }, placed)
    }

    pub(super) fn leaf_hash(&self) -> LeafHash {
        self.entry.leaf_hash()
    }

    fn bytes(&self) -> usize {
        self.entry.body().len() + self.entry.attestation().map_or(0, |a| a.data.len())
    }
}

/// Waits for a first entry and takes all that has gathered behind it, within the caps.
/// `None` when the queue is closed and empty.
pub(super) async fn take_batch(queue: &mut mpsc::Receiver<Submission>) -> Option<Vec<Submission>> {
    let first = queue.recv().await?;
    let mut bytes = first.bytes();
    let mut batch = vec![first];
    while batch.len() < BATCH_ENTRIES_MAX && bytes < BATCH_BYTES_MAX {
        let Ok(next) = queue.try_recv() else { break };
        bytes += next.bytes();
        batch.push(next);
    }
    Some(batch)
}
