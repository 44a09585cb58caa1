//! `tsm startup`

use std::path::PathBuf;
use std::time::Duration;

use crate::base::environment::EnvRef;
use crate::base::fault::{Advise, Fault};
use crate::base::time::Timestamp;
use crate::command::secrets::opener;
use crate::command::tsm::limits;
use crate::command::tsm::start::around;
use crate::command::{Command, Cx, Effect};
use crate::report::{Cell, Report, Show, Table, Tone, Value};
use crate::supervise::limits::Limits;
use crate::sys::file::{self, Access};
use crate::tsm::service::{Services, Which};
use crate::tsm::start::{Patience, Started, Starter};
use crate::tsm::startup::{self, Outcome, Service, Task, gather};
use crate::tsm::store::Store;
use crate::tsm::watch::Seen;

/// Start all enabled services
///
/// Each is started as soon as those in its TSM_DEPS are ready, all others at the same time. What it needs is started too, also if it
/// is not enabled; a service with TSM_AUTOSTART=false is passed over unless another one needs it. A failure takes down only those
/// that need it. A line about it is added to tsm/startup.log.
#[derive(Debug, clap::Args)]
pub struct Startup {
    /// Only show in which order what would be started
    #[arg(long)]
    dry_run: bool,
}

impl Command for Startup {
    const NAME: &'static str = "tsm startup";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &["tsm startup", "tsm startup --dry-run"];

    fn effect(&self) -> Effect {
        if self.dry_run { Effect::Read } else { Effect::Write }
    }

    fn touches(&self, cx: &mut Cx) -> Result<Vec<EnvRef>, Fault> {
        let links = Services::open(cx.paths).files(Which::Enabled)?;
        let stem = |link: &PathBuf| link.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let names: Vec<String> = links.iter().filter_map(stem).collect();
        Ok(gather::environments(&names, &around(cx, &[], Limits::default())))
    }

    fn plan(&self, cx: &mut Cx) -> Result<Option<Report>, Fault> {
        let processes = Store::open(cx.paths).all()?;
        Ok(Some(preview(&gather::enabled(&around(cx, &processes, limits::of_environment(cx)?))?)))
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let mut processes = Store::open(cx.paths).all()?;
        if self.dry_run {
            return Ok(preview(&gather::enabled(&around(cx, &processes, limits::of_environment(cx)?))?));
        }
        super::targets::control(cx, &|| cx.host.interrupted()).tend(&mut processes);
        let begun = cx.host.now();
        let services = gather::enabled(&around(cx, &processes, limits::of_environment(cx)?))?;
        let none = services.is_empty();
        let outcomes = carry_out(services, cx);
        let took = cx.host.now().since(begun);
        let count = Count::of(&outcomes);
        if !none {
            let line = format!("{} {}\n", at(begun), count.line(&outcomes, took));
            file::append(&cx.paths.startup_log(), line.as_bytes(), Access::Shared)?;
        }
        let mut report = report(outcomes);
        if !none {
            let words = if count.failed == 0 { "✅ Startup complete" } else { "❌ Startup incomplete" };
            report = report.note(format!("{words}: {}", count.words()));
        }
        Ok(super::in_unit::warn(report, cx))
    }
}

/// As all our logs have it.
fn at(time: Timestamp) -> String {
    let millis = i64::try_from(time.0).unwrap_or_default();
    format!("{:.3}", jiff::Timestamp::from_millisecond(millis).unwrap_or_default())
}

/// Starts services in their order, saying what is noted on the way. A task is waited for if another service needs it.
pub(super) fn carry_out(services: Vec<Service>, cx: &mut Cx) -> Vec<(String, Outcome)> {
    wait_for(Patience::UntilItIsReady, services, cx)
}

/// The same, with each service waited for so long.
pub(super) fn wait_for(patience: Patience, services: Vec<Service>, cx: &mut Cx) -> Vec<(String, Outcome)> {
    for service in &services {
        if let Task::Start(plan) = &service.task {
            plan.notes.iter().for_each(|note| cx.console.note(&format!("{}: {note}", service.name)));
        }
    }
    let console = &mut *cx.console;
    let mut say = |text: &str| console.note(text);
    startup::run(
        services,
        &mut Starter { paths: cx.paths, host: cx.host, patience, say: &mut say, open: &opener(cx.paths, cx.host) },
    )
}

/// How many came to what.
struct Count {
    started: usize,
    /// Of those that were started.
    unready: usize,
    ran: usize,
    failed: usize,
}

impl Count {
    fn of(outcomes: &[(String, Outcome)]) -> Self {
        let count = |is: fn(&Outcome) -> bool| outcomes.iter().filter(|(_, outcome)| is(outcome)).count();
        Self {
            started: count(|it| matches!(it, Outcome::Started(_))),
            unready: count(|it| matches!(it, Outcome::Started(it) if !it.seen.is_ready())),
            ran: count(|it| matches!(it, Outcome::Ran(_))),
            failed: count(|it| matches!(it, Outcome::Failed(_))),
        }
    }

