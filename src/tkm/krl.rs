//! The list of revoked keys (KRL): one in the store, and one on a host whose sshd reads it.
//!
//! `RevokedKeys` of sshd names it there, always as `tetra_revoked_keys` in a directory of root. The option is never set here:
//! with the file missing sshd refuses every key. What the file holds already stays, as others may have put it there.

use std::collections::BTreeMap;

use super::error::TkmError;
use super::key::PublicKey;
use super::keygen::{self, Call};
use super::login::Login;
use super::remote;
use super::ssh::Connection;
use super::store::Store;
use crate::disk;
use crate::sys::child::ChildExit;
use crate::sys::file::{self, Access, FileError};

/// Whether the sshd of a host reads the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KrlHosts {
    /// It does, and the keys are in it now.
    Updated,
    /// Its `RevokedKeys` does not name the file of tetra.
    Unused,
    /// The file of tetra may be there, and the login is not of root, or is bound to the agent.
    RootOnly,
}

impl KrlHosts {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Updated => "updated",
            Self::Unused => "not used",
            Self::RootOnly => "root only",
        }
    }
}

/// Reads the keys from its input. sshd reads the file at every login, so the old one is kept to be put back like that of keys.
const UPDATE: &str = r#"
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
if [ "$(id -u)" != 0 ]; then [ -e /etc/ssh/tetra_revoked_keys ] && echo root || echo unused; exit 0; fi
f=$(sshd -T 2>/dev/null | sed -n 's/^revokedkeys //p')
case $f in */tetra_revoked_keys) ;; *) echo unused; exit 0;; esac
if [ -L "$f" ] || [ ! -f "$f" ]; then echo 'the file of RevokedKeys is not a regular file'; exit 3; fi
umask 022
t=${f%/*}/.tetra-krl-$$; r=$HOME/.ssh/.tetra-restore-krl-$$
trap 'rm -f "$t" "$t.keys" "$t.ca"' EXIT
cp -p "$f" "$t" && cat >"$t.keys" && [ "$(cksum <"$t.keys")" = "$sum" ] || { echo disk; exit 3; }
if [ -s "$t" ]; then u=-u; else u=; fi
set --
if [ -n "$signer" ]; then echo "$signer" >"$t.ca"; set -- -s "$t.ca"; fi
ssh-keygen -q -k $u "$@" -f "$t" "$t.keys" 2>&1 || exit 3
ssh-keygen -Q -l -f "$t" >/dev/null 2>&1 || { echo 'ssh-keygen made a list that it cannot read'; exit 3; }
(umask 077; mkdir -p "$HOME/.ssh")
cp -p "$f" "$r" || { echo disk; exit 3; }
after=$(cksum <"$t"); export f r after seconds
detach=; command -v setsid >/dev/null && detach=setsid
$detach nohup sh -c 'sleep "$seconds"
[ -e "$r" ] || exit 0
if [ "$(cksum <"$f")" = "$after" ]; then mv -f "$r" "$f"; else rm -f "$r"; fi' </dev/null >/dev/null 2>&1 &
sync "$t" 2>/dev/null || sync
mv -f "$t" "$f" || exit 3
echo updated
"#;

/// What goes on a list.
#[derive(Debug, Clone)]
pub enum KrlEntries {
    /// Keys, with every certificate of them, and that they signed.
    Keys(Vec<PublicKey>),
    /// One certificate.
    Certificate {
        /// What signed it.
        authority: PublicKey,
        /// Its number.
        serial: u64,
    },
}

impl KrlEntries {
    /// As `ssh-keygen -k` reads them.
    fn lines(&self) -> String {
        match self {
            Self::Keys(keys) => keys.iter().map(|key| format!("{}\n", key.body())).collect(),
            Self::Certificate { serial, .. } => format!("serial: {serial}\n"),
        }
    }

    /// The key that `ssh-keygen -s` has to know; empty for none.
    fn authority(&self) -> String {
        match self {
            Self::Keys(_) => String::new(),
            Self::Certificate { authority, .. } => authority.body(),
        }
    }
}

/// Adds to the list of the store. The caller holds the lock.
///
/// # Errors
///
/// Fails if `ssh-keygen` does, or the file cannot be written.
pub fn add(store: &Store, entries: &KrlEntries, variables: &BTreeMap<String, String>) -> Result<(), TkmError> {
    let path = store.revoked_keys();
    let scratch = tempfile::Builder::new().prefix(file::TEMPORARY_PREFIX).tempfile_in(store.dir());
    let scratch = scratch.map_err(FileError::io("write in", store.dir()))?;
    let mut arguments: Vec<String> = ["-q", "-k"].map(str::to_owned).into();
    if path.exists() {
        file::write(scratch.path(), &file::read_private(&path)?.bytes, Access::Private)?;
        arguments.push("-u".to_owned());
    }
    let signer = tempfile::Builder::new().prefix(file::TEMPORARY_PREFIX).tempfile_in(store.dir());
    let signer = signer.map_err(FileError::io("write in", store.dir()))?;
    if let KrlEntries::Certificate { authority, .. } = entries {
        file::write(signer.path(), format!("{}\n", authority.body()).as_bytes(), Access::Private)?;
        arguments.extend(["-s".to_owned(), signer.path().display().to_string()]);
    }
    arguments.extend(["-f".to_owned(), scratch.path().display().to_string(), "-".to_owned()]);
    let done = keygen::call(&Call { arguments: &arguments, variables, input: entries.lines().as_bytes() })?;
    if done.exit != ChildExit::Code(0) {
        return Err(keygen::failure("ssh-keygen -k", &done.stderr));
    }
    let made = disk::read_own(scratch.path()).map_err(FileError::io("read", scratch.path()))?;
    Ok(file::write(&path, &made, Access::Private)?)
}

/// Adds to the list of a host, if its sshd reads one. Until [`remote::disarm`] the host is ready to put the old one back.
///
/// # Errors
///
/// Fails if it could not be replaced; it is then as it was.
pub fn push(connection: &Connection, by: &Login, entries: &KrlEntries) -> Result<KrlHosts, TkmError> {
    if connection.agent(by).is_some() {
        return Ok(KrlHosts::RootOnly);
    }
    let (lines, signer) = (entries.lines(), entries.authority());
    let sum = remote::cksum(lines.as_bytes());
    let script = format!("sum='{sum}'\nsigner='{signer}'\nseconds={}\n{UPDATE}", remote::RESTORE_AFTER);
    let answer = connection.run(by, &script, lines.as_bytes())?;
    let said = String::from_utf8_lossy(&answer.output).trim().to_owned();
    match (answer.status, said.as_str()) {
        (0, "updated") => Ok(KrlHosts::Updated),
        (0, "unused") => Ok(KrlHosts::Unused),
        (0, "root") => Ok(KrlHosts::RootOnly),
        (_, "disk") => Err(failure(connection, "no space is left for the list of revoked keys".to_owned())),
        (_, why) => Err(failure(connection, format!("the list of revoked keys was not replaced: {why}"))),
    }
}

fn failure(connection: &Connection, why: String) -> TkmError {
    TkmError::AuthorizedKeys { name: connection.host.name.clone(), why }
}
