//! Processes whose folder was removed while they ran. No record knows them any more, but the kernel does: every supervisor tells
//! its child, and so all that the child starts, the folder of its record.

use std::path::Path;

use crate::base::name::ProcessName;
use crate::sys::paths::Paths;
use crate::sys::process;

/// The living processes of the name `word` if there is no folder of that name, the oldest first; its supervisors if nothing
/// else is left of it. Looks at every process there is, so it is for words that lead nowhere else.
#[must_use]
pub fn find(word: &str, paths: &Paths) -> Vec<u32> {
    let Ok(name) = word.parse::<ProcessName>() else { return Vec::new() };
    let folder = paths.process(&name);
    if folder.exists() {
        return Vec::new();
    }
    // A supervisor names its folder without the links that may lead to it.
    let real = paths.processes().canonicalize().map(|all| all.join(name.as_str()));
    let homes = [Some(folder), real.ok()];
    let is_home = |told: String| homes.iter().flatten().any(|home| home == Path::new(&told));
    let living = |pid: &u32| process::stat(*pid).is_some_and(|stat| stat.is_alive());
    let all: Vec<u32> = process::all().into_iter().filter(living).collect();
    let told = |pid: &u32| process::variable(*pid, "TSM_PROCESS_DIR").is_some_and(is_home);
    let mut found: Vec<u32> = all.iter().copied().filter(told).collect();
    if found.is_empty() {
        found = all.into_iter().filter(|pid| supervised(*pid).is_some_and(is_home)).collect();
    }
    found.sort_by_key(|pid| process::stat(*pid).map(|stat| stat.start_ticks));
    found
}

/// The folder that a supervisor was started for.
fn supervised(pid: u32) -> Option<String> {
    let mut words = process::words(pid).into_iter().skip(1);
    (words.next()? == "--supervise").then(|| words.next()).flatten()
}
