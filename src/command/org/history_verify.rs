//! `org history verify`

use super::target::organization;
use crate::base::environment::EnvName;
use crate::base::fault::{Fault, Kind};
use crate::command::{Command, Cx, Effect};
use crate::org::store::{self, Store};
use crate::report::{Cell, Report, Table, Tone};

/// Check that nobody changed the versions of environments or the record of them
///
/// Each line of a record holds the hash of the line before, each copy that is kept has to say what its line says. The exit code is 3
/// if something is not as it was written.
#[derive(Debug, clap::Args)]
pub struct Verify {
    /// The environments; all if left out
    envs: Vec<EnvName>,
}

impl Command for Verify {
    const NAME: &'static str = "org history verify";
    const ALIASES: &'static [&'static str] = &["org audit verify"];
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["org history verify", "org history verify @prod"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let org = organization(cx)?;
        let store = Store::open(cx.paths, &org)?;
        let envs: Vec<EnvName> = match self.envs.is_empty() {
            true => store.environments().into_iter().filter(|env| *env != store::local()).collect(),
            false => self.envs.iter().map(|env| store.meant(env)).collect(),
        };
        let columns = [("env", "ENV"), ("versions", "VERSIONS"), ("kept", "KEPT"), ("state", "STATE"), ("why", "WHY")];
        let mut table = Table::new(&columns).when_empty("no environment has versions yet");
        let mut says_no = false;
        for env in envs {
            let (versions, kept, wrong) = checked(&store, &env)?;
            says_no |= !wrong.is_empty();
            let state = if wrong.is_empty() {
                Cell::from("good").tone(Tone::Good)
            } else {
                Cell::from("changed").tone(Tone::Bad)
            };
            table.row(vec![
                Cell::from(env.as_str()).tone(Tone::Strong),
                versions.into(),
                kept.into(),
                state,
                Cell::from(wrong.join("\n")),
            ]);
        }
        Ok(Report { says_no, ..Report::of(table) })
    }
}

/// How many versions there are and are kept, and what is wrong with them.
fn checked(store: &Store, env: &EnvName) -> Result<(usize, usize, Vec<String>), Fault> {
    let record = match store.record(env) {
        Ok(record) => record,
        Err(error) => {
            let fault = Fault::from(error);
            return if fault.kind == Kind::Failed { Ok((0, 0, vec![fault.to_string()])) } else { Err(fault) };
        }
    };
    let mut wrong = Vec::new();
    let mut kept = 0;
    for entry in record.entries.iter().filter(|entry| store.copy(entry).exists()) {
        kept += 1;
        if let Err(error) = store.version(env, entry) {
            wrong.push(error.to_string());
        }
    }
    Ok((record.entries.len(), kept, wrong))
}
