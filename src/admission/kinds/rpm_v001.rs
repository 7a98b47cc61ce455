//! rpm 0.0.1: a signed RPM package and OpenPGP keys.
//!
//! Logged are the package's hash, what it calls itself, and the canonical keys. The stored form
//! cannot be made again from itself: the package is missing.

use serde::Serialize;

use super::super::pki::pgp::{PackageSignature, Ring};
use super::super::schema::{self, HashMembers, Members, check_required, finish, within};
use super::super::{Rejection, base64, canonical, index_keys};
use super::rpm_package::{Identity, Package};
use super::{Canonical, Context, Entry, KindVersion};

pub(super) const KIND: KindVersion = KindVersion { kind: "rpm", version: "0.0.1", decode };

struct Rpm<'a> {
    public_key: Vec<u8>,
    package: Vec<u8>,
    /// What the client says is the package's SHA-256.
    claimed: Option<&'a str>,
}

fn decode(spec: &Members) -> Result<Box<dyn Entry + '_>, Rejection> {
    let key = schema::object(spec, "publicKey");
    let key_bytes = bytes(key, "publicKey content")?;
    let package = schema::object(spec, "package");
    let hash = package.and_then(|package| HashMembers::read(package, "hash"));
    let content = bytes(package, "package content")?;

    finish([
        check_required("package", package).and_then(|()| {
            let hash = hash.map_or(Ok(()), |hash| hash.check("package.hash", &["sha256"]));
            within("package", within("package.hash", hash))
        }),
        check_required("publicKey", key).and_then(|()| {
            within("publicKey", check_required("publicKey.content", key_bytes.as_ref()))
        }),
    ])?;

    let public_key = key_bytes.unwrap_or_default();
    if public_key.is_empty() {
        return Err(Rejection::input("'content' must be specified for publicKey"));
    }
    let claimed = hash.and_then(|hash| hash.value);
    let package = content.unwrap_or_default();
    match claimed {
        None if package.is_empty() => {
            return Err(Rejection::input("'content' must be specified for package"));
        }
        Some(value) if value.len() != 64 || !value.bytes().all(|b| b.is_ascii_hexdigit()) => {
            return Err(Rejection::input("invalid value for hash"));
        }
        _ => {}
    }
    Ok(Box::new(Rpm { public_key, package, claimed }))
}

fn bytes(parent: Option<&Members>, what: &str) -> Result<Option<Vec<u8>>, Rejection> {
    parent.and_then(|parent| schema::bytes(parent, "content", what).transpose()).transpose()
}

impl Entry for Rpm<'_> {
    fn check_insertable(&self) -> Result<(), &'static str> {
        if self.package.is_empty() { Err("missing package content") } else { Ok(()) }
    }

    fn canonicalise(self: Box<Self>, _: &Context<'_>) -> Result<Canonical, Rejection> {
        let ring = Ring::read(&self.public_key).map_err(Rejection::Input)?;
        let hash = canonical::Hash::sha256_of(&self.package);
        if let Some(claimed) = self.claimed.filter(|claimed| *claimed != hash.value) {
            return Err(Rejection::Input(format!("SHA mismatch: {} != {claimed}", hash.value)));
        }
        let package = Package::read(&self.package).map_err(Rejection::Input)?;
        verify(&package, &ring).map_err(Rejection::Input)?;
        let headers = Headers::new(&package).map_err(Rejection::Input)?;

        let key = ring.into_canonical();
        let mut index_keys = vec![index_keys::sha256_hex(&key.value)];
        index_keys.extend(key.subjects);
        index_keys.push(hash.index_key());
        let spec = Spec {
            package: PackageMembers { hash, headers },
            public_key: Content { content: base64::encode(&key.value) },
        };
        let body = canonical::body(KIND.kind, KIND.version, &spec)?;
        Ok(Canonical { body, index_keys, attestation: None })
    }
}

/// Every signature must hold, and there must be one.
fn verify(package: &Package<'_>, ring: &Ring) -> Result<(), String> {
    let [over_header, over_all] = package.signatures()?;
    let parse = |blobs: Vec<&[u8]>| -> Result<Vec<_>, String> {
        blobs.into_iter().map(PackageSignature::read).collect()
    };
    let (over_header, over_all) = (parse(over_header)?, parse(over_all)?);
    package.check_payload()?;
    if over_header.is_empty() && over_all.is_empty() {
        return Err("no supported PGP signature found in RPM".into());
    }
    let (header, payload) = (package.header, package.payload);
    over_header.iter().try_for_each(|signature| signature.verify(&[header], ring))?;
    over_all.iter().try_for_each(|signature| signature.verify(&[header, payload], ring))
}

#[derive(Serialize)]
struct Spec<'a> {
    package: PackageMembers<'a>,
    #[serde(rename = "publicKey")]
    public_key: Content,
}

#[derive(Serialize)]
struct PackageMembers<'a> {
    hash: canonical::Hash<'a>,
    headers: Headers,
}

#[derive(Serialize)]
struct Headers {
    #[serde(rename = "Architecture")]
    architecture: String,
    #[serde(rename = "Epoch")]
    epoch: String,
    #[serde(rename = "Name")]
    name: String,
    #[serde(rename = "RPMSIGTAG_MD5", skip_serializing_if = "Option::is_none")]
    md5: Option<String>,
    #[serde(rename = "Release")]
    release: String,
    #[serde(rename = "Version")]
    version: String,
}

impl Headers {
    fn new(package: &Package<'_>) -> Result<Self, String> {
        let Identity { name, epoch, version, release, architecture } = package.identity()?;
        let md5 = package.md5().map(hex::encode);
        Ok(Self { architecture, epoch, name, md5, release, version })
    }
}

#[derive(Serialize)]
struct Content {
    content: String,
}
