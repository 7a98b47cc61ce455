//! All that a log ever answered, held against the log again after each death.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use tlog::{
    ConsistencyProof, RightEdge, RootHash, SignedCheckpoint, TreeSize, VerifierKey, hash_leaf,
};

use crate::client::{Client, Entry};
use crate::server::Server;
use crate::witness::Witness;

pub(crate) struct Ledger {
    /// The log's name in the configuration: `v1` or `v2`.
    pub(crate) name: String,
    pub(crate) origin: String,
    pub(crate) key: VerifierKey,
    pub(crate) entries: HashMap<u64, Entry>,
    pub(crate) checkpoints: BTreeMap<TreeSize, RootHash>,
    /// The tree as its own leaves make it, up to where it was read.
    read: RightEdge,
}

impl Ledger {
    /// Nothing yet, of each log that a server lists.
    pub(crate) fn of_logs(server: &Server) -> Vec<Self> {
        let logs = listed(server).into_iter().map(|(name, origin, key)| {
            let (entries, checkpoints) = Default::default();
            Self { name, origin, key, entries, checkpoints, read: RightEdge::empty() }
        });
        logs.collect()
    }

    /// That name, origin and key of the log are what they were.
    pub(crate) fn check_key(&self, server: &Server) {
        let known = (self.name.clone(), self.origin.clone(), self.key.clone());
        assert!(listed(server).contains(&known), "{} is another log after a restart", self.name);
    }

    /// Takes the entries that were answered in one life of the server.
    pub(crate) fn remember(&mut self, answered: Vec<Entry>, quorum: &[Witness]) {
        // v1 answers with the log's own signature alone.
        let quorum = if self.name == "v1" { &[] } else { quorum };
        for entry in answered {
            entry.verify_inclusion();
            self.saw_checkpoint(&entry.checkpoint, quorum);
            let other = self.entries.insert(entry.index, entry);
            assert!(other.is_none(), "two entries were answered with one index: {other:?}");
        }
    }

    /// Takes a checkpoint: signed by the log and by all of a quorum, and no fork of those before.
    pub(crate) fn saw_checkpoint(&mut self, note: &str, quorum: &[Witness]) -> TreeSize {
        let signed = SignedCheckpoint::open_by(note, &self.origin, &self.key);
        let head = signed.unwrap().checkpoint().head;
        for Witness { key, .. } in quorum {
            let cosigned = SignedCheckpoint::open_by(note, &self.origin, key);
            assert!(cosigned.is_ok(), "published without {}:\n{note}", key.name());
        }
        let root = *self.checkpoints.entry(head.size).or_insert(head.root);
        assert_eq!(root, head.root, "two roots of {} at size {}: a fork", self.name, head.size);
        head.size
    }

    /// Every remembered entry and checkpoint against the server, or a sample of the older ones.
    pub(crate) fn check(&mut self, server: &Server, quorum: &[Witness], sample: usize) {
        let mut client = Client::connect(server.address()).unwrap();
        let largest_seen = self.checkpoints.keys().next_back().copied();
        // The witnesses know all that was ever published, in whatever answer.
        for witness in quorum.iter().filter(|_| largest_seen.is_some()) {
            let head = witness.cosigned(&self.origin);
            assert!(Some(head.size) >= largest_seen, "published before {}", witness.key.name());
            let root = *self.checkpoints.entry(head.size).or_insert(head.root);
            assert_eq!(root, head.root, "{} cosigned a fork", witness.key.name());
        }
        let note = client.checkpoint(&self.name).unwrap();
        let newest = self.saw_checkpoint(&note, quorum);
        assert!(Some(newest) >= largest_seen, "a published checkpoint was taken back");
        self.read_leaves(&mut client, newest);
        if self.name == "v1" {
            self.check_by_api(&mut client, newest, sample);
        }
    }

    /// Forgets what was read, so that the next check reads all leaves.
    pub(crate) fn read_anew(&mut self) {
        self.read = RightEdge::empty();
    }

    /// Reads the leaves that are new: they make the root of every checkpoint that was seen, and
    /// those that were answered are among them, each at its index.
    fn read_leaves(&mut self, client: &mut Client, newest: TreeSize) {
        let mut at = self.read.size().0;
        let mut leaves = Vec::new();
        while at < newest.0 {
            let first = at / 256 * 256;
            let bundle = client.bundle(&self.name, first, newest.0);
            for body in bundle.iter().skip((at - first) as usize) {
                if let Some(entry) = self.entries.get(&at) {
                    assert!(*body == entry.body, "entry {at} of {} is another", self.name);
                }
                leaves.push(hash_leaf(body));
                at += 1;
            }
        }
        let mut leaves = leaves.as_slice();
        let unread = (Bound::Excluded(self.read.size()), Bound::Included(newest));
        for (size, root) in self.checkpoints.range(unread) {
            let (these, rest) = leaves.split_at((size.0 - self.read.size().0) as usize);
            self.read = self.read.extend(these).edge().clone();
            assert_eq!(self.read.head().root, *root, "root of {} at {size}", self.name);
            leaves = rest;
        }
        assert!(self.entries.keys().all(|index| *index < newest.0), "an entry is lost");
    }

    /// The same by v1's own answers, with their proofs.
    fn check_by_api(&self, client: &mut Client, newest: TreeSize, sample: usize) {
        let step = (self.entries.len() / sample.max(1)).max(1);
        for (index, entry) in self.entries.iter().step_by(step) {
            let found = client.get_v1(*index).unwrap_or_else(|| panic!("entry {index} is lost"));
            assert_eq!(found.body, entry.body, "entry {index} is another one now");
            assert_eq!(found.integrated_time, entry.integrated_time, "time of {index} changed");
            found.verify_inclusion();
            assert!(found.proof.size >= newest);
        }
        let step = (self.checkpoints.len() / sample.max(1)).max(1);
        let newest_root = self.checkpoints[&newest];
        let seen = self.checkpoints.range(..=newest).filter(|(size, _)| size.0 > 0);
        for (size, root) in seen.step_by(step) {
            let hashes = client.consistency_v1(size.0, newest.0);
            let proof = ConsistencyProof { old: *size, new: newest, hashes };
            let proven = proof.verify(root, &newest_root);
            proven.unwrap_or_else(|e| panic!("size {size} is no prefix of {newest}: {e}"));
        }
    }
}

/// Name, origin and key of each log.
fn listed(server: &Server) -> Vec<(String, String, VerifierKey)> {
    let list = Client::connect(server.address()).unwrap().get_json("/logs");
    let logs = list["logs"].as_array().unwrap().iter().map(|log| {
        let text = |member: &str| log[member].as_str().unwrap().to_owned();
        (text("name"), text("origin"), text("vkey").parse().unwrap())
    });
    logs.collect()
}
