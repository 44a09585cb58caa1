//! Services out of the files of other process managers: what can be carried over, and every field that cannot.

mod compose;
mod ecosystem;
mod ini;
mod package;
mod process_compose;
mod procfile;
mod run_script;
mod source;
mod supervisord;
mod systemd;
mod termination;
mod yaml;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::base::fault::{FaultKind, Location, UserFacingError};
use crate::base::home;
use crate::base::name::{is_name, sanitize};
use crate::base::redact;
use crate::base::suggest::closest_match;
use crate::disk;

use super::command_line::quoted;
use super::definition::Definition;
use super::definition::keys::MAX_INSTANCES;
use super::options::OPTIONS;
use source::{INVALID_VARIABLE_REASON, is_variable};

/// What a file holds.
#[derive(Debug, Default)]
pub struct Imported {
    /// The services, in the order of the file.
    pub services: Vec<Definition>,
    /// The place of each of them in the file.
    places: Vec<String>,
    /// What was left behind.
    pub unsupported: Vec<Unsupported>,
    /// What should have become a service and cannot.
    pub rejected: Vec<Unsupported>,
}

/// A field that could not be carried over, or a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsupported {
    /// Its place: `apps[0].exec_mode`.
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
    #[error("`{}` is not a valid {kind}: {why}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What it should be.
        kind: &'static str,
        /// What is wrong.
        why: String,
    },
    /// It is a program, and what it says cannot be seen without running it.
    #[error("`{}` is a program, and what it exports cannot be seen without running it: {what}", path.display())]
    Program {
        /// The file.
        path: PathBuf,
        /// What cannot be seen.
        what: String,
        /// Where that is.
        at: Location,
    },
    /// No service of it is called so.
    #[error("`{}` has no service `{name}`", path.display())]
    NoSuch {
        /// The file.
        path: PathBuf,
        /// What was asked for.
        name: String,
        /// One that may have been meant.
        suggestion: Option<String>,
    },
    /// No name can begin so.
    #[error("invalid prefix `{given}`: expected letters, digits, `.`, `_` and `-`, starting with a letter or digit")]
    Prefix {
        /// As given.
        given: String,
    },
    /// Its format is not known.
    #[error("`{}` is not a file that can be imported", path.display())]
    UnknownKind {
        /// The file.
        path: PathBuf,
    },
}

impl UserFacingError for ImportError {
    fn kind(&self) -> FaultKind {
        match self {
            Self::Unreadable { source, .. } if source.kind() == std::io::ErrorKind::NotFound => FaultKind::NotFound,
            Self::NoSuch { .. } => FaultKind::NotFound,
            Self::Unreadable { .. } | Self::Malformed { .. } => FaultKind::Failed,
            Self::UnknownKind { .. } | Self::Program { .. } | Self::Prefix { .. } => FaultKind::Usage,
        }
    }

    fn advice(&self) -> Option<String> {
        match self {
            Self::Program { path, .. } => Some(run_advice(path)),
            Self::UnknownKind { .. } => Some(format!("supported: {SUPPORTED_FILES}")),
            Self::NoSuch { suggestion: near, .. } => near.as_ref().map(|near| format!("did you mean `{near}`?")),
            Self::Unreadable { .. } | Self::Malformed { .. } | Self::Prefix { .. } => None,
        }
    }

    fn location(&self) -> Option<Location> {
        match self {
            Self::Program { at, .. } => Some(at.clone()),
            _ => None,
        }
    }
}

/// What can be read.
const SUPPORTED_FILES: &str = "an ecosystem file, package.json, a Procfile, compose.yaml, process-compose.yaml, supervisord.conf, a unit \
                     NAME.service, and a `run` script of s6 or runit or a directory of them";

/// How to have a program print its value, for those who trust it enough to run it.
fn run_advice(path: &Path) -> String {
    let (file, json) = (path.display().to_string(), path.with_extension("json").display().to_string());
    let module = serde_json::to_string(&file).unwrap_or_default();
    let code = format!("import({module}).then(it => console.log(JSON.stringify(it.default ?? it)))");
    let (code, json) = (quoted(&code), quoted(&json));
    let note = if is_typescript(path) { " (node 22.18 or later; before that `npx tsx -e`)" } else { "" };
    format!("it is not executed; if you trust it: node -e {code} > {json} && tsm import {json}{note}")
}

/// What is written in JavaScript alone is read as such.
fn is_typescript(path: &Path) -> bool {
    path.extension().is_some_and(|it| ["ts", "cts", "mts"].iter().any(|program| it == *program))
}

