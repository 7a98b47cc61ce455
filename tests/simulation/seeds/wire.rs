//! The store as a replica reaches it: what goes over the wire is slow, lost, late or twice.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use storage::{
    Batch, CommitError, LogStore, StorageError, StoredBody, StoredCheckpoint, StoredEntry, Turn,
};
use tlog::{LeafHash, LogIndex, NodeHash, TreeHead, TreeSize};
use tokio::time::{Instant, sleep, sleep_until};

use super::Dice;

/// A way to the store that may fail in every manner that a network and a server have.
#[derive(Clone)]
pub(super) struct Wire {
    inner: Arc<dyn LogStore>,
    dice: Arc<Mutex<Dice>>,
    /// While it is set, things go wrong.
    trouble: Arc<AtomicBool>,
    dead: Arc<AtomicBool>,
    paused_until: Arc<Mutex<Instant>>,
}

impl Wire {
    pub(super) fn new(
        inner: Arc<dyn LogStore>,
        dice: Arc<Mutex<Dice>>,
        trouble: Arc<AtomicBool>,
    ) -> Self {
        let (dead, paused_until) = (Arc::default(), Arc::new(Mutex::new(Instant::now())));
        Self { inner, dice, trouble, dead, paused_until }
    }

    /// The process behind it is gone: nothing it asked for is ever answered.
    pub(super) fn kill(&self) {
        self.dead.store(true, Ordering::Relaxed);
    }

    /// The process stands still for so long.
    pub(super) fn pause(&self, time: Duration) {
        *self.paused_until.lock().unwrap() = Instant::now() + time;
    }

    fn below(&self, bound: u64) -> u64 {
        self.dice.lock().unwrap().below(bound)
    }

    fn trouble(&self) -> bool {
        self.trouble.load(Ordering::Relaxed)
    }

    /// There and back, if that goes well.
    async fn pass(&self) -> Result<(), StorageError> {
        if self.trouble() && self.below(4) == 0 {
            sleep(Duration::from_millis(self.below(20))).await;
        }
        let paused_until = *self.paused_until.lock().unwrap();
        sleep_until(paused_until).await;
        if self.dead.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        if self.trouble() && self.below(40) == 0 {
            return Err(lost());
        }
        Ok(())
    }

    /// Does it later, whatever becomes of who asked: it was on its way.
    fn later(&self, expected: TreeHead, batch: Batch) {
        let (inner, after) = (self.inner.clone(), Duration::from_millis(self.below(400)));
        tokio::spawn(async move {
            sleep(after).await;
            let _nobody_hears = inner.commit(expected, batch).await;
        });
    }
}

fn lost() -> StorageError {
    StorageError::Engine("the connection is gone".into())
}

#[async_trait]
impl LogStore for Wire {
    fn shared(&self) -> bool {
        true
    }

    async fn head(&self) -> Result<TreeHead, StorageError> {
        self.pass().await?;
        self.inner.head().await
    }

    async fn commit(&self, expected: TreeHead, batch: Batch) -> Result<(), CommitError> {
        self.pass().await?;
        if !self.trouble() {
            return self.inner.commit(expected, batch).await;
        }
        match self.below(100) {
            0..=4 => Err(lost().into()),
            5..=9 => {
                self.inner.commit(expected, batch).await?;
                Err(lost().into()) // it is stored, and nobody learns it
            }
            10..=14 => {
                self.later(expected, batch);
                Err(lost().into())
            }
            15..=17 => Err(CommitError::Full("no room".into())),
            18..=21 => {
                self.inner.commit(expected, batch.clone()).await?;
                self.later(expected, batch); // once more
                self.pass().await?; // the answer may be lost, or the process gone
                Ok(())
            }
            _ => {
                self.inner.commit(expected, batch).await?;
                Ok(self.pass().await?)
            }
        }
    }

    /// A turn that keeps nobody out: as if it were always lost.
    async fn turn(&self) -> Result<Option<Box<dyn Turn>>, StorageError> {
        let head = self.head().await?;
        Ok(Some(Box::new(LostTurn { wire: self.clone(), head })))
    }

    async fn entries(&self, first: LogIndex, max: usize) -> Result<Vec<StoredEntry>, StorageError> {
        self.pass().await?;
        self.inner.entries(first, max).await
    }

    async fn bodies(&self, first: LogIndex, max: usize) -> Result<Vec<StoredBody>, StorageError> {
        self.pass().await?;
        self.inner.bodies(first, max).await
    }

    async fn hashes(
        &self,
        level: u8,
        first: u64,
        count: usize,
    ) -> Result<Vec<NodeHash>, StorageError> {
        self.pass().await?;
        self.inner.hashes(level, first, count).await
    }

    async fn indices_of(&self, leaves: &[LeafHash]) -> Result<Vec<Option<LogIndex>>, StorageError> {
        self.pass().await?;
        self.inner.indices_of(leaves).await
    }

    async fn search(
        &self,
        index_key: &str,
        from: LogIndex,
        max: usize,
    ) -> Result<Vec<LogIndex>, StorageError> {
        self.inner.search(index_key, from, max).await
    }

    async fn attestation(&self, key: &str) -> Result<Option<Vec<u8>>, StorageError> {
        self.inner.attestation(key).await
    }

    async fn checkpoint(&self) -> Result<Option<StoredCheckpoint>, StorageError> {
        self.pass().await?;
        self.inner.checkpoint().await
    }

    async fn publish(&self, checkpoint: StoredCheckpoint) -> Result<(), StorageError> {
        self.pass().await?;
        self.inner.publish(checkpoint).await?;
        self.pass().await
    }

    async fn checkpoint_beyond(&self, _size: TreeSize, patience: Duration) {
        sleep(patience.min(Duration::from_millis(self.below(200)))).await;
    }
}

struct LostTurn {
    wire: Wire,
    head: TreeHead,
}

#[async_trait]
impl Turn for LostTurn {
    fn head(&self) -> TreeHead {
        self.head
    }

    async fn commit(self: Box<Self>, batch: Batch) -> Result<(), CommitError> {
        self.wire.commit(self.head, batch).await
    }
}
