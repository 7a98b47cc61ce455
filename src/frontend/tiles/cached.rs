//! What caches are told: how long an answer holds, by which tag it is known, and when not to send
//! it again (RFC 9110 §13).

use std::fmt::Display;
use std::time::{Duration, SystemTime};

use hyper::StatusCode;
use hyper::header::{
    CACHE_CONTROL, ETAG, HeaderValue, IF_MODIFIED_SINCE, IF_NONE_MATCH, LAST_MODIFIED,
};
use hyper::http::request::Parts;

use super::super::reply::empty;
use super::super::server::Reply;
use crate::shard::Shard;

/// By what an answer is known.
pub(super) struct Tag {
    etag: String,
    modified: Option<SystemTime>,
    cache_control: &'static str,
}

impl Tag {
    /// Of an answer that may be another one the next time.
    pub(super) fn of_bytes(bytes: &[u8], time: i64) -> Self {
        let etag = format!("\"{}\"", &hex::encode(tlog::hash::sha256(bytes))[..32]);
        let seconds = Duration::from_secs(u64::try_from(time).unwrap_or(0));
        let modified = Some(SystemTime::UNIX_EPOCH + seconds);
        Self { etag, modified, cache_control: "no-cache" }
    }

    /// Of what is never another one: its name is enough.
    pub(super) fn immutable(shard: &Shard, path: &impl Display, variant: &str) -> Self {
        let log = hex::encode(&shard.log_id()[..8]);
        let etag = format!("\"{log}/{path}{variant}\"");
        Self { etag, modified: None, cache_control: "max-age=31536000, immutable" }
    }

    /// Whether the client has it.
    fn is_known(&self, parts: &Parts) -> bool {
        let text = |name| parts.headers.get(name).and_then(|value| value.to_str().ok());
        if let Some(tags) = text(&IF_NONE_MATCH) {
            let mut tags = tags.split(',').map(|tag| tag.trim().trim_start_matches("W/"));
            return tags.any(|tag| tag == "*" || tag == self.etag);
        }
        let since = text(&IF_MODIFIED_SINCE).and_then(|date| httpdate::parse_http_date(date).ok());
        since.zip(self.modified).is_some_and(|(since, modified)| modified <= since)
    }
}

/// The answer with its tag, or 304 when the client has it.
pub(super) fn unless_known(parts: &Parts, tag: &Tag, answer: impl FnOnce() -> Reply) -> Reply {
    let mut reply = if tag.is_known(parts) { empty(StatusCode::NOT_MODIFIED) } else { answer() };
    let headers = reply.headers_mut();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(tag.cache_control));
    if let Ok(etag) = HeaderValue::try_from(&tag.etag) {
        headers.insert(ETAG, etag);
    }
    let date = tag.modified.map(httpdate::fmt_http_date).map(HeaderValue::try_from);
    if let Some(Ok(date)) = date {
        headers.insert(LAST_MODIFIED, date);
    }
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_client_has_is_not_sent_again() {
        let tag = Tag::of_bytes(b"note", 1_000_000);
        let etag = tag.etag.clone();
        let known = |name: &str, value: &str| {
            let request = hyper::Request::get("/").header(name, value);
            tag.is_known(&request.body(()).unwrap().into_parts().0)
        };
        assert!(known("if-none-match", &etag) && known("if-none-match", "*"));
        assert!(known("if-none-match", &format!("\"x\", W/{etag}")));
        assert!(!known("if-none-match", "\"x\"") && !known("if-none-match", ""));
        assert!(known("if-modified-since", "Mon, 12 Jan 1970 13:46:40 GMT"));
        assert!(!known("if-modified-since", "Mon, 12 Jan 1970 13:46:39 GMT"));
        assert!(!known("if-modified-since", "yesterday"));
    }
}