    fn words(&self) -> String {
        let ran = if self.ran > 0 { format!(", {} running already", self.ran) } else { String::new() };
        let unready = if self.unready > 0 { format!(" ({} not ready)", self.unready) } else { String::new() };
        format!("{} started{unready}, {} failed{ran}", self.started, self.failed)
    }

    /// The line of the log: counts, time, and who failed.
    fn line(&self, outcomes: &[(String, Outcome)], took: Duration) -> String {
        let failed = outcomes.iter().filter(|(_, outcome)| matches!(outcome, Outcome::Failed(_)));
        let failed: Vec<&str> = failed.map(|(name, _)| name.as_str()).collect();
        let who = if failed.is_empty() { String::new() } else { format!(": {}", failed.join(" ")) };
        format!("{} in {} ms{who}", self.words(), took.as_millis())
    }
}

fn table(last: (&'static str, &'static str)) -> Table {
    Table::new(&[
        ("service", "SERVICE"),
        ("result", "RESULT"),
        ("process", "PROCESS"),
        ("pid", "PID"),
        ("port", "PORT"),
        last,
    ])
    .when_empty("No services are enabled.\nEnable one with: tsm enable <service-name>")
}

pub(super) fn report(outcomes: Vec<(String, Outcome)>) -> Report {
    let mut table = table(("took", "TOOK"));
    table.columns.push(crate::report::Column { key: "error", title: "ERROR", show: Show::Never });
    let (mut faults, mut notes) = (Vec::new(), Vec::new());
    for (name, outcome) in outcomes {
        let service = Cell::from(name.as_str()).tone(Tone::Strong);
        let nothing = || Cell::from(Value::Nothing);
        table.row(match outcome {
            Outcome::Started(it) => vec![
                service,
                {
                    notes.extend(unready(&it));
                    let word = if matches!(it.seen, Seen::Ended(_)) { "succeeded" } else { "started" };
                    Cell::from(word).tone(if it.seen.is_ready() { Tone::Good } else { Tone::Warn })
                },
                it.name.as_str().into(),
                Value::from(Some(it.pid).filter(|pid| *pid != 0)).into(),
                Value::from(it.port).into(),
                it.took.into(),
                nothing(),
            ],
            Outcome::Ran(process) => {
                let result = Cell::from("running").tone(Tone::Dim);
                vec![service, result, process.as_str().into(), nothing(), nothing(), nothing(), nothing()]
            }
            Outcome::Off => {
                let result = Cell::from("off").tone(Tone::Dim);
                vec![service, result, nothing(), nothing(), nothing(), nothing(), nothing()]
            }
            Outcome::Failed(error) => {
                let result = Cell::from("failed").tone(Tone::Bad);
                faults.push(fault(&name, &error));
                let words = error.to_string();
                vec![service, result, nothing(), nothing(), nothing(), nothing(), words.into()]
            }
        });
    }
    let mut report = Report::of(table);
    report.faults = faults;
    notes.into_iter().fold(report, Report::note)
}

/// What a process that was started is not yet.
fn unready(it: &Started) -> Option<String> {
    let name = &it.name;
    match (it.seen, it.port) {
        (Seen::NotListening, Some(port)) => {
            Some(format!("`{name}` started but not listening on {port}; `tsm logs {name}` shows what it says"))
        }
        (Seen::NotHealthy, _) => Some(format!("`{name}` started and is not healthy yet; `tsm info {name}` shows why")),
        _ => None,
    }
}

/// What kept a service from being ready.
pub(super) fn fault(name: &str, error: &startup::StartupError) -> Fault {
    let cause = std::error::Error::source(error).map(|cause| format!(": {cause}")).unwrap_or_default();
    let mut fault = Fault::new(error.kind(), format!("{name}: {error}{cause}"));
    fault.advice = error.advice();
    fault.at = error_place(error).map(Box::new);
    fault
}

fn error_place(error: &startup::StartupError) -> Option<crate::base::fault::Place> {
    match error {
        startup::StartupError::Definition(error) => error.place(),
        startup::StartupError::Plan(error) => error.place(),
        _ => None,
    }
}

/// In which order what would be done.
fn preview(services: &[Service]) -> Report {
    let mut table =
        Table::new(&[("service", "SERVICE"), ("result", "WOULD BE"), ("needs", "NEEDS"), ("error", "ERROR")])
            .show("error", Show::Never)
            .when_empty("No services are enabled.\nEnable one with: tsm enable <service-name>");
    for service in services {
        let (word, tone, error) = match &service.task {
            Task::Start(_) => ("started", Tone::Good, None),
            Task::Runs(_) => ("running", Tone::Dim, None),
            Task::Off => ("off", Tone::Dim, None),
            Task::Refuse(error) => ("failed", Tone::Bad, Some(error.to_string())),
        };
        let needs = if service.needs.is_empty() { "-".to_owned() } else { service.needs.join(" ") };
        let result = match &error {
            Some(error) => Cell::from(word).text(format!("{word}: {error}")),
            None => Cell::from(word),
        };
        table.row(vec![
            Cell::from(service.name.as_str()).tone(Tone::Strong),
            result.tone(tone),
            Cell::from(service.needs.clone()).text(needs),
            Value::from(error).into(),
        ]);
    }
    Report::of(table)
}