fn is_program(path: &Path) -> bool {
    path.extension().is_some_and(|it| ["js", "cjs", "mjs"].iter().any(|program| it == *program)) || is_typescript(path)
}

/// Where a file is, and the variables of the importing user.
#[derive(Clone, Copy)]
struct ImportContext<'a> {
    dir: &'a Path,
    variables: &'a BTreeMap<String, String>,
}

impl ImportContext<'_> {
    fn home(&self) -> Option<&str> {
        self.variables.get("HOME").map(String::as_str)
    }

    /// A path as the file names it.
    fn path(&self, given: &str) -> PathBuf {
        self.dir.join(home::expand(given, self.home()))
    }
}

/// Reads a file of another process manager; its kind is seen by its name and what it holds. Nothing in it is executed.
/// `variables` are those of the importing user.
///
/// # Errors
///
/// Fails if it cannot be read, or is not what its name says.
pub fn read(path: &Path, variables: &BTreeMap<String, String>) -> Result<Imported, ImportError> {
    let unreadable = |source| ImportError::Unreadable { path: path.to_owned(), source };
    // A link to a release is kept: the service runs wherever it leads by then.
    let path: PathBuf = path.components().collect();
    let dir = path.parent().unwrap_or(Path::new("/"));
    let file = if path.is_dir() {
        run_script::read_all(&path).map_err(unreadable)?
    } else {
        let text = disk::read_to_string(&path).map_err(unreadable)?;
        of_text(&path, &text, ImportContext { dir, variables })?
    };
    Ok(file.disambiguate().bound())
}

fn of_text(path: &Path, text: &str, site: ImportContext) -> Result<Imported, ImportError> {
    let text = text.trim_start_matches('\u{feff}');
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let malformed = |kind| move |why| ImportError::Malformed { path: path.to_owned(), kind, why };
    let json = |text: &str| json5::from_str::<Value>(text).map_err(|error| malformed("JSON file")(error.to_string()));
    if name == "Procfile" || name.starts_with("Procfile.") {
        return procfile::read(text, site).map_err(malformed("Procfile"));
    }
    match (&*name, path.extension().and_then(|it| it.to_str())) {
        ("package.json", _) => package::read(&json(text)?, site).map_err(malformed("package.json")),
        ("run", _) => Ok(run_script::read(site.dir)),
        (_, Some("json" | "json5")) => ecosystem::read(&json(text)?, site).map_err(malformed("ecosystem file")),
        (_, Some("service")) => systemd::read(path, text, site).map_err(malformed("unit")),
        (_, Some("conf" | "ini")) => supervisord::read(text, site).map_err(malformed("supervisord.conf")),
        (_, Some("yaml" | "yml")) => of_yaml(path, text, site),
        (_, Some(_)) if is_program(path) => match ecosystem::read_program(text, site) {
            Ok(read) => read.map_err(malformed("ecosystem file")),
            Err(unread) => Err(not_visible(path, text, unread)),
        },
        _ => Err(ImportError::UnknownKind { path: path.to_owned() }),
    }
}

fn not_visible(path: &Path, text: &str, unread: ecosystem::Unread) -> ImportError {
    let before = text.get(..unread.at).unwrap_or_default();
    let begin = before.rfind('\n').map_or(0, |at| at + 1);
    let line = text[begin..].lines().next().unwrap_or_default();
    let at = Location {
        file: path.display().to_string(),
        line: before.matches('\n').count() + 1,
        column: before[begin..].chars().count() + 1,
        width: 1,
        text: redact::text(line),
    };
    ImportError::Program { path: path.to_owned(), what: unread.what, at }
}

fn of_yaml(path: &Path, text: &str, site: ImportContext) -> Result<Imported, ImportError> {
    let malformed = |kind| move |why| ImportError::Malformed { path: path.to_owned(), kind, why };
    let value = yaml::read(text).map_err(malformed("YAML file"))?;
    if value.is_null() {
        return Err(malformed("YAML file")("it is empty".to_owned()));
    }
    if value.get("apps").is_some() || value.is_array() {
        return ecosystem::read(&value, site).map_err(malformed("ecosystem file"));
    }
    if value.get("processes").is_some() {
        return process_compose::read(&value, site).map_err(malformed("process-compose file"));
    }
    compose::read(&value, site).map_err(malformed("compose file"))
}

impl Imported {
    /// Adds the service at `place`.
    fn add(&mut self, place: &str, definition: Definition) {
        self.services.push(definition);
        self.places.push(place.to_owned());
    }

    /// Gives the reason why what is at `place` is not a service.
    fn reject(&mut self, place: &str, why: String) {
        self.rejected.push(Unsupported { field: place.to_owned(), why });
    }

