//! Three replicas on one store, for as many seeds as one likes: in one thread, on a clock that
//! jumps to whatever happens next, with everything going wrong that [`wire`] knows of, replicas
//! that die and stand still, and entries that are sent to several of them.
//!
//! `CAIRN_SIMULATION_SEEDS` seeds (300 unless set), from `CAIRN_SIMULATION_SEED` on: a seed that
//! fails is named, and fails again.

mod wire;

use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use cairn::admission::{Policy, Proposal};
use cairn::log::{Api, CreateEntryError, Log, LoggedEntry, Rules};
use cairn::publisher::signer::{FileSigner, KeyKind, Signer};
use cairn::publisher::{Publisher, Setup, SigningCore};
use cairn::reader::Reader;
use cairn::recovery::{Identity, recover};
use cairn::sequencer::Sequencer;
use cairn::shard::Shard;
use cairn::shards::VirtualIndex;
use cairn::telemetry::Metrics;
use storage::memory::MemoryStore;
use storage::{LogRecord, LogStore, Store, TreeId};
use tlog::{KeyId, LeafHash, RightEdge, RootHash, TreeSize, Verifier, hash_leaf};
use tokio::time::{Instant, sleep, timeout};

use crate::support::Proposals;
use wire::Wire;

const SEEDS: u64 = 300;
const REPLICAS: usize = 3;
const CLIENTS: usize = 4;
const ENTRIES: usize = 5;
/// On the clock of the simulation, by which all entries have to be answered.
const ANSWERED_MAX: Duration = Duration::from_secs(1200);
/// How long a client waits before it asks another replica.
const PATIENCE: Duration = Duration::from_secs(3);
const HOSTNAME: &str = "log.example";

/// SplitMix64.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}

#[test]
#[allow(clippy::disallowed_methods, reason = "a test has no configuration")]
fn replicas_in_trouble_lose_nothing_and_fork_nothing() {
    let set = |name| std::env::var(name).ok().and_then(|seed| seed.parse::<u64>().ok());
    let first = set("CAIRN_SIMULATION_SEED");
    let seeds = set("CAIRN_SIMULATION_SEEDS").unwrap_or(first.map_or(SEEDS, |_| 1));
    let first = first.unwrap_or(0);
    for seed in first..first + seeds {
        let mut runtime = tokio::runtime::Builder::new_current_thread();
        let runtime = runtime.enable_time().start_paused(true).build().unwrap();
        let run = std::panic::AssertUnwindSafe(|| runtime.block_on(run(seed)));
        if let Err(panic) = std::panic::catch_unwind(run) {
            println!("seed {seed} failed: CAIRN_SIMULATION_SEED={seed} runs it again");
            std::panic::resume_unwind(panic);
        }
    }
    println!("{seeds} seeds from {first}: nothing lost, nothing forked");
}

/// The log's key and some signed proposals: made once, for they cost more than a seed.
fn made() -> &'static (Arc<dyn Signer>, Vec<String>) {
    static MADE: OnceLock<(Arc<dyn Signer>, Vec<String>)> = OnceLock::new();
    MADE.get_or_init(|| {
        let (signer, _) = FileSigner::generate(KeyKind::EcdsaP256).unwrap();
        let mut proposals = Proposals::new();
        let all = (0..CLIENTS * ENTRIES).map(|_| proposals.next_json()).collect();
        (Arc::new(signer), all)
    })
}

/// What one seed's world consists of.
struct World {
    store: MemoryStore,
    tree: TreeId,
    dice: Arc<Mutex<Dice>>,
    trouble: Arc<AtomicBool>,
    replicas: Mutex<Vec<Option<Replica>>>,
    seen: Mutex<Seen>,
}

#[derive(Clone)]
struct Replica {
    log: Arc<Log>,
    wire: Wire,
}

/// What the world was told.
#[derive(Default)]
struct Seen {
    answered: BTreeMap<u64, (LeafHash, i64)>,
    roots: BTreeMap<TreeSize, RootHash>,
}

