//! §1.1, invariant 7: slow, large and many clients; stopping.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::sleep;

use crate::fixture::{Answer, ENTRIES, TestLog, read_answer};
use crate::support::Proposals;

const PING: &[u8] = b"GET /ping HTTP/1.1\r\nHost: log\r\n\r\n";
const SOON: Duration = Duration::from_millis(300);
const CHUNKED: &str = "POST /api/v1/log/entries HTTP/1.1\r\nHost: log\r\n\
                       Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";

#[tokio::test]
async fn a_header_that_dribbles_is_cut_off() {
    let log = TestLog::with(|settings| settings.limits.header_read_max = SOON).await;
    let mut stream = log.connect().await;
    let started = Instant::now();
    stream.write_all(b"GET /api/v1/log HTTP/1.1\r\n").await.unwrap();
    while stream.write_all(b"X").await.is_ok() && started.elapsed() < Duration::from_secs(5) {
        sleep(Duration::from_millis(20)).await;
    }
    assert!((SOON..Duration::from_secs(3)).contains(&started.elapsed()), "{:?}", started.elapsed());
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let log = TestLog::with(|settings| settings.limits.header_read_max = SOON).await;
    let mut stream = log.connect().await;
    stream.write_all(b"GET /ping HTTP/1.1\r\nHost: log\r\n\r\n").await.unwrap();
    let started = Instant::now();
    let answer = read_answer(&mut stream).await.unwrap(); // up to the end of the connection
    assert_eq!((answer.status, answer.body.as_str()), (200, "."));
    assert!(started.elapsed() >= SOON / 2);
}

#[tokio::test]
async fn a_body_that_dribbles_is_told_so() {
    let log = TestLog::with(|settings| settings.limits.body_read_max = SOON).await;
    for head in
        [CHUNKED.to_owned(), CHUNKED.replace("Transfer-Encoding: chunked", "Content-Length: 99")]
    {
        let mut stream = log.connect().await;
        stream.write_all(head.as_bytes()).await.unwrap();
        let answer = read_first(&mut stream).await;
        answer.is_router_error(408, 408, "the request body came too slowly");
        assert_eq!(answer.header("Connection"), Some("close"));
    }
}

/// The answer of a connection that stays open: head and body come in one piece here.
async fn read_first(stream: &mut tokio::net::TcpStream) -> Answer {
    let mut bytes = vec![0; 4096];
    let read = tokio::time::timeout(Duration::from_secs(5), stream.read(&mut bytes)).await;
    bytes.truncate(read.unwrap().unwrap());
    Answer::parse(&String::from_utf8(bytes).unwrap())
}

#[tokio::test]
async fn large_bodies() {
    let log = TestLog::with(|settings| settings.max_request_body_bytes = 1000).await;
    let text = "Request Entity Too Large. Limit set to 1000";
    for path in [ENTRIES, "/api/v1/log/entries/retrieve", "/api/v1/index/retrieve", "/unknown"] {
        let answer = log.post(path, &" ".repeat(1001)).await;
        answer.is_router_error(413, 413, text);
        assert_eq!(answer.header("Connection"), Some("close"));
    }
    let answer = log.post(ENTRIES, &" ".repeat(1000)).await;
    assert_eq!(answer.status, 422);
    // Refused before a byte of it is there.
    let mut stream = log.connect().await;
    let head = CHUNKED.replace("Transfer-Encoding: chunked", "Content-Length: 99999999");
    stream.write_all(head.as_bytes()).await.unwrap();
    read_first(&mut stream).await.is_router_error(413, 413, text);
    // Without a declared length it shows while it comes.
    let chunks = format!("1f4\r\n{}\r\n", " ".repeat(500)).repeat(3);
    let answer = log.raw(format!("{CHUNKED}{chunks}0\r\n\r\n").as_bytes()).await;
    answer.is_router_error(413, 413, text);
}

#[tokio::test]
async fn a_client_that_writes_all_before_it_reads_learns_that_it_is_too_much() {
    let log = TestLog::start().await;
    let answer = log.post(ENTRIES, &" ".repeat((32 << 20) + 1)).await;
    answer.is_router_error(413, 413, "Request Entity Too Large. Limit set to 33554432");
    // Nor does any other early answer get lost.
    let answer =
        log.send("POST", ENTRIES, &["Content-Type: text/plain"], &vec![b' '; 8 << 20]).await;
    assert_eq!(answer.status, 415);
}

