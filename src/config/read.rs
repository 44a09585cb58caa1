//! Reading what people write: bounded, as text, with errors that name the file.

use std::fs;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use crate::base::fault::{FaultKind, UserFacingError};
use crate::disk::{self, FileAccessError};
use crate::sys::file::FileError;

/// The largest file that is read, in bytes. The longest ones that people write by hand are a hundredth of it.
pub const MAX_FILE_BYTES: u64 = 1 << 20;

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ReadFileError {
    /// A system call failed.
    #[error(transparent)]
    File(#[from] FileError),
    /// It is too large to be what it should be.
    #[error("`{}` is larger than {} KiB", path.display(), limit >> 10)]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The largest size that is read, in bytes.
        limit: u64,
    },
    /// It is not text.
    #[error("`{}` is not UTF-8 text (line {line})", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
        /// The first line that is none, counted from 1.
        line: usize,
    },
    /// It is not a regular file.
    #[error("`{}` is not a regular file", path.display())]
    NotAFile {
        /// Its name.
        path: PathBuf,
    },
    /// A symlink is in the place of a file to be written.
    #[error("`{}` is a link to `{}`", path.display(), target.display())]
    Link {
        /// The link.
        path: PathBuf,
        /// Its target.
        target: PathBuf,
    },
}

impl UserFacingError for ReadFileError {
    fn kind(&self) -> FaultKind {
        match self {
            Self::File(error) if error.is_not_found() => FaultKind::NotFound,
            Self::File(error) => error.kind(),
            Self::Link { .. } => FaultKind::Refused,
            _ => FaultKind::Failed,
        }
    }

    fn advice(&self) -> Option<String> {
        Some(match self {
            Self::File(error) if error.is_not_found() => "check the path".to_owned(),
            Self::File(error) => return error.advice(),
            Self::TooLarge { .. } => "check that it is the right file".to_owned(),
            Self::NotText { .. } => "write it as UTF-8; `iconv -f latin1 -t utf-8` converts".to_owned(),
            Self::NotAFile { .. } => return None,
            Self::Link { .. } => "remove the link: files with secrets are never written through symlinks".to_owned(),
        })
    }
}

/// The text of a file.
///
/// # Errors
///
/// Fails if it cannot be read, is larger than [`MAX_FILE_BYTES`], or is not UTF-8.
pub fn text(path: &Path) -> Result<String, ReadFileError> {
    utf8(path, bytes(path, MAX_FILE_BYTES)?)
}

/// The bytes of a regular file.
///
/// # Errors
///
/// Fails if it cannot be read, is not a regular file, or has more than `limit` bytes.
pub fn bytes(path: &Path, limit: u64) -> Result<Vec<u8>, ReadFileError> {
    let fail = |source| FileError::Io { action: "read", path: path.to_owned(), source };
    let file = match disk::user_file().open(path) {
        Err(error) if disk::access_error(&error) == Some(FileAccessError::NotRegular) => {
            return Err(ReadFileError::NotAFile { path: path.to_owned() });
        }
        opened => opened.map_err(fail)?,
    };
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).map_err(fail)?;
    if bytes.len() as u64 > limit { Err(ReadFileError::TooLarge { path: path.to_owned(), limit }) } else { Ok(bytes) }
}

/// The contents of a file, whatever it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LossyText {
    /// Its text; invalid UTF-8 is replaced.
    pub text: String,
    /// It is data of a program, with some text in it at most.
    pub is_binary: bool,
}

/// The largest file that is read as [`LossyText`], in bytes.
pub const MAX_LOSSY_BYTES: u64 = 16 << 20;

/// What a file holds: text, in whatever encoding, or something else.
///
/// # Errors
///
/// Fails if it cannot be read, is not a regular file, or is larger than [`MAX_LOSSY_BYTES`].
pub fn read_lossy(path: &Path) -> Result<LossyText, ReadFileError> {
    Ok(decode_lossy(&bytes(path, MAX_LOSSY_BYTES)?))
}

