//! `tsm patrol` and `cleanup`

use super::process_args::control;
use super::start::start_context;
use super::stop::result_message;
use crate::base::environment::EnvRef;
use crate::base::fault::Fault;
use crate::base::name::ProcessName;
use crate::base::time::HumanDuration;
use crate::command::secrets::unsealer;
use crate::command::{Command, Cx, Effect};
use crate::report::{FollowUp, Message, Report, Table, Value};
use crate::supervise::limits::Limits;
use crate::supervise::meta::{ProcessState, ProcessStatus};
use crate::sys::paths::Paths;
use crate::tsm::control::Control;
use crate::tsm::doctor::fix::apply_fix;
use crate::tsm::doctor::{DoctorContext, Fix, supervisors};
use crate::tsm::restart::RestartOptions;
use crate::tsm::start::{Environ, StartDeps, WaitFor};
use crate::tsm::store::{Process, ProcessStore};

/// Look after the processes: supervisors, crashed services, what the dead left
///
/// Gives living processes their supervisors back, starts enabled services again that crashed (those that were given up are left
/// alone), and removes what belongs to nobody. Goes round every half minute until Ctrl-C, or once with --once.
#[derive(Debug, clap::Args)]
pub struct Patrol {
    /// One round
    #[arg(long)]
    once: bool,
    /// The pause between two rounds
    #[arg(short = 'n', long, value_name = "SPAN", default_value = "30s")]
    every: HumanDuration,
}

/// What one round did.
#[derive(Debug, Default)]
struct MaintenancePass {
    supervised: Vec<String>,
    restarted: Vec<String>,
    removed: Vec<String>,
    crashed: Vec<String>,
    faults: Vec<Fault>,
}

impl Command for Patrol {
    const NAME: &'static str = "tsm patrol";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &["tsm patrol --once", "tsm patrol --once --json"];

    fn environments(&self, cx: &mut Cx) -> Result<Vec<EnvRef>, Fault> {
        let all = ProcessStore::open(cx.paths).all()?;
        Ok(all.iter().filter(|it| should_restart(it, cx.paths)).flat_map(Process::environments).collect())
    }

    fn plan(&self, cx: &mut Cx) -> Result<Option<Report>, Fault> {
        let all = ProcessStore::open(cx.paths).all()?;
        let names = all.iter().filter(|process| should_restart(process, cx.paths)).map(|process| &process.name);
        Ok(Some(Report::of(listed("would be started again", names))))
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        if !self.once {
            // A round is a line of its own, so each is guarded and written down like any other.
            let yes = if cx.yes { " --yes" } else { "" };
            let line = format!("tsm patrol --once{yes}");
            return Ok(Report::then(FollowUp::Repeat { line, every: self.every.0, times: None }));
        }
        let mut all = ProcessStore::open(cx.paths).all()?;
        let round = MaintenancePass::run(&mut all, cx)?;
        let text = round.text(all.len());
        let sentence = Message::new(text)
            .with("checked", all.len())
            .with("supervised", Value::from(round.supervised))
            .with("restarted", Value::from(round.restarted))
            .with("removed", Value::from(round.removed))
            .with("crashed", Value::from(round.crashed));
        Ok(Report { faults: round.faults, ..Report::of(sentence) })
    }
}

impl MaintenancePass {
    fn run(all: &mut [Process], cx: &mut Cx) -> Result<Self, Fault> {
        let mut round = Self::default();
        let (paths, host) = (cx.paths, cx.host);
        let interrupted = || host.interrupted();
        let control = Control { paths, program: host.program(), interrupted: &interrupted };
        let lost: Vec<ProcessName> =
            all.iter().filter(|process| process.live.needs_supervisor()).map(|process| process.name.clone()).collect();
        control.reconcile(all);
        let is_well = |name: &ProcessName| all.iter().any(|it| it.name == *name && it.live.supervised);
        round.supervised = lost.iter().filter(|name| is_well(name)).map(ToString::to_string).collect();
        let patient = DoctorContext { paths, processes: all, now: host.now(), units: &[], ask: &|_| None };
        let cures: Vec<Fix> = supervisors::stale(&patient).into_iter().filter_map(|finding| finding.with_fix).collect();
        for cure in &cures {
            match (apply_fix(cure, &control), cure) {
                (Ok(_), Fix::Remove(path)) => round.removed.push(path.display().to_string()),
                (Ok(_), _) => {}
                (Err(error), _) => round.faults.push(error.into()),
            }
        }
        let wanted: Vec<&Process> = all.iter().filter(|process| should_restart(process, paths)).collect();
        let around = start_context(cx, all, Limits::default());
        let mut talk = Vec::new();
        let mut say = |text: &str| talk.push(text.to_owned());
        let mut starter =
            StartDeps { paths, host, wait_for: WaitFor::Ready, on_progress: &mut say, unseal: &unsealer(paths, host) };
        let manner = RestartOptions { strategy: None, environ: Environ::Recorded };
        for (process, answer) in wanted.iter().zip(control.restart(&wanted, &around, manner, &mut starter)) {
            match answer {
                Ok(_) => round.restarted.push(process.name.to_string()),
                Err(error) => round.faults.push(error.into()),
            }
        }
        let is_restarted = |process: &Process| round.restarted.iter().any(|name| *name == process.name.as_str());
        let crashed = all.iter().filter(|process| process.status() == ProcessStatus::Crashed && !is_restarted(process));
        round.crashed = crashed.map(|process| process.name.to_string()).collect();
        talk.iter().for_each(|line| cx.console.note(line));
        Ok(round)
    }

