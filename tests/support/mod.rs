//! What several test programs share: proposals that are signed at test time.
#![allow(unreachable_pub, reason = "a module of several programs, some of which are benches")]

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cairn::publisher::signer::public_key_pem;

/// Makes hashedrekord proposals, each with an artifact of its own, under one key.
pub struct Proposals {
    key: EcdsaKeyPair,
    pem: String,
    made: u64,
}

impl Proposals {
    /// With a new key.
    pub fn new() -> Self {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        let spki: PublicKeyX509Der<'_> = key.public_key().as_der().unwrap();
        let pem = STANDARD.encode(public_key_pem(spki.as_ref()));
        Self { key, pem, made: 0 }
    }

    /// The next hashedrekord proposal, as JSON.
    pub fn next_json(&mut self) -> String {
        self.made += 1;
        let artifact = self.made.to_be_bytes();
        let value = hex::encode(digest(&SHA256, &artifact));
        let (content, pem) = (self.sign(&artifact), &self.pem);
        proposal(
            "hashedrekord",
            serde_json::json!({
                "data": {"hash": {"algorithm": "sha256", "value": value}},
                "signature": {"content": content, "publicKey": {"content": pem}},
            }),
        )
    }

    /// The next hashedrekord request of Rekor v2, as JSON.
    #[allow(dead_code, reason = "not every program needs it")]
    pub fn next_v2_json(&mut self) -> String {
        self.made += 1;
        let artifact = self.made.to_be_bytes();
        let digest = STANDARD.encode(digest(&SHA256, &artifact));
        let (content, verifier) = (self.sign(&artifact), self.verifier_v2());
        let signature = serde_json::json!({"content": content, "verifier": verifier});
        let request = serde_json::json!({"digest": digest, "signature": signature});
        serde_json::json!({"hashedRekordRequestV002": request}).to_string()
    }

    /// A dsse request of Rekor v2 with this payload, as JSON.
    #[allow(dead_code, reason = "not every program needs it")]
    pub fn dsse_v2_json(&self, payload: &[u8]) -> String {
        let envelope = self.envelope(payload, "application/octet-stream");
        let request = serde_json::json!({"envelope": envelope, "verifiers": [self.verifier_v2()]});
        serde_json::json!({"dsseRequestV002": request}).to_string()
    }

    /// A rekord proposal with this content.
    #[allow(dead_code, reason = "not every program needs it")]
    pub fn rekord_json(&self, content: &[u8]) -> String {
        let (signature, pem) = (self.sign(content), &self.pem);
        proposal(
            "rekord",
            serde_json::json!({
                "data": {"content": STANDARD.encode(content)},
                "signature": {"format": "x509", "content": signature, "publicKey": {"content": pem}},
            }),
        )
    }

    /// A proposal with this package, of kind alpine or rpm.
    #[allow(dead_code, reason = "not every program needs it")]
    pub fn package_json(&self, kind: &str, package: &[u8]) -> String {
        let content = STANDARD.encode(package);
        let spec = serde_json::json!({
            "package": {"content": content}, "publicKey": {"content": self.pem},
        });
        proposal(kind, spec)
    }

    /// A jar proposal with this archive.
    #[allow(dead_code, reason = "not every program needs it")]
    pub fn jar_json(archive: &[u8]) -> String {
        proposal("jar", serde_json::json!({"archive": {"content": STANDARD.encode(archive)}}))
    }

    /// A dsse proposal with this payload.
    #[allow(dead_code, reason = "not every program needs it")]
    pub fn dsse_json(&self, payload: &[u8]) -> String {
        self.dsse_of(payload, "application/octet-stream")
    }

    /// A dsse proposal with a payload of this type.
    #[allow(dead_code, reason = "not every program needs it")]
    pub fn dsse_of(&self, payload: &[u8], kind: &str) -> String {
        let envelope = self.envelope(payload, kind);
        proposal(
            "dsse",
            serde_json::json!({
                "proposedContent": {"envelope": envelope.to_string(), "verifiers": [self.pem]},
            }),
        )
    }

    /// An intoto proposal with this statement, which is kept as attestation.
    #[allow(dead_code, reason = "not every program needs it")]
    pub fn intoto_json(&self, statement: &[u8]) -> String {
        let envelope = self.envelope(statement, "application/vnd.in-toto+json").to_string();
        let content = serde_json::json!({"envelope": envelope});
        proposal("intoto", serde_json::json!({"content": content, "publicKey": self.pem}))
    }

    fn envelope(&self, payload: &[u8], kind: &str) -> serde_json::Value {
        let mut signed = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len()).into_bytes();
        signed.extend_from_slice(payload);
        serde_json::json!({
            "payloadType": kind,
            "payload": STANDARD.encode(payload),
            "signatures": [{"keyid": "", "sig": self.sign(&signed)}],
        })
    }

    fn verifier_v2(&self) -> serde_json::Value {
        let spki: PublicKeyX509Der<'_> = self.key.public_key().as_der().unwrap();
        serde_json::json!({
            "publicKey": {"rawBytes": STANDARD.encode(spki.as_ref())},
            "keyDetails": "PKIX_ECDSA_P256_SHA_256",
        })
    }

    /// A signature over the SHA-256 of a message, DER in base64.
    fn sign(&self, message: &[u8]) -> String {
        STANDARD.encode(self.key.sign(&SystemRandom::new(), message).unwrap())
    }
}

fn proposal(kind: &str, spec: serde_json::Value) -> String {
    serde_json::json!({"kind": kind, "apiVersion": "0.0.1", "spec": spec}).to_string()
}
