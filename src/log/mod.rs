//! The hall: one log, its whole write path on one screen. Start here; its reads are in `reads`.
//!
//! Only the hall calls the rooms; the rooms do not know each other.

mod reads;
mod room;

use std::sync::Arc;
use std::time::Instant;

use storage::TreeId;
use tlog::{LeafHash, LogIndex, TreeSize};
use tokio::time::timeout;

use crate::admission::{self, AdmittedEntry, Policy, Proposed, Rejection};
use crate::heavy::{heavy, turn};
use crate::limits::{ADMIT_INLINE_BYTES_MAX, PUBLISH_WAIT_MAX, WITNESS_PATIENCE};
use crate::publisher::Published;
use crate::publisher::signer::SignError;
use crate::quota::{OverQuota, Quota, Taken};
use crate::sequencer::{Placement, Queued, Sequencer, WhenFull};
use crate::shard::Shard;
use crate::shards::{EntryId, ShardMap};

pub use crate::answers::{
    Api, Appended, CreateEntryError, Duplicates, Health, LogInfo, LoggedEntry, PromisedEntry,
    ProofRequestError, Rules, ShardInfo,
};
use room::Room;
pub use room::Ticket;

/// A log: its shards, and the rooms that write to the active one.
pub struct Log {
    name: String,
    api: Api,
    policy: Arc<Policy>,
    duplicates: Duplicates,
    quota: Quota,
    room: Room,
    frozen: bool,
    replica: bool,
    sequencer: Sequencer,
    shards: Vec<Shard>, // frozen ones first; the last one is active
    map: ShardMap,
}

/// An entry on its way into the log.
#[derive(Debug)]
pub struct Pending {
    leaf_hash: LeafHash,
    on_its_way: OnItsWay,
}

#[derive(Debug)]
enum OnItsWay {
    Queued(Queued, Taken),
    /// The log is full or has had enough for now, and holds the entry already.
    Known(LogIndex),
}

