//! The hall: one Rekor v1 log, its whole write path on one screen, and its reads. Start here.
//!
//! Only the hall calls the rooms; the rooms do not know each other.

use std::sync::Arc;

use storage::TreeId;
use tlog::{ConsistencyProof, LeafHash, LogIndex, RootHash, TreeHead, TreeSize};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use crate::admission::{self, AdmittedEntry, Policy, Proposal, Rejection};
use crate::limits::{ADMIT_INLINE_BYTES_MAX, PUBLISH_WAIT_MAX};
use crate::publisher::Publisher;
use crate::publisher::signer::public_key_pem;
use crate::reader::{ReadError, Reader, View};
use crate::sequencer::{Placement, Sequencer};
use crate::shards::{EntryId, ShardMap, VirtualIndex};

pub use crate::answers::{
    CreateEntryError, GetEntryError, Health, LogInfo, LoggedEntry, ProofRequestError, ShardInfo,
};

/// A log: its shards, and the rooms that write to the active one.
pub struct Log {
    policy: Arc<Policy>,
    sequencer: Sequencer,
    shards: Vec<Shard>, // frozen ones first; the last one is active
    map: ShardMap,
}

/// One tree of the log: how it is read and under whose key.
pub struct Shard {
    tree_id: TreeId,
    reader: Reader,
    publisher: Publisher,
}

impl Shard {
    /// The shard behind these rooms.
    pub fn new(tree_id: TreeId, reader: Reader, publisher: Publisher) -> Self {
        Self { tree_id, reader, publisher }
    }
}

impl Log {
    /// A log with an active shard behind frozen ones, oldest first.
    pub fn new(policy: Policy, sequencer: Sequencer, frozen: Vec<Shard>, active: Shard) -> Self {
        let map = ShardMap::new(frozen.iter().map(|shard| shard.head().size).collect());
        let mut shards = frozen;
        shards.push(active);
        Self { policy: Arc::new(policy), sequencer, shards, map }
    }

    /// The whole write path: admit, integrate, wait until it is published, prove, promise.
    ///
    /// When it returns, the entry is durable and visible. Dropping the future does not undo it.
    ///
    /// # Errors
    /// As [`CreateEntryError`] says.
    pub async fn create_entry(&self, proposal: Proposal) -> Result<LoggedEntry, CreateEntryError> {
        let shard = self.active();
        let entry = self.admit(proposal).await?;
        let (leaf_hash, body) = (entry.leaf_hash(), entry.body().to_vec());
        let id = EntryId { tree_id: shard.tree_id, leaf_hash };

        let published = async {
            let placed = match self.sequencer.add(entry).await? {
                Placement::Integrated(placed) => placed,
                Placement::Duplicate(index) => {
                    // Answered only when the first copy can be read.
                    shard.publisher.covering(TreeSize(index.0 + 1)).await?;
                    return Err(CreateEntryError::Duplicate(id));
                }
            };
            let checkpoint = shard.publisher.covering(placed.head().size).await?;
            Ok((placed, checkpoint))
        };
        let in_time = timeout(PUBLISH_WAIT_MAX, published).await;
        let (placed, checkpoint) = in_time.map_err(|_| CreateEntryError::TimedOut)??;

        let proof = match placed.inclusion_proof() {
            Some(proof) if placed.head() == checkpoint.head => proof,
            // This writer woke up so late that its own checkpoint is not at hand any more.
            _ => shard.reader.at(checkpoint.head).inclusion_proof(placed.index).await?,
        };
        let virtual_index = self.map.virtual_index(self.shards.len() - 1, placed.index);
        let core = shard.publisher.core();
        let integrated_time = placed.integrated_time;
        let signed_entry_timestamp =
            core.entry_timestamp(&body, integrated_time, LogIndex(virtual_index.0))?;
        Ok(LoggedEntry {
            id,
            log_id: core.log_id(),
            body,
            integrated_time,
            virtual_index,
            proof,
            checkpoint,
            signed_entry_timestamp,
            attestation: None,
        })
    }

    /// Small proposals are judged where they are: a worker of the runtime for each core is the
    /// pool. Large ones would hold up the connections that share the worker.
    async fn admit(&self, proposal: Proposal) -> Result<AdmittedEntry, CreateEntryError> {
        if proposal.text_bytes() <= ADMIT_INLINE_BYTES_MAX {
            return Ok(admission::admit(&proposal, &self.policy)?);
        }
        let policy = self.policy.clone();
        let judged = spawn_blocking(move || admission::admit(&proposal, &policy)).await;
        // It panicked, which is a bug: this request fails, the log goes on.
        Ok(judged.map_err(|error| Rejection::Internal(error.to_string()))??)
    }

