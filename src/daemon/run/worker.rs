//! The thread that acts on processes, one job after the other, while the loop stays awake.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender, TryRecvError};
use std::thread;
use std::time::{Duration, Instant};

use super::log::Level;
use super::record::DaemonRecord;
use super::retries::Retries;
use super::status::Overview;
use super::wanted::Beginning;
use super::work::full_text;
use super::{stop, work};
use crate::base::environment::EnvName;
use crate::base::name::OrgName;
use crate::ops::OpContext;
use crate::sys::interruption::Interruption;
use crate::sys::os_host::OsHost;
use crate::sys::paths::Paths;
use crate::sys::poll;
use crate::tsm::store::Process;

/// What is to be done.
#[derive(Debug)]
pub enum Job {
    /// Start what has to run.
    Begin {
        /// What it begins after.
        beginning: Beginning,
        /// The daemon before.
        previous: Option<DaemonRecord>,
    },
    /// One maintenance round.
    Patrol,
    /// Read the definitions again.
    Reload,
    /// Stop all.
    Stop {
        /// What runs.
        processes: Vec<Process>,
        /// By when.
        deadline: Instant,
    },
    /// Only look how things are.
    Look,
}

/// What the thread sends to the loop.
#[derive(Debug)]
pub enum WorkerMessage {
    /// A line for the log.
    Say(Level, String),
    /// A job is done. None if processes could not be looked at.
    Done(Option<Overview>),
    /// The stop is over, and so many processes are left.
    Stopped(usize),
}

/// What the thread works with.
#[derive(Debug)]
pub struct DaemonWorkerInit {
    /// Where everything is.
    pub paths: Paths,
    /// The surroundings.
    pub host: OsHost,
    /// The organization, if there is one.
    pub org: Option<OrgName>,
    /// The environment.
    pub env: EnvName,
    /// Set to end what is being done.
    pub interruption: Arc<Interruption>,
}

/// The loop's end of the thread.
#[derive(Debug)]
pub struct DaemonWorker {
    jobs: Sender<Job>,
    messages: Receiver<WorkerMessage>,
    woken: io::PipeReader,
    interruption: Arc<Interruption>,
    /// How many jobs are not done, and when the first of them was begun or last said something.
    pending: usize,
    busy_since: Option<Instant>,
}

impl DaemonWorker {
    /// Starts the thread.
    ///
    /// # Errors
    ///
    /// Fails if there can be no thread or no pipe.
    pub fn start(init: DaemonWorkerInit) -> io::Result<Self> {
        let (jobs, orders) = mpsc::channel();
        let (results, messages) = mpsc::channel();
        let (woken, wake) = io::pipe()?;
        let interruption = Arc::clone(&init.interruption);
        thread::Builder::new().name("tetra-worker".to_owned()).spawn(move || {
            let mut outbox = Outbox { results, wake };
            let mut retries = Retries::default();
            while let Ok(job) = orders.recv() {
                let Ok(()) = run(&init, job, &mut retries, &mut outbox) else { return };
            }
        })?;
        Ok(Self { jobs, messages, woken, interruption, pending: 0, busy_since: None })
    }

    /// Adds a job.
    pub fn add(&mut self, job: Job) {
        if self.jobs.send(job).is_ok() {
            self.pending += 1;
            self.busy_since.get_or_insert_with(Instant::now);
        }
    }

    /// Ends what is being done, and does only what is added from now on.
    pub fn interrupt(&self) {
        self.interruption.set();
    }

    /// Since when it works without a word; none if it has nothing to do.
    #[must_use]
    pub fn busy_since(&self) -> Option<Instant> {
        self.busy_since
    }

    /// The messages since the last call.
    pub fn messages(&mut self) -> Vec<WorkerMessage> {
        let mut sink = [0; 256];
        if poll::wait_any(&[self.woken.as_fd()], Duration::ZERO) == [true] {
            let _ = self.woken.read(&mut sink);
        }
        let mut messages = Vec::new();
        loop {
            match self.messages.try_recv() {
                Ok(message) => {
                    if matches!(message, WorkerMessage::Done(_) | WorkerMessage::Stopped(_)) {
                        self.pending = self.pending.saturating_sub(1);
                    }
                    // What is said is progress, too: a long chain of slow services does not hang.
                    self.busy_since = (self.pending > 0).then(Instant::now);
                    messages.push(message);
                }
                Err(TryRecvError::Empty | TryRecvError::Disconnected) => return messages,
            }
        }
    }
}

impl AsFd for DaemonWorker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.woken.as_fd()
    }
}

struct Outbox {
    results: Sender<WorkerMessage>,
    wake: io::PipeWriter,
}

impl Outbox {
    /// Fails once the loop is gone.
    fn send(&mut self, message: WorkerMessage) -> Result<(), ()> {
        self.results.send(message).map_err(|_| ())?;
        self.wake.write_all(b"!").map_err(|_| ())
    }
}

fn run(init: &DaemonWorkerInit, job: Job, retries: &mut Retries, outbox: &mut Outbox) -> Result<(), ()> {
    let context = OpContext { paths: &init.paths, host: &init.host, org: init.org.as_ref(), env: Some(&init.env) };
    let mut gone = Ok(());
    let mut say = |level: Level, text: String| {
        gone = gone.and(outbox.send(WorkerMessage::Say(level, text)));
    };
    let done = match job {
        Job::Stop { processes, deadline } => {
            init.interruption.clear();
            let left = stop::stop_all(&context, &processes, deadline, &mut say);
            return gone.and(outbox.send(WorkerMessage::Stopped(left)));
        }
        // The daemon is being stopped.
        _ if init.interruption.is_set() => Ok(()),
        Job::Begin { beginning, previous } => retries.begin(&context, beginning, previous, &mut say),
        Job::Patrol => work::patrol(&context, &mut say).and_then(|()| retries.try_again(&context, &mut say)),
        Job::Reload => retries.reload(&context, &mut say),
        Job::Look => Ok(()),
    };
    if let Err(fault) = done {
        say(Level::Error, full_text(&fault));
    }
    gone?;
    let overview = context.processes().ok().map(|processes| Overview::of(&context, &processes, retries));
    outbox.send(WorkerMessage::Done(overview))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_says_something_does_not_hang() {
        let (jobs, orders) = mpsc::channel();
        let (results, messages) = mpsc::channel();
        let (woken, wake) = io::pipe().expect("a pipe");
        let interruption = Arc::default();
        let mut worker = DaemonWorker { jobs, messages, woken, interruption, pending: 0, busy_since: None };
        let mut outbox = Outbox { results, wake };
        worker.add(Job::Patrol);
        let begun = worker.busy_since();
        assert!(begun.is_some() && orders.recv().is_ok());
        assert!(worker.messages().is_empty() && worker.busy_since() == begun);
        outbox.send(WorkerMessage::Say(Level::Info, "started web".to_owned())).expect("it listens");
        assert!(worker.messages().len() == 1 && worker.busy_since() > begun);
        outbox.send(WorkerMessage::Done(None)).expect("it listens");
        assert!(worker.messages().len() == 1 && worker.busy_since().is_none());
    }
}
