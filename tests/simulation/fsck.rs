//! `fsck` finds what was changed behind the log's back, and nothing else.

use cairn::fsck::{Report, examine};
use cairn::recovery::Identity;
use storage::Store;
use tlog::{KeyId, LogIndex, NodeHash, Verifier};

use crate::house::{House, create};
use crate::support::Proposals;

/// More than a tile, so that a second tile and a second level are there.
const ENTRIES: u64 = 300;

async fn filled() -> House {
    let house = House::new().await;
    let log = house.start().await.unwrap();
    let mut proposals = Proposals::new();
    for _ in 0..ENTRIES {
        create(&log, &proposals.next_json()).await.unwrap();
    }
    house
}

async fn examined(house: &House) -> Report {
    let core = house.core();
    let verifier = Verifier::from_spki(core.public_key()).unwrap();
    let key_id = KeyId::rekor_v1(core.public_key());
    let identity = Identity { origin: core.origin(), verifier: &verifier, key_id };
    let store = house.store.log(house.tree_id).await.unwrap();
    let mut seen = Vec::new();
    let mut progress = |done, all| seen.push((done, all));
    let report = examine(&*store, &identity, &mut progress).await.unwrap();
    assert_eq!(seen.last(), Some(&(ENTRIES, ENTRIES)));
    report
}

#[tokio::test]
async fn a_sound_log_is_sound() {
    let report = examined(&filled().await).await;
    assert_eq!(report.differences, 0, "{:?}", report.described);
    assert_eq!(report.computed, report.head);
    assert_eq!(report.checkpoint, Some(ENTRIES));
    assert_eq!(report.index_keys, 2 * ENTRIES, "a digest and a public key each");
}

#[tokio::test]
async fn a_lost_row_of_the_index_is_named() {
    let house = filled().await;
    let store = house.store.log(house.tree_id).await.unwrap();
    let [public_key, digest] = &store.entries(LogIndex(17), 1).await.unwrap()[0].index_keys[..]
    else {
        panic!("two keys")
    };
    // Of the key that all entries have, of the one that one has, and a row that is too much.
    for (key, index) in [(public_key, 280), (digest, 17), (digest, 20)] {
        assert!(house.store.tamper_search(house.tree_id, key, LogIndex(index)));
    }
    let report = examined(&house).await;
    assert_eq!(
        report.described,
        [
            format!("a search for {digest:?} does not find entry 17"),
            format!("a search for {digest:?} finds entry 20, which lacks that key"),
            format!("a search for {public_key:?} does not find entry 280"),
        ]
    );
    assert_eq!((report.computed, report.index_keys), (report.head, 2 * ENTRIES));
}

#[tokio::test]
async fn a_changed_body_is_found() {
    let house = filled().await;
    assert!(house.store.tamper_body(house.tree_id, LogIndex(17), b"{}"));
    let report = examined(&house).await;
    assert_ne!(report.computed.root, report.head.root);
    let text = report.described.join("\n");
    assert!(text.contains("entry 17 is not found"), "{text}");
    assert!(text.contains("level 0, place 17"), "{text}");
}

#[tokio::test]
async fn a_changed_inner_hash_is_found() {
    let house = filled().await;
    assert!(house.store.tamper_hash(house.tree_id, 1, 0, NodeHash::from_bytes([9; 32])));
    let report = examined(&house).await;
    assert_eq!(report.computed, report.head, "the entries are sound");
    let text = report.described.join("\n");
    assert!(text.contains("level 1, place 0"), "{text}");
    assert!(text.contains("two different logs"), "the checkpoint's root is read from it: {text}");
}
