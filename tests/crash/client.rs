//! A small blocking HTTP client of a Rekor v1 log.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use tlog::{Checkpoint, InclusionProof, LogIndex, NodeHash, Note, TreeSize, hash_leaf};

/// An entry as the log answered it.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) index: u64,
    pub(crate) integrated_time: i64,
    pub(crate) body: Vec<u8>,
    pub(crate) proof: InclusionProof,
    pub(crate) checkpoint: String,
}

impl Entry {
    fn parse(answer: &Value) -> Self {
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

    /// That the entry's checkpoint covers it.
    pub(crate) fn verify_inclusion(&self) {
        let note = Note::parse(&self.checkpoint).unwrap();
        let head = Checkpoint::parse_text(&note.text).unwrap().head;
        assert_eq!(head.size, self.proof.size);
        self.proof.verify(&hash_leaf(&self.body), &head.root).unwrap();
    }
}

fn hashes(list: &Value) -> Vec<NodeHash> {
    let list = list.as_array().unwrap().iter();
    list.map(|hash| NodeHash::from_hex(hash.as_str().unwrap()).unwrap()).collect()
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

    /// Creates an entry; `None` unless the whole 201 came back.
    pub(crate) fn create(&mut self, proposal: &str) -> Option<Entry> {
        let (status, body) = self.send("POST", "/api/v1/log/entries", proposal)?;
        assert_eq!(status, 201, "{}", String::from_utf8_lossy(&body));
        Some(Entry::parse(&serde_json::from_slice(&body).unwrap()))
    }

    pub(crate) fn get(&mut self, index: u64) -> Option<Entry> {
        let path = format!("/api/v1/log/entries?logIndex={index}");
        let (status, body) = self.send("GET", &path, "").unwrap();
        (status == 200).then(|| Entry::parse(&serde_json::from_slice(&body).unwrap()))
    }

    pub(crate) fn newest_checkpoint(&mut self) -> String {
        let answer = self.get_json("/api/v1/log");
        answer["signedTreeHead"].as_str().unwrap().into()
    }

    pub(crate) fn consistency(&mut self, first: u64, last: u64) -> Vec<NodeHash> {
        let path = format!("/api/v1/log/proof?firstSize={first}&lastSize={last}");
        hashes(&self.get_json(&path)["hashes"])
    }

    pub(crate) fn public_key(&mut self) -> Vec<u8> {
        let (status, pem) = self.send("GET", "/api/v1/log/publicKey", "").unwrap();
        assert_eq!(status, 200);
        cairn::publisher::signer::public_key_der(&pem).unwrap()
    }

    fn get_json(&mut self, path: &str) -> Value {
        let (status, body) = self.send("GET", path, "").unwrap();
        assert_eq!(status, 200, "{}", String::from_utf8_lossy(&body));
        serde_json::from_slice(&body).unwrap()
    }

    fn send(&mut self, method: &str, path: &str, body: &str) -> Option<(u16, Vec<u8>)> {
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
