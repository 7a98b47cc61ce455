//! A replica that follows an export, object by object spoilt: what it stores is a part of the
//! log's tree, whatever it was told.

use std::sync::Arc;

use bytes::Bytes;
use cairn::follow::{FollowError, Replica};
use storage::memory::MemoryStore;
use storage::{LogStore, Store};
use tlog::{LogIndex, TreeHead, TreeSize};

use super::World;
use super::shelf::Shelf;

async fn empty(world: &World) -> Arc<dyn LogStore> {
    MemoryStore::new().create_log(world.record.clone()).await.unwrap()
}

fn replica(world: &World, store: &Arc<dyn LogStore>, shelf: &Arc<Shelf>) -> Replica {
    Replica::new(store.clone(), &world.core, shelf.clone(), world.folder()).unwrap()
}

async fn catch_up(
    world: &World,
    store: &Arc<dyn LogStore>,
    shelf: &Arc<Shelf>,
) -> Result<TreeHead, FollowError> {
    replica(world, store, shelf).catch_up(None, &mut |_, _| {}).await?;
    Ok(store.head().await?)
}

/// The head that a world had at a size.
async fn head_at(world: &World, size: TreeSize) -> TreeHead {
    let root = cairn::stored_tree::root_at(&*world.store, size).await.unwrap();
    TreeHead { size, root }
}

#[tokio::test]
async fn growth_after_growth_is_taken_over() {
    let (mut world, shelf) = (World::new().await, Arc::new(Shelf::default()));
    let store = empty(&world).await;
    for size in [0, 1, 255, 256, 257, 4096, 4097, 9000, 70_000] {
        world.grow(size, "").await;
        world.export(&shelf).await.unwrap();
        assert_eq!(catch_up(&world, &store, &shelf).await.unwrap(), world.head());
    }
    for index in [0, 256, 8999] {
        let [ours] = store.entries(LogIndex(index), 1).await.unwrap().try_into().unwrap();
        let [theirs] = world.store.entries(LogIndex(index), 1).await.unwrap().try_into().unwrap();
        assert_eq!(ours, theirs);
        assert_eq!(ours.index_keys, [format!("key {index}")]);
    }
}

#[tokio::test]
async fn entries_that_fit_no_bundle_come_one_by_one() {
    let left_out = ["tile/entries/000".to_owned()].into();
    let shelf = Arc::new(Shelf { left_out, ..Shelf::default() });
    let mut world = World::new().await;
    world.grow(250, "").await;
    world.add(vec![vec![b'y'; 70_000]]).await;
    world.grow(600, "").await;
    world.export(&shelf).await.unwrap();
    let store = empty(&world).await;
    assert_eq!(catch_up(&world, &store, &shelf).await.unwrap(), world.head());
}

/// Flips a bit of an object, cuts it short, or takes it away.
fn spoil(shelf: &Shelf, name: &str, how: &str, at: usize) {
    let mut objects = shelf.objects.lock().unwrap();
    let mut bytes = objects[name].to_vec();
    match how {
        "gone" => return drop(objects.remove(name)),
        "cut" => drop(bytes.pop()),
        _ => {
            let at = bytes.len() - 1 - bytes.len() / at;
            bytes[at] ^= 2;
        }
    }
    objects.insert(name.to_owned(), Bytes::from(bytes));
}

/// Every object of an export in turn, with a byte flipped, cut short, or gone.
#[tokio::test]
async fn no_object_is_believed() {
    let (mut world, shelf) = (World::new().await, Arc::new(Shelf::default()));
    world.grow(300, "").await;
    world.export(&shelf).await.unwrap();
    let store = MemoryStore::new();
    let before = store.create_log(world.record.clone()).await.unwrap();
    catch_up(&world, &before, &shelf).await.unwrap();
    world.grow(9000, "").await;
    world.export(&shelf).await.unwrap();

    let (mut refused, mut unharmed) = (0, 0);
    for name in shelf.names() {
        for (how, at) in [("flip", 3), ("flip", 2), ("cut", 1), ("gone", 0)] {
            let spoilt = shelf.copy();
            spoil(&spoilt, &name, how, at);
            let store = store.reopen().log(world.record.tree_id).await.unwrap();
            match catch_up(&world, &store, &spoilt).await {
                // Of level 0 only the tile is asked for where a batch ends; the list is not at all.
                Ok(head) => {
                    assert_eq!(head, world.head(), "{how} {name}");
                    unharmed += 1;
                }
                Err(error) => {
                    assert!(!error.is_final(), "{how} {name}: {error}");
                    refused += 1;
                }
            }
            let head = store.head().await.unwrap();
            assert_eq!(head, head_at(&world, head.size).await, "{how} {name}");
            // It goes on where it was, as soon as it is told the truth.
            assert_eq!(catch_up(&world, &store, &shelf).await.unwrap(), world.head());
        }
    }
    assert!(refused > 250 && unharmed > 50, "{refused} refused, {unharmed} unharmed");
}

/// The log's own key on another tree: the one thing for which there is no way back.
#[tokio::test]
async fn a_fork_is_final_and_a_cache_is_not() {
    let (signer, _) = cairn::publisher::signer::FileSigner::generate(
        cairn::publisher::signer::KeyKind::EcdsaP256,
    )
    .unwrap();
    let signer: Arc<dyn cairn::publisher::signer::Signer> = Arc::new(signer);
    let (mut world, mut fork) = (World::of(signer.clone(), 7).await, World::of(signer, 7).await);
    let (shelf, old) = (Arc::new(Shelf::default()), Arc::new(Shelf::default()));
    world.grow(200, "").await;
    world.export(&old).await.unwrap();
    world.grow(500, "").await;
    world.export(&shelf).await.unwrap();
    let store = empty(&world).await;
    catch_up(&world, &store, &shelf).await.unwrap();

    let shown = Some((world.head(), "a note"));
    let stale = replica(&world, &store, &old).catch_up(shown, &mut |_, _| {}).await.unwrap();
    assert_eq!(stale, None, "an older checkpoint of this tree is no news");

    for (size, is_final) in [(300, true), (500, true), (700, false)] {
        fork.grow(size, "fork").await;
        let other = Arc::new(Shelf::default());
        fork.export(&other).await.unwrap();
        let error = catch_up(&world, &store, &other).await.unwrap_err();
        assert_eq!(error.is_final(), is_final, "{size}: {error}");
        assert_eq!(matches!(error, FollowError::Forked { .. }), is_final, "{size}: {error}");
        assert_eq!(store.head().await.unwrap(), world.head());
    }
}
