//! `tsm startup`

use super::systemd_unit;
use crate::base::fault::Fault;
use crate::command::{Command, Cx, Effect, Prepared, Stage};
use crate::ops::deploy::give_up;
use crate::ops::startup::{self, PreparedStartup, fault};
use crate::report::{Cell, Report, Table, Tone, Value, Visibility};
use crate::supervise::meta::ProcessState;
use crate::tsm::readiness::{NOT_REPORTED, Readiness};
use crate::tsm::start::Started;
use crate::tsm::startup::{StartJob, StartOutcome, Task};

const NO_SERVICES: &str = "No services are enabled.\nEnable one with: tsm enable <service-name>";

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

    fn prepare(self, cx: &mut Cx) -> Result<Prepared, Fault> {
        let startup = startup::prepare(&cx.operation())?;
        let environments = startup.environments.clone();
        let stage = Stage { effect: Self::EFFECT, environments, state: startup, plan: show, run };
        Ok(if self.dry_run { stage.dry_run() } else { stage.ready() })
    }
}

fn show(startup: &PreparedStartup, _cx: &mut Cx) -> Result<Option<Report>, Fault> {
    Ok(Some(preview(&startup.jobs, |_| "running")))
}

fn run(startup: PreparedStartup, cx: &mut Cx) -> Result<Report, Fault> {
    let put_back = give_up::at_boot(cx.paths, cx.host);
    put_back.iter().for_each(|line| cx.console.note(line));
    let startup = if put_back.is_empty() { startup } else { startup::prepare(&cx.operation())? };
    let done = startup.run(&cx.operation(), &mut cx.progress())?;
    let none = done.outcomes.is_empty();
    let mut report = report(done.outcomes);
    if !none {
        let words = if done.counts.failed == 0 { "startup complete" } else { "startup incomplete" };
        report = report.note(format!("{words}: {}", done.counts.in_words()));
    }
    Ok(systemd_unit::note_lifetime(report, cx))
}

pub(super) fn report(outcomes: Vec<(String, StartOutcome)>) -> Report {
    let mut table = Table::new(&[
        ("service", "SERVICE"),
        ("result", "RESULT"),
        ("process", "PROCESS"),
        ("pid", "PID"),
        ("port", "PORT"),
        ("took", "TOOK"),
    ])
    .when_empty(NO_SERVICES);
    table.columns.push(crate::report::Column {
        key: "error".into(),
        title: "ERROR".into(),
        visibility: Visibility::Never,
    });
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
                let word = if process.state == ProcessState::Scheduled { "scheduled" } else { "running" };
                let result = Cell::from(word).tone(Tone::Dim);
                let (pid, port) = (Value::from(process.pid), Value::from(process.port));
                vec![service, result, process.name.as_str().into(), pid.into(), port.into(), nothing(), nothing()]
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
        (Readiness::NotReported, _) => {
            Some(format!("`{name}` started and {NOT_REPORTED}; `tsm logs {name}` shows its output"))
        }
        (Readiness::NotHealthy, _) => {
            Some(format!("`{name}` started and is not healthy yet; `tsm info {name}` shows why"))
        }
        _ => None,
    }
}

/// In which order what would be done.
pub fn preview(services: &[StartJob], running: impl Fn(&str) -> &'static str) -> Report {
    let mut table =
        Table::new(&[("service", "SERVICE"), ("result", "WOULD BE"), ("needs", "NEEDS"), ("error", "ERROR")])
            .with_visibility("error", Visibility::Never)
            .when_empty(NO_SERVICES);
    for service in services {
        let (word, tone, error) = match &service.task {
            Task::Start(_) => ("started", Tone::Good, None),
            Task::Running(_) => (running(&service.name), Tone::Dim, None),
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
