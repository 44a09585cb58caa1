//! Root that starts something in the directory of another user: the daemon of that user launches it, with that user's rights.

use std::collections::BTreeMap;
use std::path::Path;

use super::by_daemon;
use crate::sys::passwd::{self, PasswdEntry};
use crate::sys::privileges;

/// How the names of variables begin that say who root is, and where root's session is.
const PERSONAL: [&str; 4] = ["SUDO_", "XDG_", "SSH_", "DBUS_"];

/// The user for whom nothing may be started here: root acts for that user, and no daemon of that user runs. Root would be surprised
/// whose rights a process has that it started itself.
#[must_use]
pub fn refuses(socket: &Path) -> Option<u32> {
    privileges::acts_for().filter(|_| !by_daemon::listens(socket))
}

/// The variables of the starting process, as those of the user that it will run as.
#[must_use]
pub fn variables(given: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let owner = privileges::acts_for().and_then(|uid| passwd::find(&uid.to_string()).ok().flatten());
    owner.map_or_else(|| given.clone(), |owner| replaced(given, &owner))
}

fn replaced(given: &BTreeMap<String, String>, owner: &PasswdEntry) -> BTreeMap<String, String> {
    let mut variables = given.clone();
    variables.retain(|name, _| name != "MAIL" && !PERSONAL.iter().any(|prefix| name.starts_with(prefix)));
    for (name, value) in [
        ("HOME", owner.home.display().to_string()),
        ("USER", owner.name.clone()),
        ("LOGNAME", owner.name.clone()),
        ("SHELL", owner.shell.clone()),
    ] {
        variables.insert(name.to_owned(), value);
    }
    variables
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_says_who_root_is_gives_way() {
        let given = ["HOME=/root", "USER=root", "SUDO_USER=ann", "XDG_RUNTIME_DIR=/run/user/0", "LANG=C", "PATH=/bin"];
        let given = given.iter().filter_map(|it| it.split_once('=')).map(|(name, value)| (name.into(), value.into()));
        let owner = PasswdEntry {
            name: "tetra".to_owned(),
            uid: 999,
            gid: 999,
            groups: vec![999],
            home: "/var/lib/tetra".into(),
            shell: "/bin/sh".to_owned(),
        };
        let variables = replaced(&given.collect(), &owner);
        let lines: Vec<String> = variables.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let expected = ["HOME=/var/lib/tetra", "LANG=C", "LOGNAME=tetra", "PATH=/bin", "SHELL=/bin/sh", "USER=tetra"];
        assert_eq!(lines, expected);
    }
}
