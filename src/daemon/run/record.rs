//! What the daemon leaves on the disk about itself, for the next one and for who asks how it is.

use serde::{Deserialize, Serialize};

use crate::base::fault::Fault;
use crate::disk;
use crate::supervise::proc::{self, ProcessIdentity};
use crate::sys::file::{self, Access};
use crate::sys::paths::Paths;
use crate::sys::process;
use crate::tsm::store::Process;

/// The version of the record that this program writes.
const VERSION: u32 = 1;

/// `daemon.json`: the daemon that runs, or ran last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DaemonRecord {
    /// The version of these fields.
    pub v: u32,
    /// Its pid, which means something only together with the next two.
    pub pid: u32,
    /// When the process was started, in clock ticks since boot.
    pub start_ticks: u64,
    /// The boot of the machine in which it ran.
    pub boot_id: String,
    /// In milliseconds since 1970.
    pub started_ms: u64,
    /// The environment that it was started for.
    pub environment: String,
    /// The unit of systemd that it is in; empty outside of systemd.
    #[serde(default)]
    pub unit: String,
    /// How far it came.
    pub state: DaemonState,
    /// What it stopped when it was stopped itself, and what the next one starts again.
    #[serde(default)]
    pub stopped: Vec<StoppedProcess>,
}

/// How far a daemon came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DaemonState {
    /// It runs. If its process is gone, it was killed, or the machine stopped.
    Running,
    /// It was asked to end, and stops what runs.
    Stopping,
    /// It stopped all that ran, and ended.
    Stopped,
}

/// A process that the daemon stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoppedProcess {
    /// Its name.
    pub name: String,
    /// The run that was stopped. If another one followed, another command decided about the process since.
    pub nonce: String,
}

impl StoppedProcess {
    /// The run that goes on now.
    #[must_use]
    pub fn of(process: &Process) -> Self {
        Self { name: process.name.to_string(), nonce: process.meta.run_state.nonce.clone() }
    }
}

impl DaemonRecord {
    /// This process as a daemon that runs.
    #[must_use]
    pub fn own(environment: String, unit: String, started_ms: u64) -> Self {
        let pid = process::own_pid();
        Self {
            v: VERSION,
            pid,
            start_ticks: ProcessIdentity::of(pid).map_or(0, |identity| identity.start_ticks),
            boot_id: proc::boot_id(),
            started_ms,
            environment,
            unit,
            state: DaemonState::Running,
            stopped: Vec::new(),
        }
    }

    /// The record that is there; none if there is none, or if it says nothing: then no daemon ran, as far as is known.
    #[must_use]
    pub fn read(paths: &Paths) -> Option<Self> {
        serde_json::from_slice(&disk::read_own(paths.daemon_record()).ok()?).ok()
    }

    /// Puts it into place.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be written.
    pub fn write(&self, paths: &Paths) -> Result<(), Fault> {
        // Of numbers and texts only, which JSON can hold.
        let bytes = serde_json::to_vec(self).unwrap_or_default();
        Ok(file::write(&paths.daemon_record(), &bytes, Access::Private)?)
    }

    /// True while that very process runs.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        let identity = ProcessIdentity { pid: self.pid, start_ticks: self.start_ticks };
        self.boot_id == proc::boot_id() && proc::is_alive(&identity)
    }
}
