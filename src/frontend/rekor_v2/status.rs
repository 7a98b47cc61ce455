//! The table of API v2: error → gRPC code → HTTP status → public text. Nothing else of that API
//! names the status of an error; both of its transports speak from here.
//!
//! Texts are those of Rekor v2. Reasons go to the log and never to the client.

use std::borrow::Cow;

use hyper::StatusCode;
use hyper::header::{CONNECTION, HeaderName, HeaderValue, RETRY_AFTER};
use tlog::LogIndex;

use super::super::reply::{json, typed};
use super::super::server::Reply;
use super::super::status::{Detail, Problem};
use super::entry_json::push_string;
use super::protojson::MalformedRequest;
use crate::admission::Rejection;
use crate::log::CreateEntryError;
use crate::quota::OverQuota;

/// A code of gRPC that this API answers with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    Unknown = 2,
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    NotFound = 5,
    AlreadyExists = 6,
    ResourceExhausted = 8,
    Unimplemented = 12,
    Unavailable = 14,
}

impl Code {
    fn http(self) -> StatusCode {
        match self {
            Self::Unknown => StatusCode::INTERNAL_SERVER_ERROR,
            Self::InvalidArgument => StatusCode::BAD_REQUEST,
            Self::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::AlreadyExists => StatusCode::CONFLICT,
            Self::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
            Self::Unimplemented => StatusCode::NOT_IMPLEMENTED,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// Everything that a request can be told but success.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// No such path, or no log behind it.
    NotFound,
    /// The path is there, the method is not.
    MethodNotAllowed,
    /// Longer than the limit.
    BodyTooLarge,
    /// It did not arrive in time.
    BodyTooSlow,
    /// It ended early, or its framing is wrong.
    BodyBroken(String),
    /// Bodies of other requests fill the memory for them.
    Busy,
    /// Not the message that is expected.
    Malformed(MalformedRequest),
    /// The entry may not enter: what the client is told, and what is logged.
    Rejected(Cow<'static, str>, String),
    /// The entry is in the log.
    Duplicate(LogIndex),
    /// Entries wait for the sequencer, more than it takes.
    Pushback,
    /// The log's quota is used up.
    OverQuota(OverQuota),
    /// The log's witnesses have been away for a while.
    NoQuorum,
    /// There is no room to store the entry; why.
    StoreFull(String),
    /// The log takes no entries any more.
    Frozen,
    /// The entry was not published in time.
    NotInTime,
    /// Something failed here; why.
    Failed(String),
}

/// The header that tells where a known entry is; also the name of the metadata.
pub(crate) const LOG_INDEX: HeaderName = HeaderName::from_static("x-log-index");

/// What clients of a frozen log are told over HTTP, with status 405, as text.
const FROZEN: &str = "This log has been frozen, please switch to the latest log.\n";

impl Refusal {
    /// Code and text, as both transports tell them.
    pub(crate) fn public(&self) -> (Code, Cow<'_, str>) {
        match self {
            Self::NotFound => (Code::NotFound, "Not Found".into()),
            Self::MethodNotAllowed => (Code::Unimplemented, "Method Not Allowed".into()),
            Self::BodyTooLarge => (Code::InvalidArgument, "http: request body too large".into()),
            Self::BodyTooSlow => (Code::InvalidArgument, "the request body came too slowly".into()),
            Self::BodyBroken(_) => (Code::InvalidArgument, "unexpected EOF".into()),
            Self::Busy => (
                Code::Unavailable,
                "too many request bodies are being received; retry later".into(),
            ),
            Self::Malformed(why) => (Code::InvalidArgument, why.to_string().into()),
            Self::Rejected(shown, _) => (Code::InvalidArgument, shown.as_ref().into()),
            Self::Duplicate(index) => {
                let text = format!(
                    "an equivalent entry already exists in the transparency log with index {index}"
                );
                (Code::AlreadyExists, text.into())
            }
            Self::Pushback => (Code::Unavailable, "reached max pushback; retry".into()),
            Self::OverQuota(over) => (Code::ResourceExhausted, over.to_string().into()),
            Self::NoQuorum => {
                (Code::Unavailable, "the log's witnesses do not answer; retry later".into())
            }
            Self::StoreFull(_) => (
                Code::Unavailable,
                "the log's store is full, the entry was not written; retry later".into(),
            ),
            Self::Frozen => (Code::Unimplemented, "log frozen".into()),
            Self::NotInTime => (
                Code::DeadlineExceeded,
                "the entry was not published in time; sending it again is safe".into(),
            ),
            Self::Failed(_) => (Code::Unknown, "failed to integrate entry".into()),
        }
    }

    /// The header that belongs to it.
    pub(crate) fn header(&self) -> Option<(HeaderName, HeaderValue)> {
        match self {
            Self::Duplicate(index) => Some((LOG_INDEX, HeaderValue::from(index.0))),
            Self::OverQuota(OverQuota::Rate { retry_after_seconds }) => {
                Some((RETRY_AFTER, HeaderValue::from(*retry_after_seconds)))
            }
            Self::Busy | Self::Pushback | Self::NoQuorum | Self::StoreFull(_) | Self::NotInTime => {
                Some((RETRY_AFTER, HeaderValue::from_static("1")))
            }
            Self::BodyTooLarge | Self::BodyTooSlow | Self::BodyBroken(_) => {
                Some((CONNECTION, HeaderValue::from_static("close")))
            }
            _ => None,
        }
    }

    /// What the server's log says of it.
    pub(crate) fn detail(&self) -> String {
        match self {
            Self::BodyBroken(why)
            | Self::Rejected(_, why)
            | Self::StoreFull(why)
            | Self::Failed(why) => why.clone(),
            Self::Duplicate(_) => String::new(),
            _ => self.public().1.into_owned(),
        }
    }

    /// The answer over HTTP. Its extensions carry the detail for the log.
    pub(crate) fn into_reply(self) -> Reply {
        let (code, text) = self.public();
        let mut reply = match self {
            Self::Frozen => {
                typed(StatusCode::METHOD_NOT_ALLOWED, "text/plain; charset=utf-8", FROZEN)
            }
            _ => {
                let mut body = format!(r#"{{"code":{},"message":"#, code as u8);
                push_string(&mut body, &text);
                body.push_str(r#","details":[]}"#);
                json(code.http(), body)
            }
        };
        if let Some((name, value)) = self.header() {
            reply.headers_mut().insert(name, value);
        }
        reply.extensions_mut().insert(Detail(self.detail()));
        reply
    }
}

impl From<MalformedRequest> for Refusal {
    fn from(why: MalformedRequest) -> Self {
        Self::Malformed(why)
    }
}

impl From<CreateEntryError> for Refusal {
    fn from(error: CreateEntryError) -> Self {
        match error {
            CreateEntryError::Rejected(Rejection::Internal(detail)) => Self::Failed(detail),
            CreateEntryError::Rejected(Rejection::Input(text)) => {
                Self::Rejected(text.clone().into(), text)
            }
            CreateEntryError::Rejected(Rejection::Masked { shown, detail }) => {
                Self::Rejected(shown.into(), detail)
            }
            CreateEntryError::Duplicate { index, .. } => Self::Duplicate(index),
            CreateEntryError::Pushback => Self::Pushback,
            CreateEntryError::OverQuota(over) => Self::OverQuota(over),
            CreateEntryError::NoQuorum => Self::NoQuorum,
            CreateEntryError::Full(why) => Self::StoreFull(why.to_string()),
            CreateEntryError::Frozen => Self::Frozen,
            CreateEntryError::TimedOut => Self::NotInTime,
            CreateEntryError::Stopped(why) => Self::Failed(why.to_string()),
            CreateEntryError::Read(error) => Self::Failed(error.to_string()),
        }
    }
}

/// What reading a body can run into.
impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        match problem {
            Problem::BodyTooLarge(_) => Self::BodyTooLarge,
            Problem::BodyTooSlow => Self::BodyTooSlow,
            Problem::BodyBroken(why) => Self::BodyBroken(why),
            Problem::Busy => Self::Busy,
            other => Self::Failed(format!("{other:?}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt as _;
    use hyper::header::CONTENT_TYPE;
    use storage::TreeId;

    use super::super::protojson::read_request;
    use super::*;
    use crate::shards::EntryId;

    /// Status, body, type, and what the log says.
    async fn answered(refusal: impl Into<Refusal>) -> (u16, String, String, String) {
        let (parts, body) = refusal.into().into_reply().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        let kind = parts.headers[CONTENT_TYPE].to_str().unwrap().to_owned();
        let detail = parts.extensions.get::<Detail>().unwrap().0.clone();
        (parts.status.as_u16(), String::from_utf8(body.to_vec()).unwrap(), kind, detail)
    }

    fn of_creation() -> Vec<(CreateEntryError, u16, u8, &'static str, &'static str)> {
        let id = EntryId {
            tree_id: TreeId::new(1).unwrap(),
            leaf_hash: tlog::LeafHash::from_bytes([1; 32]),
        };
        let masked = Rejection::Masked { shown: "invalid x request", detail: "why".into() };
        vec![
            (Rejection::Input("bad".into()).into(), 400, 3, "bad", "bad"),
            (masked.into(), 400, 3, "invalid x request", "why"),
            (Rejection::Internal("bug".into()).into(), 500, 2, "failed to integrate entry", "bug"),
            (
                CreateEntryError::Duplicate { id, index: LogIndex(7) },
                409,
                6,
                "an equivalent entry already exists in the transparency log with index 7",
                "",
            ),
            (
                CreateEntryError::Pushback,
                503,
                14,
                "reached max pushback; retry",
                "reached max pushback; retry",
            ),
            (
                OverQuota::Full { entries_max: 9 }.into(),
                429,
                8,
                "the log holds 9 entries, which is all that its quota allows",
                "the log holds 9 entries, which is all that its quota allows",
            ),
            (
                CreateEntryError::Full("no room".into()),
                503,
                14,
                "the log's store is full, the entry was not written; retry later",
                "no room",
            ),
            (
                CreateEntryError::NoQuorum,
                503,
                14,
                "the log's witnesses do not answer; retry later",
                "the log's witnesses do not answer; retry later",
            ),
            (
                CreateEntryError::TimedOut,
                504,
                4,
                "the entry was not published in time; sending it again is safe",
                "the entry was not published in time; sending it again is safe",
            ),
            (
                CreateEntryError::Stopped("disk full".into()),
                500,
                2,
                "failed to integrate entry",
                "disk full",
            ),
        ]
    }

    #[tokio::test]
    async fn creations_that_fail() {
        for (error, status, code, message, logged) in of_creation() {
            let body = format!(r#"{{"code":{code},"message":"{message}","details":[]}}"#);
            let expected = (status, body, "application/json".into(), logged.into());
            assert_eq!(answered(error).await, expected);
        }
        // Neither JSON nor the status of its code.
        let frozen = answered(CreateEntryError::Frozen).await;
        let text = "This log has been frozen, please switch to the latest log.\n";
        let expected = (405, text.into(), "text/plain; charset=utf-8".into(), "log frozen".into());
        assert_eq!(frozen, expected);
        assert_eq!(Refusal::Frozen.public().0, Code::Unimplemented);
    }

    #[tokio::test]
    async fn bodies_that_cannot_be_read() {
        for (problem, status, message) in [
            (Problem::BodyTooLarge(5), 400, "http: request body too large"),
            (Problem::BodyTooSlow, 400, "the request body came too slowly"),
            (Problem::BodyBroken("gone".into()), 400, "unexpected EOF"),
            (Problem::Busy, 503, "too many request bodies are being received; retry later"),
            (Problem::Panicked, 500, "failed to integrate entry"),
        ] {
            let (found, body, _, _) = answered(problem).await;
            let body: serde_json::Value = serde_json::from_str(&body).unwrap();
            assert_eq!((found, body["message"].as_str()), (status, Some(message)));
        }
        let malformed = read_request(b"{\"\\\"\n\":1").unwrap_err();
        let (status, body, _, detail) = answered(malformed.clone()).await;
        let body: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!((status, body["code"].as_u64()), (400, Some(3)));
        assert_eq!(body["message"], malformed.to_string());
        assert_eq!(detail, malformed.to_string());
    }

    #[test]
    fn headers_that_tell_what_to_do() {
        let rate = OverQuota::Rate { retry_after_seconds: 3 };
        for (refusal, header) in [
            (Refusal::Duplicate(LogIndex(7)), Some(("x-log-index", "7"))),
            (Refusal::OverQuota(rate), Some(("retry-after", "3"))),
            (Refusal::OverQuota(OverQuota::Full { entries_max: 1 }), None),
            (Refusal::Pushback, Some(("retry-after", "1"))),
            (Refusal::NoQuorum, Some(("retry-after", "1"))),
            (Refusal::NotInTime, Some(("retry-after", "1"))),
            (Refusal::Busy, Some(("retry-after", "1"))),
            (Refusal::BodyTooLarge, Some(("connection", "close"))),
            (Refusal::NotFound, None),
        ] {
            let found = refusal.header();
            let found =
                found.as_ref().map(|(name, value)| (name.as_str(), value.to_str().unwrap()));
            assert_eq!(found, header, "{refusal:?}");
        }
    }
}
