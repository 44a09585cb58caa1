//! `env toml show`

use super::{document, open};
use crate::base::fault::{Fault, FaultKind};
use crate::base::redact;
use crate::base::suggest::closest_match;
use crate::command::{Command, Cx, Effect};
use crate::env::document::EnvDocument;
use crate::env::mask::Masker;
use crate::env::scope::RawValue;
use crate::env::secret_scan::{self, Syntax};
use crate::report::{Report, Table};

/// Show the tables of tetra.toml, or the values of one
#[derive(Debug, clap::Args)]
pub struct TomlShow {
    /// A table: `variables`, `environments.dev`
    table: Option<String>,
}

impl Command for TomlShow {
    const NAME: &'static str = "env toml show";
    const EFFECT: Effect = Effect::Read;
    const EXAMPLES: &'static [&'static str] = &["env toml show", "env toml show environments.staging"];

    fn run(self, cx: &mut Cx) -> Result<Report, Fault> {
        let document = document(open(cx)?)?;
        Ok(Report::of(match self.table {
            None => tables(&document),
            Some(name) => values(&document, &name)?,
        }))
    }
}

fn tables(document: &EnvDocument) -> Table {
    let mut table = Table::new(&[("table", "TABLE"), ("keys", "KEYS")]).when_empty("the file has no tables");
    for entry in document.entries.iter().filter(|entry| entry.table) {
        let path: Vec<&str> = entry.path.iter().map(String::as_str).collect();
        let keys = document.below(&path).filter(|entry| !entry.table).count();
        // What holds only tables is named by them.
        if keys > 0 || document.below(&path).count() == 0 {
            table.row(vec![path.join(".").into(), keys.into()]);
        }
    }
    table
}

fn values(document: &EnvDocument, name: &str) -> Result<Table, Fault> {
    let path: Vec<&str> = name.split('.').collect();
    if !document.get(&path).is_some_and(|entry| entry.table) {
        let known: Vec<String> =
            document.entries.iter().filter(|entry| entry.table).map(|entry| entry.path.join(".")).collect();
        let fault =
            Fault::new(FaultKind::NotFound, format!("table [{name}] does not exist in {}", document.source.name));
        return Err(match closest_match(name, known.iter().map(String::as_str)) {
            Some(near) => fault.with_advice(format!("did you mean `{near}`?")),
            None => fault.with_advice("`env toml show` lists the tables"),
        });
    }
    let text = &document.text;
    let leaks = secret_scan::scan(&document.source.name, text, Syntax::Toml);
    let mut table = Table::new(&[("key", "KEY"), ("value", "VALUE")]).when_empty(format!("[{name}] is empty"));
    for entry in document.entries.iter().filter(|entry| !entry.table && is_below(&entry.path, &path)) {
        let hidden = leaks.iter().any(|found| found.span.start < entry.span.end && entry.span.start < found.span.end);
        let shown = match &entry.value {
            _ if hidden => crate::base::redact::MASK.to_owned(),
            RawValue::Secret(name) => format!("var.{name}"),
            RawValue::Text(text) if text.contains("${") => text.clone(),
            RawValue::Text(text) | RawValue::Plain(_, text) | RawValue::List(text) => {
                Masker::default().variable(key(&entry.path), text)
            }
        };
        table.row(vec![entry.path[path.len()..].join(".").into(), shown.into()]);
    }
    Ok(table)
}

fn key(path: &[String]) -> &str {
    let key = path.last().map_or("", String::as_str);
    if redact::is_secret_name(key) { key } else { "" }
}

fn is_below(path: &[String], of: &[&str]) -> bool {
    path.len() > of.len() && path.iter().zip(of).all(|(one, other)| one == other)
}
