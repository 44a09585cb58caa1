//! The units of ours that a machine has: found on disk, chosen by environment.

use std::fs;
use std::path::{Path, PathBuf};

use crate::base::environment::{EnvName, EnvRef};
use crate::base::fault::{Fault, FaultKind};
use crate::base::name::OrgName;
use crate::base::sort::SortExt;
use crate::disk;
use crate::sys::host::Host;
use crate::sys::process;
use crate::sys::systemctl::Manager;
use crate::unit::{self, UnitOrigin};

/// Where the machine keeps units; the first one is written to.
const SYSTEM_DIRS: [&str; 3] = ["/etc/systemd/system", "/usr/local/lib/systemd/system", "/usr/lib/systemd/system"];

/// The unit whose instance is a user.
pub const TEMPLATE: &str = "tetra@.service";

/// A unit of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstalledUnit {
    /// What `systemctl` calls it: `tetra-dev.service`, `tetra@root.service`.
    pub name: String,
    /// Its file.
    pub file: PathBuf,
    /// Whose it is.
    pub manager: Manager,
    /// The environment whose services it runs.
    pub env: EnvName,
    /// The organization of that environment, where there is one.
    pub org: Option<OrgName>,
    /// The port of its `tetra` service.
    pub port: u16,
    /// Its `$TETRA_DIR`, where it says so.
    pub home: Option<PathBuf>,
    /// What it says.
    pub text: String,
}

impl InstalledUnit {
    fn read(file: &Path, manager: Manager, host: &dyn Host) -> Option<Self> {
        let text = disk::read_to_string(file).ok()?;
        if unit::origin(&text) == UnitOrigin::Foreign {
            return None;
        }
        let file_name = file.file_name()?.to_str()?;
        let name = match file_name {
            TEMPLATE => format!("tetra@{}.service", instance_of(file, host)),
            name => name.to_owned(),
        };
        let env = unit::variable(&text, "TETRA_ENV").and_then(|env| env.parse().ok());
        Some(Self {
            env: env.or_else(|| env_by_name(file_name))?,
            org: unit::variable(&text, "TETRA_ORG").and_then(|org| org.parse().ok()),
            port: unit::variable(&text, "TETRA_PORT").and_then(|port| port.parse().ok()).unwrap_or(4444),
            home: unit::variable(&text, "TETRA_DIR").map(PathBuf::from),
            file: file.to_owned(),
            name,
            manager,
            text,
        })
    }

    /// The environment with its organization.
    #[must_use]
    pub fn environment(&self) -> EnvRef {
        EnvRef { org: self.org.clone(), env: self.env.clone() }
    }

    /// Whose it is, as words of `systemctl`.
    #[must_use]
    pub fn scope_words(&self) -> &'static [&'static str] {
        if self.manager == Manager::User { &["--user"] } else { &[] }
    }

    /// The files that change it without being a part of it.
    #[must_use]
    pub fn drop_ins(&self) -> Vec<PathBuf> {
        let dir = self.file.with_file_name(format!("{}.d", self.name));
        let mut files: Vec<PathBuf> = fs::read_dir(dir).into_iter().flatten().flatten().map(|it| it.path()).collect();
        files.retain(|file| file.extension().is_some_and(|ending| ending == "conf"));
        files.order();
        files
    }
}

/// The environment of a unit that does not say which: by the name of its file.
fn env_by_name(file: &str) -> Option<EnvName> {
    match file.strip_suffix(".service")? {
        "tetra" => "prod".parse().ok(),
        "tetra@" => "dev".parse().ok(),
        name => name.strip_prefix("tetra-")?.parse().ok(),
    }
}

/// The user for whom a template is enabled, else the operator.
fn instance_of(file: &Path, host: &dyn Host) -> String {
    let wants = file.with_file_name("multi-user.target.wants");
    let names = fs::read_dir(wants).into_iter().flatten().flatten().filter_map(|it| it.file_name().into_string().ok());
    let mut users: Vec<String> = names
        .filter_map(|name| Some(name.strip_prefix("tetra@")?.strip_suffix(".service")?.to_owned()))
        .filter(|user| !user.is_empty())
        .collect();
    users.order();
    users.into_iter().next().unwrap_or_else(|| host.user().to_owned())
}

