//! The socket on which the daemon is asked to launch something: one message with one descriptor, and two short answers.
//!
//! It is in a private directory, and each side checks the other one's credentials: its own user, or root. The path of a socket has at
//! most 107 bytes, that of a directory of processes may have more; so both go through an open directory.

use std::fs;
use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::cmsg_space;
use nix::sys::socket::{
    AddressFamily, Backlog, ControlMessage, ControlMessageOwned, MsgFlags, Shutdown, SockFlag, SockType, UnixAddr,
    accept4, bind, connect, getsockopt, listen, recvmsg, sendmsg, setsockopt, shutdown, socket, sockopt,
};
use nix::sys::time::TimeVal;

use super::process;
use crate::disk;

/// The longest message.
pub const MAX_MESSAGE: usize = 4096;

/// So many may wait to be answered.
const BACKLOG: i32 = 64;

/// The daemon's end.
#[derive(Debug)]
pub struct LaunchListener {
    socket: OwnedFd,
    path: PathBuf,
}

impl LaunchListener {
    /// Makes the socket anew. The caller holds the lock of the daemon, so an existing one is not used any more.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be made there.
    pub fn bind(path: &Path) -> io::Result<Self> {
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let listening = socket(AddressFamily::Unix, SockType::SeqPacket, flags, None)?;
        let (_directory, address) = address(path)?;
        bind(listening.as_raw_fd(), &address)?;
        listen(&listening, Backlog::new(BACKLOG)?)?;
        Ok(Self { socket: listening, path: path.to_owned() })
    }

    /// The next one who asks; none if there is none. Other users than ours and root are turned away.
    pub fn accept(&self) -> Option<LaunchConnection> {
        loop {
            let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
            let number = match accept4(self.socket.as_raw_fd(), flags) {
                Ok(number) => number,
                Err(nix::Error::EINTR | nix::Error::ECONNABORTED) => continue,
                Err(_) => return None,
            };
            // SAFETY: the kernel just made this descriptor for us.
            let connection = LaunchConnection(unsafe { OwnedFd::from_raw_fd(number) });
            if connection.peer().is_some_and(|(_, uid)| uid == 0 || uid == process::own_uid()) {
                return Some(connection);
            }
        }
    }
}

impl AsFd for LaunchListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for LaunchListener {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// The open directory of a socket, and the address of the socket in it.
fn address(path: &Path) -> io::Result<(OwnedFd, UnixAddr)> {
    let (directory, name) = path.parent().zip(path.file_name()).ok_or(io::ErrorKind::InvalidInput)?;
    let directory = disk::directory(directory)?;
    let address = UnixAddr::new(&Path::new("/proc/self/fd").join(directory.as_raw_fd().to_string()).join(name))?;
    Ok((directory, address))
}

/// One who asks, or who is asked.
#[derive(Debug)]
pub struct LaunchConnection(OwnedFd);

impl LaunchConnection {
    /// Connects to the daemon whose socket is at `path`; it is waited for at most `limit` at each step.
    ///
    /// # Errors
    ///
    /// Fails if no daemon listens there, or if that is another user's.
    pub fn open(path: &Path, limit: Duration) -> io::Result<Self> {
        let connecting = socket(AddressFamily::Unix, SockType::SeqPacket, SockFlag::SOCK_CLOEXEC, None)?;
        let patience = TimeVal::new(limit.as_secs().try_into().unwrap_or(1), limit.subsec_micros().into());
        setsockopt(&connecting, sockopt::SendTimeout, &patience)?;
        setsockopt(&connecting, sockopt::ReceiveTimeout, &patience)?;
        let (_directory, address) = address(path)?;
        connect(connecting.as_raw_fd(), &address)?;
        let connection = Self(connecting);
        match connection.peer() {
            Some((_, uid)) if uid == 0 || uid == process::own_uid() => Ok(connection),
            _ => Err(io::ErrorKind::PermissionDenied.into()),
        }
    }

    /// The other side: its pid and its user.
    #[must_use]
    pub fn peer(&self) -> Option<(u32, u32)> {
        let who = getsockopt(&self.0, sockopt::PeerCredentials).ok()?;
        Some((u32::try_from(who.pid()).ok()?, who.uid()))
    }

    /// Another limit for the answers that follow.
    ///
    /// # Errors
    ///
    /// Fails as the system does.
    pub fn set_limit(&self, limit: Duration) -> io::Result<()> {
        let patience = TimeVal::new(limit.as_secs().try_into().unwrap_or(1), limit.subsec_micros().into());
        Ok(setsockopt(&self.0, sockopt::ReceiveTimeout, &patience)?)
    }

