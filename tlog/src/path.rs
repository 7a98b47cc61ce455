//! C2SP tlog-tiles: the paths under which tiles and entry bundles are served, written and strictly
//! parsed: every resource has exactly one path.

use std::fmt;

use crate::tile::{TILE_WIDTH, TileId};

/// The highest tile level that a path can name.
const LEVEL_MAX: u8 = 63;

/// What a path under a log's prefix names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TilePath {
    /// `tile/<level>/<index>[.p/<width>]`: hashes of the tree.
    Tile {
        /// Which tile.
        tile: TileId,
        /// How many hashes: 256 for a full tile, 1 to 255 for a partial one.
        width: u16,
    },
    /// `tile/entries/<index>[.p/<width>]`: an entry bundle.
    Entries {
        /// Which bundle: the one that starts with entry `256 * index`.
        index: u64,
        /// How many entries: 256 for a full bundle, 1 to 255 for a partial one.
        width: u16,
    },
}

impl TilePath {
    /// Parses a path without leading slash; `None` for anything but the one path of a resource.
    pub fn parse(path: &str) -> Option<Self> {
        let (kind, rest) = path.strip_prefix("tile/")?.split_once('/')?;
        let (index, width) = match rest.split_once(".p/") {
            Some((index, width)) => (index, parse_decimal(width)?),
            None => (rest, TILE_WIDTH),
        };
        let index = parse_index(index)?;
        let width = u16::try_from(width).ok()?;
        let parsed = if kind == "entries" {
            Self::Entries { index, width }
        } else {
            let level = u8::try_from(parse_decimal(kind)?).ok()?;
            Self::Tile { tile: TileId { level, index }, width }
        };
        let level = if let Self::Tile { tile, .. } = parsed { tile.level } else { 0 };
        let in_range = level <= LEVEL_MAX && (1..=TILE_WIDTH).contains(&u64::from(width));
        // Other spellings (leading zeros, `x000/`, `.p/256`) are not what we write.
        (in_range && parsed.to_string() == path).then_some(parsed)
    }
}

/// The path, without leading slash.
impl fmt::Display for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (index, width) = match self {
            Self::Tile { tile, width } => {
                write!(f, "tile/{}/", tile.level)?;
                (tile.index, *width)
            }
            Self::Entries { index, width } => {
                f.write_str("tile/entries/")?;
                (*index, *width)
            }
        };
        write_index(f, index)?;
        if u64::from(width) < TILE_WIDTH { write!(f, ".p/{width}") } else { Ok(()) }
    }
}

/// Three digits an element, all but the last with an `x` before them: 1234067 is `x001/x234/067`.
fn write_index(f: &mut fmt::Formatter<'_>, index: u64) -> fmt::Result {
    let mut divisor = 1000_u64.pow(index.checked_ilog(1000).unwrap_or(0));
    while divisor > 1 {
        write!(f, "x{:03}/", index / divisor % 1000)?;
        divisor /= 1000;
    }
    write!(f, "{:03}", index % 1000)
}

fn parse_index(text: &str) -> Option<u64> {
    let (leading, last) = text.rsplit_once('/').map_or((None, text), |(l, last)| (Some(l), last));
    let mut index: u64 = 0;
    for element in leading.into_iter().flat_map(|leading| leading.split('/')) {
        index = index.checked_mul(1000)?.checked_add(parse_three(element.strip_prefix('x')?)?)?;
    }
    index.checked_mul(1000)?.checked_add(parse_three(last)?)
}

fn parse_three(element: &str) -> Option<u64> {
    (element.len() == 3).then(|| parse_decimal(element)).flatten()
}

fn parse_decimal(text: &str) -> Option<u64> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}
