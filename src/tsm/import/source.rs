//! The fields of a file, taken one by one, and what several kinds of files have in common.

use std::path::PathBuf;

use serde_json::Value;

use crate::base::environment::EnvFileName;
use crate::base::invalid_value;
use crate::base::name::sanitize;
use crate::tsm::command_line::{CommandLine, assignment, join, quoted};
use crate::tsm::definition::Definition;
use crate::tsm::detect::detect;
use crate::tsm::port::{self, PortSpec};

use super::Unsupported;

/// The fields of one thing in a file, taken one by one; the rest is reported as lost.
pub(super) struct FieldReader<'a, 'l> {
    fields: Vec<(&'a str, &'a Value)>,
    pub(super) place: String,
    pub(super) unsupported: &'l mut Vec<Unsupported>,
}

impl<'a, 'l> FieldReader<'a, 'l> {
    pub(super) fn new(value: &'a Value, place: String, lost: &'l mut Vec<Unsupported>) -> Result<Self, String> {
        let map = value.as_object().ok_or_else(|| match place.as_str() {
            "" => "it must be a mapping".to_owned(),
            place => format!("`{place}` must be a mapping"),
        })?;
        Ok(Self { fields: map.iter().map(|(key, value)| (key.as_str(), value)).collect(), place, unsupported: lost })
    }

    /// Takes a field; null is as good as none.
    pub(super) fn take(&mut self, key: &str) -> Option<&'a Value> {
        let at = self.fields.iter().position(|(name, _)| *name == key)?;
        Some(self.fields.remove(at).1).filter(|value| !value.is_null())
    }

    pub(super) fn text(&mut self, key: &str) -> Option<String> {
        let text = scalar(self.take(key)?);
        if text.is_none() {
            self.mark_unsupported(key, "must be a string or a number");
        }
        text
    }

    /// Takes a value of a type of its own; one that is none is lost.
    pub(super) fn parsed<T>(&mut self, key: &str) -> Option<T>
    where
        T: std::str::FromStr,
        T::Err: std::error::Error + 'static,
    {
        let text = self.text(key)?;
        self.parse_text(key, &whole(&text).unwrap_or(text))
    }

    /// The same for a size in a file whose reader takes a bare number for bytes.
    pub(super) fn size<T>(&mut self, key: &str) -> Option<T>
    where
        T: std::str::FromStr,
        T::Err: std::error::Error + 'static,
    {
        let text = self.text(key)?;
        self.parse_text(key, &in_bytes(&text))
    }

    fn parse_text<T>(&mut self, key: &str, text: &str) -> Option<T>
    where
        T: std::str::FromStr,
        T::Err: std::error::Error + 'static,
    {
        invalid_value::parse(text).map_err(|why| self.mark_unsupported(key, &why)).ok()
    }

    /// A field that stays to be taken.
    pub(super) fn peek(&self, key: &str) -> Option<&'a Value> {
        self.fields.iter().find(|(name, _)| *name == key).map(|(_, value)| *value).filter(|value| !value.is_null())
    }

    pub(super) fn mark_unsupported(&mut self, key: &str, why: &str) {
        let field = if key.is_empty() { self.place.clone() } else { format!("{}.{key}", self.place) };
        self.unsupported.push(Unsupported { field: field.trim_start_matches('.').to_owned(), why: why.to_owned() });
    }

    /// Every field that was not taken.
    pub(super) fn finish(mut self, why: impl Fn(&str) -> String) {
        for (key, value) in std::mem::take(&mut self.fields) {
            if !value.is_null() {
                let why = why(key);
                self.mark_unsupported(key, &why);
            }
        }
    }
}

/// A text, number or boolean as a text.
pub(super) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(yes) => Some(yes.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// `3.0` and `1e3` as whole numbers.
fn whole(text: &str) -> Option<String> {
    /// From here on a number has digits that it was not written with.
    const MAX_EXACT: f64 = 9e15;
    let number = text.parse::<f64>().ok().filter(|_| text.contains(['.', 'e', 'E']))?;
    (number.fract() == 0.0 && number.abs() < MAX_EXACT).then(|| format!("{number:.0}"))
}

/// A size of a file whose reader takes a bare number for bytes.
pub(super) fn in_bytes(size: &str) -> String {
    let is_bare = !size.is_empty() && size.bytes().all(|byte| byte.is_ascii_digit());
    format!("{size}{}", if is_bare { "B" } else { "" })
}

/// What switches something on.
pub(super) fn is_true(value: &str) -> bool {
    ["true", "yes", "on", "1"].iter().any(|word| value.eq_ignore_ascii_case(word))
}

/// What switches something off.
pub(super) fn is_false(value: &str) -> bool {
    ["false", "no", "off", "0"].iter().any(|word| value.eq_ignore_ascii_case(word))
}

/// One text or a list of them.
pub(super) fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().filter_map(scalar).collect(),
        one => scalar(one).into_iter().collect(),
    }
}

