//! What a command is given on its input or in a file that a shell makes: behind `echo … |`, `<<<`, `<<END` and `<(echo …)`.

use std::ops::Range;

use super::shell_words::{ShellStatement, ShellWord};
use super::tool;

/// The secret of each word of each statement that another statement says it is.
pub(super) fn typed(statements: &[ShellStatement]) -> Vec<Vec<Option<Range<usize>>>> {
    let mut found: Vec<Vec<Option<Range<usize>>>> = statements.iter().map(|it| vec![None; it.words.len()]).collect();
    for (at, statement) in statements.iter().enumerate() {
        let next = statements.get(at + 1);
        if printed(statement) && statement.piped && next.is_some_and(reads_secret)
            || printed(statement) && at > 0 && opens_secret_file(&statements[at - 1])
        {
            for (word, found) in statement.words.iter().zip(&mut found[at]).skip(1) {
                *found = Some(0..word.text.len()).filter(|_| !word.text.starts_with('-'));
            }
        }
        if reads_secret(statement) {
            here_string(&statement.words, &mut found[at]);
            here_document(statements, at, &mut found);
        }
    }
    found
}

fn printed(statement: &ShellStatement) -> bool {
    statement.words.first().is_some_and(|word| matches!(word.text.as_str(), "echo" | "printf"))
}

fn reads_secret(statement: &ShellStatement) -> bool {
    let words: Vec<&str> = statement.words.iter().map(|word| word.text.as_str()).collect();
    tool::reads_secret(&words)
}

/// `--password-file=<(` and `private-key <(`, whose parenthesis ends the statement.
fn opens_secret_file(statement: &ShellStatement) -> bool {
    let mut words = statement.words.iter().rev().map(|word| word.text.as_str());
    let opens = words.next().and_then(|last| last.strip_suffix('<'));
    opens.is_some_and(|last| {
        let option = if last.is_empty() { words.next().unwrap_or_default() } else { last };
        tool::names_secret_file(option)
    })
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

/// The lines from `<<END` to `END`.
fn here_document(statements: &[ShellStatement], at: usize, found: &mut [Vec<Option<Range<usize>>>]) {
    let ends = |word: &ShellWord| {
        let end = word.text.strip_prefix("<<").map(|end| end.trim_start_matches('-').to_owned());
        end.filter(|end| !end.is_empty() && !end.starts_with('<'))
    };
    let Some(end) = statements[at].words.iter().find_map(ends) else { return };
    let is_end = |it: &ShellStatement| matches!(&it.words[..], [word] if word.text == end);
    let Some(length) = statements[at + 1..].iter().position(is_end) else { return };
    // What follows on the line of the command is a command too.
    let same_line = statements[at + 1..][..length].iter().take_while(|it| !it.begins_line).count();
    for (statement, found) in statements.iter().zip(found).skip(at + 1 + same_line).take(length - same_line) {
        for (word, found) in statement.words.iter().zip(found) {
            *found = Some(0..word.text.len());
        }
    }
}
