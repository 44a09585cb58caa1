//! Listening sockets: made here, or handed over by systemd; and how many descriptors a server may have.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::{AsFd, FromRawFd, OwnedFd};

use crate::base::fault::UserFacingError;

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::socket::{Backlog, getsockopt, listen, sockopt};

/// The first descriptor that is handed over: `SD_LISTEN_FDS_START` in sd_listen_fds(3).
const FIRST_FD: i32 = 3;

/// How many connections may wait to be accepted. The kernel takes less if `net.core.somaxconn` says so.
const BACKLOG: i32 = 1024;

/// Why no socket was handed over.
#[derive(Debug, thiserror::Error)]
pub enum HandoverError {
    /// Nothing was.
    #[error("no socket was handed over (`LISTEN_FDS` is not set for this process)")]
    Nothing,
    /// More than one was.
    #[error("expected one socket, found {0}")]
    TooMany(String),
    /// It is something else.
    #[error("the descriptor that was handed over is not a listening TCP socket")]
    NotListening(#[source] io::Error),
}

impl UserFacingError for HandoverError {
    fn advice(&self) -> Option<String> {
        Some("--socket is for a service that a .socket unit starts".to_owned())
    }
}

/// Listens on an address.
///
/// # Errors
///
/// As the system does.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    prepared(TcpListener::bind(address)?)
}

/// Takes the socket that systemd handed over, as sd_listen_fds(3) says. To be called once.
///
/// # Errors
///
/// Fails if there is not exactly one, or if it is not a TCP socket that listens.
pub fn inherited(variables: &BTreeMap<String, String>) -> Result<TcpListener, HandoverError> {
    let get = |name: &str| variables.get(name).map(String::as_str).filter(|value| !value.is_empty());
    let is_ours = get("LISTEN_PID").and_then(|pid| pid.parse().ok()) == Some(std::process::id());
    match get("LISTEN_FDS").filter(|_| is_ours) {
        None => return Err(HandoverError::Nothing),
        Some("1") => {}
        Some(count) => return Err(HandoverError::TooMany(count.to_owned())),
    }
    // SAFETY: the variables say that the descriptor is open and belongs to this process; nothing else here takes it.
    let fd = unsafe { OwnedFd::from_raw_fd(FIRST_FD) };
    let listens = getsockopt(&fd, sockopt::AcceptConn).map_err(io::Error::from);
    let listens = listens.and_then(|is| if is { Ok(()) } else { Err(io::ErrorKind::InvalidInput.into()) });
    let socket = listens.and_then(|()| {
        let socket = TcpListener::from(fd);
        // Another family has no address of this kind.
        socket.local_addr()?;
        prepared(socket)
    });
    socket.map_err(HandoverError::NotListening)
}

fn prepared(socket: TcpListener) -> io::Result<TcpListener> {
    socket.set_nonblocking(true)?;
    let _ = Backlog::new(BACKLOG).and_then(|backlog| listen(&socket.as_fd(), backlog));
    Ok(socket)
}

/// Raises the number of open files to what this user may have; the number.
#[must_use]
pub fn raise_fd_limit() -> u64 {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return 1024 };
    match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
        Ok(()) => hard,
        Err(_) => soft,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_handed_over_to_this_process_is_not_taken() {
        let own = std::process::id().to_string();
        for (pid, count, expected) in [
            (None, None, "no socket was handed over"),
            (Some("1"), Some("1"), "no socket was handed over"),
            (Some(own.as_str()), None, "no socket was handed over"),
            (Some(own.as_str()), Some("2"), "expected one socket, found 2"),
        ] {
            let pairs = [("LISTEN_PID", pid), ("LISTEN_FDS", count)];
            let variables = pairs.iter().filter_map(|(name, value)| Some(((*name).to_owned(), (*value)?.to_owned())));
            let error = inherited(&variables.collect()).expect_err("not ours");
            assert!(error.to_string().starts_with(expected), "{error}");
        }
    }

    #[test]
    fn an_address_in_use_is_an_error() {
        let first = bind("127.0.0.1:0".parse().expect("an address")).expect("bound");
        let address = first.local_addr().expect("an address");
        assert_eq!(bind(address).expect_err("taken").kind(), io::ErrorKind::AddrInUse);
    }
}
