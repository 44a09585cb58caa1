//! `secrets set`

use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use super::{check_exists, save, store, text};
use crate::base::environment::{EnvName, EnvRef};
use crate::base::fault::{Fault, FaultKind};
use crate::command::argument::SecretName;
use crate::command::{Command, Cx, Effect};
use crate::disk;
use crate::env::secrets::{self, LARGEST_VALUE, SecretError, ValueProblem};
use crate::report::{Message, Report};
use crate::sys::file::FileError;
use crate::sys::password_prompt;

/// Set a secret
///
/// The value is read from the terminal without echo, from standard input or from a file, never from the command line, where other
/// users and the history would see it. One trailing newline is removed.
#[derive(Debug, clap::Args)]
pub struct Set {
    /// The environment
    #[arg(value_name = "ENV")]
    target: EnvName,
    /// The name of the secret
    #[arg(value_name = "NAME")]
    key: SecretName,
    /// Read the value from a file
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Private key that opens sealed secrets
    #[arg(long, value_name = "FILE")]
    identity: Vec<PathBuf>,
    /// A value on the command line, to be refused
    #[arg(hide = true)]
    value: Vec<String>,
}

impl Command for Set {
    const NAME: &'static str = "secrets set";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &["secrets set prod API_KEY", "secrets set dev TLS_KEY --file key.pem"];

    fn environments(&self, cx: &mut Cx) -> Result<Vec<EnvRef>, Fault> {
        check_exists(cx, &store(cx)?, &self.target)?;
        Ok(vec![cx.selection.qualify(self.target.clone())])
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        if !self.value.is_empty() || self.key.0.contains('=') {
            return Err(Fault::usage("a secret cannot be passed on the command line, where others can see it")
                .with_advice("pass only its name: the value is read from the terminal, standard input or --file; rotate the value you typed"));
        }
        let store = store(cx)?;
        // An invalid name is reported before a value is typed.
        let path = store.file(&self.target);
        secrets::set_value(&path, "", &self.key.0, "-")?;
        let value = match &self.file {
            Some(file) => from_file(&cx.host.cwd().join(file))?,
            None => read_value(cx, &self.target, &self.key.0)?,
        };
        let value = String::from_utf8(value).map_err(|error| not_text(&self.key.0, error.as_bytes()))?;
        let value = value.strip_suffix('\n').map_or(value.as_str(), |rest| rest.strip_suffix('\r').unwrap_or(rest));
        let _lock = store.lock()?;
        let old = text(cx, &store, &self.target, &self.identity)?.unwrap_or_default();
        let known = secrets::parse(&path, &old)?.values.contains_key(&self.key.0);
        let new = secrets::set_value(&path, &old, &self.key.0, value)?;
        save(cx, &store, &self.target, &self.identity, &new)?;
        let action = if known { "changed" } else { "added" };
        let count = value.chars().count();
        Ok(Report::of(
            Message::new(format!("{action} {} of {} ({count} characters)", self.key.0, self.target))
                .with("env", self.target.as_str())
                .with("name", self.key.0.as_str())
                .with("action", action)
                .with("length", count)
                .with("digest", secrets::digest(&self.key.0, value)),
        ))
    }
}

/// A long value was read up to where it is too long, which may be within a character.
fn not_text(key: &str, value: &[u8]) -> Fault {
    let why = if value.len() > LARGEST_VALUE { ValueProblem::TooLong } else { ValueProblem::NotText };
    SecretError::InvalidValue { key: key.to_owned(), why }.into()
}

fn from_file(path: &Path) -> Result<Vec<u8>, Fault> {
    let mut bytes = Vec::new();
    let read =
        disk::user_file().open(path).and_then(|file| file.take(LARGEST_VALUE as u64 + 2).read_to_end(&mut bytes));
    read.map_err(|source| FileError::Io { action: "read", path: path.to_owned(), source })?;
    Ok(bytes)
}

fn read_value(cx: &mut Cx, env: &EnvName, key: &str) -> Result<Vec<u8>, Fault> {
    let read = if password_prompt::stdin_is_terminal() {
        let question = format!("the value of {key} for {env} (not shown):");
        password_prompt::EchoOff::disable(&question).and_then(|silence| {
            cx.console.note(&question);
            silence.read_line(LARGEST_VALUE)
        })
    } else {
        password_prompt::read_stdin(LARGEST_VALUE as u64)
    };
    match read {
        Ok(value) if value.is_empty() => Err(Fault::usage(format!("no value was entered for `{key}`"))
            .with_advice("type it, pipe it in, or use --file; nothing was changed")),
        Ok(value) => Ok(value),
        Err(error) if error.kind() == ErrorKind::Interrupted => {
            Err(Fault::new(FaultKind::Interrupted, "interrupted; nothing was changed"))
        }
        Err(error) => Err(stdin_error(error)),
    }
}

fn stdin_error(source: io::Error) -> Fault {
    FileError::Io { action: "read", path: PathBuf::from("standard input"), source }.into()
}
