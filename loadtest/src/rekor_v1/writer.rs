//! Writes: request `n` proposes entry `n`. Its entry ID is known beforehand, so that every 201 is
//! held against it at the price of comparing 80 bytes.

use hyper::{StatusCode, Uri};
use tlog::LeafHash;

use crate::rekor_v1::check::{Fault, framing};
use crate::client::{Answer, CallError, Connection};
use crate::drive::Target;
use crate::entries::Entry;

/// Where entries are proposed.
pub const ENTRIES_PATH: &str = "/api/v1/log/entries";

/// The entries of a run.
pub struct Proposals {
    entries: Vec<Entry>,
    /// Tree ID in 16 hexadecimal digits.
    tree: [u8; 16],
    path: Uri,
}

impl Proposals {
    /// Entries for the tree whose entry IDs start with these 16 digits.
    pub fn new(entries: Vec<Entry>, tree: [u8; 16]) -> Self {
        Self { entries, tree, path: Uri::from_static(ENTRIES_PATH) }
    }

    /// The entry that request `number` proposes.
    pub fn entry(&self, number: u64) -> &Entry {
        &self.entries[number as usize]
    }
}

impl Target for Proposals {
    async fn call(&self, connection: &mut Connection, number: u64) -> Result<Answer, CallError> {
        let body = self.entry(number).body.clone();
        connection.post(self.path.clone(), body).await
    }

    fn framing(&self, number: u64, answer: &Answer) -> Result<u64, Fault> {
        let digits = entry_id(self.tree, &self.entry(number).leaf);
        let id = std::str::from_utf8(&digits).unwrap_or_default();
        framing(answer, StatusCode::CREATED, Some(id))
    }

    fn subject(&self, number: u64) -> String {
        format!("entry {number} ({})", self.entry(number).leaf)
    }
}

/// An entry ID without allocating.
fn entry_id(tree: [u8; 16], leaf: &LeafHash) -> [u8; 80] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut id = [0; 80];
    id[..16].copy_from_slice(&tree);
    for (two, byte) in id[16..].chunks_exact_mut(2).zip(leaf.as_bytes()) {
        two[0] = DIGITS[usize::from(byte >> 4)];
        two[1] = DIGITS[usize::from(byte & 15)];
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entry_ids_are_tree_and_leaf_in_hexadecimal() {
        let leaf = LeafHash::from_bytes([0xa5; 32]);
        let id = entry_id(*b"00000000000004d2", &leaf);
        assert_eq!(std::str::from_utf8(&id).unwrap(), format!("00000000000004d2{leaf}"));
    }
}