#[tokio::test]
async fn memory_for_bodies_is_shared() {
    let log = TestLog::with(|settings| {
        settings.max_request_body_bytes = 64 << 10;
        settings.limits.bodies_bytes_max = 64 << 10;
    })
    .await;
    let mut holder = log.connect().await;
    let head = CHUNKED.replace("Transfer-Encoding: chunked", "Content-Length: 65536");
    holder.write_all(head.as_bytes()).await.unwrap();
    holder.write_all(&[b' '; 60 << 10]).await.unwrap();
    let proposal = format!("{}{}", Proposals::new().next_json(), " ".repeat(8 << 10));
    let started = Instant::now();
    let busy = loop {
        let answer = log.post(ENTRIES, &proposal).await;
        if answer.status == 503 {
            break answer;
        }
        assert!(started.elapsed() < Duration::from_secs(5), "{answer:?}");
    };
    assert_eq!(busy.header("Retry-After"), Some("1"));
    drop(holder);
    while log.post(ENTRIES, &proposal).await.status == 503 {
        assert!(started.elapsed() < Duration::from_secs(5));
    }
}

#[tokio::test]
async fn bodies_that_break_off() {
    let log = TestLog::start().await;
    let answer = log.raw(format!("{CHUNKED}zz\r\n").as_bytes()).await;
    answer.is_router_error(400, 400, "the request body is incomplete");
    let mut stream = log.connect().await;
    stream.write_all(format!("{CHUNKED}5\r\n{{").as_bytes()).await.unwrap();
    drop(stream);
    assert_eq!(log.get("/ping").await.status, 200);
}

#[tokio::test]
async fn headers_that_are_too_large_or_wrong() {
    let log = TestLog::start().await;
    let large = format!("X-Large: {}", "x".repeat(60_000));
    assert_eq!(log.send("GET", "/ping", &[&large], b"").await.status, 200);
    let mut stream = log.connect().await;
    let head =
        format!("GET /ping HTTP/1.1\r\nHost: log\r\nX-Large: {}\r\n\r\n", "x".repeat(1_200_000));
    let _refused_half_way = stream.write_all(head.as_bytes()).await;
    let mut bytes = Vec::new();
    let _reset = stream.read_to_end(&mut bytes).await;
    let text = String::from_utf8(bytes).unwrap();
    assert!(text.is_empty() || text.starts_with("HTTP/1.1 431"), "{text}");
    assert_eq!(log.raw(b"nonsense\r\n\r\n").await.status, 400);
    assert_eq!(log.get("/ping").await.status, 200);
}

#[tokio::test]
async fn too_many_connections() {
    let log = TestLog::with(|settings| settings.limits.connections_max = 2).await;
    let mut open = Vec::new();
    let head = CHUNKED.replace("Transfer", "Expect: 100-continue\r\nTransfer");
    for _ in 0..2 {
        let mut stream = log.connect().await;
        stream.write_all(head.as_bytes()).await.unwrap();
        assert_eq!(read_first(&mut stream).await.status, 100, "it is being served");
        open.push(stream);
    }
    let refused = log.raw(PING).await;
    refused.is_error(503, "too many connections; retry later");
    assert_eq!(refused.header("Retry-After"), Some("1"));
    open.pop();
    let started = Instant::now();
    while log.get("/ping").await.status == 503 {
        assert!(started.elapsed() < Duration::from_secs(5));
    }
}

#[tokio::test]
async fn idle_connections_make_room() {
    let log = TestLog::with(|settings| settings.limits.connections_max = 2).await;
    let mut silent = log.connect().await;
    let mut asked = log.connect().await;
    sleep(Duration::from_millis(1100)).await;
    asked.write_all(PING).await.unwrap();
    assert_eq!(read_first(&mut asked).await.status, 200);
    let mut new = log.connect().await;
    new.write_all(PING).await.unwrap();
    assert_eq!(read_first(&mut new).await.status, 200);
    assert_eq!(silent.read(&mut [0; 1]).await.unwrap(), 0, "it has been idle longest");
    for stream in [&mut asked, &mut new] {
        stream.write_all(PING).await.unwrap();
        assert_eq!(read_first(stream).await.status, 200);
    }
}

