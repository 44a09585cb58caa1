//! Ctrl-C in each phase of a deploy, in a terminal and without one.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use tetra::deploy::files::DeployDir;

use super::{Host, Site, WAY};
use crate::fault_injection::can_break;
use crate::pty::Terminal;
use crate::sandbox::{self, ChildGuard};
use crate::waiting::eventually;

const CTRL_C: &str = "\x03";
const QUESTION: &str = "revert now (y) or keep waiting (n)?";

/// A deploy that looks for ten minutes at what it deployed, in a terminal.
fn typed(site: &Site) -> Terminal {
    typed_with(site, "600s")
}

fn typed_with(site: &Site, min_healthy_time: &str) -> Terminal {
    let mut command = site.at_terminal();
    command.args(["-y", "-c", &format!("org deploy @dev --min-healthy-time {min_healthy_time}")]);
    Terminal::start(command)
}

/// Nothing on the host takes a step while this is there.
pub(super) fn hold(host: &Host) -> File {
    let path = host.org().join("deploy/act");
    let held = File::options().write(true).open(path).expect("a deploy was there");
    held.lock().expect("locked");
    held
}

/// A site with one host that has a release, and another release to come.
fn with_another(test: &str) -> Option<Site> {
    let mut site = Site::new(test, 1)?;
    site.deploy("").done();
    site.mode("two");
    Some(site)
}

#[test]
fn ctrl_c_while_a_host_is_reached_ends_it() {
    let Some(site) = with_another("ctrl_c_while_a_host_is_reached_ends_it") else { return };
    let host = &site.hosts[0];
    let (before, connections) = (host.journal(), host.link.connections());
    host.link.hang();
    let mut terminal = typed(&site);
    terminal.wait_for("connecting");
    eventually("it is reached", || host.link.connections() > connections);
    terminal.send(CTRL_C);
    assert_eq!(terminal.end(), 130);
    assert!(terminal.contents().contains("interrupted; nothing was changed"), "{}", terminal.contents());
    host.link.mend();
    assert_eq!(host.journal(), before);
    host.runs("one");
}

#[test]
fn ctrl_c_before_a_host_is_armed_changes_nothing() {
    let Some(site) = with_another("ctrl_c_before_a_host_is_armed_changes_nothing") else { return };
    let host = &site.hosts[0];
    let (old, held) = (host.current(), hold(host));
    let mut terminal = typed(&site);
    host.reaches("PREFLIGHT");
    terminal.send(CTRL_C);
    terminal.wait_for("interrupted before a host was switched");
    drop(held);
    assert_eq!(terminal.end(), 130);
    let shown = terminal.contents();
    assert!(shown.contains("interrupted; nothing was changed") && shown.contains("ABORTED"), "{shown}");
    host.reaches("ABORTED");
    assert!(!host.journal().contains(&"ARMED".to_owned()));
    assert_eq!(host.current(), old);
    host.runs("one");

    // Once more, while the first is being done.
    let held = hold(host);
    let mut terminal = typed(&site);
    host.reaches("PREFLIGHT");
    terminal.send(CTRL_C);
    terminal.wait_for("interrupted before a host was switched");
    terminal.send(CTRL_C);
    assert_eq!(terminal.end(), 130);
    assert!(terminal.contents().contains("nothing was changed"), "{}", terminal.contents());
    drop(held);
    host.reaches("ABORTED");
    host.runs("one");
}

#[test]
fn ctrl_c_after_a_host_is_armed_asks() {
    let Some(site) = with_another("ctrl_c_after_a_host_is_armed_asks") else { return };
    let host = &site.hosts[0];
    let mut terminal = typed(&site);
    host.reaches("APPLIED");
    terminal.send(CTRL_C);
    terminal.wait_for(QUESTION);
    terminal.send("n\r");
    terminal.wait_for("waiting on");
    host.runs("two");
    terminal.send(CTRL_C);
    terminal.wait_written(QUESTION, 2);
    terminal.send("y\r");
    assert_eq!(terminal.end(), 14);
    assert!(terminal.contents().contains("dev: web-1 was reverted to"), "{}", terminal.contents());
    host.reaches("REVERTED");
    host.runs("one");
}

#[test]
fn a_second_ctrl_c_ends_it_at_once() {
    let Some(site) = with_another("a_second_ctrl_c_ends_it_at_once") else { return };
    let host = &site.hosts[0];
    let mut terminal = typed(&site);
    host.reaches("APPLIED");
    terminal.send(CTRL_C);
    terminal.wait_for(QUESTION);
    terminal.send(CTRL_C);
    assert_eq!(terminal.end(), 17);
    let shown = terminal.contents();
    assert!(shown.contains("dev: web-1 is unknown: interrupted; lost after APPLIED"), "{shown}");
    assert!(shown.contains("the host puts the old release back by itself"), "{shown}");
    host.reaches("REVERTED");
    host.runs("one");

    // While the old release is put back.
    let mut terminal = typed(&site);
    host.reaches("APPLIED");
    let held = hold(host);
    terminal.send(CTRL_C);
    terminal.wait_for(QUESTION);
    terminal.send("y\r");
    terminal.wait_for("the old release is put back");
    terminal.send(CTRL_C);
    assert_eq!(terminal.end(), 17);
    assert!(terminal.contents().contains("web-1 is unknown"), "{}", terminal.contents());
    drop(held);
    host.reaches("REVERTED");
    host.runs("one");
}

