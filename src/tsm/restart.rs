//! Restarting: a process that runs is told to, one that does not, or that is to run otherwise than before, is started; each is
//! watched until what became of it is known.

mod error;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use super::again;
use super::change::{self, Change};
use super::control::{Control, ControlError, Ended, refuse_foreign, refuse_unknown};
use super::create;
use super::keep::Strategy;
use super::plan::StartPlan;
use super::request::{Around, StartRequest};
use super::start::{self, Environ, Patience, Started, Starter, may_end};
use super::startup::{self, Outcome, Service, StartupError, Task};
use super::store::Process;
use super::watch::{SETTLE, Seen, Watch};
use crate::base::name::ProcessName;
use crate::base::time::Timestamp;
use crate::supervise::client::Order;
use crate::supervise::meta::{How, Meta, State};
use crate::sys::process;

pub use error::RestartError;

/// A process that came up again.
#[derive(Debug)]
pub struct Risen {
    /// Its id.
    pub id: u32,
    /// Its name.
    pub name: ProcessName,
    /// Its new pid.
    pub pid: u32,
    /// Its port.
    pub port: Option<u16>,
    /// How often it was started again so far.
    pub restarts: u32,
    /// It ran before.
    pub was_running: bool,
    /// What was seen of it.
    pub seen: Seen,
    /// What is different about it.
    pub changes: Vec<Change>,
}

impl Risen {
    /// A process that was started, and did not run before.
    #[must_use]
    pub fn started(it: Started) -> Self {
        let Started { name, id, pid, port, seen, .. } = it;
        Self { id, name, pid, port, restarts: 0, was_running: false, seen, changes: Vec::new() }
    }
}

/// How processes are restarted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Manner {
    /// How the instances of one group are; none to do as each group says.
    pub strategy: Option<Strategy>,
    /// Whose variables they get.
    pub environ: Environ,
}

/// How long a restarted process may take to come up, beyond the time it is given to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long the supervisor may take to write down how its child ended.
const RECORDING: Duration = Duration::from_secs(3);

/// So many are restarted at the same time.
const AT_ONCE: usize = 32;

/// What is to be done with a process.
struct Renewal<'a> {
    process: &'a Process,
    plan: StartPlan,
    changes: Vec<Change>,
}

/// The bytes on stderr before an order.
type Written = u64;

type Answer = Result<Risen, RestartError>;

