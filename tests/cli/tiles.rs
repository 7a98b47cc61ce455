//! Logs as C2SP tiles, read by somebody who knows nothing else: paths, widths, caches, and whole
//! trees rebuilt while writes go on.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rs_merkle::{Hasher, MerkleTree};
use serde_json::Value;

use crate::run::Server;
use crate::support::Proposals;

/// An answer: status, headers by lower-case name, body.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

fn answer(response: ureq::http::Response<ureq::Body>) -> Answer {
    let header = |(name, value): (&ureq::http::HeaderName, &ureq::http::HeaderValue)| {
        (name.as_str().to_owned(), value.to_str().unwrap().to_owned())
    };
    let headers = response.headers().iter().map(header).collect();
    let status = response.status().as_u16();
    let mut body = Vec::new();
    response.into_body().into_reader().read_to_end(&mut body).unwrap();
    Answer { status, headers, body }
}

pub(crate) fn get(url: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request = cairn::web_client::agent(Duration::from_secs(20)).get(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    answer(request.call().unwrap())
}

pub(crate) fn post(url: &str, headers: &[(&str, &str)], body: &str) -> Answer {
    let agent = cairn::web_client::agent(Duration::from_secs(20));
    let mut request = agent.post(url).header("content-type", "application/json");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    answer(request.send(body).unwrap())
}

/// What `GET /logs` says of the log of a name.
pub(crate) fn listed(base: &str, name: &str) -> Value {
    let list = get(&format!("{base}/logs"), &[]).json();
    let logs = list["logs"].as_array().unwrap().clone();
    logs.into_iter().find(|log| log["name"] == name).unwrap_or_else(|| panic!("{name}: {list}"))
}

#[derive(Clone)]
pub(crate) struct Rfc6962;

impl Hasher for Rfc6962 {
    type Hash = [u8; 32];

    fn hash(data: &[u8]) -> [u8; 32] {
        digest(&SHA256, data).as_ref().try_into().unwrap()
    }

    fn concat_and_hash(left: &[u8; 32], right: Option<&[u8; 32]>) -> [u8; 32] {
        match right {
            Some(right) => Self::hash(&[&[1], left.as_slice(), right].concat()),
            None => *left,
        }
    }
}

/// `x001/x234/067` and so on, by hand.
pub(crate) fn index_path(index: u64) -> String {
    let mut path = format!("{:03}", index % 1000);
    let mut rest = index / 1000;
    while rest > 0 {
        path = format!("x{:03}/{path}", rest % 1000);
        rest /= 1000;
    }
    path
}

/// Reads a whole log; gives its size. Panics unless bundles, tiles and checkpoint agree.
fn rebuild(url: &str) -> u64 {
    let note = get(&format!("{url}/checkpoint"), &[]).text();
    let mut lines = note.lines().skip(1);
    let size: u64 = lines.next().unwrap().parse().unwrap();
    let root = STANDARD.decode(lines.next().unwrap()).unwrap();
    let mut leaves = Vec::new();
    for index in 0..size.div_ceil(256) {
        let width = (size - index * 256).min(256);
        let mut path = index_path(index);
        if width < 256 {
            path.push_str(&format!(".p/{width}"));
        }
        let bundle = get(&format!("{url}/tile/entries/{path}"), &[]);
        let tile = get(&format!("{url}/tile/0/{path}"), &[]);
        assert_eq!((bundle.status, tile.status), (200, 200), "{path}");
        let (mut bytes, first) = (bundle.body.as_slice(), leaves.len());
        while let [high, low, rest @ ..] = bytes {
            let (entry, rest) = rest.split_at(usize::from(u16::from_be_bytes([*high, *low])));
            leaves.push(Rfc6962::hash(&[&[0], entry].concat()));
            bytes = rest;
        }
        assert_eq!(tile.body, leaves[first..].concat(), "hashes and entries of {path}");
    }
    assert_eq!(leaves.len() as u64, size);
    if size > 0 {
        let tree = MerkleTree::<Rfc6962>::from_leaves(&leaves);
        assert_eq!(tree.root().unwrap().as_slice(), root, "{size} entries");
    }
    size
}

#[test]
fn every_log_is_rebuilt_from_its_tiles_while_writes_go_on() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &["--log-level", "error"]).unwrap();
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for path in ["/api/v1/log/entries", "/api/v2/log/entries"] {
            let (url, done) = (format!("{}{path}", server.url), &done);
            scope.spawn(move || {
                let mut proposals = Proposals::new();
                for _ in 0..2000 {
                    let v2 = path.starts_with("/api/v2");
                    let json = if v2 { proposals.next_v2_json() } else { proposals.next_json() };
                    assert_eq!(post(&url, &[], &json).status, 201);
                    if done.load(Ordering::Relaxed) {
                        return;
                    }
                }
            });
        }
        let urls = ["v1", "v2"].map(|name| listed(&server.url, name)["url"].clone());
        let mut sizes = Vec::new();
        while sizes.last().is_none_or(|size| *size < 300) {
            sizes.push(urls.iter().map(|url| rebuild(url.as_str().unwrap())).min().unwrap());
        }
        done.store(true, Ordering::Relaxed);
        assert!(sizes.len() > 1, "the log did not grow under the reader: {sizes:?}");
    });
    assert_eq!(rebuild(&server.url), listed(&server.url, "v2")["tree_size"].as_u64().unwrap());
    rebuild(&format!("{}/api/v2", server.url));
}

