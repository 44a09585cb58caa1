//! What happens while processes are started or restarted, as values: a command shows it, others may pass it on.

use std::fmt;

use super::conflict::Conflict;
use crate::base::size::Size;

/// Something that happened during an operation, before its result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Progress {
    /// What a service's definition or environment says about its start.
    Note {
        /// The service; none if there is only one.
        service: Option<String>,
        /// The text.
        text: String,
    },
    /// A secrets file could be read by others, and its mode was changed.
    SecretsRestricted {
        /// The file with its old mode.
        notice: String,
    },
    /// Sealed secrets were opened for a process.
    SecretsUnsealed {
        /// The environment they belong to.
        environment: String,
    },
    /// A port that was only guessed is in use by another process.
    GuessedPortInUse(Conflict),
    /// A port that is needed is in use by another process.
    PortInUse(Conflict),
    /// The command and the settings of a process name different ports.
    PortMismatch {
        /// Which ports, and which one counts.
        text: String,
    },
    /// The limit of memory of a process does not hold for all that it starts together.
    WeakerMemoryLimit {
        /// The process.
        name: String,
        /// The limit, in bytes.
        most: u64,
        /// Who could have the whole limit by lingering; none if that is not what is missing.
        lingers: Option<String>,
    },
    /// A process does not have what is expected of it after a second.
    Waiting {
        /// `listen on port 3000`
        expected: String,
    },
    /// A dependency was started, or has ended with success.
    DependencyReady {
        /// Its full name.
        name: String,
        /// Its id.
        id: u32,
        /// Its pid; none if it has ended.
        pid: Option<u32>,
        /// Its port.
        port: Option<u16>,
    },
}

/// Receives what happens.
pub type OnProgress<'a> = dyn FnMut(Progress) + 'a;

impl fmt::Display for Progress {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Self::Note { service: Some(service), text } => write!(f, "{service}: {text}"),
            Self::Note { service: None, text } => f.write_str(text),
            Self::SecretsRestricted { notice } => f.write_str(notice),
            Self::SecretsUnsealed { environment } => write!(f, "opened the sealed secrets of {environment}"),
            Self::GuessedPortInUse(conflict) => write!(f, "{}; the port was only guessed", conflict.line()),
            Self::PortInUse(conflict) => write!(f, "{conflict}"),
            Self::PortMismatch { text } => f.write_str(text),
            Self::WeakerMemoryLimit { name, most, lingers } => {
                let most = Size(*most);
                write!(
                    f,
                    "the memory limit of {most} holds for each process of `{name}` by itself (RLIMIT_DATA), not for all of \
                     them together: no control group can be made here"
                )?;
                lingers.as_ref().map_or(Ok(()), |user| write!(f, "; `loginctl enable-linger {user}` allows one"))
            }
            Self::Waiting { expected } => write!(f, "waiting for it to {expected} (Ctrl-C stops the waiting only)"),
            Self::DependencyReady { name, id, pid: None, .. } => write!(f, "dependency {name} ({id}) succeeded"),
            Self::DependencyReady { name, id, pid: Some(_), port } => {
                write!(f, "started dependency {name} ({id})")?;
                port.map_or(Ok(()), |port| write!(f, ", port {port}"))
            }
        }
    }
}
