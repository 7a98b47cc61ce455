//! Is it alive, can it work: `/livez`, `/readyz`, `/healthz` (the same as `/readyz`).
//!
//! Rekor has none of these; its probes ask `/ping`, which is in `rekor_v1`.

use std::fmt::Write as _;
use std::sync::Arc;

use hyper::header::{CACHE_CONTROL, HeaderValue};
use hyper::{Method, StatusCode};

use super::reply::typed;
use super::server::Reply;
use super::status::Problem;
use crate::log::Health;

/// One of the questions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Probe {
    /// Does the process answer?
    Live,
    /// Does the log write and publish?
    Ready,
}

impl Probe {
    /// The question that is asked at a path.
    pub(crate) fn at(path: &str) -> Option<Self> {
        match path {
            "/livez" => Some(Self::Live),
            "/readyz" | "/healthz" => Some(Self::Ready),
            _ => None,
        }
    }

    /// The path that metrics and log lines show.
    pub(crate) fn template(self) -> &'static str {
        match self {
            Self::Live => "/livez",
            Self::Ready => "/readyz",
        }
    }

    /// 200 when all is well, 503 when not; with `?verbose` also what was looked at. Why something
    /// fails stands in the log only.
    pub(crate) fn answer(self, method: &Method, query: Option<&str>, health: &Health) -> Reply {
        if method != Method::GET && method != Method::HEAD {
            return Problem::MethodNotAllowed(method.to_string(), &["GET", "HEAD"]).into_reply();
        }
        let checks: &[(&str, &Option<Arc<str>>)] = match self {
            Self::Live => &[],
            Self::Ready => {
                &[("writing", &health.not_writing), ("publishing", &health.not_publishing)]
            }
        };
        let failed = checks.iter().any(|(_, why)| why.is_some());
        let mut text = String::new();
        if failed || query.is_some_and(|query| query.split('&').any(is_verbose)) {
            for (name, why) in checks {
                let line = if why.is_none() { ("+", "ok") } else { ("-", "failed: see the log") };
                // Writing to a `String` cannot fail.
                let _ = writeln!(text, "[{}]{name} {}", line.0, line.1);
            }
        }
        text.push_str(if failed { "not ready\n" } else { "ok\n" });
        let status = if failed { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
        let mut reply = typed(status, "text/plain; charset=utf-8", text);
        reply.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        reply
    }
}

fn is_verbose(parameter: &str) -> bool {
    parameter == "verbose" || parameter.starts_with("verbose=")
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;
    use tlog::TreeHead;

    use super::*;

    async fn ask(path: &str, query: Option<&str>, not_writing: Option<&str>) -> (u16, String) {
        let not_writing = not_writing.map(Arc::from);
        let health = Health { head: TreeHead::empty(), not_writing, not_publishing: None };
        let reply = Probe::at(path).unwrap().answer(&Method::GET, query, &health);
        let (parts, body) = reply.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (parts.status.as_u16(), String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn well() {
        assert_eq!(ask("/livez", None, None).await, (200, "ok\n".into()));
        assert_eq!(ask("/healthz", None, None).await, (200, "ok\n".into()));
        let verbose = "[+]writing ok\n[+]publishing ok\nok\n";
        assert_eq!(ask("/readyz", Some("verbose"), None).await, (200, verbose.into()));
    }

    #[tokio::test]
    async fn not_well() {
        assert_eq!(ask("/livez", None, Some("disk full")).await.0, 200);
        let text = "[-]writing failed: see the log\n[+]publishing ok\nnot ready\n";
        assert_eq!(ask("/readyz", None, Some("disk full")).await, (503, text.into()));
    }
}
