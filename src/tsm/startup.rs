//! Starting many services together: each as soon as those it needs are ready, all others at the same time.
//!
//! One thread makes the processes and watches them; a few others wait for supervisors, whose pre-start commands may take a
//! while. What fails takes down only those that need it.

mod error;
pub mod gather;
pub mod order;

use std::sync::Mutex;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::Builder;
use std::time::{Duration, Instant};

use crate::base::name::ProcessName;
use crate::supervise::client::{self, LaunchError, Launched, Order as Told};
use crate::supervise::meta::How;

pub use error::StartupError;

use super::create::{CreateError, Created, create_all};
use super::placement::PlacementError;
use super::plan::StartPlan;
use super::secrets;
use super::start::{self, Heard, Launch, Patience, StartError, Started, Starter, Written};
use super::watch::{Seen, Watch, Watching};

/// One service of a start.
#[derive(Debug)]
pub struct Service {
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
    Runs(ProcessName),
    /// Nothing: it is not to be started by itself.
    Off,
    /// Nothing: it cannot be started.
    Refuse(StartupError),
}

/// What became of a service.
#[derive(Debug)]
pub enum Outcome {
    /// It was started and is ready.
    Started(Started),
    /// It ran before.
    Ran(ProcessName),
    /// It is not to be started by itself.
    Off,
    /// It does not run, or is not ready.
    Failed(StartupError),
}

/// So many supervisors are waited for at the same time.
const LAUNCHERS: usize = 16;

/// The pause between two looks.
const STEP: Duration = Duration::from_millis(5);

/// How long is waited for pre-start commands that were told to end, before they are told again.
const INTERRUPTED_STEP: Duration = Duration::from_millis(50);

/// Starts services, given in an order in which each stands behind those it needs. The outcomes are in the same order.
pub fn run(services: Vec<Service>, starter: &mut Starter) -> Vec<(String, Outcome)> {
    let (orders, to_launch) = mpsc::channel();
    let (answers, answered) = mpsc::channel();
    let to_launch = Mutex::new(to_launch);
    let count = services.len().min(LAUNCHERS);
    std::thread::scope(|scope| {
        let launcher = |_: &usize| {
            let (to_launch, answers) = (&to_launch, answers.clone());
            Builder::new().spawn_scoped(scope, move || launch(to_launch, &answers)).is_ok()
        };
        let launchers = (0..count).filter(launcher).count();
        let mut startup = Startup {
            jobs: services.into_iter().map(Job::new).collect(),
            starter,
            orders: Some(orders),
            // Who may not have another thread starts one after the other.
            alone: (launchers == 0).then_some(&to_launch),
        };
        startup.serve(&answered);
        startup.jobs.into_iter().map(Job::end).collect()
    })
}

/// What is to be launched, and by which index it is known.
type Orders = Mutex<Receiver<(usize, Launch)>>;

/// Starts supervisors until there are no more to start.
fn launch(orders: &Orders, answers: &Sender<Answer>) {
    loop {
        let next = orders.lock().ok().and_then(|orders| orders.recv().ok());
        let Some((index, launch)) = next else { return };
        if answers.send(Answer { index, first_word: launch.carry_out() }).is_err() {
            return;
        }
    }
}

/// What a supervisor said first.
struct Answer {
    index: usize,
    first_word: Result<Launched, LaunchError>,
}

struct Job {
    name: String,
    needs: Vec<String>,
    step: Step,
}

/// How far a service has come.
enum Step {
    Waiting(Box<StartPlan>),
    Launching {
        plan: Box<StartPlan>,
        created: Created,
        written: Written,
        begun: Instant,
    },
    Watching {
        plan: Box<StartPlan>,
        created: Created,
        written: Written,
        watch: Watch,
        watching: Box<Watching>,
        begun: Instant,
    },
    Over(Outcome),
}

impl Job {
    fn new(service: Service) -> Self {
        let step = match service.task {
            Task::Start(plan) => Step::Waiting(plan),
            Task::Runs(name) => Step::Over(Outcome::Ran(name)),
            Task::Off => Step::Over(Outcome::Off),
            Task::Refuse(error) => Step::Over(Outcome::Failed(error)),
        };
        Self { name: service.name, needs: service.needs, step }
    }

