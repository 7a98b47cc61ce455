//! rekord 0.0.1: content, a detached signature over it, and a key in one of several formats.
//!
//! Logged are the content's hash, the signature and the key in the format's canonical form. The
//! stored form cannot be made again from itself: the content is missing.

use serde::Serialize;

use super::super::pki::{self, Format, REKORD_FORMATS, Verified};
use super::super::schema::{
    self, HashMembers, Members, check_enum, check_required, finish, within,
};
use super::super::{Rejection, base64, canonical, index_keys};
use super::{Canonical, Context, Entry, KindVersion};

pub(super) const KIND: KindVersion = KindVersion { kind: "rekord", version: "0.0.1", decode };

struct Rekord<'a> {
    format: &'static Format,
    signature: Vec<u8>,
    public_key: Vec<u8>,
    content: Vec<u8>,
    /// What the client says is the content's SHA-256.
    claimed: Option<&'a str>,
}

fn decode(spec: &Members) -> Result<Box<dyn Entry + '_>, Rejection> {
    let signature = schema::object(spec, "signature");
    let format = signature.and_then(|signature| schema::string(signature, "format"));
    let signature_bytes = bytes(signature, "signature content")?;
    let key = signature.and_then(|signature| schema::object(signature, "publicKey"));
    let key_bytes = bytes(key, "signature publicKey content")?;
    let data = schema::object(spec, "data");
    let hash = data.and_then(|data| HashMembers::read(data, "hash"));
    let content = bytes(data, "data content")?;

    let hash_checked = hash.map_or(Ok(()), |hash| hash.check("data.hash", &["sha256"]));
    finish([
        check_required("data", data).and(within("data", within("data.hash", hash_checked))),
        check_required("signature", signature).and_then(|()| {
            let checked = check_required("signature.content", signature_bytes.as_ref())
                .and_then(|()| check_enum("signature.format", format, &REKORD_FORMATS))
                .and_then(|()| check_required("signature.publicKey", key))
                .and_then(|()| {
                    let path = "signature.publicKey.content";
                    within("signature.publicKey", check_required(path, key_bytes.as_ref()))
                });
            within("signature", checked)
        }),
    ])?;

    let signature = signature_bytes.unwrap_or_default();
    if signature.is_empty() {
        return Err(Rejection::input("'content' must be specified for signature"));
    }
    let public_key = key_bytes.unwrap_or_default();
    if public_key.is_empty() {
        return Err(Rejection::input("'content' must be specified for publicKey"));
    }
    let claimed = hash.and_then(|hash| hash.value);
    let content = content.unwrap_or_default();
    check_claim(claimed, !content.is_empty())?;
    let format = format.and_then(pki::format);
    let format = format.ok_or_else(|| Rejection::Internal("a format without its row".into()))?;
    Ok(Box::new(Rekord { format, signature, public_key, content, claimed }))
}

fn bytes(parent: Option<&Members>, what: &str) -> Result<Option<Vec<u8>>, Rejection> {
    parent.and_then(|parent| schema::bytes(parent, "content", what).transpose()).transpose()
}

fn check_claim(claimed: Option<&str>, has_content: bool) -> Result<(), Rejection> {
    match claimed {
        None if !has_content => Err(Rejection::input("'content' must be specified for data")),
        None => Ok(()),
        Some("") => Err(Rejection::input("missing hash value")),
        Some(value) if value.len() == 64 && value.bytes().all(|b| b.is_ascii_hexdigit()) => Ok(()),
        Some(_) => Err(Rejection::input("invalid value for hash")),
    }
}

impl Entry for Rekord<'_> {
    fn check_insertable(&self) -> Result<(), &'static str> {
        if self.content.is_empty() { Err("missing data content") } else { Ok(()) }
    }

    fn canonicalise(self: Box<Self>, _: &Context<'_>) -> Result<Canonical, Rejection> {
        let hash = canonical::Hash::sha256_of(&self.content);
        if let Some(claimed) = self.claimed.filter(|claimed| *claimed != hash.value) {
            return Err(Rejection::Input(format!("SHA mismatch: {} != {claimed}", hash.value)));
        }
        let Verified { signature, key } =
            (self.format.verify)(&self.content, &self.signature, &self.public_key)
                .map_err(Rejection::Input)?;
        let mut index_keys = vec![index_keys::sha256_hex(&key.value)];
        index_keys.extend(key.subjects);
        index_keys.push(hash.index_key());
        let spec = Spec {
            data: Data { hash },
            signature: Signature {
                content: base64::encode(&signature),
                format: self.format.name,
                public_key: Content { content: base64::encode(&key.value) },
            },
        };
        let body = canonical::body(KIND.kind, KIND.version, &spec)?;
        Ok(Canonical { body, index_keys, attestation: None })
    }
}

#[derive(Serialize)]
struct Spec<'a> {
    data: Data<'a>,
    signature: Signature<'a>,
}

#[derive(Serialize)]
struct Data<'a> {
    hash: canonical::Hash<'a>,
}

#[derive(Serialize)]
struct Signature<'a> {
    content: String,
    format: &'a str,
    #[serde(rename = "publicKey")]
    public_key: Content,
}

#[derive(Serialize)]
struct Content {
    content: String,
}
