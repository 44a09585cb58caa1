//! `org history verify`

use super::context::organization;
use crate::base::environment::{EnvName, EnvRef};
use crate::base::fault::{Fault, FaultKind};
use crate::command::stated_default::StatedDefault;
use crate::command::{Command, Cx, Effect};
use crate::org::store::{self, OrgStore};
use crate::org::versions::Author;
use crate::report::{Cell, Report, Table, Tone};

/// Verify the integrity of the version history
///
/// Each line of a record contains the hash of the previous line, and that of its copy. The exit code is 3 if anything was modified.
#[derive(Debug, clap::Args)]
pub struct Verify {
    /// The environments
    #[arg(if_not_given = "all")]
    envs: Vec<EnvName>,
    /// Save a damaged record under another name, and rebuild it from its readable lines and the stored versions
    #[arg(long)]
    repair: bool,
}

impl Verify {
    fn target_envs(&self, store: &OrgStore) -> Vec<EnvName> {
        if self.envs.is_empty() {
            return store.environments().into_iter().filter(|env| *env != store::local_env()).collect();
        }
        self.envs.iter().map(|env| store.resolve_alias(env)).collect()
    }
}

impl Command for Verify {
    const NAME: &'static str = "org history verify";
    const ALIASES: &'static [&'static str] = &["org audit verify"];
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["org history verify", "org history verify @prod"];

    fn effect(&self) -> Effect {
        if self.repair { Effect::Write } else { Effect::Read }
    }

    fn environments(&self, cx: &mut Cx) -> Result<Vec<EnvRef>, Fault> {
        let org = organization(cx)?;
        Ok(self
            .target_envs(&OrgStore::open(cx.paths, &org)?)
            .into_iter()
            .map(|env| cx.selection.qualify(env))
            .collect())
    }

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let org = organization(cx)?;
        let store = OrgStore::open(cx.paths, &org)?;
        let mut notes = Vec::new();
        let columns = [("env", "ENV"), ("versions", "VERSIONS"), ("kept", "KEPT"), ("state", "STATE"), ("why", "WHY")];
        let mut table = Table::new(&columns).when_empty("no environment has versions yet");
        let mut says_no = false;
        for env in self.target_envs(&store) {
            if self.repair {
                let author = Author { by: cx.host.user(), now: cx.host.now() };
                let aside = store.repair(&env, author)?;
                notes.extend(
                    aside.map(|it| format!("{env}: rewrote the history record; the old one is {}", it.display())),
                );
            }
            let (versions, kept, wrong) = check_env(&store, &env)?;
            says_no |= !wrong.is_empty();
            let state =
                if wrong.is_empty() { Cell::from("ok").tone(Tone::Good) } else { Cell::from("error").tone(Tone::Bad) };
            table.row(vec![
                Cell::from(env.as_str()).tone(Tone::Strong),
                versions.into(),
                kept.into(),
                state,
                Cell::from(wrong.join("; ")),
            ]);
        }
        Ok(Report { check_failed: says_no, ..notes.into_iter().fold(Report::of(table), Report::note) })
    }
}

/// How many versions there are and are kept, and what is wrong with them.
fn check_env(store: &OrgStore, env: &EnvName) -> Result<(usize, usize, Vec<String>), Fault> {
    let record = match store.record(env) {
        Ok(record) => record,
        Err(error) => {
            let fault = Fault::from(error);
            let advice = fault.advice.iter().map(String::as_str);
            let lines = std::iter::once(fault.to_string()).chain(advice.map(str::to_owned)).collect();
            return if fault.kind == FaultKind::Failed { Ok((0, 0, lines)) } else { Err(fault) };
        }
    };
    let mut wrong = Vec::new();
    if record.is_truncated {
        wrong.push(
            "the last line of the record is cut off; `tsm org history verify --repair` writes it again".to_owned(),
        );
    }
    let mut kept = 0;
    for entry in record.entries.iter().filter(|entry| store.copy_path(entry).exists()) {
        kept += 1;
        if let Err(error) = store.version(env, entry) {
            wrong.push(error.to_string());
        }
    }
    Ok((record.entries.len(), kept, wrong))
}
