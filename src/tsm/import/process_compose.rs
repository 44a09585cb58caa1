//! `process-compose.yaml`: processes that run by a shell.

use std::time::Duration;

use serde_json::Value;

use crate::base::name::sanitize;
use crate::supervise::meta::RestartPolicy;
use crate::tsm::definition::Definition;
use crate::tsm::sidecar::probe::HealthCheck;

use super::compose::interpolate::Variables;
use super::source::{FieldReader, add_env_file, definition, is_true, scalar, set_port, texts, variables};
use super::termination;
use super::{ImportContext, Imported, Unsupported};

pub(super) fn read(value: &Value, site: ImportContext) -> Result<Imported, String> {
    let mut imported = Imported::default();
    let mut value = value.clone();
    // Two signs in an unexpanded file are two.
    let expands = !value.get("disable_env_expansion").and_then(scalar).is_some_and(|yes| is_true(&yes));
    let known = Some(Variables::beside(site.dir, site.variables)?).filter(|_| expands);
    expand(&mut value, "", known.as_ref(), &mut imported.unsupported);
    let mut top = FieldReader::new(&value, String::new(), &mut imported.unsupported)?;
    let processes = top.take("processes").and_then(Value::as_object).ok_or("`processes` must be a mapping")?;
    top.take("version");
    let common = variables(&mut top, "environment");
    let vars = top.take("vars").cloned().unwrap_or_default();
    top.take("disable_env_expansion");
    top.finish(|key| match key {
        "extends" => "import that file as well".to_owned(),
        _ => "it configures process-compose itself".to_owned(),
    });
    let mut done = Vec::new();
    for (name, process) in processes {
        let place = format!("processes.{name}");
        let mut process = process.clone();
        let own = process.as_object_mut().and_then(|fields| fields.remove("vars")).unwrap_or_default();
        fill(&mut process, &[&own, &vars]);
        expand(&mut process, &place, known.as_ref(), &mut imported.unsupported);
        let source = FieldReader::new(&process, place.clone(), &mut imported.unsupported);
        match source.and_then(|source| one(name, source, site, &mut done)) {
            Ok(mut it) => {
                let own: Vec<String> = it.exports.iter().map(|(key, _)| key.clone()).collect();
                let inherited = common.iter().filter(|(key, _)| !own.contains(key)).cloned();
                it.exports.splice(0..0, inherited);
                set_port(&mut it, None);
                imported.add(&place, it);
            }
            Err(why) => imported.reject(&place, why),
        }
    }
    for (need, place) in done {
        match imported.services.iter_mut().find(|it| it.name == need) {
            Some(it) => termination::oneshot(it),
            None => imported
                .unsupported
                .push(super::Unsupported { field: place, why: format!("`{need}` was not imported") }),
        }
    }
    Ok(imported)
}

/// Fills in the variables of the environment and of `.env`, where no shell will: that is left to it in commands.
fn expand(fields: &mut Value, place: &str, known: Option<&Variables>, lost: &mut Vec<Unsupported>) {
    let Some(known) = known else { return };
    for key in ["environment", "env_file", "working_dir"] {
        let place = format!("{place}.{key}").trim_start_matches('.').to_owned();
        let text = |text: &mut Value, lost: &mut Vec<Unsupported>| {
            let Value::String(text) = text else { return };
            let name = text.split_once('=').filter(|_| key == "environment").map(|(name, _)| format!(".{name}"));
            *text = known.expand_text(text, &format!("{place}{}", name.unwrap_or_default()), lost);
        };
        match fields.get_mut(key) {
            Some(Value::Array(texts)) => texts.iter_mut().for_each(|it| text(it, lost)),
            Some(one) => text(one, lost),
            None => {}
        }
    }
}

/// Fills in what texts name as `{{.NAME}}`: the first table that has it counts.
fn fill(value: &mut Value, vars: &[&Value; 2]) {
    match value {
        Value::String(text) => {
            let mut filled = String::new();
            let mut rest = text.as_str();
            while let Some((before, inside)) = rest.split_once("{{") {
                let Some((name, after)) = inside.split_once("}}") else { break };
                let known = name.trim().strip_prefix('.').and_then(|name| vars.iter().find_map(|vars| vars.get(name)));
                filled.push_str(before);
                match known.and_then(scalar) {
                    Some(value) => filled.push_str(&value),
                    None => filled.push_str(&format!("{{{{{name}}}}}")),
                }
                rest = after;
            }
            *text = filled + rest;
        }
        Value::Array(items) => items.iter_mut().for_each(|item| fill(item, vars)),
        Value::Object(map) => map.values_mut().for_each(|value| fill(value, vars)),
        _ => {}
    }
}

