//! The thread that reads files, and what it read last. Requests never wait for a disk in the thread that answers.

use std::collections::BTreeMap;
use std::io;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex as AsyncMutex, oneshot};
use tokio::time::timeout;

use super::Identity;
use super::health::{HealthSnapshot, Scene};
use crate::base::fault::Fault;
use crate::base::time::Timestamp;
use crate::ops::service_health::Judge;
use crate::sys::host::Host;
use crate::sys::os_host::OsHost;
use crate::sys::paths::Paths;

/// What was read may be so old: as many requests as there are in this time cost one look.
const MAX_AGE: Duration = Duration::from_millis(250);

/// A look may take so long. After that the answer is that it took too long.
const READ_LIMIT: Duration = Duration::from_secs(3);

/// How many looks may wait for the thread.
const QUEUE: usize = 32;

/// Why there is no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum ReadError {
    /// The files could not be read in time.
    #[error("the processes could not be read within {} s", READ_LIMIT.as_secs())]
    Slow,
    /// They could not be read.
    #[error("{0}")]
    Failed(String),
}

/// A result that is read again when it is too old, by one request for all that wait.
struct Cache<T> {
    last: Mutex<Option<(Instant, Arc<T>)>>,
    reading: AsyncMutex<()>,
}

impl<T> Default for Cache<T> {
    fn default() -> Self {
        Self { last: Mutex::new(None), reading: AsyncMutex::default() }
    }
}

impl<T> Cache<T> {
    fn fresh(&self) -> Option<Arc<T>> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.as_ref().filter(|(at, _)| at.elapsed() < MAX_AGE).map(|(_, it)| Arc::clone(it))
    }

    async fn get(&self, read: impl Future<Output = Result<T, ReadError>>) -> Result<Arc<T>, ReadError> {
        if let Some(it) = self.fresh() {
            return Ok(it);
        }
        let get = async {
            let _one = self.reading.lock().await;
            // Another request may have read it meanwhile.
            if let Some(it) = self.fresh() {
                return Ok(it);
            }
            let it = Arc::new(read.await?);
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), Arc::clone(&it)));
            Ok(it)
        };
        timeout(READ_LIMIT, get).await.unwrap_or(Err(ReadError::Slow))
    }
}

/// Something to be done in the thread.
type Job = Box<dyn FnOnce(&mut Desk) + Send>;

/// What the thread has to look with.
pub(super) struct Desk {
    pub(super) host: OsHost,
    pub(super) paths: Paths,
    pub(super) identity: Arc<Identity>,
    /// When the server was started.
    pub(super) started: Timestamp,
}

impl Desk {
    fn variables(&self) -> &BTreeMap<String, String> {
        self.host.variables()
    }

    pub(super) fn judge(&self) -> Judge<'_> {
        Judge { now: self.host.now(), own_mark: self.host.variable("TSM_RUN") }
    }

    fn health(&self) -> Result<HealthSnapshot, Fault> {
        HealthSnapshot::take(&Scene {
            paths: &self.paths,
            variables: self.variables(),
            identity: &self.identity,
            judge: self.judge(),
            started: self.started,
        })
    }
}

/// What is known of the processes, a moment old at most.
pub(super) struct Reader {
    jobs: SyncSender<Job>,
    health: Cache<HealthSnapshot>,
}

impl Reader {
    /// Starts the thread, which ends with this value.
    pub(super) fn start(mut desk: Desk) -> io::Result<Self> {
        let (jobs, waiting): (SyncSender<Job>, Receiver<Job>) = sync_channel(QUEUE);
        let work = move || waiting.into_iter().for_each(|job| job(&mut desk));
        thread::Builder::new().name("read".to_owned()).spawn(work)?;
        Ok(Self { jobs, health: Cache::default() })
    }

    /// How every service and process is.
    pub(super) async fn health(&self) -> Result<Arc<HealthSnapshot>, ReadError> {
        self.health.get(self.ask(|desk| desk.health())).await
    }

    /// Has something done in the thread.
    async fn ask<T: Send + 'static>(
        &self,
        look: impl FnOnce(&mut Desk) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, ReadError> {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |desk| {
            let _ = reply.send(look(desk).map_err(|fault| ReadError::Failed(fault.to_string())));
        });
        match self.jobs.try_send(job) {
            Ok(()) => answer.await.unwrap_or(Err(ReadError::Slow)),
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => Err(ReadError::Slow),
        }
    }
}
