//! Connections: how many there are at once, how long each may take, and which one goes when there are too many.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};

use super::busy::Busy;
use super::handler::Handler;
use super::stream::Stream;

/// A head has to be complete in this time. Also how long a connection may stay open between two requests.
const HEAD_LIMIT: Duration = Duration::from_secs(10);

/// How many headers a request may have.
const MAX_HEADERS: usize = 64;

/// The longest head, in bytes.
const MAX_HEAD: usize = 16 * 1024;

/// How long open answers have to end when the server does.
const DRAIN_LIMIT: Duration = Duration::from_secs(2);

/// The pause after an accept that failed, for lack of descriptors for example.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The answer to a connection over the limit.
const FULL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n";

/// All open connections.
pub(super) struct Connections {
    /// By age.
    open: Mutex<BTreeMap<u64, Slot>>,
    most: usize,
}

struct Slot {
    task: AbortHandle,
    /// How many answers of it are under way.
    answers: Arc<AtomicUsize>,
}

/// Takes its connection out of the list.
struct Registered {
    connections: Arc<Connections>,
    id: u64,
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.connections.lock().remove(&self.id);
    }
}

impl Connections {
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self { open: Mutex::default(), most })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<u64, Slot>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes room for one more: the oldest connection that waits for a request goes. False if all have answers under way.
    fn make_room(&self) -> bool {
        let mut open = self.lock();
        if open.len() < self.most {
            return true;
        }
        let idle = open.iter().find(|(_, slot)| slot.answers.load(Ordering::Relaxed) == 0).map(|(id, _)| *id);
        let Some(slot) = idle.and_then(|id| open.remove(&id)) else { return false };
        slot.task.abort();
        true
    }
}

/// Accepts and serves connections until `closing` says so, then ends them in order.
pub(super) async fn serve(
    listener: TcpListener,
    handler: Arc<Handler>,
    mut closing: watch::Receiver<bool>,
    most: usize,
) {
    let connections = Connections::new(most);
    let accepting = tokio::spawn(accept(listener, handler, Arc::clone(&connections), closing.clone()));
    let _ = closing.wait_for(|closing| *closing).await;
    accepting.abort();
    let drained = async {
        while !connections.lock().is_empty() {
            sleep(Duration::from_millis(10)).await;
        }
    };
    let _ = timeout(DRAIN_LIMIT, drained).await;
}

async fn accept(
    listener: TcpListener,
    handler: Arc<Handler>,
    connections: Arc<Connections>,
    closing: watch::Receiver<bool>,
) {
    let mut id = 0;
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(_) => {
                sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        if !connections.make_room() {
            let _ = stream.try_write(FULL);
            continue;
        }
        id += 1;
        let answers = Arc::new(AtomicUsize::new(0));
        let registered = Registered { connections: Arc::clone(&connections), id };
        // One thread runs all tasks, so this one does not begin before it is in the list.
        let task =
            tokio::spawn(serve_one(stream, Arc::clone(&handler), Arc::clone(&answers), closing.clone(), registered));
        connections.lock().insert(id, Slot { task: task.abort_handle(), answers });
    }
}

async fn serve_one(
    stream: TcpStream,
    handler: Arc<Handler>,
    answers: Arc<AtomicUsize>,
    mut closing: watch::Receiver<bool>,
    _registered: Registered,
) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(|request| {
        let (handler, busy) = (Arc::clone(&handler), Busy::begin(&answers));
        async move {
            let mut answer = handler.answer(&request).await;
            answer.body_mut().hold(busy);
            Ok::<_, std::convert::Infallible>(answer)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_LIMIT)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEAD)
        // No `pipeline_flush`: it holds an answer back as long as there are unread bytes, so one to a request that is not
        // finished or not understood, such as 431, would never be sent.
        // Head and body of the small answers in one buffer cost less than two for `writev`.
        .writev(false)
        .serve_connection(TokioIo::new(Stream::new(stream, closing.clone())), service);
    let mut connection = pin!(connection);
    let mut closed = pin!(closing.wait_for(|closing| *closing));
    let mut is_closing = false;
    // What goes wrong on a connection is the other side's affair.
    let _ = poll_fn(|cx| {
        if !is_closing && closed.as_mut().poll(cx).is_ready() {
            is_closing = true;
            connection.as_mut().graceful_shutdown();
        }
        connection.as_mut().poll(cx)
    })
    .await;
}
