//! `org diff`

use super::target::{brief, by, counted, home, organization, value};
use crate::base::environment::EnvName;
use crate::base::fault::Fault;
use crate::command::{Command, Cx, Effect};
use crate::org::difference::{Row, against, between};
use crate::org::document::Document;
use crate::org::draft::Difference;
use crate::org::error::OrgError;
use crate::org::header::State;
use crate::org::store::{self, Store};
use crate::org::workbench::{Common, Workbench};
use crate::org::{read, standing};
use crate::report::{Cell, Report, Show, Table, Tone, Value};

/// Show what promotion makes of local.toml, or how two environments differ
///
/// With one environment: each key that differs between local.toml, what a promotion would write, and what is written now. With
/// two: each key that differs between their files.
#[derive(Debug, clap::Args)]
pub struct Diff {
    /// One environment, or two
    #[arg(required = true, num_args = 1..=2)]
    envs: Vec<EnvName>,
    /// Exit code 3 if what is written differs from what a promotion would write, or the two differ
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
        let store = Store::open(cx.paths, &org)?;
        let envs: Vec<EnvName> = self.envs.iter().map(|env| store.meant(env)).collect();
        match &envs[..] {
            [one, other] => two(&store, (one, other), self.exit_code),
            [env, ..] => with_local(&store, env, (home(cx), self.exit_code)),
            [] => Err(Fault::usage("which environment?")),
        }
    }
}

fn with_local(store: &Store, env: &EnvName, (home, exit_code): (Option<&str>, bool)) -> Result<Report, Fault> {
    let common = Common::read(store, home)?;
    let current = store.current(env)?;
    let there = read::document(&store.environment(env), &store.folder())?;
    let options = there.as_ref().map(standing::options).unwrap_or_default();
    let bench = Workbench::open(store, &common, (env, &options))?;
    let recipe = bench.recipe();
    let made = recipe.make()?;
    let rows = against(&made, &bench.chain, there.as_ref());
    let stale = rows.iter().filter(|row| row.is_stale()).count();
    let note = match &current {
        None => format!("{env}.toml is not there yet: `tsm org promote @{env}` writes it"),
        Some(current) if matches!(current.state, State::Edited(_)) => {
            format!("{env}.toml was edited by hand: {} not as generated", counted(stale, "value"))
        }
        Some(_) if stale == 0 => format!("{env}.toml is up to date (content {})", brief(&made.content)),
        Some(_) => format!("{env}.toml is stale: `tsm org promote @{env}` would change {}", counted(stale, "value")),
    };
    let says_no = exit_code && (stale > 0 || current.is_none());
    Ok(Report { says_no, ..Report::of(table(&rows, there.as_ref())).note(note) })
}

/// Rows as people read them: what is written now only where it is not what would be.
pub(super) fn table(rows: &[Row], there: Option<&Document>) -> Table {
    let columns = [
        ("key", "KEY"),
        ("change", "CHANGE"),
        ("local", "LOCAL"),
        ("promoted", "PROMOTED"),
        ("there", "THERE"),
        ("by", "BY"),
    ];
    let stale = there.is_some() && rows.iter().any(|row| row.is_stale());
    let mut table = Table::new(&columns).show("there", if stale { Show::Always } else { Show::Never });
    for row in rows {
        let same = there.is_none() || !row.is_stale();
        let (word, tone) = match row.how {
            Some(Difference::Added) => ("Added", Tone::Good),
            Some(Difference::Removed) => ("Removed", Tone::Bad),
            Some(how) => (how.words(), Tone::Warn),
            None => ("", Tone::Plain),
        };
        let now = value(&row.path, row.there.as_ref());
        table.row(vec![
            row.path.to_string().into(),
            Cell::from(Value::from(Some(word).filter(|word| !word.is_empty()))).tone(tone),
            value(&row.path, row.local.as_ref()),
            value(&row.path, row.promoted.as_ref()),
            if same { now.text("=").tone(Tone::Dim) } else { now.tone(Tone::Bad) },
            by(row.by.as_ref()).tone(Tone::Dim),
        ]);
    }
    table
}

fn two(store: &Store, (one, other): (&EnvName, &EnvName), exit_code: bool) -> Result<Report, Fault> {
    let read = |env: &EnvName| -> Result<Document, OrgError> {
        let path = store.environment(env);
        read::document(&path, &store.folder())?.ok_or_else(|| match *env == store::local() {
            true => OrgError::NoLocal { path },
            false => OrgError::NoEnvironment { org: store.org().clone(), env: env.clone() },
        })
    };
    let found = between(&read(one)?, &read(other)?);
    let count = found.len();
    let mut table = Table::new(&[("key", "KEY"), ("one", "ONE"), ("other", "OTHER")]);
    table.columns[1].title = "FIRST";
    table.columns[2].title = "SECOND";
    for (path, before, after) in &found {
        table.row(vec![path.to_string().into(), value(path, before.as_ref()), value(path, after.as_ref())]);
    }
    let note = match count {
        0 => format!("@{one} and @{other} say the same"),
        count => format!("{} between @{one} and @{other}", counted(count, "difference")),
    };
    Ok(Report { says_no: exit_code && count > 0, ..Report::of(table).note(note) })
}
