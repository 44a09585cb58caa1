//! Files of keys on hosts, brought to what the store says: only lines of ours between our marks.

use super::access::{self, Undo, restore};
use super::error::TkmError;
use super::examine::{Examination, examine};
use super::login::Login;
use super::own_keys;
use super::remote::{self, KeysFile};
use super::ssh::Connection;
use super::state::StoreState;

/// The file of keys of a host, with the login that read it.
#[derive(Debug, Clone)]
pub struct RemoteLook {
    by: Login,
    before: KeysFile,
    /// What is in it.
    pub found: Examination,
}

impl RemoteLook {
    /// Reads the file by a key that the host accepts as far as is known, or by `given`.
    ///
    /// # Errors
    ///
    /// Fails if there is no login, or the file is none that is changed.
    pub fn take(connection: &Connection, state: &StoreState, given: &Login) -> Result<Self, TkmError> {
        let (by, before) = read(connection, state, given)?;
        let found = examine(state, connection.host, &before.bytes);
        Ok(Self { by, before, found })
    }

    /// The lines that go, and those that come.
    #[must_use]
    pub fn changes(&self) -> (Vec<String>, Vec<String>) {
        (only_in(&self.before.bytes, &self.found.wanted), only_in(&self.found.wanted, &self.before.bytes))
    }

    /// True if the file is another than it should be.
    #[must_use]
    pub fn is_to_be_mended(&self) -> bool {
        self.found.wanted != self.before.bytes
    }

    /// Makes the file as it should be, with the host ready to put it back, and tries the login and every key of which the line is
    /// another on fresh connections.
    ///
    /// # Errors
    ///
    /// Fails if it was not changed, was put back, or is put back by the host; the error says which.
    pub fn mend(&self, connection: &Connection) -> Result<(), TkmError> {
        let wanted = &self.found.wanted;
        if !self.is_to_be_mended() {
            // An earlier run may have ended before it said so.
            return remote::disarm(connection, &self.by);
        }
        remote::arm(connection, &self.by, wanted)?;
        let written = remote::write_keys(connection, &self.by, &self.before, wanted)?;
        access::verify(connection, &self.by).map_err(|error| access::armed(connection, error))?;
        for key in &self.found.mended {
            let tried = access::way_of(connection.store, key)
                .and_then(|way| way.map_or(Ok(()), |login| access::verify(connection, &login)));
            if let Err(error) = tried {
                let undo = Undo { written, before: &self.before.bytes };
                return Err(restore(connection, &self.by, undo, error));
            }
        }
        remote::disarm(connection, &self.by)
    }
}

fn read(connection: &Connection, state: &StoreState, given: &Login) -> Result<(Login, KeysFile), TkmError> {
    let mut refused = None;
    for key in state.let_in(&connection.host.name) {
        let enter = |login: Login| remote::read_keys(connection, &login).map(|file| (login, file));
        match access::way_of(connection.store, key).and_then(|way| way.map(enter).transpose()) {
            Ok(Some(found)) => return Ok(found),
            Ok(None) => {}
            Err(error) if access::is_about_key(&error) => refused = Some(error),
            Err(error) => return Err(error),
        }
    }
    match refused {
        // Keys of the operator would be tried next: a server shuts out who fails so often.
        Some(error) if *given == Login::Operator => Err(error),
        _ => {
            let by = own_keys::settle(connection, given)?;
            let file = remote::read_keys(connection, &by)?;
            Ok((by, file))
        }
    }
}

/// The lines of one text that the other has not, each as often as it has it more.
fn only_in(text: &[u8], other: &[u8]) -> Vec<String> {
    let mut rest: Vec<&[u8]> = other.split_inclusive(|byte| *byte == b'\n').collect();
    let mut found = Vec::new();
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        match rest.iter().position(|known| *known == line) {
            Some(at) => drop(rest.swap_remove(at)),
            None => found.push(String::from_utf8_lossy(line).trim_end().to_owned()),
        }
    }
    found
}