    fn end(self) -> (String, Outcome) {
        match self.step {
            Step::Over(outcome) => (self.name, outcome),
            Step::Waiting(_) | Step::Launching { .. } | Step::Watching { .. } => {
                (self.name, Outcome::Failed(StartupError::Interrupted))
            }
        }
    }
}

struct Startup<'a, 'b> {
    jobs: Vec<Job>,
    starter: &'a mut Starter<'b>,
    /// Gone once nothing more may be launched.
    orders: Option<Sender<(usize, Launch)>>,
    /// The other end of them, where there is no other thread to carry them out.
    alone: Option<&'a Orders>,
}

impl Startup<'_, '_> {
    fn serve(&mut self, answered: &Receiver<Answer>) {
        loop {
            let begun = Instant::now();
            while let Ok(answer) = answered.try_recv() {
                self.hear(answer);
            }
            self.look();
            self.begin_those_that_can();
            self.launch_alone();
            let launching = self.jobs.iter().any(|job| matches!(job.step, Step::Launching { .. }));
            let open = self.jobs.iter().any(|job| !matches!(job.step, Step::Over(_)));
            if !open || (self.orders.is_none() && !launching) {
                break;
            }
            if self.orders.is_some() {
                if !self.starter.host.pause(STEP.max(begun.elapsed())) {
                    self.interrupt();
                }
            } else if let Ok(answer) = answered.recv_timeout(INTERRUPTED_STEP) {
                self.hear(answer);
            } else {
                self.interrupt();
            }
        }
        self.orders = None;
    }

    fn launch_alone(&mut self) {
        let Some(orders) = self.alone else { return };
        let next = || orders.lock().ok()?.try_recv().ok();
        while let Some((index, launch)) = next() {
            self.hear(Answer { index, first_word: launch.carry_out() });
        }
    }

    /// Nothing more is begun; pre-start commands that run are ended.
    fn interrupt(&mut self) {
        self.orders = None;
        for job in &self.jobs {
            if let Step::Launching { plan, created, .. } = &job.step
                && has_hook(plan)
            {
                // Nobody hears it yet, or it was heard already: the next time then.
                let _ = client::send(&created.dir, Told::Stop);
            }
        }
    }

    fn hear(&mut self, Answer { index, first_word }: Answer) {
        let step = std::mem::replace(&mut self.jobs[index].step, Step::Over(Outcome::Off));
        let Step::Launching { plan, created, written, begun } = step else { return };
        let heard = if self.orders.is_none() && has_hook(&plan) { Heard::Interrupt } else { Heard::Nothing };
        self.jobs[index].step = match start::answered(&created, self.starter.paths, (first_word, heard), &written) {
            Err(error) if error.ended_well(&plan) => Step::Over(Outcome::Started(ended_well(created, begun))),
            Err(error) => Step::Over(Outcome::Failed(error.into())),
            Ok(pid) => {
                let is_needed = self.starter.patience == Patience::UntilItEnds || self.is_needed(index);
                let until_end = plan.kept.oneshot && is_needed;
                let watch = Watch { until_end, ..start::watch(&plan, &created, pid) };
                if self.starter.patience == Patience::UntilItRuns {
                    let started = started(created, pid, Seen::Unwatched, begun);
                    self.jobs[index].step = Step::Over(Outcome::Started(started));
                    return;
                }
                match watch.begin() {
                    Some(watching) => {
                        Step::Watching { plan, created, written, watch, watching: Box::new(watching), begun }
                    }
                    None => Step::Over(died(&plan, created, &watch, &written, begun)),
                }
            }
        };
    }

    fn look(&mut self) {
        for job in &mut self.jobs {
            let Step::Watching { watching, .. } = &mut job.step else { continue };
            let Some(seen) = watching.look() else { continue };
            let step = std::mem::replace(&mut job.step, Step::Over(Outcome::Off));
            let Step::Watching { plan, created, written, watch, begun, .. } = step else { continue };
            job.step = Step::Over(match seen {
                Seen::Dead => died(&plan, created, &watch, &written, begun),
                seen => {
                    start::note_listening(self.starter.paths, &created, seen);
                    Outcome::Started(started(created, watch.pid, seen, begun))
                }
            });
        }
    }

    /// Somebody waits for it.
    fn is_needed(&self, index: usize) -> bool {
        self.jobs.iter().any(|job| job.needs.contains(&self.jobs[index].name))
    }

