//! The processes there are, read only as far as a start needs it: who has which id and port, and more of the few that matter.
//!
//! To read a whole record and to find out whether its process lives costs several times as much, and every start would pay it for
//! every process. What is asked for by name is looked at when it is asked for.

use std::borrow::Cow;
use std::cell::OnceCell;

use crate::base::name::ProcessName;
use crate::sys::net;

use super::conflict::{self, Conflict};
use super::store::{IndexRow, Process, ProcessStore, StoreError};

/// All processes in outline, at one moment. True for as long as its owner holds the lock of ids and names.
#[derive(Debug)]
pub struct ProcessIndex {
    store: ProcessStore,
    rows: Vec<IndexRow>,
    processes: OnceCell<Vec<Process>>,
}

/// The processes there are, as far as a plan has to know them.
pub trait ExistingProcesses {
    /// The process of this name.
    fn named(&self, name: &ProcessName) -> Option<Cow<'_, Process>>;

    /// The ids of all, in no order.
    fn ids(&self) -> Vec<u32>;
}

impl<T: AsRef<[Process]> + ?Sized> ExistingProcesses for T {
    fn named(&self, name: &ProcessName) -> Option<Cow<'_, Process>> {
        self.as_ref().iter().find(|process| process.name == *name).map(Cow::Borrowed)
    }

    fn ids(&self) -> Vec<u32> {
        self.as_ref().iter().filter_map(Process::id).collect()
    }
}

impl ProcessIndex {
    /// Reads it.
    ///
    /// # Errors
    ///
    /// Fails if the directory of the processes exists and cannot be listed.
    pub fn read(store: ProcessStore) -> Result<Self, StoreError> {
        let rows = store.rows()?;
        Ok(Self { store, rows, processes: OnceCell::new() })
    }

    /// Takes notice of a process that was made, or made anew, since.
    pub(super) fn insert(&mut self, name: &ProcessName, id: u32, port: Option<u16>) {
        self.rows.retain(|row| row.name != *name);
        self.rows.push(IndexRow { name: name.clone(), id: Some(id), port });
        self.processes.take();
    }

    /// Whether `port` is in use: a process listens on it, or is managed and has claimed it.
    #[must_use]
    pub fn conflict(&self, port: u16) -> Option<Conflict> {
        if net::listening_on(port).is_empty() {
            let rows = self.rows.iter().filter(|row| row.port == Some(port));
            let claimants: Vec<Process> = rows.filter_map(|row| self.store.get(&row.name)).collect();
            return conflict::claimed(port, &claimants);
        }
        // The owner of a listener is only known after all pids were read.
        let all = self.processes.get_or_init(|| self.rows.iter().filter_map(|row| self.store.get(&row.name)).collect());
        conflict::find(port, all)
    }
}

impl ExistingProcesses for ProcessIndex {
    fn named(&self, name: &ProcessName) -> Option<Cow<'_, Process>> {
        let listed = self.rows.iter().any(|row| row.name == *name);
        listed.then(|| self.store.get(name)).flatten().map(Cow::Owned)
    }

    fn ids(&self) -> Vec<u32> {
        self.rows.iter().filter_map(|row| row.id).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::net::TcpListener;

    use super::super::allocate::lowest_free;
    use super::*;
    use crate::supervise::meta;
    use crate::sys::paths::Paths;

    fn put(paths: &Paths, name: &str, record: &str) {
        let dir = paths.processes().join(name);
        fs::create_dir_all(&dir).expect("a directory");
        fs::write(meta::path(&dir), record).expect("a record");
    }

    fn record(id: u32, port: u16, status: &str) -> String {
        let pid = std::process::id();
        format!(
            r#"{{"tsm_id":{id},"name":"x","pid":{pid},"command":"x","port":"{port}","cwd":"/","status":"{status}"}}"#
        )
    }

    #[test]
    fn knows_ids_and_ports_of_all_and_the_rest_of_those_asked_for() {
        let dir = tempfile::tempdir().expect("a directory");
        let paths = Paths::under(dir.path());
        assert_eq!(lowest_free(&ProcessIndex::read(ProcessStore::open(&paths)).expect("none")), 0);
        put(&paths, "web", &record(0, 4100, "stopped"));
        put(&paths, "api", &record(2, 4200, "stopped"));
        put(&paths, "lost", "{");
        let mut index = ProcessIndex::read(ProcessStore::open(&paths)).expect("a roster");
        assert_eq!(lowest_free(&index), 1);
        let named = |roster: &ProcessIndex, name: &str| {
            roster.named(&name.parse().expect("a name")).map(|process| (process.id(), process.record_error.is_some()))
        };
        assert_eq!(named(&index, "api"), Some((Some(2), false)));
        assert_eq!(named(&index, "lost"), Some((None, true)));
        assert_eq!(named(&index, "other"), None);
        assert_eq!(index.conflict(4100), None, "a stopped process claims nothing");
        put(&paths, "other", &record(1, 4300, "stopped"));
        assert_eq!(named(&index, "other"), None, "the roster is of one moment");
        index.insert(&"other".parse().expect("a name"), 1, Some(4300));
        assert_eq!((named(&index, "other"), lowest_free(&index)), (Some((Some(1), false)), 3));
    }

    #[test]
    fn the_owner_of_a_listener_is_the_same_as_with_all_processes_read() {
        let dir = tempfile::tempdir().expect("a directory");
        let paths = Paths::under(dir.path());
        put(&paths, "web", &record(0, 4100, "online"));
        let socket = TcpListener::bind("127.0.0.1:0").expect("a socket");
        let port = socket.local_addr().expect("its address").port();
        let index = ProcessIndex::read(ProcessStore::open(&paths)).expect("a roster");
        let found = index.conflict(port);
        assert_eq!(found, conflict::find(port, &ProcessStore::open(&paths).all().expect("all")));
        assert!(found.is_some());
        drop(socket);
        assert_eq!(index.conflict(port), None);
    }
}
