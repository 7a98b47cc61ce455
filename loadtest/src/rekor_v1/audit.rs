//! What is checked after the clock has stopped: kept answers in full, unique indices, one history
//! behind all checkpoints, and that the log gives back what it has taken.

use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use hyper::StatusCode;
use tlog::TreeHead;

use crate::rekor_v1::check::{Expected, Fault, LogIdentity, Verified, framing, verify_consistency};
use crate::client::{Answer, CallError, Connection};
use crate::rekor_v1::reader::{path_by_id, path_by_index, uri};
use crate::tally::{Failures, Sample};
use crate::rekor_v1::wire;

/// What all runs of the program have seen of the log.
pub struct History {
    /// Entry IDs by index.
    taken: HashMap<u64, String>,
    /// Root hashes by size, of every verified checkpoint.
    heads: HashMap<u64, TreeHead>,
    /// The newest head that is linked to the first one by consistency proofs.
    linked: Option<TreeHead>,
}

impl History {
    /// Starts from the head that the log had before the first run.
    pub fn starting_at(head: TreeHead) -> Self {
        Self {
            taken: HashMap::new(),
            heads: HashMap::from([(head.size.0, head)]),
            linked: Some(head).filter(|head| head.size.0 > 0), // all trees extend the empty one
        }
    }

    /// Takes note that an entry was given an index.
    ///
    /// # Errors
    /// [`Fault::IndexTwice`].
    pub fn see_index(&mut self, index: u64, id: &str) -> Result<(), Fault> {
        match self.taken.insert(index, id.to_owned()) {
            Some(other) if other != id => Err(Fault::IndexTwice { index, other }),
            _ => Ok(()),
        }
    }

    /// Takes note of a verified checkpoint.
    ///
    /// # Errors
    /// [`Fault::Fork`].
    pub fn see_head(&mut self, head: TreeHead) -> Result<(), Fault> {
        let known = *self.heads.entry(head.size.0).or_insert(head);
        if known.root == head.root { Ok(()) } else { Err(Fault::Fork(head.size.0)) }
    }
}

/// Verifies kept answers on all cores; what fails is added to `failures`.
pub fn verify_samples<'a>(
    log: &LogIdentity,
    samples: &[Sample],
    expected: impl Fn(u64) -> Expected<'a> + Sync,
    subject: impl Fn(u64) -> String,
    done: &AtomicU64,
    failures: &mut Failures,
) -> Vec<Verified> {
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let share = samples.len().div_ceil(cores).max(1);
    let results: Vec<_> = thread::scope(|scope| {
        let expected = &expected;
        let workers: Vec<_> = samples
            .chunks(share)
            .map(|chunk| scope.spawn(move || verify_chunk(log, chunk, expected, done)))
            .collect();
        workers.into_iter().map(|worker| worker.join()).collect()
    });
    let mut verified = Vec::new();
    for worker in results {
        let Ok(results) = worker else {
            failures.add("verification", "it stopped before its end");
            continue;
        };
        for (number, result) in results {
            match result {
                Ok(entry) => verified.push(entry),
                Err(fault) => failures.add(subject(number), fault),
            }
        }
    }
    verified
}

fn verify_chunk<'a>(
    log: &LogIdentity,
    chunk: &[Sample],
    expected: &impl Fn(u64) -> Expected<'a>,
    done: &AtomicU64,
) -> Vec<(u64, Result<Verified, Fault>)> {
    let verify = |sample: &Sample| {
        done.fetch_add(1, Ordering::Relaxed);
        (sample.number, log.verify_entry(&sample.text, expected(sample.number)))
    };
    chunk.iter().map(verify).collect()
}

/// Asks the log again for entries that it has taken, by index and by entry ID in turn. Gives how
/// many came back whole.
pub async fn read_back(
    log: &LogIdentity,
    connection: &mut Connection,
    entries: &[Verified],
    failures: &mut Failures,
) -> u64 {
    let mut good = 0;
    for (n, entry) in entries.iter().enumerate() {
        let by_index = n % 2 == 0;
        let path = if by_index { path_by_index(entry.index) } else { path_by_id(&entry.id) };
        let expected =
            Expected { body: Some(&entry.body), id: Some(&entry.id), index: Some(entry.index) };
        match get_entry(log, connection, &path, expected).await {
            Ok(_) => good += 1,
            Err(why) => failures.add(format!("GET {path}"), why),
        }
    }
    good
}

