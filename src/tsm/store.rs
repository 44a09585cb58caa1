//! The processes there are: one directory each below `tsm/runtime/processes/`.
//!
//! Files are the truth, and nothing here fails because one of them is damaged: a directory whose record cannot be read is still
//! a process, with what can be known about it. Reading takes no lock; records are renamed into place and so always whole.

mod observe;
mod rebuilt;

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::base::environment::EnvRef;
use crate::base::fault::UserFacingError;
use crate::base::name::ProcessName;
use crate::base::time::Timestamp;
use crate::disk;
use crate::supervise::meta::{self, Meta, MetaReadError, MetaSummary, ProcessState, ProcessStatus};
use crate::sys::parallel;
use crate::sys::paths::Paths;

use super::definition;
use super::live_state::{self, LiveState};
use super::sidecar::health::{self, HealthState};
use observe::observe;
use rebuilt::{rebuild, stub};

/// The directory of all processes.
#[derive(Debug, Clone)]
pub struct ProcessStore {
    dir: PathBuf,
}

/// One process in outline.
#[derive(Debug)]
pub(super) struct IndexRow {
    pub(super) name: ProcessName,
    /// None if the record that held it is lost.
    pub(super) id: Option<u32>,
    pub(super) port: Option<u16>,
}

/// One managed process: its record, and what is true.
#[derive(Debug, Clone)]
pub struct Process {
    /// Unique; also the directory's name, which wins over what the record says.
    pub name: ProcessName,
    /// Its directory.
    pub dir: PathBuf,
    /// Its record. Made up of what could be found out if [`record_error`](Self::record_error) says so.
    pub meta: Meta,
    /// What is true now, whatever the record says.
    pub live: LiveState,
    /// Why the record could not be read, in words; none if it could.
    pub record_error: Option<String>,
    /// Why it cannot be said what is true, in words; none if it can.
    pub unknown: Option<String>,
}

/// The directory of the processes cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The directory itself cannot be listed.
    #[error("failed to list the processes in `{}`", path.display())]
    List {
        /// The directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl UserFacingError for StoreError {
    fn advice(&self) -> Option<String> {
        let Self::List { source, .. } = self;
        (source.kind() == io::ErrorKind::PermissionDenied)
            .then(|| "run the command as the user that owns the directory".to_owned())
    }
}

/// The id of a process whose record is lost: no process has it, so it is never found by it.
const NO_ID: u32 = u32::MAX;

impl ProcessStore {
    /// The processes below `$TETRA_DIR`. Touches nothing.
    #[must_use]
    pub fn open(paths: &Paths) -> Self {
        Self { dir: paths.processes() }
    }

    /// All processes by id; those without a known id come last, by name.
    ///
    /// # Errors
    ///
    /// Fails if the directory exists and cannot be listed.
    pub fn all(&self) -> Result<Vec<Process>, StoreError> {
        let names = self.names()?;
        let opened = disk::directory(&self.dir);
        let read = |names: &[ProcessName]| {
            let mut processes = Vec::with_capacity(names.len());
            let process = |name: &ProcessName| match &opened {
                Ok(directory) => read_process(
                    name,
                    self.dir.join(name.as_str()),
                    DirHandle { dir_fd: Some(directory.as_fd()), dir: Path::new(name.as_str()) },
                ),
                Err(_) => self.get(name),
            };
            processes.extend(names.iter().filter_map(process));
            processes
        };
        let mut processes = parallel::collect(&names, read);
        // Each is moved once: they are large.
        processes.sort_by_cached_key(|process| (process.meta.tsm_id, process.name.clone()));
        Ok(processes)
    }

    /// The process of this name, if there is one.
    #[must_use]
    pub fn get(&self, name: &ProcessName) -> Option<Process> {
        read_one(name, self.dir.join(name.as_str()))
    }

    /// What a roster has of each process.
    ///
    /// # Errors
    ///
    /// Fails if the directory exists and cannot be listed.
    pub(super) fn rows(&self) -> Result<Vec<IndexRow>, StoreError> {
        let names = self.names()?;
        let opened = disk::directory(&self.dir).ok();
        let row = |name: ProcessName| {
            let outline =
                opened.as_ref().map(|directory| meta::read_summary(directory.as_fd(), Path::new(name.as_str())));
            if let Some(Ok(Some(MetaSummary { tsm_id, port }))) = outline {
                return Some(IndexRow { name, id: Some(tsm_id), port });
            }
            let process = self.get(&name)?;
            Some(IndexRow { id: process.id(), port: process.meta.port, name })
        };
        Ok(names.into_iter().filter_map(row).collect())
    }

