//! `tsm info`

use std::path::Path;

use super::list::{StatusDetail, health, last_exit, measure, started, status, uptime};
use super::option_fields::{env_file, limits, monitor_record, section};
use super::process_args::{NO_PROCESSES, Targets};
use crate::base::fault::Fault;
use crate::base::redact;
use crate::base::sort::SortExt;
use crate::base::time::Timestamp;
use crate::command::argument::ProcessTarget;
use crate::command::stated_default::{SELECTED_PROCESS, StatedDefault};
use crate::command::{Command, Cx, Effect};
use crate::ops::snapshot::Usage;
use crate::report::{Cell, Field, Fields, Report, Tone, Value, Visibility};
use crate::sys::net;
use crate::tsm::logs::{self, LogSource, StreamKind, rotated_log};
use crate::tsm::options::table::OptionSection;
use crate::tsm::store::Process;
use crate::tsm::{exit_text, schedule};

/// Show everything about a process
///
/// Processor and memory are those of the whole process tree. With -v also how it is kept, its variables (secrets masked), its
/// files, and the last lines of each stream.
#[derive(Debug, clap::Args)]
pub struct Info {
    /// Id, name, the beginning or a part of a name, pid or port; `*` or `all` for all
    #[arg(if_not_given = SELECTED_PROCESS)]
    targets: Vec<ProcessTarget>,
}

impl Command for Info {
    const NAME: &'static str = "tsm info";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["tsm info 0", "tsm info api -v", "tsm info api --json"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let targets = Targets::find(&self.targets, cx)?;
        let load = targets.processes.iter().any(|process| process.pid().is_some()).then(|| measure(cx));
        let mut blocks = Vec::new();
        for process in &targets.processes {
            blocks.push(process_fields(process, load.as_ref(), cx.host.now(), Detail::of(cx))?);
        }
        let mut report = Report::each(blocks);
        if !targets.several {
            report.json_shape = crate::report::JsonShape::One;
        }
        let none = targets.is_empty();
        report.faults = targets.faults;
        Ok(if none { report.note(NO_PROCESSES) } else { report })
    }
}

/// How much is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::command) enum Detail {
    /// What is asked for most.
    Main,
    /// All of it.
    All,
}

impl Detail {
    fn of(cx: &Cx) -> Self {
        if cx.verbose > 0 { Self::All } else { Self::Main }
    }
}

/// All about a process; secrets are masked.
pub(in crate::command) fn process_fields(
    process: &Process,
    load: Option<&Usage>,
    now: Timestamp,
    detail: Detail,
) -> Result<Fields, Fault> {
    let meta = &process.meta;
    let usage = load.zip(process.pid());
    let cpu = usage.and_then(|(usage, pid)| usage.cpu_percent(pid));
    let cpu = cpu.map_or(Value::Null.into(), |cpu| Cell::from(cpu).text(format!("{cpu:.1}%")));
    let listening = listening(process);
    let files: Vec<String> = meta.env_files().iter().map(ToString::to_string).collect();
    let fields = Fields::titled(process.name.as_str())
        .with("id", Value::from(process.id()))
        .json_only("name", process.name.as_str())
        .with("status", status(process, now, StatusDetail::WithExit))
        .json_only("state", process.live.state.as_str())
        .with("uptime", uptime(process, now))
        .with("started", Value::from(started(process)))
        .with("pid", Value::from(process.pid()))
        .with("cpu", cpu)
        .with("memory", usage.map_or(Value::Null, |(usage, pid)| Value::Bytes(usage.memory_bytes(pid))))
        .with("port", port(process, &listening))
        .with("listening", listening)
        .with("type", text(&meta.process_type))
        .with("command", text(&redact::text(&meta.command)))
        .with("interpreter", text(&meta.interpreter))
        .with("cwd", text(&meta.cwd.to_string_lossy()))
        .with("env", Value::from(process.environment_label()))
        .with("env_file", env_file(&meta.env_file, files.clone()))
        .json_only("env_files", files)
        .with("restarts", meta.restarts)
        .with("last_exit", exit_cell(process, now))
        .when_true("crash_loop", process.is_crash_looping(now))
        .with("next_run", next_run(process, now));
    let fields = section(section(fields, &meta.run, OptionSection::Main), &meta.run, OptionSection::Changed)
        .with("health", health_cell(process))
        .with("looked_after", monitoring(process))
        .with("limits", limits(&meta.run, Some(meta.run_state.memory_method)))
        .with("stdout", text(&process.out_log().to_string_lossy()))
        .with("stdout_size", size(&process.out_log())?)
        .with("stderr", text(&process.err_log().to_string_lossy()))
        .with("stderr_size", size(&process.err_log())?)
        .with("log_error", Cell::from(text(&meta.run_state.log_error)).tone(Tone::Bad))
        .with("supervisor", supervisor(process))
        .with("damage", Cell::from(Value::from(process.record_error.as_deref())).tone(Tone::Bad));
    let fields = if detail == Detail::All { detailed(fields, process)? } else { fields };
    Ok(drop_empty(fields))
}

