//! Changes of the registry by hand: reserve a port for a name, give it up, give one out, put conflicts right.
//!
//! Every change reads, decides and writes under the lock of the registry, and what is written is synced.

use std::collections::HashSet;

use super::ranges::{RANGES, Range};
use super::status::{PortStatus, PortUse};
use super::{PortEntry, parse_entry};
use crate::base::fault::{FaultKind, UserFacingError};
use crate::base::name::{InvalidName, ProcessName};
use crate::base::suggest::closest_match;
use crate::sys::file::{self, Access, FileError};
use crate::sys::net;
use crate::sys::paths::Paths;
use crate::tsm::store::Process;

/// Why the registry was not changed.
#[derive(Debug, thiserror::Error)]
pub enum PortsError {
    /// The registry cannot be read or written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The name is none.
    #[error(transparent)]
    Name(#[from] InvalidName),
    /// Another name has the port.
    #[error("port {port} is already assigned to `{owner}`")]
    Assigned {
        /// The port.
        port: u16,
        /// The name that has it.
        owner: String,
    },
    /// A process has the port in its record, and only a start changes that.
    #[error("`{process}` already has port {port}")]
    Recorded {
        /// The process.
        process: ProcessName,
        /// Its port.
        port: u16,
    },
    /// Nothing is declared under the name.
    #[error("no port is declared for `{name}`")]
    Unknown {
        /// The name.
        name: String,
        /// A name that is near.
        suggestion: Option<String>,
    },
    /// Every port of the range is taken.
    #[error("no free port from {} to {}", range.from, range.to)]
    NoFreePort {
        /// The range.
        range: Range,
    },
}

impl UserFacingError for PortsError {
    fn kind(&self) -> FaultKind {
        match self {
            Self::File(error) => error.kind(),
            Self::Name(error) => error.kind(),
            Self::Assigned { .. } | Self::Recorded { .. } | Self::NoFreePort { .. } => FaultKind::Failed,
            Self::Unknown { .. } => FaultKind::NotFound,
        }
    }

    fn advice(&self) -> Option<String> {
        match self {
            Self::File(error) => error.advice(),
            Self::Name(error) => error.advice(),
            Self::Assigned { owner, .. } => {
                Some(format!("run `tsm ports remove {owner}` to release it, or use another port"))
            }
            Self::Recorded { process, .. } => {
                Some(format!("run `tsm start --port N {process}` to change it, `tsm delete {process}` to release it"))
            }
            Self::Unknown { suggestion: Some(near), .. } => Some(format!("did you mean `{near}`?")),
            Self::Unknown { suggestion: None, .. } => Some("run `tsm ports list` to see the declared ports".to_owned()),
            Self::NoFreePort { .. } => Some("run `tsm ports list` to see which ports can be released".to_owned()),
        }
    }
}

/// What came of a wish for a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Assigned {
    /// The port.
    pub port: u16,
    /// The one that the name had before.
    pub before: Option<u16>,
}

/// Reserves `port` for a name, instead of what was reserved for it before.
///
/// # Errors
///
/// Fails if another name or process has the port, or if a process of this name has another one in its record.
pub fn set(paths: &Paths, processes: &[Process], name: &str, port: u16) -> Result<Assigned, PortsError> {
    let new = PortEntry::of(name.parse::<ProcessName>()?.as_str(), port);
    let recorded = recorded(processes);
    refuse_recorded(&new, &recorded)?;
    edit(paths, |lines| {
        let all: Vec<PortEntry> = lines.iter().filter_map(|line| parse_entry(line)).collect();
        if let Some(other) = all.iter().find(|other| other.port == port && other.name != new.name) {
            return Err(PortsError::Assigned { port, owner: other.name.clone() });
        }
        let before = all.iter().find(|old| old.name == new.name).map(|old| old.port);
        lines.retain(|line| parse_entry(line).is_none_or(|old| old.name != new.name));
        lines.push(format!("{}:{port}", new.name));
        Ok(Assigned { port, before: before.filter(|before| *before != port) })
    })
}

/// Gives up what is reserved for a name; the ports.
///
/// # Errors
///
/// Fails if nothing is, or if a process has it in its record.
pub fn remove(paths: &Paths, processes: &[Process], name: &str) -> Result<Vec<u16>, PortsError> {
    edit(paths, |lines| {
        let all: Vec<PortEntry> = lines.iter().filter_map(|line| parse_entry(line)).collect();
        let meant = removable(&all, processes, name)?;
        lines.retain(|line| parse_entry(line).is_none_or(|claim| !meant.contains(&claim)));
        Ok(meant.iter().map(|claim| claim.port).collect())
    })
}

/// What [`remove`] gives up, of all that is reserved.
///
/// # Errors
///
/// As there.
pub fn removable(all: &[PortEntry], processes: &[Process], name: &str) -> Result<Vec<PortEntry>, PortsError> {
    let is_meant = |claim: &&PortEntry| claim.name == name || format!("{}-{}", claim.name, claim.port) == name;
    let meant: Vec<PortEntry> = all.iter().filter(is_meant).cloned().collect();
    if meant.is_empty() {
        return Err(unknown(name, all));
    }
    match recorded(processes).into_iter().find(|(_, claim)| meant.contains(claim)) {
        Some((process, claim)) => Err(PortsError::Recorded { process, port: claim.port }),
        None => Ok(meant),
    }
}

