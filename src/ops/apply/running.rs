//! What an apply does to processes: those that a change concerns are restarted, everything else is left alone.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::released::Released;
use super::{Action, ApplyRequest, ServiceChange, Starts};
use crate::base::environment::EnvRef;
use crate::base::fault::Fault;
use crate::base::name::ProcessName;
use crate::base::time::millis;
use crate::env::secrets::sealed_path;
use crate::supervise::clock::file_clock_tick;
use crate::supervise::environment;
use crate::supervise::meta::{LastExit, ProcessState};
use crate::sys::process;
use crate::tsm::definition::Definition;
use crate::tsm::plan::PlanError;
use crate::tsm::request::StartContext;
use crate::tsm::restart;
use crate::tsm::startup::collect;
use crate::tsm::store::Process;

/// What becomes of the processes of a service.
#[derive(Debug, Default)]
pub struct ServiceRun {
    /// Those that take over a change.
    pub changed: Vec<ProcessChange>,
    /// Instances that are missing are started.
    pub starts: bool,
    /// Why what runs could not be restarted as it is defined now.
    pub obstacle: Option<String>,
}

/// What becomes of a process.
#[derive(Debug)]
pub struct ProcessChange {
    /// As it is.
    pub process: Process,
    /// What is different about it: `memory max`, `LOG_LEVEL`.
    pub what: Vec<String>,
    /// The name that it gets, if that is another: it is stopped, and one of that name is started.
    pub renamed: Option<ProcessName>,
}

impl ProcessChange {
    /// True for one that an order ended: the change starts it again.
    #[must_use]
    pub fn was_stopped(&self) -> bool {
        was_stopped(&self.process)
    }
}

impl ServiceRun {
    /// True if nothing becomes of them.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changed.is_empty() && !self.starts
    }
}

/// Finds out what becomes of the processes of each service. True if something of the environment runs here.
pub(super) fn plan(
    request: &ApplyRequest,
    env: &EnvRef,
    services: &mut [ServiceChange],
    released: Option<&Released>,
) -> Result<bool, Fault> {
    let context = request.context();
    let processes = context.processes()?;
    let start = context.start_context(&processes)?;
    let is_live = processes.iter().any(|it| it.is_running() && it.environments().contains(env));
    for service in services {
        let own: Vec<&Process> =
            processes.iter().filter(|it| collect::is_of(it, service.name.as_str(), request.paths)).collect();
        match (&service.action, &service.definition) {
            (Action::SavedByHand | Action::OtherEnvironment(_), _) => {}
            (_, None) => service.notes.extend(own.iter().filter(|it| it.is_running()).map(|it| goes_on(it))),
            (_, Some(definition)) => {
                let file = request.paths.service(&service.name);
                let parsed = Definition::parse(&definition.to_text(), &file, request.host.variables());
                let Ok(parsed) = parsed else { continue };
                let file = file.canonicalize().unwrap_or(file);
                // It may come with the release, and not be there before the switch.
                let cwd = match released {
                    Some(released) if !parsed.cwd.is_dir() => released.staged(&parsed.cwd),
                    _ => parsed.cwd.clone(),
                };
                let running = own.iter().filter(|it| it.is_running()).count();
                let wanted = definition.instances.unwrap_or(1).max(1) as usize;
                let starts_all = request.starts != Starts::WhereLive;
                let is_wanted = (is_live || starts_all) && service.enabled && definition.autostart != Some(false);
                let starts_stopped = request.starts == Starts::AlsoStopped && is_wanted && running < wanted;
                let concerned: Vec<&Process> =
                    own.iter().copied().filter(|it| is_concerned(it) || starts_stopped && was_stopped(it)).collect();
                let definition = Definition { file, cwd, ..parsed };
                service.run = of_service(&definition, &concerned, &start, request.incoming);
                service.notes.extend(own.iter().filter_map(|it| keeps_waiting(it, &definition, &start)));
                let is_new = own.is_empty() && (service.action == Action::Add || starts_all);
                let is_more = running > 0 && service.action == Action::Change;
                service.run.starts = is_wanted && (is_new || is_more) && running < wanted;
                if is_wanted && !starts_stopped && !own.is_empty() && own.iter().all(|it| was_stopped(it)) {
                    service.notes.push(format!("stopped, and stays so: `tsm start {}` starts it", service.name));
                }
                if running > wanted {
                    let name = &service.name;
                    service
                        .notes
                        .push(format!("{running} instances run: `tsm scale {name} {wanted}` removes the others"));
                }
            }
        }
    }
    Ok(is_live)
}

