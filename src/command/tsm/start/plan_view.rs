//! A plan, shown.

use crate::base::redact;
use crate::base::size::Size;
use crate::base::time::HumanDuration;
use crate::command::tsm::option_fields::{planned, planned_env_file, without_blanks};
use crate::report::{Cell, Field, Fields, Report, Value, Visibility};
use crate::tsm::allocate::Allocation;
use crate::tsm::command_line::join;
use crate::tsm::environment::EnvFile;
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
    let shown = fields.into_iter().filter(|field| field.visibility != Visibility::Never);
    let shown = shown.map(|Field { title, cell, .. }| format!("  {title}: {}", text(&cell)));
    title.into_iter().chain(shown).collect()
}

fn fields(plan: &StartPlan, placement: &Allocation) -> Fields {
    let path = |path: Option<&std::path::PathBuf>| Value::from(path.map(|path| path.display().to_string()));
    let ladder =
        plan.port_candidates.iter().map(|(rung, value)| format!("{rung}: {}", value.as_deref().unwrap_or("-")));
    let source = plan.port.as_ref().map(|choice| choice.source.to_string());
    let set: Vec<String> = plan.set.iter().map(|(key, value)| format!("{key}={value}")).collect();
    let fields = Fields::titled(format!("Would start: {}", placement.name))
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
        .with("env_file", planned_env_file(plan))
        .with(
            "env_file_found_by",
            Value::from(plan.env_files.first().map(|file| if file.detected { "looking" } else { "name" })),
        )
        .json_only("env_files", plan.env_files.iter().map(EnvFile::name).collect::<Vec<_>>())
        .with("secrets_file", path(plan.secrets.as_ref()))
        .with("set", list(redact::redact(set)))
        .with("pre_hook", Value::from(Some(redact::text(&plan.pre_hook)).filter(|it| !it.is_empty())))
        .with("service", path(plan.service.as_ref()))
        .with("instances", plan.instances)
        .json_only("needs", Value::from(plan.settings.deps.clone()))
        .with("environment", Value::from(Some(plan.environment.clone()).filter(|it| !it.is_empty())));
    without_blanks(planned(fields, Some(&plan.settings)))
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
