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

    /// The next proposal, as JSON.
    pub fn next_json(&mut self) -> String {
        self.made += 1;
        let artifact = self.made.to_be_bytes();
        let signature = self.key.sign(&SystemRandom::new(), &artifact).unwrap();
        let value = hex::encode(digest(&SHA256, &artifact));
        let content = STANDARD.encode(signature);
        let pem = &self.pem;
        serde_json::json!({"kind": "hashedrekord", "apiVersion": "0.0.1", "spec": {
            "data": {"hash": {"algorithm": "sha256", "value": value}},
            "signature": {"content": content, "publicKey": {"content": pem}},
        }})
        .to_string()
    }
}