impl Control<'_> {
    /// Restarts processes by their definitions as they are now, and waits until each is up. What did not run is started. Instances
    /// of a group follow one after the other where their strategy says so, and after one that is not ready no more do; all else is
    /// done at the same time, within bounds. What cannot be started as it is defined now is refused before anything is stopped.
    /// The answers are in the order of the processes.
    pub fn restart(
        &self,
        processes: &[&Process],
        around: &Around,
        manner: Manner,
        starter: &mut Starter,
    ) -> Vec<Answer> {
        let mut answers: Vec<Option<Answer>> = Vec::new();
        let mut renewals = BTreeMap::new();
        for (index, process) in processes.iter().enumerate() {
            match renewal(process, around, manner.environ) {
                Ok(renewal) => {
                    renewals.insert(index, renewal);
                    answers.push(None);
                }
                Err(error) => answers.push(Some(Err(error))),
            }
        }
        let mut given_up: BTreeMap<String, ProcessName> = BTreeMap::new();
        for (index, answer) in answers.iter().enumerate().filter(|(_, answer)| answer.is_some()) {
            note_failure(&mut given_up, processes[index], manner, answer.as_ref());
        }
        for wave in waves(processes, manner) {
            let (go, stay): (Vec<usize>, Vec<usize>) = wave
                .into_iter()
                .filter(|index| renewals.contains_key(index))
                .partition(|index| !given_up.contains_key(&processes[*index].meta.run.group));
            for index in stay {
                let (name, before) =
                    (processes[index].name.clone(), given_up[&processes[index].meta.run.group].clone());
                answers[index] = Some(Err(RestartError::GivenUp { name, before }));
            }
            for batch in go.chunks(AT_ONCE) {
                let some: Vec<(usize, Renewal)> =
                    batch.iter().filter_map(|index| Some((*index, renewals.remove(index)?))).collect();
                for (index, answer) in self.restart_at_once(some, starter) {
                    note_failure(&mut given_up, processes[index], manner, Some(&answer));
                    answers[index] = Some(answer);
                }
            }
        }
        answers.into_iter().map(|answer| answer.expect("each process is in one wave, or refused before")).collect()
    }

    fn restart_at_once(&self, renewals: Vec<(usize, Renewal)>, starter: &mut Starter) -> Vec<(usize, Answer)> {
        let mut answers = Vec::new();
        let (mut told, mut ending, mut starting) = (Vec::new(), Vec::new(), Vec::new());
        for (index, renewal) in renewals {
            let process = renewal.process;
            let written = std::fs::metadata(process.err_log()).map_or(0, |file| file.len());
            if process.view.state.is_final() && !process.view.stalled {
                // Its supervisor, if there still is one, is about to end and takes no more orders.
                match self.wait_unsupervised(process, PATIENCE) {
                    Ok(()) => starting.push((index, renewal)),
                    Err(error) => answers.push((index, Err(error.into()))),
                }
            } else if !renewal.changes.is_empty() {
                ending.push((index, renewal));
            } else {
                match self.give(process, Order::Restart) {
                    Ok(true) => told.push((index, renewal, written)),
                    Ok(false) => starting.push((index, renewal)),
                    Err(error) => answers.push((index, Err(error.into()))),
                }
            }
        }
        let processes: Vec<&Process> = ending.iter().map(|(_, renewal)| renewal.process).collect();
        let ended = self.stop(&processes);
        for ((index, renewal), ended) in ending.into_iter().zip(ended) {
            match ended {
                Ok(Ended::Stopped { .. } | Ended::WasNotRunning { .. }) => starting.push((index, renewal)),
                Err(error) => answers.push((index, Err(error.into()))),
            }
        }
        answers.extend(start_again(starting, starter));
        for (index, renewal, written) in told {
            answers.push((index, self.follow(renewal.process, written, starter)));
        }
        answers
    }

    /// Waits for the new life of a process and watches its beginning.
    fn follow(&self, process: &Process, written: Written, starter: &mut Starter) -> Answer {
        let patience = Duration::from_millis(process.meta.run.kill_timeout_ms) + PATIENCE;
        let old = &process.meta.life;
        self.see_it_taken(process, Order::Restart)?;
        let meta = self.wait_until(process, patience, |meta| is_next_life(meta, old.started_ms, &old.nonce))?;
        let name = || process.name.clone();
        let lost = || ControlError::NoRecord { name: name(), why: "it was removed".to_owned() };
        let meta = meta.ok_or_else(lost)?;
        if !meta.life.start_error.is_empty() {
            return Err(RestartError::NotRun { name: name(), why: meta.life.start_error });
        }
        if meta.state == State::Stopped && meta.life.nonce == old.nonce {
            return Err(RestartError::Stopped { name: name() });
        }
        let mut seen = match meta.state {
            State::Online => watch(&process.dir, &meta, starter),
            _ => Seen::Dead,
        };
        if seen == Seen::Dead {
            let how = self.end_of(process, &meta);
            if !how.is_success() || !may_end(&meta.run) {
                let tail = start::tail(&process.err_log(), written);
                return Err(RestartError::Died { name: name(), how, tail });
            }
            seen = Seen::Ended(how);
        }
        let (id, port, restarts) = (meta.tsm_id, meta.port, meta.restarts);
        Ok(Risen { id, name: name(), pid: meta.pid, port, restarts, was_running: true, seen, changes: Vec::new() })
    }

    /// How the life of `meta` ended, once that is written down.
    fn end_of(&self, process: &Process, meta: &Meta) -> How {
        if let Some(exit) = meta.last_exit.as_ref().filter(|_| meta.state != State::Online) {
            return exit.how;
        }
        let ended = |now: &Meta| now.pid != meta.pid || now.life.nonce != meta.life.nonce;
        let now = self.wait_until(process, RECORDING, ended).ok().flatten();
        now.and_then(|now| now.last_exit).map_or(How::Unknown, |exit| exit.how)
    }
}

/// How a process will be started, and what is different about that.
fn renewal<'a>(process: &'a Process, around: &Around, environ: Environ) -> Result<Renewal<'a>, RestartError> {
    refuse_foreign(process)?;
    refuse_unknown(process)?;
    if let Some(why) = &process.damage {
        return Err(ControlError::NoRecord { name: process.name.clone(), why: why.clone() }.into());
    }
    let plan = again::plan(process, &StartRequest::default(), around)
        .map_err(|source| RestartError::Plan { name: process.name.clone(), source: Box::new(source) })?;
    let mut changes = change::between(&process.meta, &create::record(&plan, process));
    if environ == Environ::Operator {
        let (from, to) = (Some("that of the last start".to_owned()), Some("this one".to_owned()));
        changes.push(Change { what: "environment".to_owned(), from, to });
    }
    Ok(Renewal { process, plan: StartPlan { environ, ..plan }, changes })
}

/// The processes in waves: those of one group follow each other, all others are in the first.
fn waves(processes: &[&Process], manner: Manner) -> Vec<Vec<usize>> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut waves: Vec<Vec<usize>> = Vec::new();
    for (index, process) in processes.iter().enumerate() {
        let wave = match is_rolling(process, manner) {
            true => {
                let count = counts.entry(&process.meta.run.group).or_default();
                *count += 1;
                *count - 1
            }
            false => 0,
        };
        waves.resize_with(waves.len().max(wave + 1), Vec::new);
        waves[wave].push(index);
    }
    waves
}

