//! A port that another process has: which one, and the message.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::base::redact;
use crate::supervise::meta::ProcessState;
use crate::supervise::ownership;
use crate::sys::net;

use super::store::Process;

/// A port and the process that has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conflict {
    /// The port.
    pub port: u16,
    /// Who has it, as far as we may see.
    pub holder: PortHolder,
}

/// Who has a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PortHolder {
    /// This process listens on it.
    Process {
        /// Its pid.
        pid: u32,
        /// The words it was started with.
        command: String,
        /// The managed process that it belongs to, if any.
        managed: Option<String>,
    },
    /// A process of this user listens on it, which we may not see.
    Hidden {
        /// The login name.
        user: String,
    },
    /// A managed process has claimed it and does not listen yet.
    Claimed {
        /// Its name.
        name: String,
        /// Its pid; none while it is being started.
        pid: Option<u32>,
        /// What it runs.
        command: String,
    },
}

/// Commands are cut after so many characters.
const MAX_COMMAND_WIDTH: usize = 80;

/// Whether `port` is in use: a process listens on it, or is managed and has claimed it.
#[must_use]
pub fn find(port: u16, processes: &[Process]) -> Option<Conflict> {
    listening(port, processes).or_else(|| claimed(port, processes))
}

/// Who listens on `port`.
#[must_use]
pub fn listening(port: u16, processes: &[Process]) -> Option<Conflict> {
    let listener = net::listening_on(port).into_iter().next()?;
    let holder = match net::owner(listener.inode) {
        Some(owner) => {
            let line = crate::sys::process::ancestors(owner.pid);
            let managed = processes.iter().find(|process| process.pid().is_some_and(|pid| line.contains(&pid)));
            let managed = managed.map(|process| process.name.to_string());
            PortHolder::Process { pid: owner.pid, command: owner.command, managed }
        }
        None => PortHolder::Hidden { user: net::user_name(listener.uid) },
    };
    Some(Conflict { port, holder })
}

/// Who listens on `port`, by name if it is a process whose directory is beside `dir`.
#[must_use]
pub fn listening_beside(port: u16, dir: &Path) -> Option<Conflict> {
    let mut conflict = listening(port, &[])?;
    if let PortHolder::Process { pid, managed, .. } = &mut conflict.holder {
        let own = crate::sys::process::variable(*pid, "TSM_PROCESS_DIR").map(PathBuf::from);
        let own = own.filter(|own| own.parent() == dir.parent() && ownership::means_same_place(*pid, own));
        *managed = own.and_then(|own| Some(own.file_name()?.to_string_lossy().into_owned()));
    }
    Some(conflict)
}

/// The managed process that has claimed `port` and runs.
#[must_use]
pub fn claimed(port: u16, processes: &[Process]) -> Option<Conflict> {
    let claims = |process: &&Process| {
        process.meta.port == Some(port)
            && !process.meta.run.port_guessed
            && (process.is_running() || matches!(process.live.state, ProcessState::Waiting | ProcessState::Unknown))
    };
    let process = processes.iter().find(claims)?;
    let (name, pid, command) = (process.name.to_string(), process.pid(), redact::text(&process.meta.command));
    Some(Conflict { port, holder: PortHolder::Claimed { name, pid, command } })
}

impl Conflict {
    /// The port and its holder in one line.
    #[must_use]
    pub fn line(&self) -> String {
        let port = self.port;
        match &self.holder {
            PortHolder::Process { pid, command, .. } => {
                format!("port {port} is in use by PID {pid} ({})", truncate(command))
            }
            PortHolder::Hidden { user } => format!("port {port} is in use by a process of {user}"),
            PortHolder::Claimed { name, .. } => format!("port {port} belongs to `{name}`"),
        }
    }

    /// How to get the port.
    #[must_use]
    pub fn suggestion(&self) -> String {
        match &self.holder {
            PortHolder::Process { managed: Some(name), .. } | PortHolder::Claimed { name, .. } => {
                format!("tsm stop {name}")
            }
            PortHolder::Process { pid, managed: None, .. } => format!("kill {pid}"),
            PortHolder::Hidden { .. } => format!("sudo ss -ltnp 'sport = :{}' shows it", self.port),
        }
    }
}

/// The published block, word for word.
impl fmt::Display for Conflict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.holder {
            // No process listens there.
            PortHolder::Claimed { name, .. } => writeln!(f, "🔴 Port {} belongs to {name}!", self.port)?,
            _ => writeln!(f, "🔴 Port {} is already in use!", self.port)?,
        }
        match &self.holder {
            PortHolder::Process { pid, command, .. } => {
                writeln!(f, "   Blocking process: PID {pid}")?;
                writeln!(f, "   Command: {}", truncate(command))?;
            }
            PortHolder::Hidden { user } => {
                writeln!(f, "   Blocking process: a process of user {user} (its PID is visible to root only)")?;
            }
            PortHolder::Claimed { name, pid, command } => {
                match pid {
                    Some(pid) => writeln!(f, "   Blocking process: PID {pid} ({name}, not listening yet)")?,
                    None => writeln!(f, "   Blocking process: {name} (starting)")?,
                }
                writeln!(f, "   Command: {}", truncate(command))?;
            }
        }
        writeln!(f, "\nSolutions:\n   • Stop the process: {}", self.suggestion())?;
        writeln!(f, "   • Or use a different port in your config")?;
        write!(f, "   • Or use: tsm doctor")
    }
}

fn truncate(command: &str) -> String {
    let one_line = command.replace(['\n', '\t'], " ");
    match one_line.char_indices().nth(MAX_COMMAND_WIDTH) {
        Some((end, _)) => format!("{}…", &one_line[..end]),
        None => one_line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn by(command: &str, managed: Option<&str>) -> Conflict {
        let holder =
            PortHolder::Process { pid: 12345, command: command.to_owned(), managed: managed.map(str::to_owned) };
        Conflict { port: 3000, holder }
    }

    #[test]
    fn the_block_is_the_published_one() {
        assert_eq!(
            by("node server.js", None).to_string(),
            "🔴 Port 3000 is already in use!\n   Blocking process: PID 12345\n   Command: node server.js\n\nSolutions:\n   \
             • Stop the process: kill 12345\n   • Or use a different port in your config\n   • Or use: tsm doctor"
        );
    }

    #[test]
    fn a_managed_process_is_stopped_by_name() {
        assert!(by("node server.js", Some("api-3000")).to_string().contains("Stop the process: tsm stop api-3000\n"));
    }

    #[test]
    fn a_long_command_is_cut_between_characters() {
        let text = by(&"é".repeat(200), None).to_string();
        assert!(text.contains(&format!("Command: {}…\n", "é".repeat(80))));
    }

    #[test]
    fn who_listens_is_named() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a socket");
        let port = socket.local_addr().expect("its address").port();
        let Some(Conflict { holder: PortHolder::Process { pid, .. }, .. }) = find(port, &[]) else {
            panic!("we hold it");
        };
        assert_eq!(pid, crate::sys::process::own_pid());
        drop(socket);
        assert_eq!(find(port, &[]), None);
    }
}
