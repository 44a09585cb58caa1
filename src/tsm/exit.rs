//! How a process ended, in words.

use crate::supervise::meta::How;

/// `exit code 3`, `signal 9 (SIGKILL)`, ….
#[must_use]
pub fn words(how: How) -> String {
    match how {
        How::Code(code) => format!("exit code {code}"),
        How::Signal(signal) => format!("signal {}", named(signal)),
        How::Core(signal) => format!("signal {}, core dumped", named(signal)),
        How::Unknown => "nobody saw how".to_owned(),
        How::NotRun(errno) => format!("never ran: {}", errno_words(errno)),
        How::Hook(code) => format!("pre-start command failed with exit code {code}"),
    }
}

/// What an error number means: `No such file or directory`.
#[must_use]
pub fn errno_words(errno: i32) -> String {
    let text = std::io::Error::from_raw_os_error(errno).to_string();
    text.rsplit_once(" (os error").map_or(text.clone(), |(words, _)| words.to_owned())
}

fn named(signal: u8) -> String {
    const NAMES: [(u8, &str); 17] = [
        (1, "SIGHUP"),
        (2, "SIGINT"),
        (3, "SIGQUIT"),
        (4, "SIGILL"),
        (5, "SIGTRAP"),
        (6, "SIGABRT"),
        (7, "SIGBUS"),
        (8, "SIGFPE"),
        (9, "SIGKILL"),
        (10, "SIGUSR1"),
        (11, "SIGSEGV"),
        (12, "SIGUSR2"),
        (13, "SIGPIPE"),
        (14, "SIGALRM"),
        (15, "SIGTERM"),
        (24, "SIGXCPU"),
        (31, "SIGSYS"),
    ];
    let name = NAMES.iter().find(|(number, _)| *number == signal);
    name.map_or_else(|| signal.to_string(), |(_, name)| format!("{signal} ({name})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn says_how_it_ended() {
        for (how, text) in [
            (How::Code(3), "exit code 3"),
            (How::Signal(9), "signal 9 (SIGKILL)"),
            (How::Core(11), "signal 11 (SIGSEGV), core dumped"),
            (How::Signal(40), "signal 40"),
            (How::NotRun(2), "never ran: No such file or directory"),
            (How::NotRun(8), "never ran: Exec format error"),
            (How::Hook(1), "pre-start command failed with exit code 1"),
        ] {
            assert_eq!(words(how), text);
        }
    }
}
