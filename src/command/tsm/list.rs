//! `tsm list`

use std::time::Duration;

use super::option_fields::env_file;
use super::services;
use crate::base::fault::Fault;
use crate::base::redact;
use crate::base::time::{HumanDuration, Timestamp};
use crate::command::{Command, Cx, Effect};
use crate::ops::snapshot::Usage;
use crate::report::{Cell, Report, Table, Tone, Value, Visibility};
use crate::supervise::meta::{ProcessState, ProcessStatus};
use crate::tsm::sidecar::health::{HealthState, HealthStatus};
use crate::tsm::store::{Process, ProcessStore};
use crate::tsm::{exit_text, schedule, service};

/// List processes
///
/// Shows everything that was not stopped cleanly, so that a crash is never hidden; a last line counts the rest. With -v also
/// restarts, processor and memory of the whole process tree, type, directory and command.
#[derive(Debug, clap::Args)]
pub struct List {
    /// What to show
    #[arg(value_enum)]
    which: Option<ListFilter>,
    /// The same as `all`
    #[arg(short, long, conflicts_with = "which")]
    all: bool,
}

/// What to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum ListFilter {
    /// Processes that run
    Running,
    /// All processes
    All,
    /// Service definitions
    Available,
    /// Service definitions that are started at boot
    Enabled,
}

impl Command for List {
    const NAME: &'static str = "tsm list";
    const ALIASES: &'static [&'static str] = &["tsm ls"];
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["tsm list", "tsm list all --json", "tsm ls -v", "tsm list available"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let which = if self.all { Some(ListFilter::All) } else { self.which };
        match which {
            Some(ListFilter::Available) => services::list(cx, service::ServiceSet::Available, detail(cx)),
            Some(ListFilter::Enabled) => services::list(cx, service::ServiceSet::Enabled, detail(cx)),
            None | Some(ListFilter::Running | ListFilter::All) => processes(which, cx),
        }
    }
}

fn detail(cx: &Cx) -> services::ServiceDetail {
    if cx.verbose > 0 { services::ServiceDetail::All } else { services::ServiceDetail::Some }
}

fn processes(which: Option<ListFilter>, cx: &Cx) -> Result<Report, Fault> {
    let mut all = ProcessStore::open(cx.paths).all()?;
    cx.operation().with_control(|control| control.reconcile(&mut all));
    let shown: Vec<&Process> = all.iter().filter(|process| is_shown(which, process)).collect();
    let load = (cx.verbose > 0).then(|| measure(cx));
    let mut table = table(cx.verbose);
    if shown.iter().any(|process| process.health().is_some()) {
        table = table.with_visibility("health", Visibility::Always);
    }
    if shown.iter().any(|process| process.is_crash_looping(cx.host.now())) {
        table = table.with_visibility("restarts", Visibility::Always);
    }
    for process in &shown {
        table.row(row(process, cx.host.now(), load.as_ref()));
    }
    let stopped = all.iter().filter(|process| !process.is_not_cleanly_stopped()).count();
    let report = Report::of(table);
    Ok(if which.is_none() && stopped > 0 { report.note(format!("{stopped} stopped: tsm list all")) } else { report })
}

/// The columns without a row, for what is read from other hosts.
pub(in crate::command) fn columns(verbose: u8) -> Table {
    table(verbose)
}

/// The rows of processes, for whatever shows them elsewhere.
pub(in crate::command) fn process_table(processes: &[Process], now: Timestamp, usage: &Usage) -> Table {
    let mut table = table(0);
    processes.iter().for_each(|process| table.row(row(process, now, Some(usage))));
    table
}

fn is_shown(which: Option<ListFilter>, process: &Process) -> bool {
    match which {
        None => process.is_not_cleanly_stopped(),
        Some(ListFilter::Running) => process.is_running(),
        Some(_) => true,
    }
}

