//! A socket on which other processes say short things, and who said them.

use std::fs::File;
use std::io::{self, IoSliceMut, Read};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::Path;

use nix::cmsg_space;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, UnixCredentials, recvmsg, setsockopt, sockopt};

/// The socket.
#[derive(Debug)]
pub struct CredentialSocket(UnixDatagram);

impl CredentialSocket {
    /// A socket at a path, made anew.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be made there.
    pub fn bind_path(path: &Path) -> io::Result<Self> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        Self::from_socket(UnixDatagram::bind(path)?)
    }

    /// A socket that has a name and no file: a process that knows the name reaches it, whatever directories it may not enter.
    ///
    /// # Errors
    ///
    /// Fails if the name is taken or too long.
    pub fn bind_abstract(name: &str) -> io::Result<Self> {
        Self::from_socket(UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(name)?)?)
    }

    /// A name that no other process can have taken before.
    ///
    /// # Errors
    ///
    /// Fails if the kernel gives no random numbers.
    pub fn random_name() -> io::Result<String> {
        let mut bytes = [0; 16];
        File::open("/dev/urandom")?.read_exact(&mut bytes)?;
        Ok(format!("tetra-{:032x}", u128::from_ne_bytes(bytes)))
    }

    fn from_socket(socket: UnixDatagram) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        setsockopt(&socket, sockopt::PassCred, &true)?;
        Ok(Self(socket))
    }

    /// The next message and the user who sent it; none if there is none, or if its sender is not known.
    pub fn recv(&self, into: &mut [u8]) -> Option<(usize, u32)> {
        let mut space = cmsg_space!(UnixCredentials);
        let mut slices = [IoSliceMut::new(into)];
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_CMSG_CLOEXEC;
        let message = recvmsg::<()>(self.0.as_raw_fd(), &mut slices, Some(&mut space), flags).ok()?;
        let from = message.cmsgs().ok()?.find_map(|it| match it {
            ControlMessageOwned::ScmCredentials(who) => Some(who.uid()),
            _ => None,
        });
        Some((message.bytes, from?))
    }
}

impl AsFd for CredentialSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_hear_who_speaks() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("ear");
        let name = format!("tetra-ear-{}", std::process::id());
        let mouth = UnixDatagram::unbound().expect("a socket");
        let [filed, named] =
            [CredentialSocket::bind_path(&path).expect("made"), CredentialSocket::bind_abstract(&name).expect("made")];
        mouth.send_to(b"one", &path).expect("sent");
        mouth.send_to_addr(b"two", &SocketAddr::from_abstract_name(&name).expect("a name")).expect("sent");
        for (ear, said) in [(filed, b"one"), (named, b"two")] {
            let mut bytes = [0; 8];
            assert_eq!(ear.recv(&mut bytes), Some((3, crate::sys::process::own_uid())));
            assert_eq!(&bytes[..3], said);
            assert_eq!(ear.recv(&mut bytes), None);
        }
    }
}
