//! The options of a start, kept with the process: a restart takes its definition as it is then, and these still override it.
//!
//! They are written as a definition, so that every option which a definition knows is kept, and read back by the same reader.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::definition::Definition;
use super::environment::{self, EnvFile};
use super::request::StartRequest;

/// In place of a name that was not given.
const UNNAMED: &str = "no.name.was.given";

/// In place of a directory that was not given.
const NOWHERE: &str = "/-";

/// What a request overrides, as a text. Files are named so that they are found from anywhere.
#[must_use]
pub fn write(request: &StartRequest, env_file: Option<&EnvFile>, cwd: &Path) -> String {
    let env = request.env_files().last().map(|name| match env_file {
        Some(file) if name != environment::NONE => file.path.display().to_string(),
        _ => name.to_owned(),
    });
    let given = Definition {
        name: request.name.clone().unwrap_or_else(|| UNNAMED.to_owned()),
        command: "-".to_owned(),
        cwd: if request.cwd.is_some() { cwd.to_owned() } else { PathBuf::from(NOWHERE) },
        env,
        port: request.port,
        pre_command: request.pre_hook.clone(),
        exports: request.pairs(),
        options: request.options.clone(),
        ..Definition::default()
    };
    given.to_text()
}

/// The request that leads to a text. One that was spoilt overrides nothing.
#[must_use]
pub fn read(text: &str) -> StartRequest {
    let file = Path::new(NOWHERE).join("given.tsm");
    let Ok(given) = Definition::parse(text, &file, &BTreeMap::new()) else { return StartRequest::default() };
    let pairs = given.exports.into_iter().map(|(key, value)| format!("{key}={value}"));
    StartRequest {
        env: given.env.into_iter().chain(pairs).collect(),
        port: given.port,
        name: Some(given.name).filter(|name| name != UNNAMED),
        cwd: Some(given.cwd).filter(|cwd| cwd != Path::new(NOWHERE)),
        pre_hook: given.pre_command,
        options: given.options,
        ..StartRequest::default()
    }
}

impl StartRequest {
    /// What this says, and where it is silent, what an earlier request said.
    #[must_use]
    pub fn merge_over(&self, earlier: Self) -> Self {
        let file = self.env_files().next().is_some();
        let kept = earlier.env.iter().filter(|word| !(file && super::command_line::assignment(word).is_none()));
        Self {
            env: kept.chain(&self.env).cloned().collect(),
            port: self.port.or(earlier.port),
            name: self.name.clone().or(earlier.name),
            cwd: self.cwd.clone().or(earlier.cwd),
            pre_hook: self.pre_hook.clone().or(earlier.pre_hook),
            options: self.options.or(&earlier.options),
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervise::meta::RestartPolicy;
    use crate::tsm::options::ServiceOptions;

    #[test]
    fn what_was_given_is_read_back() {
        let keep = ServiceOptions {
            restart: Some(RestartPolicy::Always),
            notify: Some(true),
            stack: Some("shop".into()),
            deps: Some(vec!["db".into()]),
            ..ServiceOptions::default()
        };
        let request = StartRequest {
            env: vec!["none".into(), "A=it's $5".into(), "B=".into()],
            port: Some("4000+".parse().expect("a port")),
            name: Some("web".into()),
            cwd: Some("/srv".into()),
            pre_hook: Some("test -n \"$A\"".into()),
            options: keep,
            ..StartRequest::default()
        };
        assert_eq!(read(&write(&request, None, Path::new("/srv"))), request);
        let nothing = StartRequest::default();
        assert_eq!(read(&write(&nothing, None, Path::new("/srv"))), nothing);
        assert_eq!(nothing.merge_over(request.clone()), request);
        let other =
            StartRequest { env: vec!["dev".into(), "A=2".into()], port: Some("1".parse().expect("a port")), ..nothing };
        let both = other.merge_over(request.clone());
        assert_eq!(both.env, ["A=it's $5", "B=", "dev", "A=2"]);
        assert_eq!((both.port, both.name), (other.port, request.name));
    }
}
