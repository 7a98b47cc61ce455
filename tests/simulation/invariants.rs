//! One writer, one head, no duplicates, nothing signed too early, everything bounded.

use std::sync::Arc;
use std::time::Duration;

use cairn::admission::{Policy, Proposal, admit};
use cairn::limits::{QUEUE_BYTES_MAX, QUEUE_ENTRIES_MAX};
use cairn::log::CreateEntryError;
use cairn::publisher::{HeadGuard, Publisher, Setup};
use cairn::recovery::RecoveryError;
use cairn::sequencer::{AddError, Sequencer, WhenFull};
use cairn::telemetry::Metrics;
use storage::Store;
use tlog::{LogIndex, NodeHash, RightEdge, RootHash, TreeHead, TreeSize};
use tokio::time::timeout;

use crate::house::{House, create, verify};
use crate::support::Proposals;

/// Invariant 1: sign only what is durable.
#[tokio::test]
async fn nothing_is_signed_or_answered_before_it_is_durable() {
    let house = House::new().await;
    let log = Arc::new(house.start().await.unwrap());
    let held = house.store.hold_commits().await;
    let json = Proposals::new().next_json();
    let writer = {
        let log = log.clone();
        tokio::spawn(async move { create(&log, &json).await })
    };
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert!(!writer.is_finished(), "answered although the commit is not done");
    assert_eq!(log.info().active.checkpoint.head.size, TreeSize(0), "published too early");
    drop(held);
    let entry = writer.await.unwrap().unwrap();
    verify(&house, &entry);
    assert_eq!(log.info().active.checkpoint.head.size, TreeSize(1));
}

/// Invariant 1: the publisher signs no head that storage does not hold, whoever names it.
#[tokio::test]
async fn a_head_that_is_not_stored_is_not_signed() {
    let house = House::new().await;
    let store = house.store.log(house.tree_id).await.unwrap();
    let (heads, integrated) = tokio::sync::mpsc::channel(1);
    let (core, metrics) = (Arc::new(house.core()), cairn::telemetry::Metrics::new());
    let setup = Setup::new(core, store, || 0, metrics.log("v1"));
    let publisher = Publisher::start(setup, integrated).await.unwrap();
    let invented = TreeHead { size: TreeSize(5), root: RootHash::from_bytes([7; 32]) };
    heads.send(invented).await.unwrap();
    assert!(publisher.covering(TreeSize(5)).await.is_err());
    assert!(publisher.stopped().unwrap().contains("durable"));
    assert_eq!(publisher.newest().head, TreeHead::empty());
}

/// Invariant 2: a second writer on the same store conflicts and never forks.
#[tokio::test]
async fn a_second_writer_stops_and_nothing_forks() {
    let house = House::new().await;
    let (one, two) = (house.start().await.unwrap(), house.start().await.unwrap());
    let mut proposals = Proposals::new();
    let first = create(&one, &proposals.next_json()).await.unwrap();
    let refused = create(&two, &proposals.next_json()).await.unwrap_err();
    assert!(refused.to_string().contains("another writer"), "{refused}");
    let second = create(&one, &proposals.next_json()).await.unwrap();
    assert_eq!(second.entry.virtual_index.0, first.entry.virtual_index.0 + 1);
    assert_eq!(two.info().active.checkpoint.head.size, TreeSize(0), "the loser signed nothing");
}

/// Invariant 3: a store from an old snapshot is noticed by the head guard.
#[tokio::test]
async fn a_restored_old_copy_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let mut house = House::new().await;
    house.guard = Some(HeadGuard::new(folder.path().join("guard")));
    let log = house.start().await.unwrap();
    let mut proposals = Proposals::new();
    create(&log, &proposals.next_json()).await.unwrap();
    let snapshot = house.store.copy();
    create(&log, &proposals.next_json()).await.unwrap();

    let restored = house.over(snapshot);
    match restored.start().await.err() {
        Some(RecoveryError::RolledBack { published, stored, .. }) => {
            assert_eq!((published, stored), (TreeSize(2), TreeSize(1)));
        }
        other => panic!("{other:?}"),
    }
    let mut unguarded = restored;
    unguarded.guard = None;
    unguarded.start().await.expect("without a guard nobody can tell");
}

/// Invariant 3: two histories of one size are told apart.
#[tokio::test]
async fn a_store_with_another_history_does_not_start() {
    let folder = tempfile::tempdir().unwrap();
    let mut house = House::new().await;
    let other = house.over(house.store.copy());
    house.guard = Some(HeadGuard::new(folder.path().join("guard")));
    let mut proposals = Proposals::new();
    create(&house.start().await.unwrap(), &proposals.next_json()).await.unwrap();
    create(&other.start().await.unwrap(), &proposals.next_json()).await.unwrap();

    let swapped = house.over(other.store.reopen());
    let error = swapped.start().await.err();
    assert!(matches!(error, Some(RecoveryError::Forked { .. })), "{error:?}");
}

