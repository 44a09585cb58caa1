//! Command lines of a compose file: no shell runs them. `$X` and `${X…}` are variables of the starting process, `$$` is a `$`.

use serde_json::Value;

use crate::tsm::command_line::quoted;
use crate::tsm::import::source::texts;

/// A command line, or its words, for a shell that sees variables only where the file has some.
pub(super) fn line(value: &Value) -> String {
    let words = match value {
        Value::Array(_) => texts(value),
        one => {
            let text = texts(one).pop().unwrap_or_default();
            // What cannot be split is left to a shell.
            let Some(words) = split(&text) else { return text.trim().to_owned() };
            words
        }
    };
    words.iter().map(|word| shown(word)).collect::<Vec<_>>().join(" ")
}

/// What is put around the number of a variable while words are split: no file has it.
const MARK: char = '\u{f8ff}';

/// The words of a text. A variable is a part of one word, whatever its default says.
fn split(text: &str) -> Option<Vec<String>> {
    let mut variables = Vec::new();
    let mut marked = String::new();
    for part in split_variables(text) {
        match part {
            TextPart::Text("$") => marked.push_str("$$"),
            TextPart::Text(text) => marked.push_str(text),
            TextPart::Variable(variable) => {
                marked.push_str(&format!("{MARK}{}{MARK}", variables.len()));
                variables.push(variable);
            }
        }
    }
    let restored = |word: String| {
        let of = |(at, part): (usize, &str)| match part.parse::<usize>() {
            Ok(number) if at % 2 == 1 => variables.get(number).copied().unwrap_or_default().to_owned(),
            _ => part.to_owned(),
        };
        word.split(MARK).enumerate().map(of).collect::<String>()
    };
    Some(shlex::split(&marked)?.into_iter().map(restored).collect())
}

fn has_variable(text: &str) -> bool {
    split_variables(text).iter().any(|piece| matches!(piece, TextPart::Variable(_)))
}

/// The text with each `$$` as a `$`.
pub(super) fn literal(text: &str) -> String {
    let pieces = split_variables(text);
    pieces
        .iter()
        .map(|piece| match piece {
            TextPart::Text(text) | TextPart::Variable(text) => *text,
        })
        .collect()
}

fn shown(word: &str) -> String {
    if !has_variable(word) {
        return quoted(&literal(word));
    }
    let mut shown = String::from('"');
    for piece in split_variables(word) {
        match piece {
            TextPart::Variable(text) => shown.push_str(text),
            TextPart::Text(text) => {
                for c in text.chars() {
                    if matches!(c, '"' | '\\' | '$' | '`') {
                        shown.push('\\');
                    }
                    shown.push(c);
                }
            }
        }
    }
    shown + "\""
}

/// A part of a text.
pub(super) enum TextPart<'a> {
    /// Text as it is meant.
    Text(&'a str),
    /// `$X` or `${X…}`, as written.
    Variable(&'a str),
}

/// The parts of a text, in order.
pub(super) fn split_variables(text: &str) -> Vec<TextPart<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        let (before, behind) = rest.split_at(at);
        pieces.push(TextPart::Text(before));
        let length = match behind[1..].chars().next() {
            Some('$') => {
                pieces.push(TextPart::Text("$"));
                rest = &behind[2..];
                continue;
            }
            Some('{') => closing_brace(behind).map_or(1, |end| end + 1),
            Some(c) if c.is_ascii_alphabetic() || c == '_' => {
                let name = |c: char| c.is_ascii_alphanumeric() || c == '_';
                1 + behind[1..].find(|c| !name(c)).unwrap_or(behind.len() - 1)
            }
            _ => 1,
        };
        let (found, after) = behind.split_at(length);
        pieces.push(if length > 1 { TextPart::Variable(found) } else { TextPart::Text(found) });
        rest = after;
    }
    pieces.push(TextPart::Text(rest));
    pieces
}

/// Where the brace of `${` is closed, behind those that are opened within.
fn closing_brace(text: &str) -> Option<usize> {
    let mut open = 0_usize;
    text.char_indices().find_map(|(at, c)| {
        match c {
            '{' => open += 1,
            '}' => open = open.saturating_sub(1),
            _ => return None,
        }
        (open == 0).then_some(at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_stay_and_the_rest_is_text() {
        for (value, expected) in [
            (r#""node app.js --cost $$5 `id`""#, "node app.js --cost '$5' '`id`'"),
            (r#"["sh", "-c", "echo $$HOME"]"#, "sh -c 'echo $HOME'"),
            (r#"["a", "--port=${PORT:-80}", "x\"$Y"]"#, r#"a "--port=${PORT:-80}" "x\"$Y""#),
            (r#""a '$B' $ 5""#, r#"a "$B" '$' 5"#),
            (r#""it's""#, "it's"),
            (r#""a=${B:?set it} '${C:-it is}' $$5""#, r#""a=${B:?set it}" "${C:-it is}" '$5'"#),
            (r#"["a", "${A:-${B}}"]"#, r#"a "${A:-${B}}""#),
            (r#"["a", "$$${B}$$"]"#, r#"a "\$${B}\$""#),
        ] {
            let value = serde_json::from_str(value).expect("JSON");
            assert_eq!(line(&value), expected);
        }
        assert_eq!((literal("a$$b$c"), has_variable("a$$b"), has_variable("${A}")), ("a$b$c".to_owned(), false, true));
    }
}
