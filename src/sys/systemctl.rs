//! Orders to a manager of systemd, through the operator's own `systemctl`.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use super::host::{Host, Invocation};
use super::{kernel, process};
use crate::base::fault::{FaultKind, UserFacingError};

/// Which manager a unit belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manager {
    /// That of the machine.
    System,
    /// That of one user.
    User,
}

/// A manager, and how it is asked.
#[derive(Clone, Copy)]
pub struct Systemctl<'a> {
    /// Runs programs.
    pub host: &'a dyn Host,
    /// Whose units.
    pub manager: Manager,
}

/// `systemctl` did not do it.
#[derive(Debug, thiserror::Error)]
pub enum SystemctlError {
    /// It cannot be run.
    #[error("cannot run `{program}`")]
    Missing {
        /// The program.
        program: &'static str,
        /// Why.
        source: io::Error,
    },
    /// It failed.
    #[error("`{line}` failed{}", said(text))]
    Failed {
        /// The command line.
        line: String,
        /// What it said.
        text: String,
    },
}

fn said(text: &str) -> String {
    let text = text.trim();
    if text.is_empty() { String::new() } else { format!(": {text}") }
}

impl UserFacingError for SystemctlError {
    fn kind(&self) -> FaultKind {
        if self.is_denied() { FaultKind::Refused } else { FaultKind::Failed }
    }

    fn advice(&self) -> Option<String> {
        match self {
            Self::Missing { .. } => Some("systemd is needed; `tetra daemon run @dev` works without it".to_owned()),
            Self::Failed { line, text } if text.contains("connect to bus") && line.contains("--user") => {
                Some("log in as this user, or `sudo loginctl enable-linger USER`, then try again".to_owned())
            }
            Self::Failed { .. } if self.is_denied() => Some("run it as root: `sudo`".to_owned()),
            Self::Failed { .. } => None,
        }
    }
}

impl SystemctlError {
    /// True if the operator may not do that.
    #[must_use]
    pub fn is_denied(&self) -> bool {
        let marks = ["Access denied", "authentication required", "Permission denied"];
        matches!(self, Self::Failed { text, .. } if marks.iter().any(|mark| text.contains(mark)))
    }
}

impl Systemctl<'_> {
    /// Runs `systemctl` with these words; what it printed.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be run, or fails.
    pub fn call(&self, words: &[&str]) -> Result<String, SystemctlError> {
        let options = ["--no-pager", "--no-ask-password"];
        match (self.manager, self.host.variable("XDG_RUNTIME_DIR")) {
            (Manager::System, _) => run(self.host, "systemctl", &[&options, words].concat()),
            (Manager::User, Some(_)) => run(self.host, "systemctl", &[&["--user"], &options[..], words].concat()),
            (Manager::User, None) => {
                let dir = format!("XDG_RUNTIME_DIR={}", self.user_runtime_dir());
                run(self.host, "env", &[&[dir.as_str(), "systemctl", "--user"], &options[..], words].concat())
            }
        }
    }

    /// Without a session (`su`, cron) it is still where it always is.
    fn user_runtime_dir(&self) -> String {
        let given = self.host.variable("XDG_RUNTIME_DIR").map(str::to_owned);
        given.unwrap_or_else(|| format!("/run/user/{}", process::own_uid()))
    }

    /// True if the manager of this user runs: it has a socket there.
    #[must_use]
    pub fn user_manager_runs(&self) -> bool {
        Path::new(&self.user_runtime_dir()).join("systemd/private").exists()
    }

    /// True if the manager runs.
    #[must_use]
    pub fn manager_runs(&self) -> bool {
        match self.manager {
            Manager::System => kernel::runs_systemd(),
            Manager::User => self.user_manager_runs(),
        }
    }

    /// Properties of a unit, by name; empty where the manager does not answer.
    #[must_use]
    pub fn properties(&self, unit: &str, names: &[&str]) -> BTreeMap<String, String> {
        let wanted = format!("--property={}", names.join(","));
        let answer = self.call(&["show", &wanted, "--", unit]).unwrap_or_default();
        let pairs = answer.lines().filter_map(|line| line.split_once('='));
        pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    }
}

/// Runs a program to its end; what it printed.
///
/// # Errors
///
/// Fails if it cannot be run, or fails.
pub fn run(host: &dyn Host, program: &'static str, words: &[&str]) -> Result<String, SystemctlError> {
    let arguments: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    let line = format!("{program} {}", arguments.join(" "));
    let call = Invocation { program: program.to_owned(), arguments, ..Invocation::default() };
    let done = host.run(&call).map_err(|source| SystemctlError::Missing { program, source })?;
    let output = String::from_utf8_lossy(&done.stdout).into_owned();
    if done.exit_code == 0 {
        return Ok(output);
    }
    let text = String::from_utf8_lossy(&done.stderr).into_owned() + &output;
    Err(SystemctlError::Failed { line: readable(&line), text })
}

/// A command line without what is the same in all of them.
fn readable(line: &str) -> String {
    let line = line.replace(" --no-pager --no-ask-password", "");
    line.find("systemctl").map_or_else(|| line.clone(), |at| line[at..].to_owned())
}
