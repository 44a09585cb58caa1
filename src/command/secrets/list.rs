//! `secrets list`

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};

use super::{read, store};
use crate::base::environment::EnvName;
use crate::base::fault::{Fault, FaultKind};
use crate::base::time::Timestamp;
use crate::command::stated_default::StatedDefault;
use crate::command::{Command, Cx, Effect};
use crate::config::mask::MIN_SECRET_LENGTH;
use crate::env::secrets::{self, SecretStore, Secrets};
use crate::report::{Cell, Report, Table, Tone, Value, Visibility};

/// List secrets: names, lengths and digests, never values
///
/// Marks values used in two environments and files that no key here opens. Equal digests mean equal values.
#[derive(Debug, clap::Args)]
pub struct List {
    /// The environment
    #[arg(value_name = "ENV", if_not_given = "all")]
    target: Option<EnvName>,
    /// Private key that opens sealed secrets
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
        let wanted = |env: &EnvName| self.target.as_ref().is_none_or(|wanted| wanted == env);
        let (mut all, mut unread) = (Vec::new(), Vec::new());
        for env in store.environments() {
            match read(cx, &store, &env, &self.identity) {
                Ok(Some(found)) => all.push((env, found)),
                Ok(None) => {}
                Err(fault) if wanted(&env) => unread.push((env, fault)),
                // The others are looked at only for the same values.
                Err(_) => {}
            }
        }
        // A sealed file may be for others. It is an error only if there is nothing else to show.
        if (self.target.is_some() || all.is_empty()) && !unread.is_empty() {
            return Err(unread.swap_remove(0).1);
        }
        let places = places(&all);
        let columns = [
            ("env", "ENV"),
            ("name", "NAME"),
            ("length", "LENGTH"),
            ("digest", "DIGEST"),
            ("changed", "CHANGED"),
            ("also_in", "ALSO IN"),
            ("problem", "PROBLEM"),
        ];
        let none = "no secrets: store one with `secrets set ENV NAME`";
        let problems = if unread.is_empty() { Visibility::Never } else { Visibility::Always };
        let mut table = Table::new(&columns).when_empty(none).with_visibility("problem", problems);
        for (env, found) in all.iter().filter(|(env, _)| wanted(env)) {
            for name in &found.names {
                table.row(row(env, name, &found.values[name], &places, changed(&store, env)));
            }
        }
        let mut faults = Vec::new();
        for (env, fault) in unread {
            let for_others = fault.kind == FaultKind::Auth;
            let problem = if for_others { "no key here opens it" } else { "cannot be read" };
            let mut row: Vec<Cell> = vec![Value::Null.into(); columns.len()];
            row[0] = Cell::from(env.as_str());
            row[4] = Value::from(changed(&store, &env)).into();
            row[5] = Cell::from(Vec::<String>::new());
            row[6] = Cell::from(problem).tone(Tone::Warn);
            table.row(row);
            if !for_others {
                faults.push(fault);
            }
        }
        let mut report = Report::of(table);
        report.faults = faults;
        Ok(report)
    }
}

/// The environments that have a value, for each that is long enough to be recognised.
fn places(all: &[(EnvName, Secrets)]) -> BTreeMap<&str, Vec<&str>> {
    let mut places: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (env, found) in all {
        for value in found.values.values().filter(|value| value.len() >= MIN_SECRET_LENGTH) {
            places.entry(value).or_default().push(env.as_str());
        }
    }
    places
}

fn row(
    env: &EnvName,
    name: &str,
    value: &str,
    places: &BTreeMap<&str, Vec<&str>>,
    changed: Option<Timestamp>,
) -> Vec<Cell> {
    let others = places.get(value).into_iter().flatten().filter(|other| **other != env.as_str());
    let also: Vec<String> = others.map(|other| (*other).to_owned()).collect();
    let tone = if also.is_empty() { Tone::Plain } else { Tone::Warn };
    vec![
        Cell::from(env.as_str()),
        Cell::from(name).tone(Tone::Strong),
        value.chars().count().into(),
        Cell::from(secrets::digest(name, value)).tone(Tone::Dim),
        Value::from(changed).into(),
        Cell::from(also).tone(tone),
        Value::Null.into(),
    ]
}

/// When the file of an environment was written last.
fn changed(store: &SecretStore, env: &EnvName) -> Option<Timestamp> {
    let found = fs::metadata(store.file(env)).or_else(|_| fs::metadata(store.sealed_path(env))).ok()?;
    let since: Duration = found.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    u64::try_from(since.as_millis()).ok().map(Timestamp)
}
