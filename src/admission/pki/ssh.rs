//! The format `ssh`: a line of `authorized_keys`, and what `ssh-keygen -Y sign -n file` writes.
//!
//! What is logged is written anew: the key without options and comment, the signature with the key
//! that was embedded in it. Only the key beside it counts. Keys are in `ssh_key`.

use aws_lc_rs::digest::{SHA256, digest};

use super::key::{Curve, HashAlgorithm, Key, VerifyError};
use super::ssh_key::{PublicKey, Wire, put};
use super::{CanonicalKey, Format, Verified, der, pem};

pub(super) const FORMAT: Format = Format { name: "ssh", read_key, verify };

const PEM_LABEL: &str = "SSH SIGNATURE";
const MAGIC: &[u8] = b"SSHSIG";
const VERSION: u32 = 1;
/// What the signature is for; Rekor takes no other.
const NAMESPACE: &[u8] = b"file";
const WRONG: &str = "ssh: signature did not verify";
/// Of a security key: somebody touched it.
const USER_PRESENT: u8 = 1;

/// A signature (OpenSSH, PROTOCOL.sshsig).
struct Signature {
    embedded: PublicKey,
    hash: HashAlgorithm,
    format: Vec<u8>,
    blob: Vec<u8>,
    /// Of security keys: flags and counter.
    rest: Vec<u8>,
}

impl Signature {
    fn read(text: &[u8]) -> Result<Self, String> {
        let (block, _) = pem::first_block(text).ok_or("unable to decode pem file")?;
        if block.label != PEM_LABEL {
            let label = block.label;
            return Err(format!("wrong pem block type: {label}. Expected SSH-SIGNATURE"));
        }
        let mut wire = Wire(&block.contents);
        let magic = wire.take(MAGIC.len())?;
        let version = wire.number()?;
        let (key, namespace) = (wire.string()?, wire.string()?);
        let (_reserved, hash, signature) = (wire.string()?, wire.string()?, wire.string()?);
        wire.end()?;
        let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if version != VERSION {
            return Err(format!("unsupported signature version: {version}"));
        }
        if magic != MAGIC {
            return Err(format!("invalid magic header: {}", shown(magic)));
        }
        if namespace != NAMESPACE {
            return Err(format!("invalid signature namespace: {}", shown(namespace)));
        }
        let hash = match hash {
            b"sha256" => HashAlgorithm::Sha256,
            b"sha512" => HashAlgorithm::Sha512,
            other => return Err(format!("unsupported hash algorithm: {}", shown(other))),
        };
        let mut wire = Wire(signature);
        let (format, blob) = (wire.string()?.to_vec(), wire.string()?.to_vec());
        let embedded = PublicKey::from_blob(key)?;
        Ok(Self { embedded, hash, format, blob, rest: wire.0.to_vec() })
    }

    /// Rekor writes `sha512` over every signature, and so can never verify one with SHA-256; here
    /// the label stays what it is.
    fn canonical(&self) -> Vec<u8> {
        let mut signature = Vec::new();
        put(&mut signature, &self.format);
        put(&mut signature, &self.blob);
        signature.extend(&self.rest);
        let mut out = MAGIC.to_vec();
        out.extend(VERSION.to_be_bytes());
        for part in [self.embedded.blob(), NAMESPACE, b"", self.hash.name().as_bytes(), &signature]
        {
            put(&mut out, part);
        }
        let mut text = String::new();
        pem::write(&mut text, PEM_LABEL, &out);
        text.into_bytes()
    }

