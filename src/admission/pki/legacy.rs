//! Hashes and signatures as archives have them, which are older than the rest: SHA-1 and MD5 too.
//!
//! Where a kind takes them, its format asks for them, or Rekor accepts what was made so.

use aws_lc_rs::digest::{self, Context, Digest};
use aws_lc_rs::signature::{self as aws, UnparsedPublicKey, VerificationAlgorithm};
use md5::{Digest as _, Md5};
use rsa::pkcs1::DecodeRsaPublicKey as _;
use rsa::{Pss, RsaPublicKey};
use sha2::Sha256;

use super::key::{Curve, HashAlgorithm, ecdsa_algorithm, rsa_algorithm};

/// A hash function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hash {
    Md5,
    Sha1,
    Sha224,
    Sha256,
    Sha384,
    Sha512,
}

/// A hash in the making.
pub(crate) enum Hasher {
    Md5(Box<Md5>),
    Sha(Context),
}

impl Hash {
    /// By the value of an object identifier (RFC 3279 section 2.1, RFC 5754 section 2).
    pub(crate) fn from_oid(oid: &[u8]) -> Option<Self> {
        match oid {
            [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02, 0x05] => Some(Self::Md5),
            [0x2b, 0x0e, 0x03, 0x02, 0x1a] => Some(Self::Sha1),
            [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, last] => match last {
                1 => Some(Self::Sha256),
                2 => Some(Self::Sha384),
                3 => Some(Self::Sha512),
                4 => Some(Self::Sha224),
                _ => None,
            },
            _ => None,
        }
    }

    /// By a name such as `SHA1` or `sha-256`.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name.to_lowercase().replacen('-', "", 1).as_str() {
            "md5" => Some(Self::Md5),
            "sha1" => Some(Self::Sha1),
            "sha224" => Some(Self::Sha224),
            "sha256" => Some(Self::Sha256),
            "sha384" => Some(Self::Sha384),
            "sha512" => Some(Self::Sha512),
            _ => None,
        }
    }

    pub(crate) fn hasher(self) -> Hasher {
        let algorithm = match self {
            Self::Md5 => return Hasher::Md5(Box::default()),
            Self::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha224 => &digest::SHA224,
            Self::Sha256 => &digest::SHA256,
            Self::Sha384 => &digest::SHA384,
            Self::Sha512 => &digest::SHA512,
        };
        Hasher::Sha(Context::new(algorithm))
    }

    pub(crate) fn digest(self, content: &[u8]) -> Vec<u8> {
        let mut hasher = self.hasher();
        hasher.update(content);
        hasher.finish()
    }

    fn modern(self) -> Option<HashAlgorithm> {
        match self {
            Self::Sha256 => Some(HashAlgorithm::Sha256),
            Self::Sha384 => Some(HashAlgorithm::Sha384),
            Self::Sha512 => Some(HashAlgorithm::Sha512),
            Self::Md5 | Self::Sha1 | Self::Sha224 => None,
        }
    }
}

impl Hasher {
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Md5(hasher) => hasher.update(bytes),
            Self::Sha(context) => context.update(bytes),
        }
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        match self {
            Self::Md5(hasher) => hasher.finalize().to_vec(),
            Self::Sha(context) => context.finish().as_ref().to_vec(),
        }
    }
}

/// How RSA signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Padding {
    Pkcs1,
    /// With a salt as long as the hash.
    Pss,
}

/// Checks an RSA signature over a digest by `hash`.
///
/// # Errors
/// The text for the client.
pub(crate) fn verify_rsa(
    (bits, pkcs1): (usize, &[u8]),
    padding: Padding,
    hash: Hash,
    digest: &[u8],
    signature: &[u8],
) -> Result<(), String> {
    let algorithm: Option<&dyn VerificationAlgorithm> = match (padding, hash, hash.modern()) {
        (Padding::Pkcs1, Hash::Sha1, _) if (1024..=8192).contains(&bits) => {
            Some(&aws::RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY)
        }
        (Padding::Pkcs1, _, Some(modern)) => rsa_algorithm(bits, modern),
        (Padding::Pss, Hash::Sha256, _) => Some(&aws::RSA_PSS_2048_8192_SHA256),
        (Padding::Pss, Hash::Sha384, _) => Some(&aws::RSA_PSS_2048_8192_SHA384),
        (Padding::Pss, Hash::Sha512, _) => Some(&aws::RSA_PSS_2048_8192_SHA512),
        _ => None,
    };
    let unsupported =
        || format!("signatures by RSA keys of {bits} bits with {hash:?} are not supported");
    let algorithm = algorithm.ok_or_else(unsupported)?;
    let imported = match hash.modern() {
        Some(modern) => modern.digest_algorithm(),
        None => &digest::SHA1_FOR_LEGACY_USE_ONLY,
    };
    let digest = digest::Digest::import_less_safe(digest, imported).map_err(|_| unsupported())?;
    UnparsedPublicKey::new(algorithm, pkcs1)
        .verify_digest(&digest, signature)
        .map_err(|_| "crypto/rsa: verification error".into())
}

/// Checks an RSA-PSS signature over a SHA-256 digest, whose salt is as long as the hash, or as long
/// as it can be: TUF does not say which, and its libraries write either.
pub(crate) fn verify_pss_sha256(
    (bits, pkcs1): (usize, &[u8]),
    digest: &Digest,
    signature: &[u8],
) -> bool {
    let usual = UnparsedPublicKey::new(&aws::RSA_PSS_2048_8192_SHA256, pkcs1);
    if usual.verify_digest(digest, signature).is_ok() {
        return true;
    }
    let Ok(key) = RsaPublicKey::from_pkcs1_der(pkcs1) else { return false };
    // RFC 8017 section 9.1.1: the hash, the salt and two bytes fill the encoded message.
    let longest = (bits.saturating_sub(1)).div_ceil(8).checked_sub(digest.as_ref().len() + 2);
    longest.is_some_and(|longest| {
        let padding = Pss::new_with_salt::<Sha256>(longest);
        key.verify(padding, digest.as_ref(), signature).is_ok()
    })
}

/// Checks an ECDSA signature (DER) over a digest by any hash.
///
/// A digest counts as a number, so that a shorter one may be written with zeros before it.
pub(crate) fn verify_ecdsa(
    (curve, point): (Curve, &[u8]),
    digest: &[u8],
    signature: &[u8],
) -> bool {
    let hash = match digest.len() {
        0..=32 => HashAlgorithm::Sha256,
        33..=48 => HashAlgorithm::Sha384,
        _ => HashAlgorithm::Sha512,
    };
    let zeros = hash.output_len().saturating_sub(digest.len());
    let padded = [vec![0; zeros], digest.to_vec()].concat();
    let Ok(digest) = digest::Digest::import_less_safe(&padded, hash.digest_algorithm()) else {
        return false;
    };
    let key = UnparsedPublicKey::new(ecdsa_algorithm(curve, hash), point);
    key.verify_digest(&digest, signature).is_ok()
}
