//! Making logs, committing, publishing: what is written, what is refused, what a restart keeps.

use std::sync::Arc;

use tlog::{LogIndex, RootHash, TreeHead, TreeSize};

use super::{
    Place, add, batch, entry, leaf, one_log, plain, record, stored_hash, tree, with_attestation,
    with_keys,
};
use crate::{Batch, CommitError, LogRecord, LogStore, NewHashes, StorageError, StoredCheckpoint};

pub(super) async fn logs_are_made_once(place: &mut impl Place) {
    let store = place.open().await;
    assert_eq!(store.logs().await.unwrap(), []);
    assert!(matches!(store.log(tree(7)).await, Err(StorageError::NoSuchLog(id)) if id == tree(7)));

    // In order of creation, which is not that of the IDs.
    let ids = [i64::MAX, 1, 256, 255].map(tree);
    for id in ids {
        let log = store.create_log(record(id)).await.unwrap();
        assert_eq!(log.head().await.unwrap(), TreeHead::empty());
        assert_eq!(log.checkpoint().await.unwrap(), None);
    }
    let same_id = LogRecord { name: "other".to_owned(), ..record(tree(256)) };
    let same_name = LogRecord { tree_id: tree(9), ..record(tree(256)) };
    for taken in [record(tree(256)), same_id, same_name] {
        let refusal = store.create_log(taken.clone()).await.err().unwrap();
        assert!(
            matches!(&refusal, StorageError::LogExists { tree_id, name }
                if *tree_id == taken.tree_id && *name == taken.name),
            "{refusal:?}"
        );
    }
    drop(store);

    let store = place.open().await;
    assert_eq!(store.logs().await.unwrap(), ids.map(record));
    assert_eq!(store.log(tree(255)).await.unwrap().head().await.unwrap(), TreeHead::empty());
    assert!(matches!(store.log(tree(9)).await, Err(StorageError::NoSuchLog(_))));
    let refusal = store.create_log(record(tree(1))).await.err().unwrap();
    assert!(matches!(refusal, StorageError::LogExists { .. }), "{refusal:?}");
    store.create_log(record(tree(2))).await.unwrap();
    drop(store);
    let last = place.open().await.logs().await.unwrap().pop();
    assert_eq!(last, Some(record(tree(2))));
}

pub(super) async fn a_commit_adds_everything(place: &mut impl Place) {
    let log = one_log(place).await;
    let full = crate::NewEntry {
        index_keys: vec!["key".to_owned()],
        ..with_attestation("b", "sha256:00", b"kept beside")
    };
    let head = add(&*log, TreeHead::empty(), vec![entry("a"), full]).await;
    let check = async |log: &dyn LogStore| {
        assert_eq!(log.head().await.unwrap(), head);
        let entries = log.entries(LogIndex(0), 9).await.unwrap();
        let seen: Vec<_> = entries
            .iter()
            .map(|entry| (entry.index, &*entry.body, entry.integrated_time))
            .collect();
        let (first, second) = (b"a".as_slice(), b"b".as_slice());
        assert_eq!(
            seen,
            [(LogIndex(0), first, 1_700_000_001), (LogIndex(1), second, 1_700_000_001)]
        );
        let hashes = log.hashes(0, 0, 9).await.unwrap();
        assert_eq!(hashes, [stored_hash(0, 0), stored_hash(0, 1)]);
        let indices = log.indices_of(&[leaf("b"), leaf("a")]).await.unwrap();
        assert_eq!(indices, [Some(LogIndex(1)), Some(LogIndex(0))]);
        assert_eq!(log.search("key", LogIndex(0), 9).await.unwrap(), [LogIndex(1)]);
        let kept = log.attestation("sha256:00").await.unwrap();
        assert_eq!(kept.as_deref(), Some(b"kept beside".as_slice()));
    };
    check(&*log).await;
    drop(log);
    for _ in 0..2 {
        let log = place.open().await.log(tree(1)).await.unwrap();
        check(&*log).await;
    }
    // Another handle of the same store sees it as well, and the log goes on where it was.
    let store = place.open().await;
    let (log, other) = (store.log(tree(1)).await.unwrap(), store.log(tree(1)).await.unwrap());
    let head = add(&*log, head, vec![entry("c")]).await;
    assert_eq!(other.head().await.unwrap(), head);
    assert_eq!(other.entries(LogIndex(2), 9).await.unwrap()[0].body, b"c");
}

pub(super) async fn a_stale_head_conflicts(place: &mut impl Place) {
    let store = place.open().await;
    let first = store.create_log(record(tree(1))).await.unwrap();
    let second = store.log(tree(1)).await.unwrap();
    let old = TreeHead::empty();
    let new = add(&*first, old, plain(old, 3)).await;

    let other_root = TreeHead { root: RootHash::from_bytes([7; 32]), ..new };
    let ahead = TreeHead { size: TreeSize(4), ..new };
    for stale in [old, other_root, ahead] {
        let lost = vec![
            with_keys("lost", &["lost-key"]),
            with_attestation("lost too", "lost-attestation", b"x"),
        ];
        let refusal = second.commit(stale, batch(stale, lost)).await.unwrap_err();
        assert!(
            matches!(refusal, CommitError::Conflict { expected, stored }
                if expected == stale && stored == new),
            "{refusal:?}"
        );
    }
    // Nothing of it was written, and a conflict is no failure: the next commit goes through.
    assert_eq!(first.head().await.unwrap(), new);
    assert_eq!(second.entries(LogIndex(0), 9).await.unwrap().len(), 3);
    assert_eq!(second.hashes(0, 0, 9).await.unwrap().len(), 3);
    assert_eq!(second.indices_of(&[leaf("lost")]).await.unwrap(), [None]);
    assert_eq!(second.search("lost-key", LogIndex(0), 9).await.unwrap(), []);
    assert_eq!(second.attestation("lost-attestation").await.unwrap(), None);
    add(&*second, new, plain(new, 1)).await;
}

