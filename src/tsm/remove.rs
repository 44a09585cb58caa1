//! Deleting: ending a process and removing its folder.

use std::fs;
use std::io;

use super::control::{Control, ControlError, Ended};
use super::ports;
use super::store::Process;
use crate::supervise::client::{self, Order};
use crate::sys::file;

impl Control<'_> {
    /// Stops processes and removes their folders with their logs; their ids, names and ports are free again.
    /// The answers are in the order of the processes.
    pub fn delete(&self, processes: &[&Process]) -> Vec<Result<Ended, ControlError>> {
        let ended = self.end(processes, Order::Stop);
        let remove = |(process, ended): (&&Process, Result<Ended, ControlError>)| {
            let ended = ended.map_err(ControlError::before_removal)?;
            self.remove(process).map(|()| ended)
        };
        processes.iter().zip(ended).map(remove).collect()
    }

    /// Removes the folder of a process that nobody supervises, and its line in the port registry.
    ///
    /// Under the lock of ids and names, so that no start reuses what is being removed. The folder gets a name that no process can
    /// have first, so that nobody meets half of it.
    pub(super) fn remove(&self, process: &Process) -> Result<(), ControlError> {
        let failed = |source| ControlError::File { action: "remove", path: process.dir.clone(), source };
        let _lock = match file::lock(&self.paths.id_lock()) {
            Err(error) if !error.is_not_found() => return Err(error.into()),
            // Nobody has ever given out an id here.
            held => held.ok(),
        };
        let mut now = process.clone();
        now.look_again();
        if now.view.supervised || now.is_running() {
            return Err(ControlError::StartedMeanwhile { name: process.name.clone() });
        }
        client::forget(&process.dir);
        let aside = process.dir.with_file_name(format!(".{}.{}.deleted", process.name, crate::sys::process::own_pid()));
        match fs::rename(&process.dir, &aside) {
            Ok(()) => fs::remove_dir_all(&aside).map_err(failed)?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        Ok(ports::forget(self.paths, process)?)
    }
}
