//! The Rekor v1 API, byte for byte: who answers what.
//!
//! Rules about entries are in admission; error texts and statuses are in `status`.

mod cors;
mod entries;
mod entry_json;
mod log_info;
mod negotiate;
mod operation;
mod pages;
mod path;
mod query;
mod request_json;
mod retrieve;
mod search;

pub use entry_json::entry_text;

use std::sync::Arc;

use hyper::Method;
use hyper::header::{CACHE_CONTROL, EXPIRES, HeaderName, HeaderValue, PRAGMA};
use hyper::http::request::Parts;

use super::App;
use super::body::Body;
use super::server::Reply;
use super::status::Problem;
use crate::log::Log;

pub(crate) use operation::Operation;

use negotiate::Offer;
use operation::Match;
use pages::Page;

/// Where a request leads, known before its body is read.
pub(crate) enum Target {
    /// A static page, whatever the method.
    Page(Page),
    /// An operation, and the path parameter if it has one.
    Operation(Operation, String),
    /// The path is there, the method is not.
    OtherMethod(&'static [&'static str]),
    /// Nowhere.
    Unknown,
}

/// An operation's request: what is known of it besides the body.
struct Call<'a> {
    app: &'a App,
    log: &'a Arc<Log>,
    parts: &'a Parts,
    parameter: &'a str,
    offer: Offer,
}

impl Target {
    /// Finds the way for a method and an escaped path, as it was sent.
    pub(crate) fn find(method: &Method, path: &str) -> Self {
        if let Some(page) = Page::at(method, path) {
            return Self::Page(page);
        }
        match operation::find(method, &path::clean(path)) {
            Match::Operation(operation, parameter) => {
                Self::Operation(operation, path::unescape(parameter))
            }
            Match::OtherMethod(allowed) => Self::OtherMethod(allowed),
            Match::Unknown => Self::Unknown,
        }
    }

    /// The path that metrics show: never what a client made up.
    pub(crate) fn template(&self) -> &'static str {
        match self {
            Self::Page(page) => page.path(),
            Self::Operation(operation, _) => operation.template(),
            Self::OtherMethod(_) => "other method",
            Self::Unknown => "unknown",
        }
    }
}

/// Answers a request, with the headers that go with every answer.
///
/// Where there is no v1 log, there is no such path.
pub(crate) async fn answer(
    app: &App,
    log: Option<&Arc<Log>>,
    target: &Target,
    parts: &Parts,
    body: &mut Body,
) -> Reply {
    if let Some(reply) = cors::preflight(parts) {
        return reply;
    }
    let mut reply = route(app, log, target, parts, body).await;
    cors::mark(parts, reply.headers_mut());
    reply
}

async fn route(
    app: &App,
    log: Option<&Arc<Log>>,
    target: &Target,
    parts: &Parts,
    body: &mut Body,
) -> Reply {
    if let Target::Page(page) = target {
        return page.answer();
    }
    if let Err(problem) = body.check_declared() {
        return problem.into_reply();
    }
    match (target, log) {
        (Target::Page(page), _) => page.answer(),
        (Target::Operation(operation, parameter), Some(log)) => {
            operate(app, log, (*operation, parameter), parts, body).await
        }
        (Target::OtherMethod(allowed), Some(_)) => {
            Problem::MethodNotAllowed(parts.method.to_string(), allowed).into_reply()
        }
        (Target::Unknown, _) | (_, None) => Problem::NotFound(parts.uri.path().into()).into_reply(),
    }
}

async fn operate(
    app: &App,
    log: &Arc<Log>,
    (operation, parameter): (Operation, &str),
    parts: &Parts,
    body: &mut Body,
) -> Reply {
    let off = app.settings.disabled.contains(&operation);
    let result = async {
        let offer = negotiate::negotiate(operation, parts, body).await?;
        if off {
            return Err(Problem::Disabled(operation));
        }
        let call = Call { app, log, parts, parameter, offer };
        match operation {
            Operation::CreateLogEntry => entries::create(&call, body).await,
            Operation::GetLogEntryByIndex => entries::by_index(&call).await,
            Operation::GetLogEntryByUuid => entries::by_id(&call).await,
            Operation::SearchLogQuery => retrieve::retrieve(&call, body).await,
            Operation::SearchIndex => search::search(&call, body).await,
            Operation::GetLogInfo => Ok(log_info::info(&call)),
            Operation::GetPublicKey => log_info::public_key(&call),
            Operation::GetLogProof => log_info::proof(&call).await,
        }
    };
    let mut reply = result.await.unwrap_or_else(Problem::into_reply);
    if operation.method() == Method::GET && !off {
        for (name, value) in NO_CACHE {
            reply.headers_mut().insert(name, HeaderValue::from_static(value));
        }
    }
    reply
}

/// On every answer of a GET operation, errors included.
const NO_CACHE: [(HeaderName, &str); 4] = [
    (EXPIRES, "Thu, 01 Jan 1970 00:00:00 GMT"),
    (CACHE_CONTROL, "no-cache, no-store, no-transform, must-revalidate, private, max-age=0"),
    (PRAGMA, "no-cache"),
    (HeaderName::from_static("x-accel-expires"), "0"),
];