    /// Leaves out what is beyond the limits of a definition.
    fn bound(mut self) -> Self {
        let names: Vec<String> = self.services.iter().map(|it| it.name.clone()).collect();
        for it in &mut self.services {
            let (known, missing) = it.options.deps.take().into_iter().flatten().partition(|need| names.contains(need));
            it.options.deps = Some(known).filter(|known: &Vec<String>| !known.is_empty());
            for need in missing as Vec<String> {
                let why = format!("`{need}` was not imported; save it and add it to TSM_DEPS");
                self.unsupported.push(Unsupported { field: format!("{}: {need}", it.name), why });
            }
            let (legal, other) = std::mem::take(&mut it.exports).into_iter().partition(|(name, _)| is_variable(name));
            it.exports = legal;
            for (name, _) in other as Vec<(String, String)> {
                let why = INVALID_VARIABLE_REASON.to_owned();
                self.unsupported.push(Unsupported { field: format!("{}: {name}", it.name), why });
            }
        }
        for it in self.services.iter_mut().filter(|it| it.instances.is_some_and(|count| count > MAX_INSTANCES)) {
            let count = it.instances.take().unwrap_or_default();
            let why = format!("{count} instances are more than the limit of {MAX_INSTANCES}; set TSM_INSTANCES");
            self.unsupported.push(Unsupported { field: format!("{}.instances", it.name), why });
        }
        for it in &mut self.services {
            for option in OPTIONS {
                if let Some(expected) = option.drop_beyond(&mut it.options) {
                    let why = format!("expected {expected}; set {}", option.tsm);
                    self.unsupported.push(Unsupported { field: format!("{}.{}", it.name, option.name), why });
                }
            }
        }
        self
    }

    /// Gives every service a name of its own.
    fn disambiguate(mut self) -> Self {
        let mut names: Vec<String> = Vec::new();
        for it in &mut self.services {
            if names.contains(&it.name) {
                let free = (2..).map(|number| format!("{}-{number}", it.name)).find(|name| !names.contains(name));
                let fresh = free.expect("numbers do not end");
                let why = format!("the name is already used; renamed to {fresh}");
                self.unsupported.push(Unsupported { field: std::mem::replace(&mut it.name, fresh), why });
            }
            names.push(it.name.clone());
        }
        self
    }

    /// Keeps the services of these names only, and what is to be said of them; all if none is named.
    ///
    /// # Errors
    ///
    /// Fails if a name is that of none.
    pub fn only(mut self, wanted: &[String], path: &Path) -> Result<Self, ImportError> {
        if wanted.is_empty() {
            return Ok(self);
        }
        let wanted: Vec<String> = wanted.iter().map(|name| sanitize(name, "service")).collect();
        for name in &wanted {
            if !self.services.iter().any(|it| it.name == *name) {
                let near = closest_match(name, self.services.iter().map(|it| it.name.as_str())).map(str::to_owned);
                return Err(ImportError::NoSuch { path: path.to_owned(), name: name.clone(), suggestion: near });
            }
        }
        let (services, places) = (std::mem::take(&mut self.services), std::mem::take(&mut self.places));
        let mut dropped = Vec::new();
        for (it, place) in services.into_iter().zip(places) {
            if wanted.contains(&it.name) {
                self.services.push(it);
                self.places.push(place);
            } else {
                dropped.push(place);
            }
        }
        let is_of = |lost: &Unsupported, place: &String| {
            lost.field.strip_prefix(place.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        };
        self.unsupported.retain(|lost| !dropped.iter().any(|place| is_of(lost, place)));
        self.rejected.clear();
        for it in &mut self.services {
            for need in it.deps().iter().filter(|need| !wanted.contains(need)) {
                let why = format!("`{need}` is not imported; save it as well");
                self.unsupported.push(Unsupported { field: format!("{}: {need}", it.name), why });
            }
        }
        Ok(self)
    }

    /// Puts the same before the names of all services.
    ///
    /// # Errors
    ///
    /// Fails if a name cannot begin so.
    pub fn prefixed(mut self, prefix: &str) -> Result<Self, ImportError> {
        let parted = prefix.ends_with(['-', '_', '.']);
        let named = |name: &str| if parted { format!("{prefix}{name}") } else { format!("{prefix}-{name}") };
        let own: Vec<String> = self.services.iter().map(|it| it.name.clone()).collect();
        for it in &mut self.services {
            it.name = named(&it.name);
            it.options.deps.iter_mut().flatten().filter(|need| own.contains(need)).for_each(|need| *need = named(need));
            if !is_name(&it.name) {
                return Err(ImportError::Prefix { given: prefix.to_owned() });
            }
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests;
