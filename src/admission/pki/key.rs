//! Public keys: what a SubjectPublicKeyInfo holds (RFC 5280 §4.1.2.7), and checking signatures.
//!
//! RSA PKCS#1 v1.5, ECDSA as DER or as `r || s` (IEEE P1363), Ed25519 and Ed25519ph. ECDSA and RSA
//! end in aws-lc-rs, Ed25519 in dalek. Certificates are in `x509`.

use aws_lc_rs::digest::{self, Digest};
use aws_lc_rs::signature::{self as aws, UnparsedPublicKey, VerificationAlgorithm};
use ed25519_dalek::{Signature, Verifier as _, VerifyingKey};
use x509_cert::der::Decode as _;
use x509_cert::der::asn1::{AnyRef, BitStringRef, ObjectIdentifier};
use x509_cert::spki::SubjectPublicKeyInfo;

use super::der;
use super::names;
use super::prehashed::Prehashed;

/// A hash over content, as entries name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HashAlgorithm {
    Sha256,
    Sha384,
    Sha512,
}

impl HashAlgorithm {
    /// The algorithm of that name in entries, for example `sha256`.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            "sha256" => Some(Self::Sha256),
            "sha384" => Some(Self::Sha384),
            "sha512" => Some(Self::Sha512),
            _ => None,
        }
    }

    /// The name in entries and index keys.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        }
    }

    /// The hash of content.
    pub(crate) fn digest(self, content: &[u8]) -> Digest {
        digest::digest(self.digest_algorithm(), content)
    }

    /// Its length in bytes.
    pub(crate) fn output_len(self) -> usize {
        self.digest_algorithm().output_len()
    }

    pub(crate) fn digest_algorithm(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        }
    }

    /// The name as error texts have it.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Self::Sha256 => "SHA-256",
            Self::Sha384 => "SHA-384",
            Self::Sha512 => "SHA-512",
        }
    }
}

/// The curves that signatures are checked on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Curve {
    P256,
    P384,
    P521,
}

/// A public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    /// An uncompressed point.
    Ecdsa { curve: Curve, point: Vec<u8> },
    /// An `RSAPublicKey` (RFC 8017) and the length of its modulus.
    Rsa { bits: usize, pkcs1: Vec<u8> },
    /// The 32 bytes of RFC 8032.
    Ed25519([u8; 32]),
    /// Readable and searchable, but there is nothing here to check its signatures with.
    P224,
    /// A certificate's key of a type that signs nothing here.
    Unknown(ObjectIdentifier),
}

/// Why a signature does not count.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum VerifyError {
    /// It is wrong; with the text for the client.
    #[error("{0}")]
    Invalid(String),
    /// No signature by this key can be checked here; with the text for the client.
    #[error("{0}")]
    UnsupportedKey(String),
}

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
const P224: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.33");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");

impl Key {
    /// Reads a SubjectPublicKeyInfo; a type of key that signs nothing here is [`Key::Unknown`].
    pub(crate) fn from_spki(spki: &[u8]) -> Result<Self, String> {
        let info = SubjectPublicKeyInfo::<AnyRef<'_>, BitStringRef<'_>>::from_der(spki)
            .map_err(|error| format!("x509: malformed public key: {error}"))?;
        let bytes = info.subject_public_key.as_bytes().ok_or("x509: malformed public key")?;
        let parameters = info.algorithm.parameters;
        match info.algorithm.oid {
            RSA if parameters.is_none_or(|p| !p.is_null()) => {
                Err("x509: RSA key missing NULL parameters".into())
            }
            RSA => Self::from_pkcs1(bytes),
            EC => {
                let curve = parameters.and_then(|p| p.decode_as::<ObjectIdentifier>().ok());
                Self::from_point(curve.ok_or("x509: invalid ECDSA parameters")?, bytes)
            }
            ED25519 if parameters.is_some() => {
                Err("x509: Ed25519 key encoded with illegal parameters".into())
            }
            ED25519 => bytes
                .try_into()
                .map(Self::Ed25519)
                .map_err(|_| "x509: wrong Ed25519 public key size".into()),
            other => Ok(Self::Unknown(other)),
        }
    }

    /// Reads an RSAPublicKey (RFC 8017 appendix A.1.1).
    pub(crate) fn from_pkcs1(pkcs1: &[u8]) -> Result<Self, String> {
        let malformed = "x509: invalid RSA public key";
        let sequence = der::expect(pkcs1, der::SEQUENCE).filter(|all| all.rest.is_empty());
        let modulus =
            der::expect(sequence.ok_or(malformed)?.value, der::INTEGER).ok_or(malformed)?;
        let exponent = der::expect(modulus.rest, der::INTEGER).ok_or(malformed)?;
        let negative = |integer: &[u8]| integer.first().is_none_or(|byte| byte & 0x80 != 0);
        if negative(modulus.value) || negative(exponent.value) {
            return Err("x509: RSA modulus is not a positive number".into());
        }
        let zeros = modulus.value.iter().take_while(|byte| **byte == 0).count();
        let first = modulus.value.get(zeros).ok_or("x509: RSA modulus is not a positive number")?;
        let bits = (modulus.value.len() - zeros) * 8 - first.leading_zeros() as usize;
        Ok(Self::Rsa { bits, pkcs1: pkcs1.to_vec() })
    }