    /// The names of all processes in no order, without looking into their directories. Strangers in the directory are left out.
    ///
    /// # Errors
    ///
    /// Fails if the directory exists and cannot be listed.
    pub fn names(&self) -> Result<Vec<ProcessName>, StoreError> {
        let entries = match fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(StoreError::List { path: self.dir.clone(), source }),
        };
        let list = |source| StoreError::List { path: self.dir.clone(), source };
        let mut names = Vec::new();
        for entry in entries {
            // A list that breaks off would be taken for the whole.
            let entry = entry.map_err(list)?;
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                names.extend(entry.file_name().to_str().and_then(|name| name.parse().ok()));
            }
        }
        Ok(names)
    }
}

impl Process {
    /// The process `name` whose directory is `dir`, wherever that is; none if there is none.
    pub(super) fn at(name: &ProcessName, dir: &Path) -> Option<Self> {
        read_one(name, dir.to_owned())
    }

    /// What is known about its health; none if no check is set, or if it does not run.
    #[must_use]
    pub fn health(&self) -> Option<HealthState> {
        if self.is_running() { health::for_run(&self.dir, &self.meta) } else { None }
    }

    /// Reads it again. If its directory is gone it stays as it was.
    pub fn refresh(&mut self) {
        if let Some(now) = read_one(&self.name, self.dir.clone()) {
            *self = now;
        }
    }

    /// The number an operator types; none if the record that held it is lost.
    #[must_use]
    pub fn id(&self) -> Option<u32> {
        (self.meta.tsm_id != NO_ID).then_some(self.meta.tsm_id)
    }

    /// The three-valued status that is true now.
    #[must_use]
    pub fn status(&self) -> ProcessStatus {
        self.live.state.status()
    }

    /// True unless it was stopped by an operator or ended by itself with success.
    #[must_use]
    pub fn is_not_cleanly_stopped(&self) -> bool {
        self.status() != ProcessStatus::Stopped || self.live.state == ProcessState::Scheduled
    }

    /// A child runs, is about to, or is being stopped.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.status() == ProcessStatus::Online
    }

    /// True if it ended by itself and its supervisor starts it again at its hour.
    #[must_use]
    pub fn is_scheduled(&self) -> bool {
        self.live.state == ProcessState::Scheduled
    }

    /// The child's pid, if one lives.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        (self.live.alive && self.meta.pid != 0).then_some(self.meta.pid)
    }

    /// How long the child has lived, if one lives.
    #[must_use]
    pub fn uptime(&self, now: Timestamp) -> Option<Duration> {
        self.pid()?;
        let started = if self.meta.run_state.started_ms > 0 {
            self.meta.run_state.started_ms
        } else {
            self.meta.start_time * 1000
        };
        Some(now.since(Timestamp(started)))
    }

    /// The environment that it was started in.
    #[must_use]
    pub fn environment(&self) -> Option<EnvRef> {
        let run = &self.meta.run;
        // Older records name the organization only by its secrets: `org/ORG/secrets/ENV.env`.
        let dir = || Path::new(&run.secrets_file).parent()?.parent()?.file_name()?.to_str();
        let org = run.org.parse().ok().or_else(|| dir()?.parse().ok());
        Some(EnvRef { org, env: run.environment.parse().ok()? })
    }

    /// Every environment whose guard counts for it: the one that it was started in, the one that its service belongs to, and the
    /// one that its env file is named after.
    #[must_use]
    pub fn environments(&self) -> Vec<EnvRef> {
        let service = Path::new(&self.meta.run.service);
        let of_service = (service.is_file()).then(|| definition::environment_of(service)).flatten();
        let mut all: Vec<EnvRef> = self.environment().into_iter().chain(of_service).collect();
        all.dedup();
        all.extend(self.meta.env_files().iter().filter_map(|file| EnvRef::of_env_file(Path::new(file.path))));
        all
    }

    /// The word for what it was configured by: the name of its env file, else its environment.
    #[must_use]
    pub fn environment_label(&self) -> Option<String> {
        let files = self.meta.env_files();
        let file = files
            .first()
            .and_then(|file| Path::new(file.path).file_name())
            .map(|name| name.to_string_lossy().into_owned());
        let word =
            file.map(|name| name.strip_suffix(".env").map(str::to_owned).filter(|it| !it.is_empty()).unwrap_or(name));
        word.or_else(|| Some(self.meta.run.environment.clone()).filter(|word| !word.is_empty()))
    }

    /// Where its standard output goes.
    #[must_use]
    pub fn out_log(&self) -> PathBuf {
        self.dir.join("current.out")
    }

    /// Where its standard error goes.
    #[must_use]
    pub fn err_log(&self) -> PathBuf {
        self.dir.join("current.err")
    }

    /// The file that holds its pid.
    #[must_use]
    pub fn pid_file(&self) -> PathBuf {
        pid_file(&self.dir, &self.name)
    }
}

