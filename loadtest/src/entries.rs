//! Makes the entries of a run before its clock starts: hashedrekords, each with its own ECDSA P-256
//! key, digest and signature, so that a server can reuse nothing from one to the next. How they are
//! written down is the business of each API; their canonical body is known before the server
//! answers.

use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::error::Unspecified;
use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use bytes::Bytes;
use tlog::{LeafHash, hash_leaf};

use crate::progress::Progress;

/// An entry to be proposed.
#[derive(Clone, Debug)]
pub struct Entry {
    /// The request body.
    pub request: Bytes,
    /// The canonical body that the log must hold.
    pub body: Bytes,
    /// The leaf hash of that body.
    pub leaf: LeafHash,
}

impl Entry {
    /// An entry from its request and its canonical body.
    pub fn new(request: Bytes, body: Bytes) -> Self {
        let leaf = hash_leaf(&body);
        Self { request, body, leaf }
    }
}

/// What an entry is made of.
pub struct Signed {
    /// SHA-256 of an artifact.
    pub digest: [u8; 32],
    /// Signature over the artifact, ASN.1 DER.
    pub signature: Vec<u8>,
    /// The public key, SPKI DER.
    pub spki: Vec<u8>,
}

/// Makes `count` entries on all cores and writes each down with `write`.
///
/// # Errors
/// Only if the operating system gives no randomness.
pub fn sign(count: u64, write: fn(&Signed) -> Entry) -> Result<Vec<Entry>, Unspecified> {
    Progress::during("  signing", count, |made| sign_on_all_cores(count, write, made))
}

fn sign_on_all_cores(
    count: u64,
    write: fn(&Signed) -> Entry,
    made: &AtomicU64,
) -> Result<Vec<Entry>, Unspecified> {
    let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get) as u64;
    thread::scope(|scope| {
        let share = |core: u64| count / cores + u64::from(core < count % cores);
        let signers: Vec<_> = (0..cores)
            .map(|core| scope.spawn(move || sign_on_one_core(share(core), write, made)))
            .collect();
        let mut entries = Vec::new();
        for signer in signers {
            entries.extend(signer.join().map_err(|_| Unspecified)??);
        }
        Ok(entries)
    })
}

fn sign_on_one_core(
    count: u64,
    write: fn(&Signed) -> Entry,
    made: &AtomicU64,
) -> Result<Vec<Entry>, Unspecified> {
    let random = SystemRandom::new();
    let mut entries = Vec::new();
    for _ in 0..count {
        entries.push(write(&sign_one(&random)?));
        made.fetch_add(1, Ordering::Relaxed);
    }
    Ok(entries)
}

fn sign_one(random: &SystemRandom) -> Result<Signed, Unspecified> {
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING)?;
    let spki: PublicKeyX509Der<'_> = key.public_key().as_der()?;
    let mut artifact = [0; 32];
    random.fill(&mut artifact)?;
    let signature = key.sign(random, &artifact)?;
    Ok(Signed {
        digest: sha256(&artifact)?,
        signature: signature.as_ref().to_vec(),
        spki: spki.as_ref().to_vec(),
    })
}

fn sha256(bytes: &[u8]) -> Result<[u8; 32], Unspecified> {
    digest(&SHA256, bytes).as_ref().try_into().map_err(|_| Unspecified)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use aws_lc_rs::digest::Digest;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, ParsedPublicKey};

    use super::*;

    #[test]
    fn entries_are_distinct_and_signed() {
        let write = |signed: &Signed| {
            let parts = [&signed.digest[..], &[signed.signature.len() as u8], &signed.signature];
            let parts = Bytes::from([&parts.concat()[..], &signed.spki].concat());
            Entry::new(parts.clone(), parts)
        };
        let made = AtomicU64::new(0);
        let entries = sign_on_all_cores(25, write, &made).unwrap();
        assert_eq!(made.load(Ordering::Relaxed), 25);
        let distinct = |part: fn(&Entry) -> &[u8]| entries.iter().map(part).collect::<HashSet<_>>();
        assert_eq!(distinct(|entry| &entry.body[..32]).len(), 25);
        assert_eq!(distinct(|entry| &entry.body[entry.body.len() - 64..]).len(), 25);
        for entry in &entries {
            let (digest, rest) = entry.body.split_at(32);
            let (signature, spki) = rest[1..].split_at(usize::from(rest[0]));
            let key = ParsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, spki).unwrap();
            let digest = Digest::import_less_safe(digest, &SHA256).unwrap();
            key.verify_digest_sig(&digest, signature).unwrap();
        }
    }
}
