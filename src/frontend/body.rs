//! Request bodies: how much, how long, and how much of all of them at once.

use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::Request;
use hyper::body::{Body as _, Incoming};
use hyper::header::EXPECT;
use hyper::http::request::Parts;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout, timeout_at};

use super::limits::{LEFTOVER_BYTES_MAX, LEFTOVER_READ_MAX};
use super::settings::FrontendSettings;
use super::status::Problem;

/// The memory for all request bodies; cheap to clone.
#[derive(Clone)]
pub(crate) struct BodyBudget {
    free: Arc<Semaphore>, // in units of UNIT_BYTES, because permits are counted in 32 bits
    bytes_max: usize,
    body_bytes_max: usize,
    read_max: Duration,
}

const UNIT_BYTES: usize = 1024;

/// The body of one request, not read yet.
pub(crate) struct Body {
    incoming: Incoming,
    ahead: Option<Bytes>,
    expects_continue: bool,
    deadline: Instant,
    budget: BodyBudget,
    held: Option<OwnedSemaphorePermit>,
    /// Bytes that have been read.
    pub(crate) received: usize,
}

impl BodyBudget {
    /// As the settings say.
    pub(crate) fn new(settings: &FrontendSettings) -> Self {
        let body_bytes_max = settings.max_request_body_bytes;
        let bytes_max = settings.limits.bodies_bytes_max.max(body_bytes_max);
        let units = bytes_max.div_ceil(UNIT_BYTES);
        let read_max = settings.limits.body_read_max;
        Self { free: Arc::new(Semaphore::new(units)), bytes_max, body_bytes_max, read_max }
    }

    /// Takes a request apart; its body has a limited time to arrive from now on.
    pub(crate) fn split(&self, request: Request<Incoming>) -> (Parts, Body) {
        let (parts, incoming) = request.into_parts();
        let body = Body {
            incoming,
            ahead: None,
            expects_continue: parts.headers.contains_key(EXPECT),
            deadline: Instant::now() + self.read_max,
            budget: self.clone(),
            held: None,
            received: 0,
        };
        (parts, body)
    }
}

impl Body {
    /// Lowers the cap on this body.
    pub(crate) fn limit(&mut self, bytes: usize) {
        self.budget.body_bytes_max = self.budget.body_bytes_max.min(bytes);
    }

    /// Refuses a body that says itself that it is too large.
    pub(crate) fn check_declared(&self) -> Result<(), Problem> {
        let max = self.budget.body_bytes_max;
        match self.incoming.size_hint().exact() {
            Some(bytes) if bytes > max as u64 => Err(Problem::BodyTooLarge(max)),
            _ => Ok(()),
        }
    }

    /// Whether there is at least one byte.
    pub(crate) async fn has_data(&mut self) -> Result<bool, Problem> {
        if let Some(bytes) = self.incoming.size_hint().exact() {
            return Ok(bytes > 0);
        }
        if self.ahead.is_none() {
            self.ahead = self.next().await?;
        }
        Ok(self.ahead.is_some())
    }

    /// Reads all of it. The memory counts against the budget until the body is dropped.
    pub(crate) async fn read(&mut self) -> Result<Bytes, Problem> {
        self.check_declared()?;
        let first = match self.ahead.take() {
            Some(first) => first,
            None => match self.next().await? {
                Some(first) => first,
                None => return Ok(Bytes::new()),
            },
        };
        let Some(second) = self.next().await? else { return Ok(first) };
        let mut whole = BytesMut::with_capacity(2 * (first.len() + second.len()));
        whole.extend_from_slice(&first);
        whole.extend_from_slice(&second);
        while let Some(more) = self.next().await? {
            whole.extend_from_slice(&more);
        }
        Ok(whole.freeze())
    }

    /// Reads all of it, which is JSON. What its values will take counts against the budget, too: a
    /// list of many small ones needs far more memory than its text.
    pub(crate) async fn read_json(&mut self) -> Result<Bytes, Problem> {
        let text = self.read().await?;
        self.weigh_json(&text)?;
        Ok(text)
    }

