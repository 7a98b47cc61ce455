//! intoto 0.0.1: a DSSE envelope and the one key that verifies one of its signatures.
//!
//! Logged are the hashes of the envelope's text and of its payload, and the key. That stored form
//! is accepted again, but not for insertion; the oldest entries have no payload hash.

use serde::Serialize;
use storage::Attestation;

use super::super::pki::x509::PublicKey;
use super::super::schema::{self, HashMembers, Members, check_required, finish, within};
use super::super::{Rejection, base64, canonical, index_keys};
use super::envelope::Envelope;
use super::{Canonical, Context, Entry, KindVersion, statement};

pub(super) const KIND: KindVersion = KindVersion { kind: "intoto", version: "0.0.1", decode };

struct Intoto<'a> {
    key: PublicKey,
    hash: canonical::Hash<'a>,
    payload_hash: Option<canonical::Hash<'a>>,
    /// `None` for the stored form.
    proposed: Option<Proposed>,
}

/// An envelope that was verified, and what is computed from it.
struct Proposed {
    envelope: Envelope,
    payload: Vec<u8>,
}

fn decode(spec: &Members) -> Result<Box<dyn Entry + '_>, Rejection> {
    let content = schema::object(spec, "content");
    let hash = content.and_then(|content| HashMembers::read(content, "hash"));
    let payload_hash = content.and_then(|content| HashMembers::read(content, "payloadHash"));
    let public_key = schema::bytes(spec, "publicKey", "public key")?;
    finish([
        check_required("content", content).and_then(|()| {
            let checked = check_hash("content.hash", hash)
                .and_then(|()| check_hash("content.payloadHash", payload_hash));
            within("content", checked)
        }),
        check_required("publicKey", public_key.as_ref()),
    ])?;
    let key = PublicKey::from_pem(&public_key.unwrap_or_default()).map_err(Rejection::Input)?;
    let envelope = content.and_then(|content| schema::string(content, "envelope"));
    match envelope.filter(|text| !text.is_empty()) {
        Some(text) => {
            let proposed = Proposed::verify(text, &key)?;
            let hash = canonical::Hash::sha256_of(text.as_bytes());
            let payload_hash = Some(canonical::Hash::sha256_of(&proposed.payload));
            Ok(Box::new(Intoto { key, hash, payload_hash, proposed: Some(proposed) }))
        }
        None => {
            let hash = hash
                .and_then(canonical::Hash::claimed)
                .ok_or_else(|| Rejection::input("missing hash value for envelope"))?;
            let payload_hash = payload_hash.and_then(canonical::Hash::claimed);
            Ok(Box::new(Intoto { key, hash, payload_hash, proposed: None }))
        }
    }
}

fn check_hash(path: &str, hash: Option<HashMembers<'_>>) -> Result<(), String> {
    hash.map_or(Ok(()), |hash| within(path, hash.check(path, &["sha256"])))
}

impl Proposed {
    fn verify(text: &str, key: &PublicKey) -> Result<Self, Rejection> {
        let envelope = Envelope::from_json(text)?;
        envelope.verify_one(key)?;
        // Stricter than the verification: only the standard alphabet goes on from here.
        let payload = base64::decode(&envelope.payload)
            .map_err(|error| Rejection::Input(error.to_string()))?;
        Ok(Self { envelope, payload })
    }

    /// The length that counts is the upper bound that the base64 text gives.
    fn attestation(self, key: String, bytes_max: Option<usize>) -> Option<Attestation> {
        let fits = base64::decoded_len_max(self.envelope.payload.len()) <= bytes_max?;
        fits.then_some(Attestation { key, data: self.payload })
    }
}

impl Entry for Intoto<'_> {
    fn check_insertable(&self) -> Result<(), &'static str> {
        let Some(Proposed { envelope, .. }) = &self.proposed else {
            return Err("missing envelope content");
        };
        if envelope.payload.is_empty() || envelope.payload_type.is_empty() {
            return Err("invalid DSSE envelope");
        }
        Ok(())
    }

    fn canonicalise(self: Box<Self>, context: &Context<'_>) -> Result<Canonical, Rejection> {
        let Self { key, hash, payload_hash, proposed } = *self;
        let payload_key = payload_hash.as_ref().map(canonical::Hash::index_key);
        let mut index_keys = vec![hash.index_key()];
        index_keys.push(format!("sha256:{}", index_keys::sha256_hex(key.canonical())));
        index_keys.extend_from_slice(key.subjects());
        index_keys.extend(payload_key.clone());
        if let Some(Proposed { envelope, payload }) = &proposed {
            index_keys.extend(statement::index_keys(&envelope.payload_type, payload));
        }
        let content = Content { hash, payload_hash };
        let spec = Spec { content, public_key: base64::encode(key.canonical()) };
        let body = canonical::body(KIND.kind, KIND.version, &spec)?;
        let attestation = proposed
            .zip(payload_key)
            .and_then(|(proposed, key)| proposed.attestation(key, context.attestation_bytes_max));
        Ok(Canonical { body, index_keys, attestation })
    }
}

#[derive(Serialize)]
struct Spec<'a> {
    content: Content<'a>,
    #[serde(rename = "publicKey")]
    public_key: String,
}

#[derive(Serialize)]
struct Content<'a> {
    hash: canonical::Hash<'a>,
    #[serde(rename = "payloadHash", skip_serializing_if = "Option::is_none")]
    payload_hash: Option<canonical::Hash<'a>>,
}
