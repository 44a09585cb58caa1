//! Puts env files into place: what a person edited, and what has values that could not be had this time, is kept.

use std::fs;
use std::path::{Path, PathBuf};

use crate::base::dotenv;
use crate::base::environment::EnvName;
use crate::base::time::Timestamp;
use crate::sys::file::{self, Access, FileError};

use super::generate::{DIGEST, GenerateError, Lacking, MARK};
use super::leak;
use super::read;
use super::secrets::sha256;

/// The directory of what was put aside, beside the env files.
const BACKUP: &str = ".backup";

/// What is in the place of an env file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nothing.
    Missing,
    /// Just what would be written.
    Current,
    /// What was written from another state of the source.
    Outdated,
    /// Something that was written by tetra and edited since.
    Edited,
    /// Something that somebody else wrote.
    Foreign,
}

impl State {
    /// Its word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Current => "current",
            Self::Outdated => "outdated",
            Self::Edited => "edited",
            Self::Foreign => "own",
        }
    }
}

/// Compares what is there with what would be written.
#[must_use]
pub fn state(there: Option<&str>, wanted: Option<&str>) -> State {
    let Some(there) = there else { return State::Missing };
    if Some(there) == wanted {
        return State::Current;
    }
    if !there.starts_with(MARK) {
        return State::Foreign;
    }
    // What was made of something else, by a promotion for one, is not made anew in passing.
    let origin =
        |text: &str| text.lines().next().and_then(|line| line.split_once(" from ")).map(|(_, it)| it.to_owned());
    if wanted.is_some_and(|wanted| origin(wanted) != origin(there)) {
        return State::Edited;
    }
    let mut lines = there.split_inclusive('\n');
    let digest = lines.by_ref().take(8).find_map(|line| line.strip_prefix(DIGEST));
    let body: String = lines.skip(1).collect();
    if digest.map(str::trim) == Some(&sha256(&body)) { State::Outdated } else { State::Edited }
}

/// How to write over what is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Care {
    /// What somebody edited is kept.
    Keep,
    /// Everything is replaced; what somebody edited is put aside.
    Force,
}

/// An env file that is to be written.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Its environment.
    pub env: &'a EnvName,
    /// All of it.
    pub text: &'a str,
    /// What has no real value in it.
    pub lacking: &'a [Lacking],
}

/// What became of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
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
pub fn put(path: &Path, wanted: Wanted, care: Care, now: Timestamp) -> Result<Written, GenerateError> {
    read::no_link(path)?;
    let text = wanted.text;
    let folder = path.parent().unwrap_or(Path::new("."));
    file::folder(folder)?;
    let _lock = file::lock(folder)?;
    file::sweep(folder);
    file::sweep(&path.with_file_name(BACKUP));
    let there = read::text_if_any(path)?;
    let lost = lost(there.as_deref().unwrap_or_default(), wanted.lacking);
    let state = state(there.as_deref(), Some(text));
    if care == Care::Keep && !lost.is_empty() && state != State::Foreign {
        let keys = lost.iter().map(|it| it.key.clone()).collect();
        let secrets = lost.iter().map(|it| it.secret.clone()).collect();
        return Err(GenerateError::Incomplete { path: path.to_owned(), keys, env: wanted.env.clone(), secrets });
    }
    let written = match state {
        State::Current => {
            close(path)?;
            return Ok(Written::Unchanged);
        }
        State::Missing => Written::Created,
        State::Outdated if lost.is_empty() => Written::Replaced(None),
        State::Outdated | State::Edited | State::Foreign => {
            let there = there.unwrap_or_default();
            if care == Care::Keep {
                return Err(GenerateError::Edited { path: path.to_owned(), keys: changed(&there, text) });
            }
            Written::Replaced(Some(put_aside(path, &there, now)?))
        }
    };
    file::write(path, text.as_bytes(), Access::Private)?;
    Ok(written)
}

/// What has a value in a file and would lose it.
fn lost<'a>(there: &str, lacking: &'a [Lacking]) -> Vec<&'a Lacking> {
    let there = dotenv::parse(there).unwrap_or_default();
    let has = |key: &str| {
        let value = there.iter().find(|setting| setting.key == key).map(|setting| setting.value.as_str());
        value.is_some_and(|value| !value.is_empty() && !leak::is_placeholder(value))
    };
    lacking.iter().filter(|it| has(&it.key)).collect()
}