/// Invariant 3: the head's root is recomputed from the hashes.
#[tokio::test]
async fn a_damaged_tree_does_not_start() {
    let house = House::new().await;
    let log = house.start().await.unwrap();
    let mut proposals = Proposals::new();
    for _ in 0..5 {
        create(&log, &proposals.next_json()).await.unwrap();
    }
    let damaged = house.reopened();
    assert!(damaged.store.tamper_hash(house.tree_id, 0, 2, NodeHash::from_bytes([1; 32])));
    let error = damaged.start().await.err();
    assert!(
        matches!(error, Some(RecoveryError::Tree(cairn::stored_tree::TreeError::Head { .. }))),
        "{error:?}"
    );
}

/// Invariant 5: one body, one leaf; the losers are answered when the winner can be read.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn simultaneous_duplicates_have_one_winner() {
    let house = House::new().await;
    let log = Arc::new(house.start().await.unwrap());
    let mut proposals = Proposals::new();
    for round in 0..20 {
        let json = Arc::new(proposals.next_json());
        let writers: Vec<_> = (0..16)
            .map(|_| {
                let (log, json) = (log.clone(), json.clone());
                tokio::spawn(async move {
                    match create(&log, &json).await {
                        Ok(_) => true,
                        Err(CreateEntryError::Duplicate { id, .. }) => {
                            let found = log.entry_by_id(&id).await.unwrap();
                            assert!(found.is_some(), "409 before the first copy can be read");
                            false
                        }
                        Err(other) => panic!("{other}"),
                    }
                })
            })
            .collect();
        let mut winners = 0;
        for writer in writers {
            winners += usize::from(writer.await.unwrap());
        }
        assert_eq!(winners, 1, "round {round}");
    }
    assert_eq!(log.health().head.size, TreeSize(20));
}

/// Invariant 5, within one batch: while the first entry is held in its commit, the duplicates
/// gather behind it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn duplicates_in_one_batch_have_one_winner() {
    let house = House::new().await;
    let log = Arc::new(house.start().await.unwrap());
    let mut proposals = Proposals::new();
    let held = house.store.hold_commits().await;
    let spawn = |json: String| {
        let log = log.clone();
        tokio::spawn(async move { create(&log, &json).await })
    };
    let first = spawn(proposals.next_json());
    tokio::time::sleep(Duration::from_millis(50)).await;
    let json = proposals.next_json();
    let copies: Vec<_> = (0..16).map(|_| spawn(json.clone())).collect();
    tokio::time::sleep(Duration::from_millis(100)).await;
    drop(held);
    first.await.unwrap().unwrap();
    let mut winners = Vec::new();
    let mut losers = Vec::new();
    for copy in copies {
        match copy.await.unwrap() {
            Ok(entry) => winners.push(entry.entry.id),
            Err(CreateEntryError::Duplicate { id, .. }) => losers.push(id),
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!((winners.len(), losers.len()), (1, 15));
    assert!(losers.iter().all(|id| *id == winners[0]));
    assert_eq!(log.health().head.size, TreeSize(2));
}

/// Batching: what gathers during one sync is committed with the next.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entries_gather_while_a_commit_is_under_way() {
    const ENTRIES: u64 = 300;
    let house = House::new().await;
    let log = Arc::new(house.start().await.unwrap());
    let mut proposals = Proposals::new();
    let held = house.store.hold_commits().await;
    let before = house.store.steps();
    let writers: Vec<_> = (0..ENTRIES)
        .map(|_| {
            let (log, json) = (log.clone(), proposals.next_json());
            tokio::spawn(async move { create(&log, &json).await.unwrap() })
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(300)).await;
    drop(held);
    let mut seen = vec![false; ENTRIES as usize];
    for writer in writers {
        let entry = writer.await.unwrap();
        verify(&house, &entry);
        seen[usize::try_from(entry.entry.virtual_index.0).unwrap()] = true;
    }
    assert!(seen.iter().all(|seen| *seen), "an index was given twice or not at all");
    let steps = house.store.steps() - before;
    assert!(steps <= 8, "{ENTRIES} entries took {steps} commits and publications");
}

/// Invariant 7: a full queue is told, at once, and what was accepted is not lost.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_queue_pushes_back() {
    let house = House::new().await;
    let log = Arc::new(house.start().await.unwrap());
    let mut proposals = Proposals::new();
    let held = house.store.hold_commits().await;
    let total = QUEUE_ENTRIES_MAX + 500;
    let writers: Vec<_> = (0..total)
        .map(|_| {
            let (log, json) = (log.clone(), proposals.next_json());
            tokio::spawn(async move { create(&log, &json).await })
        })
        .collect();
    let mut refused = 0;
    let mut release = Some(held);
    for writer in writers.into_iter().rev() {
        // The last writers find the queue full, and are answered while the commit is still held.
        let outcome = writer.await.unwrap();
        refused += usize::from(matches!(outcome, Err(CreateEntryError::Pushback)));
        release.take_if(|_| refused > 0);
    }
    assert!(refused > 0);
    let size = usize::try_from(log.health().head.size.0).unwrap();
    assert_eq!(size + refused, total, "every entry was either logged or refused");
}

