//! The body of an answer: bytes that are all there, or a stream of them.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Body, Frame, SizeHint};

/// A stream ended before its end.
#[derive(Debug, thiserror::Error)]
#[error("the answer broke off: {0}")]
pub(super) struct BrokenOff(String);

/// See the top of this file.
pub(super) enum ReplyBody {
    Whole(Full<Bytes>),
    Stream(UnsyncBoxBody<Bytes, BrokenOff>),
}

impl ReplyBody {
    /// A body that is all there.
    pub(super) fn whole(bytes: impl Into<Bytes>) -> Self {
        Self::Whole(Full::new(bytes.into()))
    }

    /// A body that comes bit by bit.
    pub(super) fn stream<B>(body: B) -> Self
    where
        B: Body<Data = Bytes, Error: std::fmt::Display> + Send + 'static,
    {
        Self::Stream(body.map_err(|error| BrokenOff(error.to_string())).boxed_unsync())
    }

    /// The same, holding something until it has been sent.
    pub(super) fn holding<T: Send + 'static>(self, held: T) -> Self {
        match self {
            Self::Whole(whole) => Self::Whole(whole),
            Self::Stream(stream) => {
                let stream = stream.map_frame(move |frame| {
                    let _held = &held;
                    frame
                });
                Self::Stream(stream.boxed_unsync())
            }
        }
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        match self.get_mut() {
            Self::Whole(whole) => {
                let frame = Pin::new(whole).poll_frame(cx);
                frame.map_err(|never| match never {})
            }
            Self::Stream(stream) => Pin::new(stream).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(whole) => whole.is_end_stream(),
            Self::Stream(stream) => stream.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(whole) => whole.size_hint(),
            Self::Stream(stream) => stream.size_hint(),
        }
    }
}