    fn text(&self, checked: usize) -> String {
        let part = |names: &[String], what: &str| match names {
            [] => String::new(),
            names => format!("; {what}: {}", names.join(", ")),
        };
        format!(
            "tsm: looked after {checked} processes{}{}{}{}",
            part(&self.supervised, "supervised again"),
            part(&self.restarted, "started again"),
            part(&self.removed, "removed"),
            part(&self.crashed, "crashed and left so"),
        )
    }
}

/// It came from a service that is enabled, and crashed. What was given up needs a person.
fn should_restart(process: &Process, paths: &Paths) -> bool {
    let definition = std::path::Path::new(&process.meta.run.service);
    let enabled = definition.file_name().map(|name| paths.services_enabled().join(name));
    let is_enabled = enabled.and_then(|link| link.canonicalize().ok()).is_some_and(|target| target == definition);
    process.live.state == ProcessState::Crashed && process.record_error.is_none() && is_enabled
}

fn listed<'a>(what: &str, names: impl Iterator<Item = &'a ProcessName>) -> Table {
    let mut table = Table::new(&[("name", "NAME")]).when_empty(format!("nothing {what}"));
    names.for_each(|name| table.row(vec![name.as_str().into()]));
    table
}

/// Remove processes that have ended badly, with their logs
///
/// Those that crashed, were given up, or lost their record. With --stopped also those that were stopped. What runs is never touched.
#[derive(Debug, clap::Args)]
pub struct Cleanup {
    /// Also those that were stopped
    #[arg(long)]
    stopped: bool,
    /// Only show what would be removed
    #[arg(long)]
    dry_run: bool,
}

impl Command for Cleanup {
    const NAME: &'static str = "tsm cleanup";
    const EFFECT: Effect = Effect::Destroy;
    const EXAMPLES: &'static [&'static str] = &["tsm cleanup", "tsm cleanup --dry-run"];

    fn effect(&self) -> Effect {
        if self.dry_run { Effect::Read } else { Effect::Destroy }
    }

    fn environments(&self, cx: &mut Cx) -> Result<Vec<EnvRef>, Fault> {
        Ok(self.dead_processes(cx)?.iter().flat_map(Process::environments).collect())
    }

    fn plan(&self, cx: &mut Cx) -> Result<Option<Report>, Fault> {
        let dead = self.dead_processes(cx)?;
        Ok(Some(Report::of(listed("to remove", dead.iter().map(|process| &process.name)))))
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let dead = self.dead_processes(cx)?;
        if self.dry_run {
            return Ok(Report::of(listed("to remove", dead.iter().map(|process| &process.name))));
        }
        let processes: Vec<&Process> = dead.iter().collect();
        let answers = control(cx, &|| cx.host.interrupted()).delete(&processes);
        let mut report = Report::each(Vec::<Message>::new());
        for (process, answer) in processes.iter().zip(answers) {
            match answer {
                Ok(ended) => report = report.and(result_message(process, &ended, "deleted")),
                Err(error) => report.faults.push(error.into()),
            }
        }
        Ok(if processes.is_empty() { report.note("Nothing to remove.") } else { report })
    }
}

impl Cleanup {
    fn dead_processes(&self, cx: &Cx) -> Result<Vec<Process>, Fault> {
        let mut all = ProcessStore::open(cx.paths).all()?;
        all.retain(|process| match process.live.state {
            ProcessState::Crashed | ProcessState::Errored => !process.live.supervised,
            ProcessState::Stopped => self.stopped && !process.live.supervised,
            ProcessState::Starting
            | ProcessState::Online
            | ProcessState::Stopping
            | ProcessState::Waiting
            | ProcessState::Scheduled
            | ProcessState::Unknown => false,
        });
        Ok(all)
    }
}
