//! What an operator means: id, name, the beginning or a part of a name, pid, port, `*`, or several of them.
//!
//! Pure: it chooses among processes that were read before.

use std::fmt;

use super::port::number;
use super::store::Process;
use crate::base::fault::{FaultKind, UserFacingError};
use crate::base::suggest;

/// How much a word has to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Precision {
    /// A prefix or a part of a name is enough: an operator sees the result.
    Partial,
    /// An id, a full name, or one without its port: no operator would notice that another process is meant.
    Exact,
}

/// A word that does not lead to processes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResolveError {
    /// Several processes fit and none of them best.
    Ambiguous {
        /// As given.
        given: String,
        /// Id and name of each that fits.
        matches: Vec<(Option<u32>, String)>,
    },
    /// Only a part of it fits, where that is not enough.
    Part {
        /// As given.
        given: String,
        /// The name of the one that it may mean.
        name: String,
    },
    /// No process fits.
    NotFound {
        /// As given.
        given: String,
        /// The name that is most like it.
        nearest: Option<String>,
    },
}

impl fmt::Display for ResolveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ambiguous { given, matches } => {
                write!(f, "tsm: ambiguous name '{given}', matches:")?;
                for (id, name) in matches {
                    let id = id.map_or_else(|| "-".to_owned(), |id| id.to_string());
                    write!(f, "\n{id}: {name}")?;
                }
                Ok(())
            }
            Self::Part { given, name } => write!(f, "process '{given}' not found; did you mean '{name}'?"),
            Self::NotFound { given, .. } if is_number(given) => write!(f, "process ID/PID/port '{given}' not found"),
            Self::NotFound { given, .. } => write!(f, "process '{given}' not found"),
        }
    }
}

impl std::error::Error for ResolveError {}

impl UserFacingError for ResolveError {
    fn kind(&self) -> FaultKind {
        FaultKind::NotFound
    }

    fn advice(&self) -> Option<String> {
        Some(match self {
            Self::Ambiguous { .. } => "use the TSM ID or the exact name".to_owned(),
            Self::Part { .. } => {
                "without a terminal a TSM ID, a full name or a name without its port is required".to_owned()
            }
            Self::NotFound { nearest: Some(name), .. } => format!("did you mean `{name}`?"),
            Self::NotFound { nearest: None, .. } => "run `tsm list all` to see all processes".to_owned(),
        })
    }
}

/// What several words lead to: each process once, in the order in which it was first meant, and the words that match nothing.
#[derive(Debug, Default)]
pub struct Resolved<'a> {
    /// The processes.
    pub processes: Vec<&'a Process>,
    /// One error for each word without a process.
    pub missing: Vec<ResolveError>,
}

/// Resolves several words; one that matches nothing does not keep the others from being resolved.
#[must_use]
pub fn resolve<'a>(words: &[&str], among: &'a [Process], precision: Precision) -> Resolved<'a> {
    let mut resolved = Resolved::default();
    for word in words {
        match resolve_word(word, among, precision) {
            Ok(found) => {
                for process in found {
                    if !resolved.processes.iter().any(|known| known.name == process.name) {
                        resolved.processes.push(process);
                    }
                }
            }
            Err(error) => resolved.missing.push(error),
        }
    }
    resolved
}

/// Resolves one word to one process; `*` and `all` are no names here.
///
/// # Errors
///
/// Fails if no process fits, or several and none of them best.
pub fn resolve_one<'a>(word: &str, among: &'a [Process]) -> Result<&'a Process, ResolveError> {
    resolve_as(word, among, Precision::Partial)
}

/// Resolves one word that says as much as it has to.
///
/// # Errors
///
/// As [`resolve_one`], and if only a part of a name fits where that is not enough.
pub fn resolve_as<'a>(word: &str, among: &'a [Process], precision: Precision) -> Result<&'a Process, ResolveError> {
    let found = if is_number(word) { by_number(word, among) } else { by_name(word, among) };
    match found[..] {
        [process] if precision == Precision::Partial || is_whole(word, process) => Ok(process),
        [process] => Err(ResolveError::Part { given: word.to_owned(), name: process.name.as_str().to_owned() }),
        [] => {
            let names = among.iter().map(|process| process.name.as_str());
            Err(ResolveError::NotFound {
                given: word.to_owned(),
                nearest: suggest::closest_match(word, names).map(str::to_owned),
            })
        }
        _ => {
            let matches = found.iter().map(|it| (it.id(), it.name.as_str().to_owned())).collect();
            Err(ResolveError::Ambiguous { given: word.to_owned(), matches })
        }
    }
}

/// A word that is the id of a process, its name, or its name without the port.
fn is_whole(word: &str, process: &Process) -> bool {
    process.id().is_some_and(|id| id.to_string() == word)
        || process.name.as_str() == word
        || is_without_port(word, process)
}

