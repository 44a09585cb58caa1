//! For other programs: `~/.ssh/config` includes a file that is made from the hosts, so that `ssh tetra-NAME` works.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::error::TkmError;
use super::host::{Address, Host};
use super::many;
use super::route::Route;
use super::state::{KeyId, Purpose};
use super::store::Store;
use crate::base::name::OrgName;
use crate::config::read::{self, ReadFileError};
use crate::sys::file::{self, Access};
use crate::sys::{passwd, process};

/// Precedes the line that includes our file.
const MARK: &str = "# hosts of tetra; `tkm config --remove` removes it";

/// Precedes the address of a host, of which the lines after it are made.
const ADDRESS: &str = "    # ";

/// The ways to hosts that were looked up before: `ssh -G` for each of many hosts takes longer than what most commands do.
#[derive(Debug, Default)]
struct KnownWays(String);

impl KnownWays {
    /// Those of the file that is there.
    fn of(store: &Store) -> Self {
        Self(read::text_if_exists(&store.ssh_config()).ok().flatten().unwrap_or_default())
    }

    /// The lines about the way to a host; none if it is a new one, or has another address now.
    fn way(&self, Host { name, address, .. }: &Host) -> Option<String> {
        let (_, rest) = self.0.split_once(&format!("\nHost tetra-{name}\n{ADDRESS}{address}\n"))?;
        Some(rest.split_once("    HostKeyAlias ")?.0.to_owned())
    }
}

/// The file that is included: a block for each host.
///
/// # Errors
///
/// Fails if the store cannot be read.
fn render(
    store: &Store,
    org: Option<&OrgName>,
    variables: &BTreeMap<String, String>,
    known: &KnownWays,
) -> Result<String, TkmError> {
    let (state, pins, hosts) = (store.state()?, store.known_hosts(), store.hosts()?);
    let mut text = "# Made by tetra from its hosts; `tkm config` makes it anew.\n".to_owned();
    let ways = many::each(&hosts, |host, _| known.way(host).unwrap_or_else(|| way(host, variables)), |_, _| {});
    for (Host { name, address, env, .. }, way) in hosts.into_iter().zip(ways) {
        text += &format!("\nHost tetra-{name}\n{ADDRESS}{address}\n{way}    HostKeyAlias {name}\n");
        let id = KeyId { org: org.cloned(), env, purpose: Purpose::Deploy };
        // That which the host accepts: another program has no other way in while it is replaced.
        if let Some(key) =
            state.accepted(&id, &name).filter(|key| key.purpose != Purpose::Ca).or_else(|| state.active(&id))
        {
            text += &format!("    IdentityFile {}\n", quoted(&store.dir().join(&key.file)));
            let certified = state.active(&id.authority()).filter(|key| key.hosts.contains(&name));
            if let Some((_, certificate)) = certified.and_then(|key| state.certificate_of(key))
                && let Some(file) = &certificate.file
            {
                text += &format!("    CertificateFile {}\n", quoted(&store.dir().join(file)));
            }
        }
        text += &format!(
            "    IdentitiesOnly yes\n    ForwardAgent no\n    StrictHostKeyChecking yes\n    UpdateHostKeys no\n    \
             UserKnownHostsFile {}\n    GlobalKnownHostsFile /dev/null\n",
            quoted(&pins)
        );
    }
    Ok(text)
}

/// The lines about the way to a host. What its address means in `~/.ssh/config` is said here again: ssh looks up the name
/// that it was called with, and not that of `HostName`.
fn way(host: &Host, variables: &BTreeMap<String, String>) -> String {
    let line = |key: &str, value: &str| format!("    {key} {value}\n");
    let Ok(route) = Route::find(host, variables) else {
        let Address { user, host, port } = &host.address;
        let port = port.map_or_else(String::new, |port| line("Port", &port.to_string()));
        return line("HostName", host) + &port + &user.as_ref().map_or_else(String::new, |user| line("User", user));
    };
    let mut text = line("HostName", &route.hostname);
    if route.port != 22 {
        text += &line("Port", &route.port.to_string());
    }
    // Without one ssh takes that of this machine.
    let own = passwd::find(&process::own_uid().to_string()).ok().flatten().map(|user| user.name);
    if host.address.user.is_some() || own.as_ref() != Some(&route.user) {
        text += &line("User", &route.user);
    }
    text + &route.proxy_command().map_or_else(String::new, |command| line("ProxyCommand", command))
}

