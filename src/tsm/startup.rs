//! Starting many services together: each as soon as those it needs are ready, all others at the same time.
//!
//! One thread makes the processes and watches them; a few others wait for supervisors, whose pre-start commands may take a
//! while. What fails takes down only those that need it.

pub mod collect;
mod error;
pub mod order;
mod running;

use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::Builder;
use std::time::{Duration, Instant};

use crate::supervise::client::{self, ControlCommand, LaunchError, LaunchResult};
use crate::supervise::meta::{ExitStatus, ProcessState};

pub use error::StartupError;
use error::{DependencyState, with_causes};
pub use running::RunningProcess;

use super::allocate::AllocationError;
use super::create::{CreateError, Created, create_all};
use super::plan::StartPlan;
use super::readiness::{Readiness, ReadinessPoll, ReadinessWatcher};
use super::secrets;
use super::start::{self, Launch, LaunchOutcome, LogOffsets, StartDeps, StartError, Started, WaitFor};

/// One service of a start.
#[derive(Debug)]
pub struct StartJob {
    /// Its name.
    pub name: String,
    /// The services that have to be ready before it.
    pub needs: Vec<String>,
    /// What is to be done with it.
    pub task: Task,
}

/// What is to be done with a service.
#[derive(Debug)]
pub enum Task {
    /// Start it.
    Start(Box<StartPlan>),
    /// Nothing: it runs.
    Running(RunningProcess),
    /// Nothing: it is not to be started by itself.
    Disabled,
    /// Nothing: it cannot be started.
    Fail(StartupError),
}

/// What became of a service.
#[derive(Debug)]
pub enum StartOutcome {
    /// It was started and is ready.
    Started(Started),
    /// It ran before.
    AlreadyRunning(RunningProcess),
    /// It is not to be started by itself.
    Disabled,
    /// It does not run, or is not ready.
    Failed(StartupError),
}

/// So many supervisors are waited for at the same time.
const MAX_LAUNCHERS: usize = 16;

/// The pause between two looks.
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// How long is waited for pre-start commands that got SIGTERM, before they get it again.
const INTERRUPT_INTERVAL: Duration = Duration::from_millis(50);

/// Starts services, given in an order in which each comes after those it needs. The outcomes are in the same order.
pub fn run(services: Vec<StartJob>, deps: &mut StartDeps) -> Vec<(String, StartOutcome)> {
    let (orders, to_launch) = mpsc::channel();
    let (answers, answered) = mpsc::channel();
    let to_launch = Mutex::new(to_launch);
    let count = services.len().min(MAX_LAUNCHERS);
    std::thread::scope(|scope| {
        let launcher = |_: &usize| {
            let (to_launch, answers) = (&to_launch, answers.clone());
            Builder::new().spawn_scoped(scope, move || run_launcher(to_launch, &answers)).is_ok()
        };
        let launchers = (0..count).filter(launcher).count();
        let mut startup = StartupRun {
            jobs: services.into_iter().map(JobProgress::new).collect(),
            starter: deps,
            queue: Some(orders),
            // Who may not have another thread starts one after the other.
            inline_queue: (launchers == 0).then_some(&to_launch),
        };
        startup.serve(&answered);
        startup.jobs.into_iter().map(JobProgress::end).collect()
    })
}

/// What is to be launched, and by which index it is known.
type LaunchQueue = Mutex<Receiver<(usize, Launch)>>;

/// Starts supervisors until there are no more to start.
fn run_launcher(orders: &LaunchQueue, answers: &Sender<LaunchReply>) {
    loop {
        let next = orders.lock().ok().and_then(|orders| orders.recv().ok());
        let Some((index, launch)) = next else { return };
        if answers.send(LaunchReply { index, result: launch.run() }).is_err() {
            return;
        }
    }
}

/// What a supervisor said first.
struct LaunchReply {
    index: usize,
    result: Result<LaunchResult, LaunchError>,
}

struct JobProgress {
    name: String,
    needs: Vec<String>,
    state: JobState,
}

/// How far a service has come.
enum JobState {
    Waiting(Box<StartPlan>),
    Launching {
        plan: Box<StartPlan>,
        created: Created,
        written: LogOffsets,
        begun: Instant,
    },
    Watching {
        plan: Box<StartPlan>,
        created: Created,
        written: LogOffsets,
        watch: ReadinessWatcher,
        watching: Box<ReadinessPoll>,
        begun: Instant,
    },
    Done(StartOutcome),
}

impl JobProgress {
    fn new(service: StartJob) -> Self {
        let step = match service.task {
            Task::Start(plan) => JobState::Waiting(plan),
            Task::Running(process) => JobState::Done(StartOutcome::AlreadyRunning(process)),
            Task::Disabled => JobState::Done(StartOutcome::Disabled),
            Task::Fail(error) => JobState::Done(StartOutcome::Failed(error)),
        };
        Self { name: service.name, needs: service.needs, state: step }
    }