    /// Begins every service whose needs are met; ends those whose needs cannot be met any more.
    fn begin_those_that_can(&mut self) {
        let mut ready = Vec::new();
        for index in 0..self.jobs.len() {
            if !matches!(self.jobs[index].step, Step::Waiting(_)) {
                continue;
            }
            match self.needs_of(index) {
                Needs::Met => ready.push(index),
                Needs::Open => {}
                Needs::Failed(need) => {
                    self.jobs[index].step = Step::Over(Outcome::Failed(StartupError::NeedFailed { need }));
                }
            }
        }
        if !ready.is_empty() {
            self.begin(&ready);
        }
    }

    fn needs_of(&self, index: usize) -> Needs {
        let mut all = Needs::Met;
        for need in &self.jobs[index].needs {
            let mut any = false;
            for job in self.jobs.iter().filter(|job| job.name == *need) {
                any = true;
                match &job.step {
                    Step::Over(Outcome::Started(started)) if !started.seen.is_ready() => {
                        return Needs::Failed(need.clone());
                    }
                    Step::Over(Outcome::Started(_) | Outcome::Ran(_)) => {}
                    Step::Over(Outcome::Off | Outcome::Failed(_)) => return Needs::Failed(need.clone()),
                    Step::Waiting(_) | Step::Launching { .. } | Step::Watching { .. } => all = Needs::Open,
                }
            }
            if !any {
                return Needs::Failed(need.clone());
            }
        }
        all
    }

    fn begin(&mut self, ready: &[usize]) {
        let Some(orders) = &self.orders else { return };
        let begun = Instant::now();
        let mut ready = ready.to_vec();
        ready.retain(|index| match &mut self.jobs[*index].step {
            Step::Waiting(plan) => match secrets::at_hand(plan, self.starter) {
                Ok(complete) => {
                    **plan = complete;
                    true
                }
                Err(error) => {
                    self.jobs[*index].step = Step::Over(Outcome::Failed(StartError::from(error).into()));
                    false
                }
            },
            _ => true,
        });
        let plans: Vec<&StartPlan> = ready
            .iter()
            .filter_map(|index| match &self.jobs[*index].step {
                Step::Waiting(plan) => Some(&**plan),
                _ => None,
            })
            .collect();
        let made = create_all(&plans, self.starter.paths, self.starter.host);
        let why = made.as_ref().err().map(in_full);
        let mut made = made.unwrap_or_default().into_iter();
        for index in &ready {
            let step = std::mem::replace(&mut self.jobs[*index].step, Step::Over(Outcome::Off));
            let Step::Waiting(plan) = step else { continue };
            self.jobs[*index].step = match made.next() {
                None => {
                    let why = why.clone().unwrap_or_default();
                    Step::Over(Outcome::Failed(StartupError::NotMade { why }))
                }
                Some(Ok(created)) => {
                    // The receivers live as long as this end.
                    let _ = orders.send((*index, Launch::of(&plan, &created, self.starter.host)));
                    Step::Launching { plan, written: Written::before(&created), created, begun }
                }
                Some(Err(CreateError::Placement(PlacementError::AlreadyRunning { name, .. }))) => {
                    Step::Over(Outcome::Ran(name))
                }
                Some(Err(error)) => Step::Over(Outcome::Failed(StartError::from(error).into())),
            };
        }
    }
}

fn started(created: Created, pid: u32, seen: Seen, begun: Instant) -> Started {
    Started { id: created.id, pid, port: created.port, seen, took: begun.elapsed(), name: created.name }
}

fn ended_well(created: Created, begun: Instant) -> Started {
    started(created, 0, Seen::Ended(How::Code(0)), begun)
}

/// What became of a process that is dead: a task may have done what it had to do.
fn died(plan: &StartPlan, created: Created, watch: &Watch, written: &Written, begun: Instant) -> Outcome {
    match start::died(&created, watch, written) {
        error if error.ended_well(plan) => Outcome::Started(ended_well(created, begun)),
        error => Outcome::Failed(error.into()),
    }
}

/// Without a pre-start command the program runs in a moment; it is not ended then.
fn has_hook(plan: &StartPlan) -> bool {
    !plan.pre_hook.is_empty()
}

/// Whether what a service needs is there.
enum Needs {
    Met,
    Open,
    Failed(String),
}

/// An error with its causes.
fn in_full(error: &CreateError) -> String {
    let causes = std::iter::successors(std::error::Error::source(error), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
