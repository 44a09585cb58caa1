//! The unit of an environment where one is installed: written anew, read by systemd, or put back.

use std::path::{Path, PathBuf};

use crate::base::fault::Fault;
use crate::disk;
use crate::sys::file::{self, Access};
use crate::sys::host::Host;
use crate::sys::systemctl::Manager;
use crate::sys::systemctl::Systemctl;
use crate::unit::{DiffLine, diff};

/// A unit whose text changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnitChange {
    /// Its file.
    pub path: PathBuf,
    /// Whose it is.
    pub manager: Manager,
    /// Its text as it is.
    pub old: String,
    /// Its text as the environment says.
    pub new: String,
}

impl UnitChange {
    /// `tetra-dev.service`
    #[must_use]
    pub fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// The directives that change: `MemoryMax`.
    #[must_use]
    pub fn directives(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for line in diff(&self.old, &self.new) {
            let (DiffLine::Removed(line) | DiffLine::Added(line)) = line else { continue };
            let Some((name, value)) = line.split_once('=').filter(|_| !line.starts_with('#')) else { continue };
            // Of variables each has a name of its own.
            let name = match (name, value.trim_matches('"').split_once('=')) {
                ("Environment", Some((variable, _))) => variable,
                _ => name,
            };
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
            }
        }
        names
    }

    /// True if systemd starts it at boot.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        let dir = self.path.parent().unwrap_or(Path::new("/"));
        ["multi-user.target.wants", "default.target.wants"]
            .iter()
            .any(|wants| dir.join(wants).join(self.name()).symlink_metadata().is_ok())
    }

    /// Writes it, and has systemd read it.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be written or systemd does not answer; [`UnitChange::restore`] is to be called then.
    pub(super) fn write(&self, host: &dyn Host) -> Result<(), Fault> {
        self.put(host, &self.new)
    }

    /// Puts it back, if it was written.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be written, or systemd does not answer.
    pub(super) fn restore(&self, host: &dyn Host) -> Result<(), Fault> {
        if disk::read_to_string(&self.path).is_ok_and(|text| text == self.old) {
            return Ok(());
        }
        self.put(host, &self.old)
    }

    fn put(&self, host: &dyn Host, text: &str) -> Result<(), Fault> {
        file::write(&self.path, text.as_bytes(), Access::Shared)?;
        Systemctl { host, manager: self.manager }.call(&["daemon-reload"])?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changes_is_named_by_its_directives() {
        let change = UnitChange {
            path: "/etc/systemd/system/tetra-dev.service".into(),
            manager: Manager::System,
            old: "# sha256 1\n[Service]\nMemoryMax=1G\nEnvironment=TETRA_PORT=4444\nUser=root\n".to_owned(),
            new: "# sha256 2\n[Service]\nMemoryMax=2G\nEnvironment=TETRA_PORT=4445\nUser=root\nLimitNPROC=9\n"
                .to_owned(),
        };
        assert_eq!(change.name(), "tetra-dev.service");
        assert_eq!(change.directives(), ["MemoryMax", "TETRA_PORT", "LimitNPROC"]);
    }
}
