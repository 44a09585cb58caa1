//! From what was asked to what will be done. Looks at files and changes nothing; the same plan is shown by a dry run and carried
//! out by a start.

mod env_file_choice;
mod error;
pub(super) mod port_precedence;

use std::path::{Component, Path, PathBuf};

use crate::supervise::meta::RunSpec;

use env_file_choice::{EnvFileChoice, requested_env, service_env};
pub use error::PlanError;

use super::command_line::{CommandLine, UnclosedQuote};
use super::definition::Definition;
use super::detect::{CommandShape, detect};
use super::environment::{self, EnvFile};
use super::interpreter::{self, ProgramFinder, ResolvedProgram};
use super::limits::within_reach;
use super::name::{BaseName, trailing};
use super::options::ServiceOptions;
use super::pm2;
use super::port::{OwnPort, PortSource, PortSpec};
use super::request::{RequestError, StartContext, StartRequest};
use super::request_text;

/// How the note begins that an env file is used that was not asked for.
pub(crate) const ENV_FILE_NOTE: &str = "using the env file";

/// Everything that will be done, but for what only the moment decides: the id, a free port, a free name.
#[derive(Debug, Clone, PartialEq)]
pub struct StartPlan {
    /// The name without its port.
    pub base: BaseName,
    /// What to execute.
    pub program: ResolvedProgram,
    /// The port and where it comes from.
    pub port: Option<PortChoice>,
    /// Variables that it must not have, wherever they come from.
    pub unset: Vec<String>,
    /// The port that its command names.
    pub own_port: Option<OwnPort>,
    /// Every place a port could come from, strongest first, with what it says.
    pub port_candidates: Vec<(&'static str, Option<String>)>,
    /// The env files, in the order in which they are read: a later one wins.
    pub env_files: Vec<EnvFile>,
    /// The secrets of its environment; need not be there.
    pub secrets: Option<PathBuf>,
    /// The secrets are open to others and will be closed.
    pub secrets_exposed: bool,
    /// What its sealed form holds, if there is only that; filled in at the start.
    pub unsealed_secrets: Vec<(String, String)>,
    /// Variables set after those of the files, in order; without the port.
    pub set: Vec<(String, String)>,
    /// Where it runs, absolute.
    pub cwd: PathBuf,
    /// The command before the start; empty if none.
    pub pre_hook: String,
    /// The definition it comes from.
    pub service: Option<PathBuf>,
    /// The options that override its definition; none if it does not come from one.
    pub options: Option<String>,
    /// Whose variables it gets.
    pub environ: Environ,
    /// How many of it are wanted.
    pub instances: u32,
    /// The group that it belongs to; empty if none.
    pub group: String,
    /// The organization of its environment; empty if none.
    pub org: String,
    /// The environment that it runs in; empty if none.
    pub environment: String,
    /// Its options, as they are recorded; nothing else of the record is set.
    pub settings: RunSpec,
    /// What the operator should know beside the result.
    pub notes: Vec<String>,
}

impl StartPlan {
    /// The env file whose word counts: the last that is there.
    #[must_use]
    pub fn strongest_env_file(&self) -> Option<&Path> {
        let strongest = self.env_files.iter().rfind(|file| !file.optional || file.path.is_file());
        strongest.map(|file| file.path.as_path())
    }

    /// All of them, as they are recorded: nothing where the strongest is the only one.
    #[must_use]
    pub fn recorded_env_files(&self) -> Vec<String> {
        match self.env_files.as_slice() {
            [file] if !file.optional => Vec::new(),
            files => files.iter().map(EnvFile::name).collect(),
        }
    }
}

/// Whose variables a process gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Environ {
    /// Those of the operator who starts it.
    Operator,
    /// Those of its last start, if there was one.
    Recorded,
}

/// A port and where it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortChoice {
    /// Which port.
    pub spec: PortSpec,
    /// From where.
    pub source: PortSource,
}

/// A service is started in the environment that it belongs to, whatever is chosen; without one in the chosen one.
pub(super) fn of_service(
    definition: Definition,
    request: &StartRequest,
    context: &StartContext,
) -> Result<StartPlan, PlanError> {
    definition.refuse_elsewhere(request, context)?;
    let Some((own, terms)) = definition.terms(context)? else {
        return PlanDraft::of_service(definition, request, context)?.finish(request, context);
    };
    let within = StartContext {
        org: own.org.as_ref(),
        env: Some(&own.env),
        restart: terms.restart,
        limits: terms.limits,
        ..*context
    };
    let mut draft = PlanDraft::of_service(definition, request, &within)?;
    if matches!(draft.env_file_choice, EnvFileChoice::Detected) {
        draft.env_file_choice = EnvFileChoice::Own;
    }
    draft.notes.extend(terms.note);
    draft.finish(request, &within)
}