impl Log {
    /// A log with an active shard behind frozen ones, oldest first.
    pub fn new(rules: Rules, sequencer: Sequencer, frozen: Vec<Shard>, active: Shard) -> Self {
        let map = ShardMap::new(frozen.iter().map(|shard| shard.head().size).collect());
        let mut shards = frozen;
        shards.push(active);
        let Rules { name, api, policy, duplicates, quota, in_flight_max, frozen, replica } = rules;
        let (policy, room) = (Arc::new(policy), Room::new(in_flight_max));
        Self { name, api, policy, duplicates, quota, room, frozen, replica, sequencer, shards, map }
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

    /// Whether it is written elsewhere, and followed here.
    pub fn replica(&self) -> bool {
        self.replica
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
        self.create_with(self.ticket().await?, proposed).await
    }

    /// Leave to have one entry judged, for callers that have work of their own to do first.
    ///
    /// # Errors
    /// [`CreateEntryError::Frozen`], [`CreateEntryError::Pushback`].
    pub async fn ticket(&self) -> Result<Ticket, CreateEntryError> {
        if self.frozen {
            return Err(CreateEntryError::Frozen);
        }
        self.room.ticket().await.ok_or(CreateEntryError::Pushback)
    }

    /// [`create_entry`](Self::create_entry) with such a leave.
    ///
    /// # Errors
    /// As [`CreateEntryError`] says.
    pub async fn create_with(
        &self,
        ticket: Ticket,
        proposed: impl Into<Proposed>,
    ) -> Result<LoggedEntry, CreateEntryError> {
        let shard = self.active();
        let entry = self.admit(proposed.into()).await?;
        let (leaf_hash, body) = (entry.leaf_hash(), entry.body().to_vec());
        let id = EntryId { tree_id: shard.tree_id(), leaf_hash };

        let (placement, checkpoint) = self.place(entry, ticket).await?;
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
        Ok(Pending {
            leaf_hash: entry.leaf_hash(),
            on_its_way: self.enter(entry, WhenFull::Wait).await?,
        })
    }

    /// The second half: wait until it is published. A known entry is a success, and proofs are for
    /// those who ask.
    ///
    /// # Errors
    /// As [`CreateEntryError`] says.
    pub async fn settle(&self, pending: Pending) -> Result<Appended, CreateEntryError> {
        let Pending { leaf_hash, on_its_way } = pending;
        let (placement, checkpoint) = self.published(on_its_way, None).await?;
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
        ticket: Ticket,
    ) -> Result<(Placement, Arc<Published>), CreateEntryError> {
        let on_its_way = self.enter(entry, WhenFull::Refuse).await?;
        self.published(on_its_way, Some(ticket)).await
    }

    /// Into the queue, if one more entry may come now.
    async fn enter(
        &self,
        entry: AdmittedEntry,
        when_full: WhenFull,
    ) -> Result<OnItsWay, CreateEntryError> {
        let shard = self.active();
        if shard.publisher.held_for().is_some_and(|held| held > WITNESS_PATIENCE) {
            return Err(CreateEntryError::NoQuorum);
        }
        match self.quota.take(shard.head().size, Instant::now()) {
            Ok(taken) => Ok(OnItsWay::Queued(self.sequencer.add(entry, when_full).await?, taken)),
            Err(over) => self.known_over_quota(entry.leaf_hash(), over).await,
        }
    }

    /// Sending a known entry again is harmless, so no quota turns it away.
    async fn known_over_quota(
        &self,
        leaf_hash: LeafHash,
        over: OverQuota,
    ) -> Result<OnItsWay, CreateEntryError> {
        let known = self.active().view().index_of(leaf_hash).await?;
        known.map(OnItsWay::Known).ok_or(CreateEntryError::OverQuota(over))
    }

    async fn published(
        &self,
        on_its_way: OnItsWay,
        ticket: Option<Ticket>,
    ) -> Result<(Placement, Arc<Published>), CreateEntryError> {
        let published = async {
            // The quota counts the entry until the log's size does.
            let (placement, _taken) = match on_its_way {
                OnItsWay::Queued(queued, taken) => {
                    (self.sequencer.placed(queued).await?, Some(taken))
                }
                OnItsWay::Known(index) => (Placement::Duplicate(index), None),
            };
            drop(ticket); // it is on the disk: others may come
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
                let found = found.filter(|entry| entry.id == id);
                let found = found.map(|entry| LoggedEntry { attestation: None, ..entry });
                found.ok_or(conflict)
            }
        }
    }

    /// The log's promise for an entry: its SET, which only v1 clients know. A replica without the
    /// log's key has none to give.
    ///
    /// # Errors
    /// [`SignError`] when the key does not sign.
    pub fn promise(&self, entry: LoggedEntry) -> Result<PromisedEntry, SignError> {
        let shard = self.shard(Some(entry.id.tree_id)).unwrap_or(self.active());
        if !shard.signs() {
            return Ok(PromisedEntry { entry, signed_entry_timestamp: None });
        }
        let signed = shard.publisher.core().entry_timestamp(
            &entry.body,
            entry.integrated_time,
            LogIndex(entry.virtual_index.0),
        )?;
        Ok(PromisedEntry { entry, signed_entry_timestamp: Some(signed) })
    }

    /// Small entries are judged where they are: a worker of the runtime for each core is the
    /// pool. Large ones would hold up the connections that share the worker.
    async fn admit(&self, proposed: Proposed) -> Result<AdmittedEntry, CreateEntryError> {
        if self.frozen {
            return Err(CreateEntryError::Frozen);
        }
        if proposed.bytes() <= ADMIT_INLINE_BYTES_MAX {
            let _turn = if self.room.crowded() { turn().await } else { None };
            return Ok(admission::admit(&proposed, &self.policy)?);
        }
        let policy = self.policy.clone();
        let judged = heavy(move || admission::admit(&proposed, &policy)).await;
        // It panicked, which is a bug: this request fails, the log goes on.
        Ok(judged.map_err(|error| Rejection::Internal(error.to_string()))??)
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