    /// The second half of [`read_json`](Self::read_json): makes room for what its values will take.
    pub(crate) fn weigh_json(&mut self, text: &[u8]) -> Result<(), Problem> {
        let bytes = parsed_bytes(text);
        if bytes > self.budget.bytes_max {
            return Err(Problem::Malformed("the JSON has too many values".into()));
        }
        self.hold(bytes / UNIT_BYTES)
    }

    /// The next bytes; `None` at the end.
    async fn next(&mut self) -> Result<Option<Bytes>, Problem> {
        loop {
            if self.incoming.is_end_stream() {
                return Ok(None);
            }
            let frame = timeout_at(self.deadline, self.incoming.frame()).await;
            let Some(frame) = frame.map_err(|_| Problem::BodyTooSlow)? else { return Ok(None) };
            let frame = frame.map_err(|error| Problem::BodyBroken(error.to_string()))?;
            let Ok(data) = frame.into_data() else { continue }; // trailers
            if !data.is_empty() {
                self.account(data.len())?;
                return Ok(Some(data));
            }
        }
    }

    fn account(&mut self, bytes: usize) -> Result<(), Problem> {
        let before = self.received.div_ceil(UNIT_BYTES);
        self.received += bytes;
        if self.received > self.budget.body_bytes_max {
            return Err(Problem::BodyTooLarge(self.budget.body_bytes_max));
        }
        let units = self.received.div_ceil(UNIT_BYTES) - before;
        self.hold(units)
    }

    fn hold(&mut self, units: usize) -> Result<(), Problem> {
        let units = u32::try_from(units).map_err(|_| Problem::Busy)?;
        let more = self.budget.free.clone().try_acquire_many_owned(units);
        let more = more.map_err(|_| Problem::Busy)?;
        match &mut self.held {
            Some(held) => held.merge(more),
            held => *held = Some(more),
        }
        Ok(())
    }

    /// Lets go of the body. If the client is still sending it, some of the rest is read (and
    /// forgotten) behind the answer: closing at once could reset the connection before the client
    /// has read the answer.
    pub(crate) fn discard(self) {
        let mut incoming = self.incoming;
        if incoming.is_end_stream() || self.expects_continue {
            return;
        }
        tokio::spawn(timeout(LEFTOVER_READ_MAX, async move {
            let mut forgotten = 0;
            while forgotten < LEFTOVER_BYTES_MAX {
                let Some(Ok(frame)) = incoming.frame().await else { return };
                forgotten += frame.data_ref().map_or(0, Bytes::len);
            }
        }));
    }
}

/// The most memory that the values of a JSON text take besides their strings, by its punctuation.
fn parsed_bytes(text: &[u8]) -> usize {
    let objects = count(text, |byte| byte == b'{');
    let others = count(text, |byte| (byte == b',') | (byte == b'[') | (byte == b':'));
    objects * OBJECT_BYTES + others * VALUE_BYTES
}

/// Piece by piece, so that a byte counts without overflow: the compiler makes vectors of that.
fn count(text: &[u8], is: impl Fn(u8) -> bool) -> usize {
    let pieces = text.chunks(usize::from(u8::MAX));
    let of_piece =
        |piece: &[u8]| piece.iter().fold(0_u8, |n, byte| n.wrapping_add(u8::from(is(*byte))));
    pieces.map(|piece| usize::from(of_piece(piece))).sum()
}

/// A map with one member takes a whole B-tree node.
const OBJECT_BYTES: usize = 704;
/// A value in a list that has just grown to twice its size.
const VALUE_BYTES: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_values_weigh_more_than_their_text() {
        assert_eq!(parsed_bytes(b"\"text\""), 0);
        let list = format!("[{}0]", "0,".repeat(999));
        assert_eq!(parsed_bytes(list.as_bytes()), 1000 * VALUE_BYTES);
        assert_eq!(parsed_bytes(br#"{"a":1,"b":{}}"#), 2 * OBJECT_BYTES + 3 * VALUE_BYTES);
    }
}