fn is_rolling(process: &Process, manner: Manner) -> bool {
    let run = &process.meta.run;
    let own = if run.recreate { Strategy::Recreate } else { Strategy::Rolling };
    !run.group.is_empty() && manner.strategy.unwrap_or(own) == Strategy::Rolling
}

/// The rest of its group stays as it is behind one that is not ready.
fn note_failure(
    given_up: &mut BTreeMap<String, ProcessName>,
    process: &Process,
    manner: Manner,
    answer: Option<&Answer>,
) {
    let is_ready = |answer: &Answer| answer.as_ref().is_ok_and(|risen| risen.seen.is_ready());
    if is_rolling(process, manner) && !answer.is_some_and(is_ready) {
        given_up.entry(process.meta.run.group.clone()).or_insert_with(|| process.name.clone());
    }
}

/// True once the restart is over: another child runs or ran, or there will be none.
fn is_next_life(meta: &Meta, started_ms: u64, nonce: &str) -> bool {
    let another = meta.life.nonce != nonce || meta.life.started_ms != started_ms;
    match meta.state {
        State::Starting | State::Stopping | State::Unknown => false,
        State::Online | State::Waiting | State::Scheduled => another,
        State::Stopped | State::Crashed | State::Errored => true,
    }
}

/// Watches a new life until it has settled. Of several processes those that are watched later have had their time already.
fn watch(dir: &Path, meta: &Meta, starter: &mut Starter) -> Seen {
    let care = &meta.run.care;
    let health = (!care.health.is_empty() || care.notify).then(|| dir.to_owned());
    let explicit = meta.port.is_some() && !meta.run.port_guessed;
    let age = starter.host.now().since(Timestamp(meta.life.started_ms));
    let lives = process::is_same(meta.pid, meta.life.start_ticks);
    match starter.patience {
        _ if !lives => Seen::Dead,
        Patience::UntilItRuns | Patience::UntilItEnds => Seen::Unwatched,
        Patience::UntilItIsReady if !explicit && health.is_none() && age >= SETTLE => Seen::Settled,
        Patience::UntilItIsReady => {
            let watch = Watch { pid: meta.pid, port: meta.port, explicit, health, until_end: false };
            let begun = Instant::now().checked_sub(age).unwrap_or_else(Instant::now);
            watch.until_ready_since(begun, starter.host, starter.say)
        }
    }
}

/// Starts processes that do not run, with the same ids and logs.
fn start_again(renewals: Vec<(usize, Renewal)>, starter: &mut Starter) -> Vec<(usize, Answer)> {
    let service = |(_, renewal): &(usize, Renewal)| Service {
        name: renewal.process.name.to_string(),
        needs: Vec::new(),
        task: Task::Start(Box::new(renewal.plan.clone())),
    };
    let services: Vec<Service> = renewals.iter().map(service).collect();
    let outcomes = if services.is_empty() { Vec::new() } else { startup::run(services, starter) };
    let answer = |((index, renewal), (_, outcome)): ((usize, Renewal), (String, Outcome))| {
        let process = renewal.process;
        let name = process.name.clone();
        let answer = match outcome {
            Outcome::Started(it) => Ok(Risen {
                restarts: process.meta.restarts + 1,
                was_running: process.view.alive || process.view.supervised,
                changes: renewal.changes,
                ..Risen::started(it)
            }),
            Outcome::Failed(StartupError::Start(error)) => Err(error.into()),
            Outcome::Failed(error) => Err(RestartError::Startup { name, source: Box::new(error) }),
            // Somebody else was faster.
            Outcome::Ran(_) | Outcome::Off => Err(ControlError::StartedMeanwhile { name }.into()),
        };
        (index, answer)
    };
    renewals.into_iter().zip(outcomes).map(answer).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta(state: State, nonce: &str) -> Meta {
        let record = r#"{"tsm_id":3,"name":"api","pid":9,"command":"x","cwd":"/"}"#;
        let mut meta: Meta = serde_json::from_str(record).expect("a record");
        (meta.state, meta.life.nonce) = (state, nonce.to_owned());
        meta
    }

    #[test]
    fn a_restart_is_over_with_the_next_life_or_without_one() {
        for (state, nonce, over) in [
            (State::Online, "old", false),
            (State::Stopping, "old", false),
            (State::Starting, "new", false),
            (State::Online, "new", true),
            (State::Waiting, "new", true),
            (State::Crashed, "old", true),
            (State::Stopped, "old", true),
        ] {
            assert_eq!(is_next_life(&meta(state, nonce), 0, "old"), over, "{state:?} {nonce}");
        }
    }
}
