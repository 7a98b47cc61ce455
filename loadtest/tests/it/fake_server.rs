//! The fake log behind HTTP, correct or wrong in one way. It runs on a thread of its own.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use loadtest::rekor_v1::wire::Entry;
use tokio::net::TcpListener;

use crate::fake_log::{FIRST_INDEX, FakeLog, text};

const ENTRIES: &str = "/api/v1/log/entries";

/// The one way in which the server is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wrong {
    Nothing,
    /// Signs the timestamp of another index.
    Set,
    /// Puts a wrong hash into inclusion proofs.
    InclusionHash,
    /// Breaks the checkpoint's signature.
    CheckpointSignature,
    /// Breaks the checkpoint's hint.
    CheckpointHint,
    /// Answers with the entry before this one.
    OtherEntry,
    /// Gives one index to all entries, in the plainly visible place.
    SameIndex,
    /// Writes the JSON with spaces.
    Pretty,
    /// Puts quotes around the ETag.
    QuotedEtag,
    /// Does not store every third entry, but answers as if.
    Forgets,
    /// Gives back another entry when asked by index.
    ReadBack,
    /// Gives a false consistency proof.
    Consistency,
    /// Rewrites the first entry after some time, and signs the new history.
    Fork,
    /// Describes itself as it was ten entries ago.
    Shrinks,
    /// Refuses every second proposal.
    Busy,
    /// Refuses every proposal.
    Refuses,
    /// Answers with something that is not HTTP.
    Garbage,
    /// Never answers a proposal.
    Hangs,
    /// Only the entry with this local index is wrong.
    Late(usize),
}

/// A log and its fault.
struct Server {
    log: FakeLog,
    wrong: Wrong,
    proposals: usize,
}

/// Starts a server with so many entries.
pub(crate) fn start(wrong: Wrong, size: usize) -> SocketAddr {
    let mut log = FakeLog::new();
    for n in 0..size {
        log.add(format!("{{\"entry\":{n}}}").as_bytes()).unwrap();
    }
    let server = Arc::new(Mutex::new(Server { log, wrong, proposals: 0 }));
    let (give, take) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async move {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            give.send(listener.local_addr().unwrap()).unwrap();
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let server = Arc::clone(&server);
                tokio::spawn(async move {
                    let service = service_fn(|request| answer(&server, request));
                    if wrong == Wrong::Garbage {
                        // Its own description is still readable: garbage comes with the second
                        // call.
                        let greeting = serve_description_then_garbage(&mut stream, &server).await;
                        return drop(greeting);
                    }
                    let http = hyper::server::conn::http1::Builder::new();
                    let _ = http.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
    });
    take.recv().unwrap()
}

async fn serve_description_then_garbage(
    stream: &mut tokio::net::TcpStream,
    server: &Mutex<Server>,
) -> std::io::Result<()> {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let mut request = [0; 8192];
    loop {
        let length = stream.read(&mut request).await?;
        if length == 0 {
            return Ok(());
        }
        let request = String::from_utf8_lossy(&request[..length]);
        let path = request.split(' ').nth(1).unwrap_or_default();
        let body = server.lock().unwrap_or_else(PoisonError::into_inner).describe(path);
        let answer = body.map_or("NOT HTTP\r\n\r\n".to_owned(), |body| {
            format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
        });
        stream.write_all(answer.as_bytes()).await?;
    }
}

async fn answer(
    server: &Mutex<Server>,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let path = head.uri.path().to_owned();
    let query = head.uri.query().unwrap_or_default().to_owned();
    let (response, hangs) = {
        let mut server = server.lock().unwrap_or_else(PoisonError::into_inner);
        let hangs = server.wrong == Wrong::Hangs && head.method == Method::POST;
        let response = match (head.method, path.strip_prefix(ENTRIES)) {
            (Method::POST, Some("")) => server.propose(&body),
            (Method::GET, Some("")) => server.by_index(number(&query, "logIndex=")),
            (Method::GET, Some(id)) => server.by_id(&id[1..]),
            (Method::GET, None) if path == "/api/v1/log/proof" => server.proof(&query),
            _ => match server.describe(&path) {
                Some(body) => response(StatusCode::OK, body.into_bytes()),
                None => response(StatusCode::NOT_FOUND, Vec::new()),
            },
        };
        (response, hangs)
    };
    if hangs {
        tokio::time::sleep(Duration::from_secs(3_600)).await;
    }
    Ok(response)
}

fn number(query: &str, name: &str) -> usize {
    let member = query.split('&').find_map(|member| member.strip_prefix(name));
    member.unwrap().parse().unwrap()
}

fn response(status: StatusCode, body: Vec<u8>) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert("content-type", "application/json".parse().unwrap());
    response
}

