//! A log behind a socket, and a client that hides nothing.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use cairn::admission::Policy;
use cairn::frontend::{App, FrontendSettings, Sites, serve};
use cairn::log::{Api, Log, Rules};
use cairn::publisher::signer::{FileSigner, KeyKind, Signer};
use cairn::publisher::{Publisher, Setup, SigningCore};
use cairn::reader::Reader;
use cairn::recovery::{Identity, recover};
use cairn::sequencer::Sequencer;
use cairn::shard::Shard;
use cairn::telemetry::Metrics;
use serde_json::Value;
use storage::memory::MemoryStore;
use storage::{LogRecord, Store, TreeId};
use tlog::Verifier;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;
use tokio::time::timeout;

pub(crate) const ENTRIES: &str = "/api/v1/log/entries";
pub(crate) const RETRIEVE: &str = "/api/v1/log/entries/retrieve";
pub(crate) const INDEX: &str = "/api/v1/index/retrieve";
pub(crate) const HOSTNAME: &str = "log.example";
pub(crate) const NOW: i64 = 1_700_000_000;

/// Trees of the shards that a test log may have, oldest first; the last one is active.
const TREES: [i64; 3] = [0x11, 0x2222_0000_0000_0022, 0x3333];

/// One shard as the outside knows it.
pub(crate) struct ShardKey {
    pub(crate) tree_id: i64,
    pub(crate) spki: Vec<u8>,
}

/// A server that runs until it is stopped or dropped.
pub(crate) struct TestLog {
    pub(crate) address: SocketAddr,
    pub(crate) store: MemoryStore,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) shards: Vec<ShardKey>,
    stop: Option<oneshot::Sender<()>>,
    server: JoinHandle<()>,
}

