//! Verifies a certificate chain (RFC 5280 §6): the last certificate is the root, those between it
//! and the leaf are intermediates in any order, the time is the leaf's NotBefore.
//!
//! Checked are names, signatures, validity, basic constraints, path length and key usage; extended
//! key usage is not. Name constraints are not evaluated: a CA that has them is refused. TLS path
//! builders do not fit: they refuse a leaf that is a CA, and want a purpose.

use std::time::Duration;

use aws_lc_rs::signature::{self as aws, UnparsedPublicKey, VerificationAlgorithm};
use x509_cert::Version;
use x509_cert::der::Decode as _;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage};

use super::der;
use super::key::{HashAlgorithm, Key};
use super::x509::Certificate;

pub(crate) const SUBJECT_ALT_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");
const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");
const NAME_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.30");

/// Extensions that may be critical: those above, subject and authority key identifiers, CRL points,
/// policies and extended key usage.
const UNDERSTOOD: [ObjectIdentifier; 12] = [
    SUBJECT_ALT_NAME,
    BASIC_CONSTRAINTS,
    KEY_USAGE,
    NAME_CONSTRAINTS,
    ObjectIdentifier::new_unwrap("2.5.29.14"),
    ObjectIdentifier::new_unwrap("2.5.29.31"),
    ObjectIdentifier::new_unwrap("2.5.29.32"),
    ObjectIdentifier::new_unwrap("2.5.29.33"),
    ObjectIdentifier::new_unwrap("2.5.29.35"),
    ObjectIdentifier::new_unwrap("2.5.29.36"),
    ObjectIdentifier::new_unwrap("2.5.29.37"),
    ObjectIdentifier::new_unwrap("2.5.29.54"),
];

/// Signatures checked in one search for a path.
const SIGNATURE_CHECKS_MAX: usize = 100;

const EXPIRED: &str = "x509: certificate has expired or is not yet valid";
const UNKNOWN_AUTHORITY: &str = "x509: certificate signed by unknown authority";

/// Verifies a chain, leaf first. Fewer than two certificates make no chain.
///
/// # Errors
/// The text for the client.
pub(super) fn verify(certificates: &[Certificate]) -> Result<(), String> {
    let [leaf, intermediates @ .., root] = certificates else { return Ok(()) };
    if has_unhandled_critical(leaf) {
        return Err("x509: unhandled critical extension".into());
    }
    let at = leaf.parsed.tbs_certificate().validity().not_before.to_unix_duration();
    if !is_valid(leaf, at) {
        return Err(EXPIRED.into());
    }
    if leaf.der == root.der {
        return Ok(());
    }
    path(leaf, &intermediates.iter().collect::<Vec<_>>(), root, at).map(drop)
}

/// The certificates from a leaf to a root that is trusted, both included, each of them valid at
/// `at` (since 1970).
///
/// # Errors
/// The text for the client.
pub(crate) fn verify_at<'a>(
    leaf: &'a Certificate,
    intermediates: &[&'a Certificate],
    root: &'a Certificate,
    at: Duration,
) -> Result<Vec<&'a Certificate>, String> {
    if has_unhandled_critical(leaf) {
        return Err("x509: unhandled critical extension".into());
    }
    if !is_valid(leaf, at) {
        return Err(EXPIRED.into());
    }
    path(leaf, intermediates, root, at)
}

fn path<'a>(
    leaf: &'a Certificate,
    intermediates: &[&'a Certificate],
    root: &'a Certificate,
    at: Duration,
) -> Result<Vec<&'a Certificate>, String> {
    let mut search = Search { intermediates, root, at, checks: 0 };
    let mut path = vec![leaf];
    match search.reaches_root(&mut path) {
        _ if search.checks > SIGNATURE_CHECKS_MAX => {
            Err("x509: signature check attempts limit reached while verifying certificate chain"
                .into())
        }
        true => Ok(path),
        false => Err(UNKNOWN_AUTHORITY.into()),
    }
}

struct Search<'s, 'a> {
    intermediates: &'s [&'a Certificate],
    root: &'a Certificate,
    at: Duration,
    checks: usize,
}