/// Writes the file that is included. The caller holds the lock.
///
/// # Errors
///
/// Fails if it cannot be written.
pub fn write(store: &Store, org: Option<&OrgName>, variables: &BTreeMap<String, String>) -> Result<(), TkmError> {
    let text = render(store, org, variables, &KnownWays::of(store))?;
    Ok(file::write(&store.ssh_config(), text.as_bytes(), Access::Private)?)
}

/// The same with every way looked up anew, as `~/.ssh/config` says it now.
///
/// # Errors
///
/// Fails if it cannot be written.
pub fn write_anew(store: &Store, org: Option<&OrgName>, variables: &BTreeMap<String, String>) -> Result<(), TkmError> {
    let text = render(store, org, variables, &KnownWays::default())?;
    Ok(file::write(&store.ssh_config(), text.as_bytes(), Access::Private)?)
}

/// Whether `~/.ssh/config` shall include the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inclusion {
    /// It shall.
    Included,
    /// It shall not.
    Removed,
}

/// What becomes of `~/.ssh/config`: the lines at its top, or the text without them, wherever they are and however often. None
/// if it is so already. All other lines stay byte for byte.
#[must_use]
pub fn with_inclusion(config: &[u8], store: &Store, wanted: Inclusion) -> Option<Vec<u8>> {
    let (path, mark) = (store.ssh_config().display().to_string(), MARK.as_bytes());
    let lines: Vec<&[u8]> = config.split_inclusive(|byte| *byte == b'\n').collect();
    let is_ours = |line: &[u8]| includes(line, &path) || line.trim_ascii() == mark;
    // The first match wins, and below a `Host` line it would belong to that host.
    let top = lines.iter().take_while(|line| !is_block(line)).filter(|line| includes(line, &path)).count();
    let all = lines.iter().filter(|line| includes(line, &path)).count();
    if wanted == Inclusion::Included && (top, all) == (1, 1) {
        return None;
    }
    let mut kept: Vec<&[u8]> = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        // The empty line below ours came with them.
        let comes_with = kept.is_empty() && index > 0 && is_ours(lines[index - 1]) && line.trim_ascii().is_empty();
        if !comes_with && !is_ours(line) {
            kept.push(line);
        }
    }
    let ours = format!("{MARK}\nInclude {}\n", quoted(&store.ssh_config())).into_bytes();
    let without = kept.concat();
    let text = match wanted {
        Inclusion::Removed => without,
        Inclusion::Included if without.is_empty() => ours,
        Inclusion::Included => [ours, b"\n".to_vec(), without].concat(),
    };
    (text != config).then_some(text)
}

/// The keyword of a line, and what is behind it.
fn keyword(line: &[u8]) -> (&[u8], &[u8]) {
    let line = line.trim_ascii();
    let end = line.iter().position(|byte| byte.is_ascii_whitespace() || *byte == b'=').unwrap_or(line.len());
    let (word, rest) = line.split_at(end);
    (word, rest.trim_ascii().strip_prefix(b"=").unwrap_or(rest.trim_ascii()).trim_ascii())
}

fn is_block(line: &[u8]) -> bool {
    ["host", "match"].iter().any(|known| keyword(line).0.eq_ignore_ascii_case(known.as_bytes()))
}

/// True if a line includes this file and nothing else.
fn includes(line: &[u8], path: &str) -> bool {
    let (word, rest) = keyword(line);
    let path = path.replace('%', "%%");
    word.eq_ignore_ascii_case(b"include") && (rest == path.as_bytes() || rest == format!("\"{path}\"").as_bytes())
}