/// The port may also be known from the name only: such a number is not a count of processes.
fn is_without_port(word: &str, process: &Process) -> bool {
    let Some(rest) = process.name.as_str().strip_prefix(word).and_then(|rest| rest.strip_prefix('-')) else {
        return false;
    };
    number(rest).is_some_and(|port| port >= 1024 || process.meta.port == Some(port))
}

fn resolve_word<'a>(word: &str, among: &'a [Process], precision: Precision) -> Result<Vec<&'a Process>, ResolveError> {
    match word {
        "*" | "all" => Ok(among.iter().collect()),
        _ => match group(word, among) {
            group if group.is_empty() => resolve_as(word, among, precision).map(|process| vec![process]),
            group => Ok(group),
        },
    }
}

/// The instances that a word means together; the first one may have been there before the others, with that name and a port.
fn group<'a>(word: &str, among: &'a [Process]) -> Vec<&'a Process> {
    let is_member = |process: &&Process| !word.is_empty() && process.meta.run.group == word;
    if !among.iter().any(|process| is_member(&process)) {
        return Vec::new();
    }
    let is_first = |process: &&Process| {
        process.meta.run.group.is_empty() && (process.name.as_str() == word || is_without_port(word, process))
    };
    among.iter().filter(|process| is_member(process) || is_first(process)).collect()
}

/// Id first, then pid of a living child, then port; of several with one port the running ones.
fn by_number<'a>(word: &str, among: &'a [Process]) -> Vec<&'a Process> {
    let Ok(number) = word.parse::<u32>() else { return Vec::new() };
    if let Some(process) = among.iter().find(|process| process.id() == Some(number)) {
        return vec![process];
    }
    if let Some(process) = among.iter().find(|process| process.pid() == Some(number)) {
        return vec![process];
    }
    let with_port = |process: &&Process| process.meta.port.is_some_and(|port| u32::from(port) == number);
    let all: Vec<_> = among.iter().filter(with_port).collect();
    let running: Vec<_> = all.iter().copied().filter(|process| process.is_running()).collect();
    // Of those that run, the one that claims it rather than those for which it was only guessed.
    let claim: Vec<_> = running.iter().copied().filter(|process| !process.meta.run.port_guessed).collect();
    [claim, running, all].into_iter().find(|found| !found.is_empty()).unwrap_or_default()
}

/// The exact name, else the name without its port, else what begins with it and a hyphen, else what has it as a part.
fn by_name<'a>(word: &str, among: &'a [Process]) -> Vec<&'a Process> {
    if let Some(process) = among.iter().find(|process| process.name.as_str() == word) {
        return vec![process];
    }
    let without: Vec<_> = among.iter().filter(|process| is_without_port(word, process)).collect();
    if !without.is_empty() {
        return without;
    }
    let prefix = format!("{word}-");
    let begins: Vec<_> = among.iter().filter(|process| process.name.as_str().starts_with(&prefix)).collect();
    if !begins.is_empty() || word.is_empty() {
        return begins;
    }
    among.iter().filter(|process| process.name.as_str().contains(word)).collect()
}

