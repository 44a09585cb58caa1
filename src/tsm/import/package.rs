//! `package.json`: what `npm start` would run.

use serde_json::Value;

use super::source::{Source, definition};
use super::{Imported, Site};

/// Scripts that run until they are stopped; the first that is there is the service.
const LONG: [&str; 3] = ["start", "serve", "dev"];

pub(super) fn read(value: &Value, site: Site) -> Result<Imported, String> {
    let mut imported = Imported::default();
    let mut top = Source::new(value, String::new(), &mut imported.lost)?;
    let of_folder = site.folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let name = top.text("name").unwrap_or(of_folder);
    // `@scope/name`
    let name = name.rsplit('/').next().unwrap_or_default().to_owned();
    let scripts = top.take("scripts");
    let main = top.text("main");
    top.end(|_| "it does not say what to run".to_owned());
    let chosen = LONG.into_iter().find(|script| scripts.is_some_and(|all| all.get(*script).is_some()));
    let mut it = definition(&name, site.folder.to_owned());
    it.command = match (chosen, &main) {
        (Some("start"), _) => "npm start".to_owned(),
        (Some(script), _) => format!("npm run {script}"),
        (None, Some(main)) => format!("node {}", crate::tsm::words::quoted(main)),
        (None, None) => return Err("it has neither a script `start`, `serve` or `dev` nor `main`".to_owned()),
    };
    if let Some(all) = scripts {
        let mut scripts = Source::new(all, "scripts".to_owned(), &mut imported.lost)?;
        if let Some(chosen) = chosen {
            scripts.take(chosen);
        }
        scripts.end(|key| format!("`tsm save NAME npm run {key}` makes it a service"));
    }
    imported.add("", it);
    Ok(imported)
}
