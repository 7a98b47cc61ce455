//! Checking a digest's signature with a key: the hashes and algorithms of OpenPGP.
//!
//! RSA, ECDSA and the hashes end in aws-lc-rs, Ed25519 in dalek. DSA, Ed448, and RSA with SHA-224
//! or SHA-3 end in the `pgp` crate. There is nothing to check signatures on brainpool curves with.

use aws_lc_rs::digest::{self, Algorithm, Digest};
use aws_lc_rs::signature::{self as aws, UnparsedPublicKey, VerificationAlgorithm};
use pgp::crypto::hash::HashAlgorithm as CrateHash;
use pgp::crypto::public_key::PublicKeyAlgorithm as CrateAlgorithm;
use pgp::types::{Mpi, PublicParams};

use super::Error;
use super::key::{Material, PublicKey, algorithm};
use super::signature::Values;
use crate::admission::pki::der;
use crate::admission::pki::key::Key;

/// A hash function (RFC 9580 §9.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hash {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
    Sha224,
    Sha3_256,
    Sha3_512,
}

impl Hash {
    /// The hash of that number; SHA-1 only where it is still allowed.
    pub(super) fn from_id(id: u8, allow_sha1: bool) -> Option<Self> {
        match id {
            2 if allow_sha1 => Some(Self::Sha1),
            8 => Some(Self::Sha256),
            9 => Some(Self::Sha384),
            10 => Some(Self::Sha512),
            11 => Some(Self::Sha224),
            12 => Some(Self::Sha3_256),
            14 => Some(Self::Sha3_512),
            _ => None,
        }
    }

    pub(crate) fn algorithm(self) -> &'static Algorithm {
        match self {
            Self::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
            Self::Sha224 => &digest::SHA224,
            Self::Sha3_256 => &digest::SHA3_256,
            Self::Sha3_512 => &digest::SHA3_512,
        }
    }

    /// Bytes of a version 6 signature's salt; `None` where no such signature can be.
    pub(super) fn salt_bytes(self) -> Option<usize> {
        match self {
            Self::Sha1 => None,
            Self::Sha224 | Self::Sha256 | Self::Sha3_256 => Some(16),
            Self::Sha384 => Some(24),
            Self::Sha512 | Self::Sha3_512 => Some(32),
        }
    }
}

/// The curves of ECDSA.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Curve {
    P256,
    P384,
    P521,
    Secp256k1,
    /// One of brainpool's, of so many bytes.
    Brainpool(usize),
}

impl Curve {
    pub(super) fn from_oid(oid: &[u8]) -> Option<Self> {
        match oid {
            [0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07] => Some(Self::P256),
            [0x2b, 0x81, 0x04, 0x00, 0x22] => Some(Self::P384),
            [0x2b, 0x81, 0x04, 0x00, 0x23] => Some(Self::P521),
            [0x2b, 0x81, 0x04, 0x00, 0x0a] => Some(Self::Secp256k1),
            [0x2b, 0x24, 0x03, 0x03, 0x02, 0x08, 0x01, 0x01, last] => match last {
                0x07 => Some(Self::Brainpool(32)),
                0x0b => Some(Self::Brainpool(48)),
                0x0d => Some(Self::Brainpool(64)),
                _ => None,
            },
            _ => None,
        }
    }

    pub(super) fn field_bytes(self) -> usize {
        match self {
            Self::P256 | Self::Secp256k1 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
            Self::Brainpool(bytes) => bytes,
        }
    }

    /// How signatures over 32 bytes are checked.
    pub(super) fn verification(self) -> Option<&'static dyn VerificationAlgorithm> {
        self.verification_of(32)
    }

    fn verification_of(self, bytes: usize) -> Option<&'static dyn VerificationAlgorithm> {
        Some(match (self, bytes) {
            (Self::P256, 32) => &aws::ECDSA_P256_SHA256_ASN1,
            (Self::P256, 48) => &aws::ECDSA_P256_SHA384_ASN1,
            (Self::P256, _) => &aws::ECDSA_P256_SHA512_ASN1,
            (Self::P384, 32) => &aws::ECDSA_P384_SHA256_ASN1,
            (Self::P384, 48) => &aws::ECDSA_P384_SHA384_ASN1,
            (Self::P384, _) => &aws::ECDSA_P384_SHA512_ASN1,
            (Self::P521, 32) => &aws::ECDSA_P521_SHA256_ASN1,
            (Self::P521, 48) => &aws::ECDSA_P521_SHA384_ASN1,
            (Self::P521, _) => &aws::ECDSA_P521_SHA512_ASN1,
            (Self::Secp256k1, _) => &aws::ECDSA_P256K1_SHA256_ASN1,
            (Self::Brainpool(_), _) => return None,
        })
    }
}