    /// Sends one message, and a descriptor with it.
    ///
    /// # Errors
    ///
    /// Fails if the other side is gone, or does not read in time.
    pub fn send(&self, message: &[u8], descriptor: Option<BorrowedFd>) -> io::Result<()> {
        let numbers: Vec<i32> = descriptor.iter().map(AsRawFd::as_raw_fd).collect();
        let rights = [ControlMessage::ScmRights(&numbers)];
        let control = if numbers.is_empty() { &rights[..0] } else { &rights[..] };
        sendmsg::<()>(self.0.as_raw_fd(), &[IoSlice::new(message)], control, MsgFlags::MSG_NOSIGNAL, None)?;
        Ok(())
    }

    /// The next message, and the descriptor that came with it. An empty message says that the other side is gone.
    ///
    /// # Errors
    ///
    /// Fails if none comes in time, or none is there and this is the daemon's end.
    pub fn receive(&self) -> io::Result<(Vec<u8>, Option<OwnedFd>)> {
        let mut bytes = vec![0; MAX_MESSAGE];
        let mut space = cmsg_space!([i32; 4]);
        let mut slices = [IoSliceMut::new(&mut bytes)];
        let message = recvmsg::<()>(self.0.as_raw_fd(), &mut slices, Some(&mut space), MsgFlags::MSG_CMSG_CLOEXEC)?;
        let length = message.bytes;
        let mut descriptors = Vec::new();
        for control in message.cmsgs()? {
            if let ControlMessageOwned::ScmRights(numbers) = control {
                // SAFETY: the kernel just made these descriptors for us.
                descriptors.extend(numbers.into_iter().map(|number| unsafe { OwnedFd::from_raw_fd(number) }));
            }
        }
        bytes.truncate(length);
        Ok((bytes, descriptors.into_iter().next()))
    }

    /// Says that nothing more is waited for; what the other side sent before can still be received.
    pub fn give_up(&self) {
        let _ = shutdown(self.0.as_raw_fd(), Shutdown::Both);
    }
}

impl AsFd for LaunchConnection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::{Read, Write};

    use super::*;

    const LIMIT: Duration = Duration::from_secs(5);

    /// A socket with a path that is longer than an address may be.
    fn place() -> (tempfile::TempDir, PathBuf) {
        let root = tempfile::tempdir().expect("a directory");
        let directory = root.path().join("x".repeat(200));
        fs::create_dir(&directory).expect("a directory");
        (root, directory.join("daemon.socket"))
    }

    #[test]
    fn a_message_comes_with_its_descriptor() {
        let (_root, path) = place();
        let listener = LaunchListener::bind(&path).expect("bound");
        assert!(listener.accept().is_none());
        let asking = LaunchConnection::open(&path, LIMIT).expect("connected");
        let (mut reader, writer) = io::pipe().expect("a pipe");
        asking.send(b"launch", Some(writer.as_fd())).expect("sent");
        drop(writer);
        let asked = listener.accept().expect("one asks");
        assert_eq!(asked.peer(), Some((process::own_pid(), process::own_uid())));
        let (message, descriptor) = asked.receive().expect("received");
        assert_eq!(message, b"launch");
        File::from(descriptor.expect("a descriptor")).write_all(b"done").expect("written");
        let mut said = String::new();
        reader.read_to_string(&mut said).expect("read");
        assert_eq!(said, "done");
        asked.send(b"taken", None).expect("sent");
        assert_eq!(asking.receive().expect("received").0, b"taken");
    }

    #[test]
    fn who_gave_up_is_not_answered_and_still_reads_what_was_said_before() {
        let (_root, path) = place();
        let listener = LaunchListener::bind(&path).expect("bound");
        let asking = LaunchConnection::open(&path, LIMIT).expect("connected");
        let asked = listener.accept().expect("one asks");
        asked.send(b"taken", None).expect("sent");
        asking.give_up();
        assert!(asked.send(b"late", None).is_err());
        assert_eq!(asking.receive().expect("received").0, b"taken");
        assert!(asking.receive().expect("received").0.is_empty());
    }

    #[test]
    fn without_a_daemon_there_is_no_connection() {
        let (_root, path) = place();
        assert!(LaunchConnection::open(&path, LIMIT).is_err());
        drop(LaunchListener::bind(&path).expect("bound"));
        assert!(LaunchConnection::open(&path, LIMIT).is_err(), "the socket is removed");
    }
}
