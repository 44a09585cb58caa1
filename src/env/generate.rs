//! Making an env file: resolve what is planned, and say where it comes from.

use std::path::PathBuf;

use crate::base::diagnostic::{Diagnostic, Severity};
use crate::base::environment::EnvName;
use crate::base::fault::{FaultKind, UserFacingError};
use crate::base::redact;
use crate::config::expand_error::ExpandErrorKind;
use crate::sys::file::FileError;

use super::format::{EnvFormat, EnvLine, FormatError};
use super::project::{EnvPlan, PlannedLine};
use super::scope::{EnvScope, EnvValue, ValueKind};
use super::secrets::sha256;
use crate::config::expand::Resolver;
use crate::config::lookup::Lookup;
use crate::config::patterns;
use crate::config::read::ReadFileError;
use crate::config::template::is_variable_name;

/// How many errors are reported at once. More have a common cause, as a rule.
const MOST_ERRORS: usize = 100;

/// What an env file will say.
#[derive(Debug, Clone)]
pub struct Generated {
    /// Where it comes from.
    pub from: String,
    /// The digest of that file.
    pub digest: String,
    /// Its lines without the head.
    pub lines: Vec<EnvLine>,
    /// Its variables, in order.
    pub variables: Vec<GeneratedVariable>,
    /// Warnings.
    pub warnings: Vec<Diagnostic>,
    /// The secrets that are missing, with where they are needed.
    pub missing: Vec<Diagnostic>,
}

/// A variable that was resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GeneratedVariable {
    /// Its name.
    pub key: String,
    /// Its value; none if a secret is missing.
    pub value: Option<String>,
    /// The secret that is missing.
    pub missing_secret: Option<String>,
    /// Whether it may be shown.
    pub secret: bool,
}

impl GeneratedVariable {
    /// The value is still to be filled in.
    #[must_use]
    pub fn is_placeholder(&self) -> bool {
        self.value.as_deref().is_some_and(patterns::is_placeholder)
    }
}

/// A variable that has no real value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingSecret {
    /// Its name.
    pub key: String,
    /// The secret that would give it one.
    pub secret: String,
}

/// Why an env file cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum GenerateError {
    /// Something in the source cannot be resolved. Nothing was written.
    #[error("cannot resolve the variables of `{env}`")]
    Unresolved {
        /// The environment.
        env: EnvName,
        /// Everything that is wrong.
        diagnostics: Vec<Diagnostic>,
    },
    /// A value does not fit the format.
    #[error(transparent)]
    Unwritable(#[from] FormatError),
    /// The file cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// What is in its place cannot be used.
    #[error(transparent)]
    Read(#[from] ReadFileError),
    /// The file that is there has values that could not be had this time.
    #[error("`{}` was not replaced: it sets {}, which the new file would lack", path.display(), keys.join(", "))]
    Incomplete {
        /// The file.
        path: PathBuf,
        /// The variables that would lose their values.
        keys: Vec<String>,
        /// The environment.
        env: EnvName,
        /// The secrets that are missing.
        secrets: Vec<String>,
    },
    /// The file was written or edited by hand.
    #[error("`{}` was edited by hand and would change: {}", path.display(), keys.join(", "))]
    Edited {
        /// The file.
        path: PathBuf,
        /// The variables that would change.
        keys: Vec<String>,
    },
}

impl UserFacingError for GenerateError {
    fn kind(&self) -> FaultKind {
        match self {
            Self::Unresolved { .. } | Self::Unwritable(_) => FaultKind::Failed,
            Self::File(error) => error.kind(),
            Self::Read(error) => error.kind(),
            Self::Edited { .. } => FaultKind::HandEdited,
            Self::Incomplete { .. } => FaultKind::SecretMissing,
        }
    }

    fn advice(&self) -> Option<String> {
        match self {
            Self::Unresolved { .. } => None,
            Self::Unwritable(error) => error.advice(),
            Self::File(error) => error.advice(),
            Self::Read(error) => error.advice(),
            Self::Incomplete { env, secrets, .. } => {
                Some(format!("{}; or use --force, which saves the old file in env/.backup", set_advice(env, secrets)))
            }
            Self::Edited { path, .. } => {
                let env = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.split('.').next());
                let env = env.unwrap_or("ENV");
                Some(format!(
                    "`tetra env diff {env}` shows the changes; --force replaces the file and saves the old one in env/.backup"
                ))
            }
        }
    }

    fn diagnostics(&self) -> Vec<Diagnostic> {
        match self {
            Self::Unresolved { diagnostics, .. } => diagnostics.clone(),
            _ => Vec::new(),
        }
    }
}

/// How to keep the secrets that are missing.
#[must_use]
pub fn set_advice(env: &EnvName, secrets: &[String]) -> String {
    let lines: Vec<String> = secrets.iter().map(|name| format!("tetra secrets set {env} {name}")).collect();
    lines.join("; ")
}

