//! The one table: error → HTTP status → public text. Nothing else names a status of an error.
//!
//! Texts are those of Rekor v1. Details of failures go to the log and
//! never to the client.

use std::borrow::Cow;

use hyper::StatusCode;
use hyper::header::{ALLOW, CONNECTION, HeaderName, HeaderValue, LOCATION, RETRY_AFTER};

use super::rekor_v1::Operation;
use super::reply::{Style, empty, json};
use super::server::Reply;
use crate::admission::{ParseError, Rejection};
use crate::log::{CreateEntryError, ProofRequestError};
use crate::publisher::signer::SignError;
use crate::quota::OverQuota;
use crate::reader::ReadError;

/// Everything that a request can be told but success.
#[derive(Debug)]
pub(crate) enum Problem {
    // The router.
    /// No such path; as it was sent.
    NotFound(String),
    /// Another method, and the ones that there are.
    MethodNotAllowed(String, &'static [&'static str]),
    /// The operation is switched off.
    Disabled(Operation),
    /// `Content-Type` cannot be read; why.
    ContentType(String),
    /// A body of another media type.
    MediaType(String),
    /// The client takes none of these.
    NotAcceptable(&'static str),
    // The body.
    /// Longer than this.
    BodyTooLarge(usize),
    /// It did not arrive in time.
    BodyTooSlow,
    /// It ended early, or its framing is wrong.
    BodyBroken(String),
    /// Bodies of other requests fill the memory for them.
    Busy,
    /// Not the JSON that is expected.
    Malformed(String),
    /// A parameter or member is not valid: Rekor's code (600 and above), and the text.
    Invalid(u16, String),
    /// No such kind of entry.
    UnknownKind(String),
    // The operations.
    /// The request asks for something that cannot be.
    Bad(String),
    /// More entries than one request may ask for.
    TooManyEntries(usize),
    /// There is no such entry.
    NoEntry,
    /// The entry is in the log; its name, and where it is.
    Duplicate(String, String),
    /// Entries wait for the sequencer, more than it takes.
    Pushback,
    /// The log's witnesses do not answer.
    NoQuorum,
    /// There is no room to store the entry; why.
    StoreFull(String),
    /// The log's quota is used up.
    OverQuota(OverQuota),
    /// The log takes no entries any more.
    Frozen,
    /// The entry was not published in time.
    NotInTime,
    /// Something failed here: what the client is told, and what is logged.
    Failed(Cow<'static, str>, String),
    /// A bug here.
    Panicked,
}

/// Read failures, on every operation that has no text of its own.
pub(crate) const READ_FAILED: &str = "unexpected error communicating with transparency log";
pub(crate) const CREATE_FAILED: &str = "unexpected result from transparency log";
const SIGN_FAILED: &str = "error signing";
const CANONICALIZE_FAILED: &str = "error generating canonicalized entry";

const NO_QUORUM: &str = "the log's witnesses do not answer; retry later";
const STORE_FULL: &str = "the log's store is full, the entry was not written; retry later";

/// Seconds after which a client that came at a busy time should try again.
const RETRY_SECONDS: HeaderValue = HeaderValue::from_static("1");

impl Problem {
    /// A required parameter or member is missing.
    pub(crate) fn required(name: &str, place: &str) -> Self {
        Self::Invalid(602, format!("{name} in {place} is required"))
    }

    /// A parameter or member does not match its pattern.
    pub(crate) fn pattern(name: &str, place: &str, pattern: &str) -> Self {
        Self::Invalid(605, format!("{name} in {place} should match '{pattern}'"))
    }

    /// The store failed under a read.
    pub(crate) fn read(error: &ReadError) -> Self {
        Self::Failed(READ_FAILED.into(), error.to_string())
    }

    /// Status, code in the body, text in the body.
    fn public(&self) -> (StatusCode, u16, Cow<'_, str>) {
        use StatusCode as S;
        let (status, text): (S, Cow<'_, str>) = match self {
            Self::NotFound(path) => (S::NOT_FOUND, format!("path {path} was not found").into()),
            Self::MethodNotAllowed(method, allowed) => {
                let allowed = allowed.join(",");
                let text = format!("method {method} is not allowed, but [{allowed}] are");
                (S::METHOD_NOT_ALLOWED, text.into())
            }
            Self::Disabled(operation) => {
                let name = operation.name();
                (S::NOT_IMPLEMENTED, format!("{name} not enabled in this Rekor instance").into())
            }
            Self::ContentType(why) => (S::BAD_REQUEST, why.into()),
            Self::MediaType(found) => {
                let text = format!(
                    "unsupported media type {found:?}, only [application/json] are allowed"
                );
                (S::UNSUPPORTED_MEDIA_TYPE, text.into())
            }
            Self::NotAcceptable(offers) => {
                let text =
                    format!("unsupported media type requested, only [{offers}] are available");
                (S::NOT_ACCEPTABLE, text.into())
            }
            Self::BodyTooLarge(max) => {
                let text = format!("Request Entity Too Large. Limit set to {max}");
                (S::PAYLOAD_TOO_LARGE, text.into())
            }
            Self::BodyTooSlow => (S::REQUEST_TIMEOUT, "the request body came too slowly".into()),
            Self::BodyBroken(_) => (S::BAD_REQUEST, "the request body is incomplete".into()),
            Self::Busy => (
                S::SERVICE_UNAVAILABLE,
                "too many request bodies are being received; retry later".into(),
            ),
            Self::Malformed(why) | Self::Bad(why) => (S::BAD_REQUEST, why.into()),
            Self::Invalid(code, text) => {
                return (S::UNPROCESSABLE_ENTITY, *code, text.into());
            }
            Self::UnknownKind(text) => (S::UNPROCESSABLE_ENTITY, text.into()),
            Self::TooManyEntries(max) => (
                S::UNPROCESSABLE_ENTITY,
                format!("more than max allowed {max} entries in request").into(),
            ),
            Self::NoEntry => (S::NOT_FOUND, "".into()),
            Self::Duplicate(id, _) => {
                let text = format!(
                    "an equivalent entry already exists in the transparency log with UUID {id}"
                );
                (S::CONFLICT, text.into())
            }
            Self::Pushback => (
                S::SERVICE_UNAVAILABLE,
                "too many entries are waiting to be logged; retry later".into(),
            ),
            Self::NoQuorum => (S::SERVICE_UNAVAILABLE, NO_QUORUM.into()),
            Self::StoreFull(_) => (S::SERVICE_UNAVAILABLE, STORE_FULL.into()),
            Self::OverQuota(over) => (S::TOO_MANY_REQUESTS, over.to_string().into()),
            Self::Frozen => {
                (S::METHOD_NOT_ALLOWED, "the log is frozen; entries go to another one".into())
            }
            Self::NotInTime => (
                S::GATEWAY_TIMEOUT,
                "the entry was not published in time; sending it again is safe".into(),
            ),
            Self::Failed(text, _) => (S::INTERNAL_SERVER_ERROR, text.as_ref().into()),
            Self::Panicked => (S::INTERNAL_SERVER_ERROR, "Unknown error".into()),
        };
        (status, status.as_u16(), text)
    }

    /// Whether the router, the binder or a validator speaks, not an operation: that has another
    /// JSON style.
    fn style(&self) -> Style {
        match self {
            Self::Bad(_)
            | Self::TooManyEntries(_)
            | Self::NoEntry
            | Self::Duplicate(..)
            | Self::Pushback
            | Self::NoQuorum
            | Self::StoreFull(_)
            | Self::OverQuota(_)
            | Self::Frozen
            | Self::NotInTime
            | Self::Failed(..)
            | Self::Disabled(_) => Style::Operation,
            _ => Style::Router,
        }
    }

    /// The header that belongs to it.
    fn header(&self) -> Option<(HeaderName, HeaderValue)> {
        match self {
            Self::MethodNotAllowed(_, allowed) => {
                HeaderValue::try_from(allowed.join(",")).ok().map(|allowed| (ALLOW, allowed))
            }
            Self::Duplicate(_, location) => {
                HeaderValue::try_from(location).ok().map(|location| (LOCATION, location))
            }
            Self::OverQuota(OverQuota::Rate { retry_after_seconds }) => {
                Some((RETRY_AFTER, HeaderValue::from(*retry_after_seconds)))
            }
            Self::Busy | Self::Pushback | Self::NoQuorum | Self::StoreFull(_) | Self::NotInTime => {
                Some((RETRY_AFTER, RETRY_SECONDS))
            }
            Self::BodyTooLarge(_) | Self::BodyTooSlow | Self::BodyBroken(_) => {
                Some((CONNECTION, HeaderValue::from_static("close")))
            }
            _ => None,
        }
    }

    /// The answer. Its extensions carry the detail for the log.
    pub(crate) fn into_reply(self) -> Reply {
        let (status, code, text) = self.public();
        let mut reply = match &self {
            Self::NoEntry => empty(status),
            _ => json(status, super::reply::error(code, &text, self.style())),
        };
        if let Some((name, value)) = self.header() {
            reply.headers_mut().insert(name, value);
        }
        let detail = match self {
            Self::Failed(_, detail) | Self::BodyBroken(detail) | Self::StoreFull(detail) => detail,
            Self::NoEntry | Self::Duplicate(..) | Self::Panicked => String::new(),
            _ => text.into_owned(),
        };
        reply.extensions_mut().insert(Detail(detail));
        reply
    }
}

/// What the log says of a request that failed.
#[derive(Clone, Debug)]
pub(super) struct Detail(pub(super) String);

impl Problem {
    /// Why an entry was not created; `location` tells where an entry of this name is.
    pub(crate) fn of_creation(
        error: CreateEntryError,
        location: impl FnOnce(&str) -> String,
    ) -> Self {
        match error {
            CreateEntryError::Rejected(Rejection::Internal(detail)) => {
                Self::Failed(CANONICALIZE_FAILED.into(), detail)
            }
            CreateEntryError::Rejected(why) => Self::Bad(format!("error processing entry: {why}")),
            CreateEntryError::Duplicate { id, .. } => {
                let id = id.to_string();
                let location = location(&id);
                Self::Duplicate(id, location)
            }
            CreateEntryError::Pushback => Self::Pushback,
            CreateEntryError::NoQuorum => Self::NoQuorum,
            CreateEntryError::Full(why) => Self::StoreFull(why.to_string()),
            CreateEntryError::OverQuota(over) => Self::OverQuota(over),
            CreateEntryError::Frozen => Self::Frozen,
            CreateEntryError::TimedOut => Self::NotInTime,
            CreateEntryError::Stopped(why) => Self::Failed(CREATE_FAILED.into(), why.to_string()),
            CreateEntryError::Read(error) => Self::Failed(CREATE_FAILED.into(), error.to_string()),
        }
    }
}

/// As an operation that creates one entry says it.
impl From<ParseError> for Problem {
    fn from(error: ParseError) -> Self {
        let text = error.to_string();
        match error {
            ParseError::Empty | ParseError::Required(_) => Self::Invalid(602, text),
            ParseError::WrongPattern => Self::Invalid(605, text),
            ParseError::UnknownKind(_) => Self::UnknownKind(text),
            ParseError::Malformed(_) => Self::Malformed(text),
        }
    }
}

impl From<ReadError> for Problem {
    fn from(error: ReadError) -> Self {
        Self::read(&error)
    }
}

impl From<SignError> for Problem {
    fn from(error: SignError) -> Self {
        Self::Failed(SIGN_FAILED.into(), error.to_string())
    }
}

impl From<ProofRequestError> for Problem {
    fn from(error: ProofRequestError) -> Self {
        match error {
            ProofRequestError::Read(error) => Self::read(&error),
            other => Self::Bad(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Status, and the header that goes with it.
    fn answered(problem: Problem) -> (u16, Option<String>, String) {
        let detail = |reply: &Reply| reply.extensions().get::<Detail>().unwrap().0.clone();
        let reply = problem.into_reply();
        let header = [RETRY_AFTER, LOCATION, ALLOW, CONNECTION]
            .iter()
            .find_map(|name| reply.headers().get(name))
            .map(|value| value.to_str().unwrap().into());
        (reply.status().as_u16(), header, detail(&reply))
    }

    #[test]
    fn creations_that_fail() {
        let of = |error| answered(Problem::of_creation(error, |id| format!("/x/{}", &id[..4])));
        let leaf_hash = tlog::LeafHash::from_bytes([1; 32]);
        let id = crate::shards::EntryId {
            tree_id: storage::TreeId::new(0xab << 48).unwrap(),
            leaf_hash,
        };
        let input = Rejection::Input("bad".into());
        let internal = Rejection::Internal("bug".into());
        let full = Some("1".to_owned());
        for (error, status, header, logged) in [
            (CreateEntryError::Rejected(input), 400, None, "error processing entry: bad"),
            (CreateEntryError::Rejected(internal), 500, None, "bug"),
            (
                CreateEntryError::Duplicate { id, index: tlog::LogIndex(0) },
                409,
                Some("/x/00ab".into()),
                "",
            ),
            (CreateEntryError::Pushback, 503, full.clone(), "too many entries are waiting"),
            (CreateEntryError::Full("no room".into()), 503, full.clone(), "no room"),
            (CreateEntryError::TimedOut, 504, full, "the entry was not published in time"),
            (CreateEntryError::Stopped("disk full".into()), 500, None, "disk full"),
        ] {
            let (found, found_header, detail) = of(error);
            assert_eq!((found, found_header), (status, header), "{detail}");
            assert!(detail.starts_with(logged), "{detail}");
        }
    }

    #[test]
    fn failures_here_tell_clients_nothing() {
        let problem = Problem::Failed(READ_FAILED.into(), "/var/lib/db: I/O error".into());
        let (status, _, text) = problem.public();
        assert_eq!((status.as_u16(), text.as_ref()), (500, READ_FAILED));
        assert_eq!(answered(Problem::NoEntry).0, 404);
        assert_eq!(answered(Problem::Panicked).0, 500);
    }
}
