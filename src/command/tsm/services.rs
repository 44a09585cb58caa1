//! `tsm services`, and the tables of `tsm list available` and `tsm list enabled`.

use std::path::Path;

use crate::base::fault::Fault;
use crate::base::name::ServiceName;
use crate::base::redact;
use crate::command::{Command, Cx, Effect};
use crate::report::{Cell, Report, Show, Table, Tone, Value};
use crate::tsm::definition::Definition;
use crate::tsm::port::PortWish;
use crate::tsm::service::Which;

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
        list(cx, Which::Available, if self.detail { Detail::All } else { Detail::Some })
    }
}

/// How much is shown of each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Detail {
    Some,
    All,
}

/// Key, heading, and whether people see it without asking for more.
const COLUMNS: [(&str, &str, Show); 12] = [
    ("name", "NAME", Show::Always),
    ("enabled", "ENABLED", Show::Always),
    ("port", "PORT", Show::Always),
    ("command", "COMMAND", Show::Always),
    ("description", "DESCRIPTION", Show::Always),
    ("cwd", "CWD", Show::Never),
    ("env", "ENV", Show::Never),
    ("deps", "DEPS", Show::Never),
    ("stack", "STACK", Show::Never),
    ("autostart", "AUTOSTART", Show::Never),
    ("file", "FILE", Show::Never),
    ("error", "ERROR", Show::Never),
];

/// A table of definitions, by name. One that cannot be read is in it, with the reason.
pub(super) fn list(cx: &Cx, which: Which, detail: Detail) -> Result<Report, Fault> {
    let services = crate::tsm::service::Services::open(cx.paths);
    let mut table = Table::new(&COLUMNS.map(|(key, title, _)| (key, title))).when_empty(match which {
        Which::Available => "No service definitions found.\nSave one with: tsm save <name> <command>",
        Which::Enabled => "No services are enabled.\nEnable one with: tsm enable <service-name>",
    });
    for (key, _, show) in COLUMNS {
        let wanted = detail == Detail::All && key != "error";
        table = table.show(key, if wanted { Show::Always } else { show });
    }
    for file in services.files(which)? {
        let stem = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let enabled = stem.parse::<ServiceName>().is_ok_and(|name| services.is_enabled(&name));
        table.row(row(&file, stem, enabled, cx));
    }
    Ok(Report::of(table))
}

fn row(file: &Path, name: String, enabled: bool, cx: &Cx) -> Vec<Cell> {
    let mark = Cell::from(enabled);
    let mark = if enabled { mark.tone(Tone::Good) } else { mark.tone(Tone::Dim) };
    let name = Cell::from(name).tone(Tone::Strong);
    let path = Cell::from(file.to_string_lossy().into_owned());
    let nothing = || Cell::from(Value::Nothing);
    match Definition::read(file, cx.host.variables()) {
        Ok(it) => vec![
            name,
            mark,
            port(it.port),
            redact::text(&it.command).into(),
            Value::from(it.description).into(),
            it.cwd.to_string_lossy().into_owned().into(),
            Value::from(it.env_file.or(it.env)).into(),
            deps(it.deps),
            Value::from(it.stack).into(),
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

pub(super) fn port(wish: Option<PortWish>) -> Cell {
    match wish {
        None => Value::Nothing.into(),
        Some(PortWish::Exactly(port)) => port.into(),
        Some(PortWish::Nothing) => Cell::from(Value::Nothing).text("none"),
        Some(PortWish::From(port)) => Cell::from(port).text(format!("{port}+")),
    }
}
