//! `env toml show`

use super::{document, open};
use crate::base::fault::{Fault, FaultKind};
use crate::base::redact;
use crate::base::sort::SortExt;
use crate::base::suggest::closest_match;
use crate::command::argument::TomlTable;
use crate::command::{Command, Cx, Effect};
use crate::config::document::{Document, Leaf};
use crate::config::path::KeyPath;
use crate::config::secret;
use crate::config::secret_scan::{self, Syntax};
use crate::env::scope::RawValue;
use crate::report::{Report, Table};

/// Show the tables of tetra.toml, or the values of one
#[derive(Debug, clap::Args)]
pub struct TomlShow {
    /// A table: `variables`, `environments.dev`
    table: Option<TomlTable>,
}

impl Command for TomlShow {
    const NAME: &'static str = "env toml show";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["env toml show", "env toml show environments.staging"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let document = document(open(cx)?)?;
        Ok(Report::of(match self.table {
            None => tables(&document),
            Some(TomlTable(name)) => values(&document, &name)?,
        }))
    }
}

fn tables(document: &Document) -> Table {
    let mut table = Table::new(&[("table", "TABLE"), ("keys", "KEYS")]).when_empty("the file has no tables");
    for path in named(document) {
        let keys = document.values_below(path).count();
        // What holds only tables is named by them.
        if keys > 0 || document.tables_below(path).next().is_none() {
            table.row(vec![path.keys().join(".").into(), keys.into()]);
        }
    }
    table
}

/// The tables of a document, in the order of the text.
fn named(document: &Document) -> Vec<&KeyPath> {
    let mut all: Vec<&KeyPath> = document.tables.keys().filter(|path| !path.keys().is_empty()).collect();
    all.order_by_key(|path| document.span_of(path).start);
    all
}

fn values(document: &Document, name: &str) -> Result<Table, Fault> {
    let path = KeyPath::new(name.split('.').map(str::to_owned).collect());
    if !document.tables.contains_key(&path) {
        let known: Vec<String> = named(document).iter().map(|path| path.keys().join(".")).collect();
        let fault =
            Fault::new(FaultKind::NotFound, format!("table [{name}] does not exist in {}", document.source.name));
        return Err(match closest_match(name, known.iter().map(String::as_str)) {
            Some(near) => fault.with_advice(format!("did you mean `{near}`?")),
            None => fault.with_advice("`env toml show` lists the tables"),
        });
    }
    let leaks = secret_scan::scan(&document.source.name, &document.source.text, Syntax::Toml);
    let mut table = Table::new(&[("key", "KEY"), ("value", "VALUE")]).when_empty(format!("[{name}] is empty"));
    for leaf in document.leaves.iter().filter(|leaf| leaf.path.is_within(&path)) {
        let hidden = leaks.iter().any(|found| found.span.start < leaf.span.end && leaf.span.start < found.span.end);
        let shown = if hidden { redact::MASK.to_owned() } else { shown(leaf, document) };
        table.row(vec![leaf.path.suffix(path.keys().len()).keys().join(".").into(), shown.into()]);
    }
    Ok(table)
}

fn shown(leaf: &Leaf, document: &Document) -> String {
    match RawValue::of(leaf, document) {
        RawValue::Secret(name) => format!("var.{name}"),
        RawValue::Text(text) if secret::is_reference(&text) => text,
        RawValue::Text(text) | RawValue::Plain(_, text) | RawValue::List(text) => {
            redact::variable(leaf.path.last(), &text)
        }
    }
}
