//! Is it alive, can it work: `/livez`, `/readyz`, and `/healthz`, which says the same as `/readyz`
//! in the words of Rekor v2.
//!
//! Rekor v1 has none of these; its probes ask `/ping`, which is in `rekor_v1`.

use std::fmt::Write as _;

use hyper::header::{CACHE_CONTROL, HeaderValue};
use hyper::{Method, StatusCode};

use super::reply::{json, typed};
use super::server::Reply;
use super::status::Problem;
use crate::log::Health;

/// One of the questions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Probe {
    /// Does the process answer?
    Live,
    /// Do the logs write and publish?
    Ready,
    /// The same, as gRPC's health service says it in JSON.
    Serving,
}

impl Probe {
    /// The question that is asked at a path.
    pub(crate) fn at(path: &str) -> Option<Self> {
        match path {
            "/livez" => Some(Self::Live),
            "/readyz" => Some(Self::Ready),
            "/healthz" => Some(Self::Serving),
            _ => None,
        }
    }

    /// The path that metrics and log lines show.
    pub(crate) fn template(self) -> &'static str {
        match self {
            Self::Live => "/livez",
            Self::Ready => "/readyz",
            Self::Serving => "/healthz",
        }
    }

    /// 200 when all is well, 503 when not; with `?verbose` also what was looked at. Why something
    /// fails stands in the log only.
    pub(crate) fn answer(self, method: &Method, query: Option<&str>, logs: &[Health]) -> Reply {
        if method != Method::GET && method != Method::HEAD {
            return Problem::MethodNotAllowed(method.to_string(), &["GET", "HEAD"]).into_reply();
        }
        let mut checks = Vec::new();
        for log in logs.iter().filter(|_| self != Self::Live) {
            checks.push((&log.name, "writing", log.not_writing.is_none()));
            checks.push((&log.name, "publishing", log.not_publishing.is_none()));
        }
        let failed = checks.iter().any(|(_, _, well)| !well);
        let status = if failed { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
        if self == Self::Serving {
            let serving = if failed { "NOT_SERVING" } else { "SERVING" };
            return no_store(json(status, format!("{{\"status\":\"{serving}\"}}\n")));
        }
        let mut text = String::new();
        if failed || query.is_some_and(|query| query.split('&').any(is_verbose)) {
            for (name, what, well) in checks {
                let (sign, state) = if well { ("+", "ok") } else { ("-", "failed: see the log") };
                // Writing to a `String` cannot fail.
                let _ = writeln!(text, "[{sign}]{name} {what} {state}");
            }
        }
        text.push_str(if failed { "not ready\n" } else { "ok\n" });
        no_store(typed(status, "text/plain; charset=utf-8", text))
    }
}

fn no_store(mut reply: Reply) -> Reply {
    reply.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    reply
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
        let health = |name: &str, not_writing: Option<&str>| Health {
            name: name.into(),
            head: TreeHead::empty(),
            not_writing: not_writing.map(Into::into),
            not_publishing: None,
        };
        let logs = [health("v1", not_writing), health("v2", None)];
        let reply = Probe::at(path).unwrap().answer(&Method::GET, query, &logs);
        let (parts, body) = reply.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (parts.status.as_u16(), String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test]
    async fn well() {
        assert_eq!(ask("/livez", None, None).await, (200, "ok\n".into()));
        let serving = "{\"status\":\"SERVING\"}\n";
        assert_eq!(ask("/healthz", None, None).await, (200, serving.into()));
        let verbose = "[+]v1 writing ok\n[+]v1 publishing ok\n[+]v2 writing ok\n\
                       [+]v2 publishing ok\nok\n";
        assert_eq!(ask("/readyz", Some("verbose"), None).await, (200, verbose.into()));
    }

    #[tokio::test]
    async fn not_well() {
        assert_eq!(ask("/livez", None, Some("disk full")).await.0, 200);
        let text = "[-]v1 writing failed: see the log\n[+]v1 publishing ok\n[+]v2 writing ok\n\
                    [+]v2 publishing ok\nnot ready\n";
        assert_eq!(ask("/readyz", None, Some("disk full")).await, (503, text.into()));
        let not_serving = "{\"status\":\"NOT_SERVING\"}\n";
        assert_eq!(ask("/healthz", None, Some("disk full")).await, (503, not_serving.into()));
    }
}
