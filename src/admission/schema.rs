//! Reading a spec's members, and the words for what a schema finds wrong in them.
//!
//! A member of the wrong JSON type counts as absent. Only the first fault below each top-level
//! member is told, and its path gets the name of every level again: clients see Rekor's words.

use serde_json::{Map, Value};

use super::Rejection;
use super::base64;

/// A JSON object.
pub(crate) type Members = Map<String, Value>;

pub(crate) fn object<'a>(members: &'a Members, name: &str) -> Option<&'a Members> {
    members.get(name)?.as_object()
}

pub(crate) fn string<'a>(members: &'a Members, name: &str) -> Option<&'a str> {
    members.get(name)?.as_str()
}

/// Reads base64; the empty string counts as absent. `what` names it in the refusal.
pub(crate) fn bytes(
    members: &Members,
    name: &str,
    what: &str,
) -> Result<Option<Vec<u8>>, Rejection> {
    string(members, name).filter(|text| !text.is_empty()).map(|text| read(text, what)).transpose()
}

/// Reads base64. `what` names it in the refusal.
pub(crate) fn read(text: &str, what: &str) -> Result<Vec<u8>, Rejection> {
    base64::decode(text).map_err(|error| {
        Rejection::Input(format!("failed parsing base64 data for {what}: {error}"))
    })
}

/// `{"algorithm", "value"}`.
#[derive(Clone, Copy)]
pub(crate) struct HashMembers<'a> {
    pub(crate) algorithm: Option<&'a str>,
    pub(crate) value: Option<&'a str>,
}

impl<'a> HashMembers<'a> {
    pub(crate) fn read(members: &'a Members, name: &str) -> Option<Self> {
        let hash = object(members, name)?;
        Some(Self { algorithm: string(hash, "algorithm"), value: string(hash, "value") })
    }

    /// Both are needed; `path` is where the hash stands in the spec.
    pub(crate) fn check(&self, path: &str, allowed: &[&str]) -> Result<(), String> {
        check_enum(&format!("{path}.algorithm"), self.algorithm, allowed)?;
        check_required(&format!("{path}.value"), self.value)
    }
}

pub(crate) fn check_required<T>(path: &str, value: Option<T>) -> Result<(), String> {
    value.map(drop).ok_or_else(|| format!("{path} in body is required"))
}

pub(crate) fn check_enum(path: &str, value: Option<&str>, allowed: &[&str]) -> Result<(), String> {
    check_required(path, value)?;
    match value {
        Some(value) if allowed.contains(&value) => Ok(()),
        _ => Err(format!("{path} in body should be one of [{}]", allowed.join(" "))),
    }
}

pub(crate) fn check_not_empty(path: &str, len: usize) -> Result<(), String> {
    if len > 0 { Ok(()) } else { Err(format!("{path} in body should have at least 1 items")) }
}

/// Puts the name of an enclosing level in front of a fault.
pub(crate) fn within(level: &str, checked: Result<(), String>) -> Result<(), String> {
    checked.map_err(|fault| format!("{level}.{fault}"))
}

/// One refusal for the faults of all top-level members, which come in alphabetical order.
pub(crate) fn finish<const N: usize>(checks: [Result<(), String>; N]) -> Result<(), Rejection> {
    let faults: Vec<String> = checks.into_iter().filter_map(Result::err).collect();
    if faults.is_empty() {
        return Ok(());
    }
    Err(Rejection::Input(format!("validation failure list:\n{}", faults.join("\n"))))
}
