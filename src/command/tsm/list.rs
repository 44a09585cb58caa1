//! `tsm list`

use std::time::Duration;

use super::services;
use super::targets::control;
use crate::base::fault::Fault;
use crate::base::redact;
use crate::base::time::{Span, Timestamp};
use crate::command::{Command, Cx, Effect};
use crate::report::{Cell, Report, Show, Table, Tone, Value};
use crate::supervise::meta::{State, Status};
use crate::sys::process::Census;
use crate::tsm::attend::health::{Health, Wellness};
use crate::tsm::store::{Process, Store};
use crate::tsm::{ends, schedule, service};

/// List processes
///
/// Shows everything that was not stopped cleanly, so that a crash is never hidden; a last line counts the rest. With -v also
/// restarts, processor and memory of the whole process tree, type, folder and command.
#[derive(Debug, clap::Args)]
pub struct List {
    /// What to show
    #[arg(value_enum)]
    which: Option<Which>,
    /// The same as `all`
    #[arg(short, long, conflicts_with = "which")]
    all: bool,
}

/// What to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Which {
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
        let which = if self.all { Some(Which::All) } else { self.which };
        match which {
            Some(Which::Available) => services::list(cx, service::Which::Available, detail(cx)),
            Some(Which::Enabled) => services::list(cx, service::Which::Enabled, detail(cx)),
            None | Some(Which::Running | Which::All) => processes(which, cx),
        }
    }
}

fn detail(cx: &Cx) -> services::Detail {
    if cx.verbose > 0 { services::Detail::All } else { services::Detail::Some }
}

fn processes(which: Option<Which>, cx: &Cx) -> Result<Report, Fault> {
    let mut all = Store::open(cx.paths).all()?;
    control(cx, &|| cx.host.interrupted()).tend(&mut all);
    let shown: Vec<&Process> = all.iter().filter(|process| is_shown(which, process)).collect();
    let load = (cx.verbose > 0).then(|| Load::measure(cx));
    let mut table = table(cx.verbose);
    if shown.iter().any(|process| process.health().is_some()) {
        table = table.show("health", Show::Always);
    }
    if shown.iter().any(|process| process.is_crash_looping(cx.host.now())) {
        table = table.show("restarts", Show::Always);
    }
    for process in &shown {
        table.row(row(process, cx.host.now(), load.as_ref()));
    }
    let stopped = all.iter().filter(|process| !process.is_not_cleanly_stopped()).count();
    let report = Report::of(table);
    Ok(if which.is_none() && stopped > 0 { report.note(format!("{stopped} stopped: tsm list all")) } else { report })
}

fn is_shown(which: Option<Which>, process: &Process) -> bool {
    match which {
        None => process.is_not_cleanly_stopped(),
        Some(Which::Running) => process.is_running(),
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
        let show = if from <= verbose { Show::Always } else { Show::Never };
        table = table.show(key, show);
    }
    table
}

fn row(process: &Process, now: Timestamp, load: Option<&Load>) -> Vec<Cell> {
    let meta = &process.meta;
    let (cpu, memory) = match (load, process.pid()) {
        (Some(load), Some(pid)) => (Cell::from(load.cpu(pid)).text(format!("{:.1}%", load.cpu(pid))), load.memory(pid)),
        _ => (Value::Nothing.into(), Value::Nothing),
    };
    let text = |text: &str| Value::from(Some(text).filter(|text| !text.is_empty())).into();
    vec![
        Value::from(process.id()).into(),
        Cell::from(process.name.as_str()).tone(Tone::Strong),
        Value::from(process.environment_word()).into(),
        Value::from(process.pid()).into(),
        Value::from(meta.port).into(),
        status(process, now, load.is_some()),
        health(process.health().as_ref()),
        uptime(process, now),
        meta.restarts.into(),
        cpu,
        memory.into(),
        text(&meta.process_type),
        text(&meta.cwd.to_string_lossy()),
        text(&redact::text(&meta.command)),
        process.view.state.word().into(),
        process.view.supervised.into(),
        text(&meta.run.environment),
        text(&meta.run.group),
        text(&meta.env_file),
        Value::from(started(process)).into(),
        last_exit(process).into(),
        Value::from(process.damage.as_deref().or(process.unknown.as_deref())).into(),
        process.is_crash_looping(now).into(),
        Value::from(schedule::next(process, now)).into(),
    ]
}

/// The word for how it is.
pub(super) fn health(health: Option<&Health>) -> Cell {
    let Some(health) = health else { return Value::Nothing.into() };
    let tone = match health.status {
        Wellness::Starting => Tone::Warn,
        Wellness::Healthy => Tone::Good,
        Wellness::Unhealthy => Tone::Bad,
    };
    Cell::from(health.status.word()).tone(tone)
}

