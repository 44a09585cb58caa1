//! Whether the end of a login ends what was started in it: `KillUserProcesses=` of systemd-logind, `logind.conf(5)`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use super::{net, process};

/// Where its settings are, from the weakest to the strongest; a file in a later one replaces that of the same name.
const DIRECTORIES: [&str; 4] = ["/usr/lib/systemd", "/usr/local/lib/systemd", "/run/systemd", "/etc/systemd"];

/// What the settings say.
#[derive(Debug, Clone, PartialEq, Eq)]
struct LogindSettings {
    kills: bool,
    /// Of whom alone processes are killed; of all if it is empty.
    only: Vec<String>,
    /// Of whom none are killed.
    exclude: Vec<String>,
}

impl Default for LogindSettings {
    fn default() -> Self {
        Self { kills: false, only: Vec::new(), exclude: vec!["root".to_owned()] }
    }
}

/// True if this process is in the session of a login whose end ends it.
#[must_use]
pub fn login_end_kills() -> bool {
    is_in_scope("session-") && settings().ends(&net::user_name(process::own_uid()))
}

/// True if this process is in a scope of systemd whose name begins so.
#[must_use]
pub fn is_in_scope(prefix: &str) -> bool {
    fs::read_to_string("/proc/self/cgroup").is_ok_and(|groups| has_scope(&groups, prefix))
}

/// True if the manager of this user runs on without a login session (lingering).
#[must_use]
pub fn lingers(uid: u32) -> bool {
    Path::new("/var/lib/systemd/linger").join(net::user_name(uid)).exists()
}

fn has_scope(groups: &str, prefix: &str) -> bool {
    let is_scope = |part: &str| part.starts_with(prefix) && part.ends_with(".scope");
    groups.lines().any(|line| line.split('/').any(is_scope))
}

impl LogindSettings {
    fn ends(&self, user: &str) -> bool {
        let names = |users: &[String]| users.iter().any(|it| it == user);
        self.kills && !names(&self.exclude) && (self.only.is_empty() || names(&self.only))
    }

    /// Takes over what a file says.
    fn read(&mut self, text: &str) {
        for (key, value) in text.lines().filter_map(|line| line.split_once('=')) {
            let value = value.trim();
            let users = || value.split_whitespace().map(str::to_owned).collect();
            match key.trim() {
                "KillUserProcesses" => self.kills = matches!(value, "1" | "yes" | "y" | "true" | "t" | "on"),
                "KillOnlyUsers" => self.only = users(),
                "KillExcludeUsers" => self.exclude = users(),
                _ => {}
            }
        }
    }
}

fn settings() -> LogindSettings {
    let mut settings = LogindSettings::default();
    let mut dropins: BTreeMap<OsString, PathBuf> = BTreeMap::new();
    for directory in DIRECTORIES.map(Path::new) {
        let entries = fs::read_dir(directory.join("logind.conf.d")).into_iter().flatten().flatten();
        dropins.extend(entries.map(|entry| (entry.file_name(), entry.path())));
    }
    let main =
        DIRECTORIES.map(|directory| Path::new(directory).join("logind.conf")).into_iter().rfind(|it| it.exists());
    let conf = dropins.into_values().filter(|path| path.extension().is_some_and(|kind| kind == "conf"));
    for path in main.into_iter().chain(conf) {
        settings.read(&crate::disk::read_to_string(path).unwrap_or_default());
    }
    settings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_killed_is_said_by_three_settings() {
        let mut settings = LogindSettings::default();
        assert!(!settings.ends("ann"));
        settings.read("[Login]\n#KillUserProcesses=no\nKillUserProcesses=yes\n");
        assert!(settings.ends("ann") && !settings.ends("root"));
        settings.read("KillOnlyUsers=bob eve\nKillExcludeUsers=");
        assert!(!settings.ends("ann") && settings.ends("eve"));
    }

    #[test]
    fn a_login_is_a_scope_of_its_own() {
        let is_session = |groups| has_scope(groups, "session-");
        assert!(is_session("1:name=systemd:/user.slice/user-1000.slice/session-4.scope\n0::/\n"));
        assert!(!is_session("0::/user.slice/user-1000.slice/user@1000.service/app.slice/x.scope\n"));
    }
}
