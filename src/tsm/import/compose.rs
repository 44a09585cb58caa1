//! `compose.yaml`: services that run programs. Containers are not run: what only an image knows is lost.

mod room;

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::base::name::legalise;
use crate::base::time::Span;
use crate::supervise::meta::Restart;
use crate::tsm::attend::probe::HealthCheck;
use crate::tsm::definition::Definition;
use crate::tsm::port::PortWish;
use crate::tsm::words::joined;

use super::{Imported, Lost, Source, definition, scalar, take_port, texts, variables};

pub(super) fn read(value: &Value, folder: &Path) -> Result<Imported, String> {
    let mut imported = Imported::default();
    let mut top = Source::new(value, String::new(), &mut imported.lost)?;
    let of_folder = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let stack = legalise(&top.text("name").unwrap_or(of_folder), "stack");
    let services = top.take("services").ok_or("it has no services")?;
    top.end(|_| "only services are imported".to_owned());
    let services = services.as_object().ok_or("`services` is no table")?;
    for (name, service) in services {
        let place = format!("services.{name}");
        let source = Source::new(service, place, &mut imported.lost)?;
        if let Some(mut it) = one(name, source, folder) {
            it.stack = Some(stack.clone());
            imported.services.push(it);
        }
    }
    without_strangers(&mut imported);
    Ok(imported)
}

/// Needs that were not imported are lost.
fn without_strangers(imported: &mut Imported) {
    let names: Vec<String> = imported.services.iter().map(|it| it.name.clone()).collect();
    for it in &mut imported.services {
        let (known, strange) = it.deps.drain(..).partition(|need| names.contains(need));
        it.deps = known;
        for need in strange {
            let field = format!("services.{}.depends_on.{need}", it.name);
            let why = format!("`{need}` was not imported; save it and name it in TSM_DEPS");
            imported.lost.push(Lost { field, why });
        }
    }
}

fn one(name: &str, mut service: Source, folder: &Path) -> Option<Definition> {
    let entry = service.take("entrypoint").map(words);
    let command = service.take("command").map(words);
    let arguments = entry.is_none() && command.as_deref().is_some_and(|command| command.starts_with('-'));
    let parts: Vec<String> = entry.into_iter().chain(command).filter(|part| !part.is_empty()).collect();
    if parts.is_empty() || arguments {
        service.lose("", "it runs what its image says; containers are not run");
        return None;
    }
    let context = match service.take("build") {
        Some(Value::String(context)) => Some(context.clone()),
        Some(build) => build.get("context").and_then(scalar),
        None => None,
    };
    let cwd = context.map(|context| folder.join(context)).filter(|path| path.is_dir());
    let mut it = definition(name, cwd.unwrap_or_else(|| folder.to_owned()));
    it.command = parts.join(" ");
    it.exports = variables(&mut service, "environment");
    for (key, _) in it.exports.iter().filter(|(_, value)| value.contains('$')) {
        service.lose(&format!("environment.{key}"), "its `$…` is kept as it stands and not replaced");
    }
    env_files(&mut service, &mut it, folder);
    take_port(&mut it);
    ports(&mut service, &mut it);
    needs(&mut service, &mut it);
    keep(&mut service, &mut it);
    room::take(&mut service, &mut it);
    if let Some(check) = service.take("healthcheck") {
        health(&mut service, check, &mut it);
    }
    service.end(|key| why_lost(key).to_owned());
    Some(it)
}

fn why_lost(key: &str) -> &'static str {
    match key {
        "image" | "container_name" | "volumes" | "networks" | "platform" | "pull_policy" | "cap_add" | "cap_drop"
        | "privileged" | "network_mode" | "hostname" | "expose" | "links" | "read_only" | "tmpfs" | "working_dir" => {
            "it belongs to a container, and containers are not run"
        }
        "secrets" | "configs" => "nothing is mounted; the program has to read the file where it is",
        "cpus" | "pids_limit" | "memswap_limit" | "mem_reservation" => "see TSM_MEMORY_MAX and TSM_LIMIT_NPROC",
        "user" => "the users of an image are not those of this machine; TSM_USER names one of these",
        "profiles" => "it is started when it is enabled, or by its name",
        "logging" => "logs are kept with the process; `tsm logs` shows them",
        _ => "there is nothing like it",
    }
}

/// The first env file that is there or has to be.
fn env_files(service: &mut Source, it: &mut Definition, folder: &Path) {
    let files: Vec<(String, bool)> = match service.take("env_file") {
        Some(Value::Array(files)) => files.iter().filter_map(env_file).collect(),
        Some(file) => env_file(file).into_iter().collect(),
        None => Vec::new(),
    };
    for (file, required) in files {
        let path = folder.join(&file);
        if it.env_file.is_some() {
            service.lose("env_file", &format!("there is one env file; `{file}` is a second one"));
        } else if required || path.is_file() {
            it.env_file = Some(path.display().to_string());
        } else {
            service.lose("env_file", &format!("`{file}` may be missing, and is"));
        }
    }
}