/// Takes variables, from a table or a list of `K=V`. One without a value is that of the starting process.
pub(super) fn variables(source: &mut FieldReader, key: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut lost = Vec::new();
    match source.take(key) {
        Some(Value::Object(map)) => {
            for (name, value) in map {
                match scalar(value) {
                    Some(value) => found.push((name.clone(), value)),
                    None if value.is_null() => lost.push((name.clone(), NO_VALUE_REASON)),
                    // Handed over as JSON.
                    None => found.push((name.clone(), value.to_string())),
                }
            }
        }
        Some(list) => {
            for line in texts(list) {
                match assignment(&line) {
                    Some(pair) => found.push(pair),
                    None => lost.push((line, NO_VALUE_REASON)),
                }
            }
        }
        None => {}
    }
    found.retain(|(name, value)| {
        // `X=${X}` says no more than `X`.
        let passed = value == &format!("${{{name}}}") || value == &format!("${name}");
        if passed {
            lost.push((name.clone(), NO_VALUE_REASON));
        }
        !passed
    });
    found.retain(|(name, _): &(String, String)| {
        let legal = is_variable(name);
        if !legal {
            lost.push((name.clone(), INVALID_VARIABLE_REASON));
        }
        legal
    });
    lost.iter().for_each(|(name, why)| source.mark_unsupported(&format!("{key}.{name}"), why));
    found
}

/// True for what a shell takes as the name of a variable.
pub(super) fn is_variable(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && name.bytes().next().is_some_and(|byte| !byte.is_ascii_digit())
}

/// What is to be done about another name.
pub(super) const INVALID_VARIABLE_REASON: &str =
    "not a valid variable name for a shell; set it with `env` before the command";

const NO_VALUE_REASON: &str = "it has no value; it is taken from the environment of the start";

/// A definition with a legal name, to run in `cwd`.
pub(super) fn definition(name: &str, cwd: PathBuf) -> Definition {
    Definition { name: sanitize(name, "service"), cwd, ..Definition::default() }
}

/// Where what an importer assumes about the port meets what the service itself says: its command, then its variables.
///
/// `listens` is what the file says about where it listens, if it does. A `PORT` among the variables is only a guess, for a worker may
/// have it as well as the web server, and stays where it is; but several instances need one each.
pub(super) fn set_port(it: &mut Definition, listens: Option<PortSpec>) {
    let own = CommandLine::of_text(&it.command).ok();
    let own = own.and_then(|line| {
        let assigned = line.set.iter().find(|(key, _)| key == "PORT").and_then(|(_, value)| port::number(value));
        assigned.or_else(|| port::guess(&line.words, &detect(&line.words)).map(|(port, _)| port))
    });
    let variable = it.exports.iter().find(|(key, _)| key == "PORT").and_then(|(_, value)| port::number(value));
    it.port = match (own, listens) {
        (Some(own), Some(PortSpec::Exact(port))) if own == port => listens,
        (Some(_), _) => None,
        (None, Some(listens)) => Some(listens),
        (None, None) => variable.filter(|_| it.instances.is_some_and(|count| count > 1)).map(PortSpec::Exact),
    };
    // It is exported with the port itself.
    if it.port.is_some() && variable.map(PortSpec::Exact) == it.port {
        it.exports.retain(|(key, _)| key != "PORT");
    }
}

/// Adds an env file behind those that are there already.
pub(super) fn add_env_file(it: &mut Definition, path: &str, optional: bool) {
    it.options.env_file.get_or_insert_default().push(EnvFileName { path, optional }.to_string());
}

/// Words of a text, quoted so that no shell will see more than text in them. A text whose quotes are not closed is one word.
pub(super) fn split_and_quoted(text: &str) -> String {
    shlex::split(text).map_or_else(|| quoted(text.trim()), |words| join(&words))
}

/// The same for one text or a list of words.
pub(super) fn arguments(value: &Value) -> String {
    match value {
        Value::Array(_) => join(&texts(value)),
        one => split_and_quoted(&scalar(one).unwrap_or_default()),
    }
}
