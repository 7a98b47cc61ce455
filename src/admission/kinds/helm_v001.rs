//! helm 0.0.1: the provenance file of a chart, which is a clear-signed message, and an OpenPGP key.
//!
//! Logged are the chart's hash as the provenance names it, unchecked (the chart is never seen), the
//! signature, and the canonical key. The stored form cannot be made again from itself: the message
//! is missing. With several files the first counts, where Rekor takes any.

use saphyr::{LoadableYamlNode as _, Mapping, Yaml};
use serde::Serialize;

use super::super::pki::pgp::cleartext::Cleartext;
use super::super::pki::pgp::{Detached, Ring};
use super::super::schema::{self, HashMembers, Members, check_required, finish, within};
use super::super::{Rejection, base64, canonical, index_keys};
use super::{Canonical, Context, Entry, KindVersion};
use crate::limits::{HELM_FILES_BYTES_MAX, YAML_COLLECTIONS_MAX};

pub(super) const KIND: KindVersion = KindVersion { kind: "helm", version: "0.0.1", decode };

struct Helm {
    public_key: Vec<u8>,
    provenance: Vec<u8>,
}

fn decode(spec: &Members) -> Result<Box<dyn Entry + '_>, Rejection> {
    let key = schema::object(spec, "publicKey");
    let key_bytes = bytes(key, "publicKey content")?;
    let chart = schema::object(spec, "chart");
    let hash = chart.and_then(|chart| HashMembers::read(chart, "hash"));
    let provenance = chart.and_then(|chart| schema::object(chart, "provenance"));
    let signature = provenance.and_then(|provenance| schema::object(provenance, "signature"));
    let signature_bytes = bytes(signature, "provenance signature content")?;
    let content = bytes(provenance, "provenance content")?;

    finish([
        check_required("chart", chart).and_then(|()| {
            let hash = hash.map_or(Ok(()), |hash| hash.check("chart.hash", &["sha256"]));
            let path = "chart.provenance.signature.content";
            let signed =
                signature.map_or(Ok(()), |_| check_required(path, signature_bytes.as_ref()));
            let checked = within("chart.hash", hash)
                .and_then(|()| check_required("chart.provenance", provenance))
                .and_then(|()| {
                    within("chart.provenance", within("chart.provenance.signature", signed))
                });
            within("chart", checked)
        }),
        check_required("publicKey", key).and_then(|()| {
            within("publicKey", check_required("publicKey.content", key_bytes.as_ref()))
        }),
    ])?;

    let public_key = key_bytes.unwrap_or_default();
    if public_key.is_empty() {
        return Err(Rejection::input("'content' must be specified for publicKey"));
    }
    let provenance = content.unwrap_or_default();
    if signature_bytes.is_none() && provenance.is_empty() {
        return Err(Rejection::input("'content' must be specified for provenance"));
    }
    Ok(Box::new(Helm { public_key, provenance }))
}

fn bytes(parent: Option<&Members>, what: &str) -> Result<Option<Vec<u8>>, Rejection> {
    parent.and_then(|parent| schema::bytes(parent, "content", what).transpose()).transpose()
}

impl Entry for Helm {
    fn check_insertable(&self) -> Result<(), &'static str> {
        if self.provenance.is_empty() { Err("missing provenance content") } else { Ok(()) }
    }

    fn canonicalise(self: Box<Self>, _: &Context<'_>) -> Result<Canonical, Rejection> {
        let ring = Ring::read(&self.public_key).map_err(Rejection::Input)?;
        if self.provenance.is_empty() {
            return Err(Rejection::input("provenance file contains no content"));
        }
        let message = Cleartext::read(&self.provenance)
            .ok_or_else(|| Rejection::input("unable to decode provenance file"))?;
        let files = read_files(&message.plaintext).map_err(|fault| {
            Rejection::Input(format!("error occurred parsing message block: {fault}"))
        })?;
        let signature = message
            .signature
            .into_body()
            .map_err(|error| Rejection::Input(format!("unable to read PGP signature: {error}")))?;
        let signature = Detached::read(&signature).map_err(Rejection::Input)?;
        signature.verify(&message.signed, &ring).map_err(Rejection::Input)?;
        let hash = files.chart_hash().map_err(Rejection::input)?;

        let key = ring.into_canonical();
        let mut index_keys = vec![index_keys::sha256_hex(&key.value)];
        index_keys.extend(key.subjects);
        index_keys.push(hash.index_key());
        let signature = Content { content: base64::encode(&signature.into_canonical()) };
        let spec = Spec {
            chart: Chart { hash, provenance: Provenance { signature } },
            public_key: Content { content: base64::encode(&key.value) },
        };
        let body = canonical::body(KIND.kind, KIND.version, &spec)?;
        Ok(Canonical { body, index_keys, attestation: None })
    }
}

