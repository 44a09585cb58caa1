//! `${X}` in a compose file: replaced as compose does it, from the environment and from `.env` beside the file.
//!
//! Command lines keep what the environment has, because the start has it as well; what only `.env` has is replaced there too.
//! Secrets are never replaced: a definition must not hold them.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use serde_json::Value;

use super::words::{self, TextPart};
use crate::base::dotenv::{self, EnvVar};
use crate::config::secret::is_secret_text;
use crate::disk;
use crate::tsm::import::Unsupported;

/// The file beside a compose file.
const FILE: &str = ".env";

/// Expressions in expressions are followed so far.
const MAX_DEPTH: usize = 16;

/// Where values come from.
pub(in crate::tsm::import) struct Variables<'a> {
    environment: &'a BTreeMap<String, String>,
    file: Vec<EnvVar>,
}

/// What a field is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum FieldUse {
    /// A command line, in which variables may stay; a `$` stays escaped.
    Command,
    /// Values of variables; a `$` stays escaped.
    Environment,
    /// Anything else.
    Plain,
}

/// Why an expression stays as it is.
enum Kept {
    /// The variable has no value.
    Unset(String),
    /// Its value is a secret.
    Secret(String),
    /// It has to have a value: what the file says about that.
    Required(String, String),
    /// It is not an expression of compose.
    Invalid,
    /// The start expands it.
    ByStart,
}

impl Kept {
    fn reason(&self, written: &str) -> Option<String> {
        Some(match self {
            Self::Unset(name) => format!("`{name}` is set neither here nor in {FILE}; `{written}` is kept"),
            Self::Secret(name) => {
                format!(
                    "the value of `{name}` is a secret, which is not written to a definition; put it into an env file"
                )
            }
            Self::Required(name, message) if message.is_empty() => {
                format!("`{name}` has to be set; `{written}` is kept")
            }
            Self::Required(name, message) => format!("`{name}` has to be set ({message}); `{written}` is kept"),
            Self::Invalid => format!("`{written}` is not a valid expression and is kept"),
            Self::ByStart => return None,
        })
    }
}

impl<'a> Variables<'a> {
    /// Reads `.env` in `dir`, if there is one.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be read, or is malformed.
    pub(in crate::tsm::import) fn beside(
        dir: &Path,
        environment: &'a BTreeMap<String, String>,
    ) -> Result<Self, String> {
        let text = match disk::read_to_string(dir.join(FILE)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
            text => text.map_err(|error| format!("{FILE} cannot be read: {error}"))?,
        };
        let file = dotenv::parse(&text).map_err(|error| format!("{FILE} beside it is malformed: {error}"))?;
        Ok(Self { environment, file })
    }

    /// A service with what can be replaced in it; adds a line for everything that cannot.
    pub(super) fn expand_service(&self, service: &Value, place: &str, lost: &mut Vec<Unsupported>) -> Value {
        let Value::Object(fields) = service else { return service.clone() };
        let expand = |(key, value): (&String, &Value)| {
            let used = match key.as_str() {
                "command" | "entrypoint" | "healthcheck" => FieldUse::Command,
                "environment" => FieldUse::Environment,
                _ => FieldUse::Plain,
            };
            let mut notes = Vec::new();
            let value = Pass { variables: self, used, lost: &mut notes }.value(value, &format!("{place}.{key}"));
            // A field without a meaning here is named as a whole.
            if super::is_read(key) {
                lost.append(&mut notes);
            }
            (key.clone(), value)
        };
        Value::Object(fields.iter().map(expand).collect())
    }

    /// The same for a single text.
    pub(in crate::tsm::import) fn expand_text(&self, text: &str, place: &str, lost: &mut Vec<Unsupported>) -> String {
        Pass { variables: self, used: FieldUse::Plain, lost }.text(text, place)
    }

    fn in_file(&self, name: &str) -> Option<&str> {
        self.file.iter().find(|it| it.key == name).map(|it| it.value.as_str())
    }
}

/// One way through the fields of a service.
struct Pass<'v, 'l> {
    variables: &'v Variables<'v>,
    used: FieldUse,
    lost: &'l mut Vec<Unsupported>,
}

