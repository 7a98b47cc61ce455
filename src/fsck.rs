//! Recomputes everything that is stored of a log and compares. Reads only.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use storage::{LogStore, StorageError, StoredCheckpoint, StoredEntry};
use tlog::{LeafHash, LogIndex, NodeHash, RightEdge, TreeHead, hash_leaf};

use crate::admission::attestation_key;
use crate::recovery::{Identity, RecoveryError, contradicts_nothing};
use crate::stored_tree::TreeError;

/// Entries that are read at once: a tile's worth.
const STEP: usize = 256;
/// Searches that are on their way at once: a server answers several in the time of one.
const SEARCHES: usize = 8;
/// Differences that are described; the rest is only counted.
const DESCRIBED_MAX: usize = 100;

/// What an examination found.
#[derive(Debug)]
pub struct Report {
    /// The head that is stored.
    pub head: TreeHead,
    /// The head that the stored entries make.
    pub computed: TreeHead,
    /// Size of the newest published checkpoint; `None` when there is none or it is no good.
    pub checkpoint: Option<u64>,
    /// Attestations that were compared with their digest.
    pub attestations: u64,
    /// Index keys of entries that were searched for.
    pub index_keys: u64,
    /// How many differences there are.
    pub differences: u64,
    /// The first of them, in words.
    pub described: Vec<String>,
}

impl Report {
    fn differs(&mut self, what: String) {
        self.differences += 1;
        if self.described.len() < DESCRIBED_MAX {
            self.described.push(what);
        }
    }
}

/// Examines a log. `progress` is called with the number of entries done, and of all.
///
/// # Errors
/// [`StorageError`] when the store cannot be read at all; what is read and wrong is in the report.
pub async fn examine(
    store: &dyn LogStore,
    identity: &Identity<'_>,
    progress: &mut (dyn FnMut(u64, u64) + Send),
) -> Result<Report, StorageError> {
    // Before the head: where there are replicas, they may publish more at this moment.
    let published = store.checkpoint().await?;
    let head = store.head().await?;
    let mut report = Report {
        head,
        computed: TreeHead::empty(),
        checkpoint: None,
        attestations: 0,
        index_keys: 0,
        differences: 0,
        described: Vec::new(),
    };
    let mut edge = RightEdge::empty();
    while edge.size() < head.size {
        let first = edge.size();
        let wanted = usize::try_from(head.size.0 - first.0).unwrap_or(STEP).min(STEP);
        let entries = store.entries(LogIndex(first.0), wanted).await?;
        if entries.len() != wanted {
            let (next, size) = (first.0 + entries.len() as u64, head.size);
            report.differs(format!("entry {next} is missing, the head has {size} entries"));
            break;
        }
        edge = examine_entries(store, &edge, &entries, &mut report).await?;
        progress(edge.size().0, head.size.0);
    }
    report.computed = edge.head();
    if report.computed.root != head.root {
        let computed = report.computed;
        report.differs(format!(
            "the entries make root {} at size {}, the head says {} at size {}",
            computed.root, computed.size, head.root, head.size
        ));
    }
    if !store.shared() && !store.bodies(LogIndex(head.size.0), 1).await?.is_empty() {
        report.differs(format!("there are entries beyond the head's size {}", head.size));
    }
    examine_checkpoint(store, identity, published, &mut report).await?;
    Ok(report)
}

