use std::collections::BTreeMap;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::close_look;
use super::cron_timer::CronTimer;
use super::health::{HealthState, HealthStatus};
use super::health_probe::HealthProbe;
use super::memory_limit::MemoryLimit;
use super::watch_loop::Sidecar;
use super::watcher::{Now, RestartReason, Watcher};
use crate::base::time::Timestamp;
use crate::supervise::meta::{Meta, ProcessState, StopCause};
use crate::sys::host::{CommandOutput, Host, Invocation};
use crate::sys::process;

/// Half a minute past a full one.
const BEGIN: u64 = 1_795_176_030_000;

/// Only the time matters.
struct At(u64);

impl Host for At {
    fn now(&self) -> Timestamp {
        Timestamp(self.0)
    }
    fn variables(&self) -> &BTreeMap<String, String> {
        unreachable!("only the time is asked for")
    }
    fn cwd(&self) -> &Path {
        unreachable!("only the time is asked for")
    }
    fn program(&self) -> &Path {
        unreachable!("only the time is asked for")
    }
    fn user(&self) -> &str {
        unreachable!("only the time is asked for")
    }
    fn run(&self, _: &Invocation) -> io::Result<CommandOutput> {
        unreachable!("only the time is asked for")
    }
    fn interrupted(&self) -> bool {
        false
    }
    fn sleep(&self, _: Duration) -> bool {
        true
    }
}

fn now() -> Now {
    Now { at: Instant::now(), wall: Timestamp(BEGIN) }
}

/// The record of a process that runs.
fn meta() -> Meta {
    let record = r#"{"tsm_id":1,"name":"x","command":"x","cwd":"/"}"#;
    let mut meta: Meta = serde_json::from_str(record).expect("a record");
    meta.set_state(ProcessState::Online);
    meta.pid = process::own_pid();
    meta.run_state.nonce = "n".to_owned();
    meta.run_state.started_ms = BEGIN;
    meta
}

#[test]
fn a_schedule_is_due_once_and_then_again() {
    let (begin, mut health) = (now(), HealthState::default());
    let mut meta = meta();
    (meta.run.monitor.cron, meta.run.monitor.cron_tz) = ("* * * * *".to_owned(), "UTC".to_owned());
    let mut timer = CronTimer::new(&meta.run.monitor, begin).expect("a schedule");
    let mut check = |meta: &Meta, millis: u64| {
        let due = timer.due(begin.after(Duration::from_millis(millis)));
        (due, timer.check(meta, &mut health, begin.after(Duration::from_millis(millis))))
    };
    assert_eq!(check(&meta, 0), (Some(Duration::from_millis(30_005)), None));
    assert_eq!(check(&meta, 29_999).1, None);
    assert_eq!(check(&meta, 30_000).1, Some(RestartReason::Schedule));
    assert_eq!(check(&meta, 30_001).1, None);
    meta.run.oneshot = true;
    assert_eq!(check(&meta, 90_000).1, None, "a task that still runs is left alone");
    meta.set_state(ProcessState::Scheduled);
    assert_eq!(check(&meta, 150_000).1, Some(RestartReason::Schedule));
    meta.run.monitor.cron.clear();
    assert!(CronTimer::new(&meta.run.monitor, begin).is_none());
}

#[test]
fn memory_is_measured_at_intervals() {
    let (begin, mut health) = (now(), HealthState::default());
    let mut limit = MemoryLimit::new(1, begin).expect("a limit");
    let step = limit.due(begin).expect("an interval");
    assert_eq!(limit.check(&meta(), &mut health, begin), None, "not yet");
    let found = limit.check(&meta(), &mut health, begin.after(step));
    assert!(matches!(found, Some(RestartReason::MemoryLimit(used)) if used > 1), "{found:?}");
    assert_eq!(limit.due(begin.after(step)), Some(step));
    assert!(MemoryLimit::new(0, begin).is_none());
}