impl Pass<'_, '_> {
    fn value(&mut self, value: &Value, place: &str) -> Value {
        match value {
            Value::String(text) => Value::String(self.text(text, place)),
            Value::Array(items) => {
                let each = |(at, item): (usize, &Value)| {
                    let key = item.as_str().filter(|_| self.used == FieldUse::Environment);
                    let place = match key.and_then(|text| text.split_once('=')) {
                        Some((key, _)) => format!("{place}.{key}"),
                        None => format!("{place}[{at}]"),
                    };
                    self.value(item, &place)
                };
                Value::Array(items.iter().enumerate().map(each).collect())
            }
            Value::Object(fields) => {
                let each =
                    |(key, value): (&String, &Value)| (key.clone(), self.value(value, &format!("{place}.{key}")));
                Value::Object(fields.iter().map(each).collect())
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        }
    }

    fn text(&mut self, text: &str, place: &str) -> String {
        let mut expanded = String::new();
        for part in words::split_variables(text) {
            match part {
                TextPart::Text(text) if self.used == FieldUse::Plain => expanded.push_str(text),
                TextPart::Text(text) => expanded.push_str(&text.replace('$', "$$")),
                TextPart::Variable(written) => match self.expression(written, MAX_DEPTH) {
                    Ok(value) if self.used == FieldUse::Plain => expanded.push_str(&value),
                    Ok(value) => expanded.push_str(&value.replace('$', "$$")),
                    Err(kept) => {
                        // `X=${X}` says no more than `X`, and is said so elsewhere.
                        let passed =
                            place.rsplit('.').next() == Some(name_of(written).0) && text_is_only(text, written);
                        let reason = kept.reason(written).filter(|_| !passed || !matches!(kept, Kept::Unset(_)));
                        self.lost.extend(reason.map(|why| Unsupported { field: place.to_owned(), why }));
                        expanded.push_str(written);
                    }
                },
            }
        }
        expanded
    }

    /// The value of `$X` or `${X…}`.
    fn expression(&self, written: &str, deeper: usize) -> Result<String, Kept> {
        let (name, rest) = name_of(written);
        if name.is_empty() || deeper == 0 {
            return Err(Kept::Invalid);
        }
        let value = self.lookup(name)?;
        let (strict, operation) = rest.strip_prefix(':').map_or((false, rest), |rest| (true, rest));
        let value = value.filter(|value| !strict || !value.is_empty());
        let mut operators = operation.chars();
        let (operator, word) = (operators.next(), operators.as_str());
        match (operator, value) {
            (None, Some(value)) if !strict => Ok(value),
            (None, None) if !strict => Err(Kept::Unset(name.to_owned())),
            (Some('-' | '?'), Some(value)) => Ok(value),
            (Some('-'), None) | (Some('+'), Some(_)) => self.word(word, deeper - 1),
            (Some('+'), None) => Ok(String::new()),
            (Some('?'), None) => Err(Kept::Required(name.to_owned(), word.to_owned())),
            _ => Err(Kept::Invalid),
        }
    }

    /// A word behind an operator, with expressions of its own.
    fn word(&self, word: &str, deeper: usize) -> Result<String, Kept> {
        words::split_variables(word)
            .into_iter()
            .map(|part| match part {
                TextPart::Text(text) => Ok(text.to_owned()),
                TextPart::Variable(written) => self.expression(written, deeper),
            })
            .collect()
    }

    fn lookup(&self, name: &str) -> Result<Option<String>, Kept> {
        let of_start = self.variables.environment.get(name).map(String::as_str);
        let of_file = self.variables.in_file(name);
        // The start has it, or has a value of its own behind `:-`.
        if self.used == FieldUse::Command && (of_start.is_some() || of_file.is_none()) {
            return Err(Kept::ByStart);
        }
        match of_start.or(of_file) {
            Some(value) if is_secret_text(name, value) && !value.is_empty() => Err(Kept::Secret(name.to_owned())),
            value => Ok(value.map(str::to_owned)),
        }
    }
}

/// The name in `$X` or `${X…}`, and what is behind it.
fn name_of(written: &str) -> (&str, &str) {
    let inner = written.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
    let inner = inner.or(written.strip_prefix('$')).unwrap_or_default();
    let end = inner.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(inner.len());
    inner.split_at(end)
}

/// True for `X=${X}` and `${X}`.
fn text_is_only(text: &str, written: &str) -> bool {
    text.strip_suffix(written).is_some_and(|before| before.is_empty() || before == format!("{}=", name_of(written).0))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn expressions_mean_what_they_mean_to_compose() {
        let dir = tempfile::tempdir().expect("a directory");
        fs::write(dir.path().join(FILE), "A=of-file\nB=file\nEMPTY=\nDB_PASSWORD=hunter2\nDOLLAR='a$b'\n")
            .expect("a file");
        let environment =
            BTreeMap::from([("B", "of-start"), ("C", "start")].map(|(key, value)| (key.into(), value.into())));
        let variables = Variables::beside(dir.path(), &environment).expect("read");
        for (text, expected, kept) in [
            ("$A/${B}-${C}", "of-file/of-start-start", ""),
            ("${NO:-d}${NO-e}${EMPTY:-f}${EMPTY-g}", "def", ""),
            ("${A:+set}${NO:+set}${EMPTY+set}${EMPTY:+no}", "setset", ""),
            ("${NO:-${ALSO:-${A}}}x", "of-filex", ""),
            ("a$$b$DOLLAR", "a$ba$b", ""),
            ("x${NO}", "x${NO}", "`NO` is set neither"),
            ("${NO:?say it}", "${NO:?say it}", "`NO` has to be set (say it)"),
            ("u:${DB_PASSWORD}@h", "u:${DB_PASSWORD}@h", "is a secret"),
            ("${NO!x}", "${NO!x}", "not a valid expression"),
        ] {
            let mut lost = Vec::new();
            assert_eq!(variables.expand_text(text, "here", &mut lost), expected);
            assert_eq!(lost.len(), usize::from(!kept.is_empty()), "{text}: {lost:?}");
            assert!(lost.iter().all(|it| it.why.contains(kept)), "{text}: {lost:?}");
        }
        let service = serde_json::json!({
            "command": ["serve", "--port=${A}", "${B}", "${NO:-80}", "$$x"],
            "environment": { "A": "${A}", "NO": "${NO}", "D": "${DOLLAR}", "X": "$$y" },
        });
        let mut lost = Vec::new();
        let expanded = variables.expand_service(&service, "services.a", &mut lost);
        assert_eq!(
            expanded,
            serde_json::json!({
                "command": ["serve", "--port=of-file", "${B}", "${NO:-80}", "$$x"],
                "environment": { "A": "of-file", "NO": "${NO}", "D": "a$$b", "X": "$$y" },
            })
        );
        assert_eq!(lost, []);
    }
}