    /// The entry at an index over all shards; `None` when there is none yet.
    pub async fn entry_by_index(
        &self,
        index: VirtualIndex,
    ) -> Result<Option<LoggedEntry>, GetEntryError> {
        let (shard, index) = self.map.resolve(index);
        self.logged_entry(shard, index).await
    }

    /// The entry of this name; `None` when its tree does not hold it, or is none of ours.
    pub async fn entry_by_id(&self, id: &EntryId) -> Result<Option<LoggedEntry>, GetEntryError> {
        let Some(shard) = self.shards.iter().position(|shard| shard.tree_id == id.tree_id) else {
            return Ok(None);
        };
        self.entry_of_shard(shard, id.leaf_hash).await
    }

    /// The entries with this leaf hash: the active shard's first, then the frozen ones', oldest
    /// first.
    pub async fn entries_by_leaf(&self, leaf: LeafHash) -> Result<Vec<LoggedEntry>, GetEntryError> {
        let active = self.shards.len() - 1;
        let mut found = Vec::new();
        for shard in std::iter::once(active).chain(0..active) {
            found.extend(self.entry_of_shard(shard, leaf).await?);
        }
        Ok(found)
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
                    found.push(EntryId { tree_id: shard.tree_id, leaf_hash });
                }
            }
        }
        Ok(found)
    }

    /// The newest published checkpoint of every shard.
    pub fn info(&self) -> LogInfo {
        let info = |shard: &Shard| ShardInfo {
            tree_id: shard.tree_id,
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
        let view = shard.reader.at(head);
        let proof = view.consistency_proof(TreeSize(first), TreeSize(last)).await?;
        Ok((proof, head.root))
    }

    /// Whether the log writes and publishes.
    pub fn health(&self) -> Health {
        let shard = self.active();
        Health {
            head: shard.head(),
            not_writing: self.sequencer.stopped(),
            not_publishing: shard.publisher.stopped(),
        }
    }

    async fn entry_of_shard(
        &self,
        shard: usize,
        leaf: LeafHash,
    ) -> Result<Option<LoggedEntry>, GetEntryError> {
        let Some(index) = self.shards[shard].view().index_of(leaf).await? else { return Ok(None) };
        self.logged_entry(shard, index).await
    }

    async fn logged_entry(
        &self,
        number: usize,
        index: LogIndex,
    ) -> Result<Option<LoggedEntry>, GetEntryError> {
        let shard = &self.shards[number];
        let checkpoint = shard.publisher.newest();
        let view = shard.reader.at(checkpoint.head);
        let Some(entry) = view.entry(index).await? else { return Ok(None) };
        let leaf_hash = tlog::hash_leaf(&entry.body);
        let id = EntryId { tree_id: shard.tree_id, leaf_hash };
        let proof = view.inclusion_proof(index).await?;
        let attestation = attestation_of(&view, &entry.body, leaf_hash).await?;
        let virtual_index = self.map.virtual_index(number, index);
        let core = shard.publisher.core();
        let signed_entry_timestamp =
            core.entry_timestamp(&entry.body, entry.integrated_time, LogIndex(virtual_index.0))?;
        Ok(Some(LoggedEntry {
            id,
            log_id: core.log_id(),
            body: entry.body,
            integrated_time: entry.integrated_time,
            virtual_index,
            proof,
            checkpoint,
            signed_entry_timestamp,
            attestation,
        }))
    }

    fn active(&self) -> &Shard {
        self.split().0
    }

    fn split(&self) -> (&Shard, &[Shard]) {
        #[expect(clippy::expect_used, reason = "`new` puts the active shard in last")]
        self.shards.split_last().expect("a log has an active shard")
    }

    fn shard(&self, tree_id: Option<TreeId>) -> Option<&Shard> {
        match tree_id {
            None => Some(self.active()),
            Some(id) => self.shards.iter().find(|shard| shard.tree_id == id),
        }
    }
}

impl Shard {
    fn head(&self) -> TreeHead {
        self.publisher.newest().head
    }

    fn view(&self) -> View<'_> {
        self.reader.at(self.head())
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
