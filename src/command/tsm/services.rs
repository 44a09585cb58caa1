//! The service definitions, as a list.

use std::fs;
use std::path::{Path, PathBuf};

use crate::base::fault::{Fault, Kind};
use crate::command::Cx;
use crate::report::{Cell, Report, Table, Tone, Value};
use crate::tsm::definition::Definition;
use crate::tsm::port::PortWish;

/// Which definitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Which {
    /// All there are.
    Available,
    /// Those that are started at boot.
    Enabled,
}

/// A table of definitions, by name. One that cannot be read is in it, with the reason.
pub(super) fn list(cx: &Cx, which: Which) -> Result<Report, Fault> {
    let enabled = cx.paths.services_enabled();
    let folder = match which {
        Which::Available => cx.paths.services_available(),
        Which::Enabled => enabled.clone(),
    };
    let mut table = Table::new(&[
        ("name", "NAME"),
        ("enabled", "ENABLED"),
        ("port", "PORT"),
        ("command", "COMMAND"),
        ("description", "DESCRIPTION"),
        ("file", "FILE"),
        ("error", "ERROR"),
    ])
    .show("file", if cx.verbose > 0 { crate::report::Show::Always } else { crate::report::Show::Never })
    .show("error", crate::report::Show::Never)
    .when_empty(match which {
        Which::Available => "No service definitions found.\nSave one with: tsm save <name> <command>",
        Which::Enabled => "No services are enabled.\nEnable one with: tsm enable <service-name>",
    });
    for file in definitions(&folder)? {
        table.row(row(&file, &enabled, cx));
    }
    Ok(Report::of(table))
}

/// The files of a folder that hold definitions, by name; a folder that is not there holds none.
fn definitions(folder: &Path) -> Result<Vec<PathBuf>, Fault> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => {
            return Err(Fault::new(
                Kind::Failed,
                format!("failed to list the services in `{}`: {error}", folder.display()),
            ));
        }
    };
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|file| file.extension().is_some_and(|it| it == "tsm"));
    files.sort();
    Ok(files)
}

fn row(file: &Path, enabled: &Path, cx: &Cx) -> Vec<Cell> {
    let name = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let is_enabled = file.file_name().is_some_and(|name| enabled.join(name).symlink_metadata().is_ok());
    let mark = Cell::from(is_enabled);
    let (mark, name) =
        (if is_enabled { mark.tone(Tone::Good) } else { mark.tone(Tone::Dim) }, Cell::from(name).tone(Tone::Strong));
    let path = Cell::from(file.to_string_lossy().into_owned());
    match Definition::read(file, cx.host.variables()) {
        Ok(it) => {
            let description = Value::from(it.description).into();
            vec![name, mark, port(it.port), it.command.into(), description, path, Value::Nothing.into()]
        }
        Err(error) => {
            let broken = Cell::from(Value::Nothing).tone(Tone::Bad).text(error.to_string());
            vec![name, mark, Value::Nothing.into(), Value::Nothing.into(), broken, path, error.to_string().into()]
        }
    }
}

fn port(wish: Option<PortWish>) -> Cell {
    match wish {
        None => Value::Nothing.into(),
        Some(PortWish::Exactly(port)) => port.into(),
        Some(PortWish::From(port)) => Cell::from(port).text(format!("{port}+")),
    }
}