/// Hides from people what there is nothing to say about.
pub(super) fn drop_empty(mut fields: Fields) -> Fields {
    for Field { cell, visibility, .. } in &mut fields.fields {
        let blank = cell.text.is_none() && matches!(&cell.value, Value::Null | Value::Bytes(0));
        if blank || matches!(&cell.value, Value::List(items) if items.is_empty()) {
            *visibility = Visibility::Never;
        }
    }
    fields
}

fn detailed(fields: Fields, process: &Process) -> Result<Fields, Fault> {
    let (meta, run) = (&process.meta, &process.meta.run);
    let set: Vec<_> = run.set.iter().map(|(key, value)| (key.clone(), redact::variable(key, value).into())).collect();
    let fields = fields
        .with("environment", text(&run.environment))
        .with("secrets_file", text(&run.secrets_file))
        .with("service", text(&run.service))
        .with("prehook", text(&redact::text(&meta.prehook)))
        .with("variables", if set.is_empty() { Value::Null } else { Value::Record(set) })
        .with("arguments", Value::from(redact::redact(&run.argv)))
        .with("unstable_restarts", meta.unstable_restarts);
    let fields = section(fields, run, OptionSection::Details)
        .with("start_error", text(&meta.run_state.start_error))
        .with("discarded_log", Value::Bytes(meta.run_state.discarded_bytes))
        .with("directory", text(&process.dir.to_string_lossy()))
        .with("record", text(&process.dir.join("meta.json").to_string_lossy()))
        .with("pid_file", text(&process.pid_file().to_string_lossy()));
    let fields = last_lines(fields, process, StreamKind::Out, "last_stdout")?;
    last_lines(fields, process, StreamKind::Err, "last_stderr")
}

/// How many last lines of each stream are shown.
const LAST_LINES: usize = 5;

/// The last lines of a stream: one below the other for people, a list in data.
fn last_lines(fields: Fields, process: &Process, stream: StreamKind, key: &'static str) -> Result<Fields, Fault> {
    let log = match stream {
        StreamKind::Out => process.out_log(),
        StreamKind::Err => process.err_log(),
    };
    let lines =
        logs::select(&[LogSource { process: process.name.clone(), stream, log }], &logs::Query::last(LAST_LINES))?;
    let lines: Vec<String> = lines.iter().map(|line| String::from_utf8_lossy(&line.bytes).into_owned()).collect();
    let mut title = key.replace('_', " ");
    let shown = |fields: Fields, line: &String| fields.text_only(std::mem::take(&mut title), line.as_str());
    let fields = lines.iter().fold(fields, shown);
    Ok(fields.json_only(key, Value::from(lines)))
}

fn text(text: &str) -> Value {
    Value::from(Some(text).filter(|text| !text.is_empty()))
}

