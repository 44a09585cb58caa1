//! `tsm show`

use crate::base::fault::{Fault, UserFacingError};
use crate::base::name::ServiceName;
use crate::base::redact;
use crate::command::argument::{EnvSource, ServiceWord};
use crate::command::tsm::option_fields::{planned, planned_env_file, without_blanks};
use crate::command::tsm::services::port;
use crate::command::{Command, Cx, Effect};
use crate::report::{Cell, Fields, Report, Tone, Value};
use crate::tsm::command_line::join;
use crate::tsm::definition::Definition;
use crate::tsm::environment::EnvFile;
use crate::tsm::plan::{PlanError, StartPlan};
use crate::tsm::planner::plan;
use crate::tsm::request::{StartRequest, definition_file};
use crate::tsm::resolve::resolve_one;
use crate::tsm::service::{ServiceError, Services};
use crate::tsm::store::{Process, ProcessStore};

/// Show a service as it would be started now
///
/// What its file says, and what becomes of it: the program that is found, the port and where it comes from, the env file, the
/// variables. What keeps it from starting is in the last line.
#[derive(Debug, clap::Args)]
pub struct Show {
    /// A saved service, or a file
    #[arg(value_name = "SERVICE|FILE.tsm")]
    service: ServiceWord,
    /// As it would be with this env file
    #[arg(long, short, value_name = "NAME|FILE|K=V")]
    env: Vec<EnvSource>,
}

impl Command for Show {
    const NAME: &'static str = "tsm show";
    const ALIASES: &'static [&'static str] = &["tsm describe"];
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["tsm show tetra", "tsm describe ./api.tsm --env staging"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let processes = ProcessStore::open(cx.paths).all()?;
        let context = cx.operation();
        let around = context.start_context(&processes)?;
        let services = Services::open(cx.paths);
        let file = match definition_file(&self.service.0, &around) {
            Some(file) => file,
            None if self.service.0.contains('/') || self.service.0.ends_with(".tsm") => {
                around.cwd.join(&self.service.0)
            }
            None => match services.find(&self.service.0.parse()?) {
                Ok(file) => file,
                Err(error) => return Err(not_found(error, &self.service.0, &processes)),
            },
        };
        let definition = Definition::read(&file, cx.host.variables())?;
        let request = StartRequest {
            program: vec![file.display().to_string()],
            env: self.env.iter().map(|source| source.0.clone()).collect(),
            ..StartRequest::default()
        };
        let stem = file.file_stem().unwrap_or_default().to_string_lossy();
        let saved = file.parent() == Some(&cx.paths.services_available());
        let enabled = saved && stem.parse::<ServiceName>().is_ok_and(|name| services.is_enabled(&name));
        let mut report = Report::of(fields(definition, &plan(&request, &around), enabled.into()));
        if let Ok(plan) = plan(&request, &around) {
            report = plan.notes.iter().fold(report, |report, note| report.note(note));
        }
        Ok(report)
    }
}

fn fields(it: Definition, plan: &Result<StartPlan, PlanError>, enabled: Cell) -> Fields {
    let text = |text: &str| Value::from(Some(text).filter(|text| !text.is_empty()));
    let other = it.unknown.into_iter().map(|(key, value)| (key, value.into())).collect::<Vec<_>>();
    let fields = Fields::titled(it.name.as_str())
        .json_only("name", it.name.as_str())
        .with("description", Value::from(it.description.map(|it| redact::text(&it))))
        .with("file", it.file.display().to_string())
        .with("enabled", enabled)
        .with("autostart", it.autostart.unwrap_or(true))
        .with("command", redact::text(&it.command))
        .with("cwd", it.cwd.display().to_string())
        .with("pre_command", text(&redact::text(it.pre_command.as_deref().unwrap_or_default())))
        .with("deps", it.options.deps.unwrap_or_default())
        .with("stack", Value::from(it.options.stack))
        .with("instances", it.instances.unwrap_or(1))
        .with("other", if other.is_empty() { Value::Null } else { Value::Record(other) });
    let fields = match plan {
        Ok(plan) => resolved(fields, plan),
        Err(error) => unresolved(fields, port(it.port), error),
    };
    without_blanks(fields)
}

fn resolved(fields: Fields, plan: &StartPlan) -> Fields {
    let path = |path: Option<&std::path::PathBuf>| Value::from(path.map(|path| path.display().to_string()));
    let own = plan.env_files.iter().flat_map(|file| &file.settings);
    let own = own.map(|setting| (setting.key.clone(), setting.value.clone()));
    let set: Vec<String> = own.chain(plan.set.clone()).map(|(key, value)| format!("{key}={value}")).collect();
    let set = redact::redact(set);
    let fields = fields
        .with("runs", join(&redact::redact(&plan.program.argv)))
        .with("type", plan.program.kind.as_str())
        .with("port", port(plan.port.as_ref().map(|choice| choice.spec)))
        .with("port_from", Value::from(plan.port.as_ref().map(|choice| choice.source.to_string())))
        .with("env_file", planned_env_file(plan))
        .json_only("env_files", plan.env_files.iter().map(EnvFile::name).collect::<Vec<_>>())
        .with("secrets_file", path(plan.secrets.as_ref()))
        .with("variables", Cell::from(set.clone()).text(set.join(" ")));
    planned(fields, Some(&plan.settings)).with("problem", Value::Null)
}

/// The service does not exist; a process of that name is shown by another command.
fn not_found(error: ServiceError, name: &str, processes: &[Process]) -> Fault {
    match resolve_one(name, processes) {
        Ok(process) => Fault::from(error).with_advice(format!(
            "`{}` is a process: `tsm info {0}` shows it, `tsm save {0}` makes a service of it",
            process.name
        )),
        Err(_) => error.into(),
    }
}

/// The same fields, with what is wrong in place of what cannot be known.
fn unresolved(fields: Fields, port: Cell, error: &PlanError) -> Fields {
    let unknown = ["port_from", "env_file", "env_files", "secrets_file", "variables"].map(|key| (key, Value::Null));
    let fields = fields.with("runs", Value::Null).with("type", Value::Null).with("port", port);
    let fields = planned(unknown.into_iter().fold(fields, |fields, (key, value)| fields.with(key, value)), None);
    let advice = error.advice().map(|advice| format!(" ({advice})")).unwrap_or_default();
    let problem = std::error::Error::source(error).map(|source| format!(": {source}")).unwrap_or_default();
    fields.with("problem", Cell::from(format!("{error}{problem}{advice}")).tone(Tone::Bad))
}
