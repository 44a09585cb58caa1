//! Declared against actual: the registry, the records of processes, and the sockets that there are.

use std::collections::HashMap;

use super::{Claim, read};
use crate::base::name::ProcessName;
use crate::sys::file::FileError;
use crate::sys::net::{self, Listener, Owner, Protocol};
use crate::sys::paths::Paths;
use crate::sys::process;
use crate::tsm::store::Process;

/// A port that is declared, and what can be said of it.
#[derive(Debug, Clone)]
pub struct Account {
    /// The name, without its port, and the port.
    pub claim: Claim,
    /// It stands in the registry.
    pub entered: bool,
    /// The process whose record has it.
    pub process: Option<ProcessName>,
    /// The pid of that process, if it runs.
    pub pid: Option<u32>,
    /// The sockets that wait on the port.
    pub held: Vec<Held>,
}

/// A waiting socket and who holds it.
#[derive(Debug, Clone)]
pub struct Held {
    /// The socket.
    pub listener: Listener,
    /// Who holds it; none where we may not see it.
    pub owner: Option<Owner>,
    /// The managed process that the owner belongs to.
    pub managed: Option<ProcessName>,
}

/// What the sockets say about a declared port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// Nobody listens there.
    Free,
    /// The process that declares it listens there.
    Own,
    /// Somebody else listens there.
    Other,
}

/// Everything declared, and what managed processes listen on without having declared it.
#[derive(Debug, Clone, Default)]
pub struct Survey {
    /// By name and port.
    pub accounts: Vec<Account>,
    /// TCP sockets of managed processes whose port is nobody's declared one, by port.
    pub undeclared: Vec<Held>,
}

impl Account {
    /// Whether somebody listens, and whether that is the one who declares it.
    #[must_use]
    pub fn in_use(&self) -> Use {
        let own = |held: &Held| held.managed.is_some() && held.managed == self.process;
        match self.tcp().next() {
            None => Use::Free,
            Some(_) if self.tcp().any(own) => Use::Own,
            Some(_) => Use::Other,
        }
    }

    /// The sockets for connections: only they take the port.
    pub fn tcp(&self) -> impl Iterator<Item = &Held> {
        self.held.iter().filter(|held| held.listener.protocol == Protocol::Tcp)
    }
}

/// What is declared, by name and port: the registry and the records. Looks at no sockets.
///
/// # Errors
///
/// Fails if the registry is there and cannot be read.
pub fn declared(paths: &Paths, processes: &[Process]) -> Result<Vec<Account>, FileError> {
    let mut accounts: Vec<Account> = Vec::new();
    for claim in read(paths)? {
        if !accounts.iter().any(|account| account.claim == claim) {
            accounts.push(Account { claim, entered: true, process: None, pid: None, held: Vec::new() });
        }
    }
    for process in processes {
        let Some(port) = process.meta.port else { continue };
        let claim = Claim::of(process.name.as_str(), port);
        let (name, pid) = (Some(process.name.clone()), process.pid());
        match accounts.iter_mut().find(|account| account.claim == claim) {
            Some(account) => (account.process, account.pid) = (name, pid),
            // What was only guessed is not declared.
            None if process.meta.run.port_guessed => {}
            None => accounts.push(Account { claim, entered: false, process: name, pid, held: Vec::new() }),
        }
    }
    accounts.sort_by(|a, b| a.claim.cmp(&b.claim));
    Ok(accounts)
}

/// What is declared, each with the sockets on its port, and what is not declared.
///
/// # Errors
///
/// As [`declared`].
pub fn survey(paths: &Paths, processes: &[Process]) -> Result<Survey, FileError> {
    let mut accounts = declared(paths, processes)?;
    let mut undeclared = Vec::new();
    let held = held(processes);
    let guesses = processes.iter().filter(|process| process.meta.run.port_guessed);
    for (process, port) in guesses.filter_map(|process| Some((process, process.meta.port?))) {
        let claim = Claim::of(process.name.as_str(), port);
        let listens = held.iter().any(|it| it.listener.port == port && it.managed.as_ref() == Some(&process.name));
        // A guess that has come true.
        if listens && !accounts.iter().any(|account| account.claim == claim) {
            let (name, pid) = (Some(process.name.clone()), process.pid());
            accounts.push(Account { claim, entered: false, process: name, pid, held: Vec::new() });
        }
    }
    accounts.sort_by(|a, b| a.claim.cmp(&b.claim));
    for held in held {
        let port = held.listener.port;
        let mut known = false;
        for account in accounts.iter_mut().filter(|account| account.claim.port == port) {
            account.held.push(held.clone());
            known = true;
        }
        if !known && held.managed.is_some() && held.listener.protocol == Protocol::Tcp {
            undeclared.push(held);
        }
    }
    undeclared.sort_by_key(|held| held.listener.port);
    Ok(Survey { accounts, undeclared })
}

/// Every waiting socket with who holds it, by port.
#[must_use]
pub fn held(processes: &[Process]) -> Vec<Held> {
    let mut listeners = net::listeners();
    listeners.sort_by_key(|it| (it.port, it.protocol, it.address));
    let pids = net::owners(listeners.iter().map(|listener| listener.inode));
    let mut described: HashMap<u32, (Owner, Option<ProcessName>)> = HashMap::new();
    let with_owner = |listener: Listener| {
        let owner = pids.get(&listener.inode).map(|pid| {
            described.entry(*pid).or_insert_with(|| (net::describe(*pid), manager(*pid, processes))).clone()
        });
        let (owner, managed) = owner.map_or((None, None), |(owner, managed)| (Some(owner), managed));
        Held { listener, owner, managed }
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
    fn a_reserved_port_that_somebody_else_has_is_in_other_hands() {
        let folder = tempfile::tempdir().expect("a folder");
        let paths = Paths::under(folder.path());
        std::fs::create_dir_all(paths.tsm()).expect("a folder");
        let socket = TcpListener::bind("127.0.0.1:0").expect("a socket");
        let port = socket.local_addr().expect("its address").port();
        std::fs::write(paths.ports(), format!("web:{port}\n")).expect("a registry");
        let found = survey(&paths, &[]).expect("a survey");
        let account = &found.accounts[0];
        assert_eq!((account.in_use(), account.entered, account.process.as_ref()), (Use::Other, true, None));
        let owner = account.held[0].owner.as_ref().expect("ourselves");
        assert_eq!(owner.pid, process::own_pid());
        drop(socket);
        assert_eq!(survey(&paths, &[]).expect("a survey").accounts[0].in_use(), Use::Free);
    }
}
