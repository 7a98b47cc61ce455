//! Which rows may be added to an index: the same rule for every engine.

use tlog::TreeSize;

use crate::{IndexRow, StorageError};

/// Accepts rows of stored entries alone.
///
/// # Errors
/// [`StorageError::Engine`] for any other.
pub(crate) fn check(size: TreeSize, rows: &[IndexRow]) -> Result<(), StorageError> {
    match rows.iter().find(|row| !size.covers(row.index)) {
        None => Ok(()),
        Some(IndexRow { index, .. }) => {
            let text = format!("an index row of entry {index}, which is beyond the size {size}");
            Err(StorageError::Engine(text.into()))
        }
    }
}
