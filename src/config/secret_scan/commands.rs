//! Secrets in the commands that a file says: what the logs would hide of them.

use std::ops::Range;

use super::SourceValue;
use crate::base::redact;
use crate::config::Value;
use crate::config::patterns::values;

/// Keys of services and releases that hold a command or its arguments.
const COMMAND_KEYS: [&str; 6] = ["command", "pre_command", "args", "health", "health_check", "build"];

/// The secrets in a value that is a command, with their places.
pub(super) fn secrets(SourceValue { key, value, span }: &SourceValue, text: &str) -> Vec<Range<usize>> {
    let name = key.rsplit('.').next().unwrap_or_default().to_ascii_lowercase();
    if !COMMAND_KEYS.contains(&name.strip_prefix("tsm_").unwrap_or(&name)) {
        return Vec::new();
    }
    // `$NAME` and `${NAME}` refer to a secret.
    let is_literal = |secret: &&str| !values::is_dummy(secret);
    match value {
        Value::String(line) => {
            let found = redact::secrets(line);
            let found = found.into_iter().filter(|part| line.get(part.clone()).as_ref().is_some_and(is_literal));
            let found = found.filter(|part| !is_guess(line, part));
            // With escapes in it, it is longer than what it means.
            let begin = text[span.clone()].find(line.as_str()).map(|at| span.start + at);
            let place = |part: Range<usize>| begin.map_or(span.clone(), |at| at + part.start..at + part.end);
            found.map(place).collect()
        }
        Value::Array(items) => {
            let words: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
            let ports: Vec<&str> =
                words.iter().enumerate().map(|(at, word)| port_or_word(&words[..at], word)).collect();
            let found = redact::secrets_in_words(&ports).iter().any(|it| *it == PORT || is_literal(it));
            if found { vec![span.clone()] } else { Vec::new() }
        }
        _ => Vec::new(),
    }
}

/// What is a port behind the `-p` of a program that is not known, and a password behind that of one which takes passwords there.
const PORT: &str = "8080";

/// True for a plain word behind `-p` that the logs hide because the program is not known: `./server -p api` names something.
fn is_guess(line: &str, part: &Range<usize>) -> bool {
    let (before, value, after) = (&line[..part.start], &line[part.clone()], &line[part.end..]);
    let option = before.trim_end_matches(['"', '\'']);
    is_plain(value)
        && option.ends_with(char::is_whitespace)
        && option.split_whitespace().next_back() == Some("-p")
        && !redact::secrets(&format!("{before}{PORT}{after}")).iter().any(|secret| secret.start == part.start)
}

/// A plain word behind `-p` as a port, which is hidden only if the program takes a password there; others as they are.
fn port_or_word<'a>(before: &[&str], word: &'a str) -> &'a str {
    if before.last() == Some(&"-p") && is_plain(word) { PORT } else { word }
}

/// The longest name behind `-p`, in bytes: words with hyphens between them may be a passphrase.
const MAX_NAME: usize = 12;

/// A password of few lower letters alone is a bad one, and a name has them.
fn is_plain(value: &str) -> bool {
    value.len() <= MAX_NAME && value.bytes().all(|byte| byte.is_ascii_lowercase() || b"-_.".contains(&byte))
}
