//! What was read last. As many requests as come in a moment cost one look, and none waits for a disk in the thread that answers.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hyper::body::Bytes;
use tokio::sync::Mutex as AsyncMutex;
use tokio::sync::mpsc::Receiver;

use super::desk::Desk;
use super::health::HealthSnapshot;
use super::log_feed::LogFeeds;
use super::logs::{LogDesk, LogQuery};
use super::worker::{ReadWorker, WorkerReadError, within_limit};

/// What was read may be so old.
const MAX_AGE: Duration = Duration::from_millis(250);

/// A result that is read again when it is too old, by one request for all that wait.
struct Cache<T> {
    last: Mutex<Option<(Instant, T)>>,
    reading: AsyncMutex<()>,
}

impl<T> Default for Cache<T> {
    fn default() -> Self {
        Self { last: Mutex::new(None), reading: AsyncMutex::default() }
    }
}

impl<T: Clone> Cache<T> {
    fn fresh(&self) -> Option<T> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().filter(|(at, _)| at.elapsed() < MAX_AGE).map(|(_, it)| it.clone())
    }

    async fn get(&self, read: impl Future<Output = Result<T, WorkerReadError>>) -> Result<T, WorkerReadError> {
        if let Some(it) = self.fresh() {
            return Ok(it);
        }
        let get = async {
            let _one = self.reading.lock().await;
            // Another request may have read it meanwhile.
            if let Some(it) = self.fresh() {
                return Ok(it);
            }
            let it = read.await?;
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), it.clone()));
            Ok(it)
        };
        within_limit(get).await?
    }
}

/// What is known of the processes, a moment old at most.
pub(super) struct ProcessReader {
    desk: ReadWorker<Desk>,
    logs: ReadWorker<LogDesk>,
    health: Cache<Arc<HealthSnapshot>>,
    processes: Cache<Bytes>,
    metrics: Cache<Bytes>,
    feeds: Arc<LogFeeds>,
}

impl ProcessReader {
    /// Starts two threads, one for processes and one for logs, which end with this value.
    pub(super) fn start(
        desk: impl FnOnce() -> Desk + Send + 'static,
        logs: impl FnOnce() -> LogDesk + Send + 'static,
        feeds: Arc<LogFeeds>,
    ) -> io::Result<Self> {
        Ok(Self {
            desk: ReadWorker::start("read", desk)?,
            logs: ReadWorker::start("logs", logs)?,
            health: Cache::default(),
            processes: Cache::default(),
            metrics: Cache::default(),
            feeds,
        })
    }

    /// How every service and process is.
    pub(super) async fn health(&self) -> Result<Arc<HealthSnapshot>, WorkerReadError> {
        self.health.get(self.desk.ask(|desk| desk.health().map(Arc::new))).await
    }

    /// All processes, as JSON.
    pub(super) async fn processes(&self) -> Result<Bytes, WorkerReadError> {
        self.processes.get(self.desk.ask(|desk| desk.processes().map(Bytes::from))).await
    }

    /// All about one process, as JSON.
    pub(super) async fn process(&self, name: String) -> Result<String, WorkerReadError> {
        self.desk.ask(move |desk| desk.process(&name)).await
    }

    /// Measurements of all processes, in the text format of Prometheus.
    pub(super) async fn metrics(&self) -> Result<Bytes, WorkerReadError> {
        self.metrics.get(self.desk.ask(|desk| desk.metrics().map(Bytes::from))).await
    }

    /// Lines of the logs of a process, as JSON.
    pub(super) async fn lines(&self, name: String, query: LogQuery) -> Result<String, WorkerReadError> {
        self.logs.ask(move |desk| desk.lines(&name, &query)).await
    }

    /// The same as they come, after those that came since the place `last`.
    pub(super) async fn follow(
        &self,
        name: String,
        query: LogQuery,
        last: Option<String>,
    ) -> Result<Receiver<Bytes>, WorkerReadError> {
        let feeds = Arc::clone(&self.feeds);
        self.logs.ask(move |_| feeds.follow(&name, &query, last.as_deref())).await
    }
}
