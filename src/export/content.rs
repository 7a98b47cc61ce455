//! What is written under the path of a tile or bundle, made of what is stored.

use bytes::Bytes;
use storage::{LogStore, StorageError};
use tlog::{LogIndex, TILE_WIDTH, TilePath, encode_bundle, encode_tile};
use tokio::task::yield_now;

use super::sink::Kind;
use crate::limits::{BUNDLED_LEAF_BYTES_MAX, EXPORT_ENTRIES_AT_ONCE};

/// One object, below the log's folder.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Object {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) bytes: Bytes,
}

/// The objects of one path.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Content {
    /// The tile or bundle.
    pub(super) objects: Vec<Object>,
    /// The length of an entry because of which there is no bundle; the server has none either.
    pub(super) too_long: Option<usize>,
}

/// Reads the objects of a path, of which all hashes and entries are stored.
pub(super) async fn content(store: &dyn LogStore, path: TilePath) -> Result<Content, StorageError> {
    let mut content = Content::default();
    let bytes = match path {
        TilePath::Tile { tile, width } => {
            let count = usize::from(width);
            let hashes = store.hashes(tile.level, tile.index * TILE_WIDTH, count).await?;
            if hashes.len() != count {
                return Err(missing(path, hashes.len()));
            }
            encode_tile(&hashes)
        }
        TilePath::Entries { index, width } => {
            let (first, mut bodies) = (index * TILE_WIDTH, Vec::new());
            while bodies.len() < usize::from(width) {
                let wanted = EXPORT_ENTRIES_AT_ONCE.min(usize::from(width) - bodies.len());
                let entries = store.bodies(LogIndex(first + bodies.len() as u64), wanted).await?;
                if entries.len() != wanted {
                    return Err(missing(path, bodies.len() + entries.len()));
                }
                let lengths = entries.iter().map(|entry| entry.body.len());
                content.too_long = lengths.into_iter().find(|len| *len > BUNDLED_LEAF_BYTES_MAX);
                if content.too_long.is_some() {
                    return Ok(content);
                }
                bodies.extend(entries.into_iter().map(|entry| entry.body));
                yield_now().await; // writers go before
            }
            encode_bundle(&bodies).map_err(|error| StorageError::Corrupt(error.to_string()))?
        }
    };
    content.objects.push(Object { name: path.to_string(), kind: Kind::Tile, bytes: bytes.into() });
    Ok(content)
}

fn missing(path: TilePath, found: usize) -> StorageError {
    StorageError::Corrupt(format!("only {found} of {path} are stored, which lies below the head"))
}
