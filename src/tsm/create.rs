//! Making a process: its name, id and port under the lock, its directory, its record. All of it can be undone until it ran.

use std::fs;
use std::io::{self, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::base::fault::{FaultKind, UserFacingError};
use crate::base::name::ProcessName;
use crate::base::time::Timestamp;
use crate::disk;
use crate::supervise::client;
use crate::supervise::meta::{self, Meta, ProcessState, RunSpec, RunState};
use crate::supervise::monitor_spec::MonitorSpec;
use crate::sys::file::{self, FileError};
use crate::sys::host::{Host, READONLY};
use crate::sys::paths::Paths;
use crate::sys::{net, process};

use super::allocate::{Allocation, AllocationError, allocate};
use super::command_line::join;
use super::conflict::Conflict;
use super::control::{ControlError, check_owner};
use super::known_names::{self, KnownNames};
use super::launch::owner;
use super::plan::Environ;
use super::plan::StartPlan;
use super::port::PortSpec;
use super::ports;
use super::process_index::ProcessIndex;
use super::remove::{clear_staging, staging_path};
use super::sidecar::{self, NOTIFY};
use super::store::{Process, ProcessStore, StoreError};

/// A process that is made and not started yet.
#[derive(Debug)]
pub struct Created {
    /// Its full name.
    pub name: ProcessName,
    /// Its id.
    pub id: u32,
    /// Its port.
    pub port: Option<u16>,
    /// Its directory.
    pub dir: PathBuf,
    /// Who has the guessed port.
    pub guessed_port_conflict: Option<Conflict>,
    /// Its record of before, if it is started again.
    pub previous: Option<Meta>,
    /// The port is its own, and not a guess.
    claimed: bool,
    /// The directory was made for this start.
    is_new: bool,
}

/// Why a process could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// There is no name, id or port for it.
    #[error(transparent)]
    Allocation(#[from] AllocationError),
    /// The processes there are cannot be seen.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A file or lock.
    #[error(transparent)]
    File(#[from] FileError),
    /// The supervisor of its last life has not let go.
    #[error("the supervisor of `{name}` is still running")]
    Supervised {
        /// The process.
        name: ProcessName,
    },
    /// Root acts as another user, and would start what is not root's.
    #[error("`{}` belongs to user {owner}; root does not start processes there", home.display())]
    OtherUserHome {
        /// `$TETRA_DIR`.
        home: PathBuf,
        /// Whose it is.
        owner: String,
    },
    /// It is another user's.
    #[error(transparent)]
    OtherUser(Box<ControlError>),
    /// One of this name runs whose directory was removed.
    #[error("process '{name}' is still running (pid {pid}), but its directory was removed")]
    Unrecorded {
        /// The process.
        name: ProcessName,
        /// Its oldest process.
        pid: u32,
    },
}

impl UserFacingError for CreateError {
    fn kind(&self) -> FaultKind {
        match self {
            Self::Allocation(error) => error.kind(),
            Self::Store(error) => error.kind(),
            Self::File(error) => error.kind(),
            Self::Supervised { .. } => FaultKind::Locked,
            Self::OtherUserHome { .. } => FaultKind::Refused,
            Self::OtherUser(error) => error.kind(),
            Self::Unrecorded { .. } => FaultKind::Failed,
        }
    }

    fn advice(&self) -> Option<String> {
        match self {
            Self::Allocation(error) => error.advice(),
            Self::Store(error) => error.advice(),
            Self::File(error) => error.advice(),
            Self::Supervised { .. } => Some("try again in a moment".to_owned()),
            Self::OtherUserHome { owner, .. } => Some(format!(
                "run `sudo -u {owner} tsm …` to act as that user, or `sudo -H tsm …` to use the directory of root"
            )),
            Self::OtherUser(error) => error.advice(),
            Self::Unrecorded { name, .. } => Some(format!("run `tsm kill {name}`, then start it again")),
        }
    }
}

/// The starter's variables inside the process directory: `K=V`, each ended by a NUL.
const SNAPSHOT: &str = "environ";

/// The marks of a process that starts another one are not inherited, and neither is what holds for a session of its operator.
const INHERITED_MARKERS: [&str; 4] = ["TSM_RUN", "TSM_PROCESS_DIR", NOTIFY, READONLY];

/// How long the supervisor of the last life may take to let go.
const RELEASE_TIMEOUT: Duration = Duration::from_secs(5);

/// Gives a plan its name, id and port, makes its directory, and writes its record with the state `starting`.
///
/// All of it under one lock, so of two starts of one name only one goes on.
///
/// # Errors
///
/// Fails if name or port are taken, if the name is that of another user's process, if the lock is not free within five seconds, or if a file cannot be written; nothing is
/// left behind then.
pub fn create(plan: &StartPlan, paths: &Paths, host: &dyn Host) -> Result<Created, CreateError> {
    create_all(&[plan], paths, host)?.pop().expect("there is an answer for the one plan")
}

/// The same for several plans, under one lock, with an answer for each in their order.
///
/// # Errors
///
/// Fails for all of them if root acts as another user, if the lock is not free within five seconds, or if the processes there are cannot be seen.
pub fn create_all(
    plans: &[&StartPlan],
    paths: &Paths,
    host: &dyn Host,
) -> Result<Vec<Result<Created, CreateError>>, CreateError> {
    if let Some(owner) = owner::refuses(&paths.daemon_socket()) {
        return Err(CreateError::OtherUserHome { home: paths.home().to_owned(), owner: net::user_name(owner) });
    }
    file::create_dir(&paths.tsm())?;
    file::create_private_dir(&paths.runtime())?;
    file::create_private_dir(&paths.processes())?;
    let _lock = lock(&paths.id_lock())?;
    clear_staging(paths);
    let known = KnownNames::open(paths)?;
    let mut index = ProcessIndex::read(ProcessStore::open(paths))?;
    let mut all = Vec::new();
    for plan in plans {
        let created = create_one(plan, paths, &index, &known, host.now()).and_then(|(created, meta)| {
            known.add(&created.name)?;
            created.write(&meta, plan, host).inspect_err(|_| created.undo(paths))?;
            Ok(created)
        });
        if let Ok(created) = &created {
            index.insert(&created.name, created.id, created.port);
        }
        all.push(created);
    }
    let ports = all.iter().flatten().map(|it| ports::PortChange {
        process: it.name.as_str(),
        from: it.released_port(),
        to: it.claimed_port(),
    });
    if let Err(error) = ports::apply(paths, &ports.collect::<Vec<_>>()) {
        all.iter().flatten().for_each(|created| created.undo(paths));
        return Err(error.into());
    }
    Ok(all)
}

fn create_one(
    plan: &StartPlan,
    paths: &Paths,
    index: &ProcessIndex,
    known: &KnownNames,
    now: Timestamp,
) -> Result<(Created, Meta), CreateError> {
    let allocation = allocate(plan, index, &|port| index.conflict(port))?;
    let dir = paths.process(&allocation.name);
    if !dir.exists()
        && let Some(pid) = known.unrecorded_processes(&allocation.name).first()
    {
        return Err(CreateError::Unrecorded { name: allocation.name, pid: *pid });
    }
    if let Some(process) = &allocation.existing {
        check_owner(process).map_err(|error| CreateError::OtherUser(Box::new(error)))?;
    }
    if allocation.existing.as_ref().is_some_and(|process| process.live.supervised) {
        let timeout = Instant::now() + RELEASE_TIMEOUT;
        client::wait_unsupervised(&dir, timeout)
            .map_err(|_| CreateError::Supervised { name: allocation.name.clone() })?;
    }
    let before = meta::read(&dir).ok().flatten().or_else(|| meta::read_backup(&dir));
    let mut meta = build_meta(plan, &allocation, before.as_ref(), now);
    if meta.run.monitor.notify {
        let socket = sidecar::socket_of(&dir, meta.run.user.is_some()).map_err(failed("name the socket of", &dir))?;
        meta.run.set.push((NOTIFY.to_owned(), socket));
    }
    let created = Created {
        claimed: !meta.run.port_guessed,
        name: allocation.name,
        id: allocation.id,
        port: allocation.port,
        guessed_port_conflict: allocation.guessed_port_conflict,
        is_new: !dir.exists(),
        previous: before,
        dir,
    };
    Ok((created, meta))
}

impl Created {
    fn write(&self, meta: &Meta, plan: &StartPlan, host: &dyn Host) -> Result<(), FileError> {
        // A new directory is complete when it gets its name; a start that is killed before has no effect.
        let dir = if self.is_new { staging_path(&self.dir) } else { self.dir.clone() };
        let filled = write_files(&dir, meta, plan, host).and_then(|()| {
            if dir == self.dir { Ok(()) } else { fs::rename(&dir, &self.dir).map_err(failed("make", &self.dir)) }
        });
        if filled.is_err() && self.is_new {
            let _ = fs::remove_dir_all(&dir);
        }
        filled
    }

    /// Leaves everything as it was before: for a start that failed before its program ran. No supervisor may run for the directory.
    pub fn undo(&self, paths: &Paths) {
        // What cannot be put back is not worth more than the error that led here.
        let back =
            ports::PortChange { process: self.name.as_str(), from: self.claimed_port(), to: self.released_port() };
        let _ = ports::apply(paths, &[back]);
        let _ = match &self.previous {
            _ if self.is_new => fs::remove_dir_all(&self.dir).map(|()| known_names::remove(paths, &self.name)),
            Some(before) => meta::write(&self.dir, before),
            None => meta::remove(&self.dir),
        };
    }

    /// The port that is entered for it at once.
    fn claimed_port(&self) -> Option<u16> {
        self.port.filter(|_| self.claimed)
    }

    /// The port that it had and has no more.
    fn released_port(&self) -> Option<u16> {
        self.previous_port().filter(|before| self.claimed || Some(*before) != self.port)
    }

    fn previous_port(&self) -> Option<u16> {
        self.previous.as_ref().and_then(|meta| meta.port)
    }
}

/// The starter's own, and the secrets that were opened for this start: they are stronger.
type StarterEnvironment<'a> = (&'a dyn Host, &'a [(String, String)]);

fn write_files(dir: &Path, meta: &Meta, plan: &StartPlan, host: &dyn Host) -> Result<(), FileError> {
    file::create_private_dir(dir)?;
    let snapshot = dir.join(SNAPSHOT);
    // Secrets that were opened now are a part of it.
    let kept = plan.environ == Environ::Recorded && plan.unsealed_secrets.is_empty() && snapshot.exists();
    if !kept {
        write_snapshot(&snapshot, (host, &plan.unsealed_secrets)).map_err(failed("write", &snapshot))?;
    }
    meta::write(dir, meta).map_err(failed("write", &meta::path(dir)))
}

/// The lock on ids and names; its file is made if need be and never removed.
fn lock(path: &Path) -> Result<fs::File, FileError> {
    disk::own_file().create(0o600).open(path).map_err(failed("make", path))?;
    file::lock(path)
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FileError {
    move |source| FileError::Io { action, path: path.to_owned(), source }
}

fn write_snapshot(path: &Path, (host, opened): StarterEnvironment) -> io::Result<()> {
    let mut bytes = Vec::new();
    let variables = owner::variables(host.variables());
    let text = variables.iter().filter(|(name, _)| !INHERITED_MARKERS.contains(&name.as_str()));
    let text = text.map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    let raw = host.raw_variables().iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    let opened_too = opened.iter().map(|(name, value)| (name.as_bytes(), value.as_bytes()));
    let stronger = |name: &[u8]| opened.iter().any(|(opened, _)| opened.as_bytes() == name);
    let own = text.chain(raw).filter(|(name, _)| !stronger(name));
    for (name, value) in own.chain(opened_too) {
        bytes.extend([name, b"=", value, b"\0"].concat());
    }
    disk::own_file().create(0o600).truncate().open(path)?.write_all(&bytes)
}

/// What is to be looked after. Files are named from where the process runs.
fn monitor(plan: &StartPlan) -> MonitorSpec {
    let monitor = &plan.settings.monitor;
    let watch = monitor.watch.iter().map(|path| plan.cwd.join(path).display().to_string()).collect();
    MonitorSpec { watch, ..monitor.clone() }
}

/// The record that a process would have if it were started again by this plan, with its port.
#[must_use]
pub(super) fn record(plan: &StartPlan, process: &Process) -> Meta {
    let port = match plan.port.as_ref().map(|choice| choice.spec) {
        Some(PortSpec::Exact(port) | PortSpec::AtLeast(port)) => Some(port),
        Some(PortSpec::None) | None => None,
    };
    let (name, id) = (process.name.clone(), process.meta.tsm_id);
    let allocation = Allocation { name, id, port, existing: None, guessed_port_conflict: None };
    build_meta(plan, &allocation, Some(&process.meta), Timestamp(0))
}

/// The record that the supervisor begins with.
fn build_meta(plan: &StartPlan, allocation: &Allocation, before: Option<&Meta>, now: Timestamp) -> Meta {
    let text = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string()).unwrap_or_default();
    let guessed = plan.port.as_ref().is_some_and(|choice| !choice.source.is_claim());
    let mut set = plan.set.clone();
    set.retain(|(key, _)| key != NOTIFY);
    if let Some(port) = allocation.port.filter(|_| !guessed) {
        set.retain(|(key, _)| key != "PORT");
        set.push(("PORT".to_owned(), port.to_string()));
    }
    Meta {
        tsm_id: allocation.id,
        name: allocation.name.to_string(),
        pid: 0,
        command: join(&plan.program.argv),
        port: allocation.port,
        cwd: plan.cwd.clone(),
        interpreter: plan.program.interpreter.clone(),
        process_type: plan.program.kind.to_string(),
        env_file: plan.strongest_env_file().map(|path| path.display().to_string()).unwrap_or_default(),
        prehook: plan.pre_hook.clone(),
        start_time: before.map_or(0, |before| before.start_time),
        status: ProcessState::Starting.status(),
        // To start what there was before is to start it again.
        restarts: before.map_or(0, |before| before.restarts.saturating_add(1)),
        unstable_restarts: 0,
        version: meta::VERSION,
        state: ProcessState::Starting,
        run: RunSpec {
            argv: plan.program.argv.clone(),
            word: plan.program.word.clone(),
            set,
            unset: plan.unset.clone(),
            secrets_file: text(&plan.secrets),
            org: plan.org.clone(),
            environment: plan.environment.clone(),
            service: text(&plan.service),
            port_guessed: guessed,
            log_patience_ms: before.map_or(RunSpec::default().log_patience_ms, |before| before.run.log_patience_ms),
            write_only_output: before.is_some_and(|before| before.run.write_only_output),
            monitor: monitor(plan),
            group: plan.group.clone(),
            env_files: plan.recorded_env_files(),
            options: plan.options.clone(),
            started_by: process::own_pid(),
            created_ms: before.map_or(now.0, |before| before.run.created_ms),
            ..plan.settings.clone()
        },
        run_state: RunState {
            starter_pid: process::own_pid(),
            previous: before.and_then(Meta::as_previous),
            ..RunState::default()
        },
        last_exit: before.and_then(|before| before.unseen_exit().or_else(|| before.last_exit.clone())),
        unknown: before.map(|before| before.unknown.clone()).unwrap_or_default(),
    }
}
