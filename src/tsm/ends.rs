//! The ends of processes, in words.

use super::store::Process;
use crate::supervise::meta::{self, Exit, How, Memory};

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

/// The signal, where one ended it.
#[must_use]
pub fn signal_number(how: How) -> Option<u8> {
    match how {
        How::Signal(number) | How::Core(number) => Some(number),
        How::Code(_) | How::Unknown | How::NotRun(_) | How::Hook(_) => None,
    }
}

/// The names of the signals of Linux on the usual machines, by number.
const SIGNALS: [&str; 32] = [
    "",
    "SIGHUP",
    "SIGINT",
    "SIGQUIT",
    "SIGILL",
    "SIGTRAP",
    "SIGABRT",
    "SIGBUS",
    "SIGFPE",
    "SIGKILL",
    "SIGUSR1",
    "SIGSEGV",
    "SIGUSR2",
    "SIGPIPE",
    "SIGALRM",
    "SIGTERM",
    "SIGSTKFLT",
    "SIGCHLD",
    "SIGCONT",
    "SIGSTOP",
    "SIGTSTP",
    "SIGTTIN",
    "SIGTTOU",
    "SIGURG",
    "SIGXCPU",
    "SIGXFSZ",
    "SIGVTALRM",
    "SIGPROF",
    "SIGWINCH",
    "SIGIO",
    "SIGPWR",
    "SIGSYS",
];

fn signal(number: u8) -> String {
    match SIGNALS.get(usize::from(number)) {
        Some(name) if !name.is_empty() => (*name).to_owned(),
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
