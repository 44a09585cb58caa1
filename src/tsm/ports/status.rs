//! Declared against actual: the registry, the records of processes, and the sockets that there are.

use std::collections::HashMap;

use super::{PortEntry, read};
use crate::base::name::ProcessName;
use crate::base::sort::SortExt;
use crate::sys::file::FileError;
use crate::sys::net::{self, Listener, Protocol, SocketOwner};
use crate::sys::paths::Paths;
use crate::sys::process;
use crate::tsm::store::Process;

/// A port that is declared, and what can be said of it.
#[derive(Debug, Clone)]
pub struct DeclaredPort {
    /// The name, without its port, and the port.
    pub claim: PortEntry,
    /// It is in the registry.
    pub registered: bool,
    /// The process whose record has it.
    pub process: Option<ProcessName>,
    /// The pid of that process, if it runs.
    pub pid: Option<u32>,
    /// The sockets that wait on the port.
    pub listeners: Vec<HeldPort>,
}

/// A waiting socket and who holds it.
#[derive(Debug, Clone)]
pub struct HeldPort {
    /// The socket.
    pub listener: Listener,
    /// Who holds it; none where we may not see it.
    pub owner: Option<SocketOwner>,
    /// The managed process that the owner belongs to.
    pub managed: Option<ProcessName>,
}

/// What the sockets say about a declared port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PortUse {
    /// No process listens there.
    Free,
    /// The process that declares it listens there.
    Own,
    /// Another process listens there.
    Other,
}

/// Everything declared, and what managed processes listen on without having declared it.
#[derive(Debug, Clone, Default)]
pub struct PortStatus {
    /// By name and port.
    pub declared: Vec<DeclaredPort>,
    /// TCP sockets of managed processes whose port is not declared, by port.
    pub undeclared: Vec<HeldPort>,
}

impl DeclaredPort {
    /// Whether a process listens, and whether that is the one that declares it.
    #[must_use]
    pub fn in_use(&self) -> PortUse {
        let own = |held: &HeldPort| held.managed.is_some() && held.managed == self.process;
        match self.tcp().next() {
            None => PortUse::Free,
            Some(_) if self.tcp().any(own) => PortUse::Own,
            Some(_) => PortUse::Other,
        }
    }

    /// The sockets for connections: only they take the port.
    pub fn tcp(&self) -> impl Iterator<Item = &HeldPort> {
        self.listeners.iter().filter(|held| held.listener.protocol == Protocol::Tcp)
    }
}

/// What is declared, by name and port: the registry and the records. Looks at no sockets.
///
/// # Errors
///
/// Fails if the registry is there and cannot be read.
pub fn declared(paths: &Paths, processes: &[Process]) -> Result<Vec<DeclaredPort>, FileError> {
    let mut accounts: Vec<DeclaredPort> = Vec::new();
    for claim in read(paths)? {
        if !accounts.iter().any(|account| account.claim == claim) {
            accounts.push(DeclaredPort { claim, registered: true, process: None, pid: None, listeners: Vec::new() });
        }
    }
    for process in processes {
        let Some(port) = process.meta.port else { continue };
        let claim = PortEntry::of(process.name.as_str(), port);
        let (name, pid) = (Some(process.name.clone()), process.pid());
        match accounts.iter_mut().find(|account| account.claim == claim) {
            Some(account) => (account.process, account.pid) = (name, pid),
            // What was only guessed is not declared.
            None if process.meta.run.port_guessed => {}
            None => accounts.push(DeclaredPort { claim, registered: false, process: name, pid, listeners: Vec::new() }),
        }
    }
    accounts.order_by(|a, b| a.claim.cmp(&b.claim));
    Ok(accounts)
}

/// What is declared, each with the sockets on its port, and what is not declared.
///
/// # Errors
///
/// As [`declared`].
pub fn read_status(paths: &Paths, processes: &[Process]) -> Result<PortStatus, FileError> {
    let mut accounts = declared(paths, processes)?;
    let mut undeclared = Vec::new();
    let held = held(processes);
    let guesses = processes.iter().filter(|process| process.meta.run.port_guessed);
    for (process, port) in guesses.filter_map(|process| Some((process, process.meta.port?))) {
        let claim = PortEntry::of(process.name.as_str(), port);
        let listens = held.iter().any(|it| it.listener.port == port && it.managed.as_ref() == Some(&process.name));
        // A guess that has come true.
        if listens && !accounts.iter().any(|account| account.claim == claim) {
            let (name, pid) = (Some(process.name.clone()), process.pid());
            accounts.push(DeclaredPort { claim, registered: false, process: name, pid, listeners: Vec::new() });
        }
    }
    accounts.order_by(|a, b| a.claim.cmp(&b.claim));
    for held in held {
        let port = held.listener.port;
        let mut known = false;
        for account in accounts.iter_mut().filter(|account| account.claim.port == port) {
            account.listeners.push(held.clone());
            known = true;
        }
        if !known && held.managed.is_some() && held.listener.protocol == Protocol::Tcp {
            undeclared.push(held);
        }
    }
    undeclared.order_by_key(|held| held.listener.port);
    Ok(PortStatus { declared: accounts, undeclared })
}

/// Every waiting socket with who holds it, by port.
#[must_use]
pub fn held(processes: &[Process]) -> Vec<HeldPort> {
    let mut listeners = net::listeners();
    listeners.order_by_key(|it| (it.port, it.protocol, it.address));
    let pids = net::owners(listeners.iter().map(|listener| listener.inode));
    let mut described: HashMap<u32, (SocketOwner, Option<ProcessName>)> = HashMap::new();
    let with_owner = |listener: Listener| {
        let owner = pids.get(&listener.inode).map(|pid| {
            described.entry(*pid).or_insert_with(|| (net::describe(*pid), manager(*pid, processes))).clone()
        });
        let (owner, managed) = owner.map_or((None, None), |(owner, managed)| (Some(owner), managed));
        HeldPort { listener, owner, managed }
    };
    listeners.into_iter().map(with_owner).collect()
}

/// The managed process whose tree a pid belongs to.
#[must_use]
pub fn manager(pid: u32, processes: &[Process]) -> Option<ProcessName> {
    let line = process::ancestors(pid);
    let process = processes.iter().find(|process| process.pid().is_some_and(|pid| line.contains(&pid)))?;
    Some(process.name.clone())
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_reserved_port_of_another_process_is_reported_as_taken() {
        let dir = tempfile::tempdir().expect("a directory");
        let paths = Paths::under(dir.path());
        std::fs::create_dir_all(paths.tsm()).expect("a directory");
        let socket = TcpListener::bind("127.0.0.1:0").expect("a socket");
        let port = socket.local_addr().expect("its address").port();
        std::fs::write(paths.ports(), format!("web:{port}\n")).expect("a registry");
        let found = read_status(&paths, &[]).expect("a survey");
        let account = &found.declared[0];
        assert_eq!((account.in_use(), account.registered, account.process.as_ref()), (PortUse::Other, true, None));
        let owner = account.listeners[0].owner.as_ref().expect("ourselves");
        assert_eq!(owner.pid, process::own_pid());
        drop(socket);
        assert_eq!(read_status(&paths, &[]).expect("a survey").declared[0].in_use(), PortUse::Free);
    }
}
