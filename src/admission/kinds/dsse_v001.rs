//! dsse 0.0.1: a DSSE envelope and the keys that verify all of its signatures.
//!
//! Logged are the hashes of the envelope's text and of its payload, and each signature with its
//! key. That stored form is accepted again, but not for insertion, and it is not verified:
//! signatures in the URL-safe alphabet are taken there too, so that what was admitted can be found.

use serde::Serialize;

use super::super::schema::{
    self, HashMembers, Members, check_not_empty, check_required, finish, within,
};
use super::super::{Rejection, base64, canonical, index_keys};
use super::envelope::{Envelope, VerifiedBy};
use super::{Canonical, Context, Entry, KindVersion, statement};

pub(super) const KIND: KindVersion = KindVersion { kind: "dsse", version: "0.0.1", decode };

struct Dsse<'a> {
    envelope_hash: canonical::Hash<'a>,
    payload_hash: canonical::Hash<'a>,
    signatures: Vec<Signature>,
    statement_keys: Vec<String>,
    is_proposal: bool,
}

#[derive(Serialize)]
struct Signature {
    signature: String,
    #[serde(serialize_with = "as_base64")]
    verifier: Vec<u8>,
    #[serde(skip)]
    subjects: Vec<String>,
}

fn as_base64<S: serde::Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&base64::encode(bytes))
}

const BOTH_OR_NEITHER: &str =
    "either proposedContent or envelopeHash, payloadHash, and signatures must be present";

fn decode(spec: &Members) -> Result<Box<dyn Entry + '_>, Rejection> {
    let proposed = schema::object(spec, "proposedContent");
    let envelope = proposed.and_then(|content| schema::string(content, "envelope"));
    let verifiers = proposed.map(read_verifiers).transpose()?.flatten();
    let signatures = read_signatures(spec)?;
    let envelope_hash = HashMembers::read(spec, "envelopeHash");
    let payload_hash = HashMembers::read(spec, "payloadHash");
    finish([
        check_hash("envelopeHash", envelope_hash),
        check_hash("payloadHash", payload_hash),
        proposed.map_or(Ok(()), |_| {
            let verifiers_path = "proposedContent.verifiers";
            let checked = check_required("proposedContent.envelope", envelope)
                .and_then(|()| check_required(verifiers_path, verifiers.as_ref()))
                .and_then(|()| {
                    check_not_empty(verifiers_path, verifiers.as_ref().map_or(0, Vec::len))
                });
            within("proposedContent", checked)
        }),
        signatures.as_ref().map_or(Ok(()), |items| check_signatures(items)),
    ])?;

    let stored_signatures = signatures.filter(|items| !items.is_empty());
    let envelope_hash = envelope_hash.and_then(canonical::Hash::claimed);
    let payload_hash = payload_hash.and_then(canonical::Hash::claimed);
    match (envelope, envelope_hash, payload_hash, stored_signatures) {
        (None, Some(envelope_hash), Some(payload_hash), Some(signatures)) => {
            Ok(Box::new(from_stored(envelope_hash, payload_hash, signatures)))
        }
        (None, ..) => Err(Rejection::input(BOTH_OR_NEITHER)),
        (Some(envelope), None, None, None) => {
            Ok(Box::new(from_proposal(envelope, &verifiers.unwrap_or_default())?))
        }
        (Some(_), ..) => Err(Rejection::Input(format!("{BOTH_OR_NEITHER} but not both"))),
    }
}

fn from_proposal(text: &str, verifiers: &[Vec<u8>]) -> Result<Dsse<'static>, Rejection> {
    let envelope = Envelope::from_json(text)?;
    if envelope.signatures.is_empty() {
        return Err(Rejection::input("DSSE envelope must contain 1 or more signatures"));
    }
    let (payload, verified) = envelope.verify_all(verifiers, true)?;
    let mut signatures: Vec<Signature> = verified.iter().map(Signature::new).collect();
    signatures.sort_by(|a, b| a.signature.cmp(&b.signature));
    Ok(Dsse {
        envelope_hash: canonical::Hash::sha256_of(text.as_bytes()),
        payload_hash: canonical::Hash::sha256_of(&payload),
        signatures,
        statement_keys: statement::index_keys(&envelope.payload_type, &payload),
        is_proposal: true,
    })
}

