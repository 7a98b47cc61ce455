//! The model engine: a store in memory, and the tests' power switch.
//!
//! It says in maps and vectors what every engine must do, and it can go wrong on demand. A *step*
//! is one write ([`create_log`](Store::create_log), [`commit`](LogStore::commit) or
//! [`publish`](LogStore::publish)); steps are counted from 0 since the store was opened. A fault at
//! a step comes in two kinds, because a failed write may have happened: [`Fate`].
//!
//! Nothing here is written to a disk. [`MemoryStore::reopen`] plays the next start of the process.

mod faults;
mod image;
#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use async_trait::async_trait;
use tlog::{LeafHash, LogIndex, NodeHash, TreeHead};
use tokio::sync::{OwnedRwLockWriteGuard, RwLock};

use crate::{
    Batch, CommitError, LogRecord, LogStore, StorageError, Store, StoredBody, StoredCheckpoint,
    StoredEntry, TreeId, batch,
};
pub use faults::Fate;
use faults::Faults;
use image::{Image, Log};

/// A store in memory. Clones are handles on the same store.
#[derive(Clone, Default)]
pub struct MemoryStore {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// Held for writing while commits have to wait.
    gate: Arc<RwLock<()>>,
}

#[derive(Default)]
struct State {
    image: Image,
    faults: Faults,
    commit_delay: Duration,
}

impl MemoryStore {
    /// An empty store without faults.
    pub fn new() -> Self {
        Self::default()
    }

    /// Cuts the power at a step: that call fails, and so does every later one, reads included.
    pub fn cut_power_at(&self, step: u64, write: Fate) {
        self.state().faults.cut_power_at(step, write);
    }

    /// Cuts the power now: every later call fails, and publications since the last commit are lost.
    pub fn cut_power(&self) {
        self.state().cut_power(Fate::Lost);
    }

    /// Fails one write: that call fails, and so does every later write; reads go on.
    pub fn fail_write_at(&self, step: u64, write: Fate) {
        self.state().faults.fail_write_at(step, write);
    }

    /// Fails every read, or none.
    pub fn fail_reads(&self, fail: bool) {
        self.state().faults.reads_fail = fail;
    }

    /// Makes every commit take this long.
    pub fn delay_commits(&self, delay: Duration) {
        self.state().commit_delay = delay;
    }

    /// Lets no commit through until the guard is dropped; waits for those that are under way.
    pub async fn hold_commits(&self) -> OwnedRwLockWriteGuard<()> {
        Arc::clone(&self.shared.gate).write_owned().await
    }

    /// Number of writes that were tried since the store was opened.
    pub fn steps(&self) -> u64 {
        self.state().faults.steps
    }

    /// Ends this process's use of the store, and opens what it leaves: all that was written, or,
    /// after a power cut, what the cut left. Handles from before stay dead; there are no faults.
    pub fn reopen(&self) -> Self {
        let mut state = self.state();
        let survivor = Self::with(state.image.clone());
        state.faults.dead = true;
        survivor
    }

    /// An independent copy as of now: a backup, or a stale replica.
    pub fn copy(&self) -> Self {
        Self::with(self.state().image.clone())
    }

    /// Changes a stored hash behind everybody's back. False when there is no such hash.
    pub fn tamper_hash(&self, tree: TreeId, level: u8, position: u64, hash: NodeHash) -> bool {
        self.state().image.log_mut(tree).is_some_and(|log| log.tamper_hash(level, position, hash))
    }

    /// Changes a stored body behind everybody's back. False when there is no such entry.
    pub fn tamper_body(&self, tree: TreeId, index: LogIndex, body: &[u8]) -> bool {
        self.state().image.log_mut(tree).is_some_and(|log| log.tamper_body(index, body))
    }

    /// Takes an entry out of the search index under a key, or puts it there if it is not, behind
    /// everybody's back. False when there is no such log.
    pub fn tamper_search(&self, tree: TreeId, key: &str, index: LogIndex) -> bool {
        let mut state = self.state();
        state.image.log_mut(tree).map(|log| log.tamper_search(key, index)).is_some()
    }

    fn with(image: Image) -> Self {
        let state = State { image, ..State::default() };
        Self { shared: Arc::new(Shared { state: Mutex::new(state), ..Shared::default() }) }
    }

    /// A poisoned lock is taken all the same: no panic happens while the image is half changed.
    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn handle(&self, tree: TreeId) -> Arc<dyn LogStore> {
        Arc::new(MemoryLog { store: self.clone(), tree })
    }
}

