//! Puts env files into place: what a person edited, and what has values that could not be had this time, is kept.

use std::fs;
use std::path::{Path, PathBuf};

use crate::base::dotenv;
use crate::base::environment::EnvName;
use crate::base::time::Timestamp;
use crate::sys::file::{self, Access, FileError};

use super::generate::{DIGEST, GenerateError, MARK, MissingSecret};
use super::read;
use super::secret_scan;
use super::secrets::sha256;

/// The directory of what was put aside, beside the env files.
const BACKUP: &str = ".backup";

/// What is in the place of an env file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EnvFileState {
    /// Nothing.
    Missing,
    /// Just what would be written.
    Current,
    /// What was written from another state of the source.
    Outdated,
    /// Something that was written by tetra and edited since.
    Edited,
    /// Something that somebody else wrote.
    NotGenerated,
}

impl EnvFileState {
    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Current => "current",
            Self::Outdated => "outdated",
            Self::Edited => "edited",
            Self::NotGenerated => "own",
        }
    }
}

/// Compares what is there with what would be written.
#[must_use]
pub fn state(there: Option<&str>, wanted: Option<&str>) -> EnvFileState {
    let Some(there) = there else { return EnvFileState::Missing };
    if Some(there) == wanted {
        return EnvFileState::Current;
    }
    if !there.starts_with(MARK) {
        return EnvFileState::NotGenerated;
    }
    // What was made of something else, by a promotion for one, is not made anew in passing.
    let origin =
        |text: &str| text.lines().next().and_then(|line| line.split_once(" from ")).map(|(_, it)| it.to_owned());
    if wanted.is_some_and(|wanted| origin(wanted) != origin(there)) {
        return EnvFileState::Edited;
    }
    let mut lines = there.split_inclusive('\n');
    let digest = lines.by_ref().take(8).find_map(|line| line.strip_prefix(DIGEST));
    let body: String = lines.skip(1).collect();
    if digest.map(str::trim) == Some(&sha256(&body)) { EnvFileState::Outdated } else { EnvFileState::Edited }
}

/// How to write over what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WriteMode {
    /// What somebody edited is kept.
    Keep,
    /// Everything is replaced; what somebody edited is put aside.
    Force,
}

/// An env file that is to be written.
#[derive(Debug, Clone, Copy)]
pub struct WriteRequest<'a> {
    /// Its environment.
    pub env: &'a EnvName,
    /// All of it.
    pub text: &'a str,
    /// What has no real value in it.
    pub missing_secrets: &'a [MissingSecret],
}

/// What became of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WriteResult {
    /// It said so already.
    Unchanged,
    /// It is new.
    Created,
    /// Another one was replaced, and put aside if somebody had edited it.
    Replaced(Option<PathBuf>),
}

/// Puts an env file into place with mode 0600, as a whole or not at all.
///
/// # Errors
///
/// Fails if `care` is to keep the file that is there and somebody edited it or it has values that the new one lacks, if a link
/// is in its place, or if it cannot be written.
pub fn write(path: &Path, wanted: WriteRequest, care: WriteMode, now: Timestamp) -> Result<WriteResult, GenerateError> {
    read::ensure_no_symlink(path)?;
    let text = wanted.text;
    let dir = path.parent().unwrap_or(Path::new("."));
    file::create_dir(dir)?;
    let _lock = file::lock(dir)?;
    file::remove_stale_temporaries(dir);
    file::remove_stale_temporaries(&path.with_file_name(BACKUP));
    let there = read::text_if_exists(path)?;
    let lost = lost_values(there.as_deref().unwrap_or_default(), wanted.missing_secrets);
    let state = state(there.as_deref(), Some(text));
    if care == WriteMode::Keep && !lost.is_empty() && state != EnvFileState::NotGenerated {
        let keys = lost.iter().map(|it| it.key.clone()).collect();
        let secrets = lost.iter().map(|it| it.secret.clone()).collect();
        return Err(GenerateError::Incomplete { path: path.to_owned(), keys, env: wanted.env.clone(), secrets });
    }
    let written = match state {
        EnvFileState::Current => {
            restrict_mode(path)?;
            return Ok(WriteResult::Unchanged);
        }
        EnvFileState::Missing => WriteResult::Created,
        EnvFileState::Outdated if lost.is_empty() => WriteResult::Replaced(None),
        EnvFileState::Outdated | EnvFileState::Edited | EnvFileState::NotGenerated => {
            let there = there.unwrap_or_default();
            if care == WriteMode::Keep {
                return Err(GenerateError::Edited { path: path.to_owned(), keys: changed_keys(&there, text) });
            }
            WriteResult::Replaced(Some(back_up(path, &there, now)?))
        }
    };
    file::write(path, text.as_bytes(), Access::Private)?;
    Ok(written)
}

/// What has a value in a file and would lose it.
fn lost_values<'a>(there: &str, lacking: &'a [MissingSecret]) -> Vec<&'a MissingSecret> {
    let there = dotenv::parse(there).unwrap_or_default();
    let has = |key: &str| {
        let value = there.iter().find(|setting| setting.key == key).map(|setting| setting.value.as_str());
        value.is_some_and(|value| !value.is_empty() && !secret_scan::is_placeholder(value))
    };
    lacking.iter().filter(|it| has(&it.key)).collect()
}

