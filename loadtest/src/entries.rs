//! Makes the entries of a run before its clock starts: hashedrekord 0.0.1, each with its own ECDSA
//! P-256 key, digest and signature, so that a server can reuse nothing from one to the next.
//!
//! A proposal is written in RFC 8785 form with the key in canonical PEM. A hashedrekord in that
//! form is its own canonical body, so its leaf hash is known before the server answers.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use tlog::{LeafHash, hash_leaf};

/// An entry to be proposed.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The request body, which is also the canonical body that the log must hold.
    pub body: Bytes,
    /// The leaf hash of that body.
    pub leaf: LeafHash,
}

impl Entry {
    /// An entry from its canonical body.
    pub fn from_body(body: Bytes) -> Self {
        let leaf = hash_leaf(&body);
        Self { body, leaf }
    }
}

/// Makes `count` entries on all cores; `made` counts them while it works.
///
/// # Errors
/// Only if the operating system gives no randomness.
pub fn sign(count: u64, made: &AtomicU64) -> Result<Vec<Entry>, Unspecified> {
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get) as u64;
    thread::scope(|scope| {
        let share = |core: u64| count / cores + u64::from(core < count % cores);
        let signers: Vec<_> = (0..cores)
            .map(|core| scope.spawn(move || sign_on_one_core(share(core), made)))
            .collect();
        let mut entries = Vec::new();
        for signer in signers {
            entries.extend(signer.join().map_err(|_| Unspecified)??);
        }
        Ok(entries)
    })
}

fn sign_on_one_core(count: u64, made: &AtomicU64) -> Result<Vec<Entry>, Unspecified> {
    let random = SystemRandom::new();
    let mut entries = Vec::new();
    for _ in 0..count {
        entries.push(sign_one(&random)?);
        made.fetch_add(1, Ordering::Relaxed);
    }
    Ok(entries)
}

fn sign_one(random: &SystemRandom) -> Result<Entry, Unspecified> {
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING)?;
    let spki: PublicKeyX509Der<'_> = key.public_key().as_der()?;
    let mut artifact = [0; 32];
    random.fill(&mut artifact)?;
    let signature = key.sign(random, &artifact)?;
    let body = canonical_body(
        digest(&SHA256, &artifact).as_ref(),
        signature.as_ref(),
        &pem(spki.as_ref()),
    );
    Ok(Entry::from_body(Bytes::from(body)))
}

fn canonical_body(digest: &[u8], signature: &[u8], key_pem: &str) -> String {
    format!(
        concat!(
            r#"{{"apiVersion":"0.0.1","kind":"hashedrekord","spec":{{"data":{{"hash":"#,
            r#"{{"algorithm":"sha256","value":"{digest}"}}}},"#,
            r#""signature":{{"content":"{signature}","publicKey":{{"content":"{key}"}}}}}}}}"#
        ),
        digest = hex::encode(digest),
        signature = STANDARD.encode(signature),
        key = STANDARD.encode(key_pem),
    )
}

/// A public key in canonical PEM: 64 columns, a newline at the end.
fn pem(spki: &[u8]) -> String {
    const COLUMNS: usize = 64;
    let text = STANDARD.encode(spki);
    let mut pem = String::from("-----BEGIN PUBLIC KEY-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(rest.len().min(COLUMNS));
        pem.push_str(line);
        pem.push('\n');
        rest = after;
    }
    pem.push_str("-----END PUBLIC KEY-----\n");
    pem
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, ParsedPublicKey};
    use serde_json::Value;

    use super::*;

    fn decoded(value: &Value) -> Vec<u8> {
        STANDARD.decode(value.as_str().unwrap()).unwrap()
    }

    #[test]
    fn entries_are_canonical_distinct_and_signed() {
        let made = AtomicU64::new(0);
        let entries = sign(25, &made).unwrap();
        assert_eq!(made.load(Ordering::Relaxed), 25);
        assert_eq!(entries.iter().map(|e| e.leaf).collect::<HashSet<_>>().len(), 25);
        for entry in &entries {
            let json: Value = serde_json::from_slice(&entry.body).unwrap();
            // serde_json sorts members; ASCII only, so its compact form is the RFC 8785 form.
            assert_eq!(json.to_string().as_bytes(), &entry.body[..]);
            let spec = &json["spec"];
            let pem = String::from_utf8(decoded(&spec["signature"]["publicKey"]["content"]));
            let pem = pem.unwrap();
            let der: String = pem.lines().filter(|line| !line.starts_with("--")).collect();
            let der = STANDARD.decode(der).unwrap();
            let key = ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &der).unwrap();
            let digest_of_artifact = hex::decode(spec["data"]["hash"]["value"].as_str().unwrap());
            let digest_of_artifact =
                aws_lc_rs::digest::Digest::import_less_safe(&digest_of_artifact.unwrap(), &SHA256)
                    .unwrap();
            let signature = decoded(&spec["signature"]["content"]);
            key.verify_digest_sig(&digest_of_artifact, &signature).unwrap();
        }
    }

    #[test]
    fn keys_have_64_columns() {
        let pem = pem(&[7; 91]);
        let lengths: Vec<usize> = pem.lines().map(str::len).collect();
        assert_eq!(lengths, [26, 64, 60, 24]);
        assert!(pem.ends_with("-----\n"));
    }
}
