//! What travels between a command and a supervisor: small records of one fixed size, with a version.
//!
//! A record is 16 bytes: two letters of kind, the version, the code, two little-endian `i32`, four zero bytes. It fits the
//! atomic write of a FIFO, so records never mix, and a reader that does not know a version or a code skips exactly one record.

use std::time::Duration;

use std::fmt;

use super::meta::{StopCause, StopOrigin};

/// The longest time a pre-start command may run.
pub const HOOK_TIMEOUT: Duration = Duration::from_secs(300);

/// The orders FIFO inside a process directory.
pub(super) const CONTROL_FIFO: &str = "orders";

/// The link to a newer program inside a process directory, while it is to be executed.
pub(super) const UPGRADE_LINK: &str = "program";

/// The length of every record, now and in every later version.
pub const RECORD_SIZE: usize = 16;

/// The version this program speaks.
pub const VERSION: u8 = 1;

const CONTROL_KIND: [u8; 2] = *b"TO";
const STARTUP_KIND: [u8; 2] = *b"TW";

/// What can be sent to a supervisor through the `orders` FIFO.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ControlCommand {
    /// End the child politely, then by force, and everything it left behind; then end.
    Stop,
    /// The same, and start it again.
    Restart,
    /// The same while it runs, and nothing if it is being ended or waits already: what was requested meanwhile counts.
    AutoRestart,
    /// End the child by SIGKILL at once; else as `Stop`.
    Kill,
    /// Send this signal to the child (not to its group).
    Signal(i32),
    /// Open the logs anew, after they were moved, and write `meta.json` again, after it was damaged.
    Reopen,
    /// Make what the logs hold now a part of its own; empty logs stay. Its `meta.json` stays too.
    Rotate,
    /// Replace the supervisor by the program that its path now names; the child does not notice.
    Upgrade,
}

/// A supervisor's first word to the command that started it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LaunchResult {
    /// The program was executed.
    Spawned {
        /// The child.
        pid: u32,
    },
    /// The recorded child was still alive and is supervised again.
    Adopted {
        /// The child.
        pid: u32,
    },
    /// Another supervisor holds the directory; nothing was done.
    AlreadySupervised,
    /// The pre-start command failed.
    HookFailed {
        /// Its exit code; 128 + n for signal n.
        code: u8,
    },
    /// The program never ran; `life.start_error` says why in words. Where the reason may pass (no memory, a busy file) and the
    /// policy wants it, it is tried again: see `state`.
    NotRun {
        /// The error number of the step that failed.
        errno: i32,
        /// Which step that was.
        step: SpawnStep,
    },
    /// The recorded child had ended meanwhile; that was recorded, and nothing more is due now. It may be waiting to be
    /// started again: see `state` in `meta.json`.
    Ended,
}

/// The steps between a fork and a running program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpawnStep {
    /// Making the process, its pipes or its files.
    Fork,
    /// Putting the environment together: a named env file is missing or malformed.
    Environment,
    /// Entering the working directory.
    Directory,
    /// Executing the program.
    Execute,
    /// Holding it to its limits.
    Limit,
    /// Becoming the user that it runs as.
    User,
}

impl fmt::Display for SpawnStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fork => "creating the process",
            Self::Environment => "reading its environment",
            Self::Directory => "entering its directory",
            Self::Execute => "executing it",
            Self::Limit => "setting its limits",
            Self::User => "changing to its user",
        })
    }
}

impl SpawnStep {
    pub(super) fn code(self) -> i32 {
        match self {
            Self::Fork => 0,
            Self::Environment => 1,
            Self::Directory => 2,
            Self::Execute => 3,
            Self::Limit => 4,
            Self::User => 5,
        }
    }

    pub(super) fn from_code(code: i32) -> Self {
        match code {
            1 => Self::Environment,
            2 => Self::Directory,
            3 => Self::Execute,
            4 => Self::Limit,
            5 => Self::User,
            _ => Self::Fork,
        }
    }
}

