//! A connection that does not wait for ever until the other side reads, and whose last answer is not lost when it closes.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, Sleep, sleep_until};

/// In this time the other side has to take [`LEAST`] bytes, or all there are.
const LIMIT: Duration = Duration::from_secs(20);

/// See [`LIMIT`].
const LEAST: usize = 16 * 1024;

/// How long a connection that is closed still takes what was on its way: the kernel answers unread bytes with a reset, and a
/// reset takes the last answer with it.
const LINGER: Duration = Duration::from_secs(1);

/// The most of it, in bytes.
const MOST_LEFT: usize = 4 * 1024 * 1024;

/// A connection whose writes fail when they make no progress.
pub(super) struct Stream {
    inner: TcpStream,
    /// Runs while something is not written.
    deadline: Option<Pin<Box<Sleep>>>,
    /// Written since the deadline was set, in bytes.
    written: usize,
    /// Set when it is closed: how much more is taken, in bytes, and until when.
    rest: Option<(usize, Pin<Box<Sleep>>)>,
    /// True when the server ends, which waits for no client.
    closing: watch::Receiver<bool>,
}

impl Stream {
    pub(super) fn new(inner: TcpStream, closing: watch::Receiver<bool>) -> Self {
        Self { inner, deadline: None, written: 0, rest: None, closing }
    }

    /// Ready when the other side has closed too, or has had its time.
    fn poll_rest(&mut self, cx: &mut Context) -> Poll<()> {
        let (most, deadline) =
            self.rest.get_or_insert_with(|| (MOST_LEFT, Box::pin(sleep_until(Instant::now() + LINGER))));
        let mut block = [0; 16 * 1024];
        while *most > 0 && !*self.closing.borrow() {
            let mut buffer = ReadBuf::new(&mut block);
            match Pin::new(&mut self.inner).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    *most = most.saturating_sub(buffer.filled().len())
                }
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return deadline.as_mut().poll(cx),
            }
        }
        Poll::Ready(())
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
        if self.rest.is_none() {
            ready!(Pin::new(&mut self.inner).poll_shutdown(cx))?;
        }
        self.poll_rest(cx).map(Ok)
    }
}
