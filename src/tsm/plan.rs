//! From what was asked to what will be done. Looks at files and changes nothing; the same plan is shown by a dry run and carried
//! out by a start.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::base::dotenv::Setting;
use crate::base::fault::{Advise, Kind, Place};
use crate::base::name::BadName;
use crate::supervise::meta::{Meta, Restart};

use super::definition::Definition;
use super::detect::{ProcessType, Shape, detect};
use super::environment::{self, EnvFile, EnvironmentError};
use super::interpreter::{self, Program, ProgramError, Tools};
use super::name::{Base, trailing};
use super::port::{self, BadPort, PortSource, PortWish};
use super::request::{Around, Keep, RequestError, StartRequest, Target};
use super::store::Process;
use super::words::{CommandLine, Unclosed, assignment};

/// Everything that will be done, but for what only the moment decides: the id, a free port, a free name.
#[derive(Debug, Clone, PartialEq)]
pub struct StartPlan {
    /// The name without its port.
    pub base: Base,
    /// What to execute.
    pub program: Program,
    /// The port and where it comes from.
    pub port: Option<PortChoice>,
    /// Every place a port could come from, strongest first, with what it says.
    pub ladder: Vec<(&'static str, Option<String>)>,
    /// The env file.
    pub env_file: Option<EnvFile>,
    /// The secrets of the active environment; need not be there.
    pub secrets: Option<PathBuf>,
    /// The secrets are open to others and will be closed.
    pub secrets_open: bool,
    /// Variables set after those of the files, in order; without the port.
    pub set: Vec<(String, String)>,
    /// Where it runs, absolute.
    pub cwd: PathBuf,
    /// The command before the start; empty if none.
    pub pre_hook: String,
    /// The definition it comes from.
    pub service: Option<PathBuf>,
    /// The active environment; empty if none.
    pub environment: String,
    /// How it is kept.
    pub kept: Kept,
    /// What the operator should know beside the result.
    pub notes: Vec<String>,
}

/// A port and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortChoice {
    /// Which port.
    pub wish: PortWish,
    /// From where.
    pub source: PortSource,
}

/// How a process is kept, decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kept {
    /// When it is started again by itself.
    pub restart: Restart,
    /// After so many early exits in a row it is given up.
    pub max_restarts: u32,
    /// Between the polite signal and the end.
    pub kill_timeout: Duration,
    /// Bytes of a log before it is rotated.
    pub log_size: u64,
    /// Rotated logs kept per stream.
    pub log_keep: u32,
}

impl Default for Kept {
    fn default() -> Self {
        Self {
            restart: Restart::Never,
            max_restarts: 15,
            kill_timeout: Duration::from_secs(10),
            log_size: 10 * 1024 * 1024,
            log_keep: 5,
        }
    }
}

