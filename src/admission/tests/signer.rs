//! Keys and certificates made for a test, and proposals signed with them.

use aws_lc_rs::digest::{SHA256, SHA384, SHA512, digest};
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{self as aws, EcdsaKeyPair, KeyPair as _, RsaKeyPair};
use ed25519_dalek::{Digest as _, SigningKey};
use serde_json::{Value, json};

use crate::admission::base64::encode;
use crate::admission::pki::pem;
use crate::admission::{Policy, Proposal, Rejection, admit, leaf_hash_of};

/// A private key.
pub(super) enum Signer {
    Ecdsa(Box<EcdsaKeyPair>),
    Rsa(Box<RsaKeyPair>),
    Ed25519(Box<SigningKey>),
}

impl Signer {
    pub(super) fn p256() -> Self {
        Self::ecdsa(&aws::ECDSA_P256_SHA256_ASN1_SIGNING)
    }

    pub(super) fn p384() -> Self {
        Self::ecdsa(&aws::ECDSA_P384_SHA384_ASN1_SIGNING)
    }

    pub(super) fn p521() -> Self {
        Self::ecdsa(&aws::ECDSA_P521_SHA512_ASN1_SIGNING)
    }

    pub(super) fn p256_fixed() -> Self {
        Self::ecdsa(&aws::ECDSA_P256_SHA256_FIXED_SIGNING)
    }

    pub(super) fn ecdsa(algorithm: &'static aws::EcdsaSigningAlgorithm) -> Self {
        Self::Ecdsa(Box::new(EcdsaKeyPair::generate(algorithm).unwrap()))
    }

    pub(super) fn rsa() -> Self {
        Self::Rsa(Box::new(RsaKeyPair::generate(KeySize::Rsa2048).unwrap()))
    }

    pub(super) fn ed25519() -> Self {
        let mut seed = [0; 32];
        aws_lc_rs::rand::fill(&mut seed).unwrap();
        Self::Ed25519(Box::new(SigningKey::from_bytes(&seed)))
    }

    pub(super) fn spki(&self) -> Vec<u8> {
        match self {
            Self::Ecdsa(key) => key.public_key().as_der().unwrap().as_ref().to_vec(),
            Self::Rsa(key) => {
                let key: &aws_lc_rs::rsa::PublicKey = key.public_key();
                let der: aws_lc_rs::encoding::PublicKeyX509Der<'_> = key.as_der().unwrap();
                der.as_ref().to_vec()
            }
            Self::Ed25519(key) => {
                let mut spki = hex::decode("302a300506032b6570032100").unwrap();
                spki.extend(key.verifying_key().as_bytes());
                spki
            }
        }
    }

    pub(super) fn pem(&self) -> String {
        let mut text = String::new();
        pem::write(&mut text, "PUBLIC KEY", &self.spki());
        text
    }

    /// Over content: the key's own hash, or pure Ed25519.
    pub(super) fn sign(&self, content: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Self::Ecdsa(key) => key.sign(&random, content).unwrap().as_ref().to_vec(),
            Self::Rsa(key) => self.sign_rsa(key, &aws::RSA_PKCS1_SHA256, content),
            Self::Ed25519(key) => ed25519_dalek::Signer::sign(&**key, content).to_bytes().to_vec(),
        }
    }

    pub(super) fn sign_ph(&self, content: &[u8]) -> Vec<u8> {
        let Self::Ed25519(key) = self else { panic!("only Ed25519") };
        let hasher = ed25519_dalek::Sha512::new_with_prefix(content);
        key.sign_prehashed(hasher, None).unwrap().to_bytes().to_vec()
    }

    fn sign_rsa(
        &self,
        key: &RsaKeyPair,
        how: &'static dyn aws::RsaEncoding,
        content: &[u8],
    ) -> Vec<u8> {
        let mut signature = vec![0; key.public_modulus_len()];
        key.sign(how, &SystemRandom::new(), content, &mut signature).unwrap();
        signature
    }

    pub(super) fn sign_rsa_with(
        &self,
        how: &'static dyn aws::RsaEncoding,
        content: &[u8],
    ) -> Vec<u8> {
        let Self::Rsa(key) = self else { panic!("only RSA") };
        self.sign_rsa(key, how, content)
    }
}