fn is_number(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervise::meta::ProcessState;
    use crate::tsm::live_state::LiveState;

    /// A process with an id, a name, a pid (0: it does not run) and a port (0: none).
    fn process(id: u32, name: &str, pid: u32, port: u16) -> Process {
        let record =
            format!(r#"{{"tsm_id":{id},"name":"{name}","pid":{pid},"command":"x","cwd":"/","port":"{port}"}}"#);
        let mut meta: crate::supervise::meta::Meta = serde_json::from_str(&record).expect("a record");
        meta.port = meta.port.filter(|port| *port > 0);
        let state = if pid > 0 { ProcessState::Online } else { ProcessState::Stopped };
        let view = LiveState { state, supervised: pid > 0, alive: pid > 0, ..LiveState::UNKNOWN };
        Process {
            name: name.parse().expect("a name"),
            dir: "/none".into(),
            meta,
            live: view,
            record_error: None,
            unknown: None,
        }
    }

    fn world() -> Vec<Process> {
        vec![
            process(0, "test-server-3001", 4001, 3001),
            process(1, "test-client-3002", 4002, 3002),
            process(2, "devpages-3000", 4003, 3000),
            process(3, "tetra-4444", 4004, 4444),
            process(4, "my-tetra-x", 0, 0),
            process(7, "api", 0, 3000),
            process(8, "api-2", 4008, 0),
            process(3001, "far", 3002, 0),
        ]
    }

    fn name(word: &str) -> Result<String, ResolveError> {
        resolve_one(word, &world()).map(|process| process.name.as_str().to_owned())
    }

    #[test]
    fn ids_names_beginnings_parts_pids_and_ports() {
        for (word, wanted) in [
            ("0", "test-server-3001"), // an id
            ("api", "api"),            // exact wins over the beginning `api-`
            ("tetra", "tetra-4444"),   // a beginning wins over the part in `my-tetra-x`
            ("dev", "devpages-3000"),  // a unique part
            ("server", "test-server-3001"),
            ("4003", "devpages-3000"), // a pid
            ("4444", "tetra-4444"),    // a port
            ("3001", "far"),           // an id wins over a port
            ("3002", "far"),           // a pid wins over a port
            ("3000", "devpages-3000"), // of two with the port the one that runs
            ("test-client-3002", "test-client-3002"),
        ] {
            assert_eq!(name(word).as_deref(), Ok(wanted), "{word}");
        }
    }

    #[test]
    fn an_ambiguous_name_is_answered_with_what_fits() {
        let error = name("test").expect_err("two fit");
        assert_eq!(
            error.to_string(),
            "tsm: ambiguous name 'test', matches:\n0: test-server-3001\n1: test-client-3002",
            "what shows it indents further lines"
        );
        assert_eq!((error.kind().code(), error.advice().as_deref()), (5, Some("use the TSM ID or the exact name")));
    }

    #[test]
    fn what_is_not_there_is_not_found_and_the_nearest_is_named() {
        let error = name("devpagse-3000").expect_err("nothing fits");
        assert_eq!(error.to_string(), "process 'devpagse-3000' not found");
        assert_eq!((error.kind().code(), error.advice().as_deref()), (5, Some("did you mean `devpages-3000`?")));
        assert_eq!(name("999").expect_err("nothing fits").to_string(), "process ID/PID/port '999' not found");
        assert!(name("").is_err());
        assert!(name("99999999999999999999").is_err(), "too large for any number");
    }

    #[test]
    fn a_stopped_process_is_not_found_by_its_old_pid() {
        let among = [process(0, "a", 0, 0)];
        let mut stopped = among[0].clone();
        stopped.meta.pid = 555;
        assert!(resolve_one("555", &[stopped]).is_err());
    }

    #[test]
    fn star_and_all_both_mean_all() {
        let world = world();
        for word in ["*", "all"] {
            let resolved = resolve(&[word], &world, Precision::Partial);
            assert_eq!((resolved.processes.len(), resolved.missing.len()), (world.len(), 0));
        }
        assert!(resolve(&["*"], &[], Precision::Partial).missing.is_empty(), "all of nothing is nothing, not an error");
    }

    #[test]
    fn several_targets_are_each_taken_once_and_fail_alone() {
        let world = world();
        let resolved = resolve(&["api", "nope", "7", "2", "test"], &world, Precision::Partial);
        let names: Vec<_> = resolved.processes.iter().map(|process| process.name.as_str()).collect();
        assert_eq!(names, ["api", "devpages-3000"]);
        assert_eq!(resolved.missing.len(), 2);
    }

    #[test]
    fn a_process_without_a_record_is_found_by_name_only() {
        let world = vec![process(u32::MAX, "lost", 0, 0)];
        assert!(resolve_one("4294967295", &world).is_err());
        assert_eq!(resolve_one("lost", &world).map(Process::id), Ok(None));
    }

    #[test]
    fn without_a_terminal_a_part_of_a_name_is_not_enough() {
        let all = [process(0, "api-gateway", 11, 0), process(1, "web-3000", 12, 3000), process(2, "web-extra", 13, 0)];
        let strict = |word: &str| resolve_as(word, &all, Precision::Exact).map(|process| process.name.to_string());
        for (word, name) in
            [("0", "api-gateway"), ("api-gateway", "api-gateway"), ("web", "web-3000"), ("web-3000", "web-3000")]
        {
            assert_eq!(strict(word).as_deref(), Ok(name), "{word}");
        }
        for word in ["api", "gateway", "3000", "12", "extra"] {
            let error = strict(word).expect_err(word);
            assert!(
                matches!(error, ResolveError::Part { .. }) && error.kind() == FaultKind::NotFound,
                "{word}: {error:?}"
            );
        }
        assert!(matches!(strict("we"), Err(ResolveError::Ambiguous { .. })));
        assert!(matches!(strict("none"), Err(ResolveError::NotFound { .. })));
        assert_eq!(resolve_one("api", &all).map(|process| process.id()), Ok(Some(0)));
        assert_eq!(resolve_one("web", &all).map(|process| process.id()), Ok(Some(1)), "also where a part would do");
        let all = [process(0, "api-1", 11, 1), process(1, "api-2", 12, 2)];
        assert!(matches!(resolve_as("api", &all, Precision::Exact), Err(ResolveError::Ambiguous { .. })));
        assert_eq!(resolve(&["*"], &all, Precision::Exact).processes.len(), 2);
    }
}
