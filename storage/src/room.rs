//! Is there room on the volume for what is to be written?
//!
//! An engine that runs into the end of a volume in the middle of a write, or of merging its files,
//! is in trouble. So the last part of a volume is left to it, and commits are refused before.

use std::path::Path;

use crate::{Batch, CommitError};

/// Bytes that commits leave free: for what is written and not yet sorted.
const RESERVE_BYTES: u64 = 64 << 20;
/// What an entry becomes on disk, at the most: keys, look-ups, and the write-ahead log beside them.
const FACTOR: u64 = 4;

/// Whether a batch fits onto the volume of `path` with the reserve to spare, and `merge` bytes that
/// the engine may need to sort its files anew.
///
/// # Errors
/// [`CommitError::Full`] when it does not. A volume that cannot say is taken to have room.
pub(crate) fn check(path: &Path, batch: &Batch, merge: u64) -> Result<(), CommitError> {
    let Ok(volume) = rustix::fs::statvfs(path) else { return Ok(()) };
    let free = volume.f_bavail.saturating_mul(volume.f_frsize);
    let bytes = batch.entries.iter().map(|entry| {
        let keys: usize = entry.index_keys.iter().map(String::len).sum();
        entry.body.len() + keys + entry.attestation.as_ref().map_or(0, |kept| kept.data.len())
    });
    let wanted = bytes.map(|bytes| bytes as u64).sum::<u64>().saturating_mul(FACTOR);
    let reserve = RESERVE_BYTES.saturating_add(merge);
    if free >= wanted.saturating_add(reserve) {
        return Ok(());
    }
    Err(CommitError::Full(format!(
        "{} MiB are free on the volume of {}, and {} MiB of it stay free",
        free >> 20,
        path.display(),
        reserve >> 20
    )))
}
