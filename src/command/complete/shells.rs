//! The same answers for bash, zsh and fish.

use super::{Candidate, CompletionContext, complete};
use crate::base::line::{self, TokenKind};

/// A shell that asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum CompletionShell {
    /// Takes whole words, but cuts the line at characters of its own.
    Bash,
    /// Quotes what it puts in.
    Zsh,
    /// Quotes what it puts in.
    Fish,
}

/// The groups that are also names of the program.
const PROGRAM_NAMES: [&str; 3] = ["tsm", "tkm", "org"];

/// What could stand at the end of `line`, which begins with the name the program was called by: lines of value, TAB,
/// description.
///
/// Bash replaces only what stands behind the last of its `breaks` (`@`, `=`, `:` …) and inserts as it is, so the values are cut
/// there and escaped; the others take the plain word and do the rest themselves.
#[must_use]
pub fn for_shell(shell: CompletionShell, line: &str, breaks: &str, known: &CompletionContext<'_>) -> String {
    let text = as_tetra_line(line);
    let candidates = complete(&text, text.len(), known);
    let start = candidates.first().map_or(text.len(), |candidate| candidate.span.start);
    let typed = text.get(start..).unwrap_or_default();
    let cut = if shell == CompletionShell::Bash { cut_position(typed, breaks) } else { 0 };
    let mut answer = String::new();
    for candidate in candidates {
        let value =
            if shell == CompletionShell::Bash { escaped(&candidate.display) } else { candidate.display.clone() };
        // Bash drops what was typed if a value does not begin with it.
        let Some(value) =
            (if shell == CompletionShell::Bash { cut_value(&value, typed, cut) } else { Some(value.as_str()) })
        else {
            continue;
        };
        answer.push_str(value);
        answer.push('\t');
        answer.push_str(&about(&candidate));
        answer.push('\n');
    }
    answer
}

/// Where the part of a word begins that bash replaces: behind the last of the breaks, but `@` and `$` stay with what follows.
fn cut_position(typed: &str, breaks: &str) -> usize {
    let last = typed.char_indices().rev().find(|(_, character)| breaks.contains(*character));
    last.map_or(0, |(at, character)| if matches!(character, '@' | '$') { at } else { at + character.len_utf8() })
}

/// The part of a value that bash replaces; none if bash would not take it.
fn cut_value<'a>(value: &'a str, typed: &str, cut: usize) -> Option<&'a str> {
    let head = typed.get(..cut)?;
    // A typed quote is no part of the value.
    let plain = typed.trim_start_matches(['\'', '"']);
    if value.starts_with(plain) || value.replace('\\', "").starts_with(plain) { value.get(head.len()..) } else { None }
}

/// The line without the program's name: a group's name stays, any other goes.
fn as_tetra_line(line: &str) -> String {
    let tokens = line::tokens(line);
    let Some(first) = tokens.first() else { return String::new() };
    let rest = line.get(first.span.end..).unwrap_or_default();
    let name = match &first.kind {
        TokenKind::Word { text, .. } => text.rsplit('/').next().unwrap_or_default(),
        TokenKind::Program => "",
        _ => return String::new(),
    };
    if PROGRAM_NAMES.contains(&name) { format!("{name}{rest}") } else { rest.trim_start().to_owned() }
}

fn about(candidate: &Candidate) -> String {
    candidate.description.as_deref().unwrap_or_default().replace(['\t', '\n'], " ")
}

/// With backslashes, so that it still begins with what was typed.
fn escaped(value: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "_-./:=@%+,~".contains(c);
    value.chars().flat_map(|c| (!plain(c)).then_some('\\').into_iter().chain([c])).collect()
}
