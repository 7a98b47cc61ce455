//! gRPC, on the same port as everything else: `dev.sigstore.rekor.v2.Rekor`, the log's own
//! `cairn.log.v1.Log`, health and reflection.
//!
//! A call is told by its content type. Calls are bounded in number and messages in size, because a
//! message is in memory before anybody can say no to it.

mod append;
mod convert;
mod health;
mod log_v1;
mod rekor_v2;
mod status;
mod stream;

use std::convert::Infallible;
use std::sync::Arc;

use hyper::Request;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use proto::log_v1::log_server::LogServer;
use proto::rekor_v2::rekor_server::RekorServer;
use tokio::sync::Semaphore;
use tonic::codegen::Service;
use tonic::{Code, Status};
use tonic_health::pb::health_server::HealthServer;

use super::App;
use super::limits::{GRPC_BATCH_BYTES_MAX, GRPC_BATCHES_MAX, GRPC_CALLS_MAX};
use super::reply_body::ReplyBody;
use super::server::Reply;
use super::sites::Site;

pub(crate) use stream::Stopping;

/// Names of the services whose health can be asked for.
const REKOR: &str = "dev.sigstore.rekor.v2.Rekor";
const LOG: &str = "cairn.log.v1.Log";

/// Where a call leads, and how metrics show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Method(&'static str);

const BATCH: Method = Method("/cairn.log.v1.Log/AppendBatch");
const UNKNOWN: Method = Method("unknown call");
const METHODS: &[Method] = &[
    Method("/dev.sigstore.rekor.v2.Rekor/CreateEntry"),
    Method("/dev.sigstore.rekor.v2.Rekor/GetTile"),
    Method("/dev.sigstore.rekor.v2.Rekor/GetEntryBundle"),
    Method("/dev.sigstore.rekor.v2.Rekor/GetCheckpoint"),
    Method("/cairn.log.v1.Log/Append"),
    BATCH,
    Method("/cairn.log.v1.Log/AppendStream"),
    Method("/cairn.log.v1.Log/GetEntry"),
    Method("/cairn.log.v1.Log/GetInclusionProof"),
    Method("/cairn.log.v1.Log/GetConsistencyProof"),
    Method("/cairn.log.v1.Log/GetCheckpoint"),
    Method("/cairn.log.v1.Log/StreamEntries"),
    Method("/cairn.log.v1.Log/WatchCheckpoints"),
    Method("/grpc.health.v1.Health/Check"),
    Method("/grpc.health.v1.Health/Watch"),
    Method("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"),
    Method("/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo"),
];

impl Method {
    /// The method at a path.
    pub(crate) fn find(path: &str) -> Self {
        METHODS.iter().find(|method| method.0 == path).copied().unwrap_or(UNKNOWN)
    }

    /// The path that metrics show: never what a client made up.
    pub(crate) fn template(self) -> &'static str {
        self.0
    }

    fn service(self) -> &'static str {
        self.0.split('/').nth(1).unwrap_or("")
    }
}

/// Room for calls, and whether they are to end.
pub(crate) struct Calls {
    all: Arc<Semaphore>,
    batches: Arc<Semaphore>,
    stopping: Stopping,
}

impl Calls {
    /// As many as the limits say, until `stopping`.
    pub(crate) fn new(stopping: Stopping) -> Self {
        let room = |calls| Arc::new(Semaphore::new(calls));
        Self { all: room(GRPC_CALLS_MAX), batches: room(GRPC_BATCHES_MAX), stopping }
    }
}

/// Whether a request is a call of gRPC.
pub(crate) fn is_call(request: &Request<Incoming>) -> bool {
    let of_grpc = |value: &str| {
        value
            .strip_prefix("application/grpc")
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('+') || rest.starts_with(';'))
    };
    let found = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    found.is_some_and(of_grpc)
}

/// Answers a call. The answer may go on for as long as the client takes it.
pub(crate) async fn answer(
    app: &Arc<App>,
    site: Option<Arc<Site>>,
    method: Method,
    request: Request<Incoming>,
    calls: &Calls,
) -> Reply {
    let Some(site) = site else { return refuse(&Status::not_found("there is no such site")) };
    let room = if method == BATCH { &calls.batches } else { &calls.all };
    let Ok(held) = room.clone().try_acquire_owned() else {
        return refuse(&Status::unavailable("too many calls at a time; try again later"));
    };
    let message_max = app.settings.max_request_body_bytes_v2;
    let reply = match method.service() {
        REKOR => {
            let service = RekorServer::new(rekor_v2::Rekor::new(app.clone(), site));
            call(service.max_decoding_message_size(message_max), request).await
        }
        LOG => {
            let max = if method == BATCH { GRPC_BATCH_BYTES_MAX } else { message_max };
            let service = LogServer::new(log_v1::Log::new(site, calls.stopping.clone()));
            call(service.max_decoding_message_size(max), request).await
        }
        "grpc.health.v1.Health" => {
            let service = health::Health::new(app.clone(), site, calls.stopping.clone());
            call(HealthServer::new(service), request).await
        }
        "grpc.reflection.v1.ServerReflection" => match reflection().build_v1() {
            Ok(service) => call(service, request).await,
            Err(error) => refuse(&Status::internal(error.to_string())),
        },
        "grpc.reflection.v1alpha.ServerReflection" => match reflection().build_v1alpha() {
            Ok(service) => call(service, request).await,
            Err(error) => refuse(&Status::internal(error.to_string())),
        },
        _ => refuse(&Status::new(Code::Unimplemented, "there is no such method")),
    };
    reply.map(|body| body.holding(held))
}

async fn call<S>(mut service: S, request: Request<Incoming>) -> Reply
where
    S: Service<
            Request<Incoming>,
            Response = hyper::Response<tonic::body::Body>,
            Error = Infallible,
        >,
{
    match service.call(request).await {
        Ok(response) => too_large(response).map(ReplyBody::stream),
        Err(never) => match never {},
    }
}

/// A message beyond its limit is ResourceExhausted, as clients of gRPC know it; tonic calls it
/// OutOfRange.
fn too_large<B>(mut response: hyper::Response<B>) -> hyper::Response<B> {
    if let Some(status) = Status::from_header_map(response.headers())
        && status.code() == Code::OutOfRange
        && status.message().contains("message length too large")
    {
        let code = HeaderValue::from(Code::ResourceExhausted as i32);
        response.headers_mut().insert(Status::GRPC_STATUS, code);
    }
    response
}

fn refuse(status: &Status) -> Reply {
    status.clone().into_http::<tonic::body::Body>().map(ReplyBody::stream)
}

fn reflection() -> tonic_reflection::server::Builder<'static> {
    tonic_reflection::server::Builder::configure()
        .register_encoded_file_descriptor_set(proto::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
        // each version would list itself alone
        .register_encoded_file_descriptor_set(tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET)
        .register_encoded_file_descriptor_set(tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_found_by_their_path() {
        for method in METHODS {
            assert_eq!(Method::find(method.0), *method);
            assert!(method.service().contains('.'), "{method:?}");
        }
        assert_eq!(Method::find("/x/y"), UNKNOWN);
    }

    #[test]
    fn every_method_of_the_services_is_listed() {
        for (service, count) in [(REKOR, 4), (LOG, 9)] {
            let listed = METHODS.iter().filter(|method| method.service() == service);
            assert_eq!(listed.count(), count, "{service}");
        }
    }
}
