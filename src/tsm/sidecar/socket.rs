//! The socket on which a process says that it is ready.

use std::io;
use std::path::Path;

use crate::supervise::meta::Meta;
use crate::sys::credential_socket::CredentialSocket;
use crate::tsm::create::NOTIFY;

use super::SOCKET;

/// The socket that a process was told of: in its directory, or without a file where it runs as a user to whom that is closed.
pub(super) fn listen(dir: &Path, meta: &Meta) -> io::Result<CredentialSocket> {
    let told = meta.run.set.iter().find(|(key, _)| key == NOTIFY).map(|(_, socket)| socket);
    match told.and_then(|socket| socket.strip_prefix('@')) {
        Some(name) => CredentialSocket::bind_abstract(name),
        None => CredentialSocket::bind_path(&dir.join(SOCKET)),
    }
}

/// What the process in `dir` finds in `NOTIFY_SOCKET`. An `@` stands before a name that is no file: everybody could take such a
/// name first, so it is one that nobody can know.
///
/// # Errors
///
/// Fails if there are no random numbers.
pub(in crate::tsm) fn socket_of(dir: &Path, runs_as_other: bool) -> io::Result<String> {
    if runs_as_other {
        CredentialSocket::random_name().map(|name| format!("@{name}"))
    } else {
        Ok(dir.join(SOCKET).display().to_string())
    }
}