/// Key, heading, and from how many -v on people see it.
const COLUMNS: [(&str, &str, u8); 24] = [
    ("id", "ID", 0),
    ("name", "NAME", 0),
    ("env", "ENV", 0),
    ("pid", "PID", 0),
    ("port", "PORT", 0),
    ("status", "STATUS", 0),
    ("health", "HEALTH", u8::MAX),
    ("uptime", "UPTIME", 0),
    ("restarts", "RESTARTS", 1),
    ("cpu", "CPU", 1),
    ("memory", "MEMORY", 1),
    ("type", "TYPE", 1),
    ("cwd", "CWD", 1),
    ("command", "COMMAND", 1),
    ("state", "STATE", u8::MAX),
    ("supervised", "SUPERVISED", u8::MAX),
    ("environment", "ENVIRONMENT", u8::MAX),
    ("group", "GROUP", u8::MAX),
    ("env_file", "ENV FILE", u8::MAX),
    ("started", "STARTED", u8::MAX),
    ("exit", "EXIT", u8::MAX),
    ("damage", "DAMAGE", u8::MAX),
    ("crash_loop", "CRASH LOOP", u8::MAX),
    ("next_run", "NEXT RUN", u8::MAX),
];

fn table(verbose: u8) -> Table {
    let mut table = Table::new(&COLUMNS.map(|(key, title, _)| (key, title)))
        .when_empty("No running services found.\nStart services with: tsm start <service-name>");
    for (key, _, from) in COLUMNS {
        let show = if from <= verbose { Visibility::Always } else { Visibility::Never };
        table = table.with_visibility(key, show);
    }
    table
}

fn row(process: &Process, now: Timestamp, load: Option<&Usage>) -> Vec<Cell> {
    let meta = &process.meta;
    let usage = load.zip(process.pid());
    let cpu = usage.and_then(|(usage, pid)| usage.cpu_percent(pid));
    let cpu = cpu.map_or(Value::Null.into(), |cpu| Cell::from(cpu).text(format!("{cpu:.1}%")));
    let memory = usage.map_or(Value::Null, |(usage, pid)| Value::Bytes(usage.memory_bytes(pid)));
    let text = |text: &str| Value::from(Some(text).filter(|text| !text.is_empty())).into();
    vec![
        Value::from(process.id()).into(),
        Cell::from(process.name.as_str()).tone(Tone::Strong),
        Value::from(process.environment_label()).into(),
        Value::from(process.pid()).into(),
        Value::from(meta.port).into(),
        status(process, now, if load.is_some() { StatusDetail::WithExit } else { StatusDetail::Short }),
        health(process.health().as_ref()),
        uptime(process, now),
        meta.restarts.into(),
        cpu,
        memory.into(),
        text(&meta.process_type),
        text(&meta.cwd.to_string_lossy()),
        text(&redact::text(&meta.command)),
        process.live.state.as_str().into(),
        process.live.supervised.into(),
        text(&meta.run.environment),
        text(&meta.run.group),
        env_file(&meta.env_file, meta.env_files().iter().map(ToString::to_string).collect()),
        Value::from(started(process)).into(),
        last_exit(process).into(),
        Value::from(process.record_error.as_deref().or(process.unknown.as_deref())).into(),
        process.is_crash_looping(now).into(),
        Value::from(schedule::next(process, now)).into(),
    ]
}

/// The word for how it is.
pub(super) fn health(health: Option<&HealthState>) -> Cell {
    let Some(health) = health else { return Value::Null.into() };
    let tone = match health.status {
        HealthStatus::Starting => Tone::Warn,
        HealthStatus::Healthy => Tone::Good,
        HealthStatus::Unhealthy => Tone::Bad,
    };
    Cell::from(health.status.as_str()).tone(tone)
}

/// How much a status says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StatusDetail {
    /// The status alone.
    Short,
    /// With how a crashed process ended.
    WithExit,
}

