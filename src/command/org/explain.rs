//! `org explain`

use super::context::{home, organization, source_cell, value};
use crate::base::environment::EnvName;
use crate::base::fault::Fault;
use crate::base::suggest::closest_match;
use crate::command::{Command, Cx, Effect};
use crate::config::path::KeyPath;
use crate::org::diff::{Provenance, provenance};
use crate::org::error::OrgError;
use crate::org::inputs::{PromotionInputs, SharedInputs};
use crate::org::store::OrgStore;
use crate::report::{Cell, Report, Table, Tone, Visibility};

/// Explain where a value of an environment comes from
///
/// Prints a line for each layer that sets the value, with file and line; the last one wins.
#[derive(Debug, clap::Args)]
pub struct Explain {
    /// The environment
    env: EnvName,
    /// The key, such as `services.tetra.command`
    key: KeyPath,
}

impl Command for Explain {
    const NAME: &'static str = "org explain";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["org explain @prod services.tetra.command"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let org = organization(cx)?;
        let store = OrgStore::open(cx.paths, &org)?;
        let common = SharedInputs::read(&store, home(cx))?;
        let env = store.resolve_alias(&self.env);
        let bench = PromotionInputs::open(&store, &common, &env, &[])?;
        let recipe = bench.promotion();
        let made = recipe.run()?;
        let layers = provenance(&made.draft, &bench.chain, &self.key).ok_or_else(|| {
            let known: Vec<String> = made.draft.values.keys().map(ToString::to_string).collect();
            let near = closest_match(&self.key.to_string(), known.iter().map(String::as_str)).map(str::to_owned);
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
            table = table.with_visibility(key, Visibility::Never);
        }
        let last = layers.len() - 1;
        for (number, one) in layers.iter().enumerate() {
            table.row(row(&self.key, one, if number == last { Tone::Strong } else { Tone::Dim }));
        }
        Ok(Report::of(table))
    }
}

fn row(key: &KeyPath, layers: &Provenance, tone: Tone) -> Vec<Cell> {
    let at = layers.source.at.as_ref();
    vec![
        Cell::from(layers.source.layer.as_str()).tone(tone),
        Cell::from(layers.operation.word()).tone(tone),
        value(key, layers.value.as_ref()).tone(tone),
        if at.is_some() { source_cell(Some(&layers.source)) } else { crate::report::Value::Null.into() },
        crate::report::Value::from(at.map(|(file, _)| file.as_str())).into(),
        crate::report::Value::from(at.map(|(_, line)| *line)).into(),
        (tone == Tone::Strong).into(),
    ]
}