/// The variables that differ between two files, by name.
fn changed_keys(one: &str, other: &str) -> Vec<String> {
    let read = |text| dotenv::parse(text).unwrap_or_default();
    let (one, other) = (read(one), read(other));
    let value = |all: &[dotenv::EnvVar], key: &str| {
        all.iter().find(|setting| setting.key == key).map(|setting| setting.value.clone())
    };
    let mut keys: Vec<String> = one.iter().chain(&other).map(|setting| setting.key.clone()).collect();
    keys.sort();
    keys.dedup();
    keys.retain(|key| value(&one, key) != value(&other, key));
    if keys.is_empty() { vec!["only comments or their order".to_owned()] } else { keys }
}

fn back_up(path: &Path, text: &str, now: Timestamp) -> Result<PathBuf, FileError> {
    let dir = path.with_file_name(BACKUP);
    file::create_private_dir(&dir)?;
    let millis = i64::try_from(now.0).unwrap_or_default();
    let when = jiff::Timestamp::from_millisecond(millis).unwrap_or_default().strftime("%Y%m%d_%H%M%S").to_string();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let names = std::iter::once(String::new()).chain((2..).map(|number| format!("_{number}")));
    let aside = names.map(|number| dir.join(format!("{when}{number}_{name}"))).find(|path| !path.exists());
    let aside = aside.unwrap_or_else(|| dir.join(&*name));
    file::write(&aside, text.as_bytes(), Access::Private)?;
    Ok(aside)
}

/// Takes everybody else's rights to a file away.
fn restrict_mode(path: &Path) -> Result<(), FileError> {
    use std::os::unix::fs::PermissionsExt;

    let fail = |source| FileError::Io { action: "close", path: path.to_owned(), source };
    let mode = fs::metadata(path).map_err(fail)?.permissions().mode();
    if mode & 0o077 == 0 {
        return Ok(());
    }
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(fail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::fault::{FaultKind, UserFacingError};
    use crate::env::format::{EnvFormat, EnvLine};
    use crate::env::generate::Generated;

    fn generated(value: &str) -> Generated {
        Generated {
            from: "tetra.toml".to_owned(),
            digest: "0".to_owned(),
            lines: vec![EnvLine::Variable { key: "A".to_owned(), value: value.to_owned() }],
            variables: Vec::new(),
            warnings: Vec::new(),
            missing: Vec::new(),
        }
    }

    #[test]
    fn what_somebody_edited_is_kept_or_put_aside() {
        let home = tempfile::tempdir().expect("a directory");
        let env: EnvName = "dev".parse().expect("a name");
        let path = home.path().join("env/dev.env");
        let text = |value: &str| generated(value).text(&env, EnvFormat::Export).expect("writable");
        let lacking = [MissingSecret { key: "A".to_owned(), secret: "OF_A".to_owned() }];
        let written = |text: &str, lacking: &[MissingSecret], care| {
            write(&path, WriteRequest { env: &env, text, missing_secrets: lacking }, care, Timestamp(0))
        };
        let put = |value: &str, care| written(&text(value), &[], care);
        assert_eq!(put("1", WriteMode::Keep).expect("made"), WriteResult::Created);
        assert_eq!(put("1", WriteMode::Keep).expect("same"), WriteResult::Unchanged);
        assert_eq!(put("2", WriteMode::Keep).expect("outdated"), WriteResult::Replaced(None));
        let error = written(&text(""), &lacking, WriteMode::Keep).expect_err("it would lose a value");
        assert_eq!(error.kind(), FaultKind::SecretMissing);
        assert!(error.advice().is_some_and(|it| it.contains("secrets set dev OF_A")), "{error}");
        assert!(fs::read_to_string(&path).expect("kept").contains("\"2\""));
        let WriteResult::Replaced(Some(aside)) = written(&text(""), &lacking, WriteMode::Force).expect("forced") else {
            panic!("put aside")
        };
        assert!(fs::read_to_string(aside).expect("there").contains("\"2\""));
        assert_eq!(
            written(&text("3"), &lacking, WriteMode::Keep).expect("nothing is lost"),
            WriteResult::Replaced(None)
        );
        assert_eq!(put("2", WriteMode::Keep).expect("outdated"), WriteResult::Replaced(None));
        fs::write(&path, text("2").replace("\"2\"", "\"3\"")).expect("edited");
        let error = put("4", WriteMode::Keep).expect_err("edited");
        assert_eq!(error.kind(), FaultKind::HandEdited);
        assert!(error.to_string().ends_with(": A"), "{error}");
        let WriteResult::Replaced(Some(aside)) = put("4", WriteMode::Force).expect("forced") else {
            panic!("put aside")
        };
        assert!(fs::read_to_string(aside).expect("there").contains("\"3\""));
        fs::write(&path, "A=5\n").expect("written");
        assert_eq!(state(Some("A=5\n"), None), EnvFileState::NotGenerated);
        assert_eq!(put("4", WriteMode::Keep).expect_err("not ours").kind(), FaultKind::HandEdited);
    }
}