/// Reserves the first free port of a range. A name that has one in the range keeps it.
///
/// # Errors
///
/// Fails if a process of this name has another one in its record, or if none is free.
pub fn allocate(paths: &Paths, processes: &[Process], name: &str, range: Range) -> Result<Assigned, PortsError> {
    let name = name.parse::<ProcessName>()?;
    let recorded = recorded(processes);
    let listening: HashSet<u16> = net::listeners().into_iter().map(|listener| listener.port).collect();
    edit(paths, |lines| {
        let all: Vec<PortEntry> = lines.iter().filter_map(|line| parse_entry(line)).collect();
        if let Some(old) = all.iter().find(|old| old.name == name.as_str() && range.contains(old.port)) {
            return Ok(Assigned { port: old.port, before: Some(old.port) });
        }
        let mut taken: HashSet<u16> = all.iter().map(|claim| claim.port).collect();
        taken.extend(recorded.iter().map(|(_, claim)| claim.port));
        let free = range.ports().find(|port| !taken.contains(port) && !listening.contains(port));
        let new = PortEntry { name: name.to_string(), port: free.ok_or(PortsError::NoFreePort { range })? };
        refuse_recorded(&new, &recorded)?;
        let before = all.iter().find(|old| old.name == new.name).map(|old| old.port);
        lines.retain(|line| parse_entry(line).is_none_or(|old| old.name != new.name));
        lines.push(format!("{}:{}", new.name, new.port));
        Ok(Assigned { port: new.port, before })
    })
}

/// A declared port that two want.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortConflict {
    /// Who would have to give way.
    pub claim: PortEntry,
    /// Who has it, in words.
    pub by: String,
    /// The process that has it in its record; then only a start changes it.
    pub process: Option<ProcessName>,
    /// The port that it got instead.
    pub moved_to: Option<u16>,
}

/// Every declared port that another name also declares, or another process listens on. Of two names the one without a process gives way.
#[must_use]
pub fn conflicts(survey: &PortStatus) -> Vec<PortConflict> {
    let mut found: Vec<PortConflict> = Vec::new();
    for account in &survey.declared {
        let rival = survey.declared.iter().find(|other| {
            let stronger = (other.process.is_some(), &account.claim) > (account.process.is_some(), &other.claim);
            other.claim.port == account.claim.port && other.claim != account.claim && stronger
        });
        let stranger = || account.tcp().find(|held| held.managed.is_none() || held.managed != account.process);
        let by = match (rival, account.in_use()) {
            (Some(rival), _) => format!("`{}` declares it too", rival.claim.name),
            (None, PortUse::Other) => match stranger().and_then(|held| held.owner.as_ref()) {
                Some(owner) => format!("PID {} of {} listens on it ({})", owner.pid, owner.user, owner.command),
                None => "a process that is not visible to you listens on it".to_owned(),
            },
            (None, PortUse::Own | PortUse::Free) => continue,
        };
        found.push(PortConflict { claim: account.claim.clone(), by, process: account.process.clone(), moved_to: None });
    }
    found
}

/// Gives every name that has no process, and whose port is contested, the next free port of the same range.
///
/// # Errors
///
/// Fails if the registry cannot be changed, or if a range is full.
pub fn resolve(paths: &Paths, survey: &PortStatus, contested: &mut [PortConflict]) -> Result<(), PortsError> {
    let listening: HashSet<u16> = net::listeners().into_iter().map(|listener| listener.port).collect();
    edit(paths, |lines| {
        let mut taken: HashSet<u16> = survey.declared.iter().map(|account| account.claim.port).collect();
        taken.extend(lines.iter().filter_map(|line| parse_entry(line)).map(|claim| claim.port));
        for it in contested.iter_mut().filter(|it| it.process.is_none()) {
            let old = it.claim.port;
            let range = RANGES.into_iter().find(|range| range.contains(old));
            let range = range.unwrap_or(Range { name: "above", from: old, to: u16::MAX });
            let free = range.ports().find(|port| !taken.contains(port) && !listening.contains(port));
            let port = free.ok_or(PortsError::NoFreePort { range })?;
            taken.insert(port);
            for line in lines.iter_mut().filter(|line| parse_entry(line).as_ref() == Some(&it.claim)) {
                *line = format!("{}:{port}", it.claim.name);
            }
            it.moved_to = Some(port);
        }
        Ok(())
    })
}

/// Enters claims that are missing and strikes out others, in one step.
///
/// # Errors
///
/// Fails if the registry cannot be changed.
pub fn sync(paths: &Paths, enter: &[PortEntry], strike: &[PortEntry]) -> Result<(), PortsError> {
    edit(paths, |lines| {
        lines.retain(|line| parse_entry(line).is_none_or(|claim| !strike.contains(&claim)));
        let there: Vec<PortEntry> = lines.iter().filter_map(|line| parse_entry(line)).collect();
        let missing = enter.iter().filter(|claim| !there.contains(claim));
        lines.extend(missing.map(|claim| format!("{}:{}", claim.name, claim.port)));
        Ok(())
    })
}

