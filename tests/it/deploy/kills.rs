//! Deployer, agent and watcher killed at once at each step: what comes next leaves nothing of it behind, `recover` as well as a deploy.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

use nix::sys::signal::Signal;
use tetra::deploy::files::DeployDir;

use super::interrupts::{Stopped, hold};
use super::secrecy::write_private;
use super::{Host, Site, WAY, ended};
use crate::fault_injection::can_break;
use crate::sandbox::{self, ChildGuard};
use crate::waiting::eventually;

/// What changes the files of a host.
const CHANGES: &str = "unlink,unlinkat,rmdir,rename,renameat,renameat2";

/// How many of these calls there are, and a few more, from the first host that keeps a release to its end.
const CALLS: usize = 8;

/// Two hosts with a release that has secrets beside it.
fn two(test: &str) -> Option<Site> {
    if !can_break() {
        return None;
    }
    let mut site = Site::new(test, 2)?;
    site.carry();
    site.deploy("--max-parallel 2").done();
    Some(site)
}

impl Site {
    /// Another release, and other secrets.
    fn next(&self, name: &str) {
        let whole = fs::read_to_string(self.local()).expect("there");
        let (before, rest) = whole.split_once("MODE = '").expect("a mode");
        let (_, after) = rest.split_once('\'').expect("a mode");
        fs::write(self.local(), format!("{before}MODE = '{name}'{after}")).expect("ours");
        write_private(&self.world.home().join("tetra/org/acme/secrets/dev.env"), &format!("API_KEY={name}\n"));
    }

    /// After `recover` on the first host and the next deploy on the second one nothing is left.
    #[track_caller]
    fn comes_to_order(&mut self, what: &str, next: &str) {
        for host in &self.hosts {
            host.kill(&[b"agent", b"deploy-watch"]);
            eventually(what, || host.running(&[b"agent", b"deploy-watch"]).is_empty());
        }
        self.world.run("org deploy recover @dev --hosts web-1 --yes").done();
        self.hosts[0].is_in_order(&format!("{what}, recovered"));
        self.next(next);
        let deployed = self.deploy("--max-parallel 2");
        assert_eq!(deployed.code, 0, "{what}: {deployed:?}");
        for host in &self.hosts {
            host.is_in_order(&format!("{what}, deployed"));
            assert_eq!(host.runs(next), host.variable("web", "API_KEY").expect("it has secrets").0);
        }
    }
}

impl Host {
    /// It has a release, what runs is of it with its secrets, and nothing is open or left over.
    #[track_caller]
    fn is_in_order(&self, what: &str) {
        eventually(&format!("{what}: no process is left"), || self.running(&[b"agent", b"deploy-watch"]).is_empty());
        assert!(self.records().iter().all(|record| record.state.has_ended()), "{what}");
        assert!(DeployDir::of(&self.org()).holder().is_none(), "{what}");
        assert!(self.stray().is_empty(), "{what}: {:?}", self.stray());
        let committed: BTreeSet<String> = self
            .records()
            .iter()
            .filter(|record| record.state.word() == "COMMITTED")
            .map(|record| record.rid.to_string())
            .collect();
        for entry in fs::read_dir(self.org().join("releases")).expect("there").flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            assert!(committed.contains(&name), "{what}: the stray release {name}");
        }
        let has_its_own = || {
            let (_, mode) = self.web()?;
            let secret = fs::read_to_string(self.secrets("dev.env")).ok()?;
            let read = self.environment().contains(&format!("MODE = '{mode}'"));
            let (_, key) = self.variable("web", "API_KEY")?;
            Some(read && secret.contains(&format!("API_KEY={key}\n")) && (key == mode || mode == "one"))
        };
        eventually(&format!("{what}: what runs is one version"), || has_its_own() == Some(true));
    }
}

#[test]
fn what_is_killed_in_each_state_leaves_nothing_after_recover_or_the_next_deploy() {
    let test = "what_is_killed_in_each_state_leaves_nothing_after_recover_or_the_next_deploy";
    let Some(mut site) = two(test) else { return };
    for state in &WAY[..8] {
        site.hosts.iter().for_each(|host| fs::remove_file(host.org().join("deploy/journal.jsonl")).expect("there"));
        site.next(&format!("a-{}", state.to_lowercase()));
        let logs = ["strace-1.log", "strace-2.log"].map(|name| site.world.work().join(name));
        let stopped: Vec<Stopped> =
            site.hosts.iter().zip(&logs).map(|(host, log)| Stopped::at(host, state, log)).collect();
        let deployer = site.start("--min-healthy-time 0s --canary 0 --max-parallel 2", Stdio::null());
        // Hosts are locked and checked one after the other.
        let at_once = if ["LOCKED", "PREFLIGHT", "STAGING"].contains(state) { 1 } else { 2 };
        site.hosts.iter().take(at_once).for_each(|host| host.reaches(state));
        drop(deployer);
        for host in &site.hosts {
            host.kill(&[b"agent", b"deploy-watch"]);
        }
        drop(stopped);
        site.comes_to_order(state, &format!("b-{}", state.to_lowercase()));
    }
}

