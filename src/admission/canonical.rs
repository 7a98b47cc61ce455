//! The canonical body: RFC 8785 (JCS) JSON of `{"apiVersion", "kind", "spec"}`.
//!
//! Bodies hold only objects with fixed ASCII names, lists and strings (alpine brings names of its
//! own, and orders them), so no general canonicaliser is needed: the structs that a kind serialises
//! declare their members in alphabetical order (which is the order of UTF-16 code units), and
//! `serde_json` writes strings just as RFC 8785 §3.2.2.2 asks. Tests hold every body against an
//! independent implementation.

use std::borrow::Cow;

use serde::Serialize;

use super::schema::HashMembers;
use super::{Rejection, index_keys};

#[derive(Serialize)]
struct Body<'a, S> {
    #[serde(rename = "apiVersion")]
    api_version: &'a str,
    kind: &'a str,
    spec: &'a S,
}

/// The bytes of the leaf.
pub(crate) fn body<S: Serialize>(
    kind: &str,
    api_version: &str,
    spec: &S,
) -> Result<Vec<u8>, Rejection> {
    serde_json::to_vec(&Body { api_version, kind, spec })
        .map_err(|error| Rejection::Internal(error.to_string()))
}

/// `{"algorithm", "value"}`, as in every kind.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Hash<'a> {
    pub(crate) algorithm: Cow<'a, str>,
    pub(crate) value: Cow<'a, str>,
}

impl<'a> Hash<'a> {
    /// The SHA-256 of `bytes`.
    pub(crate) fn sha256_of(bytes: &[u8]) -> Self {
        let value = index_keys::sha256_hex(bytes);
        Self { algorithm: Cow::Borrowed("sha256"), value: Cow::Owned(value) }
    }

    /// What the client says; `None` unless both members are there.
    pub(crate) fn claimed(members: HashMembers<'a>) -> Option<Self> {
        let (algorithm, value) = (members.algorithm?, members.value?);
        Some(Self { algorithm: Cow::Borrowed(algorithm), value: Cow::Borrowed(value) })
    }

    /// `algorithm:value`.
    pub(crate) fn index_key(&self) -> String {
        format!("{}:{}", self.algorithm, self.value)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn strings_are_written_as_rfc_8785_asks(value in any::<String>()) {
            let spec = Hash { algorithm: "a".into(), value: value.into() };
            let ours = body("k", "v", &spec).unwrap();
            let parsed: serde_json::Value = serde_json::from_slice(&ours).unwrap();
            prop_assert_eq!(ours, serde_json_canonicalizer::to_vec(&parsed).unwrap());
        }
    }
}
