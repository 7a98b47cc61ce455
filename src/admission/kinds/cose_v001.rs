//! cose 0.0.1: a COSE_Sign1 message, and the key that verifies it: P-256 (ES256) or RSA (PS256).
//!
//! Logged are the hashes of the message and of its payload, and the key; the message itself becomes
//! the attestation. The stored form is accepted where an entry is read, but says too little to be
//! made again from itself.

use aws_lc_rs::signature as aws;
use serde::Serialize;
use storage::Attestation;

use super::super::pki::key::{Curve, Key};
use super::super::pki::x509::PublicKey;
use super::super::schema::{self, HashMembers, Members, check_required, finish, within};
use super::super::{Rejection, base64, canonical, index_keys};
use super::cose_message::Sign1;
use super::{Canonical, Context, Entry, KindVersion, statement};

pub(super) const KIND: KindVersion = KindVersion { kind: "cose", version: "0.0.1", decode };

struct Cose {
    key: PublicKey,
    /// `None` for the stored form.
    proposed: Option<Proposed>,
}

/// A message that was verified, and what is computed from it.
struct Proposed {
    message: Vec<u8>,
    payload_hash: canonical::Hash<'static>,
    statement_keys: Vec<String>,
}

fn decode(spec: &Members) -> Result<Box<dyn Entry + '_>, Rejection> {
    let message = schema::bytes(spec, "message", "message")?.unwrap_or_default();
    let public_key = schema::bytes(spec, "publicKey", "publicKey")?;
    let data = schema::object(spec, "data");
    let hash = |name| data.and_then(|data| HashMembers::read(data, name));
    let (payload_hash, envelope_hash) = (hash("payloadHash"), hash("envelopeHash"));
    let external = data.map(|data| schema::bytes(data, "aad", "aad")).transpose()?.flatten();
    finish([
        within(
            "data",
            check_hash("data.envelopeHash", envelope_hash)
                .and_then(|()| check_hash("data.payloadHash", payload_hash)),
        ),
        check_required("publicKey", public_key.as_ref()),
    ])?;
    let key = PublicKey::from_pem(&public_key.unwrap_or_default()).map_err(Rejection::Input)?;
    if message.is_empty() {
        let claimed = envelope_hash.and_then(|hash| hash.value);
        let claimed = claimed.ok_or_else(|| {
            Rejection::input("envelope hash should have been previously computed")
        })?;
        hex::decode(claimed).map_err(|error| Rejection::Input(error.to_string()))?;
        return Ok(Box::new(Cose { key, proposed: None }));
    }
    let verifier = Verifier::new(key.key()).map_err(Rejection::Input)?;
    let read = Sign1::read(&message).map_err(Rejection::Input)?;
    if data.is_none() {
        return Err(Rejection::input("cose object data cannot be nil"));
    }
    let payload =
        verifier.verify(&read, &external.unwrap_or_default()).map_err(Rejection::Input)?;
    let payload_hash = canonical::Hash::sha256_of(payload);
    let content_type = read.content_type().unwrap_or_default();
    let statement_keys = statement::subject_keys(content_type, payload);
    let proposed = Some(Proposed { payload_hash, statement_keys, message });
    Ok(Box::new(Cose { key, proposed }))
}

fn check_hash(path: &str, hash: Option<HashMembers<'_>>) -> Result<(), String> {
    hash.map_or(Ok(()), |hash| within(path, hash.check(path, &["sha256"])))
}

/// An algorithm of COSE with its key.
struct Verifier<'a> {
    name: &'static str,
    key: aws::UnparsedPublicKey<&'a [u8]>,
}

impl<'a> Verifier<'a> {
    fn new(key: &'a Key) -> Result<Self, String> {
        let (name, algorithm, bytes): (_, &'static dyn aws::VerificationAlgorithm, &Vec<u8>) =
            match key {
                Key::Ecdsa { curve: Curve::P256, point } => {
                    ("ES256", &aws::ECDSA_P256_SHA256_FIXED, point)
                }
                Key::Rsa { bits: 2048.., pkcs1 } => {
                    ("PS256", &aws::RSA_PSS_2048_8192_SHA256, pkcs1)
                }
                Key::Rsa { .. } => return Err("RSA key must be at least 2048 bits long".into()),
                Key::Ecdsa { curve: Curve::P384, .. } => {
                    return Err("unsupported elliptic curve P-384".into());
                }
                Key::Ecdsa { curve: Curve::P521, .. } => {
                    return Err("unsupported elliptic curve P-521".into());
                }
                Key::P224 => return Err("unsupported elliptic curve P-224".into()),
                Key::Ed25519(_) => {
                    return Err("unsupported algorithm type ed25519.PublicKey".into());
                }
                Key::Unknown(_) => return Err(format!("unsupported algorithm type: {key}")),
            };
        Ok(Self { name, key: aws::UnparsedPublicKey::new(algorithm, bytes) })
    }

    /// Gives the payload, once the signature over it holds.
    fn verify<'m>(&self, message: &Sign1<'m>, external: &[u8]) -> Result<&'m [u8], String> {
        let payload = message.payload.ok_or("missing payload")?;
        message.check_algorithm(self.name, external)?;
        let signed = message.signed_bytes(payload, external);
        let verified = self.key.verify(&signed, message.signature);
        verified.map_err(|_| "verification error")?;
        Ok(payload)
    }
}

impl Entry for Cose {
    fn check_insertable(&self) -> Result<(), &'static str> {
        self.proposed.as_ref().map(drop).ok_or("missing COSE Sign1 message")
    }

    fn canonicalise(self: Box<Self>, context: &Context<'_>) -> Result<Canonical, Rejection> {
        let Self { key, proposed } = *self;
        let proposed = proposed.ok_or_else(|| Rejection::input("signed message uninitialized"))?;
        let Proposed { message, payload_hash, statement_keys } = proposed;
        let envelope_hash = canonical::Hash::sha256_of(&message);
        let mut index_keys = vec![index_keys::sha256_hex(key.canonical())];
        index_keys.extend_from_slice(key.subjects());
        index_keys.extend([envelope_hash.index_key(), payload_hash.index_key()]);
        index_keys.extend(statement_keys);
        let fits = context.attestation_bytes_max.is_some_and(|max| message.len() <= max);
        let attestation =
            fits.then(|| Attestation { key: envelope_hash.index_key(), data: message });
        let spec = Spec {
            data: Data { envelope_hash, payload_hash },
            public_key: base64::encode(key.canonical()),
        };
        let body = canonical::body(KIND.kind, KIND.version, &spec)?;
        Ok(Canonical { body, index_keys, attestation })
    }
}

#[derive(Serialize)]
struct Spec<'a> {
    data: Data<'a>,
    #[serde(rename = "publicKey")]
    public_key: String,
}

#[derive(Serialize)]
struct Data<'a> {
    #[serde(rename = "envelopeHash")]
    envelope_hash: canonical::Hash<'a>,
    #[serde(rename = "payloadHash")]
    payload_hash: canonical::Hash<'a>,
}