/// The deployer does not know yet that the host began.
#[test]
fn a_host_that_is_lost_before_it_says_that_it_began_is_asked_what_came_of_it() {
    let test = "a_host_that_is_lost_before_it_says_that_it_began_is_asked_what_came_of_it";
    let Some(mut site) = Site::new(test, 2) else { return };
    site.deploy("--max-parallel 2").done();
    site.mode("two");
    let (lost, held) = (&site.hosts[1], hold(&site.hosts[1]));
    let mut deployer = site.start("--max-parallel 2", Stdio::piped());
    lost.reaches("PREFLIGHT");
    lost.kill(&[b"agent"]);
    drop(held);
    let (code, said) = ended(&mut deployer.0);
    assert_eq!(code, 13, "{said}");
    assert!(said.contains("error: dev: web-2: lost the connection to `web-2`"), "{said}");
    assert!(said.contains("web-2: ABORTED") && said.contains("; nothing was changed"), "{said}");
    for host in &site.hosts {
        assert!(host.records().iter().all(|record| record.state.has_ended()), "{said}");
        host.runs("one");
    }
}

#[test]
fn an_agent_that_is_killed_after_its_commit_leaves_nothing_after_recover_or_the_next_deploy() {
    let test = "an_agent_that_is_killed_after_its_commit_leaves_nothing_after_recover_or_the_next_deploy";
    let Some(mut site) = two(test) else { return };
    for number in 1..=CALLS {
        site.hosts.iter().for_each(|host| fs::remove_file(host.org().join("deploy/journal.jsonl")).expect("there"));
        site.next(&format!("a-{number}"));
        let mut deployer = site.start("--min-healthy-time 0s --canary 0 --max-parallel 1", Stdio::null());
        // It waits for the new connection to the first host, and its sessions do nothing until the release is kept.
        eventually("both have their sessions", || site.hosts.iter().all(|host| !host.journal().is_empty()));
        sandbox::signal(site.hosts[0].server.pid(), Signal::SIGSTOP);
        site.hosts.iter().for_each(|host| host.reaches("HEALTHY"));
        site.hosts.iter().for_each(|host| host.kill(&[b"deploy-watch"]));
        let straces: Vec<ChildGuard> = site
            .hosts
            .iter()
            .enumerate()
            .map(|(index, host)| kill_at(host, number, &site.world.work().join(format!("strace-{index}.log"))))
            .collect();
        sandbox::signal(site.hosts[0].server.pid(), Signal::SIGCONT);
        assert_eq!(deployer.0.wait().expect("ours").code(), Some(0), "call {number}");
        drop(straces);
        let previous: Vec<_> = site.hosts.iter().map(Host::current).collect();
        site.comes_to_order(&format!("call {number}"), &format!("b-{number}"));
        for (host, previous) in site.hosts.iter().zip(previous) {
            let found = fs::read_link(host.org().join("previous")).expect("one");
            assert_eq!(found.file_name().map(|it| it.to_string_lossy().into_owned()), previous, "call {number}");
        }
    }
}

/// The agents of a host end at a call that changes a file.
fn kill_at(host: &Host, number: usize, log: &Path) -> ChildGuard {
    let mut strace = Command::new("strace");
    strace.args(["-o", "/dev/null", "-e", &format!("trace={CHANGES}")]);
    strace.args(["-e", &format!("inject={CHANGES}:signal=SIGKILL:when={number}")]);
    for pid in host.running(&[b"agent"]) {
        strace.args(["-p", &pid.to_string()]);
    }
    let strace = strace.stderr(File::create(log).expect("ours")).stdin(Stdio::null()).spawn().expect("it is there");
    let is_attached = || fs::read_to_string(log).is_ok_and(|said| said.contains("attached"));
    eventually("strace is attached", is_attached);
    ChildGuard(strace)
}
