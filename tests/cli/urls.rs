//! Nothing that an entry says makes the server open a connection. Rekor once fetched what the `url`
//! members of entries named; they are ignored, wherever they stand.

use std::collections::HashSet;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use serde_json::{Value, json};

use crate::hostile::{connect, post};
use crate::run::Server;
use crate::support::Proposals;

/// Kinds, and where entries of them had a `url` in some version of Rekor's schemas, or could have.
const PLACES: &[(&str, &[&str])] = &[
    ("alpine", &["/package", "/publicKey", ""]),
    ("cose", &["/data", ""]),
    ("dsse", &["/proposedContent", ""]),
    ("hashedrekord", &["/data", "/signature", "/signature/publicKey"]),
    ("helm", &["/chart", "/chart/provenance", "/publicKey"]),
    ("intoto", &["/content", "/content/envelope", ""]),
    ("jar", &["/archive", "/signature", "/signature/publicKey"]),
    ("rekord", &["/data", "/signature", "/signature/publicKey"]),
    ("rfc3161", &["/tsr"]),
    ("rpm", &["/package", "/publicKey", ""]),
    ("tuf", &["/metadata", "/root"]),
];

/// A proposal in which nothing but a URL stands, at every place.
fn only_urls(kind: &str, places: &[&str], url: &str) -> Value {
    let mut spec = json!({});
    for place in places {
        let mut here = &mut spec;
        for name in place.split('/').filter(|name| !name.is_empty()) {
            here = &mut here[name];
        }
        here["url"] = url.into();
    }
    json!({"kind": kind, "apiVersion": "0.0.1", "spec": spec})
}

/// Sockets of a process that are neither its own listeners nor what these have accepted, as far as
/// the system tells: `local remote` in hexadecimal.
fn outgoing(process: u32, own_port: u16) -> HashSet<String> {
    let links = fs::read_dir(format!("/proc/{process}/fd")).unwrap();
    let inodes: HashSet<String> = links
        .filter_map(|link| fs::read_link(link.ok()?.path()).ok())
        .filter_map(|link| {
            Some(link.to_str()?.strip_prefix("socket:[")?.trim_end_matches(']').to_owned())
        })
        .collect();
    let own = format!(":{own_port:04X}");
    let mut found = HashSet::new();
    for table in ["tcp", "tcp6", "udp", "udp6"] {
        let table = fs::read_to_string(format!("/proc/{process}/net/{table}")).unwrap_or_default();
        for line in table.lines().skip(1) {
            let fields: Vec<_> = line.split_whitespace().collect();
            if inodes.contains(fields[9]) && !fields[1].ends_with(&own) {
                found.insert(format!("{} {}", fields[1], fields[2]));
            }
        }
    }
    found
}

/// Ends the two threads, also when a check fails.
struct Over<'a>(&'a AtomicBool, u16);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
        let _woken = TcpStream::connect(("127.0.0.1", self.1));
    }
}

#[test]
fn no_url_in_an_entry_is_followed() {
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]).unwrap();
    let own_port: u16 = server.url.rsplit(':').next().unwrap().parse().unwrap();
    // Whoever connects gets no answer, so that the connection stays to be seen.
    let bait = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = bait.local_addr().unwrap().port();
    let (bitten, over) = (&AtomicUsize::new(0), &AtomicBool::new(false));
    let seen = thread::scope(|scope| {
        scope.spawn(|| {
            let mut held = Vec::new();
            for stream in bait.incoming() {
                if over.load(Ordering::SeqCst) {
                    break;
                }
                held.push(stream);
                bitten.fetch_add(1, Ordering::SeqCst);
            }
        });
        let watch = scope.spawn(|| {
            let mut seen = HashSet::new();
            while !over.load(Ordering::SeqCst) {
                seen.extend(outgoing(server.process_id(), own_port));
            }
            seen
        });
        let ending = Over(over, port);
        let schemes = ["http://127.0.0.1", "https://127.0.0.1", "http://localhost", "ftp://[::1]"];
        for scheme in schemes {
            propose_all(&server, &format!("{scheme}:{port}/entry"));
        }
        assert_eq!(bitten.load(Ordering::SeqCst), 0, "the server has followed a URL");
        // The bait can be taken, and its taker be seen.
        let taker = TcpStream::connect(("127.0.0.1", port)).unwrap();
        while bitten.load(Ordering::SeqCst) == 0 {
            thread::yield_now();
        }
        let own = outgoing(std::process::id(), port);
        assert!(own.iter().any(|socket| socket.ends_with(&format!(":{port:04X}"))), "{own:?}");
        drop((taker, ending));
        watch.join().unwrap()
    });
    assert!(seen.is_empty(), "the server has opened sockets: {seen:?}");
}

fn propose_all(server: &Server, url: &str) {
    for (kind, places) in PLACES {
        let answer = post(&mut connect(server), &only_urls(kind, places, url).to_string());
        assert!(answer.starts_with("HTTP/1.1 400"), "{kind}: {answer:.300}");
    }
    let mut proposals = Proposals::new();
    for proposal in [proposals.next_json(), proposals.rekord_json(url.as_bytes())] {
        let mut with_urls: Value = serde_json::from_str(&proposal).unwrap();
        for place in ["/spec/data", "/spec/signature", "/spec/signature/publicKey"] {
            with_urls.pointer_mut(place).unwrap()["url"] = url.into();
        }
        let created = post(&mut connect(server), &with_urls.to_string());
        assert!(created.starts_with("HTTP/1.1 201"), "{created:.300}");
        let again = post(&mut connect(server), &proposal);
        assert!(again.starts_with("HTTP/1.1 409"), "the same entry without them: {again:.300}");
    }
}
