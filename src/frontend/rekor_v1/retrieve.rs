//! `POST /api/v1/log/entries/retrieve`: several entries at once.

use hyper::StatusCode;
use serde_json::Value;
use tlog::LeafHash;

use super::super::body::Body;
use super::super::reply::json;
use super::super::server::Reply;
use super::super::status::{Problem, READ_FAILED};
use super::Call;
use super::entries::{ID_PATTERN, Name};
use super::entry_json::{list, push_entry};
use super::query::check_min;
use super::request_json::Members;
use crate::admission::{ParseError, Proposal, Rejection};
use crate::heavy::heavy;
use crate::log::LoggedEntry;
use crate::shards::VirtualIndex;

/// Entries that one request may ask for.
const ENTRIES_MAX: usize = 10;

/// A request that is well-formed.
struct Wanted {
    names: Vec<String>,
    proposals: Vec<Proposal>,
    indexes: Vec<VirtualIndex>,
}

/// The whole operation. Answers come in this order: full IDs; UUIDs, then proposals; indexes.
pub(super) async fn retrieve(call: &Call<'_>, body: &mut Body) -> Result<Reply, Problem> {
    let wanted = Wanted::parse(&Members::parse(&body.read_json().await?, "entry")?)?;
    let log = call.log;
    let mut found: Vec<LoggedEntry> = Vec::new();
    let mut leaves: Vec<LeafHash> = Vec::new();
    for text in &wanted.names {
        match Name::parse(text) {
            Some(Ok(Name::Id(id))) => {
                let entry = log.entry_by_id(&id).await.map_err(|error| {
                    let text = format!("error getting log entry for {id}");
                    Problem::Failed(text.into(), error.to_string())
                })?;
                found.extend(entry);
            }
            Some(Ok(Name::Uuid(leaf_hash))) => leaves.push(leaf_hash),
            _ => return Err(Problem::Bad(format!("invalid entryID {text}"))),
        }
    }
    leaves.extend(leaf_hashes(call, wanted.proposals).await?);
    for leaf_hash in leaves {
        found.extend(log.entries_by_leaf(leaf_hash).await?);
    }
    for index in wanted.indexes {
        found.extend(log.entry_by_index(index).await?);
    }
    let promised: Result<Vec<_>, _> = found.into_iter().map(|entry| log.promise(entry)).collect();
    Ok(json(StatusCode::OK, list(&promised?, push_entry)))
}

/// The leaf hashes that the proposals would have. Signatures are verified for it, so this is no
/// work for the threads that serve connections.
async fn leaf_hashes(call: &Call<'_>, proposals: Vec<Proposal>) -> Result<Vec<LeafHash>, Problem> {
    if proposals.is_empty() {
        return Ok(Vec::new());
    }
    let log = call.log.clone();
    let hashes = heavy(move || {
        proposals.iter().map(|proposal| log.leaf_hash_of(proposal)).collect::<Result<_, _>>()
    });
    match hashes.await {
        Ok(Ok(hashes)) => Ok(hashes),
        Ok(Err(Rejection::Internal(detail))) => Err(Problem::Failed(READ_FAILED.into(), detail)),
        Ok(Err(why)) => Err(Problem::Bad(why.to_string())),
        Err(panicked) => Err(Problem::Failed(READ_FAILED.into(), panicked.to_string())),
    }
}

impl Wanted {
    /// The checks in Rekor's order: what cannot be read, then each list, then the sum.
    fn parse(members: &Members) -> Result<Self, Problem> {
        let names = members.list("entryUUIDs")?.map(|list| texts(members, list)).transpose()?;
        let indexes = members.list("logIndexes")?.map(|list| numbers(members, list)).transpose()?;
        let entries = members.list("entries")?.unwrap_or_default();
        let proposals = proposals(members, entries)?;
        if let Some(names) = &names {
            check_length("entryUUIDs", names.len())?;
            for (n, name) in names.iter().enumerate() {
                if Name::parse(name).is_none() {
                    return Err(Problem::pattern(&format!("entryUUIDs.{n}"), "body", ID_PATTERN));
                }
            }
        }
        if let Some(indexes) = &indexes {
            check_length("logIndexes", indexes.len())?;
            for (n, index) in indexes.iter().enumerate() {
                check_min(&format!("logIndexes.{n}"), "body", *index, 0)?;
            }
        }
        let (names, indexes) = (names.unwrap_or_default(), indexes.unwrap_or_default());
        if names.len() + indexes.len() + proposals.len() > ENTRIES_MAX {
            return Err(Problem::TooManyEntries(ENTRIES_MAX));
        }
        let indexes = indexes.into_iter().map(|index| VirtualIndex(index.unsigned_abs())).collect();
        Ok(Self { names, proposals, indexes })
    }
}

