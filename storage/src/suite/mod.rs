//! What every engine must pass: one suite, run by the tests of each engine with [`all`].
//!
//! It sees an engine through the contract alone, and through a [`Place`] that it can leave and
//! enter again. It panics at the first thing that is wrong. The hashes in here are arbitrary: an
//! engine computes none, so it cannot tell.
#![expect(clippy::unwrap_used, reason = "a test suite says so by panicking")]

mod commits;
mod lookups;
mod ranges;
mod random;

use std::sync::Arc;

use async_trait::async_trait;
use tlog::{LeafHash, NodeHash, RootHash, TreeHead, TreeSize, hash::sha256, hash_leaf};

use crate::{
    Attestation, Batch, LogRecord, LogStore, NewEntry, NewHashes, Store, StoredBody, StoredEntry,
    TreeId, batch::level_size,
};
pub use random::random;

/// Where an engine keeps one store, from before the first opening on.
#[async_trait]
pub trait Place: Send {
    /// Opens the store: an empty one the first time, afterwards what was left there. No handle from
    /// before is alive, unless the engine allows several processes at once.
    async fn open(&mut self) -> Arc<dyn Store>;
}

/// Runs everything; `fresh` makes a place that was never used.
pub async fn all<P: Place>(mut fresh: impl AsyncFnMut() -> P) {
    commits::logs_are_made_once(&mut fresh().await).await;
    commits::a_commit_adds_everything(&mut fresh().await).await;
    commits::a_stale_head_conflicts(&mut fresh().await).await;
    commits::racing_commits_have_one_winner(&mut fresh().await).await;
    commits::misfits_are_refused(&mut fresh().await).await;
    commits::checkpoints_only_grow(&mut fresh().await).await;
    ranges::entries_at_borders(&mut fresh().await).await;
    ranges::hashes_at_borders(&mut fresh().await).await;
    ranges::bodies_of_all_sizes(&mut fresh().await).await;
    lookups::leaves(&mut fresh().await).await;
    lookups::index_keys(&mut fresh().await).await;
    lookups::pages(&mut fresh().await).await;
    lookups::attestations(&mut fresh().await).await;
    lookups::logs_do_not_see_each_other(&mut fresh().await).await;
    for seed in 0..4 {
        random(&mut fresh().await, seed, 60).await;
    }
}

/// A tree ID for tests.
pub(crate) fn tree(id: i64) -> TreeId {
    TreeId::new(id).unwrap()
}

/// The record of a log for tests; its name follows from the tree ID.
pub(crate) fn record(tree: TreeId) -> LogRecord {
    LogRecord {
        tree_id: tree,
        name: format!("log-{tree}"),
        api: "v1".into(),
        origin: format!("log.example - {tree}"),
        public_key: vec![0x30, 0x00, 0xff],
        created: 1_700_000_000,
    }
}

/// Opens the place and makes one log in it.
async fn one_log(place: &mut impl Place) -> Arc<dyn LogStore> {
    place.open().await.create_log(record(tree(1))).await.unwrap()
}

/// An entry whose leaf hash and time follow from its body; no keys, no attestation.
pub(crate) fn entry(body: impl AsRef<[u8]>) -> NewEntry {
    let body = body.as_ref();
    NewEntry {
        body: body.to_vec(),
        leaf_hash: hash_leaf(body),
        integrated_time: 1_700_000_000 + body.len() as i64,
        index_keys: Vec::new(),
        attestation: None,
    }
}

fn leaf(body: impl AsRef<[u8]>) -> LeafHash {
    hash_leaf(body.as_ref())
}

fn with_keys(body: impl AsRef<[u8]>, keys: &[&str]) -> NewEntry {
    NewEntry { index_keys: keys.iter().map(ToString::to_string).collect(), ..entry(body) }
}

fn without_keys(entries: &[StoredEntry]) -> Vec<StoredBody> {
    let body = |StoredEntry { index, integrated_time, body, .. }| StoredBody {
        index,
        integrated_time,
        body,
    };
    entries.iter().cloned().map(body).collect()
}

fn with_attestation(body: impl AsRef<[u8]>, key: &str, data: &[u8]) -> NewEntry {
    let attestation = Attestation { key: key.to_owned(), data: data.to_vec() };
    NewEntry { attestation: Some(attestation), ..entry(body) }
}

/// `count` entries whose bodies are `e<number>`, counted from the size of the head on.
pub(crate) fn plain(on: TreeHead, count: u64) -> Vec<NewEntry> {
    (on.size.0..on.size.0 + count).map(|index| entry(format!("e{index}"))).collect()
}

/// A batch with the hashes that belong to these entries.
pub(crate) fn batch(on: TreeHead, entries: Vec<NewEntry>) -> Batch {
    let size = TreeSize(on.size.0 + entries.len() as u64);
    let mut hashes = Vec::new();
    for level in 0..8 {
        let (first, end) = (level_size(on.size, level), level_size(size, level));
        if first < end {
            let all = (first..end).map(|position| stored_hash(level, position)).collect();
            hashes.push(NewHashes { level, first, hashes: all });
        }
    }
    let root = sha256(&[on.root.as_bytes().as_slice(), &size.0.to_be_bytes()].concat());
    Batch { entries, hashes, head: TreeHead { size, root: RootHash::from_bytes(root) } }
}

/// The hash that [`batch`] puts at a position.
fn stored_hash(level: u8, position: u64) -> NodeHash {
    NodeHash::from_bytes(sha256(&[&[level], position.to_be_bytes().as_slice()].concat()))
}

/// Commits these entries on top of the head, and gives the new one.
pub(crate) async fn add(log: &dyn LogStore, on: TreeHead, entries: Vec<NewEntry>) -> TreeHead {
    let batch = batch(on, entries);
    let head = batch.head;
    log.commit(on, batch).await.unwrap();
    head
}
