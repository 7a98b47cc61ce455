//! What monitors ask, at random but the same for the same seed: consistency proofs, searches, ten
//! entries at once. Each answer is parsed and held against the question; what proofs prove is
//! checked after the run, between heads that are known (see `history`).

use bytes::Bytes;
use hyper::StatusCode;
use serde_json::{Value, json};

use crate::client::{Answer, CallError, Connection, uri};
use crate::drive::Target;
use crate::fault::Fault;
use crate::plan::ReadBy;
use crate::random::random;
use crate::rekor_v1::reader::Known;
use crate::rekor_v1::wire::{ConsistencyProof, EntryMap};

const PROOF: &str = "/api/v1/log/proof";
const SEARCH: &str = "/api/v1/index/retrieve";
const RETRIEVE: &str = "/api/v1/log/entries/retrieve";
/// As many as a server takes.
const AT_ONCE: u64 = 10;
/// Longest consistency proof of RFC 6962 for a tree of up to 2^63 leaves, and one more.
const PROOF_HASHES_MAX: usize = 64;

/// What can be asked for.
pub struct Questions {
    by: ReadBy,
    seed: u64,
    first_index: u64,
    size: u64,
    tree_id: String,
    /// Entries whose IDs and hashes were learnt before the clock started; not empty.
    known: Vec<Known>,
}

/// One of them.
enum Question<'a> {
    Proof { old: u64 },
    Search(&'a Known),
    Ten(Vec<u64>),
}

impl Questions {
    /// Questions about the `size` entries, at least one, from `first_index` on.
    pub const fn new(
        (by, seed): (ReadBy, u64),
        first_index: u64,
        size: u64,
        tree_id: String,
        known: Vec<Known>,
    ) -> Self {
        Self { by, seed, first_index, size, tree_id, known }
    }

    fn question(&self, number: u64) -> Question<'_> {
        let draw = random(self.seed, number);
        let index = |draw: u64| self.first_index + draw % self.size;
        match self.by {
            ReadBy::Search if !self.known.is_empty() => {
                Question::Search(&self.known[(draw % self.known.len() as u64) as usize])
            }
            ReadBy::Retrieve => {
                Question::Ten((0..AT_ONCE).map(|n| index(random(draw, n))).collect())
            }
            _ => Question::Proof { old: 1 + draw % self.size },
        }
    }
}

impl Target for Questions {
    type Link = Connection;

    async fn call(&self, connection: &mut Connection, number: u64) -> Result<Answer, CallError> {
        let post = |value: Value| Bytes::from(value.to_string());
        match self.question(number) {
            Question::Proof { .. } => connection.get(uri(&self.subject(number)[4..])?).await,
            Question::Search(known) => {
                connection.post(uri(SEARCH)?, post(json!({"hash": known.hash}))).await
            }
            Question::Ten(indices) => {
                connection.post(uri(RETRIEVE)?, post(json!({"logIndexes": indices}))).await
            }
        }
    }

    fn framing(&self, number: u64, answer: &Answer) -> Result<u64, Fault> {
        if answer.status != StatusCode::OK {
            return Err(Fault::Status(answer.status.as_u16()));
        }
        let refuse = |why: &str| Err(Fault::Framing(why.to_owned()));
        let parsing = |error: serde_json::Error| Fault::Framing(error.to_string());
        match self.question(number) {
            Question::Proof { old } => {
                let proof: ConsistencyProof =
                    serde_json::from_slice(&answer.body).map_err(parsing)?;
                let none = old == self.size; // nothing lies between a tree and itself
                if proof.hashes.is_empty() != none || proof.hashes.len() > PROOF_HASHES_MAX {
                    return refuse("a consistency proof of a wrong length");
                }
            }
            Question::Search(known) => {
                let ids: Vec<String> = serde_json::from_slice(&answer.body).map_err(parsing)?;
                if !ids.contains(&known.id) {
                    return refuse("the entry with that hash is not found");
                }
            }
            Question::Ten(indices) => {
                let found: Vec<EntryMap> = serde_json::from_slice(&answer.body).map_err(parsing)?;
                let found = found.iter().flat_map(|entry| entry.values());
                if !found.map(|entry| entry.log_index).eq(indices) {
                    return refuse("other entries than those that were asked for");
                }
            }
        }
        Ok(number)
    }

    fn subject(&self, number: u64) -> String {
        match self.question(number) {
            Question::Proof { old } => {
                let (new, tree) = (self.size, &self.tree_id);
                format!("GET {PROOF}?firstSize={old}&lastSize={new}&treeID={tree}")
            }
            Question::Search(known) => format!("POST {SEARCH} {}", known.hash),
            Question::Ten(indices) => format!("POST {RETRIEVE} {indices:?}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use hyper::HeaderMap;

    use super::*;

    fn questions(by: ReadBy) -> Questions {
        let known = Known { index: 3, id: "ab".into(), hash: "sha256:cd".into() };
        Questions::new((by, 7), 100, 10, "5".into(), vec![known])
    }

    fn judged(by: ReadBy, body: &str) -> Result<u64, Fault> {
        let (status, headers) = (StatusCode::OK, HeaderMap::new());
        questions(by).framing(0, &Answer { status, headers, body: Bytes::from(body.to_owned()) })
    }

    #[test]
    fn wrong_answers_are_faults() {
        assert_eq!(judged(ReadBy::Search, r#"["00","ab"]"#), Ok(0));
        for wrong in ["[]", r#"["cd"]"#, "null", "{}"] {
            assert!(judged(ReadBy::Search, wrong).is_err(), "{wrong}");
        }
        let proof =
            |hashes: usize| format!(r#"{{"hashes":{:?},"rootHash":"00"}}"#, vec!["1"; hashes]);
        assert!(judged(ReadBy::Proof, &proof(1)).is_ok());
        for wrong in [proof(0), proof(65), "[]".to_owned()] {
            assert!(judged(ReadBy::Proof, &wrong).is_err(), "{wrong}");
        }
        for wrong in ["[]", "[{},{},{},{},{},{},{},{},{},{}]"] {
            assert!(judged(ReadBy::Retrieve, wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn questions_stay_within_the_log() {
        for number in 0..100 {
            match questions(ReadBy::Proof).question(number) {
                Question::Proof { old } => assert!((1..=10).contains(&old)),
                _ => unreachable!(),
            }
            match questions(ReadBy::Retrieve).question(number) {
                Question::Ten(ten) => assert!(ten.iter().all(|index| (100..110).contains(index))),
                _ => unreachable!(),
            }
        }
    }
}