pub(super) const CONTENT: &[u8] = b"hello, log\n";

/// The hash of `content` in hex, by the name that entries have for it.
pub(super) fn hex_digest(algorithm: &str, content: &[u8]) -> String {
    hex::encode(match algorithm {
        "sha256" => digest(&SHA256, content),
        "sha384" => digest(&SHA384, content),
        "sha512" => digest(&SHA512, content),
        other => panic!("{other}"),
    })
}

pub(super) fn hashedrekord(pem: &str, algorithm: &str, signature: &[u8]) -> Value {
    json!({"kind": "hashedrekord", "apiVersion": "0.0.1", "spec": {
        "signature": {"content": encode(signature),
                      "publicKey": {"content": encode(pem.as_bytes())}},
        "data": {"hash": {"algorithm": algorithm, "value": hex_digest(algorithm, CONTENT)}},
    }})
}

/// The bytes that DSSE signs, written independently of the code under test.
pub(super) fn pae(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut out = b"DSSEv1 ".to_vec();
    for part in [payload_type.as_bytes(), payload] {
        out.extend(part.len().to_string().bytes());
        out.push(b' ');
        out.extend(part);
        out.push(b' ');
    }
    out.pop();
    out
}

pub(super) const STATEMENT: &[u8] = br#"{ "subject":[{"name":"x","digest":{"sha256":"ABCD"}}],
         "predicate":{"materials":[{"uri":"y","digest":{"sha1":"ef"}}]}}"#;
pub(super) const IN_TOTO: &str = "application/vnd.in-toto+json";

/// An envelope over [`STATEMENT`], signed by each.
pub(super) fn envelope(signers: &[&Signer]) -> Value {
    let signatures: Vec<Value> = signers
        .iter()
        .map(|signer| json!({"sig": encode(&signer.sign(&pae(IN_TOTO, STATEMENT)))}))
        .collect();
    json!({"payloadType": IN_TOTO, "payload": encode(STATEMENT), "signatures": signatures})
}

pub(super) fn parse(value: &Value) -> Proposal {
    Proposal::from_json(value.to_string().as_bytes()).unwrap()
}

/// The detail of the refusal, which must blame the client.
pub(super) fn refusal(value: &Value) -> String {
    refusal_under(value, &Policy::default())
}

pub(super) fn refusal_under(value: &Value, policy: &Policy) -> String {
    match admit(&parse(value).into(), policy) {
        Err(Rejection::Input(text)) => text,
        other => panic!("expected a refusal, not {other:?}, of {value}"),
    }
}

/// Admits, and checks what holds for every admitted entry.
pub(super) fn admitted(value: &Value) -> crate::admission::AdmittedEntry {
    let entry =
        admit(&parse(value).into(), &Policy::default()).unwrap_or_else(|e| panic!("{e}: {value}"));
    let body: Value = serde_json::from_slice(entry.body()).unwrap();
    assert_eq!(serde_json_canonicalizer::to_vec(&body).unwrap(), entry.body(), "RFC 8785");
    assert_eq!(entry.leaf_hash(), tlog::hash_leaf(entry.body()));
    assert_eq!(leaf_hash_of(&parse(value), &Policy::default()), Ok(entry.leaf_hash()));
    assert!(entry.index_keys().iter().all(|key| *key == key.to_lowercase()));
    entry
}

/// The stored form as a proposal.
pub(super) fn stored(entry: &crate::admission::AdmittedEntry) -> Value {
    serde_json::from_slice(entry.body()).unwrap()
}