/// The status with its meaning, and in detail what the three words of the published format leave out.
pub(super) fn status(process: &Process, now: Timestamp, detail: StatusDetail) -> Cell {
    let (tone, text) = match process.live.state {
        ProcessState::Online if !process.live.supervised => (Tone::Warn, "online, unsupervised".to_owned()),
        ProcessState::Online if process.is_crash_looping(now) => (Tone::Bad, "online, crash loop".to_owned()),
        ProcessState::Online => (Tone::Good, "online".to_owned()),
        ProcessState::Starting => (Tone::Warn, "starting".to_owned()),
        ProcessState::Stopping => (Tone::Warn, "stopping".to_owned()),
        ProcessState::Stopped if process.has_succeeded() => (Tone::Dim, "succeeded".to_owned()),
        ProcessState::Stopped => (Tone::Dim, "stopped".to_owned()),
        ProcessState::Scheduled => scheduled(process, now),
        ProcessState::Waiting => (Tone::Warn, waiting(process, now)),
        ProcessState::Crashed if process.live.stalled => (Tone::Bad, "crashed, supervisor stopped".to_owned()),
        ProcessState::Crashed => (Tone::Bad, "crashed".to_owned()),
        ProcessState::Errored => (Tone::Bad, "errored".to_owned()),
        ProcessState::Unknown => (Tone::Warn, "unknown".to_owned()),
    };
    let exit = process
        .meta
        .last_exit
        .as_ref()
        .filter(|_| detail == StatusDetail::WithExit && process.status() == ProcessStatus::Crashed);
    let text = exit.map_or(text.clone(), |exit| format!("{text} ({})", exit_text::describe_exit(exit)));
    Cell::from(status_word(process.status())).tone(tone).text(text)
}

fn waiting(process: &Process, now: Timestamp) -> String {
    let left = Timestamp(process.meta.run_state.next_start_ms).since(now);
    let looping = if process.is_crash_looping(now) { ", crash loop" } else { "" };
    if left.is_zero() { format!("waiting{looping}") } else { format!("waiting {}{looping}", HumanDuration(left)) }
}

/// When it is due; what went wrong the last time is not hidden.
fn scheduled(process: &Process, now: Timestamp) -> (Tone, String) {
    let next =
        schedule::next_run(&process.meta.run.monitor, now).map(|next| format!(", next {next}")).unwrap_or_default();
    match process.meta.last_exit.as_ref().filter(|exit| !exit.status.is_success()) {
        Some(exit) => (Tone::Bad, format!("scheduled{next} (last: {})", exit_text::describe_exit(exit))),
        None => (Tone::Dim, format!("scheduled{next}")),
    }
}

/// The word of the published format.
pub(super) fn status_word(status: ProcessStatus) -> &'static str {
    match status {
        ProcessStatus::Online => "online",
        ProcessStatus::Stopped => "stopped",
        ProcessStatus::Crashed => "crashed",
        ProcessStatus::Unknown => "unknown",
    }
}

/// Whole seconds in data.
pub(super) fn uptime(process: &Process, now: Timestamp) -> Cell {
    let Some(span) = process.uptime(now) else { return Value::Null.into() };
    Cell::from(Duration::from_secs(span.as_secs())).text(HumanDuration(span).to_string())
}

/// When the child that lives was started.
pub(super) fn started(process: &Process) -> Option<Timestamp> {
    process.pid().map(|_| Timestamp(process.meta.run_state.started_ms)).filter(|time| time.0 > 0)
}

/// How the last life ended.
pub(super) fn last_exit(process: &Process) -> Value {
    let Some(exit) = &process.meta.last_exit else { return Value::Null };
    Value::Record(vec![
        ("reason".to_owned(), exit_text::describe_exit(exit).into()),
        ("code".to_owned(), exit_text::code(exit.status).into()),
        ("signal".to_owned(), exit_text::signal_number(exit.status).into()),
        ("cause".to_owned(), Value::from(exit.origin.map(|origin| exit_text::cause_text(origin.cause)))),
        ("at".to_owned(), Timestamp(exit.at_ms).into()),
        ("lived".to_owned(), Duration::from_millis(exit.uptime_ms).into()),
    ])
}

/// How long usage is measured.
const SAMPLE_TIME: Duration = Duration::from_millis(100);

/// Measures what process trees use.
pub(super) fn measure(cx: &Cx) -> Usage {
    Usage::measure(cx.host, SAMPLE_TIME)
}
