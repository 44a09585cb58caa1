//! What is done on a host: its `authorized_keys` read, and replaced as a whole with owner and mode as they were.

use super::agent::protocol::{AgentBlob, Request};
use super::authorized_keys::MAX_KEYS_FILE;
use super::error::TkmError;
use super::login::Login;
use super::ssh::{Connection, SshAnswer};

/// The file of keys of a user on a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeysFile {
    /// All of it; empty if it is not there.
    pub bytes: Vec<u8>,
    /// What `cksum` says of it, to see whether someone else changed it meanwhile.
    sum: String,
}

/// Prints `SUM SIZE` in a line, and the file after it. Says in a word why the file is none that is changed.
const READ: &str = r#"
f=$HOME/.ssh/authorized_keys
if [ -L "$HOME/.ssh" ] || [ -L "$f" ]; then echo link; exit 3; fi
if [ ! -e "$f" ]; then echo 'absent 0'; exit 0; fi
if [ ! -f "$f" ]; then echo kind; exit 3; fi
if [ ! -O "$f" ]; then echo owner; exit 3; fi
if [ ! -w "$f" ] || [ ! -w "$HOME/.ssh" ]; then echo readonly; exit 3; fi
if [ "$(wc -c <"$f")" -gt "$most" ]; then echo large; exit 3; fi
cksum <"$f" && cat "$f"
"#;

/// Reads the new file from its input. Replaces the old one if it is still the one that was read, and all of the new one came.
const WRITE: &str = r#"
umask 077
d=$HOME/.ssh; f=$d/authorized_keys; t=$d/.tetra-$$
if [ -L "$d" ] || [ -L "$f" ]; then echo link; exit 3; fi
[ -d "$d" ] || mkdir -m 700 "$d" || { echo readonly; exit 3; }
trap 'rm -f "$t"' EXIT
if [ -e "$f" ]; then cp -p "$f" "$t" || { echo disk; exit 3; }; else : >"$t" || { echo readonly; exit 3; }; fi
cat >"$t" || { echo disk; exit 3; }
[ "$(cksum <"$t")" = "$new" ] || { echo short; exit 3; }
if [ -e "$f" ]; then now=$(cksum <"$f"); else now='absent 0'; fi
[ "$now" = "$old" ] || { echo changed; exit 3; }
sync "$t" 2>/dev/null || sync
mv -f "$t" "$f" || { echo readonly; exit 3; }
trap - EXIT
echo done
"#;

/// What does it on a host, in `sh`; none for what only an agent does, or with a sum that is not one.
#[must_use]
pub fn script(request: &Request) -> Option<String> {
    Some(match request {
        Request::Hello => "exit 0".to_owned(),
        Request::ReadKeys => format!("most={MAX_KEYS_FILE}\n{READ}"),
        Request::WriteKeys { old, new, .. } if is_sum(old) && is_sum(new) => {
            format!("old='{old}'\nnew='{new}'\n{WRITE}")
        }
        Request::Arm { after } if is_sum(after) => {
            format!("after='{after}'\nseconds={RESTORE_AFTER}\n{ARM}")
        }
        Request::Disarm => "rm -f \"$HOME\"/.ssh/.tetra-restore-*".to_owned(),
        _ => return None,
    })
}

/// What the script reads.
#[must_use]
pub fn input(request: &Request) -> &[u8] {
    if let Request::WriteKeys { bytes, .. } = request { &bytes.0 } else { b"" }
}

/// True for what `cksum` prints, and for the sum of a file that is not there.
fn is_sum(text: &str) -> bool {
    text == ABSENT || text.bytes().all(|byte| byte.is_ascii_digit() || byte == b' ')
}

/// The sum of a file that is not there.
const ABSENT: &str = "absent 0";

/// Reads the file of keys.
///
/// # Errors
///
/// Fails if there is no login, or the file is none that is changed: a link, read-only, of another user, or larger than 1 MiB.
pub fn read_keys(connection: &Connection, login: &Login) -> Result<KeysFile, TkmError> {
    let answer = connection.perform(login, &Request::ReadKeys)?;
    if answer.status != 0 {
        return Err(refusal(connection, &answer));
    }
    let end = answer.output.iter().position(|byte| *byte == b'\n').unwrap_or(answer.output.len());
    let sum = String::from_utf8_lossy(&answer.output[..end]).trim().to_owned();
    let bytes = answer.output.get(end + 1..).unwrap_or_default().to_vec();
    if sum != ABSENT && sum != cksum(&bytes) {
        let why = "the file changed while it was read".to_owned();
        return Err(TkmError::AuthorizedKeys { name: connection.host.name.clone(), why });
    }
    Ok(KeysFile { bytes, sum })
}