/// What may come first over the pipe of a starting supervisor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StartupMessage {
    /// The pre-start command runs; have patience.
    HookRunning,
    /// The answer.
    Done(LaunchResult),
}

impl ControlCommand {
    /// The record of this order. A signal leaves no room for its sender.
    #[must_use]
    pub fn encode(self, origin: StopOrigin) -> [u8; RECORD_SIZE] {
        let pid = i32::try_from(origin.pid).unwrap_or(0);
        let (code, value) = match self {
            Self::Stop => (1, pid),
            Self::Restart => (2, pid),
            Self::Kill => (3, pid),
            Self::Signal(signal) => (4, signal),
            Self::Reopen => (5, 0),
            Self::Upgrade => (6, 0),
            Self::Rotate => (7, 0),
            Self::AutoRestart => (8, pid),
        };
        encode(CONTROL_KIND, code, [value, origin.cause.code()])
    }

    /// The order in a record and where it comes from; `None` for one of another version or kind.
    #[must_use]
    pub fn decode(record: &[u8; RECORD_SIZE]) -> Option<(Self, StopOrigin)> {
        let (code, [value, cause]) = decode(CONTROL_KIND, record)?;
        let order = match code {
            1 => Self::Stop,
            2 => Self::Restart,
            3 => Self::Kill,
            4 => Self::Signal(value),
            5 => Self::Reopen,
            6 => Self::Upgrade,
            7 => Self::Rotate,
            8 => Self::AutoRestart,
            _ => return None,
        };
        // Earlier senders say no cause: only attendants ask for a renewal, all else is an operator's.
        let otherwise = if order == Self::AutoRestart { StopCause::Sidecar } else { StopCause::Operator };
        let pid = if matches!(order, Self::Signal(_)) { 0 } else { u32::try_from(value).unwrap_or(0) };
        Some((order, StopOrigin { cause: StopCause::from_code(cause).unwrap_or(otherwise), pid }))
    }
}

/// Every cause with its code.
const CAUSES: [(StopCause, i32); 10] = [
    (StopCause::Operator, 1),
    (StopCause::Signal, 2),
    (StopCause::Watch, 3),
    (StopCause::Schedule, 4),
    (StopCause::Memory, 5),
    (StopCause::Health, 6),
    (StopCause::Sidecar, 7),
    (StopCause::ServiceManager, 8),
    (StopCause::Daemon, 9),
    (StopCause::Machine, 10),
];

impl StopCause {
    fn code(self) -> i32 {
        CAUSES.iter().find(|(cause, _)| *cause == self).map_or(0, |(_, code)| *code)
    }

    fn from_code(code: i32) -> Option<Self> {
        CAUSES.iter().find(|(_, known)| *known == code).map(|(cause, _)| *cause)
    }
}

impl StartupMessage {
    pub(super) fn encode(self) -> [u8; RECORD_SIZE] {
        let pid = |pid: u32| i32::try_from(pid).unwrap_or(0);
        let (code, values) = match self {
            Self::HookRunning => (1, [0, 0]),
            Self::Done(LaunchResult::Spawned { pid: child }) => (2, [pid(child), 0]),
            Self::Done(LaunchResult::Adopted { pid: child }) => (3, [pid(child), 0]),
            Self::Done(LaunchResult::AlreadySupervised) => (4, [0, 0]),
            Self::Done(LaunchResult::HookFailed { code }) => (5, [i32::from(code), 0]),
            Self::Done(LaunchResult::NotRun { errno, step }) => (6, [errno, step.code()]),
            Self::Done(LaunchResult::Ended) => (7, [0, 0]),
        };
        encode(STARTUP_KIND, code, values)
    }

