//! Power cuts and failed writes at every durable step (invariants 1, 3 and 4).

use std::sync::Arc;

use cairn::log::{CreateEntryError, PromisedEntry};
use storage::memory::{Fate, MemoryStore};
use tlog::TreeSize;

use crate::house::{House, create, verify};
use crate::support::Proposals;

const WRITERS: usize = 3;
const ENTRIES_EACH: usize = 4;

/// Runs the workload until the end or until the log stops; gives what was answered.
async fn workload(house: &House) -> Vec<PromisedEntry> {
    let Ok(log) = house.start().await else { return Vec::new() };
    let log = Arc::new(log);
    let writers: Vec<_> = (0..WRITERS)
        .map(|_| {
            let log = log.clone();
            tokio::spawn(async move {
                let (mut proposals, mut answered) = (Proposals::new(), Vec::new());
                for _ in 0..ENTRIES_EACH {
                    match create(&log, &proposals.next_json()).await {
                        Ok(entry) => answered.push(entry),
                        Err(CreateEntryError::Stopped(_)) => break,
                        Err(other) => panic!("a fault must be told as what it is: {other}"),
                    }
                }
                answered
            })
        })
        .collect();
    let mut answered = Vec::new();
    for writer in writers {
        answered.extend(writer.await.unwrap());
    }
    answered
}

/// The next start finds everything that was answered, contradicts nothing, and goes on.
async fn check_survivor(house: &House, answered: &[PromisedEntry], what: &str) {
    let survivor = house.reopened();
    let log = survivor.start().await.unwrap_or_else(|error| panic!("{what}: {error}"));
    for promised in answered {
        verify(&survivor, promised);
        let entry = &promised.entry;
        let found = log.entry_by_index(entry.virtual_index).await.unwrap();
        let found = found.unwrap_or_else(|| panic!("{what}: entry {:?} is lost", entry.id));
        assert_eq!(found.body, entry.body, "{what}");
        assert_eq!(found.integrated_time, entry.integrated_time, "{what}");
        let found = log.promise(found).unwrap();
        verify(&survivor, &found);
        let found = found.entry;
        let (old, new) = (entry.checkpoint.head, found.checkpoint.head);
        let (proof, root) = log.consistency_proof(None, old.size.0, new.size.0).await.unwrap();
        assert_eq!(root, new.root, "{what}");
        proof.verify(&old.root, &new.root).unwrap_or_else(|error| panic!("{what}: {error}"));
    }
    let before = log.health().head.size;
    let next = create(&log, &Proposals::new().next_json()).await.unwrap();
    verify(&survivor, &next);
    assert_eq!(next.entry.checkpoint.head.size, TreeSize(before.0 + 1), "{what}");
}

async fn cut_every_step(cut: fn(&MemoryStore, u64, Fate)) {
    let whole = House::new().await;
    let created = whole.store.steps();
    assert_eq!(workload(&whole).await.len(), WRITERS * ENTRIES_EACH);
    let steps = whole.store.steps();
    assert!(steps > created + 2, "the workload takes {steps} steps");

    let mut cut_short = 0;
    for step in created..steps {
        for fate in [Fate::Kept, Fate::Lost] {
            let house = House::new().await;
            cut(&house.store, step, fate);
            let answered = workload(&house).await;
            cut_short += usize::from(answered.len() < WRITERS * ENTRIES_EACH);
            check_survivor(&house, &answered, &format!("step {step}, the write was {fate:?}"))
                .await;
        }
    }
    assert!(cut_short > 4, "hardly any fault hit the workload: {cut_short}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_power_cut_at_any_step_loses_nothing_that_was_answered() {
    cut_every_step(MemoryStore::cut_power_at).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_write_at_any_step_stops_the_log_and_loses_nothing() {
    cut_every_step(MemoryStore::fail_write_at).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_failed_commit_nothing_more_is_signed() {
    let house = House::new().await;
    let log = house.start().await.unwrap();
    let mut proposals = Proposals::new();
    create(&log, &proposals.next_json()).await.unwrap();
    let signed = log.info().active.checkpoint;

    house.store.fail_write_at(house.store.steps(), Fate::Kept);
    for _ in 0..3 {
        let refused = create(&log, &proposals.next_json()).await;
        assert!(matches!(refused, Err(CreateEntryError::Stopped(_))), "{refused:?}");
    }
    assert_eq!(log.info().active.checkpoint, signed);
    assert!(log.health().not_writing.is_some(), "the log says that it has stopped");
    let first = log.entry_by_index(cairn::shards::VirtualIndex(0)).await.unwrap();
    assert!(first.is_some(), "reads go on");
}

/// A checkpoint that cannot be kept stops the publisher; then nothing more is written either.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_failed_publication_nothing_more_is_written() {
    let house = House::new().await;
    let log = house.start().await.unwrap();
    let mut proposals = Proposals::new();
    // The commit is the next step, the publication the one after it.
    house.store.fail_write_at(house.store.steps() + 1, Fate::Lost);
    create(&log, &proposals.next_json()).await.unwrap();
    while log.health().not_publishing.is_none() {
        tokio::task::yield_now().await;
    }
    let written = house.store.steps();
    let refused = create(&log, &proposals.next_json()).await;
    assert!(matches!(refused, Err(CreateEntryError::Stopped(_))), "{refused:?}");
    assert_eq!(house.store.steps(), written, "a commit was tried");
    assert!(log.health().not_writing.is_some());
}
