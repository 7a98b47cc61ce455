//! Look-ups by leaf hash, index key and attestation key, with the keys that trip an encoding.

use tlog::{LogIndex, TreeHead};

use super::{
    Place, add, entry, leaf, one_log, plain, record, stored_hash, tree, with_attestation, with_keys,
};

pub(super) async fn leaves(place: &mut impl Place) {
    let log = one_log(place).await;
    assert_eq!(log.indices_of(&[]).await.unwrap(), []);
    assert_eq!(log.indices_of(&[leaf("e0")]).await.unwrap(), [None]);
    let head = add(&*log, TreeHead::empty(), plain(TreeHead::empty(), 300)).await;
    add(&*log, head, plain(head, 1)).await;
    drop(log);
    let log = place.open().await.log(tree(1)).await.unwrap();
    // As many answers as questions, in their order; a question may be asked twice.
    let asked = ["e300", "nobody", "e0", "e255", "e256", "e0", ""].map(leaf);
    let at = |index| Some(LogIndex(index));
    let answers = log.indices_of(&asked).await.unwrap();
    assert_eq!(answers, [at(300), None, at(0), at(255), at(256), at(0), None]);

    let all: Vec<_> = (0..400).map(|index| leaf(format!("e{index}"))).collect();
    let answers = log.indices_of(&all).await.unwrap();
    let wanted: Vec<_> = (0..400).map(|index| (index <= 300).then_some(LogIndex(index))).collect();
    assert_eq!(answers, wanted);
}

/// Keys that are prefixes of each other, hold a NUL, or look like the end of another's record.
const TRAPS: &[&str] = &[
    "",
    "a",
    "a\0",
    "a\0\0",
    "a\0b",
    "\0",
    "\0\0",
    "a\0\0\0\0\0\0\0\0\u{1}",
    "a\0\0\0\0\0\0\0\0\u{1}\0\0\0\0\0\0\0\0",
    "a\0\0\0\0\0\0\0\0\u{1}\0\0\0\0\0\0\0\u{1}\0",
    "ab",
    "sha256:00",
    "sha256:0",
    "sha256:000",
    "user@example.com",
    "user@example.co",
    "\u{10ffff}",
    "\u{10ffff}\u{10ffff}",
    "stra\u{df}e",
];

pub(super) async fn index_keys(place: &mut impl Place) {
    let log = one_log(place).await;
    let mut head = TreeHead::empty();
    // Entry n carries trap n and the one after it; and one key twice, which counts once.
    for round in 0..2 {
        let entries = TRAPS
            .iter()
            .enumerate()
            .map(|(at, key)| {
                let next = TRAPS[(at + 1) % TRAPS.len()];
                with_keys(format!("{round} {at}"), &[key, next, key])
            })
            .collect();
        head = add(&*log, head, entries).await;
    }
    let long = "k".repeat(10_000);
    add(&*log, head, vec![with_keys("long", &[&long])]).await;
    drop(log);
    let log = place.open().await.log(tree(1)).await.unwrap();

    let count = TRAPS.len() as u64;
    for (at, key) in (0..).zip(TRAPS) {
        let before = (at + count - 1) % count;
        let mut wanted = [at, before, at + count, before + count].map(LogIndex);
        wanted.sort_unstable();
        let hits = log.search(key, LogIndex(0), usize::MAX).await.unwrap();
        assert_eq!(hits, wanted, "{key:?}");
    }
    // Each entry says which keys it has: in the order in which they were given, all of them.
    for (at, key) in (0..).zip(TRAPS) {
        let next = TRAPS[(at + 1) % TRAPS.len()];
        for index in [at, at + TRAPS.len()] {
            let entries = log.entries(LogIndex(index as u64), 1).await.unwrap();
            assert_eq!(entries[0].index_keys, [*key, next, *key], "entry {index}");
        }
    }
    let entries = log.entries(LogIndex(0), usize::MAX).await.unwrap();
    assert_eq!(entries.last().unwrap().index_keys, [long.as_str()]);
    assert_eq!(log.search(&long, LogIndex(0), 9).await.unwrap(), [LogIndex(2 * count)]);
    for unknown in [&long[1..], "b", "A", "a\0\0\0", "user@example", "sha256:0000"] {
        assert_eq!(log.search(unknown, LogIndex(0), 9).await.unwrap(), [], "{unknown:?}");
    }
}

