//! Control sockets of ssh, and whether the ssh behind one still works.

use std::fs;
use std::io::{self, Read};
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, SystemTime};

use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, setsockopt, socket, sockopt};
use nix::sys::time::TimeVal;

/// The message that ssh greets with, after four bytes of its length.
const HELLO: [u8; 4] = [0, 0, 0, 1];

/// True if the ssh that made the socket greets who connects, within a time. One that was killed left a socket that refuses; one that
/// hangs says nothing.
#[must_use]
pub fn greets(path: &Path, patience: Duration) -> bool {
    let mut hello = [0; 8];
    open(path, patience).is_ok_and(|mut ssh| ssh.read_exact(&mut hello).is_ok()) && hello[4..] == HELLO
}

/// True if nothing has the socket open any more, or it is none.
#[must_use]
pub fn is_left_over(path: &Path, patience: Duration) -> bool {
    open(path, patience).is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
}

/// How long ago it was made; none if it is not there.
#[must_use]
pub fn age(path: &Path) -> Option<Duration> {
    let made = fs::symlink_metadata(path).ok()?.modified().ok()?;
    // A clock that was set back makes it old, not new.
    Some(SystemTime::now().duration_since(made).unwrap_or(Duration::MAX))
}

fn open(path: &Path, patience: Duration) -> io::Result<UnixStream> {
    let connecting = socket(AddressFamily::Unix, SockType::Stream, SockFlag::SOCK_CLOEXEC, None)?;
    let limit = TimeVal::new(patience.as_secs().try_into().unwrap_or(1), patience.subsec_micros().into());
    // The first is also that of `connect`, which waits where one that hangs has a full queue.
    setsockopt(&connecting, sockopt::SendTimeout, &limit)?;
    setsockopt(&connecting, sockopt::ReceiveTimeout, &limit)?;
    connect(connecting.as_raw_fd(), &UnixAddr::new(path)?)?;
    Ok(connecting.into())
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::os::unix::net::UnixListener;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(20);

    fn greeted(hello: &[u8]) -> bool {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("s");
        let listener = UnixListener::bind(&path).expect("bound");
        std::thread::scope(|scope| {
            scope.spawn(|| listener.accept().expect("asked").0.write_all(hello).expect("written"));
            greets(&path, PATIENCE)
        })
    }

    #[test]
    fn an_ssh_that_works_greets() {
        assert!(greeted(&[0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0, 4]));
        assert!(!greeted(b"SSH-2.0-OpenSSH"));
        assert!(!greeted(b""));
    }

    #[test]
    fn one_that_hangs_or_was_killed_does_not() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("s");
        assert!(!greets(&path, PATIENCE));
        assert!(!is_left_over(&path, PATIENCE));
        assert_eq!(age(&path), None);
        let listener = UnixListener::bind(&path).expect("bound");
        assert!(!greets(&path, Duration::from_millis(1)));
        assert!(!is_left_over(&path, PATIENCE));
        drop(listener);
        assert!(is_left_over(&path, PATIENCE));
        assert!(age(&path).is_some());
    }
}
