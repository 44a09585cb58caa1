//! A project: `tetra.toml` or templates in a directory, and the env files that are made of them.

use std::collections::{BTreeSet, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use crate::base::diagnostic::{Diagnostic, SourceText};
use crate::base::dotenv;
use crate::base::environment::{EnvName, Tier};
use crate::base::fault::{FaultKind, UserFacingError};
use crate::base::suggest::closest_match;

use super::env_file::{self, EnvFileError};
use super::scope::{EnvScope, RawValue, ScopeInputs, ValueKind, VariableDefinition};
use super::secrets::sha256;
use crate::config::document::{Document, DocumentError};
use crate::config::mask;
use crate::config::path::KeyPath;
use crate::config::read::{self, ReadFileError};

/// The file that describes a project.
pub const FILE: &str = "tetra.toml";

/// The table of environments.
static ENVIRONMENTS: LazyLock<KeyPath> = LazyLock::new(|| KeyPath::of(&["environments"]));

/// The directory of env files and templates.
pub const DIR_NAME: &str = "env";

/// A directory with what describes its environments.
#[derive(Debug, Clone)]
pub struct Project {
    /// The directory.
    pub dir: PathBuf,
    /// `tetra.toml`, if there is one.
    pub document: Option<Document>,
}

/// Why a project gives no environment.
#[derive(Debug, thiserror::Error)]
pub enum ProjectError {
    /// The TOML cannot be used.
    #[error(transparent)]
    Document(#[from] DocumentError),
    /// A file cannot be read.
    #[error(transparent)]
    Read(#[from] ReadFileError),
    /// A template or env file is invalid.
    #[error(transparent)]
    Malformed(#[from] EnvFileError),
    /// Nothing describes this environment.
    #[error("environment `{env}` is not defined here")]
    UnknownEnvironment {
        /// The environment.
        env: EnvName,
        /// Those that are described.
        known: Vec<String>,
    },
    /// There is no env file of this environment.
    #[error("env/{env}.env does not exist")]
    NoFile {
        /// The environment.
        env: EnvName,
    },
}

impl UserFacingError for ProjectError {
    fn kind(&self) -> FaultKind {
        match self {
            Self::Document(error) => error.kind(),
            Self::Read(error) => error.kind(),
            Self::Malformed(error) => error.kind(),
            Self::UnknownEnvironment { .. } | Self::NoFile { .. } => FaultKind::NotFound,
        }
    }

    fn advice(&self) -> Option<String> {
        match self {
            Self::Document(error) => error.advice(),
            Self::Read(error) => error.advice(),
            Self::Malformed(error) => error.advice(),
            Self::UnknownEnvironment { env, known } if known.is_empty() => {
                Some(format!("add [environments.{env}] to {FILE}, or a template {DIR_NAME}/{env}.env.tmpl"))
            }
            Self::UnknownEnvironment { env, known } => {
                Some(match closest_match(env.as_str(), known.iter().map(String::as_str)) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("defined environments: {}", known.join(", ")),
                })
            }
            Self::NoFile { env } => Some(format!("`tetra env init {env}` creates it")),
        }
    }

    fn diagnostics(&self) -> Vec<Diagnostic> {
        match self {
            Self::Document(error) => error.diagnostics(),
            Self::Malformed(error) => error.diagnostics(),
            _ => Vec::new(),
        }
    }
}

/// Where the variables of an environment come from.
#[derive(Debug, Clone)]
pub struct EnvPlan {
    /// What names mean.
    pub scope: EnvScope,
    /// The file that it comes from, as messages call it.
    pub from: String,
    /// The digest of that file.
    pub digest: String,
    /// In the order in which they are written.
    pub lines: Vec<PlannedLine>,
    /// What was left out and why.
    pub warnings: Vec<Diagnostic>,
}

/// A line to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlannedLine {
    /// As it is: comments and empty lines.
    Verbatim(String),
    /// A variable and its definition.
    Variable(String, usize),
}

impl Project {
    /// What is in a directory. A directory without `tetra.toml` is a project too: it may have templates.
    ///
    /// # Errors
    ///
    /// Fails if `tetra.toml` is there and cannot be used.
    pub fn open(dir: &Path) -> Result<Self, DocumentError> {
        Ok(Self { dir: dir.to_owned(), document: Document::read_if_exists(&dir.join(FILE), FILE)? })
    }

    /// The env file of an environment.
    #[must_use]
    pub fn file(&self, env: &EnvName) -> PathBuf {
        self.dir.join(DIR_NAME).join(format!("{env}.env"))
    }

    /// The template of an environment.
    #[must_use]
    pub fn template(&self, env: &EnvName) -> PathBuf {
        self.dir.join(DIR_NAME).join(format!("{env}.env.tmpl"))
    }

    /// Every environment that has a table, a template or a file; the built-in ones first.
    #[must_use]
    pub fn environments(&self) -> Vec<EnvName> {
        let mut found: BTreeSet<(Option<Tier>, EnvName)> = BTreeSet::new();
        let mut add = |name: &str| {
            if let Ok(env) = name.parse::<EnvName>() {
                found.insert((env.tier(), env));
            }
        };
        self.tables().for_each(&mut add);
        for entry in fs::read_dir(self.dir.join(DIR_NAME)).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            if let Some(env) = name.strip_suffix(".env.tmpl").or_else(|| name.strip_suffix(".env"))
                && !FORMATS.iter().any(|format| env.ends_with(format))
            {
                add(env);
            }
        }
        let (own, built_in): (Vec<_>, Vec<_>) = found.into_iter().partition(|(rung, _)| rung.is_none());
        built_in.into_iter().chain(own).map(|(_, env)| env).collect()
    }

    /// The name of the table of an environment, which may be written with another word: `production`.
    #[must_use]
    pub fn table(&self, env: &EnvName) -> Option<&str> {
        self.tables().find(|name| name.parse().as_ref() == Ok(env))
    }

    /// The names of the tables in `[environments]`.
    pub fn tables(&self) -> impl Iterator<Item = &str> {
        self.document.iter().flat_map(|document| document.tables_below(&ENVIRONMENTS)).map(|(path, _)| path.last())
    }

    /// Where the variables of an environment come from: its table, else its template.
    ///
    /// # Errors
    ///
    /// Fails if there is neither, or the template is invalid.
    pub fn plan(&self, env: &EnvName, around: ScopeInputs) -> Result<EnvPlan, ProjectError> {
        if let (Some(document), Some(table)) = (&self.document, self.table(env)) {
            return Ok(overridden(from_document(document, env, table, around)));
        }
        let path = self.template(env);
        let Some(text) = read::text_if_exists(&path)? else {
            let known = self.environments().iter().map(ToString::to_string).collect();
            return Err(ProjectError::UnknownEnvironment { env: env.clone(), known });
        };
        let name = format!("{DIR_NAME}/{env}.env.tmpl");
        from_template(self.document.as_ref(), env, &name, &text, around).map(overridden)
    }
}

/// A variable that is given on the command line is written as it is given.
fn overridden(mut plan: EnvPlan) -> EnvPlan {
    for line in &plan.lines {
        if let PlannedLine::Variable(key, id) = line
            && let Some(value) = plan.scope.inputs.given.get(key)
        {
            plan.scope.definitions[*id].value = RawValue::Plain(ValueKind::Text, value.clone());
        }
    }
    plan
}

/// What follows the environment's name in files of other formats.
pub const FORMATS: [&str; 3] = [".systemd", ".docker", ".k8s"];

fn from_document(document: &Document, env: &EnvName, table: &str, around: ScopeInputs) -> EnvPlan {
    let scope = scope_of(document, env, Some(table), around);
    let mut lines = Vec::new();
    let mut warnings = Vec::new();
    let own: BTreeSet<String> = scope.layers[OWN_LAYER].keys().cloned().collect();
    for (path, layer) in [(KeyPath::of(&["common"]), COMMON_LAYER), (ENVIRONMENTS.join(table), OWN_LAYER)] {
        let mut any = false;
        for leaf in document.values_below(&path) {
            let key = leaf.path.last().to_ascii_uppercase();
            if leaf.value.is_array() {
                let title = format!("`{}` is an array and was left out", leaf.path);
                warnings.push(document.shown().warning(title, leaf.key.clone(), ""));
                continue;
            }
            if layer == COMMON_LAYER && own.contains(&key) {
                continue;
            }
            if !any {
                lines.push(PlannedLine::Verbatim(format!("# [{path}]")));
                any = true;
            }
            lines.push(PlannedLine::Variable(key, scope.paths[&leaf.path]));
        }
        if any {
            lines.push(PlannedLine::Verbatim(String::new()));
        }
    }
    if lines.last() == Some(&PlannedLine::Verbatim(String::new())) {
        lines.pop();
    }
    let digest = sha256(&document.source.text);
    EnvPlan { scope, from: document.source.name.clone(), digest, lines, warnings }
}

/// The layers of a scope: the template or the environment's table, what all have, variables, places.
const OWN_LAYER: usize = 0;
const COMMON_LAYER: usize = 1;
const PLACES_LAYER: usize = 3;

/// Everything that names can mean for an environment.
#[must_use]
pub fn scope_of(document: &Document, env: &EnvName, table: Option<&str>, around: ScopeInputs) -> EnvScope {
    let mut scope = EnvScope { sources: vec![document.shown().clone()], inputs: around, ..EnvScope::default() };
    scope.inputs.built_in.insert("TETRA_ENV".to_owned(), env.to_string());
    let own = table.map(|table| ENVIRONMENTS.join(table));
    let [common, variables, deployment] = ["common", "variables", "deployment"].map(|key| Some(KeyPath::of(&[key])));
    let layers = [own, common, variables, deployment];
    let local = Some(ENVIRONMENTS.join("local"));
    scope.layers = vec![HashMap::new(); layers.len()];
    for leaf in &document.leaves {
        let (id, parent, name) = (scope.definitions.len(), leaf.path.parent(), leaf.path.last().to_ascii_uppercase());
        let mut binding = None;
        for (layer, _) in layers.iter().enumerate().filter(|(_, path)| path.is_some() && **path == parent) {
            // Of [deployment] only the places are variables.
            if layer < PLACES_LAYER || name.starts_with("TETRA_") {
                scope.layers[layer].insert(name.clone(), id);
                binding = Some((layer, name.clone()));
            }
        }
        if parent == local {
            scope.local.insert(name, id);
        }
        scope.define(&leaf.path, RawValue::of(leaf, document), leaf.span.clone(), binding);
    }
    for path in document.tables.keys().filter(|path| !path.keys().is_empty()) {
        scope.define(path, RawValue::List(String::new()), document.span_of(path), None);
    }
    scope
}

fn from_template(
    document: Option<&Document>,
    env: &EnvName,
    name: &str,
    text: &str,
    around: ScopeInputs,
) -> Result<EnvPlan, ProjectError> {
    let mut scope = scope_of(document.unwrap_or(&Document::empty(FILE)), env, None, around);
    // A template is meant for people: what looks like a secret in it is hidden when it is shown.
    scope.sources.push(SourceText::new(name, mask::env_values(text)));
    let entries = env_file::entries(name, text)?;
    let mut lines = Vec::new();
    let mut at = 0;
    for entry in entries {
        verbatim(&text[at..entry.span.start], &mut lines);
        at = entry.span.end;
        let id = scope.definitions.len();
        let key = entry.variable.key;
        let value = if text[entry.value.clone()].trim_start().starts_with('\'') {
            RawValue::Plain(ValueKind::Text, entry.variable.value)
        } else {
            RawValue::Text(entry.variable.value)
        };
        let seat = Some((OWN_LAYER, key.clone()));
        scope.layers[OWN_LAYER].insert(key.clone(), id);
        scope.definitions.push(VariableDefinition {
            name: key.clone(),
            value,
            source: 1,
            span: entry.value,
            binding: seat,
        });
        lines.push(PlannedLine::Variable(key, id));
    }
    verbatim(&text[at..], &mut lines);
    Ok(EnvPlan { scope, from: name.to_owned(), digest: sha256(text), lines, warnings: Vec::new() })
}

/// Comments and empty lines between two settings.
fn verbatim(text: &str, lines: &mut Vec<PlannedLine>) {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let text = text.strip_prefix('\n').unwrap_or(text);
    lines.extend(text.lines().map(str::trim).map(|line| PlannedLine::Verbatim(line.to_owned())));
    // Indentation of a key is not a line.
    if !text.is_empty() && !text.ends_with('\n') && lines.last() == Some(&PlannedLine::Verbatim(String::new())) {
        lines.pop();
    }
}

/// The variables of an env file, in its order, each key once.
///
/// # Errors
///
/// Fails if the file is not there or is invalid.
pub fn read_file(project: &Project, env: &EnvName) -> Result<Vec<dotenv::EnvVar>, ProjectError> {
    let text = read::text_if_exists(&project.file(env))?.ok_or_else(|| ProjectError::NoFile { env: env.clone() })?;
    let mut settings: Vec<dotenv::EnvVar> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for entry in env_file::entries(&format!("{DIR_NAME}/{env}.env"), &text)? {
        match places.get(&entry.variable.key) {
            Some(place) => settings[*place] = entry.variable,
            None => {
                places.insert(entry.variable.key.clone(), settings.len());
                settings.push(entry.variable);
            }
        }
    }
    Ok(settings)
}
