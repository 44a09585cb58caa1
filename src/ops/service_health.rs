//! How the enabled services are: whether each runs and is well, and why not. For whatever answers that for the whole machine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::base::fault::Fault;
use crate::base::sort::SortExt;
use crate::base::time::Timestamp;
use crate::supervise::meta::ProcessState;
use crate::sys::paths::Paths;
use crate::tsm::definition::Definition;
use crate::tsm::exit_text;
use crate::tsm::service::{ServiceSet, Services};
use crate::tsm::sidecar::health::HealthStatus;
use crate::tsm::startup::collect::comes_from;
use crate::tsm::store::Process;

/// How something is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Condition {
    /// It runs, and nothing is known to be wrong with it; or it did once what it is for, or waits for its schedule.
    Up,
    /// It may become well by itself; why it is not yet.
    Starting(String),
    /// It does not run or is not well; why.
    Down(String),
    /// It is not started by itself (`TSM_AUTOSTART=false`), and does not run.
    Off,
}

impl Condition {
    /// The word for it.
    #[must_use]
    pub fn word(&self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Starting(_) => "starting",
            Self::Down(_) => "down",
            Self::Off => "off",
        }
    }

    /// Why it is not up, if something is wrong or not ready.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Starting(reason) | Self::Down(reason) => Some(reason),
            Self::Up | Self::Off => None,
        }
    }
}

/// An enabled service and how it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceHealth {
    /// Its name.
    pub name: String,
    /// How it is.
    pub condition: Condition,
    /// The names of its processes.
    pub processes: Vec<String>,
}

/// What the processes of services are judged by.
#[derive(Clone, Copy)]
pub struct Judge<'a> {
    /// The time now.
    pub now: Timestamp,
    /// The mark of the life that this program is a part of (`TSM_RUN`): what can ask runs, whatever its own check says of it.
    pub own_mark: Option<&'a str>,
}

impl Judge<'_> {
    /// True for the process that this program is, or that started it.
    #[must_use]
    pub fn is_own(&self, process: &Process) -> bool {
        let is = |mark: &str| {
            mark.split_once('.').is_some_and(|(id, nonce)| {
                id.parse() == Ok(process.meta.tsm_id) && nonce == process.meta.run_state.nonce && !nonce.is_empty()
            })
        };
        self.own_mark.is_some_and(is)
    }

    /// How one process is.
    #[must_use]
    pub fn process(&self, process: &Process) -> Condition {
        if self.is_own(process) {
            return Condition::Up;
        }
        let ended = |word: &str| match &process.meta.last_exit {
            Some(exit) => Condition::Down(format!("{word}: {}", exit_text::describe_exit(exit))),
            None if process.meta.run_state.start_error.is_empty() => Condition::Down(word.to_owned()),
            None => Condition::Down(format!("{word}: {}", process.meta.run_state.start_error)),
        };
        match process.live.state {
            ProcessState::Online if process.is_crash_looping(self.now) => ended("restarts again and again"),
            ProcessState::Online => match process.health() {
                Some(health) if health.status == HealthStatus::Unhealthy => Condition::Down(match health.reason {
                    reason if reason.is_empty() => "unhealthy".to_owned(),
                    reason => format!("unhealthy: {reason}"),
                }),
                Some(health) if health.status == HealthStatus::Starting => {
                    let reports = process.meta.run.monitor.health.is_empty();
                    let waits = if reports { "has not reported that it is ready" } else { "not healthy yet" };
                    Condition::Starting(waits.to_owned())
                }
                _ => Condition::Up,
            },
            ProcessState::Starting => Condition::Starting("starting".to_owned()),
            ProcessState::Stopping if process.meta.run_state.start_pending => {
                Condition::Starting("restarting".to_owned())
            }
            ProcessState::Stopping => Condition::Down("stopping".to_owned()),
            ProcessState::Stopped if process.has_succeeded() => Condition::Up,
            ProcessState::Stopped => Condition::Down("stopped".to_owned()),
            // What only waits for a change is a service that ended, or a task.
            ProcessState::Scheduled if process.meta.run.monitor.cron.is_empty() && !process.has_succeeded() => {
                ended("waits for a change of its files")
            }
            ProcessState::Scheduled => Condition::Up,
            ProcessState::Waiting => ended("waits to be restarted"),
            ProcessState::Crashed => ended("crashed"),
            ProcessState::Errored => ended("given up after too many restarts"),
            ProcessState::Unknown => {
                Condition::Down(process.unknown.clone().unwrap_or_else(|| "its state is unknown".to_owned()))
            }
        }
    }
}

/// How every enabled service is, by name.
///
/// # Errors
///
/// Fails if the links of the enabled services cannot be listed. A definition that cannot be read is a service that is down.
pub fn of_enabled(
    paths: &Paths,
    variables: &BTreeMap<String, String>,
    processes: &[&Process],
    judge: Judge,
) -> Result<Vec<ServiceHealth>, Fault> {
    let links = Services::open(paths).files(ServiceSet::Enabled)?;
    Ok(links.iter().map(|link| of_link(link, variables, processes, judge)).collect())
}