fn check_length(name: &str, length: usize) -> Result<(), Problem> {
    match length {
        0 => Err(Problem::Invalid(612, format!("{name} in body should have at least 1 items"))),
        1..=ENTRIES_MAX => Ok(()),
        _ => {
            let text = format!("{name} in body should have at most {ENTRIES_MAX} items");
            Err(Problem::Invalid(611, text))
        }
    }
}

fn texts(members: &Members, list: &[Value]) -> Result<Vec<String>, Problem> {
    let text = |value: &Value| match value {
        Value::Null => Ok(String::new()),
        Value::String(text) => Ok(text.clone()),
        _ => Err(members.malformed("an element of entryUUIDs is not a string")),
    };
    list.iter().map(text).collect()
}

fn numbers(members: &Members, list: &[Value]) -> Result<Vec<i64>, Problem> {
    let number = |value: &Value| match value {
        Value::Null => Ok(0),
        value => value
            .as_i64()
            .ok_or_else(|| members.malformed("an element of logIndexes is not a 64-bit integer")),
    };
    list.iter().map(number).collect()
}

/// Reads all elements before it judges any: one of an unknown kind makes the body unreadable.
fn proposals(members: &Members, list: &[Value]) -> Result<Vec<Proposal>, Problem> {
    let mut proposals = Vec::new();
    let mut invalid = None;
    for (n, value) in list.iter().enumerate() {
        match Proposal::from_value(value.clone()) {
            Ok(proposal) => proposals.push(proposal),
            Err(
                error @ (ParseError::Required("apiVersion" | "spec") | ParseError::WrongPattern),
            ) => {
                let code = if matches!(error, ParseError::WrongPattern) { 605 } else { 602 };
                invalid.get_or_insert((code, format!("entries.{n}.{error}")));
            }
            Err(error) => return Err(members.malformed(&error.to_string())),
        }
    }
    if list.len() > ENTRIES_MAX {
        check_length("entries", list.len())?;
    }
    match invalid {
        Some((code, text)) => Err(Problem::Invalid(code, text)),
        None => Ok(proposals),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(json: &str) -> Problem {
        let members = Members::parse(json.as_bytes(), "entry");
        match members.and_then(|members| Wanted::parse(&members).map(drop)) {
            Err(problem) => problem,
            Ok(()) => panic!("{json}"),
        }
    }

    #[test]
    fn what_is_wrong_first() {
        let invalid = |json: &str| match problem(json) {
            Problem::Invalid(code, text) => (code, text),
            other => panic!("{other:?}"),
        };
        let eleven = format!("[{}0]", "0,".repeat(10));
        for (json, code, text) in [
            (" \n", 602, "entry in body is required"),
            (r#"{"entryUUIDs":[]}"#, 612, "entryUUIDs in body should have at least 1 items"),
            (r#"{"logIndexes":[]}"#, 612, "logIndexes in body should have at least 1 items"),
            (
                r#"{"logIndexes":[1,-1]}"#,
                609,
                "logIndexes.1 in body should be greater than or equal to 0",
            ),
            (
                r#"{"entries":[{"kind":"tuf","apiVersion":"0.0.1"}]}"#,
                602,
                "entries.0.spec in body is required",
            ),
            (r#"{"entries":[{"kind":"tuf"}]}"#, 602, "entries.0.apiVersion in body is required"),
        ] {
            assert_eq!(invalid(json), (code, text.into()), "{json}");
        }
        let text = "logIndexes in body should have at most 10 items";
        assert_eq!(invalid(&format!(r#"{{"logIndexes":{eleven}}}"#)), (611, text.into()));
        assert_eq!(invalid(r#"{"entryUUIDs":["x"]}"#).0, 605);
    }

    #[test]
    fn what_cannot_be_read() {
        for json in [
            "{",
            "[]",
            "7",
            r#"{"entryUUIDs":"x"}"#,
            r#"{"entryUUIDs":[1]}"#,
            r#"{"logIndexes":[1.5]}"#,
            r#"{"logIndexes":[9223372036854775808]}"#,
            r#"{"entries":{}}"#,
            r#"{"entries":[{}]}"#,
            r#"{"entries":[null]}"#,
            r#"{"entries":[{"kind":"foo"}]}"#,
        ] {
            let Problem::Malformed(text) = problem(json) else { panic!("{json}") };
            assert!(text.starts_with("parsing entry body from \"\" failed, because "), "{text}");
        }
    }

    #[test]
    fn the_sum_counts_too() {
        let six = format!("[{}0]", "0,".repeat(5));
        let ids = format!("[{}]", vec![format!("\"{}\"", "0".repeat(64)); 5].join(","));
        let json = format!(r#"{{"logIndexes":{six},"entryUUIDs":{ids}}}"#);
        assert!(matches!(problem(&json), Problem::TooManyEntries(10)));
    }
}
