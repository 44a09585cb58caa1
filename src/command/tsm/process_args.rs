//! The processes that the words of a command mean.

use crate::base::environment::EnvRef;
use crate::base::fault::{Fault, FaultKind};
use crate::command::argument::{ProcessTarget, SingleProcess};
use crate::command::stated_default::{SELECTED_PROCESS, StatedDefault};
use crate::command::{Cx, Effect, Prepared, Stage};
use crate::report::{Message, Report, Table, Value};
use crate::tsm::resolve::{self, Precision, ResolveError};
use crate::tsm::store::{Process, ProcessStore};
use crate::tsm::unrecorded;

/// Processes, named on the command line.
#[derive(Debug, clap::Args)]
pub(super) struct ProcessArgs {
    /// Id, name, the beginning or a part of a name, pid or port; `*` or `all` for all
    #[arg(value_name = "TARGETS", if_not_given = SELECTED_PROCESS)]
    pub(super) targets: Vec<ProcessTarget>,
}

impl ProcessArgs {
    /// What they mean for a command that ends, removes or restarts something; see [`Targets::find_exact`].
    ///
    /// # Errors
    ///
    /// As there.
    pub(super) fn find_exact(&self, cx: &Cx) -> Result<Targets, Fault> {
        Targets::find_exact(&self.targets, cx)
    }
}

/// What the words mean.
#[derive(Debug, Default)]
pub(super) struct Targets {
    /// Each process once, in the order of the words.
    pub processes: Vec<Process>,
    /// Those that are meant and left as they are; see [`set_aside`](Self::set_aside).
    pub skipped: Vec<Process>,
    /// One fault for each word that means no process.
    pub faults: Vec<Fault>,
    /// More than one process could have been meant: several words, `*` or `all`.
    pub several: bool,
    /// `*` or `all` was the only word.
    pub all: bool,
    /// All processes there are.
    known: Vec<Process>,
}

impl Targets {
    /// Reads and resolves; processes that lost their supervisor get a new one.
    ///
    /// # Errors
    ///
    /// As [`find_read_only`](Self::find_read_only).
    pub(super) fn find(words: &[ProcessTarget], cx: &Cx) -> Result<Self, Fault> {
        let mut targets = Self::find_read_only(words, cx)?;
        targets.reconcile(cx);
        Ok(targets)
    }

    /// Reads and resolves. Changes nothing.
    ///
    /// # Errors
    ///
    /// Fails if no process is named and none is selected, or if the only word means none.
    pub(super) fn find_read_only(words: &[ProcessTarget], cx: &Cx) -> Result<Self, Fault> {
        Self::resolve(words, Precision::Partial, cx)
    }

    /// The same for a command that ends, removes or restarts something: without a terminal a part of a name is not enough.
    ///
    /// # Errors
    ///
    /// As [`find_read_only`](Self::find_read_only).
    pub(super) fn find_exact(words: &[ProcessTarget], cx: &Cx) -> Result<Self, Fault> {
        Self::resolve(words, precision(cx), cx)
    }

    fn resolve(words: &[ProcessTarget], precision: Precision, cx: &Cx) -> Result<Self, Fault> {
        let known = ProcessStore::open(cx.paths).all()?;
        let selected = cx.selection.process.as_ref().map(|name| name.as_str());
        let words: Vec<&str> = match (words, selected) {
            ([], Some(name)) => vec![name],
            ([], None) => {
                return Err(Fault::usage("no process is named, and none is selected")
                    .with_advice("name one (`tsm list` shows them), or choose one with `select NAME`"));
            }
            (words, _) => words.iter().map(|word| word.0.as_str()).collect(),
        };
        let resolved = resolve::resolve(&words, &known, precision);
        let mut faults: Vec<Fault> = resolved.missing.into_iter().map(|error| fault(error, cx)).collect();
        if resolved.processes.is_empty() && faults.len() == 1 {
            return Err(faults.remove(0));
        }
        let all = matches!(words[..], ["*" | "all"]);
        let processes = resolved.processes.into_iter().cloned().collect();
        Ok(Self { processes, skipped: Vec::new(), faults, several: all || words.len() > 1, all, known })
    }

    /// Gives processes that lost their supervisor a new one, and reads those that are meant again.
    pub(super) fn reconcile(&mut self, cx: &Cx) {
        cx.operation().with_control(|control| control.reconcile(&mut self.known));
        for process in &mut self.processes {
            if let Some(now) = self.known.iter().find(|known| known.name == process.name) {
                process.clone_from(now);
            }
        }
    }

    /// Leaves the processes as they are for which `acted_on` is false.
    pub(super) fn set_aside(&mut self, acted_on: impl FnMut(&Process) -> bool) {
        (self.processes, self.skipped) = std::mem::take(&mut self.processes).into_iter().partition(acted_on);
    }