fn of_link(link: &Path, variables: &BTreeMap<String, String>, processes: &[&Process], judge: Judge) -> ServiceHealth {
    let name = link.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    let file: PathBuf = link.canonicalize().unwrap_or_else(|_| link.to_owned());
    let own: Vec<&Process> = processes.iter().copied().filter(|process| comes_from(process, &file)).collect();
    let condition = match Definition::read(link, variables) {
        _ if !link.exists() => Condition::Down("its link is broken".to_owned()),
        Err(error) => Condition::Down(error.to_string()),
        Ok(definition) => {
            let wanted = definition.instances.unwrap_or(1).max(1) as usize;
            let is_off = definition.autostart == Some(false) && !own.iter().any(|process| process.is_running());
            if is_off { Condition::Off } else { of_processes(&own, wanted, judge) }
        }
    };
    ServiceHealth { name, condition, processes: own.iter().map(|process| process.name.to_string()).collect() }
}

/// The worst of those that count: with more processes than are wanted, the best ones.
fn of_processes(processes: &[&Process], wanted: usize, judge: Judge) -> Condition {
    let mut all: Vec<(&str, Condition)> =
        processes.iter().map(|process| (process.name.as_str(), judge.process(process))).collect();
    let rank = |condition: &Condition| match condition {
        Condition::Up | Condition::Off => 0,
        Condition::Starting(_) => 1,
        Condition::Down(_) => 2,
    };
    all.order_by_key(|(_, condition)| rank(condition));
    all.truncate(wanted);
    if all.is_empty() {
        return Condition::Down("not started".to_owned());
    }
    if all.len() < wanted {
        return Condition::Down(format!("{} of {wanted} instances", all.len()));
    }
    let Some((name, worst)) = all.pop() else { return Condition::Up };
    let named = |reason: String| if wanted > 1 { format!("{name} {reason}") } else { reason };
    match worst {
        Condition::Down(reason) => Condition::Down(named(reason)),
        Condition::Starting(reason) => Condition::Starting(named(reason)),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::tsm::store::ProcessStore;

    /// A directory with the enabled services of these definitions, and the processes of these records.
    fn scene(services: &[(&str, &str)], records: &[(&str, &str)]) -> (tempfile::TempDir, Paths) {
        let dir = tempfile::tempdir().expect("a directory");
        let paths = Paths::under(dir.path());
        fs::create_dir_all(paths.services_available()).expect("a directory");
        fs::create_dir_all(paths.services_enabled()).expect("a directory");
        for (name, text) in services {
            let file = paths.services_available().join(format!("{name}.tsm"));
            fs::write(&file, text).expect("a definition");
            symlink(&file, paths.services_enabled().join(format!("{name}.tsm"))).expect("a link");
        }
        for (index, (name, rest)) in records.iter().enumerate() {
            let dir = paths.processes().join(name);
            fs::create_dir_all(&dir).expect("a directory");
            let service = paths.services_available().join(name.split('-').next().unwrap_or_default());
            let service = service.with_extension("tsm");
            let record = format!(
                r#"{{"tsm_id":{index},"name":"{name}","pid":0,"command":"x","port":"none","cwd":"/","version":1,
                    "run":{{"service":"{}"}},{rest}}}"#,
                service.display()
            );
            fs::write(dir.join("meta.json"), record).expect("a record");
        }
        (dir, paths)
    }

    fn found(scene: &(tempfile::TempDir, Paths), own_mark: Option<&str>) -> Vec<(String, String)> {
        let processes = ProcessStore::open(&scene.1).all().expect("processes");
        let judge = Judge { now: Timestamp(1_000_000), own_mark };
        let all =
            of_enabled(&scene.1, &BTreeMap::new(), &processes.iter().collect::<Vec<_>>(), judge).expect("services");
        let words = |it: &Condition| it.reason().map_or(it.word().to_owned(), |why| format!("{}: {why}", it.word()));
        all.iter().map(|it| (it.name.clone(), words(&it.condition))).collect()
    }

    #[test]
    fn a_service_that_does_not_run_is_down_with_its_reason() {
        let exit = r#""last_exit":{"how":{"code":3},"at_ms":1,"lived_ms":1}"#;
        let scene = scene(
            &[
                ("api", "TSM_COMMAND=x\n"),
                ("bad", "nonsense here\n"),
                ("off", "TSM_COMMAND=x\nTSM_AUTOSTART=false\n"),
                ("web", "TSM_COMMAND=x\n"),
            ],
            &[("api-1", &format!(r#""status":"crashed","state":"crashed",{exit}"#))],
        );
        symlink("/nowhere.tsm", scene.1.services_enabled().join("gone.tsm")).expect("a link");
        let all = found(&scene, None);
        let words: Vec<&str> = all.iter().map(|(_, words)| words.as_str()).collect();
        assert_eq!(words[0], "down: crashed: exit 3");
        assert!(words[1].starts_with("down: "), "{words:?}");
        assert_eq!(words[2..], ["down: its link is broken", "off", "down: not started"]);
    }

    #[test]
    fn one_that_asks_about_itself_runs() {
        let life = r#""status":"crashed","state":"crashed","life":{"nonce":"abc"}"#;
        let scene = scene(&[("api", "TSM_COMMAND=x\n")], &[("api-1", life)]);
        for (mark, expected) in [(None, "down: crashed"), (Some("0.abc"), "up"), (Some("0.abd"), "down: crashed")] {
            assert_eq!(found(&scene, mark)[0].1, expected, "{mark:?}");
        }
    }

    #[test]
    fn as_many_instances_as_are_wanted_have_to_run() {
        let scene = scene(
            &[("api", "TSM_COMMAND=x\nTSM_INSTANCES=2\n")],
            &[("api-1", r#""status":"stopped","state":"stopped""#)],
        );
        assert_eq!(found(&scene, None)[0].1, "down: 1 of 2 instances");
    }
}
