//! alpine 0.0.1: a signed Alpine package and a key (PEM).
//!
//! Logged are the package's hash, what its `.PKGINFO` says, and the key. The stored form cannot be
//! made again from itself: the package is missing.

use serde::{Serialize, Serializer};

use super::super::pki::x509::PublicKey;
use super::super::schema::{self, HashMembers, Members, check_required, finish, within};
use super::super::{Rejection, base64, canonical, index_keys};
use super::alpine_package::Package;
use super::alpine_pkginfo::{Pkginfo, shown};
use super::{Canonical, Context, Entry, KindVersion};

pub(super) const KIND: KindVersion = KindVersion { kind: "alpine", version: "0.0.1", decode };

struct Alpine<'a> {
    public_key: Vec<u8>,
    package: Vec<u8>,
    /// What the client says is the package's SHA-256.
    claimed: Option<&'a str>,
}

fn decode(spec: &Members) -> Result<Box<dyn Entry + '_>, Rejection> {
    let key = schema::object(spec, "publicKey");
    let key = bytes(key, "public key content")?;
    let package = schema::object(spec, "package");
    let hash = package.and_then(|package| HashMembers::read(package, "hash"));
    let hash = hash.filter(|hash| hash.algorithm.is_some() || hash.value.is_some());
    let content = bytes(package, "package content")?;

    finish([
        check_required("package", package).and_then(|()| {
            let hash = hash.map_or(Ok(()), |hash| hash.check("package.hash", &["sha256"]));
            within("package", within("package.hash", hash))
        }),
        check_required("publicKey", key.as_ref()),
    ])?;

    let public_key = key.unwrap_or_default();
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
    Ok(Box::new(Alpine { public_key, package, claimed }))
}

fn bytes(parent: Option<&Members>, what: &str) -> Result<Option<Vec<u8>>, Rejection> {
    parent.and_then(|parent| schema::bytes(parent, "content", what).transpose()).transpose()
}

impl Entry for Alpine<'_> {
    fn check_insertable(&self) -> Result<(), &'static str> {
        if self.package.is_empty() { Err("missing package content") } else { Ok(()) }
    }

    fn canonicalise(self: Box<Self>, context: &Context<'_>) -> Result<Canonical, Rejection> {
        let key = PublicKey::from_pem(&self.public_key).map_err(Rejection::Input)?;
        let hash = canonical::Hash::sha256_of(&self.package);
        if let Some(claimed) = self.claimed.filter(|claimed| *claimed != hash.value) {
            return Err(Rejection::Input(format!("SHA mismatch: {} != {claimed}", hash.value)));
        }
        let package = Package::read(&self.package, context.policy.apk_metadata_bytes_max);
        let package = package.map_err(Rejection::Input)?;
        package.verify(key.key()).map_err(Rejection::Input)?;

        let mut index_keys = vec![index_keys::sha256_hex(key.canonical())];
        index_keys.extend_from_slice(key.subjects());
        index_keys.push(hash.index_key());
        let pkginfo = in_order(&package.pkginfo)?;
        let spec = Spec {
            package: PackageMembers { hash, pkginfo },
            public_key: Content { content: base64::encode(key.canonical()) },
        };
        let body = canonical::body(KIND.kind, KIND.version, &spec)?;
        Ok(Canonical { body, index_keys, attestation: None })
    }
}

/// As RFC 8785 asks: by UTF-16 code units.
fn in_order(pkginfo: &Pkginfo) -> Result<Vec<(String, String)>, Rejection> {
    let mut members: Vec<_> =
        pkginfo.iter().map(|(key, value)| (shown(key), shown(value))).collect();
    members.sort_by(|(one, _), (other, _)| one.encode_utf16().cmp(other.encode_utf16()));
    if let Some([(key, _), _]) = members.array_windows().find(|[one, other]| one.0 == other.0) {
        return Err(Rejection::Input(format!("Duplicate key: {key}")));
    }
    Ok(members)
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
    #[serde(serialize_with = "as_object")]
    pkginfo: Vec<(String, String)>,
}

#[derive(Serialize)]
struct Content {
    content: String,
}

fn as_object<S: Serializer>(members: &[(String, String)], out: S) -> Result<S::Ok, S::Error> {
    out.collect_map(members.iter().map(|(key, value)| (key, value)))
}
