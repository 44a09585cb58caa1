//! What has to run when a daemon begins: decisions, without anything done.

use super::record::{DaemonRecord, DaemonState};
use crate::supervise::meta::{ProcessState, StopCause};
use crate::tsm::startup::{StartJob, Task};
use crate::tsm::store::Process;

/// What a daemon begins after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Beginning {
    /// After a boot, after a stop, or as the first one: all that is enabled is started.
    Fresh,
    /// After a daemon that was killed: its services went on, and what an operator stopped meanwhile stays stopped.
    Recovered,
}

impl Beginning {
    /// What follows from the daemon before.
    #[must_use]
    pub fn after(previous: Option<&DaemonRecord>, boot_id: &str) -> Self {
        match previous {
            Some(record) if record.state == DaemonState::Running && record.boot_id == boot_id => Self::Recovered,
            _ => Self::Fresh,
        }
    }
}

/// True if a process that does not run has to be started again because it ran under the daemon before: that stopped it when it was
/// stopped itself, or both ended with the machine.
#[must_use]
pub fn ran_under(process: &Process, previous: &DaemonRecord, boot_id: &str) -> bool {
    let state = &process.meta.run_state;
    if process.is_running() || process.live.supervised || process.unknown.is_some() {
        return false;
    }
    let was_stopped = |it: &&super::record::StoppedProcess| it.name == process.name.as_str() && it.nonce == state.nonce;
    if previous.stopped.iter().any(|it| was_stopped(&it)) {
        return true;
    }
    // A record that was written to its end says how the run ended; one of a machine that stopped says that it ran.
    let went_on = match process.meta.state {
        ProcessState::Online | ProcessState::Starting | ProcessState::Waiting | ProcessState::Scheduled => true,
        ProcessState::Stopping => state.start_pending,
        ProcessState::Stopped | ProcessState::Crashed | ProcessState::Errored | ProcessState::Unknown => false,
    };
    went_on && previous.state == DaemonState::Running && state.boot_id != boot_id && state.boot_id == previous.boot_id
}

/// True if a process ended in this boot in a way that is final: by an operator, with success, or given up. A daemon that comes after
/// one that was killed leaves it so.
#[must_use]
pub fn is_settled(process: &Process, boot_id: &str) -> bool {
    // A daemon that stopped it could not write so if it is taken for one that was killed: the disk was full.
    let origin = process.meta.last_exit.as_ref().and_then(|exit| exit.origin);
    let stopped_by_daemon = origin.is_some_and(|origin| origin.cause == StopCause::Daemon);
    !stopped_by_daemon
        && process.meta.run_state.boot_id == boot_id
        && matches!(process.live.state, ProcessState::Stopped | ProcessState::Errored)
}