/// The bytes of `~/.ssh/config`; none if it does not exist.
///
/// # Errors
///
/// Fails if it cannot be read.
pub fn user_config(path: &Path) -> Result<Vec<u8>, TkmError> {
    match read::bytes(path, read::MAX_FILE_BYTES) {
        Err(ReadFileError::File(error)) if error.is_not_found() => Ok(Vec::new()),
        read => Ok(read?),
    }
}

/// Why `~/.ssh/config` is not changed here: another program makes it, and would make it again.
#[must_use]
pub fn made_elsewhere(path: &Path) -> Option<&'static str> {
    let metadata = fs::symlink_metadata(path).ok()?;
    match metadata.permissions().mode() {
        _ if metadata.is_symlink() => Some("a link"),
        mode if mode & 0o200 == 0 => Some("read-only"),
        _ => None,
    }
}

/// Puts a changed `~/.ssh/config` into place. Others may read it afterwards if they could before.
///
/// # Errors
///
/// Fails if it cannot be written.
pub fn write_user_config(path: &Path, bytes: &[u8]) -> Result<(), TkmError> {
    if let Some(dir) = path.parent() {
        file::create_private_dir(dir)?;
    }
    let is_open = fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o044 != 0);
    Ok(file::write(path, bytes, if is_open { Access::Shared } else { Access::Private })?)
}

fn quoted(path: &Path) -> String {
    format!("\"{}\"", path.display().to_string().replace('%', "%%"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::paths::Paths;

    #[test]
    fn the_line_is_added_at_the_top_and_taken_away_again() {
        let home = tempfile::tempdir().expect("a directory");
        let (store, _) = Store::init(&Paths::under(home.path())).expect("made");
        for config in ["", "Host *\n  User ann\n", "# no end of line", "Match host x\r\n  Port 2\r\n", "\n\nHost a\n"] {
            let config = config.as_bytes();
            let added = with_inclusion(config, &store, Inclusion::Included).expect("it changes");
            assert!(added.starts_with(MARK.as_bytes()) && added.ends_with(config));
            assert_eq!(with_inclusion(&added, &store, Inclusion::Included), None);
            assert_eq!(with_inclusion(&added, &store, Inclusion::Removed).as_deref(), Some(config));
            assert_eq!(with_inclusion(config, &store, Inclusion::Removed), None);
        }
    }

    #[test]
    fn the_line_is_there_once_and_at_the_top_and_removed_wherever_it_is() {
        let home = tempfile::tempdir().expect("a directory");
        let (store, _) = Store::init(&Paths::under(home.path())).expect("made");
        let path = store.ssh_config().display().to_string();
        let by_hand = format!("include={path}\nHost a\n");
        assert_eq!(with_inclusion(by_hand.as_bytes(), &store, Inclusion::Included), None);
        let ours = format!("{MARK}\r\nInclude \"{path}\"\r\n");
        let once = |config: &[u8]| {
            let text = String::from_utf8_lossy(config).into_owned();
            assert!(text.starts_with(MARK), "{text}");
            assert_eq!(text.matches(&path).count(), 1, "{text}");
        };
        for (before, without) in [
            (format!("{ours}\r\n{ours}\r\nHost a\r\n"), &b"Host a\r\n"[..]),
            (format!("Host a\n  User x\n{ours}  Port 2\n"), b"Host a\n  User x\n  Port 2\n"),
            (format!("Host a\n\n{ours}\nHost b\n"), b"Host a\n\n\nHost b\n"),
            (by_hand, b"Host a\n"),
        ] {
            if let Some(added) = with_inclusion(before.as_bytes(), &store, Inclusion::Included) {
                once(&added);
                assert!(added.ends_with(without));
            }
            assert_eq!(with_inclusion(before.as_bytes(), &store, Inclusion::Removed).as_deref(), Some(without));
        }
        let latin = b"Host a # caf\xe9\n";
        assert!(with_inclusion(latin, &store, Inclusion::Included).is_some_and(|text| text.ends_with(latin)));
    }
}