/// `done` gets what has to have ended before it, with its place.
fn one(
    name: &str,
    mut process: FieldReader,
    site: ImportContext,
    done: &mut Vec<(String, String)>,
) -> Result<Definition, String> {
    let command = process.text("command").filter(|text| !text.trim().is_empty());
    let entrypoint = process.take("entrypoint").map(|words| crate::tsm::command_line::join(&texts(words)));
    let cwd = process.text("working_dir").map_or_else(|| site.dir.to_owned(), |directory| site.path(&directory));
    let mut it = definition(name, cwd);
    // Two signs are one that is left to the shell.
    it.command = command.or(entrypoint).ok_or("no command")?.trim().replace("$$", "$");
    if it.command.contains("{{") {
        process.mark_unsupported("command", "its `{{…}}` is not a variable of `vars` and stays as it is");
    }
    it.exports = variables(&mut process, "environment");
    for file in process.take("env_file").map(texts).unwrap_or_default() {
        add_env_file(&mut it, &site.path(&file).to_string_lossy(), false);
    }
    it.description = process.text("description");
    it.options.stack = process.text("namespace").map(|name| sanitize(&name, "stack"));
    it.instances = process.parsed("replicas").filter(|count| *count > 1);
    it.autostart = process.text("disabled").filter(|yes| is_true(yes)).map(|_| false);
    needs(&mut process, &mut it, done);
    available(&mut process, &mut it);
    ended(&mut process, &mut it);
    scheduled(&mut process, &mut it);
    match (process.take("readiness_probe"), process.take("liveness_probe")) {
        (Some(probe), other) => {
            health(&mut process, "readiness_probe", probe, &mut it);
            if other.is_some() {
                process.mark_unsupported(
                    "liveness_probe",
                    "only one health check is supported; the readiness probe is used",
                );
            }
        }
        (None, Some(probe)) => {
            health(&mut process, "liveness_probe", probe, &mut it);
            it.options.health_restart = Some(true);
        }
        (None, None) => {}
    }
    process.finish(|key| unsupported_reason(key).to_owned());
    Ok(it)
}

fn unsupported_reason(key: &str) -> &'static str {
    match key {
        "log_location" | "log_configuration" | "disable_ansi_colors" => "logs are written by tsm; see `tsm logs`",
        "is_daemon" | "launch_timeout_seconds" => "the program must stay in the foreground",
        "ready_log_line" => "readiness is reported on $NOTIFY_SOCKET (TSM_NOTIFY) or by the health check",
        "is_tty" | "is_interactive" | "is_foreground" => "processes have no terminal",
        _ => "not supported",
    }
}

fn needs(process: &mut FieldReader, it: &mut Definition, done: &mut Vec<(String, String)>) {
    let Some(needs) = process.take("depends_on") else { return };
    if needs.is_array() {
        it.options.deps = Some(texts(needs).iter().map(|name| sanitize(name, "service")).collect());
    }
    for (name, need) in needs.as_object().into_iter().flatten() {
        let name = sanitize(name, "service");
        it.options.deps.get_or_insert_default().push(name.clone());
        let place = format!("depends_on.{name}.condition");
        match need.get("condition").and_then(scalar).as_deref() {
            Some("process_completed_successfully") => done.push((name, format!("{}.{place}", process.place))),
            Some("process_completed" | "process_log_ready") => {
                process.mark_unsupported(&place, "a dependency counts as met when it is ready or has succeeded")
            }
            _ => {}
        }
    }
}

fn available(process: &mut FieldReader, it: &mut Definition) {
    it.options.restart = Some(RestartPolicy::Never);
    let Some(value) = process.take("availability") else { return };
    let place = format!("{}.availability", process.place);
    let Ok(mut available) = FieldReader::new(value, place, process.unsupported) else { return };
    it.options.restart = Some(match available.text("restart").as_deref() {
        Some("always") => RestartPolicy::Always,
        Some("on_failure") => RestartPolicy::OnFailure,
        Some("exit_on_failure") => {
            available.mark_unsupported("restart", "a failure does not stop the other processes");
            RestartPolicy::Never
        }
        None | Some("no") => RestartPolicy::Never,
        Some(other) => {
            available.mark_unsupported("restart", &format!("unknown value `{other}`"));
            RestartPolicy::Never
        }
    });
    it.options.max_restarts = available.parsed("max_restarts").filter(|count| *count > 0);
    available.finish(|key| match key {
        "backoff_seconds" => {
            "restart delays start at 100 ms and double up to 30 s until the process has run for 10 s".to_owned()
        }
        _ => "the end of one process does not stop the others".to_owned(),
    });
}

