//! A program that only says a value: what it exports, as far as that can be seen. Nothing of it is run: constants, texts and
//! objects put together, `process.env`, `path.join` and files of JSON have values that are seen.

mod evaluate;
mod known;
mod parse;
mod syntax;
mod token;
mod value;

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::Value as Json;

pub(in crate::tsm::import) use syntax::Unread;

/// What a program says.
pub(super) struct Exported {
    pub(super) value: Json,
    /// The variables that decided about it, and whether they were set.
    pub(super) variables: BTreeMap<String, bool>,
}

/// What the program `text` in `dir` exports.
///
/// # Errors
///
/// Fails at the first place whose value is needed and cannot be seen.
pub(super) fn exported(text: &str, dir: &Path, variables: &BTreeMap<String, String>) -> Result<Exported, Unread> {
    let statements = parse::program(text)?;
    let surroundings = known::Surroundings { dir, variables, dotenv: BTreeMap::new(), read_variables: BTreeMap::new() };
    let mut evaluator = evaluate::Evaluator::new(surroundings);
    let value = evaluator.module(&statements)?;
    let json = value.json().map_err(|name| Unread { at: 0, what: format!("`{name}` is not a value") })?;
    let value = json.ok_or_else(|| Unread { at: 0, what: "it exports no data".to_owned() })?;
    Ok(Exported { value, variables: evaluator.surroundings.read_variables })
}
