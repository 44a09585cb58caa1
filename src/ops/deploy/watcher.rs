//! The dead-man's handle: a process of its own on the host that puts the old release back when the time is up or the deployer is
//! gone, unless the deploy was committed.

use std::ffi::{OsStr, OsString};
use std::time::{Duration, Instant};

use super::commit;
use super::give_up::{GivenUp, When, give_up};
use super::place::Place;
use crate::base::fault::{Fault, FaultKind};
use crate::deploy::error::RecordError;
use crate::deploy::machine::State;
use crate::sys::daemonize;
use crate::sys::file::FileError;
use crate::tsm::launch;

/// How often it looks.
const POLL_INTERVAL: Duration = Duration::from_millis(200);

/// For how long a deployer has to be away before it is gone.
const GRACE: Duration = Duration::from_secs(1);

/// How long it may take to begin.
const START_LIMIT: Duration = Duration::from_secs(10);

/// For how long it tries to put the old release back where it cannot write or another process is at it: a full disk is freed by
/// people.
const PERSISTENCE: Duration = Duration::from_secs(24 * 3600);

/// The word that this program is started with as a watcher.
pub const COMMAND: &str = "deploy-watch";

/// Starts one, and waits until it watches. Under systemd it is in a scope of its own where the end of the session would end it.
///
/// # Errors
///
/// Fails if it does not begin in time, or would end with the session; nothing may be switched then.
pub fn start(place: &Place, txid: &str, limit: Duration) -> Result<(), Fault> {
    let (home, environment) = (place.paths.home().as_os_str(), place.environment().to_string());
    let scope = launch::scope_of_watcher(txid).map_err(|_| ends_with_session(place))?;
    let through = scope.map(|scope| scope.call()).unwrap_or_default();
    let seconds = limit.as_secs().to_string();
    let program = place.host.program().as_os_str();
    let mut call: Vec<&OsStr> = through.iter().map(OsString::as_os_str).collect();
    call.extend([program, OsStr::new("--dir"), home, OsStr::new(COMMAND)]);
    call.extend([&environment, txid, &seconds].map(OsStr::new));
    let failed = |why: String| Fault::new(FaultKind::Preflight, format!("the watcher did not begin: {why}"));
    daemonize::leave_behind(&call, place.host.variables()).map_err(|error| failed(error.to_string()))?;
    let until = Instant::now() + START_LIMIT;
    while !is_watched(place, txid) {
        if Instant::now() >= until || !place.host.sleep(Duration::from_millis(5)) {
            return Err(failed(format!("not within {} s", START_LIMIT.as_secs())));
        }
    }
    Ok(())
}

fn ends_with_session(place: &Place) -> Fault {
    let why = "what puts the old release back would end with this login, for logind ends all processes of a login \
               (KillUserProcesses=yes)";
    let advice = format!("`loginctl enable-linger {}` on the host, as root", place.host.user());
    Fault::new(FaultKind::Preflight, why).with_advice(advice)
}

/// True while one watches a deploy.
#[must_use]
pub fn is_watched(place: &Place, txid: &str) -> bool {
    daemonize::is_locked(&place.files().watch_path(txid))
}

/// Watches a deploy until it has ended, or ends it.
///
/// # Errors
///
/// Fails if another one watches it, or it cannot be ended.
pub fn watch(place: &Place, txid: &str, limit: Duration) -> Result<(), Fault> {
    place.files().read(txid)?;
    let path = place.files().watch_path(txid);
    let lock = daemonize::try_lock_exclusive(&path).map_err(FileError::io("lock", &path))?;
    let Some(_lock) = lock else { return Err(Fault::new(FaultKind::Locked, "another one watches it")) };
    let result = wait(place, txid, limit);
    // Nothing is lost with it: the record says what became of the deploy.
    let _ = std::fs::remove_file(&path);
    result
}

fn wait(place: &Place, txid: &str, limit: Duration) -> Result<(), Fault> {
    let until = Instant::now() + limit;
    let mut seen = Instant::now();
    loop {
        // First: a state that is read afterwards is the last one of a deployer that was gone before.
        let is_held = place.files().holder().is_some_and(|holder| holder.txid == txid);
        match place.files().read(txid) {
            Ok(record) if record.state == State::Committed && !is_held => {
                return commit::settle(place, txid, &mut |_| {}).map(drop);
            }
            Ok(record) if record.state.has_ended() && record.state != State::Committed => return Ok(()),
            // It was removed, with all that could be put back.
            Err(gone @ RecordError::Unknown(_)) => return Err(gone.into()),
            _ => {}
        }
        if is_held {
            seen = Instant::now();
        }
        let is_late = Instant::now() >= until;
        if is_late || seen.elapsed() >= GRACE {
            let why = if is_late { "it was not committed in time" } else { "the deployer is gone" };
            match give_up(place, GivenUp { txid, why, when: When::Live }, &mut |_| {}) {
                // Its deployer may still have it put back.
                Ok(record) if record.state == State::Committed => {}
                Ok(_) => return Ok(()),
                Err(fault) if Instant::now() >= until + PERSISTENCE => return Err(fault),
                Err(_) => {}
            }
        }
        place.host.sleep(POLL_INTERVAL);
    }
}
