//! The processes there are: one folder each below `tsm/runtime/processes/`.
//!
//! Files are the truth, and nothing here fails because one of them is damaged: a folder whose record cannot be read is still
//! a process, with what can be known about it. Reading takes no lock; records are renamed into place and so always whole.

mod facts;
mod rebuilt;

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use crate::base::environment::EnvRef;
use crate::base::fault::Advise;
use crate::base::name::ProcessName;
use crate::base::time::Timestamp;
use crate::disk;
use crate::supervise::meta::{self, Meta, Outline, ReadError, State, Status};
use crate::sys::paths::Paths;
use crate::sys::process;

use super::attend::health::{self, Health};
use super::definition;
use super::roster::Row;
use super::view::{self, View};
use facts::facts;
use rebuilt::{rebuild, stub};

/// The folder of all processes.
#[derive(Debug, Clone)]
pub struct Store {
    folder: PathBuf,
}

/// One managed process: its record, and what is true.
#[derive(Debug, Clone)]
pub struct Process {
    /// Unique; also the folder's name, which wins over what the record says.
    pub name: ProcessName,
    /// Its folder.
    pub dir: PathBuf,
    /// Its record. Made up of what could be found out if [`damage`](Self::damage) says so.
    pub meta: Meta,
    /// What is true now, whatever the record says.
    pub view: View,
    /// Why the record could not be read, in words; none if it could.
    pub damage: Option<String>,
    /// Why it cannot be said what is true, in words; none if it can.
    pub unknown: Option<String>,
}

