//! The daemon: a scanner above the supervisors, under systemd or in a terminal.
//!
//! It starts what is enabled and what ran under it before, gives supervisors to what lost its own, starts again what crashed, stops
//! all in order when it is stopped, and says how things are. When it dies nothing else does: each process has its own supervisor,
//! and the next daemon finds all of them.
//!
//! Two threads: this one waits, for signals, events, requests and the clock, and never for long; the [`worker`] acts on processes.
//!
//! | what comes | what is done |
//! |---|---|
//! | SIGTERM, Ctrl-C | all is stopped, what others need last, within `TimeoutStopSec=`; Ctrl-C again leaves at once |
//! | SIGHUP | the definitions are read again; what is defined differently is restarted, what is newly enabled is started |
//! | a minute, a crash | a maintenance round; what failed to start is tried again ([`retries`]), each half minute |
//! | an event | the log, and `STATUS=` |
//! | a command that starts something | its supervisor is launched from here ([`launcher`]) |
//! | half of `WatchdogSec=` | a sign of life |
//!
//! A daemon that was killed leaves its record `running`; one that was stopped leaves the list of what it stopped ([`record`]). From
//! that the next one knows what it begins after ([`wanted`]).

pub mod event_text;
pub mod launcher;
pub mod limits;
pub mod log;
mod main_loop;
mod place;
pub mod record;
pub mod retries;
pub mod status;
pub mod stop;
pub mod sweep;
pub mod wanted;
pub mod work;
pub mod worker;

use std::io::{self, IsTerminal};
use std::sync::Arc;
use std::time::Duration;

use crate::base::environment::EnvName;
use crate::base::fault::{Fault, FaultKind};
use crate::base::name::OrgName;
use crate::ops::deploy::give_up;
use crate::supervise::client::{self, UnitGroup};
use crate::supervise::proc;
use crate::sys::host::Host;
use crate::sys::interruption::Interruption;
use crate::sys::notify::ServiceManager;
use crate::sys::os_host::OsHost;
use crate::sys::paths::Paths;
use crate::sys::signal;
use crate::sys::systemctl::{Manager, Systemctl};
use crate::sys::systemd::manager_of_own_unit;

use log::{DaemonLog, Level, Output};
use main_loop::Daemon;
use place::{Opened, RunPlace};
use record::DaemonRecord;
use wanted::Beginning;
use worker::{DaemonWorker, DaemonWorkerInit, Job};

/// What a service manager tells its services about themselves, and what those that are started below have nothing to do with.
const MANAGER_VARIABLES: [&str; 14] = [
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
    "LISTEN_FDS",
    "LISTEN_PID",
    "LISTEN_FDNAMES",
    "INVOCATION_ID",
    "JOURNAL_STREAM",
    "SYSTEMD_EXEC_PID",
    "MAINPID",
    "MANAGERPID",
    "FDSTORE",
    "MEMORY_PRESSURE_WATCH",
    "MEMORY_PRESSURE_WRITE",
];

/// What the daemon is for.
#[derive(Debug)]
pub struct DaemonSettings {
    /// The organization, if one is chosen or there is only one.
    pub org: Option<OrgName>,
    /// The environment.
    pub env: EnvName,
}

/// How a daemon ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DaemonEnd {
    /// All was stopped, but for so many processes.
    Stopped(usize),
    /// An operator did not wait for the stop; these processes still run.
    Left(Vec<String>),
}

/// Runs the daemon until it is asked to end.
///
/// # Errors
///
/// Fails if another daemon runs for the same directory, or if its own files cannot be made.
pub fn run(settings: DaemonSettings, paths: &Paths, host: &dyn Host) -> Result<DaemonEnd, Fault> {
    let previous = DaemonRecord::read(paths);
    let manager = ServiceManager::find(host);
    let mut log = DaemonLog::new(paths, if manager.is_there() { Output::Journal } else { Output::Plain });
    let failed = |what: &'static str| {
        move |error: io::Error| Fault::new(FaultKind::Failed, format!("failed to {what}: {error}"))
    };
    // The end of a terminal is the end of what runs in it.
    let hangups = match manager.is_there() || !io::stdin().is_terminal() {
        true => Some(signal::catch_hangups().map_err(failed("catch SIGHUP"))?),
        false => None,
    };
    let RunPlace { lock: _lock, launcher, events } = match RunPlace::wait_for(paths, host, &mut log, &manager)? {
        Opened::Place(place) => place,
        Opened::Taken => return Err(another_runs(previous.as_ref(), paths)),
        Opened::Ended => return Ok(DaemonEnd::Stopped(0)),
    };
    if let Err(error) = client::enter_leaf(|unit| is_delegated(host, &manager, unit)) {
        log.say(Level::Warning, &format!("limits of memory may be weaker: no control group: {error}"), host.now());
    }
    for line in give_up::at_boot(paths, host) {
        log.say(Level::Warning, &line, host.now());
    }
    signal::survive_sigint();
    let unit = UnitGroup::own().and_then(|group| group.name().map(str::to_owned)).unwrap_or_default();
    let record = DaemonRecord::own(settings.env.to_string(), unit.clone(), host.now().0);
    let interruption = Arc::<Interruption>::default();
    let keeps = |name: &str| !MANAGER_VARIABLES.contains(&name);
    let init = DaemonWorkerInit {
        paths: paths.clone(),
        host: OsHost::for_thread(host, Arc::clone(&interruption), keeps),
        org: settings.org,
        env: settings.env,
        interruption,
    };
    let mut worker = DaemonWorker::start(init).map_err(failed("start a thread"))?;
    let beginning = Beginning::after(previous.as_ref(), &proc::boot_id());
    worker.add(Job::Begin { beginning, previous });
    let stop_limit = limits::stop_limit(unit_limit(host, &manager, &unit));
    let mut daemon =
        Daemon { paths, host, manager, log, record, worker, launcher, events, hangups, is_hung_up: false, stop_limit };
    daemon.write_record();
    Ok(daemon.serve(beginning))
}

/// Whether the manager of this unit leaves the groups of it to us (`Delegate=`).
fn is_delegated(host: &dyn Host, manager: &ServiceManager, unit: &str) -> bool {
    let systemctl = Systemctl { host, manager: manager_of_own_unit().unwrap_or(Manager::System) };
    let says_yes = || systemctl.properties(unit, &["Delegate"]).get("Delegate").is_some_and(|answer| answer == "yes");
    manager.is_there() && says_yes()
}

/// What systemd gives the unit to stop; none outside of systemd.
fn unit_limit(host: &dyn Host, manager: &ServiceManager, unit: &str) -> Option<Duration> {
    if unit.is_empty() || !manager.is_there() {
        return None;
    }
    limits::ask_unit(host, unit, manager_of_own_unit().unwrap_or(Manager::System))
}

fn another_runs(record: Option<&DaemonRecord>, paths: &Paths) -> Fault {
    let who = record.filter(|record| record.is_alive()).map_or(String::new(), |record| {
        let unit = if record.unit.is_empty() { String::new() } else { format!(", `{}`", record.unit) };
        format!(" (PID {}, @{}{unit})", record.pid, record.environment)
    });
    Fault::new(FaultKind::Refused, format!("a daemon of `{}` runs already{who}", paths.home().display()))
        .with_advice("one daemon looks after all processes of a TETRA_DIR; set another one for a second daemon")
}