/// Writers beyond the room are turned away before their entry is looked at, and reads go on.
#[tokio::test(flavor = "multi_thread")]
async fn more_entries_than_there_is_room_for() {
    let log = Arc::new(TestLog::with_room(2).await);
    let mut proposals = Proposals::new();
    let held = log.store.hold_commits().await;
    let post = |json: String| {
        let log = log.clone();
        tokio::spawn(async move { log.post(ENTRIES, &json).await })
    };
    let waiting = [post(proposals.next_json()), post(proposals.next_json())];
    let started = Instant::now();
    let refused = loop {
        let asked = Instant::now();
        let answer = log.post(ENTRIES, "no entry").await;
        assert!(asked.elapsed() < Duration::from_secs(2), "it does not wait for the commit");
        if answer.status != 400 {
            break answer;
        }
        assert!(started.elapsed() < Duration::from_secs(5), "there is always room");
    };
    refused.is_error(503, "too many entries are waiting to be logged; retry later");
    assert_eq!(refused.header("Retry-After"), Some("1"));
    assert_eq!(log.get("/api/v1/log").await.status, 200);
    drop(held);
    for writer in waiting {
        assert_eq!(writer.await.unwrap().status, 201);
    }
    assert_eq!(log.post(ENTRIES, "no entry").await.status, 400);
    assert_eq!(log.post(ENTRIES, &proposals.next_json()).await.status, 201);
}

#[tokio::test]
async fn one_connection_serves_many_requests() {
    let log = TestLog::start().await;
    let mut stream = log.connect().await;
    for path in ["/ping", "/api/v1/log", "/nothing", "/ping"] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: log\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let status = read_first(&mut stream).await.status;
        assert_eq!(status, if path == "/nothing" { 404 } else { 200 });
    }
    // Pipelined, an unread body between them.
    let post = "POST /nothing HTTP/1.1\r\nHost: log\r\nContent-Length: 3\r\n\r\nabc";
    let ping = "GET /ping HTTP/1.1\r\nHost: log\r\nConnection: close\r\n\r\n";
    stream.write_all(format!("{post}{ping}").as_bytes()).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    assert!(text.starts_with("HTTP/1.1 404") && text.ends_with("\r\n\r\n."), "{text}");
}

#[tokio::test]
async fn running_requests_are_answered_before_the_server_stops() {
    let mut log = TestLog::start().await;
    let mut idle = log.connect().await;
    idle.write_all(b"GET /ping HTTP/1.1\r\nHost: log\r\n\r\n").await.unwrap();
    assert_eq!(read_first(&mut idle).await.status, 200);

    let held = log.store.hold_commits().await;
    let proposal = Proposals::new().next_json();
    let mut running = log.connect().await;
    let head = CHUNKED
        .replace("Transfer-Encoding: chunked", &format!("Content-Length: {}", proposal.len()));
    running.write_all(format!("{head}{proposal}").as_bytes()).await.unwrap();
    sleep(Duration::from_millis(100)).await;
    log.stop();
    let mut nothing = [0; 1];
    assert_eq!(idle.read(&mut nothing).await.unwrap(), 0, "an idle connection is closed at once");
    drop(held);
    let answer = read_answer(&mut running).await.unwrap();
    assert_eq!(answer.status, 201, "{answer:?}");
    log.stopped().await;
}

#[tokio::test]
async fn json_that_is_small_as_text_and_large_in_memory() {
    let log = TestLog::start().await;
    let list = format!("{{\"logIndexes\":[{}0]}}", "0,".repeat(4 << 20));
    let answer = log.post("/api/v1/log/entries/retrieve", &list).await;
    answer.is_router_error(400, 400, "the JSON has too many values");
    let deep = format!(r#"{{"kind":"rekord","apiVersion":"0.0.1","spec":{}"#, "[".repeat(100_000));
    let answer = log.post(ENTRIES, &deep).await;
    assert_eq!(answer.status, 400, "{answer:?}");
    assert_eq!(log.get("/ping").await.status, 200);
}

#[tokio::test]
async fn clients_that_wait_for_a_go_ahead() {
    let log = TestLog::with(|settings| settings.max_request_body_bytes = 1000).await;
    let head = |length: usize| {
        let length = format!("Expect: 100-continue\r\nContent-Length: {length}");
        CHUNKED.replace("Transfer-Encoding: chunked", &length)
    };
    let mut stream = log.connect().await;
    stream.write_all(head(2).as_bytes()).await.unwrap();
    assert_eq!(read_first(&mut stream).await.status, 100);
    stream.write_all(b"{}").await.unwrap();
    assert_eq!(read_first(&mut stream).await.status, 422);

    let started = Instant::now();
    let answer = log.raw(head(1001).as_bytes()).await; // up to the end of the connection
    assert_eq!(answer.status, 413);
    assert!(started.elapsed() < Duration::from_secs(3), "nobody waits for the body");
}
