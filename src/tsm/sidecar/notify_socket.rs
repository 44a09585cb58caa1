//! The socket on which a process reports that it is ready.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::time::Duration;

use crate::supervise::meta::{Meta, ProcessState};
use crate::sys::credential_socket::CredentialSocket;
use crate::sys::process;

use super::health::HealthState;
use super::watcher::{Now, RestartReason, Watcher};
use super::{NOTIFY, SOCKET};

/// The largest message that is read, in bytes.
const MAX_MESSAGE: usize = 4096;

/// Takes what a process reports about itself.
pub(super) struct NotifySocket {
    socket: CredentialSocket,
    /// Who may report, beside root and ourselves.
    user: Option<u32>,
}

impl NotifySocket {
    /// None if the process reports nothing. The socket is in its directory, or without a file where the process runs as a user
    /// that cannot enter that.
    ///
    /// # Errors
    ///
    /// Fails if the socket cannot be made.
    pub(super) fn new(dir: &Path, meta: &Meta) -> io::Result<Option<Self>> {
        if !meta.run.monitor.notify {
            return Ok(None);
        }
        let announced = meta.run.set.iter().find(|(key, _)| key == NOTIFY).map(|(_, socket)| socket);
        let socket = match announced.and_then(|socket| socket.strip_prefix('@')) {
            Some(name) => CredentialSocket::bind_abstract(name)?,
            None => CredentialSocket::bind_path(&dir.join(SOCKET))?,
        };
        Ok(Some(Self { socket, user: meta.run.user.as_ref().map(|user| user.uid) }))
    }
}

impl Watcher for NotifySocket {
    fn due(&self, _: Now) -> Option<Duration> {
        None
    }

    fn check(&mut self, _: &Meta, health: &mut HealthState, _: Now) -> Option<RestartReason> {
        let mut message = [0; MAX_MESSAGE];
        while let Some((length, from)) = self.socket.recv(&mut message) {
            if from != 0 && from != process::own_uid() && Some(from) != self.user {
                continue;
            }
            for line in String::from_utf8_lossy(&message[..length]).lines() {
                match line.split_once('=') {
                    Some(("READY", "1")) => health.notified = true,
                    Some(("STATUS", text)) => text.clone_into(&mut health.status_text),
                    // The rest of the protocol is for a manager that has a use for it.
                    _ => {}
                }
            }
        }
        None
    }

    /// Also while it starts: what is not read would wake us again and again.
    fn is_active(&self, _: ProcessState) -> bool {
        true
    }

    fn event(&self) -> Option<BorrowedFd<'_>> {
        Some(self.socket.as_fd())
    }
}

/// What the process in `dir` finds in `NOTIFY_SOCKET`. A name that starts with `@` has no file: any user could take it first, so
/// it is random.
///
/// # Errors
///
/// Fails if random numbers cannot be had.
pub(in crate::tsm) fn socket_of(dir: &Path, runs_as_other: bool) -> io::Result<String> {
    if runs_as_other {
        CredentialSocket::random_name().map(|name| format!("@{name}"))
    } else {
        Ok(dir.join(SOCKET).display().to_string())
    }
}