/// Invariant 7 again: writers that leave do not let the queue grow beyond its bytes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_entries_fill_the_queue_by_their_bytes() {
    let house = House::new().await;
    let log = house.start().await.unwrap();
    let proposals = Proposals::new();
    let held = house.store.hold_commits().await;
    let mut refused = false;
    let mut bytes = 0;
    while !refused && bytes < 2 * QUEUE_BYTES_MAX {
        // The statement itself is not stored, its keys are.
        let key = |n: usize| format!(r#"{{"digest":{{"{bytes}":"{n:0400}"}}}}"#);
        let subjects: Vec<String> = (0..10_000).map(key).collect();
        let statement = format!(r#"{{"subject":[{}]}}"#, subjects.join(","));
        bytes += 10_000 * 400;
        let json = proposals.dsse_of(statement.as_bytes(), "application/vnd.in-toto+json");
        let left = timeout(Duration::from_millis(500), create(&log, &json)).await;
        refused = matches!(left, Ok(Err(CreateEntryError::Pushback)));
    }
    assert!(refused, "{} MiB are waiting, and more are taken", bytes >> 20);
    drop(held);
    let json = Proposals::new().next_json();
    while let Err(CreateEntryError::Pushback) = create(&log, &json).await {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A writer that ends by a bug of ours is seen by those who ask for the log's health.
#[tokio::test]
async fn a_writer_that_panics_has_stopped() {
    let house = House::new().await;
    let store = house.store.log(house.tree_id).await.unwrap();
    let metrics = Metrics::new().log("v1");
    let broken_clock = || panic!("on purpose");
    let (sequencer, _heads) = Sequencer::start(store, RightEdge::empty(), broken_clock, metrics);
    assert!(sequencer.stopped().is_none());
    let proposal = Proposal::from_json(Proposals::new().next_json().as_bytes()).unwrap();
    let entry = admit(&proposal.into(), &Policy::default()).unwrap();
    let queued = sequencer.add(entry, WhenFull::Refuse).await.unwrap();
    let refused = sequencer.placed(queued).await;
    assert!(matches!(refused, Err(AddError::Stopped(_))), "{refused:?}");
    assert!(sequencer.stopped().is_some());
}

/// What is in the search index is there as soon as the entry is.
#[tokio::test]
async fn an_entry_is_found_as_soon_as_it_is_answered() {
    let house = House::new().await;
    let log = house.start().await.unwrap();
    let json = Proposals::new().next_json();
    let entry = create(&log, &json).await.unwrap();
    let proposal: serde_json::Value = serde_json::from_str(&json).unwrap();
    let digest = proposal["spec"]["data"]["hash"]["value"].as_str().unwrap();
    let found = log.search(&format!("sha256:{digest}")).await.unwrap();
    assert_eq!(found, [entry.entry.id]);
    assert!(log.search("sha256:nothing").await.unwrap().is_empty());
}

/// The reader's border: what is integrated and not yet published is not seen.
#[tokio::test]
async fn reads_stop_at_the_published_head() {
    let house = House::new().await;
    let log = house.start().await.unwrap();
    let entry = create(&log, &Proposals::new().next_json()).await.unwrap();
    let store = house.store.log(house.tree_id).await.unwrap();
    let reader = cairn::reader::Reader::new(store.clone());
    let before = reader.at(TreeHead::empty());
    assert!(before.entry(LogIndex(0)).await.unwrap().is_none());
    assert!(before.index_of(entry.entry.id.leaf_hash).await.unwrap().is_none());
    assert!(store.indices_of(&[entry.entry.id.leaf_hash]).await.unwrap()[0].is_some());
    let now = reader.at(entry.entry.checkpoint.head);
    assert!(now.entry(LogIndex(0)).await.unwrap().is_some());
}

/// The tile at the right edge is cached once, and serves every size up to the largest one read.
#[tokio::test]
async fn a_cached_tile_serves_every_size() {
    let house = House::new().await;
    let log = house.start().await.unwrap();
    let mut proposals = Proposals::new();
    let mut roots = Vec::new();
    for _ in 0..20 {
        let entry = create(&log, &proposals.next_json()).await.unwrap();
        roots.push(entry.entry.checkpoint.head);
    }
    let reader = cairn::reader::Reader::new(house.store.log(house.tree_id).await.unwrap());
    let newest = *roots.last().unwrap();
    assert_eq!(reader.at(newest).root_at(newest.size).await.unwrap(), newest.root);
    let fresh = cairn::reader::Reader::new(house.store.log(house.tree_id).await.unwrap());
    house.store.fail_reads(true);
    for head in &roots {
        assert_eq!(reader.at(newest).root_at(head.size).await.unwrap(), head.root);
    }
    assert!(fresh.at(newest).root_at(newest.size).await.is_err(), "nothing is read from the store");
}
