//! The witness's key: an Ed25519 key file that is made once, and the name that it cosigns under.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use tlog::{
    Checkpoint, CosignatureError, NoteSignature, Timestamp, Verifier, VerifierKey, VkeyError,
};

use super::state::{StateError, WitnessState, at, replace};
use crate::publisher::signer::{FileSigner, KeyError, KeyKind, SecretPem, SignError, Signer};

const KEY: &str = "witness.key";
const PUBLIC_KEY: &str = "witness.vkey";

/// Why there is no key to cosign with.
#[derive(Debug, thiserror::Error)]
pub enum CosignerError {
    /// A new witness has no name yet.
    #[error("a new witness needs a name, such as witness.example.com/w1: give one with --name")]
    NoName,
    /// The witness has another name.
    #[error(
        "the witness in {folder} is {bound:?}, not {asked:?}: start it with --name {bound}, or \
         without --name; for another witness use an empty folder"
    )]
    OtherName {
        /// The folder.
        folder: PathBuf,
        /// The name that it was made with.
        bound: String,
        /// The name that is asked for.
        asked: String,
    },
    /// The private key is gone.
    #[error("the witness's key {0} is gone: bring it back. A new key would be a new witness")]
    Missing(PathBuf),
    /// The private key does not belong to the public key beside it, or is of another kind.
    #[error("{0} is not the Ed25519 key of this witness (see witness.vkey): bring the key back")]
    OtherKey(PathBuf),
    /// The public key cannot be read.
    #[error("{path}: {source}")]
    PublicKey {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: VkeyError,
    },
    /// The name cannot be one.
    #[error(transparent)]
    Name(#[from] VkeyError),
    /// The key file cannot be used.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The folder cannot be used.
    #[error(transparent)]
    State(#[from] StateError),
}

/// No cosignature could be made.
#[derive(Debug, thiserror::Error)]
pub(super) enum CosignError {
    #[error(transparent)]
    Signer(#[from] SignError),
    #[error(transparent)]
    Form(#[from] CosignatureError),
}

/// Cosigns with the witness's key.
pub struct Cosigner {
    signer: FileSigner,
    key: VerifierKey,
}

impl Cosigner {
    /// Opens the witness's key, or makes one in a folder that has none; true when it was made.
    ///
    /// # Errors
    /// As [`CosignerError`] says.
    pub fn open_or_create(
        state: &WitnessState,
        name: Option<&str>,
    ) -> Result<(Self, bool), CosignerError> {
        let (path, vkey) = (state.folder().join(KEY), state.folder().join(PUBLIC_KEY));
        let bound = match fs::read_to_string(&vkey) {
            Ok(text) => Some(text),
            Err(error) if error.kind() == io::ErrorKind::NotFound => None,
            Err(source) => return Err(at(&vkey)(source).into()),
        };
        if let Some(text) = bound {
            let key: VerifierKey = text
                .trim_end()
                .parse()
                .map_err(|source| CosignerError::PublicKey { path: vkey, source })?;
            return Self::open(state, name, path, key).map(|cosigner| (cosigner, false));
        }
        if !state.is_empty()? {
            return Err(CosignerError::Missing(vkey));
        }
        let name = name.ok_or(CosignerError::NoName)?;
        // A key without its public key beside it was left by a start that did not get far.
        let signer = if path.exists() {
            FileSigner::read(&path)?
        } else {
            let (signer, pem) = FileSigner::generate(KeyKind::Ed25519)?;
            verifier_key(&signer, name)?.ok_or_else(|| CosignerError::OtherKey(path.clone()))?;
            install(&pem, &path)?;
            signer
        };
        let key = verifier_key(&signer, name)?.ok_or(CosignerError::OtherKey(path))?;
        replace(&vkey, &format!("{key}\n"))?;
        Ok((Self { signer, key }, true))
    }

    /// Holds the private key against what the witness was made with.
    fn open(
        state: &WitnessState,
        name: Option<&str>,
        path: PathBuf,
        key: VerifierKey,
    ) -> Result<Self, CosignerError> {
        if let Some(asked) = name.filter(|asked| *asked != key.name()) {
            let (bound, asked) = (key.name().to_owned(), asked.to_owned());
            return Err(CosignerError::OtherName { folder: state.folder().into(), bound, asked });
        }
        if !path.exists() {
            return Err(CosignerError::Missing(path));
        }
        let signer = FileSigner::read(&path)?;
        if verifier_key(&signer, key.name())?.as_ref() != Some(&key) {
            return Err(CosignerError::OtherKey(path));
        }
        Ok(Self { signer, key })
    }

    /// The key that its cosignatures verify with.
    pub fn key(&self) -> &VerifierKey {
        &self.key
    }

    pub(super) fn cosign(
        &self,
        now: Timestamp,
        checkpoint: &Checkpoint,
    ) -> Result<NoteSignature, CosignError> {
        let message = self.key.cosigned_message(now, checkpoint)?;
        Ok(self.key.cosignature(now, &self.signer.sign(&message)?)?)
    }
}

/// Writes a key beside its place, then puts it there: half a key is never found.
fn install(pem: &SecretPem, path: &Path) -> Result<(), CosignerError> {
    let next = path.with_extension("key.next");
    match fs::remove_file(&next) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(at(&next)(error).into());
        }
        _ => {} // of a start that did not get far
    }
    pem.write_new(&next)?;
    Ok(fs::rename(&next, path).map_err(at(path))?)
}

/// The verifier key of a private key; `None` when that is no Ed25519 key.
fn verifier_key(signer: &FileSigner, name: &str) -> Result<Option<VerifierKey>, VkeyError> {
    let verifier = Verifier::from_spki(signer.public_key())?;
    verifier.ed25519_key().map(|key| VerifierKey::cosigner_ed25519(name, key)).transpose()
}
