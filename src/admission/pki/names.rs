//! What people call algorithms, for those whose keys are refused.

use std::fmt;

use x509_cert::der::asn1::ObjectIdentifier;

use super::key::{Curve, Key};

/// By object identifier; there are others.
const NAMES: &[(&str, &str)] = &[
    ("1.2.840.10040.4.1", "DSA"),
    ("1.2.840.113549.1.1.10", "RSASSA-PSS"),
    ("1.3.101.110", "X25519"),
    ("1.3.101.111", "X448"),
    ("1.3.101.113", "Ed448"),
    ("1.3.132.0.10", "secp256k1"),
    ("1.3.36.3.3.2.8.1.1.7", "brainpoolP256r1"),
    ("1.3.36.3.3.2.8.1.1.11", "brainpoolP384r1"),
    ("1.3.36.3.3.2.8.1.1.13", "brainpoolP512r1"),
    ("1.2.156.10197.1.301", "SM2"),
    ("2.16.840.1.101.3.4.3.17", "ML-DSA-44"),
    ("2.16.840.1.101.3.4.3.18", "ML-DSA-65"),
    ("2.16.840.1.101.3.4.3.19", "ML-DSA-87"),
];

/// The name of an algorithm or a curve, or its identifier.
pub(super) fn of(id: ObjectIdentifier) -> String {
    let id = id.to_string();
    let known = NAMES.iter().find(|(known, _)| *known == id);
    known.map_or(id, |(_, name)| (*name).to_owned())
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ecdsa { curve: Curve::P256, .. } => f.write_str("ECDSA on P-256"),
            Self::Ecdsa { curve: Curve::P384, .. } => f.write_str("ECDSA on P-384"),
            Self::Ecdsa { curve: Curve::P521, .. } => f.write_str("ECDSA on P-521"),
            Self::Rsa { bits, .. } => write!(f, "RSA of {bits} bits"),
            Self::Ed25519(_) => f.write_str("Ed25519"),
            Self::P224 => f.write_str("ECDSA on P-224"),
            Self::Unknown(id) => f.write_str(&of(*id)),
        }
    }
}