/// The way to the directory of a process: a part of it is gone already where many are looked at.
#[derive(Clone, Copy)]
struct DirHandle<'a> {
    /// An open directory above it; none if `dir` is absolute.
    dir_fd: Option<BorrowedFd<'a>>,
    dir: &'a Path,
}

fn read_one(name: &ProcessName, dir: PathBuf) -> Option<Process> {
    read_process(name, dir.clone(), DirHandle { dir_fd: None, dir: &dir })
}

fn read_process(name: &ProcessName, dir: PathBuf, way: DirHandle) -> Option<Process> {
    let (meta, damage) = match read(&dir, way) {
        Ok(meta) => (meta, None),
        Err(_) if is_gone(&dir) => return None,
        Err(RecordFailure::Lost(why)) => (rebuild(name, &dir), Some(why)),
        Err(RecordFailure::Refused(why)) => {
            let meta = stub(name, ProcessState::Unknown);
            let why = format!("failed to read the record: {why}");
            let (damage, unknown) = (Some(why.clone()), Some(why));
            return Some(Process {
                name: name.clone(),
                dir,
                meta,
                live: LiveState::UNKNOWN,
                record_error: damage,
                unknown,
            });
        }
    };
    let (view, unknown) = match observe(&meta, &dir, way) {
        Ok(facts) => (live_state::derive(&meta, facts), None),
        Err(why) => (LiveState::UNKNOWN, Some(why)),
    };
    Some(Process { name: name.clone(), dir, meta, live: view, record_error: damage, unknown })
}

