//! Entries as they are proposed: a hashedrekord of either API from an artifact, a signature and the
//! signer's key or certificate. The signature is checked before anything is sent.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD as BASE64;
use serde_json::{Value, json};

use super::super::Failure;
use super::super::exit::Exit;
use crate::admission::pki::key::{Curve, HashAlgorithm, Key};
use crate::admission::pki::pem;
use crate::admission::pki::x509::Certificate;
use crate::verify::Artifact;

/// What was signed, and by whom.
pub(super) struct Signed {
    hash: HashAlgorithm,
    digest: Vec<u8>,
    signature: Vec<u8>,
    /// As it was given.
    pem: Vec<u8>,
    der: Vec<u8>,
    key: Key,
    is_certificate: bool,
}

impl Signed {
    /// Takes what belongs together; the signature as bytes or as base64.
    pub(super) fn new(
        artifact: &Artifact,
        signature: &[u8],
        pem: Vec<u8>,
    ) -> Result<Self, Failure> {
        let usage = |text: String| Exit::Usage.with(text);
        let block = pem::first_block(&pem).map(|(block, _)| block);
        let block = block.ok_or_else(|| usage("the key or certificate is no PEM".into()))?;
        let (key, is_certificate) = match block.label.as_str() {
            "PUBLIC KEY" => (Key::from_spki(&block.contents).map_err(usage)?, false),
            "CERTIFICATE" => (Certificate::read(block.contents.clone()).map_err(usage)?.key, true),
            other => return Err(usage(format!("a {other} is neither public key nor certificate"))),
        };
        let text = str::from_utf8(signature).ok().map(str::trim);
        let decoded = text.and_then(|text| BASE64.decode(text).ok());
        let signature = decoded.unwrap_or_else(|| signature.to_vec());
        let (hash, digest) = artifact.hash_under(&key, &signature).ok_or_else(|| {
            Exit::NotVerified.with("the signature is not one over the artifact by this key")
        })?;
        let digest = digest.to_vec();
        Ok(Self { hash, digest, signature, der: block.contents, pem, key, is_certificate })
    }

    /// A proposal of Rekor v1 (hashedrekord 0.0.1).
    pub(super) fn rekor_v1(&self) -> Value {
        json!({
            "kind": "hashedrekord",
            "apiVersion": "0.0.1",
            "spec": {
                "data": { "hash": {
                    "algorithm": self.hash.name(), "value": hex::encode(&self.digest),
                } },
                "signature": {
                    "content": BASE64.encode(&self.signature),
                    "publicKey": { "content": BASE64.encode(&self.pem) },
                },
            },
        })
    }

    /// A request of Rekor v2 (hashedrekord 0.0.2).
    pub(super) fn rekor_v2(&self) -> Result<Value, Failure> {
        let details = details(&self.key, self.hash).ok_or_else(|| {
            let hash = self.hash.title();
            Exit::Refused.with(format!("Rekor v2 has no name for {} with {hash}", self.key))
        })?;
        let raw = json!({ "rawBytes": BASE64.encode(&self.der) });
        let member = if self.is_certificate { "x509Certificate" } else { "publicKey" };
        Ok(json!({ "hashedRekordRequestV002": {
            "digest": BASE64.encode(&self.digest),
            "signature": {
                "content": BASE64.encode(&self.signature),
                "verifier": { member: raw, "keyDetails": details },
            },
        } }))
    }
}

/// `PublicKeyDetails` of sigstore's protobuf-specs.
fn details(key: &Key, hash: HashAlgorithm) -> Option<&'static str> {
    match (key, hash) {
        (Key::Ecdsa { curve: Curve::P256, .. }, HashAlgorithm::Sha256) => {
            Some("PKIX_ECDSA_P256_SHA_256")
        }
        (Key::Ecdsa { curve: Curve::P384, .. }, HashAlgorithm::Sha384) => {
            Some("PKIX_ECDSA_P384_SHA_384")
        }
        (Key::Ecdsa { curve: Curve::P521, .. }, HashAlgorithm::Sha512) => {
            Some("PKIX_ECDSA_P521_SHA_512")
        }
        (Key::Ed25519(_), HashAlgorithm::Sha512) => Some("PKIX_ED25519_PH"),
        (Key::Rsa { bits: 2048, .. }, HashAlgorithm::Sha256) => {
            Some("PKIX_RSA_PKCS1V15_2048_SHA256")
        }
        (Key::Rsa { bits: 3072, .. }, HashAlgorithm::Sha256) => {
            Some("PKIX_RSA_PKCS1V15_3072_SHA256")
        }
        (Key::Rsa { bits: 4096, .. }, HashAlgorithm::Sha256) => {
            Some("PKIX_RSA_PKCS1V15_4096_SHA256")
        }
        _ => None,
    }
}
