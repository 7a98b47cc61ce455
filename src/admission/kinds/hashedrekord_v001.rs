//! hashedrekord 0.0.1: a signature over a digest that the client computed.
//!
//! The stored form is the proposal without what nobody asked for, and it is accepted again. The
//! digest's hex keeps its case, so `AB` and `ab` are two leaves.

use serde::Serialize;

use super::super::pki::key::{HashAlgorithm, Key, VerifyError};
use super::super::pki::x509::PublicKey;
use super::super::schema::{self, HashMembers, Members, check_required, finish, within};
use super::super::{Rejection, base64, canonical, index_keys, not_allowed};
use super::{Canonical, Context, Entry, KindVersion};

pub(super) const KIND: KindVersion = KindVersion { kind: "hashedrekord", version: "0.0.1", decode };

struct Hashedrekord<'a> {
    signature: Vec<u8>,
    key: PublicKey,
    algorithm: HashAlgorithm,
    hash: canonical::Hash<'a>,
}

fn decode(spec: &Members) -> Result<Box<dyn Entry + '_>, Rejection> {
    let signature = schema::object(spec, "signature");
    let content = signature
        .and_then(|signature| schema::bytes(signature, "content", "signature content").transpose());
    let content = content.transpose()?.unwrap_or_default();
    let public_key = signature.and_then(|signature| schema::object(signature, "publicKey"));
    let pem = public_key
        .and_then(|key| schema::bytes(key, "content", "public key content").transpose())
        .transpose()?;
    let hash = schema::object(spec, "data").and_then(|data| HashMembers::read(data, "hash"));

    let hash_checked = hash.map_or(Ok(()), |hash| hash.check("data.hash", &ALGORITHMS));
    finish([
        check_required("data", hash).and(within("data", within("data.hash", hash_checked))),
        check_required("signature", signature),
    ])?;

    if public_key.is_none() {
        return Err(Rejection::input("missing public key"));
    }
    let key = PublicKey::from_pem(&pem.unwrap_or_default()).map_err(Rejection::Input)?;
    let hash = hash.and_then(canonical::Hash::claimed);
    let hash = hash.ok_or_else(|| Rejection::input("missing hash"))?;
    let algorithm = HashAlgorithm::named(&hash.algorithm).unwrap_or(HashAlgorithm::Sha256);
    if hash.value.len() != 2 * algorithm.output_len() {
        return Err(Rejection::input("invalid value for hash"));
    }
    let digest = read_hex(&hash.value)?;
    key.verify_digest(algorithm, &digest, &content).map_err(|error| match error {
        // The policy refuses these keys in any case, and no operator can allow them.
        VerifyError::UnsupportedKey(_) if *key.key() == Key::P224 => {
            not_allowed(key.key(), algorithm)
        }
        other => Rejection::Input(format!("verifying signature: {other}")),
    })?;
    Ok(Box::new(Hashedrekord { signature: content, key, algorithm, hash }))
}

impl Entry for Hashedrekord<'_> {
    /// Verified entries hold all that is needed.
    fn check_insertable(&self) -> Result<(), &'static str> {
        Ok(())
    }

    fn signed_with(&self) -> Option<(&Key, HashAlgorithm)> {
        Some((self.key.key(), self.algorithm))
    }

    fn canonicalise(self: Box<Self>, _: &Context<'_>) -> Result<Canonical, Rejection> {
        let mut index_keys = vec![index_keys::sha256_hex(self.key.canonical())];
        index_keys.extend_from_slice(self.key.subjects());
        index_keys.push(self.hash.index_key());
        let spec = Spec {
            data: Data { hash: self.hash },
            signature: Signature {
                content: base64::encode(&self.signature),
                public_key: Content { content: base64::encode(self.key.canonical()) },
            },
        };
        let body = canonical::body(KIND.kind, KIND.version, &spec)?;
        Ok(Canonical { body, index_keys, attestation: None })
    }
}

#[derive(Serialize)]
struct Spec<'a> {
    data: Data<'a>,
    signature: Signature,
}

#[derive(Serialize)]
struct Data<'a> {
    hash: canonical::Hash<'a>,
}

#[derive(Serialize)]
struct Signature {
    content: String,
    #[serde(rename = "publicKey")]
    public_key: Content,
}

#[derive(Serialize)]
struct Content {
    content: String,
}

const ALGORITHMS: [&str; 3] = ["sha256", "sha384", "sha512"];

/// Reads hexadecimal digits of either case, an even number of bytes of text.
fn read_hex(text: &str) -> Result<Vec<u8>, Rejection> {
    hex::decode(text).map_err(|error| match error {
        hex::FromHexError::InvalidHexCharacter { index, .. } => {
            let byte = text.as_bytes().get(index).copied().unwrap_or_default();
            let letter = char::from(byte);
            Rejection::Input(if letter.is_ascii_graphic() || letter == ' ' || byte > 0xa0 {
                format!("encoding/hex: invalid byte: U+{byte:04X} '{letter}'")
            } else {
                format!("encoding/hex: invalid byte: U+{byte:04X}")
            })
        }
        other => Rejection::Input(other.to_string()),
    })
}
