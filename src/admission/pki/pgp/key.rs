//! Public key packets (RFC 9580 §5.5.2) of version 4 and 6: read, fingerprinted, written as they
//! were.

use aws_lc_rs::digest::{self, digest};
use aws_lc_rs::signature::ParsedPublicKey;

use super::Error;
use super::algorithms::{self, Curve};
use super::packet::Contents;

/// Public key algorithms (RFC 9580 §9.1).
pub(super) mod algorithm {
    pub(in super::super) const RSA: u8 = 1;
    pub(in super::super) const RSA_ENCRYPT: u8 = 2;
    pub(in super::super) const RSA_SIGN: u8 = 3;
    pub(in super::super) const ELGAMAL: u8 = 16;
    pub(in super::super) const DSA: u8 = 17;
    pub(in super::super) const ECDH: u8 = 18;
    pub(in super::super) const ECDSA: u8 = 19;
    pub(in super::super) const EDDSA: u8 = 22;
    pub(in super::super) const X25519: u8 = 25;
    pub(in super::super) const X448: u8 = 26;
    pub(in super::super) const ED25519: u8 = 27;
    pub(in super::super) const ED448: u8 = 28;
}

/// A public key.
pub(super) struct PublicKey {
    pub(super) version: u8,
    /// Seconds since 1970.
    pub(super) created: u32,
    pub(super) algorithm: u8,
    pub(super) material: Material,
    pub(super) is_subkey: bool,
    /// The packet had the secret half too.
    pub(super) is_secret: bool,
    pub(super) fingerprint: Vec<u8>,
    pub(super) id: u64,
    /// The packet without its header.
    body: Vec<u8>,
}

/// What signatures are checked with.
pub(super) enum Material {
    Rsa {
        modulus: Vec<u8>,
        exponent: Vec<u8>,
    },
    Ecdsa {
        curve: Curve,
        point: Vec<u8>,
    },
    Ed25519([u8; 32]),
    /// As Ed448 keys have it since RFC 9580.
    Ed448(Vec<u8>),
    /// The four integers as they are written.
    Dsa(Vec<u8>),
    /// Signs nothing here.
    None,
}

const ED25519_OID: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0xda, 0x47, 0x0f, 0x01];
const ED448_OID: &[u8] = &[0x2b, 0x65, 0x71];
const CURVE25519_OID: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0x97, 0x55, 0x01, 0x05, 0x01];
const X448_OID: &[u8] = &[0x2b, 0x65, 0x6f];
/// What a point of the newer curves starts with.
const NATIVE_POINT: u8 = 0x40;
/// Octets of a public exponent, beyond which RSA is not supported.
const EXPONENT_BYTES_MAX: usize = 3;
const HASHES: [u8; 6] = [8, 9, 10, 11, 12, 14];
const CIPHERS: [u8; 5] = [2, 3, 7, 8, 9];

impl PublicKey {
    pub(super) fn read(contents: &mut Contents<'_, '_>) -> Result<Self, Error> {
        let [version, created @ .., algorithm] = contents.array::<6>()?;
        check_version("public key", version)?;
        let mut body = vec![version];
        body.extend(created);
        body.push(algorithm);
        if version == 6 {
            contents.bytes(4)?;
        }
        let (written, material) = read_material(version, algorithm, contents)?;
        if version == 6 {
            body.extend(u32::try_from(written.len()).unwrap_or(u32::MAX).to_be_bytes());
        }
        body.extend(written);
        let created = u32::from_be_bytes(created);
        let (is_subkey, is_secret) = (false, false);
        let (fingerprint, id) = fingerprint(version, &body);
        Ok(Self {
            version,
            created,
            algorithm,
            material,
            is_subkey,
            is_secret,
            fingerprint,
            id,
            body,
        })
    }

    /// Whether the algorithm is one that signs (RFC 9580 §9.1).
    pub(super) fn can_sign(&self) -> bool {
        algorithms::signs(self.algorithm)
    }

    /// The form under which a key is hashed (RFC 9580 §5.2.4).
    pub(super) fn hashed_form(&self) -> Vec<u8> {
        hashed_form(self.version, &self.body)
    }

    /// The packet's tag and contents.
    pub(super) fn packet(&self) -> (u8, &[u8]) {
        (if self.is_subkey { 14 } else { 6 }, &self.body)
    }

    /// Whether the key has expired then, or was not made yet, by its self-signature.
    pub(super) fn is_expired(&self, lifetime: Option<u32>, at: u32) -> bool {
        is_over(self.created, lifetime, at)
    }
}

