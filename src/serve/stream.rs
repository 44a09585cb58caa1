//! A connection that does not wait for ever until the other side reads.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until};

/// In this time the other side has to take [`LEAST`] bytes, or all there are.
const LIMIT: Duration = Duration::from_secs(20);

/// See [`LIMIT`].
const LEAST: usize = 16 * 1024;

/// A connection whose writes fail when they make no progress.
pub(super) struct Stream {
    inner: TcpStream,
    /// Runs while something is not written.
    deadline: Option<Pin<Box<Sleep>>>,
    /// Written since the deadline was set, in bytes.
    written: usize,
}

impl Stream {
    pub(super) fn new(inner: TcpStream) -> Self {
        Self { inner, deadline: None, written: 0 }
    }

    fn note(&mut self, result: Poll<io::Result<usize>>, cx: &mut Context) -> Poll<io::Result<usize>> {
        if let Poll::Ready(Ok(count)) = result {
            self.written += count;
            if self.written >= LEAST {
                self.deadline = None;
            }
        }
        if result.is_ready() {
            return result;
        }
        if self.deadline.is_none() {
            self.written = 0;
        }
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(sleep_until(Instant::now() + LIMIT)));
        match deadline.as_mut().poll(cx) {
            Poll::Ready(()) => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
            Poll::Pending => Poll::Pending,
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context, buffer: &mut ReadBuf) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_write(cx, bytes);
        self.note(result, cx)
    }

    fn poll_write_vectored(mut self: Pin<&mut Self>, cx: &mut Context, slices: &[IoSlice]) -> Poll<io::Result<usize>> {
        let result = Pin::new(&mut self.inner).poll_write_vectored(cx, slices);
        self.note(result, cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context) -> Poll<io::Result<()>> {
        // Called when all is written.
        self.deadline = None;
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}
