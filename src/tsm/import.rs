//! Services out of the files of other process managers: what can be carried over, and every field that cannot.

mod compose;
mod ecosystem;
mod package;
mod procfile;

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::base::fault::{Advise, Kind};
use crate::base::name::legalise;
use crate::disk;

use super::definition::Definition;

/// What a file holds.
#[derive(Debug, Default)]
pub struct Imported {
    /// The services, in the order of the file.
    pub services: Vec<Definition>,
    /// What was left behind.
    pub lost: Vec<Lost>,
}

/// A field that could not be carried over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lost {
    /// Where it stands: `apps[0].exec_mode`.
    pub field: String,
    /// Why, and what to do about it.
    pub why: String,
}

/// Why a file cannot be imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// It cannot be read.
    #[error("failed to read `{}`", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Its text is not of its kind.
    #[error("`{}` is no {kind}: {why}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What it should be.
        kind: &'static str,
        /// What is wrong.
        why: String,
    },
    /// Nobody knows what it is.
    #[error("`{}` is of no kind that can be imported", path.display())]
    UnknownKind {
        /// The file.
        path: PathBuf,
    },
}

impl Advise for ImportError {
    fn kind(&self) -> Kind {
        match self {
            Self::Unreadable { source, .. } if source.kind() == std::io::ErrorKind::NotFound => Kind::NotFound,
            Self::Unreadable { .. } | Self::Malformed { .. } => Kind::Failed,
            Self::UnknownKind { .. } => Kind::Usage,
        }
    }

    fn advice(&self) -> Option<String> {
        match self {
            Self::UnknownKind { path } if is_program(path) => {
                let (file, json) = (path.display(), path.with_extension("json"));
                Some(format!(
                    "it is a program, and nothing is executed here; where you trust it: node -p \
                     'JSON.stringify(require(\"{file}\"))' > {json}",
                    json = json.display()
                ))
            }
            Self::UnknownKind { .. } => {
                Some("ecosystem.config.json, package.json, Procfile or compose.yaml can be imported".to_owned())
            }
            Self::Unreadable { .. } | Self::Malformed { .. } => None,
        }
    }
}

fn is_program(path: &Path) -> bool {
    path.extension().is_some_and(|it| ["js", "cjs", "mjs", "ts"].iter().any(|program| it == *program))
}

/// Reads a file of another process manager; its kind is seen by its name. Nothing in it is executed.
///
/// # Errors
///
/// Fails if it cannot be read, or is not what its name says.
pub fn read(path: &Path) -> Result<Imported, ImportError> {
    read_kind(path).map(|mut imported| {
        imported.tell_apart();
        imported
    })
}

fn read_kind(path: &Path) -> Result<Imported, ImportError> {
    let unreadable = |source| ImportError::Unreadable { path: path.to_owned(), source };
    let text = disk::read_to_string(path).map_err(unreadable)?;
    let path = &path.components().collect::<PathBuf>();
    let folder = path.parent().unwrap_or(Path::new("/"));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let malformed = |kind, why: String| ImportError::Malformed { path: path.clone(), kind, why };
    let json = || serde_json::from_str::<Value>(&text).map_err(|error| malformed("JSON", error.to_string()));
    if name == "Procfile" || name.starts_with("Procfile.") {
        return procfile::read(&text, folder).map_err(|why| malformed("Procfile", why));
    }
    match (&*name, path.extension().and_then(|it| it.to_str())) {
        ("package.json", _) => package::read(&json()?, folder).map_err(|why| malformed("package.json", why)),
        (_, Some("json")) => ecosystem::read(&json()?, folder).map_err(|why| malformed("ecosystem file", why)),
        (_, Some("yaml" | "yml")) => {
            let value: Value = serde_saphyr::from_str(&text).map_err(|error| malformed("YAML", error.to_string()))?;
            // Of both kinds there are YAML files.
            if value.get("apps").is_some() {
                return ecosystem::read(&value, folder).map_err(|why| malformed("ecosystem file", why));
            }
            compose::read(&value, folder).map_err(|why| malformed("compose file", why))
        }
        _ => Err(ImportError::UnknownKind { path: path.clone() }),
    }
}

