//! Which env file a start wants.

use crate::tsm::environment::{self, EnvironmentError};
use crate::tsm::request::StartRequest;
use crate::tsm::words::assignment;

/// Which env file is wanted.
pub(super) enum Wanted {
    /// The one that is there.
    Detected,
    /// The one that is there, if it is the environment's own.
    Own,
    /// None.
    Nothing,
    /// This one.
    Named(String),
}

/// The env file that `--env` asks for; at most one.
pub(super) fn asked_env(request: &StartRequest) -> Result<Option<Wanted>, EnvironmentError> {
    let mut files = request.env_files();
    let Some(first) = files.next() else { return Ok(None) };
    match files.find(|other| *other != first) {
        Some(second) => Err(EnvironmentError::Two { first: first.to_owned(), second: second.to_owned() }),
        None => Ok(Some(wanted(first))),
    }
}

fn wanted(name: &str) -> Wanted {
    if name == environment::NONE { Wanted::Nothing } else { Wanted::Named(name.to_owned()) }
}

/// What a definition says about its env file; pairs in `TSM_ENV` are added to its exports.
pub(super) fn service_env(file: Option<String>, env: Option<String>, exports: &mut Vec<(String, String)>) -> Wanted {
    let words = env.as_deref().and_then(shlex::split).unwrap_or_default();
    let pairs: Option<Vec<_>> = words.iter().map(|word| assignment(word)).collect();
    let env = match pairs {
        Some(pairs) if !pairs.is_empty() => {
            exports.extend(pairs);
            None
        }
        _ => env,
    };
    file.or(env).map_or(Wanted::Detected, |name| wanted(&name))
}
