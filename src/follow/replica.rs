//! One log, brought up to a checkpoint of its source: fetch, verify, commit, in this order.
//!
//! Of each batch the tree is extended in memory first, and a consistency proof, made of the
//! source's tiles, must lead from there to the root that the log signed. Only then it is committed.
//! So whatever is stored is a part of a tree that the log has vouched for, wherever it was cut off.

use std::collections::VecDeque;
use std::sync::Arc;

use storage::{Batch, CommitError, LogStore, NewEntry, NewHashes, StorageError};
use tlog::{
    CheckpointError, ConsistencyPlan, Extension, KeyId, ProofError, RootHash, SignedCheckpoint,
    TILE_WIDTH, TilePath, TreeHead, TreeSize, Verifier, decode_tile,
};
use tokio::task::JoinHandle;

use super::bundle::{Bundle, BundleError, fetch_bundle};
use super::source::{Source, SourceError};
use crate::limits::{BATCH_BYTES_MAX, BATCH_ENTRIES_MAX, FOLLOW_AT_ONCE};
use crate::publisher::{PublishError, SigningCore};
use crate::stored_tree::{TreeError, edge_of, root_at};

/// Bytes of a checkpoint with the cosignatures of many witnesses.
const NOTE_BYTES_MAX: usize = tlog::note::NOTE_BYTES_MAX;
const TILE_BYTES_MAX: usize = 256 * 32;

/// Why a log is not followed further, for now or for good.
#[derive(Debug, thiserror::Error)]
pub enum FollowError {
    /// The source did not answer, or not with what was asked for.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// What the source says is its newest checkpoint is not one of this log.
    #[error("the source's checkpoint is not this log's: {0}")]
    NotOurs(#[from] CheckpointError),
    /// A bundle, or what belongs to it, is not what it should be.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The source's entries and tiles do not lead to the root that the log signed.
    #[error("entries up to {size} of the source do not lead to the root of its checkpoint: {why}")]
    Unproven {
        /// Up to where.
        size: TreeSize,
        /// What is wrong.
        why: ProofError,
    },
    /// The log signed two trees: the one that is stored here, and another one.
    #[error(
        "the log has FORKED: its key signed a checkpoint of {size} entries with root {theirs}, and \
         before one of a tree that has root {ours} at that size. Keep this folder and the \
         checkpoint, they are the proof: {note:?}"
    )]
    Forked {
        /// The size.
        size: TreeSize,
        /// The root that is stored.
        ours: RootHash,
        /// The root in the source's checkpoint.
        theirs: RootHash,
        /// The source's checkpoint.
        note: String,
    },
    /// The store here failed, or is damaged.
    #[error(transparent)]
    Tree(#[from] TreeError),
    /// The store here does not take what was verified.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// It was not shown.
    #[error(transparent)]
    Publish(#[from] PublishError),
}

impl From<StorageError> for FollowError {
    fn from(error: StorageError) -> Self {
        Self::Tree(error.into())
    }
}

impl FollowError {
    /// Whether asking again cannot help. A commit of which nothing is known is no harm: the next
    /// look begins at the stored head.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Forked { .. } => true,
            Self::Publish(error) => matches!(error, PublishError::Foreign(_)),
            Self::Tree(error) => !matches!(error, TreeError::Storage(StorageError::Engine(_))),
            Self::Commit(error) => matches!(error, CommitError::Malformed(_)),
            Self::Source(_) | Self::NotOurs(_) | Self::Bundle(_) | Self::Unproven { .. } => false,
        }
    }
}

/// A log here, and where it is followed from.
pub struct Replica {
    store: Arc<dyn LogStore>,
    log: Arc<Identity>,
    source: Arc<dyn Source>,
    /// Without a slash at the end.
    path: String,
}

/// By what the log is known.
pub(super) struct Identity {
    pub(super) origin: String,
    pub(super) name: String,
    pub(super) verifier: Verifier,
    pub(super) key_id: KeyId,
}

impl Replica {
    /// A log of the store, which `core` names, at a path of a source.
    ///
    /// # Errors
    /// [`tlog::KeyError`] for a key that no log has.
    pub fn new(
        store: Arc<dyn LogStore>,
        core: &SigningCore,
        source: Arc<dyn Source>,
        path: String,
    ) -> Result<Self, tlog::KeyError> {
        let log = Identity {
            origin: core.origin().to_owned(),
            name: core.name().to_owned(),
            verifier: Verifier::from_spki(core.public_key())?,
            key_id: core.key_id(),
        };
        Ok(Self { store, log: Arc::new(log), source, path })
    }

    /// Where the source has it.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The source's newest checkpoint, when it is larger than what is shown or has other
    /// signatures; all its entries are verified and stored then.
    ///
    /// `progress` is called with the number of entries stored, and of all.
    ///
    /// # Errors
    /// As [`FollowError`] says.
    pub async fn catch_up(
        &self,
        shown: Option<(TreeHead, &str)>,
        progress: &mut (dyn FnMut(u64, u64) + Send),
    ) -> Result<Option<String>, FollowError> {
        let Some((note, head)) = self.newest(shown.is_some()).await? else { return Ok(None) };
        let stored = self.store.head().await?;
        if head.size <= stored.size {
            let ours = root_at(&*self.store, head.size).await?;
            if ours != head.root {
                let (size, theirs) = (head.size, head.root);
                return Err(FollowError::Forked { size, ours, theirs, note });
            }
        } else {
            self.fetch(stored, head, progress).await?;
        }
        // A smaller one comes from a cache.
        let news = match shown {
            None => true,
            Some((shown, _)) if head.size < shown.size => false,
            Some((shown, known)) => head.size > shown.size || known != note,
        };
        Ok(news.then_some(note))
    }

