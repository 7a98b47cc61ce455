//! Exports that fail at every write: what is left leads nobody astray, and the next round ends
//! what the last one began.

mod replica;
mod shelf;

use std::collections::BTreeSet;
use std::sync::Arc;

use cairn::export::{ExportError, Exported, Exporter, Sink, SinkError};
use cairn::publisher::SigningCore;
use cairn::publisher::signer::{FileSigner, KeyKind, Signer};
use storage::memory::MemoryStore;
use storage::{Batch, LogRecord, LogStore, NewEntry, NewHashes, Store, TreeId};
use tlog::{RightEdge, TreeHead, hash_leaf};

use shelf::{Shelf, all, whole};

/// A log in memory, and what signs its checkpoints.
struct World {
    store: Arc<dyn LogStore>,
    core: Arc<SigningCore>,
    record: LogRecord,
    edge: RightEdge,
}

impl World {
    async fn new() -> Self {
        let (signer, _) = FileSigner::generate(KeyKind::EcdsaP256).unwrap();
        Self::of(Arc::new(signer), 7).await
    }

    async fn of(signer: Arc<dyn Signer>, tree_id: i64) -> Self {
        let tree_id = TreeId::new(tree_id).unwrap();
        let record = LogRecord {
            tree_id,
            name: "v1".into(),
            api: "v1".into(),
            origin: tlog::v1_origin("log.example", tree_id.get()),
            public_key: signer.public_key().to_vec(),
            created: 0,
        };
        let store = MemoryStore::new().create_log(record.clone()).await.unwrap();
        let core = Arc::new(SigningCore::rekor_v1(signer, "log.example", tree_id.get()));
        Self { store, core, record, edge: RightEdge::empty() }
    }

    /// Grows to this size. Bodies say where they are, and `salt`.
    async fn grow(&mut self, size: u64, salt: &str) {
        let first = self.edge.size().0;
        let bodies = (first..size).map(|n| format!("entry {n} {salt}").into_bytes()).collect();
        self.add(bodies).await;
    }

    async fn add(&mut self, bodies: Vec<Vec<u8>>) {
        if bodies.is_empty() {
            return;
        }
        let first = self.edge.size().0;
        let entries: Vec<_> = bodies
            .into_iter()
            .zip(first..)
            .map(|(body, index)| NewEntry {
                leaf_hash: hash_leaf(&body),
                body,
                integrated_time: 1,
                index_keys: vec![format!("key {index}")],
                attestation: None,
            })
            .collect();
        let leaves: Vec<_> = entries.iter().map(|entry| entry.leaf_hash).collect();
        let growth = self.edge.extend(&leaves);
        let hashes = growth.stored_hashes().into_iter().map(|new| NewHashes {
            level: new.level,
            first: new.first,
            hashes: new.hashes,
        });
        let batch = Batch { entries, hashes: hashes.collect(), head: growth.head() };
        self.store.commit(self.edge.head(), batch).await.unwrap();
        self.edge = growth.edge().clone();
    }

    fn head(&self) -> TreeHead {
        self.edge.head()
    }

    fn note(&self) -> String {
        self.core.checkpoint(self.head(), 1).unwrap().cosigned.to_string()
    }

    fn folder(&self) -> String {
        format!("logs/{}", hex::encode(self.core.log_id()))
    }

    fn exporter(&self, sink: Arc<dyn Sink>) -> Exporter {
        Exporter::new(self.core.clone(), &self.record, self.store.clone(), sink).unwrap()
    }

    async fn export(&self, sink: &Arc<Shelf>) -> Result<Exported, ExportError> {
        self.exporter(sink.clone()).export(&self.note(), &mut |_, _| {}).await
    }

    /// Exactly what the newest checkpoint needs is there.
    fn exact(&self, shelf: &Shelf) {
        let size = self.edge.size().0;
        let folder = self.folder();
        whole(&shelf.objects.lock().unwrap(), &folder, size, &BTreeSet::new());
        let mut names: BTreeSet<_> =
            all(size).into_iter().map(|name| format!("{folder}/{name}")).collect();
        names.extend([format!("{folder}/checkpoint"), "logs.json".to_owned()]);
        // Partial tiles that are not full yet may be there in smaller widths.
        let mut found = shelf.names();
        found.retain(|name| {
            let full = name.split_once(".p/").map(|(full, _)| full);
            full.is_none_or(|full| names.contains(full)) || names.contains(name)
        });
        assert_eq!(found, names);
    }
}

#[tokio::test]
async fn growth_after_growth() {
    let (mut world, shelf) = (World::new().await, Arc::new(Shelf::default()));
    let mut exporter = world.exporter(shelf.clone());
    let mut before = 0;
    for size in [0, 1, 2, 255, 256, 257, 300, 900, 65_535, 65_536, 65_900, 140_000] {
        world.grow(size, "").await;
        let mut shown = (0, 0);
        let done = exporter.export(&world.note(), &mut |n, all| shown = (n, all)).await.unwrap();
        assert_eq!((done.before, done.size, done.skipped), (before, size, 0));
        assert_eq!(shown, (size, size));
        world.exact(&shelf);
        before = size;
    }
    shelf.fail_at(None);
    let again = exporter.export(&world.note(), &mut |_, _| {}).await.unwrap();
    assert_eq!(again.objects, 0, "there was nothing to do (but the signature is another one)");
}

#[tokio::test]
async fn cut_at_every_write_and_run_again() {
    for (old, new) in [(0, 3), (0, 700), (200, 300), (300, 900), (65_400, 66_000)] {
        let (mut world, shelf) = (World::new().await, Arc::new(Shelf::default()));
        world.grow(old, "").await;
        world.export(&shelf).await.unwrap();
        world.grow(new, "").await;
        for cut in 1.. {
            let shelf = shelf.copy();
            shelf.fail_at(Some(cut));
            let cut_off = world.export(&shelf).await;
            shelf.fail_at(None);
            world.export(&shelf).await.unwrap();
            world.exact(&shelf);
            if cut_off.is_ok() {
                break;
            }
        }
    }
}

