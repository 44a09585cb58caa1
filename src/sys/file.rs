//! Files that are whole or absent: temp, sync, rename; locked changes; private modes.

use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::base::fault::{FaultKind, UserFacingError};
use crate::disk::{self, FileAccessError};

/// How the names of files begin that are being written.
pub const TEMPORARY_PREFIX: &str = ".tetra-";

/// How long a lock is waited for.
const LOCK_TIMEOUT: Duration = Duration::from_secs(5);

/// Why a file could not be read, written or trusted.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    /// The system said no.
    #[error("failed to {action} `{}`", path.display())]
    Io {
        /// A verb: read, write, lock.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another process holds the lock for too long.
    #[error("`{}` is locked by another process", path.display())]
    Locked {
        /// The file.
        path: PathBuf,
    },
    /// A private file can be read or changed by others.
    #[error("`{}` contains secrets and is accessible to other users (mode {mode:04o})", path.display())]
    Unsafe {
        /// The file or the directory around it.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
}

impl FileError {
    /// What becomes an error of the system that met an action on a file.
    pub fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io { action, path: path.to_owned(), source }
    }

    /// The file is not there.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }

    /// There is no space left, on the disk or in the quota of the user.
    #[must_use]
    pub fn is_full(&self) -> bool {
        use io::ErrorKind::{QuotaExceeded, StorageFull};
        matches!(self, Self::Io { source, .. } if matches!(source.kind(), StorageFull | QuotaExceeded))
    }
}

impl UserFacingError for FileError {
    fn kind(&self) -> FaultKind {
        match self {
            Self::Io { .. } => FaultKind::Failed,
            Self::Locked { .. } => FaultKind::Locked,
            Self::Unsafe { .. } => FaultKind::UnsafeMode,
        }
    }

    fn advice(&self) -> Option<String> {
        match self {
            Self::Io { .. } if self.is_full() => Some("free disk space; nothing was changed".to_owned()),
            Self::Io { source, path, .. } => disk::access_error(source).map(|refusal| refusal_advice(refusal, path)),
            Self::Locked { .. } => Some("try again in a moment".to_owned()),
            Self::Unsafe { path, .. } => {
                Some(format!("run `chmod go-rwx '{}'`, and consider replacing the secrets", path.display()))
            }
        }
    }
}

/// What to do about a file that is not opened.
fn refusal_advice(refusal: FileAccessError, path: &Path) -> String {
    let shown = path.display();
    match refusal {
        FileAccessError::Symlink => format!("replace the link with a file: `rm '{shown}'`"),
        FileAccessError::ForeignSymlink(uid) | FileAccessError::ForeignOwner(uid) => {
            format!("act as that user: `sudo -u '#{uid}' tsm …`")
        }
        FileAccessError::NotRegular => format!("replace it with a regular file (`ls -l '{shown}'` shows what it is)"),
        FileAccessError::TooLarge => "check that it is the right file".to_owned(),
    }
}

/// Who may read a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Its owner only: 0600.
    Private,
    /// Everybody, as far as the umask allows: 0644.
    Shared,
    /// All users, and all users may execute it: 0755.
    Executable,
}

impl Access {
    fn mode(self) -> u32 {
        match self {
            Self::Private => 0o600,
            Self::Shared => 0o644,
            Self::Executable => 0o755,
        }
    }
}

/// Puts a file into place as a whole: written beside it, synced, renamed, and the directory synced. The directory must be there.
///
/// # Errors
///
/// Fails if the directory cannot be written or the disk is full; the old file is then as it was.
pub fn write(path: &Path, bytes: &[u8], access: Access) -> Result<(), FileError> {
    let fail = || FileError::io("write", path);
    let dir = path.parent().unwrap_or(Path::new("/"));
    let mut temporary = tempfile::Builder::new()
        .prefix(TEMPORARY_PREFIX)
        .permissions(fs::Permissions::from_mode(access.mode()))
        .tempfile_in(dir)
        .map_err(fail())?;
    temporary.write_all(bytes).map_err(fail())?;
    disk::chown_to_dir_owner(temporary.as_file(), dir).map_err(fail())?;
    temporary.as_file().sync_all().map_err(fail())?;
    temporary.persist(path).map_err(|error| fail()(error.error))?;
    disk::user_file().directory().open(dir).and_then(|directory| directory.sync_all()).map_err(fail())
}

