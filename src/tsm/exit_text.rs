//! The ends of processes, in words.

use std::time::Duration;

use super::sidecar::health;
use super::store::Process;
use crate::base::signal::Signal;
use crate::base::time::{HumanDuration, Timestamp};
use crate::supervise::meta::{self, ExitStatus, LastExit, OomVerdict, StopCause};

/// How a process ended: `exit 1`, `SIGKILL`, `pre-start command failed with 3`.
#[must_use]
pub fn describe(how: ExitStatus) -> String {
    match how {
        ExitStatus::Code(code) => format!("exit {code}"),
        ExitStatus::Signal(number) => signal(number),
        ExitStatus::Core(number) => format!("{} (core dumped)", signal(number)),
        ExitStatus::Unknown => "exit status unknown".to_owned(),
        ExitStatus::NotRun(errno) => format!("failed to start: {}", std::io::Error::from_raw_os_error(errno)),
        ExitStatus::Hook(code) => format!("pre-start command failed with {code}"),
    }
}

/// The same with what is known beyond it: `SIGKILL, out of memory`.
#[must_use]
pub fn describe_exit(exit: &LastExit) -> String {
    let words = describe(exit.status);
    match exit.oom {
        Some(OomVerdict::Certain) => format!("{words}, out of memory"),
        Some(OomVerdict::Likely) => format!("{words}, likely out of memory"),
        None => words,
    }
}

/// The same with how long it had lived, and how long ago it ended.
#[must_use]
pub fn describe_end(exit: &LastExit, now: Timestamp) -> String {
    let (ago, lived) = (HumanDuration(now.since(Timestamp(exit.at_ms))), Duration::from_millis(exit.uptime_ms));
    if exit.is_with_machine() {
        return format!("the machine went down, and booted {ago} ago");
    }
    format!("{} after {}, {ago} ago", describe_exit(exit), HumanDuration(lived))
}

/// The word for why a process was ended, as the record has it.
#[must_use]
pub fn cause_text(cause: StopCause) -> &'static str {
    match cause {
        StopCause::Operator => "operator",
        StopCause::Signal => "signal",
        StopCause::Watch => "watch",
        StopCause::Schedule => "schedule",
        StopCause::Memory => "memory",
        StopCause::Health => "health",
        StopCause::Sidecar => "attendant",
        StopCause::ServiceManager => "service-manager",
        StopCause::Daemon => "daemon",
        StopCause::Machine => "machine",
    }
}

/// Why a process was ended, in words; none if neither a command nor the sidecar ended it. The sidecar remembers
/// the details of the last time.
#[must_use]
pub fn why_ended(process: &Process, exit: &LastExit) -> Option<String> {
    let known = || health::read(&process.dir).filter(|health| !exit.nonce.is_empty() && health.restarted == exit.nonce);
    let detailed = |otherwise: &str| {
        let detail = known().map(|health| health.last_restart).filter(|detail| !detail.is_empty());
        format!("restarted: {}", detail.unwrap_or_else(|| otherwise.to_owned()))
    };
    Some(match exit.origin?.cause {
        StopCause::Operator => "requested by an operator".to_owned(),
        StopCause::Signal => "signal sent by an operator".to_owned(),
        StopCause::Watch => detailed("a watched file changed"),
        StopCause::Schedule => detailed("scheduled restart (cron)"),
        StopCause::Memory => detailed("memory limit (--max-memory) exceeded"),
        StopCause::Health => detailed("unhealthy"),
        StopCause::ServiceManager => "systemd stopped the unit that it ran in".to_owned(),
        StopCause::Daemon => "the daemon was stopped; it starts it again when it is started".to_owned(),
        StopCause::Machine => "the machine went down".to_owned(),
        StopCause::Sidecar => detailed("restarted by a health check, a watched file, the memory limit or the schedule"),
    })
}

/// What of the output of a process was not written since it was looked at, and why; nothing where all was.
#[must_use]
pub fn describe_lost_output(before: &Process) -> Option<String> {
    let life = meta::read(&before.dir).ok().flatten()?.run_state;
    let (name, why) = (&before.name, &life.log_error);
    let lost = life.discarded_bytes.saturating_sub(before.meta.run_state.discarded_bytes);
    match (lost, why.is_empty()) {
        (0, true) => None,
        (0, false) => Some(format!("the output of '{name}' is buffered: failed to write its log: {why}")),
        (lost, true) => Some(format!("{lost} bytes of the log of '{name}' were lost")),
        (lost, false) => Some(format!("{lost} bytes of the log of '{name}' were lost: failed to write it: {why}")),
    }
}

/// The exit code, where there was one.
#[must_use]
pub fn code(how: ExitStatus) -> Option<u8> {
    match how {
        ExitStatus::Code(code) => Some(code),
        ExitStatus::Signal(_)
        | ExitStatus::Core(_)
        | ExitStatus::Unknown
        | ExitStatus::NotRun(_)
        | ExitStatus::Hook(_) => None,
    }
}

/// What a shell would make of it: the exit code, 128 and the number for a signal, 127 for what never ran.
#[must_use]
pub fn exit_code(how: ExitStatus) -> u8 {
    match how {
        ExitStatus::Code(code) | ExitStatus::Hook(code) => code,
        ExitStatus::Signal(number) | ExitStatus::Core(number) => number.saturating_add(128),
        ExitStatus::NotRun(_) => 127,
        ExitStatus::Unknown => 1,
    }
}

/// The signal, where one ended it.
#[must_use]
pub fn signal_number(how: ExitStatus) -> Option<u8> {
    match how {
        ExitStatus::Signal(number) | ExitStatus::Core(number) => Some(number),
        ExitStatus::Code(_) | ExitStatus::Unknown | ExitStatus::NotRun(_) | ExitStatus::Hook(_) => None,
    }
}

fn signal(number: u8) -> String {
    match Signal::from_number(number.into()) {
        Some(signal) if number < 32 => signal.to_string(),
        _ => format!("signal {number}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_has_words() {
        for (how, words) in [
            (ExitStatus::Code(0), "exit 0"),
            (ExitStatus::Signal(15), "SIGTERM"),
            (ExitStatus::Signal(34), "signal 34"),
            (ExitStatus::Core(11), "SIGSEGV (core dumped)"),
            (ExitStatus::Unknown, "exit status unknown"),
            (ExitStatus::NotRun(2), "failed to start: No such file or directory (os error 2)"),
            (ExitStatus::Hook(3), "pre-start command failed with 3"),
        ] {
            assert_eq!(describe(how), words);
        }
    }
}