/// Whether signatures of this algorithm are known.
pub(super) fn signs(number: u8) -> bool {
    matches!(
        number,
        algorithm::RSA
            | algorithm::RSA_SIGN
            | algorithm::DSA
            | algorithm::ECDSA
            | algorithm::EDDSA
            | algorithm::ED25519
            | algorithm::ED448
    )
}

/// Checks the signature over a digest; `values` are of the key's algorithm.
pub(super) fn verify(
    key: &PublicKey,
    hash: Hash,
    digest: &Digest,
    values: &Values,
) -> Result<(), Error> {
    let (name, verified) = match (&key.material, values) {
        (Material::Rsa { modulus, exponent }, Values::One(signature)) => {
            ("RSA", verify_rsa(modulus, exponent, hash, digest, signature))
        }
        (Material::Dsa(parameters), Values::Two(r, s)) => {
            ("DSA", verify_dsa(parameters, digest, r, s))
        }
        (Material::Ecdsa { curve, point }, Values::Two(r, s)) => {
            ("ECDSA", verify_ecdsa(*curve, point, digest, r, s))
        }
        (Material::Ed25519(point), Values::Two(r, s)) => {
            let signature = join_padded(r, s);
            ("EdDSA", signature.and_then(|signature| verify_ed25519(point, digest, &signature)))
        }
        (Material::Ed448(point), Values::Two(r, _)) => {
            let signature = r.get(1..).filter(|native| native.len() == 114);
            ("EdDSA", signature.and_then(|native| verify_ed448(point, digest, native)))
        }
        (Material::Ed25519(point), Values::Native(signature)) => {
            ("Ed25519", verify_ed25519(point, digest, signature))
        }
        (Material::Ed448(point), Values::Native(signature)) => {
            ("ed448", verify_ed448(point, digest, signature))
        }
        _ => {
            let text = "Unsupported public key algorithm used in signature";
            return Err(Error::Signature(text.into()));
        }
    };
    verified.ok_or_else(|| Error::Signature(format!("{name} verification failure")))
}

fn strip_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|byte| **byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}

/// The number in so many bytes, unless it needs more.
fn pad(number: &[u8], bytes: usize) -> Option<Vec<u8>> {
    let mut out = vec![0; bytes.checked_sub(number.len())?];
    out.extend_from_slice(number);
    Some(out)
}

fn verify_rsa(
    modulus: &[u8],
    exponent: &[u8],
    hash: Hash,
    digest: &Digest,
    signature: &[u8],
) -> Option<()> {
    let modulus = strip_zeros(modulus);
    let bits = modulus.len() * 8 - modulus.first()?.leading_zeros() as usize;
    if !(1024..=8192).contains(&bits) {
        return None;
    }
    let known: &aws::RsaParameters = match hash {
        Hash::Sha1 => &aws::RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY,
        Hash::Sha256 => &aws::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
        Hash::Sha384 if bits >= 2048 => &aws::RSA_PKCS1_2048_8192_SHA384,
        Hash::Sha512 => &aws::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY,
        _ => return verify_rsa_with_crate(modulus, exponent, hash, digest, signature),
    };
    let mut numbers = Vec::new();
    der::write_unsigned(&mut numbers, modulus);
    der::write_unsigned(&mut numbers, exponent);
    let mut pkcs1 = Vec::new();
    der::write_header(&mut pkcs1, der::SEQUENCE, numbers.len());
    pkcs1.extend(numbers);
    let signature = pad(signature, modulus.len())?;
    UnparsedPublicKey::new(known, pkcs1).verify_digest(digest, &signature).ok()
}