fn from_stored<'a>(
    envelope_hash: canonical::Hash<'a>,
    payload_hash: canonical::Hash<'a>,
    items: Vec<StoredSignature>,
) -> Dsse<'a> {
    let mut signatures: Vec<Signature> = items
        .into_iter()
        .map(|item| Signature {
            signature: item.signature.unwrap_or_default(),
            verifier: item.verifier.unwrap_or_default(),
            subjects: Vec::new(),
        })
        .collect();
    signatures.sort_by(|a, b| a.signature.cmp(&b.signature));
    let statement_keys = Vec::new();
    Dsse { envelope_hash, payload_hash, signatures, statement_keys, is_proposal: false }
}

impl Signature {
    fn new((signature, key): &VerifiedBy<'_>) -> Self {
        Self {
            signature: (*signature).to_owned(),
            verifier: key.canonical().to_vec(),
            subjects: key.subjects().to_vec(),
        }
    }
}

impl Entry for Dsse<'_> {
    fn check_insertable(&self) -> Result<(), &'static str> {
        if self.is_proposal { Ok(()) } else { Err("missing proposed content") }
    }

    fn canonicalise(self: Box<Self>, _: &Context<'_>) -> Result<Canonical, Rejection> {
        let spec = Spec {
            envelope_hash: &self.envelope_hash,
            payload_hash: &self.payload_hash,
            signatures: &self.signatures,
        };
        let body = canonical::body(KIND.kind, KIND.version, &spec)?;
        let mut index_keys = Vec::new();
        for signature in &self.signatures {
            index_keys.push(format!("sha256:{}", index_keys::sha256_hex(&signature.verifier)));
            index_keys.extend_from_slice(&signature.subjects);
        }
        index_keys.extend([self.payload_hash.index_key(), self.envelope_hash.index_key()]);
        index_keys.extend(self.statement_keys);
        Ok(Canonical { body, index_keys, attestation: None })
    }
}

#[derive(Serialize)]
struct Spec<'a> {
    #[serde(rename = "envelopeHash")]
    envelope_hash: &'a canonical::Hash<'a>,
    #[serde(rename = "payloadHash")]
    payload_hash: &'a canonical::Hash<'a>,
    signatures: &'a [Signature],
}

/// A signature of the stored form, as it came.
struct StoredSignature {
    signature: Option<String>,
    verifier: Option<Vec<u8>>,
}

/// Empty strings and items of other types are passed over.
fn read_verifiers(proposed: &Members) -> Result<Option<Vec<Vec<u8>>>, Rejection> {
    let Some(items) = proposed.get("verifiers").and_then(serde_json::Value::as_array) else {
        return Ok(None);
    };
    let texts = items.iter().filter_map(serde_json::Value::as_str).filter(|text| !text.is_empty());
    texts.map(|text| schema::read(text, "verifier")).collect::<Result<_, _>>().map(Some)
}

fn read_signatures(spec: &Members) -> Result<Option<Vec<StoredSignature>>, Rejection> {
    let Some(items) = spec.get("signatures").and_then(serde_json::Value::as_array) else {
        return Ok(None);
    };
    let read = |item: &Members| {
        Ok(StoredSignature {
            signature: schema::string(item, "signature").map(str::to_owned),
            verifier: schema::bytes(item, "verifier", "signature verifier")?,
        })
    };
    items
        .iter()
        .filter_map(serde_json::Value::as_object)
        .map(read)
        .collect::<Result<_, _>>()
        .map(Some)
}

fn check_hash(name: &str, hash: Option<HashMembers<'_>>) -> Result<(), String> {
    hash.map_or(Ok(()), |hash| within(name, hash.check(name, &["sha256"])))
}

fn check_signatures(items: &[StoredSignature]) -> Result<(), String> {
    check_not_empty("signatures", items.len())?;
    for (index, item) in items.iter().enumerate() {
        let checked = check_required("signature", item.signature.as_ref())
            .and_then(|()| check_required("verifier", item.verifier.as_ref()));
        within(&format!("signatures.{index}"), checked)?;
    }
    Ok(())
}