/// The folder of the processes cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The folder itself cannot be listed.
    #[error("failed to list the processes in `{}`", path.display())]
    List {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl Advise for StoreError {
    fn advice(&self) -> Option<String> {
        let Self::List { source, .. } = self;
        (source.kind() == io::ErrorKind::PermissionDenied).then(|| "run as the user that owns the folder".to_owned())
    }
}

/// The id of a process whose record is lost: no process has it, so it is never found by it.
const NO_ID: u32 = u32::MAX;

impl Store {
    /// The processes below `$TETRA_DIR`. Touches nothing.
    #[must_use]
    pub fn open(paths: &Paths) -> Self {
        Self { folder: paths.processes() }
    }

    /// All processes by id; those without a known id come last, by name.
    ///
    /// # Errors
    ///
    /// Fails if the folder exists and cannot be listed.
    pub fn all(&self) -> Result<Vec<Process>, StoreError> {
        let names = self.names()?;
        let opened = disk::directory(&self.folder);
        let read = |names: &[ProcessName]| {
            let mut processes = Vec::with_capacity(names.len());
            let process = |name: &ProcessName| match &opened {
                Ok(folder) => look(
                    name,
                    self.folder.join(name.as_str()),
                    Way { folder: Some(folder.as_fd()), dir: Path::new(name.as_str()) },
                ),
                Err(_) => self.get(name),
            };
            processes.extend(names.iter().filter_map(process));
            processes
        };
        let mut processes = if names.len() < MANY { read(&names) } else { at_once(&names, read) };
        // Each is moved once: they are large.
        processes.sort_by_cached_key(|process| (process.meta.tsm_id, process.name.clone()));
        Ok(processes)
    }

    /// The process of this name, if there is one.
    #[must_use]
    pub fn get(&self, name: &ProcessName) -> Option<Process> {
        look_alone(name, self.folder.join(name.as_str()))
    }

    /// What a roster has of each process.
    ///
    /// # Errors
    ///
    /// Fails if the folder exists and cannot be listed.
    pub(super) fn rows(&self) -> Result<Vec<Row>, StoreError> {
        let names = self.names()?;
        let opened = disk::directory(&self.folder).ok();
        let row = |name: ProcessName| {
            let outline = opened.as_ref().map(|folder| meta::outline(folder.as_fd(), Path::new(name.as_str())));
            if let Some(Ok(Some(Outline { tsm_id, port }))) = outline {
                return Some(Row { name, id: Some(tsm_id), port });
            }
            let process = self.get(&name)?;
            Some(Row { id: process.id(), port: process.meta.port, name })
        };
        Ok(names.into_iter().filter_map(row).collect())
    }

    /// The names of all processes in no order, without looking into their folders. Strangers in the folder are left out.
    ///
    /// # Errors
    ///
    /// Fails if the folder exists and cannot be listed.
    pub fn names(&self) -> Result<Vec<ProcessName>, StoreError> {
        let entries = match fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(StoreError::List { path: self.folder.clone(), source }),
        };
        let list = |source| StoreError::List { path: self.folder.clone(), source };
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

/// From so many processes on it pays to read on several processors.
const MANY: usize = 100;

/// More threads than this wait for each other in the file system.
const MOST_THREADS: usize = 4;

fn at_once(names: &[ProcessName], read: impl Fn(&[ProcessName]) -> Vec<Process> + Sync) -> Vec<Process> {
    let threads = thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
    let (read, share) = (&read, names.len().div_ceil(threads));
    let here = process::processor();
    let beside = &|names| {
        process::work_beside(here);
        read(names)
    };
    thread::scope(|scope| {
        let others = names.chunks(share).skip(1);
        let others: Vec<_> =
            others.map(|names| (names, thread::Builder::new().spawn_scoped(scope, move || beside(names)))).collect();
        let mut processes = read(&names[..share.min(names.len())]);
        for (names, other) in others {
            // Who may not have another thread reads one after the other.
            processes.extend(other.map_or_else(|_| read(names), |other| other.join().expect("reading does not panic")));
        }
        processes
    })
}

impl Process {
    /// The process `name` whose directory stands at `dir`, wherever that is; none if there is none.
    pub(super) fn at(name: &ProcessName, dir: &Path) -> Option<Self> {
        look_alone(name, dir.to_owned())
    }

    /// What is known about its health; none if nobody asked for it, or if it does not run.
    #[must_use]
    pub fn health(&self) -> Option<Health> {
        if self.is_running() { health::of_life(&self.dir, &self.meta) } else { None }
    }

    /// Reads it again. If its folder is gone it stays as it was.
    pub fn look_again(&mut self) {
        if let Some(now) = look_alone(&self.name, self.dir.clone()) {
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
    pub fn status(&self) -> Status {
        self.view.state.status()
    }

    /// True unless it was stopped by an operator or ended by itself with success.
    #[must_use]
    pub fn is_not_cleanly_stopped(&self) -> bool {
        self.status() != Status::Stopped || self.view.state == State::Scheduled
    }

    /// A child runs, is about to, or is being stopped.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.status() == Status::Online
    }

    /// The child's pid, if one lives.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        (self.view.alive && self.meta.pid != 0).then_some(self.meta.pid)
    }

    /// How long the child has lived, if one lives.
    #[must_use]
    pub fn uptime(&self, now: Timestamp) -> Option<Duration> {
        self.pid()?;
        let started =
            if self.meta.life.started_ms > 0 { self.meta.life.started_ms } else { self.meta.start_time * 1000 };
        Some(now.since(Timestamp(started)))
    }

    /// The environment that it was started in.
    #[must_use]
    pub fn environment(&self) -> Option<EnvRef> {
        let run = &self.meta.run;
        // Older records name the organization only by its secrets: `org/ORG/secrets/ENV.env`.
        let folder = || Path::new(&run.secrets_file).parent()?.parent()?.file_name()?.to_str();
        let org = run.org.parse().ok().or_else(|| folder()?.parse().ok());
        Some(EnvRef { org, env: run.environment.parse().ok()? })
    }

    /// Every environment whose guard counts for it: the one that it was started in, and the one that its service belongs to.
    #[must_use]
    pub fn environments(&self) -> Vec<EnvRef> {
        let service = Path::new(&self.meta.run.service);
        let of_service = (service.is_file()).then(|| definition::environment_of(service)).flatten();
        let mut all: Vec<EnvRef> = self.environment().into_iter().chain(of_service).collect();
        all.dedup();
        all
    }

    /// The word for what it was configured by: the name of its env file, else its environment.
    #[must_use]
    pub fn environment_word(&self) -> Option<String> {
        let file = Path::new(&self.meta.env_file).file_name().map(|name| name.to_string_lossy().into_owned());
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

/// The way to the folder of a process: a part of it is gone already where many are looked at.
#[derive(Clone, Copy)]
struct Way<'a> {
    /// An open folder above it; none if `dir` is absolute.
    folder: Option<BorrowedFd<'a>>,
    dir: &'a Path,
}

fn look_alone(name: &ProcessName, dir: PathBuf) -> Option<Process> {
    look(name, dir.clone(), Way { folder: None, dir: &dir })
}

fn look(name: &ProcessName, dir: PathBuf, way: Way) -> Option<Process> {
    let (meta, damage) = match read(&dir, way) {
        Ok(meta) => (meta, None),
        Err(_) if is_gone(&dir) => return None,
        Err(Unread::Lost(why)) => (rebuild(name, &dir), Some(why)),
        Err(Unread::Refused(why)) => {
            let meta = stub(name, State::Unknown);
            let why = format!("the record cannot be read: {why}");
            let (damage, unknown) = (Some(why.clone()), Some(why));
            return Some(Process { name: name.clone(), dir, meta, view: View::UNKNOWN, damage, unknown });
        }
    };
    let (view, unknown) = match facts(&meta, &dir, way) {
        Ok(facts) => (view::derive(&meta, facts), None),
        Err(why) => (View::UNKNOWN, Some(why)),
    };
    Some(Process { name: name.clone(), dir, meta, view, damage, unknown })
}

/// True only if it is certain.
fn is_gone(dir: &Path) -> bool {
    match fs::metadata(dir) {
        Ok(found) => !found.is_dir(),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

/// Why there is no record.
enum Unread {
    /// It is lost.
    Lost(String),
    /// It may be as it should be.
    Refused(io::Error),
}

fn pid_file(dir: &Path, name: &ProcessName) -> PathBuf {
    dir.join(format!("{name}.pid"))
}

fn read(dir: &Path, way: Way) -> Result<Meta, Unread> {
    let lost = |why: String| meta::earlier(dir).ok_or(Unread::Lost(why));
    let found = match way.folder {
        Some(folder) => meta::read_in(folder, way.dir),
        None => meta::read(way.dir),
    };
    let mut meta = match found {
        Ok(Some(meta)) => meta,
        Ok(None) => lost("there is no record".to_owned())?,
        Err(ReadError::Garbage { source, .. }) => lost(format!("the record is damaged: {source}"))?,
        Err(ReadError::Unreadable { source, .. }) => return Err(Unread::Refused(source)),
    };
    if meta.version == 0 {
        // The published format has no finer state.
        meta.state = match meta.status {
            Status::Online => State::Online,
            Status::Stopped => State::Stopped,
            Status::Crashed => State::Crashed,
            Status::Unknown => State::Unknown,
        };
    }
    Ok(meta)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(&Paths::under(folder.path()));
        fs::create_dir_all(&store.folder).expect("the processes folder");
        (folder, store)
    }

    fn put(store: &Store, name: &str, record: &str) {
        let dir = store.folder.join(name);
        fs::create_dir_all(&dir).expect("a process folder");
        fs::write(meta::path(&dir), record).expect("a record");
    }

    fn record(id: u32, name: &str) -> String {
        format!(
            r#"{{"tsm_id":{id},"name":"{name}","pid":0,"command":"sleep 9","port":"none","cwd":"/","status":"stopped"}}"#
        )
    }

    #[test]
    fn without_a_folder_there_are_no_processes() {
        let folder = tempfile::tempdir().expect("a folder");
        let store = Store::open(&Paths::under(folder.path()));
        assert!(store.all().expect("an empty list").is_empty());
        assert!(!folder.path().join("tetra").exists(), "looking makes nothing");
    }

    #[test]
    fn all_are_sorted_by_id() {
        let (_folder, store) = store();
        for (id, name) in [(10, "ten"), (2, "two"), (0, "zero")] {
            put(&store, name, &record(id, name));
        }
        let ids: Vec<_> = store.all().expect("a list").iter().map(Process::id).collect();
        assert_eq!(ids, [Some(0), Some(2), Some(10)]);
    }

    #[test]
    fn many_are_read_at_once_and_none_is_lost() {
        let (_folder, store) = store();
        let many = u32::try_from(MANY * 2 + 7).expect("small");
        for id in 0..many {
            put(&store, &format!("p-{id}"), &record(id, &format!("p-{id}")));
        }
        let ids: Vec<_> = store.all().expect("a list").iter().filter_map(Process::id).collect();
        assert_eq!(ids, (0..many).collect::<Vec<_>>());
    }

    #[test]
    fn a_damaged_record_is_still_a_process_and_strangers_are_not() {
        let (_folder, store) = store();
        put(&store, "whole", &record(0, "whole"));
        put(&store, "empty", "");
        put(&store, "garbage", "\u{0}\u{1}{{{");
        fs::create_dir(store.folder.join("bare")).expect("a folder");
        fs::create_dir(store.folder.join(".hidden")).expect("a folder");
        fs::create_dir(store.folder.join("no name")).expect("a folder");
        fs::write(store.folder.join("file"), "x").expect("a file");
        let all = store.all().expect("a list");
        let seen: Vec<_> =
            all.iter().map(|process| (process.name.as_str(), process.id(), process.damage.is_some())).collect();
        assert_eq!(
            seen,
            [("whole", Some(0), false), ("bare", None, true), ("empty", None, true), ("garbage", None, true)]
        );
        assert!(all.iter().skip(1).all(|process| process.status() == Status::Crashed));
    }

    #[test]
    fn a_record_of_the_published_format_is_read_also_with_numbers_as_strings() {
        let (_folder, store) = store();
        put(
            &store,
            "devpages-http-3000",
            r#"{"tsm_id":"4","name":"devpages-http-3000","pid":"0","command":"python3 -m http.server 3000","port":"3000",
                "cwd":"/tmp","interpreter":"/usr/bin/python3","process_type":"python","env_file":"","prehook":"",
                "start_time":1729234567.5,"status":"online","restarts":0,"unstable_restarts":0,"extra":true}"#,
        );
        let process = store.get(&"devpages-http-3000".parse().expect("a name")).expect("the process");
        assert_eq!((process.id(), process.meta.port, process.status()), (Some(4), Some(3000), Status::Crashed));
        assert_eq!(process.damage, None);
    }

    #[test]
    fn a_stranger_with_the_recorded_pid_is_not_the_process() {
        let (_folder, store) = store();
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
        assert_eq!(store.get(&name).expect("it").view.state, State::Crashed);
        put(&store, "api", &record(me.start_ticks));
        let same = store.get(&name).expect("it");
        assert_eq!((same.view.state, same.view.wants_supervisor(), same.pid()), (State::Online, true, Some(me.pid)));
    }
}
