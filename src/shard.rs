//! One tree: how it is read, and under whose key.

use std::sync::Arc;

use storage::{LogRecord, TreeId};
use tlog::{LogIndex, TreeHead};

use crate::annex::{MakeError, attestation_of, make_annex};
use crate::publisher::signer::public_key_pem;
use crate::publisher::{Published, Publisher, SigningCore};
use crate::reader::{ReadError, Reader, View};

/// One tree of the log: how it is read and under whose key.
pub struct Shard {
    record: LogRecord,
    reader: Reader,
    pub(crate) publisher: Publisher,
}

impl Shard {
    /// The shard behind these rooms.
    pub fn new(record: LogRecord, reader: Reader, publisher: Publisher) -> Self {
        Self { record, reader, publisher }
    }

    /// What binds the tree to its identity.
    pub fn record(&self) -> &LogRecord {
        &self.record
    }

    /// The tree.
    pub fn tree_id(&self) -> TreeId {
        self.record.tree_id
    }

    /// The name on the signature lines of its checkpoints: the log's host name.
    pub fn key_name(&self) -> &str {
        self.publisher.core().name()
    }

    /// The ID of its key, see [`SigningCore::log_id`](crate::publisher::SigningCore::log_id).
    pub fn log_id(&self) -> [u8; 32] {
        self.publisher.core().log_id()
    }

    /// Its public key, SPKI in PEM.
    pub fn public_key_pem(&self) -> String {
        public_key_pem(&self.record.public_key)
    }

    /// Its newest published checkpoint.
    pub fn checkpoint(&self) -> Arc<Published> {
        self.publisher.newest()
    }

    /// What signs for it.
    pub fn core(&self) -> Arc<SigningCore> {
        self.publisher.shared_core()
    }

    /// Its published checkpoints as they come, the newest first of all.
    pub fn checkpoints(&self) -> Publisher {
        self.publisher.clone()
    }

    /// What can be read of it now.
    pub fn view(&self) -> View<'_> {
        self.reader.at(self.head())
    }

    /// What could be read of it at a published head.
    pub fn at(&self, head: TreeHead) -> View<'_> {
        self.reader.at(head)
    }

    /// What its newest published checkpoint commits to.
    pub fn head(&self) -> TreeHead {
        self.publisher.newest().head
    }

    /// Whether its key is at hand: a replica may be without it.
    pub fn signs(&self) -> bool {
        self.publisher.core().signs()
    }

    /// The signed annex of a bundle (see `annex`); `None` beyond the head.
    ///
    /// # Errors
    /// As [`MakeError`] says.
    pub async fn annex(&self, index: u64, width: u16) -> Result<Option<String>, MakeError> {
        make_annex(&self.view(), self.publisher.core(), index, width).await
    }

    /// What is stored beside an entry; `None` where there is nothing, or no entry.
    ///
    /// # Errors
    /// [`ReadError`] when the store failed.
    pub async fn attestation(&self, index: LogIndex) -> Result<Option<Vec<u8>>, ReadError> {
        let view = self.view();
        let Some(entry) = view.entry(index).await? else { return Ok(None) };
        Ok(attestation_of(view.store(), &entry.body).await?)
    }
}
