//! The hall: one log, its whole write path on one screen, and its reads. Start here.
//!
//! Only the hall calls the rooms; the rooms do not know each other.

use std::sync::Arc;
use std::time::Instant;

use storage::TreeId;
use tlog::{ConsistencyProof, LeafHash, LogIndex, RootHash, TreeSize};
use tokio::time::timeout;

use crate::admission::{self, AdmittedEntry, Policy, Proposal, Proposed, Rejection};
use crate::heavy::heavy;
use crate::limits::{ADMIT_INLINE_BYTES_MAX, PUBLISH_WAIT_MAX, WITNESS_PATIENCE};
use crate::publisher::Published;
use crate::publisher::signer::{SignError, public_key_pem};
use crate::quota::Quota;
use crate::reader::{ReadError, View};
use crate::sequencer::{Placement, Queued, Sequencer, WhenFull};
use crate::shard::Shard;
use crate::shards::{EntryId, ShardMap, VirtualIndex};

pub use crate::answers::{
    Api, Appended, CreateEntryError, Duplicates, Health, LogInfo, LoggedEntry, PromisedEntry,
    ProofRequestError, Rules, ShardInfo,
};

/// A log: its shards, and the rooms that write to the active one.
pub struct Log {
    name: String,
    api: Api,
    policy: Arc<Policy>,
    duplicates: Duplicates,
    quota: Quota,
    frozen: bool,
    sequencer: Sequencer,
    shards: Vec<Shard>, // frozen ones first; the last one is active
    map: ShardMap,
}

/// An entry on its way into the log.
#[derive(Debug)]
pub struct Pending {
    leaf_hash: LeafHash,
    queued: Queued,
}

impl Log {
    /// A log with an active shard behind frozen ones, oldest first.
    pub fn new(rules: Rules, sequencer: Sequencer, frozen: Vec<Shard>, active: Shard) -> Self {
        let map = ShardMap::new(frozen.iter().map(|shard| shard.head().size).collect());
        let mut shards = frozen;
        shards.push(active);
        let Rules { name, api, policy, duplicates, quota, frozen } = rules;
        let policy = Arc::new(policy);
        Self { name, api, policy, duplicates, quota, frozen, sequencer, shards, map }
    }

    /// Its name in the configuration.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it speaks.
    pub fn api(&self) -> Api {
        self.api
    }

    /// Whether it takes no entries any more.
    pub fn frozen(&self) -> bool {
        self.frozen
    }

    /// Its trees: frozen ones first, the last one is active.
    pub fn shards(&self) -> &[Shard] {
        &self.shards
    }

    /// The whole write path: admit, integrate, wait until it is published, prove.
    ///
    /// When it returns, the entry is durable and visible. Dropping the future does not undo it.
    ///
    /// # Errors
    /// As [`CreateEntryError`] says.
    pub async fn create_entry(
        &self,
        proposed: impl Into<Proposed>,
    ) -> Result<LoggedEntry, CreateEntryError> {
        let shard = self.active();
        let entry = self.admit(proposed.into()).await?;
        let (leaf_hash, body) = (entry.leaf_hash(), entry.body().to_vec());
        let id = EntryId { tree_id: shard.tree_id(), leaf_hash };

        let (placement, checkpoint) = self.place(entry).await?;
        let placed = match placement {
            Placement::Integrated(placed) => placed,
            Placement::Duplicate(index) => return self.known_entry(id, index).await,
        };
        let proof = match placed.inclusion_proof() {
            Some(proof) if placed.head() == checkpoint.head => proof,
            // The checkpoint covers later batches too, or this writer woke up so late that its own
            // is not at hand any more.
            _ => shard.at(checkpoint.head).inclusion_proof(placed.index).await?,
        };
        Ok(LoggedEntry {
            id,
            log_id: shard.log_id(),
            body,
            integrated_time: placed.integrated_time,
            virtual_index: self.map.virtual_index(self.shards.len() - 1, placed.index),
            proof,
            checkpoint,
            attestation: None,
        })
    }

    /// The write path of streams, first half: admit, and into the queue, where there is room sooner
    /// or later. Entries that one caller queues get their indices in that order.
    ///
    /// # Errors
    /// As [`CreateEntryError`] says.
    pub async fn queue(&self, proposed: impl Into<Proposed>) -> Result<Pending, CreateEntryError> {
        let entry = self.admit(proposed.into()).await?;
        self.check_open()?;
        let leaf_hash = entry.leaf_hash();
        Ok(Pending { leaf_hash, queued: self.sequencer.add(entry, WhenFull::Wait).await? })
    }

    /// The second half: wait until it is published. A known entry is a success, and proofs are for
    /// those who ask.
    ///
    /// # Errors
    /// As [`CreateEntryError`] says.
    pub async fn settle(&self, pending: Pending) -> Result<Appended, CreateEntryError> {
        let Pending { leaf_hash, queued } = pending;
        let (placement, checkpoint) = self.published(queued).await?;
        let (index, integrated_time, duplicate) = match placement {
            Placement::Integrated(placed) => (placed.index, placed.integrated_time, false),
            Placement::Duplicate(index) => {
                let found = self.active().at(checkpoint.head).entry(index).await?;
                (index, found.map_or(0, |entry| entry.integrated_time), true)
            }
        };
        Ok(Appended { index, leaf_hash, integrated_time, duplicate, checkpoint })
    }

