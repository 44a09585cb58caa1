//! What an operator asks to start, as it was written, and what it means.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::base::environment::{EnvName, EnvRef, Tier};
use crate::base::fault::{Fault, FaultKind, UserFacingError};
use crate::base::name::{OrgName, ServiceName};
use crate::supervise::limits::Limits;
use crate::supervise::meta::RestartPolicy;
use crate::sys::paths::Paths;
use crate::sys::program::find;

use super::command_line::{CommandLine, UnclosedQuote, assignment};
use super::definition::{Definition, DefinitionError};
use super::environment;
use super::name::BaseName;
use super::options::ServiceOptions;
use super::pm2;
use super::port::PortSpec;
use super::resolve::{ResolveError, resolve_one};
use super::store::Process;

/// What an operator wrote.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StartRequest {
    /// A service, a file, a process, or a program with its arguments.
    pub program: Vec<String>,
    /// The words after `--`: all of them are the program's.
    pub arguments: Option<Vec<String>>,
    /// Every `--env`: a name, a file, `none` or `K=V`.
    pub env: Vec<String>,
    /// `--port`.
    pub port: Option<PortSpec>,
    /// `--name`.
    pub name: Option<String>,
    /// `--cwd`.
    pub cwd: Option<PathBuf>,
    /// `--pre-hook`.
    pub pre_hook: Option<String>,
    /// `--instances`.
    pub instances: Option<u32>,
    /// How to keep it.
    pub options: ServiceOptions,
    /// All options as they were given, for lines that are shown.
    pub written: Vec<String>,
}

/// What a start is asked amid.
#[derive(Clone, Copy)]
pub struct StartContext<'a> {
    /// Where everything is.
    pub paths: &'a Paths,
    /// The operator's working directory.
    pub cwd: &'a Path,
    /// The operator's variables.
    pub variables: &'a BTreeMap<String, String>,
    /// The active organization.
    pub org: Option<&'a OrgName>,
    /// The active environment.
    pub env: Option<&'a EnvName>,
    /// The restart policy of the active environment.
    pub restart: Option<RestartPolicy>,
    /// What the active environment lets its processes have.
    pub limits: Limits,
    /// Reads what another environment says: that of a service that belongs to it.
    pub terms: TermsReader,
    /// The processes there are.
    pub processes: &'a [Process],
}

/// What an environment says about what is started in it.
#[derive(Debug, Clone, Default)]
pub struct Terms {
    /// When a process is started again by itself, unless it says so itself.
    pub restart: Option<RestartPolicy>,
    /// What a process may have.
    pub limits: Limits,
    /// What the operator should know about them.
    pub note: Option<String>,
}

/// Reads the terms of an environment.
pub type TermsReader = fn(&Paths, &EnvRef) -> Result<Terms, Fault>;

/// The restart policy of an environment: on a server what fails is started again; on one's own machine one wants to see it.
#[must_use]
pub fn default_restart(env: &EnvName) -> Option<RestartPolicy> {
    env.tier().map(|rung| match rung {
        Tier::Local => RestartPolicy::Never,
        Tier::Dev | Tier::Staging | Tier::Prod => RestartPolicy::OnFailure,
    })
}

/// What a request means.
#[derive(Debug)]
pub enum StartTarget {
    /// A service definition.
    Service(Box<Definition>),
    /// A process that there is: its record says what to run.
    Existing(Box<Process>),
    /// A program with its arguments.
    Program {
        /// Its words.
        line: CommandLine,
        /// Its last word may be a name.
        may_end_in_name: bool,
    },
}

