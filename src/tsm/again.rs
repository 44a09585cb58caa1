//! The plan for a process that there is: its definition as it is now and the options of its last start say what to run, or else its
//! record; flags override both.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::base::signal::Signal;
use crate::supervise::meta::{Meta, Run};

use super::definition::Definition;
use super::detect::{ProcessType, detect};
use super::environment::{self, EnvFile};
use super::given;
use super::instances;
use super::interpreter::{Program, Tools};
use super::keep::Strategy;
use super::name::Base;
use super::plan::ladder::{PORT, port_of_file};
use super::plan::{Kept, PlanError, PortChoice, StartPlan, folder, kept, of_service, value_of, watched};
use super::port::{OwnPort, PortSource, PortWish};
use super::request::{Around, RequestError, StartRequest, usual_policy};
use super::start::Environ;
use super::store::Process;
use super::words::CommandLine;

/// Plans to start `process` again.
///
/// # Errors
///
/// Fails if its record is lost or says nothing to run, if its definition cannot be used or gives it another name, or if its
/// directory or env file is gone.
pub fn plan(process: &Process, request: &StartRequest, around: &Around) -> Result<StartPlan, PlanError> {
    if let Some(why) = process.unknown.clone() {
        return Err(PlanError::Unknown { name: process.name.clone(), why });
    }
    if let Some(why) = process.damage.clone().filter(|_| !process.is_running()) {
        return Err(PlanError::NoRecord { name: process.name.clone(), why });
    }
    let run = &process.meta.run;
    let file = Path::new(&run.service);
    match &run.options {
        Some(options) if file.is_file() => {
            let definition = Definition::read(file, around.variables).map_err(RequestError::from)?;
            as_defined(process, definition, &request.over(given::read(options)), around)
        }
        _ => as_recorded(process, request, around),
    }
}

/// As the definition says now. What belongs to the environment of the process stays that of its own, whatever is active.
fn as_defined(
    process: &Process,
    definition: Definition,
    request: &StartRequest,
    around: &Around,
) -> Result<StartPlan, PlanError> {
    let run = &process.meta.run;
    let own = process.environment();
    let (org, env) = (own.as_ref().and_then(|own| own.org.as_ref()), own.as_ref().map(|own| &own.env));
    let limits = if env == around.env { around.limits } else { run.limits };
    let own = Around { org, env, restart: env.and_then(usual_policy), limits, ..*around };
    let mut plan = of_service(definition, request, &own)?;
    plan.secrets = Some(PathBuf::from(&run.secrets_file)).filter(|path| !path.as_os_str().is_empty());
    plan.secrets_open = plan.secrets.as_deref().map(environment::is_secret_open).transpose()?.unwrap_or(false);
    plan.org.clone_from(&run.org);
    plan.environment.clone_from(&run.environment);
    let mut plan = match instances::number_of(process) {
        Some(number) if !run.group.is_empty() => instances::instance(&plan, number)?,
        _ => StartPlan { instances: 1, group: run.group.clone(), ..plan },
    };
    // A free port that was found once is kept.
    if let (Some(choice), Some(port)) = (&mut plan.port, process.meta.port)
        && matches!(choice.wish, PortWish::From(first) if port >= first)
    {
        choice.wish = PortWish::Exactly(port);
    }
    let port = match plan.port.as_ref().map(|choice| choice.wish) {
        Some(PortWish::Exactly(port) | PortWish::From(port)) => Some(port),
        Some(PortWish::Nothing) | None => None,
    };
    let now = plan.base.with_port(port)?;
    if now != process.name {
        let service = Path::new(&run.service).file_stem().unwrap_or_default().to_string_lossy().into_owned();
        return Err(PlanError::Renamed { name: process.name.clone(), now, service });
    }
    plan.base = Base::existing(&process.name);
    Ok(plan)
}

