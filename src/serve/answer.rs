//! Answers: a status, a few headers, and a body that is whole or comes bit by bit.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::header::{self, HeaderValue};
use hyper::{Response, StatusCode};
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::Receiver;

use super::busy::Busy;

/// What goes out behind the head.
pub(super) struct Content {
    source: BodySource,
    /// While it lives, the connection is not one that may be closed for another.
    busy: Option<Busy>,
    /// A share of the memory that answers of their own size may take.
    _share: Option<OwnedSemaphorePermit>,
}

enum BodySource {
    Whole(Option<Bytes>),
    /// Ends when the sender is dropped.
    Stream(Receiver<Bytes>),
}

/// An answer.
pub(super) type HttpAnswer = Response<Content>;

impl Content {
    fn whole(bytes: Bytes) -> Self {
        Self { source: BodySource::Whole(Some(bytes).filter(|bytes| !bytes.is_empty())), busy: None, _share: None }
    }

    /// Counts the connection as busy until this is sent.
    pub(super) fn hold(&mut self, busy: Busy) {
        self.busy = Some(busy);
    }
}

impl Body for Content {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let next = match &mut self.source {
            BodySource::Whole(bytes) => Poll::Ready(bytes.take()),
            BodySource::Stream(receiver) => receiver.poll_recv(cx),
        };
        next.map(|bytes| bytes.map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        matches!(self.source, BodySource::Whole(None))
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            BodySource::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, Bytes::len) as u64),
            BodySource::Stream(_) => SizeHint::default(),
        }
    }
}

/// What a body is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MediaType {
    Json,
    Metrics,
    EventStream,
    Html,
    Css,
    JavaScript,
}

impl MediaType {
    fn value(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Json => "application/json",
            Self::Metrics => "text/plain; version=0.0.4; charset=utf-8",
            Self::EventStream => "text/event-stream",
            Self::Css => "text/css; charset=utf-8",
            Self::JavaScript => "text/javascript; charset=utf-8",
            Self::Html => "text/html; charset=utf-8",
        })
    }
}

/// What a page of ours may load and do: its own style and script, and requests to this server.
const CONTENT_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src 'self' data:; \
                              base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'";

/// An answer of this kind.
pub(super) fn whole(status: StatusCode, kind: MediaType, bytes: impl Into<Bytes>) -> HttpAnswer {
    with_head(status, kind, Content::whole(bytes.into()))
}

/// The same, which counts as one of the few that are as large as what was asked for.
pub(super) fn counted(kind: MediaType, bytes: impl Into<Bytes>, share: OwnedSemaphorePermit) -> HttpAnswer {
    let content = Content { _share: Some(share), ..Content::whole(bytes.into()) };
    with_head(StatusCode::OK, kind, content)
}

/// An answer that goes on.
pub(super) fn stream(receiver: Receiver<Bytes>) -> HttpAnswer {
    let content = Content { source: BodySource::Stream(receiver), busy: None, _share: None };
    let mut answer = with_head(StatusCode::OK, MediaType::EventStream, content);
    // A proxy that collects an answer before it passes it on would hold back every event.
    answer.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    answer
}

/// An error as JSON, in the shape of `--json`.
pub(super) fn error(status: StatusCode, kind: &str, message: &str) -> HttpAnswer {
    let body = serde_json::json!({ "error": { "kind": kind, "message": message } }).to_string();
    whole(status, MediaType::Json, body)
}

fn with_head(status: StatusCode, kind: MediaType, content: Content) -> HttpAnswer {
    let mut answer = Response::new(content);
    *answer.status_mut() = status;
    let fixed = [
        (header::CONTENT_TYPE, kind.value()),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    answer.headers_mut().extend(fixed);
    if kind == MediaType::Html {
        let policy = HeaderValue::from_static(CONTENT_POLICY);
        answer.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
        answer.headers_mut().insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    }
    answer
}
