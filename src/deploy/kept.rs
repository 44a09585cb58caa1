//! The files that a deploy replaced beside its release, as they were before: kept until it has ended, for its owner alone.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::carried::{Carried, Digests};
use super::error::RecordError;
use super::files::DeployDir;
use super::machine::State;
use super::record::Record;
use crate::disk;
use crate::sys::file::{self, Access, FileError};

/// The version of the list.
const VERSION: u32 = 1;

/// The suffix of the directory of a deploy.
const SUFFIX: &str = "kept";

/// The list in it. It is written last: without it nothing was replaced.
const LIST: &str = "list.json";

#[derive(Serialize, Deserialize)]
struct List {
    version: u32,
    files: Vec<KeptFile>,
}

/// A file as it was; its content is beside the list, by its number.
#[derive(Serialize, Deserialize)]
struct KeptFile {
    path: PathBuf,
    /// Its permissions; none if it was not there.
    mode: Option<u32>,
}

impl DeployDir {
    fn kept(&self, txid: &str) -> PathBuf {
        self.tx().join(format!("{txid}.{SUFFIX}"))
    }

    /// Writes down what is beside the release of a deploy once it stays.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be written.
    pub fn note_carried(&self, txid: &str, carried: Vec<(Carried, Digests)>) -> Result<(), RecordError> {
        let record = self.read(txid)?;
        Ok(self.write(&Record { carried, ..record })?)
    }

    /// Keeps files as they are, before they are replaced or removed.
    ///
    /// # Errors
    ///
    /// Fails if one cannot be read, or the disk is full.
    pub fn keep(&self, txid: &str, paths: &[PathBuf]) -> Result<(), FileError> {
        let dir = self.kept(txid);
        remove(&dir)?;
        file::create_private_dir(&dir)?;
        let mut files = Vec::new();
        for path in paths {
            let mode = match disk::read(path) {
                Ok(bytes) => {
                    file::write(&dir.join(files.len().to_string()), &bytes, Access::Private)?;
                    let found = fs::metadata(path).map_err(FileError::io("read", path))?;
                    Some(found.permissions().mode() & 0o7777)
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                Err(source) => return Err(FileError::io("read", path)(source)),
            };
            files.push(KeptFile { path: path.clone(), mode });
        }
        let list = dir.join(LIST);
        let json = serde_json::to_vec(&List { version: VERSION, files }).map_err(io::Error::other);
        file::write(&list, &json.map_err(FileError::io("write", &list))?, Access::Private)
    }

    /// Puts back what was kept, as far as it is not as it was. What was being written there when its writer was killed goes.
    ///
    /// # Errors
    ///
    /// Fails if a file cannot be written.
    pub fn put_back_kept(&self, txid: &str) -> Result<(), FileError> {
        let dir = self.kept(txid);
        let list = dir.join(LIST);
        let bytes = match disk::read_own(&list) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(source) => return Err(FileError::io("read", &list)(source)),
        };
        let unknown = |why: String| FileError::io("read", &list)(io::Error::other(why));
        let kept: List = serde_json::from_slice(&bytes).map_err(|error| unknown(error.to_string()))?;
        if kept.version != VERSION {
            return Err(unknown(format!("it has version {}, and this program knows {VERSION}", kept.version)));
        }
        for (number, it) in kept.files.iter().enumerate() {
            it.put_back(&dir.join(number.to_string()))?;
        }
        Ok(())
    }

    /// Removes what was kept for a deploy that has ended.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be removed.
    pub fn forget_kept(&self, txid: &str) -> Result<(), FileError> {
        remove(&self.kept(txid))
    }

    /// Removes what was kept for deploys that have ended, but for what could not be put back.
    pub(super) fn sweep_kept(&self) {
        self.remove_kept(|state| state.has_ended() && state != State::RevertFailed);
    }

    /// The same also for what could not be put back: a later deploy stayed.
    pub fn forget_all_kept(&self) {
        self.remove_kept(State::has_ended);
    }

