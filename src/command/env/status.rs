//! `env status`

use super::list::{mode_cell, none, source};
use super::{generate_env, open};
use crate::base::fault::{Fault, FaultKind};
use crate::command::{Command, Cx, Effect};
use crate::env::format::EnvFormat;
use crate::env::read;
use crate::env::secrets::SecretStore;
use crate::env::write::{self, EnvFileState};
use crate::report::{Cell, Report, Table, Tone, Value};

/// Tell for each environment whether its env file is what its source says
///
/// `current`, `outdated` (the source or a secret changed since), `edited` (by hand or by a promotion), `own` (nobody
/// generated it), `missing`, `sealed` (no key here opens its secrets), or `broken` (the source cannot be resolved: `env
/// validate` says why).
#[derive(Debug, clap::Args)]
pub struct Status {}

impl Command for Status {
    const NAME: &'static str = "env status";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["env status"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let project = open(cx)?;
        let columns = [
            ("env", "ENV"),
            ("state", "STATE"),
            ("source", "SOURCE"),
            ("mode", "MODE"),
            ("missing_secrets", "MISSING SECRETS"),
        ];
        let mut table = Table::new(&columns).when_empty(none());
        for env in project.environments() {
            let path = project.file(&env);
            let there = read::text_if_exists(&path)?;
            let source = source(&project, &env);
            let made = if source.is_some() { Some(generate_env(cx, &project, &env)) } else { None };
            let (state, missing) = match &made {
                Some(Err(fault)) if fault.kind == FaultKind::Auth => (("sealed", Tone::Warn), None),
                Some(Err(_)) => (("broken", Tone::Bad), None),
                Some(Ok(generated)) => {
                    let wanted = [EnvFormat::Export, EnvFormat::Dotenv].map(|format| generated.text(&env, format).ok());
                    let state = write::state(there.as_deref(), wanted[0].as_deref());
                    let dotenv = wanted[1].is_some() && there == wanted[1];
                    let missing = generated.missing.len();
                    (state_label(if dotenv { EnvFileState::Current } else { state }), Some(missing))
                }
                None => (state_label(write::state(there.as_deref(), None)), None),
            };
            table.row(vec![
                Cell::from(env.as_str()).tone(Tone::Strong),
                Cell::from(state.0).tone(state.1),
                Value::from(source).into(),
                mode_cell(there.and_then(|_| SecretStore::mode(&path))),
                Value::from(missing).into(),
            ]);
        }
        Ok(Report::of(table))
    }
}

fn state_label(state: EnvFileState) -> (&'static str, Tone) {
    let tone = match state {
        EnvFileState::Current => Tone::Good,
        EnvFileState::Outdated | EnvFileState::Edited => Tone::Warn,
        EnvFileState::Missing | EnvFileState::NotGenerated => Tone::Plain,
    };
    (state.word(), tone)
}
