//! The surroundings as one value: variables, place, time, programs. Tests bring their own.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use crate::base::time::Timestamp;

/// The variable that makes a session read-only, and with it the programs that it starts.
pub const READONLY: &str = "TETRA_READONLY";

/// Its value where the environment of the session is read-only, and not the session itself.
pub const READONLY_BY_ENVIRONMENT: &str = "environment";

/// What the program may know of its surroundings.
///
/// Variables and places are those of the start: nothing here changes while the program runs.
pub trait Host {
    /// The time now.
    fn now(&self) -> Timestamp;

    /// All environment variables that are text.
    fn variables(&self) -> &BTreeMap<String, String>;

    /// The other environment variables: nothing here reads them, programs that are started inherit them.
    fn raw_variables(&self) -> &[(OsString, OsString)] {
        &[]
    }

    /// The working directory.
    fn cwd(&self) -> &Path;

    /// Changes the working directory.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be entered; nothing is changed then.
    fn set_cwd(&mut self, path: &Path) -> std::io::Result<()> {
        let _ = path;
        Err(std::io::ErrorKind::Unsupported.into())
    }

    /// Has the programs that are started from here get a variable. With no value, neither they nor this one have it any more.
    fn hand_on(&mut self, name: &'static str, value: Option<&str>) {
        let _ = (name, value);
    }

    /// Has programs looked for in another directory too, after all others.
    fn search_also(&mut self, dir: &Path) {
        let _ = dir;
    }

    /// This program itself, to start supervisors with.
    fn program(&self) -> &Path;

    /// The operator's login name.
    fn user(&self) -> &str;

    /// Runs a program to its end and takes what it says.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be started.
    fn run(&self, call: &Invocation) -> io::Result<CommandOutput>;

    /// True once the operator pressed Ctrl-C (or a signal said so) since the current command began.
    fn interrupted(&self) -> bool;

    /// Waits until time is up or the operator interrupts; true if time is up.
    fn sleep(&self, how_long: std::time::Duration) -> bool;

    /// One environment variable; an empty one counts as absent.
    fn variable(&self, name: &str) -> Option<&str> {
        self.variables().get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// True for a variable that is there and not `0`.
    fn is_switched_on(&self, name: &str) -> bool {
        self.variable(name).is_some_and(|value| value != "0")
    }
}

/// A program to run: an argument vector, never a shell string.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Invocation {
    /// The program; looked up in `PATH` unless it has a slash.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// What it reads; nothing if empty.
    pub input: Vec<u8>,
    /// Its terminal, standard input and output are the operator's (`$EDITOR`, `$PAGER`, `ssh -t`).
    pub inherit_stdio: bool,
    /// A second Ctrl-C ends it, where its output is kept.
    pub ends_at_second_interrupt: bool,
    /// Where it runs, if not here.
    pub cwd: Option<PathBuf>,
    /// Variables that it gets beside those of this process, or instead of them.
    pub variables: Vec<(String, String)>,
}

/// What came of a [`Invocation`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CommandOutput {
    /// The exit code; 128 + n for a signal.
    pub exit_code: i32,
    /// What it wrote to its standard output.
    pub stdout: Vec<u8>,
    /// What it wrote to its standard error.
    pub stderr: Vec<u8>,
}
