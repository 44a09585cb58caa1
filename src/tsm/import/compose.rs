//! `compose.yaml`: services that run programs. Containers are not run: what only an image knows is lost.

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
    let parts: Vec<String> = entry.into_iter().chain(command).filter(|part| !part.is_empty()).collect();
    if parts.is_empty() {
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
    it.exports = service.take("environment").map(variables).unwrap_or_default();
    for (key, _) in it.exports.iter().filter(|(_, value)| value.contains('$')) {
        service.lose(&format!("environment.{key}"), "its `$…` is kept as it stands and not replaced");
    }
    let mut files = service.take("env_file").map(texts).unwrap_or_default().into_iter();
    it.env_file = files.next().map(|file| folder.join(file).display().to_string());
    files.for_each(|file| service.lose("env_file", &format!("there is one env file; `{file}` is a second one")));
    take_port(&mut it);
    ports(&mut service, &mut it);
    needs(&mut service, &mut it);
    keep(&mut service, &mut it);
    if let Some(check) = service.take("healthcheck") {
        health(&mut service, check, &mut it);
    }
    it.instances = service.parsed("scale").filter(|count| *count > 1);
    service.end(|key| match key {
        "image" | "container_name" | "volumes" | "networks" | "platform" | "pull_policy" | "cap_add" | "privileged"
        | "network_mode" | "hostname" | "expose" | "links" | "read_only" | "tmpfs" | "working_dir" => {
            "it belongs to a container, and containers are not run".to_owned()
        }
        "mem_limit" | "deploy" | "ulimits" | "cpus" => "see TSM_MAX_MEMORY and TSM_INSTANCES".to_owned(),
        "user" => "it runs as whoever starts it".to_owned(),
        "logging" => "logs are kept with the process; `tsm logs` shows them".to_owned(),
        _ => "there is nothing like it".to_owned(),
    });
    Some(it)
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
    let Some(Value::Array(ports)) = service.take("ports") else { return };
    for (at, port) in ports.iter().enumerate() {
        let inside = match port {
            Value::Object(long) => long.get("target").and_then(scalar),
            short => scalar(short).map(|text| text.rsplit(':').next().unwrap_or_default().to_owned()),
        };
        let inside = inside.map(|text| text.split('/').next().unwrap_or_default().to_owned());
        let number: Option<u16> = inside.as_deref().and_then(|text| text.parse().ok());
        match number {
            Some(number) if it.port.is_none() => it.port = Some(PortWish::Exactly(number)),
            Some(number) if it.port == Some(PortWish::Exactly(number)) => {}
            _ => service.lose(&format!("ports[{at}]"), "a service has one port; the program opens others by itself"),
        }
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
            _ => Restart::Never,
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
