//! For other programs: `~/.ssh/config` includes a file that is made from the hosts, so that `ssh tetra-NAME` works.

use std::path::Path;

use super::error::TkmError;
use super::host::{Address, Host};
use super::state::{KeyId, Purpose};
use super::store::Store;
use crate::base::name::OrgName;
use crate::config::read;
use crate::sys::file::{self, Access};

/// Precedes the line that includes our file.
const MARK: &str = "# hosts of tetra; `tkm config --remove` removes it";

/// The file that is included: a block for each host.
///
/// # Errors
///
/// Fails if the store cannot be read.
pub fn render(store: &Store, org: Option<&OrgName>) -> Result<String, TkmError> {
    let (state, pins) = (store.state()?, store.known_hosts());
    let mut text = "# Made by tetra from its hosts; `tkm config` makes it anew.\n".to_owned();
    for Host { name, address, env, .. } in store.hosts()? {
        let Address { user, host, port } = address;
        text += &format!("\nHost tetra-{name}\n    HostName {host}\n    HostKeyAlias {name}\n");
        text += &port.map_or_else(String::new, |port| format!("    Port {port}\n"));
        text += &user.map_or_else(String::new, |user| format!("    User {user}\n"));
        let id = KeyId { org: org.cloned(), env, purpose: Purpose::Deploy };
        if let Some(key) = state.active(&id) {
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

/// Writes the file that is included. The caller holds the lock.
///
/// # Errors
///
/// Fails if it cannot be written.
pub fn write(store: &Store, org: Option<&OrgName>) -> Result<(), TkmError> {
    let text = render(store, org)?;
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

/// What becomes of `~/.ssh/config`: the lines at its top, or the text without them. None if it is so already.
#[must_use]
pub fn with_inclusion(config: &str, store: &Store, wanted: Inclusion) -> Option<String> {
    let ours = format!("{MARK}\nInclude {}\n", quoted(&store.ssh_config()));
    let without = config.replacen(&format!("{ours}\n"), "", 1).replacen(&ours, "", 1);
    let text = match wanted {
        Inclusion::Removed => without,
        // The first match wins, and below a `Host` line it would belong to that host.
        Inclusion::Included if without.is_empty() => ours,
        Inclusion::Included => format!("{ours}\n{without}"),
    };
    (text != config).then_some(text)
}

/// The text of `~/.ssh/config`; empty if there is none.
///
/// # Errors
///
/// Fails if it cannot be read, or is a link.
pub fn user_config(path: &Path) -> Result<String, TkmError> {
    read::ensure_no_symlink(path)?;
    Ok(read::text_if_exists(path)?.unwrap_or_default())
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
        for config in ["", "Host *\n  User ann\n", "# no end of line"] {
            let added = with_inclusion(config, &store, Inclusion::Included).expect("it changes");
            assert!(added.starts_with(MARK) && added.ends_with(config));
            assert_eq!(with_inclusion(&added, &store, Inclusion::Included), None);
            assert_eq!(with_inclusion(&added, &store, Inclusion::Removed).as_deref(), Some(config));
            assert_eq!(with_inclusion(config, &store, Inclusion::Removed), None);
        }
    }
}
