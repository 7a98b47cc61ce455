//! Reads of full tiles and full entry bundles: request `n` asks for one of those that the log had
//! when the run started, in sequence or at random.

use hyper::StatusCode;
use hyper::header::CONTENT_TYPE;
use tlog::{NodeHash, TILE_WIDTH, TileId, TilePath, TreeSize, decode_bundle, decode_tile};

use crate::client::{Answer, CallError, Connection, header, uri};
use crate::drive::Target;
use crate::fault::Fault;
use crate::plan::{Order, Resources};
use crate::random::random;
use crate::tiles::tree::{bundle_root, full_root};

const FULL: u16 = TILE_WIDTH as u16;

/// What can be asked for.
pub struct Reads {
    prefix: String,
    what: Resources,
    order: Order,
    /// Full tiles of each level, lowest first; there are as many bundles as tiles of level 0.
    full: Vec<u64>,
}

impl Reads {
    /// Reads of a log under this prefix, at this size; `None` if nothing is full yet.
    pub fn new(prefix: &str, what: Resources, order: Order, size: TreeSize) -> Option<Self> {
        let mut full = Vec::new();
        let mut count = size.0 / TILE_WIDTH;
        while count > 0 {
            full.push(count);
            count /= TILE_WIDTH;
        }
        let reads = Self { prefix: prefix.to_owned(), what, order, full };
        (!reads.full.is_empty()).then_some(reads)
    }

    /// What request `number` asks for.
    pub fn resource(&self, number: u64) -> TilePath {
        let (is_tile, place) = match self.what {
            Resources::Tiles => (true, number),
            Resources::Bundles => (false, number),
            Resources::Both => (number.is_multiple_of(2), number / 2),
        };
        let count = if is_tile { self.full.iter().sum() } else { self.full[0] };
        let mut place = match self.order {
            Order::Sequence => place % count,
            Order::Random(seed) => random(seed, number) % count,
        };
        if !is_tile {
            return TilePath::Entries { index: place, width: FULL };
        }
        let mut level = 0;
        for &tiles in &self.full {
            if place < tiles {
                break;
            }
            (place, level) = (place - tiles, level + 1);
        }
        TilePath::Tile { tile: TileId { level, index: place }, width: FULL }
    }

    /// The tile whose root a resource must have, and the root that this answer has.
    ///
    /// # Errors
    /// [`Fault::Tile`] if it is not whole.
    pub fn root(&self, number: u64, bytes: &[u8]) -> Result<(TileId, NodeHash), Fault> {
        let resource = self.resource(number);
        let (tile, root) = match resource {
            TilePath::Tile { tile, .. } => {
                (tile, decode_tile(bytes).and_then(|hashes| full_root(&hashes)))
            }
            TilePath::Entries { index, .. } => {
                let entries = decode_bundle(bytes).unwrap_or_default();
                (TileId { level: 0, index }, bundle_root(&entries))
            }
        };
        let not_full = || Fault::Tile(format!("{resource} is not full"));
        root.map(|root| (tile, root)).ok_or_else(not_full)
    }
}

impl Target for Reads {
    type Link = Connection;

    async fn call(&self, connection: &mut Connection, number: u64) -> Result<Answer, CallError> {
        let path = format!("{}/{}", self.prefix, self.resource(number));
        connection.get_any(uri(&path)?).await
    }

    /// Status, type and length: of a tile its bytes, of a bundle its entries.
    fn framing(&self, number: u64, answer: &Answer) -> Result<u64, Fault> {
        if answer.status != StatusCode::OK {
            return Err(Fault::Status(answer.status.as_u16()));
        }
        if header(answer, CONTENT_TYPE) != "application/octet-stream" {
            return Err(Fault::Framing("Content-Type is not application/octet-stream".to_owned()));
        }
        let bytes = answer.body.len();
        let refuse = |what: String| Err(Fault::Tile(format!("{what} in {bytes} bytes")));
        match self.resource(number) {
            TilePath::Tile { .. } if bytes as u64 != TILE_WIDTH * 32 => {
                refuse("256 hashes".to_owned())
            }
            TilePath::Tile { tile, .. } => Ok(tile.index),
            TilePath::Entries { index, .. } => match decode_bundle(&answer.body) {
                Ok(entries) if entries.len() as u64 == TILE_WIDTH => Ok(index),
                Ok(entries) => refuse(format!("{} entries", entries.len())),
                Err(error) => refuse(error.to_string()),
            },
        }
    }

    fn subject(&self, number: u64) -> String {
        format!("GET {}/{}", self.prefix, self.resource(number))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn paths(what: Resources, order: Order, size: u64, count: u64) -> Vec<String> {
        let reads = Reads::new("/x", what, order, TreeSize(size)).unwrap();
        (0..count).map(|number| reads.resource(number).to_string()).collect()
    }

    #[test]
    fn a_sequence_goes_through_all_and_starts_again() {
        let tiles = paths(Resources::Tiles, Order::Sequence, 65_536 + 256 * 2 + 7, 260);
        assert_eq!((tiles[0].as_str(), tiles[257].as_str()), ("tile/0/000", "tile/0/257"));
        assert_eq!((tiles[258].as_str(), tiles[259].as_str()), ("tile/1/000", "tile/0/000"));
        let bundles = paths(Resources::Bundles, Order::Sequence, 700, 3);
        assert_eq!(bundles, ["tile/entries/000", "tile/entries/001", "tile/entries/000"]);
        let both = paths(Resources::Both, Order::Sequence, 700, 4);
        let expected = ["tile/0/000", "tile/entries/000", "tile/0/001", "tile/entries/001"];
        assert_eq!(both, expected);
    }

    #[test]
    fn random_reads_meet_all_and_repeat() {
        let random = |seed| paths(Resources::Both, Order::Random(seed), 256 * 5 + 255, 200);
        assert_eq!(random(1), random(1));
        assert_ne!(random(1), random(2));
        assert_eq!(random(1).iter().collect::<HashSet<_>>().len(), 10);
    }

    #[test]
    fn a_log_without_full_tiles_cannot_be_read() {
        assert!(Reads::new("", Resources::Both, Order::Sequence, TreeSize(255)).is_none());
        assert!(Reads::new("", Resources::Both, Order::Sequence, TreeSize(256)).is_some());
    }
}
