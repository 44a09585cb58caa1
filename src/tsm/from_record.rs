//! The plan for a process that there is: its definition as it is now and the options of its last start say what to run, or else its
//! record; flags override both.

use std::path::{Path, PathBuf};

use crate::supervise::meta::Meta;

use super::command_line::CommandLine;
use super::definition::Definition;
use super::detect::{ProcessType, detect};
use super::environment::{self, EnvFile};
use super::instances;
use super::interpreter::{ProgramFinder, ResolvedProgram};
use super::name::BaseName;
use super::plan::Environ;
use super::plan::port_precedence::{PORT, port_of_files};
use super::plan::{PlanError, PortChoice, StartPlan, check_watch_paths, of_service, value_of, working_directory};
use super::port::{self, OwnPort, PortSource, PortSpec};
use super::request::{RequestError, StartContext, StartRequest, default_restart};
use super::request_text;
use super::store::Process;

/// Plans to start `process` again.
///
/// # Errors
///
/// Fails if its record is lost or says nothing to run, if its definition cannot be used or gives it another name, or if its
/// directory or env file is gone.
pub fn plan(process: &Process, request: &StartRequest, context: &StartContext) -> Result<StartPlan, PlanError> {
    if let Some(why) = process.unknown.clone() {
        return Err(PlanError::Unknown { name: process.name.clone(), why });
    }
    if let Some(why) = process.record_error.clone().filter(|_| !process.is_running()) {
        return Err(PlanError::NoRecord { name: process.name.clone(), why });
    }
    let run = &process.meta.run;
    let file = Path::new(&run.service);
    match &run.options {
        Some(_) if file.is_file() => {
            let definition = Definition::read(file, context.variables).map_err(RequestError::from)?;
            plan_by(process, definition, request, context)
        }
        _ => from_run(process, request, context),
    }
}

/// The same by a definition that takes the place of its own.
///
/// # Errors
///
/// As [`plan`].
pub fn plan_by(
    process: &Process,
    definition: Definition,
    request: &StartRequest,
    context: &StartContext,
) -> Result<StartPlan, PlanError> {
    match &process.meta.run.options {
        Some(options) => {
            from_definition(process, definition, &request.merge_over(request_text::read(options)), context)
        }
        None => from_run(process, request, context),
    }
}

/// As the definition says now. What belongs to the environment of the process stays that of its own, whatever is active.
fn from_definition(
    process: &Process,
    definition: Definition,
    request: &StartRequest,
    context: &StartContext,
) -> Result<StartPlan, PlanError> {
    let run = &process.meta.run;
    let own = process.environment();
    let (org, env) = (own.as_ref().and_then(|own| own.org.as_ref()), own.as_ref().map(|own| &own.env));
    let limits = if env == context.env { context.limits } else { run.limits };
    let own = StartContext { org, env, restart: env.and_then(default_restart), limits, ..*context };
    let mut plan = of_service(definition, request, &own)?;
    plan.secrets = Some(PathBuf::from(&run.secrets_file)).filter(|path| !path.as_os_str().is_empty());
    plan.secrets_exposed = plan.secrets.as_deref().map(environment::is_secret_exposed).transpose()?.unwrap_or(false);
    plan.org.clone_from(&run.org);
    plan.environment.clone_from(&run.environment);
    plan.notes.extend(another_count(process, plan.instances, context));
    let mut plan = match instances::number_of(process) {
        Some(number) if !run.group.is_empty() => instances::instance(&plan, number)?,
        _ => StartPlan { instances: 1, group: run.group.clone(), ..plan },
    };
    // A free port that was found once is kept.
    if let (Some(choice), Some(port)) = (&mut plan.port, process.meta.port)
        && matches!(choice.spec, PortSpec::AtLeast(first) if port >= first)
    {
        choice.spec = PortSpec::Exact(port);
    }
    let port = match plan.port.as_ref().map(|choice| choice.spec) {
        Some(PortSpec::Exact(port) | PortSpec::AtLeast(port)) => Some(port),
        Some(PortSpec::None) | None => None,
    };
    let now = plan.base.with_port(port)?;
    if now != process.name {
        let service = Path::new(&run.service).file_stem().unwrap_or_default().to_string_lossy().into_owned();
        return Err(PlanError::Renamed { name: process.name.clone(), now, service });
    }
    plan.base = BaseName::existing(&process.name);
    Ok(plan)
}

/// The note that a definition asks for more or fewer instances than there are: each is started anew as the one that it is.
fn another_count(process: &Process, wanted: u32, context: &StartContext) -> Option<String> {
    let name = instances::base(process);
    let there = context.processes.iter().filter(|other| instances::base(other) == name).count().max(1);
    (usize::try_from(wanted) != Ok(there)).then(|| {
        format!(
            "instances of `{name}`: {there}, and its definition says {wanted}: `tsm scale {name} {wanted}` changes that"
        )
    })
}