fn verify_rsa_with_crate(
    modulus: &[u8],
    exponent: &[u8],
    hash: Hash,
    digest: &Digest,
    signature: &[u8],
) -> Option<()> {
    let written = [write_mpi(modulus), write_mpi(exponent)].concat();
    let parameters = PublicParams::try_from_reader(CrateAlgorithm::RSA, None, written.as_slice());
    let Ok(PublicParams::RSA(parameters)) = parameters else { return None };
    let signature = pad(signature, modulus.len())?;
    pgp::crypto::rsa::verify(&parameters.key, crate_hash(hash), digest.as_ref(), &signature).ok()
}

fn write_mpi(number: &[u8]) -> Vec<u8> {
    let number = strip_zeros(number);
    let bits = number.first().map_or(0, |first| number.len() * 8 - first.leading_zeros() as usize);
    let mut out = u16::try_from(bits).unwrap_or(u16::MAX).to_be_bytes().to_vec();
    out.extend_from_slice(number);
    out
}

fn crate_hash(hash: Hash) -> CrateHash {
    match hash {
        Hash::Sha1 => CrateHash::Sha1,
        Hash::Sha256 => CrateHash::Sha256,
        Hash::Sha384 => CrateHash::Sha384,
        Hash::Sha512 => CrateHash::Sha512,
        Hash::Sha224 => CrateHash::Sha224,
        Hash::Sha3_256 => CrateHash::Sha3_256,
        Hash::Sha3_512 => CrateHash::Sha3_512,
    }
}

fn verify_dsa(parameters: &[u8], digest: &Digest, r: &[u8], s: &[u8]) -> Option<()> {
    let parameters = PublicParams::try_from_reader(CrateAlgorithm::DSA, None, parameters);
    let Ok(PublicParams::DSA(parameters)) = parameters else { return None };
    let number = |bytes| Mpi::from_slice(bytes).into();
    pgp::crypto::dsa::verify(&parameters, digest.as_ref(), number(r), number(s)).ok()
}

/// A digest counts as a number, so that a shorter one may be written with zeros before it.
fn verify_ecdsa(curve: Curve, point: &[u8], digest: &Digest, r: &[u8], s: &[u8]) -> Option<()> {
    let (bytes, algorithm) = match digest.as_ref().len() {
        0..=32 => (32, &digest::SHA256),
        33..=48 => (48, &digest::SHA384),
        _ => (64, &digest::SHA512),
    };
    let padded = match curve {
        // Of a longer digest, the left part counts, which is all that there is a function for.
        Curve::Secp256k1 => {
            let left = digest.as_ref().get(..32).unwrap_or(digest.as_ref());
            Digest::import_less_safe(&pad(left, 32)?, &digest::SHA256).ok()?
        }
        _ => Digest::import_less_safe(&pad(digest.as_ref(), bytes)?, algorithm).ok()?,
    };
    if r.len().max(s.len()) > curve.field_bytes() + 1 {
        return None;
    }
    let mut numbers = Vec::new();
    der::write_unsigned(&mut numbers, r);
    der::write_unsigned(&mut numbers, s);
    let mut written = Vec::new();
    der::write_header(&mut written, der::SEQUENCE, numbers.len());
    written.extend(numbers);
    let key = UnparsedPublicKey::new(curve.verification_of(bytes)?, point);
    key.verify_digest(&padded, &written).ok()
}

fn join_padded(r: &[u8], s: &[u8]) -> Option<Vec<u8>> {
    Some([pad(r, 32)?, pad(s, 32)?].concat())
}

fn verify_ed25519(point: &[u8; 32], digest: &Digest, signature: &[u8]) -> Option<()> {
    Key::Ed25519(*point).verify_content(digest.as_ref(), signature).ok()
}

/// The crate wants long hashes only, and uses the hash's name for nothing else.
fn verify_ed448(point: &[u8], digest: &Digest, signature: &[u8]) -> Option<()> {
    let parameters = PublicParams::try_from_reader(CrateAlgorithm::Ed448, None, point);
    let Ok(PublicParams::Ed448(parameters)) = parameters else { return None };
    pgp::crypto::ed448::verify(&parameters.key, CrateHash::Sha512, digest.as_ref(), signature).ok()
}
