//! What a command does about a supervisor that cannot hear, or that is an older program.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::time::Instant;

use super::client::{ControlCommand, SendError, send};
use super::meta;
use super::proc::{self, SignalTarget};
use super::protocol::UPGRADE_LINK;
use super::resume::supervisors;
use super::wait::{WaitError, wait_unsupervised};

pub use super::resume::resume_if_stopped;

/// Ends the supervisor of `dir`, whose orders FIFO was removed or replaced, so that another can be launched, which makes a new
/// one. The child lives on and loses nothing.
///
/// # Errors
///
/// Fails if a supervisor still runs at the deadline.
pub fn kill_supervisor(dir: &Path, deadline: Instant) -> Result<(), WaitError> {
    for (_, handle) in supervisors(dir, |_| true) {
        let _ = proc::signal(&handle, libc::SIGKILL, SignalTarget::Process);
    }
    wait_unsupervised(dir, deadline)
}

/// True when `program` is what the supervisor of `dir` runs: that very file, not one that was replaced since.
#[must_use]
pub fn runs_program(dir: &Path, program: &Path) -> bool {
    let guard = meta::read(dir).ok().flatten().map_or(0, |meta| meta.run_state.guard_pid);
    let file = |path: &Path| fs::metadata(path).map(|it| (it.dev(), it.ino())).ok();
    let running = file(Path::new(&format!("/proc/{guard}/exe")));
    running.is_some() && running == file(program)
}

/// Makes the supervisor of `dir` continue as `program` (absolute). The child does not notice. Returns at once: [`runs_program`] and a
/// new `worker_pid` in `meta.json` tell when it has; a program that cannot be executed changes nothing.
///
/// # Errors
///
/// Fails when `dir` has no supervisor, or its files cannot be written.
pub fn upgrade(dir: &Path, program: &Path) -> Result<(), SendError> {
    let (link, fresh) = (dir.join(UPGRADE_LINK), dir.join(".program.new"));
    let named = match symlink(program, &fresh) {
        // Left by a command that was cut off, perhaps for another program.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            fs::remove_file(&fresh).and_then(|()| symlink(program, &fresh))
        }
        made => made,
    };
    named.and_then(|()| fs::rename(&fresh, &link)).map_err(|source| SendError::Write { path: link, source })?;
    send(dir, ControlCommand::Upgrade)
}
