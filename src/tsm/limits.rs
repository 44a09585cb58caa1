//! What a process may have and as whom it runs: as written, as found on this machine, in words.

use std::fmt;
use std::str::FromStr;

use crate::base::fault::{FaultKind, UserFacingError};
use crate::base::size::{InvalidSize, Size};
use crate::base::suggest::closest_match;
use crate::supervise::limits::{Limits, MemoryMethod, RunAsUser};
use crate::sys::{passwd, process};

/// A limit of memory in bytes; 0 for none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryMax(pub u64);

/// So much memory that its use leads to a restart; in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxMemoryRestart(pub u64);

impl FromStr for MaxMemoryRestart {
    type Err = InvalidMaxMemoryRestart;

    fn from_str(given: &str) -> Result<Self, InvalidMaxMemoryRestart> {
        match given.trim().parse() {
            Ok(Size(bytes)) if bytes >= MIN_MEMORY => Ok(Self(bytes)),
            Ok(_) => Err(InvalidMaxMemoryRestart::TooSmall(given.to_owned())),
            Err(error) => Err(InvalidMaxMemoryRestart::InvalidSize(error)),
        }
    }
}

/// A text that is not a size of memory to be restarted above.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMaxMemoryRestart {
    /// Every program uses more.
    #[error("invalid size `{0}`: expected at least 4M (any program uses more)")]
    TooSmall(String),
    /// It is not a size.
    #[error(transparent)]
    InvalidSize(#[from] InvalidSize),
}

/// A text that is not a limit of memory.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid memory limit `{0}`: expected a size of at least 4M with a unit, such as 300M or 2G, or none")]
pub struct InvalidMemoryMax(pub String);

/// What to do about a limit that was refused.
pub const RAISE_ADVICE: &str =
    "a limit cannot be above that of the user (`ulimit -Hn`, `ulimit -Hu`); root can raise it";

/// No program starts with less.
const MIN_MEMORY: u64 = 4 << 20;

impl FromStr for MemoryMax {
    type Err = InvalidMemoryMax;

    fn from_str(given: &str) -> Result<Self, InvalidMemoryMax> {
        match given.trim() {
            "none" | "0" => Ok(Self(0)),
            size => match size.parse() {
                Ok(Size(bytes)) if bytes >= MIN_MEMORY => Ok(Self(bytes)),
                _ => Err(InvalidMemoryMax(given.to_owned())),
            },
        }
    }
}

impl fmt::Display for MemoryMax {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 { f.write_str("none") } else { Size(self.0).fmt(f) }
    }
}

/// Why a process cannot run as a user.
#[derive(Debug, thiserror::Error)]
pub enum UserError {
    /// There is no such user.
    #[error("user `{name}` does not exist")]
    Unknown {
        /// The name.
        name: String,
        /// One that was meant, perhaps.
        suggestion: Option<String>,
    },
    /// Only root may run something as another user.
    #[error("permission denied to run a process as `{name}`: only root can, and this is `{own}`")]
    NotRoot {
        /// The other user.
        name: String,
        /// Who asks.
        own: String,
    },
    /// The users cannot be read.
    #[error("failed to read `/etc/passwd`")]
    Unreadable {
        /// Why.
        source: std::io::Error,
    },
}

impl UserFacingError for UserError {
    fn kind(&self) -> FaultKind {
        match self {
            Self::Unknown { .. } => FaultKind::NotFound,
            Self::NotRoot { .. } => FaultKind::Refused,
            Self::Unreadable { .. } => FaultKind::Failed,
        }
    }

    fn advice(&self) -> Option<String> {
        match self {
            Self::Unknown { suggestion: Some(near), .. } => Some(format!("did you mean `{near}`?")),
            Self::Unknown { name, suggestion: None } => Some(format!("`useradd --system {name}` creates it")),
            Self::NotRoot { name, .. } => Some(format!("run the command as that user: `sudo -u {name} tsm …`")),
            Self::Unreadable { .. } => None,
        }
    }
}

/// Finds the user that a process is to run as, and whether that may be.
///
/// # Errors
///
/// Fails if there is no such user, or if only root may run something as it.
pub fn user(name: &str) -> Result<RunAsUser, UserError> {
    let found = passwd::find(name).map_err(|source| UserError::Unreadable { source })?;
    let Some(user) = found else {
        let names = passwd::names();
        let near = closest_match(name, names.iter().map(String::as_str)).map(str::to_owned);
        return Err(UserError::Unknown { name: name.to_owned(), suggestion: near });
    };
    let own = process::own_uid();
    if own != 0 && own != user.uid {
        return Err(UserError::NotRoot { name: user.name, own: crate::sys::net::user_name(own) });
    }
    let passwd::PasswdEntry { name, uid, gid, groups, home, shell } = user;
    Ok(RunAsUser { name, uid, gid, groups, home, shell })
}

/// How a note begins that a limit of the environment is lowered.
const REDUCED: &str = "limit_nofile is reduced to";

/// True for a note that is about the environment of a process and so the same for all of them.
#[must_use]
pub fn is_of_environment(note: &str) -> bool {
    note.starts_with(REDUCED)
}

/// The limits of an environment, as far as this machine lets us; what is cut off is said.
#[must_use]
pub fn within_reach(limits: Limits) -> (Limits, Option<String>) {
    // Most say nothing, and then nothing has to be looked up.
    let most = if limits.nofile == 0 { u64::MAX } else { process::fd_limit() };
    if limits.nofile <= most {
        return (limits, None);
    }
    let note =
        format!("{REDUCED} {most}: the environment sets {}, which is above the limit of this user", limits.nofile);
    (Limits { nofile: most, ..limits }, Some(note))
}

/// Limits in words, one each; what holds the memory where that is known.
#[must_use]
pub fn describe(limits: &Limits, by: Option<MemoryMethod>) -> Vec<String> {
    let mut words = Vec::new();
    if limits.memory_max > 0 {
        let how = match by {
            Some(MemoryMethod::Group) => " (all processes together, control group)",
            Some(MemoryMethod::Data) => " (private memory of each process, RLIMIT_DATA: no control group available)",
            Some(MemoryMethod::Nothing) | None => "",
        };
        words.push(format!("memory {}{how}", Size(limits.memory_max)));
    }
    if limits.nofile > 0 {
        words.push(format!("{} open files", limits.nofile));
    }
    if limits.nproc > 0 {
        words.push(format!("{} processes of its user", limits.nproc));
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tiny_limit_of_memory_is_refused() {
        let read = |text: &str| text.parse::<MemoryMax>().ok().map(|it| it.0);
        assert_eq!((read("300M"), read("none"), read("0")), (Some(300 << 20), Some(0), Some(0)));
        for bad in ["300", "1M", "-1", "", "much"] {
            assert_eq!(read(bad), None, "{bad}");
        }
        assert_eq!([MemoryMax(0), MemoryMax(2 << 30)].map(|it| it.to_string()), ["none", "2G"]);
    }

    #[test]
    fn an_unknown_user_has_a_neighbour() {
        let error = user("rooot").expect_err("there is no such user");
        assert_eq!((error.kind(), error.advice()), (FaultKind::NotFound, Some("did you mean `root`?".to_owned())));
    }
}
