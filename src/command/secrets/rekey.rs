//! `secrets rekey`

use std::path::PathBuf;

use super::{OtherCopy, identities, recipients_file, reseal, store};
use crate::base::environment::{EnvName, EnvRef};
use crate::base::fault::{Fault, FaultKind};
use crate::command::stated_default::StatedDefault;
use crate::command::{Command, Cx, Effect};
use crate::disk;
use crate::env::seal as sealing;
use crate::env::secrets::{self, SecretStore};
use crate::report::{Cell, Report, Table, Tone};
use crate::sys::file::FileError;

/// Seal all sealed secrets again, for the current recipients of the manifest
///
/// All files are opened, sealed, and opened again with one of your keys before anything is written. A removed recipient has seen
/// the old values: they are listed, to be rotated.
#[derive(Debug, clap::Args)]
pub struct Rekey {
    /// The environment
    #[arg(value_name = "ENV", if_not_given = "all that are sealed")]
    target: Option<EnvName>,
    /// Private key that opens sealed secrets
    #[arg(long, value_name = "FILE")]
    identity: Vec<PathBuf>,
}

impl Command for Rekey {
    const NAME: &'static str = "secrets rekey";
    const EFFECT: Effect = Effect::Write;
    const EXAMPLES: &'static [&'static str] = &["secrets rekey", "secrets rekey prod"];

    fn environments(&self, cx: &mut Cx) -> Result<Vec<EnvRef>, Fault> {
        let meant = match &self.target {
            Some(env) => vec![env.clone()],
            None => store(cx)?.environments(),
        };
        Ok(meant.into_iter().map(|env| cx.selection.qualify(env)).collect())
    }

    fn plan(&self, cx: &mut Cx) -> Result<Option<Report>, Fault> {
        let store = store(cx)?;
        let mut table = Table::new(&[("env", "ENV"), ("file", "FILE")]);
        for env in self.sealed(&store)? {
            let file = store.sealed_path(&env).display().to_string();
            table.row(vec![env.as_str().into(), file.into()]);
        }
        Ok(Some(Report::of(table)))
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let store = store(cx)?;
        let _lock = store.lock()?;
        let envs = self.sealed(&store)?;
        let identity = sealing::identity(&identities(cx, &self.identity))?;
        let mut all = Vec::new();
        for env in envs {
            let path = store.sealed_path(&env);
            let bytes =
                disk::read(&path).map_err(|source| FileError::Io { action: "read", path: path.clone(), source })?;
            let text = sealing::unseal(&path, &bytes, &identity)?;
            let resealed = reseal(cx, &path, &self.identity, &text, OtherCopy::Goes)?;
            all.push((env, text, resealed));
        }
        let columns =
            [("env", "ENV"), ("recipients", "RECIPIENTS"), ("gone", "GONE"), ("rotate", "CHANGE AT THE SOURCE")];
        let mut table = Table::new(&columns);
        for (env, text, resealed) in &all {
            let before = disk::read_to_string(recipients_file(&store, env)).unwrap_or_default();
            let gone = sealing::missing(&before, &resealed.recipients);
            resealed.write(&store, env)?;
            let names = if gone.is_empty() { Vec::new() } else { secrets::parse(&store.sealed_path(env), text)?.names };
            table.row(vec![
                Cell::from(env.as_str()).tone(Tone::Strong),
                resealed.recipients.len().into(),
                Cell::from(gone).tone(Tone::Warn),
                Cell::from(names).tone(Tone::Bad),
            ]);
        }
        Ok(Report::of(table))
    }
}

impl Rekey {
    /// The environments whose files are meant.
    fn sealed(&self, store: &SecretStore) -> Result<Vec<EnvName>, Fault> {
        let is_meant = |env: &EnvName| self.target.as_ref().is_none_or(|wanted| wanted == env);
        let mut envs = store.environments();
        envs.retain(|env| is_meant(env) && store.sealed_path(env).exists());
        if envs.is_empty() {
            return Err(Fault::new(FaultKind::NotFound, "no sealed secrets").with_advice("secrets seal ENV"));
        }
        Ok(envs)
    }
}
