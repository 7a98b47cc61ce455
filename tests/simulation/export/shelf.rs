//! A destination in memory that fails on demand, and looks at all that a checkpoint needs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use bytes::Bytes;
use cairn::export::{Held, Kind, Sink, SinkError, Version};
use cairn::follow::{Source, SourceError};
use tlog::{Tile, TileId, TilePath, TreeSize, decode_bundle, decode_tile, hash_leaf};

/// Objects in memory. Whenever a checkpoint comes, all that it needs must be there.
#[derive(Default)]
pub(super) struct Shelf {
    pub(super) objects: Mutex<BTreeMap<String, Bytes>>,
    /// Writes so far, and the one at which the destination fails for good.
    pub(super) writes: Mutex<(u64, Option<u64>)>,
    /// A checkpoint that somebody else puts there just before the next one comes.
    pub(super) overtaken: Mutex<Option<String>>,
    /// What does not have to be there.
    pub(super) left_out: BTreeSet<String>,
}

impl Shelf {
    /// Does a write. The one that fails may have happened all the same, every other time.
    fn write(&self, write: impl FnOnce(&mut BTreeMap<String, Bytes>)) -> Result<(), SinkError> {
        let mut writes = self.writes.lock().unwrap();
        writes.0 += 1;
        let (now, failing) = *writes;
        if failing.is_none_or(|at| now < at || now == at && at.is_multiple_of(2)) {
            write(&mut self.objects.lock().unwrap());
        }
        match failing {
            Some(at) if now >= at => Err(SinkError::failed("shelf", "it broke down")),
            _ => Ok(()),
        }
    }

    pub(super) fn fail_at(&self, write: Option<u64>) {
        *self.writes.lock().unwrap() = (0, write);
    }

    pub(super) fn written(&self) -> u64 {
        self.writes.lock().unwrap().0
    }

    pub(super) fn copy(&self) -> Arc<Self> {
        let objects = Mutex::new(self.objects.lock().unwrap().clone());
        Arc::new(Self { objects, ..Self::default() })
    }

    pub(super) fn names(&self) -> BTreeSet<String> {
        self.objects.lock().unwrap().keys().cloned().collect()
    }
}

#[async_trait]
impl Source for Shelf {
    async fn get(&self, path: &str, max: usize) -> Result<Option<Vec<u8>>, SourceError> {
        let found = self.objects.lock().unwrap().get(path).map(|bytes| bytes.to_vec());
        assert!(found.as_ref().is_none_or(|bytes| bytes.len() <= max), "{path}");
        Ok(found)
    }
}

#[async_trait]
impl Sink for Shelf {
    async fn get(&self, name: &str) -> Result<Option<Held>, SinkError> {
        let bytes = self.objects.lock().unwrap().get(name).cloned();
        let version = |bytes: &Bytes| Version(hex::encode(tlog::hash::sha256(bytes)));
        Ok(bytes.map(|bytes| Held { version: version(&bytes), bytes }))
    }

    async fn put(&self, name: &str, kind: Kind, bytes: Bytes) -> Result<(), SinkError> {
        let annex = name.contains("/annex/");
        assert_eq!(kind, if annex { Kind::Annex } else { Kind::Tile }, "{name}");
        tokio::task::yield_now().await; // they arrive in any order
        self.write(|objects| drop(objects.insert(name.into(), bytes)))
    }

    async fn replace(
        &self,
        name: &str,
        kind: Kind,
        bytes: Bytes,
        old: Option<&Version>,
    ) -> Result<(), SinkError> {
        if let Some(note) = self.overtaken.lock().unwrap().take() {
            self.objects.lock().unwrap().insert(name.into(), note.into());
        }
        if Sink::get(self, name).await?.map(|held| held.version).as_ref() != old {
            return Err(SinkError::Changed(name.into()));
        }
        if let Some(folder) = name.strip_suffix("/checkpoint") {
            assert_eq!(kind, Kind::Checkpoint);
            let note = String::from_utf8(bytes.to_vec()).unwrap();
            let size = note.lines().nth(1).unwrap().parse().unwrap();
            whole(&self.objects.lock().unwrap(), folder, size, &self.left_out);
        }
        self.write(|objects| drop(objects.insert(name.into(), bytes)))
    }

    async fn remove_below(&self, folder: &str) -> Result<(), SinkError> {
        let below = format!("{folder}/");
        self.write(|objects| objects.retain(|name, _| !name.starts_with(&below)))
    }

    async fn settle(&self) -> Result<(), SinkError> {
        Ok(())
    }
}

/// Names of all objects of a tree: its tiles and bundles, and what stands beside these.
pub(super) fn all(size: u64) -> BTreeSet<String> {
    let mut names = needed(size);
    let beside = |name: &String| Some(format!("annex/{}", name.strip_prefix("tile/entries/")?));
    names.extend(names.iter().filter_map(beside).collect::<Vec<_>>());
    names
}

/// Names of the tiles and bundles of a tree, by looking at every place that could have one.
pub(super) fn needed(size: u64) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for level in 0..8_u8 {
        for index in 0..=(size >> (8 * level)) / 256 {
            let tile = TileId { level, index };
            let width = tile.width(TreeSize(size));
            if width > 0 {
                names.insert(TilePath::Tile { tile, width }.to_string());
            }
            if width > 0 && level == 0 {
                names.insert(TilePath::Entries { index, width }.to_string());
            }
        }
    }
    names
}

/// All that a tree of this size needs is there, and what is in it fits together.
pub(super) fn whole(
    objects: &BTreeMap<String, Bytes>,
    folder: &str,
    size: u64,
    left_out: &BTreeSet<String>,
) {
    let get = |path: TilePath| objects.get(&format!("{folder}/{path}"));
    for name in needed(size) {
        let Some(bytes) = objects.get(&format!("{folder}/{name}")) else {
            assert!(left_out.contains(&name), "{name} is missing at size {size}");
            continue;
        };
        let path = TilePath::parse(&name).unwrap();
        match path {
            TilePath::Entries { index, width } => {
                let bodies = decode_bundle(bytes).unwrap();
                let leaves: Vec<_> =
                    bodies.iter().map(|body| *hash_leaf(body).as_bytes()).collect();
                let tile = TilePath::Tile { tile: TileId { level: 0, index }, width };
                assert_eq!(leaves.concat(), *get(tile).unwrap(), "{name}");
            }
            TilePath::Tile { tile: TileId { level: 1.., .. }, .. } => above(path, bytes, &get),
            TilePath::Tile { .. } => {}
        }
    }
}

/// The hashes of a tile are the roots of those below it.
fn above<'a>(path: TilePath, bytes: &[u8], get: &impl Fn(TilePath) -> Option<&'a Bytes>) {
    let TilePath::Tile { tile, .. } = path else { panic!("{path}") };
    for (n, hash) in (tile.index * 256..).zip(decode_tile(bytes).unwrap()) {
        let below = TileId { level: tile.level - 1, index: n };
        let below = get(TilePath::Tile { tile: below, width: 256 });
        let below = Tile::new(decode_tile(below.unwrap()).unwrap());
        assert_eq!(below.subtree(0..256), Some(hash), "{path}, hash {n}");
    }
}
