//! intoto 0.0.2: a DSSE envelope whose signatures carry their keys.
//!
//! The double base64 is real: `payload` and `sig` are byte members, and the bytes are DSSE's own
//! base64 text. Keys are logged as they were sent. `content.hash` is what the client says is the
//! hash of the envelope; nobody can check it, so it is logged but not indexed. The stored form
//! (without payload) is accepted again, but not for insertion.

use serde::Serialize;
use serde_json::Value;
use storage::Attestation;

use super::super::pki::x509::PublicKey;
use super::super::schema::{
    self, HashMembers, Members, check_not_empty, check_required, finish, within,
};
use super::super::{Rejection, base64, canonical, index_keys};
use super::envelope::{self, Envelope};
use super::{Canonical, Context, Entry, KindVersion, statement};

pub(super) const KIND: KindVersion = KindVersion { kind: "intoto", version: "0.0.2", decode };

struct Intoto<'a> {
    payload_type: &'a str,
    signatures: Vec<Signature<'a>>,
    hash: Option<canonical::Hash<'a>>,
    payload_hash: Option<canonical::Hash<'a>>,
    /// `None` for the stored form.
    proposed: Option<Proposed>,
}

struct Signature<'a> {
    keyid: &'a str,
    public_key: Option<Vec<u8>>,
    sig: Option<Vec<u8>>,
}

/// A payload that was verified.
struct Proposed {
    text_len: usize,
    payload: Vec<u8>,
}

fn decode(spec: &Members) -> Result<Box<dyn Entry + '_>, Rejection> {
    let content = schema::object(spec, "content");
    let envelope = content.and_then(|content| schema::object(content, "envelope"));
    let payload_type = envelope.and_then(|envelope| schema::string(envelope, "payloadType"));
    let payload = envelope
        .and_then(|envelope| schema::bytes(envelope, "payload", "payload").transpose())
        .transpose()?;
    let items = envelope.and_then(|envelope| envelope.get("signatures")).and_then(Value::as_array);
    let signatures = items.map(|items| read_signatures(items)).transpose()?;
    let hash = content.and_then(|content| HashMembers::read(content, "hash"));
    let payload_hash = content.and_then(|content| HashMembers::read(content, "payloadHash"));

    let envelope_checked = within("content.envelope", check_envelope(payload_type, &signatures));
    let content_checked = envelope_checked
        .and_then(|()| check_hash("content.hash", hash))
        .and_then(|()| check_hash("content.payloadHash", payload_hash));
    finish([within("content", content_checked)])?;

    let payload_type = payload_type.unwrap_or_default();
    let signatures = signatures.unwrap_or_default();
    let proposed = payload.map(|text| Proposed::verify(text, payload_type, &signatures));
    let proposed = proposed.transpose()?;
    let hash = hash.and_then(canonical::Hash::claimed);
    let payload_hash = match &proposed {
        Some(proposed) => Some(canonical::Hash::sha256_of(&proposed.payload)),
        None => payload_hash.and_then(canonical::Hash::claimed),
    };
    Ok(Box::new(Intoto { payload_type, signatures, hash, payload_hash, proposed }))
}

impl Proposed {
    fn verify(
        payload: Vec<u8>,
        payload_type: &str,
        signatures: &[Signature<'_>],
    ) -> Result<Self, Rejection> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let envelope = Envelope {
            payload_type: payload_type.to_owned(),
            payload: text(&payload),
            signatures: signatures
                .iter()
                .map(|signature| envelope::Signature {
                    keyid: signature.keyid.to_owned(),
                    sig: text(signature.sig.as_deref().unwrap_or_default()),
                })
                .collect(),
        };
        let keys: Vec<Vec<u8>> =
            signatures.iter().map(|s| s.public_key.clone().unwrap_or_default()).collect();
        envelope.verify_all(&keys, false)?;
        let payload = base64::decode(&envelope.payload).map_err(|error| {
            Rejection::Input(format!("could not decode envelope payload: {error}"))
        })?;
        Ok(Self { text_len: envelope.payload.len(), payload })
    }

    /// The length that counts is the upper bound that the base64 text gives.
    fn attestation(self, key: String, bytes_max: Option<usize>) -> Option<Attestation> {
        let fits = base64::decoded_len_max(self.text_len) <= bytes_max?;
        fits.then_some(Attestation { key, data: self.payload })
    }
}