/// As its record says: what did not come from a definition, or whose definition is gone.
fn from_run(process: &Process, request: &StartRequest, context: &StartContext) -> Result<StartPlan, PlanError> {
    let meta = &process.meta;
    let cwd = match &request.cwd {
        Some(cwd) => working_directory(context.cwd, Some(cwd))?,
        None => working_directory(&meta.cwd, None)?,
    };
    let env_files = env_files(process, request, &cwd, context)?;
    let port = port(process, request, &env_files)?;
    let mut set = meta.run.set.clone();
    set.extend(request.pairs());
    let unset = unset(process, request);
    if port.as_ref().is_some_and(|choice| choice.source.is_claim()) || request.port == Some(PortSpec::None) {
        set.retain(|(key, _)| key != PORT);
    }
    let variable = |name: &str| value_of(name, &set, &env_files, context);
    let tools = ProgramFinder { variable: &variable, home: context.paths.home(), cwd: &cwd };
    let program = program_of(meta)?.resolve_again(&tools);
    let pre_hook = request.pre_hook.clone().unwrap_or_else(|| meta.prehook.clone());
    // A pre-start command may be what makes it.
    if pre_hook.is_empty() {
        program.check_exists(&cwd)?;
    }
    let ladder = vec![
        ("--port", request.port.map(|wish| wish.to_string())),
        ("the last start", meta.port.map(|port| port.to_string())),
    ];
    let secrets = Some(PathBuf::from(&meta.run.secrets_file)).filter(|path| !path.as_os_str().is_empty());
    let secrets_open = secrets.as_deref().map(environment::is_secret_exposed).transpose()?.unwrap_or(false);
    let settings = check_watch_paths(request.options.resolve(None, meta.run.clone())?, &cwd)?;
    Ok(StartPlan {
        base: request.base()?.unwrap_or_else(|| BaseName::existing(&process.name)),
        own_port: OwnPort::of(&CommandLine::of_program(&program.argv), &detect(&program.argv)),
        program,
        port,
        unset,
        port_candidates: ladder,
        env_files,
        secrets,
        secrets_exposed: secrets_open,
        unsealed_secrets: Vec::new(),
        set,
        cwd,
        pre_hook,
        service: Some(PathBuf::from(&meta.run.service)).filter(|path| !path.as_os_str().is_empty()),
        options: meta.run.options.clone(),
        environ: Environ::Operator,
        instances: 1,
        group: meta.run.group.clone(),
        org: meta.run.org.clone(),
        environment: meta.run.environment.clone(),
        settings,
        notes: Vec::new(),
    })
}

fn env_files(
    process: &Process,
    request: &StartRequest,
    cwd: &Path,
    context: &StartContext,
) -> Result<Vec<EnvFile>, PlanError> {
    let found = if request.names_env_files() {
        request.env_files().map(|name| environment::named(name, &[cwd, context.cwd])).collect::<Result<_, _>>()
    } else {
        let recorded = process.meta.env_files();
        recorded.iter().map(|file| environment::named(&file.to_string(), &[cwd])).collect()
    };
    Ok(found?)
}

/// What is asked, else what its command names, else what its env file suggests now if that is where it had it from, else what it had.
fn port(process: &Process, request: &StartRequest, env_files: &[EnvFile]) -> Result<Option<PortChoice>, PlanError> {
    let run = &process.meta.run;
    if let Some(wish) = request.port {
        return Ok(Some(PortChoice { spec: wish, source: PortSource::Flag }).filter(|_| wish != PortSpec::None));
    }
    let Some(port) = process.meta.port else { return Ok(None) };
    let recorded = |source| PortChoice { spec: PortSpec::Exact(port), source };
    if !run.port_guessed {
        return Ok(Some(recorded(PortSource::Record)));
    }
    let set = run.set.iter().any(|(key, _)| key == PORT);
    let names_it = port::guess(&run.argv, &detect(&run.argv)).is_some_and(|(own, _)| own == port);
    let suggested = if set || names_it { None } else { port_of_files(env_files)? };
    Ok(Some(suggested.unwrap_or(recorded(PortSource::Command("the last start")))))
}

/// The variables that it must not have: those of before, but for a port that is asked for.
fn unset(process: &Process, request: &StartRequest) -> Vec<String> {
    match request.port {
        Some(PortSpec::None) => vec![PORT.to_owned()],
        Some(_) => Vec::new(),
        None => process.meta.run.unset.clone(),
    }
}

/// The kind that a record names.
fn parse_kind(word: &str) -> ProcessType {
    use ProcessType::{Bash, Command, Go, Lua, Node, Python};
    [Python, Node, Bash, Lua, Go].into_iter().find(|kind| kind.as_str() == word).unwrap_or(Command)
}

/// What to run by a record, also by one that has only the published fields.
fn program_of(meta: &Meta) -> Result<ResolvedProgram, PlanError> {
    let argv = match meta.run.argv.as_slice() {
        [] => CommandLine::of_text(&meta.command).map_err(RequestError::from)?,
        argv => CommandLine { words: argv.to_vec(), ..CommandLine::default() },
    };
    let argv = match argv.shell {
        Some(text) => vec!["/bin/sh".to_owned(), "-c".to_owned(), text],
        None => argv.words,
    };
    if argv.is_empty() {
        return Err(RequestError::Empty.into());
    }
    let (interpreter, word) = (meta.interpreter.clone(), meta.run.word.clone());
    Ok(ResolvedProgram { argv, word, interpreter, kind: parse_kind(&meta.process_type) })
}
