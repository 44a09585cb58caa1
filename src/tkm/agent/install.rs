//! The program put on a host, for keys to be bound to: this very one, if the host can run it.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use crate::disk;
use crate::sys::digest::Sha256Stream;
use crate::sys::file::FileError;
use crate::tkm::error::TkmError;
use crate::tkm::host::RemotePath;
use crate::tkm::login::Login;
use crate::tkm::route::last_line;
use crate::tkm::ssh::Connection;

/// The largest program that is sent, in bytes.
const MAX_PROGRAM: u64 = 512 << 20;

/// So many bytes are read at a time, while its digest is computed.
const PART: usize = 128 << 10;

/// This program, as it is sent: its file is read whole only where a host does not have it.
pub struct Program {
    path: PathBuf,
    file: File,
    size: usize,
    sha256: String,
    version: &'static str,
}

/// Whether a host has the program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Installed {
    /// It is there.
    Ready(RemotePath),
    /// The host cannot have it; why.
    Impossible(String),
}

/// Where a program is put.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgentPlace {
    /// Below the home directory of the user who logs in.
    OfUser,
    /// `/usr/local/lib/tetra`, which root alone can write: another user can be let run it as root.
    OfRoot,
}

/// Says where the program would be, and whether it is there. No directory on the way may be writable for another user.
const LOOK: &str = r#"
umask 077
mode=700; d=$HOME/.local/lib/tetra
set -- "$HOME" "$HOME/.local" "$HOME/.local/lib" "$d"
if [ "$place" = root ]; then umask 022; mode=755; d=/usr/local/lib/tetra; set -- /usr /usr/local /usr/local/lib "$d"; fi
if [ "$(uname -sm)" != "$machine" ]; then echo "the host is $(uname -sm), and this program is $machine"; exit 3; fi
for tool in sha256sum mkdir mv ls; do
    command -v "$tool" >/dev/null || { echo "\`$tool\` does not exist there"; exit 3; }
done
mkdir -p "$d" 2>/dev/null || { echo "\`$d\` cannot be made"; exit 3; }
for p in "$@"; do
    [ -O "$p" ] || { echo "\`$p\` belongs to another user"; exit 3; }
    case $(ls -Lld "$p") in ?????w*|????????w*) echo "\`$p\` can be written by other users"; exit 3;; esac
done
t=$d/tetra-$short
"#;

/// Ends with 4 if the program has to be sent.
const CHECK: &str = r#"
[ "$(sha256sum <"$t" 2>/dev/null | cut -c1-64)" = "$sum" ] && [ -O "$t" ] && [ -x "$t" ] || exit 4
[ "$("$t" --version 2>/dev/null)" = "$version" ] || { echo "the host does not run the program"; exit 3; }
echo "$t"
"#;

/// Reads the program from its input.
const RECEIVE: &str = r#"
new=$d/.tetra-$$
trap 'rm -f "$new"' EXIT
cat >"$new" || { echo "no space is left for \`$d\`"; exit 3; }
chmod "$mode" "$new" && { sync "$new" 2>/dev/null || sync; }
[ "$(sha256sum <"$new" | cut -c1-64)" = "$sum" ] || { echo "the program did not arrive as a whole"; exit 3; }
mv -f "$new" "$t" || { echo "\`$t\` cannot be written"; exit 3; }
trap - EXIT
"#;

/// Removes programs of earlier versions but the last, and those that a line of `authorized_keys` or sudo names still.
const PRUNE: &str = r#"
cd "$d" || exit 3
kept=0
for f in $(ls -t); do
    case $f in tetra-????????????????) ;; *) continue;; esac
    case ${f#tetra-} in *[!0-9a-f]*) continue;; esac
    [ "$d/$f" != "$t" ] || continue
    grep -qF "$d/$f " "$keys" /etc/sudoers.d/tetra-* 2>/dev/null && continue
    kept=$((kept + 1))
    [ "$kept" -le 1 ] || rm -f "$f"
done
echo pruned
"#;

impl Program {
    /// Reads it.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be read, or is larger than 512 MiB.
    pub fn read(path: &Path, version: &'static str) -> Result<Self, TkmError> {
        let fail = || FileError::io("read", path);
        let mut file = disk::user_file().open(path).map_err(fail())?;
        let (mut size, mut digest, mut part) = (0, Sha256Stream::default(), vec![0; PART]);
        loop {
            let length = file.read(&mut part).map_err(fail())?;
            if length == 0 {
                break;
            }
            digest.update(&part[..length]);
            size += length;
            if size as u64 > MAX_PROGRAM {
                return Err(fail()(io::ErrorKind::FileTooLarge.into()).into());
            }
        }
        Ok(Self { path: path.to_owned(), file, size, sha256: digest.finish(), version })
    }

    /// All of it. Another program that took its place meanwhile is another file; should this one have changed, the host finds out.
    fn bytes(&self) -> Result<Vec<u8>, TkmError> {
        let mut bytes = vec![0; self.size];
        self.file.read_exact_at(&mut bytes, 0).map_err(FileError::io("read", &self.path))?;
        Ok(bytes)
    }

    /// What is said to `sh` on a host to have the program there take its place with these words. Ends with 4 if it is not there.
    #[must_use]
    pub fn exec_script(&self, words: &str) -> String {
        format!("{}{LOOK}{CHECK}exec \"$t\" {words}\n", self.facts(AgentPlace::OfUser))
    }

    fn facts(&self, place: AgentPlace) -> String {
        format!(
            "place={}\nmachine='{}'\nsum={}\nshort={}\nversion='tetra {}'\n",
            place.word(),
            machine(),
            self.sha256,
            &self.sha256[..16],
            self.version
        )
    }

    /// Puts it on a host, unless it is there.
    ///
    /// # Errors
    ///
    /// Fails as the login does. That the host cannot have it is not a failure.
    pub fn install(&self, connection: &Connection, by: &Login, place: AgentPlace) -> Result<Installed, TkmError> {
        let facts = self.facts(place);
        let mut answer = connection.run(by, &format!("{facts}{LOOK}{CHECK}"), b"")?;
        if answer.status == 4 {
            answer = connection.run(by, &format!("{facts}{LOOK}{RECEIVE}{CHECK}"), &self.bytes()?)?;
        }
        let said = last_line(&answer.output);
        Ok(match (answer.status, RemotePath::try_from(said.clone())) {
            (0, Ok(path)) => Installed::Ready(path),
            (0, Err(why)) => Installed::Impossible(format!("its path there: {why}")),
            (4, _) => Installed::Impossible("the program did not arrive".to_owned()),
            _ => Installed::Impossible(said),
        })
    }
}

impl AgentPlace {
    fn word(self) -> &'static str {
        match self {
            Self::OfUser => "user",
            Self::OfRoot => "root",
        }
    }
}

/// Removes programs of earlier versions but one. `user` is whose lines name them.
///
/// # Errors
///
/// Fails as the login does. One that stays is not a failure.
pub fn prune(connection: &Connection, by: &Login, current: &RemotePath) -> Result<(), TkmError> {
    let user = &connection.route.user;
    let facts = format!(
        "t='{current}'\nd=${{t%/*}}\nkeys=$(getent passwd '{user}' | cut -d: -f6)/.ssh/authorized_keys\n\
         [ -e \"$keys\" ] || keys=$HOME/.ssh/authorized_keys\n"
    );
    connection.run(by, &format!("{facts}{PRUNE}"), b"").map(|_| ())
}

/// What `uname -sm` prints where this program runs.
fn machine() -> String {
    format!("Linux {}", std::env::consts::ARCH)
}
