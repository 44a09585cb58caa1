//! `tsm patrol`

use std::time::Duration;

use crate::base::fault::Fault;
use crate::base::name::ProcessName;
use crate::base::plural::pluralize;
use crate::base::time::HumanDuration;
use crate::command::{Command, Cx, Effect, Prepared, Stage};
use crate::ops::reconcile::{self, MaintenanceRound};
use crate::report::{FollowUp, Message, Report, Table, Value};
use crate::tsm::store::Process;

/// Run maintenance: re-adopt, restart, clean up
///
/// Gives living processes their supervisors back, starts enabled services again that crashed (those that were given up are left
/// alone), and removes files of processes that are gone. A round comes every --every, and soon after a crash,
/// until Ctrl-C; --once is a single one.
#[derive(Debug, clap::Args)]
pub struct Patrol {
    /// One round
    #[arg(long)]
    once: bool,
    /// The longest pause between two rounds
    #[arg(short = 'n', long, value_name = "SPAN", default_value = "30s")]
    every: HumanDuration,
}

impl Command for Patrol {
    const NAME: &'static str = "tsm patrol";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &["tsm patrol --once", "tsm patrol --once --json"];

    fn prepare(self, cx: &mut Cx) -> Result<Prepared, Fault> {
        let every = self.every.within("--every", Duration::from_secs(1)..=Duration::from_secs(24 * 60 * 60))?;
        let processes = cx.operation().processes()?;
        let crashed = reconcile::to_restart(&processes, cx.paths);
        let environments = crashed.flat_map(Process::environments).collect();
        let run = if self.once { run_once } else { repeat };
        let state = Round { processes, every };
        Ok(Stage { effect: Self::EFFECT, environments, state, plan: show, run }.ready())
    }
}

/// A round that is about to be made.
struct Round {
    processes: Vec<Process>,
    every: Duration,
}

fn show(round: &Round, cx: &mut Cx) -> Result<Option<Report>, Fault> {
    let names = reconcile::to_restart(&round.processes, cx.paths).map(|process| &process.name);
    Ok(Some(Report::of(table("would be started again", names))))
}

/// Each round is a line of its own, so it is guarded and written down like any other.
fn repeat(round: Round, cx: &mut Cx) -> Result<Report, Fault> {
    let yes = if cx.yes { " --yes" } else { "" };
    let line = format!("tsm patrol --once{yes}");
    let crashes = Some(cx.paths.events());
    Ok(Report::then(FollowUp::Repeat { line, every: round.every, times: None, crashes, watch: None }))
}

fn run_once(mut round: Round, cx: &mut Cx) -> Result<Report, Fault> {
    let done = reconcile::run(&cx.operation(), &mut round.processes, &mut cx.progress());
    let names = |names: &[ProcessName]| Value::from(names.iter().map(ToString::to_string).collect::<Vec<_>>());
    let removed: Vec<String> = done.removed.iter().map(|path| path.display().to_string()).collect();
    let message = Message::new(text(&done, &removed))
        .with("checked", done.checked)
        .with("supervised", names(&done.supervised))
        .with("restarted", names(&done.restarted))
        .with("removed", Value::from(removed))
        .with("crashed", names(&done.crashed));
    Ok(Report { faults: done.faults, ..Report::of(message) })
}

fn text(round: &MaintenanceRound, removed: &[String]) -> String {
    let names = |names: &[ProcessName]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    let part = |names: &[String], what: &str| match names {
        [] => String::new(),
        names => format!("; {what}: {}", names.join(", ")),
    };
    format!(
        "checked {}{}{}{}{}",
        pluralize(round.checked, "process"),
        part(&names(&round.supervised), "supervised again"),
        part(&names(&round.restarted), "started again"),
        part(removed, "removed"),
        part(&names(&round.crashed), "crashed and not restarted"),
    )
}

/// A table of names.
pub(super) fn table<'a>(what: &str, names: impl Iterator<Item = &'a ProcessName>) -> Table {
    let mut table = Table::new(&[("name", "NAME")]).when_empty(format!("nothing {what}"));
    names.for_each(|name| table.row(vec![name.as_str().into()]));
    table
}
