//! The files that a process takes its variables from: which one is meant, and what it says.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::base::dotenv::{self, EnvVar};
use crate::base::environment::{EnvFileName, EnvName};
use crate::base::fault::{FaultKind, Location, UserFacingError};
use crate::base::redact;
use crate::disk;
use crate::sys::process;

/// An env file that will be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvFile {
    /// Absolute.
    pub path: PathBuf,
    /// Not asked for: it was found.
    pub detected: bool,
    /// It may be missing, and then it says nothing.
    pub optional: bool,
    /// What it says now; it is read again at every start.
    pub settings: Vec<EnvVar>,
}

impl EnvFile {
    /// As a record names it.
    #[must_use]
    pub fn name(&self) -> String {
        EnvFileName { path: &self.path.to_string_lossy(), optional: self.optional }.to_string()
    }
}

/// Why the variables cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum EnvironmentError {
    /// An env file was asked for by name and is not there.
    #[error("env file `{name}` not found")]
    Missing {
        /// What was asked for.
        name: String,
        /// Where it was looked for, in order.
        tried: Vec<PathBuf>,
    },
    /// More than one environment was asked for.
    #[error("only one env file can be given with `--env`, not both `{first}` and `{second}`")]
    Conflicting {
        /// The first.
        first: String,
        /// The other.
        second: String,
    },
    /// It cannot be read.
    #[error("failed to read the env file `{}`", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line of it is invalid.
    #[error("{problem}")]
    Malformed {
        /// Where.
        at: Location,
        /// What is wrong.
        problem: String,
    },
    /// A secrets file is open to others and cannot be closed safely.
    #[error("`{}` contains secrets and is accessible by others (mode {mode:04o})", path.display())]
    InsecureMode {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
}

impl UserFacingError for EnvironmentError {
    fn kind(&self) -> FaultKind {
        match self {
            Self::Missing { .. } => FaultKind::NotFound,
            Self::Conflicting { .. } => FaultKind::Usage,
            Self::Unreadable { .. } | Self::Malformed { .. } => FaultKind::Failed,
            Self::InsecureMode { .. } => FaultKind::UnsafeMode,
        }
    }

    fn advice(&self) -> Option<String> {
        match self {
            // No file is called so, but code of `perl -e` and `node -e` is.
            Self::Missing { name, .. } if name.contains(|c: char| c.is_whitespace() || "(){};'\"".contains(c)) => {
                Some("write `--` before the program if `-e` is an option of it, and not the env file".to_owned())
            }
            Self::Missing { tried, .. } => {
                let tried: Vec<String> = tried.iter().map(|path| path.display().to_string()).collect();
                Some(format!("searched: {}", tried.join(", ")))
            }
            Self::Conflicting { .. } => Some("name several files with `--env-file`: a later one wins".to_owned()),
            Self::Unreadable { .. } => None,
            Self::Malformed { .. } => Some("expected lines of the form K=V or export K=V".to_owned()),
            Self::InsecureMode { path, .. } => {
                let directory = path.parent().unwrap_or(path);
                Some(format!("chmod 700 {}; chmod 600 {}", directory.display(), path.display()))
            }
        }
    }

    fn location(&self) -> Option<Location> {
        match self {
            Self::Malformed { at, .. } => Some(at.clone()),
            _ => None,
        }
    }
}

/// Means: no env file at all.
pub const NONE: &str = "none";

/// The env file that was asked for by name or path; a `-` before it says that it may be missing.
///
/// Tries `env/NAME.env`, `env/NAME`, `NAME.env` and `NAME` in each directory in turn.
///
/// # Errors
///
/// Fails if there is none of them and one has to be there, or it cannot be read.
pub fn named(given: &str, dirs: &[&Path]) -> Result<EnvFile, EnvironmentError> {
    let EnvFileName { path: name, optional } = EnvFileName::of(given);
    let forms = [format!("env/{name}.env"), format!("env/{name}"), format!("{name}.env"), name.to_owned()];
    let mut tried = Vec::new();
    for path in dirs.iter().flat_map(|directory| forms.iter().map(|form| directory.join(form))) {
        if path.is_file() {
            let (settings, path) = (read(&path)?, path.components().collect());
            return Ok(EnvFile { path, detected: false, optional, settings });
        }
        if !tried.contains(&path) && !name.starts_with('/') {
            tried.push(path);
        }
    }
    if let Some(dir) = dirs.first().filter(|_| optional) {
        let path = dir.join(name).components().collect();
        return Ok(EnvFile { path, detected: false, optional, settings: Vec::new() });
    }
    if tried.is_empty() {
        tried.push(PathBuf::from(name));
    }
    Err(EnvironmentError::Missing { name: name.to_owned(), tried })
}