/// Bytes as text.
#[must_use]
pub fn decode_lossy(bytes: &[u8]) -> LossyText {
    let wide = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes.as_chunks::<2>().0.iter().map(|pair| unit(*pair)).collect();
        LossyText { text: String::from_utf16_lossy(&units), is_binary: false }
    };
    match bytes {
        [0xff, 0xfe, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => wide(rest, u16::from_be_bytes),
        _ => LossyText { text: String::from_utf8_lossy(bytes).into_owned(), is_binary: bytes.contains(&0) },
    }
}

/// The same as [`text`], or nothing if there is no such file.
///
/// # Errors
///
/// As [`text`].
pub fn text_if_exists(path: &Path) -> Result<Option<String>, ReadFileError> {
    match text(path) {
        Ok(text) => Ok(Some(text)),
        Err(ReadFileError::File(error)) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// Bytes of a file as text.
///
/// # Errors
///
/// Fails if they are more than [`MAX_FILE_BYTES`], or not UTF-8.
pub fn decode(path: &Path, bytes: Vec<u8>) -> Result<String, ReadFileError> {
    if bytes.len() as u64 > MAX_FILE_BYTES {
        return Err(ReadFileError::TooLarge { path: path.to_owned(), limit: MAX_FILE_BYTES });
    }
    utf8(path, bytes)
}

/// Bytes of a file as text, however many.
///
/// # Errors
///
/// Fails if they are not UTF-8.
pub fn utf8(path: &Path, bytes: Vec<u8>) -> Result<String, ReadFileError> {
    String::from_utf8(bytes).map_err(|error| {
        let sound = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = sound.iter().filter(|byte| **byte == b'\n').count() + 1;
        ReadFileError::NotText { path: path.to_owned(), line }
    })
}

/// Makes sure that a file below a directory can be written without following a link.
///
/// # Errors
///
/// Fails if the file or the directory it is in is a link, or cannot be looked at.
pub fn ensure_no_symlink(path: &Path) -> Result<(), ReadFileError> {
    for path in [path.parent(), Some(path)].into_iter().flatten() {
        match fs::symlink_metadata(path) {
            Ok(found) if found.is_symlink() => {
                let target = fs::read_link(path).unwrap_or_default();
                return Err(ReadFileError::Link { path: path.to_owned(), target });
            }
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(source) => return Err(io_error("inspect", path, source).into()),
        }
    }
    Ok(())
}

fn io_error(action: &'static str, path: &Path, source: io::Error) -> FileError {
    FileError::Io { action, path: path.to_owned(), source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_a_text_or_too_large_is_refused_with_its_reason() {
        let home = tempfile::tempdir().expect("a directory");
        let path = home.path().join("a");
        let said = |bytes: &[u8]| {
            fs::write(&path, bytes).expect("written");
            text(&path).expect_err("refused").to_string()
        };
        assert!(said(b"a\nb\n\xff").ends_with("is not UTF-8 text (line 3)"));
        assert!(said(&vec![b'a'; (MAX_FILE_BYTES + 1) as usize]).ends_with("is larger than 1024 KiB"));
        assert!(text(home.path()).expect_err("a directory").to_string().ends_with("is not a regular file"));
        assert_eq!(text_if_exists(&home.path().join("b")).expect("nothing"), None);
    }

    #[test]
    fn every_encoding_is_text() {
        let text = |bytes: &[u8]| decode_lossy(bytes).text;
        assert_eq!(text(b"pass=x\xfc"), "pass=x\u{fffd}");
        assert_eq!(text(b"\xff\xfea\0=\0\xe9\0"), "a=é");
        assert_eq!(text(b"\xfe\xff\0a\0="), "a=");
        assert!(decode_lossy(b"\x7fELF\0a").is_binary && !decode_lossy(b"a").is_binary);
    }

    #[test]
    fn a_link_is_not_written_through() {
        let home = tempfile::tempdir().expect("a directory");
        let link = home.path().join("env");
        std::os::unix::fs::symlink("/etc", &link).expect("made");
        assert_eq!(ensure_no_symlink(&link.join("dev.env")).expect_err("a link").kind(), FaultKind::Refused);
        assert!(ensure_no_symlink(&home.path().join("x/y")).is_ok());
    }
}
