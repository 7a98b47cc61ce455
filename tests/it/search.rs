//! §8.1: the search index.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::fixture::{INDEX, TestLog};
use crate::support::Proposals;

struct Indexed {
    log: TestLog,
    ids: Vec<String>,
    proposals: Vec<Value>,
}

/// Two entries under one key, one under another, and a dsse entry under the first.
async fn indexed() -> Indexed {
    let log = TestLog::start().await;
    let (mut one, mut other) = (Proposals::new(), Proposals::new());
    one.next_json(); // so that no two artifacts are the same
    one.next_json();
    let made = [one.next_json(), one.next_json(), other.next_json(), one.dsse_json(b"{}")];
    let (mut ids, mut proposals) = (Vec::new(), Vec::new());
    for proposal in made {
        ids.push(log.create(&proposal).await);
        proposals.push(serde_json::from_str(&proposal).unwrap());
    }
    Indexed { log, ids, proposals }
}

impl Indexed {
    async fn found(&self, query: &Value) -> BTreeSet<usize> {
        let answer = self.log.post(INDEX, &query.to_string()).await;
        assert_eq!(answer.status, 200, "{query} {answer:?}");
        assert!(answer.body.starts_with('[') && answer.body.ends_with("]\n"));
        let ids: Vec<String> = serde_json::from_str(&answer.body).unwrap();
        let places: BTreeSet<usize> =
            ids.iter().map(|id| self.ids.iter().position(|known| known == id).unwrap()).collect();
        assert_eq!(places.len(), ids.len(), "each once");
        places
    }

    fn hash(&self, n: usize) -> String {
        self.proposals[n]["spec"]["data"]["hash"]["value"].as_str().unwrap().into()
    }

    fn key(&self, n: usize) -> Value {
        let content = &self.proposals[n]["spec"]["signature"]["publicKey"]["content"];
        json!({"format": "x509", "content": content})
    }
}

#[tokio::test]
async fn keys_and_operators() {
    let log = indexed().await;
    let (zero, two) = (log.hash(0), log.hash(2));
    for (query, expected) in [
        (json!({}), vec![]),
        (json!({"hash": zero}), vec![0]),
        (json!({"hash": format!("sha256:{}", zero.to_uppercase())}), vec![0]),
        (json!({"hash": "0".repeat(64)}), vec![]),
        (json!({"hash": "0".repeat(96)}), vec![]),
        (json!({"subject": format!("SHA256:{zero}")}), vec![0]),
        // intoto and dsse entries spell a key's hash in their own way; all are found (F7).
        (json!({"publicKey": log.key(0)}), vec![0, 1, 3]),
        (json!({"publicKey": log.key(2)}), vec![2]),
        (json!({"hash": two, "publicKey": log.key(0)}), vec![0, 1, 2, 3]),
        (json!({"hash": zero, "publicKey": log.key(0), "operator": "or"}), vec![0, 1, 3]),
        (json!({"hash": zero, "publicKey": log.key(0), "operator": "and"}), vec![0]),
        (json!({"hash": two, "publicKey": log.key(0), "operator": "and"}), vec![]),
        (json!({"email": "nobody@example.com", "hash": zero}), vec![0]),
        (
            json!({"email": null, "hash": zero, "operator": null, "publicKey": null, "subject": ""}),
            vec![0],
        ),
    ] {
        assert_eq!(log.found(&query).await, BTreeSet::from_iter(expected), "{query}");
    }
}

#[tokio::test]
async fn queries_that_are_refused() {
    let log = TestLog::start().await;
    let long = "x".repeat(513);
    let formats = "publicKey.format in body should be one of [pgp x509 minisign ssh tuf]";
    for (query, code, text) in [
        (json!({"email": "x"}), 601, "email in body must be of type email: \"x\""),
        (json!({"operator": "xor"}), 606, "operator in body should be one of [and or]"),
        (json!({"subject": long}), 603, "subject in body should be at most 512 chars long"),
        (json!({"publicKey": {}}), 602, "publicKey.format in body is required"),
        (json!({"publicKey": {"format": "gpg"}}), 606, formats),
    ] {
        log.post(INDEX, &query.to_string()).await.is_router_error(422, code, text);
    }
    let answer = log.post(INDEX, r#"{"hash":"abc"}"#).await;
    assert_eq!((answer.status, &answer.json()["code"]), (422, &json!(605)));
    log.post(INDEX, " ").await.is_router_error(422, 602, "query in body is required");
    let bad_key = json!({"publicKey": {"format": "x509", "content": "AAAA"}});
    let answer = log.post(INDEX, &bad_key.to_string()).await;
    answer.is_error(400, "public key provided could not be parsed");
    for query in ["{", "[]", r#"{"hash":1}"#, r#"{"publicKey":{"format":"x509","content":"!"}}"#] {
        let answer = log.post(INDEX, query).await;
        assert_eq!(answer.status, 400, "{query}");
        let text = answer.json()["message"].as_str().unwrap().to_owned();
        assert!(text.starts_with("parsing query body from \"\" failed, because "), "{text}");
    }
}
