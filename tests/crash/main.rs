//! Crash test: the real binary, killed with SIGKILL at random instants under load, again and again.
//!
//! After each death the same folder is served again, and everything that was answered 201 must be
//! there, at its index, with a proof that verifies; every checkpoint that was ever seen must be a
//! prefix of the newest one (invariants 3 and 4). Rounds: `CAIRN_CRASH_ROUNDS`, 30 unless set.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test says so by panicking")]

mod client;
mod server;
#[path = "../support/mod.rs"]
mod support;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use client::{Client, Entry};
use server::Server;
use support::Proposals;
use tlog::{ConsistencyProof, KeyId, RootHash, SignedCheckpoint, TreeSize, Verifier};

const ROUNDS: usize = 30;
const WRITERS: usize = 8;
/// The longest life of a server, in milliseconds; the instant of death is random below it.
const LIFE_MS_MAX: u64 = 400;
/// Entries of earlier rounds that are checked again in each round; the last round checks all.
const SAMPLE: usize = 200;

#[test]
fn nothing_answered_is_lost_and_nothing_forks() {
    #[allow(clippy::disallowed_methods, reason = "a test has no configuration")]
    let rounds = std::env::var("CAIRN_CRASH_ROUNDS").ok().and_then(|n| n.parse().ok());
    let rounds: usize = rounds.unwrap_or(ROUNDS);
    let folder = tempfile::tempdir().unwrap();
    let mut witness = Witness::default();
    let mut randomness = Randomness(0x9e37_79b9_7f4a_7c15);
    println!("crash test: {rounds} rounds, {WRITERS} writers, seed {:#x}", randomness.0);

    for round in 1..=rounds {
        let mut server = Server::start(folder.path());
        witness.learn_key(&server);
        witness.check(&server, SAMPLE);
        let answered = load_until(&mut server, randomness.below(LIFE_MS_MAX) + 5);
        println!("round {round:2}: {:4} entries answered, then killed", answered.len());
        witness.remember(answered);
    }
    let server = Server::start(folder.path());
    witness.check(&server, usize::MAX);
    server.stop();
    server::fsck(folder.path());
    let (entries, checkpoints) = (witness.entries.len(), witness.checkpoints.len());
    assert!(entries > rounds, "the load was no load: {entries} entries in {rounds} rounds");
    println!("crash test: {entries} entries answered, 0 lost; {checkpoints} checkpoints, 0 forks");
}

/// Writes from several clients until the server is killed under them. Gives what was answered 201.
fn load_until(server: &mut Server, life_ms: u64) -> Vec<Entry> {
    let stop = Arc::new(AtomicBool::new(false));
    let answered = Arc::new(Mutex::new(Vec::new()));
    let writers: Vec<_> = (0..WRITERS)
        .map(|_| {
            let (address, stop, answered) = (server.address(), stop.clone(), answered.clone());
            std::thread::spawn(move || {
                let mut proposals = Proposals::new();
                let Some(mut client) = Client::connect(address) else { return };
                while !stop.load(Ordering::Relaxed) {
                    let Some(entry) = client.create(&proposals.next_json()) else { return };
                    answered.lock().unwrap().push(entry);
                }
            })
        })
        .collect();
    std::thread::sleep(Duration::from_millis(life_ms));
    server.kill();
    stop.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.join().unwrap();
    }
    Arc::into_inner(answered).unwrap().into_inner().unwrap()
}

/// Remembers all that a server ever answered, and holds the next server against it.
#[derive(Default)]
struct Witness {
    key: Vec<u8>,
    entries: HashMap<u64, Entry>,
    checkpoints: BTreeMap<TreeSize, RootHash>,
}

impl Witness {
    fn learn_key(&mut self, server: &Server) {
        let key = server.public_key();
        if self.key.is_empty() {
            self.key = key;
        } else {
            assert_eq!(self.key, key, "the log's key changed over a restart");
        }
    }

    fn remember(&mut self, answered: Vec<Entry>) {
        for entry in answered {
            self.saw_checkpoint(&entry.checkpoint);
            let other = self.entries.insert(entry.index, entry);
            assert!(other.is_none(), "two entries were answered with one index: {other:?}");
        }
    }

    fn saw_checkpoint(&mut self, note: &str) -> TreeSize {
        let verifier = Verifier::from_spki(&self.key).unwrap();
        let origin = note.lines().next().unwrap();
        let signed =
            SignedCheckpoint::open(note, origin, &verifier, KeyId::rekor_v1(&self.key)).unwrap();
        let head = signed.checkpoint().head;
        let root = *self.checkpoints.entry(head.size).or_insert(head.root);
        assert_eq!(root, head.root, "two roots at size {}: the log forked", head.size);
        head.size
    }

    /// Every remembered entry (or the newest and a sample) and every checkpoint against the server.
    fn check(&mut self, server: &Server, sample: usize) {
        let mut client = Client::connect(server.address()).unwrap();
        let newest = self.saw_checkpoint(&client.newest_checkpoint());
        let largest_seen = *self.checkpoints.keys().next_back().unwrap();
        assert_eq!(newest, largest_seen, "a published checkpoint was taken back");

        let step = (self.entries.len() / sample.max(1)).max(1);
        for (index, entry) in self.entries.iter().step_by(step) {
            let found = client.get(*index).unwrap_or_else(|| panic!("entry {index} is lost"));
            assert_eq!(found.body, entry.body, "entry {index} is another one now");
            assert_eq!(found.integrated_time, entry.integrated_time, "time of {index} changed");
            found.verify_inclusion();
            assert_eq!(newest, found.proof.size);
        }
        let step = (self.checkpoints.len() / sample.max(1)).max(1);
        let newest_root = self.checkpoints[&newest];
        for (size, root) in self.checkpoints.iter().step_by(step).filter(|(size, _)| size.0 > 0) {
            let hashes = client.consistency(size.0, newest.0);
            let proof = ConsistencyProof { old: *size, new: newest, hashes };
            let proven = proof.verify(root, &newest_root);
            proven.unwrap_or_else(|e| panic!("size {size} is no prefix of {newest}: {e}"));
        }
    }
}

/// SplitMix64: seeded, so that a failure can be repeated as far as the machine allows.
struct Randomness(u64);

impl Randomness {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}
