//! The log behind HTTP: REST and tiles on HTTP/1.1, gRPC on HTTP/2, on one port. It runs on a
//! thread of its own.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::json;
use tlog::{NodeHash, TilePath, encode_bundle, encode_tile};
use tokio::net::{TcpListener, TcpStream};

use super::log::{FakeV2, NAME, canonical_of_json};
use super::{Wrong, grpc};
use crate::tree;

/// The log that all answers come from.
pub(crate) type Shared = Arc<Mutex<FakeV2>>;

pub(crate) fn lock(log: &Shared) -> MutexGuard<'_, FakeV2> {
    log.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts a server with so many entries, which lists its log as `v2` and as `raw`.
pub(crate) fn start(wrong: Wrong, size: usize) -> SocketAddr {
    serve(Arc::new(Mutex::new(FakeV2::new(wrong, size))), true)
}

/// Starts a server that lists no logs, as rekor-tiles does not; gives the log's key too.
pub(crate) fn start_hidden(wrong: Wrong, size: usize) -> (SocketAddr, String) {
    let log = FakeV2::new(wrong, size);
    let key = log.public_key_pem();
    (serve(Arc::new(Mutex::new(log)), false), key)
}

fn serve(log: Shared, listed: bool) -> SocketAddr {
    let (give, take) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            give.send(listener.local_addr().unwrap()).unwrap();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                tokio::spawn(connection(stream, Arc::clone(&log), listed));
            }
        });
    });
    take.recv().unwrap()
}

async fn connection(stream: TcpStream, log: Shared, listed: bool) {
    stream.set_nodelay(true).unwrap();
    let mut start = [0; 3];
    let _ = stream.peek(&mut start).await;
    if &start == b"PRI" {
        let services = grpc::Services::new(&log);
        let service = service_fn(move |request| services.clone().answer(request));
        let http = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        let end = Arc::clone(&lock(&log).end);
        tokio::select! {
            _ = http.serve_connection(TokioIo::new(stream), service) => {}
            () = end.notified() => {}
        }
    } else {
        let service = service_fn(|request| answer(&log, listed, request));
        let http = hyper::server::conn::http1::Builder::new();
        let _ = http.serve_connection(TokioIo::new(stream), service).await;
    }
}

async fn answer(
    log: &Shared,
    listed: bool,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    if head.method == Method::POST && lock(log).wrong == Wrong::Hangs {
        std::future::pending::<()>().await;
    }
    let path = head.uri.path();
    let mut log = lock(log);
    let own = format!("/logs/{}/", hex::encode(log.log_id()));
    let response = if head.method == Method::POST && path == "/api/v2/log/entries" {
        propose(&mut log, &body)
    } else if path == "/logs" && listed {
        reply(StatusCode::OK, "application/json", list(&log).into_bytes())
    } else {
        read(&log, path.strip_prefix(&own).unwrap_or(&path[1..]))
    };
    Ok(response)
}

fn list(log: &FakeV2) -> String {
    let origin = if log.wrong == Wrong::Listed { "elsewhere.example" } else { NAME };
    let listed = |name: &str| {
        json!({"name": name, "api": name, "state": "active", "origin": origin, "tree_size": 1,
            "log_id": hex::encode(log.log_id()), "public_key": log.public_key_pem()})
    };
    let mut frozen = listed("v2");
    frozen["state"] = "frozen".into();
    frozen["log_id"] = "ab".into();
    json!({"logs": [frozen, listed("v2"), listed("raw")]}).to_string()
}

fn propose(log: &mut FakeV2, body: &[u8]) -> Response<Full<Bytes>> {
    if log.wrong == Wrong::Busy && log.proposals.is_multiple_of(2) {
        log.proposals += 1;
        let text = br#"{"code":14,"message":"later","details":[]}"#.to_vec();
        return reply(StatusCode::SERVICE_UNAVAILABLE, "application/json", text);
    }
    let (index, size) = log.take(canonical_of_json(body));
    let entry = log.entry(index, size);
    log.maybe_forget();
    let mut entry = serde_json::to_value(entry).unwrap();
    if log.wrong == Wrong::Promise {
        entry["inclusionPromise"] = json!({"signedEntryTimestamp": ""});
    }
    // Go's protojson puts spaces where it likes.
    let text = serde_json::to_string_pretty(&entry).unwrap();
    let status = if log.wrong == Wrong::Status { StatusCode::OK } else { StatusCode::CREATED };
    let media_type = if log.wrong == Wrong::MediaType { "text/plain" } else { "application/json" };
    reply(status, media_type, text.into_bytes())
}

/// What is read below the log's prefix.
fn read(log: &FakeV2, path: &str) -> Response<Full<Bytes>> {
    let not_found = || reply(StatusCode::NOT_FOUND, "text/plain", Vec::new());
    if path == "checkpoint" {
        return reply(StatusCode::OK, "text/plain", log.published().into_bytes());
    }
    let short = usize::from(log.wrong == Wrong::Short);
    let bytes = match TilePath::parse(path) {
        Some(TilePath::Tile { tile, width }) => {
            let (level, index, width) = (tile.level, tile.index as usize, usize::from(width));
            tree::tile(level, index, width, &log.leaves).map(|mut hashes| {
                if log.wrong == Wrong::Tile {
                    hashes[0] = NodeHash::from_bytes([9; 32]);
                }
                encode_tile(&hashes[..width - short])
            })
        }
        Some(TilePath::Entries { index, width }) => {
            let first = index as usize * 256;
            log.bodies.get(first..first + usize::from(width)).map(|bodies| {
                let mut bodies = bodies.to_vec();
                if log.wrong == Wrong::Bundle {
                    bodies.reverse();
                }
                encode_bundle(&bodies[short..]).unwrap()
            })
        }
        None => None,
    };
    let media_type =
        if log.wrong == Wrong::MediaType { "text/html" } else { "application/octet-stream" };
    bytes.map_or_else(not_found, |bytes| reply(StatusCode::OK, media_type, bytes))
}

fn reply(status: StatusCode, media_type: &'static str, body: Vec<u8>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert("content-type", media_type.parse().unwrap());
    response
}
