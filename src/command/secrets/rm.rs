//! `secrets rm`

use std::fs;
use std::path::PathBuf;

use super::{save, store, text};
use crate::base::environment::{EnvName, EnvRef};
use crate::base::fault::{Fault, FaultKind};
use crate::base::suggest::closest_match;
use crate::command::argument::SecretName;
use crate::command::{Command, Cx, Effect};
use crate::env::secrets::{self, SecretStore};
use crate::report::{Message, Report, Table};
use crate::sys::file::FileError;

/// Remove secrets of an environment
///
/// Removes them from the file, sealed or not; the rest of it is unchanged. An open file of which nothing is left is removed; a sealed one
/// stays, so that the next secret is sealed too. Env files that were generated with them are not changed.
#[derive(Debug, clap::Args)]
pub struct Rm {
    /// The environment
    #[arg(value_name = "ENV")]
    target: EnvName,
    /// The names of the secrets
    #[arg(value_name = "NAME", required = true)]
    names: Vec<SecretName>,
    /// Private key that opens sealed secrets
    #[arg(long, value_name = "FILE")]
    identity: Vec<PathBuf>,
}

impl Command for Rm {
    const NAME: &'static str = "secrets rm";
    const ALIASES: &'static [&'static str] = &["secrets remove"];
    const EFFECT: Effect = Effect::Destroy;
    const EXAMPLES: &'static [&'static str] = &["secrets rm dev API_KEY"];

    fn environments(&self, cx: &mut Cx) -> Result<Vec<EnvRef>, Fault> {
        Ok(vec![cx.selection.qualify(self.target.clone())])
    }

    fn plan(&self, cx: &mut Cx) -> Result<Option<Report>, Fault> {
        let store = store(cx)?;
        self.text(cx, &store)?;
        let mut table = Table::new(&[("secret", "SECRET"), ("env", "ENV")]);
        for name in &self.names {
            table.row(vec![name.0.as_str().into(), self.target.as_str().into()]);
        }
        Ok(Some(Report::of(table)))
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let env = &self.target;
        let store = store(cx)?;
        let _lock = store.lock()?;
        let old = self.text(cx, &store)?;
        let mut names: Vec<String> = self.names.into_iter().map(|name| name.0).collect();
        let left = secrets::remove_values(&old, &names);
        let (is_last, is_sealed) = (left.trim().is_empty(), store.sealed_path(env).exists());
        if is_last && !is_sealed {
            // An empty file would be one that lacks the secrets of the other environments.
            let path = store.file(env);
            fs::remove_file(&path).map_err(|source| FileError::Io { action: "remove", path, source })?;
        } else {
            save(cx, &store, env, &self.identity, &left)?;
        }
        names.dedup();
        let report = Report::of(
            Message::new(format!("removed {} of {env}", names.join(", ")))
                .with("env", env.as_str())
                .with("names", names),
        );
        Ok(if is_last && is_sealed {
            report.note(format!("{env}.env.age stays, so the next secret of {env} is sealed too"))
        } else {
            report
        })
    }
}

impl Rm {
    /// The text of the file with the secrets, all of which are in it.
    fn text(&self, cx: &mut Cx, store: &SecretStore) -> Result<String, Fault> {
        let env = &self.target;
        let old = text(cx, store, env, &self.identity)?.unwrap_or_default();
        let known = secrets::parse(&store.file(env), &old)?.names;
        let Some(name) = self.names.iter().map(|name| &name.0).find(|name| !known.contains(name)) else {
            return Ok(old);
        };
        let fault = Fault::new(FaultKind::NotFound, format!("the secret `{name}` of {env} does not exist"));
        Err(match closest_match(name, known.iter().map(String::as_str)) {
            Some(near) => fault.with_advice(format!("did you mean `{near}`?")),
            None => fault.with_advice(format!("`secrets list {env}` lists what exists; nothing was changed")),
        })
    }
}
