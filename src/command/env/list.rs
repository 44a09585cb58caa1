//! `env list`

use std::fs;

use super::{open, short_path};
use crate::base::fault::Fault;
use crate::command::{Command, Cx, Effect};
use crate::env::project::{self, Project};
use crate::env::secrets::SecretStore;
use crate::report::{Cell, Report, Table, Tone, Value};

/// List the environments of the project with their sources and files
#[derive(Debug, clap::Args)]
pub struct List {}

impl Command for List {
    const NAME: &'static str = "env list";
    const ALIASES: &'static [&'static str] = &["env ls"];
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["env list", "env list --json"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let project = open(cx)?;
        let mut table = Table::new(&[
            ("env", "ENV"),
            ("source", "SOURCE"),
            ("file", "FILE"),
            ("variables", "VARIABLES"),
            ("bytes", "SIZE"),
            ("mode", "MODE"),
        ])
        .when_empty(none());
        for env in project.environments() {
            let path = project.file(&env);
            let there = fs::metadata(&path).ok().filter(fs::Metadata::is_file);
            let count = project::read_file(&project, &env).ok().map(|all| all.len());
            let mode = there.as_ref().and_then(|_| SecretStore::mode(&path));
            table.row(vec![
                Cell::from(env.as_str()).tone(Tone::Strong),
                Value::from(source(&project, &env)).into(),
                Value::from(there.as_ref().map(|_| short_path(cx, &path))).into(),
                Value::from(count).into(),
                there.as_ref().map_or(Value::Null, |found| Value::Bytes(found.len())).into(),
                mode_cell(mode),
            ]);
        }
        Ok(Report::of(table))
    }
}

/// What is said where nothing describes an environment.
pub(super) fn none() -> String {
    let (file, directory) = (project::FILE, project::DIR_NAME);
    format!("no environments here: neither {file} with [environments.…] nor {directory}/<env>.env.tmpl")
}

/// Permissions; those that let others in are bad.
pub(super) fn mode_cell(mode: Option<u32>) -> Cell {
    let Some(mode) = mode else { return Value::Null.into() };
    let tone = if mode & 0o077 == 0 { Tone::Good } else { Tone::Bad };
    Cell::from(format!("{mode:04o}")).tone(tone)
}

/// Where an environment is described.
pub(super) fn source(project: &Project, env: &crate::base::environment::EnvName) -> Option<String> {
    if project.table(env).is_some() {
        return Some(project::FILE.to_owned());
    }
    project.template(env).is_file().then(|| format!("{}/{env}.env.tmpl", project::DIR_NAME))
}
