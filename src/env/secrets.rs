//! The secrets of an organization: one file of `KEY=VALUE` lines for each environment, in a private directory.
//!
//! An environment may have `<env>.env`, its sealed form `<env>.env.age`, or both; then they say the same. Modes are looked at
//! whenever a file is read: one that is open to others is closed if its directory is private, and refused otherwise.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::base::diagnostic::Diagnostic;
use crate::base::dotenv;
use crate::base::environment::EnvName;
use crate::base::fault::{FaultKind, UserFacingError};
use crate::base::sort::SortExt;
use crate::sys::file::{self, Access, FileError};

use super::env_file::{self, EnvFileError};
use super::format::EnvFormat;
use crate::config::read::{self, ReadFileError};
use crate::config::template::is_variable_name;

/// The longest secret, in bytes.
pub const LARGEST_VALUE: usize = 64 << 10;

/// Why secrets cannot be had or kept.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// A file cannot be read or is not safe.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file is too large or not text.
    #[error(transparent)]
    Read(#[from] ReadFileError),
    /// A line is invalid. What is there is not shown.
    #[error(transparent)]
    Malformed(#[from] EnvFileError),
    /// The name cannot be that of a variable.
    #[error("invalid secret name `{}`", key.escape_debug())]
    InvalidKey {
        /// What was given.
        key: String,
    },
    /// Nothing is left of what was there.
    #[error("the edited text contains no secrets; there {were} {count} before", were = if *count == 1 { "was" } else { "were" })]
    Emptied {
        /// How many there were.
        count: usize,
    },
    /// The value cannot be kept.
    #[error("the value for `{key}` {why}")]
    InvalidValue {
        /// The secret.
        key: String,
        /// What is wrong with it.
        why: ValueProblem,
    },
}

/// Why a value cannot be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ValueProblem {
    /// There is none.
    #[error("is empty")]
    Empty,
    /// It has more than [`LARGEST_VALUE`] bytes.
    #[error("is longer than 64 KiB")]
    TooLong,
    /// It holds a NUL, which no variable can.
    #[error("contains a NUL byte")]
    Nul,
    /// It is not UTF-8.
    #[error("is not UTF-8 text")]
    NotText,
}

impl ValueProblem {
    fn advice(self) -> &'static str {
        match self {
            Self::Empty => "enter it on the terminal, on standard input or with --file",
            Self::TooLong => {
                "keep it in a file that only its user can read, and set the path of that file as the value"
            }
            Self::Nul | Self::NotText => {
                "set it as base64, which the program decodes: `base64 -w0 FILE | tetra secrets set ENV NAME`; or keep it in a \
                 file that only its user can read, and set the path of that file as the value"
            }
        }
    }
}

impl UserFacingError for SecretError {
    fn kind(&self) -> FaultKind {
        match self {
            Self::File(error) => error.kind(),
            Self::Read(error) => error.kind(),
            Self::Malformed(error) => error.kind(),
            Self::InvalidKey { .. } | Self::InvalidValue { .. } => FaultKind::Usage,
            Self::Emptied { .. } => FaultKind::Failed,
        }
    }

    fn advice(&self) -> Option<String> {
        Some(match self {
            Self::File(FileError::Unsafe { path, .. }) => {
                let directory = path.parent().unwrap_or(path);
                let (directory, path) = (directory.display(), path.display());
                format!(
                    "chmod 700 '{directory}' && chmod 600 '{path}', or `secrets doctor --fix`; consider who may have read it"
                )
            }
            Self::File(error) => return error.advice(),
            Self::Read(error) => return error.advice(),
            Self::Malformed(error) => return error.advice(),
            Self::InvalidKey { .. } => {
                "a name consists of letters, digits and `_`; the value is read from the terminal or from --file"
                    .to_owned()
            }
            Self::Emptied { .. } => "`secrets rm ENV NAME` removes a secret".to_owned(),
            Self::InvalidValue { why, .. } => why.advice().to_owned(),
        })
    }

    fn diagnostics(&self) -> Vec<Diagnostic> {
        match self {
            Self::Malformed(error) => error.diagnostics(),
            _ => Vec::new(),
        }
    }
}

/// The secrets of one environment.
#[derive(Debug, Clone, Default)]
pub struct Secrets {
    /// By their names.
    pub values: BTreeMap<String, String>,
    /// In the order of the file.
    pub names: Vec<String>,
    /// What was done about the modes of the file.
    pub notice: Option<String>,
}

/// The directory with the secrets of an organization.
#[derive(Debug, Clone)]
pub struct SecretStore {
    dir: PathBuf,
}

impl SecretStore {
    /// The directory; it need not be there.
    #[must_use]
    pub fn new(directory: PathBuf) -> Self {
        Self { dir: directory }
    }

