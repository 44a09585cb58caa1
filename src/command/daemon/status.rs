//! `daemon status`

use super::UnitArgs;
use crate::base::fault::Fault;
use crate::base::size::human_readable;
use crate::command::{Command, Cx, Effect};
use crate::daemon::status::{EnabledService, UnitStatus};
use crate::report::{Cell, Fields, Report, Tone, Value};
use crate::sys::journal::JournalLine;
use crate::tsm::exit_text;

/// Show the state of a unit and of what runs in it
///
/// Exit code 3 if the unit is not active. Memory and tasks are those of all processes in it, against their limits. Drift means
/// that the unit is not the one that `daemon install` would write now.
#[derive(Debug, clap::Args)]
pub struct Status {
    #[command(flatten)]
    unit: UnitArgs,
}

impl Command for Status {
    const NAME: &'static str = "daemon status";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["tsm daemon status", "tsm daemon status @dev --json"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let status = UnitStatus::of(&cx.operation(), self.unit.find(cx)?);
        let mut report = Report::of(fields(&status, cx));
        report.check_failed = !status.state.is_active();
        Ok(status.advice().into_iter().fold(report, Report::note))
    }
}

fn fields(status: &UnitStatus, cx: &Cx) -> Fields {
    let (unit, state) = (&status.unit, &status.state);
    let drift = status.drift.as_deref();
    let drop_ins: Vec<String> = status.drop_ins.iter().map(|it| it.display().to_string()).collect();
    let fields = Fields::titled(unit.name.as_str())
        .json_only("unit", unit.name.as_str())
        .with("env", unit.environment().to_string())
        .with("state", state_cell(status))
        .json_only("active", state.is_active())
        .with("enabled", enabled_cell(&state.enabled))
        .with("since", Value::from(state.since))
        .with("pid", Value::from(state.main_pid))
        .with("status", none_if_empty(&state.status_text))
        .with("restarts", state.restarts)
        .with("memory", amount(state.memory, state.memory_max, AmountUnit::Bytes))
        .json_only("memory_max", state.memory_max.map_or(Value::Null, Value::Bytes))
        .with("tasks", amount(state.tasks, state.tasks_max, AmountUnit::Count))
        .json_only("tasks_max", Value::from(state.tasks_max))
        .with("port", unit.port)
        .with("health", health_cell(status))
        .with("file", unit.file.display().to_string())
        .json_only("drop_ins", drop_ins.clone())
        .text_only("drop-ins", drop_ins)
        .with(
            "drift",
            drift.map_or_else(|| Cell::from(Value::Null).text("none"), |it| Cell::from(it).tone(Tone::Warn)),
        );
    let services = status.services.as_deref();
    let fields = match services {
        None => fields.json_only("services", Value::Null).text_only("services", "not readable by you"),
        Some([]) => fields.json_only("services", Value::List(Vec::new())).text_only("services", "none enabled"),
        Some(services) => services
            .iter()
            .fold(fields, |fields, it| fields.text_only("service", service_cell(it)))
            .json_only("services", Value::List(services.iter().map(service_record).collect())),
    };
    let zone = cx.console.zone();
    let lines = status.journal.iter();
    lines
        .fold(fields, |fields, line| fields.text_only("journal", line.shown(&zone)))
        .json_only("journal", Value::List(status.journal.iter().map(journal_record).collect()))
}

fn state_cell(status: &UnitStatus) -> Cell {
    let state = &status.state;
    let shown = match (state.sub.as_str(), state.result.as_str()) {
        ("", _) => state.active.clone(),
        (sub, "" | "success") => format!("{} ({sub})", state.active),
        (sub, result) => format!("{} ({sub}, {result})", state.active),
    };
    let tone = match state.active.as_str() {
        "active" => Tone::Good,
        "failed" => Tone::Bad,
        _ => Tone::Warn,
    };
    Cell::from(state.active.as_str()).text(shown).tone(tone)
}

fn enabled_cell(enabled: &str) -> Cell {
    let is_enabled = enabled.starts_with("enabled") || enabled == "static";
    Cell::from(is_enabled).text(if enabled.is_empty() { "unknown" } else { enabled })
}

fn health_cell(status: &UnitStatus) -> Cell {
    match &status.health {
        None => Value::Null.into(),
        Some(Ok(())) => Cell::from("ok").tone(Tone::Good),
        Some(Err(why)) => Cell::from(why.as_str()).tone(Tone::Bad),
    }
}

fn journal_record(line: &JournalLine) -> Value {
    let fields: [(&str, Value); 4] = [
        ("time", line.time.into()),
        ("source", line.source.as_str().into()),
        ("pid", line.pid.into()),
        ("message", line.text.as_str().into()),
    ];
    Value::Record(fields.map(|(key, value)| (key.to_owned(), value)).into())
}

fn none_if_empty(text: &str) -> Value {
    if text.is_empty() { Value::Null } else { text.into() }
}

/// What a number counts.
#[derive(Clone, Copy)]
enum AmountUnit {
    Bytes,
    Count,
}

/// A number against its limit.
fn amount(number: Option<u64>, limit: Option<u64>, unit: AmountUnit) -> Cell {
    let Some(number) = number else { return Value::Null.into() };
    let shown = |number: u64| match unit {
        AmountUnit::Bytes => human_readable(number),
        AmountUnit::Count => number.to_string(),
    };
    let text = limit.map_or_else(|| shown(number), |limit| format!("{} of {}", shown(number), shown(limit)));
    let value = match unit {
        AmountUnit::Bytes => Value::Bytes(number),
        AmountUnit::Count => number.into(),
    };
    Cell::from(value).text(text)
}

fn state_word(service: &EnabledService) -> &'static str {
    match &service.process {
        Some(process) => process.live.state.as_str(),
        None if service.is_started => "not started",
        None => "off",
    }
}

fn service_cell(service: &EnabledService) -> Cell {
    let mut text = format!("{} {}", service.name, state_word(service));
    let Some(process) = &service.process else { return Cell::from(text).tone(Tone::Warn) };
    if let Some(health) = process.health() {
        text.push_str(&format!(", {}", health.status.as_str()));
    }
    if let Some(port) = process.meta.port {
        text.push_str(&format!(", port {port}"));
    }
    if let Some(exit) = process.meta.last_exit.as_ref().filter(|_| !process.is_running()) {
        text.push_str(&format!(", {}", exit_text::describe_exit(exit)));
    }
    Cell::from(text).tone(if process.is_running() { Tone::Plain } else { Tone::Bad })
}

fn service_record(service: &EnabledService) -> Value {
    let process = service.process.as_ref();
    let fields: [(&str, Value); 6] = [
        ("name", service.name.as_str().into()),
        ("process", process.map(|it| it.name.as_str().to_owned()).into()),
        ("state", state_word(service).into()),
        ("health", process.and_then(|it| it.health()).map(|it| it.status.as_str().to_owned()).into()),
        ("port", process.and_then(|it| it.meta.port).into()),
        ("pid", process.and_then(crate::tsm::store::Process::pid).into()),
    ];
    Value::Record(fields.map(|(key, value)| (key.to_owned(), value)).into())
}