    /// What is done by a command with this effect: nothing that has to be asked for where there are no processes.
    pub(super) fn effect(&self, effect: Effect) -> Effect {
        if self.processes.is_empty() { Effect::Read } else { effect }
    }

    /// A command that does `run` with these processes, once the guard has seen them.
    pub(super) fn stage(self, effect: Effect, run: fn(Self, &mut Cx) -> Result<Report, Fault>) -> Prepared {
        let (effect, environments) = (self.effect(effect), self.environments());
        Stage { effect, environments, state: self, plan: |targets, _| Ok(Some(targets.plan())), run }.ready()
    }

    /// All processes there are, as they were read.
    pub(super) fn known(&self) -> &[Process] {
        &self.known
    }

    /// References to the processes, for a domain call.
    pub(super) fn refs(&self) -> Vec<&Process> {
        self.processes.iter().collect()
    }

    /// A report to go on with. It says so if all were meant and there are none.
    pub(super) fn report(&mut self) -> Report {
        let mut report = Report::each(Vec::<Message>::new());
        report.faults = std::mem::take(&mut self.faults);
        if self.is_empty() { report.note(NO_PROCESSES) } else { report }
    }

    /// All were meant, and there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.all && self.processes.is_empty() && self.skipped.is_empty()
    }

    /// The environments of the processes.
    pub(super) fn environments(&self) -> Vec<EnvRef> {
        self.processes.iter().flat_map(Process::environments).collect()
    }

    /// The same for a command that looks again when it is run.
    ///
    /// # Errors
    ///
    /// Fails with the first word that means no process if there is none at all.
    pub(super) fn plan_of_found(mut self) -> Result<Report, Fault> {
        if self.processes.is_empty() && !self.faults.is_empty() {
            return Err(self.faults.swap_remove(0));
        }
        Ok(self.plan())
    }

    /// The processes as a plan: these will be acted on, and for some words there are none.
    pub(super) fn plan(&self) -> Report {
        let note = |report: Report, fault| report.note(format!("{fault}; only the processes listed here are meant"));
        self.faults.iter().fold(plan(&self.processes), note)
    }
}

/// A table of processes that will be acted on.
pub(super) fn plan<'a>(processes: impl IntoIterator<Item = &'a Process>) -> Report {
    let mut table = Table::new(&[("id", "ID"), ("name", "NAME"), ("env", "ENV"), ("pid", "PID"), ("port", "PORT")]);
    for process in processes {
        table.row(vec![
            Value::from(process.id()).into(),
            process.name.as_str().into(),
            Value::from(process.environment_label()).into(),
            Value::from(process.pid()).into(),
            Value::from(process.meta.port).into(),
        ]);
    }
    Report::of(table)
}

/// How exact a word must be for a command that ends or removes something.
pub(super) fn precision(cx: &Cx) -> Precision {
    if cx.console.is_interactive() { Precision::Partial } else { Precision::Exact }
}

/// A word that means no process. One that runs on without its directory is named: no order can be sent to it.
fn fault(error: ResolveError, cx: &Cx) -> Fault {
    let lost = match &error {
        ResolveError::NotFound { given, .. } => {
            unrecorded::find(given, cx.paths).first().map(|pid| (given.clone(), *pid))
        }
        ResolveError::Ambiguous { .. } | ResolveError::Part { .. } => None,
    };
    let fault = Fault::from(error);
    match lost {
        Some((name, pid)) => {
            fault.with_advice(format!("its directory was removed, but pid {pid} still runs: `tsm kill {name}` ends it"))
        }
        None => fault,
    }
}

/// `web (0)`, or the name alone where the record that has the id is lost.
pub(super) fn label(process: &Process) -> String {
    process.id().map_or_else(|| process.name.to_string(), |id| format!("{} ({id})", process.name))
}

/// What is said where all are meant and there are none.
pub(super) const NO_PROCESSES: &str = "there are no processes";

/// The one process that is meant.
pub(super) fn find_one(target: Option<SingleProcess>, cx: &Cx) -> Result<Process, Fault> {
    let words: Vec<ProcessTarget> = target.into_iter().map(|SingleProcess(word)| ProcessTarget(word)).collect();
    let mut found = Targets::find_read_only(&words, cx)?;
    match (found.processes.len(), found.faults.pop()) {
        (1, None) => Ok(found.processes.remove(0)),
        (_, Some(fault)) => Err(fault),
        (0, None) => Err(Fault::new(FaultKind::NotFound, "there are no processes")),
        (count, None) => Err(Fault::usage(format!("expected one process, and {count} were named"))),
    }
}
