//! A plan, shown.

use std::time::Duration;

use crate::base::redact;
use crate::base::size::Size;
use crate::base::time::HumanDuration;
use crate::report::{Cell, Field, Fields, Report, Value};
use crate::supervise::limits::{Limits, MemoryMethod, RunAsUser};
use crate::supervise::meta::RestartPolicy;
use crate::supervise::monitor_spec::MonitorSpec;
use crate::tsm::allocate::Allocation;
use crate::tsm::command_line::join;
use crate::tsm::limits::describe;
use crate::tsm::plan::StartPlan;

/// What would be done, in the order in which it is decided.
pub(super) fn report(plan: &StartPlan, placement: &Allocation) -> Report {
    let mut report = Report::of(fields(plan, placement));
    if let Some(conflict) = &placement.guessed_port_conflict {
        report = report.note(conflict.line());
    }
    if let Some(note) = plan.disagreement(placement.port) {
        report = report.note(note);
    }
    plan.notes.iter().fold(report, |report, note| report.note(note))
}

/// The same in lines, for a start that shows its plan first.
pub(super) fn lines(plan: &StartPlan, placement: &Allocation) -> Vec<String> {
    let Fields { title, fields } = fields(plan, placement);
    let shown = fields.into_iter().map(|Field { title, cell, .. }| format!("  {title}: {}", text(&cell)));
    title.into_iter().chain(shown).collect()
}

fn fields(plan: &StartPlan, placement: &Allocation) -> Fields {
    let path = |path: Option<&std::path::PathBuf>| Value::from(path.map(|path| path.display().to_string()));
    let ladder =
        plan.port_candidates.iter().map(|(rung, value)| format!("{rung}: {}", value.as_deref().unwrap_or("-")));
    let source = plan.port.as_ref().map(|choice| choice.source.to_string());
    let set: Vec<String> = plan.set.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let kept = &plan.settings;
    Fields::titled(format!("Would start: {}", placement.name))
        .with("name", placement.name.as_str())
        .with("id", placement.id)
        .with("started_again", placement.existing.is_some())
        .with("type", plan.program.kind.as_str())
        .with("command", join(&redact::redact(&plan.program.argv)))
        .with("interpreter", Value::from(Some(plan.program.interpreter.clone()).filter(|it| !it.is_empty())))
        .with("cwd", plan.cwd.display().to_string())
        .with("port", Value::from(placement.port))
        .with("port_from", Value::from(source))
        .with("port_ladder", list(ladder.collect()))
        .with("env_file", path(plan.env_file.as_ref().map(|file| &file.path)))
        .with(
            "env_file_found_by",
            Value::from(plan.env_file.as_ref().map(|file| if file.detected { "looking" } else { "name" })),
        )
        .with("secrets_file", path(plan.secrets.as_ref()))
        .with("set", list(redact::redact(set)))
        .with("pre_hook", Value::from(Some(plan.pre_hook.clone()).filter(|it| !it.is_empty())))
        .with("service", path(plan.service.as_ref()))
        .with("instances", plan.instances)
        .with("needs", list(plan.needs.clone()))
        .with("environment", Value::from(Some(plan.environment.clone()).filter(|it| !it.is_empty())))
        .with("restart", policy(kept.restart))
        .with("max_restarts", kept.max_restarts)
        .with("kill_timeout", kept.kill_timeout)
        .with("log_size", Cell::from(Value::Bytes(kept.log_size)))
        .with("log_keep", kept.log_keep)
        .with("looked_after", list(monitor_lines(&kept.care)))
        .with("limits", limits(&kept.limits, None))
        .with("user", user(kept.user.as_ref()))
        .with("oneshot", kept.oneshot)
        .with("stop_signal", kept.stop_signal.to_string())
        .with("strategy", kept.strategy.as_str())
}

/// What is looked after, each in words.
pub(in crate::command::tsm) fn monitor_lines(care: &MonitorSpec) -> Vec<String> {
    let mut words = Vec::new();
    if !care.health.is_empty() {
        let every = HumanDuration(Duration::from_millis(care.health_interval_ms));
        let then = if care.health_restart { ", else it is restarted" } else { "" };
        words.push(format!("health: {} every {every}{then}", redact::text(&care.health)));
    }
    if care.notify {
        words.push("says itself when it is ready".to_owned());
    }
    if !care.watch.is_empty() {
        let but = if care.ignore.is_empty() { String::new() } else { format!(" but {}", care.ignore.join(" ")) };
        words.push(format!("restarted by changes of {}{but}", care.watch.join(" ")));
    }
    if !care.cron.is_empty() {
        let zone = if care.cron_tz.is_empty() { String::new() } else { format!(" ({})", care.cron_tz) };
        words.push(format!("run at {}{zone}", care.cron));
    }
    if care.max_memory > 0 {
        words.push(format!("restarted above {}", Size(care.max_memory)));
    }
    words
}

/// What a process may have, as data and in words; what holds its memory where that is known.
pub(in crate::command::tsm) fn limits(limits: &Limits, by: Option<MemoryMethod>) -> Cell {
    if limits.is_empty() {
        return Value::Null.into();
    }
    let some = |number: u64| if number > 0 { Value::from(number) } else { Value::Null };
    let memory = if limits.memory_max > 0 { Value::Bytes(limits.memory_max) } else { Value::Null };
    let how = match by {
        Some(MemoryMethod::Group) => Value::from("control group"),
        Some(MemoryMethod::Data) => Value::from("RLIMIT_DATA"),
        Some(MemoryMethod::Nothing) | None => Value::Null,
    };
    let record = [
        ("memory_max", memory),
        ("memory_by", how),
        ("limit_nofile", some(limits.nofile)),
        ("limit_nproc", some(limits.nproc)),
    ];
    let record = record.map(|(key, value)| (key.to_owned(), value)).to_vec();
    Cell::from(Value::Record(record)).text(describe(limits, by).join(", "))
}

/// The user that a process runs as.
pub(in crate::command::tsm) fn user(user: Option<&RunAsUser>) -> Value {
    Value::from(user.map(|user| user.name.clone()))
}

/// The word for a policy.
pub(in crate::command::tsm) fn policy(restart: RestartPolicy) -> &'static str {
    match restart {
        RestartPolicy::Never => "never",
        RestartPolicy::OnFailure => "on-failure",
        RestartPolicy::Always => "always",
    }
}

fn list(items: Vec<String>) -> Cell {
    let text = if items.is_empty() { "-".to_owned() } else { items.join(" › ") };
    Cell::from(items).text(text)
}

fn text(cell: &Cell) -> String {
    match (&cell.text, &cell.value) {
        (Some(text), _) => text.clone(),
        (None, Value::Null) => "-".to_owned(),
        (None, Value::Bool(yes)) => if *yes { "yes" } else { "no" }.to_owned(),
        (None, Value::Int(number)) => number.to_string(),
        (None, Value::Text(text)) => text.clone(),
        (None, Value::Duration(span)) => HumanDuration(*span).to_string(),
        (None, Value::Bytes(bytes)) => Size(*bytes).to_string(),
        (None, _) => String::new(),
    }
}
