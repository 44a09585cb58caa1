//! Reading what operators wrote, without trusting it: size, links, text, TOML.

use std::fs;
use std::io::{self, Read};
use std::path::Path;

use super::error::OrgError;
use crate::config::document::Document;
use crate::disk::{self, FileAccessError};
use crate::sys::file::FileError;

/// The largest file that is read, in bytes.
pub const MAX_FILE_BYTES: u64 = 8 << 20;

/// The text of a file; none if it is not there. `tree` is the directory that a symlink may not leave.
///
/// # Errors
///
/// Fails if it cannot be read, is too large, not text, not a regular file, or a symlink to elsewhere.
pub fn text(path: &Path, tree: &Path) -> Result<Option<String>, OrgError> {
    let Some(bytes) = bytes(path, tree)? else { return Ok(None) };
    String::from_utf8(bytes).map(Some).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..at].iter().filter(|byte| **byte == b'\n').count() + 1;
        OrgError::NotText { path: path.to_owned(), at, line }
    })
}

/// The bytes of a file; none if it is not there. `tree` is the directory that a symlink may not leave.
///
/// # Errors
///
/// As [`text`], whatever the bytes are.
pub fn bytes(path: &Path, tree: &Path) -> Result<Option<Vec<u8>>, OrgError> {
    let fail = |source: io::Error| OrgError::File(FileError::Io { action: "read", path: path.to_owned(), source });
    let outside = |why: &str| OrgError::OutsideTree { path: path.to_owned(), why: why.to_owned() };
    let file = match disk::user_file().open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound && fs::symlink_metadata(path).is_err() => {
            return Ok(None);
        }
        Err(error) if disk::access_error(&error) == Some(FileAccessError::NotRegular) => {
            return Err(outside("is not a regular file"));
        }
        Err(error) => return Err(fail(error)),
    };
    ensure_inside(path, tree)?;
    let size = file.metadata().map_err(fail)?.len();
    let too_large = |size| OrgError::TooLarge { path: path.to_owned(), size };
    if size > MAX_FILE_BYTES {
        return Err(too_large(size));
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(fail)?;
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(too_large(bytes.len() as u64));
    }
    Ok(Some(bytes))
}

/// The TOML of a file; none if it is not there.
///
/// # Errors
///
/// As [`text`], and with every error if it is not valid TOML.
pub fn document(path: &Path, tree: &Path) -> Result<Option<Document>, OrgError> {
    let Some(text) = text(path, tree)? else { return Ok(None) };
    let parsed = Document::parse(&path.display().to_string(), &text);
    parsed.map(Some).map_err(|found| OrgError::invalid(path, found))
}

/// Checks that no symlink of a path, as far as it exists, resolves outside of `tree`.
///
/// # Errors
///
/// Fails with [`OrgError::OutsideTree`].
pub fn ensure_inside(path: &Path, tree: &Path) -> Result<(), OrgError> {
    let (Ok(real), Ok(tree)) = (fs::canonicalize(path), fs::canonicalize(tree)) else { return Ok(()) };
    if real.starts_with(&tree) {
        return Ok(());
    }
    let why = format!("is outside of `{}`: it resolves to `{}`", tree.display(), real.display());
    Err(OrgError::OutsideTree { path: path.to_owned(), why })
}
