//! C2SP tlog-tiles: coordinates, widths, and the bytes of a tile. Paths are in `path`, entry
//! bundles in `bundle`; which tiles a proof needs is in `plan`.

use std::ops::Range;
use std::sync::OnceLock;

use crate::hash::{HASH_BYTES, NodeHash, TreeSize};
use crate::range::hash_pairs;

/// Hashes in a full tile, and entries in a full entry bundle.
pub const TILE_WIDTH: u64 = 256;

/// Tree levels between one tile level and the next: a full tile is a subtree of this height.
pub(crate) const TILE_HEIGHT: u8 = 8;

/// The tile levels that a tree of up to 2^64 - 1 leaves can have.
pub(crate) const TILE_LEVELS: u8 = 8;

/// Which tile: its level (0 holds leaf hashes) and its place in that level, from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TileId {
    /// Tile level: its hashes are the nodes at tree level `8 * level`.
    pub level: u8,
    /// Place in the level.
    pub index: u64,
}

impl TileId {
    /// How many hashes the tile holds in a tree of `size` leaves: 0 (not there yet) to 256 (full).
    pub fn width(self, size: TreeSize) -> u16 {
        let complete = nodes_at(size, self.level);
        let Some(before) = self.index.checked_mul(TILE_WIDTH) else {
            return 0;
        };
        let width = complete.saturating_sub(before).min(TILE_WIDTH);
        u16::try_from(width).unwrap_or(0) // at most 256
    }

    /// The hashes of this tile in a tree of `size` leaves; `None` when it has none yet.
    pub fn hashes(self, size: TreeSize) -> Option<HashRange> {
        let count = usize::from(self.width(size));
        (count > 0).then(|| HashRange { level: self.level, first: self.index * TILE_WIDTH, count })
    }
}

/// Hashes of one stored level, always within one tile: `first .. first + count`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct HashRange {
    /// Tile level.
    pub level: u8,
    /// Position in the level of the first hash.
    pub first: u64,
    /// How many.
    pub count: usize,
}

impl HashRange {
    /// The tile that holds them.
    pub const fn tile(&self) -> TileId {
        TileId { level: self.level, index: self.first / TILE_WIDTH }
    }
}

/// How many complete nodes a tree of this size has at a tile level.
pub(crate) fn nodes_at(size: TreeSize, tile_level: u8) -> u64 {
    let shift = u32::from(tile_level) * u32::from(TILE_HEIGHT);
    size.0.checked_shr(shift).unwrap_or(0)
}

/// The hashes of a tile, and what follows from them: the nodes above, computed when first asked
/// for. A proof looks them up; without them it would hash half of each tile anew.
#[derive(Debug)]
pub struct Tile {
    hashes: Box<[NodeHash]>,
    /// The complete nodes 1, 2 … 8 levels above, lowest first.
    above: OnceLock<Box<[NodeHash]>>,
}

impl Tile {
    /// A tile of 1 to 256 hashes.
    pub fn new(hashes: Vec<NodeHash>) -> Self {
        Self { hashes: hashes.into(), above: OnceLock::new() }
    }

    /// Its hashes.
    pub fn hashes(&self) -> &[NodeHash] {
        &self.hashes
    }

    /// The root over a complete subtree: 2^k hashes from a multiple of 2^k on; `None` when the tile
    /// does not hold them.
    pub fn subtree(&self, part: Range<usize>) -> Option<NodeHash> {
        if part.len() == 1 {
            return self.hashes.get(part.start).copied();
        }
        let (height, rows) = (part.len().checked_ilog2()?, self.hashes.len());
        if part.end > rows
            || !part.start.is_multiple_of(part.len())
            || !part.len().is_power_of_two()
        {
            return None;
        }
        let below: usize = (1..height).map(|lower| rows >> lower).sum();
        self.above.get_or_init(|| above(&self.hashes)).get(below + (part.start >> height)).copied()
    }
}

fn above(hashes: &[NodeHash]) -> Box<[NodeHash]> {
    let mut all = Vec::with_capacity(hashes.len());
    let mut row = hash_pairs(hashes);
    while !row.is_empty() {
        all.extend_from_slice(&row);
        row = hash_pairs(&row);
    }
    all.into()
}

/// The bytes of a tile: its hashes one after the other.
pub fn encode_tile(hashes: &[NodeHash]) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(hashes.len() * HASH_BYTES);
    for hash in hashes {
        bytes.extend_from_slice(hash.as_bytes());
    }
    bytes
}

/// Reads a tile back; `None` unless it is 1 to 256 whole hashes.
pub fn decode_tile(bytes: &[u8]) -> Option<Vec<NodeHash>> {
    let (hashes, rest) = bytes.as_chunks::<HASH_BYTES>();
    let whole = rest.is_empty() && (1..=TILE_WIDTH).contains(&(hashes.len() as u64));
    whole.then(|| hashes.iter().copied().map(NodeHash::from_bytes).collect())
}
