//! Signature packets (RFC 9580 §5.2) of version 4 and 6: read, checked, written.
//!
//! Written is what Rekor's library writes: the hashed subpackets as they were, the others with
//! their lengths in the shortest form, in order.

use aws_lc_rs::digest::Context;

use super::Error;
use super::algorithms::{self, Hash};
use super::key::{PublicKey, algorithm, check_version, is_over, value};
use super::packet::{Contents, Source};
use super::subpackets;
use crate::limits::PGP_EMBEDDING_MAX;

/// Signature types (RFC 9580 §5.2.1).
pub(super) mod kind {
    pub(in super::super) const BINARY: u8 = 0x00;
    pub(in super::super) const TEXT: u8 = 0x01;
    pub(in super::super) const CERTIFICATIONS: std::ops::RangeInclusive<u8> = 0x10..=0x13;
    pub(in super::super) const SUBKEY_BINDING: u8 = 0x18;
    pub(in super::super) const PRIMARY_KEY_BINDING: u8 = 0x19;
    pub(in super::super) const DIRECT_KEY: u8 = 0x1f;
    pub(in super::super) const KEY_REVOCATION: u8 = 0x20;
    pub(in super::super) const SUBKEY_REVOCATION: u8 = 0x28;
    pub(in super::super) const CERTIFICATION_REVOCATION: u8 = 0x30;
}

/// A signature.
pub(super) struct Signature {
    pub(super) version: u8,
    pub(super) kind: u8,
    pub(super) algorithm: u8,
    pub(super) hash: Hash,
    /// What is hashed behind the content.
    hash_suffix: Vec<u8>,
    hash_tag: [u8; 2],
    salt: Vec<u8>,
    /// The signature's numbers as they are written.
    written: Vec<u8>,
    values: Values,
    pub(super) claims: Claims,
    /// Length of the hashed subpackets, had they lengths in the shortest form.
    hashed_bytes: usize,
    unhashed: Vec<u8>,
}

/// What the subpackets say, as far as it is asked for.
#[derive(Default)]
pub(super) struct Claims {
    created: Option<u32>,
    pub(super) lifetime: Option<u32>,
    pub(super) key_lifetime: Option<u32>,
    pub(super) issuer: Option<u64>,
    pub(super) issuer_fingerprint: Option<Vec<u8>>,
    pub(super) is_primary_user: bool,
    /// The name of the first critical notation; none is known here.
    pub(super) critical_notation: Option<Vec<u8>>,
    /// There were key flags.
    pub(super) has_flags: bool,
    pub(super) may_sign: bool,
    pub(super) may_encrypt: bool,
    /// A revocation because the key is compromised.
    pub(super) is_compromised: bool,
    pub(super) embedded: Option<Box<Signature>>,
}

impl Claims {
    pub(super) fn set_created(&mut self, created: u32) {
        self.created = Some(created);
    }
}

/// The numbers of a signature, by the algorithm's family.
pub(super) enum Values {
    /// RSA.
    One(Vec<u8>),
    /// DSA, ECDSA, and EdDSA as it was before RFC 9580.
    Two(Vec<u8>, Vec<u8>),
    /// Ed25519 and Ed448.
    Native(Vec<u8>),
}

impl Signature {
    pub(super) fn read(contents: &mut Contents<'_, '_>) -> Result<Self, Error> {
        Self::read_at(contents, 0)
    }

    /// Reads one that stands in a subpacket, so many signatures deep.
    pub(super) fn read_embedded(bytes: &[u8], depth: usize) -> Result<Self, Error> {
        if depth > PGP_EMBEDDING_MAX {
            return Err(Error::structural("too many signatures within signatures"));
        }
        Self::read_at(&mut Contents::all(&mut Source::new(bytes, Error::Eof)), depth)
    }

    fn read_at(contents: &mut Contents<'_, '_>, depth: usize) -> Result<Self, Error> {
        let [version] = contents.array()?;
        check_version("signature packet", version)?;
        let length_bytes = if version == 6 { 4 } else { 2 };
        let [kind, algorithm, hash_id] = contents.array()?;
        let hashed_length = contents.bytes(length_bytes)?;
        if !algorithms::signs(algorithm) {
            return Err(Error::Unsupported(format!("public key algorithm {algorithm}")));
        }
        let hash = Hash::from_id(hash_id, version == 4)
            .ok_or_else(|| Error::Unsupported(format!("hash function {hash_id}")))?;
        let hashed = contents.bytes(number(&hashed_length))?;
        let mut claims = Claims::default();
        let hashed_bytes = subpackets::read(&mut claims, version, &hashed, true, depth)?.len();
        if claims.created.is_none() {
            return Err(Error::structural("no creation time in signature"));
        }
        let unhashed_length = number(&contents.bytes(length_bytes)?);
        let unhashed = contents.bytes(unhashed_length)?;
        let unhashed = subpackets::read(&mut claims, version, &unhashed, false, depth)?;
        let hash_tag = contents.array()?;
        let salt = if version == 6 { read_salt(hash, contents)? } else { Vec::new() };
        let (written, values) = read_values(algorithm, contents)?;
        let fields = [&[version, kind, algorithm, hash_id], &*hashed_length, &hashed].concat();
        let hash_suffix = hash_suffix(version, fields);
        Ok(Self {
            version,
            kind,
            algorithm,
            hash,
            hash_suffix,
            hash_tag,
            salt,
            written,
            values,
            claims,
            hashed_bytes,
            unhashed,
        })
    }

