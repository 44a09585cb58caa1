//! A user for the keys of an environment, made on a host by root, and what that user may do as root.

use std::fmt;
use std::str::FromStr;

use super::error::TkmError;
use super::login::Login;
use super::route::last_line;
use super::ssh::Connection;

/// The name of a user who is made: as `useradd` of every system takes it, and not `root`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostUser(String);

impl FromStr for HostUser {
    type Err = String;

    fn from_str(given: &str) -> Result<Self, String> {
        let is_first = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
        let is_other = |byte: u8| is_first(byte) || byte.is_ascii_digit() || byte == b'-';
        let bytes = given.as_bytes();
        if given != "root"
            && bytes.len() <= 32
            && bytes.first().is_some_and(|it| is_first(*it))
            && bytes.iter().all(|it| is_other(*it))
        {
            Ok(Self(given.to_owned()))
        } else {
            Err("expected a user other than root: lower-case letters, digits, `_` and `-`, 32 at most".to_owned())
        }
    }
}

impl fmt::Display for HostUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A user who is made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewUser {
    /// The name.
    pub name: HostUser,
    /// Whether the user may run `tetra agent` as root.
    pub sudo: Sudo,
}

/// What a user may do as root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sudo {
    /// Nothing.
    Nothing,
    /// The agent of the environment.
    Agent,
}

/// A user without a password: `*` and not `!`, with which sshd without PAM takes the account for locked.
const CREATE: &str = r#"
if ! id "$user" >/dev/null 2>&1; then
    command -v useradd >/dev/null || { echo '`useradd` does not exist there'; exit 3; }
    useradd --create-home --shell /bin/sh "$user" 2>&1 || exit 3
    usermod --password '*' "$user" 2>&1 || exit 3
fi
home=$(getent passwd "$user" | cut -d: -f6)
[ -d "$home" ] || { echo "the home directory of $user does not exist"; exit 3; }
echo done
"#;

/// sudo reads no file of the directory with a dot in its name: not the new one before it is checked. The line needs no other file of
/// sudo, and those of others are not checked: what is wrong with them is not ours to say.
const ALLOW: &str = r#"
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
command -v visudo >/dev/null || { echo '`visudo` does not exist there: install sudo'; exit 3; }
d=/etc/sudoers.d; f=$d/tetra-$user; t=$d/.tetra-$$
[ -d "$d" ] || { echo "\`$d\` does not exist"; exit 3; }
trap 'rm -f "$t"' EXIT
umask 0337
printf '# Made by `tkm bootstrap`.\n%s ALL=(root) NOPASSWD: %s\n' "$user" "$command" >"$t" || { echo "\`$d\` cannot be written"; exit 3; }
chmod 0440 "$t"
visudo -cqf "$t" >/dev/null 2>&1 || { echo 'visudo refuses the line'; exit 3; }
sync "$t" 2>/dev/null || sync
mv -f "$t" "$f" || { echo "\`$f\` cannot be written"; exit 3; }
echo done
"#;

/// Makes a user, unless there is one of that name.
///
/// # Errors
///
/// Fails as the login does, and if the user cannot be made.
pub fn create(connection: &Connection, root: &Login, user: &HostUser) -> Result<(), TkmError> {
    perform(connection, root, &format!("user={user}\n{CREATE}"))
}

/// Lets a user run one line as root, and nothing else. It is checked by `visudo` before sudo reads it.
///
/// # Errors
///
/// Fails as the login does, and if the line is not one, or cannot be written; sudo is then as it was.
pub fn allow(connection: &Connection, root: &Login, user: &HostUser, line: &str) -> Result<(), TkmError> {
    perform(connection, root, &format!("user={user}\ncommand='{line}'\n{ALLOW}"))
}

fn perform(connection: &Connection, root: &Login, script: &str) -> Result<(), TkmError> {
    let answer = connection.run(root, script, b"")?;
    if answer.status == 0 {
        return Ok(());
    }
    Err(TkmError::Setup { name: connection.host.name.clone(), why: last_line(&answer.output) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_is_a_word_for_every_shell() {
        for name in ["web", "_tetra", "tetra-deploy2"] {
            assert_eq!(name.parse::<HostUser>().map(|user| user.to_string()), Ok(name.to_owned()));
        }
        for name in ["", "root", "-x", "2x", "Ann", "a b", "a;b", "$(id)", "käse", &"x".repeat(33)] {
            assert!(name.parse::<HostUser>().is_err(), "{name}");
        }
    }
}