fn goes_on(process: &Process) -> String {
    format!("{0} still runs: `tsm delete {0}` stops and removes it", process.name)
}

/// What waits for its hour would be run at once if it were restarted.
fn keeps_waiting(process: &Process, definition: &Definition, start: &StartContext) -> Option<String> {
    let is_changed = process.is_scheduled()
        && restart::changes_by(process, definition.clone(), start).is_ok_and(|changes| !changes.is_empty());
    let name = &process.name;
    is_changed.then(|| {
        format!("waits for its hour as it was defined before: `tsm restart {name}` runs it now as it is defined, and from then on")
    })
}

fn of_service(
    definition: &Definition,
    concerned: &[&Process],
    start: &StartContext,
    incoming: &[PathBuf],
) -> ServiceRun {
    let mut run = ServiceRun::default();
    for process in concerned {
        let mut change = ProcessChange { process: (*process).clone(), what: Vec::new(), renamed: None };
        match restart::changes_by(process, definition.clone(), start) {
            Ok(changes) => change.what.extend(changes.into_iter().map(|change| change.what)),
            Err(PlanError::Renamed { now, .. }) => {
                change.what.push("name".to_owned());
                change.renamed = Some(now);
            }
            Err(error) => {
                run.obstacle = Some(error.to_string());
                continue;
            }
        }
        let files = process.meta.env_files();
        let has_changed = |file: &Path| incoming.iter().any(|it| it == file) || has_changed_since(file, process);
        let contents = files.iter().any(|file| has_changed(Path::new(file.path)));
        let secrets = Path::new(&process.meta.run.secrets_file);
        let sealed = sealed_path(secrets);
        let secrets = has_changed(secrets) || !secrets.exists() && has_changed(&sealed);
        for (what, _) in [("env file contents", contents), ("secrets", secrets)].iter().filter(|(_, changed)| *changed)
        {
            if !change.what.iter().any(|known| known == "env file") {
                change.what.push((*what).to_owned());
            }
        }
        if !is_concerned(process) {
            change.what.push("was stopped".to_owned());
        }
        if !change.what.is_empty() {
            run.changed.push(change);
        }
    }
    run
}

/// True for what an order ended, also while it waited to be started again; false for what has done its work.
fn was_stopped(process: &Process) -> bool {
    let has_not_succeeded = |it: &LastExit| it.origin.is_some() || !it.status.is_success();
    process.live.state == ProcessState::Stopped && process.meta.last_exit.as_ref().is_some_and(has_not_succeeded)
}

/// False for what an operator stopped, and for what waits for its hour or has done its work.
fn is_concerned(process: &Process) -> bool {
    let is_broken = matches!(process.live.state, ProcessState::Crashed | ProcessState::Errored | ProcessState::Waiting);
    let is_due = process.is_running() || is_broken || process.live.cut_off;
    process.record_error.is_none() && process.unknown.is_none() && is_due
}

/// True for a file whose contents or rights changed after the process was started.
///
/// The times of files are those of the last tick of the kernel, so one that was written right after the start may be said to be older
/// than it, as one that was written right before it is. Which of both it is, the process itself says by what it was started with.
fn has_changed_since(file: &Path, process: &Process) -> bool {
    let Ok(found) = fs::metadata(file) else { return false };
    let started = process.meta.run_state.started_ms;
    let changed = found.ctime().saturating_mul(1000).saturating_add(found.ctime_nsec() / 1_000_000);
    let changed = u64::try_from(changed).unwrap_or(0);
    if started == 0 || changed > started {
        return started > 0;
    }
    changed.saturating_add(millis(file_clock_tick())) >= started && has_older_variables(process)
}

/// Variables that shells set for what they execute.
const OF_SHELLS: [&[u8]; 4] = [b"_", b"SHLVL", b"PWD", b"OLDPWD"];

/// True for a process that has other variables than it would be started with now, also where that cannot be seen.
fn has_older_variables(process: &Process) -> bool {
    let Some(now) = environment::variables(&process.dir, &process.meta) else { return true };
    let sorted = |variables: Vec<(Vec<u8>, Vec<u8>)>| -> BTreeMap<Vec<u8>, Vec<u8>> {
        variables.into_iter().filter(|(name, _)| !OF_SHELLS.contains(&name.as_slice())).collect()
    };
    let then = process.pid().map(process::variables).unwrap_or_default();
    sorted(then) != sorted(now)
}
