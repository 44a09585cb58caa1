//! `tsm cleanup`

use super::patrol::table;
use super::stop::add_result;
use crate::base::fault::Fault;
use crate::command::{Command, Cx, Effect, Prepared, Stage};
use crate::report::{Message, Report};
use crate::supervise::meta::ProcessState;
use crate::tsm::store::Process;

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

    fn prepare(self, cx: &mut Cx) -> Result<Prepared, Fault> {
        let mut dead = cx.operation().processes()?;
        dead.retain(|process| self.is_dead(process));
        let environments = dead.iter().flat_map(Process::environments).collect();
        let stage = Stage {
            effect: Self::EFFECT,
            environments,
            state: Dead { processes: dead },
            plan: Dead::plan,
            run: Dead::delete,
        };
        Ok(if self.dry_run { stage.dry_run() } else { stage.ready() })
    }
}

impl Cleanup {
    fn is_dead(&self, process: &Process) -> bool {
        match process.live.state {
            ProcessState::Crashed | ProcessState::Errored => !process.live.supervised,
            ProcessState::Stopped => self.stopped && !process.live.supervised,
            ProcessState::Starting
            | ProcessState::Online
            | ProcessState::Stopping
            | ProcessState::Waiting
            | ProcessState::Scheduled
            | ProcessState::Unknown => false,
        }
    }
}

/// Processes that are to be removed.
struct Dead {
    processes: Vec<Process>,
}

impl Dead {
    fn plan(&self, _cx: &mut Cx) -> Result<Option<Report>, Fault> {
        Ok(Some(Report::of(table("to remove", self.processes.iter().map(|process| &process.name)))))
    }

    fn delete(self, cx: &mut Cx) -> Result<Report, Fault> {
        let processes: Vec<&Process> = self.processes.iter().collect();
        let results = cx.operation().with_control(|control| control.delete(&processes));
        let none = Report::each(Vec::<Message>::new());
        let report = processes
            .iter()
            .zip(results)
            .fold(none, |report, (process, result)| add_result(report, process, result, "deleted"));
        Ok(if processes.is_empty() { report.note("Nothing to remove.") } else { report })
    }
}
