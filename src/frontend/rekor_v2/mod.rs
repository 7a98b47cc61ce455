//! The REST half of the Rekor v2 API: creating entries. Reading is by tiles.
//!
//! Rules about entries are in admission; codes, statuses and error texts are in `status`.

mod entry_json;
mod protojson;
pub(super) mod status;

use std::sync::Arc;

use bytes::Bytes;
use hyper::{Method, StatusCode};

use super::App;
use super::body::Body;
use super::reply::json;
use super::server::Reply;
use crate::admission::RequestV2;
use crate::heavy::heavy;
use crate::limits::ADMIT_INLINE_BYTES_MAX;
use crate::log::Log;

pub use protojson::{MalformedRequest, read_request};
use status::Refusal;

/// Where a path of this API leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// `POST /api/v2/log/entries`
    CreateEntry,
    /// The path is there, the method is not.
    OtherMethod,
    /// Nowhere.
    Unknown,
}

const ENTRIES: &str = "/api/v2/log/entries";

impl Target {
    /// Finds the way for a method and a path, exactly as it was sent; `None` outside of this API.
    pub(crate) fn find(method: &Method, path: &str) -> Option<Self> {
        if path == ENTRIES {
            let is_post = method == Method::POST;
            return Some(if is_post { Self::CreateEntry } else { Self::OtherMethod });
        }
        path.starts_with("/api/v2/").then_some(Self::Unknown)
    }

    /// The path that metrics show: never what a client made up.
    pub(crate) fn template(self) -> &'static str {
        match self {
            Self::CreateEntry => ENTRIES,
            Self::OtherMethod => "other method",
            Self::Unknown => "unknown",
        }
    }
}

/// Answers a request. Where there is no v2 log, there is no such path.
pub(crate) async fn answer(
    app: &App,
    log: Option<&Arc<Log>>,
    target: Target,
    body: &mut Body,
) -> Reply {
    let answered = match (target, log) {
        (Target::CreateEntry, Some(log)) => create(app, log, body).await,
        (Target::OtherMethod, Some(_)) => Err(Refusal::MethodNotAllowed),
        (Target::Unknown, _) | (_, None) => Err(Refusal::NotFound),
    };
    answered.unwrap_or_else(Refusal::into_reply)
}

/// `POST /api/v2/log/entries`, whatever types the client says it sends and takes.
async fn create(app: &App, log: &Log, body: &mut Body) -> Result<Reply, Refusal> {
    body.limit(app.settings.max_request_body_bytes_v2);
    let text = body.read().await?;
    let ticket = log.ticket().await?;
    let request = read(text).await?;
    let kind = request.kind();
    let entry = log.create_with(ticket, request).await?;
    app.metrics.new_entry_v2(kind);
    Ok(json(StatusCode::CREATED, entry_json::entry(kind, &entry)))
}

/// Reads a request, a large one away from the threads that serve connections.
async fn read(text: Bytes) -> Result<RequestV2, Refusal> {
    if text.len() <= ADMIT_INLINE_BYTES_MAX {
        return Ok(read_request(&text)?);
    }
    let read = heavy(move || read_request(&text)).await;
    Ok(read.map_err(|panicked| Refusal::Failed(panicked.to_string()))??)
}