async fn run(seed: u64) {
    let (signer, _) = made();
    let (store, tree) = (MemoryStore::new(), TreeId::new(7).unwrap());
    let record = LogRecord {
        tree_id: tree,
        name: "v1".into(),
        api: "v1".into(),
        origin: tlog::v1_origin(HOSTNAME, tree.get()),
        public_key: signer.public_key().to_vec(),
        created: 0,
    };
    store.create_log(record).await.unwrap();
    let world = Arc::new(World {
        store,
        tree,
        dice: Arc::new(Mutex::new(Dice(seed))),
        trouble: Arc::new(AtomicBool::new(true)),
        replicas: Mutex::new(vec![None; REPLICAS]),
        seen: Mutex::default(),
    });
    for number in 0..REPLICAS {
        tokio::spawn(start(world.clone(), number));
    }
    let faults = tokio::spawn(cause_trouble(world.clone()));
    let watch = tokio::spawn(watch(world.clone()));
    let clients: Vec<_> = (0..CLIENTS).map(|who| tokio::spawn(write(world.clone(), who))).collect();
    for client in clients {
        let done = timeout(ANSWERED_MAX, client).await;
        done.expect("an entry is never answered").unwrap();
    }
    faults.abort();
    watch.abort();
    if let Err(error) = watch.await
        && error.is_panic()
    {
        std::panic::resume_unwind(error.into_panic());
    }
    world.trouble.store(false, Ordering::Relaxed);
    world.examine().await;
}

/// Starts a replica, as often as it takes.
async fn start(world: Arc<World>, number: usize) {
    loop {
        let store = world.store.log(world.tree).await.unwrap();
        let wire = Wire::new(store, world.dice.clone(), world.trouble.clone());
        match open(Arc::new(wire.clone()), &world).await {
            Ok(log) => {
                let log = Arc::new(log);
                world.replicas.lock().unwrap()[number] = Some(Replica { log, wire });
                return;
            }
            // The store was away; anything else is a contradiction.
            Err(error) => assert!(error.contains("the connection is gone"), "{error}"),
        }
        sleep(Duration::from_millis(50)).await;
    }
}

async fn open(store: Arc<dyn LogStore>, world: &World) -> Result<Log, String> {
    let (signer, _) = made();
    let core = Arc::new(SigningCore::rekor_v1(signer.clone(), HOSTNAME, world.tree.get()));
    let verifier = Verifier::from_spki(core.public_key()).unwrap();
    let key_id = KeyId::rekor_v1(core.public_key());
    let identity = Identity { origin: core.origin(), verifier: &verifier, key_id };
    let edge = recover(&*store, &identity, None).await.map_err(|error| error.to_string())?;
    let metrics = Metrics::new().log("v1");
    let (sequencer, heads) = Sequencer::start(store.clone(), edge, now, metrics.clone());
    let publisher = Publisher::start(Setup::new(core, store.clone(), now, metrics), heads).await;
    let publisher = publisher.map_err(|error| error.to_string())?;
    let record = world.store.logs().await.unwrap().remove(0);
    let active = Shard::new(record, Reader::new(store), publisher);
    Ok(Log::new(Rules::new("v1", Api::V1, Policy::default()), sequencer, Vec::new(), active))
}

/// Seconds on the clock of the simulation.
fn now() -> i64 {
    thread_local!(static START: Cell<Option<Instant>> = const { Cell::new(None) });
    let start = START.with(|start| {
        let began = start.get().filter(|began| *began <= Instant::now());
        let began = began.unwrap_or_else(Instant::now);
        start.set(Some(began));
        began
    });
    1_700_000_000 + start.elapsed().as_secs() as i64
}

/// Kills replicas and starts them again, and stops them in the middle of things.
async fn cause_trouble(world: Arc<World>) {
    loop {
        let dice = |bound| world.dice.lock().unwrap().below(bound);
        sleep(Duration::from_millis(dice(300))).await;
        let number = dice(REPLICAS as u64) as usize;
        let replica = world.replicas.lock().unwrap()[number].clone();
        let Some(Replica { wire, .. }) = replica else { continue };
        if dice(2) == 0 {
            wire.pause(Duration::from_millis(dice(6000)));
        } else {
            wire.kill();
            world.replicas.lock().unwrap()[number] = None;
            tokio::spawn(start(world.clone(), number));
        }
    }
}

