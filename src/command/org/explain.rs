//! `org explain`

use super::target::{by, home, organization, value};
use crate::base::environment::EnvName;
use crate::base::fault::Fault;
use crate::base::near::nearest;
use crate::command::{Command, Cx, Effect};
use crate::org::difference::{Told, story};
use crate::org::error::OrgError;
use crate::org::path::KeyPath;
use crate::org::store::Store;
use crate::org::workbench::{Common, Workbench};
use crate::report::{Cell, Report, Show, Table, Tone};

/// Tell where a value of an environment comes from
///
/// One line for each layer that gave the value, with file and line; the last one counts.
#[derive(Debug, clap::Args)]
pub struct Explain {
    /// The environment
    env: EnvName,
    /// The key: `services.tetra.command`
    key: KeyPath,
}

impl Command for Explain {
    const NAME: &'static str = "org explain";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["org explain @prod services.tetra.command"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let org = organization(cx)?;
        let store = Store::open(cx.paths, &org)?;
        let common = Common::read(&store, home(cx))?;
        let env = store.meant(&self.env);
        let bench = Workbench::open(&store, &common, (&env, &[]))?;
        let recipe = bench.recipe();
        let made = recipe.make()?;
        let told = story(&made.draft, &bench.chain, &self.key).ok_or_else(|| {
            let known: Vec<String> = made.draft.cells.keys().map(ToString::to_string).collect();
            let near = nearest(&self.key.to_string(), known.iter().map(String::as_str)).map(str::to_owned);
            OrgError::NoKey { env: env.clone(), key: self.key.clone(), near }
        })?;
        let columns = [
            ("layer", "LAYER"),
            ("op", "OP"),
            ("value", "VALUE"),
            ("at", "AT"),
            ("file", "FILE"),
            ("line", "LINE"),
            ("counts", "COUNTS"),
        ];
        let mut table = Table::new(&columns);
        for key in ["file", "line", "counts"] {
            table = table.show(key, Show::Never);
        }
        let last = told.len() - 1;
        for (number, one) in told.iter().enumerate() {
            table.row(row(&self.key, one, if number == last { Tone::Strong } else { Tone::Dim }));
        }
        Ok(Report::of(table))
    }
}

fn row(key: &KeyPath, told: &Told, tone: Tone) -> Vec<Cell> {
    let at = told.source.at.as_ref();
    vec![
        Cell::from(told.source.layer.as_str()).tone(tone),
        Cell::from(told.deed.word()).tone(tone),
        value(key, told.value.as_ref()).tone(tone),
        if at.is_some() { by(Some(&told.source)) } else { crate::report::Value::Nothing.into() },
        crate::report::Value::from(at.map(|(file, _)| file.as_str())).into(),
        crate::report::Value::from(at.map(|(_, line)| *line)).into(),
        (tone == Tone::Strong).into(),
    ]
}
