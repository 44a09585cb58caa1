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
            // With escapes in it, it is longer than what it means.
            let begin = text[span.clone()].find(line.as_str()).map(|at| span.start + at);
            let place = |part: Range<usize>| begin.map_or(span.clone(), |at| at + part.start..at + part.end);
            found.map(place).collect()
        }
        Value::Array(items) => {
            let words: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
            let found = redact::secrets_in_words(&words).iter().any(is_literal);
            if found { vec![span.clone()] } else { Vec::new() }
        }
        _ => Vec::new(),
    }
}
