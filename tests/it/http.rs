//! §1: routes, pages, CORS, negotiation, cache headers, disabled operations, metrics.

use std::net::SocketAddr;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::fixture::{Answer, ENTRIES, INDEX, RETRIEVE, TestLog, read_answer};
use crate::support::Proposals;

const JSON_TYPE: &str = "Content-Type: application/json";

#[tokio::test]
async fn pages() {
    let log = TestLog::start().await;
    for (method, path, content_type, start) in [
        ("GET", "/", "text/html", "<!DOCTYPE html>"),
        ("DELETE", "/", "text/html", "<!DOCTYPE html>"),
        ("GET", "/ping", "text/plain", "."),
        ("GET", "/PinG", "text/plain", "."),
        ("HEAD", "/ping", "text/plain", ""),
        ("GET", "/swagger.json", "application/json", "{\n  \"swagger\": \"2.0\""),
        ("GET", "/docs", "text/html; charset=utf-8", "<!DOCTYPE html>"),
        ("GET", "/docs/", "text/html; charset=utf-8", "<!DOCTYPE html>"),
        ("GET", "/livez", "text/plain; charset=utf-8", "ok\n"),
        ("GET", "/readyz?verbose", "text/plain; charset=utf-8", "[+]v1 writing ok\n"),
        ("HEAD", "/healthz", "application/json", ""),
    ] {
        let answer = log.send(method, path, &[], b"").await;
        assert_eq!(answer.status, 200, "{path} {answer:?}");
        assert_eq!(answer.header("Content-Type"), Some(content_type), "{path}");
        assert!(answer.body.starts_with(start), "{path} {answer:?}");
    }
    assert_eq!(log.get("/ping").await.body, ".");
    let not_ping = log.post("/ping", "").await;
    not_ping.is_router_error(404, 404, "path /ping was not found");
}

