//! Which objects a growth of the tree makes (C2SP tlog-tiles), as pure functions of sizes.
//!
//! Full tiles come in the order in which they fill: with the bundle and tile of every 256 entries
//! those of higher levels that they complete. So what an interrupted export has written is the
//! start of the same list.

use std::ops::Range;

use tlog::{TILE_WIDTH, TileId, TilePath, TreeSize};

use crate::limits::EXPORT_LOOK_BACK;

/// Hashes of a full tile.
pub(super) const FULL: u16 = TILE_WIDTH as u16;

/// Tiles of level 0 whose objects are written before those of the next so many: those under one
/// tile of level 1.
const WINDOW: u64 = TILE_WIDTH;

/// The tiles of level 0, with all that they complete, that fill when the tree grows.
pub(super) fn filled(old: TreeSize, new: TreeSize) -> Range<u64> {
    old.0 / TILE_WIDTH..new.0 / TILE_WIDTH
}

/// The same tiles, cut where a tile of level 1 ends.
pub(super) fn windows(tiles: Range<u64>) -> impl Iterator<Item = Range<u64>> {
    let (first, last) = (tiles.start / WINDOW, tiles.end.div_ceil(WINDOW));
    let windows = (first..last).map(move |n| {
        let end = n.saturating_add(1).saturating_mul(WINDOW);
        (n * WINDOW).max(tiles.start)..end.min(tiles.end)
    });
    windows.filter(|window| !window.is_empty())
}

/// The objects of full tiles of level 0: each one's bundle, itself, and the tiles that it
/// completes.
pub(super) fn full(tiles: Range<u64>) -> impl Iterator<Item = TilePath> {
    tiles.flat_map(|index| {
        let mut complete = Some(TileId { level: 0, index });
        let tiles = std::iter::from_fn(move || {
            let tile = complete?;
            let (level, last) = (tile.level + 1, tile.index % TILE_WIDTH == TILE_WIDTH - 1);
            complete = last.then_some(TileId { level, index: tile.index / TILE_WIDTH });
            Some(tile)
        });
        tiles.flat_map(paths)
    })
}

/// The objects of a full tile: itself, and of level 0 its bundle before it.
pub(super) fn paths(tile: TileId) -> impl Iterator<Item = TilePath> {
    let bundle = TilePath::Entries { index: tile.index, width: FULL };
    let bundle = (tile.level == 0).then_some(bundle);
    bundle.into_iter().chain([TilePath::Tile { tile, width: FULL }])
}

/// The partial objects of a tree of `new` leaves that one of `old` leaves does not have.
pub(super) fn partial(old: TreeSize, new: TreeSize) -> Vec<TilePath> {
    let mut made = Vec::new();
    for tile in edge(new) {
        let width = tile.width(new);
        if width == tile.width(old) {
            continue;
        }
        if tile.level == 0 {
            made.push(TilePath::Entries { index: tile.index, width });
        }
        made.push(TilePath::Tile { tile, width });
    }
    made
}

/// The tiles of a tree that are partial, by level.
pub(super) fn edge(size: TreeSize) -> impl Iterator<Item = TileId> {
    let tile = |(level, nodes)| TileId { level, index: nodes / TILE_WIDTH };
    levels(size).filter(|(_, nodes)| nodes % TILE_WIDTH > 0).map(tile)
}

/// The last tiles of each level: where partial ones may stand beside them, if whoever wrote them
/// was killed before they were removed.
pub(super) fn recent(size: TreeSize) -> impl Iterator<Item = TileId> {
    levels(size).flat_map(|(level, nodes)| {
        let last = nodes / TILE_WIDTH;
        (last.saturating_sub(EXPORT_LOOK_BACK)..=last).map(move |index| TileId { level, index })
    })
}

/// The tile levels of a tree, and how many nodes each has.
fn levels(size: TreeSize) -> impl Iterator<Item = (u8, u64)> {
    let nodes = move |level: u8| size.0.checked_shr(8 * u32::from(level)).filter(|n| *n > 0);
    (0..).map_while(move |level| Some((level, nodes(level)?)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    /// All objects that exist at a size, by looking at every tile that could.
    fn all(size: u64, is_full: bool) -> BTreeSet<String> {
        let mut found = BTreeSet::new();
        for level in 0..8 {
            for index in 0..=size / 256 {
                let tile = TileId { level, index };
                let width = tile.width(TreeSize(size));
                if width == 0 || (width == 256) != is_full {
                    continue;
                }
                found.insert(TilePath::Tile { tile, width }.to_string());
                if level == 0 {
                    found.insert(TilePath::Entries { index, width }.to_string());
                }
            }
        }
        found
    }

    fn minus(new: BTreeSet<String>, old: &BTreeSet<String>) -> Vec<String> {
        new.into_iter().filter(|path| !old.contains(path)).collect()
    }

    fn sorted(paths: impl Iterator<Item = TilePath>) -> Vec<String> {
        let mut names: Vec<_> = paths.map(|path| path.to_string()).collect();
        names.sort();
        names
    }

    fn check(old: u64, new: u64) {
        let (from, to) = (TreeSize(old), TreeSize(new));
        let made = sorted(full(filled(from, to)));
        assert_eq!(made, minus(all(new, true), &all(old, true)), "full, {old} to {new}");
        let made = sorted(partial(from, to).into_iter());
        assert_eq!(made, minus(all(new, false), &all(old, false)), "partial, {old} to {new}");
        let cut: Vec<_> = windows(filled(from, to)).collect();
        assert!(
            cut.iter().all(|part| !part.is_empty() && part.start / 256 == (part.end - 1) / 256)
        );
        assert_eq!(cut.into_iter().flatten().collect::<Vec<_>>(), Vec::from_iter(filled(from, to)));
    }

    proptest! {
        #[test]
        fn a_growth_makes_what_was_not_there(old in 0_u64..200_000, more in 0_u64..200_000) {
            check(old, old + more);
        }

        #[test]
        fn a_small_growth_too(old in 65_000_u64..66_500, more in 0_u64..600) {
            check(old, old + more);
        }
    }

    #[test]
    fn at_the_edges() {
        for (old, new) in
            [(0, 0), (0, 1), (0, 256), (255, 256), (256, 257), (65_535, 65_536), (0, 65_537)]
        {
            check(old, new);
        }
        assert_eq!(edge(TreeSize(u64::MAX)).count(), 8);
        assert_eq!(filled(TreeSize(u64::MAX), TreeSize(u64::MAX)).count(), 0);
    }

    #[test]
    fn a_tile_comes_after_all_that_it_is_made_of() {
        let mut seen = BTreeSet::new();
        for path in full(0..65_536 / 16) {
            if let TilePath::Tile { tile: TileId { level: 1.., index }, .. } = path {
                let below = (index * 256..(index + 1) * 256)
                    .map(|index| TilePath::Tile { tile: TileId { level: 0, index }, width: FULL });
                assert!(below.map(|path| path.to_string()).all(|name| seen.contains(&name)));
            }
            seen.insert(path.to_string());
        }
    }
}
