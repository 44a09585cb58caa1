//! An ecosystem file as PM2 reads it: a table with `apps`, a list of them, or a single one.

mod command;
mod keys;
mod program;

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::base::name::sanitize;
use crate::supervise::meta::RestartPolicy;
use crate::tsm::definition::Definition;
use crate::tsm::limits::MaxMemoryRestart;
use crate::tsm::port::PortSpec;

use super::source::{FieldReader, add_env_file, definition, is_false, scalar, set_port, texts, variables};
use super::termination;
use super::{ImportContext, Imported, Unsupported};
pub(super) use program::Unread;

pub(super) fn read(value: &Value, site: ImportContext) -> Result<Imported, String> {
    let mut imported = Imported::default();
    // A module written for `import` has its value there.
    let value = value.get("default").filter(|inner| inner.is_object() || inner.is_array()).unwrap_or(value);
    let apps = match value {
        Value::Array(apps) => apps.iter().collect(),
        Value::Object(map) if map.contains_key("apps") || map.contains_key("pm2") => {
            let mut top = FieldReader::new(value, String::new(), &mut imported.unsupported)?;
            let apps = top.take("apps").or_else(|| top.take("pm2"));
            top.finish(|_| "only apps are imported".to_owned());
            match apps {
                Some(Value::Array(apps)) => apps.iter().collect(),
                Some(app) => vec![app],
                None => Vec::new(),
            }
        }
        Value::Object(_) => vec![value],
        _ => return Err("expected an object or an array".to_owned()),
    };
    for (at, app) in apps.into_iter().enumerate() {
        let place = format!("apps[{at}]");
        let app = keys::as_documented(app);
        let made =
            FieldReader::new(&app, place.clone(), &mut imported.unsupported).and_then(|source| one(source, site));
        match made {
            Ok(definition) => imported.add(&place, definition),
            Err(why) => imported.reject(&place, why),
        }
    }
    Ok(imported)
}

/// The same of a program: what it exports, as far as that can be seen. Nothing in it is executed.
///
/// # Errors
///
/// Fails with the place of what cannot be seen, or if that is no list of programs.
pub(super) fn read_program(text: &str, site: ImportContext) -> Result<Result<Imported, String>, Unread> {
    let exported = program::exported(text, site.dir, site.variables)?;
    Ok(read(&exported.value, site).map(|mut imported| {
        for (name, was_set) in exported.variables {
            let why = match was_set {
                true => "its value at the import is what the services get",
                false => "it was not set at the import; set it and import again if it decides about a value",
            };
            imported.unsupported.push(Unsupported { field: format!("process.env.{name}"), why: why.to_owned() });
        }
        imported
    }))
}

fn one(mut app: FieldReader, site: ImportContext) -> Result<Definition, String> {
    let script = app.text("script").filter(|script| !script.trim().is_empty()).ok_or("no script")?;
    let file = Path::new(&script).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let stem = file.rsplit_once('.').map_or(file.as_str(), |(stem, _)| if stem.is_empty() { &file } else { stem });
    let given = app.text("name");
    let cwd = app.text("cwd").map_or_else(|| site.dir.to_owned(), |cwd| site.path(&cwd));
    let mut it = definition(given.as_deref().unwrap_or(stem), cwd);
    if let Some(given) = given.filter(|given| *given != it.name) {
        app.mark_unsupported("name", &format!("`{given}` is not a valid name; renamed to {}", it.name));
    }
    it.command = command::of(&mut app, &script, &it.cwd, site);
    it.exports = variables(&mut app, "env");
    it.autostart = app.text("autostart").filter(|yes| is_false(yes)).map(|_| false);
    if script == "serve" && it.exports.iter().any(|(key, _)| key.starts_with("PM2_SERVE_")) {
        app.mark_unsupported(
            "script",
            "PM2 has a file server of its own; `serve` is a program of PATH that takes options",
        );
    }
    it.options.stack = app.text("namespace").filter(|name| name != "default").map(|name| sanitize(&name, "stack"));
    for file in app.take("env_file").map(texts).unwrap_or_default() {
        add_env_file(&mut it, &site.path(&file).to_string_lossy(), false);
    }
    read_options(&mut app, &mut it);
    instances(&mut app, &mut it);
    termination::stop_signal(&mut it, Some("INT"), &app.place, app.unsupported);
    let port = app.parsed::<u16>("port").map(PortSpec::Exact);
    set_port(&mut it, port);
    app.finish(unsupported_reason);
    Ok(it)
}

