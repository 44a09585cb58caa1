//! The real surroundings: the process, its clock, its terminal.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::child::{self, exit_code};
use super::host::{CommandOutput, Host, Invocation};
use super::interruption::Interruption;
use super::second_interrupt::{Meant, ReadOutput, SecondInterrupt};
use super::{child_variables, foreground, signal};
use crate::base::time::{Timestamp, millis};

/// The surroundings of this process. What costs a look is looked at when it is first asked for.
#[derive(Debug)]
pub struct OsHost {
    variables: BTreeMap<String, String>,
    raw: Vec<(OsString, OsString)>,
    cwd: PathBuf,
    program: OnceCell<PathBuf>,
    user: OnceCell<String>,
    /// What ends a wait; signals if it is none.
    interruption: Option<Arc<Interruption>>,
}

impl OsHost {
    /// The surroundings as they are now.
    #[must_use]
    pub fn new() -> Self {
        let (mut variables, mut raw) = (BTreeMap::new(), Vec::new());
        for (name, value) in std::env::vars_os() {
            match (name.to_str(), value.to_str()) {
                (Some(name), Some(value)) => drop(variables.insert(name.to_owned(), value.to_owned())),
                _ => raw.push((name, value)),
            }
        }
        // The kernel still knows the name of a directory that was removed; nothing is found there, and that is the truth.
        let removed = || std::fs::read_link("/proc/self/cwd").unwrap_or_else(|_| PathBuf::from("/"));
        let cwd = std::env::current_dir().unwrap_or_else(|_| removed());
        // A shell also knows through which links it came, and these may lead elsewhere later.
        let cwd = variables.get("PWD").map(PathBuf::from).filter(|pwd| resolves_to(pwd, &cwd)).unwrap_or(cwd);
        Self { variables, raw, cwd, program: OnceCell::new(), user: OnceCell::new(), interruption: None }
    }

    /// The surroundings of a thread that is not interrupted by signals: those of `host`, with the variables that `keeps` says.
    #[must_use]
    pub fn for_thread(host: &dyn Host, interruption: Arc<Interruption>, keeps: impl Fn(&str) -> bool) -> Self {
        let kept = host.variables().iter().filter(|(name, _)| keeps(name));
        Self {
            variables: kept.map(|(name, value)| (name.clone(), value.clone())).collect(),
            raw: host.raw_variables().to_vec(),
            cwd: host.cwd().to_owned(),
            program: host.program().to_owned().into(),
            user: host.user().to_owned().into(),
            interruption: Some(interruption),
        }
    }
}

/// True if a path is absolute, plain, and leads to this directory.
fn resolves_to(path: &Path, dir: &Path) -> bool {
    let plain = path.is_absolute() && path.components().all(|part| !matches!(part, Component::ParentDir));
    plain && path.canonicalize().is_ok_and(|found| found == dir)
}

/// The time now, for a thread that has no host.
#[must_use]
pub fn wall_clock() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(millis(since))
}

impl Default for OsHost {
    fn default() -> Self {
        Self::new()
    }
}

impl Host for OsHost {
    fn now(&self) -> Timestamp {
        wall_clock()
    }

    fn variables(&self) -> &BTreeMap<String, String> {
        &self.variables
    }

    fn raw_variables(&self) -> &[(OsString, OsString)] {
        &self.raw
    }

    fn cwd(&self) -> &Path {
        &self.cwd
    }

    fn set_cwd(&mut self, path: &Path) -> io::Result<()> {
        let path = path.canonicalize()?;
        std::env::set_current_dir(&path)?;
        if let Some(text) = path.to_str() {
            self.variables.insert("PWD".to_owned(), text.to_owned());
        }
        self.cwd = path;
        Ok(())
    }

    fn hand_on(&mut self, name: &'static str, value: Option<&str>) {
        child_variables::set(name, value);
        if value.is_none() {
            self.variables.remove(name);
        }
    }

