//! The options of a start, kept with the process: a restart takes its definition as it is then, and these still override it.
//!
//! They are written as a definition, so that every option which a definition knows is kept, and read back by the same reader.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::definition::Definition;
use super::environment::{self, EnvFile};
use super::options::ServiceOptions;
use super::request::StartRequest;

/// In place of a name that was not given.
const UNNAMED: &str = "no.name.was.given";

/// In place of a directory that was not given.
const NOWHERE: &str = "/-";

/// What a request overrides, as a text. Files are named so that they are found from anywhere.
#[must_use]
pub fn write(request: &StartRequest, env_files: &[EnvFile], cwd: &Path) -> String {
    let mut files = env_files.iter();
    let env = request.env_names().last().map(|name| match name {
        environment::NONE => name.to_owned(),
        _ => files.next().map_or_else(|| name.to_owned(), EnvFile::name),
    });
    let found: Vec<String> = files.map(EnvFile::name).collect();
    let env_file = request.options.env_file.clone().map(|given| if found.is_empty() { given } else { found });
    let given = Definition {
        name: request.name.clone().unwrap_or_else(|| UNNAMED.to_owned()),
        command: "-".to_owned(),
        cwd: if request.cwd.is_some() { cwd.to_owned() } else { PathBuf::from(NOWHERE) },
        env,
        port: request.port,
        pre_command: request.pre_hook.clone(),
        exports: request.pairs(),
        options: ServiceOptions { env_file, ..request.options.clone() },
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
        let file = self.names_env_files();
        let kept = earlier.env.iter().filter(|word| !(file && super::command_line::assignment(word).is_none()));
        Self {
            env: kept.chain(&self.env).cloned().collect(),
            port: self.port.or(earlier.port),
            name: self.name.clone().or(earlier.name),
            cwd: self.cwd.clone().or(earlier.cwd),
            pre_hook: self.pre_hook.clone().or(earlier.pre_hook),
            options: self.options.or(&ServiceOptions {
                env_file: earlier.options.env_file.clone().filter(|_| !file),
                ..earlier.options
            }),
            ..self.clone()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervise::meta::RestartPolicy;

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
        assert_eq!(read(&write(&request, &[], Path::new("/srv"))), request);
        let nothing = StartRequest::default();
        assert_eq!(read(&write(&nothing, &[], Path::new("/srv"))), nothing);
        assert_eq!(nothing.merge_over(request.clone()), request);
        let other =
            StartRequest { env: vec!["dev".into(), "A=2".into()], port: Some("1".parse().expect("a port")), ..nothing };
        let both = other.merge_over(request.clone());
        assert_eq!(both.env, ["A=it's $5", "B=", "dev", "A=2"]);
        assert_eq!((both.port, both.name.clone()), (other.port, request.name));
        let options = ServiceOptions { env_file: Some(vec!["b.env".into()]), ..ServiceOptions::default() };
        let files = StartRequest { options, ..StartRequest::default() };
        assert_eq!(files.merge_over(both.clone()).env_files().collect::<Vec<_>>(), ["b.env"]);
        assert_eq!(both.merge_over(files).env_files().collect::<Vec<_>>(), ["dev"]);
    }
}
