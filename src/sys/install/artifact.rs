//! One thing that setup puts in place: how it was found, made, and removed again.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use super::MARKER;
use crate::disk;
use crate::sys::file::{self, Access, FileError, TEMPORARY_PREFIX};

/// One thing that should be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Artifact {
    /// A directory; a private one must not be open to others.
    Directory(PathBuf, Access),
    /// A link and where it leads.
    Link(PathBuf, PathBuf),
    /// A file and its text.
    File(PathBuf, String),
    /// A copy of the program, and the program.
    Program(PathBuf, PathBuf),
}

/// How a piece was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArtifactState {
    /// As it should be.
    UpToDate,
    /// Not there.
    Missing,
    /// Ours, but not as it should be.
    Outdated,
    /// Something that is not ours is in its place.
    Foreign,
}

impl Artifact {
    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        let (Self::Directory(path, _) | Self::Link(path, _) | Self::File(path, _) | Self::Program(path, _)) = self;
        path
    }

    /// What it is.
    #[must_use]
    pub fn kind_name(&self) -> &'static str {
        match self {
            Self::Directory(..) => "directory",
            Self::Link(..) => "link",
            Self::File(..) => "file",
            Self::Program(..) => "program",
        }
    }

    /// Its state now.
    ///
    /// # Errors
    ///
    /// Fails if what is in its place cannot be read.
    pub fn state(&self) -> Result<ArtifactState, FileError> {
        let found = match fs::symlink_metadata(self.path()) {
            Ok(found) => found,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(ArtifactState::Missing),
            Err(error) => return Err(self.failed("read the attributes of", error)),
        };
        Ok(match self {
            Self::Directory(path, access) if path.is_dir() => {
                let open = fs::metadata(path)
                    .map_err(|error| self.failed("read the attributes of", error))?
                    .permissions()
                    .mode();
                if *access == Access::Private && open & 0o077 != 0 {
                    ArtifactState::Outdated
                } else {
                    ArtifactState::UpToDate
                }
            }
            Self::Link(path, target) if found.is_symlink() => {
                let leads_to = fs::read_link(path).map_err(|error| self.failed("read", error))?;
                if leads_to == *target {
                    ArtifactState::UpToDate
                } else if leads_to.file_name() == target.file_name() {
                    ArtifactState::Outdated
                } else {
                    ArtifactState::Foreign
                }
            }
            Self::File(path, text) if found.is_file() => self.compare(path, text.as_bytes())?,
            // The program may have been out of reach of others before, or come into it.
            Self::Link(path, _) if found.is_file() && has_marker(&self.read(path)?) => ArtifactState::Outdated,
            Self::Program(path, program) if found.is_file() && found.permissions().mode() & 0o555 == 0o555 => {
                self.compare(path, &self.read(program)?)?
            }
            Self::Program(path, _) if found.is_file() && has_marker(&self.read(path)?) => ArtifactState::Outdated,
            Self::Program(path, program) if found.is_symlink() => match fs::read_link(path) {
                Ok(leads_to) if leads_to.file_name() == program.file_name() => ArtifactState::Outdated,
                Ok(_) => ArtifactState::Foreign,
                Err(error) => return Err(self.failed("read", error)),
            },
            Self::Directory(..) | Self::Link(..) | Self::File(..) | Self::Program(..) => ArtifactState::Foreign,
        })
    }

    /// Makes it as it should be. What is not ours stays; returns how it was found.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be written.
    pub fn install(&self) -> Result<ArtifactState, FileError> {
        let found = self.state()?;
        if !matches!(found, ArtifactState::Missing | ArtifactState::Outdated) {
            return Ok(found);
        }
        match self {
            Self::Directory(path, Access::Shared | Access::Executable) => file::create_dir(path)?,
            Self::Directory(path, Access::Private) => file::create_private_dir(path)?,
            Self::Link(path, target) => {
                if found == ArtifactState::Outdated {
                    fs::remove_file(path).map_err(|error| self.failed("replace", error))?;
                }
                symlink(target, path).map_err(|error| self.failed("make", error))?;
            }
            Self::File(path, text) => {
                let directory = path.parent().unwrap_or(Path::new("/"));
                file::create_dir(directory)?;
                file::write(path, text.as_bytes(), Access::Shared)?;
            }
            Self::Program(path, program) => {
                copy_program(program, path)?;
            }
        }
        Ok(found)
    }

    /// Takes it away. What is not ours and directories that hold something stay; true if it is gone now.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be removed.
    pub fn uninstall(&self) -> Result<bool, FileError> {
        match (self, self.state()?) {
            (_, ArtifactState::Missing) => Ok(false),
            (_, ArtifactState::Foreign) => Ok(false),
            (Self::Directory(path, _), _) => match fs::remove_dir(path) {
                Ok(()) => Ok(true),
                Err(error) if error.kind() == ErrorKind::DirectoryNotEmpty => Ok(false),
                Err(error) => Err(self.failed("remove", error)),
            },
            (Self::Link(path, _) | Self::File(path, _) | Self::Program(path, _), _) => {
                fs::remove_file(path).map_err(|error| self.failed("remove", error))?;
                Ok(true)
            }
        }
    }

    /// How a file was found that should have these bytes.
    fn compare(&self, path: &Path, bytes: &[u8]) -> Result<ArtifactState, FileError> {
        let there = self.read(path)?;
        Ok(match there == bytes {
            true => ArtifactState::UpToDate,
            false if has_marker(&there) => ArtifactState::Outdated,
            false => ArtifactState::Foreign,
        })
    }

    fn read(&self, path: &Path) -> Result<Vec<u8>, FileError> {
        read_program(path).map_err(|error| self.failed("read", error))
    }

    fn failed(&self, action: &'static str, source: io::Error) -> FileError {
        FileError::Io { action, path: self.path().to_owned(), source }
    }
}

/// The bytes of a program, which is larger than what an operator writes.
fn read_program(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    disk::user_file().open(path).and_then(|mut file| file.read_to_end(&mut bytes)).map(|_| bytes)
}

/// Puts an executable into place for all users; one that runs from there now goes on with the file that it has.
///
/// # Errors
///
/// Fails if the program cannot be read, or the copy cannot be written. What was there is then as it was.
pub fn copy_program(program: &Path, path: &Path) -> Result<(), FileError> {
    let bytes = read_program(program).map_err(FileError::io("read", program))?;
    let directory = path.parent().unwrap_or(Path::new("/"));
    let write = || {
        let mut temporary = tempfile::Builder::new().prefix(TEMPORARY_PREFIX).tempfile_in(directory)?;
        temporary.write_all(&bytes)?;
        temporary.as_file().set_permissions(Permissions::from_mode(0o755))?;
        temporary.as_file().sync_all()?;
        temporary.persist(path).map(drop).map_err(|error| error.error)
    };
    write().map_err(FileError::io("write", path))
}

/// True if a program was copied there already.
#[must_use]
pub fn is_copy(program: &Path, path: &Path) -> bool {
    let size = |path: &Path| fs::metadata(path).map(|it| it.len()).ok();
    size(program) == size(path) && read_program(program).ok() == read_program(path).ok()
}

/// True for a file that setup wrote, and for the program, which has the mark within.
fn has_marker(bytes: &[u8]) -> bool {
    memchr::memmem::find(bytes, MARKER.as_bytes()).is_some()
}