    fn end(self) -> (String, StartOutcome) {
        match self.state {
            JobState::Done(outcome) => (self.name, outcome),
            JobState::Waiting(_) | JobState::Launching { .. } | JobState::Watching { .. } => {
                (self.name, StartOutcome::Failed(StartupError::Interrupted))
            }
        }
    }
}

struct StartupRun<'a, 'b> {
    jobs: Vec<JobProgress>,
    starter: &'a mut StartDeps<'b>,
    /// Gone once nothing more may be launched.
    queue: Option<Sender<(usize, Launch)>>,
    /// The other end of them, where there is no other thread to carry them out.
    inline_queue: Option<&'a LaunchQueue>,
}

impl StartupRun<'_, '_> {
    fn serve(&mut self, answered: &Receiver<LaunchReply>) {
        loop {
            let begun = Instant::now();
            while let Ok(answer) = answered.try_recv() {
                self.on_launch_result(answer);
            }
            self.poll_readiness();
            self.start_ready_jobs();
            self.launch_inline();
            let launching = self.jobs.iter().any(|job| matches!(job.state, JobState::Launching { .. }));
            let open = self.jobs.iter().any(|job| !matches!(job.state, JobState::Done(_)));
            if !open || (self.queue.is_none() && !launching) {
                break;
            }
            if self.queue.is_some() {
                if !self.starter.host.sleep(POLL_INTERVAL.max(begun.elapsed())) {
                    self.interrupt();
                }
            } else if let Ok(answer) = answered.recv_timeout(INTERRUPT_INTERVAL) {
                self.on_launch_result(answer);
            } else {
                self.interrupt();
            }
        }
        self.queue = None;
    }

    fn launch_inline(&mut self) {
        let Some(orders) = self.inline_queue else { return };
        let next = || orders.lock().ok()?.try_recv().ok();
        while let Some((index, launch)) = next() {
            self.on_launch_result(LaunchReply { index, result: launch.run() });
        }
    }

    /// Nothing more is begun; pre-start commands that run are ended.
    fn interrupt(&mut self) {
        self.queue = None;
        for job in &self.jobs {
            if let JobState::Launching { plan, created, .. } = &job.state
                && has_hook(plan)
            {
                // Nothing receives it yet, or it was received already: the next time then.
                let _ = client::send(&created.dir, ControlCommand::Stop);
            }
        }
    }

    fn on_launch_result(&mut self, LaunchReply { index, result: answer }: LaunchReply) {
        let step = std::mem::replace(&mut self.jobs[index].state, JobState::Done(StartOutcome::Disabled));
        let JobState::Launching { plan, created, written, begun } = step else { return };
        let launched = LaunchOutcome { answer, interrupted: self.queue.is_none() && has_hook(&plan) };
        self.jobs[index].state = match start::handle_launch_result(&created, self.starter.paths, launched, &written) {
            Err(error) if error.is_success(&plan) => JobState::Done(StartOutcome::Started(ended_well(created, begun))),
            Err(error) => JobState::Done(StartOutcome::Failed(error.into())),
            Ok(pid) => {
                let most = plan.settings.limits.memory_max;
                start::note_weaker_limit(&created.name, &created.dir, most, self.starter);
                let is_needed = self.starter.wait_for == WaitFor::Exit || self.is_needed(index);
                let until_end = plan.settings.oneshot && is_needed;
                let watch = ReadinessWatcher { until_end, ..start::readiness_watcher(&plan, &created, pid) };
                if self.starter.wait_for == WaitFor::Spawn {
                    let started = started(created, pid, Readiness::NotChecked, begun);
                    self.jobs[index].state = JobState::Done(StartOutcome::Started(started));
                    return;
                }
                match watch.begin() {
                    Some(watching) => {
                        JobState::Watching { plan, created, written, watch, watching: Box::new(watching), begun }
                    }
                    None => JobState::Done(death_outcome(&plan, created, watch.pid, &written, begun)),
                }
            }
        };
    }

    fn poll_readiness(&mut self) {
        for job in &mut self.jobs {
            let JobState::Watching { watching, .. } = &mut job.state else { continue };
            let Some(seen) = watching.poll() else { continue };
            let step = std::mem::replace(&mut job.state, JobState::Done(StartOutcome::Disabled));
            let JobState::Watching { plan, created, written, watch, begun, .. } = step else { continue };
            job.state = JobState::Done(match seen {
                Readiness::Dead => death_outcome(&plan, created, watch.pid, &written, begun),
                seen => {
                    start::register_listening(self.starter.paths, &created, seen);
                    let pid = start::pid_now(&created.dir, watch.pid);
                    StartOutcome::Started(started(created, pid, seen, begun))
                }
            });
        }
    }

