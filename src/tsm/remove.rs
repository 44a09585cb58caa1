//! Deleting: ending a process and removing its directory.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::control::{Control, ControlError, StopResult, check_known};
use super::known_names;
use super::ports;
use super::store::Process;
use crate::disk;
use crate::supervise::client::{self, ControlCommand};
use crate::sys::paths::Paths;
use crate::sys::{net, process};

/// What the name of a directory ends with that is being removed or not complete yet. No process can have such a name.
const STAGING_SUFFIX: &str = ".aside";

/// Where the directory of a process is while it is created or removed, so that it is never seen incomplete.
pub(super) fn staging_path(dir: &Path) -> PathBuf {
    let name = dir.file_name().unwrap_or_default().to_string_lossy();
    dir.with_file_name(format!(".{name}.{}{STAGING_SUFFIX}", process::own_pid()))
}

/// Removes what was left by an interrupted start or delete. Only for the holder of the lock of ids and names: no one else does
/// either then. What turns out to run gets its name back.
pub(super) fn clear_staging(paths: &Paths) {
    for dir in staging_directories(paths) {
        // What stays is tried again the next time.
        match client::lock_supervision(&dir) {
            Ok(Some(_hold)) if has_ended(&dir) => {
                let _ = fs::remove_dir_all(&dir);
            }
            Ok(_) => restore(&dir),
            Err(_) => {}
        }
    }
}

/// True if it is certain that the process whose directory was moved aside does not run.
fn has_ended(directory: &Path) -> bool {
    let Some(process) = original(directory).and_then(|dir| read_at(&dir, directory)) else { return true };
    !process.live.is_unknown() && !process.live.alive
}

/// Where a directory that was moved aside belongs.
fn original(aside: &Path) -> Option<PathBuf> {
    let name = aside.file_name()?.to_str()?.strip_prefix('.')?.strip_suffix(STAGING_SUFFIX)?;
    Some(aside.with_file_name(name.rsplit_once('.')?.0))
}

/// The process whose directory `dir` is at `now`.
fn read_at(dir: &Path, now: &Path) -> Option<Process> {
    Process::at(&dir.file_name()?.to_str()?.parse().ok()?, now)
}

/// Gives a directory its name back, unless another has it by now.
fn restore(aside: &Path) {
    if let Some(dir) = original(aside).filter(|dir| !dir.exists()) {
        let _ = fs::rename(aside, dir);
    }
}

fn staging_directories(paths: &Paths) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(paths.processes()).into_iter().flatten().flatten();
    let is_aside = |name: &[u8]| name.starts_with(b".") && name.ends_with(STAGING_SUFFIX.as_bytes());
    entries.filter(move |entry| is_aside(entry.file_name().as_encoded_bytes())).map(|entry| entry.path())
}

impl Control<'_> {
    /// Removes what was left by an interrupted start or delete, unless the lock of names is held. `known` is
    /// the number of processes that were found.
    pub(super) fn clean_staging(&self, known: usize) {
        // A directory is linked from its parent, itself and each directory in it. File systems that do not count so are listed.
        let directories = fs::metadata(self.paths.processes()).ok().and_then(|found| found.nlink().checked_sub(2));
        if directories == u64::try_from(known).ok() || staging_directories(self.paths).next().is_none() {
            return;
        }
        let lock = disk::own_file().open(self.paths.id_lock()).ok();
        if lock.as_ref().is_some_and(|lock| lock.try_lock().is_ok()) {
            clear_staging(self.paths);
        }
    }

    /// Stops processes and removes their directories with their logs; their ids, names and ports are free again.
    /// The answers are in the order of the processes.
    pub fn delete(&self, processes: &[&Process]) -> Vec<Result<StopResult, ControlError>> {
        let ended = self.stop_with(processes, ControlCommand::Stop);
        let remove = |(process, ended): (&&Process, Result<StopResult, ControlError>)| {
            let ended = ended.map_err(ControlError::before_removal)?;
            self.remove(process).map(|()| ended)
        };
        processes.iter().zip(ended).map(remove).collect()
    }

    /// Removes the directory of a process without a supervisor, and its line in the port registry.
    ///
    /// Under the lock of ids and names, so that no start reuses what is being removed. The directory gets a name that no process can
    /// have first, so that it is never seen incomplete.
    pub(super) fn remove(&self, process: &Process) -> Result<(), ControlError> {
        let failed = |source| ControlError::File { action: "remove", path: process.dir.clone(), source };
        let _lock = self.lock_names()?;
        let mut now = process.clone();
        now.refresh();
        check_known(&now)?;
        let meanwhile = || Err(ControlError::StartedMeanwhile { name: process.name.clone() });
        if now.live.supervised || now.is_running() {
            return meanwhile();
        }
        match fs::symlink_metadata(&process.dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(ports::forget(self.paths, process)?),
            Err(error) => return Err(failed(error)),
            Ok(found) => refuse_the_directory_of_another(process, found.uid())?,
        }
        let Some(_hold) = client::lock_supervision(&process.dir).map_err(failed)? else { return meanwhile() };
        client::remove_cgroups(&process.dir);
        let aside = staging_path(&process.dir);
        fs::rename(&process.dir, &aside).map_err(failed)?;
        if let Err(source) = fs::remove_dir_all(&aside) {
            // Under its name it is seen, and can be removed once more.
            restore(&aside);
            return Err(failed(source));
        }
        known_names::remove(self.paths, &process.name);
        Ok(ports::forget(self.paths, process)?)
    }
}

/// What is in a directory of another user can only be removed by that user, or by root; to move it away would lose it.
fn refuse_the_directory_of_another(process: &Process, owner: u32) -> Result<(), ControlError> {
    let own = process::own_uid();
    if owner == own || own == 0 {
        return Ok(());
    }
    let why = format!("its directory belongs to {}", net::user_name(owner));
    Err(ControlError::Unknown { name: process.name.clone(), why })
}
