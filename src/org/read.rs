//! Files of an organization: bounded, and inside of its directory.

use std::fs;
use std::path::Path;

use super::error::OrgError;
use crate::config::document::Document;
use crate::config::read::{self, ReadFileError};

/// The largest file that is read, in bytes.
const MAX_FILE_BYTES: u64 = 8 << 20;

/// The text of a file; none if it is not there. `tree` is the directory that a symlink may not leave.
///
/// # Errors
///
/// As [`bytes`], and if it is not UTF-8.
pub fn text(path: &Path, tree: &Path) -> Result<Option<String>, OrgError> {
    let Some(bytes) = bytes(path, tree)? else { return Ok(None) };
    Ok(Some(read::utf8(path, bytes)?))
}

/// The bytes of a file; none if it is not there. `tree` is the directory that a symlink may not leave.
///
/// # Errors
///
/// Fails if it cannot be read, is larger than 8 MiB, not a regular file, or a symlink to elsewhere.
pub fn bytes(path: &Path, tree: &Path) -> Result<Option<Vec<u8>>, OrgError> {
    match read::bytes(path, MAX_FILE_BYTES) {
        Err(ReadFileError::File(error)) if error.is_not_found() && fs::symlink_metadata(path).is_err() => Ok(None),
        read => {
            ensure_inside(path, tree)?;
            Ok(Some(read?))
        }
    }
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
