//! Completion output for bash, zsh and fish.

use super::{Candidate, CompletionContext, complete};
use crate::base::line::{self, TokenKind};

/// A shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum CompletionShell {
    /// Inserts words as they are, and splits them at COMP_WORDBREAKS.
    Bash,
    /// Quotes the inserted word.
    Zsh,
    /// Quotes the inserted word.
    Fish,
}

/// The groups that are also links to the program.
const PROGRAM_NAMES: [&str; 3] = ["tsm", "tkm", "org"];

/// The candidates at the end of `line`, which begins with the name of the program: lines of value, TAB, description.
///
/// Bash replaces only the text after the last of its `breaks` (`@`, `=`, `:` …) and inserts it as it is, so the values are cut
/// there and escaped; the other shells get the plain word and quote it themselves.
#[must_use]
pub fn for_shell(shell: CompletionShell, line: &str, breaks: &str, known: &CompletionContext<'_>) -> String {
    let text = as_tetra_line(line);
    let mut candidates = complete(&text, text.len(), known);
    // These shells would insert what only says what is expected.
    candidates.retain(|candidate| !candidate.is_placeholder);
    if inserts_of_examples(&candidates) {
        return String::new();
    }
    let start = candidates.first().map_or(text.len(), |candidate| candidate.span.start);
    let typed = text.get(start..).unwrap_or_default();
    let cut = if shell == CompletionShell::Bash { cut_position(typed, breaks) } else { 0 };
    let mut answer = String::new();
    for candidate in candidates {
        let value =
            if shell == CompletionShell::Bash { escaped(&candidate.display) } else { candidate.display.clone() };
        // Bash drops the typed text if a value does not begin with it.
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

/// True if a shell would insert what examples have in common.
fn inserts_of_examples(candidates: &[Candidate]) -> bool {
    let [first, rest @ ..] = candidates else { return false };
    let is_common = |it: &Candidate| it.display.bytes().next() == first.display.bytes().next();
    candidates.iter().all(|it| it.is_example) && rest.iter().all(is_common)
}

/// The start of the part of a word that bash replaces: after the last of the breaks, but `@` and `$` stay with what follows.
fn cut_position(typed: &str, breaks: &str) -> usize {
    let last = typed.char_indices().rev().find(|(_, character)| breaks.contains(*character));
    last.map_or(0, |(at, character)| if matches!(character, '@' | '$') { at } else { at + character.len_utf8() })
}

/// The part of a value that bash inserts; none if it cannot be inserted.
fn cut_value<'a>(value: &'a str, typed: &str, cut: usize) -> Option<&'a str> {
    let head = typed.get(..cut)?;
    // A typed quote is not part of the value.
    let plain = typed.trim_start_matches(['\'', '"']);
    if value.starts_with(plain) || value.replace('\\', "").starts_with(plain) { value.get(head.len()..) } else { None }
}

/// The line without the name of the program; the name of a group is kept.
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

/// Escapes with backslashes, so that it still begins with the typed text.
fn escaped(value: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || "_-./:=@%+,~".contains(c);
    value.chars().flat_map(|c| (!plain(c)).then_some('\\').into_iter().chain([c])).collect()
}
