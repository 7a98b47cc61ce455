//! What one client can do to the process: memory that its requests take, files that its connections
//! take.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use crate::run::Server;
use crate::support::Proposals;

pub(crate) fn connect(server: &Server) -> TcpStream {
    TcpStream::connect(server.url.trim_start_matches("http://")).unwrap()
}

/// Sends a proposal on a connection; the whole answer.
pub(crate) fn post(stream: &mut TcpStream, proposal: &str) -> String {
    let head = format!(
        "POST /api/v1/log/entries HTTP/1.1\r\nHost: log\r\nContent-Type: application/json\r\n\
         Connection: close\r\nContent-Length: {}\r\n\r\n",
        proposal.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(proposal.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn a_statement_of_many_small_values_takes_no_more_memory_than_its_text_allows() {
    const MEMORY_MAX_KIB: u64 = 400 << 10;
    let folder = tempfile::tempdir().unwrap();
    let server = Server::start(folder.path(), &[]).unwrap();
    let statement = format!(r#"{{"subject":[{}{{}}]}}"#, r#"{"a":0},"#.repeat(1_500_000));
    let kind = "application/vnd.in-toto+json";
    let proposal = Proposals::new().dsse_of(statement.as_bytes(), kind);
    let answer = post(&mut connect(&server), &proposal);
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer:.200}");
    let peak = server.memory_peak();
    assert!(peak < MEMORY_MAX_KIB, "{} MiB of JSON took {peak} KiB", statement.len() >> 20);
}

#[test]
fn connections_never_take_the_files_that_the_log_needs() {
    let folder = tempfile::tempdir().unwrap();
    // A publication opens the guard's file, so that one entry is enough to see whether any is left.
    let guard = folder.path().join("guard");
    let guard = ["--head-guard", guard.to_str().unwrap()];
    let server = Server::start_under("ulimit -n 400;", &folder.path().join("log"), &guard).unwrap();
    let idle: Vec<_> = (0..500).map(|_| connect(&server)).collect();
    // Refusals are over after one, and whoever has been idle for one makes room.
    std::thread::sleep(std::time::Duration::from_secs(2));
    let answer = post(&mut connect(&server), &Proposals::new().next_json());
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer:.200}");
    drop(idle);
}