/// True only if it is certain.
fn is_gone(dir: &Path) -> bool {
    match fs::metadata(dir) {
        Ok(found) => !found.is_dir(),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

/// Why there is no record.
enum RecordFailure {
    /// It is lost.
    Lost(String),
    /// It may be as it should be.
    Refused(io::Error),
}

fn pid_file(dir: &Path, name: &ProcessName) -> PathBuf {
    dir.join(format!("{name}.pid"))
}

fn read(dir: &Path, way: DirHandle) -> Result<Meta, RecordFailure> {
    let lost = |why: String| meta::read_backup(dir).ok_or(RecordFailure::Lost(why));
    let found = match way.dir_fd {
        Some(directory) => meta::read_in(directory, way.dir),
        None => meta::read(way.dir),
    };
    let mut meta = match found {
        Ok(Some(meta)) => meta,
        Ok(None) => lost("no record".to_owned())?,
        Err(MetaReadError::Invalid { source, .. }) => lost(format!("the record is damaged: {source}"))?,
        Err(MetaReadError::Unreadable { source, .. }) => return Err(RecordFailure::Refused(source)),
    };
    if meta.version == 0 {
        // The published format has no finer state.
        meta.state = match meta.status {
            ProcessStatus::Online => ProcessState::Online,
            ProcessStatus::Stopped => ProcessState::Stopped,
            ProcessStatus::Crashed => ProcessState::Crashed,
            ProcessStatus::Unknown => ProcessState::Unknown,
        };
    }
    Ok(meta)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::process;

    fn store() -> (tempfile::TempDir, ProcessStore) {
        let dir = tempfile::tempdir().expect("a directory");
        let store = ProcessStore::open(&Paths::under(dir.path()));
        fs::create_dir_all(&store.dir).expect("the processes directory");
        (dir, store)
    }

    fn put(store: &ProcessStore, name: &str, record: &str) {
        let dir = store.dir.join(name);
        fs::create_dir_all(&dir).expect("a process directory");
        fs::write(meta::path(&dir), record).expect("a record");
    }

    fn record(id: u32, name: &str) -> String {
        format!(
            r#"{{"tsm_id":{id},"name":"{name}","pid":0,"command":"sleep 9","port":"none","cwd":"/","status":"stopped"}}"#
        )
    }

    #[test]
    fn without_a_directory_there_are_no_processes() {
        let dir = tempfile::tempdir().expect("a directory");
        let store = ProcessStore::open(&Paths::under(dir.path()));
        assert!(store.all().expect("an empty list").is_empty());
        assert!(!dir.path().join("tetra").exists(), "looking makes nothing");
    }

    #[test]
    fn all_are_sorted_by_id() {
        let (_directory, store) = store();
        for (id, name) in [(10, "ten"), (2, "two"), (0, "zero")] {
            put(&store, name, &record(id, name));
        }
        let ids: Vec<_> = store.all().expect("a list").iter().map(Process::id).collect();
        assert_eq!(ids, [Some(0), Some(2), Some(10)]);
    }

    #[test]
    fn many_are_read_at_once_and_none_is_lost() {
        let (_directory, store) = store();
        let many = 207;
        for id in 0..many {
            put(&store, &format!("p-{id}"), &record(id, &format!("p-{id}")));
        }
        let ids: Vec<_> = store.all().expect("a list").iter().filter_map(Process::id).collect();
        assert_eq!(ids, (0..many).collect::<Vec<_>>());
    }

    #[test]
    fn a_damaged_record_is_still_a_process_and_strangers_are_not() {
        let (_directory, store) = store();
        put(&store, "whole", &record(0, "whole"));
        put(&store, "empty", "");
        put(&store, "garbage", "\u{0}\u{1}{{{");
        fs::create_dir(store.dir.join("bare")).expect("a directory");
        fs::create_dir(store.dir.join(".hidden")).expect("a directory");
        fs::create_dir(store.dir.join("no name")).expect("a directory");
        fs::write(store.dir.join("file"), "x").expect("a file");
        let all = store.all().expect("a list");
        let seen: Vec<_> =
            all.iter().map(|process| (process.name.as_str(), process.id(), process.record_error.is_some())).collect();
        assert_eq!(
            seen,
            [("whole", Some(0), false), ("bare", None, true), ("empty", None, true), ("garbage", None, true)]
        );
        assert!(all.iter().skip(1).all(|process| process.status() == ProcessStatus::Crashed));
    }

    #[test]
    fn a_record_of_the_published_format_is_read_also_with_numbers_as_strings() {
        let (_directory, store) = store();
        put(
            &store,
            "devpages-http-3000",
            r#"{"tsm_id":"4","name":"devpages-http-3000","pid":"0","command":"python3 -m http.server 3000","port":"3000",
                "cwd":"/tmp","interpreter":"/usr/bin/python3","process_type":"python","env_file":"","prehook":"",
                "start_time":1729234567.5,"status":"online","restarts":0,"unstable_restarts":0,"extra":true}"#,
        );
        let process = store.get(&"devpages-http-3000".parse().expect("a name")).expect("the process");
        assert_eq!((process.id(), process.meta.port, process.status()), (Some(4), Some(3000), ProcessStatus::Crashed));
        assert_eq!(process.record_error, None);
    }

    #[test]
    fn a_stranger_with_the_recorded_pid_is_not_the_process() {
        let (_directory, store) = store();
        let me = process::stat(process::own_pid()).expect("this process");
        let record = |ticks: u64| {
            format!(
                r#"{{"tsm_id":1,"name":"api","pid":{},"command":"x","cwd":"/","state":"online","status":"online",
                    "life":{{"boot_id":"{}","start_ticks":{ticks}}}}}"#,
                me.pid,
                process::boot_id()
            )
        };
        put(&store, "api", &record(me.start_ticks + 1));
        let name = "api".parse().expect("a name");
        assert_eq!(store.get(&name).expect("it").live.state, ProcessState::Crashed);
        put(&store, "api", &record(me.start_ticks));
        let same = store.get(&name).expect("it");
        assert_eq!(
            (same.live.state, same.live.needs_supervisor(), same.pid()),
            (ProcessState::Online, true, Some(me.pid))
        );
    }
}