/// What the message's second part says under `files`.
enum Files {
    Absent,
    Empty,
    /// The first value, if it is text.
    First(Option<String>),
}

/// The message is the chart's metadata, a line of three dots, and the sums.
fn read_files(message: &[u8]) -> Result<Files, String> {
    let separator: &[u8] = b"\n...\n";
    let find = |text: &[u8]| text.windows(separator.len()).position(|part| part == separator);
    let start = find(message).ok_or("message block must have at least two parts")?;
    let sums = message.get(start + separator.len()..).unwrap_or_default();
    let sums = sums.get(..find(sums).unwrap_or(sums.len())).unwrap_or_default();
    read_sums(sums).map_err(|fault| format!("error occurred parsing SumCollection: {fault}"))
}

fn read_sums(text: &[u8]) -> Result<Files, String> {
    if text.len() > HELM_FILES_BYTES_MAX {
        return Err(format!("more than {HELM_FILES_BYTES_MAX} bytes"));
    }
    let text = str::from_utf8(text).map_err(|error| error.to_string())?;
    if !text.chars().all(is_printable) {
        return Err("control characters are not allowed".into());
    }
    // The tree is taken down level by level of its depth, so that may not be any.
    let opens = |pair: &[u8]| matches!(pair, [b'[' | b'{', _] | [b'-' | b'?', b' ' | b'\t']);
    if text.as_bytes().windows(2).filter(|pair| opens(pair)).count() > YAML_COLLECTIONS_MAX {
        return Err(format!("more than {YAML_COLLECTIONS_MAX} collections"));
    }
    let documents = Yaml::load_from_str(text).map_err(|error| error.to_string())?;
    let Some(sums) = documents.first().filter(|sums| !sums.is_null()) else {
        return Ok(Files::Absent);
    };
    let sums = sums.as_mapping().ok_or("it is no mapping")?;
    for name in ["files", "images"] {
        let texts = member(sums, name).is_none_or(|values| {
            values.is_null() || values.as_mapping().is_some_and(|all| all.values().all(is_scalar))
        });
        if !texts {
            return Err(format!("{name} is no mapping of texts"));
        }
    }
    Ok(match member(sums, "files").and_then(Yaml::as_mapping) {
        None => Files::Absent,
        Some(files) => match files.values().next() {
            None => Files::Empty,
            Some(first) => Files::First(first.as_str().map(str::to_owned)),
        },
    })
}

/// By its name, or else by its name in other letters.
fn member<'a, 'y>(sums: &'a Mapping<'y>, name: &str) -> Option<&'a Yaml<'y>> {
    let named = |same: fn(&str, &str) -> bool| {
        let mut members = sums.iter();
        members.find(|(key, _)| key.as_str().is_some_and(|key| same(key, name)))
    };
    let found = named(|key, name| key == name).or_else(|| named(str::eq_ignore_ascii_case));
    found.map(|(_, value)| value)
}

/// The characters that YAML may consist of (YAML 1.1 §5.1).
fn is_printable(c: char) -> bool {
    matches!(c, '\t' | '\n' | '\r' | ' '..='~' | '\u{85}' | '\u{a0}'..='\u{fffd}' | '\u{10000}'..)
}

fn is_scalar(value: &Yaml<'_>) -> bool {
    value.as_mapping().is_none() && value.as_sequence().is_none()
}

impl Files {
    fn chart_hash(self) -> Result<canonical::Hash<'static>, &'static str> {
        let first = match self {
            Self::Absent => return Err("unable to locate chart hash"),
            Self::Empty => return Err("no checksums found"),
            Self::First(first) => first.unwrap_or_default(),
        };
        match first.split(':').collect::<Vec<_>>().as_slice() {
            [algorithm, value] => Ok(canonical::Hash {
                algorithm: (*algorithm).to_owned().into(),
                value: (*value).to_owned().into(),
            }),
            _ => Err("invalid hash found in Provenance file"),
        }
    }
}

#[derive(Serialize)]
struct Spec {
    chart: Chart,
    #[serde(rename = "publicKey")]
    public_key: Content,
}

#[derive(Serialize)]
struct Chart {
    hash: canonical::Hash<'static>,
    provenance: Provenance,
}

#[derive(Serialize)]
struct Provenance {
    signature: Content,
}

#[derive(Serialize)]
struct Content {
    content: String,
}
