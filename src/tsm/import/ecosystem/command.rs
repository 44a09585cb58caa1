//! What an app runs: interpreter, its arguments, script, arguments. No shell sees more in them than words, unless the script is a
//! command line itself.

use std::path::Path;

use crate::tsm::command_line::quoted;
use crate::tsm::import::ImportContext;
use crate::tsm::import::source::{FieldReader, arguments};

/// The command line.
pub(super) fn of(app: &mut FieldReader, script: &str, cwd: &Path, site: ImportContext) -> String {
    // With blanks in it, PM2 gives it to bash, and drops its arguments.
    if script.contains(' ') {
        for key in ["args", "node_args", "interpreter"] {
            if app.take(key).is_some() {
                app.mark_unsupported(key, "the script is a whole command line; PM2 ignores this one too");
            }
        }
        return script.to_owned();
    }
    // Quoted, no shell would take the `~` for the home directory.
    let at_home = script.starts_with("~/").then(|| site.path(script).to_string_lossy().into_owned());
    let script = at_home.as_deref().unwrap_or(script);
    let mut parts: Vec<String> = interpreter(app, script, cwd).into_iter().collect();
    parts.extend(app.take("node_args").map(arguments).filter(|_| !parts.is_empty()));
    parts.push(quoted(script));
    parts.extend(app.take("args").map(arguments));
    parts.retain(|part| !part.is_empty());
    parts.join(" ")
}

fn interpreter(app: &mut FieldReader, script: &str, cwd: &Path) -> Option<String> {
    let given = app.text("interpreter");
    if let Some(version) = given.as_deref().and_then(|given| given.strip_prefix("node@")) {
        app.mark_unsupported(
            "interpreter",
            &format!("node is looked up in PATH; node {version} of nvm has its own path"),
        );
        return Some("node".to_owned());
    }
    if let Some(given) = given {
        return (given != "none").then(|| quoted(&given));
    }
    let ending = Path::new(script).extension().and_then(|it| it.to_str()).unwrap_or_default();
    let name = match ending {
        "js" | "mjs" | "cjs" => "node",
        "py" => "python3",
        "sh" => "bash",
        "rb" => "ruby",
        "php" => "php",
        "pl" => "perl",
        "coffee" => "coffee",
        "ls" => "lsc",
        "ts" | "mts" | "cts" => {
            app.mark_unsupported("script", "node runs TypeScript from version 22.18 on");
            "node"
        }
        // A file that cannot be executed by itself is given to node.
        "" if cwd.join(script).is_file() && !is_executable(&cwd.join(script)) => "node",
        _ => return None,
    };
    Some(name.to_owned())
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|file| file.permissions().mode() & 0o111 != 0)
}
