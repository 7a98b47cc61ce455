//! A small blocking HTTP client of logs: Rekor v1, Rekor v2 and tiles.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tlog::{
    Checkpoint, InclusionProof, LogIndex, NodeHash, Note, TilePath, TreeSize, decode_bundle,
    hash_leaf,
};

/// An entry as its log answered it.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) index: u64,
    /// 0 in v2, which knows no time.
    pub(crate) integrated_time: i64,
    pub(crate) body: Vec<u8>,
    pub(crate) proof: InclusionProof,
    pub(crate) checkpoint: String,
}

impl Entry {
    pub(crate) fn parse_v1(answer: &Value) -> Self {
        let (_, entry) = answer.as_object().unwrap().iter().next().unwrap();
        let proof = &entry["verification"]["inclusionProof"];
        Self {
            index: entry["logIndex"].as_u64().unwrap(),
            integrated_time: entry["integratedTime"].as_i64().unwrap(),
            body: STANDARD.decode(entry["body"].as_str().unwrap()).unwrap(),
            proof: InclusionProof {
                index: LogIndex(proof["logIndex"].as_u64().unwrap()),
                size: TreeSize(proof["treeSize"].as_u64().unwrap()),
                hashes: hashes(&proof["hashes"]),
            },
            checkpoint: proof["checkpoint"].as_str().unwrap().into(),
        }
    }

    fn parse_v2(entry: &Value) -> Self {
        let number = |value: &Value| value.as_str().unwrap().parse().unwrap();
        let bytes = |value: &Value| STANDARD.decode(value.as_str().unwrap()).unwrap();
        let proof = &entry["inclusionProof"];
        let hash = |hash: &Value| NodeHash::from_bytes(bytes(hash).try_into().unwrap());
        Self {
            index: number(&entry["logIndex"]),
            integrated_time: 0,
            body: bytes(&entry["canonicalizedBody"]),
            proof: InclusionProof {
                index: LogIndex(number(&proof["logIndex"])),
                size: TreeSize(number(&proof["treeSize"])),
                hashes: proof["hashes"].as_array().unwrap().iter().map(hash).collect(),
            },
            checkpoint: proof["checkpoint"]["envelope"].as_str().unwrap().into(),
        }
    }

    /// That the entry's checkpoint covers it.
    pub(crate) fn verify_inclusion(&self) {
        let note = Note::parse(&self.checkpoint).unwrap();
        let head = Checkpoint::parse_text(&note.text).unwrap().head;
        assert_eq!((head.size, LogIndex(self.index)), (self.proof.size, self.proof.index));
        self.proof.verify(&hash_leaf(&self.body), &head.root).unwrap();
    }
}

pub(crate) fn hashes(list: &Value) -> Vec<NodeHash> {
    let list = list.as_array().unwrap().iter();
    list.map(|hash| NodeHash::from_hex(hash.as_str().unwrap()).unwrap()).collect()
}

/// What a log that may be in trouble says to a proposal.
#[allow(dead_code, reason = "a module of several programs")]
#[derive(Debug)]
pub(crate) enum Answer {
    Created(Box<Entry>),
    Known,
    /// Not now: the status, and why.
    Refused(u16, String),
}