/// Changes a file that others may change too: lock, read (empty if absent), write. The lock is on the directory and is held while
/// `change` runs. Nothing is written if the bytes stay the same.
///
/// # Errors
///
/// Fails if the lock is not free within five seconds, if reading or writing fails, or with the error of `change`.
pub fn update<E: From<FileError>>(
    path: &Path,
    access: Access,
    change: impl FnOnce(&[u8]) -> Result<Vec<u8>, E>,
) -> Result<(), E> {
    let dir = path.parent().unwrap_or(Path::new("/"));
    let _lock = lock(dir)?;
    let old = match disk::read(path) {
        Ok(bytes) => Some(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        Err(source) => return Err(FileError::io("read", path)(source).into()),
    };
    let new = change(old.as_deref().unwrap_or_default())?;
    if old.as_ref() != Some(&new) {
        write(path, &new, access)?;
    }
    Ok(())
}

/// Locks a file or directory that exists against all who lock it in this way, until the result is dropped.
///
/// # Errors
///
/// Fails if it cannot be opened, or if another process holds the lock for five seconds.
pub fn lock(path: &Path) -> Result<File, FileError> {
    let file = disk::user_file().any_kind().open(path).map_err(FileError::io("lock", path))?;
    let until = Instant::now() + LOCK_TIMEOUT;
    // The kernel waits for such a lock with no limit, or not at all; so it is asked again.
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if Instant::now() < until => std::thread::sleep(Duration::from_millis(5)),
            Err(TryLockError::WouldBlock) => return Err(FileError::Locked { path: path.to_owned() }),
            Err(TryLockError::Error(source)) => return Err(FileError::io("lock", path)(source)),
        }
    }
}

/// Appends to a file in one step, so that lines of several writers do not mix.
///
/// # Errors
///
/// Fails if it cannot be opened or written, also if only a part could be.
pub fn append(path: &Path, bytes: &[u8], access: Access) -> Result<(), FileError> {
    let fail = || FileError::io("append to", path);
    let mut file = disk::own_file().append(access.mode()).open(path).map_err(fail())?;
    disk::chown_to_dir_owner(&file, path.parent().unwrap_or(Path::new("/"))).map_err(fail())?;
    match file.write(bytes) {
        Ok(count) if count == bytes.len() => Ok(()),
        Ok(_) => Err(fail()(io::ErrorKind::WriteZero.into())),
        Err(source) => Err(fail()(source)),
    }
}

/// Waits until everything that was written to the file system of a directory is on its disk: one wait for many files.
///
/// # Errors
///
/// Fails if the directory cannot be opened, or if the disk could not take it.
pub fn sync_file_system(dir: &Path) -> Result<(), FileError> {
    let opened = disk::user_file().directory().open(dir);
    opened.and_then(|dir| Ok(rustix::fs::syncfs(dir)?)).map_err(FileError::io("write", dir))
}

/// Takes away what was being written in a directory when the program or the machine stopped. The holder of the lock under which
/// files are written there may call it: no other process is writing then. What cannot be removed stays, and does no harm.
pub fn remove_stale_temporaries(dir: &Path) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        if entry.file_name().to_string_lossy().starts_with(TEMPORARY_PREFIX) {
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// Makes a directory and those above it, if they are missing.
///
/// # Errors
///
/// Fails if one cannot be made.
pub fn create_dir(path: &Path) -> Result<(), FileError> {
    let missing: Vec<&Path> = path.ancestors().take_while(|it| fs::symlink_metadata(it).is_err()).collect();
    let made = fs::create_dir_all(path).map_err(|error| match error.kind() {
        // A file, or a dangling link: the kernel only says that something exists.
        io::ErrorKind::AlreadyExists => io::Error::new(io::ErrorKind::NotADirectory, "it is not a directory"),
        _ => error,
    });
    made.and_then(|()| missing.into_iter().rev().try_for_each(chown_to_parent_owner))
        .map_err(FileError::io("create the directory", path))
}

/// Gives a directory that was just made to whom the one around it belongs.
fn chown_to_parent_owner(made: &Path) -> io::Result<()> {
    let opened = disk::own_file().directory().open(made)?;
    disk::chown_to_dir_owner(&opened, made.parent().unwrap_or(Path::new("/")))
}

/// Makes a directory that only its owner can enter; one that is there and open to others is closed.
///
/// # Errors
///
/// Fails if it cannot be made, or belongs to another user and is open.
pub fn create_private_dir(path: &Path) -> Result<(), FileError> {
    if let Some(parent) = path.parent() {
        create_dir(parent)?;
    }
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => chown_to_parent_owner(path).map_err(FileError::io("create the directory", path)),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let found = fs::metadata(path).map_err(FileError::io("read the attributes of", path))?;
            let mode = found.mode() & 0o7777;
            if mode & 0o077 == 0 {
                return Ok(());
            }
            if found.uid() != nix::unistd::geteuid().as_raw() {
                return Err(FileError::Unsafe { path: path.to_owned(), mode });
            }
            fs::set_permissions(path, fs::Permissions::from_mode(0o700)).map_err(FileError::io("close", path))
        }
        Err(source) => Err(FileError::io("create the directory", path)(source)),
    }
}