/// The plan for a program.
pub(super) fn of_program(
    line: CommandLine,
    may_end_in_name: bool,
    request: &StartRequest,
    context: &StartContext,
) -> Result<StartPlan, PlanError> {
    PlanDraft::of_program(line, may_end_in_name, request, context)?.finish(request, context)
}

/// What a program and a service have in common.
struct PlanDraft {
    line: CommandLine,
    shape: CommandShape,
    cwd: PathBuf,
    base: Option<BaseName>,
    /// Of the definition: its `export` lines and the pairs of `TSM_ENV`.
    exports: Vec<(String, String)>,
    env_file_choice: EnvFileChoice,
    port: Option<PortSpec>,
    pre_hook: String,
    options: ServiceOptions,
    service: Option<PathBuf>,
    instances: Option<u32>,
    notes: Vec<String>,
}

impl PlanDraft {
    fn of_program(
        mut line: CommandLine,
        may_end_in_name: bool,
        request: &StartRequest,
        context: &StartContext,
    ) -> Result<Self, PlanError> {
        let cwd = working_directory(context.cwd, request.cwd.as_deref())?;
        let shape = detect(&line.words);
        let name = trailing(&line.words, &shape, &cwd).filter(|_| may_end_in_name).map(str::to_owned);
        let base = name.as_deref().map(BaseName::given).transpose()?;
        if base.is_some() {
            line.words.pop();
        }
        let behind_dashes = request.arguments.as_ref().filter(|_| !request.program.is_empty()).map_or(0, Vec::len);
        let typed = line.words.len().saturating_sub(behind_dashes);
        let own_name =
            name.iter().filter(|_| request.name.is_none()).flat_map(|name| ["--name".to_owned(), name.clone()]);
        let own: Vec<String> = request.written.iter().cloned().chain(own_name).collect();
        let notes = pm2::notes(&line.words[..typed], &shape, &cwd, &own);
        Ok(Self {
            line,
            shape,
            cwd,
            base,
            exports: Vec::new(),
            env_file_choice: EnvFileChoice::Detected,
            port: None,
            pre_hook: String::new(),
            options: ServiceOptions::default(),
            service: None,
            instances: None,
            notes,
        })
    }

    fn of_service(
        mut definition: Definition,
        request: &StartRequest,
        context: &StartContext,
    ) -> Result<Self, PlanError> {
        let cwd = match &request.cwd {
            Some(cwd) => working_directory(context.cwd, Some(cwd))?,
            None => working_directory(&definition.cwd, None)?,
        };
        let line =
            CommandLine::of_text(&definition.command).map_err(|error: UnclosedQuote| RequestError::from(error))?;
        let shape = detect(&line.words);
        let mut exports = definition.exports;
        let wanted = service_env(definition.options.env_file.take(), definition.env, &mut exports);
        let slips = definition.typos.iter().map(|(key, meant)| format!("unknown key {key}; did you mean {meant}?"));
        Ok(Self {
            line,
            shape,
            cwd,
            base: Some(BaseName::given(&definition.name)?),
            exports,
            env_file_choice: wanted,
            port: definition.port,
            pre_hook: definition.pre_command.unwrap_or_default(),
            options: definition.options,
            service: Some(definition.file),
            instances: definition.instances,
            notes: slips.collect(),
        })
    }

