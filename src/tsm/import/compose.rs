//! `compose.yaml`: services that run programs. Containers are not run: what only an image knows is lost.

mod extends;
mod health;
pub(super) mod interpolate;
mod resources;
mod words;

use serde_json::Value;

use crate::base::name::sanitize;
use crate::base::time::HumanDuration;
use crate::supervise::meta::RestartPolicy;
use crate::tsm::definition::Definition;
use crate::tsm::port::PortSpec;

use super::source::{FieldReader, add_env_file, definition, scalar, set_port, texts, variables};
use super::termination;
use super::{ImportContext, Imported, Unsupported};

pub(super) fn read(value: &Value, site: ImportContext) -> Result<Imported, String> {
    let mut imported = Imported::default();
    let mut top = FieldReader::new(value, String::new(), &mut imported.unsupported)?;
    let of_directory = site.dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let variables = interpolate::Variables::beside(site.dir, site.variables)?;
    let name = top.text("name").map(|name| variables.expand_text(&name, "name", top.unsupported));
    let stack = sanitize(&name.unwrap_or(of_directory), "stack");
    let services = top.take("services").ok_or("no services")?;
    top.take("version");
    top.finish(|key| match key {
        _ if key.starts_with("x-") => "it is an extension field".to_owned(),
        "include" => "import these files as well".to_owned(),
        _ => "only services are imported".to_owned(),
    });
    let services = services.as_object().ok_or("`services` must be a mapping")?;
    let mut done = Vec::new();
    for (name, service) in services {
        let place = format!("services.{name}");
        let whole = extends::resolve(service, services, site.dir);
        let made = whole.and_then(|service| {
            let service = variables.expand_service(&service, &place, &mut imported.unsupported);
            let source = FieldReader::new(&service, place.clone(), &mut imported.unsupported)?;
            Ok(one(name, source, site, &mut done))
        });
        match made {
            Ok(Some(mut it)) => {
                it.options.stack = Some(stack.clone());
                imported.add(&place, it);
            }
            Ok(None) => {}
            Err(why) => imported.reject(&place, why),
        }
    }
    tasks(&mut imported, done);
    drop_unknown_dependencies(&mut imported);
    Ok(imported)
}

/// What others wait for until it ended.
fn tasks(imported: &mut Imported, done: Vec<String>) {
    for need in done {
        // What was not imported is listed separately.
        if let Some(it) = imported.services.iter_mut().find(|it| it.name == need) {
            it.options.restart = Some(RestartPolicy::Never);
            termination::oneshot(it);
        }
    }
}

/// Needs that were not imported are lost.
fn drop_unknown_dependencies(imported: &mut Imported) {
    let names: Vec<String> = imported.services.iter().map(|it| it.name.clone()).collect();
    for it in &mut imported.services {
        let (known, strange): (Vec<_>, Vec<_>) =
            it.options.deps.take().into_iter().flatten().partition(|need| names.contains(need));
        it.options.deps = Some(known).filter(|known| !known.is_empty());
        for need in strange {
            let field = format!("services.{}.depends_on.{need}", it.name);
            let why = format!("`{need}` was not imported; save it and add it to TSM_DEPS");
            imported.unsupported.push(Unsupported { field, why });
        }
    }
}

