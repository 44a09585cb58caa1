//! What each key of an environment brings about on a machine, and which of them are declared only.

use super::{ApplyRequest, define};
use crate::base::fault::Fault;
use crate::config::Value;
use crate::config::path::KeyPath;
use crate::org::draft::{METADATA, OVERRIDES};
use crate::org::known_keys;
use crate::org::store::OrgStore;
use crate::tkm::imported;
use crate::tsm::definition::keys::DefinitionKey;

/// What a key brings about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyEffect {
    /// Something that one can see: what, and where.
    Acts(&'static str),
    /// Nothing on the machine: why.
    DeclaredOnly(&'static str),
}

/// A key of an environment, and what it brings about.
#[derive(Debug)]
pub struct ExplainedKey {
    /// The key.
    pub key: KeyPath,
    /// Its value.
    pub value: Value,
    /// What it brings about.
    pub effect: KeyEffect,
}

use KeyEffect::{Acts, DeclaredOnly};

/// The keys that tetra knows. Those of services are in their definitions.
const EFFECTS: [(&str, KeyEffect); 46] = [
    ("environment.name", DeclaredOnly("a label for people")),
    ("environment.type", Acts("how much commands ask before they change something, and the default restart policy")),
    ("environment.description", DeclaredOnly("a label for people")),
    ("environment.readonly", Acts("true: commands that change something in it are refused, also with --yes")),
    ("deployment.user", Acts("who may apply it; User= of the unit")),
    ("deployment.group", Acts("Group= of the unit")),
    ("deployment.tetra_src", Acts("where services run that name no directory; TETRA_SRC of the unit")),
    ("deployment.tetra_dir", Acts("TETRA_DIR and WorkingDirectory= of the unit")),
    ("deployment.hostname", DeclaredOnly("other values refer to it; tetra changes no host name")),
    ("deployment.domain", DeclaredOnly("other values refer to it; `tsm nginx generate --domain` takes a domain")),
    ("system.os", DeclaredOnly("the machine itself is looked at")),
    ("system.init", DeclaredOnly("the machine itself is looked at")),
    (
        "system.auto_start",
        DeclaredOnly("`enabled` of each service and `tsm daemon enable` say what is started at boot"),
    ),
    ("ports.tetra", Acts("port of the service `tetra`; TETRA_PORT of the unit")),
    ("ports.*", Acts("port of the service of that name, if it names none itself")),
    ("resources.memory_max", Acts("memory limit of each service that names none; MemoryMax= of the unit")),
    ("resources.limit_nofile", Acts("open files of each service that names no limit; LimitNOFILE= of the unit")),
    (
        "resources.limit_nproc",
        Acts("processes of the user of each service that names no limit; LimitNPROC= of the unit"),
    ),
    ("security.firewall_enabled", DeclaredOnly("tetra changes no firewall; set it up with ufw or nft")),
    (
        "security.firewall_policy",
        DeclaredOnly("tetra changes no firewall; `tetra serve` listens on loopback without --bind"),
    ),
    (
        "security.allowed_ips",
        DeclaredOnly("tetra changes no firewall; promotion checks it against the rules of the profile"),
    ),
    ("security.internal_cidrs", DeclaredOnly("other values refer to it")),
    ("security.ssl_enabled", DeclaredOnly("TLS ends at the reverse proxy: `tsm nginx generate`, and certbot")),
    ("security.hsts_enabled", DeclaredOnly("a header of the reverse proxy")),
    ("logging.level", Acts("LOG_LEVEL of each service that sets none itself")),
    ("logging.format", Acts("LOG_FORMAT of each service that sets none itself")),
    ("logging.retention_days", DeclaredOnly("logs are kept by size: log_size and log_keep of a service")),
    ("logging.dir", DeclaredOnly("logs are in the directory of each process: `tsm paths NAME`")),
    ("logging.file_path", DeclaredOnly("logs are in the directory of each process: `tsm paths NAME`")),
    ("monitoring.enabled", DeclaredOnly("`tetra serve` answers /health and /metrics in any case")),
    ("monitoring.alerts_enabled", DeclaredOnly("alerts are sent by Prometheus, by the rules in templates/monitoring")),
    ("monitoring.apm_enabled", DeclaredOnly("tracing is up to the services themselves")),
    ("monitoring.metrics_enabled", DeclaredOnly("`tetra serve` answers /metrics in any case")),
    ("backup.enabled", DeclaredOnly("tetra makes no backups; a service with a `cron` key runs yours")),
    ("backup.schedule", DeclaredOnly("tetra makes no backups; a service with a `cron` key runs yours")),
    ("backup.offsite", DeclaredOnly("tetra makes no backups")),
    ("compliance.audit_logging", DeclaredOnly("every change is written to logs/tetra.jsonl in any case")),
    ("compliance.retention_days", DeclaredOnly("logs/tetra.jsonl is never shortened by tetra")),
    ("daemon.unit", Acts("name of the unit")),
    ("daemon.scope", Acts("whether the unit is one of the machine or of the user")),
    ("daemon.hardening", Acts("how far the unit is shut in")),
    ("release.from", Acts("the application files that `org deploy` brings, from the machine of the deployer")),
    ("release.exclude", Acts("application files that `org deploy` leaves out")),
    ("release.build", Acts("what `org deploy` runs on the machine of the deployer first")),
    ("services.*.enabled", Acts("whether it is started at boot")),
    ("services.*.env_flag", Acts("whether promotion adds the environment to its command")),
];

/// For `[services.NAME]`.
const SERVICE: KeyEffect = Acts("its definition: `tsm show NAME`");
const SERVICE_VARIABLE: KeyEffect = Acts("a variable of the service");
const ABOUT_THE_FILE: KeyEffect = DeclaredOnly("how this file was made: `tsm org history`");
const OWN: KeyEffect = DeclaredOnly("a key of your own; other values can refer to it as ${KEY}");
/// Below a table that tetra knows.
const UNKNOWN: KeyEffect =
    DeclaredOnly("tetra knows no such key of this table; other values can refer to it as ${KEY}");
/// For `[health]`, a table that environments do not have.
const HEALTH: KeyEffect = DeclaredOnly(
    "health is that of a service, `services.NAME.health`; a deploy waits as [rollout] of manifest.toml says",
);
const SERVER: KeyEffect = Acts("a server or its address for `tkm host import`, which reads local.toml");

/// What a key brings about.
#[must_use]
pub fn effect(key: &KeyPath) -> KeyEffect {
    let known = |(pattern, _): &&(&str, KeyEffect)| pattern.parse().is_ok_and(|pattern| key.matches(&pattern));
    if let Some((_, effect)) = EFFECTS.iter().find(known) {
        return *effect;
    }
    match key.keys() {
        [first, _, export, _] if first == "services" && export == "export" => SERVICE_VARIABLE,
        [first, _, name] if first == "services" && DefinitionKey::of_toml(name).is_some() => SERVICE,
        [first, ..] if first == METADATA || first == OVERRIDES => ABOUT_THE_FILE,
        [first, ..] if first == "health" => HEALTH,
        [first, name] if first == "infrastructure" && imported::is_server_key(name) => SERVER,
        [first, name] if first == "hosts" && imported::known_environment(name).is_some() => SERVER,
        [first, ..] if known_keys::paths().any(|known| known.keys()[0] == *first) => UNKNOWN,
        _ => OWN,
    }
}

/// Every key of an environment's file, in its order.
///
/// # Errors
///
/// Fails if the generated file does not exist, or was edited.
pub fn explain(request: &ApplyRequest) -> Result<Vec<ExplainedKey>, Fault> {
    let store = OrgStore::open(request.paths, request.org)?;
    let document = define::generated(&store, request)?;
    let explained = |leaf: &crate::config::document::Leaf| {
        let effect = match leaf.path.keys() {
            // A port without a service is a number that other values refer to.
            [first, name]
                if first == "ports" && document.leaf(&KeyPath::of(&["services", name, "command"])).is_none() =>
            {
                DeclaredOnly("no service has this name; other values can refer to it")
            }
            [first, key] if first == "environment" && key == "type" && request.env.tier().is_some() => {
                DeclaredOnly("a name such as dev or prod says it already; it acts in environments of other names")
            }
            _ => effect(&leaf.path),
        };
        ExplainedKey { key: leaf.path.clone(), value: leaf.value.clone(), effect }
    };
    Ok(document.leaves.iter().map(explained).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::org::profile::{self, Profile};

    #[test]
    fn every_known_key_and_every_key_of_a_profile_is_explained() {
        let mut keys: Vec<KeyPath> = known_keys::paths().collect();
        for (name, _) in profile::BUILT_IN {
            let profile = Profile::built_in(name).expect("it is built in");
            keys.extend(profile.rules.into_iter().map(|rule| rule.path).filter(|path| !path.keys().is_empty()));
        }
        assert!(keys.len() > 60, "{}", keys.len());
        for key in keys {
            assert!(![OWN, UNKNOWN].contains(&effect(&key)), "{key}");
        }
        for (key, expected) in [
            ("database.host", OWN),
            ("infrastructure.owner", OWN),
            ("health.http.path", HEALTH),
            ("infrastructure.qa_server_ip", SERVER),
            ("hosts.staging", SERVER),
            ("resources.memory_maxx", UNKNOWN),
            ("release.files", UNKNOWN),
        ] {
            assert_eq!(effect(&key.parse().expect("a key")), expected, "{key}");
        }
    }
}
