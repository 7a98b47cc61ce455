//! The hall's reads: entries, searches and proofs, over all shards of the log.

use storage::TreeId;
use tlog::{ConsistencyProof, LeafHash, LogIndex, RootHash, TreeSize};

use super::{Log, LogInfo, LoggedEntry, ProofRequestError, ShardInfo};
use crate::admission::{self, Proposal, Rejection};
use crate::annex::attestation_of;
use crate::publisher::signer::public_key_pem;
use crate::reader::ReadError;
use crate::shard::Shard;
use crate::shards::{EntryId, VirtualIndex};

impl Log {
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
            let (tree_id, leaves) = (shard.tree_id(), shard.view().search(index_key).await?);
            found.extend(leaves.into_iter().map(|leaf_hash| EntryId { tree_id, leaf_hash }));
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

    async fn entry_of_shard(
        &self,
        shard: usize,
        leaf: LeafHash,
    ) -> Result<Option<LoggedEntry>, ReadError> {
        let Some(index) = self.shards[shard].view().index_of(leaf).await? else { return Ok(None) };
        self.logged_entry(shard, index).await
    }

    pub(super) async fn logged_entry(
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
        let attestation = attestation_of(view.store(), &entry.body).await?;
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
}
