//! How a unit is: what systemd says, what is to run in it, and whether it is still the unit that was written.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::install::{self, EditedUnit, InstallRequest, UnitForm};
use crate::base::time::Timestamp;
use crate::ops::OpContext;
use crate::ops::unit::{InstalledUnit, UnitScope};
use crate::sys::journal::{JournalLine, JournalQuery};
use crate::sys::process;
use crate::sys::systemctl::Manager;
use crate::sys::systemctl::Systemctl;
use crate::tsm::definition::Definition;
use crate::tsm::service::{ServiceSet, Services};
use crate::tsm::sidecar::probe::{HealthCheck, ProbeTarget};
use crate::tsm::store::{Process, ProcessStore};
use crate::unit::{self, UnitOrigin};

/// How long `/health` may take to answer.
const HEALTH_LIMIT: Duration = Duration::from_secs(2);

/// How many lines of the journal are shown.
const JOURNAL_LINES: usize = 5;

/// What systemd says of a unit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnitState {
    /// `active`, `activating`, `failed`, `inactive`, …; `unknown` where the manager does not answer.
    pub active: String,
    /// `running`, `auto-restart`, `dead`, …
    pub sub: String,
    /// `success`, `exit-code`, `watchdog`, …
    pub result: String,
    /// `enabled`, `disabled`, …
    pub enabled: String,
    /// Since when it is in that state.
    pub since: Option<Timestamp>,
    /// Its main process; none if there is none.
    pub main_pid: Option<u32>,
    /// What the daemon says about itself.
    pub status_text: String,
    /// How often systemd started it again by itself.
    pub restarts: u64,
    /// Memory of all its processes, in bytes.
    pub memory: Option<u64>,
    /// The limit of that.
    pub memory_max: Option<u64>,
    /// Its processes and threads.
    pub tasks: Option<u64>,
    /// The limit of that.
    pub tasks_max: Option<u64>,
    /// Its file was changed, and systemd has not read it since.
    pub needs_reload: bool,
}

/// A service that starts with the unit.
#[derive(Debug)]
pub struct EnabledService {
    /// Its name.
    pub name: String,
    /// False if its definition says that it does not start by itself.
    pub is_started: bool,
    /// Its process; none if it never ran.
    pub process: Option<Process>,
}

/// How a unit is.
#[derive(Debug)]
pub struct UnitStatus {
    /// The unit.
    pub unit: InstalledUnit,
    /// What systemd says.
    pub state: UnitState,
    /// Files that change it.
    pub drop_ins: Vec<PathBuf>,
    /// What starts with it; none if that cannot be read.
    pub services: Option<Vec<EnabledService>>,
    /// Whether `/health` answers; none if the unit is not active.
    pub health: Option<Result<(), String>>,
    /// In what way the unit is not the one that would be installed.
    pub drift: Option<String>,
    /// The last lines of its journal.
    pub journal: Vec<JournalLine>,
}

impl UnitStatus {
    /// Looks at everything.
    #[must_use]
    pub fn of(context: &OpContext, unit: InstalledUnit) -> Self {
        let state = UnitState::ask(context, &unit);
        let query = JournalQuery { unit: &unit.name, manager: unit.manager, lines: Some(JOURNAL_LINES), since: None };
        Self {
            drop_ins: unit.drop_ins(),
            services: services(context, &unit),
            health: state.is_active().then(|| health(unit.port)),
            drift: drift(context, &unit, &state),
            journal: query.read(context.host).unwrap_or_default(),
            state,
            unit,
        }
    }

    /// What to do about what is wrong, most urgent first.
    #[must_use]
    pub fn advice(&self) -> Vec<String> {
        let Self { state, unit, .. } = self;
        let env = &unit.env;
        let mut advice = Vec::new();
        match state.active.as_str() {
            "active" if self.health.as_ref().is_some_and(Result::is_err) && self.has_server() => {
                let dir = self.unit.home.as_ref().map_or(String::new(), |home| format!("--dir {} ", home.display()));
                advice.push(format!(
                    "`tetra {dir}tsm list` shows whether the server runs, `tetra {dir}tsm why tetra` why not"
                ));
            }
            "active" | "reloading" => {}
            "failed" => advice.push(format!("`tsm daemon logs @{env}` shows why; then `tsm daemon start @{env}`")),
            "activating" => advice.push(format!("`tsm daemon logs @{env} -f` shows what it waits for")),
            "unknown" => advice.push("systemd does not answer; `systemctl status` may say why".to_owned()),
            _ => advice.push(format!("`tsm daemon start @{env}` starts it")),
        }
        if !matches!(state.enabled.as_str(), "enabled" | "enabled-runtime" | "static" | "") {
            advice.push(format!("it is not started at boot: `tsm daemon enable @{env}`"));
        }
        if self.drift.is_some() {
            advice.push(format!("`tsm daemon install @{env} --dry-run` shows the difference"));
        }
        advice
    }

    /// True if a service has the port of the unit.
    fn has_server(&self) -> bool {
        self.services.as_ref().is_none_or(|services| services.iter().any(|service| service.name == "tetra"))
    }
}