    /// The directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.dir
    }

    /// The file of an environment.
    #[must_use]
    pub fn file(&self, env: &EnvName) -> PathBuf {
        self.dir.join(format!("{env}.env"))
    }

    /// The sealed file of an environment.
    #[must_use]
    pub fn sealed_path(&self, env: &EnvName) -> PathBuf {
        sealed_path(&self.file(env))
    }

    /// Every environment that has a file, sealed or not; the built-in ones first.
    #[must_use]
    pub fn environments(&self) -> Vec<EnvName> {
        let entries = fs::read_dir(&self.dir).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| {
            let name = entry.file_name();
            let name = name.to_str()?;
            name.strip_suffix(".env").or_else(|| name.strip_suffix(".env.age"))?.parse::<EnvName>().ok()
        });
        let mut names: Vec<EnvName> = names.collect();
        names.order_by_key(|env| (env.tier().is_none(), env.tier(), env.clone()));
        names.dedup();
        names
    }

    /// The text of an environment's file; none if there is no such file. With a notice if it had to be closed first.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be read or is not safe.
    pub fn text(&self, env: &EnvName) -> Result<Option<(String, Option<String>)>, SecretError> {
        let path = self.file(env);
        match file::read_private(&path) {
            Ok(found) => Ok(Some((read::decode(&path, found.bytes)?, found.notice))),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The secrets of an environment; none if there is not a file that is not sealed.
    ///
    /// # Errors
    ///
    /// As [`SecretStore::text`], and for a line that is invalid.
    pub fn read(&self, env: &EnvName) -> Result<Option<Secrets>, SecretError> {
        let Some((text, notice)) = self.text(env)? else { return Ok(None) };
        Ok(Some(Secrets { notice, ..parse(&self.file(env), &text)? }))
    }

    /// Puts a file into place; its directory is made if it is missing, and closed if it is open.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be written; the old file is then as it was.
    pub fn write(&self, path: &Path, bytes: &[u8]) -> Result<(), SecretError> {
        file::create_private_dir(&self.dir)?;
        read::ensure_no_symlink(path)?;
        file::write(path, bytes, Access::Private)?;
        Ok(())
    }

    /// Makes the directory, and locks it against others that change secrets. What one of them left half written is gone then.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be made, or is locked for longer than five seconds.
    pub fn lock(&self) -> Result<fs::File, SecretError> {
        file::create_private_dir(&self.dir)?;
        let lock = file::lock(&self.dir)?;
        file::remove_stale_temporaries(&self.dir);
        Ok(lock)
    }

    /// The permissions of a file or directory below or at the store; none if it is not there.
    #[must_use]
    pub fn mode(path: &Path) -> Option<u32> {
        fs::metadata(path).ok().map(|found| found.mode() & 0o7777)
    }
}

/// Where the sealed form of a secrets file is.
#[must_use]
pub fn sealed_path(file: &Path) -> PathBuf {
    let mut path = file.as_os_str().to_owned();
    path.push(".age");
    path.into()
}

/// Takes a file apart.
///
/// # Errors
///
/// Fails for a line that is invalid; what is there is not shown.
pub fn parse(path: &Path, text: &str) -> Result<Secrets, SecretError> {
    let settings = env_file::variables(&path.display().to_string(), text)?;
    let names = settings.iter().map(|setting| setting.key.clone()).collect();
    let values = settings.into_iter().map(|setting| (setting.key, setting.value)).collect();
    Ok(Secrets { values, names, notice: None })
}

/// Looks at a text that a person edited: what [`set_value`] would not keep, a name that comes twice, and a text of which nothing is
/// left are more likely errors than meant.
///
/// # Errors
///
/// Fails for the first of them, and for a line that is invalid; values are not shown.
pub fn check_edited(path: &Path, old: &str, new: &str) -> Result<(), SecretError> {
    let name = path.display().to_string();
    let before = dotenv::parse(old).unwrap_or_default();
    let entries = env_file::entries(&name, new)?;
    if entries.is_empty() && !before.is_empty() {
        return Err(SecretError::Emptied { count: before.len() });
    }
    if let Some(twice) = env_file::duplicate_key(&name, new, &entries) {
        return Err(twice.into());
    }
    let known =
        |setting: &dotenv::EnvVar| before.iter().any(|it| (&it.key, &it.value) == (&setting.key, &setting.value));
    entries.iter().filter(|entry| !known(&entry.variable)).try_for_each(|entry| {
        check_pair(&entry.variable.key, &entry.variable.value)?;
        Ok(())
    })
}

/// A name and a value as they can be kept, as a line.
fn check_pair(key: &str, value: &str) -> Result<String, SecretError> {
    if !is_variable_name(key) {
        return Err(SecretError::InvalidKey { key: key.to_owned() });
    }
    let bad = |why| SecretError::InvalidValue { key: key.to_owned(), why };
    if value.is_empty() {
        return Err(bad(ValueProblem::Empty));
    }
    if value.len() > LARGEST_VALUE {
        return Err(bad(ValueProblem::TooLong));
    }
    EnvFormat::Dotenv.line(key, value).map_err(|_| bad(ValueProblem::Nul))
}

/// The text of a file without some secrets; everything else stays as it is.
#[must_use]
pub fn remove_values(text: &str, names: &[String]) -> String {
    let mut out = String::new();
    let mut at = 0;
    for entry in dotenv::entries(text).unwrap_or_default() {
        if names.contains(&entry.variable.key) {
            out.push_str(text[at..entry.span.start].trim_end_matches([' ', '\t']));
            at = entry.span.end;
            if text[at..].starts_with('\n') {
                at += 1;
            }
        }
    }
    out.push_str(&text[at..]);
    out
}

/// The text of a file with one secret set; everything else stays as it is.
///
/// # Errors
///
/// Fails for a name or value that cannot be kept, and if the text is invalid.
pub fn set_value(path: &Path, text: &str, key: &str, value: &str) -> Result<String, SecretError> {
    let line = check_pair(key, value)?;
    parse(path, text)?;
    let mut out = String::new();
    let mut at = 0;
    let mut placed = false;
    for entry in dotenv::entries(text).unwrap_or_default() {
        if entry.variable.key == key {
            out.push_str(&text[at..entry.span.start]);
            at = entry.span.end;
            if !placed {
                out.push_str(line.trim_end_matches('\n'));
            } else if text[at..].starts_with('\n') {
                at += 1;
            }
            placed = true;
        }
    }
    out.push_str(&text[at..]);
    if !placed {
        if !out.is_empty() && !out.ends_with('\n') {
            out.push('\n');
        }
        out.push_str(&line);
    }
    Ok(out)
}

/// The first characters of a digest: enough to see whether two hosts have the same, too few to find it by.
#[must_use]
pub fn digest(key: &str, value: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(key.as_bytes());
    hash.update([0]);
    hash.update(value.as_bytes());
    hex(&hash.finalize()[..4])
}

/// The digest of a text, in hexadecimal.
#[must_use]
pub fn sha256(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(text: &str, key: &str, value: &str) -> Result<String, SecretError> {
        set_value(Path::new("dev.env"), text, key, value)
    }

    #[test]
    fn setting_one_leaves_the_rest_as_it_is() {
        let text = "# keys\nexport A=1 # old\nB='x y'\n";
        assert_eq!(set(text, "A", "2").expect("set"), "# keys\nA=2\nB='x y'\n");
        assert_eq!(set(text, "C", "q'\n").expect("set"), format!("{text}C=\"q'\\n\"\n"));
        assert_eq!(set("A=1", "B", "2").expect("set"), "A=1\nB=2\n");
        assert_eq!(set("A=1\nB=1\nA=3\n", "A", "4").expect("set"), "A=4\nB=1\n");
    }

    #[test]
    fn removing_some_leaves_the_rest_as_it_is() {
        let rm = |text: &str, names: &[&str]| {
            remove_values(text, &names.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>())
        };
        let text = "# keys\nexport A=1 # old\n  B='x\ny'\n\nA=2\nC=3";
        assert_eq!(rm(text, &["A"]), "# keys\n  B='x\ny'\n\nC=3");
        assert_eq!(rm(text, &["B", "C"]), "# keys\nexport A=1 # old\n\nA=2\n");
        assert_eq!(rm("A=1", &["A"]), "");
    }

    #[test]
    fn what_was_edited_is_looked_at() {
        let check = |old: &str, new: &str| check_edited(Path::new("x"), old, new).map_err(|error| error.to_string());
        assert_eq!(check("", ""), Ok(()));
        assert_eq!(check("A=1\nB=\n", "B=\nA=2\n"), Ok(()), "what was there may stay");
        for (new, said) in [
            ("A=1\nA=hunter2\n", "`x` is not a valid env file"),
            ("", "contains no secrets; there were 2 before"),
            ("# A=1\n", "contains no secrets"),
            ("A=\n", "the value for `A` is empty"),
            ("A='hunter2\n", "`x` is not a valid env file"),
        ] {
            let error = check("A=1\nB=\n", new).expect_err(new);
            assert!(error.contains(said) && !error.contains("hunter"), "{new}: {error}");
        }
    }

    #[test]
    fn what_cannot_be_kept_is_refused_without_its_value() {
        for (key, value) in [("A=b", "x"), ("1A", "x"), ("", "x"), ("A", ""), ("A", "hunter\0two")] {
            let error = set("", key, value).expect_err("refused");
            assert_eq!(error.kind(), FaultKind::Usage);
            assert!(!error.to_string().contains("hunter"));
        }
        assert!(set("", "A", &"x".repeat(LARGEST_VALUE + 1)).is_err());
        let error = set("A='hunter2\n", "B", "x").expect_err("malformed");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
    }
}
