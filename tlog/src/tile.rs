//! C2SP tlog-tiles: coordinates, widths, and the bytes of a tile. Paths are in `path`, entry
//! bundles in `bundle`; which tiles a proof needs is in `plan`.

use crate::hash::{HASH_BYTES, NodeHash, TreeSize};

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

/// The bytes of a tile: its hashes one after the other.
pub fn encode_tile(hashes: &[NodeHash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| *hash.as_bytes()).collect()
}

/// Reads a tile back; `None` unless it is 1 to 256 whole hashes.
pub fn decode_tile(bytes: &[u8]) -> Option<Vec<NodeHash>> {
    let (hashes, rest) = bytes.as_chunks::<HASH_BYTES>();
    let whole = rest.is_empty() && (1..=TILE_WIDTH).contains(&(hashes.len() as u64));
    whole.then(|| hashes.iter().copied().map(NodeHash::from_bytes).collect())
}
