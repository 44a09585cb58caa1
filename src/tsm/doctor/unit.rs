//! The systemd unit that starts everything after a boot.

use std::path::Path;

use super::Finding;
use super::dirs::entries;
use crate::disk;
use crate::sys::kernel;
use crate::sys::systemd::Unit;

const CHECK: &str = "unit";

/// Whether a unit of ours is installed, enabled, active, and not failing.
#[must_use]
pub fn unit(dirs: &[&Path], ask: impl Fn(&str) -> Option<Unit>) -> Finding {
    let found: Vec<_> =
        dirs.iter().flat_map(|directory| entries(directory)).filter(|path| is_tetra_unit(path)).collect();
    let [first, ..] = found.as_slice() else {
        return match kernel::runs_systemd() {
            true => Finding::warning(CHECK, "no unit is installed; services are not started at boot")
                .with_advice("tsm daemon install @dev"),
            false => Finding::ok(CHECK, "systemd is not running, and no unit is installed"),
        };
    };
    let asked: Vec<Unit> = found.iter().filter_map(|path| ask(file_name(path))).collect();
    if let Some(unit) = asked.iter().find(|unit| unit.is_failing()) {
        return failing(unit);
    }
    let enabled = dirs.iter().flat_map(|directory| entries(directory)).any(|directory| {
        let wants = directory.extension().is_some_and(|ending| ending == "wants" || ending == "requires");
        wants && entries(&directory).iter().any(|link| is_tetra_unit(link))
    });
    let shown = first.display();
    if !enabled {
        let message = format!("`{shown}` is installed but not enabled; services are not started at boot");
        return Finding::warning(CHECK, message).with_advice("tsm daemon enable");
    }
    match asked.iter().find(|unit| matches!(unit.active_state.as_str(), "inactive" | "deactivating")) {
        Some(unit) => {
            let message = format!("`{}` is enabled but not active; what crashes is not started again", unit.name);
            Finding::warning(CHECK, message).with_advice("tsm daemon start")
        }
        None if asked.is_empty() => Finding::ok(CHECK, format!("`{shown}` is installed and enabled")),
        None => Finding::ok(CHECK, format!("`{shown}` is installed, enabled and active")),
    }
}

/// The units whose command returns at once, and with which systemd ends what it started.
pub fn ending_at_once(dirs: &[&Path]) -> impl Iterator<Item = Finding> {
    let units = dirs.iter().flat_map(|directory| entries(directory));
    let units = units.filter(|path| path.extension().is_some_and(|ending| ending == "service"));
    let short = units.filter(|path| disk::read_to_string(path).is_ok_and(|text| ends_at_once(&text)));
    short.map(|path| {
        let message =
            format!("systemd ends what `{}` starts, for the command of the unit returns at once", path.display());
        Finding::warning(CHECK, message)
            .with_advice("use `RemainAfterExit=yes` with `Type=oneshot`, or `tsm daemon install`")
    })
}

/// True for a unit that starts processes by a command of tsm that does not stay with them.
fn ends_at_once(text: &str) -> bool {
    let text = text.replace("\\\n", " ");
    let value = |key: &str| {
        let values =
            text.lines().filter_map(|line| line.trim_start().strip_prefix(key)?.trim_start().strip_prefix('='));
        values.map(str::trim).next_back().unwrap_or_default()
    };
    let is_on = |key: &str| ["yes", "true", "on", "1"].contains(&value(key).to_ascii_lowercase().as_str());
    if is_on("RemainAfterExit") || value("Type") == "forking" || ["none", "process"].contains(&value("KillMode")) {
        return false;
    }
    let words = value("ExecStart").split(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | ';' | '&'));
    let words: Vec<&str> = words.filter(|word| !word.is_empty()).collect();
    words.windows(2).any(|pair| {
        let is_tsm = pair[0].rsplit('/').next() == Some("tsm");
        // A start stays with what it started, but not where the unit is not up before it returns.
        let returns = ["startup", "up", "restart", "reload", "stack"].contains(&pair[1]);
        is_tsm && (returns || pair[1] == "start" && value("Type") == "oneshot")
    })
}

