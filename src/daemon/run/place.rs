//! What the daemon needs of the disk, and the wait for it where the disk is full.
//!
//! systemd gives up a unit that fails five times in five minutes, and a disk may be full for longer. So the daemon waits here: it is
//! ready, as with services that cannot be started, its status says what it waits for, and it goes on once there is space.

use std::fs::File;
use std::path::Path;
use std::time::{Duration, Instant};

use super::launcher::Launcher;
use super::log::{DaemonLog, Level};
use crate::supervise::events::EventReader;
use crate::sys::file::{self, FileError};
use crate::sys::host::Host;
use crate::sys::notify::ServiceManager;
use crate::sys::paths::Paths;
use crate::sys::{daemonize, poll, signal};

/// The pause between two attempts.
const RETRY_INTERVAL: Duration = Duration::from_secs(10);

/// After this time the daemon fails. systemd starts another one, which waits again.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);

/// What a daemon holds for as long as it runs.
pub(super) struct RunPlace {
    /// One daemon for a directory: locked until it is dropped.
    pub(super) lock: File,
    pub(super) launcher: Launcher,
    pub(super) events: EventReader,
}

/// What came of the wait.
pub(super) enum Opened {
    Place(RunPlace),
    /// Another daemon has it.
    Taken,
    /// The daemon was asked to end meanwhile.
    Ended,
}

impl RunPlace {
    /// None if another daemon has it.
    fn open(paths: &Paths, program: &Path, log: &mut DaemonLog) -> Result<Option<Self>, FileError> {
        file::create_dir(&paths.tsm())?;
        file::create_private_dir(&paths.runtime())?;
        file::create_private_dir(&paths.processes())?;
        let lock = daemonize::try_lock_exclusive(&paths.daemon_lock());
        let Some(lock) = lock.map_err(FileError::io("lock", &paths.daemon_lock()))? else { return Ok(None) };
        log.open()?;
        let launcher = Launcher::open(paths, program).map_err(FileError::io("make", &paths.daemon_socket()))?;
        let events =
            EventReader::open(&paths.events()).map_err(FileError::io("read the events in", &paths.events()))?;
        Ok(Some(Self { lock, launcher, events }))
    }

    /// Opens it; while the disk is full, tries again.
    ///
    /// # Errors
    ///
    /// Fails as files do, and if the disk stays full for longer than [`LONGEST_WAIT`].
    pub(super) fn wait_for(
        paths: &Paths,
        host: &dyn Host,
        log: &mut DaemonLog,
        manager: &ServiceManager,
    ) -> Result<Opened, FileError> {
        let give_up = Instant::now() + LONGEST_WAIT;
        let mut said = String::new();
        loop {
            let error = match Self::open(paths, host.program(), log) {
                Ok(Some(place)) => return Ok(Opened::Place(place)),
                Ok(None) => return Ok(Opened::Taken),
                Err(error) if error.is_full() && Instant::now() < give_up => error,
                Err(error) => return Err(error),
            };
            let text = format!("waiting for free disk space: {error}");
            if text != said {
                log.say(Level::Error, &text, host.now());
            }
            manager.notify(&["READY=1", "WATCHDOG=1", &format!("STATUS={text}")]);
            said = text;
            let pause = manager.watchdog().map_or(RETRY_INTERVAL, |limit| RETRY_INTERVAL.min(limit / 2));
            let _ = poll::wait_any(&signal::stop_fds(), pause);
            if signal::interrupted() {
                return Ok(Opened::Ended);
            }
        }
    }
}