    /// The source's checkpoint; none of a source that may be empty, once something is `shown`.
    async fn newest(&self, shown: bool) -> Result<Option<(String, TreeHead)>, FollowError> {
        let place = format!("{}/checkpoint", self.path);
        let wrong = |why: &str| SourceError { place: place.clone(), why: why.into() };
        let note = self.source.get(&place, NOTE_BYTES_MAX).await?;
        if note.is_none() && shown && self.source.may_be_empty() {
            return Ok(None);
        }
        let note = String::from_utf8(note.ok_or_else(|| wrong("there is none"))?)
            .map_err(|_| wrong("it is no text"))?;
        let log = &self.log;
        let signed = SignedCheckpoint::open(&note, &log.origin, &log.verifier, log.key_id)?;
        Ok(Some((note, signed.checkpoint().head)))
    }

    /// From the stored head to a signed one, batch by batch.
    async fn fetch(
        &self,
        stored: TreeHead,
        signed: TreeHead,
        progress: &mut (dyn FnMut(u64, u64) + Send),
    ) -> Result<(), FollowError> {
        let mut edge = edge_of(&*self.store, stored).await?;
        let mut coming = Coming::new(self, stored.size, signed.size);
        while edge.size() < signed.size {
            let entries = coming.batch().await?;
            let growth = edge.extend(&entries.iter().map(|new| new.leaf_hash).collect::<Vec<_>>());
            self.prove(growth.head(), signed).await?;
            self.commit(edge.head(), &growth, entries).await?;
            edge = growth.edge().clone();
            progress(edge.size().0, signed.size.0);
        }
        Ok(())
    }

    /// Holds a tree that is to be stored against the one that was signed.
    async fn prove(&self, grown: TreeHead, signed: TreeHead) -> Result<(), FollowError> {
        let unproven = |why| FollowError::Unproven { size: grown.size, why };
        let plan = ConsistencyPlan::new(grown.size, signed.size).map_err(unproven)?;
        let mut answers = Vec::new();
        for range in plan.wanted() {
            let (tile, width) = (range.tile(), u16::try_from(range.count).unwrap_or(u16::MAX));
            let wanted = TilePath::Tile { tile, width };
            let full = TilePath::Tile { tile, width: TILE_WIDTH as u16 };
            let bytes = self.part(&wanted.to_string(), &full.to_string(), TILE_BYTES_MAX).await?;
            let mut hashes = bytes.as_deref().and_then(decode_tile).unwrap_or_default();
            hashes.truncate(range.count);
            answers.push(hashes);
        }
        let proof = plan.build(&answers).map_err(unproven)?;
        proof.verify(&grown.root, &signed.root).map_err(unproven)
    }

    /// A partial resource, or else the full one, which may have taken its place.
    async fn part(
        &self,
        path: &str,
        full: &str,
        max: usize,
    ) -> Result<Option<Vec<u8>>, SourceError> {
        fetch_part(&*self.source, &self.path, path, full, max).await
    }

    async fn commit(
        &self,
        expected: TreeHead,
        growth: &Extension,
        entries: Vec<NewEntry>,
    ) -> Result<(), FollowError> {
        let hashes = growth.stored_hashes().into_iter().map(|level| NewHashes {
            level: level.level,
            first: level.first,
            hashes: level.hashes,
        });
        let batch = Batch { hashes: hashes.collect(), head: growth.head(), entries };
        Ok(self.store.commit(expected, batch).await?)
    }
}

pub(super) async fn fetch_part(
    source: &dyn Source,
    root: &str,
    path: &str,
    full: &str,
    max: usize,
) -> Result<Option<Vec<u8>>, SourceError> {
    let found = source.get(&format!("{root}/{path}"), max).await?;
    if found.is_some() || path == full {
        return Ok(found);
    }
    source.get(&format!("{root}/{full}"), max).await
}

/// Bundles on their way, a few at once, in order.
struct Coming {
    source: Arc<dyn Source>,
    log: Arc<Identity>,
    path: String,
    next: TreeSize,
    end: TreeSize,
    asked: VecDeque<JoinHandle<Result<Vec<NewEntry>, FollowError>>>,
}

impl Coming {
    fn new(replica: &Replica, next: TreeSize, end: TreeSize) -> Self {
        let (source, log) = (replica.source.clone(), replica.log.clone());
        Self { source, log, path: replica.path.clone(), next, end, asked: VecDeque::new() }
    }

    /// The entries of one commit.
    async fn batch(&mut self) -> Result<Vec<NewEntry>, FollowError> {
        let (mut entries, mut bytes) = (Vec::new(), 0);
        while entries.len() + TILE_WIDTH as usize <= BATCH_ENTRIES_MAX
            && bytes < BATCH_BYTES_MAX / 2
        {
            while self.asked.len() < FOLLOW_AT_ONCE && self.next < self.end {
                self.ask();
            }
            let Some(part) = self.asked.pop_front() else { break };
            let part = part.await.map_err(|panicked| SourceError {
                place: self.path.clone(),
                why: panicked.to_string(),
            })??;
            bytes += part.iter().map(|new| new.body.len()).sum::<usize>();
            entries.extend(part);
        }
        Ok(entries)
    }

    fn ask(&mut self) {
        let bundle = Bundle::from(self.next, self.end);
        self.next = bundle.end();
        let (source, log, path) = (self.source.clone(), self.log.clone(), self.path.clone());
        let fetched = async move { Ok(fetch_bundle(&*source, &log, &path, &bundle).await?) };
        self.asked.push_back(tokio::spawn(fetched));
    }
}

impl Drop for Coming {
    fn drop(&mut self) {
        self.asked.iter().for_each(JoinHandle::abort);
    }
}