/// Says that nothing is declared under a name, and which name may have been meant.
#[must_use]
pub fn unknown(name: &str, all: &[PortEntry]) -> PortsError {
    let near = closest_match(name, all.iter().map(|claim| claim.name.as_str())).map(str::to_owned);
    PortsError::Unknown { name: name.to_owned(), suggestion: near }
}

fn recorded(processes: &[Process]) -> Vec<(ProcessName, PortEntry)> {
    let claim = |it: &Process| Some((it.name.clone(), PortEntry::of(it.name.as_str(), it.meta.port?)));
    processes.iter().filter_map(claim).collect()
}

fn refuse_recorded(new: &PortEntry, recorded: &[(ProcessName, PortEntry)]) -> Result<(), PortsError> {
    if let Some((_, other)) = recorded.iter().find(|(_, other)| other.port == new.port && other.name != new.name) {
        return Err(PortsError::Assigned { port: new.port, owner: other.name.clone() });
    }
    let own = recorded.iter().find(|(_, own)| own.name == new.name && own.port != new.port);
    own.map_or(Ok(()), |(process, claim)| Err(PortsError::Recorded { process: process.clone(), port: claim.port }))
}

/// Changes the lines of the registry under its lock.
fn edit<T>(paths: &Paths, change: impl FnOnce(&mut Vec<String>) -> Result<T, PortsError>) -> Result<T, PortsError> {
    file::create_dir(&paths.tsm())?;
    let mut answer = None;
    file::update(&paths.ports(), Access::Shared, |old| {
        let mut lines: Vec<String> = String::from_utf8_lossy(old).lines().map(str::to_owned).collect();
        answer = Some(change(&mut lines)?);
        Ok::<_, PortsError>(lines.iter().flat_map(|line| [line.as_bytes(), b"\n"]).flatten().copied().collect())
    })?;
    Ok(answer.expect("the change was made, or its error returned"))
}

#[cfg(test)]
mod tests {
    use super::super::status::DeclaredPort;
    use super::*;

    fn home(registry: &str) -> (tempfile::TempDir, Paths) {
        let dir = tempfile::tempdir().expect("a directory");
        let paths = Paths::under(dir.path());
        std::fs::create_dir_all(paths.tsm()).expect("a directory");
        std::fs::write(paths.ports(), registry).expect("a registry");
        (dir, paths)
    }

    fn text(paths: &Paths) -> String {
        std::fs::read_to_string(paths.ports()).expect("a registry")
    }

    #[test]
    fn a_name_has_the_port_it_was_given_last_and_no_other_name_gets_it() {
        let (_directory, paths) = home("# mine\nweb:4100\n");
        assert_eq!(set(&paths, &[], "api", 4000).expect("set"), Assigned { port: 4000, before: None });
        assert_eq!(set(&paths, &[], "api", 4001).expect("set").before, Some(4000));
        let refused = set(&paths, &[], "api", 4100).expect_err("web has it");
        assert_eq!(refused.to_string(), "port 4100 is already assigned to `web`");
        assert_eq!(text(&paths), "# mine\nweb:4100\napi:4001\n");
        assert_eq!(remove(&paths, &[], "api-4001").expect("removed"), [4001]);
        let refused = remove(&paths, &[], "wed").expect_err("unknown");
        assert_eq!(refused.advice().as_deref(), Some("did you mean `web`?"));
    }

    #[test]
    fn a_port_is_given_out_once() {
        let (_directory, paths) = home("");
        let range = Range::named("staging").expect("a range");
        let first = allocate(&paths, &[], "api", range).expect("a port").port;
        let second = allocate(&paths, &[], "web", range).expect("a port").port;
        assert!(first != second && range.contains(first) && range.contains(second));
        assert_eq!(allocate(&paths, &[], "api", range).expect("kept"), Assigned { port: first, before: Some(first) });
        let one = Range { name: "one", from: first, to: first };
        assert!(matches!(allocate(&paths, &[], "third", one), Err(PortsError::NoFreePort { .. })));
    }

    #[test]
    fn of_two_names_with_one_port_the_later_one_moves() {
        let (_directory, paths) = home("api:6100\nweb:6100\n");
        let account = |name: &str| DeclaredPort {
            claim: PortEntry { name: name.to_owned(), port: 6100 },
            registered: true,
            process: None,
            pid: None,
            listeners: Vec::new(),
        };
        let survey = PortStatus { declared: vec![account("api"), account("web")], undeclared: Vec::new() };
        let mut found = conflicts(&survey);
        assert_eq!(found.len(), 1);
        resolve(&paths, &survey, &mut found).expect("resolved");
        let moved = found[0].moved_to.expect("moved");
        assert!(moved != 6100 && Range::named("staging").expect("a range").contains(moved));
        assert_eq!(text(&paths), format!("api:6100\nweb:{moved}\n"));
    }
}
