//! `Procfile`: lines `name: command`.

use crate::tsm::port::PortSpec;

use super::source::{definition, set_port};
use super::{ImportContext, Imported, Unsupported};

/// Programs that want `$PORT` get the next free one from here on.
const FIRST_PORT: u16 = 5000;

pub(super) fn read(text: &str, site: ImportContext) -> Result<Imported, String> {
    let mut imported = Imported::default();
    for (at, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let legal =
            |name: &str| !name.is_empty() && name.bytes().all(|it| it.is_ascii_alphanumeric() || b"_-".contains(&it));
        let Some((name, command)) = line.split_once(':').filter(|(name, _)| legal(name)) else {
            return Err(format!("invalid line {}: expected `name: command`", at + 1));
        };
        let command = command.trim();
        if name == "release" || command.is_empty() {
            let why = if command.is_empty() { "no command" } else { "it runs once, before a release" };
            imported.unsupported.push(Unsupported { field: name.to_owned(), why: why.to_owned() });
            continue;
        }
        let mut it = definition(name, site.dir.to_owned());
        it.command = command.to_owned();
        let wants_port = command.contains("$PORT") || command.contains("${PORT");
        set_port(&mut it, (wants_port || name == "web").then_some(PortSpec::AtLeast(FIRST_PORT)));
        imported.add(name, it);
    }
    Ok(imported)
}