/// Its port; a guess is called so until the process listens there.
fn port(process: &Process, listening: &Value) -> Cell {
    let cell = Cell::from(process.meta.port);
    let listens = |port| matches!(listening, Value::List(ports) if ports.contains(&Value::from(port)));
    match process.meta.port {
        Some(port) if process.meta.run.port_guessed && !listens(port) => cell.text(format!("{port} (guessed)")),
        _ => cell,
    }
}

/// The ports that the processes of the tree listen on.
fn listening(process: &Process) -> Value {
    let Some(pid) = process.pid() else { return Value::Null };
    let own = net::listeners().into_iter().filter(|it| it.protocol == net::Protocol::Tcp);
    let mut ports: Vec<u16> =
        own.filter(|it| net::listener_in_tree(pid, &[it.inode]).is_some()).map(|it| it.port).collect();
    ports.order();
    ports.dedup();
    Value::List(ports.into_iter().map(Value::from).collect())
}

fn exit_cell(process: &Process, now: Timestamp) -> Cell {
    let cell = Cell::from(last_exit(process));
    match &process.meta.last_exit {
        Some(exit) => {
            let why = exit_text::why_ended(process, exit).filter(|_| !exit.is_with_machine());
            let why = why.map(|why| format!(" ({why})")).unwrap_or_default();
            cell.text(format!("{}{why}", exit_text::describe_end(exit, now)))
        }
        None => cell,
    }
}

/// When it is due next, by the clock of its zone.
fn next_run(process: &Process, now: Timestamp) -> Cell {
    let cell = Cell::from(Value::from(schedule::next(process, now)));
    match (schedule::describe(process, now), schedule::of(process)) {
        (Some(words), Some((_, zone))) => cell.text(format!("{words} ({zone})")),
        _ => cell,
    }
}

/// How it is, and what it or the last look says.
fn health_cell(process: &Process) -> Cell {
    let known = process.health();
    let cell = health(known.as_ref());
    let Some(known) = known else { return cell };
    let words = known.status.as_str();
    let more = if known.reason.is_empty() { &known.status_text } else { &known.reason };
    if more.is_empty() { cell } else { cell.text(format!("{words}: {more}")) }
}

/// What an attendant looks after, and what it did.
fn monitoring(process: &Process) -> Value {
    let run = &process.meta.run;
    if run.monitor.is_empty() {
        return Value::Null;
    }
    let known = crate::tsm::sidecar::health::read(&process.dir).unwrap_or_default();
    let mut record = monitor_record(run);
    for (key, value) in &mut record {
        if key == "notify" {
            *value = known.notified.into();
        }
    }
    // That of the machine if none is recorded.
    if let Some((_, zone)) = schedule::of(process).filter(|_| run.monitor.cron_tz.is_empty()) {
        record.push(("cron_tz".to_owned(), zone.to_string().into()));
    }
    for (key, value) in [("why", known.reason), ("says", known.status_text), ("last_restart", known.last_restart)] {
        if !value.is_empty() {
            record.push((key.to_owned(), value.into()));
        }
    }
    record.push(("restarts".to_owned(), known.restarts.into()));
    Value::Record(record)
}

/// The bytes of all parts of a log.
fn size(path: &Path) -> Result<Value, Fault> {
    let opened =
        rotated_log::RotatedLog::open(path).map_err(|source| logs::LogError { path: path.to_owned(), source })?;
    Ok(Value::Bytes(opened.len()))
}

fn supervisor(process: &Process) -> Cell {
    let life = &process.meta.run_state;
    if !process.live.supervised {
        let cell = Cell::from(Value::Null);
        return if process.live.alive { cell.tone(Tone::Warn).text("none") } else { cell };
    }
    let record = vec![("guard".to_owned(), life.guard_pid.into()), ("worker".to_owned(), life.worker_pid.into())];
    Cell::from(Value::Record(record)).text(format!("pid {}, worker {}", life.guard_pid, life.worker_pid))
}
