//! jar 0.0.1: a signed Java archive, which carries its signature and its certificate.
//!
//! Logged are the archive's hash, the signature (PKCS#7, without content) and the first
//! certificate; chain and expiry are not judged. The stored form cannot be made again from itself:
//! the archive is missing.

use serde::Serialize;

use super::super::pki::pem;
use super::super::schema::{self, HashMembers, Members, check_required, finish, within};
use super::super::{Rejection, base64, canonical, index_keys};
use super::jar_archive::{Jar, read_block};
use super::{Canonical, Context, Entry, KindVersion};

pub(super) const KIND: KindVersion = KindVersion { kind: "jar", version: "0.0.1", decode };

struct Proposed<'a> {
    archive: Vec<u8>,
    /// What the client says is the archive's SHA-256.
    claimed: Option<&'a str>,
}

fn decode(spec: &Members) -> Result<Box<dyn Entry + '_>, Rejection> {
    let signature = schema::object(spec, "signature");
    let signature_bytes = bytes(signature, "signature content")?;
    let key = signature.and_then(|signature| schema::object(signature, "publicKey"));
    let key_bytes = bytes(key, "signature publicKey content")?;
    let archive = schema::object(spec, "archive");
    let hash = archive.and_then(|archive| HashMembers::read(archive, "hash"));
    let content = bytes(archive, "archive content")?;

    let signature_bytes = signature_bytes.filter(|bytes| !bytes.is_empty());
    finish([
        check_required("archive", archive).and_then(|()| {
            let hash = hash.map_or(Ok(()), |hash| hash.check("archive.hash", &["sha256"]));
            within("archive", within("archive.hash", hash))
        }),
        signature.map_or(Ok(()), |_| {
            let checked = check_required("signature.content", signature_bytes.as_ref())
                .and_then(|()| check_required("signature.publicKey", key))
                .and_then(|()| {
                    let path = "signature.publicKey.content";
                    within("signature.publicKey", check_required(path, key_bytes.as_ref()))
                });
            within("signature", checked)
        }),
    ])?;

    let archive = content.unwrap_or_default();
    if signature_bytes.is_none() && archive.is_empty() {
        return Err(Rejection::input("'content' must be specified for package"));
    }
    let claimed = hash.and_then(|hash| hash.value);
    if claimed.is_some_and(|hex| hex.len() != 64 || !hex.bytes().all(|b| b.is_ascii_hexdigit())) {
        return Err(Rejection::input("invalid value for hash"));
    }
    Ok(Box::new(Proposed { archive, claimed }))
}

fn bytes(parent: Option<&Members>, what: &str) -> Result<Option<Vec<u8>>, Rejection> {
    parent.and_then(|parent| schema::bytes(parent, "content", what).transpose()).transpose()
}

impl Entry for Proposed<'_> {
    fn check_insertable(&self) -> Result<(), &'static str> {
        if self.archive.is_empty() { Err("missing archive content") } else { Ok(()) }
    }

    fn canonicalise(self: Box<Self>, context: &Context<'_>) -> Result<Canonical, Rejection> {
        let hash = canonical::Hash::sha256_of(&self.archive);
        if let Some(claimed) = self.claimed.filter(|claimed| *claimed != hash.value) {
            return Err(Rejection::Input(format!("SHA mismatch: {} != {claimed}", hash.value)));
        }
        let jar = Jar::open(&self.archive, context.policy.jar_metadata_bytes_max);
        let block = jar.and_then(Jar::verify).map_err(Rejection::Input)?;
        let signed = read_block(&block).map_err(Rejection::Input)?;
        let (mut key, mut signature) = (String::new(), String::new());
        pem::write(&mut key, "CERTIFICATE", signed.first_certificate().map_err(Rejection::Input)?);
        pem::write(&mut signature, "PKCS7", &signed.detached());

        // The key is not found by itself: in its place stands the signature.
        let index_keys = vec![index_keys::sha256_hex(signature.as_bytes()), hash.index_key()];
        let spec = Spec {
            archive: Archive { hash },
            signature: Signature {
                content: base64::encode(signature.as_bytes()),
                public_key: Content { content: base64::encode(key.as_bytes()) },
            },
        };
        let body = canonical::body(KIND.kind, KIND.version, &spec)?;
        Ok(Canonical { body, index_keys, attestation: None })
    }
}

#[derive(Serialize)]
struct Spec<'a> {
    archive: Archive<'a>,
    signature: Signature,
}

#[derive(Serialize)]
struct Archive<'a> {
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
