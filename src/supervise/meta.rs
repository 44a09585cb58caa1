//! `meta.json`: what is known about one process, in one file.
//!
//! The first fourteen fields are those of the published format, with its types and in its order. What follows them is ours:
//! `run` is what to run (written by `tsm start`), `life` and `last_exit` are what became of it (written by the supervisor).
//! `tsm start` writes the file once, before the supervisor exists; from then on only the holder of the worker lock writes it.
//! Every write goes to a temporary file that changes places with it, without sync: the file means nothing after a power cut. So
//! the record before the present one stays in `.meta.json.new`, and one that was emptied or damaged is not lost.
//!
//! Readers are lenient (numbers as strings, missing extension fields, unknown fields kept), writers strict.

mod record;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::clock;
use super::limits::MemoryMethod;
use super::proc::{self, ProcessIdentity};
use super::tolerant::{deserialize_number, deserialize_port, serialize_port};
use crate::base::environment::EnvFileName;

pub use super::exit_record::{ExitStatus, LastExit, OomVerdict, StopCause, StopOrigin};
pub use super::run::{RestartPolicy, RunSpec};
pub(super) use record::restore_backup;
pub use record::{MetaReadError, read, read_backup, read_in, read_summary, remove, write};

/// The version of the extension fields that this program writes.
pub const VERSION: u32 = 1;

/// The file's name inside a process directory.
pub const FILE: &str = "meta.json";

/// Everything known about one managed process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Meta {
    /// The number an operator types; the lowest free one when the process was made.
    #[serde(deserialize_with = "deserialize_number")]
    pub tsm_id: u32,
    /// Unique among all processes of this `$TETRA_DIR`; also the directory's name.
    pub name: String,
    /// The child's pid; 0 when nothing runs.
    #[serde(default, deserialize_with = "deserialize_number")]
    pub pid: u32,
    /// The full command with its interpreter resolved, quoted for a shell.
    pub command: String,
    /// The port that belongs to this process; `"none"` in the file when there is none.
    #[serde(default, serialize_with = "serialize_port", deserialize_with = "deserialize_port")]
    pub port: Option<u16>,
    /// The working directory, absolute.
    pub cwd: PathBuf,
    /// The resolved interpreter, or empty.
    #[serde(default)]
    pub interpreter: String,
    /// `python`, `node`, `bash`, `lua`, `go` or `command`.
    #[serde(default)]
    pub process_type: String,
    /// The env file in use, absolute; empty if none. Of several the strongest: [`Meta::env_files`] has them all.
    #[serde(default)]
    pub env_file: String,
    /// The pre-start command; empty if none.
    #[serde(default)]
    pub prehook: String,
    /// When the child that runs (or ran last) was started, in seconds since 1970.
    #[serde(default, deserialize_with = "deserialize_number")]
    pub start_time: u64,
    /// The three-valued status of the published format; always [`ProcessState::status`] of `state`.
    #[serde(default = "ProcessStatus::stopped")]
    pub status: ProcessStatus,
    /// How often it was started again, by an operator or after an exit.
    #[serde(default, deserialize_with = "deserialize_number")]
    pub restarts: u32,
    /// How many exits in a row came before the process had been up for a second.
    #[serde(default, deserialize_with = "deserialize_number")]
    pub unstable_restarts: u32,
    /// Version of the fields below.
    #[serde(default)]
    pub version: u32,
    /// The finer state.
    #[serde(default)]
    pub state: ProcessState,
    /// What to run and how to keep it.
    #[serde(default)]
    pub run: RunSpec,
    /// The life that goes on now, or went on last.
    #[serde(default)]
    #[serde(rename = "life")]
    pub run_state: RunState,
    /// How the last life ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_exit: Option<LastExit>,
    /// Fields this version does not know, kept as they were.
    #[serde(flatten)]
    pub unknown: serde_json::Map<String, serde_json::Value>,
}

/// What has to be known of every process to give another one its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct MetaSummary {
    /// As in [`Meta`].
    #[serde(deserialize_with = "deserialize_number")]
    pub tsm_id: u32,
    /// As in [`Meta`].
    #[serde(default, deserialize_with = "deserialize_port")]
    pub port: Option<u16>,
}

/// The status of the published format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProcessStatus {
    /// A child runs, is about to, or is being stopped.
    Online,
    /// Stopped by an operator, or ended by itself with success.
    Stopped,
    /// Ended by itself with a failure; it may be waiting to be started again.
    Crashed,
    /// It cannot be said: what would tell cannot be read. Never in a record.
    #[serde(skip)]
    Unknown,
}

impl ProcessStatus {
    fn stopped() -> Self {
        Self::Stopped
    }
}

/// Where a process is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ProcessState {
    /// Asked for; no child is known yet, or it has not settled.
    Starting,
    /// The child runs.
    Online,
    /// The child was asked to end and still runs.
    Stopping,
    /// Ended on request or with success.
    #[default]
    Stopped,
    /// Ended by itself; the next start waits for its schedule or a change of its files.
    Scheduled,
    /// Ended with a failure; the next start waits for its back-off.
    Waiting,
    /// Ended with a failure and is not started again.
    Crashed,
    /// Ended too often in a row; given up.
    Errored,
    /// It cannot be said: what would tell cannot be read. Never in a record.
    #[serde(skip)]
    Unknown,
}

impl ProcessState {
    /// Its name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Online => "online",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Scheduled => "scheduled",
            Self::Waiting => "waiting",
            Self::Crashed => "crashed",
            Self::Errored => "errored",
            Self::Unknown => "unknown",
        }
    }

    /// The coarse status that goes with this state.
    #[must_use]
    pub fn status(self) -> ProcessStatus {
        match self {
            Self::Starting | Self::Online | Self::Stopping => ProcessStatus::Online,
            Self::Stopped | Self::Scheduled => ProcessStatus::Stopped,
            Self::Waiting | Self::Crashed | Self::Errored => ProcessStatus::Crashed,
            Self::Unknown => ProcessStatus::Unknown,
        }
    }
}

