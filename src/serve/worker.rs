//! A thread for work that may wait for a disk.

use std::io;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::base::fault::{Fault, FaultKind};

/// How long an answer may take. After that the answer is that it took too long.
const LIMIT: Duration = Duration::from_secs(3);

/// How much work may wait for the thread.
const QUEUE: usize = 32;

/// Why there is no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum WorkerReadError {
    /// It took too long, or too much else is to be read.
    #[error("the files could not be read within {} s", LIMIT.as_secs())]
    Slow,
    /// What was asked for does not exist.
    #[error("{0}")]
    NotFound(String),
    /// What was asked for makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// They could not be read.
    #[error("{0}")]
    Failed(String),
}

impl From<Fault> for WorkerReadError {
    fn from(fault: Fault) -> Self {
        match fault.kind {
            FaultKind::NotFound => Self::NotFound(fault.to_string()),
            FaultKind::Usage => Self::Invalid(fault.to_string()),
            _ => Self::Failed(fault.to_string()),
        }
    }
}

/// Something to be done with what the thread has.
type ReadTask<S> = Box<dyn FnOnce(&mut S) + Send>;

/// A thread that does one thing after the other, with something of its own.
pub(super) struct ReadWorker<S>(SyncSender<ReadTask<S>>);

impl<S: 'static> ReadWorker<S> {
    /// Starts the thread, which ends with this value.
    pub(super) fn start(name: &str, make: impl FnOnce() -> S + Send + 'static) -> io::Result<Self> {
        let (jobs, waiting): (SyncSender<ReadTask<S>>, Receiver<ReadTask<S>>) = sync_channel(QUEUE);
        let work = move || {
            let mut own = make();
            waiting.into_iter().for_each(|job| job(&mut own));
        };
        thread::Builder::new().name(name.to_owned()).spawn(work)?;
        Ok(Self(jobs))
    }

    /// Has something done. What is not waited for any more is not begun.
    pub(super) async fn ask<T: Send + 'static>(
        &self,
        look: impl FnOnce(&mut S) -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, WorkerReadError> {
        let (reply, answer) = oneshot::channel();
        let job: ReadTask<S> = Box::new(move |own| {
            if !reply.is_closed() {
                let _ = reply.send(look(own));
            }
        });
        match self.0.try_send(job) {
            Ok(()) => match within_limit(answer).await? {
                Ok(result) => Ok(result?),
                // The thread has ended.
                Err(_) => Err(WorkerReadError::Slow),
            },
            Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) => Err(WorkerReadError::Slow),
        }
    }
}

/// Waits no longer than an answer may take.
pub(super) async fn within_limit<T>(future: impl Future<Output = T>) -> Result<T, WorkerReadError> {
    timeout(LIMIT, future).await.map_err(|_| WorkerReadError::Slow)
}
