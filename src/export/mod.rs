//! A log as static files: tiles, bundles and checkpoint, under the server's own paths, in a folder
//! or bucket from which any web server or CDN serves all reads.
//!
//! ```text
//! logs.json                            which logs there are
//! logs/<log ID>/checkpoint             written last: all that it needs is there
//! logs/<log ID>/tile/<L>/<N>[.p/<W>]
//! logs/<log ID>/tile/entries/<N>[.p/<W>]
//! logs/<log ID>/annex/<N>[.p/<W>]      what a replica needs besides, see `beside`
//! ```
//!
//! Where an export was, the destination's checkpoint tells; an interrupted one goes on when it is
//! run again. Nothing is written where that checkpoint is not of this log.

mod beside;
mod bundle;
mod content;
mod error;
mod folder;
mod follow;
mod list;
#[cfg(feature = "s3")]
mod objects;
mod plan;
mod sink;

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;
use storage::{LogRecord, LogStore};
use tlog::{CheckpointError, KeyError, SignedCheckpoint, TILE_WIDTH};
use tlog::{TileId, TilePath, TreeHead, TreeSize, Verifier};
use tokio::task::JoinSet;

use crate::annex::annex_path;
use crate::publisher::SigningCore;
use crate::stored_tree::root_at;
use content::{Content, content};
use list::Listed;

pub use bundle::BundleSink;
pub use error::ExportError;
pub use folder::{FolderError, FolderSink};
pub use follow::follow;
#[cfg(feature = "s3")]
pub use objects::{BucketError, BucketSink};
pub use sink::{Held, Kind, Sink, SinkError, Version};

/// What one export did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// Entries under the destination's checkpoint before, and now.
    pub before: u64,
    /// See `before`.
    pub size: u64,
    /// Tiles and bundles that were written.
    pub objects: u64,
    /// Bundles that cannot be made: an entry is longer than 65,535 bytes.
    pub skipped: u64,
}

/// Exports one log to one destination, again and again.
pub struct Exporter {
    verifier: Verifier,
    list_entry: Listed,
    ends: Arc<Ends>,
    /// Partial tiles that the destination may hold.
    partials: BTreeSet<TileId>,
    /// The bundle that was left out last.
    left_out: Option<u64>,
    /// Whether one round has ended well.
    listed: bool,
}

/// Where from and where to.
struct Ends {
    core: Arc<SigningCore>,
    store: Arc<dyn LogStore>,
    sink: Arc<dyn Sink>,
    folder: String,
}

/// What was written for a path.
struct Written {
    path: TilePath,
    objects: u64,
    too_long: Option<usize>,
}

impl Exporter {
    /// Exports of the log that `core` signs for, from its store. Where its key is not at hand, the
    /// destination has no annexes: readers of tiles do without, replicas do not.
    ///
    /// # Errors
    /// [`KeyError`] for a key that no log has.
    pub fn new(
        core: Arc<SigningCore>,
        record: &LogRecord,
        store: Arc<dyn LogStore>,
        sink: Arc<dyn Sink>,
    ) -> Result<Self, KeyError> {
        let verifier = Verifier::from_spki(core.public_key())?;
        let list_entry = Listed::new(record, core.name(), core.log_id());
        let ends = Arc::new(Ends { core, store, sink, folder: list_entry.url.clone() });
        let (partials, left_out) = (BTreeSet::new(), None);
        Ok(Self { verifier, list_entry, ends, partials, left_out, listed: false })
    }

    /// The log's name.
    pub fn log(&self) -> &str {
        &self.list_entry.name
    }

    /// Whether the log's key is at hand.
    pub fn signs(&self) -> bool {
        self.ends.core.signs()
    }

