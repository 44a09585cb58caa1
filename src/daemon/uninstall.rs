//! A unit is taken away; what ran in it keeps its data.

use std::fs;
use std::path::PathBuf;

use crate::base::fault::Fault;
use crate::ops::unit::InstalledUnit;
use crate::sys::file::FileError;
use crate::sys::host::Host;
use crate::sys::systemctl::Systemctl;

/// Stops and disables a unit, removes its file and has systemd forget it. Its drop-ins
/// stay, and are in force again when it is installed again.
///
/// # Errors
///
/// Fails at the first step that the machine does not allow; the file is removed only after the stop.
pub fn uninstall(host: &dyn Host, unit: &InstalledUnit) -> Result<Vec<PathBuf>, Fault> {
    let systemctl = Systemctl { host, manager: unit.manager };
    systemctl.call(&["disable", "--now", "--", &unit.name])?;
    fs::remove_file(&unit.file).map_err(FileError::io("remove", &unit.file))?;
    systemctl.call(&["daemon-reload"])?;
    Ok(unit.drop_ins())
}
