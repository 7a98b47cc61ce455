//! The REST half of Rekor v2: every status and every byte of its answers; every claim of an answer
//! is checked with the log's public key alone.

use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cairn::admission::{Accepts, Policy};
use cairn::frontend::{Door, FrontendSettings, Sites, read_request};
use cairn::log::{Api, Duplicates, Log, Rules};
use cairn::publisher::SigningCore;
use cairn::publisher::signer::{FileSigner, KeyKind, Signer as _};
use cairn::quota::{Limits, Quota};
use cairn::telemetry::Metrics;
use serde_json::{Value, json};
use storage::memory::{Fate, MemoryStore};
use storage::{LogRecord, TreeId};
use tlog::{InclusionProof, LogIndex, NodeHash, SignedCheckpoint, TreeSize, Verifier, hash_leaf};
use tokio::io::AsyncWriteExt;
use tokio::time::timeout;

use crate::fixture::{Answer, HOSTNAME, ShardKey, TestLog, open_as, read_answer};
use crate::support::Proposals;

const ENTRIES: &str = "/api/v2/log/entries";
const TREE: i64 = 0x77;

/// A v2 log behind a socket, and the log itself.
struct V2 {
    server: TestLog,
    log: Arc<Log>,
}

impl V2 {
    async fn start() -> Self {
        Self::with(|_| {}, |_| {}).await
    }

    async fn with(
        change: impl FnOnce(&mut Rules),
        set: impl FnOnce(&mut FrontendSettings),
    ) -> Self {
        let (store, metrics) = (MemoryStore::new(), Metrics::new());
        let signer = Arc::new(FileSigner::generate(KeyKind::Ed25519).unwrap().0);
        let spki = signer.public_key().to_vec();
        let core = Arc::new(SigningCore::rekor_v2(signer, HOSTNAME).unwrap());
        let record = LogRecord {
            tree_id: TreeId::new(TREE).unwrap(),
            name: "v2".into(),
            api: "v2".into(),
            origin: core.origin().into(),
            public_key: spki.clone(),
            created: 0,
        };
        let mut rules = Rules::new("v2", Api::V2, Policy::of(Accepts::RekorV2));
        change(&mut rules);
        let log = open_as(&store, core, record, rules, Vec::new(), metrics.clone()).await;
        let log = Arc::new(log);
        let (host, public_url, path_prefix) = (None, None, String::new());
        let door = Door { host, path_prefix, public_url, log: log.clone() };
        let shards = vec![ShardKey { tree_id: TREE, spki }];
        let server = TestLog::behind(Sites::new(vec![door]), store, metrics, shards, set).await;
        Self { server, log }
    }

    async fn post(&self, body: impl AsRef<[u8]>) -> Answer {
        self.server.send("POST", ENTRIES, &[], body.as_ref()).await
    }
}