    /// Writes, to a destination that holds nothing of this log, all that a replica lacks which has
    /// `since` of its entries: what is new, and the right edge of the tree that it leads to.
    ///
    /// # Errors
    /// As [`ExportError`] says.
    pub async fn bundle(
        &mut self,
        note: &str,
        since: TreeSize,
        progress: &mut (dyn FnMut(u64, u64) + Send),
    ) -> Result<Exported, ExportError> {
        let size = self.open(note).map_err(ExportError::NotOurs)?.size;
        if since > size {
            return Err(ExportError::Beyond { since, size });
        }
        let mut done = Exported { before: since.0, size: size.0, ..Exported::default() };
        let tiles = plan::filled(since, size);
        for window in plan::windows(tiles) {
            let end = window.end;
            self.write(plan::full(window), &mut done).await?;
            progress(end * TILE_WIDTH, size.0);
        }
        self.write(plan::partial(TreeSize(0), size).into_iter(), &mut done).await?;
        self.write_checkpoint(&self.ends.name("checkpoint"), note, None).await?;
        list::enlist(&*self.ends.sink, &self.list_entry).await?;
        progress(size.0, size.0);
        Ok(done)
    }

    /// Brings the destination up to a published checkpoint of the log. `progress` is called with
    /// the number of entries done, and of all.
    ///
    /// # Errors
    /// As [`ExportError`] says. The destination's checkpoint is then the one before, and all that
    /// it needs is there.
    pub async fn export(
        &mut self,
        note: &str,
        progress: &mut (dyn FnMut(u64, u64) + Send),
    ) -> Result<Exported, ExportError> {
        let target = self.open(note).map_err(ExportError::NotOurs)?;
        let name = self.ends.name("checkpoint");
        let held = self.ends.sink.get(&name).await?;
        let before = match &held {
            Some(held) => self.check(&name, held).await?.size,
            None => TreeSize(0),
        };
        let size = target.size.max(before).0;
        let mut done = Exported { before: before.0, size, ..Exported::default() };
        if before > target.size {
            return Ok(done); // by another server of this log, which is ahead of us
        }
        if !self.listed {
            self.partials.extend(plan::recent(before));
        }
        if held.as_ref().is_none_or(|held| held.bytes != note) {
            self.write_tiles(before, target.size, &mut done, progress).await?;
            // A crash before the next line: nobody is led to the new tiles, and they are found
            // again. After it, all that the checkpoint needs is there.
            self.write_checkpoint(&name, note, held.map(|held| held.version)).await?;
        }
        self.remove_filled(target.size).await?;
        if !self.listed {
            list::enlist(&*self.ends.sink, &self.list_entry).await?;
            self.listed = true;
        }
        Ok(done)
    }

    fn open(&self, note: &str) -> Result<TreeHead, CheckpointError> {
        let core = &self.ends.core;
        let signed = SignedCheckpoint::open(note, core.origin(), &self.verifier, core.key_id())?;
        Ok(signed.checkpoint().head)
    }

    /// The head of the destination's checkpoint, which must be one that this log had.
    async fn check(&self, name: &str, held: &Held) -> Result<TreeHead, ExportError> {
        let object = || name.to_owned();
        let there = self.open(&String::from_utf8_lossy(&held.bytes));
        let there = there.map_err(|source| ExportError::Foreign { object: object(), source })?;
        let (size, here) = (there.size, self.ends.store.head().await?.size);
        if size > here {
            return Err(ExportError::Older { object: object(), there: size, here });
        }
        let here = root_at(&*self.ends.store, size).await?;
        if here != there.root {
            return Err(ExportError::Forked { object: object(), size, there: there.root, here });
        }
        Ok(there)
    }

    /// Writes all that the tree of `new` leaves has and that of `old` does not, partial tiles last.
    async fn write_tiles(
        &mut self,
        old: TreeSize,
        new: TreeSize,
        done: &mut Exported,
        progress: &mut (dyn FnMut(u64, u64) + Send),
    ) -> Result<(), ExportError> {
        let tiles = plan::filled(old, new);
        let first = self.first_missing(&tiles).await?;
        for window in plan::windows(first..tiles.end) {
            let end = window.end;
            self.write(plan::full(window), done).await?;
            // What lasts of an interrupted export is then whole windows, and one that is not.
            self.ends.sink.settle().await?;
            progress(end * TILE_WIDTH, new.0);
        }
        self.partials.extend(plan::edge(new));
        self.write(plan::partial(old, new).into_iter(), done).await?;
        progress(new.0, new.0);
        Ok(())
    }