/// Gets one entry and verifies it from end to end.
///
/// # Errors
/// What is wrong with the call or with the answer, in words.
pub async fn get_entry(
    log: &LogIdentity,
    connection: &mut Connection,
    path: &str,
    expected: Expected<'_>,
) -> Result<Verified, String> {
    let answer = get(connection, path).await.map_err(|error| error.to_string())?;
    let verified = framing(&answer, StatusCode::OK, expected.id)
        .and_then(|_| log.verify_entry(&answer.body, expected));
    verified.map_err(|fault| fault.to_string())
}

/// Gets anything.
///
/// # Errors
/// No answer.
pub async fn get(connection: &mut Connection, path: &str) -> Result<Answer, CallError> {
    connection.get(uri(path)?).await
}

/// Links the heads of a run to those before them: the newest of the last run → the oldest of this
/// one → its newest → the log's head of now. Gives the proofs that hold, as pairs of sizes.
pub async fn link_heads(
    log: &LogIdentity,
    connection: &mut Connection,
    history: &mut History,
    heads: &[TreeHead],
    failures: &mut Failures,
) -> Vec<(u64, u64)> {
    let oldest = heads.iter().min_by_key(|head| head.size).copied();
    let newest = heads.iter().max_by_key(|head| head.size).copied();
    let now = match current_head(log, connection).await {
        Ok(head) => Some(head),
        Err(why) => {
            failures.add("GET /api/v1/log", why);
            None
        }
    };
    for head in heads.iter().chain(&now) {
        if let Err(fault) = history.see_head(*head) {
            failures.add("checkpoint", fault);
        }
    }
    if let (Some(newest), Some(now)) = (newest, now)
        && now.size < newest.size
    {
        let why = format!("the log has shrunk from {} to {}", newest.size, now.size);
        failures.add("GET /api/v1/log", why);
    }
    let mut proven = Vec::new();
    for head in [oldest, newest, now].into_iter().flatten() {
        let Some(old) = history.linked else {
            history.linked = Some(head);
            continue;
        };
        if head.size == old.size {
            continue; // their roots were compared above
        }
        let (older, newer) = if head.size < old.size { (head, old) } else { (old, head) };
        match prove(log, connection, &older, &newer).await {
            Ok(()) => proven.push((older.size.0, newer.size.0)),
            Err(why) => failures.add("GET /api/v1/log/proof", why),
        }
        history.linked = Some(newer);
    }
    proven
}

async fn prove(
    log: &LogIdentity,
    connection: &mut Connection,
    old: &TreeHead,
    new: &TreeHead,
) -> Result<(), String> {
    let (first, last, tree) = (old.size, new.size, &log.tree_id);
    let path = format!("/api/v1/log/proof?firstSize={first}&lastSize={last}&treeID={tree}");
    let answer = get(connection, &path).await.map_err(|error| error.to_string())?;
    if answer.status != StatusCode::OK {
        return Err(format!("sizes {first} to {last}: status {}", answer.status.as_u16()));
    }
    verify_consistency(&answer.body, old, new).map_err(|fault| fault.to_string())
}

async fn current_head(log: &LogIdentity, connection: &mut Connection) -> Result<TreeHead, String> {
    let answer = get(connection, "/api/v1/log").await.map_err(|error| error.to_string())?;
    let info = serde_json::from_slice::<wire::LogInfo>(&answer.body);
    let info = info.map_err(|error| error.to_string())?;
    log.open_checkpoint(&info.signed_tree_head).map_err(|fault| fault.to_string())
}

#[cfg(test)]
mod tests {
    use tlog::{RootHash, TreeSize};

    use super::*;

    fn head(size: u64, root: u8) -> TreeHead {
        TreeHead { size: TreeSize(size), root: RootHash::from_bytes([root; 32]) }
    }

    #[test]
    fn two_roots_at_one_size_are_a_fork() {
        let mut history = History::starting_at(head(5, 1));
        assert_eq!(history.see_head(head(5, 1)), Ok(()));
        assert_eq!(history.see_head(head(6, 2)), Ok(()));
        assert_eq!(history.see_head(head(5, 2)), Err(Fault::Fork(5)));
        assert_eq!(history.see_head(head(6, 1)), Err(Fault::Fork(6)));
    }

    #[test]
    fn an_index_belongs_to_one_entry() {
        let mut history = History::starting_at(head(0, 0));
        assert_eq!(history.see_index(7, "a"), Ok(()));
        assert_eq!(history.see_index(7, "a"), Ok(()));
        let fault = Fault::IndexTwice { index: 7, other: "a".to_owned() };
        assert_eq!(history.see_index(7, "b"), Err(fault));
        assert_eq!(history.see_index(8, "b"), Ok(()));
    }
}