/// As its record says: what did not come from a definition, or whose definition is gone.
fn as_recorded(process: &Process, request: &StartRequest, around: &Around) -> Result<StartPlan, PlanError> {
    let meta = &process.meta;
    let cwd = match &request.cwd {
        Some(cwd) => folder(around.cwd, Some(cwd))?,
        None => folder(&meta.cwd, None)?,
    };
    let env_file = env_file(process, request, &cwd, around)?;
    let port = port(process, request, env_file.as_ref())?;
    let mut set = meta.run.set.clone();
    set.extend(request.pairs());
    let unset = unset(process, request);
    if port.as_ref().is_some_and(|choice| choice.source.is_claim()) || request.port == Some(PortWish::Nothing) {
        set.retain(|(key, _)| key != PORT);
    }
    let variable = |name: &str| value_of(name, &set, env_file.as_ref(), around);
    let tools = Tools { variable: &variable, home: around.paths.home(), cwd: &cwd };
    let program = program_of(meta)?.found_again(&tools);
    let ladder = vec![
        ("--port", request.port.map(|wish| wish.to_string())),
        ("the last start", meta.port.map(|port| port.to_string())),
    ];
    let secrets = Some(PathBuf::from(&meta.run.secrets_file)).filter(|path| !path.as_os_str().is_empty());
    let secrets_open = secrets.as_deref().map(environment::is_secret_open).transpose()?.unwrap_or(false);
    let kept = watched(kept(&request.keep, None, kept_before(&meta.run))?, &cwd)?;
    Ok(StartPlan {
        base: request.base()?.unwrap_or_else(|| Base::existing(&process.name)),
        own_port: OwnPort::of(&program.argv, &detect(&program.argv)),
        program,
        port,
        unset,
        ladder,
        env_file,
        secrets,
        secrets_open,
        opened: Vec::new(),
        set,
        cwd,
        pre_hook: request.pre_hook.clone().unwrap_or_else(|| meta.prehook.clone()),
        service: Some(PathBuf::from(&meta.run.service)).filter(|path| !path.as_os_str().is_empty()),
        needs: if request.deps.is_empty() { meta.run.deps.clone() } else { request.deps.clone() },
        stack: request.stack.clone().unwrap_or_else(|| meta.run.stack.clone()),
        options: meta.run.options.clone(),
        environ: Environ::Operator,
        instances: 1,
        group: meta.run.group.clone(),
        org: meta.run.org.clone(),
        environment: meta.run.environment.clone(),
        kept,
        notes: Vec::new(),
    })
}

/// Also from a record of the published format, which says nothing about it.
pub(super) fn kept_before(run: &Run) -> Kept {
    let usual = Kept::default();
    Kept {
        restart: run.restart,
        max_restarts: if run.max_restarts > 0 { run.max_restarts } else { usual.max_restarts },
        kill_timeout: if run.kill_timeout_ms > 0 {
            Duration::from_millis(run.kill_timeout_ms)
        } else {
            usual.kill_timeout
        },
        log_size: if run.log_size > 0 { run.log_size } else { usual.log_size },
        log_keep: if run.log_size > 0 { run.log_keep } else { usual.log_keep },
        care: run.care.clone(),
        limits: run.limits,
        user: run.user.clone(),
        stop_signal: Signal::of(run.stop_signal).unwrap_or(Signal::TERM),
        oneshot: run.oneshot,
        strategy: if run.recreate { Strategy::Recreate } else { Strategy::Rolling },
    }
}

fn env_file(
    process: &Process,
    request: &StartRequest,
    cwd: &Path,
    around: &Around,
) -> Result<Option<EnvFile>, PlanError> {
    let recorded = process.meta.env_file.as_str();
    Ok(match request.env_files().last() {
        Some(environment::NONE) => None,
        Some(name) => Some(environment::named(name, &[cwd, around.cwd])?),
        None if recorded.is_empty() => None,
        None => Some(environment::named(recorded, &[cwd])?),
    })
}

/// What is asked, else what its env file suggests now if that is where it had it from, else what it had.
fn port(
    process: &Process,
    request: &StartRequest,
    env_file: Option<&EnvFile>,
) -> Result<Option<PortChoice>, PlanError> {
    let run = &process.meta.run;
    if let Some(wish) = request.port {
        return Ok(Some(PortChoice { wish, source: PortSource::Flag }).filter(|_| wish != PortWish::Nothing));
    }
    let Some(port) = process.meta.port else { return Ok(None) };
    let recorded = |source| PortChoice { wish: PortWish::Exactly(port), source };
    if !run.port_guessed {
        return Ok(Some(recorded(PortSource::Record)));
    }
    let set = run.set.iter().any(|(key, _)| key == PORT);
    let suggested = env_file.filter(|_| !set).map(port_of_file).transpose()?.flatten();
    Ok(Some(suggested.unwrap_or(recorded(PortSource::Command("the last start")))))
}

/// The variables that it must not have: those of before, but for a port that is asked for.
fn unset(process: &Process, request: &StartRequest) -> Vec<String> {
    match request.port {
        Some(PortWish::Nothing) => vec![PORT.to_owned()],
        Some(_) => Vec::new(),
        None => process.meta.run.unset.clone(),
    }
}

/// The kind that a record names.
fn kind_named(word: &str) -> ProcessType {
    use ProcessType::{Bash, Command, Go, Lua, Node, Python};
    [Python, Node, Bash, Lua, Go].into_iter().find(|kind| kind.word() == word).unwrap_or(Command)
}

/// What to run by a record, also by one that has only the published fields.
fn program_of(meta: &Meta) -> Result<Program, PlanError> {
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
    let (interpreter, word) = (meta.interpreter.clone(), meta.run.word.clone());
    Ok(Program { argv, word, interpreter, kind: kind_named(&meta.process_type) })
}
