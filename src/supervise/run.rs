//! What to run and how to keep it: the part of the record that the starter writes.

use serde::{Deserialize, Serialize};

use super::limits::{Limits, RunAsUser};
use super::monitor_spec::MonitorSpec;

/// What to run and how to keep it. Written by `tsm start`, never changed by the supervisor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunSpec {
    /// The words to execute; the first is a path or is looked up in the child's `PATH`.
    pub argv: Vec<String>,
    /// The program as it was written, if the first word is the path that was found for it: it is looked up again when that is gone.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub word: String,
    /// Variables set last, in order: the definition's `export` lines, `K=V` of the command line, then `PORT`.
    pub set: Vec<(String, String)>,
    /// Variables of the starter, of the secrets and of the env file that it must not have.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unset: Vec<String>,
    /// The secrets file that comes before the env file; empty if none. A missing one is not an error.
    pub secrets_file: String,
    /// The organization of its environment; empty if none.
    pub org: String,
    /// The environment (local, dev, …) that it was started in; empty if none.
    pub environment: String,
    /// The service definition this came from, absolute path; empty if none.
    pub service: String,
    /// When to start it again by itself.
    pub restart: RestartPolicy,
    /// Exits in a row, each before one second of life, after which it is given up; 0 for no limit.
    pub max_restarts: u32,
    /// Milliseconds between the polite signal and SIGKILL.
    pub kill_timeout_ms: u64,
    /// Bytes after which a log is rotated, at the next line end; 0 for never.
    pub log_size: u64,
    /// Rotated logs that are kept, per stream.
    pub log_keep: u32,
    /// Milliseconds after which what cannot be written to a log is thrown away, and counted, so that the child can go on.
    pub log_patience_ms: u64,
    /// The port was guessed from a variable or the command line: it names the process and is not claimed.
    pub port_guessed: bool,
    /// Open the child's stdout and stderr write-only instead of read-write.
    pub write_only_output: bool,
    /// The group of instances that it belongs to; empty if none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub group: String,
    /// What an attendant looks after.
    #[serde(skip_serializing_if = "MonitorSpec::is_empty")]
    #[serde(rename = "care")]
    pub monitor: MonitorSpec,
    /// The most that it may have.
    #[serde(skip_serializing_if = "Limits::is_empty")]
    pub limits: Limits,
    /// The options of its start, which override its definition at every start; none if it does not come from one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub options: Option<String>,
    /// The stack that it belongs to; empty if none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub stack: String,
    /// Its env files, absolute and in the order in which they are read, a `-` before one that may be missing; empty where the
    /// `env_file` of the record says it all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub env_files: Vec<String>,
    /// The services that have to be ready before it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deps: Vec<String>,
    /// The command that made this record: the pid of its process; 0 if it is not known.
    #[serde(skip_serializing_if = "is_zero")]
    pub started_by: u32,
    /// When the process was made, in milliseconds since 1970; 0 if it is not known.
    #[serde(skip_serializing_if = "is_zero")]
    pub created_ms: u64,
    /// The user that it runs as; none if it is the starter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<RunAsUser>,
    /// The signal that asks it to end.
    #[serde(skip_serializing_if = "is_default_signal")]
    pub stop_signal: i32,
    /// It is a task that ends: its exit with success is what was wanted.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub oneshot: bool,
    /// Its instances are restarted all at the same time, not one after the other.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub recreate: bool,
}

impl Default for RunSpec {
    fn default() -> Self {
        Self {
            argv: Vec::new(),
            word: String::new(),
            set: Vec::new(),
            unset: Vec::new(),
            secrets_file: String::new(),
            org: String::new(),
            environment: String::new(),
            service: String::new(),
            restart: RestartPolicy::Never,
            max_restarts: 15,
            kill_timeout_ms: 10_000,
            log_size: 10 * 1024 * 1024,
            log_keep: 5,
            log_patience_ms: 60_000,
            port_guessed: false,
            write_only_output: false,
            group: String::new(),
            monitor: MonitorSpec::default(),
            limits: Limits::default(),
            user: None,
            options: None,
            stack: String::new(),
            env_files: Vec::new(),
            deps: Vec::new(),
            started_by: 0,
            created_ms: 0,
            stop_signal: libc::SIGTERM,
            oneshot: false,
            recreate: false,
        }
    }
}

/// When a process is started again by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestartPolicy {
    /// Never.
    #[default]
    Never,
    /// After a non-zero exit, a signal, or an unobserved exit.
    OnFailure,
    /// After every exit that was not asked for.
    Always,
}

impl RestartPolicy {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Never, Self::OnFailure, Self::Always];

    /// As it is written.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::OnFailure => "on-failure",
            Self::Always => "always",
        }
    }
}

/// What is not known is not written down.
fn is_zero<N: PartialEq + From<u8>>(number: &N) -> bool {
    *number == N::from(0)
}

/// The usual signal is not written down.
fn is_default_signal(number: &i32) -> bool {
    *number == libc::SIGTERM
}
