//! `tsm restart` and `tsm reload`

use super::limits;
use super::targets::Targets;
use crate::base::environment::EnvRef;
use crate::base::fault::Fault;
use crate::command::argument::ProcessTarget;
use crate::command::secrets::opener;
use crate::command::tsm::start::amid;
use crate::command::{Command, Cx, Effect};
use crate::report::{Report, Sentence, Tone, Value};
use crate::supervise::meta::State;
use crate::tsm::control::Control;
use crate::tsm::ends;
use crate::tsm::keep::Strategy;
use crate::tsm::restart::{Manner, Risen};
use crate::tsm::start::{Environ, Patience, Starter};
use crate::tsm::store::{Process, Store};
use crate::tsm::watch::Seen;

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

    fn touches(&self, cx: &mut Cx) -> Result<Vec<EnvRef>, Fault> {
        Ok(Targets::look_up(&self.targets, cx)?.environments())
    }

    fn plan(&self, cx: &mut Cx) -> Result<Option<Report>, Fault> {
        Ok(Some(Targets::look_up(&self.targets, cx)?.plan()))
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let mut targets = Targets::find(&self.targets, cx)?;
        let report = targets.report();
        let rests = |process: &Process| matches!(process.view.state, State::Stopped | State::Scheduled);
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
        let patience = if self.no_wait { Patience::UntilItRuns } else { Patience::UntilItIsReady };
        let manner = Manner { strategy: None, environ: environ(self.update_env) };
        let report = carry_out(report, &go, manner, patience, cx)?;
        Ok(left_alone(report, &stay))
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

    fn touches(&self, cx: &mut Cx) -> Result<Vec<EnvRef>, Fault> {
        Ok(Targets::look_up(&self.targets, cx)?.environments())
    }

    fn plan(&self, cx: &mut Cx) -> Result<Option<Report>, Fault> {
        Ok(Some(Targets::look_up(&self.targets, cx)?.plan()))
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let mut targets = Targets::find(&self.targets, cx)?;
        let report = targets.report();
        let (go, stay): (Vec<Process>, Vec<Process>) = targets.processes.drain(..).partition(Process::is_running);
        let manner = Manner { strategy: Some(Strategy::Rolling), environ: environ(self.update_env) };
        let report = carry_out(report, &go, manner, Patience::UntilItIsReady, cx)?;
        Ok(left_alone(report, &stay))
    }
}

pub(super) fn environ(update: bool) -> Environ {
    if update { Environ::Operator } else { Environ::Kept }
}

fn left_alone(report: Report, stay: &[Process]) -> Report {
    match stay {
        [] => report,
        [one] => {
            report.note(format!("'{}' does not run and was left alone; `tsm start {}` starts it", one.name, one.name))
        }
        more => report.note(format!("{} do not run and were left alone", more.len())),
    }
}

/// Restarts processes and adds to the report what became of each.
pub(super) fn carry_out(
    mut report: Report,
    processes: &[Process],
    manner: Manner,
    patience: Patience,
    cx: &mut Cx,
) -> Result<Report, Fault> {
    let all = Store::open(cx.paths).all()?;
    let host = cx.host;
    let interrupted = || host.interrupted();
    let limits = limits::of_environment(cx)?;
    let (paths, selection) = (cx.paths, cx.selection);
    let control = Control { paths, program: host.program(), interrupted: &interrupted };
    let around = amid((paths, host, selection), &all, limits);
    let console = &mut *cx.console;
    let open = opener(paths, host);
    let mut starter = Starter { paths, host, patience, say: &mut |text| console.note(text), open: &open };
    let processes: Vec<&Process> = processes.iter().collect();
    let answers = control.restart(&processes, &around, manner, &mut starter);
    for (process, answer) in processes.iter().zip(answers) {
        match answer {
            Ok(risen) => {
                report = said(report, &risen);
                if let Some(note) = ends::unwritten(process) {
                    report = report.note(note);
                }
            }
            Err(error) => report.faults.push(error.into()),
        }
    }
    Ok(report)
}

/// What became of a process that was to be started or restarted.
pub(super) fn said(report: Report, risen: &Risen) -> Report {
    let Risen { id, name, pid, port, .. } = risen;
    let shown = port.map_or("none".to_owned(), |port| port.to_string());
    let done = if risen.was_running { "restarted" } else { "started" };
    let text = match risen.seen {
        Seen::Ended(how) => format!("tsm: {done} '{name}' (TSM ID: {id}), and it ended: {}", ends::in_words(how)),
        _ => format!("tsm: {done} '{name}' (TSM ID: {id}, PID: {pid}, Port: {shown})"),
    };
    let changes: Vec<String> = risen.changes.iter().map(ToString::to_string).collect();
    let mut report = report.and(
        Sentence::new(text)
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
    match (risen.seen, port) {
        (Seen::NotListening, Some(port)) => {
            report.note(format!("'{name}' runs and does not listen on port {port} yet"))
        }
        (Seen::NotHealthy, _) => report.note(format!("'{name}' runs and is not healthy yet")),
        (Seen::Interrupted, _) => report.note(format!("stopped watching '{name}'; it runs")),
        _ => report,
    }
}
