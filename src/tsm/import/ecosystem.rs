//! `ecosystem.config.json`: a table with `apps`, a list of them, or a single one.

use std::path::Path;

use serde_json::Value;

use crate::supervise::meta::Restart;
use crate::tsm::definition::Definition;
use crate::tsm::limits::MaxMemory;
use crate::tsm::words::{joined, quoted};

use super::{Imported, Source, definition, scalar, take_port, texts, variables};
use crate::base::name::legalise;

pub(super) fn read(value: &Value, folder: &Path) -> Result<Imported, String> {
    let mut imported = Imported::default();
    let apps = match value {
        Value::Array(apps) => apps.iter().collect(),
        Value::Object(map) if map.contains_key("apps") => {
            let mut top = Source::new(value, String::new(), &mut imported.lost)?;
            let apps = top.take("apps");
            top.end(|_| "only apps are imported".to_owned());
            match apps {
                Some(Value::Array(apps)) => apps.iter().collect(),
                Some(app) => vec![app],
                None => Vec::new(),
            }
        }
        app => vec![app],
    };
    for (at, app) in apps.into_iter().enumerate() {
        let source = Source::new(app, format!("apps[{at}]"), &mut imported.lost)?;
        let definition = one(source, folder)?;
        imported.services.push(definition);
    }
    Ok(imported)
}

fn one(mut app: Source, folder: &Path) -> Result<Definition, String> {
    let script = app.text("script").ok_or_else(|| format!("`{}` has no script", app.place))?;
    let stem = Path::new(&script).file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let name = app.text("name").unwrap_or(stem);
    let cwd = app.text("cwd").map_or_else(|| folder.to_owned(), |cwd| folder.join(cwd));
    let mut it = definition(&name, cwd);
    it.command = command(&mut app, &script, &it.cwd);
    it.exports = variables(&mut app, "env");
    it.stack = app.text("namespace").map(|name| legalise(&name, "stack"));
    it.env_file = app.text("env_file");
    take_port(&mut it);
    keep(&mut app, &mut it);
    if let Some(count) = app.text("instances") {
        match count.parse::<u32>() {
            Ok(count @ 1..) => it.instances = Some(count).filter(|count| *count > 1),
            _ => app.lose("instances", &format!("`{count}` depends on the machine; write a number as TSM_INSTANCES")),
        }
    }
    match app.text("exec_mode").as_deref() {
        Some("fork" | "fork_mode") | None => {}
        Some(mode) => app.lose("exec_mode", &format!("there is no {mode} mode; instances have ports of their own")),
    }
    app.end(|key| match key {
        _ if key.starts_with("env_") => {
            let name = key.trim_start_matches("env_");
            format!("write its variables to env/{name}.env; `tsm start --env {name}` takes it")
        }
        "out_file" | "error_file" | "output" | "error" | "log" | "log_file" | "log_date_format" | "merge_logs"
        | "combine_logs" | "time" | "log_type" => "logs are kept with the process; `tsm logs` shows them".to_owned(),
        "wait_ready" | "listen_timeout" => "a program says that it is ready on $NOTIFY_SOCKET (TSM_NOTIFY)".to_owned(),
        "gid" => "the groups are those of the user; see TSM_USER".to_owned(),
        "min_uptime" | "restart_delay" | "exp_backoff_restart_delay" => {
            "a restart waits 100 ms and then twice as long each time, up to 30 s, until it ran for 10 s".to_owned()
        }
        "pid_file" | "pid" => "the pid stands in NAME.pid of the process folder; `tsm paths` tells".to_owned(),
        _ => "there is nothing like it".to_owned(),
    });
    Ok(it)
}

/// Interpreter, its arguments, script, arguments.
fn command(app: &mut Source, script: &str, cwd: &Path) -> String {
    let ending = Path::new(script).extension().and_then(|it| it.to_str()).unwrap_or_default();
    let interpreter = app.text("interpreter").or_else(|| app.text("exec_interpreter"));
    let interpreter = match interpreter.as_deref() {
        Some("none") => None,
        Some(given) => Some(given.to_owned()),
        None => match ending {
            "js" | "mjs" | "cjs" => Some("node".to_owned()),
            "py" => Some("python3".to_owned()),
            "sh" => Some("bash".to_owned()),
            "rb" => Some("ruby".to_owned()),
            "php" => Some("php".to_owned()),
            "pl" => Some("perl".to_owned()),
            "ts" | "mts" | "cts" => {
                app.lose("script", "node is taken for TypeScript, which it runs from version 22.18 on");
                Some("node".to_owned())
            }
            // A file that cannot be executed by itself is given to node.
            "" if script.contains('/') && cwd.join(script).is_file() && !is_executable(&cwd.join(script)) => {
                Some("node".to_owned())
            }
            _ => None,
        },
    };
    let mut parts: Vec<String> = interpreter.into_iter().collect();
    for key in ["interpreter_args", "node_args"] {
        parts.extend(app.take(key).map(arguments));
    }
    parts.push(quoted(script));
    parts.extend(app.take("args").map(arguments));
    parts.join(" ")
}

fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata().is_ok_and(|file| file.permissions().mode() & 0o111 != 0)
}

/// A text is a part of a command line already; a list has its words.
fn arguments(value: &Value) -> String {
    match value {
        Value::Array(_) => joined(&texts(value)),
        one => scalar(one).unwrap_or_default(),
    }
}

fn keep(app: &mut Source, it: &mut Definition) {
    it.keep.user = app.text("user").or_else(|| app.text("uid"));
    let again = app.text("autorestart").is_none_or(|again| again != "false");
    it.keep.restart = Some(if again { Restart::Always } else { Restart::Never });
    it.keep.max_restarts = app.parsed("max_restarts");
    it.keep.kill_timeout = app.parsed("kill_timeout").map(std::time::Duration::from_millis);
    it.keep.max_memory = app.parsed::<MaxMemory>("max_memory_restart").map(|size| size.0);
    it.keep.cron = app.parsed("cron_restart").or_else(|| app.parsed("cron"));
    it.keep.watch = match app.take("watch") {
        Some(Value::Bool(false)) | None => None,
        Some(Value::Bool(true)) => Some(vec![".".to_owned()]),
        Some(paths) => Some(texts(paths)),
    };
    it.keep.ignore = app.take("ignore_watch").map(texts).filter(|paths| !paths.is_empty());
}