#[test]
fn what_is_there_and_what_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]).unwrap();
    let url = |path: &str| format!("{}{path}", server.url);
    let mut proposals = Proposals::new();
    for _ in 0..3 {
        assert_eq!(post(&url("/api/v2/log/entries"), &[], &proposals.next_v2_json()).status, 201);
    }
    for (path, length) in
        [("/tile/0/000.p/1", 32), ("/tile/0/000.p/3", 96), ("/api/v2/tile/0/000.p/2", 64)]
    {
        let tile = get(&url(path), &[]);
        assert_eq!((tile.status, tile.body.len()), (200, length), "{path}");
        assert_eq!(tile.headers["cache-control"], "max-age=31536000, immutable");
        assert_eq!(tile.headers["content-type"], "application/octet-stream");
        assert_eq!(tile.headers["access-control-allow-origin"], "*");
        let etag = tile.headers["etag"].clone();
        assert_eq!(get(&url(path), &[("if-none-match", &etag)]).status, 304);
    }
    for path in [
        "/tile/0/000",
        "/tile/0/000.p/4",
        "/tile/0/001.p/1",
        "/tile/1/000.p/1",
        "/tile/0/000.p/0",
        "/tile/0/0",
        "/tile/00/000",
        "/tile/0/x000/000",
        "/tile/entries/000.p/4",
        "/tile/entries/000",
        "/logs/00/checkpoint",
        "/logs/v2",
        "/tile/0/000.p/256",
        "/tile/../checkpoint",
    ] {
        let missing = get(&url(path), &[]);
        assert_eq!(missing.status, 404, "{path} {}", missing.text());
        assert!(!missing.headers.contains_key("cache-control"), "{path}");
    }
    let plain = get(&url("/tile/entries/000.p/3"), &[]);
    assert!(!plain.headers.contains_key("content-encoding"));
    let zipped = get(&url("/tile/entries/000.p/3"), &[("accept-encoding", "gzip")]);
    assert_eq!(zipped.headers["content-encoding"], "gzip");
    assert_ne!(zipped.headers["etag"], plain.headers["etag"]);
    let mut unzipped = Vec::new();
    flate2::read::GzDecoder::new(zipped.body.as_slice()).read_to_end(&mut unzipped).unwrap();
    assert_eq!(unzipped, plain.body);
    assert!(zipped.body.len() < plain.body.len());

    let checkpoint = get(&url("/checkpoint"), &[]);
    assert_eq!(checkpoint.headers["cache-control"], "no-cache");
    assert_eq!(checkpoint.headers["content-type"], "text/plain; charset=utf-8");
    let modified = checkpoint.headers["last-modified"].clone();
    assert_eq!(get(&url("/checkpoint"), &[("if-modified-since", &modified)]).status, 304);
    let agent = cairn::web_client::agent(Duration::from_secs(20));
    let head = answer(agent.head(url("/checkpoint")).call().unwrap());
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.headers["content-length"], checkpoint.body.len().to_string());
    assert_eq!(post(&url("/checkpoint"), &[], "x").status, 405);
}
