//! What was changed behind the log's back is not read: every answer is held against the root.

use cairn::log::Log;
use cairn::reader::{ReadError, Reader};
use cairn::shards::VirtualIndex;
use storage::{StorageError, Store as _};
use tlog::{LeafHash, LogIndex, NodeHash, TileId, TreeHead, TreeSize};

use crate::house::{House, create};
use crate::support::Proposals;

/// A full tile, and one at the edge.
const ENTRIES: u64 = 300;
const CHANGED: NodeHash = NodeHash::from_bytes([9; 32]);

struct Filled {
    house: House,
    log: Log,
    leaves: Vec<LeafHash>,
    digests: Vec<String>,
    heads: Vec<TreeHead>,
}

async fn filled() -> Filled {
    let house = House::new().await;
    let log = house.start().await.unwrap();
    let (mut proposals, mut leaves, mut heads) = (Proposals::new(), Vec::new(), Vec::new());
    let mut digests = Vec::new();
    for _ in 0..ENTRIES {
        let entry = create(&log, &proposals.next_json()).await.unwrap().entry;
        let body: serde_json::Value = serde_json::from_slice(&entry.body).unwrap();
        let digest = body["spec"]["data"]["hash"]["value"].as_str().unwrap();
        digests.push(format!("sha256:{digest}"));
        leaves.push(entry.id.leaf_hash);
        heads.push(entry.checkpoint.head);
    }
    Filled { house, log, leaves, digests, heads }
}

impl Filled {
    async fn reader(&self) -> Reader {
        Reader::new(self.house.store.log(self.house.tree_id).await.unwrap())
    }

    /// Whether each way to an entry gives it, or says that the store is damaged.
    async fn reads(&self, index: u64) -> bool {
        let (reader, newest) = (self.reader().await, *self.heads.last().unwrap());
        let (view, place) = (reader.at(newest), LogIndex(index));
        let number = usize::try_from(index).unwrap();
        let leaf = self.leaves[number];
        let tile = TileId { level: 0, index: index / 256 };
        let width = tile.width(newest.size);
        let all = [
            good(view.entry(place).await.map(|it| tlog::hash_leaf(&it.unwrap().body) == leaf)),
            good(view.bundle(tile.index, width).await.map(|it| it.unwrap().len() > 1)),
            good(view.tile(tile, width).await.map(|it| {
                it.unwrap().hashes()[usize::try_from(index % 256).unwrap()] == leaf.to_node()
            })),
            good(view.index_of(leaf).await.map(|it| it == Some(place))),
            good(view.inclusion_proof(place).await.map(|proof| {
                proof.verify(&leaf, &newest.root).unwrap();
                true
            })),
            good(view.search(&self.digests[number]).await.map(|found| found == [leaf])),
            // Through the hall, which has read it before and may have it in memory.
            good(self.log.entry_by_index(VirtualIndex(index)).await.map(|it| {
                let entry = it.unwrap();
                entry.proof.verify(&leaf, &entry.checkpoint.head.root).unwrap();
                true
            })),
        ];
        all.iter().all(|read| *read)
    }

    /// The same for a proof from an old size.
    async fn proves_from(&self, old: usize) -> bool {
        let (reader, newest) = (self.reader().await, *self.heads.last().unwrap());
        let before = self.heads[old - 1];
        let size = TreeSize(old as u64);
        let proof = reader.at(newest).consistency_proof(size, newest.size).await;
        let proven = good(proof.map(|proof| {
            proof.verify(&before.root, &newest.root).unwrap();
            true
        }));
        let root = reader.at(newest).root_at(size).await;
        good(root.map(|root| root == before.root)) && proven
    }
}

/// Right, or refused as damaged: nothing else.
fn good(read: Result<bool, ReadError>) -> bool {
    match read {
        Ok(right) => {
            assert!(right, "a wrong answer");
            true
        }
        Err(ReadError::Storage(StorageError::Corrupt(_))) => false,
        Err(other) => panic!("{other}"),
    }
}

#[tokio::test]
async fn a_sound_log_is_read_whole() {
    let filled = filled().await;
    for index in [0, 17, 255, 256, 299] {
        assert!(filled.reads(index).await, "{index}");
    }
    for old in [1, 17, 256, 257, 300] {
        assert!(filled.proves_from(old).await, "{old}");
    }
}

#[tokio::test]
async fn a_changed_body_is_not_read() {
    let filled = filled().await;
    let Filled { house, .. } = &filled;
    for index in [17, 290] {
        assert!(house.store.tamper_body(house.tree_id, LogIndex(index), b"{}"));
        assert!(!filled.reads(index).await, "{index}");
    }
    assert!(filled.proves_from(17).await, "the hashes are sound");
}

#[tokio::test]
async fn a_changed_hash_is_not_read() {
    for (level, place, index, old) in [(0, 17, 17, 17), (0, 290, 290, 290), (1, 0, 17, 270)] {
        let filled = filled().await;
        let Filled { house, .. } = &filled;
        assert!(house.store.tamper_hash(house.tree_id, level, place, CHANGED));
        assert!(!filled.reads(index).await, "level {level}, place {place}");
        assert!(!filled.proves_from(old).await, "level {level}, place {place}");
    }
}

/// When what was damaged is put right, it is read again, without a restart.
#[tokio::test]
async fn what_is_mended_is_read() {
    let filled = filled().await;
    let (store, tree) = (&filled.house.store, filled.house.tree_id);
    let read = async || good(filled.log.entry_by_index(VirtualIndex(290)).await.map(|_| true));
    let right = filled.leaves[290].to_node();
    assert!(store.tamper_hash(tree, 0, 290, CHANGED));
    assert!(!read().await);
    assert!(store.tamper_hash(tree, 0, 290, right));
    assert!(read().await);
}
