//! Which env files a start uses.

use crate::tsm::command_line::assignment;
use crate::tsm::environment::{self, EnvironmentError};
use crate::tsm::request::StartRequest;

/// Which env files are wanted.
pub(super) enum EnvFileChoice {
    /// The one that is there.
    Detected,
    /// The one that is there, if it is the environment's own.
    Own,
    /// These, in order; none if it is empty.
    Named(Vec<String>),
}

/// The env files that a request asks for: that of `--env`, at most one, and behind it those of `--env-file`.
pub(super) fn requested_env(request: &StartRequest) -> Result<Option<EnvFileChoice>, EnvironmentError> {
    let mut names = request.env_names();
    let first = names.next();
    if let Some((first, second)) = first.and_then(|first| Some((first, names.find(|other| *other != first)?))) {
        return Err(EnvironmentError::Conflicting { first: first.to_owned(), second: second.to_owned() });
    }
    Ok(request.names_env_files().then(|| EnvFileChoice::Named(request.env_files().map(str::to_owned).collect())))
}

/// What a definition says about its env files; pairs in `TSM_ENV` are added to its exports.
pub(super) fn service_env(
    files: Option<Vec<String>>,
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
    let files = files.or_else(|| env.map(|name| vec![name]));
    files.map_or(EnvFileChoice::Detected, |mut files| {
        files.retain(|name| name != environment::NONE);
        EnvFileChoice::Named(files)
    })
}
