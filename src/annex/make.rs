//! Making the annex of a bundle: what is stored beside its bodies, under the log's key.

use storage::{LogStore, StorageError, StoredEntry};
use tlog::{LogIndex, TILE_WIDTH, hash_leaf};

use super::{Annex, Beside};
use crate::admission::attestation_key;
use crate::publisher::SigningCore;
use crate::publisher::signer::SignError;
use crate::reader::{ReadError, View};

/// An annex was not made.
#[derive(Debug, thiserror::Error)]
pub enum MakeError {
    /// The store failed.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The key did not sign.
    #[error(transparent)]
    Sign(#[from] SignError),
}

/// The signed annex of the first `width` entries of a bundle; `None` where the head has fewer.
///
/// # Errors
/// As [`MakeError`] says.
pub async fn make_annex(
    view: &View<'_>,
    core: &SigningCore,
    index: u64,
    width: u16,
) -> Result<Option<String>, MakeError> {
    let Some(stored) = view.stored(index, width).await? else { return Ok(None) };
    let mut entries = Vec::with_capacity(stored.len());
    for entry in stored {
        let attestation = attestation_of(view.store(), &entry.body).await;
        entries.push(Beside::of(entry, attestation.map_err(ReadError::from)?.is_some()));
    }
    Ok(Some(sign_annex(core, index, entries)?))
}

/// The annex of a bundle as the log signs it.
///
/// # Errors
/// [`SignError`] when the key does not sign.
pub fn sign_annex(
    core: &SigningCore,
    index: u64,
    entries: Vec<Beside>,
) -> Result<String, SignError> {
    let annex = Annex { first: LogIndex(index * TILE_WIDTH), entries };
    Ok(core.note(annex.text(core.origin()))?.to_string())
}

impl Beside {
    /// What is stored beside this entry's body.
    pub fn of(entry: StoredEntry, attestation: bool) -> Self {
        let StoredEntry { integrated_time, index_keys, .. } = entry;
        Self { integrated_time, index_keys, attestation }
    }
}

/// The attestation of the entry with this body: under the key that its kind names, else under its
/// leaf hash, as Rekor 0.6 and older stored it.
///
/// # Errors
/// [`StorageError`] when the store failed.
pub async fn attestation_of(
    store: &dyn LogStore,
    body: &[u8],
) -> Result<Option<Vec<u8>>, StorageError> {
    let Some(key) = attestation_key(body) else { return Ok(None) };
    if let Some(found) = store.attestation(&key).await? {
        return Ok(Some(found));
    }
    store.attestation(&hash_leaf(body).to_string()).await
}

/// An attestation as it was read, under the key that it has in a store, when it is the one that the
/// entry's body names by its hash.
///
/// # Errors
/// [`StorageError::Corrupt`] when it is another one.
pub fn attestation_for(body: &[u8], data: Vec<u8>) -> Result<storage::Attestation, StorageError> {
    let key = attestation_key(body).unwrap_or_default();
    if key != format!("sha256:{}", hex::encode(tlog::hash::sha256(&data))) {
        let leaf = hash_leaf(body);
        let text = format!("the attestation of entry {leaf} is not the one that the entry names");
        return Err(StorageError::Corrupt(text));
    }
    Ok(storage::Attestation { key, data })
}