fn scheduled(process: &mut FieldReader, it: &mut Definition) {
    let Some(value) = process.take("schedule") else { return };
    let place = format!("{}.schedule", process.place);
    let Ok(mut schedule) = FieldReader::new(value, place, process.unsupported) else { return };
    it.options.cron = schedule.parsed("cron");
    it.options.cron_tz = schedule.parsed("timezone");
    schedule.finish(|key| match key {
        "interval" => "write it as a schedule of TSM_CRON".to_owned(),
        _ => "not supported".to_owned(),
    });
}

fn ended(process: &mut FieldReader, it: &mut Definition) {
    let Some(value) = process.take("shutdown") else { return };
    let place = format!("{}.shutdown", process.place);
    let Ok(mut shutdown) = FieldReader::new(value, place.clone(), process.unsupported) else { return };
    it.options.kill_timeout = shutdown.parsed("timeout_seconds").map(Duration::from_secs);
    let signal = shutdown.text("signal");
    termination::stop_signal(it, signal.as_deref(), &format!("{place}.signal"), shutdown.unsupported);
    shutdown.finish(|key| match key {
        "command" => "processes are stopped with a signal".to_owned(),
        "parent_only" => "all child processes are killed when a process stops".to_owned(),
        _ => "not supported".to_owned(),
    });
}

fn health(process: &mut FieldReader, key: &str, value: &Value, it: &mut Definition) {
    let place = format!("{}.{key}", process.place);
    let Ok(mut probe) = FieldReader::new(value, place.clone(), process.unsupported) else { return };
    let exec = probe.take("exec");
    for key in exec.and_then(Value::as_object).into_iter().flatten().map(|(key, _)| key).filter(|key| *key != "command")
    {
        probe.mark_unsupported(&format!("exec.{key}"), "a check runs in the directory of its process");
    }
    let exec = exec.and_then(|exec| exec.get("command")).and_then(scalar);
    let exec = exec.map(|text| text.replace("$$", "$"));
    it.options.health = exec.map(HealthCheck::Exec).or_else(|| {
        let http = probe.take("http_get")?;
        let field = |key: &str| http.get(key).and_then(scalar);
        let (host, path) = (field("host").unwrap_or("127.0.0.1".to_owned()), field("path").unwrap_or("/".to_owned()));
        let port = field("port").unwrap_or("80".to_owned());
        for key in http.as_object().into_iter().flatten().map(|(key, _)| key) {
            if !["host", "path", "port", "scheme"].contains(&key.as_str()) {
                probe.mark_unsupported(&format!("http_get.{key}"), "not supported");
            }
        }
        let scheme = field("scheme").unwrap_or("http".to_owned());
        let check = format!("{scheme}://{host}:{port}/{}", path.trim_start_matches('/')).parse().ok();
        if check.is_none() {
            probe.mark_unsupported("http_get", "only http://host:port/path is supported");
        }
        check
    });
    let seconds =
        |probe: &mut FieldReader, key: &str| probe.parsed::<u64>(key).filter(|it| *it > 0).map(Duration::from_secs);
    it.options.health_interval = seconds(&mut probe, "period_seconds");
    it.options.health_timeout = seconds(&mut probe, "timeout_seconds");
    it.options.health_grace = seconds(&mut probe, "initial_delay_seconds");
    it.options.health_threshold = probe.parsed("failure_threshold");
    probe.finish(|_| "not supported".to_owned());
}

#[cfg(test)]
mod tests {
    use super::super::tests::{import, lost};
    use super::*;