/// Where the units of a manager are, the first one being ours to write. `TETRA_UNIT_DIR` names another one.
#[must_use]
pub fn unit_dirs(host: &dyn Host, manager: Manager) -> Vec<PathBuf> {
    if let Some(dir) = host.variable("TETRA_UNIT_DIR") {
        let part = if manager == Manager::User { "user" } else { "system" };
        return vec![host.cwd().join(dir).join(part)];
    }
    match manager {
        Manager::System => SYSTEM_DIRS.map(PathBuf::from).to_vec(),
        Manager::User => {
            let config = host.variable("XDG_CONFIG_HOME").map(PathBuf::from);
            let config = config.or_else(|| host.variable("HOME").map(|home| Path::new(home).join(".config")));
            config.map(|config| config.join("systemd/user")).into_iter().collect()
        }
    }
}

/// The units of a manager, by name. A file in an earlier directory hides one of the same name in a later one.
#[must_use]
pub fn installed_units(host: &dyn Host, manager: Manager) -> Vec<InstalledUnit> {
    let mut found: Vec<InstalledUnit> = Vec::new();
    for dir in unit_dirs(host, manager) {
        let files = fs::read_dir(&dir).into_iter().flatten().flatten();
        let is_ours = |name: &str| name.starts_with("tetra") && name.ends_with(".service");
        let names = files.filter_map(|entry| entry.file_name().into_string().ok()).filter(|name| is_ours(name));
        for unit in names.filter_map(|name| InstalledUnit::read(&dir.join(name), manager, host)) {
            if found.iter().all(|known| known.name != unit.name) {
                found.push(unit);
            }
        }
    }
    found.order_by(|one, other| one.name.cmp(&other.name));
    found
}

/// Finds the unit that is meant: that of an environment, or the only one there is. An ordinary user's own units come before those
/// of the machine, and for root it is the other way round.
///
/// # Errors
///
/// Fails if none is installed ([`FaultKind::CheckFailed`]), or several are and none was named ([`FaultKind::NotFound`]).
pub fn find_unit(host: &dyn Host, env: Option<&EnvName>, manager: Option<Manager>) -> Result<InstalledUnit, Fault> {
    let order = match manager {
        Some(one) => vec![one],
        None if process::own_uid() == 0 => vec![Manager::System, Manager::User],
        None => vec![Manager::User, Manager::System],
    };
    let mut all = Vec::new();
    for manager in order {
        let units = installed_units(host, manager);
        let mut meant: Vec<&InstalledUnit> =
            units.iter().filter(|unit| env.is_none_or(|env| unit.env == *env)).collect();
        match meant.len() {
            0 => all.extend(units),
            1 => return Ok(meant.remove(0).clone()),
            _ => return Err(ambiguous(&meant)),
        }
    }
    Err(not_installed(env, manager, &all))
}

fn ambiguous(units: &[&InstalledUnit]) -> Fault {
    let names: Vec<String> =
        units.iter().map(|unit| format!("{} (@{}, port {})", unit.name, unit.env, unit.port)).collect();
    let message = format!("several units are installed: {}", names.join(", "));
    Fault::new(FaultKind::NotFound, message)
        .with_advice(format!("say which one: `tsm daemon status @{}`", units[0].env))
}

fn not_installed(env: Option<&EnvName>, manager: Option<Manager>, others: &[InstalledUnit]) -> Fault {
    let user = if manager == Some(Manager::User) { " --user" } else { "" };
    let Some(env) = env else {
        return Fault::new(FaultKind::CheckFailed, "no unit of tetra is installed")
            .with_advice(format!("`tsm daemon install @dev{user}` installs one"));
    };
    let names: Vec<&str> = others.iter().map(|unit| unit.name.as_str()).collect();
    let there = if names.is_empty() { String::new() } else { format!("; there is {}", names.join(", ")) };
    Fault::new(FaultKind::CheckFailed, format!("no unit of `@{env}` is installed{there}"))
        .with_advice(format!("`tsm daemon install @{env}{user}`"))
}
