//! Around every request: its ID, its one log line, its place in the metrics, and the net under it.

use std::net::SocketAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::Instant;

use hyper::body::Body as _;
use hyper::header::{HeaderName, USER_AGENT};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method};

use super::limits::{LOGGED_CHARS_MAX, REQUEST_ID_CHARS_MAX};
use super::server::Reply;
use super::status::{Detail, Problem};
use crate::telemetry::Metrics;

/// Rekor's status for a client that left before its answer. Nobody receives it.
const CLIENT_GONE: u16 = 499;

/// IDs for requests that bring none: a random part for the process, and a count.
pub(super) struct RequestIds {
    process: String,
    next: AtomicU64,
}

impl RequestIds {
    pub(super) fn new(process: String) -> Self {
        Self { process, next: AtomicU64::new(1) }
    }

    /// The ID that a request brings, else the next one.
    pub(super) fn of(&self, headers: &HeaderMap, name: &HeaderName) -> String {
        let brought = headers.get(name).map(|value| String::from_utf8_lossy(value.as_bytes()));
        match brought {
            Some(id) if !id.is_empty() => id.chars().take(REQUEST_ID_CHARS_MAX).collect(),
            _ => format!("{}-{:06}", self.process, self.next.fetch_add(1, Ordering::Relaxed)),
        }
    }
}

/// One request that is being answered. It is counted and logged exactly once: when its answer is
/// ready, or when its client leaves before.
pub(super) struct Observed<'a> {
    metrics: &'a Metrics,
    template: &'static str,
    method: Method,
    path: String,
    user_agent: String,
    peer: SocketAddr,
    request_id: String,
    started: Instant,
    done: bool,
}

impl<'a> Observed<'a> {
    pub(super) fn new(
        metrics: &'a Metrics,
        template: &'static str,
        parts: &Parts,
        peer: SocketAddr,
        request_id: String,
    ) -> Self {
        let user_agent = parts.headers.get(USER_AGENT);
        let user_agent =
            user_agent.map(|value| clipped(&String::from_utf8_lossy(value.as_bytes())));
        let path = parts.uri.path_and_query().map_or("", |path| path.as_str());
        Self {
            metrics,
            template,
            method: parts.method.clone(),
            path: clipped(path),
            user_agent: user_agent.unwrap_or_default(),
            peer,
            request_id,
            started: Instant::now(),
            done: false,
        }
    }

    /// The answer is ready.
    pub(super) fn answered(mut self, request_bytes: usize, reply: &mut Reply) {
        let response_bytes = reply.body().size_hint().exact().unwrap_or(0);
        let detail = reply.extensions_mut().remove::<Detail>().map(|Detail(detail)| detail);
        let detail = clipped(&detail.unwrap_or_default());
        self.report(reply.status().as_u16(), request_bytes, response_bytes, &detail);
    }

    fn report(&mut self, status: u16, request_bytes: usize, response_bytes: u64, detail: &str) {
        self.done = true;
        let took = self.started.elapsed();
        self.metrics.request(self.template, method_label(&self.method), status, took);
        macro_rules! line {
            ($level:expr) => {
                tracing::event!(
                    target: "cairn::request",
                    $level,
                    method = %self.method,
                    path = ?self.path,
                    status,
                    request_bytes,
                    response_bytes,
                    latency_us = took.as_micros() as u64,
                    remote_ip = %self.peer.ip(),
                    user_agent = ?self.user_agent,
                    request_id = ?self.request_id,
                    detail,
                )
            };
        }
        match status {
            501 => line!(tracing::Level::INFO), // the client's fault, in Rekor's words
            503 | 504 => line!(tracing::Level::WARN), // busy, not broken
            500.. => line!(tracing::Level::ERROR),
            _ => line!(tracing::Level::INFO),
        }
    }
}

impl Drop for Observed<'_> {
    fn drop(&mut self) {
        if !self.done {
            self.report(CLIENT_GONE, 0, 0, "client disconnected during request");
        }
    }
}

/// What a client says, as far as it is logged.
fn clipped(text: &str) -> String {
    text.chars().take(LOGGED_CHARS_MAX).collect()
}

/// Methods that nobody has heard of share one label.
fn method_label(method: &Method) -> &str {
    let known = [
        Method::GET,
        Method::POST,
        Method::HEAD,
        Method::OPTIONS,
        Method::PUT,
        Method::DELETE,
        Method::PATCH,
    ];
    if known.contains(method) { method.as_str() } else { "OTHER" }
}

/// Runs `answer`; a panic in it costs one request, not the process.
pub(super) async fn unless_panicked(answer: impl Future<Output = Reply>) -> Reply {
    let mut answer = pin!(answer);
    std::future::poll_fn(|cx| {
        // After a panic `answer` is not polled again, so nobody sees it half-changed.
        catch_unwind(AssertUnwindSafe(|| answer.as_mut().poll(cx))).unwrap_or_else(|_panic| {
            tracing::error!("a request handler panicked");
            Poll::Ready(Problem::Panicked.into_reply())
        })
    })
    .await
}

#[cfg(test)]
mod tests {
    use hyper::StatusCode;

    use super::*;

    #[test]
    fn ids_are_brought_or_made() {
        let ids = RequestIds::new("cairn".into());
        let name = HeaderName::from_static("x-request-id");
        let mut headers = HeaderMap::new();
        assert_eq!(ids.of(&headers, &name), "cairn-000001");
        assert_eq!(ids.of(&headers, &name), "cairn-000002");
        headers.insert(&name, "abc".parse().unwrap());
        assert_eq!(ids.of(&headers, &name), "abc");
        headers.insert(&name, "x".repeat(500).parse().unwrap());
        assert_eq!(ids.of(&headers, &name).len(), REQUEST_ID_CHARS_MAX);
    }

    #[test]
    fn a_log_line_is_bounded() {
        let long = "x".repeat(60_000);
        let request = hyper::Request::get(format!("/{long}")).header(USER_AGENT, &long);
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let metrics = Metrics::new();
        let peer = ([127, 0, 0, 1], 1).into();
        let observed = Observed::new(&metrics, "/x", &parts, peer, String::new());
        assert_eq!(observed.path.len(), LOGGED_CHARS_MAX);
        assert_eq!(observed.user_agent.len(), LOGGED_CHARS_MAX);
    }

    #[tokio::test]
    async fn a_panic_is_an_answer() {
        let reply = unless_panicked(async { panic!("on purpose") }).await;
        assert_eq!(reply.status(), StatusCode::INTERNAL_SERVER_ERROR);
    }

    #[test]
    fn a_client_that_leaves_is_counted_once() {
        let metrics = Metrics::new();
        let (parts, ()) = hyper::Request::get("/x").body(()).unwrap().into_parts();
        let peer = ([127, 0, 0, 1], 1).into();
        drop(Observed::new(&metrics, "/x", &parts, peer, String::new()));
        let line = r#"rekor_qps_by_api{code="499",method="GET",path="/x"} 1"#;
        assert!(metrics.render().contains(line));
    }
}