/// The env file that is used when none was asked for: that of the active environment, else dev, local, `.env`.
///
/// # Errors
///
/// Fails if one is there and cannot be read.
pub fn detected(active: Option<&EnvName>, dirs: &[&Path]) -> Result<Option<EnvFile>, EnvironmentError> {
    let names = active.map(EnvName::as_str).into_iter().chain(["dev", "local"]);
    first(names.flat_map(of_environment).chain([".env".to_owned()]), dirs)
}

/// The env file of one environment, and of no other.
///
/// # Errors
///
/// Fails if it is there and cannot be read.
pub fn of_env(env: Option<&EnvName>, dirs: &[&Path]) -> Result<Option<EnvFile>, EnvironmentError> {
    first(env.map(EnvName::as_str).into_iter().flat_map(of_environment), dirs)
}

fn of_environment(name: &str) -> [String; 2] {
    [format!("env/{name}.env"), format!("{name}.env")]
}

fn first(forms: impl Iterator<Item = String>, dirs: &[&Path]) -> Result<Option<EnvFile>, EnvironmentError> {
    for form in forms {
        if let Some(path) = dirs.iter().map(|directory| directory.join(&form)).find(|path| path.is_file()) {
            return Ok(Some(EnvFile { settings: read(&path)?, path, detected: true, optional: false }));
        }
    }
    Ok(None)
}

/// The setting of a variable that counts, and its file: that of the last file that has it.
#[must_use]
pub fn setting<'a>(files: &'a [EnvFile], name: &str) -> Option<(&'a EnvFile, &'a EnvVar)> {
    let of = |file: &'a EnvFile| Some((file, file.settings.iter().find(|setting| setting.key == name)?));
    files.iter().rev().find_map(of)
}

/// What an env file says.
///
/// # Errors
///
/// Fails if it cannot be read, or at its first invalid line.
pub fn read(path: &Path) -> Result<Vec<EnvVar>, EnvironmentError> {
    let unreadable = |source| EnvironmentError::Unreadable { path: path.to_owned(), source };
    let text = disk::read_to_string(path).map_err(unreadable)?;
    dotenv::parse(&text).map_err(|wrong| {
        let line = text.lines().nth(wrong.line.saturating_sub(1) as usize).unwrap_or_default();
        let at = Location {
            file: path.display().to_string(),
            line: wrong.line as usize,
            column: wrong.column as usize,
            width: 1,
            // Env files hold secrets, and an invalid line may be the rest of one.
            text: redact::assignment(line),
        };
        EnvironmentError::Malformed { at, problem: wrong.kind.to_string() }
    })
}