impl Imported {
    /// Gives every service a name of its own.
    fn tell_apart(&mut self) {
        let mut names: Vec<String> = Vec::new();
        for it in &mut self.services {
            if names.contains(&it.name) {
                let free = (2..).map(|number| format!("{}-{number}", it.name)).find(|name| !names.contains(name));
                let fresh = free.expect("numbers do not end");
                let why = format!("a service of that name stands before it; it is called {fresh}");
                self.lost.push(Lost { field: std::mem::replace(&mut it.name, fresh), why });
            }
            names.push(it.name.clone());
        }
    }
}

/// The fields of one thing in a file, taken one by one; what nobody takes is lost.
struct Source<'a, 'l> {
    fields: Vec<(&'a str, &'a Value)>,
    place: String,
    lost: &'l mut Vec<Lost>,
}

impl<'a, 'l> Source<'a, 'l> {
    fn new(value: &'a Value, place: String, lost: &'l mut Vec<Lost>) -> Result<Self, String> {
        let map = value.as_object().ok_or_else(|| format!("`{place}` is no table of fields"))?;
        Ok(Self { fields: map.iter().map(|(key, value)| (key.as_str(), value)).collect(), place, lost })
    }

    /// Takes a field; null is as good as none.
    fn take(&mut self, key: &str) -> Option<&'a Value> {
        let at = self.fields.iter().position(|(name, _)| *name == key)?;
        Some(self.fields.remove(at).1).filter(|value| !value.is_null())
    }

    fn text(&mut self, key: &str) -> Option<String> {
        self.take(key).and_then(scalar)
    }

    /// Takes a value of a type of its own; one that is none is lost.
    fn parsed<T: std::str::FromStr>(&mut self, key: &str) -> Option<T> {
        let text = self.text(key)?;
        let parsed = text.parse().ok();
        if parsed.is_none() {
            self.lose(key, &format!("`{text}` is not understood"));
        }
        parsed
    }

    fn lose(&mut self, key: &str, why: &str) {
        let field = if key.is_empty() { self.place.clone() } else { format!("{}.{key}", self.place) };
        self.lost.push(Lost { field: field.trim_start_matches('.').to_owned(), why: why.to_owned() });
    }

    /// Everything that nobody took.
    fn end(mut self, why: impl Fn(&str) -> String) {
        for (key, value) in std::mem::take(&mut self.fields) {
            if !value.is_null() {
                let why = why(key);
                self.lose(key, &why);
            }
        }
    }
}

/// A text, number or boolean as a text.
fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(yes) => Some(yes.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// One text or a list of them.
fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().filter_map(scalar).collect(),
        one => scalar(one).into_iter().collect(),
    }
}

/// Takes variables, from a table or a list of `K=V`. One without a value is that of whoever starts the service.
fn variables(source: &mut Source, key: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut lost = Vec::new();
    match source.take(key) {
        Some(Value::Object(map)) => {
            for (name, value) in map {
                match scalar(value) {
                    Some(value) => found.push((name.clone(), value)),
                    None if value.is_null() => lost.push((name.clone(), PASSED)),
                    None => lost.push((name.clone(), "a variable is a text")),
                }
            }
        }
        Some(list) => {
            for line in texts(list) {
                match super::words::assignment(&line) {
                    Some(pair) => found.push(pair),
                    None => lost.push((line, PASSED)),
                }
            }
        }
        None => {}
    }
    found.retain(|(name, _): &(String, String)| {
        let legal = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && name.bytes().next().is_some_and(|byte| !byte.is_ascii_digit());
        if !legal {
            lost.push((name.clone(), "no shell knows variables of such a name; `env` before the command can set it"));
        }
        legal
    });
    lost.iter().for_each(|(name, why)| source.lose(&format!("{key}.{name}"), why));
    found
}

const PASSED: &str = "it has no value of its own: whoever starts the service gives it";

/// A definition with a legal name, to run in `cwd`.
fn definition(name: &str, cwd: PathBuf) -> Definition {
    Definition { name: legalise(name, "service"), cwd, ..Definition::default() }
}

/// Makes a plain `PORT` among the variables the port of the service.
fn take_port(definition: &mut Definition) {
    let port = definition.exports.iter().find(|(key, _)| key == "PORT").and_then(|(_, value)| value.parse().ok());
    if let Some(port) = port {
        definition.port = definition.port.or(Some(port));
        definition.exports.retain(|(key, _)| key != "PORT");
    }
}

#[cfg(test)]
mod tests;
