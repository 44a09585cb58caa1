//! The files that an apply changes, as they were before.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::base::name::ServiceName;
use crate::disk;
use crate::sys::file::{self, Access, FileError};
use crate::sys::paths::Paths;
use crate::tsm::service::{ServiceError, Services};

/// The definitions of some services and whether they are enabled.
#[derive(Debug, Default)]
pub(super) struct Backup {
    services: Vec<SavedService>,
}

#[derive(Debug)]
struct SavedService {
    name: ServiceName,
    /// Its definition; none if there was none.
    text: Option<SavedFile>,
    enabled: bool,
}

#[derive(Debug)]
struct SavedFile {
    /// Where a link leads, or the file itself.
    path: PathBuf,
    bytes: Vec<u8>,
    access: Access,
}

impl Backup {
    /// Reads the definitions of services.
    ///
    /// # Errors
    ///
    /// Fails if one is there and cannot be read.
    pub(super) fn take<'a>(paths: &Paths, names: impl Iterator<Item = &'a ServiceName>) -> Result<Self, FileError> {
        let services = Services::open(paths);
        let saved = |name: &ServiceName| {
            let text = SavedFile::read(&paths.service(name))?;
            Ok(SavedService { name: name.clone(), text, enabled: services.is_enabled(name) })
        };
        Ok(Self { services: names.map(saved).collect::<Result<_, FileError>>()? })
    }

    /// Puts everything back. Goes on where something fails; the first failure.
    pub(super) fn restore(&self, paths: &Paths) -> Result<(), ServiceError> {
        let results: Vec<Result<(), ServiceError>> =
            self.services.iter().map(|service| service.restore(&Services::open(paths))).collect();
        results.into_iter().collect()
    }
}

impl SavedService {
    fn restore(&self, services: &Services) -> Result<(), ServiceError> {
        let Some(text) = &self.text else {
            return match services.remove(&self.name) {
                Err(ServiceError::Unknown { .. }) => Ok(()),
                result => result,
            };
        };
        if let Some(dir) = text.path.parent() {
            file::create_dir(dir)?;
        }
        file::write(&text.path, &text.bytes, text.access)?;
        match self.enabled {
            true => services.enable(&self.name).map(|_| ()),
            false if services.is_enabled(&self.name) => services.disable(&self.name).map(|_| ()),
            false => Ok(()),
        }
    }
}

impl SavedFile {
    fn read(path: &Path) -> Result<Option<Self>, FileError> {
        let bytes = match disk::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(FileError::io("read", path)(source)),
        };
        let mode = fs::metadata(path).map_or(0o600, |found| found.permissions().mode());
        let access = if mode & 0o077 == 0 { Access::Private } else { Access::Shared };
        Ok(Some(Self { path: path.canonicalize().unwrap_or(path.to_owned()), bytes, access }))
    }
}