impl<'a> Search<'_, 'a> {
    /// Depth first; no deeper than there are intermediates. The path then ends at the root.
    fn reaches_root(&mut self, path: &mut Vec<&'a Certificate>) -> bool {
        let Some(&child) = path.last() else { return false };
        let below = path.len() - 1;
        if self.may_issue(self.root, child, below) {
            path.push(self.root);
            return true;
        }
        for &parent in self.intermediates {
            if path.iter().any(|seen| seen.der == parent.der) {
                continue;
            }
            if self.checks <= SIGNATURE_CHECKS_MAX && self.may_issue(parent, child, below) {
                path.push(parent);
                if self.reaches_root(path) {
                    return true;
                }
                path.pop();
            }
        }
        false
    }

    /// Whether `parent` is a CA that may have issued `child` and did; `below` CAs stand between it
    /// and the leaf.
    fn may_issue(&mut self, parent: &Certificate, child: &Certificate, below: usize) -> bool {
        if parent.subject != child.issuer
            || !is_authority(parent, below)
            || !is_valid(parent, self.at)
        {
            return false;
        }
        self.checks += 1;
        is_signed_by(child, &parent.key)
    }
}

fn is_valid(certificate: &Certificate, at: Duration) -> bool {
    let validity = certificate.parsed.tbs_certificate().validity();
    validity.not_before.to_unix_duration() <= at && at <= validity.not_after.to_unix_duration()
}

fn has_unhandled_critical(certificate: &Certificate) -> bool {
    let extensions = certificate.parsed.tbs_certificate().extensions();
    extensions.into_iter().flatten().any(|e| e.critical && !UNDERSTOOD.contains(&e.extn_id))
}

fn is_authority(certificate: &Certificate, below: usize) -> bool {
    if has_unhandled_critical(certificate) || certificate.extension(NAME_CONSTRAINTS).is_some() {
        return false;
    }
    let constraints = certificate.extension(BASIC_CONSTRAINTS).map(BasicConstraints::from_der);
    let is_authority = match constraints {
        Some(Ok(constraints)) => {
            let limit = constraints.path_len_constraint.map(usize::from);
            constraints.ca && limit.is_none_or(|limit| below <= limit)
        }
        Some(Err(_)) => false,
        // Version 1 knows no extensions.
        None => certificate.parsed.tbs_certificate().version() == Version::V1,
    };
    let usage = certificate.extension(KEY_USAGE).map(KeyUsage::from_der);
    is_authority && usage.is_none_or(|usage| usage.is_ok_and(|usage| usage.key_cert_sign()))
}

fn is_signed_by(certificate: &Certificate, key: &Key) -> bool {
    let algorithm = certificate.parsed.signature_algorithm();
    if algorithm != certificate.parsed.tbs_certificate().signature() {
        return false;
    }
    let Some(message) = certificate.der.get(certificate.signed.clone()) else { return false };
    let Some(signature) = certificate.parsed.signature().as_bytes() else { return false };
    let content = |hash| key.verify_digest(hash, &digest(hash, message), signature).is_ok();
    match (algorithm.oid.to_string().as_str(), key) {
        ("1.2.840.113549.1.1.11", Key::Rsa { .. }) => content(HashAlgorithm::Sha256),
        ("1.2.840.113549.1.1.12", Key::Rsa { .. }) => content(HashAlgorithm::Sha384),
        ("1.2.840.113549.1.1.13", Key::Rsa { .. }) => content(HashAlgorithm::Sha512),
        ("1.2.840.10045.4.3.2", Key::Ecdsa { .. }) => content(HashAlgorithm::Sha256),
        ("1.2.840.10045.4.3.3", Key::Ecdsa { .. }) => content(HashAlgorithm::Sha384),
        ("1.2.840.10045.4.3.4", Key::Ecdsa { .. }) => content(HashAlgorithm::Sha512),
        ("1.3.101.112", Key::Ed25519(_)) => key.verify_content(message, signature).is_ok(),
        ("1.2.840.113549.1.1.10", Key::Rsa { pkcs1, .. }) => {
            let parameters = algorithm.parameters.as_ref().map(|any| any.value());
            pss_algorithm(parameters.unwrap_or_default()).is_some_and(|algorithm| {
                UnparsedPublicKey::new(algorithm, pkcs1).verify(message, signature).is_ok()
            })
        }
        _ => false,
    }
}

fn digest(hash: HashAlgorithm, message: &[u8]) -> Vec<u8> {
    aws_lc_rs::digest::digest(hash.digest_algorithm(), message).as_ref().to_vec()
}

/// By the hash in RSASSA-PSS-params (RFC 4055 §3.1); the salt must be as long as the hash.
fn pss_algorithm(parameters: &[u8]) -> Option<&'static dyn VerificationAlgorithm> {
    let hash = der::expect(der::expect(parameters, der::CONTEXT_0)?.value, der::SEQUENCE)?;
    match der::expect(hash.value, der::OBJECT_IDENTIFIER)?.value {
        [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 1] => Some(&aws::RSA_PSS_2048_8192_SHA256),
        [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 2] => Some(&aws::RSA_PSS_2048_8192_SHA384),
        [0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 3] => Some(&aws::RSA_PSS_2048_8192_SHA512),
        _ => None,
    }
}