    /// Seconds since 1970.
    pub(super) fn created(&self) -> u32 {
        self.claims.created.unwrap_or_default()
    }

    /// Whether it says that it is by that key.
    pub(super) fn names(&self, key: &PublicKey) -> bool {
        match &self.claims.issuer_fingerprint {
            Some(fingerprint) => *fingerprint == key.fingerprint,
            None => self.claims.issuer == Some(key.id),
        }
    }

    /// Whether it is not valid at that time.
    pub(super) fn is_expired(&self, at: u32) -> bool {
        is_over(self.created(), self.claims.lifetime, at)
    }

    /// A hash that the signed content goes into.
    pub(super) fn start_hash(&self) -> Context {
        let mut context = Context::new(self.hash.algorithm());
        context.update(&self.salt);
        context
    }

    /// Checks the signature, when all content is hashed.
    pub(super) fn verify(&self, mut hashed: Context, key: &PublicKey) -> Result<(), Error> {
        let signs_not = [algorithm::RSA_ENCRYPT, algorithm::ELGAMAL, algorithm::ECDH];
        if signs_not.contains(&key.algorithm) {
            return Err(Error::Argument("public key cannot generate signatures".into()));
        }
        hashed.update(&self.hash_suffix);
        let digest = hashed.finish();
        if self.version == 6 && !digest.as_ref().starts_with(&self.hash_tag) {
            return Err(Error::Signature("hash tag doesn't match".into()));
        }
        if key.algorithm != self.algorithm {
            let text = "public key and signature use different algorithms";
            return Err(Error::Argument(text.into()));
        }
        algorithms::verify(key, self.hash, &digest, &self.values)
    }

    /// The packet's contents, and the length that its header gives them.
    pub(super) fn packet(&self) -> (usize, Vec<u8>) {
        let length_bytes = if self.version == 6 { 4 } else { 2 };
        // The suffix ends with six bytes that are only hashed.
        let fields = self.hash_suffix.get(..self.hash_suffix.len() - 6).unwrap_or_default();
        let unhashed_length = u32::try_from(self.unhashed.len()).unwrap_or(u32::MAX).to_be_bytes();
        let mut out = fields.to_vec();
        out.extend_from_slice(unhashed_length.get(4 - length_bytes..).unwrap_or_default());
        out.extend_from_slice(&self.unhashed);
        out.extend(self.hash_tag);
        if self.version == 6 {
            out.push(self.salt.len() as u8);
            out.extend_from_slice(&self.salt);
        }
        out.extend_from_slice(&self.written);
        let hashed = fields.len() - 4 - length_bytes;
        (out.len() - hashed + self.hashed_bytes, out)
    }
}

fn number(bytes: &[u8]) -> usize {
    bytes.iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte))
}

/// RFC 9580 §5.2.4: the fields, and their length.
fn hash_suffix(version: u8, fields: Vec<u8>) -> Vec<u8> {
    let length = u32::try_from(fields.len()).unwrap_or(u32::MAX).to_be_bytes();
    let mut out = fields;
    out.extend([version, 0xff]);
    out.extend(length);
    out
}

fn read_salt(hash: Hash, contents: &mut Contents<'_, '_>) -> Result<Vec<u8>, Error> {
    let [length] = contents.array()?;
    let expected = hash
        .salt_bytes()
        .ok_or_else(|| Error::unsupported("hash function not supported for V6 signatures"))?;
    if usize::from(length) != expected {
        return Err(Error::structural("unexpected salt size for the given hash algorithm"));
    }
    contents.bytes(expected)
}

fn read_values(algorithm: u8, contents: &mut Contents<'_, '_>) -> Result<(Vec<u8>, Values), Error> {
    Ok(match algorithm {
        algorithm::RSA | algorithm::RSA_SIGN => {
            let written = contents.mpi()?;
            let values = Values::One(value(&written));
            (written, values)
        }
        algorithm::ED25519 | algorithm::ED448 => {
            let bytes = if algorithm == algorithm::ED25519 { 64 } else { 114 };
            let written = contents.bytes_or_end(bytes)?;
            (written.clone(), Values::Native(written))
        }
        _ => {
            let (r, s) = (contents.mpi()?, contents.mpi()?);
            let values = Values::Two(value(&r), value(&s));
            ([r, s].concat(), values)
        }
    })
}
