//! §2: creating entries; every claim of an answer is checked with the log's public key alone.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tlog::{
    InclusionProof, KeyId, LogIndex, NodeHash, SignedCheckpoint, TreeSize, Verifier, hash_leaf,
};

use crate::fixture::{Answer, ENTRIES, HOSTNAME, NOW, ShardKey, TestLog};
use crate::support::Proposals;

/// Checks an answer with one entry, and that its text is exactly what these values make.
pub(crate) fn verify(answer: &Answer, shard: &ShardKey) -> (String, Value) {
    let (id, entry) = answer.entry();
    assert_eq!(answer.body, format!("{}\n", text_of(&id, &entry)));
    let verifier = Verifier::from_spki(&shard.spki).unwrap();
    let body = STANDARD.decode(entry["body"].as_str().unwrap()).unwrap();
    let leaf_hash = hash_leaf(&body);
    assert_eq!(id, format!("{:016x}{leaf_hash}", shard.tree_id));
    let log_id = hex::encode(verifier.log_id());
    assert_eq!(entry["logID"], log_id);

    let proof = &entry["verification"]["inclusionProof"];
    let origin = format!("{HOSTNAME} - {}", shard.tree_id);
    let note = proof["checkpoint"].as_str().unwrap();
    assert_eq!(note.matches("\n\n").count(), 1);
    let key_id = KeyId::rekor_v1(&shard.spki);
    let signed = SignedCheckpoint::open(note, &origin, &verifier, key_id).unwrap();
    let head = signed.checkpoint().head;
    assert_eq!(proof["rootHash"], head.root.to_string());
    assert_eq!(proof["treeSize"], head.size.0);
    let hashes = proof["hashes"].as_array().unwrap().iter();
    let hashes = hashes.map(|hash| NodeHash::from_hex(hash.as_str().unwrap()).unwrap()).collect();
    let index = LogIndex(proof["logIndex"].as_u64().unwrap());
    let proof = InclusionProof { index, size: TreeSize(head.size.0), hashes };
    proof.verify(&leaf_hash, &head.root).unwrap();

    let promise = format!(
        r#"{{"body":{},"integratedTime":{},"logID":"{log_id}","logIndex":{}}}"#,
        entry["body"], entry["integratedTime"], entry["logIndex"]
    );
    let signature = entry["verification"]["signedEntryTimestamp"].as_str().unwrap();
    verifier.verify(promise.as_bytes(), &STANDARD.decode(signature).unwrap()).unwrap();
    (id, entry)
}