/// Whether what was made then, for so many seconds, is not valid `at` a time. None are forever.
pub(super) fn is_over(created: u32, lifetime: Option<u32>, at: u32) -> bool {
    let end = u64::from(created) + u64::from(lifetime.unwrap_or(0));
    created > at || lifetime.unwrap_or(0) != 0 && u64::from(at) > end
}

pub(super) fn check_version(what: &str, version: u8) -> Result<(), Error> {
    match version {
        4 | 6 => Ok(()),
        5 => Err(Error::unsupported(
            "support for parsing v5 entities is disabled; build with `-tags v5` if needed",
        )),
        _ => Err(Error::Unsupported(format!("{what} version {version}"))),
    }
}

fn hashed_form(version: u8, body: &[u8]) -> Vec<u8> {
    let length = body.len().to_be_bytes();
    let mut out = Vec::with_capacity(body.len() + 5);
    if version == 6 {
        out.push(0x9b);
        out.extend_from_slice(length.get(length.len() - 4..).unwrap_or_default());
    } else {
        out.push(0x99);
        out.extend_from_slice(length.get(length.len() - 2..).unwrap_or_default());
    }
    out.extend_from_slice(body);
    out
}

/// RFC 9580 §5.5.4.
fn fingerprint(version: u8, body: &[u8]) -> (Vec<u8>, u64) {
    let hashed = hashed_form(version, body);
    let id = |bytes: &[u8]| bytes.iter().fold(0, |id, byte| id << 8 | u64::from(*byte));
    if version == 6 {
        let all = digest(&digest::SHA256, &hashed).as_ref().to_vec();
        let id = id(all.get(..8).unwrap_or_default());
        (all, id)
    } else {
        let all = digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &hashed).as_ref().to_vec();
        let id = id(all.get(12..).unwrap_or_default());
        (all, id)
    }
}

/// The material as it is written, and what signatures are checked with.
fn read_material(
    version: u8,
    algorithm: u8,
    contents: &mut Contents<'_, '_>,
) -> Result<(Vec<u8>, Material), Error> {
    let mut written = Vec::new();
    let mut mpis =
        |count: usize| (0..count).try_for_each(|_| contents.mpi().map(|mpi| written.extend(mpi)));
    let material = match algorithm {
        algorithm::RSA | algorithm::RSA_ENCRYPT | algorithm::RSA_SIGN => {
            let (modulus, exponent) = (contents.mpi()?, contents.mpi()?);
            written = [modulus.as_slice(), &exponent].concat();
            let (modulus, exponent) = (value(&modulus), value(&exponent));
            if exponent.len() > EXPONENT_BYTES_MAX {
                return Err(Error::unsupported("large public exponent"));
            }
            Material::Rsa { modulus, exponent }
        }
        algorithm::DSA => {
            mpis(4)?;
            Material::Dsa(written.clone())
        }
        algorithm::ELGAMAL => {
            mpis(3)?;
            Material::None
        }
        algorithm::ECDSA => read_ecdsa(contents, &mut written)?,
        algorithm::ECDH => read_ecdh(version, contents, &mut written)?,
        algorithm::EDDSA => read_eddsa(version, contents, &mut written)?,
        algorithm::X25519 => {
            written = contents.bytes_or_end(32)?;
            Material::None
        }
        algorithm::X448 => {
            written = contents.bytes_or_end(56)?;
            Material::None
        }
        algorithm::ED25519 => {
            written = contents.bytes_or_end(32)?;
            let point = written.as_slice().try_into().map_err(|_| Error::UnexpectedEof)?;
            Material::Ed25519(point)
        }
        algorithm::ED448 => {
            written = contents.bytes_or_end(57)?;
            Material::Ed448(written.clone())
        }
        _ => return Err(Error::Unsupported(format!("public key type: {algorithm}"))),
    };
    Ok((written, material))
}

/// The number in a written integer.
pub(super) fn value(mpi: &[u8]) -> Vec<u8> {
    mpi.get(2..).unwrap_or_default().to_vec()
}

/// A field that starts with one octet of length; two lengths are reserved.
fn short_field(contents: &mut Contents<'_, '_>, written: &mut Vec<u8>) -> Result<Vec<u8>, Error> {
    let [length] = contents.array()?;
    if matches!(length, 0 | 0xff) {
        return Err(Error::unsupported("reserved for future extensions"));
    }
    let field = contents.bytes(usize::from(length))?;
    written.push(length);
    written.extend_from_slice(&field);
    Ok(field)
}

fn point_field(contents: &mut Contents<'_, '_>, written: &mut Vec<u8>) -> Result<Vec<u8>, Error> {
    let mpi = contents.mpi()?;
    written.extend_from_slice(&mpi);
    Ok(value(&mpi))
}

