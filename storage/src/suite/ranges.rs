//! Entries and hashes by position: borders of bytes, tiles, and of the log.

use tlog::{LogIndex, TreeHead};

use super::{Place, add, entry, one_log, plain, stored_hash, tree, without_keys};

pub(super) async fn entries_at_borders(place: &mut impl Place) {
    let log = one_log(place).await;
    assert_eq!(log.entries(LogIndex(0), 9).await.unwrap(), []);
    assert_eq!(log.entries(LogIndex(u64::MAX), usize::MAX).await.unwrap(), []);
    let mut head = TreeHead::empty();
    for count in [1, 254, 1, 1, 63] {
        head = add(&*log, head, plain(head, count)).await;
    }
    let size = head.size.0; // 320
    for (first, max) in [
        (0, 0),
        (0, 1),
        (0, 256),
        (0, usize::MAX),
        (1, 255),
        (254, 1),
        (254, 4),
        (255, 1),
        (255, 2),
        (256, 1),
        (256, 256),
        (318, 1),
        (319, 1),
        (319, 2),
        (320, 1),
        (321, 7),
        (1 << 32, 1),
        (u64::MAX, usize::MAX),
    ] {
        let entries = log.entries(LogIndex(first), max).await.unwrap();
        let end = first.saturating_add(max as u64).min(size);
        assert_eq!(entries.len() as u64, end.saturating_sub(first), "{max} entries from {first}");
        assert_eq!(log.bodies(LogIndex(first), max).await.unwrap(), without_keys(&entries));
        for (index, seen) in (first..end).zip(&entries) {
            let wanted = entry(format!("e{index}"));
            assert_eq!(seen.index, LogIndex(index));
            assert_eq!(seen.body, wanted.body);
            assert_eq!(seen.integrated_time, wanted.integrated_time);
            assert_eq!(seen.index_keys, wanted.index_keys);
        }
    }
}

pub(super) async fn hashes_at_borders(place: &mut impl Place) {
    let log = one_log(place).await;
    assert_eq!(log.hashes(0, 0, 256).await.unwrap(), []);
    let mut head = TreeHead::empty();
    // The second commit ends within the tile, the third at its end, the last beyond two tiles.
    for count in [200, 55, 1, 600] {
        head = add(&*log, head, plain(head, count)).await;
    }
    drop(log);
    let log = place.open().await.log(tree(1)).await.unwrap();
    for (level, size) in [(0, 856), (1, 3), (2, 0), (7, 0), (8, 0), (255, 0)] {
        for (first, count) in [
            (0, 0),
            (0, 1),
            (0, 256),
            (1, 2),
            (2, 2),
            (3, 1),
            (199, 2),
            (255, 1),
            (255, 2),
            (256, 256),
            (768, 256),
            (855, 1),
            (856, 1),
            (0, usize::MAX),
            (u64::MAX, usize::MAX),
        ] {
            let end = first.saturating_add(count as u64).min(size);
            let wanted: Vec<_> = (first..end).map(|at| stored_hash(level, at)).collect();
            let seen = log.hashes(level, first, count).await.unwrap();
            assert_eq!(seen, wanted, "level {level}: {count} hashes from {first}");
        }
    }
}

pub(super) async fn bodies_of_all_sizes(place: &mut impl Place) {
    let log = one_log(place).await;
    let mut head = TreeHead::empty();
    let bodies: Vec<Vec<u8>> = [0, 1, 7, 8, 9, 4095, 65_535, 65_536, 3_000_000]
        .iter()
        .map(|&size| {
            (0..size).map(|at: u32| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
        })
        .collect();
    for (body, time) in bodies.iter().zip([0, 1, -1, i64::MIN, i64::MAX, 2, 3, 4, 5]) {
        // As many keys as the position says: the body is what follows, whatever it begins with.
        let index_keys = (0..head.size.0).map(|key| key.to_string().repeat(100)).collect();
        let new = crate::NewEntry { integrated_time: time, index_keys, ..entry(body) };
        head = add(&*log, head, vec![new]).await;
    }
    drop(log);
    let log = place.open().await.log(tree(1)).await.unwrap();
    let entries = log.entries(LogIndex(0), 99).await.unwrap();
    let seen: Vec<_> = entries.iter().map(|entry| entry.integrated_time).collect();
    assert_eq!(seen, [0, 1, -1, i64::MIN, i64::MAX, 2, 3, 4, 5]);
    assert_eq!(log.bodies(LogIndex(0), 99).await.unwrap(), without_keys(&entries));
    assert!(entries.iter().map(|entry| &entry.body).eq(&bodies), "a body came back changed");
    assert!(entries.iter().map(|entry| entry.index_keys.len()).eq(0..9), "and a key");
}
