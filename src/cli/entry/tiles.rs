//! A log that is read over tiles (C2SP tlog-tiles): entries and proofs from what anybody can fetch.

use tlog::{
    Checkpoint, ConsistencyPlan, ConsistencyProof, HashRange, InclusionPlan, LogIndex, NodeHash,
    Note, TILE_WIDTH, TilePath, TlogProof, TreeHead, TreeSize, decode_bundle, decode_tile,
};

use super::super::Failure;
use super::super::exit::Exit;
use super::remote::{Remote, refusal};

/// A log at its newest checkpoint, none of which is verified.
pub(super) struct TiledLog<'a> {
    remote: &'a Remote,
    pub(super) note: String,
    pub(super) head: TreeHead,
}

impl<'a> TiledLog<'a> {
    pub(super) fn open(remote: &'a Remote) -> Result<Self, Failure> {
        let note = remote.text("checkpoint")?;
        let head = Checkpoint::parse_text(&Note::parse(&note)?.text)?.head;
        Ok(Self { remote, note, head })
    }

    /// The bytes of an entry.
    pub(super) fn entry(&self, index: LogIndex) -> Result<Vec<u8>, Failure> {
        let size = self.head.size;
        if !size.covers(index) {
            let text = format!("there is no entry {index}: the log has {size}");
            return Err(Exit::NotFound.with(text));
        }
        let bundle = index.0 / TILE_WIDTH;
        let width = (size.0 - bundle * TILE_WIDTH).min(TILE_WIDTH);
        let path = |width| TilePath::Entries { index: bundle, width };
        let bytes = self.tile(path, width)?;
        let entries = decode_bundle(&bytes)?;
        let place = usize::try_from(index.0 % TILE_WIDTH)?;
        let entry = entries.get(place).ok_or("the entry bundle is too short")?;
        Ok(entry.to_vec())
    }

    /// The proof of an entry, with the entry in it.
    pub(super) fn proof(&self, index: LogIndex, entry: &[u8]) -> Result<TlogProof, Failure> {
        let plan = InclusionPlan::new(index, self.head.size)?;
        let hashes = plan.build(&self.hashes(plan.wanted())?)?.hashes;
        Ok(TlogProof { extra: entry.to_vec(), index, hashes, note: self.note.clone() })
    }

    /// The proof that the log has only grown between two sizes, none above its own.
    pub(super) fn consistency(
        &self,
        old: TreeSize,
        new: TreeSize,
    ) -> Result<ConsistencyProof, Failure> {
        let plan = ConsistencyPlan::new(old, new)?;
        Ok(plan.build(&self.hashes(plan.wanted())?)?)
    }

    fn hashes(&self, wanted: &[HashRange]) -> Result<Vec<Vec<NodeHash>>, Failure> {
        let fetch = |range: &HashRange| {
            let tile = range.tile();
            let bytes = self.tile(|width| TilePath::Tile { tile, width }, range.count as u64)?;
            let mut hashes = decode_tile(&bytes).ok_or("a tile is malformed")?;
            hashes.truncate(range.count);
            Ok(hashes)
        };
        wanted.iter().map(fetch).collect()
    }

    /// A tile of at least that width: the log may have filled it since.
    fn tile(&self, path: impl Fn(u16) -> TilePath, width: u64) -> Result<Vec<u8>, Failure> {
        let width = u16::try_from(width)?;
        let partial = self.remote.get(&path(width).to_string())?;
        let answer = match partial.status {
            404 if u64::from(width) < TILE_WIDTH => {
                self.remote.get(&path(TILE_WIDTH as u16).to_string())?
            }
            _ => partial,
        };
        if answer.status == 200 { Ok(answer.body) } else { Err(refusal(&answer)) }
    }
}