/// Its path, and whether it has to be there.
fn env_file(value: &Value) -> Option<(String, bool)> {
    let required = value.get("required").and_then(Value::as_bool).unwrap_or(true);
    Some((scalar(value.get("path").unwrap_or(value))?, required))
}

/// A command line, or its words. `$$` is how a compose file writes a single `$`.
fn words(value: &Value) -> String {
    match value {
        Value::Array(_) => joined(&texts(value).iter().map(|word| word.replace("$$", "$")).collect::<Vec<_>>()),
        one => scalar(one).unwrap_or_default().replace("$$", "$").trim().to_owned(),
    }
}

/// The first port that the service has inside, for there is no outside any more.
fn ports(service: &mut Source, it: &mut Definition) {
    let Some(ports) = service.take("ports") else { return };
    let ports = ports.as_array().map_or_else(|| vec![ports], |ports| ports.iter().collect());
    for (at, port) in ports.into_iter().enumerate() {
        let port = Port::of(port);
        let own = port.inside.parse().ok().map(PortWish::Exactly);
        let lost = match own {
            Some(_) if port.udp => Some("a service has one port, and that is a TCP one".to_owned()),
            Some(own) if it.port.is_none_or(|taken| taken == own) => {
                it.port = Some(own);
                let elsewhere = Some(port.outside.as_str()).filter(|outside| !["", &port.inside].contains(outside));
                elsewhere.map(|outside| {
                    let inside = &port.inside;
                    format!("without a container others see the program's own port {inside}, and not {outside}")
                })
            }
            _ => Some("a service has one port; the program opens others by itself".to_owned()),
        };
        if let Some(why) = lost {
            service.lose(&format!("ports[{at}]"), &why);
        }
    }
}

/// `[address:][outside:]inside[/protocol]`, or the same in a table.
struct Port {
    inside: String,
    outside: String,
    udp: bool,
}

impl Port {
    fn of(value: &Value) -> Self {
        let field = |key: &str| value.get(key).and_then(scalar).unwrap_or_default();
        if value.is_object() {
            return Self { inside: field("target"), outside: field("published"), udp: field("protocol") == "udp" };
        }
        let text = scalar(value).unwrap_or_default();
        let (ports, protocol) = text.split_once('/').unwrap_or((&text, "tcp"));
        let (outside, inside) = ports.rsplit_once(':').unwrap_or(("", ports));
        Self { inside: inside.to_owned(), outside: outside.to_owned(), udp: protocol == "udp" }
    }
}

fn needs(service: &mut Source, it: &mut Definition) {
    match service.take("depends_on") {
        Some(Value::Object(needs)) => {
            for (name, need) in needs {
                it.deps.push(legalise(name, "service"));
                let condition = need.get("condition").and_then(scalar).unwrap_or_default();
                if condition == "service_completed_successfully" {
                    service.lose(&format!("depends_on.{name}.condition"), "what it needs has to be ready, not ended");
                }
                for key in need.as_object().into_iter().flatten().map(|(key, _)| key).filter(|key| *key != "condition")
                {
                    service.lose(&format!("depends_on.{name}.{key}"), "there is nothing like it");
                }
            }
        }
        Some(list) => it.deps = texts(list).iter().map(|name| legalise(name, "service")).collect(),
        None => {}
    }
}

fn keep(service: &mut Source, it: &mut Definition) {
    it.keep.restart = Some(Restart::Never);
    if let Some(policy) = service.text("restart") {
        let (word, count) = policy.split_once(':').map_or((policy.as_str(), None), |(word, count)| (word, Some(count)));
        it.keep.max_restarts = count.and_then(|count| count.parse().ok());
        it.keep.restart = Some(match word {
            "always" | "unless-stopped" => Restart::Always,
            "on-failure" => Restart::OnFailure,
            "no" | "false" => Restart::Never,
            _ => {
                service.lose("restart", &format!("`{word}` is not understood"));
                Restart::Never
            }
        });
    }
    it.keep.kill_timeout = service.parsed::<Span>("stop_grace_period").map(|span| span.0);
}

fn health(service: &mut Source, check: &Value, it: &mut Definition) {
    let place = format!("{}.healthcheck", service.place);
    let Ok(mut check) = Source::new(check, place, service.lost) else { return };
    if check.text("disable").as_deref() == Some("true") {
        return;
    }
    let line = match check.take("test") {
        Some(Value::String(line)) => line.replace("$$", "$"),
        Some(list) => match texts(list).split_first() {
            Some((first, rest)) if first == "CMD" => joined(rest),
            Some((first, rest)) if first == "CMD-SHELL" => rest.join(" ").replace("$$", "$"),
            _ => String::new(),
        },
        None => String::new(),
    };
    it.keep.health = Some(line).filter(|line| !line.trim().is_empty()).map(HealthCheck::Exec);
    let span = |check: &mut Source, key: &str| -> Option<Duration> { check.parsed::<Span>(key).map(|span| span.0) };
    it.keep.health_interval = span(&mut check, "interval");
    it.keep.health_timeout = span(&mut check, "timeout");
    it.keep.health_grace = span(&mut check, "start_period");
    it.keep.health_threshold = check.parsed("retries");
    check.end(|_| "there is nothing like it".to_owned());
}
