//! `tsm startup`

use std::path::PathBuf;
use std::time::Duration;

use crate::base::environment::EnvRef;
use crate::base::fault::{Fault, UserFacingError};
use crate::base::time::Timestamp;
use crate::command::secrets::unsealer;
use crate::command::tsm::limits;
use crate::command::tsm::start::start_context;
use crate::command::{Command, Cx, Effect};
use crate::report::{Cell, Report, Table, Tone, Value, Visibility};
use crate::supervise::limits::Limits;
use crate::sys::file::{self, Access};
use crate::tsm::readiness::Readiness;
use crate::tsm::service::{ServiceSet, Services};
use crate::tsm::start::{StartDeps, Started, WaitFor};
use crate::tsm::startup::{self, StartJob, StartOutcome, Task, collect};
use crate::tsm::store::ProcessStore;

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

    fn environments(&self, cx: &mut Cx) -> Result<Vec<EnvRef>, Fault> {
        let links = Services::open(cx.paths).files(ServiceSet::Enabled)?;
        let stem = |link: &PathBuf| link.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let names: Vec<String> = links.iter().filter_map(stem).collect();
        Ok(collect::environments(&names, &start_context(cx, &[], Limits::default())))
    }

    fn plan(&self, cx: &mut Cx) -> Result<Option<Report>, Fault> {
        let processes = ProcessStore::open(cx.paths).all()?;
        Ok(Some(preview(&collect::enabled(&start_context(cx, &processes, limits::of_environment(cx)?))?)))
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let mut processes = ProcessStore::open(cx.paths).all()?;
        if self.dry_run {
            return Ok(preview(&collect::enabled(&start_context(cx, &processes, limits::of_environment(cx)?))?));
        }
        super::process_args::control(cx, &|| cx.host.interrupted()).reconcile(&mut processes);
        let begun = cx.host.now();
        let services = collect::enabled(&start_context(cx, &processes, limits::of_environment(cx)?))?;
        let none = services.is_empty();
        let outcomes = start_all(services, cx);
        let took = cx.host.now().since(begun);
        let count = StartupCounts::of(&outcomes);
        if !none {
            let line = format!("{} {}\n", at(begun), count.line(&outcomes, took));
            file::append(&cx.paths.startup_log(), line.as_bytes(), Access::Shared)?;
        }
        let mut report = report(outcomes);
        if !none {
            let words = if count.failed == 0 { "✅ Startup complete" } else { "❌ Startup incomplete" };
            report = report.note(format!("{words}: {}", count.words()));
        }
        Ok(super::systemd_unit::note_lifetime(report, cx))
    }
}

/// As all our logs have it.
fn at(time: Timestamp) -> String {
    let millis = i64::try_from(time.0).unwrap_or_default();
    format!("{:.3}", jiff::Timestamp::from_millisecond(millis).unwrap_or_default())
}

/// Starts services in their order, saying what is noted on the way. A task is waited for if another service needs it.
pub(super) fn start_all(services: Vec<StartJob>, cx: &mut Cx) -> Vec<(String, StartOutcome)> {
    wait_for(WaitFor::Ready, services, cx)
}

/// The same, with each service waited for so long.
pub(super) fn wait_for(patience: WaitFor, services: Vec<StartJob>, cx: &mut Cx) -> Vec<(String, StartOutcome)> {
    for service in &services {
        if let Task::Start(plan) = &service.task {
            plan.notes.iter().for_each(|note| cx.console.note(&format!("{}: {note}", service.name)));
        }
    }
    let console = &mut *cx.console;
    let mut say = |text: &str| console.note(text);
    startup::run(
        services,
        &mut StartDeps {
            paths: cx.paths,
            host: cx.host,
            wait_for: patience,
            on_progress: &mut say,
            unseal: &unsealer(cx.paths, cx.host),
        },
    )
}

/// How many came to what.
struct StartupCounts {
    started: usize,
    /// Of those that were started.
    not_ready: usize,
    ran: usize,
    failed: usize,
}