/// Looks at the checkpoints of all replicas, again and again.
async fn watch(world: Arc<World>) {
    loop {
        sleep(Duration::from_millis(20)).await;
        let replicas = world.replicas.lock().unwrap().clone();
        for Replica { log, .. } in replicas.into_iter().flatten() {
            let head = log.info().active.checkpoint.head;
            let stored = world.store.log(world.tree).await.unwrap().head().await.unwrap();
            assert!(head.size <= stored.size, "{} is signed, {} stored", head.size, stored.size);
            world.saw(head.size, head.root);
        }
    }
}

/// Sends entries, some of which others send too, until each is answered.
async fn write(world: Arc<World>, who: usize) {
    let (_, proposals) = made();
    for number in 0..ENTRIES {
        let dice = |bound| world.dice.lock().unwrap().below(bound);
        let whose = if dice(3) == 0 { dice(CLIENTS as u64) as usize } else { who };
        let proposal = &proposals[whose * ENTRIES + number];
        loop {
            sleep(Duration::from_millis(dice(30))).await;
            let replica = world.replicas.lock().unwrap()[dice(REPLICAS as u64) as usize].clone();
            let Some(Replica { log, .. }) = replica else { continue };
            let entry = Proposal::from_json(proposal.as_bytes()).unwrap();
            match timeout(PATIENCE, log.create_entry(entry)).await {
                Ok(Ok(entry)) => {
                    // An answer is never ahead of what its replica shows.
                    let shown = log.info().active.checkpoint.head.size;
                    assert!(shown.covers(entry.proof.index), "answered before it was published");
                    world.was_answered(&entry);
                    break;
                }
                Ok(Err(CreateEntryError::Duplicate { index, .. })) => {
                    let shown = log.info().active.checkpoint.head.size;
                    assert!(shown.covers(index), "named before it was published");
                    break;
                }
                Ok(Err(CreateEntryError::Rejected(error))) => panic!("{error}"),
                // Not now, or nobody answers any more: it is sent again, perhaps elsewhere.
                Ok(Err(_)) | Err(_) => {}
            }
        }
    }
}

impl World {
    fn saw(&self, size: TreeSize, root: RootHash) {
        let mut seen = self.seen.lock().unwrap();
        let known = *seen.roots.entry(size).or_insert(root);
        assert_eq!(known, root, "two roots at size {size}: a fork");
    }

    fn was_answered(&self, entry: &LoggedEntry) {
        let (leaf, head) = (hash_leaf(&entry.body), entry.checkpoint.head);
        entry.proof.verify(&leaf, &head.root).unwrap();
        self.saw(head.size, head.root);
        let answer = (leaf, entry.integrated_time);
        let mut seen = self.seen.lock().unwrap();
        // Two may be told the same of one entry, never two things.
        let known = *seen.answered.entry(entry.proof.index.0).or_insert(answer);
        assert_eq!(known, answer, "entry {} was answered twice", entry.proof.index);
    }

    /// All that was answered and seen, against what is stored in the end.
    async fn examine(&self) {
        let store = self.store.log(self.tree).await.unwrap();
        let log = open(store.clone(), self).await.unwrap();
        let head = store.head().await.unwrap();
        let Seen { answered, roots } = std::mem::take(&mut *self.seen.lock().unwrap());
        let mut edge = RightEdge::empty();
        let mut leaves = std::collections::BTreeSet::new();
        for index in 0..=head.size.0 {
            if let Some(root) = roots.get(&TreeSize(index)) {
                assert_eq!(edge.head().root, *root, "root at {index}");
            }
            let found = log.entry_by_index(VirtualIndex(index)).await.unwrap();
            let Some(entry) = found else { break };
            let leaf = hash_leaf(&entry.body);
            entry.proof.verify(&leaf, &entry.checkpoint.head.root).unwrap();
            assert!(leaves.insert(leaf), "entry {index} is in the log twice");
            if let Some(answer) = answered.get(&index) {
                assert_eq!((leaf, entry.integrated_time), *answer, "entry {index} is another");
            }
            edge = edge.extend(&[leaf]).edge().clone();
        }
        assert_eq!(edge.head(), head, "the entries do not make the head");
        let largest = answered.keys().next_back().copied();
        assert!(largest < Some(head.size.0), "an answered entry is lost");
        assert!(roots.keys().all(|size| *size <= head.size), "a published checkpoint is lost");
    }
}