/// The bytes of a private file, and a line to show if it had to be closed first.
#[derive(Debug, PartialEq, Eq)]
pub struct PrivateBytes {
    /// What it holds.
    pub bytes: Vec<u8>,
    /// What was done about its permissions.
    pub notice: Option<String>,
}

/// Reads a file that holds secrets. One that is open to others is closed if it is ours and its directory is private; otherwise it is
/// not trusted.
///
/// # Errors
///
/// Fails if it cannot be read, or with [`FileError::Unsafe`].
pub fn read_private(path: &Path) -> Result<PrivateBytes, FileError> {
    let fail = || FileError::io("read", path);
    let file = disk::user_file().open(path).map_err(fail())?;
    let found = file.metadata().map_err(fail())?;
    let mode = found.mode() & 0o7777;
    let mut notice = None;
    if mode & 0o077 != 0 {
        let dir = path.parent().unwrap_or(Path::new("/"));
        let around = fs::metadata(dir).map_err(fail())?;
        let ours = found.uid() == nix::unistd::geteuid().as_raw();
        if !ours || around.mode() & 0o077 != 0 {
            return Err(FileError::Unsafe { path: path.to_owned(), mode });
        }
        file.set_permissions(fs::Permissions::from_mode(0o600)).map_err(FileError::io("close", path))?;
        notice = Some(format!(
            "`{}` was accessible to other users (mode {mode:04o}); permissions corrected",
            path.display()
        ));
    }
    let bytes = disk::read_all(&file).map_err(fail())?;
    Ok(PrivateBytes { bytes, notice })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("it is there").mode() & 0o7777
    }

    fn open_up(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("it is ours");
    }

    #[test]
    fn a_written_file_is_whole_and_nothing_is_left_beside_it() {
        let home = tempfile::tempdir().expect("a directory");
        let path = home.path().join("a");
        write(&path, b"one", Access::Shared).expect("written");
        write(&path, b"two", Access::Private).expect("written");
        assert_eq!((fs::read(&path).expect("read"), mode(&path)), (b"two".to_vec(), 0o600));
        assert_eq!(fs::read_dir(home.path()).expect("listed").count(), 1);
    }

    #[test]
    fn changes_from_many_sides_are_all_kept() {
        let home = tempfile::tempdir().expect("a directory");
        let path = home.path().join("count");
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..5 {
                        update::<FileError>(&path, Access::Shared, |old| Ok([old, b"x"].concat())).expect("updated");
                    }
                });
            }
        });
        assert_eq!(fs::read(&path).expect("read").len(), 40);
    }

    #[test]
    fn appended_lines_do_not_mix() {
        let home = tempfile::tempdir().expect("a directory");
        let path = home.path().join("log");
        std::thread::scope(|scope| {
            for letter in ["a", "b", "c", "d"] {
                let line = format!("{}\n", letter.repeat(3000));
                let path = &path;
                scope.spawn(move || {
                    (0..50).for_each(|_| append(path, line.as_bytes(), Access::Private).expect("added"))
                });
            }
        });
        let text = fs::read_to_string(&path).expect("read");
        assert_eq!(text.lines().count(), 200);
        assert!(text.lines().all(|line| line.len() == 3000 && line.bytes().all(|byte| byte == line.as_bytes()[0])));
        assert_eq!(mode(&path), 0o600);
    }

    #[test]
    fn an_open_secret_is_closed_in_a_private_directory_and_refused_elsewhere() {
        let home = tempfile::tempdir().expect("a directory");
        let directory = home.path().join("secrets");
        create_private_dir(&directory).expect("made");
        assert_eq!(mode(&directory), 0o700);
        let path = directory.join("dev.env");
        write(&path, b"A=1", Access::Private).expect("written");
        assert_eq!(read_private(&path).expect("read").notice, None);
        open_up(&path, 0o644);
        assert!(read_private(&path).expect("read").notice.is_some_and(|notice| notice.contains("0644")));
        assert_eq!(mode(&path), 0o600);
        open_up(&path, 0o640);
        open_up(&directory, 0o755);
        let refused = read_private(&path).expect_err("others may have it open");
        assert_eq!((refused.kind(), mode(&path)), (FaultKind::UnsafeMode, 0o640));
        create_private_dir(&directory).expect("closed");
        assert_eq!(mode(&directory), 0o700);
    }
}