impl State {
    /// One step: applies the change, unless a fault says otherwise.
    fn write(&mut self, change: impl FnOnce(&mut Image)) -> Result<(), StorageError> {
        let fault = match self.faults.next_write()? {
            None => {
                change(&mut self.image);
                return Ok(());
            }
            Some(fault) => fault,
        };
        if fault.write == Fate::Kept {
            change(&mut self.image);
        }
        if fault.cuts_power {
            self.cut_power(fault.write);
        }
        Err(faults::failure("the write failed"))
    }

    fn cut_power(&mut self, unsynced: Fate) {
        if unsynced == Fate::Lost {
            self.image.lose_unsynced();
        }
        self.faults.dead = true;
    }

    fn read(&self) -> Result<&Image, StorageError> {
        self.faults.check_read()?;
        Ok(&self.image)
    }

    fn for_writing(&self) -> Result<&Image, StorageError> {
        self.faults.check_write()?;
        Ok(&self.image)
    }
}

#[async_trait]
impl Store for MemoryStore {
    async fn logs(&self) -> Result<Vec<LogRecord>, StorageError> {
        Ok(self.state().read()?.records())
    }

    async fn create_log(&self, record: LogRecord) -> Result<Arc<dyn LogStore>, StorageError> {
        let tree = record.tree_id;
        {
            let mut state = self.state();
            if state.for_writing()?.is_taken(&record) {
                return Err(StorageError::LogExists { tree_id: tree, name: record.name });
            }
            state.write(|image| image.create_log(record))?;
        }
        Ok(self.handle(tree))
    }

    async fn log(&self, tree: TreeId) -> Result<Arc<dyn LogStore>, StorageError> {
        self.state().read()?.log(tree)?;
        Ok(self.handle(tree))
    }
}

struct MemoryLog {
    store: MemoryStore,
    tree: TreeId,
}

impl MemoryLog {
    fn read<T>(&self, look: impl FnOnce(&Log) -> T) -> Result<T, StorageError> {
        self.store.state().read()?.log(self.tree).map(look)
    }
}

#[async_trait]
impl LogStore for MemoryLog {
    async fn head(&self) -> Result<TreeHead, StorageError> {
        self.read(|log| log.head)
    }

    async fn commit(&self, expected: TreeHead, batch: Batch) -> Result<(), CommitError> {
        batch::check(expected, &batch)?;
        let _passed = self.store.shared.gate.read().await;
        let delay = self.store.state().commit_delay;
        if !delay.is_zero() {
            tokio::time::sleep(delay).await;
        }
        let mut state = self.store.state();
        let stored = state.for_writing()?.log(self.tree)?.head;
        if stored != expected {
            return Err(CommitError::Conflict { expected, stored });
        }
        state.write(|image| image.commit(self.tree, batch))?;
        Ok(())
    }

    async fn entries(&self, first: LogIndex, max: usize) -> Result<Vec<StoredEntry>, StorageError> {
        self.read(|log| log.entries(first, max).to_vec())
    }

    async fn bodies(&self, first: LogIndex, max: usize) -> Result<Vec<StoredBody>, StorageError> {
        let body = |entry: &StoredEntry| {
            let StoredEntry { index, integrated_time, ref body, .. } = *entry;
            StoredBody { index, integrated_time, body: body.clone() }
        };
        self.read(|log| log.entries(first, max).iter().map(body).collect())
    }

    async fn hashes(
        &self,
        level: u8,
        first: u64,
        count: usize,
    ) -> Result<Vec<NodeHash>, StorageError> {
        self.read(|log| log.hashes(level, first, count))
    }

    async fn indices_of(&self, leaves: &[LeafHash]) -> Result<Vec<Option<LogIndex>>, StorageError> {
        self.read(|log| leaves.iter().map(|leaf| log.index_of(leaf)).collect())
    }

    async fn search(
        &self,
        index_key: &str,
        from: LogIndex,
        max: usize,
    ) -> Result<Vec<LogIndex>, StorageError> {
        self.read(|log| log.search(index_key, from, max))
    }

    async fn attestation(&self, key: &str) -> Result<Option<Vec<u8>>, StorageError> {
        Ok(self.store.state().read()?.attestation(key))
    }

    async fn checkpoint(&self) -> Result<Option<StoredCheckpoint>, StorageError> {
        self.read(|log| log.checkpoint())
    }

    async fn publish(&self, checkpoint: StoredCheckpoint) -> Result<(), StorageError> {
        let mut state = self.store.state();
        if !state.for_writing()?.log(self.tree)?.accepts(&checkpoint)? {
            return Ok(());
        }
        state.write(|image| image.publish(self.tree, checkpoint))
    }
}
