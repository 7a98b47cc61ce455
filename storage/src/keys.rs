//! Where each thing lies in an embedded engine: families of keys, keys and values. `FORMAT.md` in
//! words. A family is a column family of RocksDB and a keyspace of Fjall.
//!
//! Numbers are big-endian, so that the order of the bytes is the order of the numbers and a range
//! of entries or hashes is one iteration. Keys start with the tree, except where a look-up has to
//! work the other way round.

use tlog::{LeafHash, LogIndex, NodeHash, RootHash, TreeHead, TreeSize};

use crate::{
    LogRecord, StorageError, StoredBody, StoredCheckpoint, StoredEntry, TreeId, index_keys,
};

/// Key of the format version: in RocksDB's own family `default`, in [`LOGS`] elsewhere.
pub(crate) const FORMAT_KEY: &[u8] = b"format";

/// Record, head and newest checkpoint of every log.
pub(crate) const LOGS: &str = "logs";
/// Canonical bodies with their integrated times and index keys.
pub(crate) const ENTRIES: &str = "entries";
/// Leaf hashes in the order of the leaves: level 0 of every tree.
pub(crate) const HASHES: &str = "hashes";
/// The stored levels above it, a 255th as many. Beside the leaf hashes they would lie behind all of
/// them, and each sorted file would overlap with all that are older: nothing could be moved down
/// without being merged.
pub(crate) const NODES: &str = "nodes";
/// Leaf hash to index.
pub(crate) const LEAVES: &str = "leaves";
/// Index key to indices.
pub(crate) const SEARCH: &str = "search";
/// Attestations of all logs.
pub(crate) const ATTESTATIONS: &str = "attestations";
/// Every family of this format but `default`.
pub(crate) const FAMILIES: [&str; 7] = [LOGS, ENTRIES, HASHES, NODES, LEAVES, SEARCH, ATTESTATIONS];

/// While a store is brought over: the rows of [`SEARCH`], sorted by entry. See `upgrade`.
pub(crate) const SORTED: &str = "upgrade";

/// Where the hashes of a stored level are.
pub(crate) const fn family_of(level: u8) -> &'static str {
    if level == 0 { HASHES } else { NODES }
}

/// The three things in [`LOGS`]; the letter follows the tree in the key.
#[derive(Clone, Copy)]
pub(crate) enum Part {
    Record = b'r' as isize,
    Head = b'h' as isize,
    Checkpoint = b'c' as isize,
}

/// Ends the index key in a key of [`SEARCH`].
const KEY_END: u8 = 0;

pub(crate) fn part(tree: TreeId, part: Part) -> Vec<u8> {
    [tree.get().to_be_bytes().as_slice(), &[part as u8]].concat()
}

/// True for the key of a log's record, whatever the tree.
pub(crate) fn is_record(key: &[u8]) -> bool {
    key.len() == 9 && key[8] == Part::Record as u8
}

/// The tree whose record has this key; `None` for the keys of other things.
#[cfg(feature = "rocksdb")]
pub(crate) fn parse_record_key(key: &[u8]) -> Option<TreeId> {
    let (tree, _) = key.split_first_chunk().filter(|_| is_record(key))?;
    TreeId::new(i64::from_be_bytes(*tree))
}

pub(crate) fn entry(tree: TreeId, index: u64) -> Vec<u8> {
    [tree.get().to_be_bytes(), index.to_be_bytes()].concat()
}

pub(crate) fn hash(tree: TreeId, level: u8, position: u64) -> Vec<u8> {
    let tree = tree.get().to_be_bytes();
    [tree.as_slice(), &[level], &position.to_be_bytes()].concat()
}

pub(crate) fn leaf(tree: TreeId, leaf: &LeafHash) -> [u8; 40] {
    let mut key = [0; 40];
    key[..8].copy_from_slice(&tree.get().to_be_bytes());
    key[8..].copy_from_slice(leaf.as_bytes());
    key
}

/// `index key, NUL, tree, index`. An index key may hold NULs itself, and still every such key means
/// one thing: the last 17 bytes have a fixed length, so the length of the whole gives the length of
/// the index key. A scan for one index key therefore takes keys of exactly one length, see
/// [`search_hit`]; the NUL only keeps longer index keys with the same start out of its way.
pub(crate) fn search(index_key: &str, tree: TreeId, index: LogIndex) -> Vec<u8> {
    let (tree, index) = (tree.get().to_be_bytes(), index.0.to_be_bytes());
    [index_key.as_bytes(), &[KEY_END], &tree, &index].concat()
}

