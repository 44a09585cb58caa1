//! `$org`, `$env`, `$proc`, `$?` and `$last`: what the prompt knows, as words of a line.

use crate::base::fault::Fault;
use crate::base::line::{self, Word};
use crate::report::{Block, Report, Table, Value};

use super::session::Session;

/// The most names that `$last` holds.
const MAX_NAMES: usize = 1000;

/// All of them.
const NAMES: [&str; 6] = ["$last", "$proc", "$org", "$env", "@$env", "$?"];

/// Replaces each bare word that is a variable, and `@$env`. Quoted words and other names that begin with `$` stay as they are.
/// None if there is none.
///
/// # Errors
///
/// Fails for a variable without a value, with the number of its word.
pub(super) fn expand(session: &Session, words: &[Word]) -> Result<Option<Vec<Word>>, (usize, Fault)> {
    let is_variable = |word: &Word| !word.quoted && word.text.trim_start_matches('@').starts_with('$');
    if !words.iter().any(is_variable) {
        return Ok(None);
    }
    let (mut expanded, mut is_changed) = (Vec::new(), false);
    for (number, word) in words.iter().enumerate() {
        let values = match is_variable(word) {
            true => values(session, &word.text).map_err(|fault| (number, fault))?,
            false => None,
        };
        match values {
            Some(values) => {
                is_changed = true;
                expanded.extend(values.into_iter().map(|text| Word { text, quoted: true, ..word.clone() }));
            }
            None => expanded.push(word.clone()),
        }
    }
    Ok(is_changed.then_some(expanded))
}

/// The line that is run in the place of the one with variables.
pub(super) fn shown(words: &[Word]) -> String {
    format!("runs `{}`", line::join(words.iter().map(|word| &word.text)))
}

/// The values of a variable; none for a word that is not one of them.
fn values(session: &Session, word: &str) -> Result<Option<Vec<String>>, Fault> {
    let selection = session.selection()?;
    let one = |value: Option<String>, advice: &str| match value {
        Some(value) => Ok(Some(vec![value])),
        None => Err(Fault::usage(format!("`{word}` has no value")).with_advice(advice)),
    };
    match word {
        "$org" => one(selection.org.map(|it| it.to_string()), "`use ORG` chooses an organization"),
        "$env" => one(selection.env.map(|it| it.to_string()), "`use @ENV` chooses an environment"),
        "@$env" => one(selection.env.map(|it| format!("@{it}")), "`use @ENV` chooses an environment"),
        "$proc" => one(selection.process.map(|it| it.to_string()), "`select PROCESS` chooses a process"),
        "$?" => Ok(Some(vec![session.last_code.to_string()])),
        "$last" if session.last_names.is_empty() => one(None, "a list such as `tsm list` gives it one"),
        "$last" => Ok(Some(session.last_names.clone())),
        _ => Ok(None),
    }
}

/// The variables, each with what it is now.
pub(super) fn current(session: &Session) -> Vec<(String, String)> {
    let shown = |name: &&str| match values(session, name) {
        Ok(Some(values)) => values.join(" "),
        Ok(None) => String::new(),
        Err(fault) => fault.to_string(),
    };
    NAMES.iter().map(|name| ((*name).to_owned(), shown(name))).collect()
}

/// The names in a report, if it is a list of things that have names.
pub(super) fn names(report: &Report) -> Option<Vec<String>> {
    let mut data = report.blocks.iter().filter(|block| !matches!(block, Block::Note(_)));
    let (Some(Block::Table(Table { columns, rows, .. })), None) = (data.next(), data.next()) else { return None };
    let column = columns.iter().position(|column| column.key == "name")?;
    let name = |row: &Vec<crate::report::Cell>| match &row.get(column)?.value {
        Value::Text(name) => Some(name.to_string()),
        _ => None,
    };
    Some(rows.iter().filter_map(name).take(MAX_NAMES).collect())
}
