//! Nothing leaves the reader that the published head does not vouch for.
//!
//! What is stored was right when it was integrated; disks, file systems and databases change bytes
//! since. So bodies are held against their leaf hashes, and hashes against the root that was
//! signed. What does not fit is an error, never an answer. A few hashes for each read pay for that.
//!
//! Not vouched for, because no tree holds them: integrated times, attestations, and which entries
//! the search index names.

use storage::{StorageError, StoredBody};
use tlog::{
    ConsistencyPlan, ConsistencyProof, HashRange, InclusionPlan, InclusionProof, LeafHash,
    LogIndex, RootHash, RootPlan, TILE_WIDTH, TileId, TreeSize, hash_leaf,
};

use super::{ReadError, TilePart, View};

impl View<'_> {
    /// The proof that this head holds the leaf at `index`.
    ///
    /// # Errors
    /// [`ReadError::Proof`] for an index beyond the head.
    pub async fn inclusion_proof(&self, index: LogIndex) -> Result<InclusionProof, ReadError> {
        let plan = InclusionPlan::new(index, self.head.size)?;
        let hashes = self.reader.tiles.read_all(plan.wanted()).await?;
        let proof = plan.build(&hashes)?;
        let vouched = proof.verify(&self.leaf(index).await?, &self.head.root);
        vouched.map_err(|_| self.damaged(format!("a hash from entry {index} up to the root")))?;
        Ok(proof)
    }

    /// The proof that the tree of `new` leaves extends the tree of `old` leaves.
    ///
    /// # Errors
    /// [`ReadError::Proof`] unless `old <= new <=` the head's size.
    pub async fn consistency_proof(
        &self,
        old: TreeSize,
        new: TreeSize,
    ) -> Result<ConsistencyProof, ReadError> {
        debug_assert!(new <= self.head.size, "the caller compares with the head first");
        let new_root =
            if new == self.head.size { self.head.root } else { self.root_at(new).await? };
        self.proven(old, new, &new_root).await.map(|(proof, _)| proof)
    }

    /// The root hash that the log had at an earlier size.
    ///
    /// # Errors
    /// [`ReadError::Proof`] for a size beyond the head's.
    pub async fn root_at(&self, size: TreeSize) -> Result<RootHash, ReadError> {
        self.proven(size, self.head.size, &self.head.root).await.map(|(_, root)| root)
    }

    /// The proof from the tree of `old` leaves to one whose root is known, and the old root.
    async fn proven(
        &self,
        old: TreeSize,
        new: TreeSize,
        new_root: &RootHash,
    ) -> Result<(ConsistencyProof, RootHash), ReadError> {
        let (plan, root) = (ConsistencyPlan::new(old, new)?, RootPlan::new(old));
        let tiles = &self.reader.tiles;
        let proof = plan.build(&tiles.read_all(plan.wanted()).await?)?;
        let root = root.build(&tiles.read_all(root.wanted()).await?)?;
        let vouched = proof.verify(&root, new_root);
        vouched.map_err(|_| self.damaged(format!("a hash below the roots at {old} and {new}")))?;
        Ok((proof, root))
    }

    /// Holds a tile against the root, as far as the cache has not when it read it: a tile that is
    /// not full yet is a part of the right edge.
    pub(super) async fn vouch_for_tile(&self, tile: TileId) -> Result<(), ReadError> {
        if u64::from(tile.width(self.head.size)) < TILE_WIDTH {
            self.root_at(self.head.size).await?;
        }
        Ok(())
    }

    /// Holds entries against their leaf hashes.
    pub(super) async fn vouch_for(&self, entries: &[StoredBody]) -> Result<(), ReadError> {
        let tile = |entry: &StoredBody| entry.index.0 / TILE_WIDTH;
        for entries in entries.chunk_by(|a, b| tile(a) == tile(b)) {
            let Some(first) = entries.first() else { continue };
            let leaves = self.leaves(first.index).await?;
            for entry in entries {
                if leaf_at(&leaves, entry.index) != Some(hash_leaf(&entry.body)) {
                    return Err(self.damaged(format!("entry {} or its leaf hash", entry.index)));
                }
            }
        }
        Ok(())
    }

    /// The leaf hash at an index below the head, as the tile has it.
    pub(super) async fn leaf(&self, index: LogIndex) -> Result<LeafHash, ReadError> {
        let found = leaf_at(&self.leaves(index).await?, index);
        found.ok_or_else(|| self.damaged(format!("leaf hash {index}")))
    }

    /// The tile of leaf hashes around an index, as far as the head reaches.
    async fn leaves(&self, index: LogIndex) -> Result<TilePart, ReadError> {
        let tile = TileId { level: 0, index: index.0 / TILE_WIDTH };
        let nothing = HashRange { level: 0, first: tile.index * TILE_WIDTH, count: 0 };
        Ok(self.reader.tiles.read(tile.hashes(self.head.size).unwrap_or(nothing)).await?)
    }

    /// Says what is wrong, and forgets the tiles: when it is mended, they are read anew.
    pub(super) fn damaged(&self, what: String) -> ReadError {
        self.reader.tiles.forget();
        let size = self.head.size;
        let text = format!("{what} is not what the checkpoint of {size} entries commits to");
        StorageError::Corrupt(text).into()
    }
}

fn leaf_at(leaves: &TilePart, index: LogIndex) -> Option<LeafHash> {
    let place = usize::try_from(index.0 % TILE_WIDTH).ok()?;
    leaves.hashes().get(place).map(|hash| LeafHash::from_bytes(*hash.as_bytes()))
}
