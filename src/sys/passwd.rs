//! Users and groups as `/etc/passwd` and `/etc/group` say. The C library would ask further, and in a static program cannot.

use std::fs;
use std::io;
use std::path::PathBuf;

/// A user of this machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PasswdEntry {
    /// The login name.
    pub name: String,
    /// The user id.
    pub uid: u32,
    /// The group id.
    pub gid: u32,
    /// All groups, that one first.
    pub groups: Vec<u32>,
    /// The home directory.
    pub home: PathBuf,
    /// The login shell.
    pub shell: String,
}

/// The user of a name, or else of a number.
///
/// # Errors
///
/// Fails if `/etc/passwd` cannot be read.
pub fn find(name: &str) -> io::Result<Option<PasswdEntry>> {
    let groups = fs::read_to_string("/etc/group").unwrap_or_default();
    Ok(find_in(&fs::read_to_string("/etc/passwd")?, &groups, name))
}

/// The number of a group.
#[must_use]
pub fn group_id(name: &str) -> Option<u32> {
    let groups = fs::read_to_string("/etc/group").ok()?;
    let of = |line: &str| {
        let [known, _, id, ..] = line.split(':').collect::<Vec<_>>()[..] else { return None };
        if known == name { id.parse().ok() } else { None }
    };
    groups.lines().find_map(of)
}

/// The names of all users.
#[must_use]
pub fn names() -> Vec<String> {
    let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
    users.lines().filter_map(|line| line.split_once(':')).map(|(name, _)| name.to_owned()).collect()
}

fn find_in(users: &str, groups: &str, wanted: &str) -> Option<PasswdEntry> {
    let read = |line: &str| {
        let [name, _, uid, gid, _, home, shell, ..] = line.split(':').collect::<Vec<_>>()[..] else { return None };
        let gid = gid.parse().ok()?;
        let shell = if shell.is_empty() { "/bin/sh" } else { shell };
        Some(PasswdEntry {
            name: name.to_owned(),
            uid: uid.parse().ok()?,
            gid,
            groups: groups_of(groups, name, gid),
            home: PathBuf::from(home),
            shell: shell.to_owned(),
        })
    };
    let named = users.lines().filter_map(read).find(|user| user.name == wanted);
    named.or_else(|| users.lines().filter_map(read).find(|user| user.uid.to_string() == wanted))
}

fn groups_of(groups: &str, name: &str, own: u32) -> Vec<u32> {
    let mut all = vec![own];
    for line in groups.lines() {
        let [_, _, number, members, ..] = line.split(':').collect::<Vec<_>>()[..] else { continue };
        let Ok(number) = number.parse() else { continue };
        if members.split(',').any(|member| member == name) && !all.contains(&number) {
            all.push(number);
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    const USERS: &str =
        "root:x:0:0:root:/root:/bin/bash\nodd line\nann:x:1000:1000:Ann,,,:/home/ann:\n7:x:8:8::/:/bin/sh\n";

    #[test]
    fn a_name_comes_before_a_number_and_all_groups_count_once() {
        let groups = "root:x:0:\nann:x:1000:ann\nadm:x:4:syslog,ann\nbad\nanna:x:9:anna\n";
        let ann = find_in(USERS, groups, "ann").expect("a user");
        assert_eq!((ann.uid, ann.gid, ann.groups.as_slice()), (1000, 1000, &[1000, 4][..]));
        assert_eq!((ann.home.to_str(), ann.shell.as_str()), (Some("/home/ann"), "/bin/sh"));
        assert_eq!(find_in(USERS, groups, "1000").map(|user| user.name), Some("ann".to_owned()));
        assert_eq!(find_in(USERS, groups, "7").map(|user| user.uid), Some(8));
        assert_eq!(find_in(USERS, groups, "an"), None);
    }
}
