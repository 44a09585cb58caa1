//! What a process may have and as whom it runs: as written, as found on this machine, in words.

use std::fmt;
use std::str::FromStr;

use crate::base::fault::{Advise, Kind};
use crate::base::near::nearest;
use crate::base::size::{BadSize, Size};
use crate::supervise::limits::{Account, Limits, MemoryBy};
use crate::sys::{account, process};

/// A limit of memory in bytes; 0 for none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryMax(pub u64);

/// So much memory that its use leads to a restart; in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MaxMemory(pub u64);

impl FromStr for MaxMemory {
    type Err = BadMaxMemory;

    fn from_str(given: &str) -> Result<Self, BadMaxMemory> {
        match given.trim().parse() {
            Ok(Size(bytes)) if bytes >= LEAST => Ok(Self(bytes)),
            Ok(_) => Err(BadMaxMemory::TooLittle(given.to_owned())),
            Err(error) => Err(BadMaxMemory::NoSize(error)),
        }
    }
}

/// A text that is no memory to be restarted above.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadMaxMemory {
    /// Every program uses more.
    #[error("`{0}` is less than any program uses, so it would be restarted all the time; write a size from 4M on")]
    TooLittle(String),
    /// It is no size.
    #[error(transparent)]
    NoSize(#[from] BadSize),
}

/// A text that is no limit of memory.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no limit of memory; write a size from 4M on such as 300M or 2G, or none")]
pub struct BadMemoryMax(pub String);

/// What to do about a limit that was refused.
pub const RAISE: &str = "a limit may not be above the operator's own (`ulimit -Hn`, `ulimit -Hu`); root may raise it";

/// No program starts with less.
const LEAST: u64 = 4 << 20;

impl FromStr for MemoryMax {
    type Err = BadMemoryMax;

    fn from_str(given: &str) -> Result<Self, BadMemoryMax> {
        match given.trim() {
            "none" | "0" => Ok(Self(0)),
            size => match size.parse() {
                Ok(Size(bytes)) if bytes >= LEAST => Ok(Self(bytes)),
                _ => Err(BadMemoryMax(given.to_owned())),
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
    #[error("there is no user `{name}` on this machine")]
    Unknown {
        /// The name.
        name: String,
        /// One that was meant, perhaps.
        near: Option<String>,
    },
    /// Only root may run something as another user.
    #[error("no permission to run a process as `{name}`: only root may, and this is `{own}`")]
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

impl Advise for UserError {
    fn kind(&self) -> Kind {
        match self {
            Self::Unknown { .. } => Kind::NotFound,
            Self::NotRoot { .. } => Kind::Refused,
            Self::Unreadable { .. } => Kind::Failed,
        }
    }

    fn advice(&self) -> Option<String> {
        match self {
            Self::Unknown { near: Some(near), .. } => Some(format!("did you mean `{near}`?")),
            Self::Unknown { name, near: None } => Some(format!("`useradd --system {name}` makes it")),
            Self::NotRoot { name, .. } => Some(format!("`sudo -u {name} tsm …` acts as that user")),
            Self::Unreadable { .. } => None,
        }
    }
}

/// Finds the user that a process is to run as, and whether that may be.
///
/// # Errors
///
/// Fails if there is no such user, or if only root may run something as it.
pub fn user(name: &str) -> Result<Account, UserError> {
    let found = account::find(name).map_err(|source| UserError::Unreadable { source })?;
    let Some(user) = found else {
        let names = account::names();
        let near = nearest(name, names.iter().map(String::as_str)).map(str::to_owned);
        return Err(UserError::Unknown { name: name.to_owned(), near });
    };
    let own = process::own_uid();
    if own != 0 && own != user.uid {
        return Err(UserError::NotRoot { name: user.name, own: crate::sys::net::login(own) });
    }
    let account::User { name, uid, gid, groups, home, shell } = user;
    Ok(Account { name, uid, gid, groups, home, shell })
}

/// The limits of an environment, as far as this machine lets us; what is cut off is said.
#[must_use]
pub fn within_reach(limits: Limits) -> (Limits, Option<String>) {
    // Most say nothing, and then nothing has to be looked up.
    let most = if limits.nofile == 0 { u64::MAX } else { process::most_files() };
    if limits.nofile <= most {
        return (limits, None);
    }
    let note = format!("limit_nofile is {most}: the environment says {}, and no more is allowed here", limits.nofile);
    (Limits { nofile: most, ..limits }, Some(note))
}

/// Limits in words, one each; what holds the memory where that is known.
#[must_use]
pub fn in_words(limits: &Limits, by: Option<MemoryBy>) -> Vec<String> {
    let mut words = Vec::new();
    if limits.memory_max > 0 {
        let how = match by {
            Some(MemoryBy::Group) => " (all its processes together; a control group)",
            Some(MemoryBy::Data) => " (private memory of each process; no control group can be made here)",
            Some(MemoryBy::Nothing) | None => "",
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
    fn a_limit_of_memory_is_no_slip_of_the_finger() {
        let read = |text: &str| text.parse::<MemoryMax>().ok().map(|it| it.0);
        assert_eq!((read("300M"), read("none"), read("0")), (Some(300 << 20), Some(0), Some(0)));
        for bad in ["300", "1M", "-1", "", "much"] {
            assert_eq!(read(bad), None, "{bad}");
        }
        assert_eq!([MemoryMax(0), MemoryMax(2 << 30)].map(|it| it.to_string()), ["none", "2G"]);
    }

    #[test]
    fn an_unknown_user_has_a_neighbour() {
        let error = user("rooot").expect_err("nobody is called that");
        assert_eq!((error.kind(), error.advice()), (Kind::NotFound, Some("did you mean `root`?".to_owned())));
    }
}
