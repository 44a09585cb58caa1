//! Deleting: ending a process and removing its folder.

use std::fs;
use std::io;

use super::control::{Control, ControlError, Ended};
use super::store::Process;
use crate::supervise::client::Order;

impl Control<'_> {
    /// Stops processes and removes their folders with their logs; their ids and names are free again.
    /// The answers are in the order of the processes.
    pub fn delete(&self, processes: &[&Process]) -> Vec<Result<Ended, ControlError>> {
        let ended = self.end(processes, Order::Stop);
        processes
            .iter()
            .zip(ended)
            .map(|(process, ended)| ended.and_then(|ended| remove(process).map(|()| ended)))
            .collect()
    }
}

/// Removes the folder of a process that nobody supervises.
///
/// It gets a name that no process can have first, so that nobody meets half of it.
pub(super) fn remove(process: &Process) -> Result<(), ControlError> {
    let failed = |source| ControlError::File { action: "remove", path: process.dir.clone(), source };
    let aside = process.dir.with_file_name(format!(".{}.{}.deleted", process.name, std::process::id()));
    match fs::rename(&process.dir, &aside) {
        Ok(()) => fs::remove_dir_all(&aside).map_err(failed),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(failed(error)),
    }
}
