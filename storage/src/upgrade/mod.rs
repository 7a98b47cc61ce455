//! Bringing an embedded store that has index keys in [`SEARCH`] alone to where each entry's value
//! holds them too: the same for every engine.
//!
//! The index is sorted by key, and the entries by number. So the engine first sorts the rows of
//! the index by entry, in a family of their own; then both are read side by side, and the values
//! written anew in short steps. A crash leaves one of these behind, and the next opening goes on
//! from there:
//!
//! 1. The old version: the rows are sorted again.
//! 2. The new version, and [`NEXT`], which every step moves on: the entry there is the next one.
//! 3. The new version alone: done. The sorted rows are of no more use.

use std::iter::Peekable;

use crate::keys::{self, ENTRIES, FORMAT_KEY, SEARCH, SORTED};
use crate::{StorageError, index_keys};

/// Beside [`FORMAT_KEY`]: the first entry whose value has to be written anew.
pub(crate) const NEXT: &[u8] = b"upgrade";

/// Rows of one write, and bytes at which it ends before.
const ROWS: usize = 4096;
const BYTES: usize = 1 << 20;

/// Tree and index, the key of an entry: as one number, because there is a next one.
type Place = u128;

/// A row to be written; one without value is removed.
pub(crate) struct Change {
    pub(crate) family: &'static str,
    pub(crate) key: Vec<u8>,
    pub(crate) value: Option<Vec<u8>>,
}

/// What an engine does for this.
pub(crate) trait Rows {
    /// The family of [`FORMAT_KEY`].
    const STATE: &'static str;

    /// A value.
    fn get(&self, family: &'static str, key: &[u8]) -> Result<Option<Vec<u8>>, StorageError>;

    /// Keys and values of a family from a key on, in order.
    fn scan(
        &self,
        family: &'static str,
        from: &[u8],
    ) -> impl Iterator<Item = Result<(impl AsRef<[u8]>, impl AsRef<[u8]>), StorageError>>;

    /// All of these changes or none, and none without those before; `synced`: on the disk.
    fn write(&self, changes: Vec<Change>, synced: bool) -> Result<(), StorageError>;
}

/// Whether an upgrade to this version was begun and is not at its end.
pub(crate) fn is_under_way<S: Rows>(store: &S) -> Result<bool, StorageError> {
    Ok(store.get(S::STATE, NEXT)?.is_some())
}

/// Adds the index keys to the values of all entries. The store has this version then.
pub(crate) fn add_index_keys<S: Rows>(store: &S, version: u32) -> Result<(), StorageError> {
    let mut place = match store.get(S::STATE, NEXT)? {
        Some(place) => {
            let place = place.try_into().map_err(|_| corrupt("the place of its upgrade"))?;
            Place::from_be_bytes(place)
        }
        None => {
            sort(store)?;
            let version = Some(version.to_be_bytes().to_vec());
            let version = Change { family: S::STATE, key: FORMAT_KEY.to_vec(), value: version };
            store.write(vec![version, next::<S>(Some(0))], true)?;
            0
        }
    };
    while let Some(after) = rewrite(store, place)? {
        place = after;
    }
    store.write(vec![next::<S>(None)], true)
}

/// Puts the rows of the index in the order of their entries.
fn sort<S: Rows>(store: &S) -> Result<(), StorageError> {
    let mut changes = Vec::new();
    for row in store.scan(SEARCH, &[]) {
        let (row, _) = row?;
        let key = keys::by_entry(row.as_ref()).ok_or_else(|| corrupt("a row of its index"))?;
        changes.push(Change { family: SORTED, key, value: Some(Vec::new()) });
        if changes.len() == ROWS {
            store.write(std::mem::take(&mut changes), false)?;
        }
    }
    store.write(changes, false)
}

/// Writes some entries anew, and gives the place after them; `None` when there are none.
fn rewrite<S: Rows>(store: &S, from: Place) -> Result<Option<Place>, StorageError> {
    let from = from.to_be_bytes();
    let mut sorted = store.scan(SORTED, &from).peekable();
    let (mut changes, mut bytes, mut after) = (Vec::new(), 0, None);
    for row in store.scan(ENTRIES, &from) {
        let (key, value) = row?;
        let key: [u8; 16] = key.as_ref().try_into().map_err(|_| corrupt("the key of an entry"))?;
        let index_keys = keys_of(&key, &mut sorted)?;
        let (time, body) = value.as_ref().split_at_checked(8).ok_or_else(|| corrupt("an entry"))?;
        let mut value = time.to_vec();
        index_keys::append(&index_keys, &mut value);
        value.extend_from_slice(body);
        bytes += value.len();
        changes.push(Change { family: ENTRIES, key: key.to_vec(), value: Some(value) });
        after = Place::from_be_bytes(key).checked_add(1);
        if changes.len() == ROWS || bytes >= BYTES {
            break;
        }
    }
    drop(sorted);
    if after.is_some() {
        changes.push(next::<S>(after));
        store.write(changes, false)?;
    }
    Ok(after)
}

/// The index keys of the entry at this key, from rows that begin at it or before.
fn keys_of<K: AsRef<[u8]>, V>(
    entry: &[u8; 16],
    sorted: &mut Peekable<impl Iterator<Item = Result<(K, V), StorageError>>>,
) -> Result<Vec<String>, StorageError> {
    let mut found = Vec::new();
    let up_to_it = |row: &Result<(K, V), StorageError>| match row {
        Ok((key, _)) => key.as_ref().get(..16).is_none_or(|place| place <= entry.as_slice()),
        Err(_) => true,
    };
    while let Some(row) = sorted.next_if(up_to_it) {
        let (key, _) = row?;
        if let Some(key) = key.as_ref().strip_prefix(entry) {
            let key = str::from_utf8(key).map_err(|_| corrupt("a row of its index"))?;
            found.push(key.to_owned());
        }
    }
    Ok(found)
}

fn next<S: Rows>(place: Option<Place>) -> Change {
    let value = place.map(|place| place.to_be_bytes().to_vec());
    Change { family: S::STATE, key: NEXT.to_vec(), value }
}

fn corrupt(what: &str) -> StorageError {
    StorageError::Corrupt(format!("{what} cannot be read, so the store stays in its old format"))
}

#[cfg(test)]
pub(crate) mod tests;
