//! The plan for a process that there is: its record says what to run, flags override it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::supervise::meta::Run;

use super::environment::{self, EnvFile};
use super::name::Base;
use super::plan::{Kept, PlanError, PortChoice, StartPlan, folder, kept, program_of, watched};
use super::port::{PortSource, PortWish};
use super::request::{Around, StartRequest};
use super::store::Process;

/// Plans to start `process` again.
///
/// # Errors
///
/// Fails if its record is lost or says nothing to run, or if its folder or env file is gone.
pub fn plan(process: &Process, request: &StartRequest, around: &Around) -> Result<StartPlan, PlanError> {
    let meta = &process.meta;
    if let Some(why) = process.damage.clone().filter(|_| !process.is_running()) {
        return Err(PlanError::NoRecord { name: process.name.clone(), why });
    }
    let cwd = match &request.cwd {
        Some(cwd) => folder(around.cwd, Some(cwd))?,
        None => folder(&meta.cwd, None)?,
    };
    let env_file = env_file(process, request, &cwd, around)?;
    let port = port(process, request);
    let mut set = meta.run.set.clone();
    set.extend(request.pairs());
    if port.as_ref().is_some_and(|choice| choice.source.is_explicit()) {
        set.retain(|(key, _)| key != "PORT");
    }
    let ladder = vec![
        ("--port", request.port.map(|wish| wish.to_string())),
        ("the last start", meta.port.map(|port| port.to_string())),
    ];
    let secrets = Some(PathBuf::from(&meta.run.secrets_file)).filter(|path| !path.as_os_str().is_empty());
    let secrets_open = secrets.as_deref().map(environment::is_secret_open).transpose()?.unwrap_or(false);
    let kept = watched(kept(&request.keep, None, kept_before(&meta.run))?, &cwd)?;
    Ok(StartPlan {
        base: request.base()?.unwrap_or_else(|| Base::existing(&process.name)),
        program: program_of(meta)?,
        port,
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

fn port(process: &Process, request: &StartRequest) -> Option<PortChoice> {
    let asked = request.port.map(|wish| PortChoice { wish, source: PortSource::Flag });
    let source = if process.meta.run.port_guessed { PortSource::Command("the last start") } else { PortSource::Record };
    let recorded = process.meta.port.map(|port| PortChoice { wish: PortWish::Exactly(port), source });
    asked.or(recorded)
}
