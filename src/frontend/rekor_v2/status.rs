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
            Self::Busy | Self::Pushback | Self::NoQuorum | Self::NotInTime => {
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
            Self::BodyBroken(why) | Self::Rejected(_, why) | Self::Failed(why) => why.clone(),
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
