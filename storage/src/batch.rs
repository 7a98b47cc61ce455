//! Does a batch fit the head that it is built on? Arithmetic alone, the same for every engine.

use tlog::{TreeHead, TreeSize};

use crate::{Batch, CommitError};

/// Stored levels are 8 tree levels apart: a tile of 256 hashes has one hash above it.
const LEVEL_BITS: u32 = 8;

/// Number of complete hashes that a tree of this size has at a stored level.
pub(crate) fn level_size(size: TreeSize, level: u8) -> u64 {
    size.0.checked_shr(LEVEL_BITS * u32::from(level)).unwrap_or(0)
}

/// Accepts a batch that adds at least one entry, and exactly the complete hashes that those entries
/// make: level by level from 0 on, no gap, none missing and none too many.
pub(crate) fn check(expected: TreeHead, batch: &Batch) -> Result<(), CommitError> {
    if batch.entries.is_empty() {
        return malformed("it has no entries".to_owned());
    }
    let size = expected.size.0.checked_add(batch.entries.len() as u64).map(TreeSize);
    if size != Some(batch.head.size) {
        return malformed(format!(
            "{} entries on top of {} do not make {}",
            batch.entries.len(),
            expected.size,
            batch.head.size
        ));
    }
    let mut given = batch.hashes.iter().filter(|new| !new.hashes.is_empty());
    for level in 0..=u8::MAX {
        let first = level_size(expected.size, level);
        let count = level_size(batch.head.size, level) - first;
        if count == 0 {
            break; // no level above grows either
        }
        let fits = given.next().is_some_and(|new| {
            new.level == level && new.first == first && new.hashes.len() as u64 == count
        });
        if !fits {
            return malformed(format!("level {level} needs {count} hashes from {first} on"));
        }
    }
    match given.next() {
        None => Ok(()),
        Some(new) => malformed(format!("level {} does not grow", new.level)),
    }
}

fn malformed(why: String) -> Result<(), CommitError> {
    Err(CommitError::Malformed(why))
}
