//! `tsm restart` and `tsm reload`

use super::limits;
use super::process_args::Targets;
use crate::base::environment::EnvRef;
use crate::base::fault::Fault;
use crate::command::argument::ProcessTarget;
use crate::command::secrets::unsealer;
use crate::command::tsm::start::start_context_with;
use crate::command::{Command, Cx, Effect};
use crate::report::{Message, Report, Tone, Value};
use crate::supervise::meta::ProcessState;
use crate::tsm::control::Control;
use crate::tsm::exit_text;
use crate::tsm::options::Strategy;
use crate::tsm::readiness::Readiness;
use crate::tsm::restart::{RestartOptions, Restarted};
use crate::tsm::start::{Environ, StartDeps, WaitFor};
use crate::tsm::store::{Process, ProcessStore};

/// Restart processes and wait until they are up
///
/// They keep their ids and logs. A process of a service is started by its definition as it is now, and what changed is said; what
/// cannot be started so is refused before anything is stopped. Env files are read again. Instances follow one after the other, the
/// next when the one before is ready, unless their TSM_STRATEGY is recreate. What does not run is started, but `*` and the name of
/// a group leave alone what was stopped.
#[derive(Debug, clap::Args)]
pub struct Restart {
    /// Id, name, the beginning or a part of a name, pid or port; `*` or `all` for all; the selected process if left out
    targets: Vec<ProcessTarget>,
    /// Do not wait until they have settled or their ports answer
    #[arg(long)]
    no_wait: bool,
    /// Give them the variables of this shell instead of those of their last start
    #[arg(long)]
    update_env: bool,
}

impl Command for Restart {
    const NAME: &'static str = "tsm restart";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &["tsm restart 0", "tsm restart api web", "tsm restart *"];

    fn environments(&self, cx: &mut Cx) -> Result<Vec<EnvRef>, Fault> {
        Ok(Targets::find_read_only(&self.targets, cx)?.environments())
    }

    fn plan(&self, cx: &mut Cx) -> Result<Option<Report>, Fault> {
        Ok(Some(Targets::find_read_only(&self.targets, cx)?.plan()))
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let mut targets = Targets::find(&self.targets, cx)?;
        let report = targets.report();
        let rests = |process: &Process| matches!(process.live.state, ProcessState::Stopped | ProcessState::Scheduled);
        let words: Vec<&str> = self.targets.iter().map(|word| word.0.as_str()).collect();
        let is_meant = |process: &Process| {
            let id = process.id().map(|id| id.to_string());
            words.iter().any(|word| *word == process.name.as_str() || Some(*word) == id.as_deref())
        };
        let runs: Vec<String> =
            targets.processes.iter().filter(|it| !rests(it)).map(|it| it.meta.run.group.clone()).collect();
        let (go, stay): (Vec<Process>, Vec<Process>) = targets.processes.drain(..).partition(|process| {
            let group = &process.meta.run.group;
            let beside = targets.all || !group.is_empty() && runs.contains(group);
            !rests(process) || !beside || is_meant(process)
        });
        let patience = if self.no_wait { WaitFor::Spawn } else { WaitFor::Ready };
        let manner = RestartOptions { strategy: None, environ: environ(self.update_env) };
        let report = restart_all(report, &go, manner, patience, cx)?;
        Ok(note_skipped(report, &stay))
    }
}

/// Restart instances one after the other, so that the others go on meanwhile
///
/// The next one follows when the one before is ready: its port answers, it is healthy, or it has settled. After the first that is
/// not, the others are left as they are. Whatever its TSM_STRATEGY says. A process of a service is started by its definition as it is
/// now. What does not run is left alone.
#[derive(Debug, clap::Args)]
pub struct Reload {
    /// Id, name, name of a group, the beginning or a part of a name, pid or port; `*` or `all` for all
    targets: Vec<ProcessTarget>,
    /// Give them the variables of this shell instead of those of their last start
    #[arg(long)]
    update_env: bool,
}

impl Command for Reload {
    const NAME: &'static str = "tsm reload";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &["tsm reload api", "tsm reload *"];

