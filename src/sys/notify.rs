//! What a service says to its service manager, as `sd_notify(3)` has it: a datagram of `KEY=VALUE` lines.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

use super::host::Host;
use super::process;

/// The service manager that started this program; one that was started otherwise speaks to none.
#[derive(Debug)]
pub struct ServiceManager {
    socket: Option<(UnixDatagram, SocketAddr)>,
    watchdog: Option<Duration>,
}

impl ServiceManager {
    /// The manager that `$NOTIFY_SOCKET` names: a path, or with `@` in front a name without a file.
    #[must_use]
    pub fn find(host: &dyn Host) -> Self {
        let watchdog = watchdog(host.variable("WATCHDOG_USEC"), host.variable("WATCHDOG_PID"), process::own_pid());
        Self { socket: host.variable("NOTIFY_SOCKET").and_then(open), watchdog }
    }

    /// True if there is one that listens.
    #[must_use]
    pub fn is_there(&self) -> bool {
        self.socket.is_some()
    }

    /// How long it waits for a sign of life before it ends this program; none if it does not.
    #[must_use]
    pub fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// Says something: `READY=1`, `STATUS=…`. A message that cannot be sent is lost, and the next one says what is true then.
    pub fn notify(&self, lines: &[&str]) {
        if let Some((socket, address)) = &self.socket {
            let _ = socket.send_to_addr(lines.join("\n").as_bytes(), address);
        }
    }
}

/// A socket to speak with, and where it leads.
fn open(name: &str) -> Option<(UnixDatagram, SocketAddr)> {
    let address = match name.strip_prefix('@') {
        Some(name) => SocketAddr::from_abstract_name(name).ok()?,
        None => SocketAddr::from_pathname(name).ok()?,
    };
    let socket = UnixDatagram::unbound().ok()?;
    // A manager that does not read must not stop us.
    socket.set_nonblocking(true).ok()?;
    Some((socket, address))
}

/// The time of a watchdog that is meant for the process `own`.
fn watchdog(micros: Option<&str>, pid: Option<&str>, own: u32) -> Option<Duration> {
    let micros = micros?.parse().ok().filter(|micros| *micros > 0)?;
    let is_ours = pid.is_none_or(|pid| pid.parse() == Ok(own));
    is_ours.then_some(Duration::from_micros(micros))
}

/// The line that has to go with `RELOADING=1`.
#[must_use]
pub fn monotonic_line() -> String {
    let now = clock_gettime(ClockId::CLOCK_MONOTONIC).map(Duration::from).unwrap_or_default();
    format!("MONOTONIC_USEC={}", now.as_micros())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_sockets_are_spoken_to() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("notify");
        let name = format!("tetra-notify-{}", process::own_pid());
        let address = SocketAddr::from_abstract_name(&name).expect("a name");
        let sockets = [UnixDatagram::bind(&path).expect("bound"), UnixDatagram::bind_addr(&address).expect("bound")];
        for (socket, named) in sockets.iter().zip([path.display().to_string(), format!("@{name}")]) {
            let manager = ServiceManager { socket: open(&named), watchdog: None };
            manager.notify(&["READY=1", "STATUS=2 of 2 services run"]);
            let mut bytes = [0; 100];
            let length = socket.recv(&mut bytes).expect("received");
            assert_eq!(&bytes[..length], b"READY=1\nSTATUS=2 of 2 services run");
        }
        let none = ServiceManager { socket: None, watchdog: None };
        assert!(!none.is_there());
        none.notify(&["READY=1"]);
    }

    #[test]
    fn a_watchdog_of_another_process_is_not_ours() {
        let half = Some(Duration::from_millis(500));
        assert_eq!(watchdog(Some("500000"), None, 7), half);
        assert_eq!(watchdog(Some("500000"), Some("7"), 7), half);
        for (micros, pid) in [(Some("500000"), Some("8")), (Some("0"), None), (Some("x"), None), (None, Some("7"))] {
            assert_eq!(watchdog(micros, pid, 7), None, "{micros:?} {pid:?}");
        }
    }
}
