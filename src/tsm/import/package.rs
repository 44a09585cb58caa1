//! `package.json`: what `npm start` would run.

use serde_json::Value;

use super::source::{FieldReader, definition};
use super::{ImportContext, Imported};

/// Scripts that run until they are stopped; the first that is there is the service.
const SERVICE_SCRIPTS: [&str; 3] = ["start", "serve", "dev"];

pub(super) fn read(value: &Value, site: ImportContext) -> Result<Imported, String> {
    let mut imported = Imported::default();
    let mut top = FieldReader::new(value, String::new(), &mut imported.unsupported)?;
    let of_directory = site.dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let name = top.text("name").unwrap_or(of_directory);
    // `@scope/name`
    let name = name.rsplit('/').next().unwrap_or_default().to_owned();
    let scripts = top.take("scripts");
    let main = top.text("main");
    top.finish(|_| "nothing to run".to_owned());
    let chosen = SERVICE_SCRIPTS.into_iter().find(|script| scripts.is_some_and(|all| all.get(*script).is_some()));
    let mut it = definition(&name, site.dir.to_owned());
    it.command = match (chosen, &main) {
        (Some("start"), _) => "npm start".to_owned(),
        (Some(script), _) => format!("npm run {script}"),
        (None, Some(main)) => format!("node {}", crate::tsm::command_line::quoted(main)),
        (None, None) => return Err("neither a script `start`, `serve` or `dev` nor `main`".to_owned()),
    };
    if let Some(all) = scripts {
        let mut scripts = FieldReader::new(all, "scripts".to_owned(), &mut imported.unsupported)?;
        if let Some(chosen) = chosen {
            scripts.take(chosen);
        }
        scripts.finish(|key| format!("`tsm save NAME npm run {key}` saves it as a service"));
    }
    imported.add("", it);
    Ok(imported)
}