    pub(super) fn decode(record: &[u8; RECORD_SIZE]) -> Option<Self> {
        let (code, [first, second]) = decode(STARTUP_KIND, record)?;
        let pid = u32::try_from(first).unwrap_or(0);
        Some(match code {
            1 => Self::HookRunning,
            2 => Self::Done(LaunchResult::Spawned { pid }),
            3 => Self::Done(LaunchResult::Adopted { pid }),
            4 => Self::Done(LaunchResult::AlreadySupervised),
            5 => Self::Done(LaunchResult::HookFailed { code: u8::try_from(first).unwrap_or(u8::MAX) }),
            6 => Self::Done(LaunchResult::NotRun { errno: first, step: SpawnStep::from_code(second) }),
            7 => Self::Done(LaunchResult::Ended),
            _ => return None,
        })
    }
}

fn encode(kind: [u8; 2], code: u8, values: [i32; 2]) -> [u8; RECORD_SIZE] {
    let mut record = [0; RECORD_SIZE];
    record[..2].copy_from_slice(&kind);
    record[2] = VERSION;
    record[3] = code;
    record[4..8].copy_from_slice(&values[0].to_le_bytes());
    record[8..12].copy_from_slice(&values[1].to_le_bytes());
    record
}

fn decode(kind: [u8; 2], record: &[u8; RECORD_SIZE]) -> Option<(u8, [i32; 2])> {
    if record[..2] != kind || record[2] != VERSION {
        return None;
    }
    let value = |at: usize| i32::from_le_bytes([record[at], record[at + 1], record[at + 2], record[at + 3]]);
    Some((record[3], [value(4), value(8)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const OPERATOR: StopOrigin = StopOrigin { cause: StopCause::Operator, pid: 1 };

    #[test]
    fn orders_and_words_come_back() {
        for order in [
            ControlCommand::Stop,
            ControlCommand::Restart,
            ControlCommand::Kill,
            ControlCommand::Signal(10),
            ControlCommand::Reopen,
            ControlCommand::Rotate,
            ControlCommand::AutoRestart,
            ControlCommand::Upgrade,
        ] {
            for (cause, _) in CAUSES {
                let ends = matches!(
                    order,
                    ControlCommand::Stop | ControlCommand::Restart | ControlCommand::AutoRestart | ControlCommand::Kill
                );
                let pid = if ends { 4711 } else { 0 };
                let origin = StopOrigin { cause, pid };
                assert_eq!(ControlCommand::decode(&order.encode(origin)), Some((order, origin)));
            }
        }
        for word in [
            StartupMessage::HookRunning,
            StartupMessage::Done(LaunchResult::Spawned { pid: 7 }),
            StartupMessage::Done(LaunchResult::Adopted { pid: 7 }),
            StartupMessage::Done(LaunchResult::AlreadySupervised),
            StartupMessage::Done(LaunchResult::HookFailed { code: 137 }),
            StartupMessage::Done(LaunchResult::NotRun { errno: 2, step: SpawnStep::Directory }),
            StartupMessage::Done(LaunchResult::Ended),
        ] {
            assert_eq!(StartupMessage::decode(&word.encode()), Some(word));
        }
    }

    #[test]
    fn a_record_without_a_cause_is_still_understood() {
        for (code, order, cause) in
            [(1, ControlCommand::Stop, StopCause::Operator), (8, ControlCommand::AutoRestart, StopCause::Sidecar)]
        {
            assert_eq!(
                ControlCommand::decode(&encode(CONTROL_KIND, code, [0, 0])),
                Some((order, StopOrigin { cause, pid: 0 }))
            );
        }
    }

    #[test]
    fn another_version_or_kind_is_not_understood() {
        let mut newer = ControlCommand::Stop.encode(OPERATOR);
        newer[2] += 1;
        assert_eq!(ControlCommand::decode(&newer), None);
        let mut unknown = ControlCommand::Stop.encode(OPERATOR);
        unknown[3] = 200;
        assert_eq!(ControlCommand::decode(&unknown), None);
        assert_eq!(ControlCommand::decode(&StartupMessage::HookRunning.encode()), None);
    }
}