impl UnitState {
    /// Asks the manager of a unit.
    #[must_use]
    pub fn ask(context: &OpContext, unit: &InstalledUnit) -> Self {
        const PROPERTIES: [&str; 14] = [
            "ActiveState",
            "SubState",
            "Result",
            "UnitFileState",
            "StateChangeTimestamp",
            "MainPID",
            "StatusText",
            "NRestarts",
            "MemoryCurrent",
            "MemoryMax",
            "TasksCurrent",
            "TasksMax",
            "NeedDaemonReload",
            "LoadState",
        ];
        let systemctl = Systemctl { host: context.host, manager: unit.manager };
        let mut words = vec!["show", "--timestamp=unix"];
        let wanted = format!("--property={}", PROPERTIES.join(","));
        words.extend([wanted.as_str(), "--", &unit.name]);
        let answer = systemctl.call(&words).unwrap_or_default();
        let found: BTreeMap<&str, &str> = answer.lines().filter_map(|line| line.split_once('=')).collect();
        let text = |key: &str| found.get(key).map(|value| (*value).to_owned()).unwrap_or_default();
        // The largest number means that there is no limit, or that nothing is counted.
        let number = |key: &str| found.get(key)?.parse::<u64>().ok().filter(|number| *number != u64::MAX);
        let seconds = found.get("StateChangeTimestamp").and_then(|it| it.strip_prefix('@')?.parse::<u64>().ok());
        Self {
            active: found.get("ActiveState").map_or("unknown", |it| it).to_owned(),
            sub: text("SubState"),
            result: text("Result"),
            enabled: text("UnitFileState"),
            since: seconds.map(|seconds| Timestamp(seconds * 1000)),
            main_pid: number("MainPID").and_then(|pid| u32::try_from(pid).ok()).filter(|pid| *pid != 0),
            status_text: text("StatusText"),
            restarts: number("NRestarts").unwrap_or(0),
            memory: number("MemoryCurrent"),
            memory_max: number("MemoryMax"),
            tasks: number("TasksCurrent"),
            tasks_max: number("TasksMax"),
            needs_reload: found.get("NeedDaemonReload") == Some(&"yes"),
        }
    }

    /// True while it is up.
    #[must_use]
    pub fn is_active(&self) -> bool {
        matches!(self.active.as_str(), "active" | "reloading")
    }
}

/// What is enabled in the directory of the unit; none if that cannot be read.
fn services(context: &OpContext, unit: &InstalledUnit) -> Option<Vec<EnabledService>> {
    let paths = match &unit.home {
        Some(home) => context.paths.with_home(home.clone()),
        None => context.paths.clone(),
    };
    let files = Services::open(&paths).files(ServiceSet::Enabled).ok()?;
    let processes = ProcessStore::open(&paths).all().ok()?;
    let service = |link: PathBuf| {
        let name = link.file_stem()?.to_str()?.to_owned();
        let file = paths.services_available().join(link.file_name()?);
        let of_it = |process: &&Process| Path::new(&process.meta.run.service) == file;
        let definition = Definition::read(&file, context.host.variables()).ok();
        Some(EnabledService {
            process: processes.iter().find(of_it).cloned(),
            is_started: definition.is_none_or(|it| it.autostart != Some(false)),
            name,
        })
    };
    Some(files.into_iter().filter_map(service).collect())
}

fn health(port: u16) -> Result<(), String> {
    let check: HealthCheck = format!("http://127.0.0.1:{port}/health").parse().map_err(|_| "no address".to_owned())?;
    check.probe(&ProbeTarget { pid: 0, port: Some(port), cwd: Path::new("/"), user: None }, HEALTH_LIMIT)
}

fn drift(context: &OpContext, unit: &InstalledUnit, state: &UnitState) -> Option<String> {
    match unit::origin(&unit.text) {
        UnitOrigin::Edited => return Some("the unit was edited by hand".to_owned()),
        UnitOrigin::Guide | UnitOrigin::Foreign => return Some("the unit was not written by this version".to_owned()),
        UnitOrigin::Intact => {}
    }
    if state.needs_reload {
        return Some("systemd has not read the unit since it was changed: `systemctl daemon-reload`".to_owned());
    }
    // What another user would install says nothing about the unit of root.
    if unit.manager == Manager::System && process::own_uid() != 0 {
        return None;
    }
    let request = InstallRequest {
        env: &unit.env,
        scope: if unit.manager == Manager::User { UnitScope::Session } else { UnitScope::OfEnvironment },
        form: if unit.name.contains('@') { UnitForm::Template } else { UnitForm::Single },
        port: None,
        edited: EditedUnit::Keep,
    };
    let mut draft = match install::draft(context, &request) {
        Ok(draft) => draft,
        Err(fault) => return Some(format!("it cannot be found out what would be installed: {fault}")),
    };
    // Which program is asked does not matter, only whether the one of the unit is there.
    let program = unit::program(&unit.text)?;
    if !program.is_file() {
        return Some(format!("the program `{}` of the unit does not exist", program.display()));
    }
    draft.settings.program = program;
    let differs = draft.settings.text() != unit.text;
    differs.then(|| "the environment has changed since it was installed".to_owned())
}