    fn finish(mut self, request: &StartRequest, context: &StartContext) -> Result<StartPlan, PlanError> {
        let pairs = request.pairs();
        let env_files = self.env_files(request, context)?;
        let (choice, ladder) = self.port(request, &pairs, &env_files)?;
        let mut set = std::mem::take(&mut self.exports);
        set.append(&mut self.line.set.clone());
        set.extend(pairs);
        let (port, unset) = port_precedence::agree(choice, &mut set, &env_files);
        let variable = |name: &str| value_of(name, &set, &env_files, context);
        let tools = ProgramFinder { variable: &variable, home: context.paths.home(), cwd: &self.cwd };
        let program = interpreter::resolve(&self.line, &self.shape, &tools)?;
        let base = request.base()?.or(self.base);
        let base = base.unwrap_or_else(|| BaseName::derived(&self.line.words, &self.shape, &self.cwd));
        let secrets = context.org.zip(context.env).map(|(org, env)| context.paths.secrets(org, env));
        let secrets_open = secrets.as_deref().map(environment::is_secret_exposed).transpose()?.unwrap_or(false);
        if let Some(file) = env_files.iter().find(|file| file.detected) {
            let shown = file.path.strip_prefix(&self.cwd).unwrap_or(&file.path);
            self.notes.push(format!("{ENV_FILE_NOTE} {}", shown.display()));
        }
        let options = request.options.or(&self.options);
        let (limits, note) = within_reach(context.limits);
        self.notes.extend(note.filter(|_| options.limit_nofile.is_none()));
        let settings = options.resolve(context.restart, RunSpec { limits, ..RunSpec::default() })?;
        let settings = check_watch_paths(settings, &self.cwd)?;
        self.notes.extend(options.without_effect(&settings).into_iter().map(|(given, needed)| match self.service {
            Some(_) => format!("{} has no effect without {}", given.tsm, needed.tsm),
            None => format!("`--{}` has no effect without `--{}`", given.flag, needed.flag),
        }));
        Ok(StartPlan {
            base,
            program,
            port,
            unset,
            own_port: OwnPort::of(&self.line, &self.shape),
            port_candidates: ladder,
            options: self.service.as_ref().map(|_| request_text::write(request, &env_files, &self.cwd)),
            env_files,
            secrets,
            secrets_exposed: secrets_open,
            unsealed_secrets: Vec::new(),
            set,
            cwd: self.cwd,
            pre_hook: request.pre_hook.clone().unwrap_or(self.pre_hook),
            service: self.service,
            environ: Environ::Operator,
            instances: request.instances.or(self.instances).unwrap_or(1),
            group: String::new(),
            org: context.org.map(ToString::to_string).unwrap_or_default(),
            environment: context.env.map(ToString::to_string).unwrap_or_default(),
            settings,
            notes: self.notes,
        })
    }

    /// The env files: asked for, else the service's, else one that is there; in the working directory, then beside the script.
    fn env_files(&self, request: &StartRequest, context: &StartContext) -> Result<Vec<EnvFile>, PlanError> {
        let beside = self.shape.script.and_then(|at| self.line.words.get(at)).map(|script| self.cwd.join(script));
        let mut dirs = vec![self.cwd.as_path()];
        dirs.extend(beside.as_deref().and_then(Path::parent));
        let asked = requested_env(request)?;
        if asked.is_some() {
            dirs.push(context.cwd);
        }
        Ok(match asked.as_ref().unwrap_or(&self.env_file_choice) {
            EnvFileChoice::Detected => environment::detected(context.env, &dirs)?.into_iter().collect(),
            EnvFileChoice::Own => environment::of_env(context.env, &dirs)?.into_iter().collect(),
            EnvFileChoice::Named(names) => {
                names.iter().map(|name| environment::named(name, &dirs)).collect::<Result<_, _>>()?
            }
        })
    }
}

/// Refuses to watch what is not there.
pub(super) fn check_watch_paths(settings: RunSpec, cwd: &Path) -> Result<RunSpec, PlanError> {
    match settings.monitor.watch.iter().map(|path| cwd.join(path)).find(|path| !path.exists()) {
        Some(path) => Err(PlanError::NotFound { path }),
        None => Ok(settings),
    }
}

/// The directory to run in, which must be there.
pub fn working_directory(from: &Path, given: Option<&Path>) -> Result<PathBuf, PlanError> {
    let path = given.map_or_else(|| from.to_owned(), |given| from.join(given));
    let bad = |why| PlanError::Directory { path: path.clone(), why };
    match path.canonicalize() {
        Ok(found) if found.is_dir() => Ok(as_written(&path, &found)),
        Ok(_) => Err(bad("not a directory")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(bad("no such directory")),
        Err(_) => Err(bad("permission denied")),
    }
}

/// A link is kept, so that it is followed anew at every spawn; `.` and `..` are taken out where that leads to the same.
fn as_written(path: &Path, found: &Path) -> PathBuf {
    let mut short = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => _ = short.pop(),
            part => short.push(part),
        }
    }
    if short.canonicalize().is_ok_and(|it| it == found) { short } else { path.components().collect() }
}

/// A variable as the child will see it, but for the secrets: nothing that we look up is a secret.
pub(super) fn value_of(
    name: &str,
    set: &[(String, String)],
    env_files: &[EnvFile],
    context: &StartContext,
) -> Option<String> {
    let of_set = set.iter().rfind(|(key, _)| key == name).map(|(_, value)| value);
    let of_files = || environment::setting(env_files, name).map(|(_, setting)| &setting.value);
    of_set.or_else(of_files).or_else(|| context.variables.get(name)).cloned()
}
