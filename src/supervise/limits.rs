//! What a child is held to, and as whom it runs. Decided by the starter, carried out between fork and exec.
//!
//! The forked child has one thread, as the supervisor has, so all of this may allocate; it asks no name service and takes no lock.

use std::io;
use std::os::fd::AsRawFd;
use std::path::PathBuf;

use nix::sys::resource::{Resource, setrlimit};
use serde::{Deserialize, Serialize};

/// The most that a child may have; 0 for no limit of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// Bytes of memory.
    pub memory_max: u64,
    /// Open files of each process.
    pub nofile: u64,
    /// Processes and threads of its user. The kernel does not hold root to it.
    pub nproc: u64,
}

/// What enforces the limit of memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MemoryMethod {
    /// Nothing: there is no limit.
    #[default]
    Nothing,
    /// A control group: what the child and all it starts really use together. Beyond it the kernel kills.
    Group,
    /// `RLIMIT_DATA`, where no group can be made: what each process reserves for itself. Beyond it no more is given.
    Data,
}

/// The user that a child runs as, as found when it was started.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct RunAsUser {
    /// The login name.
    pub name: String,
    /// The user id.
    pub uid: u32,
    /// The group id.
    pub gid: u32,
    /// All groups, that one among them.
    pub groups: Vec<u32>,
    /// The home directory.
    pub home: PathBuf,
    /// The login shell.
    pub shell: String,
}

impl Limits {
    /// True if there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Limits the files and processes of this process. What it may not have is an error that names the limit.
    pub(super) fn set_rlimits(&self) -> Result<(), LimitError> {
        for (resource, value, name) in
            [(Resource::RLIMIT_NOFILE, self.nofile, "open files"), (Resource::RLIMIT_NPROC, self.nproc, "processes")]
        {
            if value > 0 {
                set_rlimit(resource, value)
                    .map_err(|error| LimitError::new(&format!("limit {name} to {value}"), &error))?;
            }
        }
        Ok(())
    }

    /// Limits the memory of this process, and of each that it starts, where no group does.
    pub(super) fn limit_memory(&self, by: MemoryMethod) -> Result<(), LimitError> {
        match by {
            MemoryMethod::Nothing | MemoryMethod::Group => Ok(()),
            MemoryMethod::Data => set_rlimit(Resource::RLIMIT_DATA, self.memory_max)
                .map_err(|error| LimitError::new(&format!("limit memory to {} bytes", self.memory_max), &error)),
        }
    }
}

impl MemoryMethod {
    /// True if there is no limit.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::Nothing
    }
}

impl RunAsUser {
    /// Becomes this user for good: groups, then group, then user, each in all its forms. A process of that user stays as it is.
    pub(super) fn set_ids(&self) -> Result<(), LimitError> {
        // SAFETY: asks for numbers; touches no memory.
        if unsafe { libc::geteuid() } == self.uid {
            return Ok(());
        }
        let done = |result: libc::c_int| if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) };
        // SAFETY: the list is ours and as long as said.
        done(unsafe { libc::setgroups(self.groups.len(), self.groups.as_ptr()) })
            // SAFETY: takes numbers; touches no memory.
            .and_then(|()| done(unsafe { libc::setresgid(self.gid, self.gid, self.gid) }))
            // SAFETY: as above.
            .and_then(|()| done(unsafe { libc::setresuid(self.uid, self.uid, self.uid) }))
            .map_err(|error| LimitError::new(&format!("change to the user `{}`", self.name), &error))
    }
}

/// Lets the child open its own output anew by `/dev/stdout`, also as another user. Whom the directory keeps out reaches it in
/// no other way.
pub(super) fn allow_reopen(output: &impl AsRawFd) -> io::Result<()> {
    // SAFETY: takes numbers; touches no memory.
    match unsafe { libc::fchmod(output.as_raw_fd(), 0o622) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// What could not be done, in words and as an error number.
#[derive(Debug)]
pub(super) struct LimitError {
    pub(super) errno: i32,
    pub(super) message: String,
}

impl LimitError {
    pub(super) fn new(action: &str, error: &io::Error) -> Self {
        Self { errno: error.raw_os_error().unwrap_or(libc::EIO), message: format!("failed to {action}: {error}") }
    }
}

/// Sets both the limit in force and the one up to which it could be raised again.
fn set_rlimit(resource: Resource, value: u64) -> io::Result<()> {
    Ok(setrlimit(resource, value, value)?)
}