/// One keep-alive connection. A server that dies under it gives `None`, never a panic.
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Option<Self> {
        let stream = TcpStream::connect(address).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.set_nodelay(true).unwrap();
        Some(Self { stream: BufReader::new(stream) })
    }

    /// Creates an entry over v1; `None` unless the whole 201 came back.
    pub(crate) fn create_v1(&mut self, proposal: &str) -> Option<Entry> {
        Some(Entry::parse_v1(&self.create("/api/v1/log/entries", proposal)?))
    }

    /// The same over v2.
    pub(crate) fn create_v2(&mut self, request: &str) -> Option<Entry> {
        Some(Entry::parse_v2(&self.create("/api/v2/log/entries", request)?))
    }

    /// Sends a proposal to a log that may be in trouble; `None` from a server that dies.
    #[allow(dead_code, reason = "a module of several programs")]
    pub(crate) fn propose(&mut self, log: &str, proposal: &str) -> Option<Answer> {
        let (status, body) = self.send("POST", &format!("/api/{log}/log/entries"), proposal)?;
        let entry = || serde_json::from_slice(&body).unwrap();
        Some(match (status, log) {
            (201, "v1") => Answer::Created(Box::new(Entry::parse_v1(&entry()))),
            (201, _) => Answer::Created(Box::new(Entry::parse_v2(&entry()))),
            (409, _) => Answer::Known,
            (429 | 500..=599, _) => {
                Answer::Refused(status, String::from_utf8_lossy(&body).into_owned())
            }
            _ => panic!("{status}: {}", String::from_utf8_lossy(&body)),
        })
    }

    fn create(&mut self, path: &str, body: &str) -> Option<Value> {
        let (status, body) = self.send("POST", path, body)?;
        assert_eq!(status, 201, "{}", String::from_utf8_lossy(&body));
        Some(serde_json::from_slice(&body).unwrap())
    }

    /// Status and body of whatever is answered.
    #[allow(dead_code, reason = "a module of several programs")]
    pub(crate) fn get(&mut self, path: &str) -> (u16, Vec<u8>) {
        self.send("GET", path, "").unwrap()
    }

    pub(crate) fn get_v1(&mut self, index: u64) -> Option<Entry> {
        let path = format!("/api/v1/log/entries?logIndex={index}");
        let (status, body) = self.send("GET", &path, "").unwrap();
        (status == 200).then(|| Entry::parse_v1(&serde_json::from_slice(&body).unwrap()))
    }

    pub(crate) fn consistency_v1(&mut self, first: u64, last: u64) -> Vec<NodeHash> {
        let path = format!("/api/v1/log/proof?firstSize={first}&lastSize={last}");
        hashes(&self.get_json(&path)["hashes"])
    }

    /// The checkpoint beside a log's tiles; `None` from a server that dies.
    pub(crate) fn checkpoint(&mut self, log: &str) -> Option<String> {
        self.text(&format!("/logs/{log}/checkpoint"))
    }

    /// A text; `None` from a server that dies.
    pub(crate) fn text(&mut self, path: &str) -> Option<String> {
        let (status, text) = self.send("GET", path, "")?;
        assert_eq!(status, 200, "{path}");
        Some(String::from_utf8(text).unwrap())
    }

    /// Entries of a log, from a multiple of 256 on, as many as one tile holds.
    pub(crate) fn bundle(&mut self, log: &str, first: u64, size: u64) -> Vec<Vec<u8>> {
        let (index, width) = (first / 256, (size - first).min(256));
        let width = u16::try_from(width).unwrap();
        let path = TilePath::Entries { index, width };
        let (status, bundle) = self.send("GET", &format!("/logs/{log}/{path}"), "").unwrap();
        assert_eq!(status, 200, "{path} of {size} entries");
        let entries = decode_bundle(&bundle).unwrap();
        assert_eq!(entries.len(), usize::from(width));
        entries.into_iter().map(|entry| entry.to_vec()).collect()
    }

    pub(crate) fn get_json(&mut self, path: &str) -> Value {
        let (status, body) = self.send("GET", path, "").unwrap();
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
        serde_json::from_slice(&body).unwrap()
    }

    pub(crate) fn send(&mut self, method: &str, path: &str, body: &str) -> Option<(u16, Vec<u8>)> {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: log\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.stream.get_mut().write_all(request.as_bytes()).ok()?;
        let mut line = String::new();
        self.stream.read_line(&mut line).ok().filter(|n| *n > 0)?;
        let status = line.split(' ').nth(1)?.parse().ok()?;
        let mut length = 0;
        loop {
            line.clear();
            self.stream.read_line(&mut line).ok().filter(|n| *n > 0)?;
            let header = line.trim_end().to_ascii_lowercase();
            if header.is_empty() {
                break;
            }
            if let Some(value) = header.strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).ok()?;
        Some((status, body))
    }
}
