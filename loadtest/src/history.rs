//! What all runs of the program have seen of the log: indices that were given, and heads, which
//! must all belong to one history.

use std::collections::HashMap;

use tlog::{LeafHash, TreeHead};

use crate::fault::Fault;
use crate::tally::Failures;

/// A log that is asked for its head and for proof that it only grew.
pub trait Heads {
    /// Where the head comes from, for a failure.
    const HEAD: &'static str;
    /// Where the proof comes from.
    const PROOF: &'static str;

    /// The newest head, verified.
    fn newest(&mut self) -> impl Future<Output = Result<TreeHead, String>>;

    /// Proves that the tree at `new` extends the tree at `old`; the sizes differ.
    fn prove(&mut self, old: &TreeHead, new: &TreeHead)
    -> impl Future<Output = Result<(), String>>;
}

/// What all runs of the program have seen of the log.
pub struct History {
    /// Entries by index.
    taken: HashMap<u64, LeafHash>,
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
    pub fn see_index(&mut self, index: u64, leaf: LeafHash) -> Result<(), Fault> {
        match self.taken.insert(index, leaf) {
            Some(other) if other != leaf => Err(Fault::IndexTwice { index, other }),
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

/// Links the heads of a run to those before them: the newest of the last run → the oldest of this
/// one → its newest → the log's head of now. Gives the proofs that hold, as pairs of sizes.
pub async fn link_heads<L: Heads>(
    log: &mut L,
    history: &mut History,
    heads: &[TreeHead],
    failures: &mut Failures,
) -> Vec<(u64, u64)> {
    let oldest = heads.iter().min_by_key(|head| head.size).copied();
    let newest = heads.iter().max_by_key(|head| head.size).copied();
    let now = match log.newest().await {
        Ok(head) => Some(head),
        Err(why) => {
            failures.add(L::HEAD, why);
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
        failures.add(L::HEAD, why);
    }
    let mut proven = Vec::new();
    for head in [oldest, newest, now].into_iter().flatten() {
        let Some(old) = history.linked else {
            history.linked = Some(head).filter(|head| head.size.0 > 0);
            continue;
        };
        if head.size == old.size || head.size.0 == 0 {
            continue; // their roots were compared above
        }
        let (older, newer) = if head.size < old.size { (head, old) } else { (old, head) };
        match log.prove(&older, &newer).await {
            Ok(()) => proven.push((older.size.0, newer.size.0)),
            Err(why) => failures.add(L::PROOF, why),
        }
        history.linked = Some(newer);
    }
    proven
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
        let [a, b] = [1, 2].map(|byte| LeafHash::from_bytes([byte; 32]));
        assert_eq!(history.see_index(7, a), Ok(()));
        assert_eq!(history.see_index(7, a), Ok(()));
        assert_eq!(history.see_index(7, b), Err(Fault::IndexTwice { index: 7, other: a }));
        assert_eq!(history.see_index(8, b), Ok(()));
    }
}
