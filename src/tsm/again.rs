//! The plan for a process that there is: its record says what to run, flags override it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::base::signal::Signal;
use crate::supervise::meta::Run;

use super::detect::detect;
use super::environment::{self, EnvFile};
use super::interpreter::Tools;
use super::keep::Strategy;
use super::name::Base;
use super::plan::ladder::{PORT, port_of_file};
use super::plan::{Kept, PlanError, PortChoice, StartPlan, folder, kept, program_of, value_of, watched};
use super::port::{OwnPort, PortSource, PortWish};
use super::request::{Around, StartRequest};
use super::store::Process;

/// Plans to start `process` again.
///
/// # Errors
///
/// Fails if its record is lost or says nothing to run, or if its folder or env file is gone.
pub fn plan(process: &Process, request: &StartRequest, around: &Around) -> Result<StartPlan, PlanError> {
    let meta = &process.meta;
    if let Some(why) = process.unknown.clone() {
        return Err(PlanError::Unknown { name: process.name.clone(), why });
    }
    if let Some(why) = process.damage.clone().filter(|_| !process.is_running()) {
        return Err(PlanError::NoRecord { name: process.name.clone(), why });
    }
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
        needs: Vec::new(),
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