/// Up to a tile's worth of entries: their leaf hashes, look-ups, attestations, index keys and tree
/// nodes.
async fn examine_entries(
    store: &dyn LogStore,
    edge: &RightEdge,
    entries: &[StoredEntry],
    report: &mut Report,
) -> Result<RightEdge, StorageError> {
    let leaves: Vec<LeafHash> = entries.iter().map(|entry| hash_leaf(&entry.body)).collect();
    let found = store.indices_of(&leaves).await?;
    for ((entry, leaf), found) in entries.iter().zip(&leaves).zip(found) {
        let index = entry.index;
        match found {
            Some(found) if found == index => {}
            Some(found) => {
                report.differs(format!("entry {index} has the same leaf {leaf} as entry {found}"));
            }
            None => report.differs(format!("entry {index} is not found by its leaf hash {leaf}")),
        }
        examine_attestation(store, entry, report).await?;
    }
    examine_index_keys(store, entries, report).await?;
    let growth = edge.extend(&leaves);
    for level in growth.stored_hashes() {
        let stored = store.hashes(level.level, level.first, level.hashes.len()).await?;
        if stored != level.hashes {
            let at = first_difference(&stored, &level.hashes);
            let (level, at) = (level.level, level.first + at as u64);
            report.differs(format!(
                "the hash at tile level {level}, place {at}, is wrong or missing"
            ));
        }
    }
    Ok(growth.edge().clone())
}

/// A search for each of their index keys finds those of the entries that carry it, and no others of
/// them. One search for each key, however many carry it.
async fn examine_index_keys(
    store: &dyn LogStore,
    entries: &[StoredEntry],
    report: &mut Report,
) -> Result<(), StorageError> {
    let (Some(first), Some(last)) = (entries.first(), entries.last()) else { return Ok(()) };
    let mut carriers = BTreeMap::<&str, BTreeSet<LogIndex>>::new();
    for entry in entries {
        for key in &entry.index_keys {
            let is_new = carriers.entry(key).or_default().insert(entry.index);
            report.index_keys += u64::from(is_new);
        }
    }
    let search = async |key: &str, max| {
        let mut found = store.search(key, first.index, max).await?;
        found.retain(|index| *index <= last.index);
        Ok::<_, StorageError>(BTreeSet::from_iter(found))
    };
    let searches = stream::iter(carriers).map(async |(key, carriers)| {
        let mut found = search(key, carriers.len() + 1).await?;
        if found != carriers {
            found = search(key, entries.len()).await?; // what is too much may have hidden the rest
        }
        Ok::<_, StorageError>((key, carriers, found))
    });
    let mut searches = searches.buffered(SEARCHES);
    while let Some((key, carriers, found)) = searches.try_next().await? {
        for index in carriers.difference(&found) {
            report.differs(format!("a search for {key:?} does not find entry {index}"));
        }
        for index in found.difference(&carriers) {
            report
                .differs(format!("a search for {key:?} finds entry {index}, which lacks that key"));
        }
    }
    Ok(())
}

async fn examine_attestation(
    store: &dyn LogStore,
    entry: &StoredEntry,
    report: &mut Report,
) -> Result<(), StorageError> {
    let Some(key) = attestation_key(&entry.body) else { return Ok(()) };
    let (Some(digest), Some(data)) = (key.strip_prefix("sha256:"), store.attestation(&key).await?)
    else {
        return Ok(()); // not every attestation is kept
    };
    report.attestations += 1;
    if digest != hex::encode(tlog::hash::sha256(&data)) {
        report.differs(format!("the attestation of entry {} is not what {key} names", entry.index));
    }
    Ok(())
}

async fn examine_checkpoint(
    store: &dyn LogStore,
    identity: &Identity<'_>,
    published: Option<StoredCheckpoint>,
    report: &mut Report,
) -> Result<(), StorageError> {
    let Some(published) = published else {
        if report.head.size.0 > 0 {
            report.differs("there are entries and no published checkpoint".into());
        }
        return Ok(());
    };
    let witness = "the store";
    match contradicts_nothing(store, report.head, identity, witness, &published.note).await {
        Ok(()) => report.checkpoint = Some(published.size.0),
        Err(RecoveryError::Tree(TreeError::Storage(error))) => return Err(error),
        Err(error) => report.differs(error.to_string()),
    }
    Ok(())
}

fn first_difference(stored: &[NodeHash], computed: &[NodeHash]) -> usize {
    let same = stored.iter().zip(computed).take_while(|(a, b)| a == b);
    same.count()
}