impl StartupCounts {
    fn of(outcomes: &[(String, StartOutcome)]) -> Self {
        let count = |is: fn(&StartOutcome) -> bool| outcomes.iter().filter(|(_, outcome)| is(outcome)).count();
        Self {
            started: count(|it| matches!(it, StartOutcome::Started(_))),
            not_ready: count(|it| matches!(it, StartOutcome::Started(it) if !it.readiness.is_ready())),
            ran: count(|it| matches!(it, StartOutcome::AlreadyRunning(_))),
            failed: count(|it| matches!(it, StartOutcome::Failed(_))),
        }
    }

    fn words(&self) -> String {
        let ran = if self.ran > 0 { format!(", {} running already", self.ran) } else { String::new() };
        let unready = if self.not_ready > 0 { format!(" ({} not ready)", self.not_ready) } else { String::new() };
        format!("{} started{unready}, {} failed{ran}", self.started, self.failed)
    }

    /// The line of the log: counts, time, and who failed.
    fn line(&self, outcomes: &[(String, StartOutcome)], took: Duration) -> String {
        let failed = outcomes.iter().filter(|(_, outcome)| matches!(outcome, StartOutcome::Failed(_)));
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

pub(super) fn report(outcomes: Vec<(String, StartOutcome)>) -> Report {
    let mut table = table(("took", "TOOK"));
    table.columns.push(crate::report::Column { key: "error", title: "ERROR", visibility: Visibility::Never });
    let (mut faults, mut notes) = (Vec::new(), Vec::new());
    for (name, outcome) in outcomes {
        let service = Cell::from(name.as_str()).tone(Tone::Strong);
        let nothing = || Cell::from(Value::Null);
        table.row(match outcome {
            StartOutcome::Started(it) => vec![
                service,
                {
                    notes.extend(not_ready_reason(&it));
                    let word = if matches!(it.readiness, Readiness::Ended(_)) { "succeeded" } else { "started" };
                    Cell::from(word).tone(if it.readiness.is_ready() { Tone::Good } else { Tone::Warn })
                },
                it.name.as_str().into(),
                Value::from(Some(it.pid).filter(|pid| *pid != 0)).into(),
                Value::from(it.port).into(),
                it.duration.into(),
                nothing(),
            ],
            StartOutcome::AlreadyRunning(process) => {
                let result = Cell::from("running").tone(Tone::Dim);
                vec![service, result, process.as_str().into(), nothing(), nothing(), nothing(), nothing()]
            }
            StartOutcome::Disabled => {
                let result = Cell::from("off").tone(Tone::Dim);
                vec![service, result, nothing(), nothing(), nothing(), nothing(), nothing()]
            }
            StartOutcome::Failed(error) => {
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
fn not_ready_reason(it: &Started) -> Option<String> {
    let name = &it.name;
    match (it.readiness, it.port) {
        (Readiness::NotListening, Some(port)) => {
            Some(format!("`{name}` started but not listening on {port}; `tsm logs {name}` shows what it says"))
        }
        (Readiness::NotHealthy, _) => {
            Some(format!("`{name}` started and is not healthy yet; `tsm info {name}` shows why"))
        }
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

fn error_place(error: &startup::StartupError) -> Option<crate::base::fault::Location> {
    match error {
        startup::StartupError::Definition(error) => error.location(),
        startup::StartupError::Plan(error) => error.location(),
        _ => None,
    }
}

/// In which order what would be done.
fn preview(services: &[StartJob]) -> Report {
    let mut table =
        Table::new(&[("service", "SERVICE"), ("result", "WOULD BE"), ("needs", "NEEDS"), ("error", "ERROR")])
            .with_visibility("error", Visibility::Never)
            .when_empty("No services are enabled.\nEnable one with: tsm enable <service-name>");
    for service in services {
        let (word, tone, error) = match &service.task {
            Task::Start(_) => ("started", Tone::Good, None),
            Task::Running(_) => ("running", Tone::Dim, None),
            Task::Disabled => ("off", Tone::Dim, None),
            Task::Fail(error) => ("failed", Tone::Bad, Some(error.to_string())),
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
