//! `secrets list`

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

use super::{read, store};
use crate::base::environment::EnvName;
use crate::base::fault::Fault;
use crate::base::time::Timestamp;
use crate::command::{Command, Cx, Effect};
use crate::env::masked::SHORTEST;
use crate::env::secrets::{self, Store};
use crate::report::{Cell, Report, Table, Tone, Value};

/// List secrets: names, lengths and digests, never values
///
/// A value that stands in two environments is told. Equal digests mean equal values.
#[derive(Debug, clap::Args)]
pub struct List {
    /// The environment; every one if left out
    #[arg(value_name = "ENV")]
    target: Option<EnvName>,
    /// A key that opens sealed secrets
    #[arg(long, value_name = "FILE")]
    identity: Vec<PathBuf>,
}

impl Command for List {
    const NAME: &'static str = "secrets list";
    const ALIASES: &'static [&'static str] = &["secrets ls"];
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["secrets list", "secrets list prod --json"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let store = store(cx)?;
        let mut all = Vec::new();
        for env in store.environments() {
            if let Some(found) = read(cx, &store, (&env, &self.identity))? {
                all.push((env, found));
            }
        }
        let mut places: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (env, found) in &all {
            for value in found.values.values().filter(|value| value.len() >= SHORTEST) {
                places.entry(value).or_default().push(env.as_str());
            }
        }
        let columns = [
            ("env", "ENV"),
            ("name", "NAME"),
            ("length", "LENGTH"),
            ("digest", "DIGEST"),
            ("changed", "CHANGED"),
            ("also_in", "ALSO IN"),
        ];
        let none = "no secrets: `secrets set ENV NAME` keeps one";
        let mut table = Table::new(&columns).when_empty(none);
        for (env, found) in all.iter().filter(|(env, _)| self.target.as_ref().is_none_or(|wanted| wanted == env)) {
            for name in &found.names {
                let value = &found.values[name];
                let also: Vec<String> = places
                    .get(value.as_str())
                    .into_iter()
                    .flatten()
                    .filter(|other| **other != env.as_str())
                    .map(|other| (*other).to_owned())
                    .collect();
                let tone = if also.is_empty() { Tone::Plain } else { Tone::Warn };
                table.row(vec![
                    Cell::from(env.as_str()),
                    Cell::from(name.as_str()).tone(Tone::Strong),
                    value.chars().count().into(),
                    Cell::from(secrets::digest(name, value)).tone(Tone::Dim),
                    Value::from(changed(&store, env)).into(),
                    Cell::from(also).tone(tone),
                ]);
            }
        }
        Ok(Report::of(table))
    }
}

/// When the file of an environment was written last.
fn changed(store: &Store, env: &EnvName) -> Option<Timestamp> {
    let found = fs::metadata(store.file(env)).or_else(|_| fs::metadata(store.sealed(env))).ok()?;
    let since: Duration = found.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    u64::try_from(since.as_millis()).ok().map(Timestamp)
}