/// The status with its meaning, and in detail what the three words of the published format leave out.
pub(super) fn status(process: &Process, now: Timestamp, detailed: bool) -> Cell {
    let (tone, text) = match process.view.state {
        State::Online if !process.view.supervised => (Tone::Warn, "online, unsupervised".to_owned()),
        State::Online if process.is_crash_looping(now) => (Tone::Bad, "online, crash loop".to_owned()),
        State::Online => (Tone::Good, "online".to_owned()),
        State::Starting => (Tone::Warn, "starting".to_owned()),
        State::Stopping => (Tone::Warn, "stopping".to_owned()),
        State::Stopped if process.has_succeeded() => (Tone::Dim, "succeeded".to_owned()),
        State::Stopped => (Tone::Dim, "stopped".to_owned()),
        State::Scheduled => scheduled(process, now),
        State::Waiting => (Tone::Warn, waiting(process, now)),
        State::Crashed if process.view.stalled => (Tone::Bad, "crashed, supervisor stopped".to_owned()),
        State::Crashed => (Tone::Bad, "crashed".to_owned()),
        State::Errored => (Tone::Bad, "errored".to_owned()),
        State::Unknown => (Tone::Warn, "unknown".to_owned()),
    };
    let exit = process.meta.last_exit.as_ref().filter(|_| detailed && process.status() == Status::Crashed);
    let text = exit.map_or(text.clone(), |exit| format!("{text} ({})", ends::told(exit)));
    Cell::from(status_word(process.status())).tone(tone).text(text)
}

fn waiting(process: &Process, now: Timestamp) -> String {
    let left = Timestamp(process.meta.life.next_start_ms).since(now);
    let looping = if process.is_crash_looping(now) { ", crash loop" } else { "" };
    if left.is_zero() { format!("waiting{looping}") } else { format!("waiting {}{looping}", Span(left)) }
}

/// When it is due; what went wrong the last time is not hidden.
fn scheduled(process: &Process, now: Timestamp) -> (Tone, String) {
    let next = schedule::in_words(process, now).map(|next| format!(", next at {next}")).unwrap_or_default();
    match process.meta.last_exit.as_ref().filter(|exit| !exit.how.is_success()) {
        Some(exit) => (Tone::Bad, format!("scheduled{next} (last: {})", ends::told(exit))),
        None => (Tone::Dim, format!("scheduled{next}")),
    }
}

/// The word of the published format.
pub(super) fn status_word(status: Status) -> &'static str {
    match status {
        Status::Online => "online",
        Status::Stopped => "stopped",
        Status::Crashed => "crashed",
        Status::Unknown => "unknown",
    }
}

/// Whole seconds in data.
pub(super) fn uptime(process: &Process, now: Timestamp) -> Cell {
    let Some(span) = process.uptime(now) else { return Value::Nothing.into() };
    Cell::from(Duration::from_secs(span.as_secs())).text(Span(span).to_string())
}

/// When the child that lives was started.
pub(super) fn started(process: &Process) -> Option<Timestamp> {
    process.pid().map(|_| Timestamp(process.meta.life.started_ms)).filter(|time| time.0 > 0)
}

/// How the last life ended.
pub(super) fn last_exit(process: &Process) -> Value {
    let Some(exit) = &process.meta.last_exit else { return Value::Nothing };
    Value::Record(vec![
        ("reason".to_owned(), ends::told(exit).into()),
        ("code".to_owned(), ends::code(exit.how).into()),
        ("signal".to_owned(), ends::signal_number(exit.how).into()),
        ("cause".to_owned(), Value::from(exit.origin.map(|origin| ends::cause_word(origin.cause)))),
        ("at".to_owned(), Timestamp(exit.at_ms).into()),
        ("lived".to_owned(), Duration::from_millis(exit.lived_ms).into()),
    ])
}

/// What process trees use, measured over a moment.
pub(super) struct Load {
    before: Census,
    after: Census,
    span: Duration,
}

/// How long is measured.
const MEASURED: Duration = Duration::from_millis(100);

impl Load {
    pub(super) fn measure(cx: &Cx) -> Self {
        let (before, begun) = (Census::take(), cx.host.now());
        let _ = cx.host.pause(MEASURED);
        Self { before, after: Census::take(), span: cx.host.now().since(begun).max(Duration::from_millis(1)) }
    }

    /// Percent of one processor.
    pub(super) fn cpu(&self, pid: u32) -> f64 {
        (self.after.cpu_since(&self.before, pid, self.span) * 10.0).round() / 10.0
    }

    /// Resident bytes.
    pub(super) fn memory(&self, pid: u32) -> Value {
        Value::Bytes(self.after.resident(pid))
    }
}