pub(super) async fn pages(place: &mut impl Place) {
    let log = one_log(place).await;
    let mut head = TreeHead::empty();
    for round in 0..6_u64 {
        let entries = (0..100)
            .map(|at| match (round * 100 + at) % 3 {
                0 => with_keys(format!("{round} {at}"), &["third", "third\0"]),
                _ => with_keys(format!("{round} {at}"), &["thir", "thirdly"]),
            })
            .collect();
        head = add(&*log, head, entries).await;
    }
    let all: Vec<_> = (0..600).step_by(3).map(LogIndex).collect();
    for page in [1, 7, 199, 200, 201, usize::MAX] {
        let (mut seen, mut from) = (Vec::new(), LogIndex(0));
        loop {
            let hits = log.search("third", from, page).await.unwrap();
            assert!(hits.len() <= page);
            let Some(last) = hits.last() else { break };
            from = LogIndex(last.0 + 1);
            seen.extend(hits);
        }
        assert_eq!(seen, all, "pages of {page}");
    }
    assert_eq!(log.search("third", LogIndex(3), 2).await.unwrap(), [LogIndex(3), LogIndex(6)]);
    assert_eq!(log.search("third", LogIndex(4), 1).await.unwrap(), [LogIndex(6)]);
    assert_eq!(log.search("third", LogIndex(0), 0).await.unwrap(), []);
    assert_eq!(log.search("third", LogIndex(597), 9).await.unwrap(), [LogIndex(597)]);
    assert_eq!(log.search("third", LogIndex(598), 9).await.unwrap(), []);
    assert_eq!(log.search("third", LogIndex(u64::MAX), 9).await.unwrap(), []);
}

pub(super) async fn attestations(place: &mut impl Place) {
    let store = place.open().await;
    let first = store.create_log(record(tree(1))).await.unwrap();
    let second = store.create_log(record(tree(2))).await.unwrap();
    let large = vec![0xa5; 200_000];
    let entries = vec![
        with_attestation("a", "sha256:aa", b"data of a"),
        with_attestation("b", "sha256:a", b""),
        with_attestation("c", "", b"no key"),
        with_attestation("d", "sha256:aa\0", &large),
    ];
    add(&*first, TreeHead::empty(), entries).await;
    // The same bytes under the same key again, from another log.
    let again = vec![with_attestation("a", "sha256:aa", b"data of a")];
    add(&*second, TreeHead::empty(), again).await;
    drop((first, second, store));

    // Shared by all logs of the store.
    let store = place.open().await;
    for id in [1, 2] {
        let log = store.log(tree(id)).await.unwrap();
        for (key, data) in [
            ("sha256:aa", b"data of a".as_slice()),
            ("sha256:a", b""),
            ("", b"no key"),
            ("sha256:aa\0", &large),
        ] {
            assert_eq!(log.attestation(key).await.unwrap().as_deref(), Some(data), "{key:?}");
        }
        for unknown in ["sha256:", "sha256:aaa", "\0"] {
            assert_eq!(log.attestation(unknown).await.unwrap(), None, "{unknown:?}");
        }
    }
}

pub(super) async fn logs_do_not_see_each_other(place: &mut impl Place) {
    // Neighbours as numbers and as bytes, the largest last: nothing follows its keys.
    let trees = [1, 2, 255, 256, i64::MAX - 1, i64::MAX].map(tree);
    let store = place.open().await;
    for (position, id) in (1..).zip(trees) {
        let log = store.create_log(record(id)).await.unwrap();
        let entries = (0..position * 100)
            .map(|index| with_keys(format!("{id} {index}"), &["shared", &format!("of {id}")]))
            .collect();
        let head = add(&*log, TreeHead::empty(), entries).await;
        let note = format!("note of {id}");
        log.publish(crate::StoredCheckpoint { size: head.size, note }).await.unwrap();
    }
    drop(store);
    let store = place.open().await;
    for (position, id) in (1_u64..).zip(trees) {
        let log = store.log(id).await.unwrap();
        let size = position * 100;
        assert_eq!(log.head().await.unwrap().size.0, size);
        assert_eq!(log.checkpoint().await.unwrap().unwrap().note, format!("note of {id}"));
        let entries = log.entries(LogIndex(size - 1), 1_000).await.unwrap();
        assert_eq!(entries.len(), 1);
        assert_eq!(entries[0].body, entry(format!("{id} {}", size - 1)).body);
        assert_eq!(log.hashes(0, size - 1, 9).await.unwrap(), [stored_hash(0, size - 1)]);
        assert_eq!(log.hashes(1, 0, 9).await.unwrap().len() as u64, size / 256);
        let hits = log.search("shared", LogIndex(0), 10_000).await.unwrap();
        assert!(hits.iter().map(|hit| hit.0).eq(0..size), "{hits:?}");
        for other in trees {
            let hits = log.search(&format!("of {other}"), LogIndex(0), 1).await.unwrap();
            assert_eq!(hits.is_empty(), other != id);
            let found = log.indices_of(&[leaf(format!("{other} 7"))]).await.unwrap();
            assert_eq!(found, [(other == id).then_some(LogIndex(7))]);
        }
    }
}
