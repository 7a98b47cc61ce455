//! Tiles, their paths and entry bundles.

use proptest::prelude::*;

use super::oracle::leaves;
use crate::{
    BundleError, HashRange, NodeHash, TileId, TilePath, TreeSize, decode_bundle, decode_tile,
    encode_bundle, encode_tile,
};

fn tile(level: u8, index: u64) -> TileId {
    TileId { level, index }
}

/// Paths and what they name. The index 1234067, the level range and the widths are those of the
/// specification (c2sp.org/tlog-tiles, "Merkle Tree").
const PATHS: [(&str, TilePath); 11] = [
    ("tile/0/000", TilePath::Tile { tile: TileId { level: 0, index: 0 }, width: 256 }),
    ("tile/0/005.p/1", TilePath::Tile { tile: TileId { level: 0, index: 5 }, width: 1 }),
    ("tile/1/999", TilePath::Tile { tile: TileId { level: 1, index: 999 }, width: 256 }),
    ("tile/2/x001/000", TilePath::Tile { tile: TileId { level: 2, index: 1_000 }, width: 256 }),
    (
        "tile/63/x001/x234/067",
        TilePath::Tile { tile: TileId { level: 63, index: 1_234_067 }, width: 256 },
    ),
    (
        "tile/0/x001/x234/067.p/255",
        TilePath::Tile { tile: TileId { level: 0, index: 1_234_067 }, width: 255 },
    ),
    ("tile/0/x001/234.p/17", TilePath::Tile { tile: TileId { level: 0, index: 1_234 }, width: 17 }),
    (
        "tile/0/x018/x446/x744/x073/x709/x551/615",
        TilePath::Tile { tile: TileId { level: 0, index: u64::MAX }, width: 256 },
    ),
    ("tile/entries/000", TilePath::Entries { index: 0, width: 256 }),
    ("tile/entries/x001/x234/067", TilePath::Entries { index: 1_234_067, width: 256 }),
    ("tile/entries/x001/x234/067.p/8", TilePath::Entries { index: 1_234_067, width: 8 }),
];

#[test]
fn paths_are_written_and_read() {
    for (path, names) in PATHS {
        assert_eq!(names.to_string(), path);
        assert_eq!(TilePath::parse(path), Some(names), "{path}");
    }
}

#[test]
fn other_paths_name_nothing() {
    let hostile = [
        "",
        "tile",
        "tile/",
        "tile/0",
        "tile/0/",
        "/tile/0/000",
        "tile/0/000/",
        "tile//000",
        "tiles/0/000",
        "TILE/0/000",
        "tile/00/000",
        "tile/01/000",
        "tile/64/000",
        "tile/256/000",
        "tile/-1/000",
        "tile/+1/000",
        "tile/data/000",
        "tile/Entries/000",
        "tile/0/0",
        "tile/0/00",
        "tile/0/0000",
        "tile/0/x000",
        "tile/0/x000/000",
        "tile/0/x000/001",
        "tile/0/001/000",
        "tile/0/x001/x000",
        "tile/0/x01/000",
        "tile/0/x0001/000",
        "tile/0/X001/000",
        "tile/0/x001//000",
        "tile/0/+01",
        "tile/0/-01",
        "tile/0/0x1",
        "tile/0/ 01",
        "tile/0/٠٠١",
        "tile/0/000.p",
        "tile/0/000.p/",
        "tile/0/000.p/0",
        "tile/0/000.p/01",
        "tile/0/000.p/256",
        "tile/0/000.p/257",
        "tile/0/000.p/65537",
        "tile/0/000.p/+1",
        "tile/0/000.p/1/",
        "tile/0/000.p/1.p/1",
        "tile/0/.p/1",
        "tile/0/000.P/1",
        "tile/entries/",
        "tile/entries/x000/000",
        "tile/entries/000.p/256",
        "tile/entries/0/000",
        "tile/0/../000",
        "tile/0/%30%30%30",
        "tile/0/x018/x446/x744/x073/x709/x551/616",
        "tile/0/x999/x999/x999/x999/x999/x999/999",
        "tile/0/x001/x018/x446/x744/x073/x709/x551/615",
        "tile/0/000\n",
        "tile/0/000\0",
    ];
    for path in hostile {
        assert_eq!(TilePath::parse(path), None, "{path:?}");
    }
}