/// Whether a secrets file is open to others and has to be closed first ([`file::read_private`] does it). A missing one is fine.
///
/// # Errors
///
/// Fails if closing it would not do: its directory is open too, or it is not ours.
///
/// [`file::read_private`]: crate::sys::file::read_private
pub fn is_secret_exposed(path: &Path) -> Result<bool, EnvironmentError> {
    let Ok(file) = fs::metadata(path) else { return Ok(false) };
    let mode = file.mode() & 0o7777;
    if mode & 0o077 == 0 {
        return Ok(false);
    }
    let ours = process::owner(process::own_pid()) == Some(file.uid());
    let dir = path.parent().and_then(|directory| fs::metadata(directory).ok());
    let closed = dir.is_some_and(|directory| directory.mode() & 0o077 == 0);
    if ours && closed { Ok(true) } else { Err(EnvironmentError::InsecureMode { path: path.to_owned(), mode }) }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().expect("a directory");
        for (name, text) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
            fs::write(path, text).expect("a file");
        }
        dir
    }

    fn short(path: &Path, dir: &tempfile::TempDir) -> String {
        path.strip_prefix(dir.path()).expect("inside").display().to_string()
    }

    #[test]
    fn a_name_is_looked_up_in_four_forms_here_and_then_beside_the_script() {
        let all = ["env/dev.env", "env/dev", "dev.env", "dev"];
        for (at, first) in all.iter().enumerate() {
            let files: Vec<(&str, &str)> = all[at..].iter().map(|name| (*name, "A=1")).collect();
            let dir = tree(&files);
            let found = named("dev", &[dir.path()]).expect("found");
            assert_eq!((short(&found.path, &dir).as_str(), found.detected), (*first, false));
        }
        let directory = tree(&[("here/dev", "A=1"), ("script/env/dev.env", "A=2"), ("script/env/qa.env", "A=3")]);
        let (here, script) = (directory.path().join("here"), directory.path().join("script"));
        let find = |name: &str| named(name, &[&here, &script]).expect("found");
        assert_eq!(short(&find("dev").path, &directory), "here/dev", "the working directory comes first");
        assert_eq!(short(&find("qa").path, &directory), "script/env/qa.env");
        assert_eq!(short(&find("env/qa.env").path, &directory), "script/env/qa.env");
        let absolute = directory.path().join("here/dev").display().to_string();
        assert_eq!(find(&absolute).path, directory.path().join("here/dev"));
    }

    #[test]
    fn a_named_file_that_is_missing_is_an_error_that_says_where_it_looked() {
        let dir = tree(&[("x/dev/file", "")]);
        let error = named("dev", &[&dir.path().join("x")]).expect_err("a directory is not an env file");
        assert_eq!(error.kind(), FaultKind::NotFound);
        let advice = error.advice().expect("advice");
        for form in ["x/env/dev.env", "x/env/dev", "x/dev.env", "x/dev"] {
            assert!(advice.contains(form), "{advice}");
        }
        let error = named("print \"x\"; sleep 1", &[dir.path()]).expect_err("code");
        assert!(error.advice().is_some_and(|advice| advice.contains("`--` before the program")), "{error:?}");
        let error = named("/nowhere/x.env", &[dir.path()]).expect_err("missing");
        assert_eq!(error.advice().as_deref(), Some("searched: /nowhere/x.env"));
    }

    #[test]
    fn without_a_name_the_active_environment_then_dev_local_and_dot_env() {
        let all = ["env/staging.env", "env/dev.env", "env/local.env", ".env"];
        let staging: EnvName = "staging".parse().expect("a name");
        for (at, first) in all.iter().enumerate() {
            let files: Vec<(&str, &str)> = all[at..].iter().map(|name| (*name, "")).collect();
            let dir = tree(&files);
            let found = detected(Some(&staging), &[dir.path()]).expect("readable").expect("found");
            assert_eq!((short(&found.path, &dir).as_str(), found.detected), (*first, true));
        }
        let directory = tree(&[("dev", "A=1"), ("env/staging.env", "")]);
        assert_eq!(
            detected(None, &[directory.path()]).expect("readable"),
            None,
            "only what ends in .env is taken unasked"
        );
    }

    #[test]
    fn a_malformed_line_has_its_place() {
        let dir = tree(&[(".env", "A=1\nB='open\n")]);
        let error = detected(None, &[dir.path()]).expect_err("malformed");
        let at = error.location().expect("a place");
        assert_eq!((at.line, at.column, at.text.as_str()), (2, 3, "B=*****"));
    }

    #[test]
    fn an_open_secret_can_be_closed_in_a_private_directory_only() {
        let directory = tree(&[("s/dev.env", "K=v")]);
        let (dir, file) = (directory.path().join("s"), directory.path().join("s/dev.env"));
        let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
        mode(&file, 0o644);
        mode(&dir, 0o755);
        assert_eq!(is_secret_exposed(&file).expect_err("too open").kind(), FaultKind::UnsafeMode);
        mode(&dir, 0o700);
        assert!(is_secret_exposed(&file).expect("can be closed"));
        mode(&file, 0o600);
        assert!(!is_secret_exposed(&file).expect("private"));
        assert!(!is_secret_exposed(&dir.join("none.env")).expect("missing is fine"));
    }
}