    fn search_also(&mut self, dir: &Path) {
        let Some(dir) = dir.to_str().filter(|dir| !dir.contains(':')) else { return };
        let search =
            self.variables.entry("PATH".to_owned()).or_insert_with(|| "/usr/local/bin:/usr/bin:/bin".to_owned());
        if !search.split(':').any(|known| known == dir) {
            search.push(':');
            search.push_str(dir);
        }
    }

    fn program(&self) -> &Path {
        self.program.get_or_init(|| {
            let link = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("tetra"));
            // The kernel marks a program whose file was replaced; the new file is at the same path.
            match link.to_str().and_then(|text| text.strip_suffix(" (deleted)")) {
                Some(replaced) => PathBuf::from(replaced),
                None => link,
            }
        })
    }

    fn user(&self) -> &str {
        self.user.get_or_init(|| {
            // The user who asked, also where a command runs as another one (sudo).
            let id = super::privileges::acts_for().map_or_else(nix::unistd::geteuid, |_| nix::unistd::Uid::from_raw(0));
            let account = super::net::passwd_name(id.as_raw());
            account.or_else(|| self.variable("USER").map(str::to_owned)).unwrap_or_else(|| id.to_string())
        })
    }

    fn run(&self, call: &Invocation) -> io::Result<CommandOutput> {
        let mut command = Command::new(&call.program);
        child_variables::apply(command.args(&call.arguments))
            .envs(call.variables.iter().map(|(name, value)| (name, value)));
        if let Some(cwd) = &call.cwd {
            command.current_dir(cwd);
        }
        if call.inherit_stdio {
            let _lent = signal::ignore_sigint();
            let code = child::wait(&mut command.spawn()?)?;
            foreground::reclaim();
            return Ok(CommandOutput { exit_code: code, ..CommandOutput::default() });
        }
        if call.ends_at_second_interrupt {
            return run_until_second_interrupt(command);
        }
        let input = if call.input.is_empty() { Stdio::null() } else { Stdio::piped() };
        let mut child = command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let feed = child.stdin.take();
        let output = std::thread::scope(|scope| {
            if let Some(mut feed) = feed {
                // A program may end without reading everything; that is its affair.
                scope.spawn(move || feed.write_all(&call.input));
            }
            child.wait_with_output()
        })?;
        Ok(CommandOutput { exit_code: exit_code(output.status), stdout: output.stdout, stderr: output.stderr })
    }

    fn interrupted(&self) -> bool {
        self.interruption.as_ref().map_or_else(signal::interrupted, |it| it.is_set())
    }

    fn sleep(&self, how_long: Duration) -> bool {
        self.interruption.as_ref().map_or_else(|| signal::sleep(how_long), |it| it.sleep(how_long))
    }
}

/// Runs a program that reads nothing, and keeps what it writes.
fn run_until_second_interrupt(mut command: Command) -> io::Result<CommandOutput> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
    let _second_interrupt = SecondInterrupt::watch(&child, Meant::All);
    let stdout = child.stdout.take().map(|stream| ReadOutput::of(stream, u64::MAX));
    let stderr = child.stderr.take().map(|stream| ReadOutput::of(stream, u64::MAX));
    let exit_code = child::wait(&mut child)?;
    let take = |output: Option<ReadOutput>| output.map(ReadOutput::take).unwrap_or_default();
    Ok(CommandOutput { exit_code, stdout: take(stdout), stderr: take(stderr) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_a_program_to_its_end() {
        let host = OsHost::new();
        let call = Invocation {
            program: "sh".to_owned(),
            arguments: vec!["-c".to_owned(), "cat; echo oh >&2; exit 7".to_owned()],
            input: b"hello".to_vec(),
            ..Invocation::default()
        };
        let finished = host.run(&call).expect("sh is there");
        assert_eq!(finished, CommandOutput { exit_code: 7, stdout: b"hello".to_vec(), stderr: b"oh\n".to_vec() });
    }

    #[test]
    fn a_signal_is_a_code_above_128() {
        let call = Invocation {
            program: "sh".to_owned(),
            arguments: vec!["-c".to_owned(), "kill -9 $$".to_owned()],
            ..Invocation::default()
        };
        assert_eq!(OsHost::new().run(&call).expect("sh is there").exit_code, 137);
    }
}
