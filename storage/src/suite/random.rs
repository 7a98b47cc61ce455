//! A random walk: the engine and the model take the same steps, and must give the same answers.

use std::sync::Arc;

use tlog::{LogIndex, RootHash, TreeHead, TreeSize};

use super::{Place, batch, entry, leaf, record, tree, without_keys};
use crate::{
    Attestation, CommitError, LogStore, NewEntry, Store, StoredCheckpoint, memory::MemoryStore,
};

const LOGS: i64 = 3;
const KEYS: &[&str] = &["a", "a\0", "aa", "b", "b@example.com", "", "\0a"];

/// Takes `steps` steps, which follow from the seed alone, and compares everything that can be read
/// with [`MemoryStore`], now and then after a restart.
pub async fn random(place: &mut impl Place, seed: u64, steps: usize) {
    let mut dice = Dice(seed);
    let model = MemoryStore::new();
    let mut engine = place.open().await;
    for id in 1..=LOGS {
        engine.create_log(record(tree(id))).await.unwrap();
        model.create_log(record(tree(id))).await.unwrap();
    }
    for step in 0..steps {
        let context = format!("seed {seed}, step {step}");
        let id = tree(1 + dice.below(LOGS as u64) as i64);
        let pair = Pair {
            engine: engine.log(id).await.unwrap(),
            model: model.log(id).await.unwrap(),
            context,
        };
        match dice.below(10) {
            0..=4 => pair.commit(&mut dice).await,
            5 => pair.publish(&mut dice).await,
            6 => {
                drop((pair, engine));
                engine = place.open().await;
            }
            _ => pair.compare(&mut dice).await,
        }
    }
    for id in 1..=LOGS {
        let context = format!("seed {seed}, at the end");
        let (engine, model) = (engine.log(tree(id)).await, model.log(tree(id)).await);
        let pair = Pair { engine: engine.unwrap(), model: model.unwrap(), context };
        for _ in 0..10 {
            pair.compare(&mut dice).await;
        }
    }
}

/// One log, in the engine and in the model.
struct Pair {
    engine: Arc<dyn LogStore>,
    model: Arc<dyn LogStore>,
    context: String,
}

impl Pair {
    async fn commit(&self, dice: &mut Dice) {
        let mut on = self.model.head().await.unwrap();
        match dice.below(8) {
            0 => on.root = RootHash::from_bytes([0xee; 32]),
            1 => on.size.0 = on.size.0.saturating_sub(1 + dice.below(3)),
            _ => {}
        }
        let count = if dice.below(4) == 0 { dice.below(400) } else { dice.below(5) };
        let entries = (0..count).map(|at| new_entry(dice, on.size.0 + at)).collect();
        let mut batch = batch(on, entries);
        if dice.below(8) == 0 {
            batch.hashes.pop();
        }
        let engine = outcome(self.engine.commit(on, batch.clone()).await);
        let model = outcome(self.model.commit(on, batch).await);
        assert_eq!(engine, model, "{}", self.context);
    }

    async fn publish(&self, dice: &mut Dice) {
        let size = self.model.head().await.unwrap().size;
        let checkpoint = StoredCheckpoint {
            size: TreeSize(dice.below(size.0 + 3)),
            note: format!("note {}", dice.below(1_000_000)),
        };
        let engine = self.engine.publish(checkpoint.clone()).await.is_ok();
        let model = self.model.publish(checkpoint).await.is_ok();
        assert_eq!(engine, model, "{}", self.context);
    }

    async fn compare(&self, dice: &mut Dice) {
        let (engine, model, context) = (&self.engine, &self.model, &self.context);
        let head = engine.head().await.unwrap();
        assert_eq!(head, model.head().await.unwrap(), "{context}");
        let checkpoints = (engine.checkpoint().await.unwrap(), model.checkpoint().await.unwrap());
        assert_eq!(checkpoints.0, checkpoints.1, "{context}");

        let (first, max) = (dice.below(head.size.0 + 2), dice.below(300) as usize);
        let entries = (
            engine.entries(LogIndex(first), max).await.unwrap(),
            model.entries(LogIndex(first), max).await.unwrap(),
        );
        assert_eq!(entries.0, entries.1, "{context}: {max} entries from {first}");
        let bodies = engine.bodies(LogIndex(first), max).await.unwrap();
        assert_eq!(bodies, without_keys(&entries.1), "{context}: {max} bodies from {first}");
        let level = dice.below(3) as u8;
        let hashes = (
            engine.hashes(level, first, max).await.unwrap(),
            model.hashes(level, first, max).await.unwrap(),
        );
        assert_eq!(hashes.0, hashes.1, "{context}: level {level}: {max} hashes from {first}");

        let leaves: Vec<_> = (0..40).map(|_| leaf(body_of(dice.below(head.size.0 + 20)))).collect();
        let indices =
            (engine.indices_of(&leaves).await.unwrap(), model.indices_of(&leaves).await.unwrap());
        assert_eq!(indices.0, indices.1, "{context}");
        for key in KEYS {
            let hits = (
                engine.search(key, LogIndex(first), max).await.unwrap(),
                model.search(key, LogIndex(first), max).await.unwrap(),
            );
            assert_eq!(hits.0, hits.1, "{context}: {max} of {key:?} from {first}");
            let kept =
                (engine.attestation(key).await.unwrap(), model.attestation(key).await.unwrap());
            assert_eq!(kept.0, kept.1, "{context}: {key:?}");
        }
    }
}

/// What both must agree on; the texts may differ.
fn outcome(result: Result<(), CommitError>) -> (&'static str, Option<TreeHead>) {
    match result {
        Ok(()) => ("written", None),
        Err(CommitError::Conflict { stored, .. }) => ("conflict", Some(stored)),
        Err(CommitError::Malformed(_)) => ("malformed", None),
        Err(error @ (CommitError::Full(_) | CommitError::Storage(_))) => panic!("{error}"),
    }
}

/// No two entries of a log have the same body.
fn body_of(index: u64) -> String {
    format!("body {index} {}", "x".repeat((index % 50) as usize))
}

fn new_entry(dice: &mut Dice, index: u64) -> NewEntry {
    let mut new = entry(body_of(index));
    new.integrated_time = dice.below(1 << 40) as i64 - (1 << 39);
    new.index_keys = (0..dice.below(3)).map(|_| dice.key().to_owned()).collect();
    if dice.below(5) == 0 {
        let data = format!("data {}", dice.below(9)).into_bytes();
        new.attestation = Some(Attestation { key: dice.key().to_owned(), data });
    }
    new
}

/// SplitMix64 (Steele, Lea, Flood 2014): the walk is the same on every machine.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % end.max(1)
    }

    fn key(&mut self) -> &'static str {
        KEYS[self.below(KEYS.len() as u64) as usize]
    }
}
