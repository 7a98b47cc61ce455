//! gRPC from outside: health that tells the truth, reflection, and streams that end when the server
//! does.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use cairn::admission::{Accepts, Policy};
use cairn::frontend::Sites;
use cairn::log::{Api, Rules};
use cairn::publisher::SigningCore;
use cairn::publisher::signer::{FileSigner, KeyKind, Signer as _};
use cairn::telemetry::Metrics;
use hyper::body::Incoming;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper::{Request, Response, Uri};
use hyper_util::rt::{TokioExecutor, TokioIo};
use proto::log_v1::append_result::Result as Outcome;
use proto::log_v1::log_client::LogClient;
use proto::log_v1::{
    AppendRequest, AppendStreamRequest, Item, StreamEntriesRequest, WatchCheckpointsRequest, item,
};
use storage::memory::{Fate, MemoryStore};
use storage::{LogRecord, TreeId};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_stream::wrappers::ReceiverStream;
use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service};
use tonic::{Code, Status, Streaming};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tonic_reflection::pb::{v1, v1alpha};

use crate::fixture::{HOSTNAME, TestLog, open_as};

const REKOR: &str = "dev.sigstore.rekor.v2.Rekor";
const LOG: &str = "cairn.log.v1.Log";

/// A server with one log.
async fn server(api: Api, accepts: Accepts, frozen: bool) -> TestLog {
    let (store, metrics) = (MemoryStore::new(), Metrics::new());
    let signer = Arc::new(FileSigner::generate(KeyKind::Ed25519).unwrap().0);
    let public_key = signer.public_key().to_vec();
    let core = Arc::new(SigningCore::rekor_v2(signer, HOSTNAME).unwrap());
    let record = LogRecord {
        tree_id: TreeId::new(1).unwrap(),
        name: "log".into(),
        api: api.to_string(),
        origin: core.origin().into(),
        public_key,
        created: 0,
    };
    let rules = Rules { frozen, ..Rules::new("log", api, Policy::of(accepts)) };
    let log = open_as(&store, core, record, rules, Vec::new(), metrics.clone()).await;
    TestLog::behind(Sites::single(Arc::new(log)), store, metrics, Vec::new(), |_| {}).await
}

async fn raw() -> TestLog {
    server(Api::Raw, Accepts::Raw, false).await
}

/// A connection, as tonic's clients take it.
#[derive(Clone)]
struct Channel(SendRequest<Body>);

impl Service<Request<Body>> for Channel {
    type Response = Response<Incoming>;
    type Error = hyper::Error;
    type Future = BoxFuture<Self::Response, Self::Error>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        Box::pin(self.0.send_request(request))
    }
}

async fn connect(server: &TestLog) -> Channel {
    let io = TokioIo::new(server.connect().await);
    let (sender, connection) = handshake(TokioExecutor::new(), io).await.unwrap();
    tokio::spawn(connection);
    Channel(sender)
}

fn origin() -> Uri {
    Uri::from_static("http://log")
}

fn of(service: &str) -> HealthCheckRequest {
    HealthCheckRequest { service: service.into() }
}

async fn check(channel: &Channel, service: &str) -> Result<ServingStatus, Code> {
    let answer = HealthClient::with_origin(channel.clone(), origin()).check(of(service)).await;
    answer.map(|found| found.into_inner().status()).map_err(|status| status.code())
}

async fn watch(channel: &Channel, service: &str) -> Streaming<HealthCheckResponse> {
    HealthClient::with_origin(channel.clone(), origin())
        .watch(of(service))
        .await
        .unwrap()
        .into_inner()
}

/// What comes next, within a few seconds; `None` at the end of the stream.
async fn next<T>(stream: &mut Streaming<T>) -> Result<Option<T>, Status> {
    timeout(Duration::from_secs(4), stream.message()).await.unwrap()
}

async fn next_status(watched: &mut Streaming<HealthCheckResponse>) -> Option<ServingStatus> {
    next(watched).await.unwrap().map(|found| found.status())
}

fn raw_item(bytes: &'static [u8]) -> Option<Item> {
    Some(Item { entry: Some(item::Entry::Raw(bytes.into())) })
}

#[tokio::test]
async fn each_service_has_a_health_of_its_own() {
    use ServingStatus::{NotServing, Serving};
    for (server, rekor) in [
        (server(Api::V2, Accepts::RekorV2, false).await, Serving),
        (server(Api::V2, Accepts::RekorV2, true).await, NotServing), // it takes no entries
        (raw().await, NotServing),                                   // there is no v2 log
    ] {
        let channel = connect(&server).await;
        assert_eq!(check(&channel, "").await, Ok(Serving));
        assert_eq!(check(&channel, LOG).await, Ok(Serving));
        assert_eq!(check(&channel, REKOR).await, Ok(rekor));
        assert_eq!(check(&channel, "dev.sigstore.rekor.v2.rekor").await, Err(Code::NotFound));
    }
}