/// Replaces the file of keys by `new`, unless it changed since it was read. The bytes that are there then come back.
///
/// # Errors
///
/// Fails if it could not be replaced; it is then as it was.
pub fn write_keys(connection: &Connection, login: &Login, old: &KeysFile, new: &[u8]) -> Result<KeysFile, TkmError> {
    let sum = cksum(new);
    let request = Request::WriteKeys { old: old.sum.clone(), new: sum.clone(), bytes: AgentBlob(new.to_vec()) };
    let answer = connection.perform(login, &request)?;
    if answer.status != 0 || answer.output.trim_ascii() != b"done" {
        return Err(refusal(connection, &answer));
    }
    Ok(KeysFile { bytes: new.to_vec(), sum })
}

/// How long a host waits before it puts the file back, in seconds.
pub const RESTORE_AFTER: u64 = 120;

/// Keeps a copy of the file, and has the host put it back after a while, unless someone else changed the file then.
const ARM: &str = r#"
f=$HOME/.ssh/authorized_keys; r=$HOME/.ssh/.tetra-restore-$$
cp -p "$f" "$r" || { rm -f "$r"; echo disk; exit 3; }
export f r after seconds
detach=; command -v setsid >/dev/null && detach=setsid
$detach nohup sh -c 'sleep "$seconds"
[ -e "$r" ] || exit 0
if [ "$(cksum <"$f")" = "$after" ]; then mv -f "$r" "$f"; else rm -f "$r"; fi' </dev/null >/dev/null 2>&1 &
echo done
"#;

/// Has the host put the present file back by itself, unless that is cancelled once it has these bytes.
///
/// # Errors
///
/// Fails if it could not be arranged.
pub fn arm(connection: &Connection, login: &Login, after: &[u8]) -> Result<(), TkmError> {
    let answer = connection.perform(login, &Request::Arm { after: cksum(after) })?;
    if answer.status == 0 { Ok(()) } else { Err(refusal(connection, &answer)) }
}

/// The file stays as it is now.
///
/// # Errors
///
/// Fails if the host could not be reached; it then puts the file back.
pub fn disarm(connection: &Connection, login: &Login) -> Result<(), TkmError> {
    let answer = connection.perform(login, &Request::Disarm)?;
    if answer.status == 0 { Ok(()) } else { Err(refusal(connection, &answer)) }
}

fn refusal(connection: &Connection, answer: &SshAnswer) -> TkmError {
    let said = String::from_utf8_lossy(&answer.output);
    let why = match said.trim() {
        "link" => "`~/.ssh/authorized_keys` is a symbolic link, which is not replaced".to_owned(),
        "kind" => "`~/.ssh/authorized_keys` is not a regular file".to_owned(),
        "owner" => "`~/.ssh/authorized_keys` belongs to another user".to_owned(),
        "readonly" => "`~/.ssh/authorized_keys` cannot be written".to_owned(),
        "large" => format!("`~/.ssh/authorized_keys` is larger than {} KiB", MAX_KEYS_FILE >> 10),
        "disk" => "no space is left for `~/.ssh/authorized_keys`".to_owned(),
        "short" => "the new file of keys did not arrive as a whole".to_owned(),
        "changed" => "`~/.ssh/authorized_keys` was changed by someone else meanwhile".to_owned(),
        other => {
            format!("reading or writing `~/.ssh/authorized_keys` failed: {}", super::route::last_line(other.as_bytes()))
        }
    };
    TkmError::AuthorizedKeys { name: connection.host.name.clone(), why }
}

/// What `cksum` of POSIX prints for these bytes: the CRC, a blank, and the length.
pub(super) fn cksum(bytes: &[u8]) -> String {
    let step = |crc: u32, byte: u8| {
        (0..8).fold(
            crc ^ (u32::from(byte) << 24),
            |crc, _| if crc >> 31 == 1 { (crc << 1) ^ 0x04c1_1db7 } else { crc << 1 },
        )
    };
    let length = bytes.len() as u64;
    let significant = (8 - length.leading_zeros() as usize / 8).min(8);
    let lengths = length.to_le_bytes();
    let crc = bytes.iter().chain(&lengths[..significant]).fold(0, |crc, byte| step(crc, *byte));
    format!("{} {length}", !crc)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sum_is_that_of_posix() {
        assert_eq!(cksum(b""), "4294967295 0");
        assert_eq!(cksum(b"123456789"), "930766865 9");
        assert_eq!(cksum(&[0; 300]), format!("{} 300", cksum(&[0; 300]).split(' ').next().expect("a number")));
    }
}
