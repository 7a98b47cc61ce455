//! Authentic hashes: tiles that lead to a checkpoint's root. The partial tiles of all levels make
//! the root together; a full tile is true if its own root stands in the tile above it.

use std::collections::HashMap;

use tlog::{NodeHash, RightEdge, TILE_WIDTH, TileId, TreeHead, hash_children, hash_leaf};

use crate::tiles::source::Source;

/// The hashes of a tree that were found to be true.
pub struct Tree {
    head: TreeHead,
    known: HashMap<TileId, Vec<NodeHash>>,
}

impl Tree {
    /// Starts with the right edge, which must give the head's root.
    ///
    /// # Errors
    /// Tiles that are not there, or of another tree; in words.
    pub async fn open(source: &mut Source, head: TreeHead) -> Result<Self, String> {
        let wanted = RightEdge::wanted(head.size);
        let tiles = source.ranges(&wanted, head.size).await?;
        let edge = RightEdge::from_hashes(head.size, &tiles).map_err(|error| error.to_string())?;
        if edge.head() != head {
            return Err(format!("the tiles at size {} do not give the root hash", head.size));
        }
        let known = wanted.iter().map(|range| range.tile()).zip(tiles).collect();
        Ok(Self { head, known })
    }

    /// The hash of a full tile's root, from the tile above it.
    ///
    /// # Errors
    /// As for [`Self::open`].
    pub async fn root_of(&mut self, source: &mut Source, tile: TileId) -> Result<NodeHash, String> {
        if u64::from(tile.width(self.head.size)) < TILE_WIDTH {
            return Err(format!("tile {tile:?} is not full"));
        }
        let mut missing = Vec::new();
        let mut above = parent(tile);
        while !self.known.contains_key(&above) {
            missing.push(above);
            above = parent(above);
        }
        while let Some(next) = missing.pop() {
            let hashes = source.tile(next, self.head.size).await?;
            let place = (next.index % TILE_WIDTH) as usize;
            if self.known.get(&parent(next)).and_then(|tile| tile.get(place))
                != full_root(&hashes).as_ref()
            {
                return Err(format!("tile {next:?} is not of this tree"));
            }
            self.known.insert(next, hashes);
        }
        let place = (tile.index % TILE_WIDTH) as usize;
        let root = self.known.get(&parent(tile)).and_then(|hashes| hashes.get(place));
        root.copied().ok_or_else(|| format!("tile {tile:?} is not full"))
    }
}

const fn parent(tile: TileId) -> TileId {
    TileId { level: tile.level + 1, index: tile.index / TILE_WIDTH }
}

/// The root of a full tile; `None` for a partial one.
pub fn full_root(hashes: &[NodeHash]) -> Option<NodeHash> {
    let mut level = hashes.to_vec();
    while level.len() > 1 {
        level = level.chunks_exact(2).map(|pair| hash_children(&pair[0], &pair[1])).collect();
    }
    level.first().copied().filter(|_| hashes.len() as u64 == TILE_WIDTH)
}

/// The root of a full bundle's entries.
pub fn bundle_root(entries: &[&[u8]]) -> Option<NodeHash> {
    let leaves: Vec<NodeHash> = entries.iter().map(|entry| hash_leaf(entry).to_node()).collect();
    full_root(&leaves)
}
