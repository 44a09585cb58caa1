//! `$TETRA_DIR/bin/tetra`: this program by its name, for the services of a host that has it only by its hash.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::place::{Place, replace_by_link};
use crate::base::fault::Fault;
use crate::disk;
use crate::sys::file::{self, Access, FileError};
use crate::sys::paths::Paths;
use crate::sys::program;

/// The name that services call.
const NAME: &str = "tetra";

/// What the name of a program begins with that was put on a host by its hash. It is removed there when later ones came.
const BY_HASH: &str = "tetra-";

/// The directory that is searched last for programs, by whatever is started here.
#[must_use]
pub fn of(paths: &Paths) -> PathBuf {
    paths.home().join("bin")
}

/// Where the program is in it.
#[must_use]
pub fn link(paths: &Paths) -> PathBuf {
    of(paths).join(NAME)
}

/// True if a command may call it by its name, also within a text for a shell.
pub(super) fn is_called_by(command: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || "-_./".contains(c);
    command.split(|c| !is_part(c)).any(|word| word == NAME)
}

/// Makes this program the one that services call, unless another one is in the PATH or was put there by hand.
///
/// # Errors
///
/// Fails if it cannot be written.
pub(super) fn provide(place: &Place) -> Result<(), Fault> {
    let (dir, link) = (of(place.paths), link(place.paths));
    let is_by_hand = fs::symlink_metadata(&link).is_ok_and(|found| !found.is_symlink());
    let search = place.host.variable("PATH").unwrap_or_default();
    let others: Vec<&str> = search.split(':').filter(|known| Path::new(known) != dir).collect();
    if is_by_hand || program::find(NAME, &others.join(":"), Path::new("/")).is_some() {
        return Ok(());
    }
    let own = place.host.program();
    let name = own.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    file::create_dir(&dir)?;
    let target = if name.starts_with(BY_HASH) { PathBuf::from(name) } else { own.to_owned() };
    let there = dir.join(&target);
    if !there.exists() {
        copy(own, &there)?;
    }
    if fs::read_link(&link).is_ok_and(|found| found == target) {
        return Ok(());
    }
    replace_by_link(&link, &target).map_err(FileError::io("write", &link))?;
    remove_others(&dir, name);
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<(), FileError> {
    let mut bytes = Vec::new();
    let read = disk::user_file().open(from).and_then(|mut file| file.read_to_end(&mut bytes));
    read.map_err(FileError::io("read", from))?;
    file::write(to, &bytes, Access::Executable)
}

/// Programs of earlier deploys. Processes that run go on.
fn remove_others(dir: &Path, but: &str) {
    let names =
        fs::read_dir(dir).into_iter().flatten().flatten().filter_map(|entry| entry.file_name().into_string().ok());
    for name in names.filter(|name| name.starts_with(BY_HASH) && name != but) {
        // One that stays does no harm.
        let _ = fs::remove_file(dir.join(name));
    }
}