#[tokio::test]
async fn what_an_interrupted_export_wrote_is_not_written_again() {
    let (mut world, shelf) = (World::new().await, Arc::new(Shelf::default()));
    world.grow(65_536 * 5 + 1000, "").await;
    shelf.fail_at(Some(769 * 3 + 100));
    world.export(&shelf).await.unwrap_err();
    shelf.fail_at(None);
    let done = world.export(&shelf).await.unwrap();
    assert!((769..=769 * 3 + 20).contains(&done.objects), "{done:?}");
    world.exact(&shelf);

    // Not so what another log's export left under the same name: a key that was used for two.
    let (signer, _) = FileSigner::generate(KeyKind::EcdsaP256).unwrap();
    let signer: Arc<dyn Signer> = Arc::new(signer);
    let (mut one, mut two) = (World::of(signer.clone(), 8).await, World::of(signer, 9).await);
    one.grow(65_536 * 3, "one").await;
    two.grow(65_536 * 3, "two").await;
    let shelf = Arc::new(Shelf::default());
    shelf.fail_at(Some(769 * 2 + 100));
    one.export(&shelf).await.unwrap_err();
    shelf.fail_at(None);
    two.export(&shelf).await.unwrap();
    two.exact(&shelf);
}

#[tokio::test]
async fn what_is_not_this_logs_is_refused_and_left_alone() {
    let (signer, _) = FileSigner::generate(KeyKind::EcdsaP256).unwrap();
    let signer: Arc<dyn Signer> = Arc::new(signer);
    let (mut world, mut other) = (World::of(signer.clone(), 7).await, World::new().await);
    world.grow(300, "").await;
    other.grow(20, "").await;
    let shelf = Arc::new(Shelf::default());
    world.export(&shelf).await.unwrap();
    let refused = async |with: &World, shelf: &Arc<Shelf>| {
        let (names, count) = (shelf.names(), shelf.written());
        let error = with.export(shelf).await.unwrap_err();
        assert_eq!((shelf.names(), shelf.written()), (names, count), "{error}");
        assert!(error.to_string().contains("Nothing was written"), "{error}");
        error
    };

    let mut older = World::of(signer.clone(), 7).await;
    older.grow(299, "").await;
    let error = refused(&older, &shelf).await;
    assert!(matches!(error, ExportError::Older { .. }), "{error}");
    let mut forked = World::of(signer.clone(), 7).await;
    forked.grow(400, "fork").await;
    let error = refused(&forked, &shelf).await;
    assert!(matches!(error, ExportError::Forked { .. }), "{error}");
    let other_tree = World::of(signer, 8).await;
    let error = refused(&other_tree, &shelf).await;
    assert!(matches!(error, ExportError::Foreign { .. }), "{error}");
    for note in [other.note().into_bytes(), b"<html>".to_vec(), vec![0xff]] {
        let shelf = shelf.copy();
        let name = format!("{}/checkpoint", world.folder());
        shelf.objects.lock().unwrap().insert(name, note.into());
        let error = refused(&world, &shelf).await;
        assert!(matches!(error, ExportError::Foreign { .. }), "{error}");
    }
    let error = world.exporter(shelf).export(&other.note(), &mut |_, _| {}).await.unwrap_err();
    assert!(matches!(error, ExportError::NotOurs(_)), "{error}");
}

#[tokio::test]
async fn two_exporters_of_one_log_never_move_it_back() {
    let (mut world, shelf) = (World::new().await, Arc::new(Shelf::default()));
    world.grow(100, "").await;
    let (mut slow, early) = (world.exporter(shelf.clone()), world.note());
    world.grow(700, "").await;
    world.export(&shelf).await.unwrap();
    let done = slow.export(&early, &mut |_, _| {}).await.unwrap();
    assert_eq!((done.before, done.size, done.objects), (700, 700, 0));
    world.exact(&shelf);

    // The other one is faster between our look and our write.
    world.grow(800, "").await;
    let late = world.note();
    world.grow(900, "").await;
    *shelf.overtaken.lock().unwrap() = Some(world.note());
    let error = world.exporter(shelf.clone()).export(&late, &mut |_, _| {}).await.unwrap_err();
    assert!(matches!(error, ExportError::Sink(SinkError::Changed(_))), "{error}");
    let name = format!("{}/checkpoint", world.folder());
    let held = Sink::get(&*shelf, &name).await.unwrap().unwrap();
    assert_eq!(String::from_utf8(held.bytes.to_vec()).unwrap().lines().nth(1), Some("900"));
}

#[tokio::test]
async fn an_entry_that_fits_no_bundle_costs_its_bundle_alone() {
    let mut world = World::new().await;
    world.grow(300, "").await;
    let fits = vec![b'x'; 65_535];
    world.add(vec![fits, vec![b'y'; 65_536]]).await;
    world.grow(900, "").await;
    let left_out = BTreeSet::from(["tile/entries/001".to_owned()]);
    let shelf = Arc::new(Shelf { left_out: left_out.clone(), ..Shelf::default() });
    let done = world.exporter(shelf.clone()).export(&world.note(), &mut |_, _| {}).await.unwrap();
    assert_eq!((done.skipped, done.size), (1, 900));
    let objects = shelf.objects.lock().unwrap();
    whole(&objects, &world.folder(), 900, &left_out);
    assert!(!objects.contains_key(&format!("{}/tile/entries/001", world.folder())));
}
