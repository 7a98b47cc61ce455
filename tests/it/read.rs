//! §1.10, §4: entries, state, keys and proofs, over one and over several shards.

use serde_json::json;
use tlog::{ConsistencyProof, NodeHash, RootHash, TreeSize};

use crate::create::verify;
use crate::fixture::{ENTRIES, TestLog};
use crate::support::Proposals;

const LOG: &str = "/api/v1/log";
const EMPTY_ROOT: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

#[tokio::test]
async fn an_empty_log() {
    let log = TestLog::start().await;
    let answer = log.get(LOG).await;
    let info = answer.json();
    let tree = log.active().tree_id;
    let text = format!(
        "{{\"inactiveShards\":null,\"rootHash\":\"{EMPTY_ROOT}\",\"signedTreeHead\":{},\
         \"treeID\":\"{tree}\",\"treeSize\":0}}\n",
        info["signedTreeHead"]
    );
    assert_eq!(answer.body, text);
    assert_eq!(answer.header("Content-Type"), Some("application/json"));
    let start = format!("log.example - {tree}\n0\n");
    assert!(info["signedTreeHead"].as_str().unwrap().starts_with(&start));
}

#[tokio::test]
async fn entries_are_found_by_every_name() {
    let log = TestLog::start().await;
    let mut proposals = Proposals::new();
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(log.create(&proposals.next_json()).await);
    }
    for (index, id) in ids.iter().enumerate() {
        for name in [
            format!("?logIndex={index}"),
            format!("/?logIndex=00{index}"),
            format!("?logIndex=7&logIndex={index}"),
            format!("/{id}"),
            format!("/{}", id.to_uppercase()),
            format!("/{}", &id[16..]),
            format!("/{}/", &id[16..]),
            format!("/%{:x}{}", id.as_bytes()[0], &id[1..]),
        ] {
            let answer = log.get(&format!("{ENTRIES}{name}")).await;
            assert_eq!(answer.status, 200, "{name} {answer:?}");
            let (found, entry) = verify(&answer, log.active());
            assert_eq!(&found, id, "{name}");
            assert_eq!(entry["logIndex"], index);
            assert_eq!(answer.header("Etag"), None);
        }
    }
}

#[tokio::test]
async fn entries_that_are_not_there() {
    let log = TestLog::start().await;
    let id = log.create(&Proposals::new().next_json()).await;
    let unknown_leaf = "0".repeat(64);
    for name in [
        "?logIndex=1".into(),
        "?logIndex=9223372036854775807".into(),
        format!("/{unknown_leaf}"),
        format!("/{}{unknown_leaf}", &id[..16]),
        format!("/{:016x}{}", 77, &id[16..]), // the leaf is there, but in another tree
        format!("/{}{}", "0".repeat(16), &id[16..]), // F2
    ] {
        let answer = log.get(&format!("{ENTRIES}{name}")).await;
        assert_eq!((answer.status, answer.body.as_str()), (404, ""), "{name}");
        assert_eq!(answer.header("Content-Type"), None, "{name}");
    }
    let too_large = format!("8000000000000000{unknown_leaf}");
    let answer = log.get(&format!("{ENTRIES}/{too_large}")).await;
    answer.is_error(400, "validation error: 8000000000000000 is not a valid TreeID");
}

#[tokio::test]
async fn parameters_that_are_not_valid() {
    let log = TestLog::start().await;
    let id_pattern = "entryUUID in path should match '^([0-9a-fA-F]{64}|[0-9a-fA-F]{80})$'";
    for (path, code, text) in [
        ("/entries", 602, "logIndex in query is required"),
        ("/entries?logIndex=", 602, "logIndex in query is required"),
        ("/entries?logindex=1", 602, "logIndex in query is required"),
        ("/entries?logIndex=a", 601, "logIndex in query must be of type int64: \"a\""),
        ("/entries?logIndex=-1", 609, "logIndex in query should be greater than or equal to 0"),
        ("/entries/abc", 605, id_pattern),
        ("/proof", 602, "lastSize in query is required"),
        (
            "/proof?firstSize=0&lastSize=1",
            609,
            "firstSize in query should be greater than or equal to 1",
        ),
        ("/proof?lastSize=0", 609, "lastSize in query should be greater than or equal to 1"),
        ("/proof?lastSize=1&treeID=x", 605, "treeID in query should match '^[0-9]+$'"),
        ("/publicKey?treeID=-1", 605, "treeID in query should match '^[0-9]+$'"),
    ] {
        log.get(&format!("{LOG}{path}")).await.is_router_error(422, code, text);
    }
}

#[tokio::test]
async fn public_keys() {
    let log = TestLog::sharded(&[vec![Proposals::new().next_json()]], |_| {}).await;
    for shard in &log.shards {
        let path = format!("{LOG}/publicKey?treeID={}", shard.tree_id);
        let answer = log.get(&path).await;
        assert_eq!(answer.header("Content-Type"), Some("application/x-pem-file"));
        let der = cairn::publisher::signer::public_key_der(answer.body.as_bytes()).unwrap();
        assert_eq!(der, shard.spki);
        assert!(answer.body.starts_with("-----BEGIN PUBLIC KEY-----\n"));
        assert!(answer.body.ends_with("-----END PUBLIC KEY-----\n"));
        let json = log.send("GET", &path, &["Accept: application/json"], b"").await;
        assert_eq!(json.header("Content-Type"), Some("application/json"));
        assert_eq!(json.json(), answer.body);
        assert!(json.body.ends_with("\"\n"));
        for accept in ["Accept: */*", "Accept: application/x-pem-file"] {
            assert_eq!(log.send("GET", &path, &[accept], b"").await.body, answer.body);
        }
    }
    let active = log.get(&format!("{LOG}/publicKey?treeID={}", log.active().tree_id)).await;
    for query in ["", "?treeID="] {
        assert_eq!(log.get(&format!("{LOG}/publicKey{query}")).await.body, active.body);
    }
    for tree in ["0", "12345", "99999999999999999999"] {
        let answer = log.get(&format!("{LOG}/publicKey?treeID={tree}")).await;
        answer.is_error(400, "Bad Request");
    }
}