#[tokio::test]
async fn a_log_that_stops_writing_does_not_serve() {
    let server = raw().await;
    let channel = connect(&server).await;
    let (mut watched, mut unknown) = (watch(&channel, LOG).await, watch(&channel, "x.Y").await);
    assert_eq!(next_status(&mut watched).await, Some(ServingStatus::Serving));
    assert_eq!(next_status(&mut unknown).await, Some(ServingStatus::ServiceUnknown));

    server.store.fail_write_at(server.store.steps(), Fate::Lost);
    let request = AppendRequest { item: raw_item(b"a"), ..AppendRequest::default() };
    let refused =
        LogClient::with_origin(channel.clone(), origin()).append(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unavailable, "{refused}");
    assert_eq!(next_status(&mut watched).await, Some(ServingStatus::NotServing));
    assert_eq!(check(&channel, LOG).await, Ok(ServingStatus::NotServing));
    assert_eq!(check(&channel, "").await, Ok(ServingStatus::NotServing));
}

#[tokio::test]
async fn a_message_beyond_its_limit_exhausts_it() {
    let server = raw().await;
    let entry = Some(item::Entry::Raw(vec![0; 5 << 20].into()));
    let request = AppendRequest { item: Some(Item { entry }), ..AppendRequest::default() };
    let mut client = LogClient::with_origin(connect(&server).await, origin());
    let refused = client.append(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::ResourceExhausted, "{refused}");
    assert!(refused.message().contains("too large"), "{refused}");
}

#[tokio::test]
async fn streams_without_end_end_with_the_server() {
    let mut server = raw().await;
    let channel = connect(&server).await;
    let mut client = LogClient::with_origin(channel.clone(), origin());
    let mut watched = watch(&channel, "").await;
    assert_eq!(next_status(&mut watched).await, Some(ServingStatus::Serving));
    let request = WatchCheckpointsRequest::default();
    let mut checkpoints = client.watch_checkpoints(request).await.unwrap().into_inner();
    assert_eq!(next(&mut checkpoints).await.unwrap().unwrap().tree_size, 0);
    let request = StreamEntriesRequest { follow: true, ..StreamEntriesRequest::default() };
    let mut entries = client.stream_entries(request).await.unwrap().into_inner();
    let (items, queue) = mpsc::channel(1);
    let mut results = client.append_stream(ReceiverStream::new(queue)).await.unwrap().into_inner();
    let request = AppendStreamRequest { item: raw_item(b"a"), ..AppendStreamRequest::default() };
    items.send(request).await.unwrap();
    let first = next(&mut results).await.unwrap().unwrap().result.unwrap().result.unwrap();
    assert!(matches!(first, Outcome::Appended(appended) if appended.tree_size == 1));
    assert_eq!(next(&mut entries).await.unwrap().unwrap().body, "a");
    assert_eq!(next(&mut checkpoints).await.unwrap().unwrap().tree_size, 1);

    let began = Instant::now();
    server.stop();
    assert_eq!(next_status(&mut watched).await, Some(ServingStatus::NotServing));
    assert_eq!(next_status(&mut watched).await, None);
    for ended in [
        next(&mut checkpoints).await.map(|_| ()),
        next(&mut entries).await.map(|_| ()),
        next(&mut results).await.map(|_| ()),
    ] {
        assert_eq!(ended.unwrap_err().code(), Code::Unavailable);
    }
    server.stopped().await;
    assert!(began.elapsed() < Duration::from_secs(4), "the server waited for its clients");
}

/// All services, as both versions of the protocol list them, and the file of one.
const SERVICES: [&str; 5] = [
    LOG,
    REKOR,
    "grpc.health.v1.Health",
    "grpc.reflection.v1.ServerReflection",
    "grpc.reflection.v1alpha.ServerReflection",
];

macro_rules! reflection {
    ($test:ident, $version:ident) => {
        #[tokio::test]
        async fn $test() {
            use $version::server_reflection_client::ServerReflectionClient;
            use $version::server_reflection_request::MessageRequest;
            use $version::server_reflection_response::MessageResponse;
            let server = raw().await;
            let mut client = ServerReflectionClient::with_origin(connect(&server).await, origin());
            let ask = |message| $version::ServerReflectionRequest {
                host: String::new(),
                message_request: Some(message),
            };
            let questions = [
                ask(MessageRequest::ListServices(String::new())),
                ask(MessageRequest::FileContainingSymbol(LOG.into())),
            ];
            let answers = client.server_reflection_info(tokio_stream::iter(questions)).await;
            let mut answers = answers.unwrap().into_inner();
            let list = next(&mut answers).await.unwrap().unwrap().message_response.unwrap();
            let MessageResponse::ListServicesResponse(list) = list else { panic!("{list:?}") };
            let mut names: Vec<_> = list.service.into_iter().map(|found| found.name).collect();
            names.sort();
            assert_eq!(names, SERVICES);
            let file = next(&mut answers).await.unwrap().unwrap().message_response.unwrap();
            let MessageResponse::FileDescriptorResponse(file) = file else { panic!("{file:?}") };
            let files = file.file_descriptor_proto;
            let name = b"cairn/log/v1/log.proto";
            assert!(files.iter().any(|file| file.windows(name.len()).any(|part| part == name)));
        }
    };
}

reflection!(reflection_shows_what_there_is, v1);
reflection!(reflection_of_older_clients_does_too, v1alpha);