    fn environments(&self, cx: &mut Cx) -> Result<Vec<EnvRef>, Fault> {
        Ok(Targets::find_read_only(&self.targets, cx)?.environments())
    }

    fn plan(&self, cx: &mut Cx) -> Result<Option<Report>, Fault> {
        Ok(Some(Targets::find_read_only(&self.targets, cx)?.plan()))
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let mut targets = Targets::find(&self.targets, cx)?;
        let report = targets.report();
        let (go, stay): (Vec<Process>, Vec<Process>) = targets.processes.drain(..).partition(Process::is_running);
        let manner = RestartOptions { strategy: Some(Strategy::Rolling), environ: environ(self.update_env) };
        let report = restart_all(report, &go, manner, WaitFor::Ready, cx)?;
        Ok(note_skipped(report, &stay))
    }
}

pub(super) fn environ(update: bool) -> Environ {
    if update { Environ::Operator } else { Environ::Recorded }
}

fn note_skipped(report: Report, stay: &[Process]) -> Report {
    match stay {
        [] => report,
        [one] => {
            report.note(format!("'{}' does not run and was left alone; `tsm start {}` starts it", one.name, one.name))
        }
        more => report.note(format!("{} do not run and were left alone", more.len())),
    }
}

/// Restarts processes and adds to the report what became of each.
pub(super) fn restart_all(
    mut report: Report,
    processes: &[Process],
    manner: RestartOptions,
    patience: WaitFor,
    cx: &mut Cx,
) -> Result<Report, Fault> {
    let all = ProcessStore::open(cx.paths).all()?;
    let host = cx.host;
    let interrupted = || host.interrupted();
    let limits = limits::of_environment(cx)?;
    let (paths, selection) = (cx.paths, cx.selection);
    let control = Control { paths, program: host.program(), interrupted: &interrupted };
    let around = start_context_with((paths, host, selection), &all, limits);
    let console = &mut *cx.console;
    let open = unsealer(paths, host);
    let mut starter =
        StartDeps { paths, host, wait_for: patience, on_progress: &mut |text| console.note(text), unseal: &open };
    let processes: Vec<&Process> = processes.iter().collect();
    let answers = control.restart(&processes, &around, manner, &mut starter);
    for (process, answer) in processes.iter().zip(answers) {
        match answer {
            Ok(risen) => {
                report = add_result(report, &risen);
                if let Some(note) = exit_text::describe_lost_output(process) {
                    report = report.note(note);
                }
            }
            Err(error) => report.faults.push(error.into()),
        }
    }
    Ok(report)
}

/// What became of a process that was to be started or restarted.
pub(super) fn add_result(report: Report, risen: &Restarted) -> Report {
    let Restarted { id, name, pid, port, .. } = risen;
    let shown = port.map_or("none".to_owned(), |port| port.to_string());
    let done = if risen.was_running { "restarted" } else { "started" };
    let text = match risen.readiness {
        Readiness::Ended(how) => {
            format!("tsm: {done} '{name}' (TSM ID: {id}), and it ended: {}", exit_text::describe(how))
        }
        _ => format!("tsm: {done} '{name}' (TSM ID: {id}, PID: {pid}, Port: {shown})"),
    };
    let changes: Vec<String> = risen.changes.iter().map(ToString::to_string).collect();
    let mut report = report.and(
        Message::new(text)
            .tone(Tone::Good)
            .with("id", *id)
            .with("name", name.as_str())
            .with("action", done)
            .with("pid", *pid)
            .with("port", Value::from(*port))
            .with("restarts", risen.restarts)
            .with("changes", Value::from(changes.clone())),
    );
    for change in changes {
        report = report.note(format!("  changed {change}"));
    }
    match (risen.readiness, port) {
        (Readiness::NotListening, Some(port)) => {
            report.note(format!("'{name}' runs and does not listen on port {port} yet"))
        }
        (Readiness::NotHealthy, _) => report.note(format!("'{name}' runs and is not healthy yet")),
        (Readiness::Interrupted, _) => report.note(format!("stopped watching '{name}'; it runs")),
        _ => report,
    }
}