#[tokio::test]
async fn consistency() {
    let log = TestLog::start().await;
    let mut proposals = Proposals::new();
    let mut roots = Vec::new();
    for _ in 0..6 {
        log.create(&proposals.next_json()).await;
        let root = log.get(LOG).await.json()["rootHash"].as_str().unwrap().to_owned();
        roots.push(root);
    }
    let root = |size: usize| RootHash::from_hex(&roots[size - 1]).unwrap();
    for first in 1..=6 {
        for last in first..=6 {
            let path = format!("{LOG}/proof?firstSize={first}&lastSize={last}&treeID=");
            let answer = log.get(&path).await;
            let json = answer.json();
            let text = format!("{{\"hashes\":{},\"rootHash\":\"{}\"}}\n", json["hashes"], roots[5]);
            assert_eq!(answer.body, text, "the current root, whatever the last size");
            let hashes = json["hashes"].as_array().unwrap().iter();
            let hashes = hashes.map(|hash| NodeHash::from_hex(hash.as_str().unwrap()).unwrap());
            let (old, new) = (TreeSize(first as u64), TreeSize(last as u64));
            let proof = ConsistencyProof { old, new, hashes: hashes.collect() };
            assert_eq!(proof.hashes.is_empty(), first == last);
            proof.verify(&root(first), &root(last)).unwrap();
        }
    }
    let default = log.get(&format!("{LOG}/proof?lastSize=4")).await;
    assert_eq!(default.body, log.get(&format!("{LOG}/proof?firstSize=1&lastSize=4")).await.body);
    for (query, text) in [
        ("firstSize=3&lastSize=2", "firstSize(3) must be less than lastSize(2)"),
        (
            "lastSize=7",
            "the tree size requested(7) was greater than what is currently observable(6)",
        ),
        ("lastSize=2&treeID=77", "no log range found for tree ID 77"),
        ("lastSize=2&treeID=0", "no log range found for tree ID 0"),
        ("lastSize=2&treeID=9223372036854775808", "invalid tree ID specified: 9223372036854775808"),
    ] {
        log.get(&format!("{LOG}/proof?{query}")).await.is_error(400, text);
    }
}

#[tokio::test]
async fn shards() {
    let mut proposals = Proposals::new();
    let both = proposals.next_json(); // in the first shard, and again in the active one
    let first = vec![both.clone(), proposals.next_json()];
    let second = vec![proposals.next_json()];
    let log = TestLog::sharded(&[first, second], |_| {}).await;
    let newest = log.create(&both).await;

    let info = log.get(LOG).await.json();
    assert_eq!(info["treeSize"], 1);
    let shards = info["inactiveShards"].as_array().unwrap();
    assert_eq!(shards.iter().map(|shard| &shard["treeSize"]).collect::<Vec<_>>(), [2, 1]);
    for (shard, key) in shards.iter().zip(&log.shards) {
        assert_eq!(shard["treeID"], key.tree_id.to_string());
        assert_eq!(shard.as_object().unwrap().len(), 4);
    }
    for (index, shard, local) in [(0, 0, 0), (1, 0, 1), (2, 1, 0), (3, 2, 0)] {
        let answer = log.get(&format!("{ENTRIES}?logIndex={index}")).await;
        let (id, entry) = verify(&answer, &log.shards[shard]);
        assert_eq!(entry["logIndex"], index);
        assert_eq!(entry["verification"]["inclusionProof"]["logIndex"], local);
        let by_id = log.get(&format!("{ENTRIES}/{id}")).await;
        assert_eq!(verify(&by_id, &log.shards[shard]).0, id);
    }
    assert_eq!(log.get(&format!("{ENTRIES}?logIndex=4")).await.status, 404);
    // Without a tree the active one comes first.
    let by_leaf = log.get(&format!("{ENTRIES}/{}", &newest[16..])).await;
    assert_eq!(by_leaf.entry().0, newest);
    let query = json!({"entryUUIDs": [&newest[16..]]}).to_string();
    let found = log.post("/api/v1/log/entries/retrieve", &query).await.json();
    assert_eq!(found.as_array().unwrap().len(), 2, "retrieve gives every shard's");
}

#[tokio::test]
async fn a_store_that_fails() {
    let log = TestLog::start().await;
    let mut proposals = Proposals::new();
    let id = log.create(&proposals.next_json()).await;
    log.store.fail_reads(true);
    for path in ["?logIndex=0".into(), format!("/{id}"), format!("/{}", &id[16..])] {
        let answer = log.get(&format!("{ENTRIES}{path}")).await;
        answer.is_error(500, "unexpected error communicating with transparency log");
        assert!(answer.header("Cache-Control").is_some());
    }
    let query = json!({"entryUUIDs": [id]}).to_string();
    let answer = log.post("/api/v1/log/entries/retrieve", &query).await;
    answer.is_error(500, &format!("error getting log entry for {id}"));
    let query = json!({"subject": "x"}).to_string();
    let answer = log.post("/api/v1/index/retrieve", &query).await;
    answer.is_error(500, "unexpected result from searching index");
}