#[test]
fn ctrl_c_without_a_terminal_puts_the_old_release_back() {
    let Some(site) = with_another("ctrl_c_without_a_terminal_puts_the_old_release_back") else { return };
    let mut deployer = site.begin();
    site.hosts[0].reaches("APPLIED");
    sandbox::signal(deployer.0.id(), Signal::SIGINT);
    assert_eq!(deployer.0.wait().expect("ours").code(), Some(14));
    assert_eq!(site.hosts[0].journal().last().map(String::as_str), Some("REVERTED"));
    site.hosts[0].runs("one");
}

/// A state in which Ctrl-C is pressed while the first of two hosts is in it; the exit code, and how the deploy ends on that host.
type Row = (&'static str, u32, &'static str);

const ROWS: [Row; 8] = [
    ("LOCKED", 130, "ABORTED"),
    ("PREFLIGHT", 130, "ABORTED"),
    ("STAGING", 130, "ABORTED"),
    ("STAGED", 130, "ABORTED"),
    ("ARMED", 130, "ABORTED"),
    ("SWITCHED", 14, "REVERTED"),
    ("APPLIED", 14, "REVERTED"),
    // Between the batches.
    ("HEALTHY", 14, "REVERTED"),
];

/// An agent of a host that stops once it has written in its journal that it is in a state: it syncs nothing else in this way, so it
/// is the number of the state that counts.
pub(super) struct Stopped<'a> {
    host: &'a Host,
    state: &'static str,
    _strace: ChildGuard,
}

impl<'a> Stopped<'a> {
    pub(super) fn at(host: &'a Host, state: &'static str, log: &Path) -> Self {
        let number = WAY.iter().position(|known| *known == state).expect("a state") + 1;
        let mut strace = Command::new("strace");
        strace.args(["-f", "-o", "/dev/null", "-e", "trace=fdatasync", "-p", &host.server.pid().to_string()]);
        strace.args(["-e", &format!("inject=fdatasync:signal=SIGSTOP:when={number}")]);
        let strace = strace.stderr(File::create(log).expect("ours")).stdin(Stdio::null()).spawn().expect("it is there");
        eventually("strace is attached", || fs::read_to_string(log).is_ok_and(|said| said.contains("attached")));
        Self { host, state, _strace: ChildGuard(strace) }
    }

    /// Has it go on.
    fn go_on(self) {
        eventually("it goes on", || {
            self.host.running(&[b"agent"]).into_iter().for_each(|pid| sandbox::signal(pid, Signal::SIGCONT));
            self.host.journal().last().is_some_and(|last| last != self.state)
        });
    }
}

/// What hosts have that was there before a deploy.
pub(super) struct Had {
    releases: Vec<Option<String>>,
    pids: Vec<u32>,
}

impl Had {
    pub(super) fn of(site: &Site) -> Self {
        Self {
            releases: site.hosts.iter().map(Host::current).collect(),
            pids: site.hosts.iter().map(|host| host.runs("one")).collect(),
        }
    }

    /// All of it is as it was, and nothing else is there.
    #[track_caller]
    pub(super) fn is_there(&self, site: &Site, what: &str) {
        for (index, host) in site.hosts.iter().enumerate() {
            eventually(&format!("{what}: no lock is left"), || {
                DeployDir::of(&host.org()).holder().is_none() && host.running(&[b"agent", b"deploy-watch"]).is_empty()
            });
            assert_eq!(host.current(), self.releases[index], "{what}");
            let pid = host.runs("one");
            let was_switched = host.journal().contains(&"SWITCHED".to_owned());
            assert!(was_switched || pid == self.pids[index], "{what}: the old version served all the time");
            assert!(host.stray().is_empty(), "{what}: {:?}", host.stray());
            let releases = fs::read_dir(host.org().join("releases")).expect("there").count();
            assert_eq!(releases, 1, "{what}: a stray release");
        }
    }
}

/// Two hosts with a release, of which the first is switched alone, and another release to come.
fn two_with_another(test: &str) -> Option<Site> {
    if !can_break() {
        return None;
    }
    let mut site = Site::new(test, 2)?;
    site.deploy("--max-parallel 2").done();
    site.mode("two");
    Some(site)
}

/// A state after which a deploy looks for long at what it deployed, unless it is to go on to the next host.
fn min_healthy_time(state: &str) -> &'static str {
    if state == "HEALTHY" { "0s" } else { "600s" }
}