/// The variables that differ between two files, by name.
fn changed(one: &str, other: &str) -> Vec<String> {
    let read = |text| dotenv::parse(text).unwrap_or_default();
    let (one, other) = (read(one), read(other));
    let value = |all: &[dotenv::Setting], key: &str| {
        all.iter().find(|setting| setting.key == key).map(|setting| setting.value.clone())
    };
    let mut keys: Vec<String> = one.iter().chain(&other).map(|setting| setting.key.clone()).collect();
    keys.sort();
    keys.dedup();
    keys.retain(|key| value(&one, key) != value(&other, key));
    if keys.is_empty() { vec!["only comments or their order".to_owned()] } else { keys }
}

fn put_aside(path: &Path, text: &str, now: Timestamp) -> Result<PathBuf, FileError> {
    let folder = path.with_file_name(BACKUP);
    file::private_folder(&folder)?;
    let millis = i64::try_from(now.0).unwrap_or_default();
    let when = jiff::Timestamp::from_millisecond(millis).unwrap_or_default().strftime("%Y%m%d_%H%M%S").to_string();
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let names = std::iter::once(String::new()).chain((2..).map(|number| format!("_{number}")));
    let aside = names.map(|number| folder.join(format!("{when}{number}_{name}"))).find(|path| !path.exists());
    let aside = aside.unwrap_or_else(|| folder.join(&*name));
    file::write(&aside, text.as_bytes(), Access::Private)?;
    Ok(aside)
}

/// Takes everybody else's rights to a file away.
fn close(path: &Path) -> Result<(), FileError> {
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
    use crate::base::fault::{Advise, Kind};
    use crate::env::format::{Format, Line};
    use crate::env::generate::Generated;

    fn generated(value: &str) -> Generated {
        Generated {
            from: "tetra.toml".to_owned(),
            digest: "0".to_owned(),
            lines: vec![Line::Variable { key: "A".to_owned(), value: value.to_owned() }],
            variables: Vec::new(),
            warnings: Vec::new(),
            missing: Vec::new(),
        }
    }

    #[test]
    fn what_somebody_edited_is_kept_or_put_aside() {
        let home = tempfile::tempdir().expect("a folder");
        let env: EnvName = "dev".parse().expect("a name");
        let path = home.path().join("env/dev.env");
        let text = |value: &str| generated(value).text(&env, Format::Export).expect("writable");
        let lacking = [Lacking { key: "A".to_owned(), secret: "OF_A".to_owned() }];
        let written =
            |text: &str, lacking: &[Lacking], care| put(&path, Wanted { env: &env, text, lacking }, care, Timestamp(0));
        let put = |value: &str, care| written(&text(value), &[], care);
        assert_eq!(put("1", Care::Keep).expect("made"), Written::Created);
        assert_eq!(put("1", Care::Keep).expect("same"), Written::Unchanged);
        assert_eq!(put("2", Care::Keep).expect("outdated"), Written::Replaced(None));
        let error = written(&text(""), &lacking, Care::Keep).expect_err("it would lose a value");
        assert_eq!(error.kind(), Kind::SecretMissing);
        assert!(error.advice().is_some_and(|it| it.contains("secrets set dev OF_A")), "{error}");
        assert!(fs::read_to_string(&path).expect("kept").contains("\"2\""));
        let Written::Replaced(Some(aside)) = written(&text(""), &lacking, Care::Force).expect("forced") else {
            panic!("put aside")
        };
        assert!(fs::read_to_string(aside).expect("there").contains("\"2\""));
        assert_eq!(written(&text("3"), &lacking, Care::Keep).expect("nothing is lost"), Written::Replaced(None));
        assert_eq!(put("2", Care::Keep).expect("outdated"), Written::Replaced(None));
        fs::write(&path, text("2").replace("\"2\"", "\"3\"")).expect("edited");
        let error = put("4", Care::Keep).expect_err("edited");
        assert_eq!(error.kind(), Kind::HandEdited);
        assert!(error.to_string().ends_with(": A"), "{error}");
        let Written::Replaced(Some(aside)) = put("4", Care::Force).expect("forced") else { panic!("put aside") };
        assert!(fs::read_to_string(aside).expect("there").contains("\"3\""));
        fs::write(&path, "A=5\n").expect("written");
        assert_eq!(state(Some("A=5\n"), None), State::Foreign);
        assert_eq!(put("4", Care::Keep).expect_err("not ours").kind(), Kind::HandEdited);
    }
}