#[test]
fn widths_are_those_of_the_specification() {
    // "A tree of size 70,000 …" and "a tree of size 256 …", c2sp.org/tlog-tiles, "Partial Tiles".
    let size = TreeSize(70_000);
    assert_eq!([tile(0, 0), tile(0, 272), tile(1, 0)].map(|tile| tile.width(size)), [256; 3]);
    assert_eq!(tile(0, 273).width(size), 112);
    assert_eq!(tile(1, 1).width(size), 17);
    assert_eq!(tile(2, 0).width(size), 1);
    assert_eq!([tile(0, 274), tile(1, 2), tile(2, 1), tile(3, 0)].map(|t| t.width(size)), [0; 4]);
    assert_eq!([tile(0, 0), tile(1, 0)].map(|tile| tile.width(TreeSize(256))), [256, 1]);
    assert_eq!(tile(0, 1).hashes(TreeSize(256)), None);
    let partial = HashRange { level: 0, first: 273 * 256, count: 112 };
    assert_eq!(tile(0, 273).hashes(size), Some(partial));
    assert_eq!(partial.tile(), tile(0, 273));
    for hostile in [tile(0, u64::MAX), tile(8, 0), tile(63, 0), tile(255, u64::MAX)] {
        assert_eq!(hostile.width(TreeSize(u64::MAX)), 0, "{hostile:?}");
    }
    assert_eq!(tile(0, u64::MAX / 256).width(TreeSize(u64::MAX)), 255);
}

#[test]
fn tiles_are_whole_hashes() {
    let hashes: Vec<NodeHash> = leaves(257).iter().map(|leaf| leaf.to_node()).collect();
    for width in [1, 2, 255, 256] {
        let bytes = encode_tile(&hashes[..width]);
        assert_eq!(bytes.len(), 32 * width);
        assert_eq!(decode_tile(&bytes).as_deref(), Some(&hashes[..width]));
        assert_eq!(decode_tile(&bytes[1..]), None);
    }
    assert_eq!(decode_tile(&[]), None);
    assert_eq!(decode_tile(&encode_tile(&hashes)), None);
}

#[test]
fn bundles_are_framed_with_big_endian_lengths() {
    let long = vec![0x61; 65_535];
    let entries: [&[u8]; 3] = [b"", b"one", &long];
    let bundle = encode_bundle(&entries).unwrap();
    assert_eq!(&bundle[..9], b"\x00\x00\x00\x03one\xff\xff");
    assert_eq!(decode_bundle(&bundle), Ok(entries.to_vec()));
    assert_eq!(decode_bundle(&[]), Ok(Vec::new()));
    for end in [1, 3, 4, 6, 8, 9, bundle.len() - 1] {
        assert_eq!(decode_bundle(&bundle[..end]), Err(BundleError::Truncated), "{end}");
    }
    let too_long = encode_bundle(&[vec![0; 65_536]]);
    assert_eq!(too_long, Err(BundleError::EntryTooLong { bytes: 65_536 }));
    assert!(decode_bundle(&[0; 2 * 256]).is_ok());
    assert_eq!(decode_bundle(&[0; 2 * 257]), Err(BundleError::TooManyEntries));
    assert_eq!(encode_bundle(&[b""; 257]), Err(BundleError::TooManyEntries));
}

proptest! {
    #[test]
    fn every_path_is_read_back(
        level in 0_u8..64, index: u64, shift in 0_u32..64, width in 1_u16..=256,
    ) {
        let index = index >> shift;
        let tile = tile(level, index);
        for names in [TilePath::Tile { tile, width }, TilePath::Entries { index, width }] {
            prop_assert_eq!(TilePath::parse(&names.to_string()), Some(names));
        }
    }

    #[test]
    fn only_written_paths_are_read(
        kind in "entries|[0-9]{1,2}",
        index in "(x?[0-9]{2,3}/){0,3}x?[0-9]{3}",
        width in "(\\.p/[0-9]{1,3})?",
    ) {
        let path = format!("tile/{kind}/{index}{width}");
        if let Some(names) = TilePath::parse(&path) {
            prop_assert_eq!(names.to_string(), path);
        }
    }

    #[test]
    fn bundles_round_trip(
        entries in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..400), 0..=256),
    ) {
        let bundle = encode_bundle(&entries).unwrap();
        prop_assert_eq!(decode_bundle(&bundle).unwrap(), entries);
    }

    #[test]
    fn any_bytes_are_a_bundle_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..2_000)) {
        if let Ok(entries) = decode_bundle(&bytes) {
            prop_assert_eq!(encode_bundle(&entries).unwrap(), bytes);
        }
    }
}
