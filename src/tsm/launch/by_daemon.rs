//! Having the daemon execute what a process needs, so that it belongs to the unit of the daemon and not to this login.

use std::fs::File;
use std::io::{self, Read, Seek};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use super::request::{LaunchAnswer, LaunchKind, LaunchRequest};
use crate::supervise::client::{self, LaunchError, LaunchResult, STARTUP_TIMEOUT};
use crate::sys::launch_socket::LaunchConnection;
use crate::sys::process;

/// The socket of the daemon, beside the directory of the process directories.
pub const SOCKET: &str = "daemon.socket";

/// How long a daemon may take to take a request. One that does not is as good as none.
const TAKE_TIMEOUT: Duration = Duration::from_secs(2);

/// The daemon that looks after the process in `dir`; none if none runs, or if it is this very process.
fn daemon_of(dir: &Path) -> Option<LaunchConnection> {
    let daemon = connect(&dir.parent()?.parent()?.join(SOCKET))?;
    daemon.peer().is_some_and(|(pid, _)| pid != process::own_pid()).then_some(daemon)
}

fn connect(socket: &Path) -> Option<LaunchConnection> {
    if !socket.exists() {
        return None;
    }
    LaunchConnection::open(socket, TAKE_TIMEOUT).ok()
}

/// True if a daemon would be asked to launch the process in `dir`.
#[must_use]
pub fn is_there(dir: &Path) -> bool {
    daemon_of(dir).is_some()
}

/// True if a daemon listens at `socket`, this process or another.
#[must_use]
pub fn listens(socket: &Path) -> bool {
    connect(socket).is_some()
}

/// Has the daemon launch the supervisor of the process in `dir`; none if there is no daemon that does it: then nothing was done.
pub(super) fn supervisor(program: &Path, dir: &Path) -> Option<Result<LaunchResult, LaunchError>> {
    let daemon = daemon_of(dir)?;
    let mut is_taken = true;
    let answer = client::launch_through(program, dir, |words: OwnedFd| {
        match ask(&daemon, LaunchKind::Supervisor, dir, words.as_fd())? {
            Some(LaunchAnswer::Refused { why }) => Err(io::Error::other(why)),
            // An exit code says less than the first word, which comes through the pipe.
            Some(LaunchAnswer::Taken | LaunchAnswer::Done { .. }) => Ok(()),
            None => {
                is_taken = false;
                Err(io::ErrorKind::TimedOut.into())
            }
        }
    });
    match answer {
        // The daemon ended with the request in its hands.
        Err(LaunchError::SupervisorDied { dir }) if !client::is_supervised(&dir) && !is_there(&dir) => None,
        answer => is_taken.then_some(answer),
    }
}

/// Has the daemon start the sidecar of the process in `dir`; none as above.
pub(super) fn sidecar(dir: &Path) -> Option<io::Result<()>> {
    let daemon = daemon_of(dir)?;
    let start = || {
        let mut said: File = tempfile::tempfile()?;
        let Some(answer) = ask(&daemon, LaunchKind::Sidecar, dir, said.as_fd())? else { return Ok(None) };
        let why = match answer {
            LaunchAnswer::Done { code: 0 } | LaunchAnswer::Taken => return Ok(Some(())),
            LaunchAnswer::Refused { why } => why,
            LaunchAnswer::Done { .. } => {
                let mut text = String::new();
                said.rewind().and_then(|()| said.read_to_string(&mut text))?;
                text.trim().to_owned()
            }
        };
        Err(io::Error::other(if why.is_empty() { "it ended before it was ready".to_owned() } else { why }))
    };
    start().transpose()
}

/// Asks, and waits for the last answer; none if the daemon does not take the request.
fn ask(
    daemon: &LaunchConnection,
    launch: LaunchKind,
    dir: &Path,
    output: BorrowedFd,
) -> io::Result<Option<LaunchAnswer>> {
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    if daemon.send(&LaunchRequest::new(launch, &name).encode(), Some(output)).is_err() {
        return Ok(None);
    }
    let mut answer = daemon.receive();
    if answer.is_err() {
        // It may be taken in this very moment, but not later.
        daemon.give_up();
        answer = daemon.receive();
    }
    match answer {
        Ok((bytes, _)) if !bytes.is_empty() => match LaunchAnswer::decode(&bytes)? {
            LaunchAnswer::Taken => {}
            answer => return Ok(Some(answer)),
        },
        _ => return Ok(None),
    }
    daemon.set_limit(STARTUP_TIMEOUT)?;
    match daemon.receive() {
        Ok((bytes, _)) if !bytes.is_empty() => LaunchAnswer::decode(&bytes).map(Some),
        // What was executed says the rest itself.
        _ => Ok(Some(LaunchAnswer::Taken)),
    }
}