impl Entry for Intoto<'_> {
    /// A proposal whose signatures were verified lacks nothing else: an empty signature or key
    /// would not have verified.
    fn check_insertable(&self) -> Result<(), &'static str> {
        if self.proposed.is_none() {
            return Err("missing envelope content");
        }
        if self.payload_type.is_empty() {
            return Err("missing payloadType content");
        }
        Ok(())
    }

    fn canonicalise(self: Box<Self>, context: &Context<'_>) -> Result<Canonical, Rejection> {
        let Self { payload_type, signatures, hash, payload_hash, proposed } = *self;
        let hash = hash.ok_or_else(|| Rejection::input("missing envelope digest"))?;
        let payload_hash =
            payload_hash.ok_or_else(|| Rejection::input("missing payload digest"))?;

        let mut index_keys = Vec::new();
        for pem in signatures.iter().filter_map(|signature| signature.public_key.as_deref()) {
            // Every key of a proposal was read when it was verified; stored ones are not judged.
            let Ok(key) = PublicKey::from_pem(pem) else { continue };
            index_keys.push(format!("sha256:{}", index_keys::sha256_hex(key.canonical())));
            index_keys.extend_from_slice(key.subjects());
        }
        let payload_key = payload_hash.index_key();
        index_keys.push(payload_key.clone());
        if let Some(proposed) = &proposed {
            index_keys.extend(statement::index_keys(payload_type, &proposed.payload));
        }

        let envelope = StoredEnvelope {
            payload_type,
            signatures: signatures.iter().map(StoredSignature::new).collect(),
        };
        let content = Content { envelope, hash, payload_hash };
        let body = canonical::body(KIND.kind, KIND.version, &Spec { content })?;
        let attestation =
            proposed.and_then(|p| p.attestation(payload_key, context.attestation_bytes_max));
        Ok(Canonical { body, index_keys, attestation })
    }
}

#[derive(Serialize)]
struct Spec<'a> {
    content: Content<'a>,
}

#[derive(Serialize)]
struct Content<'a> {
    envelope: StoredEnvelope<'a>,
    hash: canonical::Hash<'a>,
    #[serde(rename = "payloadHash")]
    payload_hash: canonical::Hash<'a>,
}

#[derive(Serialize)]
struct StoredEnvelope<'a> {
    #[serde(rename = "payloadType")]
    payload_type: &'a str,
    signatures: Vec<StoredSignature<'a>>,
}

#[derive(Serialize)]
struct StoredSignature<'a> {
    #[serde(skip_serializing_if = "str::is_empty")]
    keyid: &'a str,
    #[serde(rename = "publicKey")]
    public_key: String,
    sig: String,
}

impl<'a> StoredSignature<'a> {
    fn new(signature: &Signature<'a>) -> Self {
        let text = |bytes: &Option<Vec<u8>>| base64::encode(bytes.as_deref().unwrap_or_default());
        Self {
            keyid: signature.keyid,
            public_key: text(&signature.public_key),
            sig: text(&signature.sig),
        }
    }
}

/// Items that are no objects are passed over; the empty string counts as present here.
fn read_signatures(items: &[Value]) -> Result<Vec<Signature<'_>>, Rejection> {
    let read = |item: &'_ Members, name: &str, what: &str| {
        schema::string(item, name).map(|text| schema::read(text, what)).transpose()
    };
    let items = items.iter().filter_map(Value::as_object);
    items
        .map(|item| {
            Ok(Signature {
                keyid: schema::string(item, "keyid").unwrap_or_default(),
                sig: read(item, "sig", "signature")?,
                public_key: read(item, "publicKey", "public key")?,
            })
        })
        .collect()
}

fn check_envelope(
    payload_type: Option<&str>,
    signatures: &Option<Vec<Signature<'_>>>,
) -> Result<(), String> {
    let path = "content.envelope.signatures";
    check_required("content.envelope.payloadType", payload_type)?;
    check_required(path, signatures.as_ref())?;
    let signatures = signatures.as_deref().unwrap_or_default();
    check_not_empty(path, signatures.len())?;
    for (index, signature) in signatures.iter().enumerate() {
        let checked = check_required("publicKey", signature.public_key.as_ref())
            .and_then(|()| check_required("sig", signature.sig.as_ref()));
        within(&format!("{path}.{index}"), checked)?;
    }
    Ok(())
}

fn check_hash(path: &str, hash: Option<HashMembers<'_>>) -> Result<(), String> {
    hash.map_or(Ok(()), |hash| within(path, hash.check(path, &["sha256"])))
}
