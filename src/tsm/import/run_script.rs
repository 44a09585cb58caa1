//! The directories of s6 and runit: each has a program `run`, which is what is run.

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::base::sort::SortExt;
use crate::disk;
use crate::supervise::meta::RestartPolicy;
use crate::tsm::definition::Definition;
use crate::tsm::sidecar::probe::HealthCheck;

use super::source::definition;
use super::termination;
use super::{Imported, Unsupported};

/// A directory of such directories, or one of them.
pub(super) fn read_all(dir: &Path) -> io::Result<Imported> {
    if dir.join("run").is_file() {
        return Ok(read(dir));
    }
    let mut imported = Imported::default();
    let mut dirs: Vec<PathBuf> = fs::read_dir(dir)?.flatten().map(|entry| entry.path()).collect();
    dirs.retain(|directory| directory.is_dir());
    dirs.order();
    for directory in dirs {
        if directory.join("run").is_file() {
            one(&directory, &mut imported);
        } else if let Ok(kind) = disk::read_to_string(directory.join("type")) {
            let name = name_of(&directory);
            match kind.trim() {
                "bundle" => {
                    let why = "a bundle has no program of its own; see TSM_STACK".to_owned();
                    imported.unsupported.push(Unsupported { field: name, why });
                }
                "oneshot" => {
                    let why = "its `up` is a script of s6-rc; save what it runs with `--oneshot`";
                    imported.reject(&name, why.to_owned());
                }
                _ => imported.reject(&name, "it has no `run`".to_owned()),
            }
        }
    }
    if imported.services.is_empty() && imported.rejected.is_empty() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "no directory with an executable `run`"));
    }
    Ok(imported)
}

/// The service of one directory.
pub(super) fn read(dir: &Path) -> Imported {
    let mut imported = Imported::default();
    one(dir, &mut imported);
    imported
}

fn name_of(dir: &Path) -> String {
    dir.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn one(dir: &Path, imported: &mut Imported) {
    let name = name_of(dir);
    let mut it = definition(&name, dir.to_owned());
    it.command = "./run".to_owned();
    it.options.restart = Some(RestartPolicy::Always);
    if !is_executable(&dir.join("run")) {
        let why = "not executable; run `chmod +x`".to_owned();
        imported.unsupported.push(Unsupported { field: format!("{name}/run"), why });
    }
    let mut entries: Vec<String> = fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .map(|it| it.file_name().to_string_lossy().into_owned())
        .collect();
    entries.order();
    for entry in entries {
        let path = dir.join(&entry);
        let text = if path.is_file() { disk::read_to_string(&path).unwrap_or_default() } else { String::new() };
        let place = format!("{name}/{entry}");
        if let Some(why) = take(&mut it, &path, text.trim(), &mut imported.unsupported) {
            imported.unsupported.push(Unsupported { field: place, why: why.to_owned() });
        }
    }
    imported.add(&name, it);
}

/// Takes one file of the directory; why it has no effect, if it has none.
fn take(it: &mut Definition, path: &Path, text: &str, lost: &mut Vec<Unsupported>) -> Option<&'static str> {
    match path.file_name().and_then(OsStr::to_str).unwrap_or_default() {
        // State, and what the program itself reads.
        "run" | "supervise" | "event" | "data" | "env" => return None,
        "type" if text == "longrun" => return None,
        "down" => it.autostart = Some(false),
        "check" if is_executable(path) => it.options.health = Some(HealthCheck::Exec("./check".to_owned())),
        "timeout-kill" if text.parse::<u64>().is_ok_and(|ms| ms > 0) => {
            it.options.kill_timeout = text.parse().ok().map(Duration::from_millis);
        }
        "down-signal" => termination::stop_signal(it, Some(text), &format!("{}/down-signal", it.name.clone()), lost),
        "dependencies" => it.options.deps.get_or_insert_default().extend(text.split_whitespace().map(str::to_owned)),
        "dependencies.d" => {
            let names = fs::read_dir(path).into_iter().flatten().flatten();
            it.options
                .deps
                .get_or_insert_default()
                .extend(names.map(|need| need.file_name().to_string_lossy().into_owned()));
            it.options.deps.get_or_insert_default().order();
        }
        "finish" => return Some("commands after the end of a process are not supported"),
        "log" | "producer-for" | "consumer-for" => {
            return Some("logs are written by tsm; see `tsm logs`");
        }
        "notification-fd" => return Some("readiness is reported on $NOTIFY_SOCKET (TSM_NOTIFY)"),
        "control" => return Some("`tsm stop` and `tsm restart` do the same for all services"),
        _ => return Some("not supported"),
    }
    None
}

fn is_executable(path: &Path) -> bool {
    path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::tests::lost;
    use super::*;

    #[test]
    fn a_directory_of_directories_with_run_scripts() {
        let root = tempfile::tempdir().expect("a directory");
        let put = |name: &str, text: &str, mode: u32| {
            let path = root.path().join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
            fs::write(&path, text).expect("a file");
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("a mode");
        };
        put("web/run", "#!/bin/sh\nexec web\n", 0o755);
        put("web/finish", "", 0o755);
        put("web/down", "", 0o644);
        put("web/timeout-kill", "3000\n", 0o644);
        put("web/dependencies.d/db", "", 0o644);
        put("web/log/run", "", 0o755);
        put("db/run", "#!/bin/sh\nexec db\n", 0o644);
        put("db/check", "#!/bin/sh\n", 0o755);
        put("all/type", "bundle\n", 0o644);
        put("once/type", "oneshot\n", 0o644);
        put("half/type", "longrun\n", 0o644);
        let imported = super::super::read(root.path(), &BTreeMap::new()).expect("imported");
        let [db, web] = &imported.services[..] else { panic!("two services") };
        assert_eq!(
            (web.name.as_str(), web.command.as_str(), web.cwd.as_path()),
            ("web", "./run", &*root.path().join("web"))
        );
        assert_eq!((web.autostart, web.options.kill_timeout), (Some(false), Some(Duration::from_secs(3))));
        assert_eq!((web.deps(), web.options.restart), (&["db".to_owned()][..], Some(RestartPolicy::Always)));
        assert_eq!(db.options.health.as_ref().map(ToString::to_string).as_deref(), Some("exec:./check"));
        assert_eq!(lost(&imported), ["all", "db/run", "web/finish", "web/log"]);
        let refused: Vec<&str> = imported.rejected.iter().map(|it| it.field.as_str()).collect();
        assert_eq!(refused, ["half", "once"]);
        let one = super::super::read(&root.path().join("web/run"), &BTreeMap::new()).expect("imported");
        assert_eq!(one.services[0].name, "web");
        assert!(super::super::read(&root.path().join("web/dependencies.d"), &BTreeMap::new()).is_err());
    }
}