/// `done` gets what has to have ended before it.
fn one(name: &str, mut service: FieldReader, site: ImportContext, done: &mut Vec<String>) -> Option<Definition> {
    let entry = service.take("entrypoint").map(words::line);
    let command = service.take("command").map(words::line);
    let arguments = entry.is_none() && command.as_deref().is_some_and(|command| command.starts_with('-'));
    let parts: Vec<String> = entry.into_iter().chain(command).filter(|part| !part.is_empty()).collect();
    if parts.is_empty() || arguments {
        service.mark_unsupported("", "it runs the command of its image; containers are not supported");
        return None;
    }
    let context = match service.take("build") {
        Some(Value::String(context)) => Some(context.clone()),
        Some(build) => build.get("context").and_then(scalar),
        None => None,
    };
    let cwd = context.map(|context| site.path(&context)).filter(|path| path.is_dir());
    let mut it = definition(name, cwd.unwrap_or_else(|| site.dir.to_owned()));
    if it.name != name {
        service.mark_unsupported("", &format!("`{name}` is not a valid name; renamed to {}", it.name));
    }
    it.command = parts.join(" ");
    it.exports = variables(&mut service, "environment");
    for (_, value) in &mut it.exports {
        *value = words::literal(value);
    }
    env_files(&mut service, &mut it, site);
    let listens = ports(&mut service, &it);
    needs(&mut service, &mut it, done);
    read_options(&mut service, &mut it);
    resources::take(&mut service, &mut it);
    set_port(&mut it, listens);
    if let Some(check) = service.take("healthcheck") {
        health::take(&mut service, check, &mut it);
    }
    if let Some(profiles) = service.take("profiles") {
        it.autostart = Some(false);
        let profiles = texts(profiles).join(", ");
        service.mark_unsupported(
            "profiles",
            &format!("not started at boot, as without {profiles}; `tsm start` starts it"),
        );
    }
    service.finish(|key| unsupported_reason(key).to_owned());
    Some(it)
}

/// True for a field that is carried over, at least in part.
fn is_read(key: &str) -> bool {
    unsupported_reason(key) == NOT_SUPPORTED
}

/// The reason for fields of which nothing else is known.
const NOT_SUPPORTED: &str = "not supported";

fn unsupported_reason(key: &str) -> &'static str {
    match key {
        "image" | "container_name" | "volumes" | "networks" | "platform" | "pull_policy" | "cap_add" | "cap_drop"
        | "privileged" | "network_mode" | "hostname" | "expose" | "links" | "read_only" | "tmpfs" | "working_dir" => {
            "containers are not supported"
        }
        "secrets" | "configs" => "files are not mounted; the program has to read it from its own path",
        "cpus" | "pids_limit" | "memswap_limit" | "mem_reservation" => "see TSM_MEMORY_MAX and TSM_LIMIT_NPROC",
        "user" => "the users of an image do not exist on this machine; set TSM_USER",
        "init" => "all child processes are killed when a process stops",
        "tty" | "stdin_open" => "processes have no terminal",
        _ if key.starts_with("x-") => "it is an extension field",
        "labels" | "annotations" => "they are not used",
        "attach" | "develop" => "`tsm logs -f` and --watch do that",
        "logging" => "logs are written by tsm; see `tsm logs`",
        _ => NOT_SUPPORTED,
    }
}

/// Its env files, in their order; one that is not required may be missing.
fn env_files(service: &mut FieldReader, it: &mut Definition, site: ImportContext) {
    let files = match service.take("env_file") {
        Some(Value::Array(files)) => files.iter().collect(),
        Some(file) => vec![file],
        None => Vec::new(),
    };
    for file in files {
        let required = file.get("required").and_then(Value::as_bool).unwrap_or(true);
        let Some(path) = scalar(file.get("path").unwrap_or(file)) else {
            service.mark_unsupported("env_file", "must be a path, or a table with `path`");
            continue;
        };
        add_env_file(it, &site.path(&path).to_string_lossy(), !required);
        if let Some(format) = file.get("format").and_then(scalar) {
            service.mark_unsupported("env_file", &format!("format {format} of `{path}`: it is read as lines K=V"));
        }
    }
}