impl Server {
    fn describe(&self, path: &str) -> Option<String> {
        let shrunk = if self.wrong == Wrong::Shrinks && self.proposals > 0 { 10 } else { 0 };
        match path {
            "/api/v1/log" => {
                let info = self.log.info_at(self.log.size() - shrunk);
                Some(serde_json::to_string(&info).unwrap() + "\n")
            }
            "/api/v1/log/publicKey" => Some(self.log.public_key_pem()),
            _ => None,
        }
    }

    fn propose(&mut self, body: &[u8]) -> Response<Full<Bytes>> {
        self.proposals += 1;
        let busy = self.wrong == Wrong::Busy && self.proposals.is_multiple_of(2);
        if busy || self.wrong == Wrong::Refuses {
            let body = br#"{"code":503,"message":"later"}"#;
            let mut later = response(StatusCode::SERVICE_UNAVAILABLE, body.to_vec());
            if self.proposals.is_multiple_of(4) {
                later.headers_mut().insert("Retry-After", HeaderValue::from_static("1"));
            }
            return later;
        }
        let Some(local) = self.log.add(body) else {
            return response(StatusCode::CONFLICT, b"{}".to_vec());
        };
        let entry = self.log.entry(local);
        let id = self.log.id(local);
        if self.wrong == Wrong::Forgets && local % 3 == 2 {
            self.log.forget_last();
        }
        if self.wrong == Wrong::Fork && self.proposals == 30 {
            self.log.rewrite_first();
        }
        self.created(local, &id, entry)
    }

    fn created(&self, local: usize, id: &str, mut entry: Entry) -> Response<Full<Bytes>> {
        self.falsify(local, &mut entry);
        let (mut id, mut etag) = (id.to_owned(), id.to_owned());
        match self.wrong {
            Wrong::OtherEntry if local > 0 => {
                (id, entry) = (self.log.id(local - 1), self.log.entry(local - 1));
                etag.clone_from(&id);
            }
            Wrong::SameIndex => entry.log_index = FIRST_INDEX,
            Wrong::QuotedEtag => etag = format!("\"{id}\""),
            _ => {}
        }
        let mut text = text(&id, &entry);
        if self.wrong == Wrong::Pretty {
            text = String::from_utf8(text).unwrap().replace("\":{", "\": {").into_bytes();
        }
        let mut response = response(StatusCode::CREATED, text);
        let headers = response.headers_mut();
        headers.insert("location", format!("{ENTRIES}/{id}").parse().unwrap());
        headers.insert("etag", etag.parse().unwrap());
        response
    }

    fn falsify(&self, local: usize, entry: &mut Entry) {
        let proof = &mut entry.verification.inclusion_proof;
        match self.wrong {
            Wrong::Set => self.break_set(entry),
            Wrong::Late(index) if index == local => self.break_set(entry),
            Wrong::InclusionHash => {
                proof.hashes.iter_mut().for_each(|hash| *hash = "ab".repeat(32));
            }
            Wrong::CheckpointSignature => proof.checkpoint = altered(&proof.checkpoint, 40),
            Wrong::CheckpointHint => proof.checkpoint = altered(&proof.checkpoint, 0),
            _ => {}
        }
    }

    fn break_set(&self, entry: &mut Entry) {
        let signature = self.log.sign("something else");
        entry.verification.signed_entry_timestamp = STANDARD.encode(signature);
    }

    fn by_index(&self, index: usize) -> Response<Full<Bytes>> {
        let local = index.checked_sub(FIRST_INDEX as usize);
        match local.filter(|&local| local < self.log.size()) {
            Some(local) if self.wrong == Wrong::ReadBack => self.get((local + 1) % self.log.size()),
            Some(local) => self.get(local),
            None => response(StatusCode::NOT_FOUND, Vec::new()),
        }
    }

    fn by_id(&self, id: &str) -> Response<Full<Bytes>> {
        match self.log.local_index_of(id) {
            Some(local) => self.get(local),
            None => response(StatusCode::NOT_FOUND, Vec::new()),
        }
    }

    fn get(&self, local: usize) -> Response<Full<Bytes>> {
        let mut entry = self.log.entry(local);
        self.falsify(local, &mut entry);
        response(StatusCode::OK, text(&self.log.id(local), &entry))
    }

    fn proof(&self, query: &str) -> Response<Full<Bytes>> {
        let (old, new) = (number(query, "firstSize="), number(query, "lastSize="));
        if old > new || new > self.log.size() {
            return response(StatusCode::BAD_REQUEST, Vec::new());
        }
        let mut proof = self.log.consistency(old, new);
        if self.wrong == Wrong::Consistency {
            proof.hashes.reverse();
            proof.hashes.pop();
        }
        response(StatusCode::OK, serde_json::to_vec(&proof).unwrap())
    }
}

/// Flips a bit of the signature line's bytes.
pub(crate) fn altered(checkpoint: &str, at: usize) -> String {
    let (text, line) = checkpoint.trim_end().rsplit_once(' ').unwrap();
    let mut bytes = STANDARD.decode(line).unwrap();
    bytes[at] ^= 1;
    format!("{text} {}\n", STANDARD.encode(bytes))
}
