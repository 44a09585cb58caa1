//! Which env file a start uses.

use crate::tsm::command_line::assignment;
use crate::tsm::environment::{self, EnvironmentError};
use crate::tsm::request::StartRequest;

/// Which env file is wanted.
pub(super) enum EnvFileChoice {
    /// The one that is there.
    Detected,
    /// The one that is there, if it is the environment's own.
    Own,
    /// None.
    None,
    /// This one.
    Named(String),
}

/// The env file that `--env` asks for; at most one.
pub(super) fn requested_env(request: &StartRequest) -> Result<Option<EnvFileChoice>, EnvironmentError> {
    let mut files = request.env_files();
    let Some(first) = files.next() else { return Ok(None) };
    match files.find(|other| *other != first) {
        Some(second) => Err(EnvironmentError::Conflicting { first: first.to_owned(), second: second.to_owned() }),
        None => Ok(Some(parse_choice(first))),
    }
}

fn parse_choice(name: &str) -> EnvFileChoice {
    if name == environment::NONE { EnvFileChoice::None } else { EnvFileChoice::Named(name.to_owned()) }
}

/// What a definition says about its env file; pairs in `TSM_ENV` are added to its exports.
pub(super) fn service_env(
    file: Option<String>,
    env: Option<String>,
    exports: &mut Vec<(String, String)>,
) -> EnvFileChoice {
    let words = env.as_deref().and_then(shlex::split).unwrap_or_default();
    let pairs: Option<Vec<_>> = words.iter().map(|word| assignment(word)).collect();
    let env = match pairs {
        Some(pairs) if !pairs.is_empty() => {
            exports.extend(pairs);
            None
        }
        _ => env,
    };
    file.or(env).map_or(EnvFileChoice::Detected, |name| parse_choice(&name))
}
