//! A proposed entry: `{"kind", "apiVersion", "spec"}`, read as Rekor v1 reads it.
//!
//! Only the first JSON value of the text counts, the last of several equal members wins, and the
//! names of these three members match in any case. What the spec says is judged by its kind.

use std::fmt;

use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use super::json::{is_member, member};

/// The pattern that `apiVersion` must match, as it is shown to clients (Semantic Versioning 2.0.0).
pub const API_VERSION_PATTERN: &str = concat!(
    r"^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)",
    r"(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)",
    r"(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?",
    r"(?:\+([0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*))?$",
);

/// The kinds of entries that Rekor v1 knows, in alphabetical order.
pub const KINDS: [&str; 11] = [
    "alpine",
    "cose",
    "dsse",
    "hashedrekord",
    "helm",
    "intoto",
    "jar",
    "rekord",
    "rfc3161",
    "rpm",
    "tuf",
];

/// A kind that parses, whatever else is there, and that nothing can be made of.
const BASE_KIND: &str = "ProposedEntry";

/// An entry as a client proposes it: of a known kind, with a version and a spec, not judged yet.
#[derive(Clone, Debug)]
pub struct Proposal {
    kind: String,
    api_version: String,
    spec: Value,
    text_bytes: usize,
}

/// The same kind, version and spec; how they were written does not matter.
impl PartialEq for Proposal {
    fn eq(&self, other: &Self) -> bool {
        (&self.kind, &self.api_version, &self.spec)
            == (&other.kind, &other.api_version, &other.spec)
    }
}

/// Why bytes are not a proposal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// There is nothing but white space.
    #[error("proposedEntry in body is required")]
    Empty,
    /// Not JSON, or a member of the wrong type; with the decoder's words.
    #[error("{0}")]
    Malformed(String),
    /// This member is missing.
    #[error("{0} in body is required")]
    Required(&'static str),
    /// `apiVersion` is not a semantic version.
    #[error("apiVersion in body should match '{API_VERSION_PATTERN}'")]
    WrongPattern,
    /// No such kind.
    #[error("invalid kind value: {0:?}")]
    UnknownKind(String),
}

impl Proposal {
    /// Reads the first JSON value of `body`; what follows it is ignored.
    ///
    /// # Errors
    /// See [`ParseError`]; the order of the checks is Rekor's.
    pub fn from_json(body: &[u8]) -> Result<Self, ParseError> {
        if body.iter().all(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')) {
            return Err(ParseError::Empty);
        }
        let mut deserializer = serde_json::Deserializer::from_slice(body);
        let members = deserializer.deserialize_any(MembersVisitor).map_err(|error| {
            ParseError::Malformed(match error.classify() {
                serde_json::error::Category::Eof => "unexpected EOF".to_owned(),
                _ => error.to_string(),
            })
        })?;
        Ok(Self { text_bytes: body.len(), ..members.into_proposal()? })
    }

    /// Takes a JSON value that was read before, for example one element of a list.
    ///
    /// # Errors
    /// See [`ParseError`].
    pub fn from_value(value: Value) -> Result<Self, ParseError> {
        let mut map = match value {
            Value::Null => return Err(ParseError::Required("kind")),
            Value::Object(map) => map,
            _ => return Err(ParseError::Malformed("a proposed entry must be an object".into())),
        };
        let text = |name: &'static str| match member(&map, name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(ParseError::Malformed(format!("{name} must be a string"))),
        };
        let (kind, api_version) = (text("kind")?, text("apiVersion")?);
        let spec_name = map.keys().find(|name| *name == "spec").or_else(|| {
            let mut names = map.keys();
            names.find(|name| is_member(name, "spec"))
        });
        let spec = spec_name.cloned().and_then(|name| map.remove(&name)).unwrap_or_default();
        Members { kind, api_version, spec }.into_proposal()
    }

    /// Length of the JSON text in bytes; 0 when it was read as a part of something else.
    pub fn text_bytes(&self) -> usize {
        self.text_bytes
    }

    /// The kind, for example `hashedrekord`.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The version of the kind, for example `0.0.1`.
    pub fn api_version(&self) -> &str {
        &self.api_version
    }

    /// What the client says, to be judged by the kind.
    pub(crate) fn spec(&self) -> &Value {
        &self.spec
    }
}

#[derive(Default)]
struct Members {
    kind: Option<String>,
    api_version: Option<String>,
    spec: Value,
}

impl Members {
    fn into_proposal(self) -> Result<Proposal, ParseError> {
        let kind = self.kind.filter(|kind| !kind.is_empty()).ok_or(ParseError::Required("kind"))?;
        if kind == BASE_KIND {
            return Ok(Proposal {
                kind,
                api_version: String::new(),
                spec: Value::Null,
                text_bytes: 0,
            });
        }
        if !KINDS.contains(&kind.as_str()) {
            return Err(ParseError::UnknownKind(kind));
        }
        let api_version = self.api_version.ok_or(ParseError::Required("apiVersion"))?;
        if !is_semantic_version(&api_version) {
            return Err(ParseError::WrongPattern);
        }
        if self.spec.is_null() {
            return Err(ParseError::Required("spec"));
        }
        Ok(Proposal { kind, api_version, spec: self.spec, text_bytes: 0 })
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a proposed entry")
    }

    fn visit_unit<E>(self) -> Result<Members, E> {
        Ok(Members::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Members, A::Error> {
        let mut members = Members::default();
        while let Some(name) = access.next_key::<std::borrow::Cow<'_, str>>()? {
            if is_member(&name, "kind") {
                // `null` leaves an earlier value as it is, as in Rekor.
                members.kind = access.next_value::<Option<String>>()?.or(members.kind);
            } else if is_member(&name, "apiVersion") {
                members.api_version = access.next_value()?;
            } else if is_member(&name, "spec") {
                members.spec = access.next_value()?;
            } else {
                access.next_value::<IgnoredAny>()?;
            }
        }
        Ok(members)
    }
}

/// Semantic Versioning 2.0.0, as in [`API_VERSION_PATTERN`].
fn is_semantic_version(version: &str) -> bool {
    let is_word = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let is_number = |text: &str| {
        !text.is_empty()
            && text.bytes().all(|byte| byte.is_ascii_digit())
            && (text == "0" || !text.starts_with('0'))
    };
    let is_label = |text: &str| {
        is_word(text) && (is_number(text) || !text.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let (version, build) = split(version, '+');
    let (numbers, prerelease) = split(version, '-');
    numbers.split('.').count() == 3
        && numbers.split('.').all(is_number)
        && prerelease.is_none_or(|labels| labels.split('.').all(is_label))
        && build.is_none_or(|words| words.split('.').all(is_word))
}

fn split(text: &str, at: char) -> (&str, Option<&str>) {
    text.split_once(at).map_or((text, None), |(before, after)| (before, Some(after)))
}

#[cfg(test)]
mod tests;
