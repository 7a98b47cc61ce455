//! The log key: what signs checkpoints and entry timestamps.
//!
//! Keys are files in PKCS#8 PEM, readable by their owner alone. They are never logged.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use ed25519_dalek::Signer as _;
use ed25519_dalek::SigningKey;
use ed25519_dalek::pkcs8::spki::der::pem::{self, LineEnding};
use ed25519_dalek::pkcs8::{DecodePrivateKey, EncodePrivateKey, EncodePublicKey};

const PRIVATE_KEY_LABEL: &str = "PRIVATE KEY";
const PUBLIC_KEY_LABEL: &str = "PUBLIC KEY";

/// What can be wrong with a log key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file cannot be read or written.
    #[error("log key {path}: {source}")]
    Io {
        /// The key file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// Others than the owner may read the file.
    #[error("log key {path} has mode {mode:04o}, others may read it: run `chmod 600 {path}`")]
    TooOpen {
        /// The key file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file is not a key that can be used.
    #[error(
        "log key {path} is not an unencrypted PKCS#8 PEM file with an ECDSA P-256 or Ed25519 key"
    )]
    Unusable {
        /// The key file.
        path: PathBuf,
    },
    /// The key could not be made.
    #[error("the key could not be generated")]
    Generation,
}

/// A signature could not be made.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the log key did not sign")]
pub struct SignError;

/// The kinds of log key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// ECDSA P-256 with SHA-256: what every v1 client accepts.
    EcdsaP256,
    /// Ed25519: what witnesses hold; cosign refuses v1 entry timestamps made with it.
    Ed25519,
}

/// A key that signs for a log.
pub trait Signer: Send + Sync {
    /// The public key, SPKI DER.
    fn public_key(&self) -> &[u8];

    /// Signs a message: ASN.1 DER over its SHA-256 for ECDSA, 64 bytes for Ed25519.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError>;

    /// Whether it can.
    fn signs(&self) -> bool {
        true
    }
}

/// The public half alone: what a replica has of a log whose key it does not hold.
pub struct PublicHalf {
    spki: Vec<u8>,
}

impl PublicHalf {
    /// Takes SPKI DER.
    pub fn new(spki: Vec<u8>) -> Self {
        Self { spki }
    }
}

impl Signer for PublicHalf {
    fn public_key(&self) -> &[u8] {
        &self.spki
    }

    fn sign(&self, _message: &[u8]) -> Result<Vec<u8>, SignError> {
        Err(SignError)
    }

    fn signs(&self) -> bool {
        false
    }
}

/// A log key that is held in memory, read from a file.
pub struct FileSigner {
    key: Key,
    spki: Vec<u8>,
}

enum Key {
    EcdsaP256(EcdsaKeyPair),
    Ed25519(SigningKey), // zeroised on drop
}

impl FileSigner {
    /// Makes a new key. Gives it, and its PKCS#8 PEM text for [`write_new`].
    ///
    /// # Errors
    /// [`KeyError::Generation`] when the system has no randomness.
    pub fn generate(kind: KeyKind) -> Result<(Self, SecretPem), KeyError> {
        let random = SystemRandom::new();
        let der = match kind {
            KeyKind::EcdsaP256 => {
                EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random)
                    .map_err(|_| KeyError::Generation)?
                    .as_ref()
                    .to_vec()
            }
            KeyKind::Ed25519 => {
                let mut seed = [0; 32];
                aws_lc_rs::rand::fill(&mut seed).map_err(|_| KeyError::Generation)?;
                let key = SigningKey::from_bytes(&seed);
                key.to_pkcs8_der().map_err(|_| KeyError::Generation)?.as_bytes().to_vec()
            }
        };
        let signer = Self::from_pkcs8(&der).ok_or(KeyError::Generation)?;
        Ok((signer, SecretPem(pem_text(PRIVATE_KEY_LABEL, &der))))
    }

    /// Reads a key file: PKCS#8 PEM, mode 0600 or narrower.
    ///
    /// # Errors
    /// As [`KeyError`] says; the message names the file and what to do.
    pub fn read(path: &Path) -> Result<Self, KeyError> {
        let io = |source| KeyError::Io { path: path.into(), source };
        let mode = fs::metadata(path).map_err(io)?.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(KeyError::TooOpen { path: path.into(), mode });
        }
        let text = fs::read(path).map_err(io)?;
        let der = match pem::decode_vec(&text) {
            Ok((PRIVATE_KEY_LABEL, der)) => Some(der),
            _ => None,
        };
        der.and_then(|der| Self::from_pkcs8(&der))
            .ok_or_else(|| KeyError::Unusable { path: path.into() })
    }

    fn from_pkcs8(der: &[u8]) -> Option<Self> {
        if let Ok(key) = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, der) {
            let spki: PublicKeyX509Der<'_> = key.public_key().as_der().ok()?;
            let spki = spki.as_ref().to_vec();
            return Some(Self { key: Key::EcdsaP256(key), spki });
        }
        let key = SigningKey::from_pkcs8_der(der).ok()?;
        let spki = key.verifying_key().to_public_key_der().ok()?.into_vec();
        Some(Self { key: Key::Ed25519(key), spki })
    }
}