/// The only way to write an entry: members in this order, no spaces, none besides these.
fn text_of(id: &str, entry: &Value) -> String {
    let attestation = match entry.get("attestation") {
        Some(attestation) => format!(r#""attestation":{{"data":{}}},"#, attestation["data"]),
        None => String::new(),
    };
    let proof = &entry["verification"]["inclusionProof"];
    let (body, time) = (&entry["body"], &entry["integratedTime"]);
    let (log_id, index) = (&entry["logID"], &entry["logIndex"]);
    let set = &entry["verification"]["signedEntryTimestamp"];
    let (checkpoint, hashes, local) = (&proof["checkpoint"], &proof["hashes"], &proof["logIndex"]);
    let (root, size) = (&proof["rootHash"], &proof["treeSize"]);
    format!(
        "{{\"{id}\":{{{attestation}\"body\":{body},\"integratedTime\":{time},\"logID\":{log_id},\
         \"logIndex\":{index},\"verification\":{{\"inclusionProof\":{{\"checkpoint\":{checkpoint},\
         \"hashes\":{hashes},\"logIndex\":{local},\"rootHash\":{root},\"treeSize\":{size}}},\
         \"signedEntryTimestamp\":{set}}}}}}}"
    )
}

#[tokio::test]
async fn created() {
    let log = TestLog::start().await;
    let mut proposals = Proposals::new();
    for index in 0..5 {
        let answer = log.post(ENTRIES, &proposals.next_json()).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        let (id, entry) = verify(&answer, log.active());
        assert_eq!(entry["logIndex"], index);
        assert_eq!(entry["verification"]["inclusionProof"]["logIndex"], index);
        assert_eq!(entry["integratedTime"], NOW);
        assert_eq!(answer.header("Etag"), Some(id.as_str()), "without quotes");
        assert_eq!(answer.header("Location"), Some(format!("{ENTRIES}/{id}").as_str()));
        assert_eq!(answer.header("Content-Type"), Some("application/json"));
        assert_eq!(answer.header("Vary"), Some("Origin"));
        assert_eq!(answer.header("Cache-Control"), None);
    }
}

#[tokio::test]
async fn locations_and_duplicates() {
    let log = TestLog::start().await;
    let mut proposals = Proposals::new();
    for (path, base, query) in [
        ("/api/v1/log/entries", ENTRIES, ""),
        ("/api/v1/log/entries/", ENTRIES, ""),
        ("//api/v1//log/entries", ENTRIES, ""),
        ("/api/v1/log/entries?z=1&apiKey=x&a=2", ENTRIES, "?a=2&z=1"),
        ("/api/v1/log/entries/?apiKey=secret", ENTRIES, ""),
    ] {
        let proposal = proposals.next_json();
        let answer = log.post(path, &proposal).await;
        assert_eq!(answer.status, 201);
        let id = answer.header("Etag").unwrap().to_owned();
        let location = format!("{base}/{id}{query}");
        assert_eq!(answer.header("Location"), Some(location.as_str()), "{path}");

        let again = log.post(path, &proposal).await;
        let text =
            format!("an equivalent entry already exists in the transparency log with UUID {id}");
        again.is_error(409, &text);
        assert_eq!(again.header("Location"), Some(location.as_str()), "{path}");
        assert_eq!(again.header("Etag"), None);
        assert_eq!(log.get(&location).await.status, 200);
    }
}

#[tokio::test]
async fn simultaneous_duplicates_are_one_entry_and_readable() {
    let log = TestLog::start().await;
    let mut proposals = Proposals::new();
    for _round in 0..15 {
        let proposal = proposals.next_json();
        let one = || async {
            let answer = log.post(ENTRIES, &proposal).await;
            let location = answer.header("Location").unwrap().to_owned();
            (answer.status, log.get(&location).await.status)
        };
        let (a, b, c) = tokio::join!(one(), one(), one());
        let mut answers = [a, b, c];
        answers.sort();
        assert_eq!(answers, [(201, 200), (409, 200), (409, 200)]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_at_once() {
    let log = std::sync::Arc::new(TestLog::start().await);
    let mut proposals = Proposals::new();
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let (log, proposal) = (log.clone(), proposals.next_json());
        running.spawn(async move {
            let answer = log.post(ENTRIES, &proposal).await;
            assert_eq!(answer.status, 201, "{answer:?}");
            verify(&answer, log.active()).1["logIndex"].as_u64().unwrap()
        });
    }
    let mut indexes = running.join_all().await;
    indexes.sort_unstable();
    assert_eq!(indexes, (0..50).collect::<Vec<u64>>());
}

#[tokio::test]
async fn bodies_that_are_no_proposal() {
    let log = TestLog::start().await;
    for body in [" ", "\n\t "] {
        let answer = log.post(ENTRIES, body).await;
        answer.is_router_error(422, 602, "proposedEntry in body is required");
    }
    for (body, code, text) in [
        ("null", 602, "kind in body is required"),
        ("{}", 602, "kind in body is required"),
        (r#"{"kind":""}"#, 602, "kind in body is required"),
        (r#"{"kind":"foo"}"#, 422, "invalid kind value: \"foo\""),
        (r#"{"kind":"rekord"}"#, 602, "apiVersion in body is required"),
        (r#"{"KIND":"rekord","APIversion":"0.0.1"}"#, 602, "spec in body is required"),
        (r#"{"kind":"rekord","apiVersion":"0.0.1","spec":null}"#, 602, "spec in body is required"),
    ] {
        log.post(ENTRIES, body).await.is_router_error(422, code, text);
    }
    let bad_version = r#"{"kind":"rekord","apiVersion":"1","spec":{}}"#;
    let answer = log.post(ENTRIES, bad_version).await;
    assert_eq!((answer.status, &answer.json()["code"]), (422, &json!(605)));
    assert!(answer.body.contains(r"apiVersion in body should match '^(0|[1-9]\\d*)"), "{answer:?}");
    assert!(!answer.body.ends_with('\n'));
    // Not JSON, or not of the right types: 400, where Rekor says 500.
    for body in ["{", "[]", "7", "x", r#"{"kind":7}"#, "\u{feff}{}"] {
        let answer = log.post(ENTRIES, body).await;
        assert_eq!((answer.status, &answer.json()["code"]), (400, &json!(400)), "{body}");
    }
    log.post(ENTRIES, "{").await.is_router_error(400, 400, "unexpected EOF");
}

#[tokio::test]
async fn proposals_that_are_rejected() {
    let log = TestLog::start().await;
    let good: Value = serde_json::from_str(&Proposals::new().next_json()).unwrap();
    let change = |path: &str, value: Value| {
        let mut changed = good.clone();
        *changed.pointer_mut(path).unwrap() = value;
        changed.to_string()
    };
    for (proposal, detail) in [
        (
            change("/apiVersion", json!("0.0.9")),
            "hashedrekord implementation for version '0.0.9' not found",
        ),
        (
            change("/kind", json!("ProposedEntry")),
            "could not unmarshal entry for kind 'ProposedEntry'",
        ),
        (change("/spec", json!("x")), "unsupported input type string for DecodeEntry"),
        (change("/spec/signature/content", json!("!!!!")), ""),
        (change("/spec/signature/content", json!("AAAA")), "verifying signature: "),
        (
            change("/spec/data/hash/value", json!("00".repeat(32))),
            "verifying signature: invalid signature",
        ),
        (change("/spec/signature/publicKey/content", json!("AAAA")), ""),
    ] {
        let answer = log.post(ENTRIES, &proposal).await;
        assert_eq!(answer.status, 400, "{answer:?}");
        let text = answer.json()["message"].as_str().unwrap().to_owned();
        let start = format!("error processing entry: {detail}");
        assert!(text.starts_with(&start), "{text} – {start}");
        assert!(answer.body.ends_with("}\n"));
    }
    assert_eq!(log.get("/api/v1/log").await.json()["treeSize"], 0);
}

#[tokio::test]
async fn spellings_that_do_not_matter() {
    let log = TestLog::start().await;
    let good: Value = serde_json::from_str(&Proposals::new().next_json()).unwrap();
    let id = log.create(&good.to_string()).await;
    let mut lenient = good.clone();
    lenient["other"] = json!(1);
    lenient["spec"]["other"] = json!({"<": ">"});
    let content = good["spec"]["signature"]["content"].as_str().unwrap();
    lenient["spec"]["signature"]["content"] =
        json!(format!("{}\r\n{}", &content[..8], &content[8..]));
    let spellings = [
        format!("{good} trailing garbage"),
        serde_json::to_string_pretty(&good).unwrap(),
        lenient.to_string(),
        good.to_string().replacen("\"kind\"", "\"KIND\"", 1),
        format!("{{\"kind\":\"rekord\",{}", &good.to_string()[1..]),
    ];
    for spelling in spellings {
        let answer = log.post(ENTRIES, &spelling).await;
        assert_eq!(answer.status, 409, "{spelling} {answer:?}");
        assert!(answer.header("Location").unwrap().ends_with(&id));
    }
    // The digits of a hash are logged as they were sent (K8).
    let digits = good["spec"]["data"]["hash"]["value"].as_str().unwrap().to_uppercase();
    let mut other = good.clone();
    other["spec"]["data"]["hash"]["value"] = json!(digits);
    assert_ne!(log.create(&other.to_string()).await, id);
}

#[tokio::test]
async fn a_stopped_log_says_so_and_tells_nothing() {
    let log = TestLog::start().await;
    let mut proposals = Proposals::new();
    log.create(&proposals.next_json()).await;
    log.store.fail_write_at(log.store.steps(), storage::memory::Fate::Lost);
    for _ in 0..2 {
        let answer = log.post(ENTRIES, &proposals.next_json()).await;
        answer.is_error(500, "unexpected result from transparency log");
    }
    assert_eq!(log.get("/api/v1/log/entries?logIndex=0").await.status, 200);
    assert_eq!(log.get("/livez").await.status, 200);
    let ready = log.get("/readyz").await;
    assert_eq!(ready.status, 503);
    assert!(ready.body.contains("[-]v1 writing failed"), "{ready:?}");
}