/// The port that the service has inside, for there is no outside any more: the one that its command names, or else the first.
fn ports(service: &mut FieldReader, it: &Definition) -> Option<PortSpec> {
    let ports = service.take("ports")?;
    let ports = ports.as_array().map_or_else(|| vec![ports], |ports| ports.iter().collect());
    let mut alone = Definition { command: it.command.clone(), ..Definition::default() };
    let mut listens = None;
    for (at, port) in ports.into_iter().enumerate() {
        let port = PortMapping::of(port);
        let own = port.container_port.parse().ok().map(PortSpec::Exact);
        set_port(&mut alone, own);
        let other = own.is_some() && alone.port.is_none();
        let lost = match own {
            Some(_) if port.udp => Some("only one TCP port is supported".to_owned()),
            Some(_) if other => Some("the command uses another port".to_owned()),
            Some(own) if listens.is_none_or(|taken| taken == own) => {
                listens = Some(own);
                let elsewhere =
                    Some(port.host_port.as_str()).filter(|outside| !["", &port.container_port].contains(outside));
                elsewhere.map(|outside| {
                    let inside = &port.container_port;
                    format!("without a container the service is reached on its own port {inside}, not {outside}")
                })
            }
            _ => Some("only one port is supported; the program opens others itself".to_owned()),
        };
        if let Some(why) = lost {
            service.mark_unsupported(&format!("ports[{at}]"), &why);
        }
    }
    listens
}

/// `[address:][outside:]inside[/protocol]`, or the same in a table.
struct PortMapping {
    container_port: String,
    host_port: String,
    udp: bool,
}

impl PortMapping {
    fn of(value: &Value) -> Self {
        let field = |key: &str| value.get(key).and_then(scalar).unwrap_or_default();
        if value.is_object() {
            return Self {
                container_port: field("target"),
                host_port: field("published"),
                udp: field("protocol") == "udp",
            };
        }
        let text = scalar(value).unwrap_or_default();
        let (ports, protocol) = text.split_once('/').unwrap_or((&text, "tcp"));
        let (outside, inside) = ports.rsplit_once(':').unwrap_or(("", ports));
        Self { container_port: inside.to_owned(), host_port: outside.to_owned(), udp: protocol == "udp" }
    }
}

fn needs(service: &mut FieldReader, it: &mut Definition, done: &mut Vec<String>) {
    match service.take("depends_on") {
        Some(Value::Object(needs)) => {
            for (name, need) in needs {
                it.options.deps.get_or_insert_default().push(sanitize(name, "service"));
                let condition = need.get("condition").and_then(scalar).unwrap_or_default();
                if condition == "service_completed_successfully" {
                    done.push(sanitize(name, "service"));
                }
                for key in need.as_object().into_iter().flatten().map(|(key, _)| key).filter(|key| *key != "condition")
                {
                    // What is not there is reported in any case.
                    if key == "required" {
                        continue;
                    }
                    service.mark_unsupported(&format!("depends_on.{name}.{key}"), "not supported");
                }
            }
        }
        Some(list) => it.options.deps = Some(texts(list).iter().map(|name| sanitize(name, "service")).collect()),
        None => {}
    }
}

fn read_options(service: &mut FieldReader, it: &mut Definition) {
    it.options.restart = Some(RestartPolicy::Never);
    if let Some(policy) = service.text("restart") {
        let (word, count) = policy.split_once(':').map_or((policy.as_str(), None), |(word, count)| (word, Some(count)));
        it.options.max_restarts = count.and_then(|count| count.parse().ok());
        if count.is_some() {
            service
                .mark_unsupported("restart", "only exits within a second of the start are counted (TSM_MAX_RESTARTS)");
        }
        it.options.restart = Some(match word {
            "always" | "unless-stopped" => RestartPolicy::Always,
            "on-failure" => RestartPolicy::OnFailure,
            "no" | "false" => RestartPolicy::Never,
            _ => {
                service.mark_unsupported("restart", &format!("unknown value `{word}`"));
                RestartPolicy::Never
            }
        });
    }
    it.options.kill_timeout = service.parsed::<HumanDuration>("stop_grace_period").map(|span| span.0);
    let signal = service.text("stop_signal");
    termination::stop_signal(it, signal.as_deref(), &format!("{}.stop_signal", service.place), service.unsupported);
}
