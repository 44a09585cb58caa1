//! `org diff`

use super::context::{home, organization, short_hash, source_cell, value};
use crate::base::environment::EnvName;
use crate::base::fault::Fault;
use crate::base::plural::pluralize;
use crate::command::{Command, Cx, Effect};
use crate::config::document::Document;
use crate::org::diff::{DiffRow, ValueChange, diff_documents, diff_with_current};
use crate::org::draft::DiffKind;
use crate::org::error::OrgError;
use crate::org::header::GeneratedFileState;
use crate::org::inputs::{PromotionInputs, SharedInputs};
use crate::org::store::{self, OrgStore};
use crate::org::{env_status, hand_edits, read};
use crate::report::{Cell, Report, Table, Tone, Value, Visibility};

/// Show what a promotion would change, or how two environments differ
///
/// With one environment: each key that differs between local.toml, the promoted text, and the current file. With two: each key
/// that differs between their files.
#[derive(Debug, clap::Args)]
pub struct Diff {
    /// One environment, or two
    #[arg(required = true, num_args = 1..=2)]
    envs: Vec<EnvName>,
    /// Exit with code 3 if the file differs from the promoted text, or the two environments differ
    #[arg(long)]
    exit_code: bool,
}

impl Command for Diff {
    const NAME: &'static str = "org diff";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] =
        &["org diff @dev", "org diff @staging @prod", "org diff @dev --exit-code"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let org = organization(cx)?;
        let store = OrgStore::open(cx.paths, &org)?;
        let envs: Vec<EnvName> = self.envs.iter().map(|env| store.resolve_alias(env)).collect();
        let mut report = match &envs[..] {
            [one, other] => diff_two(&store, one, other)?,
            [env, ..] => diff_with_local(&store, env, home(cx))?,
            [] => return Err(Fault::usage("missing environment")),
        };
        report.check_failed &= self.exit_code;
        Ok(report)
    }
}

fn diff_with_local(store: &OrgStore, env: &EnvName, home: Option<&str>) -> Result<Report, Fault> {
    let common = SharedInputs::read(store, home)?;
    let current = store.current(env)?;
    let there = read::document(&store.environment_path(env), &store.dir())?;
    let options = there.as_ref().map(env_status::options).unwrap_or_default();
    let bench = PromotionInputs::open(store, &common, env, &options)?;
    let recipe = bench.promotion();
    let made = recipe.run()?;
    let rows = diff_with_current(&made, &bench.chain, there.as_ref());
    let stale = rows.iter().filter(|row| row.is_stale()).count();
    let note = match &current {
        None => format!("{env}.toml does not exist: `tsm org promote @{env}` generates it"),
        Some(current) if matches!(current.state, GeneratedFileState::Edited(_)) => {
            let edited = hand_edits::edits(store, env, &current.text).map_or(stale, |edits| edits.len());
            let said = format!("{env}.toml was edited by hand: {} not as generated", pluralize(edited, "value"));
            match edited == stale {
                true => said,
                false => format!("{said}; `tsm org promote @{env}` would change {}", pluralize(stale, "value")),
            }
        }
        Some(_) if stale == 0 => format!("{env}.toml is up to date (content {})", short_hash(&made.content)),
        Some(_) => format!("{env}.toml is stale: `tsm org promote @{env}` would change {}", pluralize(stale, "value")),
    };
    Ok(Report { check_failed: stale > 0 || current.is_none(), ..Report::of(table(&rows, there.as_ref())).note(note) })
}

/// Rows as people read them: what is written now only where it is not what would be.
pub(super) fn table(rows: &[DiffRow], there: Option<&Document>) -> Table {
    let columns = [
        ("key", "KEY"),
        ("change", "CHANGE"),
        ("local", "LOCAL"),
        ("promoted", "PROMOTED"),
        ("there", "THERE"),
        ("by", "BY"),
    ];
    let stale = there.is_some() && rows.iter().any(|row| row.is_stale());
    let mut table =
        Table::new(&columns).with_visibility("there", if stale { Visibility::Always } else { Visibility::Never });
    for row in rows {
        let same = there.is_none() || !row.is_stale();
        let (word, tone) = match row.kind {
            Some(DiffKind::Added) => ("Added", Tone::Good),
            Some(DiffKind::Removed) => ("Removed", Tone::Bad),
            Some(how) => (how.comment(), Tone::Warn),
            None => ("", Tone::Plain),
        };
        let now = value(&row.path, row.current.as_ref());
        table.row(vec![
            row.path.to_string().into(),
            Cell::from(Value::from(Some(word).filter(|word| !word.is_empty()))).tone(tone),
            value(&row.path, row.local.as_ref()),
            value(&row.path, row.promoted.as_ref()),
            if same { now.text("=").tone(Tone::Dim) } else { now.tone(Tone::Bad) },
            source_cell(row.source.as_ref()).tone(Tone::Dim),
        ]);
    }
    table
}

fn diff_two(store: &OrgStore, one: &EnvName, other: &EnvName) -> Result<Report, Fault> {
    let read = |env: &EnvName| -> Result<Document, OrgError> {
        let path = store.environment_path(env);
        read::document(&path, &store.dir())?.ok_or_else(|| match *env == store::local_env() {
            true => OrgError::NoLocal { path },
            false => OrgError::NoEnvironment { org: store.org().clone(), env: env.clone() },
        })
    };
    let found = diff_documents(&read(one)?, &read(other)?);
    let count = found.len();
    let mut table = Table::new(&[("key", "KEY"), ("one", "ONE"), ("other", "OTHER")]);
    table.columns[1].title = "FIRST".into();
    table.columns[2].title = "SECOND".into();
    for ValueChange { path, before, after } in &found {
        table.row(vec![path.to_string().into(), value(path, before.as_ref()), value(path, after.as_ref())]);
    }
    let note = match count {
        0 => format!("@{one} and @{other} are equal"),
        count => format!("{} between @{one} and @{other}", pluralize(count, "difference")),
    };
    Ok(Report { check_failed: count > 0, ..Report::of(table).note(note) })
}