fn unknown_curve(oid: &[u8]) -> Error {
    Error::Unsupported(format!("unknown oid: &{{{}}}", hex::encode(oid)))
}

fn unsupported_curve(oid: &[u8]) -> Error {
    Error::Unsupported(format!("unsupported oid: &{{{}}}", hex::encode(oid)))
}

/// Whether the object identifier is one of a curve that neither ECDSA nor brainpool is done on.
fn is_newer_curve(oid: &[u8]) -> bool {
    [ED25519_OID, ED448_OID, CURVE25519_OID, X448_OID].contains(&oid)
}

fn read_ecdsa(contents: &mut Contents<'_, '_>, written: &mut Vec<u8>) -> Result<Material, Error> {
    let oid = short_field(contents, written)?;
    let curve = Curve::from_oid(&oid);
    if curve.is_none() && !is_newer_curve(&oid) {
        return Err(unknown_curve(&oid));
    }
    let point = point_field(contents, written)?;
    let curve = curve.ok_or_else(|| unsupported_curve(&oid))?;
    let shaped = point.len() == 1 + 2 * curve.field_bytes() && point.first() == Some(&4);
    let on_curve = || {
        let algorithm = curve.verification();
        algorithm.is_none_or(|algorithm| ParsedPublicKey::new(algorithm, &point).is_ok())
    };
    if !shaped || !on_curve() {
        return Err(Error::Other("ecdsa: failed to parse EC point".into()));
    }
    Ok(Material::Ecdsa { curve, point })
}

fn read_ecdh(
    version: u8,
    contents: &mut Contents<'_, '_>,
    written: &mut Vec<u8>,
) -> Result<Material, Error> {
    let oid = short_field(contents, written)?;
    if Curve::from_oid(&oid).is_none() && !is_newer_curve(&oid) {
        return Err(unknown_curve(&oid));
    }
    if version == 6 && [CURVE25519_OID, ED25519_OID].contains(&oid.as_slice()) {
        let text = "cannot read v6 key with deprecated OID: Curve25519Legacy";
        return Err(Error::structural(text));
    }
    let point = point_field(contents, written)?;
    let kdf = short_field(contents, written)?;
    if [ED25519_OID, ED448_OID].contains(&oid.as_slice()) {
        return Err(unsupported_curve(&oid));
    }
    let [reserved, hash, cipher, ..] = *kdf.as_slice() else {
        return Err(Error::Unsupported(format!("unsupported ECDH KDF length: {}", kdf.len())));
    };
    if reserved != 1 {
        return Err(Error::Unsupported(format!("unsupported KDF reserved field: {reserved}")));
    }
    if !HASHES.contains(&hash) {
        return Err(Error::Unsupported(format!("unsupported ECDH KDF hash: {hash}")));
    }
    if !CIPHERS.contains(&cipher) {
        return Err(Error::Unsupported(format!("unsupported ECDH KDF cipher: {cipher}")));
    }
    let length = match oid.as_slice() {
        CURVE25519_OID => 33,
        X448_OID => 57,
        _ => point.len(),
    };
    if point.len() != length {
        return Err(Error::Other("ecdh: failed to parse EC point".into()));
    }
    Ok(Material::None)
}

fn read_eddsa(
    version: u8,
    contents: &mut Contents<'_, '_>,
    written: &mut Vec<u8>,
) -> Result<Material, Error> {
    if version == 6 {
        let text = "cannot generate v6 key with deprecated algorithm: EdDSALegacy";
        return Err(Error::structural(text));
    }
    let oid = short_field(contents, written)?;
    if Curve::from_oid(&oid).is_some() || [CURVE25519_OID, X448_OID].contains(&oid.as_slice()) {
        return Err(unsupported_curve(&oid));
    }
    if ![ED25519_OID, ED448_OID].contains(&oid.as_slice()) {
        return Err(unknown_curve(&oid));
    }
    let point = point_field(contents, written)?;
    let Some((&flag, native)) = point.split_first() else {
        return Err(Error::structural("empty EdDSA public key"));
    };
    if flag != NATIVE_POINT {
        return Err(Error::Unsupported(format!("unsupported EdDSA compression: {flag}")));
    }
    let malformed = || Error::Other("eddsa: failed to parse EC point".into());
    if oid == ED448_OID {
        return (native.len() == 57)
            .then(|| Material::Ed448(native.to_vec()))
            .ok_or_else(malformed);
    }
    native.try_into().map(Material::Ed25519).map_err(|_| malformed())
}
