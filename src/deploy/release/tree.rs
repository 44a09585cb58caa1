//! The files of an application, as they are in a directory.

use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::error::ReleaseError;
use super::names::{EntryPath, link_stays};
use super::refusal::Refusal;
use super::{APPLICATION, MAX_ENTRIES};
use crate::base::glob::matches;
use crate::disk;
use crate::sys::file::FileError;

/// As far as a `.pem` is read for a private key: bundles of certificates have some 200 KiB.
const MAX_PEM: u64 = 1 << 20;

/// The files of an application, from a directory.
#[derive(Debug)]
pub struct Application {
    /// The directory.
    pub from: PathBuf,
    /// Patterns of what is left out, as [`crate::base::glob::matches`] reads them.
    pub exclude: Vec<String>,
}

/// Something that was found.
pub(super) struct Found {
    /// Where it is in the release.
    pub(super) path: EntryPath,
    /// Where it is here.
    pub(super) from: PathBuf,
    pub(super) kind: Kind,
}

/// What it is; the mode is the one that it has in a release: all users may read all of it, and execute what its owner may execute
/// here. So a release does not depend on the umask of the one who made it.
pub(super) enum Kind {
    File { mode: u32 },
    Link { target: String },
    Directory,
}

impl Application {
    /// All that is not left out, a directory before what is in it. Links are not followed, but for the directory itself.
    pub(super) fn walk(&self, found: &mut Vec<Found>) -> Result<(), ReleaseError> {
        let from = &self.from;
        if !fs::metadata(from).map_err(FileError::io("read", from))?.is_dir() {
            return Err(refused(from, Refusal::NotADirectory));
        }
        let mut open = vec![PathBuf::new()];
        while let Some(below) = open.pop() {
            let dir = from.join(&below);
            let fail = || FileError::io("read", &dir);
            for entry in fs::read_dir(&dir).map_err(fail())? {
                let below = below.join(entry.map_err(fail())?.file_name());
                if self.exclude.iter().any(|pattern| matches(pattern, &below)) {
                    continue;
                }
                let it = self.look(&below)?;
                if matches!(it.kind, Kind::Directory) {
                    open.push(below);
                }
                found.push(it);
                if found.len() > MAX_ENTRIES {
                    return Err(ReleaseError::TooMany { path: from.clone() });
                }
            }
        }
        Ok(())
    }

    fn look(&self, below: &Path) -> Result<Found, ReleaseError> {
        let from = self.from.join(below);
        let text = below.to_str().ok_or_else(|| refused(&from, Refusal::Name))?;
        let path = EntryPath::new(&format!("{APPLICATION}/{text}")).map_err(|why| refused(&from, why))?;
        let found = fs::symlink_metadata(&from).map_err(FileError::io("read", &from))?;
        let kind = if found.is_symlink() {
            Kind::Link { target: self.link_target(&from, text)? }
        } else if found.is_dir() {
            Kind::Directory
        } else if found.is_file() {
            if found.mode() & 0o6000 != 0 {
                return Err(refused(&from, Refusal::SetId));
            }
            if is_secret(&from)? {
                return Err(refused(&from, Refusal::Secret));
            }
            Kind::File { mode: if found.mode() & 0o100 == 0 { 0o444 } else { 0o555 } }
        } else {
            return Err(refused(&from, Refusal::SpecialFile));
        };
        Ok(Found { path, from, kind })
    }

    /// Stays among the files of the application, and so in the release too.
    fn link_target(&self, from: &Path, below: &str) -> Result<String, ReleaseError> {
        let target = fs::read_link(from).map_err(FileError::io("read", from))?;
        let target = target.into_os_string().into_string().map_err(|_| refused(from, Refusal::Name))?;
        let target = target.strip_prefix("./").unwrap_or(&target).trim_end_matches('/');
        if link_stays(below.matches('/').count(), target) {
            return Ok(target.to_owned());
        }
        Err(refused(from, Refusal::LinkLeaves))
    }
}

fn refused(path: &Path, why: Refusal) -> ReleaseError {
    ReleaseError::Refused { path: path.to_owned(), why }
}

/// True for what looks like a secret: an env file, `id_…` without an ending, a `.pem` that is no certificate, or whatever begins as
/// a private key does. Examples of env files and public keys go through.
fn is_secret(path: &Path) -> Result<bool, FileError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    let is_example = ["example", "sample", "template", "dist"].iter().any(|end| name.ends_with(&format!(".{end}")));
    let is_env_file = name == ".env" || name.starts_with(".env.") || name.ends_with(".env");
    if (is_env_file && !is_example) || (name.starts_with("id_") && !name.contains('.')) {
        return Ok(true);
    }
    let is_pem = name.ends_with(".pem");
    let mut beginning = Vec::new();
    let file = disk::own_file().open(path).map_err(FileError::io("read", path))?;
    file.take(if is_pem { MAX_PEM } else { 64 }).read_to_end(&mut beginning).map_err(FileError::io("read", path))?;
    let contains = |text: &[u8]| beginning.windows(text.len()).any(|part| part == text);
    if is_pem {
        return Ok(contains(b"PRIVATE KEY-----") || !contains(b"-----BEGIN "));
    }
    let first_line = beginning.split(|byte| *byte == b'\n').next().unwrap_or_default();
    Ok(first_line.starts_with(b"-----BEGIN ") && first_line.trim_ascii_end().ends_with(b"PRIVATE KEY-----"))
}
