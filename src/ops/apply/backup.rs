//! The files that an apply changes, as they were before.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

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
        let services = Services::open(paths);
        let restore = |it: &SavedService| it.restore(&services, &paths.service(&it.name));
        let results: Vec<Result<(), ServiceError>> = self.services.iter().map(restore).collect();
        results.into_iter().collect()
    }
}

impl SavedService {
    fn restore(&self, services: &Services, path: &Path) -> Result<(), ServiceError> {
        let Some(text) = &self.text else {
            return match services.remove(&self.name) {
                Err(ServiceError::Unknown { .. }) => Ok(()),
                result => result,
            };
        };
        text.restore(path)?;
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
        Ok(Some(Self { bytes, access }))
    }

    /// Writes it again, through a link; not where it is unchanged, because a full disk may be why the plan failed.
    fn restore(&self, path: &Path) -> Result<(), FileError> {
        if disk::read(path).is_ok_and(|bytes| bytes == self.bytes) {
            return Ok(());
        }
        if let Some(dir) = path.parent() {
            file::create_dir(dir)?;
        }
        file::write(&path.canonicalize().unwrap_or(path.to_owned()), &self.bytes, self.access)
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, symlink};

    use super::*;

    #[test]
    fn only_what_was_changed_is_written_again() {
        let home = tempfile::tempdir().expect("a directory");
        let paths = Paths::under(home.path());
        file::create_dir(&paths.services_available()).expect("made");
        let names = ["kept", "changed", "linked"].map(|name| name.parse::<ServiceName>().expect("a name"));
        let [kept, changed, linked] = names.each_ref().map(|name| paths.service(name));
        let elsewhere = home.path().join("elsewhere.tsm");
        for path in [&kept, &changed, &elsewhere] {
            fs::write(path, "old").expect("written");
        }
        symlink(&elsewhere, &linked).expect("linked");
        let backup = Backup::take(&paths, names.iter()).expect("read");
        let inode = || fs::metadata(&kept).expect("it exists").ino();
        let before = inode();
        fs::write(&changed, "new").expect("written");
        fs::remove_file(&linked).expect("removed");
        backup.restore(&paths).expect("restored");
        assert_eq!(inode(), before);
        for path in [&kept, &changed, &linked] {
            assert_eq!(fs::read_to_string(path).expect("it exists"), "old", "{}", path.display());
        }
    }
}