    fn from_point(curve: ObjectIdentifier, point: &[u8]) -> Result<Self, String> {
        let (curve, name, field_bytes) = match curve {
            P224 => (None, "P224", 28),
            P256 => (Some(Curve::P256), "P256", 32),
            P384 => (Some(Curve::P384), "P384", 48),
            P521 => (Some(Curve::P521), "P521", 66),
            other => {
                return Err(format!("x509: unsupported elliptic curve: {}", names::of(other)));
            }
        };
        if point.first() != Some(&4) {
            return Err("ecdsa: invalid uncompressed public key".into());
        }
        if point.len() != 1 + 2 * field_bytes {
            return Err(format!("invalid {name} point encoding"));
        }
        Ok(curve.map_or(Self::P224, |curve| Self::Ecdsa { curve, point: point.to_vec() }))
    }

    /// Checks a signature over content: with SHA-256, or pure Ed25519.
    pub(crate) fn verify_content(
        &self,
        content: &[u8],
        signature: &[u8],
    ) -> Result<(), VerifyError> {
        if let Self::Ed25519(key) = self {
            return verify_pure_ed25519(key, content, signature);
        }
        let digest = digest::digest(&digest::SHA256, content);
        self.verify_import(HashAlgorithm::Sha256, &digest, signature)
    }

    /// The same, with the SHA-256 of the content at hand: only Ed25519 reads the content itself.
    pub(crate) fn verify_hashed(
        &self,
        content: &[u8],
        sha256: &Digest,
        signature: &[u8],
    ) -> Result<(), VerifyError> {
        match self {
            Self::Ed25519(key) => verify_pure_ed25519(key, content, signature),
            _ => self.verify_import(HashAlgorithm::Sha256, sha256, signature),
        }
    }

    /// Checks a signature over a digest that was computed elsewhere; Ed25519 means Ed25519ph.
    pub(crate) fn verify_digest(
        &self,
        hash: HashAlgorithm,
        digest: &[u8],
        signature: &[u8],
    ) -> Result<(), VerifyError> {
        if let Self::Ed25519(key) = self {
            return verify_ed25519ph(key, hash, digest, signature);
        }
        let digest = Digest::import_less_safe(digest, hash.digest_algorithm())
            .map_err(|_| invalid("invalid value for hash"))?;
        self.verify_import(hash, &digest, signature)
    }

    fn verify_import(
        &self,
        hash: HashAlgorithm,
        digest: &Digest,
        signature: &[u8],
    ) -> Result<(), VerifyError> {
        match self {
            Self::Ecdsa { curve, point } => verify_ecdsa(*curve, point, hash, digest, signature),
            Self::Rsa { bits, pkcs1 } => {
                let algorithm = rsa_algorithm(*bits, hash).ok_or_else(|| {
                    let title = hash.title();
                    unsupported(format!("RSA keys of {bits} bits with {title} are not supported"))
                })?;
                UnparsedPublicKey::new(algorithm, pkcs1)
                    .verify_digest(digest, signature)
                    .map_err(|_| invalid("crypto/rsa: verification error"))
            }
            Self::P224 => Err(unsupported("keys on the curve P-224 are not supported".into())),
            Self::Ed25519(_) | Self::Unknown(_) => {
                Err(unsupported(format!("unsupported public key type: {self}")))
            }
        }
    }
}

/// Whether signatures by this key can be checked at all; the text says why not.
pub(crate) fn check_supported(key: &Key) -> Result<(), String> {
    match key {
        Key::P224 => Err("keys on the curve P-224 are not supported".into()),
        Key::Unknown(_) => Err(format!("unsupported public key type: {key}")),
        _ => Ok(()),
    }
}

fn invalid(text: &str) -> VerifyError {
    VerifyError::Invalid(text.to_owned())
}

fn unsupported(text: String) -> VerifyError {
    VerifyError::UnsupportedKey(text)
}

/// Any hash goes with any of the three curves.
fn verify_ecdsa(
    curve: Curve,
    point: &[u8],
    hash: HashAlgorithm,
    digest: &Digest,
    signature: &[u8],
) -> Result<(), VerifyError> {
    let key = UnparsedPublicKey::new(ecdsa_algorithm(curve, hash), point);
    if is_der_signature(signature) {
        return key
            .verify_digest(digest, signature)
            .map_err(|_| invalid("invalid signature when validating ASN.1 encoded signature"));
    }
    let written = p1363_to_der(signature)
        .ok_or_else(|| invalid("ecdsa: Invalid IEEE_P1363 encoded bytes"))?;
    key.verify_digest(digest, &written)
        .map_err(|_| invalid("invalid signature when validating IEEE_P1363 encoded signature"))
}

