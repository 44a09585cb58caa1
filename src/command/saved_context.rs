//! The organization and environment that an operator chose to keep: lines `org=NAME` and `env=NAME`.

use std::io;

use crate::base::environment::EnvName;
use crate::base::name::OrgName;
use crate::disk;
use crate::sys::file::{self, Access, FileError};
use crate::sys::paths::Paths;
use crate::sys::privileges;

/// What is kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SavedContext {
    /// The organization.
    pub org: Option<OrgName>,
    /// The environment.
    pub env: Option<EnvName>,
}

impl SavedContext {
    /// What is kept now; nothing if the file is missing. Invalid lines are ignored.
    ///
    /// # Errors
    ///
    /// Fails if the file is there and cannot be read.
    pub fn read(paths: &Paths) -> Result<Self, FileError> {
        let path = paths.context();
        let text = match disk::read(&path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            // Root who acts as another user has no choices of that user's, and may not read root's own.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied && privileges::acts_for().is_some() => {
                return Ok(Self::default());
            }
            Err(source) => return Err(FileError::Io { action: "read", path, source }),
        };
        let mut kept = Self::default();
        for (key, value) in text.lines().filter_map(|line| line.split_once('=')) {
            match key.trim() {
                "org" => kept.org = value.trim().parse().ok(),
                "env" => kept.env = value.trim().parse().ok(),
                _ => {}
            }
        }
        Ok(kept)
    }

    /// Keeps it from now on.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be written.
    pub fn write(&self, paths: &Paths) -> Result<(), FileError> {
        file::create_dir(paths.config_dir())?;
        let line = |key: &str, value: Option<&str>| value.map_or_else(String::new, |value| format!("{key}={value}\n"));
        let org = line("org", self.org.as_ref().map(OrgName::as_str));
        let env = line("env", self.env.as_ref().map(EnvName::as_str));
        file::write(&paths.context(), format!("{org}{env}").as_bytes(), Access::Shared)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn what_was_kept_is_read_again() {
        let home = tempfile::tempdir().expect("a directory");
        let paths = Paths::under(home.path());
        assert_eq!(SavedContext::read(&paths).expect("nothing yet"), SavedContext::default());
        let kept = SavedContext { org: "acme".parse().ok(), env: "production".parse().ok() };
        kept.write(&paths).expect("written");
        assert_eq!(SavedContext::read(&paths).expect("read"), kept);
        fs::write(paths.context(), "org=../up\nwhat\nenv = dev \n").expect("written");
        assert_eq!(SavedContext::read(&paths).expect("read"), SavedContext { org: None, env: "dev".parse().ok() });
    }
}