    fn remove_kept(&self, is_meant: impl Fn(State) -> bool) {
        for entry in fs::read_dir(self.tx()).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let Some(txid) = name.to_str().and_then(|name| name.strip_suffix(&format!(".{SUFFIX}"))) else { continue };
            let is_over = match self.read(txid) {
                Ok(record) => is_meant(record.state),
                Err(error) => matches!(error, RecordError::Unknown(_)),
            };
            if is_over {
                // What is not removed now is removed by the next deploy.
                let _ = self.forget_kept(txid);
            }
        }
    }
}

impl KeptFile {
    fn put_back(&self, content: &Path) -> Result<(), FileError> {
        let Self { path, mode } = self;
        let dir = path.parent().unwrap_or(Path::new("/"));
        let Some(mode) = mode else {
            match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(FileError::io("remove", path)(error));
                }
                _ => {}
            }
            return clear_unfinished(dir);
        };
        let old = disk::read_own(content).map_err(FileError::io("read", content))?;
        let is_as_it_was = disk::read(path).is_ok_and(|found| found == old);
        let is_open = mode & 0o077 != 0;
        let has_mode = fs::metadata(path).is_ok_and(|found| (found.permissions().mode() & 0o077 != 0) == is_open);
        if !is_as_it_was || !has_mode {
            file::create_dir(dir)?;
            file::write(path, &old, if is_open { Access::Shared } else { Access::Private })?;
        }
        clear_unfinished(dir)
    }
}

fn clear_unfinished(dir: &Path) -> Result<(), FileError> {
    if !dir.is_dir() {
        return Ok(());
    }
    let _lock = file::lock(dir)?;
    file::remove_stale_temporaries(dir);
    Ok(())
}

fn remove(dir: &Path) -> Result<(), FileError> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(FileError::io("remove", dir)(error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_come_back_as_they_were() {
        let home = tempfile::tempdir().expect("a directory");
        let files = DeployDir::of(home.path());
        files.create().expect("made");
        let [there, open, absent] = ["there.env", "open.env", "sub/absent.env"].map(|name| home.path().join(name));
        let mode = |path: &Path| fs::metadata(path).expect("there").permissions().mode() & 0o7777;
        file::write(&there, b"\xffold", Access::Private).expect("written");
        file::write(&open, b"old", Access::Private).expect("written");
        fs::set_permissions(&open, fs::Permissions::from_mode(0o644)).expect("ours");
        files.put_back_kept("a").expect("nothing was kept");
        files.keep("a", &[there.clone(), open.clone(), absent.clone()]).expect("kept");
        assert_eq!(mode(&files.kept("a")), 0o700);
        assert!(fs::read_dir(files.kept("a")).expect("there").flatten().all(|it| mode(&it.path()) == 0o600));

        file::create_dir(&home.path().join("sub")).expect("made");
        for path in [&there, &open, &absent] {
            file::write(path, b"new", Access::Private).expect("written");
        }
        fs::write(home.path().join("sub/.tetra-cut"), "new").expect("written");
        for _ in 0..2 {
            files.put_back_kept("a").expect("put back");
            assert_eq!(fs::read(&there).expect("there"), b"\xffold");
            assert_eq!((fs::read(&open).expect("there"), mode(&open)), (b"old".to_vec(), 0o644));
            assert!(!absent.exists() && !home.path().join("sub/.tetra-cut").exists());
        }
        files.forget_kept("a").expect("removed");
        assert!(!files.kept("a").exists());
    }

    #[test]
    fn what_was_cut_before_its_list_replaced_nothing() {
        let home = tempfile::tempdir().expect("a directory");
        let files = DeployDir::of(home.path());
        files.create().expect("made");
        let path = home.path().join("a.env");
        file::write(&path, b"old", Access::Private).expect("written");
        files.keep("a", std::slice::from_ref(&path)).expect("kept");
        fs::remove_file(files.kept("a").join(LIST)).expect("there");
        file::write(&path, b"of another", Access::Private).expect("written");
        files.put_back_kept("a").expect("nothing to do");
        assert_eq!(fs::read(&path).expect("there"), b"of another");
        files.sweep_kept();
        assert!(!files.kept("a").exists(), "there is no such deploy");
    }
}
