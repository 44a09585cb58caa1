//! The processes that the words of a command mean.

use crate::base::environment::EnvRef;
use crate::base::fault::Fault;
use crate::command::Cx;
use crate::command::argument::ProcessTarget;
use crate::report::{Message, Report, Table, Value};
use crate::tsm::control::Control;
use crate::tsm::resolve::{self, Precision, ResolveError};
use crate::tsm::store::{Process, ProcessStore};
use crate::tsm::unrecorded;

/// What the words lead to.
#[derive(Debug, Default)]
pub(super) struct Targets {
    /// Each process once, in the order in which it was meant.
    pub processes: Vec<Process>,
    /// One fault for each word that leads nowhere.
    pub faults: Vec<Fault>,
    /// More than one process could have been meant: several words, `*` or `all`.
    pub several: bool,
    /// `*` or `all` was the only word.
    pub all: bool,
}

impl Targets {
    /// Reads and resolves; processes that lost their supervisor get one first.
    ///
    /// # Errors
    ///
    /// Fails if nothing is named and nothing is selected, or if the only word leads nowhere.
    pub(super) fn find(words: &[ProcessTarget], cx: &Cx) -> Result<Self, Fault> {
        Self::resolve(words, &reconciled_processes(cx)?, Precision::Partial, cx)
    }

    /// The same for a command that ends or removes something: where nobody looks on, a part of a name is not enough.
    ///
    /// # Errors
    ///
    /// As [`find`](Self::find).
    pub(super) fn find_whole(words: &[ProcessTarget], cx: &Cx) -> Result<Self, Fault> {
        Self::resolve(words, &reconciled_processes(cx)?, precision(cx), cx)
    }

    /// What [`find_whole`](Self::find_whole) would find. Changes nothing at all.
    ///
    /// # Errors
    ///
    /// As [`find`](Self::find).
    pub(super) fn find_whole_read_only(words: &[ProcessTarget], cx: &Cx) -> Result<Self, Fault> {
        Self::resolve(words, &ProcessStore::open(cx.paths).all()?, precision(cx), cx)
    }

    /// Reads and resolves, and changes nothing at all.
    ///
    /// # Errors
    ///
    /// As [`find`](Self::find).
    pub(super) fn find_read_only(words: &[ProcessTarget], cx: &Cx) -> Result<Self, Fault> {
        Self::resolve(words, &ProcessStore::open(cx.paths).all()?, Precision::Partial, cx)
    }

    fn resolve(words: &[ProcessTarget], all: &[Process], precision: Precision, cx: &Cx) -> Result<Self, Fault> {
        let selected = cx.selection.process.as_ref().map(|name| name.as_str());
        let words: Vec<&str> = match (words, selected) {
            ([], Some(name)) => vec![name],
            ([], None) => {
                return Err(Fault::usage("no process is named, and none is selected")
                    .with_advice("name one (`tsm list` shows them), or choose one with `select NAME`"));
            }
            (words, _) => words.iter().map(|word| word.0.as_str()).collect(),
        };
        let resolved = resolve::resolve(&words, all, precision);
        let mut faults: Vec<Fault> = resolved.missing.into_iter().map(|error| fault(error, cx)).collect();
        if resolved.processes.is_empty() && faults.len() == 1 {
            return Err(faults.remove(0));
        }
        let all = matches!(words[..], ["*" | "all"]);
        let processes = resolved.processes.into_iter().cloned().collect();
        Ok(Self { processes, faults, several: all || words.len() > 1, all })
    }

    /// A report to go on with. It says so if all were meant and there are none.
    pub(super) fn report(&mut self) -> Report {
        let mut report = Report::each(Vec::<Message>::new());
        report.faults = std::mem::take(&mut self.faults);
        if self.is_empty() { report.note(NO_PROCESSES) } else { report }
    }

    /// All were meant, and there are none.
    pub(super) fn is_empty(&self) -> bool {
        self.all && self.processes.is_empty()
    }

    /// The environments of the processes.
    pub(super) fn environments(&self) -> Vec<EnvRef> {
        self.processes.iter().flat_map(Process::environments).collect()
    }

    /// The processes as a plan: these will be meant.
    pub(super) fn plan(&self) -> Report {
        let mut table = Table::new(&[("id", "ID"), ("name", "NAME"), ("env", "ENV"), ("pid", "PID"), ("port", "PORT")]);
        for process in &self.processes {
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
}

/// How much a word has to say to a command that ends or removes something.
pub(super) fn precision(cx: &Cx) -> Precision {
    if cx.console.is_interactive() { Precision::Partial } else { Precision::Exact }
}

/// All processes; those that lost their supervisor have one again.
fn reconciled_processes(cx: &Cx) -> Result<Vec<Process>, Fault> {
    let mut all = ProcessStore::open(cx.paths).all()?;
    let interrupted = || cx.host.interrupted();
    control(cx, &interrupted).reconcile(&mut all);
    Ok(all)
}

/// A word that leads nowhere. What runs on without its directory is told: there is nothing to give an order to.
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

/// What is said where all are meant and there are none.
pub(super) const NO_PROCESSES: &str = "there are no processes";

/// Acts on processes with what the command has.
pub(super) fn control<'a>(cx: &'a Cx, interrupted: &'a dyn Fn() -> bool) -> Control<'a> {
    Control { paths: cx.paths, program: cx.host.program(), interrupted }
}