    /// From an admitted entry to a place that a published checkpoint covers.
    async fn place(
        &self,
        entry: AdmittedEntry,
    ) -> Result<(Placement, Arc<Published>), CreateEntryError> {
        self.check_open()?;
        self.published(self.sequencer.add(entry, WhenFull::Refuse).await?).await
    }

    /// Whether one more entry may come now.
    fn check_open(&self) -> Result<(), CreateEntryError> {
        let shard = self.active();
        if shard.publisher.held_for().is_some_and(|held| held > WITNESS_PATIENCE) {
            return Err(CreateEntryError::NoQuorum);
        }
        Ok(self.quota.take(shard.head().size, Instant::now())?)
    }

    async fn published(
        &self,
        queued: Queued,
    ) -> Result<(Placement, Arc<Published>), CreateEntryError> {
        let published = async {
            let placement = self.sequencer.placed(queued).await?;
            let size = match &placement {
                Placement::Integrated(placed) => placed.head().size,
                // Answered only when the first copy can be read.
                Placement::Duplicate(index) => TreeSize(index.0 + 1),
            };
            Ok((placement, self.active().publisher.covering(size).await?))
        };
        let in_time = timeout(PUBLISH_WAIT_MAX, published).await;
        in_time.map_err(|_| CreateEntryError::TimedOut)?
    }

    /// The answer to a writer whose entry is there already.
    async fn known_entry(
        &self,
        id: EntryId,
        index: LogIndex,
    ) -> Result<LoggedEntry, CreateEntryError> {
        let conflict = CreateEntryError::Duplicate { id, index };
        match self.duplicates {
            Duplicates::Conflict => Err(conflict),
            Duplicates::ReturnExisting => {
                let found = self.logged_entry(self.shards.len() - 1, index).await?;
                let found = found.map(|entry| LoggedEntry { attestation: None, ..entry });
                found.ok_or(conflict)
            }
        }
    }

    /// The log's promise for an entry: its SET, which only v1 clients know.
    ///
    /// # Errors
    /// [`SignError`] when the key does not sign.
    pub fn promise(&self, entry: LoggedEntry) -> Result<PromisedEntry, SignError> {
        let shard = self.shard(Some(entry.id.tree_id)).unwrap_or(self.active());
        let signed_entry_timestamp = shard.publisher.core().entry_timestamp(
            &entry.body,
            entry.integrated_time,
            LogIndex(entry.virtual_index.0),
        )?;
        Ok(PromisedEntry { entry, signed_entry_timestamp })
    }

    /// Small entries are judged where they are: a worker of the runtime for each core is the
    /// pool. Large ones would hold up the connections that share the worker.
    async fn admit(&self, proposed: Proposed) -> Result<AdmittedEntry, CreateEntryError> {
        if self.frozen {
            return Err(CreateEntryError::Frozen);
        }
        if proposed.bytes() <= ADMIT_INLINE_BYTES_MAX {
            return Ok(admission::admit(&proposed, &self.policy)?);
        }
        let policy = self.policy.clone();
        let judged = heavy(move || admission::admit(&proposed, &policy)).await;
        // It panicked, which is a bug: this request fails, the log goes on.
        Ok(judged.map_err(|error| Rejection::Internal(error.to_string()))??)
    }

    /// The entry at an index over all shards; `None` when there is none yet.
    pub async fn entry_by_index(
        &self,
        index: VirtualIndex,
    ) -> Result<Option<LoggedEntry>, ReadError> {
        let (shard, index) = self.map.resolve(index);
        self.logged_entry(shard, index).await
    }

    /// The entry of this name; `None` when its tree does not hold it, or is none of ours.
    pub async fn entry_by_id(&self, id: &EntryId) -> Result<Option<LoggedEntry>, ReadError> {
        let Some(shard) = self.shards.iter().position(|shard| shard.tree_id() == id.tree_id) else {
            return Ok(None);
        };
        self.entry_of_shard(shard, id.leaf_hash).await
    }

    /// The entries with this leaf hash: the active shard's first, then the frozen ones', oldest
    /// first.
    pub async fn entries_by_leaf(&self, leaf: LeafHash) -> Result<Vec<LoggedEntry>, ReadError> {
        let active = self.shards.len() - 1;
        let mut found = Vec::new();
        for shard in std::iter::once(active).chain(0..active) {
            found.extend(self.entry_of_shard(shard, leaf).await?);
        }
        Ok(found)
    }

    /// The index over all shards of an entry of one of them.
    pub fn virtual_index(&self, shard: &Shard, index: LogIndex) -> VirtualIndex {
        let number = self.shards.iter().position(|known| known.tree_id() == shard.tree_id());
        self.map.virtual_index(number.unwrap_or(self.shards.len() - 1), index)
    }

