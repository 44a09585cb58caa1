//! The port registry: a file of lines `name:port`, the name without `-<port>`, kept in step with the processes.
//!
//! It is double-entry: what the registry declares is also in the record of a process, unless the line only reserves the port
//! for a name. [`status`] compares both with the sockets that there are, [`edit`] changes the registry by hand, and
//! [`formats`] carries it in and out.

pub mod edit;
pub mod formats;
pub mod ranges;
pub mod status;

use std::path::Path;

use crate::disk;
use crate::sys::file::{self, Access, FileError};
use crate::sys::paths::Paths;

use super::name::without_port;
use super::store::Process;

/// One line of the registry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PortEntry {
    /// The process, without its port.
    pub name: String,
    /// Its port.
    pub port: u16,
}

impl PortEntry {
    /// The entry of the process of this full name.
    #[must_use]
    pub fn of(process: &str, port: u16) -> Self {
        Self { name: without_port(process, port).to_owned(), port }
    }
}

/// All lines that can be read; none if there is no file.
///
/// # Errors
///
/// Fails if the file cannot be read.
pub fn read(paths: &Paths) -> Result<Vec<PortEntry>, FileError> {
    let path = paths.ports();
    match disk::read_own(&path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()) {
        Ok(text) => Ok(text.lines().filter_map(parse_entry).collect()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(FileError::Io { action: "read", path, source }),
    }
}

/// Enters the port of a process, given by its full name. What is there already stays.
///
/// # Errors
///
/// Fails if the registry cannot be locked or written.
pub fn register(paths: &Paths, process: &str, port: u16) -> Result<(), FileError> {
    let new = PortEntry::of(process, port);
    change(&paths.ports(), |lines| {
        if !lines.iter().any(|line| parse_entry(line).as_ref() == Some(&new)) {
            lines.push(format!("{}:{}", new.name, new.port));
        }
    })
}

/// Removes the port of a process. Invalid lines are left as they are.
///
/// # Errors
///
/// Fails if the registry cannot be locked or written.
pub fn unregister(paths: &Paths, process: &str, port: u16) -> Result<(), FileError> {
    if !paths.ports().exists() {
        return Ok(());
    }
    let old = PortEntry::of(process, port);
    change(&paths.ports(), |lines| lines.retain(|line| parse_entry(line).as_ref() != Some(&old)))
}

/// A process, given by its full name, that leaves one port and takes another.
#[derive(Debug, Clone, Copy)]
pub struct PortChange<'a> {
    /// The process.
    pub process: &'a str,
    /// The port that it had.
    pub from: Option<u16>,
    /// The port that it has now.
    pub to: Option<u16>,
}

/// Enters the ports of several processes in one step. What is there already stays; without a change nothing is written.
///
/// # Errors
///
/// Fails if the registry cannot be locked or written.
pub fn apply(paths: &Paths, moves: &[PortChange]) -> Result<(), FileError> {
    if moves.iter().all(|it| it.to.is_none() && (it.from.is_none() || !paths.ports().exists())) {
        return Ok(());
    }
    change(&paths.ports(), |lines| {
        for PortChange { process, from, to } in moves {
            if let Some(old) = from.filter(|_| from != to).map(|port| PortEntry::of(process, port)) {
                lines.retain(|line| parse_entry(line).as_ref() != Some(&old));
            }
            if let Some(new) = to.map(|port| PortEntry::of(process, port))
                && !lines.iter().any(|line| parse_entry(line).as_ref() == Some(&new))
            {
                lines.push(format!("{}:{}", new.name, new.port));
            }
        }
    })
}

/// Takes a deleted process out of the registry. One of its name that was made meanwhile keeps its line.
///
/// # Errors
///
/// Fails if the registry cannot be locked or written.
pub fn forget(paths: &Paths, deleted: &Process) -> Result<(), FileError> {
    match deleted.meta.port {
        Some(port) if !deleted.dir.exists() => unregister(paths, deleted.name.as_str(), port),
        _ => Ok(()),
    }
}

fn change(path: &Path, edit: impl FnOnce(&mut Vec<String>)) -> Result<(), FileError> {
    file::update(path, Access::Shared, |old| {
        let mut lines: Vec<String> = String::from_utf8_lossy(old).lines().map(str::to_owned).collect();
        edit(&mut lines);
        Ok(lines.iter().flat_map(|line| [line.as_bytes(), b"\n"]).flatten().copied().collect())
    })
}

/// The claim of a line; `None` for an invalid one and for comments.
#[must_use]
pub fn parse_entry(line: &str) -> Option<PortEntry> {
    let (name, port) = line.trim().rsplit_once(':')?;
    let port = super::port::number(port.trim())?;
    (!name.is_empty() && !name.starts_with('#')).then(|| PortEntry { name: name.trim().to_owned(), port })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home() -> (tempfile::TempDir, Paths) {
        let dir = tempfile::tempdir().expect("a directory");
        let paths = Paths::under(dir.path());
        std::fs::create_dir_all(paths.tsm()).expect("a directory");
        (dir, paths)
    }

    #[test]
    fn lines_have_the_name_without_its_port() {
        let (_directory, paths) = home();
        register(&paths, "devpages-3000", 3000).expect("registered");
        register(&paths, "api", 4000).expect("registered");
        register(&paths, "api", 4000).expect("registered once");
        assert_eq!(std::fs::read_to_string(paths.ports()).expect("a file"), "devpages:3000\napi:4000\n");
        unregister(&paths, "devpages-3000", 3000).expect("unregistered");
        assert_eq!(read(&paths).expect("readable"), [PortEntry { name: "api".into(), port: 4000 }]);
    }

    #[test]
    fn foreign_lines_survive() {
        let (_directory, paths) = home();
        std::fs::write(paths.ports(), "# mine\nodd line\nweb:80").expect("a file");
        register(&paths, "api-90", 90).expect("registered");
        unregister(&paths, "web-80", 80).expect("unregistered");
        assert_eq!(std::fs::read_to_string(paths.ports()).expect("a file"), "# mine\nodd line\napi:90\n");
    }

    #[test]
    fn without_a_registry_there_is_nothing_to_take_out() {
        let (_directory, paths) = home();
        unregister(&paths, "api", 1).expect("nothing to do");
        assert!(read(&paths).expect("none").is_empty() && !paths.ports().exists());
    }

    #[test]
    fn many_at_once_lose_no_line() {
        let (_directory, paths) = home();
        std::thread::scope(|scope| {
            for port in 5000..5008 {
                let paths = &paths;
                scope.spawn(move || register(paths, &format!("p-{port}"), port).expect("registered"));
            }
        });
        assert_eq!(read(&paths).expect("readable").len(), 8);
    }
}
