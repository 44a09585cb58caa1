//! From what was typed, or from a process there is, to a definition that starts the same.

use std::path::{Path, PathBuf};

use crate::base::environment::EnvFileName;
use crate::base::name::InvalidName;
use crate::supervise::meta::Meta;

use super::command_line::join;
use super::definition::{Definition, GENERATED_FROM};
use super::environment;
use super::name::{BaseName, without_port};
use super::options::ServiceOptions;
use super::plan::port_precedence::PORT;
use super::plan::{PlanError, working_directory};
use super::port::PortSpec;
use super::request::{StartContext, StartRequest};
use super::sidecar::NOTIFY;
use super::store::Process;

/// The definition of what a request would start as a program. Its words are kept as they were written; nothing is looked up.
///
/// # Errors
///
/// Fails if the directory to run in is not there.
pub fn of_command(name: &str, request: &StartRequest, context: &StartContext) -> Result<Definition, PlanError> {
    BaseName::given(name)?;
    let cwd = working_directory(context.cwd, request.cwd.as_deref())?;
    let named = |env: &str| relative_to_cwd(env, &cwd, context);
    let mut options = request.options.clone();
    if options.env_file.is_some() {
        options.env_file = Some(request.env_files().map(named).collect());
    }
    let words = [request.program.as_slice(), request.arguments.as_deref().unwrap_or_default()].concat();
    Ok(Definition {
        name: name.to_owned(),
        command: match words.as_slice() {
            // A whole command line in one word.
            [text] if text.contains([' ', '\t', '\n']) && !context.cwd.join(text).is_file() => text.trim().to_owned(),
            words => join(words),
        },
        env: if options.env_file.is_some() { None } else { request.env_names().last().map(named) },
        cwd,
        port: request.port,
        exports: request.pairs(),
        pre_command: request.pre_hook.clone(),
        instances: request.instances,
        options,
        ..Definition::default()
    })
}

/// An env file as the operator sees it may be another, or none, from where the service runs.
fn relative_to_cwd(env: &str, cwd: &Path, context: &StartContext) -> String {
    let EnvFileName { path, optional } = EnvFileName::of(env);
    let here = context.cwd.join(path);
    if !here.is_file() || cwd.join(path).is_file() {
        return env.to_owned();
    }
    EnvFileName { path: &here.to_string_lossy(), optional }.to_string()
}

/// The definition of a process there is, under its own name without its port or under another. What its record cannot say is
/// taken from the definition it came from.
///
/// # Errors
///
/// Fails if the name is not legal.
pub fn of_process(
    process: &Process,
    name: Option<&str>,
    origin: Option<Definition>,
) -> Result<Definition, InvalidName> {
    let (meta, run) = (&process.meta, &process.meta.run);
    let own = meta.port.map_or(process.name.as_str(), |port| without_port(process.name.as_str(), port));
    let base = BaseName::given(name.unwrap_or(own))?;
    let port = meta.port.filter(|_| !run.port_guessed);
    let exports = run.set.iter().filter(|(key, _)| (key != PORT || port.is_none()) && key != NOTIFY).cloned().collect();
    let text = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let mut origin = origin.unwrap_or_default();
    let belongs = origin.environment();
    // What is saved by hand is not `org apply`'s.
    origin.unknown.retain(|(key, _)| key != GENERATED_FROM);
    let files: Vec<String> = meta.env_files().iter().map(ToString::to_string).collect();
    let ServiceOptions { stack, deps, .. } = origin.options;
    let group = ServiceOptions { stack, deps, ..ServiceOptions::default() };
    Ok(Definition {
        file: PathBuf::new(),
        name: base.text,
        command: command(meta),
        cwd: meta.cwd.clone(),
        // Without one it must not find another.
        belongs,
        env: files.is_empty().then(|| environment::NONE.to_owned()),
        port: port.map(PortSpec::Exact).or(run.unset.iter().any(|key| key == PORT).then_some(PortSpec::None)),
        pre_command: text(&meta.prehook),
        arguments: Vec::new(),
        options: ServiceOptions {
            env_file: Some(files).filter(|files| !files.is_empty()),
            ..ServiceOptions::of_record(run).or(&group)
        },
        exports,
        description: origin.description,
        autostart: origin.autostart,
        // One process is saved; its group is what its service says.
        instances: origin.instances,
        unknown: origin.unknown,
        typos: Vec::new(),
    })
}

/// Its program as it was written: where that is found may be another place at the next start.
fn command(meta: &Meta) -> String {
    match (meta.run.argv.as_slice(), meta.run.word.as_str()) {
        ([], _) => meta.command.clone(),
        ([_, rest @ ..], word) if !word.is_empty() => join(&[&[word.to_owned()], rest].concat()),
        (argv, _) => join(argv),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tsm::command_line::CommandLine;

    proptest::proptest! {
        #[test]
        fn words_are_the_same_after_a_definition_was_read_back(
            first in "[a-z./]{1,8}0",
            more in proptest::collection::vec("[^\\x00]{0,10}", 0..5),
        ) {
            let words: Vec<String> = std::iter::once(first).chain(more).collect();
            let definition = Definition {
                name: "x".to_owned(),
                command: join(&words),
                cwd: PathBuf::from("/srv"),
                ..Definition::default()
            };
            let none = std::collections::BTreeMap::new();
            let read = Definition::parse(&definition.to_text(), Path::new("/srv/x.tsm"), &none).expect("a definition");
            let line = CommandLine::of_text(&read.command).expect("words");
            proptest::prop_assert_eq!(&line.words, &words, "{}", read.command);
            proptest::prop_assert_eq!(line.shell, None);
        }
    }
}
