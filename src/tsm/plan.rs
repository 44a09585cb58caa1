//! From what was asked to what will be done. Looks at files and changes nothing; the same plan is shown by a dry run and carried
//! out by a start.

mod error;
pub(super) mod ladder;
mod wanted;

use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use crate::base::signal::Signal;
use crate::supervise::care::Care;
use crate::supervise::limits::{Account, Limits};
use crate::supervise::meta::Restart;

pub use error::PlanError;
use wanted::{Wanted, asked_env, service_env};

use super::definition::Definition;
use super::detect::{Shape, detect};
use super::environment::{self, EnvFile};
use super::foreign;
use super::given;
use super::interpreter::{self, Program, Tools};
use super::keep::{Keep, Strategy};
use super::limits::{self, within_reach};
use super::name::{Base, trailing};
use super::port::{OwnPort, PortSource, PortWish};
use super::request::{Around, RequestError, StartRequest, Target};
use super::start::Environ;
use super::words::{CommandLine, Unclosed};

/// Everything that will be done, but for what only the moment decides: the id, a free port, a free name.
#[derive(Debug, Clone, PartialEq)]
pub struct StartPlan {
    /// The name without its port.
    pub base: Base,
    /// What to execute.
    pub program: Program,
    /// The port and where it comes from.
    pub port: Option<PortChoice>,
    /// Variables that it must not have, wherever they come from.
    pub unset: Vec<String>,
    /// The port that its command names.
    pub own_port: Option<OwnPort>,
    /// Every place a port could come from, strongest first, with what it says.
    pub ladder: Vec<(&'static str, Option<String>)>,
    /// The env file.
    pub env_file: Option<EnvFile>,
    /// The secrets of its environment; need not be there.
    pub secrets: Option<PathBuf>,
    /// The secrets are open to others and will be closed.
    pub secrets_open: bool,
    /// What its sealed form holds, if there is only that; filled in at the start.
    pub opened: Vec<(String, String)>,
    /// Variables set after those of the files, in order; without the port.
    pub set: Vec<(String, String)>,
    /// Where it runs, absolute.
    pub cwd: PathBuf,
    /// The command before the start; empty if none.
    pub pre_hook: String,
    /// The definition it comes from.
    pub service: Option<PathBuf>,
    /// The services that have to be ready before it.
    pub needs: Vec<String>,
    /// The stack that it belongs to; empty if none.
    pub stack: String,
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
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// What is looked after.
    pub care: Care,
    /// What it may have.
    pub limits: Limits,
    /// The user that it runs as; none if it is the operator.
    pub user: Option<Account>,
    /// The signal that asks it to end.
    pub stop_signal: Signal,
    /// It is a task that ends.
    pub oneshot: bool,
    /// How several of it are restarted.
    pub strategy: Strategy,
}

impl Default for Kept {
    fn default() -> Self {
        Self {
            restart: Restart::Never,
            max_restarts: 15,
            kill_timeout: Duration::from_secs(10),
            log_size: 10 * 1024 * 1024,
            log_keep: 5,
            care: Care::default(),
            limits: Limits::default(),
            user: None,
            stop_signal: Signal::TERM,
            oneshot: false,
            strategy: Strategy::Rolling,
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
        Target::Service(definition) => of_service(*definition, request, around),
        Target::Program { line, may_end_in_name } => {
            Draft::of_program(line, may_end_in_name, request, around)?.finish(request, around)
        }
        Target::Existing(process) => super::again::plan(&process, request, around),
    }
}

/// A service is started in the environment that it belongs to, whatever is chosen; without one in the chosen one.
pub(super) fn of_service(
    definition: Definition,
    request: &StartRequest,
    around: &Around,
) -> Result<StartPlan, PlanError> {
    definition.refuse_elsewhere(request, around)?;
    let Some((own, terms)) = definition.terms(around)? else {
        return Draft::of_service(definition, request, around)?.finish(request, around);
    };
    let within =
        Around { org: own.org.as_ref(), env: Some(&own.env), restart: terms.restart, limits: terms.limits, ..*around };
    let mut draft = Draft::of_service(definition, request, &within)?;
    if matches!(draft.wanted, Wanted::Detected) {
        draft.wanted = Wanted::Own;
    }
    draft.notes.extend(terms.note);
    draft.finish(request, &within)
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
    keep: Keep,
    service: Option<PathBuf>,
    needs: Vec<String>,
    stack: Option<String>,
    instances: Option<u32>,
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
        let notes = foreign::notes(&line.words, &shape, &cwd);
        Ok(Self {
            line,
            shape,
            cwd,
            base,
            exports: Vec::new(),
            wanted: Wanted::Detected,
            port: None,
            pre_hook: String::new(),
            keep: Keep::default(),
            service: None,
            needs: Vec::new(),
            stack: None,
            instances: None,
            notes,
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
            keep: definition.keep,
            service: Some(definition.file),
            needs: definition.deps,
            stack: definition.stack,
            instances: definition.instances,
            notes: slips.collect(),
        })
    }

