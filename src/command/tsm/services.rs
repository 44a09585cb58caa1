//! `tsm services`, and the tables of `tsm list available` and `tsm list enabled`.

use std::path::Path;

use crate::base::fault::Fault;
use crate::base::name::ServiceName;
use crate::base::redact;
use crate::command::{Command, Cx, Effect};
use crate::report::{Cell, Report, Table, Tone, Value, Visibility};
use crate::tsm::definition::Definition;
use crate::tsm::port::PortSpec;
use crate::tsm::service::ServiceSet;

/// List the saved services
///
/// The same as `tsm list available`; with -d also where each runs, with which env file, after which others, and its file.
#[derive(Debug, clap::Args)]
pub struct Services {
    /// Show what belongs to each
    #[arg(short, long)]
    detail: bool,
}

impl Command for Services {
    const NAME: &'static str = "tsm services";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["tsm services", "tsm services -d", "tsm services --json"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        list(cx, ServiceSet::Available, if self.detail { ServiceDetail::All } else { ServiceDetail::Some })
    }
}

/// How much is shown of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ServiceDetail {
    Some,
    All,
}

/// Key, heading, and whether people see it without asking for more.
const COLUMNS: [(&str, &str, Visibility); 12] = [
    ("name", "NAME", Visibility::Always),
    ("enabled", "ENABLED", Visibility::Always),
    ("port", "PORT", Visibility::Always),
    ("command", "COMMAND", Visibility::Always),
    ("description", "DESCRIPTION", Visibility::Always),
    ("cwd", "CWD", Visibility::Never),
    ("env", "ENV", Visibility::Never),
    ("deps", "DEPS", Visibility::Never),
    ("stack", "STACK", Visibility::Never),
    ("autostart", "AUTOSTART", Visibility::Never),
    ("file", "FILE", Visibility::Never),
    ("error", "ERROR", Visibility::Never),
];

/// A table of definitions, by name. One that cannot be read is in it, with the reason.
pub(super) fn list(cx: &Cx, which: ServiceSet, detail: ServiceDetail) -> Result<Report, Fault> {
    let services = crate::tsm::service::Services::open(cx.paths);
    let mut table = Table::new(&COLUMNS.map(|(key, title, _)| (key, title))).when_empty(match which {
        ServiceSet::Available => "No service definitions found.\nSave one with: tsm save <name> <command>",
        ServiceSet::Enabled => "No services are enabled.\nEnable one with: tsm enable <service-name>",
    });
    for (key, _, show) in COLUMNS {
        let wanted = detail == ServiceDetail::All && key != "error";
        table = table.with_visibility(key, if wanted { Visibility::Always } else { show });
    }
    for file in services.files(which)? {
        let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        table.row(row(&file, stem, &services, cx));
    }
    Ok(Report::of(table))
}

fn row(file: &Path, name: String, services: &crate::tsm::service::Services, cx: &Cx) -> Vec<Cell> {
    let enabled = name.parse::<ServiceName>().is_ok_and(|name| services.is_enabled(&name));
    let mark = Cell::from(enabled);
    let mark = if enabled { mark.tone(Tone::Good) } else { mark.tone(Tone::Dim) };
    let name = Cell::from(name).tone(Tone::Strong);
    let path = Cell::from(file.to_string_lossy().into_owned());
    let nothing = || Cell::from(Value::Null);
    match Definition::read(file, cx.host.variables()) {
        Ok(it) => vec![
            name,
            mark,
            port(it.port),
            redact::text(&it.command).into(),
            Value::from(it.description.map(|it| redact::text(&it))).into(),
            it.cwd.to_string_lossy().into_owned().into(),
            Value::from(it.options.env_file.map(|files| files.join(" ")).or(it.env)).into(),
            deps(it.options.deps.unwrap_or_default()),
            Value::from(it.options.stack).into(),
            it.autostart.unwrap_or(true).into(),
            path,
            nothing(),
        ],
        Err(error) => {
            let broken = nothing().tone(Tone::Bad).text(error.to_string());
            let blanks = std::iter::repeat_with(nothing).take(5);
            [name, mark, nothing(), nothing(), broken]
                .into_iter()
                .chain(blanks)
                .chain([path, error.to_string().into()])
                .collect()
        }
    }
}

fn deps(names: Vec<String>) -> Cell {
    let text = if names.is_empty() { "-".to_owned() } else { names.join(" ") };
    Cell::from(names).text(text)
}

pub(super) fn port(wish: Option<PortSpec>) -> Cell {
    match wish {
        None => Value::Null.into(),
        Some(PortSpec::Exact(port)) => port.into(),
        Some(PortSpec::None) => Cell::from(Value::Null).text("none"),
        Some(PortSpec::AtLeast(port)) => Cell::from(port).text(format!("{port}+")),
    }
}
