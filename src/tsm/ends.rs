//! The ends of processes, in words.

use super::attend::health;
use super::store::Process;
use crate::base::signal::Signal;
use crate::supervise::meta::{self, Cause, Exit, How, Memory};

/// How a process ended: `exit 1`, `SIGKILL`, `pre-start command failed with 3`.
#[must_use]
pub fn in_words(how: How) -> String {
    match how {
        How::Code(code) => format!("exit {code}"),
        How::Signal(number) => signal(number),
        How::Core(number) => format!("{} (core dumped)", signal(number)),
        How::Unknown => "ended unseen".to_owned(),
        How::NotRun(errno) => format!("not run: {}", std::io::Error::from_raw_os_error(errno)),
        How::Hook(code) => format!("pre-start command failed with {code}"),
    }
}

/// The same with what is known beyond it: `SIGKILL, out of memory`.
#[must_use]
pub fn told(exit: &Exit) -> String {
    let words = in_words(exit.how);
    match exit.memory {
        Some(Memory::Certain) => format!("{words}, out of memory"),
        Some(Memory::Likely) => format!("{words}, likely out of memory"),
        None => words,
    }
}

/// The word for why a process was ended, as the record has it.
#[must_use]
pub fn cause_word(cause: Cause) -> &'static str {
    match cause {
        Cause::Operator => "operator",
        Cause::Signal => "signal",
        Cause::Watch => "watch",
        Cause::Schedule => "schedule",
        Cause::Memory => "memory",
        Cause::Health => "health",
        Cause::Attendant => "attendant",
    }
}

/// Why a process was ended, in a sentence that begins with its restart; none if nobody of ours ended it. Its attendant remembers
/// the details of the last time.
#[must_use]
pub fn why_ended(process: &Process, exit: &Exit) -> Option<String> {
    let known = || health::read(&process.dir).filter(|health| !exit.nonce.is_empty() && health.restarted == exit.nonce);
    let detailed = |otherwise: &str| {
        let detail = known().map(|health| health.last_restart).filter(|detail| !detail.is_empty());
        format!("it was restarted: {}", detail.unwrap_or_else(|| otherwise.to_owned()))
    };
    Some(match exit.origin?.cause {
        Cause::Operator => "an operator ended it".to_owned(),
        Cause::Signal => "an operator sent it a signal".to_owned(),
        Cause::Watch => detailed("a file that is watched changed"),
        Cause::Schedule => detailed("its hour had come"),
        Cause::Memory => detailed("it used more memory than --max-memory allows"),
        Cause::Health => detailed("it was unhealthy"),
        Cause::Attendant => detailed("by its health, its files, its memory or the clock"),
    })
}

/// What of the output of a process was not written since it was looked at, and why; nothing where all was.
#[must_use]
pub fn unwritten(before: &Process) -> Option<String> {
    let life = meta::read(&before.dir).ok().flatten()?.life;
    let (name, why) = (&before.name, &life.log_error);
    let lost = life.discarded_bytes.saturating_sub(before.meta.life.discarded_bytes);
    match (lost, why.is_empty()) {
        (0, true) => None,
        (0, false) => Some(format!("what '{name}' says waits, its log cannot be written: {why}")),
        (lost, true) => Some(format!("{lost} bytes of the log of '{name}' were lost")),
        (lost, false) => Some(format!("{lost} bytes of the log of '{name}' were lost, it cannot be written: {why}")),
    }
}

/// The exit code, where there was one.
#[must_use]
pub fn code(how: How) -> Option<u8> {
    match how {
        How::Code(code) => Some(code),
        How::Signal(_) | How::Core(_) | How::Unknown | How::NotRun(_) | How::Hook(_) => None,
    }
}

/// What a shell would make of it: the exit code, 128 and the number for a signal, 127 for what never ran.
#[must_use]
pub fn exit_code(how: How) -> u8 {
    match how {
        How::Code(code) | How::Hook(code) => code,
        How::Signal(number) | How::Core(number) => number.saturating_add(128),
        How::NotRun(_) => 127,
        How::Unknown => 1,
    }
}

/// The signal, where one ended it.
#[must_use]
pub fn signal_number(how: How) -> Option<u8> {
    match how {
        How::Signal(number) | How::Core(number) => Some(number),
        How::Code(_) | How::Unknown | How::NotRun(_) | How::Hook(_) => None,
    }
}

fn signal(number: u8) -> String {
    match Signal::of(number.into()) {
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
            (How::Code(0), "exit 0"),
            (How::Signal(15), "SIGTERM"),
            (How::Signal(34), "signal 34"),
            (How::Core(11), "SIGSEGV (core dumped)"),
            (How::Unknown, "ended unseen"),
            (How::NotRun(2), "not run: No such file or directory (os error 2)"),
            (How::Hook(3), "pre-start command failed with 3"),
        ] {
            assert_eq!(in_words(how), words);
        }
    }
}