/// An answer as it came over the wire.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl TestLog {
    /// An empty log with one shard.
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// The same, with other settings.
    pub(crate) async fn with(change: impl FnOnce(&mut FrontendSettings)) -> Self {
        Self::sharded(&[], change).await
    }

    /// A log whose frozen shards hold these proposals.
    pub(crate) async fn sharded(
        frozen: &[Vec<String>],
        change: impl FnOnce(&mut FrontendSettings),
    ) -> Self {
        let store = MemoryStore::new();
        let metrics = Metrics::new();
        let mut shards = Vec::new();
        let mut frozen_shards = Vec::new();
        for (tree, proposals) in TREES.into_iter().zip(frozen) {
            let (log, signer) = open(&store, tree, Vec::new(), metrics.clone(), None).await;
            for proposal in proposals {
                let proposal = cairn::admission::Proposal::from_json(proposal.as_bytes()).unwrap();
                log.create_entry(proposal).await.unwrap();
            }
            drop(log);
            frozen_shards.push(freeze(&store, tree, signer.clone(), metrics.clone()).await);
            shards.push(ShardKey { tree_id: tree, spki: signer.public_key().to_vec() });
        }
        let tree = TREES[frozen.len()];
        let (log, signer) = open(&store, tree, frozen_shards, metrics.clone(), None).await;
        shards.push(ShardKey { tree_id: tree, spki: signer.public_key().to_vec() });

        let sites = Sites::single(Arc::new(log));
        Self::behind(sites, store, metrics, shards, change).await
    }

    /// An empty log with room for so many entries on their way.
    pub(crate) async fn with_room(entries: usize) -> Self {
        let (store, metrics) = (MemoryStore::new(), Metrics::new());
        let (tree, room) = (TREES[0], Some(entries));
        let (log, signer) = open(&store, tree, Vec::new(), metrics.clone(), room).await;
        let shards = vec![ShardKey { tree_id: tree, spki: signer.public_key().to_vec() }];
        Self::behind(Sites::single(Arc::new(log)), store, metrics, shards, |_| {}).await
    }

    /// A server for these logs.
    pub(crate) async fn behind(
        sites: Sites,
        store: MemoryStore,
        metrics: Arc<Metrics>,
        shards: Vec<ShardKey>,
        change: impl FnOnce(&mut FrontendSettings),
    ) -> Self {
        let mut settings = FrontendSettings::default();
        settings.limits.shutdown_max = Duration::from_secs(5);
        change(&mut settings);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = App { sites, metrics: metrics.clone(), settings };
        let (stop, stopped) = oneshot::channel();
        let server = tokio::spawn(serve(listener, Arc::new(app), stopped));
        Self { address, store, metrics, shards, stop: Some(stop), server }
    }

    /// The active shard.
    pub(crate) fn active(&self) -> &ShardKey {
        self.shards.last().unwrap()
    }

    /// Sends one request on a connection of its own.
    pub(crate) async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[&str],
        body: &[u8],
    ) -> Answer {
        let mut request = format!("{method} {path} HTTP/1.1\r\nHost: log\r\nConnection: close\r\n");
        for header in headers {
            request.push_str(&format!("{header}\r\n"));
        }
        if !body.is_empty() {
            request.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        request.push_str("\r\n");
        let mut bytes = request.into_bytes();
        bytes.extend_from_slice(body);
        self.raw(&bytes).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send("GET", path, &[], b"").await
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> Answer {
        self.send("POST", path, &["Content-Type: application/json"], body.as_bytes()).await
    }

    /// Creates an entry, and gives its ID.
    pub(crate) async fn create(&self, proposal: &str) -> String {
        let answer = self.post(ENTRIES, proposal).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.header("Etag").unwrap().into()
    }

    /// Sends bytes, and reads the answer up to the end of the connection.
    pub(crate) async fn raw(&self, bytes: &[u8]) -> Answer {
        let mut stream = self.connect().await;
        stream.write_all(bytes).await.unwrap();
        read_answer(&mut stream).await.unwrap()
    }

    pub(crate) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Tells the server to stop.
    pub(crate) fn stop(&mut self) {
        drop(self.stop.take());
    }

    /// Waits until it has.
    pub(crate) async fn stopped(mut self) {
        self.stop();
        timeout(Duration::from_secs(10), &mut self.server).await.unwrap().unwrap();
    }
}

impl Drop for TestLog {
    fn drop(&mut self) {
        self.server.abort();
    }
}

/// Reads up to the end of the connection; `None` when nothing came.
pub(crate) async fn read_answer(stream: &mut TcpStream) -> Option<Answer> {
    let mut bytes = Vec::new();
    let end = timeout(Duration::from_secs(20), stream.read_to_end(&mut bytes)).await.unwrap();
    if bytes.is_empty() {
        return None;
    }
    end.unwrap();
    Some(Answer::parse(&String::from_utf8(bytes).unwrap()))
}

impl Answer {
    pub(crate) fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Self { status, head: head.into(), body: body.into() }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().skip(1);
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The one entry that it holds, by its ID.
    pub(crate) fn entry(&self) -> (String, Value) {
        let Value::Object(map) = self.json() else { panic!("{self:?}") };
        assert_eq!(map.len(), 1, "{self:?}");
        map.into_iter().next().unwrap()
    }

    /// An error in the style of operations.
    #[track_caller]
    pub(crate) fn is_error(&self, status: u16, message: &str) {
        let message = serde_json::to_string(message).unwrap();
        self.is(status, &format!("{{\"code\":{status},\"message\":{message}}}\n"));
    }

    /// An error in the style of the router.
    #[track_caller]
    pub(crate) fn is_router_error(&self, status: u16, code: u16, message: &str) {
        let message = serde_json::to_string(message).unwrap();
        self.is(status, &format!("{{\"code\":{code},\"message\":{message}}}"));
    }

    #[track_caller]
    fn is(&self, status: u16, body: &str) {
        assert_eq!((self.status, self.body.as_str()), (status, body), "{}", self.head);
        assert_eq!(self.header("Content-Type"), Some("application/json"), "{self:?}");
    }
}

/// A log whose active shard is this tree, which is made if it is not there.
async fn open(
    store: &MemoryStore,
    tree: i64,
    frozen: Vec<Shard>,
    metrics: Arc<Metrics>,
    in_flight_max: Option<usize>,
) -> (Log, Arc<dyn Signer>) {
    let signer: Arc<dyn Signer> = Arc::new(FileSigner::generate(KeyKind::EcdsaP256).unwrap().0);
    let tree_id = TreeId::new(tree).unwrap();
    let core = Arc::new(SigningCore::rekor_v1(signer.clone(), HOSTNAME, tree));
    let record = LogRecord {
        tree_id,
        name: format!("v1-{tree}"),
        api: "v1".into(),
        origin: core.origin().into(),
        public_key: signer.public_key().to_vec(),
        created: 0,
    };
    let policy = Policy { attestation_bytes_max: Some(1024), ..Policy::default() };
    let rules = Rules { in_flight_max, ..Rules::new("v1", Api::V1, policy) };
    (open_as(store, core, record, rules, frozen, metrics).await, signer)
}

/// A log of any API.
pub(crate) async fn open_as(
    store: &MemoryStore,
    core: Arc<SigningCore>,
    record: LogRecord,
    rules: Rules,
    frozen: Vec<Shard>,
    metrics: Arc<Metrics>,
) -> Log {
    let part = store.create_log(record.clone()).await.unwrap();
    let verifier = Verifier::from_spki(core.public_key()).unwrap();
    let identity = Identity { origin: core.origin(), verifier: &verifier, key_id: core.key_id() };
    let edge = recover(&*part, &identity, None).await.unwrap();
    let metrics = metrics.log(&rules.name);
    let (sequencer, heads) = Sequencer::start(part.clone(), edge, || NOW, metrics.clone());
    let setup = Setup::new(core, part.clone(), || NOW, metrics);
    let publisher = Publisher::start(setup, heads).await.unwrap();
    let active = Shard::new(record, Reader::new(part), publisher);
    Log::new(rules, sequencer, frozen, active)
}

/// A shard that nobody writes to any more.
async fn freeze(
    store: &MemoryStore,
    tree: i64,
    signer: Arc<dyn Signer>,
    metrics: Arc<Metrics>,
) -> Shard {
    let tree_id = TreeId::new(tree).unwrap();
    let part = store.log(tree_id).await.unwrap();
    let logs = store.logs().await.unwrap();
    let record = logs.into_iter().find(|record| record.tree_id == tree_id).unwrap();
    let core = Arc::new(SigningCore::rekor_v1(signer, HOSTNAME, tree));
    let (_, no_heads) = mpsc::channel(1);
    let setup = Setup::new(core, part.clone(), || NOW, metrics.log("v1"));
    let publisher = Publisher::start(setup, no_heads).await.unwrap();
    Shard::new(record, Reader::new(part), publisher)
}
