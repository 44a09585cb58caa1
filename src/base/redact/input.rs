//! What a command is given on its input or in a file that a shell makes: behind `echo … |`, `<<<`, `<<END` and `<(echo …)`.

use std::ops::Range;

use super::name::{self, Weight, weight};
use super::secret_reader;
use super::shell_words::{ShellStatement, ShellWord};
use super::tool::{self, Tool};

/// The secret of each word of each statement that another statement says it is.
pub(super) fn typed(statements: &[ShellStatement]) -> Vec<Vec<Option<Range<usize>>>> {
    let mut found: Vec<Vec<Option<Range<usize>>>> = statements.iter().map(|it| vec![None; it.words.len()]).collect();
    for (at, statement) in statements.iter().enumerate() {
        let next = statements.get(at + 1);
        let is_secret = statement.piped && next.is_some_and(|next| reads_secret(next) || keeps_secret(next))
            || at > 0 && opens_secret_file(&statements[at - 1])
            || writes_secret_file(statement);
        if printed(statement) && is_secret {
            let printed = statement.words.iter().zip(&mut found[at]).skip(1);
            for (word, found) in printed.take_while(|(word, _)| !word.text.starts_with('>')) {
                *found = Some(0..word.text.len()).filter(|_| !word.text.starts_with('-'));
            }
        }
        if reads_secret(statement) {
            here_string(&statement.words, &mut found[at]);
            if let Some(lines) = here_document(statements, at) {
                for (statement, found) in statements[lines.clone()].iter().zip(&mut found[lines]) {
                    *found = statement.words.iter().map(|word| Some(0..word.text.len())).collect();
                }
            }
        }
    }
    found
}

fn printed(statement: &ShellStatement) -> bool {
    statement.words.first().is_some_and(|word| matches!(word.text.as_str(), "echo" | "printf"))
}

fn reads_secret(statement: &ShellStatement) -> bool {
    let words: Vec<&str> = statement.words.iter().map(|word| word.text.as_str()).collect();
    let program = words.first().map_or("", |first| first.rsplit('/').next().unwrap_or_default());
    // `pass insert`, `secret-tool store`, `systemd-creds encrypt`
    let is_store = name::is_plain(program) && weight(program) == Weight::Strong;
    is_store || secret_reader::reads_secret(&words)
}

/// The program to which each statement is input: what is printed for it, and what lies between `<<END` and `END`.
pub(super) fn readers(statements: &[ShellStatement]) -> Vec<Option<&'static Tool>> {
    let tool = |it: &ShellStatement| it.words.iter().rev().find_map(|word| tool::find(&word.text));
    let mut readers = vec![None; statements.len()];
    for (at, statement) in statements.iter().enumerate() {
        if printed(statement) && statement.piped {
            readers[at] = statements.get(at + 1).and_then(tool);
        }
        if let Some(lines) = here_document(statements, at) {
            readers[lines].fill(tool(statement));
        }
    }
    readers
}

/// `--password-file=<(`, `--config <(`, `private-key <(` and `kubeseal … <(`, whose parenthesis ends the statement.
fn opens_secret_file(statement: &ShellStatement) -> bool {
    let mut words = statement.words.iter().rev().map(|word| word.text.as_str());
    let last = words.next();
    // `TOKEN=$(`
    let assigned = last.and_then(|last| last.strip_suffix("=$"));
    if assigned.is_some_and(|name| name::is_plain(name) && weight(name) != Weight::None) {
        return true;
    }
    let opens = last.and_then(|last| last.strip_suffix('<'));
    opens.is_some_and(|last| {
        let option = if last.is_empty() { words.next().unwrap_or_default() } else { last };
        // A configuration that is made for one command has what may not be in a file.
        let configures = option.starts_with("--conf");
        configures || tool::names_secret_file(option) || reads_secret(statement)
    })
}

/// `> ~/.pgpass` and `>> api-token.txt`
fn writes_secret_file(statement: &ShellStatement) -> bool {
    let mut words = statement.words.iter().map(|word| word.text.as_str());
    let Some(path) = words.find_map(|word| word.strip_prefix('>')) else { return false };
    let path = path.trim_start_matches('>');
    is_secret_path(if path.is_empty() { words.next().unwrap_or_default() } else { path })
}

/// `tee ~/.vault_pass`
fn keeps_secret(statement: &ShellStatement) -> bool {
    let is_tee = statement.words.iter().any(|word| word.text == "tee");
    is_tee && statement.words.iter().any(|word| is_secret_path(&word.text))
}

/// The name of a file that says that a secret is in it.
fn is_secret_path(path: &str) -> bool {
    let file = path.rsplit('/').next().unwrap_or_default();
    let stem = file.trim_start_matches('.').split('.').next().unwrap_or_default();
    path.contains("/secrets/") || ["netrc", "pgpass"].contains(&stem) || weight(stem) == Weight::Strong
}

/// `<<< secret` and `<<<secret`
fn here_string(words: &[ShellWord], found: &mut [Option<Range<usize>>]) {
    for (at, word) in words.iter().enumerate() {
        match word.text.strip_prefix("<<<") {
            Some("") if at + 1 < words.len() => found[at + 1] = Some(0..words[at + 1].text.len()),
            Some(text) if !text.is_empty() => found[at] = Some(3..word.text.len()),
            _ => {}
        }
    }
}

/// The statements from `<<END` to `END`.
fn here_document(statements: &[ShellStatement], at: usize) -> Option<Range<usize>> {
    let ends = |word: &ShellWord| {
        let end = word.text.strip_prefix("<<").map(|end| end.trim_start_matches('-').to_owned());
        end.filter(|end| !end.is_empty() && !end.starts_with('<'))
    };
    let end = statements[at].words.iter().find_map(ends)?;
    let is_end = |it: &ShellStatement| matches!(&it.words[..], [word] if word.text == end);
    let length = statements[at + 1..].iter().position(is_end)?;
    // What follows on the line of the command is a command too.
    let same_line = statements[at + 1..][..length].iter().take_while(|it| !it.begins_line).count();
    Some(at + 1 + same_line..at + 1 + length)
}
