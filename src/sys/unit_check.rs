//! What `systemd-analyze` thinks of a unit before it is installed.

use std::path::PathBuf;

use super::file::{self, Access, FileError};
use super::host::Host;
use super::systemctl::Manager;
use super::systemctl::{SystemctlError, run};

/// A unit in a directory of its own, under the name that it will have.
pub struct UnitDraft {
    file: PathBuf,
    manager: Manager,
    _dir: tempfile::TempDir,
}

/// What `systemd-analyze verify` says where it did not look at the unit: it does not know the question, or there is no
/// XDG_RUNTIME_DIR, as in a login without PAM.
const NO_ANSWER: [&str; 2] = ["unrecognized option", "Failed to initialize manager"];

/// What came of a look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnitVerdict {
    /// It passes; what was said.
    Passed(String),
    /// It does not; what was said.
    Refused(String),
    /// There is no such program here, or it knows the question not.
    Unknown,
}

impl UnitDraft {
    /// Writes the unit where nothing reads it. A template is checked as an instance.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be written.
    pub fn new(name: &str, text: &str, manager: Manager) -> Result<Self, FileError> {
        let dir = tempfile::tempdir().map_err(FileError::io("create a directory in", &std::env::temp_dir()))?;
        let file = dir.path().join(name.replace("@.service", "@root.service"));
        file::write(&file, text.as_bytes(), Access::Shared)?;
        Ok(Self { file, manager, _dir: dir })
    }

    /// Whether its exposure is at most this, in tenths; what is said is the exposure: `7.2`.
    #[must_use]
    pub fn exposure(&self, host: &dyn Host, highest: u32) -> UnitVerdict {
        let threshold = format!("--threshold={highest}");
        let file = self.file.display().to_string();
        let words = ["security", "--no-pager", "--offline=true", &threshold, &file];
        let level = |text: &str| {
            let line = text.lines().rev().find(|line| line.contains("Overall exposure level"))?;
            line.rsplit_once(": ")?.1.split(' ').next().map(str::to_owned)
        };
        match run(host, "systemd-analyze", &words) {
            Ok(text) => level(&text).map_or(UnitVerdict::Unknown, UnitVerdict::Passed),
            Err(SystemctlError::Failed { text, .. }) => level(&text).map_or(UnitVerdict::Unknown, UnitVerdict::Refused),
            Err(SystemctlError::Missing { .. }) => UnitVerdict::Unknown,
        }
    }

    /// Whether systemd can load it.
    #[must_use]
    pub fn verify(&self, host: &dyn Host) -> UnitVerdict {
        let file = self.file.display().to_string();
        let scope: &[&str] = if self.manager == Manager::User { &["--user"] } else { &[] };
        let words = [&["verify", "--recursive-errors=no"], scope, &[&file]].concat();
        match run(host, "systemd-analyze", &words) {
            Ok(text) => UnitVerdict::Passed(text),
            Err(SystemctlError::Failed { text, .. }) if NO_ANSWER.iter().any(|it| text.contains(it)) => {
                UnitVerdict::Unknown
            }
            Err(SystemctlError::Failed { text, .. }) => UnitVerdict::Refused(text.trim().to_owned()),
            Err(SystemctlError::Missing { .. }) => UnitVerdict::Unknown,
        }
    }
}
