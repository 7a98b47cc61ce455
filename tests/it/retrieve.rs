//! §8.2: several entries at once.

use serde_json::{Value, json};

use crate::fixture::{RETRIEVE, TestLog};
use crate::support::Proposals;

struct Filled {
    log: TestLog,
    proposals: Vec<Value>,
    ids: Vec<String>,
}

async fn filled() -> Filled {
    let log = TestLog::start().await;
    let mut made = Proposals::new();
    let (mut proposals, mut ids) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        let proposal = made.next_json();
        ids.push(log.create(&proposal).await);
        proposals.push(serde_json::from_str(&proposal).unwrap());
    }
    Filled { log, proposals, ids }
}

impl Filled {
    async fn found(&self, query: Value) -> Vec<String> {
        let answer = self.log.post(RETRIEVE, &query.to_string()).await;
        assert_eq!(answer.status, 200, "{query} {answer:?}");
        assert!(answer.body.ends_with("]\n") && answer.header("Cache-Control").is_none());
        let Value::Array(list) = answer.json() else { panic!("{answer:?}") };
        list.iter().map(|entry| entry.as_object().unwrap().keys().next().unwrap().clone()).collect()
    }
}

#[tokio::test]
async fn an_empty_log_and_an_empty_query() {
    let log = TestLog::start().await;
    for query in [r#"{"logIndexes":[0]}"#, "{}", "null", r#"{"entries":[]}"#, r#"{"entries":null}"#]
    {
        let answer = log.post(RETRIEVE, query).await;
        assert_eq!((answer.status, answer.body.as_str()), (200, "[]\n"), "{query}");
    }
}

#[tokio::test]
async fn every_way_to_ask_and_their_order() {
    let filled = filled().await;
    let (ids, proposals) = (&filled.ids, &filled.proposals);
    let leaf = |n: usize| ids[n][16..].to_owned();
    let unknown = "f".repeat(64);
    for (query, expected) in [
        (json!({"logIndexes": [0]}), vec![0]),
        (json!({"logIndexes": [2, 0, 2]}), vec![2, 0, 2]),
        (json!({"logIndexes": [7, 1]}), vec![1]),
        (json!({"entryUUIDs": [ids[1], ids[0].to_uppercase()]}), vec![1, 0]),
        (json!({"entryUUIDs": [leaf(1), unknown, ids[2]]}), vec![2, 1]),
        (json!({"entryUUIDs": [format!("{:016x}{}", 77, leaf(0))]}), vec![]),
        (json!({"entries": [proposals[2], proposals[0]]}), vec![2, 0]),
        (
            json!({"logIndexes": [0], "entries": [proposals[1]], "entryUUIDs": [leaf(2), ids[0]]}),
            vec![0, 2, 1, 0],
        ),
        (json!({"LOGINDEXES": [1], "entryUUIDs": null}), vec![1]),
    ] {
        let expected: Vec<String> = expected.into_iter().map(|n: usize| ids[n].clone()).collect();
        assert_eq!(filled.found(query.clone()).await, expected, "{query}");
    }
}

#[tokio::test]
async fn one_entry_is_what_get_gives() {
    let filled = filled().await;
    let answer = filled.log.post(RETRIEVE, r#"{"logIndexes":[1]}"#).await;
    let one = filled.log.get("/api/v1/log/entries?logIndex=1").await;
    let strip = |mut value: Value| {
        let entry = value.as_object_mut().unwrap().values_mut().next().unwrap();
        entry["verification"]["signedEntryTimestamp"].take(); // differs with each signature
        value
    };
    assert_eq!(strip(answer.json()[0].clone()), strip(one.json()));
    assert!(answer.body.starts_with("[{\"") && answer.body.ends_with("\"}}}]\n"), "{answer:?}");
}

#[tokio::test]
async fn queries_that_are_refused() {
    let filled = filled().await;
    let (log, good) = (&filled.log, &filled.proposals[0]);
    let id_pattern = "should match '^([0-9a-fA-F]{64}|[0-9a-fA-F]{80})$'";
    let id0 = format!("entryUUIDs.0 in body {id_pattern}");
    let without = |member: &str| {
        let mut proposal = good.clone();
        proposal.as_object_mut().unwrap().remove(member);
        json!({"entries": [good, proposal]})
    };
    for (query, code, text) in [
        (
            json!({"logIndexes": vec![0; 11]}),
            611,
            "logIndexes in body should have at most 10 items",
        ),
        (json!({"entries": vec![good; 11]}), 611, "entries in body should have at most 10 items"),
        (json!({"logIndexes": []}), 612, "logIndexes in body should have at least 1 items"),
        (json!({"entryUUIDs": []}), 612, "entryUUIDs in body should have at least 1 items"),
        (json!({"entryUUIDs": ["abc"]}), 605, &id0),
        (
            json!({"logIndexes": [-1]}),
            609,
            "logIndexes.0 in body should be greater than or equal to 0",
        ),
        (without("spec"), 602, "entries.1.spec in body is required"),
        (without("apiVersion"), 602, "entries.1.apiVersion in body is required"),
    ] {
        log.post(RETRIEVE, &query.to_string()).await.is_router_error(422, code, text);
    }
    log.post(RETRIEVE, " ").await.is_router_error(422, 602, "entry in body is required");
    let sum = json!({"logIndexes": vec![0; 6], "entryUUIDs": vec![&filled.ids[0]; 5]});
    let answer = log.post(RETRIEVE, &sum.to_string()).await;
    answer.is_error(422, "more than max allowed 10 entries in request");
    for tree in ["ffffffffffffffff", "0000000000000000"] {
        let id = format!("{tree}{}", &filled.ids[0][16..]);
        let answer = log.post(RETRIEVE, &json!({"entryUUIDs": [id]}).to_string()).await;
        answer.is_error(400, &format!("invalid entryID {id}"));
    }
    for (query, why) in [
        (r#"{"entries":[{"kind":"foo"}]}"#, "invalid kind value: \"foo\""),
        (r#"{"entries":[{}]}"#, "kind in body is required"),
        ("{", "unexpected EOF"),
    ] {
        let text = format!("parsing entry body from \"\" failed, because {why}");
        log.post(RETRIEVE, query).await.is_router_error(400, 400, &text);
    }
}

#[tokio::test]
async fn proposals_are_verified_first() {
    let filled = filled().await;
    let mut bad = filled.proposals[0].clone();
    bad["spec"]["data"]["hash"]["value"] = json!("00".repeat(32));
    let answer = filled.log.post(RETRIEVE, &json!({"entries": [bad]}).to_string()).await;
    assert_eq!(answer.status, 400);
    let text = answer.json()["message"].as_str().unwrap().to_owned();
    assert!(text.starts_with("verifying signature: "), "{text}");
}
