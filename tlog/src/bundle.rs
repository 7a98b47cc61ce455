//! C2SP tlog-tiles entry bundles: up to 256 entries, each after its length as a big-endian u16.

use thiserror::Error;

use crate::tile::TILE_WIDTH;

/// Bytes of an entry's length before it.
const LENGTH_BYTES: usize = 2;

/// Why entries are not a bundle, or bytes not the bundle of entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum BundleError {
    /// An entry is longer than its length can say.
    #[error("an entry of {bytes} bytes is too long for an entry bundle (65,535)")]
    EntryTooLong {
        /// Length of the entry.
        bytes: usize,
    },
    /// More than 256 entries.
    #[error("an entry bundle holds at most {TILE_WIDTH} entries")]
    TooManyEntries,
    /// The bytes end within an entry or its length.
    #[error("the entry bundle ends within an entry")]
    Truncated,
}

/// Frames entries, in order.
///
/// # Errors
/// [`BundleError::EntryTooLong`], [`BundleError::TooManyEntries`].
pub fn encode_bundle(entries: &[impl AsRef<[u8]>]) -> Result<Vec<u8>, BundleError> {
    if entries.len() as u64 > TILE_WIDTH {
        return Err(BundleError::TooManyEntries);
    }
    let bytes = entries.iter().map(|entry| LENGTH_BYTES + entry.as_ref().len()).sum();
    let mut bundle = Vec::with_capacity(bytes);
    for entry in entries {
        let entry = entry.as_ref();
        let length = u16::try_from(entry.len())
            .map_err(|_| BundleError::EntryTooLong { bytes: entry.len() })?;
        bundle.extend_from_slice(&length.to_be_bytes());
        bundle.extend_from_slice(entry);
    }
    Ok(bundle)
}

/// Reads the entries of a bundle, in order; how many there should be, the caller knows.
///
/// # Errors
/// [`BundleError::Truncated`], [`BundleError::TooManyEntries`].
pub fn decode_bundle(mut bundle: &[u8]) -> Result<Vec<&[u8]>, BundleError> {
    let mut entries = Vec::new();
    while !bundle.is_empty() {
        if entries.len() as u64 == TILE_WIDTH {
            return Err(BundleError::TooManyEntries);
        }
        let (length, rest) = bundle.split_first_chunk().ok_or(BundleError::Truncated)?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (entry, rest) = rest.split_at_checked(length).ok_or(BundleError::Truncated)?;
        entries.push(entry);
        bundle = rest;
    }
    Ok(entries)
}