    /// The leaf hash that a proposal would have, its signature verified.
    pub fn leaf_hash_of(&self, proposal: &Proposal) -> Result<LeafHash, Rejection> {
        admission::leaf_hash_of(proposal, &self.policy)
    }

    /// The names of the published entries that carry an index key, over all shards.
    pub async fn search(&self, index_key: &str) -> Result<Vec<EntryId>, ReadError> {
        let mut found = Vec::new();
        for shard in &self.shards {
            let view = shard.view();
            for index in view.search(index_key).await? {
                if let Some(leaf_hash) = view.leaf_hash(index).await? {
                    found.push(EntryId { tree_id: shard.tree_id(), leaf_hash });
                }
            }
        }
        Ok(found)
    }

    /// The newest published checkpoint of every shard.
    pub fn info(&self) -> LogInfo {
        let info = |shard: &Shard| ShardInfo {
            tree_id: shard.tree_id(),
            checkpoint: shard.publisher.newest(),
        };
        let (_, frozen) = self.split();
        LogInfo { active: info(self.active()), inactive: frozen.iter().map(info).collect() }
    }

    /// The public key of a shard (the active one when none is named), SPKI in PEM.
    pub fn public_key_pem(&self, tree_id: Option<TreeId>) -> Option<String> {
        self.shard(tree_id).map(|shard| public_key_pem(shard.publisher.core().public_key()))
    }

    /// The proof between two sizes of a shard, and the shard's current root hash.
    ///
    /// # Errors
    /// As [`ProofRequestError`] says.
    pub async fn consistency_proof(
        &self,
        tree_id: Option<TreeId>,
        first: u64,
        last: u64,
    ) -> Result<(ConsistencyProof, RootHash), ProofRequestError> {
        let shard = match tree_id {
            None => self.active(),
            Some(id) => self.shard(tree_id).ok_or(ProofRequestError::UnknownTree(id))?,
        };
        if first > last {
            return Err(ProofRequestError::FirstBeyondLast { first, last });
        }
        let head = shard.head();
        if last > head.size.0 {
            return Err(ProofRequestError::BeyondTree { requested: last, size: head.size.0 });
        }
        let view = shard.at(head);
        let proof = view.consistency_proof(TreeSize(first), TreeSize(last)).await?;
        Ok((proof, head.root))
    }

    /// Whether the log writes and publishes.
    pub fn health(&self) -> Health {
        let shard = self.active();
        Health {
            name: self.name.clone(),
            head: shard.head(),
            not_writing: self.sequencer.stopped(),
            not_publishing: shard.publisher.stopped().or_else(|| {
                let held = shard.publisher.held_for().filter(|held| *held > WITNESS_PATIENCE);
                held.map(|_| "there is no quorum of witnesses".into())
            }),
        }
    }

    async fn entry_of_shard(
        &self,
        shard: usize,
        leaf: LeafHash,
    ) -> Result<Option<LoggedEntry>, ReadError> {
        let Some(index) = self.shards[shard].view().index_of(leaf).await? else { return Ok(None) };
        self.logged_entry(shard, index).await
    }

    async fn logged_entry(
        &self,
        number: usize,
        index: LogIndex,
    ) -> Result<Option<LoggedEntry>, ReadError> {
        let shard = &self.shards[number];
        let checkpoint = shard.publisher.newest();
        let view = shard.at(checkpoint.head);
        let Some(entry) = view.entry(index).await? else { return Ok(None) };
        let leaf_hash = tlog::hash_leaf(&entry.body);
        let id = EntryId { tree_id: shard.tree_id(), leaf_hash };
        let proof = view.inclusion_proof(index).await?;
        let attestation = attestation_of(&view, &entry.body, leaf_hash).await?;
        Ok(Some(LoggedEntry {
            id,
            log_id: shard.log_id(),
            body: entry.body,
            integrated_time: entry.integrated_time,
            virtual_index: self.map.virtual_index(number, index),
            proof,
            checkpoint,
            attestation,
        }))
    }

    /// The tree that grows.
    pub fn active(&self) -> &Shard {
        self.split().0
    }

    fn split(&self) -> (&Shard, &[Shard]) {
        #[expect(clippy::expect_used, reason = "`new` puts the active shard in last")]
        self.shards.split_last().expect("a log has an active shard")
    }

    fn shard(&self, tree_id: Option<TreeId>) -> Option<&Shard> {
        match tree_id {
            None => Some(self.active()),
            Some(id) => self.shards.iter().find(|shard| shard.tree_id() == id),
        }
    }
}

/// The attestation of an entry: under the key that its kind names, else under its leaf hash, as
/// Rekor 0.6 and older stored it.
async fn attestation_of(
    view: &View<'_>,
    body: &[u8],
    leaf_hash: LeafHash,
) -> Result<Option<Vec<u8>>, ReadError> {
    let Some(key) = admission::attestation_key(body) else { return Ok(None) };
    if let Some(found) = view.attestation(&key).await? {
        return Ok(Some(found));
    }
    view.attestation(&leaf_hash.to_string()).await
}