/// Waits until the first host is in a state. A deployer that ends before, for a host that a busy machine did not let it reach for
/// example, says why.
#[track_caller]
fn reaches_by(site: &Site, state: &str, mut ended: impl FnMut() -> Option<String>) {
    eventually(state, || {
        let end = ended();
        let journal = site.hosts[0].journal();
        let is_there = journal.last().is_some_and(|last| last == state);
        assert!(is_there || end.is_none(), "{state}: {journal:?}: {}", end.unwrap_or_default());
        is_there
    });
}

#[track_caller]
fn ended_so(site: &Site, (state, code, end): Row, said: &str) {
    let old = site.hosts[0].current().expect("one");
    let what = match code {
        130 => "interrupted; nothing was changed".to_owned(),
        _ => format!("web-1 was reverted to {old}"),
    };
    assert!(said.contains(&what), "{state}: {said}");
    let journal = site.hosts[0].journal();
    assert_eq!(journal.last().map(String::as_str), Some(end), "{state}: {journal:?}");
    assert_eq!(journal.contains(&"SWITCHED".to_owned()), code == 14, "{state}: {journal:?}");
    assert!(!site.hosts[1].journal().contains(&"ARMED".to_owned()), "{state}: the second host is not touched");
}

#[test]
fn ctrl_c_in_each_state_leaves_the_old_version_and_nothing_else() {
    let Some(site) = two_with_another("ctrl_c_in_each_state_leaves_the_old_version_and_nothing_else") else { return };
    // That of the deploy before is whole, and is another way.
    site.hosts.iter().for_each(|host| fs::remove_file(host.org().join("deploy/journal.jsonl")).expect("there"));
    for row @ (state, code, _) in ROWS {
        let had = Had::of(&site);
        let stopped = Stopped::at(&site.hosts[0], state, &site.world.work().join("strace.log"));
        let mut terminal = typed_with(&site, min_healthy_time(state));
        reaches_by(&site, state, || terminal.has_ended().then(|| terminal.contents()));
        terminal.send(CTRL_C);
        let place = |state: &str| WAY.iter().position(|known| *known == state);
        if place(state) >= place("ARMED") {
            terminal.wait_for(QUESTION);
            terminal.send("y\r");
            terminal.wait_for("the old release is put back");
        } else {
            terminal.wait_for("interrupted before a host was switched");
        }
        stopped.go_on();
        assert_eq!(terminal.end(), code, "{state}: {}", terminal.contents());
        ended_so(&site, row, &terminal.contents());
        had.is_there(&site, state);
    }
}

#[test]
fn ctrl_c_without_a_terminal_in_each_state_puts_the_old_release_back() {
    let test = "ctrl_c_without_a_terminal_in_each_state_puts_the_old_release_back";
    let Some(site) = two_with_another(test) else { return };
    site.hosts.iter().for_each(|host| fs::remove_file(host.org().join("deploy/journal.jsonl")).expect("there"));
    for row @ (state, code, _) in ROWS.into_iter().filter(|row| ["STAGED", "ARMED", "HEALTHY"].contains(&row.0)) {
        let had = Had::of(&site);
        let stopped = Stopped::at(&site.hosts[0], state, &site.world.work().join("strace.log"));
        let path: PathBuf = site.world.work().join("said.txt");
        let file = File::create(&path).expect("ours");
        let options = format!("--min-healthy-time {}", min_healthy_time(state));
        let mut deployer = site.start(&options, Stdio::from(file));
        let said = || fs::read_to_string(&path).expect("text");
        reaches_by(&site, state, || deployer.0.try_wait().expect("ours").map(|_| said()));
        sandbox::signal(deployer.0.id(), Signal::SIGINT);
        eventually("it is seen", || said().contains("interrupted"));
        stopped.go_on();
        let ended = deployer.0.wait().expect("ours").code();
        assert_eq!(ended, i32::try_from(code).ok(), "{state}: {}", said());
        ended_so(&site, row, &said());
        had.is_there(&site, state);
    }
}

/// The server of the host takes no new connection for a while, so that the deploy waits for the one over which it would be committed.
#[test]
fn ctrl_c_before_the_first_host_keeps_the_release_puts_it_back() {
    let Some(site) = with_another("ctrl_c_before_the_first_host_keeps_the_release_puts_it_back") else { return };
    let host = &site.hosts[0];
    let old = host.current();
    let mut terminal = typed_with(&site, "3s");
    host.reaches("APPLIED");
    sandbox::signal(host.server.pid(), Signal::SIGSTOP);
    host.reaches("HEALTHY");
    terminal.send(CTRL_C);
    terminal.wait_for(QUESTION);
    terminal.send("y\r");
    terminal.wait_for("the old release is put back");
    sandbox::signal(host.server.pid(), Signal::SIGCONT);
    assert_eq!(terminal.end(), 14, "{}", terminal.contents());
    assert_eq!((host.journal().last().map(String::as_str), host.current()), (Some("REVERTED"), old));
    host.runs("one");
}