#[tokio::test]
async fn unknown_paths_and_methods() {
    let log = TestLog::start().await;
    for path in [
        "/x",
        "/api/v1",
        "/api/v1/",
        "/API/v1/log",
        "/api/v1/version",
        "/api/v1/timestamp",
        "/api/v1/log/entries/a/b",
        "/robots.txt",
        "//",
        "/a%20b",
    ] {
        let answer = log.get(path).await;
        answer.is_router_error(404, 404, &format!("path {path} was not found"));
        assert_eq!(answer.header("Vary"), Some("Origin"));
        assert_eq!(answer.header("Cache-Control"), None);
    }
    // The router's style escapes what HTML would take for markup.
    let answer = log.get("/a&b").await;
    assert_eq!(answer.body, r#"{"code":404,"message":"path /a\u0026b was not found"}"#);

    for (method, path, allowed) in [
        ("DELETE", ENTRIES, "GET,POST"),
        ("PUT", RETRIEVE, "GET,POST"),
        ("GET", INDEX, "POST"),
        ("POST", "/api/v1/log", "GET"),
        ("OPTIONS", "/api/v1/log/", "GET"),
        ("BREW", "/api/v1/log/proof", "GET"),
    ] {
        let answer = log.send(method, path, &[], b"").await;
        let text = format!("method {method} is not allowed, but [{allowed}] are");
        answer.is_router_error(405, 405, &text);
        assert_eq!(answer.header("Allow"), Some(allowed));
        assert_eq!(answer.header("Cache-Control"), None);
    }
    let head = log.send("HEAD", "/api/v1/log", &[], b"").await;
    assert_eq!((head.status, head.body.as_str()), (405, ""));
    assert_eq!(head.header("Allow"), Some("GET"));
    assert_eq!(head.header("Content-Type"), Some("application/json"));
    // The path of a POST operation is, to GET, an entry that cannot be.
    assert_eq!(log.get(RETRIEVE).await.json()["code"], 605);
}

#[tokio::test]
async fn paths_are_cleaned() {
    let log = TestLog::start().await;
    for path in [
        "/api/v1/log",
        "/api/v1/log/",
        "//api//v1/log",
        "/x/../api/./v1/log",
        "/api/v1/log?stable=true",
    ] {
        assert_eq!(log.get(path).await.status, 200, "{path}");
    }
    for (path, body) in [(ENTRIES, "{}"), (RETRIEVE, "{}"), (INDEX, "{}")] {
        let with_slash = log.post(&format!("{path}/"), body).await;
        assert_eq!(with_slash.body, log.post(path, body).await.body);
    }
}

#[tokio::test]
async fn cross_origin() {
    let log = TestLog::start().await;
    let origin = "Origin: https://search.example";
    for (method, path, allowed) in [
        ("GET", "/api/v1/log", true),
        ("GET", "/nothing", true),
        ("GET", "/", true),
        ("HEAD", "/ping", true),
        ("DELETE", "/api/v1/log", false),
    ] {
        let answer = log.send(method, path, &[origin], b"").await;
        assert_eq!(answer.header("Vary"), Some("Origin"), "{path}");
        let expected = allowed.then_some("*");
        assert_eq!(answer.header("Access-Control-Allow-Origin"), expected, "{method} {path}");
    }
    assert_eq!(log.get("/api/v1/log").await.header("Access-Control-Allow-Origin"), None);

    let wants =
        ["Access-Control-Request-Method: POST", "Access-Control-Request-Headers: content-type"];
    let answer = log.send("OPTIONS", ENTRIES, &[origin, wants[0], wants[1]], b"").await;
    assert_eq!((answer.status, answer.body.as_str()), (204, ""));
    let vary = "Origin, Access-Control-Request-Method, Access-Control-Request-Headers";
    assert_eq!(answer.header("Vary"), Some(vary));
    assert_eq!(answer.header("Access-Control-Allow-Methods"), Some("POST"));
    assert_eq!(answer.header("Access-Control-Allow-Headers"), Some("content-type"));
    assert_eq!(answer.header("Access-Control-Max-Age"), None);
    let refused = ["Access-Control-Request-Method: DELETE"];
    let answer = log.send("OPTIONS", ENTRIES, &[origin, refused[0]], b"").await;
    assert_eq!(answer.status, 204);
    assert_eq!(answer.header("Access-Control-Allow-Origin"), None);
}

#[tokio::test]
async fn content_types() {
    let log = TestLog::start().await;
    let wrong = |found: &str| {
        format!("unsupported media type \"{found}\", only [application/json] are allowed")
    };
    for (headers, found) in [
        (vec![], "application/octet-stream"),
        (vec!["Content-Type: application/yaml"], "application/yaml"),
        (vec!["Content-Type: text/plain; charset=utf-8"], "text/plain"),
    ] {
        for (method, path) in [("POST", ENTRIES), ("GET", "/api/v1/log")] {
            let answer = log.send(method, path, &headers, b"{}").await;
            answer.is_router_error(415, 415, &wrong(found));
        }
    }
    let answer = log.send("POST", ENTRIES, &["Content-Type: ;;"], b"{}").await;
    let text = "parsing Content-Type header from \";;\" failed, because mime: no media type";
    answer.is_router_error(400, 400, text);
    let answer =
        log.send("POST", ENTRIES, &["Content-Type: Application/JSON;charset=utf-8"], b"{}").await;
    answer.is_router_error(422, 602, "kind in body is required");
    // Without a body its type does not matter, chunked or not.
    let answer = log.send("POST", ENTRIES, &["Content-Type: text/plain"], b"").await;
    answer.is_router_error(422, 602, "proposedEntry in body is required");
    let chunked = "POST /api/v1/log/entries HTTP/1.1\r\nHost: log\r\nConnection: close\r\n\
                   Transfer-Encoding: chunked\r\n\r\n";
    let answer = log.raw(format!("{chunked}0\r\n\r\n").as_bytes()).await;
    answer.is_router_error(422, 602, "proposedEntry in body is required");
    let answer = log.raw(format!("{chunked}2\r\n{{}}\r\n0\r\n\r\n").as_bytes()).await;
    answer.is_router_error(415, 415, &wrong("application/octet-stream"));
}

#[tokio::test]
async fn accepted_types() {
    let log = TestLog::start().await;
    for accept in ["*/*", "application/*", "application/json", "text/html, */*;q=0.1"] {
        let answer = log.send("GET", "/api/v1/log", &[&format!("Accept: {accept}")], b"").await;
        assert_eq!(answer.status, 200, "{accept}");
    }
    let answer = log.send("GET", "/api/v1/log", &["Accept: application/yaml"], b"").await;
    let text = "unsupported media type requested, only [application/json] are available";
    answer.is_router_error(406, 406, text);
    assert_eq!(answer.header("Expires"), Some("Thu, 01 Jan 1970 00:00:00 GMT"));
    // Who sends JSON is taken to understand it.
    let answer = log.send("POST", INDEX, &[JSON_TYPE, "Accept: text/plain"], b"{}").await;
    assert_eq!((answer.status, answer.body.as_str()), (200, "[]\n"));
}

#[tokio::test]
async fn cache_headers() {
    let log = TestLog::start().await;
    for (path, status) in [
        ("/api/v1/log", 200),
        ("/api/v1/log/publicKey", 200),
        ("/api/v1/log/publicKey?treeID=x", 422),
        ("/api/v1/log/proof", 422),
        ("/api/v1/log/entries?logIndex=0", 404),
        ("/api/v1/log/entries/xyz", 422),
    ] {
        let answer = log.get(path).await;
        assert_eq!(answer.status, status, "{path}");
        let never = "no-cache, no-store, no-transform, must-revalidate, private, max-age=0";
        assert_eq!(answer.header("Cache-Control"), Some(never), "{path}");
        assert_eq!(answer.header("Expires"), Some("Thu, 01 Jan 1970 00:00:00 GMT"));
        assert_eq!(answer.header("Pragma"), Some("no-cache"));
        assert_eq!(answer.header("X-Accel-Expires"), Some("0"));
    }
    assert_eq!(log.post(INDEX, "{}").await.header("Cache-Control"), None);
}

#[tokio::test]
async fn disabled_operations() {
    let log = TestLog::with(|settings| settings.enable_only(&["getPublicKey"]).unwrap()).await;
    let id = "0".repeat(64);
    for (method, path, name) in [
        ("POST", ENTRIES, "Create Entry API"),
        ("GET", "/api/v1/log/entries?logIndex=0", "Get Log Entry by Index API"),
        ("GET", &format!("{ENTRIES}/{id}"), "Get Log Entry by UUID API"),
        ("POST", RETRIEVE, "Search Log Query API"),
        ("POST", INDEX, "Search Index API"),
        ("GET", "/api/v1/log/proof?lastSize=1", "Get Log Proof API"),
        ("GET", "/api/v1/log", "Get Log Info API"),
    ] {
        let answer = log.send(method, path, &[], b"").await;
        answer.is_error(501, &format!("{name} not enabled in this Rekor instance"));
        assert_eq!(answer.header("Cache-Control"), None);
    }
    assert_eq!(log.get("/api/v1/log/publicKey").await.status, 200);
}

#[tokio::test]
async fn request_ids_are_not_echoed() {
    let log = TestLog::start().await;
    let answer = log.send("GET", "/api/v1/log", &["X-Request-Id: abc-123"], b"").await;
    assert!(!answer.head.contains("abc-123"));
    assert!(!answer.head.to_lowercase().contains("x-request-id"));
}

#[tokio::test]
async fn every_request_is_counted_once() {
    let log = TestLog::start().await;
    let counts = |line: &str| {
        let text = log.metrics.render();
        let value = text.lines().find_map(|found| found.strip_prefix(line).map(str::to_owned));
        value.map_or(0, |value| value.trim().parse::<u64>().unwrap())
    };
    for n in 1..=3 {
        log.get("/api/v1/log").await;
        assert_eq!(counts(r#"rekor_qps_by_api{code="200",method="GET",path="/api/v1/log"}"#), n);
        assert_eq!(counts(r#"rekor_latency_by_api_count{method="GET",path="/api/v1/log"}"#), n);
    }
    log.get(&format!("{ENTRIES}/{}", "0".repeat(64))).await;
    log.get("/made/up/1").await;
    log.get("/made/up/2").await;
    log.create(&Proposals::new().next_json()).await;
    let by_id = r#"{code="404",method="GET",path="/api/v1/log/entries/{entryUUID}"}"#;
    assert_eq!(counts(&format!("rekor_qps_by_api{by_id}")), 1);
    assert_eq!(counts(r#"rekor_qps_by_api{code="404",method="GET",path="unknown"}"#), 2);
    assert_eq!(counts("rekor_new_entries"), 1);
}

#[tokio::test]
async fn metrics_have_a_door_of_their_own() {
    let log = TestLog::start().await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let metrics = log.metrics.clone();
    tokio::spawn(cairn::frontend::serve_metrics(listener, metrics, std::future::pending::<()>()));
    let answer = send_to(address, "/metrics").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("Content-Type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert!(answer.body.contains("rekor_build_info{"), "{}", answer.body);
    assert_eq!(send_to(address, "/debug/pprof/").await.status, 404);
}

async fn send_to(address: SocketAddr, path: &str) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: log\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    read_answer(&mut stream).await.unwrap()
}