/// Why there is no plan.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// What was asked means nothing.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The program cannot be executed.
    #[error(transparent)]
    Program(#[from] ProgramError),
    /// The variables cannot be had.
    #[error(transparent)]
    Environment(#[from] EnvironmentError),
    /// The name is not legal.
    #[error(transparent)]
    Name(#[from] BadName),
    /// The folder to run in is no folder.
    #[error("cannot run in `{}`: {why}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What it is instead.
        why: &'static str,
    },
    /// A variable holds no port.
    #[error("{key} is `{value}`, which is no port")]
    Port {
        /// The variable.
        key: String,
        /// Its value.
        value: String,
        /// Where it is set, if in a file.
        at: Option<Place>,
    },
}

impl PlanError {
    fn inner(&self) -> Option<&dyn Advise> {
        match self {
            Self::Request(error) => Some(error),
            Self::Program(error) => Some(error),
            Self::Environment(error) => Some(error),
            Self::Name(error) => Some(error),
            Self::Folder { .. } | Self::Port { .. } => None,
        }
    }
}

impl Advise for PlanError {
    fn kind(&self) -> Kind {
        match self {
            Self::Folder { .. } => Kind::NotFound,
            Self::Port { at: None, .. } => Kind::Usage,
            _ => self.inner().map_or(Kind::Failed, Advise::kind),
        }
    }

    fn advice(&self) -> Option<String> {
        match self {
            Self::Folder { .. } => Some("--cwd names another one".to_owned()),
            Self::Port { value, .. } => BadPort(value.clone()).advice(),
            _ => self.inner().and_then(Advise::advice),
        }
    }

    fn place(&self) -> Option<Place> {
        match self {
            Self::Port { at, .. } => at.clone(),
            _ => self.inner().and_then(Advise::place),
        }
    }
}

/// Makes the plan for a request.
///
/// # Errors
///
/// Fails for everything that can be known before: words without a meaning, missing programs, scripts, folders and env files,
/// malformed definitions, illegal names and ports.
pub fn plan(request: &StartRequest, around: &Around) -> Result<StartPlan, PlanError> {
    match request.target(around)? {
        Target::Service(definition) => Draft::of_service(*definition, request, around)?.finish(request, around),
        Target::Program { line, may_end_in_name } => {
            Draft::of_program(line, may_end_in_name, request, around)?.finish(request, around)
        }
        Target::Existing(process) => super::again::plan(&process, request, around),
    }
}

/// Which env file is wanted.
enum Wanted {
    /// The one that is there.
    Detected,
    /// None.
    Nothing,
    /// This one.
    Named(String),
}

/// What a program and a service have in common.
struct Draft {
    line: CommandLine,
    shape: Shape,
    cwd: PathBuf,
    base: Option<Base>,
    /// Of the definition: its `export` lines and the pairs of `TSM_ENV`.
    exports: Vec<(String, String)>,
    wanted: Wanted,
    port: Option<PortWish>,
    pre_hook: String,
    restart: Option<Restart>,
    service: Option<PathBuf>,
    notes: Vec<String>,
}

impl Draft {
    fn of_program(
        mut line: CommandLine,
        may_end_in_name: bool,
        request: &StartRequest,
        around: &Around,
    ) -> Result<Self, PlanError> {
        let cwd = folder(around.cwd, request.cwd.as_deref())?;
        let shape = detect(&line.words);
        let name = trailing(&line.words, &shape, &cwd).filter(|_| may_end_in_name).map(str::to_owned);
        let base = name.as_deref().map(Base::given).transpose()?;
        if base.is_some() {
            line.words.pop();
        }
        Ok(Self {
            line,
            shape,
            cwd,
            base,
            exports: Vec::new(),
            wanted: Wanted::Detected,
            port: None,
            pre_hook: String::new(),
            restart: None,
            service: None,
            notes: Vec::new(),
        })
    }

    fn of_service(definition: Definition, request: &StartRequest, around: &Around) -> Result<Self, PlanError> {
        let cwd = match &request.cwd {
            Some(cwd) => folder(around.cwd, Some(cwd))?,
            None => folder(&definition.cwd, None)?,
        };
        let line = CommandLine::of_text(&definition.command).map_err(|error: Unclosed| RequestError::from(error))?;
        let shape = detect(&line.words);
        let mut exports = definition.exports;
        let wanted = service_env(definition.env_file, definition.env, &mut exports);
        let slips =
            definition.slips.iter().map(|(key, meant)| format!("{key} has no meaning; {meant} is meant, perhaps"));
        Ok(Self {
            line,
            shape,
            cwd,
            base: Some(Base::given(&definition.name)?),
            exports,
            wanted,
            port: definition.port,
            pre_hook: definition.pre_command.unwrap_or_default(),
            restart: definition.restart,
            service: Some(definition.file),
            notes: slips.collect(),
        })
    }

    fn finish(mut self, request: &StartRequest, around: &Around) -> Result<StartPlan, PlanError> {
        let pairs = request.pairs();
        let env_file = self.env_file(request, around)?;
        let (port, ladder) = self.port(request, &pairs, env_file.as_ref())?;
        let mut set = std::mem::take(&mut self.exports);
        set.append(&mut self.line.set.clone());
        set.extend(pairs);
        let variable = |name: &str| value_of(name, &set, env_file.as_ref(), around);
        let tools = Tools { variable: &variable, home: around.paths.home(), cwd: &self.cwd };
        let program = interpreter::resolve(&self.line, &self.shape, &tools)?;
        let base = request.base()?.or(self.base);
        let base = base.unwrap_or_else(|| Base::derived(&self.line.words, &self.shape, &self.cwd));
        let secrets = around.org.zip(around.env).map(|(org, env)| around.paths.secrets(org, env));
        let secrets_open = secrets.as_deref().map(environment::is_secret_open).transpose()?.unwrap_or(false);
        if let Some(file) = env_file.as_ref().filter(|file| file.detected) {
            let shown = file.path.strip_prefix(&self.cwd).unwrap_or(&file.path);
            self.notes.push(format!("using the env file {}", shown.display()));
        }
        Ok(StartPlan {
            base,
            program,
            port,
            ladder,
            env_file,
            secrets,
            secrets_open,
            set,
            cwd: self.cwd,
            pre_hook: request.pre_hook.clone().unwrap_or(self.pre_hook),
            service: self.service,
            environment: around.env.map(ToString::to_string).unwrap_or_default(),
            kept: kept(request.keep, self.restart.or(around.restart), Kept::default()),
            notes: self.notes,
        })
    }

    /// The env file: asked for, else the service's, else one that is there; in the working directory, then beside the script.
    fn env_file(&self, request: &StartRequest, around: &Around) -> Result<Option<EnvFile>, PlanError> {
        let beside = self.shape.script.and_then(|at| self.line.words.get(at)).map(|script| self.cwd.join(script));
        let mut folders = vec![self.cwd.as_path()];
        folders.extend(beside.as_deref().and_then(Path::parent));
        let asked = asked_env(request)?;
        if asked.is_some() {
            folders.push(around.cwd);
        }
        Ok(match asked.as_ref().unwrap_or(&self.wanted) {
            Wanted::Nothing => None,
            Wanted::Detected => environment::detected(around.env, &folders)?,
            Wanted::Named(name) => Some(environment::named(name, &folders)?),
        })
    }

    /// The port and the ladder that leads to it.
    fn port(
        &self,
        request: &StartRequest,
        pairs: &[(String, String)],
        env_file: Option<&EnvFile>,
    ) -> Result<(Option<PortChoice>, Vec<(&'static str, Option<String>)>), PlanError> {
        let flag = request.port.map(|wish| PortChoice { wish, source: PortSource::Flag });
        let pair = port_among(pairs)?.map(|wish| PortChoice { wish, source: PortSource::Pair });
        let export = port_among(&self.exports)?.map(|wish| PortChoice { wish, source: PortSource::Export });
        let file = env_file.map(port_of_file).transpose()?.flatten();
        let definition = self.port.map(|wish| PortChoice { wish, source: PortSource::Definition });
        let assigned = self.line.set.iter().rfind(|(key, _)| key == "PORT");
        let assigned = assigned.and_then(|(_, value)| port::number(value)).map(|port| (port, "PORT=N"));
        let guess = assigned.or_else(|| port::guess(&self.line.words, &self.shape));
        let guess =
            guess.map(|(port, form)| PortChoice { wish: PortWish::Exactly(port), source: PortSource::Command(form) });
        let rungs = [
            ("--port", flag),
            ("--env PORT=N", pair),
            ("export PORT", export),
            ("env file", file),
            ("TSM_PORT", definition),
            ("command", guess),
        ];
        let ladder =
            rungs.iter().map(|(rung, choice)| (*rung, choice.as_ref().map(|it| it.wish.to_string()))).collect();
        Ok((rungs.into_iter().find_map(|(_, choice)| choice), ladder))
    }
}

/// How a process is kept: asked, else by its policy, else as usual.
pub(super) fn kept(keep: Keep, policy: Option<Restart>, usual: Kept) -> Kept {
    Kept {
        restart: keep.restart.or(policy).unwrap_or(usual.restart),
        max_restarts: keep.max_restarts.unwrap_or(usual.max_restarts),
        kill_timeout: keep.kill_timeout.unwrap_or(usual.kill_timeout),
        log_size: keep.log_size.unwrap_or(usual.log_size),
        log_keep: keep.log_keep.unwrap_or(usual.log_keep),
    }
}

/// The folder to run in, which must be there.
pub(super) fn folder(from: &Path, given: Option<&Path>) -> Result<PathBuf, PlanError> {
    let path = given.map_or_else(|| from.to_owned(), |given| from.join(given));
    let bad = |why| PlanError::Folder { path: path.clone(), why };
    match path.canonicalize() {
        Ok(found) if found.is_dir() => Ok(found),
        Ok(_) => Err(bad("it is no folder")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(bad("it is not there")),
        Err(_) => Err(bad("it cannot be entered")),
    }
}

/// The env file that `--env` asks for; at most one.
fn asked_env(request: &StartRequest) -> Result<Option<Wanted>, EnvironmentError> {
    let mut files = request.env_files();
    let Some(first) = files.next() else { return Ok(None) };
    match files.find(|other| *other != first) {
        Some(second) => Err(EnvironmentError::Two { first: first.to_owned(), second: second.to_owned() }),
        None => Ok(Some(wanted(first))),
    }
}

fn wanted(name: &str) -> Wanted {
    if name == environment::NONE { Wanted::Nothing } else { Wanted::Named(name.to_owned()) }
}

/// What a definition says about its env file; pairs in `TSM_ENV` are added to its exports.
fn service_env(file: Option<String>, env: Option<String>, exports: &mut Vec<(String, String)>) -> Wanted {
    let words = env.as_deref().and_then(shlex::split).unwrap_or_default();
    let pairs: Option<Vec<_>> = words.iter().map(|word| assignment(word)).collect();
    let env = match pairs {
        Some(pairs) if !pairs.is_empty() => {
            exports.extend(pairs);
            None
        }
        _ => env,
    };
    file.or(env).map_or(Wanted::Detected, |name| wanted(&name))
}

fn port_among(pairs: &[(String, String)]) -> Result<Option<PortWish>, PlanError> {
    let Some((key, value)) = pairs.iter().rfind(|(key, value)| key == "PORT" && !value.is_empty()) else {
        return Ok(None);
    };
    let bad = || PlanError::Port { key: key.clone(), value: value.clone(), at: None };
    port::number(value).map(|port| Some(PortWish::Exactly(port))).ok_or_else(bad)
}

/// `PORT` of an env file, else `TETRA_PORT`.
fn port_of_file(file: &EnvFile) -> Result<Option<PortChoice>, PlanError> {
    let of = |key: &str| file.settings.iter().find(|setting| setting.key == key && !setting.value.is_empty());
    let Some(setting) = of("PORT").or_else(|| of("TETRA_PORT")) else { return Ok(None) };
    let port = port::number(&setting.value).ok_or_else(|| PlanError::Port {
        key: setting.key.clone(),
        value: setting.value.clone(),
        at: Some(place_of(setting, &file.path)),
    })?;
    Ok(Some(PortChoice { wish: PortWish::Exactly(port), source: PortSource::EnvFile(file.path.clone()) }))
}

fn place_of(setting: &Setting, path: &Path) -> Place {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let line = text.lines().nth(setting.line.saturating_sub(1) as usize).unwrap_or_default().to_owned();
    let column = line.split_once('=').map_or(1, |(key, _)| key.chars().count() + 2);
    let width = line.chars().count().saturating_sub(column - 1).max(1);
    Place { file: path.display().to_string(), line: setting.line as usize, column, width, text: line }
}

/// A variable as the child will see it, but for the secrets: nothing that we look up is a secret.
fn value_of(name: &str, set: &[(String, String)], env_file: Option<&EnvFile>, around: &Around) -> Option<String> {
    let of_set = set.iter().rfind(|(key, _)| key == name).map(|(_, value)| value);
    let of_file = || env_file?.settings.iter().find(|setting| setting.key == name).map(|setting| &setting.value);
    of_set.or_else(of_file).or_else(|| around.variables.get(name)).cloned()
}

/// The kind that a record names.
pub(super) fn kind_named(word: &str) -> ProcessType {
    use ProcessType::{Bash, Command, Go, Lua, Node, Python};
    [Python, Node, Bash, Lua, Go].into_iter().find(|kind| kind.word() == word).unwrap_or(Command)
}

/// What to run by a record, also by one that has only the published fields.
pub(super) fn program_of(meta: &Meta) -> Result<Program, PlanError> {
    let argv = match meta.run.argv.as_slice() {
        [] => CommandLine::of_text(&meta.command).map_err(RequestError::from)?,
        argv => CommandLine { words: argv.to_vec(), ..CommandLine::default() },
    };
    let argv = match argv.shell {
        Some(text) => vec!["/bin/sh".to_owned(), "-c".to_owned(), text],
        None => argv.words,
    };
    if argv.is_empty() {
        return Err(RequestError::Nothing.into());
    }
    Ok(Program { argv, interpreter: meta.interpreter.clone(), kind: kind_named(&meta.process_type) })
}

/// The processes that a plan may meet, by name.
pub(super) fn named<'a>(name: &str, processes: &'a [Process]) -> Option<&'a Process> {
    processes.iter().find(|process| process.name.as_str() == name)
}

#[cfg(test)]
mod tests;