/// One life of the child. Identity is pid and start ticks and boot id together; a pid alone means nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RunState {
    /// `/proc/sys/kernel/random/boot_id` of the boot in which the child was started.
    pub boot_id: String,
    /// Field 22 of `/proc/PID/stat` of the child, in clock ticks since boot. Until it is known, when its start began.
    pub start_ticks: u64,
    /// Part of the environ mark `TSM_RUN=<id>.<nonce>` of this life.
    pub nonce: String,
    /// When the child was started, in milliseconds since 1970.
    pub started_ms: u64,
    /// The guard process; 0 if there is none.
    pub guard_pid: u32,
    /// The worker process, the one that writes this file.
    pub worker_pid: u32,
    /// When the next start is due, in milliseconds since 1970; 0 unless `state` is `waiting`.
    pub next_start_ms: u64,
    /// Why the last start failed before the program ran, in words; empty if it did not.
    pub start_error: String,
    /// Log bytes thrown away because the disk stayed full.
    pub discarded_bytes: u64,
    /// Why a log cannot be written now, in words; empty if it can. What the child says meanwhile waits in the FIFO.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub log_error: String,
    /// The stop that goes on is the first half of a restart.
    #[serde(rename = "start_follows")]
    pub start_pending: bool,
    /// Why the stop that goes on was ordered.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_by: Option<StopOrigin>,
    /// Restarts by itself in a row, none of which led to ten seconds of life.
    #[serde(skip_serializing_if = "is_zero")]
    #[serde(rename = "streak")]
    pub backoff_exponent: u32,
    /// The command that is starting it; 0 once a supervisor has taken over.
    pub starter_pid: u32,
    /// The life before, while it is not sure that a start over it has found what it left.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[serde(rename = "former")]
    pub previous: Option<PreviousRun>,
    /// Processes that outlived the sweep at the end of the last life; empty when it left nothing.
    pub survivors: Vec<u32>,
    /// What holds it to its limit of memory.
    #[serde(skip_serializing_if = "MemoryMethod::is_none")]
    #[serde(rename = "memory_by")]
    pub memory_method: MemoryMethod,
}

/// By what that which a life left is known.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct PreviousRun {
    /// As in [`RunState`].
    pub boot_id: String,
    /// The child; 0 if it is not known.
    pub pid: u32,
    /// As in [`RunState`].
    pub start_ticks: u64,
    /// As in [`RunState`].
    pub nonce: String,
}

impl ProcessState {
    /// True when the process has no supervisor any more, and needs none.
    #[must_use]
    pub fn is_final(self) -> bool {
        match self {
            Self::Stopped | Self::Crashed | Self::Errored => true,
            Self::Starting | Self::Online | Self::Stopping | Self::Scheduled | Self::Waiting | Self::Unknown => false,
        }
    }
}

impl Meta {
    /// Its env files in the order in which they are read: a later one wins.
    #[must_use]
    pub fn env_files(&self) -> Vec<EnvFileName<'_>> {
        let one = (!self.env_file.is_empty()).then_some(EnvFileName { path: &self.env_file, optional: false });
        match self.run.env_files.as_slice() {
            [] => one.into_iter().collect(),
            files => files.iter().map(|file| EnvFileName::of(file)).collect(),
        }
    }

    /// The child of the recorded life, when there is one and it belongs to this boot of the machine.
    #[must_use]
    pub fn identity(&self) -> Option<ProcessIdentity> {
        let recorded = self.pid != 0 && self.run_state.boot_id == proc::boot_id();
        recorded.then_some(ProcessIdentity { pid: self.pid, start_ticks: self.run_state.start_ticks })
    }

    /// The life of this record, as the one before the next.
    #[must_use]
    pub fn as_previous(&self) -> Option<PreviousRun> {
        let RunState { boot_id, start_ticks, nonce, previous: former, .. } = &self.run_state;
        if nonce.is_empty() {
            // It never came to a life.
            return former.clone();
        }
        Some(PreviousRun { boot_id: boot_id.clone(), pid: self.pid, start_ticks: *start_ticks, nonce: nonce.clone() })
    }

    /// The end of the recorded run where nothing saw it, since its supervisor or the machine went down too; none if it was seen. It
    /// ended at that time at the latest.
    #[must_use]
    pub fn unseen_exit(&self) -> Option<LastExit> {
        let run = &self.run_state;
        let is_seen = self.last_exit.as_ref().is_some_and(|exit| exit.nonce == run.nonce);
        if self.pid == 0 || run.nonce.is_empty() || self.state.is_final() || is_seen {
            return None;
        }
        let with_machine = !run.boot_id.is_empty() && run.boot_id != proc::boot_id();
        let latest = if with_machine { clock::boot_unix_ms() } else { clock::unix_ms() };
        let at_ms = latest.max(run.started_ms);
        let origin = with_machine.then_some(StopOrigin { cause: StopCause::Machine, pid: 0 });
        let (uptime_ms, status) = (at_ms - run.started_ms, ExitStatus::Unknown);
        Some(LastExit { at_ms, uptime_ms, status, oom: None, origin, nonce: run.nonce.clone() })
    }

    /// Sets `state` and the `status` that goes with it.
    pub fn set_state(&mut self, state: ProcessState) {
        self.state = state;
        self.status = state.status();
    }
}

/// Where `meta.json` of the process in `dir` is.
#[must_use]
pub fn path(dir: &Path) -> PathBuf {
    dir.join(FILE)
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}
