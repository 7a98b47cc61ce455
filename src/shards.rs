//! Names across the shards of a v1 log: entry IDs, and virtual indices.
//!
//! A v1 log is a sequence of trees, oldest first; the last one is active, the others are frozen.
//! The virtual index counts entries over all of them, the tree index counts within one.

use std::fmt;

use storage::TreeId;
use tlog::{LeafHash, LogIndex, TreeSize};

/// Index of an entry over all shards of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct VirtualIndex(pub u64);

/// Names one entry: its tree and its leaf hash. 80 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EntryId {
    /// The tree that holds it.
    pub tree_id: TreeId,
    /// Its leaf hash, Rekor's UUID.
    pub leaf_hash: LeafHash,
}

/// 16 hexadecimal digits of the tree ID, then 64 of the leaf hash, all lower case.
impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}{}", self.tree_id.get(), self.leaf_hash)
    }
}

/// Text that names no entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EntryIdError {
    /// Not 80 hexadecimal digits.
    #[error("an entry ID is 80 hexadecimal digits")]
    Syntax,
    /// The first 16 digits are beyond 2^63 - 1.
    #[error("the tree ID is larger than 2^63 - 1")]
    TreeIdTooLarge,
    /// The first 16 digits are all zero.
    #[error("the tree ID is zero")]
    TreeIdZero,
}

impl EntryId {
    /// Reads 80 hexadecimal digits of either case.
    ///
    /// # Errors
    /// As [`EntryIdError`] says.
    pub fn parse(text: &str) -> Result<Self, EntryIdError> {
        if text.len() != 80 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(EntryIdError::Syntax);
        }
        let (tree, leaf) = text.split_at(16);
        let leaf_hash = LeafHash::from_hex(leaf).ok_or(EntryIdError::Syntax)?;
        let tree = u64::from_str_radix(tree, 16).map_err(|_| EntryIdError::Syntax)?;
        let tree = i64::try_from(tree).map_err(|_| EntryIdError::TreeIdTooLarge)?;
        let tree_id = TreeId::new(tree).ok_or(EntryIdError::TreeIdZero)?;
        Ok(Self { tree_id, leaf_hash })
    }
}

/// The sizes of the frozen shards, oldest first: all that the arithmetic needs.
#[derive(Clone, Debug, Default)]
pub struct ShardMap {
    frozen: Vec<TreeSize>,
}

impl ShardMap {
    /// The map of a log with these frozen shards before its active one.
    pub fn new(frozen: Vec<TreeSize>) -> Self {
        Self { frozen }
    }

    /// The virtual index of an entry of shard number `shard` (the active one comes last).
    pub fn virtual_index(&self, shard: usize, index: LogIndex) -> VirtualIndex {
        let before: u64 = self.frozen.iter().take(shard).map(|size| size.0).sum();
        VirtualIndex(before + index.0)
    }

    /// The shard number and tree index behind a virtual index. One beyond all frozen shards
    /// resolves into the active one, whether that holds it or not.
    pub fn resolve(&self, index: VirtualIndex) -> (usize, LogIndex) {
        let mut rest = index.0;
        for (shard, size) in self.frozen.iter().enumerate() {
            if rest < size.0 {
                return (shard, LogIndex(rest));
            }
            rest -= size.0;
        }
        (self.frozen.len(), LogIndex(rest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn entry_ids_are_read_and_written() {
        let text = format!("108e9186e8c5677a{}", "ae".repeat(32));
        let id = EntryId::parse(&text.to_uppercase()).unwrap();
        assert_eq!(id.tree_id.get(), 1_193_050_959_916_656_506); // an entry of the public instance
        assert_eq!(id.to_string(), text);
        assert_eq!(EntryId::parse(&text[1..]), Err(EntryIdError::Syntax));
        assert_eq!(EntryId::parse(&format!("{text}0")), Err(EntryIdError::Syntax));
        let beyond = format!("8000000000000000{}", "ae".repeat(32));
        assert_eq!(EntryId::parse(&beyond), Err(EntryIdError::TreeIdTooLarge));
        let zero = format!("0000000000000000{}", "ae".repeat(32));
        assert_eq!(EntryId::parse(&zero), Err(EntryIdError::TreeIdZero));
    }

    #[test]
    fn small_tree_ids_are_padded() {
        let leaf_hash = LeafHash::from_bytes([1; 32]);
        let id = EntryId { tree_id: TreeId::new(0x1f).unwrap(), leaf_hash };
        assert!(id.to_string().starts_with("000000000000001f01"));
        assert_eq!(EntryId::parse(&id.to_string()), Ok(id));
    }

    #[test]
    fn public_good_offset() {
        // The first shard of the public instance ended at 4,163,431.
        let map = ShardMap::new(vec![TreeSize(4_163_431)]);
        assert_eq!(map.virtual_index(1, LogIndex(0)), VirtualIndex(4_163_431));
        assert_eq!(map.resolve(VirtualIndex(4_163_430)), (0, LogIndex(4_163_430)));
        assert_eq!(map.resolve(VirtualIndex(4_163_431)), (1, LogIndex(0)));
    }

    proptest! {
        #[test]
        fn resolving_undoes_numbering(
            sizes in prop::collection::vec(0u64..50, 0..6),
            at in 0u64..400,
        ) {
            let map = ShardMap::new(sizes.iter().copied().map(TreeSize).collect());
            let (shard, index) = map.resolve(VirtualIndex(at));
            prop_assert!(shard == sizes.len() || index.0 < sizes[shard]);
            prop_assert_eq!(map.virtual_index(shard, index), VirtualIndex(at));
        }
    }
}