    /// Another service waits for it.
    fn is_needed(&self, index: usize) -> bool {
        self.jobs.iter().any(|job| job.needs.contains(&self.jobs[index].name))
    }

    /// Begins every service whose needs are met; ends those whose needs cannot be met any more.
    fn start_ready_jobs(&mut self) {
        let mut ready = Vec::new();
        for index in 0..self.jobs.len() {
            if !matches!(self.jobs[index].state, JobState::Waiting(_)) {
                continue;
            }
            match self.dependency_state(index) {
                DependencyState::Met => ready.push(index),
                DependencyState::Pending => {}
                DependencyState::Failed(need) => {
                    self.jobs[index].state =
                        JobState::Done(StartOutcome::Failed(StartupError::DependencyFailed { need }));
                }
            }
        }
        if !ready.is_empty() {
            self.start_jobs(&ready);
        }
    }

    fn dependency_state(&self, index: usize) -> DependencyState {
        let mut all = DependencyState::Met;
        for need in &self.jobs[index].needs {
            let mut any = false;
            for job in self.jobs.iter().filter(|job| job.name == *need) {
                any = true;
                match &job.state {
                    JobState::Done(StartOutcome::Started(started)) if !started.readiness.is_ready() => {
                        return DependencyState::Failed(need.clone());
                    }
                    JobState::Done(StartOutcome::Started(_) | StartOutcome::AlreadyRunning(_)) => {}
                    JobState::Done(StartOutcome::Disabled | StartOutcome::Failed(_)) => {
                        return DependencyState::Failed(need.clone());
                    }
                    JobState::Waiting(_) | JobState::Launching { .. } | JobState::Watching { .. } => {
                        all = DependencyState::Pending
                    }
                }
            }
            if !any {
                return DependencyState::Failed(need.clone());
            }
        }
        all
    }

    fn start_jobs(&mut self, ready: &[usize]) {
        let Some(orders) = &self.queue else { return };
        let begun = Instant::now();
        let mut ready = ready.to_vec();
        ready.retain(|index| match &mut self.jobs[*index].state {
            JobState::Waiting(plan) => {
                match secrets::unseal_secrets(plan, self.starter.unseal, &mut *self.starter.on_progress) {
                    Ok(complete) => {
                        **plan = complete;
                        true
                    }
                    Err(error) => {
                        self.jobs[*index].state = JobState::Done(StartOutcome::Failed(StartError::from(error).into()));
                        false
                    }
                }
            }
            _ => true,
        });
        let plans: Vec<&StartPlan> = ready
            .iter()
            .filter_map(|index| match &self.jobs[*index].state {
                JobState::Waiting(plan) => Some(&**plan),
                _ => None,
            })
            .collect();
        let made = create_all(&plans, self.starter.paths, self.starter.host);
        let why = made.as_ref().err().map(with_causes);
        let mut made = made.unwrap_or_default().into_iter();
        for index in &ready {
            let step = std::mem::replace(&mut self.jobs[*index].state, JobState::Done(StartOutcome::Disabled));
            let JobState::Waiting(plan) = step else { continue };
            self.jobs[*index].state = match made.next() {
                None => {
                    let why = why.clone().unwrap_or_default();
                    JobState::Done(StartOutcome::Failed(StartupError::NotCreated { why }))
                }
                Some(Ok(created)) => {
                    // The receivers live as long as this end.
                    let _ = orders.send((*index, Launch::of(&plan, &created, self.starter.host)));
                    JobState::Launching { plan, written: LogOffsets::before(&created), created, begun }
                }
                Some(Err(CreateError::Allocation(AllocationError::AlreadyRunning { name, pid, .. }))) => {
                    JobState::Done(StartOutcome::AlreadyRunning(RunningProcess {
                        name,
                        pid,
                        port: None,
                        state: ProcessState::Online,
                    }))
                }
                Some(Err(error)) => JobState::Done(StartOutcome::Failed(StartError::from(error).into())),
            };
        }
    }
}

fn started(created: Created, pid: u32, seen: Readiness, begun: Instant) -> Started {
    Started { id: created.id, pid, port: created.port, readiness: seen, duration: begun.elapsed(), name: created.name }
}

fn ended_well(created: Created, begun: Instant) -> Started {
    started(created, 0, Readiness::Ended(ExitStatus::Code(0)), begun)
}

/// What became of a process that is dead: a task may have done what it had to do.
fn death_outcome(plan: &StartPlan, created: Created, pid: u32, written: &LogOffsets, begun: Instant) -> StartOutcome {
    match start::death_error(&created, pid, written) {
        error if error.is_success(plan) => StartOutcome::Started(ended_well(created, begun)),
        error => StartOutcome::Failed(error.into()),
    }
}

/// Without a pre-start command the program runs in a moment; it is not ended then.
fn has_hook(plan: &StartPlan) -> bool {
    !plan.pre_hook.is_empty()
}
