//! Answers: a status, a few headers, and a body that is whole or comes bit by bit.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::header::{self, HeaderValue};
use hyper::{Response, StatusCode};

use super::busy::Busy;

/// What goes out behind the head.
pub(super) struct Content {
    bytes: Option<Bytes>,
    /// While it lives, the connection is not one that may be closed for another.
    busy: Option<Busy>,
}

/// An answer.
pub(super) type Answer = Response<Content>;

impl Content {
    fn whole(bytes: Bytes) -> Self {
        Self { bytes: Some(bytes).filter(|bytes| !bytes.is_empty()), busy: None }
    }

    /// Counts the connection as busy until this is sent.
    pub(super) fn hold(&mut self, busy: Busy) {
        self.busy = Some(busy);
    }
}

impl Body for Content {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, _cx: &mut Context) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.bytes.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.bytes.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.bytes.as_ref().map_or(0, Bytes::len) as u64)
    }
}

/// What a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MediaType {
    Json,
}

impl MediaType {
    fn value(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Json => "application/json",
        })
    }
}

/// An answer of this kind.
pub(super) fn whole(status: StatusCode, kind: MediaType, bytes: impl Into<Bytes>) -> Answer {
    with_head(status, kind, Content::whole(bytes.into()))
}

/// An error as JSON, in the shape of `--json`.
pub(super) fn error(status: StatusCode, kind: &str, message: &str) -> Answer {
    let body = serde_json::json!({ "error": { "kind": kind, "message": message } }).to_string();
    whole(status, MediaType::Json, body)
}

fn with_head(status: StatusCode, kind: MediaType, content: Content) -> Answer {
    let mut answer = Response::new(content);
    *answer.status_mut() = status;
    let fixed = [
        (header::CONTENT_TYPE, kind.value()),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    answer.headers_mut().extend(fixed);
    answer
}