fn instances(app: &mut FieldReader, it: &mut Definition) {
    let wanted = app.text("instances");
    let mode = app.text("exec_mode");
    if let Some(count) = &wanted {
        // What begins with a number is one.
        let end = count.find(|c: char| !c.is_ascii_digit()).unwrap_or(count.len());
        match count[..end].parse::<u32>() {
            Ok(count @ 1..) => it.instances = Some(count).filter(|count| *count > 1),
            _ => app.mark_unsupported(
                "instances",
                &format!("`{count}` depends on the machine; set TSM_INSTANCES to a number"),
            ),
        }
    }
    let cluster = mode.as_deref().is_some_and(|mode| mode.starts_with("cluster"));
    match mode.as_deref() {
        Some("fork" | "fork_mode") => {}
        None if it.instances.is_none() || !it.command.starts_with("node ") => {}
        None => app.mark_unsupported("exec_mode", "cluster mode is not supported: each instance has its own port"),
        Some(_) if cluster => {
            app.mark_unsupported("exec_mode", "cluster mode is not supported: each instance has its own port")
        }
        Some(mode) => app.mark_unsupported("exec_mode", &format!("{mode} mode is not supported")),
    }
}

/// How PM2 stops a program, unless its file says otherwise.
const PM2_STOP_SIGNAL: &str = "SIGINT";

/// How long PM2 waits before SIGKILL, unless its file says otherwise.
const PM2_KILL_TIMEOUT: Duration = Duration::from_millis(1600);

fn read_options(app: &mut FieldReader, it: &mut Definition) {
    it.options.user = app.text("uid");
    let again = app.text("autorestart").is_none_or(|again| again != "false");
    it.options.restart = Some(if again { RestartPolicy::Always } else { RestartPolicy::Never });
    it.options.max_restarts = app.parsed("max_restarts");
    it.options.kill_timeout = app.parsed("kill_timeout").map(Duration::from_millis).or(Some(PM2_KILL_TIMEOUT));
    it.options.stop_signal = PM2_STOP_SIGNAL.parse().ok();
    it.options.max_memory = app.size::<MaxMemoryRestart>("max_memory_restart").map(|size| size.0);
    if app.peek("cron_restart").and_then(scalar).as_deref() == Some("0") {
        app.take("cron_restart");
    }
    it.options.cron = app.parsed("cron_restart");
    it.options.watch = match app.take("watch") {
        Some(Value::Bool(false)) | None => None,
        Some(Value::Bool(true)) => Some(vec![".".to_owned()]),
        Some(paths) => Some(texts(paths)),
    };
    let patterns = app.take("ignore_watch").map(texts).unwrap_or_default();
    let (expressions, patterns): (Vec<String>, Vec<String>) = patterns.into_iter().partition(|it| is_expression(it));
    for it in expressions {
        app.mark_unsupported(
            "ignore_watch",
            &format!("`{it}` is a regular expression; TSM_WATCH_IGNORE expects glob patterns such as *.log"),
        );
    }
    it.options.ignore = Some(patterns).filter(|patterns| !patterns.is_empty());
}

/// What no pattern of files has in it.
fn is_expression(pattern: &str) -> bool {
    let between_slashes = pattern.len() > 2 && pattern.starts_with('/') && pattern.ends_with('/');
    between_slashes
        || pattern.contains(['\\', '^', '$', '(', '|', '+'])
        || pattern.contains(".*")
        || pattern.contains(".+")
}

fn unsupported_reason(key: &str) -> String {
    match key {
        _ if key.starts_with("env_") => {
            let name = key.trim_start_matches("env_");
            return format!("write its variables to env/{name}.env and use `tsm start --env {name}`");
        }
        "out_file" | "error_file" | "log_file" | "log_date_format" | "merge_logs" | "time" | "log_type"
        | "disable_logs" => "logs are written by tsm; see `tsm logs`",
        "wait_ready" | "listen_timeout" => "readiness is reported on $NOTIFY_SOCKET (TSM_NOTIFY)",
        "gid" => "the groups are those of the user; see TSM_USER",
        "min_uptime" | "restart_delay" | "exp_backoff_restart_delay" => {
            "restart delays start at 100 ms and double up to 30 s until the process has run for 10 s"
        }
        "pid_file" => "the pid is in NAME.pid of the process directory; see `tsm paths`",
        "watch_delay" | "watch_options" => "a restart follows 300 ms after the last change",
        "shutdown_with_message" => "processes are stopped with a signal",
        "increment_var" | "instance_var" => "instances get their number in $TSM_INSTANCE, starting at 1",
        "stop_exit_codes" => "restart policies are always, on-failure and never",
        "treekill" => "all child processes are killed when a process stops",
        "filter_env" => "processes inherit the variables of the user who starts them",
        _ => "not supported",
    }
    .to_owned()
}

#[cfg(test)]
mod tests;