/// The first key after all those of an index key in this tree. Tree IDs have 63 bits: no overflow.
pub(crate) fn search_end(index_key: &str, tree: TreeId) -> Vec<u8> {
    let next = tree.get().unsigned_abs() + 1;
    [index_key.as_bytes(), &[KEY_END], &next.to_be_bytes()].concat()
}

/// The index in a key that lies between [`search`] and [`search_end`]; `None` when the key belongs
/// to a longer index key that goes on with a NUL and this tree's bytes.
pub(crate) fn search_hit(index_key: &str, key: &[u8]) -> Option<LogIndex> {
    let rest = key.get(index_key.len() + 1..)?;
    let (_tree, index) = rest.split_at_checked(8)?;
    Some(LogIndex(u64::from_be_bytes(index.try_into().ok()?)))
}

/// `tree, index, index key` of a key of [`SEARCH`]: in the order of the entries.
pub(crate) fn by_entry(search: &[u8]) -> Option<Vec<u8>> {
    let (index_key, rest) = search.split_at_checked(search.len().checked_sub(17)?)?;
    Some([rest.strip_prefix(&[KEY_END])?, index_key].concat())
}

/// `time, index keys, body`.
pub(crate) fn entry_value(integrated_time: i64, keys: &[String], body: &[u8]) -> Vec<u8> {
    let mut value = Vec::with_capacity(8 + index_keys::size_hint(keys) + body.len());
    value.extend_from_slice(&integrated_time.to_be_bytes());
    index_keys::append(keys, &mut value);
    value.extend_from_slice(body);
    value
}

pub(crate) fn parse_entry(index: u64, value: &[u8]) -> Option<StoredEntry> {
    let (time, rest) = value.split_first_chunk()?;
    let (index_keys, body) = index_keys::take(rest)?;
    let integrated_time = i64::from_be_bytes(*time);
    Some(StoredEntry { index: LogIndex(index), integrated_time, body: body.to_vec(), index_keys })
}

/// Passes over the index keys.
pub(crate) fn parse_body(index: u64, value: &[u8]) -> Option<StoredBody> {
    let (time, rest) = value.split_first_chunk()?;
    let (integrated_time, body) = (i64::from_be_bytes(*time), index_keys::skip(rest)?.to_vec());
    Some(StoredBody { index: LogIndex(index), integrated_time, body })
}

pub(crate) fn parse_hash(value: &[u8]) -> Option<NodeHash> {
    Some(NodeHash::from_bytes(value.try_into().ok()?))
}

pub(crate) fn parse_index(value: &[u8]) -> Option<LogIndex> {
    Some(LogIndex(u64::from_be_bytes(value.try_into().ok()?)))
}

/// `size, root`.
pub(crate) fn head_value(head: TreeHead) -> Vec<u8> {
    [head.size.0.to_be_bytes().as_slice(), head.root.as_bytes()].concat()
}

pub(crate) fn parse_head(value: &[u8]) -> Option<TreeHead> {
    let (size, root) = value.split_first_chunk()?;
    Some(TreeHead {
        size: TreeSize(u64::from_be_bytes(*size)),
        root: RootHash::from_bytes(root.try_into().ok()?),
    })
}

/// `size, note`.
pub(crate) fn checkpoint_value(checkpoint: &StoredCheckpoint) -> Vec<u8> {
    [&checkpoint.size.0.to_be_bytes(), checkpoint.note.as_bytes()].concat()
}

pub(crate) fn parse_checkpoint(value: &[u8]) -> Option<StoredCheckpoint> {
    let (size, note) = value.split_first_chunk()?;
    Some(StoredCheckpoint {
        size: TreeSize(u64::from_be_bytes(*size)),
        note: String::from_utf8(note.to_vec()).ok()?,
    })
}

/// `position in the order of creation, record as JSON`.
pub(crate) fn record_value(position: u32, record: &LogRecord) -> Result<Vec<u8>, StorageError> {
    let json = serde_json::to_vec(record).map_err(|error| StorageError::Engine(error.into()))?;
    Ok([&position.to_be_bytes(), json.as_slice()].concat())
}

pub(crate) fn parse_record(value: &[u8]) -> Option<(u32, LogRecord)> {
    let (position, json) = value.split_first_chunk()?;
    Some((u32::from_be_bytes(*position), serde_json::from_slice(json).ok()?))
}

pub(crate) fn parse_version(value: &[u8]) -> Option<u32> {
    Some(u32::from_be_bytes(value.try_into().ok()?))
}