#[test]
fn what_a_process_reports_decides_at_once() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut meta = meta();
    meta.run.monitor.notify = true;
    (meta.run.monitor.health_interval_ms, meta.run.monitor.health_grace_ms) = (3_600_000, 60_000);
    let host = At(BEGIN);
    let mut sidecar = Sidecar::new(dir.path(), &meta, &host).expect("a sidecar");
    let begin = now();
    assert_eq!(sidecar.check(&meta, begin), None);
    assert_eq!(
        (sidecar.health().status, sidecar.health().reason.as_str()),
        (HealthStatus::Starting, "no READY=1 received")
    );
    let client = UnixDatagram::unbound().expect("a socket");
    client.send_to(b"STATUS=warm\nREADY=1\nOTHER=x", dir.path().join(super::SOCKET)).expect("sent");
    assert_eq!(sidecar.check(&meta, begin), None, "at the same time: the report is what matters");
    assert_eq!((sidecar.health().status, sidecar.health().status_text.as_str()), (HealthStatus::Healthy, "warm"));
}

#[test]
fn a_closer_look_is_every_second_and_ends_by_itself() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut meta = meta();
    meta.run.monitor.health = "exec:test ! -e sick".to_owned();
    let monitor = &mut meta.run.monitor;
    (monitor.health_threshold, monitor.health_timeout_ms, monitor.health_interval_ms) = (3, 60_000, 3_600_000);
    meta.cwd = dir.path().to_owned();
    let begin = now();
    let mut probe = HealthProbe::new(&meta.run.monitor, dir.path(), begin).expect("a check");
    let mut health = HealthState::default();
    let mut check = |millis: u64| {
        let at = begin.after(Duration::from_millis(millis));
        assert_eq!(probe.check(&meta, &mut health, at), None);
        (health.closely, health.failures, health.lapse.clone(), probe.due(at).expect("an interval"))
    };
    let (closely, failures, lapse, due) = check(0);
    assert_eq!((closely, failures, lapse.as_str()), (false, 0, ""));
    assert!(due >= Duration::from_secs(3600), "{due:?}");
    close_look::ask(dir.path(), begin.wall).expect("written");
    let (closely, failures, _, due) = check(10);
    assert_eq!((closely, failures, due), (true, 0, close_look::INTERVAL), "at most so long from now");
    std::fs::write(dir.path().join("sick"), "").expect("written");
    let (closely, failures, lapse, due) = check(1010);
    assert_eq!((closely, failures, lapse.as_str()), (true, 1, "exit 1"));
    assert!(due < Duration::from_secs(3600), "{due:?}");
    std::fs::remove_file(dir.path().join("sick")).expect("there");
    let (closely, failures, lapse, due) = check(60_000);
    assert_eq!((closely, failures, lapse.as_str()), (false, 0, "exit 1"));
    assert!(due >= Duration::from_secs(3600), "{due:?}");
}

#[test]
fn the_first_reason_restarts_and_others_wait_until_it_has_begun() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut meta = meta();
    meta.run.monitor.health = "exec:exit 3".to_owned();
    (meta.run.monitor.health_threshold, meta.run.monitor.health_timeout_ms) = (1, 60_000);
    (meta.run.monitor.health_restart, meta.run.monitor.max_memory) = (true, 1);
    meta.cwd = PathBuf::from("/");
    let host = At(BEGIN);
    let mut sidecar = Sidecar::new(dir.path(), &meta, &host).expect("a sidecar");
    let later = now().after(Duration::from_secs(60));
    let reason = sidecar.check(&meta, later).expect("a reason");
    assert_eq!((reason.to_string().as_str(), reason.cause()), ("unhealthy: exit 3", StopCause::Health));
    meta.set_state(ProcessState::Stopping);
    assert_eq!(sidecar.check(&meta, later.after(Duration::from_secs(60))), None, "nothing is checked while it stops");
}

#[test]
fn every_reason_has_words_and_a_cause() {
    for (reason, words, cause) in [
        (RestartReason::Unhealthy("HTTP 503".to_owned()), "unhealthy: HTTP 503", StopCause::Health),
        (RestartReason::MemoryLimit(300 << 20), "memory limit exceeded (300 MiB)", StopCause::Memory),
        (RestartReason::Schedule, "scheduled restart (cron)", StopCause::Schedule),
        (RestartReason::FileChanged("/srv/a.js".into()), "`/srv/a.js` changed", StopCause::Watch),
    ] {
        assert_eq!((reason.to_string().as_str(), reason.cause()), (words, cause));
    }
}