    /// The first tile of level 0 that has to be written. An export writes one window after the
    /// other, so all are there before the last that an interrupted one has begun.
    async fn first_missing(&self, tiles: &Range<u64>) -> Result<u64, ExportError> {
        let begins: Vec<u64> = plan::windows(tiles.clone()).map(|window| window.start).collect();
        let (mut begun, mut end) = (0, begins.len());
        while begun + 1 < end {
            let middle = (begun + end) / 2;
            match self.ends.holds(begins[middle]).await? {
                true => begun = middle,
                false => end = middle,
            }
        }
        Ok(begins.get(begun).copied().unwrap_or(tiles.start))
    }

    async fn write(
        &mut self,
        paths: impl Iterator<Item = TilePath>,
        done: &mut Exported,
    ) -> Result<(), ExportError> {
        let mut tasks = JoinSet::new();
        for path in paths {
            if tasks.len() >= self.ends.sink.at_once()
                && let Some(written) = tasks.join_next().await
            {
                self.count(&written??, done);
            }
            tasks.spawn(self.ends.clone().write(path));
        }
        while let Some(written) = tasks.join_next().await {
            self.count(&written??, done);
        }
        Ok(())
    }

    fn count(&mut self, written: &Written, done: &mut Exported) {
        done.objects += written.objects;
        let TilePath::Entries { index, .. } = written.path else { return };
        let Some(bytes) = written.too_long else { return };
        done.skipped += 1;
        if self.left_out.replace(index) != Some(index) {
            let log = &self.list_entry.name;
            tracing::warn!(log, bundle = index, bytes, "an entry is too long for its bundle");
        }
    }

    /// Puts the checkpoint into the place of the one that was read.
    async fn write_checkpoint(
        &self,
        name: &str,
        note: &str,
        old: Option<Version>,
    ) -> Result<(), ExportError> {
        let (sink, bytes) = (&self.ends.sink, Bytes::copy_from_slice(note.as_bytes()));
        match sink.replace(name, Kind::Checkpoint, bytes.clone(), old.as_ref()).await {
            // An answer that was lost, and a second try.
            Err(SinkError::Changed(_))
                if sink.get(name).await?.is_some_and(|held| held.bytes == bytes) =>
            {
                Ok(())
            }
            replaced => Ok(replaced?),
        }
    }

    /// Removes the partial tiles and bundles that are full by now: who still looks for one takes
    /// the full one (C2SP tlog-tiles).
    async fn remove_filled(&mut self, size: TreeSize) -> Result<(), ExportError> {
        let filled = |tile: &TileId| u64::from(tile.width(size)) == TILE_WIDTH;
        while let Some(tile) = self.partials.iter().copied().find(filled) {
            let annex = (tile.level == 0).then(|| annex_path(tile.index, plan::FULL));
            let paths = plan::paths(tile).map(|path| path.to_string()).chain(annex);
            for path in paths {
                self.ends.sink.remove_below(&self.ends.name(&format!("{path}.p"))).await?;
            }
            self.partials.remove(&tile);
        }
        Ok(())
    }
}

impl Ends {
    fn name(&self, path: &str) -> String {
        format!("{}/{path}", self.folder)
    }

    /// Whether the destination has this full tile of level 0: this log's, and not what another
    /// one's export left there.
    async fn holds(&self, index: u64) -> Result<bool, ExportError> {
        let path = TilePath::Tile { tile: TileId { level: 0, index }, width: plan::FULL };
        let Some(held) = self.sink.get(&self.name(&path.to_string())).await? else {
            return Ok(false);
        };
        let Content { objects, .. } = content(&*self.store, path).await?;
        Ok(objects.iter().any(|object| object.bytes == held.bytes))
    }

    async fn write(self: Arc<Self>, path: TilePath) -> Result<Written, ExportError> {
        let Content { objects, too_long } = content(&*self.store, path).await?;
        let mut written = Written { path, objects: objects.len() as u64, too_long };
        for object in objects {
            self.sink.put(&self.name(&object.name), object.kind, object.bytes).await?;
        }
        if let TilePath::Entries { index, width } = path
            && self.core.signs()
        {
            written.objects += self.write_beside(index, width, too_long.is_some()).await?;
        }
        Ok(written)
    }
}