/// An error, byte for byte.
#[track_caller]
fn is_error(answer: &Answer, status: u16, code: u8, message: &str) {
    let message = serde_json::to_string(message).unwrap();
    let body = format!(r#"{{"code":{code},"message":{message},"details":[]}}"#);
    assert_eq!((answer.status, answer.body.as_str()), (status, body.as_str()), "{}", answer.head);
    assert_eq!(answer.header("Content-Type"), Some("application/json"), "{answer:?}");
}

/// Checks an answer with an entry, and that its text is exactly what these values make.
fn verify(answer: &Answer, spki: &[u8], kind: &str) -> Value {
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(answer.header("Content-Type"), Some("application/json"));
    let entry = answer.json();
    let proof = &entry["inclusionProof"];
    let expected = format!(
        r#"{{"logIndex":{},"logId":{{"keyId":{}}},"kindVersion":{{"kind":"{kind}","version":"0.0.2"}},"integratedTime":"0","inclusionPromise":null,"inclusionProof":{{"logIndex":{},"rootHash":{},"treeSize":{},"hashes":{},"checkpoint":{{"envelope":{}}}}},"canonicalizedBody":{}}}"#,
        entry["logIndex"],
        entry["logId"]["keyId"],
        entry["logIndex"],
        proof["rootHash"],
        proof["treeSize"],
        proof["hashes"],
        proof["checkpoint"]["envelope"],
        entry["canonicalizedBody"]
    );
    assert_eq!(answer.body, expected);

    let bytes = |value: &Value| STANDARD.decode(value.as_str().unwrap()).unwrap();
    let number = |value: &Value| value.as_str().unwrap().parse::<u64>().unwrap();
    // C2SP signed-note: name, newline, the type of Ed25519, the key; the first bytes are its hint.
    let named = [HOSTNAME.as_bytes(), b"\n\x01", &spki[spki.len() - 32..]].concat();
    let log_id = tlog::hash::sha256(&named);
    assert_eq!(bytes(&entry["logId"]["keyId"]), log_id);
    let note = proof["checkpoint"]["envelope"].as_str().unwrap();
    let verifier = Verifier::from_spki(spki).unwrap();
    let hint = tlog::KeyId([log_id[0], log_id[1], log_id[2], log_id[3]]);
    let signed = SignedCheckpoint::open(note, HOSTNAME, &verifier, hint).unwrap();
    let head = signed.checkpoint().head;
    assert_eq!(bytes(&proof["rootHash"]), head.root.as_bytes());
    assert_eq!(number(&proof["treeSize"]), head.size.0);
    let hashes = proof["hashes"].as_array().unwrap().iter().map(bytes);
    let hashes = hashes.map(|hash| NodeHash::from_bytes(hash.try_into().unwrap())).collect();
    let index = LogIndex(number(&entry["logIndex"]));
    let proof = InclusionProof { index, size: TreeSize(head.size.0), hashes };
    proof.verify(&hash_leaf(&bytes(&entry["canonicalizedBody"])), &head.root).unwrap();
    entry
}

/// The leaf of a request that was written by [`Proposals`].
fn leaf_of(request: &str) -> String {
    let request: Value = serde_json::from_str(request).unwrap();
    let request = &request["hashedRekordRequestV002"];
    let body = json!({"apiVersion": "0.0.2", "kind": "hashedrekord", "spec": {"hashedRekordV002": {
        "data": {"algorithm": "SHA2_256", "digest": request["digest"]},
        "signature": request["signature"]}}});
    serde_json_canonicalizer::to_string(&body).unwrap()
}

#[tokio::test]
async fn created() {
    let log = V2::start().await;
    let spki = &log.server.active().spki;
    let mut proposals = Proposals::new();
    for index in 0..5 {
        let request = proposals.next_v2_json();
        let entry = verify(&log.post(&request).await, spki, "hashedrekord");
        assert_eq!(entry["logIndex"], index.to_string());
        let body = STANDARD.decode(entry["canonicalizedBody"].as_str().unwrap()).unwrap();
        assert_eq!(String::from_utf8(body).unwrap(), leaf_of(&request));
    }
    let entry = verify(&log.post(proposals.dsse_v2_json(b"payload")).await, spki, "dsse");
    assert_eq!(entry["logIndex"], "5");
    // A large one is judged elsewhere.
    let large = proposals.dsse_v2_json(&vec![7; 1 << 20]);
    verify(&log.post(large).await, spki, "dsse");
    let metrics = log.server.metrics.render();
    for line in [
        "rekor_v2_new_hashedrekord_entries 5",
        "rekor_v2_new_dsse_entries 2",
        r#"rekor_qps_by_api{code="201",method="POST",path="/api/v2/log/entries"} 7"#,
    ] {
        assert!(metrics.contains(line), "{line}");
    }
}

#[tokio::test]
async fn types_and_what_follows_do_not_matter() {
    let log = V2::start().await;
    let mut proposals = Proposals::new();
    for header in [
        "Content-Type: application/json",
        "Content-Type: text/plain",
        "Content-Type: ;;",
        "Accept: application/xml",
        "X-Nothing: 1",
    ] {
        let request = format!("\n {} and more", proposals.next_v2_json());
        let answer = log.server.send("POST", ENTRIES, &[header], request.as_bytes()).await;
        verify(&answer, &log.server.active().spki, "hashedrekord");
    }
    let odd =
        proposals.next_v2_json().replace("hashedRekordRequestV002", "hashed_rekord_request_v002");
    let odd = odd.replace("\"PKIX_ECDSA_P256_SHA_256\"", "5").replace('/', "_").replace('+', "-");
    let answer = log.post(odd.replace('=', "")).await;
    verify(&answer, &log.server.active().spki, "hashedrekord");
}

#[tokio::test]
async fn refused() {
    let log = V2::start().await;
    let mut proposals = Proposals::new();
    let no_type = "invalid type, must be hashedrekord";
    for body in ["", " \n", "{}", "{} x", r#"{"dsseRequestV002":null}"#] {
        is_error(&log.post(body).await, 400, 3, no_type);
    }
    for (body, message) in [
        (r#"{"foo":1}"#, "proto: (line 1:2): unknown field \"foo\""),
        (r#"{"hashedRekordRequestV002":{}}"#, "invalid hashedrekord request"),
        (r#"{"dsseRequestV002":{}}"#, "invalid dsse request"),
        ("{", "unexpected EOF"),
    ] {
        is_error(&log.post(body).await, 400, 3, message);
    }
    let mut forged: Value = serde_json::from_str(&proposals.next_v2_json()).unwrap();
    forged["hashedRekordRequestV002"]["digest"] = STANDARD.encode([1; 32]).into();
    is_error(&log.post(forged.to_string()).await, 400, 3, "invalid hashedrekord request");
    assert_eq!(log.log.health().head.size.0, 0);

    let no_dsse = V2::with(|rules| rules.policy.legacy_dsse = false, |_| {}).await;
    is_error(&no_dsse.post(proposals.dsse_v2_json(b"payload")).await, 400, 3, no_type);
}

#[tokio::test]
async fn large_and_slow_bodies() {
    let small = |settings: &mut FrontendSettings| settings.max_request_body_bytes_v2 = 1000;
    let log = V2::with(|_| {}, small).await;
    let too_large = "http: request body too large";
    let answer = log.post(" ".repeat(1001)).await;
    is_error(&answer, 400, 3, too_large);
    assert_eq!(answer.header("Connection"), Some("close"));
    assert_eq!(log.post(" ".repeat(1000)).await.status, 400);
    let head =
        format!("POST {ENTRIES} HTTP/1.1\r\nHost: log\r\nTransfer-Encoding: chunked\r\n\r\n");
    let chunks = format!("1f4\r\n{}\r\n", " ".repeat(500)).repeat(3);
    let answer = log.server.raw(format!("{head}{chunks}0\r\n\r\n").as_bytes()).await;
    is_error(&answer, 400, 3, too_large);
    // The cap is 4 MiB, and the client that writes all before it reads learns of it.
    let log = V2::start().await;
    is_error(&log.post(" ".repeat((4 << 20) + 1)).await, 400, 3, too_large);
    is_error(&log.post(" ".repeat(4 << 20)).await, 400, 3, "invalid type, must be hashedrekord");

    let soon = Duration::from_millis(100);
    let log = V2::with(|_| {}, |settings| settings.limits.body_read_max = soon).await;
    let mut stream = log.server.connect().await;
    stream.write_all(head.as_bytes()).await.unwrap();
    let answer = read_answer(&mut stream).await.unwrap();
    is_error(&answer, 400, 3, "the request body came too slowly");
}

#[tokio::test]
async fn other_methods_and_paths() {
    let log = V2::start().await;
    for method in ["GET", "PUT", "DELETE", "OPTIONS"] {
        let answer = log.server.send(method, ENTRIES, &[], b"").await;
        is_error(&answer, 501, 12, "Method Not Allowed");
    }
    for path in ["/api/v2/log/entries/", "/api/v2/log", "/api/v2/", "/api/v2/log/entries/x"] {
        is_error(&log.server.get(path).await, 404, 5, "Not Found");
        is_error(&log.server.send("POST", path, &[], b"{}").await, 404, 5, "Not Found");
    }
    let head = log.server.send("HEAD", ENTRIES, &[], b"").await;
    assert_eq!((head.status, head.body.as_str()), (501, ""));
    // Where there is no v2 log, there is no such path.
    let v1 = TestLog::start().await;
    for method in ["POST", "GET"] {
        is_error(&v1.send(method, ENTRIES, &[], b"").await, 404, 5, "Not Found");
    }
}

#[tokio::test]
async fn duplicates() {
    let log = V2::start().await;
    let mut proposals = Proposals::new();
    verify(&log.post(proposals.next_v2_json()).await, &log.server.active().spki, "hashedrekord");
    let request = proposals.next_v2_json();
    let spelled = request.replace("hashedRekordRequestV002", "hashed_rekord_request_v002");
    assert_eq!(log.post(&request).await.status, 201);
    for again in [&request, &spelled] {
        let answer = log.post(again).await;
        let text = "an equivalent entry already exists in the transparency log with index 1";
        is_error(&answer, 409, 6, text);
        assert_eq!(answer.header("X-Log-Index"), Some("1"), "{answer:?}");
    }
    let returning = |rules: &mut Rules| rules.duplicates = Duplicates::ReturnExisting;
    let log = V2::with(returning, |_| {}).await;
    for _ in 0..2 {
        let entry = verify(&log.post(&request).await, &log.server.active().spki, "hashedrekord");
        assert_eq!(entry["logIndex"], "0");
    }
}

#[tokio::test]
async fn a_frozen_log_says_so_in_plain_text() {
    let log = V2::with(|rules| rules.frozen = true, |_| {}).await;
    let answer = log.post(Proposals::new().next_v2_json()).await;
    let text = "This log has been frozen, please switch to the latest log.\n";
    assert_eq!((answer.status, answer.body.as_str()), (405, text));
    assert_eq!(answer.header("Content-Type"), Some("text/plain; charset=utf-8"));
}

#[tokio::test]
async fn quotas() {
    let slow = Limits { per_second: Some(0.1), burst: Some(1.0), entries_max: None };
    let log = V2::with(|rules| rules.quota = Quota::new(slow), |_| {}).await;
    let mut proposals = Proposals::new();
    assert_eq!(log.post(proposals.next_v2_json()).await.status, 201);
    let answer = log.post(proposals.next_v2_json()).await;
    let seconds: u64 = answer.header("Retry-After").unwrap().parse().unwrap();
    assert!((1..=10).contains(&seconds), "{answer:?}");
    let text = "the log's quota of entries a second is used up; try again in";
    is_error(&answer, 429, 8, &format!("{text} {seconds} s"));

    let full = Limits { entries_max: Some(1), ..Limits::default() };
    let log = V2::with(|rules| rules.quota = Quota::new(full), |_| {}).await;
    let only = proposals.next_v2_json();
    assert_eq!(log.post(only.clone()).await.status, 201);
    assert_eq!(log.post(only).await.status, 409, "a known entry is turned away by no quota");
    let answer = log.post(proposals.next_v2_json()).await;
    is_error(&answer, 429, 8, "the log holds 1 entries, which is all that its quota allows");
    assert_eq!(answer.header("Retry-After"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_pushes_back() {
    let log = V2::start().await;
    let mut proposals = Proposals::new();
    let held = log.server.store.hold_commits().await;
    let mut pending = Vec::new();
    loop {
        let request = read_request(proposals.next_v2_json().as_bytes()).unwrap();
        match timeout(Duration::from_millis(500), log.log.queue(request)).await {
            Ok(queued) => pending.push(queued.unwrap()),
            Err(_full) => break,
        }
    }
    let answer = log.post(proposals.next_v2_json()).await;
    is_error(&answer, 503, 14, "reached max pushback; retry");
    assert_eq!(answer.header("Retry-After"), Some("1"));
    drop(held);
    log.log.settle(pending.pop().unwrap()).await.unwrap();
    assert_eq!(log.post(proposals.next_v2_json()).await.status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn more_entries_than_there_is_room_for() {
    let log = Arc::new(V2::with(|rules| rules.in_flight_max = Some(1), |_| {}).await);
    let mut proposals = Proposals::new();
    let held = log.server.store.hold_commits().await;
    let (writer, only) = (log.clone(), proposals.next_v2_json());
    let waiting = tokio::spawn(async move { writer.post(only).await });
    let mut refused = log.post("no request").await;
    for _ in 0..500 {
        if refused.status != 400 {
            break;
        }
        refused = log.post("no request").await;
    }
    is_error(&refused, 503, 14, "reached max pushback; retry");
    assert_eq!(refused.header("Retry-After"), Some("1"));
    drop(held);
    assert_eq!(waiting.await.unwrap().status, 201);
    assert_eq!(log.post("no request").await.status, 400);
}

#[tokio::test]
async fn a_store_that_fails() {
    let log = V2::start().await;
    let mut proposals = Proposals::new();
    log.server.store.fail_write_at(log.server.store.steps(), Fate::Lost);
    for _ in 0..2 {
        let answer = log.post(proposals.next_v2_json()).await;
        is_error(&answer, 500, 2, "failed to integrate entry");
    }
}

#[tokio::test]
async fn a_client_that_leaves_is_counted_as_gone_and_its_entry_stays() {
    let log = V2::start().await;
    let request = Proposals::new().next_v2_json();
    let held = log.server.store.hold_commits().await;
    let mut stream = log.server.connect().await;
    let head = format!(
        "POST {ENTRIES} HTTP/1.1\r\nHost: log\r\nContent-Length: {}\r\n\r\n",
        request.len()
    );
    stream.write_all(format!("{head}{request}").as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    drop(stream);
    let gone = r#"rekor_qps_by_api{code="499",method="POST",path="/api/v2/log/entries"} 1"#;
    let counted = timeout(Duration::from_secs(5), async {
        while !log.server.metrics.render().contains(gone) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    counted.await.unwrap();
    drop(held);
    assert_eq!(log.post(&request).await.status, 409);
}