impl Signer for FileSigner {
    fn public_key(&self) -> &[u8] {
        &self.spki
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignError> {
        match &self.key {
            Key::EcdsaP256(key) => {
                let signature = key.sign(&SystemRandom::new(), message).map_err(|_| SignError)?;
                Ok(signature.as_ref().to_vec())
            }
            Key::Ed25519(key) => Ok(key.sign(message).to_bytes().to_vec()),
        }
    }
}

/// The PEM text of a private key; it has no `Debug` and no `Display`, so that it is never logged.
pub struct SecretPem(String);

impl SecretPem {
    /// Writes the key to a new file, mode 0600, and syncs it.
    ///
    /// # Errors
    /// [`KeyError::Io`]; a file that exists already is never overwritten.
    pub fn write_new(&self, path: &Path) -> Result<(), KeyError> {
        let write = || {
            let mut file =
                fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
            file.write_all(self.0.as_bytes())?;
            file.sync_all()
        };
        write().map_err(|source| KeyError::Io { path: path.into(), source })
    }
}

/// The PEM text of a public key given as SPKI DER, with a newline at its end.
pub fn public_key_pem(spki: &[u8]) -> String {
    pem_text(PUBLIC_KEY_LABEL, spki)
}

/// The SPKI DER in a public key's PEM text; `None` when it is something else.
pub fn public_key_der(text: &[u8]) -> Option<Vec<u8>> {
    match pem::decode_vec(text) {
        Ok((PUBLIC_KEY_LABEL, der)) => Some(der),
        _ => None,
    }
}

/// The DER of each certificate in a PEM text, in order.
pub fn certificates_der(text: &str) -> Vec<Vec<u8>> {
    const END: &str = "-----END CERTIFICATE-----";
    let blocks = text.split_inclusive(END).filter_map(|block| {
        let start = block.find("-----BEGIN CERTIFICATE-----")?;
        pem::decode_vec(&block.as_bytes()[start..]).ok().map(|(_, der)| der)
    });
    blocks.collect()
}

fn pem_text(label: &'static str, der: &[u8]) -> String {
    // It fails for labels that are no PEM labels; both of ours are.
    pem::encode_string(label, LineEnding::LF, der).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verifies(signer: &FileSigner) {
        let signature = signer.sign(b"a message").unwrap();
        let verifier = tlog::Verifier::from_spki(signer.public_key()).unwrap();
        verifier.verify(b"a message", &signature).unwrap();
        assert!(verifier.verify(b"another message", &signature).is_err());
    }

    #[test]
    fn a_key_is_written_read_and_signs() {
        for kind in [KeyKind::EcdsaP256, KeyKind::Ed25519] {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("log.key");
            let (signer, pem) = FileSigner::generate(kind).unwrap();
            verifies(&signer);
            pem.write_new(&path).unwrap();
            assert!(pem.write_new(&path).is_err(), "a key is never overwritten");
            let read = FileSigner::read(&path).unwrap();
            assert_eq!(read.public_key(), signer.public_key());
            verifies(&read);
        }
    }

    #[test]
    fn a_key_that_others_may_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.key");
        FileSigner::generate(KeyKind::EcdsaP256).unwrap().1.write_new(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = FileSigner::read(&path).err().unwrap().to_string();
        assert!(error.contains("0640") && error.contains("chmod 600"), "{error}");
    }

    #[test]
    fn a_file_that_is_no_key_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.key");
        SecretPem(public_key_pem(b"not a key")).write_new(&path).unwrap();
        assert!(matches!(FileSigner::read(&path), Err(KeyError::Unusable { .. })));
    }
}