/// Resolves everything that is planned.
///
/// # Errors
///
/// Fails with everything that cannot be resolved. A missing secret is not a failure: its line says so.
pub fn generate(plan: &EnvPlan, env: &EnvName) -> Result<Generated, GenerateError> {
    let scope = &plan.scope;
    let mut resolver = Resolver::new(scope);
    let mut wrong = Vec::new();
    let mut generated = Generated {
        from: plan.from.clone(),
        digest: plan.digest.clone(),
        lines: Vec::new(),
        variables: Vec::new(),
        warnings: plan.warnings.clone(),
        missing: Vec::new(),
    };
    for line in &plan.lines {
        let (key, id) = match line {
            PlannedLine::Verbatim(text) => {
                generated.lines.push(EnvLine::Verbatim(text.clone()));
                continue;
            }
            PlannedLine::Variable(key, id) => (key, *id),
        };
        let definition = &scope.definitions[id];
        if !is_variable_name(key) {
            let source = &scope.sources[definition.source];
            let title = format!("invalid variable name `{}`", key.escape_debug());
            wrong.push(source.error(title, definition.span.clone(), "").help("use letters, digits and `_`"));
            continue;
        }
        match resolver.value(id) {
            Ok(value) if value.kind == ValueKind::List => {
                let title = format!("`{key}` refers to an array or a table ({})", ExpandErrorKind::Type.code());
                let source = &scope.sources[definition.source];
                wrong.push(source.error(title, definition.span.clone(), "").help("refer to one of its values"));
            }
            Ok(value) => generated.add(key, &value, scope),
            Err(trouble) if matches!(trouble.reason, ExpandErrorKind::SecretMissing(_)) => {
                let ExpandErrorKind::SecretMissing(name) = &trouble.reason else { continue };
                generated.add_missing(key, name);
                generated.missing.push(trouble.diagnostic(scope).help(format!("tetra secrets set {env} {name}")));
            }
            Err(trouble) => wrong.push(trouble.diagnostic(scope)),
        }
        if wrong.len() >= MOST_ERRORS {
            break;
        }
    }
    if !wrong.is_empty() {
        wrong.dedup();
        return Err(GenerateError::Unresolved { env: env.clone(), diagnostics: wrong });
    }
    for passed in &resolver.unset_used {
        generated.warnings.push(Diagnostic { severity: Severity::Warning, ..passed.diagnostic(scope) });
    }
    for (id, at) in &resolver.unmatched_braces {
        if let Some((source, span)) = scope.location(*id, &(*at..at + 1)) {
            let warning = source.warning("unmatched `}` (W-STRAY-BRACE)", span, "");
            generated.warnings.push(warning);
        }
    }
    Ok(generated)
}

/// How the first line of a generated file begins.
pub(super) const MARK: &str = "# GENERATED by tetra";
/// How the line with the digest of the rest begins.
pub(super) const DIGEST: &str = "# body-sha256=";

impl Generated {
    fn add(&mut self, key: &str, value: &EnvValue, scope: &EnvScope) {
        let waiting = patterns::is_placeholder(&value.text);
        let (text, secret) = match scope.inputs.secrets.get(key).filter(|_| waiting) {
            Some(secret) => (secret.clone(), true),
            None => (value.text.clone(), value.secret || redact::is_secret_name(key)),
        };
        let key = key.to_owned();
        self.lines.push(EnvLine::Variable { key: key.clone(), value: text.clone() });
        self.variables.push(GeneratedVariable { key, value: Some(text), missing_secret: None, secret });
    }

    /// The line of a variable whose secret is not there.
    fn add_missing(&mut self, key: &str, secret: &str) {
        let of = if secret == key { String::new() } else { format!(" (secret {secret})") };
        self.lines.push(EnvLine::Verbatim(format!("# MISSING {key}{of}")));
        let missing_secret = Some(secret.to_owned());
        self.variables.push(GeneratedVariable { key: key.to_owned(), value: None, missing_secret, secret: true });
    }

    /// The variables that have no real value, each with the secret that would give it one.
    pub fn missing_secrets(&self) -> impl Iterator<Item = MissingSecret> {
        let open = self.variables.iter().filter(|it| it.value.is_none() || it.is_placeholder());
        open.map(|it| MissingSecret {
            key: it.key.clone(),
            secret: it.missing_secret.clone().unwrap_or_else(|| it.key.clone()),
        })
    }

    /// The whole file.
    ///
    /// # Errors
    ///
    /// Fails if a value does not fit the format.
    pub fn text(&self, env: &EnvName, format: EnvFormat) -> Result<String, FormatError> {
        let body = format.body(&self.lines)?;
        if format == EnvFormat::Json {
            return Ok(body);
        }
        let (version, from) = (env!("CARGO_PKG_VERSION"), &self.from);
        Ok(format!(
            "{MARK} {version} from {from} -- edit {from}, then: tetra env init {env}\n\
             # It may hold secrets: never commit it.\n\
             # env={env} format={} source-sha256={}\n\
             {DIGEST}{}\n\
             \n\
             {body}",
            format.word(),
            self.digest,
            sha256(&body),
        ))
    }
}