/// Takes out of a start the services that `is_left` says, unless another one that is started needs them.
#[must_use]
pub fn without_settled(jobs: Vec<StartJob>, is_left: impl Fn(&str) -> bool) -> Vec<StartJob> {
    let starts = |job: &&StartJob| matches!(job.task, Task::Start(_) | Task::Fail(_));
    let mut kept: Vec<&str> =
        jobs.iter().filter(starts).map(|job| job.name.as_str()).filter(|name| !is_left(name)).collect();
    let mut at = 0;
    while let Some(name) = kept.get(at).copied() {
        at += 1;
        let needs = jobs.iter().filter(|job| job.name == name).flat_map(|job| &job.needs);
        for need in needs.map(String::as_str) {
            if !kept.contains(&need) {
                kept.push(need);
            }
        }
    }
    let kept: Vec<String> = kept.into_iter().map(str::to_owned).collect();
    let is_kept = |job: &StartJob| !starts(&job) || kept.contains(&job.name);
    jobs.into_iter().filter(is_kept).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::daemon::run::record::StoppedProcess;
    use crate::supervise::meta::Meta;
    use crate::tsm::live_state::LiveState;

    const NOW: &str = "this boot";
    const BEFORE: &str = "the boot before";

    fn record(state: DaemonState, boot_id: &str) -> DaemonRecord {
        let own = DaemonRecord::own("dev".to_owned(), String::new(), 0);
        DaemonRecord { state, boot_id: boot_id.to_owned(), ..own }
    }

    /// A process that does not run, whose record says this.
    fn process(state: ProcessState, live: ProcessState, boot_id: &str) -> Process {
        let text = r#"{"tsm_id":0,"name":"api","command":"x","cwd":"/"}"#;
        let mut meta: Meta = serde_json::from_str(text).expect("a record");
        meta.set_state(state);
        meta.run_state.boot_id = boot_id.to_owned();
        meta.run_state.nonce = "n1".to_owned();
        let live = LiveState { state: live, ..LiveState::UNKNOWN };
        let name = "api".parse().expect("a name");
        Process { name, dir: "/nowhere/api".into(), meta, live, record_error: None, unknown: None }
    }

    #[test]
    fn only_a_daemon_that_was_killed_in_this_boot_is_recovered_from() {
        for (state, boot, expected) in [
            (DaemonState::Running, NOW, Beginning::Recovered),
            (DaemonState::Running, BEFORE, Beginning::Fresh),
            (DaemonState::Stopping, NOW, Beginning::Fresh),
            (DaemonState::Stopped, NOW, Beginning::Fresh),
        ] {
            assert_eq!(Beginning::after(Some(&record(state, boot)), NOW), expected, "{state:?} {boot}");
        }
        assert_eq!(Beginning::after(None, NOW), Beginning::Fresh);
    }

    #[test]
    fn what_the_machine_took_along_is_started_again_if_a_daemon_looked_after_it() {
        use ProcessState::{Crashed, Errored, Online, Stopped, Waiting};
        for (state, ran) in [(Online, true), (Waiting, true), (Stopped, false), (Crashed, false), (Errored, false)] {
            let live = if ran { Crashed } else { state };
            let process = process(state, live, BEFORE);
            assert_eq!(ran_under(&process, &record(DaemonState::Running, BEFORE), NOW), ran, "{state:?}");
            // No daemon ran when the machine stopped.
            assert!(!ran_under(&process, &record(DaemonState::Stopped, BEFORE), NOW), "{state:?}");
            assert!(!ran_under(&process, &record(DaemonState::Running, "an older one"), NOW), "{state:?}");
        }
        // It ended in this boot, and its supervisor with it.
        let killed = process(Online, Crashed, NOW);
        assert!(!ran_under(&killed, &record(DaemonState::Running, NOW), NOW));
    }

    #[test]
    fn what_the_daemon_stopped_is_started_again_unless_it_ran_since() {
        let stopped = |nonce: &str| StoppedProcess { name: "api".to_owned(), nonce: nonce.to_owned() };
        let process = process(ProcessState::Stopped, ProcessState::Stopped, NOW);
        for (nonce, expected) in [("n1", true), ("n0", false)] {
            let previous = DaemonRecord { stopped: vec![stopped(nonce)], ..record(DaemonState::Stopped, NOW) };
            assert_eq!(ran_under(&process, &previous, NOW), expected);
        }
        assert!(is_settled(&process, NOW) && !is_settled(&process, BEFORE));
    }

    #[test]
    fn what_is_left_is_started_all_the_same_if_another_one_needs_it() {
        let job = |name: &str, needs: &[&str]| StartJob {
            name: name.to_owned(),
            needs: needs.iter().map(|&need| need.to_owned()).collect(),
            task: Task::Fail(crate::tsm::startup::StartupError::Interrupted),
        };
        let names = |left: &'static [&'static str]| {
            let jobs = vec![job("cache", &[]), job("db", &["cache"]), job("api", &["db"]), job("mail", &[])];
            let kept = without_settled(jobs, |name| left.contains(&name));
            kept.into_iter().map(|job| job.name).collect::<Vec<_>>()
        };
        assert_eq!(names(&["mail"]), ["cache", "db", "api"]);
        assert_eq!(names(&["cache", "db"]), ["cache", "db", "api", "mail"]);
        assert_eq!(names(&["api", "db", "cache"]), ["mail"]);
    }
}