fn file_name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).unwrap_or_default()
}

fn is_tetra_unit(path: &Path) -> bool {
    let name = file_name(path);
    name.starts_with("tetra") && name.ends_with(".service")
}

fn failing(unit: &Unit) -> Finding {
    let Unit { name, result, restarts, .. } = unit;
    let again = match restarts {
        0 => String::new(),
        restarts => format!(", restarted {restarts} times by systemd"),
    };
    let state = if unit.active_state == "failed" { "has failed" } else { "is in a restart loop" };
    Finding::error(CHECK, format!("`{name}` {state} (result: {result}){again}"))
        .with_advice("`tsm daemon logs` shows why")
}

#[cfg(test)]
mod tests {
    use super::super::CheckStatus;
    use super::*;

    #[test]
    fn a_unit_counts_when_it_is_wanted() {
        let dir = tempfile::tempdir().expect("a directory");
        std::fs::write(dir.path().join("tetra-dev.service"), "").expect("a unit");
        assert_eq!(unit(&[dir.path()], |_| None).status, CheckStatus::Warning);
        let wants = dir.path().join("multi-user.target.wants");
        std::fs::create_dir(&wants).expect("a directory");
        std::os::unix::fs::symlink("../tetra-dev.service", wants.join("tetra-dev.service")).expect("a link");
        assert_eq!(unit(&[dir.path()], |_| None).status, CheckStatus::Ok);
        for (active, expected) in [("active", CheckStatus::Ok), ("inactive", CheckStatus::Warning)] {
            let state =
                |name: &str| Some(Unit { name: name.to_owned(), active_state: active.to_owned(), ..Unit::default() });
            assert_eq!(unit(&[dir.path()], state).status, expected, "{active}");
        }
    }

    #[test]
    fn a_unit_whose_command_returns_at_once_is_found() {
        let dir = tempfile::tempdir().expect("a directory");
        for (text, found) in [
            ("[Service]\nExecStart=/usr/local/bin/tetra tsm startup\n", true),
            ("[Service]\nType=oneshot\nExecStart=/bin/bash -c 'source x && tsm start tetra'\n", true),
            ("[Service]\nType = exec\nExecStart=/usr/local/bin/tsm \\\n  restart api\n", true),
            ("[Service]\nExecStart=/bin/bash -c 'source x && tsm start tetra'\n", false),
            ("[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/usr/local/bin/tetra tsm startup\n", false),
            ("[Service]\nKillMode=process\nExecStart=/usr/local/bin/tetra tsm startup\n", false),
            ("[Service]\nExecStart=/usr/local/bin/tetra daemon run @dev\n", false),
            ("[Service]\nExecStart=/bin/sleep 5\n", false),
        ] {
            std::fs::write(dir.path().join("shop.service"), text).expect("a unit");
            assert_eq!(ending_at_once(&[dir.path()]).count(), usize::from(found), "{text}");
        }
    }

    #[test]
    fn a_unit_that_fails_again_and_again_is_an_error() {
        let dir = tempfile::tempdir().expect("a directory");
        for name in ["tetra-dev.service", "other.service"] {
            std::fs::write(dir.path().join(name), "").expect("a unit");
        }
        let looping = |name: &str| {
            assert_eq!(name, "tetra-dev.service");
            let (active, sub) = ("activating".to_owned(), "auto-restart".to_owned());
            Some(Unit {
                name: name.to_owned(),
                active_state: active,
                sub_state: sub,
                result: "exit-code".to_owned(),
                restarts: 7,
                ..Unit::default()
            })
        };
        let found = unit(&[dir.path()], looping);
        assert_eq!(found.status, CheckStatus::Error);
        assert!(found.message.contains("restarted 7 times"), "{}", found.message);
        let running = |name: &str| {
            let (active, sub) = ("active".to_owned(), "running".to_owned());
            Some(Unit { name: name.to_owned(), active_state: active, sub_state: sub, ..Unit::default() })
        };
        assert_ne!(unit(&[dir.path()], running).status, CheckStatus::Error);
    }
}