/// Why a request means nothing.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// There are no words.
    #[error("tsm: command required")]
    Empty,
    /// A service was given words of a program.
    #[error("unexpected argument `{word}` after the service `{service}`")]
    TooMany {
        /// The service.
        service: String,
        /// The first word too many.
        word: String,
    },
    /// It is a list of processes for another process manager.
    #[error("`{file}` is not a program but a file of another process manager")]
    List {
        /// The file.
        file: String,
    },
    /// The definition cannot be used.
    #[error(transparent)]
    Definition(#[from] DefinitionError),
    /// The words cannot be split.
    #[error(transparent)]
    UnclosedQuote(#[from] UnclosedQuote),
    /// A number or word means several processes, or none.
    #[error(transparent)]
    Resolve(#[from] ResolveError),
}

impl UserFacingError for RequestError {
    fn kind(&self) -> FaultKind {
        match self {
            Self::Empty | Self::TooMany { .. } | Self::List { .. } => FaultKind::Usage,
            Self::Definition(error) => error.kind(),
            Self::UnclosedQuote(error) => error.kind(),
            Self::Resolve(error) => error.kind(),
        }
    }

    fn advice(&self) -> Option<String> {
        match self {
            Self::Empty => Some("tsm start SERVICE, tsm start FILE.tsm or tsm start PROGRAM ARGUMENTS…".to_owned()),
            Self::List { file } => Some(format!("run `tsm import {file}` to import its services")),
            Self::TooMany { service, word } if word.starts_with('-') => {
                Some(format!("options come before the service: tsm start {word} {service}"))
            }
            Self::TooMany { service, word } => {
                Some(format!("start services one by one; `tsm start ./{service} {word}` runs the program of that name"))
            }
            Self::Definition(error) => error.advice(),
            Self::UnclosedQuote(error) => error.advice(),
            Self::Resolve(error) => error.advice(),
        }
    }

    fn location(&self) -> Option<crate::base::fault::Location> {
        match self {
            Self::Definition(error) => error.location(),
            _ => None,
        }
    }
}

impl StartRequest {
    /// Finds out what is meant: a `.tsm` file, a service, a process there is, or else a program.
    ///
    /// # Errors
    ///
    /// Fails if nothing is given, if a definition cannot be used, or if a number means no process.
    pub fn target(&self, context: &StartContext) -> Result<StartTarget, RequestError> {
        let rest = self.arguments.as_deref().unwrap_or_default();
        let [first, more @ ..] = self.program.as_slice() else {
            return match rest {
                [] => Err(RequestError::Empty),
                _ => self.as_program(context),
            };
        };
        if let Some(file) = definition_file(first, context) {
            match more.iter().chain(rest).next() {
                None => return Ok(StartTarget::Service(Box::new(Definition::read_to_run(&file, context.variables)?))),
                // Only a program can have arguments.
                Some(_) if is_program(first, context) => {}
                Some(word) => return Err(RequestError::TooMany { service: first.clone(), word: word.clone() }),
            }
        }
        if self.may_name_process()
            && let Some(process) = existing(first, context)?
        {
            return Ok(StartTarget::Existing(Box::new(process.clone())));
        }
        let cwd = self.cwd.as_deref().map_or_else(|| context.cwd.to_owned(), |cwd| context.cwd.join(cwd));
        if pm2::is_list(&cwd.join(first)) {
            return Err(RequestError::List { file: first.clone() });
        }
        self.as_program(context)
    }

    /// False for a line that means a definition or a program whatever processes there are: only a single word can mean one.
    #[must_use]
    pub fn may_name_process(&self) -> bool {
        self.program.len() == 1 && self.arguments.as_ref().is_none_or(Vec::is_empty)
    }

    /// One word with spaces is a whole command line; otherwise every word is one.
    fn as_program(&self, context: &StartContext) -> Result<StartTarget, RequestError> {
        let first = match (self.program.as_slice(), self.arguments.as_deref().unwrap_or_default()) {
            ([first], []) | ([], [first]) => first,
            (program, arguments) => {
                let words = [program, arguments].concat();
                let may_end_in_name = self.arguments.is_none();
                return Ok(StartTarget::Program { line: CommandLine::of_words(&words), may_end_in_name });
            }
        };
        let cwd = self.cwd.as_deref().map_or_else(|| context.cwd.to_owned(), |cwd| context.cwd.join(cwd));
        // A file may have spaces in its name.
        let is_text = first.contains([' ', '\t', '\n']) && !cwd.join(first).is_file();
        let line =
            if is_text { CommandLine::of_text(first)? } else { CommandLine::of_words(std::slice::from_ref(first)) };
        Ok(StartTarget::Program { line, may_end_in_name: false })
    }

    /// The `K=V` of `--env`, in order; the later of one key wins.
    #[must_use]
    pub fn pairs(&self) -> Vec<(String, String)> {
        self.env.iter().filter_map(|word| assignment(word)).collect()
    }

    /// The names and files of `--env`.
    pub fn env_names(&self) -> impl Iterator<Item = &str> {
        self.env.iter().filter(|word| assignment(word).is_none()).map(String::as_str)
    }

    /// True if it says which env files are used, or that none is.
    #[must_use]
    pub fn names_env_files(&self) -> bool {
        self.options.env_file.is_some() || self.env_names().next().is_some()
    }

    /// Its env files: that of `--env`, and then those of `--env-file`; a later one wins.
    pub fn env_files(&self) -> impl Iterator<Item = &str> {
        let files = self.options.env_file.iter().flatten().map(String::as_str);
        self.env_names().last().into_iter().chain(files).filter(|name| *name != environment::NONE)
    }

    /// The base of the name that `--name` gives.
    ///
    /// # Errors
    ///
    /// Fails if it is not legal.
    pub fn base(&self) -> Result<Option<BaseName>, crate::base::name::InvalidName> {
        self.name.as_deref().map(BaseName::given).transpose()
    }
}

/// The file of the definition that a word names: a path that ends in `.tsm`, or a service. None if there is none.
#[must_use]
pub fn definition_file(word: &str, context: &StartContext) -> Option<PathBuf> {
    let path = context.cwd.join(word);
    if word.ends_with(".tsm") && path.is_file() {
        return Some(path);
    }
    let service: ServiceName = word.strip_suffix(".tsm").unwrap_or(word).parse().ok()?;
    Some(context.paths.service(&service)).filter(|path| path.exists())
}

/// The process that a single word names: a number always means one; a word must be the exact name, or lead to one where no
/// program of that name is found.
fn existing<'a>(word: &str, context: &StartContext<'a>) -> Result<Option<&'a Process>, RequestError> {
    if word.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(Some(resolve_one(word, context.processes)?));
    }
    if let Some(process) = context.processes.iter().find(|process| process.name.as_str() == word) {
        return Ok(Some(process));
    }
    if is_program(word, context) || word.contains(['/', ' ']) {
        return Ok(None);
    }
    match resolve_one(word, context.processes) {
        Ok(process) => Ok(Some(process)),
        Err(error @ ResolveError::Ambiguous { .. }) => Err(error.into()),
        Err(ResolveError::NotFound { .. } | ResolveError::Part { .. }) => Ok(None),
    }
}

/// A program in `PATH`, or a file in the working directory.
fn is_program(word: &str, context: &StartContext) -> bool {
    let search = context.variables.get("PATH").map_or("", String::as_str);
    context.cwd.join(word).is_file() || find(word, search, context.cwd).is_some()
}
