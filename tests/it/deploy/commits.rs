//! What happens between the first host that keeps a release and the last one.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;

use super::interrupts::Had;
use super::{Host, Site, ended};
use crate::fault_injection::can_break;
use crate::sandbox::{self, ChildGuard};
use crate::waiting::eventually;

/// The agent over whose new connection a host is to keep the release: it stops where it has that in its journal, and then finds the
/// disk broken where `fault` says so.
struct InCommit<'a> {
    host: &'a Host,
    /// The agent that deploys.
    deploys: Vec<u32>,
    strace: ChildGuard,
}

impl<'a> InCommit<'a> {
    /// Of a deploy that has its session with the host.
    fn of(host: &'a Host, fault: &str, log: &Path) -> Self {
        let deploys = host.running(&[b"agent"]);
        let mut strace = Command::new("strace");
        strace.args(["-f", "-o", "/dev/null", "-e", "trace=fdatasync", "-p", &host.server.pid().to_string()]);
        strace.args(["-e", &format!("inject=fdatasync:{fault}signal=SIGSTOP:when=1")]);
        let strace = strace.stderr(File::create(log).expect("ours")).stdin(Stdio::null()).spawn().expect("it is there");
        eventually("strace is attached", || fs::read_to_string(log).is_ok_and(|said| said.contains("attached")));
        Self { host, deploys, strace: ChildGuard(strace) }
    }

    fn comes(&self) {
        self.host.reaches("COMMITTED");
    }

    fn go_on(self) {
        let Self { host, strace, .. } = self;
        eventually("it goes on", || {
            host.running(&[b"agent"]).into_iter().for_each(|pid| sandbox::signal(pid, Signal::SIGCONT));
            host.record_has_ended()
        });
        drop(strace);
    }

    /// Kills the one that is to keep the release, and nothing else.
    fn kill(self) {
        let Self { host, deploys, strace } = self;
        let agents = || host.running(&[b"agent"]).into_iter().filter(|pid| !deploys.contains(pid));
        // Before strace ends: without it the agent goes on.
        agents().for_each(|pid| sandbox::signal(pid, Signal::SIGKILL));
        eventually("it is killed", || agents().next().is_none());
        drop(strace);
    }
}

impl Host {
    fn record_has_ended(&self) -> bool {
        self.records().iter().all(|record| record.state.has_ended())
    }
}

/// Two hosts with a release, and a deploy of another one that waits for the new connection to the first host.
fn before_commits(test: &str, stderr: Stdio) -> Option<(Site, Had, ChildGuard)> {
    if !can_break() {
        return None;
    }
    let mut site = Site::new(test, 2)?;
    site.deploy("--max-parallel 2").done();
    site.hosts.iter().for_each(|host| fs::remove_file(host.org().join("deploy/journal.jsonl")).expect("there"));
    site.mode("two");
    let had = Had::of(&site);
    let deployer = site.start("--max-parallel 1 --min-healthy-time 0s --on-failure revert-all", stderr);
    eventually("both have their sessions", || site.hosts.iter().all(|host| !host.journal().is_empty()));
    sandbox::signal(site.hosts[0].server.pid(), Signal::SIGSTOP);
    Some((site, had, deployer))
}

fn committed_on_the_first(site: &Site, second: &InCommit) {
    sandbox::signal(site.hosts[0].server.pid(), Signal::SIGCONT);
    second.comes();
    eventually("the first keeps it", || site.hosts[0].journal().contains(&"COMMITTED".to_owned()));
}

#[test]
fn a_host_whose_disk_breaks_in_the_very_commit_has_the_others_put_back() {
    let test = "a_host_whose_disk_breaks_in_the_very_commit_has_the_others_put_back";
    let Some((mut site, had, mut deployer)) = before_commits(test, Stdio::piped()) else { return };
    let second = InCommit::of(&site.hosts[1], "error=EIO:", &site.world.work().join("strace.log"));
    committed_on_the_first(&site, &second);
    second.go_on();
    let (code, said) = ended(&mut deployer.0);
    assert_eq!(code, 14, "{said}");
    assert!(said.contains("web-1 was reverted to") && said.contains("web-2 was reverted to"), "{said}");
    let journal = site.hosts[0].journal();
    assert_eq!(journal[journal.len() - 3..], ["COMMITTED", "REVERTING", "REVERTED"]);
    had.is_there(&site, "a disk that breaks");
    site.deploy("--max-parallel 2").done();
    site.hosts.iter().for_each(|host| assert_ne!(host.runs("two"), 0));
}

#[test]
fn a_commit_that_is_lost_on_its_way_is_asked_once_more() {
    let Some((site, _, mut deployer)) =
        before_commits("a_commit_that_is_lost_on_its_way_is_asked_once_more", Stdio::piped())
    else {
        return;
    };
    let second = InCommit::of(&site.hosts[1], "", &site.world.work().join("strace.log"));
    committed_on_the_first(&site, &second);
    second.kill();
    let (code, said) = ended(&mut deployer.0);
    assert_eq!(code, 0, "{said}");
    for host in &site.hosts {
        host.runs("two");
        eventually("nothing is left", || host.stray().is_empty());
    }
}

#[test]
fn a_host_that_is_lost_in_the_very_commit_has_the_others_put_back() {
    let test = "a_host_that_is_lost_in_the_very_commit_has_the_others_put_back";
    let Some((site, had, mut deployer)) = before_commits(test, Stdio::piped()) else { return };
    let second = InCommit::of(&site.hosts[1], "", &site.world.work().join("strace.log"));
    committed_on_the_first(&site, &second);
    site.hosts[1].link.cut();
    second.kill();
    let (code, said) = ended(&mut deployer.0);
    assert_eq!(code, 17, "{said}");
    assert!(said.contains("web-1 was reverted to") && said.contains("web-2 is unknown"), "{said}");
    had.is_there(&site, "a host that is lost");
}

#[test]
fn ctrl_c_between_the_first_commit_and_the_last_puts_the_old_release_back() {
    let test = "ctrl_c_between_the_first_commit_and_the_last_puts_the_old_release_back";
    let log = tempfile::NamedTempFile::new().expect("ours");
    let Some((site, had, mut deployer)) = before_commits(test, Stdio::from(log.reopen().expect("ours"))) else {
        return;
    };
    let second = InCommit::of(&site.hosts[1], "", &site.world.work().join("strace.log"));
    committed_on_the_first(&site, &second);
    let said = || fs::read_to_string(log.path()).expect("text");
    sandbox::signal(deployer.0.id(), Signal::SIGINT);
    eventually("it is seen", || said().contains("interrupted: the old release is put back"));
    second.go_on();
    assert_eq!(deployer.0.wait().expect("ours").code(), Some(14), "{}", said());
    had.is_there(&site, "ended between commits");
}