pub(super) fn ecdsa_algorithm(
    curve: Curve,
    hash: HashAlgorithm,
) -> &'static dyn VerificationAlgorithm {
    match (curve, hash) {
        (Curve::P256, HashAlgorithm::Sha256) => &aws::ECDSA_P256_SHA256_ASN1,
        (Curve::P256, HashAlgorithm::Sha384) => &aws::ECDSA_P256_SHA384_ASN1,
        (Curve::P256, HashAlgorithm::Sha512) => &aws::ECDSA_P256_SHA512_ASN1,
        (Curve::P384, HashAlgorithm::Sha256) => &aws::ECDSA_P384_SHA256_ASN1,
        (Curve::P384, HashAlgorithm::Sha384) => &aws::ECDSA_P384_SHA384_ASN1,
        (Curve::P384, HashAlgorithm::Sha512) => &aws::ECDSA_P384_SHA512_ASN1,
        (Curve::P521, HashAlgorithm::Sha256) => &aws::ECDSA_P521_SHA256_ASN1,
        (Curve::P521, HashAlgorithm::Sha384) => &aws::ECDSA_P521_SHA384_ASN1,
        (Curve::P521, HashAlgorithm::Sha512) => &aws::ECDSA_P521_SHA512_ASN1,
    }
}

/// aws-lc-rs has no SHA-384 below 2048 bits, and nothing outside 1024 to 8192.
pub(super) fn rsa_algorithm(
    bits: usize,
    hash: HashAlgorithm,
) -> Option<&'static dyn VerificationAlgorithm> {
    match (bits, hash) {
        (1024..=8192, HashAlgorithm::Sha256) => {
            Some(&aws::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY)
        }
        (1024..=8192, HashAlgorithm::Sha512) => {
            Some(&aws::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY)
        }
        (2048..=8192, HashAlgorithm::Sha384) => Some(&aws::RSA_PKCS1_2048_8192_SHA384),
        _ => None,
    }
}

/// Whether it starts as `SEQUENCE { INTEGER, INTEGER`; anything else is taken for `r || s`.
fn is_der_signature(signature: &[u8]) -> bool {
    let minimal = |integer: &[u8]| match integer {
        [] => false,
        [0, second, ..] => second & 0x80 != 0,
        [0xff, second, ..] => second & 0x80 == 0,
        _ => true,
    };
    let integers = der::expect(signature, der::SEQUENCE).and_then(|sequence| {
        let r = der::expect(sequence.value, der::INTEGER)?;
        Some((r.value, der::expect(r.rest, der::INTEGER)?.value))
    });
    integers.is_some_and(|(r, s)| minimal(r) && minimal(s))
}

/// At most twice the 66 bytes of P-521.
const P1363_BYTES_MAX: usize = 132;

fn p1363_to_der(signature: &[u8]) -> Option<Vec<u8>> {
    if signature.is_empty()
        || signature.len() > P1363_BYTES_MAX
        || !signature.len().is_multiple_of(2)
    {
        return None;
    }
    let (r, s) = signature.split_at_checked(signature.len() / 2)?;
    let mut integers = Vec::with_capacity(P1363_BYTES_MAX + 8);
    der::write_unsigned(&mut integers, r);
    der::write_unsigned(&mut integers, s);
    let mut written = Vec::with_capacity(integers.len() + 3);
    der::write_header(&mut written, der::SEQUENCE, integers.len());
    written.extend(integers);
    Some(written)
}

fn ed25519(key: &[u8; 32], signature: &[u8]) -> Option<(VerifyingKey, Signature)> {
    Some((VerifyingKey::from_bytes(key).ok()?, Signature::from_slice(signature).ok()?))
}

fn verify_pure_ed25519(
    key: &[u8; 32],
    content: &[u8],
    signature: &[u8],
) -> Result<(), VerifyError> {
    ed25519(key, signature)
        .and_then(|(key, signature)| key.verify(content, &signature).ok())
        .ok_or_else(|| invalid("failed to verify signature"))
}

fn verify_ed25519ph(
    key: &[u8; 32],
    hash: HashAlgorithm,
    digest: &[u8],
    signature: &[u8],
) -> Result<(), VerifyError> {
    let digest = match (hash, <[u8; 64]>::try_from(digest)) {
        (HashAlgorithm::Sha512, Ok(digest)) => digest,
        _ => {
            let title = hash.title();
            let text = format!("unsupported hash algorithm: {title:?} not in [SHA-512]");
            return Err(VerifyError::Invalid(text));
        }
    };
    ed25519(key, signature)
        .and_then(|(key, signature)| {
            key.verify_prehashed(Prehashed::new(digest), None, &signature).ok()
        })
        .ok_or_else(|| invalid("failed to verify signature: ed25519: invalid signature"))
}