    fn verify(&self, content: &[u8], key: &PublicKey) -> Result<(), String> {
        let mut signed = MAGIC.to_vec();
        let digest = self.hash.digest(content);
        for part in [NAMESPACE, b"", self.hash.name().as_bytes(), digest.as_ref()] {
            put(&mut signed, part);
        }
        if let Some(application) = key.application() {
            signed = self.by_security_key(application, &signed)?;
        }
        let verified = match key.key() {
            Key::Rsa { bits, .. } => {
                let hash = self.rsa_hash(key)?;
                // Some signers leave out zeros in front (RFC 8332 section 3 allows to take that).
                let missing = bits.div_ceil(8).saturating_sub(self.blob.len());
                let padded = [vec![0; missing], self.blob.clone()].concat();
                key.key().verify_digest(hash, hash.digest(&signed).as_ref(), &padded)
            }
            Key::Ecdsa { curve, .. } => {
                self.check_format(key)?;
                let hash = match curve {
                    Curve::P256 => HashAlgorithm::Sha256,
                    Curve::P384 => HashAlgorithm::Sha384,
                    Curve::P521 => HashAlgorithm::Sha512,
                };
                let written = self.ecdsa_der()?;
                key.key().verify_digest(hash, hash.digest(&signed).as_ref(), &written)
            }
            _ => {
                self.check_format(key)?;
                key.key().verify_content(&signed, &self.blob)
            }
        };
        verified.map_err(|error| match error {
            VerifyError::UnsupportedKey(text) => text,
            VerifyError::Invalid(text) if matches!(key.key(), Key::Rsa { .. }) => text,
            VerifyError::Invalid(_) => WRONG.into(),
        })
    }

    /// What a security key signs (OpenSSH, PROTOCOL.u2f).
    fn by_security_key(&self, application: &[u8], signed: &[u8]) -> Result<Vec<u8>, String> {
        let [flags, counter @ ..] = self.rest.as_slice() else { return Err(WRONG.into()) };
        if flags & USER_PRESENT == 0 {
            return Err("ssh: signature missing required user presence flag".into());
        }
        let hashes = [application, signed].map(|bytes| digest(&SHA256, bytes));
        Ok([hashes[0].as_ref(), &[*flags], counter, hashes[1].as_ref()].concat())
    }

    fn rsa_hash(&self, key: &PublicKey) -> Result<HashAlgorithm, String> {
        match self.format.as_slice() {
            b"rsa-sha2-256" => Ok(HashAlgorithm::Sha256),
            b"rsa-sha2-512" => Ok(HashAlgorithm::Sha512),
            // OpenSSH's PROTOCOL.sshsig forbids it.
            b"ssh-rsa" => Err("ssh: signatures of type ssh-rsa (SHA-1) are not supported".into()),
            _ => Err(self.other_type(key)),
        }
    }

    fn check_format(&self, key: &PublicKey) -> Result<(), String> {
        if self.format == key.name().as_bytes() { Ok(()) } else { Err(self.other_type(key)) }
    }

    fn other_type(&self, key: &PublicKey) -> String {
        let format = String::from_utf8_lossy(&self.format);
        format!("ssh: signature type {format} for key type {}", key.name())
    }

    /// Two integers (RFC 5656 section 3.1.2), as X9.62 has them.
    fn ecdsa_der(&self) -> Result<Vec<u8>, String> {
        let mut wire = Wire(&self.blob);
        let mut integers = Vec::new();
        for integer in [wire.integer()?, wire.integer()?] {
            if integer.len() > 66 {
                return Err(WRONG.into());
            }
            der::write_unsigned(&mut integers, integer);
        }
        wire.end()?;
        let mut written = Vec::new();
        der::write_header(&mut written, der::SEQUENCE, integers.len());
        written.extend(integers);
        Ok(written)
    }
}

fn read_key(key: &[u8]) -> Result<CanonicalKey, String> {
    PublicKey::read(key).map(canonical_key)
}

fn canonical_key(key: PublicKey) -> CanonicalKey {
    CanonicalKey { value: key.line().into_bytes(), subjects: Vec::new() }
}

fn verify(content: &[u8], signature: &[u8], key: &[u8]) -> Result<Verified, String> {
    let signature = Signature::read(signature)?;
    let key = PublicKey::read(key)?;
    signature.verify(content, &key)?;
    Ok(Verified { signature: signature.canonical(), key: canonical_key(key) })
}