    #[test]
    fn processes_become_services() {
        let imported = import(
            "process-compose.yaml",
            "version: '0.5'\nenvironment: [A=1, B=2]\nlog_level: debug\nprocesses:\n  migrate:\n    command: ./migrate && echo $A\n  \
             web:\n    command: |\n      exec web --port 8000\n    working_dir: ~/web\n    environment: [B=3]\n    depends_on:\n      \
             migrate: {condition: process_completed_successfully}\n      db: {condition: process_healthy}\n    availability:\n      \
             restart: on_failure\n      max_restarts: 3\n      backoff_seconds: 2\n    readiness_probe:\n      http_get: {host: 127.0.0.1, \
             scheme: http, path: /ok, port: 8000}\n      period_seconds: 5\n    shutdown: {timeout_seconds: 7, signal: 15}\n    \
             replicas: 2\n    disabled: true\n    log_location: x.log\n  db:\n    command: db\n  none: {}\n",
        );
        let names: Vec<&str> = imported.services.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, ["migrate", "web", "db"]);
        let web = &imported.services[1];
        assert_eq!((web.command.as_str(), web.cwd.to_str()), ("exec web --port 8000", Some("/home/u/web")));
        let pair = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        assert_eq!(web.exports, [pair("A", "1"), pair("B", "3")]);
        assert_eq!((web.deps(), web.autostart), (&["migrate".to_owned(), "db".to_owned()][..], Some(false)));
        let keep = &web.options;
        assert_eq!((keep.restart, keep.max_restarts), (Some(RestartPolicy::OnFailure), Some(3)));
        assert_eq!(keep.health.as_ref().map(ToString::to_string).as_deref(), Some("http://127.0.0.1:8000/ok"));
        assert_eq!(
            (keep.kill_timeout, keep.health_interval),
            (Some(Duration::from_secs(7)), Some(Duration::from_secs(5)))
        );
        let all = lost(&imported);
        assert_eq!(imported.services[0].options.oneshot, Some(true), "what it waits for ends");
        for field in ["log_level", "processes.web.availability.backoff_seconds", "processes.web.log_location"] {
            assert!(all.contains(&field), "{field}: {all:?}");
        }
        assert_eq!(imported.rejected.len(), 1);
    }

    #[test]
    fn a_schedule_is_one_and_two_signs_are_left_to_the_shell() {
        let imported = import(
            "process-compose.yaml",
            "processes:\n  a:\n    command: echo $$HOME\n    schedule: {cron: '0 3 * * *', timezone: UTC, max_concurrent: 1}\n",
        );
        let [a] = &imported.services[..] else { panic!("one service") };
        assert_eq!(a.command, "echo $HOME");
        assert_eq!(a.options.cron.as_ref().map(ToString::to_string).as_deref(), Some("0 3 * * *"));
        assert!(a.options.cron_tz.is_some());
        assert_eq!(lost(&imported), ["processes.a.schedule.max_concurrent"]);
    }

    #[test]
    fn what_no_shell_expands_is_expanded_and_no_value_is_lost() {
        let text = "environment: ['D=${HOME}/d']\nprocesses:\n  a:\n    command: echo ${HOME}\n    working_dir: ${HOME}/a\n    \
                    environment: ['X=$$5', 'Y=${HOME}', 'Z=${NOT_SET}']\n    depends_on: [b]\n    availability: {restart: sometimes}\n    \
                    readiness_probe: {exec: {command: 'true', working_dir: d}}\n  b: {command: x, availability: {restart: 'no'}}\n";
        let imported = import("process-compose.yaml", &format!("extends: base.yaml\n{text}"));
        let [a, _] = &imported.services[..] else { panic!("two services") };
        assert_eq!((a.command.as_str(), a.cwd.to_str()), ("echo ${HOME}", Some("/home/u/a")));
        let exports: Vec<String> = a.exports.iter().map(|(key, value)| format!("{key}={value}")).collect();
        assert_eq!(exports, ["D=/home/u/d", "X=$5", "Y=/home/u", "Z=${NOT_SET}"]);
        assert_eq!(a.deps(), ["b"]);
        assert_eq!(
            lost(&imported),
            [
                "extends",
                "processes.a.environment.Z",
                "processes.a.availability.restart",
                "processes.a.readiness_probe.exec.working_dir"
            ]
        );
        let imported = import("process-compose.yaml", &format!("disable_env_expansion: true\n{text}"));
        assert_eq!(imported.services[0].exports[1].1, "$$5");
    }

    #[test]
    fn variables_of_the_file_are_filled_in_and_what_is_not_there_is_named() {
        let imported = import(
            "process-compose.yaml",
            "vars: {DIR: /srv/x, N: 3}\nprocesses:\n  a:\n    command: 'db -D {{.DIR}}/{{ .N }} {{.PC_REPLICA_NUM}}'\n    \
             working_dir: '{{.DIR}}'\n    vars: {N: 4}\n    depends_on: {gone: {condition: process_log_ready}}\n    readiness_probe:\n      \
             http_get: {port: 80, headers: {A: b}}\n  b: {command: 'x --n={{.N}} {{'}\n",
        );
        let [a, b] = &imported.services[..] else { panic!("two services") };
        assert_eq!((a.command.as_str(), a.cwd.to_str()), ("db -D /srv/x/4 {{.PC_REPLICA_NUM}}", Some("/srv/x")));
        assert_eq!((b.command.as_str(), a.deps()), ("x --n=3 {{", &[][..]));
        assert_eq!(
            lost(&imported),
            [
                "processes.a.command",
                "processes.a.depends_on.gone.condition",
                "processes.a.readiness_probe.http_get.headers",
                "processes.b.command",
                "a: gone"
            ]
        );
    }
}