pub(super) async fn racing_commits_have_one_winner(place: &mut impl Place) {
    let store = place.open().await;
    let log = store.create_log(record(tree(1))).await.unwrap();
    let on = TreeHead::empty();
    let racers: Vec<_> = (0..8)
        .map(|racer| {
            let log = Arc::clone(&log);
            let racing = batch(on, vec![entry(format!("racer {racer}")); racer + 1]);
            tokio::spawn(async move { (racing.head, log.commit(on, racing).await) })
        })
        .collect();
    let mut winners = Vec::new();
    for racer in racers {
        match racer.await.unwrap() {
            (head, Ok(())) => winners.push(head),
            (_, Err(CommitError::Conflict { .. })) => {}
            (_, Err(other)) => panic!("{other}"),
        }
    }
    assert_eq!(winners, [log.head().await.unwrap()]);
    let entries = log.entries(LogIndex(0), 99).await.unwrap();
    assert_eq!(entries.len() as u64, winners[0].size.0);
    assert!(entries.iter().all(|entry| entry.body == entries[0].body), "two commits were mixed");
}

pub(super) async fn misfits_are_refused(place: &mut impl Place) {
    let log = one_log(place).await;
    let on = add(&*log, TreeHead::empty(), plain(TreeHead::empty(), 254)).await;
    let good = || batch(on, plain(on, 3)); // 257 leaves: one hash on level 1
    let bend = |change: fn(&mut Batch)| {
        let mut bent = good();
        change(&mut bent);
        bent
    };
    let misfits = [
        ("size too large", bend(|batch| batch.head.size.0 += 1)),
        ("size too small", bend(|batch| batch.head.size.0 -= 1)),
        ("an entry more", bend(|batch| batch.entries.push(entry("x")))),
        ("no level 1", bend(|batch| batch.hashes.truncate(1))),
        ("no hashes", bend(|batch| batch.hashes.clear())),
        ("a hash less", bend(|batch| batch.hashes[0].hashes.truncate(2))),
        ("a hash more", bend(|batch| batch.hashes[0].hashes.push(stored_hash(0, 257)))),
        ("a gap", bend(|batch| batch.hashes[0].first += 1)),
        ("an overlap", bend(|batch| batch.hashes[0].first -= 1)),
        ("a level twice", bend(|batch| batch.hashes.push(batch.hashes[0].clone()))),
        (
            "a level too many",
            bend(|batch| {
                batch.hashes.push(NewHashes {
                    level: 2,
                    first: 0,
                    hashes: vec![stored_hash(2, 0)],
                });
            }),
        ),
        ("nothing at all", Batch { entries: vec![], hashes: vec![], head: on }),
        (
            "another root, no entry",
            Batch {
                entries: vec![],
                hashes: vec![],
                head: TreeHead { root: RootHash::from_bytes([1; 32]), ..on },
            },
        ),
    ];
    for (what, misfit) in misfits {
        let refusal = log.commit(on, misfit).await;
        assert!(matches!(refusal, Err(CommitError::Malformed(_))), "{what}: {refusal:?}");
    }
    let beyond = TreeHead { size: TreeSize(u64::MAX), ..on };
    let wrapped = Batch { head: TreeHead { size: TreeSize(0), ..on }, ..batch(on, plain(on, 1)) };
    let refusal = log.commit(beyond, wrapped).await;
    assert!(matches!(refusal, Err(CommitError::Malformed(_))), "{refusal:?}");

    assert_eq!(log.head().await.unwrap(), on);
    log.commit(on, good()).await.unwrap();
}

pub(super) async fn checkpoints_only_grow(place: &mut impl Place) {
    let log = one_log(place).await;
    let note = |size, text: &str| StoredCheckpoint { size: TreeSize(size), note: text.to_owned() };
    assert_eq!(log.checkpoint().await.unwrap(), None);
    // The empty tree may be published; nothing beyond the stored head may.
    log.publish(note(0, "empty")).await.unwrap();
    assert!(log.publish(note(1, "beyond")).await.is_err());
    assert_eq!(log.checkpoint().await.unwrap(), Some(note(0, "empty")));

    let on = add(&*log, TreeHead::empty(), plain(TreeHead::empty(), 5)).await;
    for (published, newest) in [
        (note(3, "three"), note(3, "three")),
        (
            note(5, "five\n\u{2014} log.example AAAA\n"),
            note(5, "five\n\u{2014} log.example AAAA\n"),
        ),
        (note(4, "late"), note(5, "five\n\u{2014} log.example AAAA\n")),
        (note(5, "five, cosigned"), note(5, "five, cosigned")),
        (note(0, "very late"), note(5, "five, cosigned")),
    ] {
        log.publish(published).await.unwrap();
        assert_eq!(log.checkpoint().await.unwrap(), Some(newest));
    }
    assert!(log.publish(note(6, "beyond")).await.is_err());
    // A refusal is no failure: the log goes on.
    add(&*log, on, plain(on, 1)).await;
    drop(log);
    let log = place.open().await.log(tree(1)).await.unwrap();
    assert_eq!(log.checkpoint().await.unwrap(), Some(note(5, "five, cosigned")));
    log.publish(note(4, "late")).await.unwrap();
    assert_eq!(log.checkpoint().await.unwrap(), Some(note(5, "five, cosigned")));
}