    fn finish(mut self, request: &StartRequest, around: &Around) -> Result<StartPlan, PlanError> {
        let pairs = request.pairs();
        let env_file = self.env_file(request, around)?;
        let (choice, ladder) = self.port(request, &pairs, env_file.as_ref())?;
        let mut set = std::mem::take(&mut self.exports);
        set.append(&mut self.line.set.clone());
        set.extend(pairs);
        let (port, unset) = ladder::agree(choice, &mut set, env_file.as_ref());
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
        let keep = request.keep.or(&self.keep);
        let (limits, note) = within_reach(around.limits);
        self.notes.extend(note.filter(|_| keep.limit_nofile.is_none()));
        let kept = watched(kept(&keep, around.restart, Kept { limits, ..Kept::default() })?, &self.cwd)?;
        Ok(StartPlan {
            base,
            program,
            port,
            unset,
            own_port: OwnPort::of(&self.line.words, &self.shape),
            ladder,
            options: self.service.as_ref().map(|_| given::write(request, env_file.as_ref(), &self.cwd)),
            env_file,
            secrets,
            secrets_open,
            opened: Vec::new(),
            set,
            cwd: self.cwd,
            pre_hook: request.pre_hook.clone().unwrap_or(self.pre_hook),
            service: self.service,
            needs: if request.deps.is_empty() { self.needs } else { request.deps.clone() },
            stack: request.stack.clone().or(self.stack).unwrap_or_default(),
            environ: Environ::Operator,
            instances: request.instances.or(self.instances).unwrap_or(1),
            group: String::new(),
            org: around.org.map(ToString::to_string).unwrap_or_default(),
            environment: around.env.map(ToString::to_string).unwrap_or_default(),
            kept,
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
            Wanted::Own => environment::own(around.env, &folders)?,
            Wanted::Named(name) => Some(environment::named(name, &folders)?),
        })
    }
}

/// How a process is kept: asked, else by its policy, else as usual. Fails if it cannot run as the user that was asked for.
pub(super) fn kept(keep: &Keep, policy: Option<Restart>, usual: Kept) -> Result<Kept, PlanError> {
    let user = keep.user.as_deref().map(limits::user).transpose()?;
    let oneshot = keep.oneshot.unwrap_or(usual.oneshot);
    Ok(Kept {
        // A task that failed is repeated only where that was asked for.
        restart: keep.restart.or(policy.filter(|_| !oneshot)).unwrap_or(usual.restart),
        max_restarts: keep.max_restarts.unwrap_or(usual.max_restarts),
        kill_timeout: keep.kill_timeout.unwrap_or(usual.kill_timeout),
        log_size: keep.log_size.unwrap_or(usual.log_size),
        log_keep: keep.log_keep.unwrap_or(usual.log_keep),
        care: keep.care(usual.care),
        limits: keep.limits(usual.limits),
        user: user.or(usual.user),
        stop_signal: keep.stop_signal.unwrap_or(usual.stop_signal),
        oneshot,
        strategy: keep.strategy.unwrap_or(usual.strategy),
    })
}

/// Refuses to watch what is not there.
pub(super) fn watched(kept: Kept, cwd: &Path) -> Result<Kept, PlanError> {
    match kept.care.watch.iter().map(|path| cwd.join(path)).find(|path| !path.exists()) {
        Some(path) => Err(PlanError::NotThere { path }),
        None => Ok(kept),
    }
}

/// The folder to run in, which must be there.
pub fn folder(from: &Path, given: Option<&Path>) -> Result<PathBuf, PlanError> {
    let path = given.map_or_else(|| from.to_owned(), |given| from.join(given));
    let bad = |why| PlanError::Folder { path: path.clone(), why };
    match path.canonicalize() {
        Ok(found) if found.is_dir() => Ok(as_written(&path, &found)),
        Ok(_) => Err(bad("it is no folder")),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(bad("it is not there")),
        Err(_) => Err(bad("it cannot be entered")),
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
    env_file: Option<&EnvFile>,
    around: &Around,
) -> Option<String> {
    let of_set = set.iter().rfind(|(key, _)| key == name).map(|(_, value)| value);
    let of_file = || env_file?.settings.iter().find(|setting| setting.key == name).map(|setting| &setting.value);
    of_set.or_else(of_file).or_else(|| around.variables.get(name)).cloned()
}

#[cfg(test)]
mod tests;
