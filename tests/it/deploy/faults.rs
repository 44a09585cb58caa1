//! What goes wrong in a deploy: each with its exit code, and with what each host has afterwards.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Stdio;

use nix::sys::signal::Signal;

use super::{Host, Site, ended};
use crate::ports::free_port;
use crate::sandbox::{self, kill_hard};
use crate::waiting::eventually;
use crate::world::PROGRAM;

/// A service that is sick on hosts where a file says so, in the version that looks for it.
const LOOKS: &str = "[services.web]\ncommand = \"bash -c 'test ! -e /root/sick || exit 1; exec sleep 1000'\"\n\
                     [services.web.export]\nMODE = 'two'\n";

#[test]
fn a_host_that_is_down_or_another_stops_it_before_anything_is_done() {
    let Some(mut site) = Site::new("a_host_that_is_down_or_another_stops_it_before_anything_is_done", 2) else {
        return;
    };
    site.hosts[1].server.stop();
    let said = site.deploy("").failed(11);
    assert!(said.contains("web-2"), "{said}");
    assert_eq!(site.hosts[0].current(), None);
    let over = site.deploy("--skip-unreachable");
    assert!(over.code == 0 && over.stderr.contains("passed over: ") && site.hosts[0].current().is_some(), "{over:?}");
    assert!(over.stderr.contains("1 host passed over: `org deploy @dev` brings the release there"), "{over:?}");
    site.hosts[1].server.restart();
    let status = site.world.run("org deploy status @dev");
    assert!(status.output.contains("stale"), "{status:?}");
    assert!(status.stderr.contains("`org deploy @dev --hosts web-2` deploys what they lack"), "{status:?}");
    site.hosts[1].server.stop();

    site.mode("two");
    let before = site.hosts[0].current();
    site.hosts[1].server.restart();
    site.hosts[1].server.rekey();
    let connections = site.hosts[1].link.connections();
    let said = site.deploy("--skip-unreachable").failed(12);
    assert!(said.contains("web-2") && said.contains(" is pinned, SHA256:") && said.contains(" was offered"), "{said}");
    assert_eq!(site.hosts[1].link.connections() - connections, 1, "it is not tried again");
    assert_eq!((site.hosts[0].current(), site.hosts[1].current()), (before, None));
    // What is wrong on this machine is found before a host is asked.
    let local = site.world.home().join("tetra/org/acme/environments/local.toml");
    let text = fs::read_to_string(&local).expect("there");
    fs::write(&local, format!("{text}\n[services.web.environment]\nCOLOR = 'red'\n")).expect("ours");
    let said = site.deploy("").failed(1);
    assert!(said.contains("unknown key `services.web.environment.COLOR`"), "{said}");
    fs::write(&local, text).expect("ours");
    let dev = site.world.home().join("tetra/org/acme/environments/dev.toml");
    fs::write(&dev, fs::read_to_string(&dev).expect("there").replace("'one'", "'other'")).expect("ours");
    let connections = site.hosts[0].link.connections();
    let said = site.deploy("").failed(21);
    assert!(said.contains("services.web.export.MODE"), "{said}");
    assert_eq!(site.hosts[0].link.connections(), connections, "no host is asked");
}

#[test]
fn a_deployer_that_is_killed_leaves_the_old_release_and_no_lock() {
    let Some(mut site) = Site::new("a_deployer_that_is_killed_leaves_the_old_release_and_no_lock", 1) else { return };
    site.deploy("").done();
    let old = site.hosts[0].current();
    site.mode("two");
    let deployer = site.begin();
    site.hosts[0].reaches("APPLIED");
    site.hosts[0].runs("two");
    let second = site.deploy("").failed(10);
    assert!(second.contains("deploys here: ") && second.contains(&format!("PID {}", deployer.0.id())), "{second}");
    kill_hard(deployer.0.id());
    site.hosts[0].reaches("REVERTED");
    site.hosts[0].runs("one");
    assert_eq!(site.hosts[0].current(), old);
    site.deploy("").done();
    site.hosts[0].runs("two");
}

#[test]
fn a_reader_that_goes_away_does_not_end_it() {
    let Some(site) = Site::new("a_reader_that_goes_away_does_not_end_it", 1) else { return };
    let mut program = site.world.program(PROGRAM);
    program.args(["-y", "-c", "org deploy @dev --min-healthy-time 0s"]).stdin(Stdio::null());
    let mut child = program.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it is there");
    drop((child.stdout.take(), child.stderr.take()));
    assert_eq!(child.wait().expect("ours").code(), Some(0));
    assert_eq!(site.hosts[0].journal().last().map(String::as_str), Some("COMMITTED"));
    site.hosts[0].runs("one");

    // The code is that of what became of the hosts.
    site.mode("sick");
    let mut child = program.spawn().expect("it is there");
    drop(child.stdout.take());
    let (code, said) = ended(&mut child);
    assert_eq!(code, 14, "{said}");
    assert!(said.contains("error: dev: web-1 was reverted to "), "{said}");
    assert_eq!(site.hosts[0].journal().last().map(String::as_str), Some("REVERTED"));
    site.hosts[0].runs("one");
}

#[test]
fn a_first_deploy_that_fails_leaves_nothing() {
    let Some(mut site) = Site::new("a_first_deploy_that_fails_leaves_nothing", 1) else { return };
    site.mode("sick");
    let said = site.deploy("").failed(14);
    assert!(said.contains("web-1 was reverted to no release"), "{said}");
    let host = &site.hosts[0];
    assert!(host.current().is_none() && host.web().is_none());
    assert!(!host.org().join("environments/dev.toml").exists());
    assert!(!host.tetra().join("tsm/services-available/web.tsm").exists());
    assert_eq!(fs::read_dir(host.org().join("failed")).expect("kept to be looked at").count(), 1);
}

#[test]
fn a_port_of_a_stranger_is_found_before_anything_is_switched() {
    let Some(mut site) = Site::new("a_port_of_a_stranger_is_found_before_anything_is_switched", 1) else { return };
    let stranger = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = stranger.local_addr().expect("bound").port();
    site.services(&format!("[services.web]\ncommand = 'sleep 1000'\nport = {port}\n"));
    let said = site.deploy("").failed(13);
    assert!(said.contains(&format!("web needs port {port}: port {port} is in use by PID")), "{said}");
    assert!(said.contains("; nothing was changed on a host, and dev was promoted\n"), "{said}");
    assert!(site.deploy("").failed(13).contains("; nothing was changed\n"), "it was promoted before");
    assert_eq!(site.hosts[0].journal().last().map(String::as_str), Some("ABORTED"));
    assert_eq!(site.hosts[0].current(), None);
    let releases = fs::read_dir(site.hosts[0].org().join("releases")).expect("it was staged");
    assert_eq!(releases.count(), 0, "what is refused is removed at once");
}

#[test]
fn one_sick_host_of_three_is_reverted_alone_or_with_the_others() {
    let Some(mut site) = Site::new("one_sick_host_of_three_is_reverted_alone_or_with_the_others", 3) else { return };
    site.deploy("--max-parallel 3").done();
    let old: Vec<_> = site.hosts.iter().map(super::Host::current).collect();
    fs::write(site.hosts[1].server.root().join("sick"), "").expect("ours");
    site.services(LOOKS);
    let said = site.deploy("--max-parallel 1 --on-failure revert-all").failed(14);
    assert!(said.contains("web-2 was reverted to"), "{said}");
    assert_eq!(site.hosts.iter().map(super::Host::current).collect::<Vec<_>>(), old);
    for host in &site.hosts {
        host.runs("one");
    }

    let said = site.deploy("--max-parallel 1 --on-failure stop").failed(16);
    assert!(said.contains("1 of 3 hosts run") && said.contains("web-2 was reverted to"), "{said}");
    assert_eq!(site.hosts[0].web().map(|it| it.1).as_deref(), Some("two"));
    assert_eq!(site.hosts[1].current(), old[1]);
    assert_eq!(site.hosts[2].current(), old[2]);
    let status = site.world.run("org deploy status @dev --json").done();
    assert!(status.contains("REVERTED") && status.contains("COMMITTED") && status.contains("ABORTED"), "{status}");
    fs::remove_file(site.hosts[1].server.root().join("sick")).expect("ours");
    site.deploy("--max-parallel 3").done();
    for host in &site.hosts {
        host.runs("two");
    }
}

impl Host {
    /// The release that was current before the one that is.
    fn before(&self) -> Option<String> {
        let current = self.current();
        let all = fs::read_dir(self.org().join("releases")).ok()?.flatten();
        all.filter_map(|it| it.file_name().into_string().ok()).find(|name| Some(name) != current.as_ref())
    }
}

/// A deploy to two hosts whose first one gets the new release, and cannot get the old one back; where that one is.
fn stuck(site: &Site) -> (PathBuf, PathBuf) {
    let host = &site.hosts[0];
    let old = host.current().expect("one");
    let deployer = site.begin();
    host.reaches("APPLIED");
    let (release, away) = (host.org().join("releases").join(&old), host.org().join("away"));
    fs::set_permissions(&release, fs::Permissions::from_mode(0o755)).expect("ours");
    fs::rename(&release, &away).expect("ours");
    kill_hard(deployer.0.id());
    host.reaches("REVERT_FAILED");
    (release, away)
}

#[test]
fn what_cannot_be_put_back_is_said_and_can_be_tried_again() {
    let Some(mut site) = Site::new("what_cannot_be_put_back_is_said_and_can_be_tried_again", 2) else { return };
    site.deploy("--max-parallel 2").done();
    let old = site.hosts[0].current().expect("one");
    site.mode("two");
    let (release, away) = stuck(&site);
    site.hosts[1].reaches("ABORTED");
    let said = site.world.run("org deploy recover @dev").failed(15);
    assert!(said.contains("REVERT_FAILED") && said.contains("does not exist"), "{said}");
    assert!(said.contains("`org deploy recover @dev`"), "{said}");

    // Until then no deploy begins there: neither of what is there already, nor of another release, nor of one from before.
    let journals = [site.hosts[0].lines(), site.hosts[1].lines()];
    for mode in ["two", "three"] {
        site.mode(mode);
        let said = site.deploy("").failed(4);
        assert!(said.contains("web-1: frozen by tetra: the old release could not be put back"), "{said}");
        assert!(said.contains("`org deploy recover @dev` tries that again"), "{said}");
    }
    site.deploy("--hosts web-1").failed(4);
    site.deploy("--wait=1s").failed(10);
    let there = site.hosts[0].current().expect("the new one");
    site.world.run(&format!("org deploy rollback {there} --env @dev --hosts web-1 --min-healthy-time 0s")).failed(4);
    let plan = site.deploy("--plan");
    assert!(plan.stderr.contains("web-1: frozen by tetra: "), "{plan:?}");
    let status = site.world.run("org deploy status @dev");
    assert!(status.output.contains("frozen by tetra: "), "{status:?}");
    assert!(status.stderr.contains("web-1: `org deploy recover @dev` tries that again"), "{status:?}");
    assert_eq!(site.hosts[0].lines(), journals[0]);
    site.hosts[1].runs("one");
    assert!(!site.hosts[1].lines()[journals[1].len()..].iter().any(|line| line.contains("ARMED")));
    // The others can be deployed to by their names.
    site.deploy("--hosts web-2").done();
    site.hosts[1].runs("three");

    fs::rename(&away, &release).expect("ours");
    site.world.run("org deploy recover @dev").done();
    assert_eq!(site.hosts[0].current(), Some(old));
    site.hosts[0].runs("one");
    site.deploy("").done();
    site.hosts[0].runs("three");
}

#[test]
fn a_deploy_after_which_the_old_release_cannot_be_put_back_says_so_and_what_to_do() {
    let test = "a_deploy_after_which_the_old_release_cannot_be_put_back_says_so_and_what_to_do";
    let Some(mut site) = Site::new(test, 1) else { return };
    site.deploy("").done();
    site.mode("two");
    let mut deployer = site.start("--min-healthy-time 600s", Stdio::piped());
    let host = &site.hosts[0];
    host.reaches("APPLIED");
    let release = host.org().join("releases").join(host.before().expect("one"));
    fs::set_permissions(&release, fs::Permissions::from_mode(0o755)).expect("ours");
    fs::rename(&release, host.org().join("away")).expect("ours");
    sandbox::signal(deployer.0.id(), Signal::SIGINT);
    let (code, said) = ended(&mut deployer.0);
    assert_eq!(code, 15, "{said}");
    assert!(said.contains("dev: web-1 could not be reverted: ") && said.contains("does not exist"), "{said}");
    assert!(said.contains("on the host: `tsm org apply @dev`") && said.contains("`org deploy recover @dev`"), "{said}");
    assert_eq!(host.journal().last().map(String::as_str), Some("REVERT_FAILED"));
    assert!(site.deploy("").failed(4).contains("frozen by tetra"));
}

/// Where the old release is lost for good an operator may say that deploys begin again.
#[test]
fn what_cannot_be_put_back_at_all_is_let_be_by_an_operator() {
    let Some(mut site) = Site::new("what_cannot_be_put_back_at_all_is_let_be_by_an_operator", 1) else { return };
    site.deploy("").done();
    site.mode("two");
    stuck(&site);
    site.mode("three");
    let said = site.deploy("").failed(4);
    assert!(said.contains("`org deploy unfreeze @dev`"), "{said}");
    site.world.run("org deploy unfreeze @dev").done();
    site.deploy("").done();
    site.hosts[0].runs("three");
}

#[test]
fn a_frozen_host_is_not_deployed_to_and_a_release_can_be_deployed_again() {
    let Some(mut site) = Site::new("a_frozen_host_is_not_deployed_to", 1) else { return };
    site.deploy("").done();
    let first = site.hosts[0].current();
    site.world.run("org deploy freeze 'the database moves' @dev").done();
    site.mode("two");
    let generated = site.world.home().join("tetra/org/acme/environments/dev.toml");
    let before = fs::read_to_string(&generated).expect("promoted");
    let said = site.deploy("").failed(4);
    assert!(
        said.contains("frozen by operator@") && said.contains("the database moves; nothing was changed\n"),
        "{said}"
    );
    assert!(said.contains("`org deploy unfreeze @dev` lets deploys begin again"), "{said}");
    assert_eq!(fs::read_to_string(&generated).expect("there"), before, "it is not promoted either");
    let status = site.world.run("org deploy status @dev");
    assert!(status.stderr.contains("web-1: `org deploy unfreeze @dev` lets deploys begin again"), "{status:?}");
    site.hosts[0].runs("one");
    site.world.run("org deploy unfreeze @dev").done();
    site.deploy("").done();
    site.hosts[0].runs("two");
    site.world.run("org deploy rollback --env @dev --min-healthy-time 0s").done();
    site.hosts[0].runs("one");
    assert_eq!(site.hosts[0].current(), first);
    let logs = site.world.run("org deploy logs --env @dev").done();
    assert_eq!(logs.matches("COMMITTED").count(), 3, "{logs}");
}

#[test]
fn a_release_that_was_changed_on_a_host_is_shown() {
    let Some(mut site) = Site::new("a_release_that_was_changed_on_a_host_is_shown", 1) else { return };
    site.deploy("").done();
    let current = site.hosts[0].current().expect("one");
    let file = site.hosts[0].org().join("releases").join(&current).join("environments/dev.toml");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).expect("ours");
    let plan = site.deploy("--plan").done() + &site.deploy("--plan").stderr;
    assert!(plan.contains("environments/dev.toml has other permissions than in the release"), "{plan}");
    site.hosts[0].runs("one");
    eventually("no lock is left", || site.world.run("org deploy status @dev").code == 0);
}

/// Listens on the port and answers by its `MODE`.
pub(super) const TOY: &str = "
import http.server, os, sys, time
mode, port, began = os.environ['MODE'], int(os.environ['PORT']), time.time()
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        age = time.time() - began
        if mode == 'stuck' and age > 3:
            time.sleep(1000)
        lives = mode != 'fails' and (mode != 'flaps' or age < 2) and (mode != 'late' or age < 4)
        self.send_response(200 if lives else 500)
        self.end_headers()
    def log_message(self, *_):
        pass
if mode == 'deaf':
    time.sleep(1000)
if mode == 'slow':
    time.sleep(3)
http.server.HTTPServer(('127.0.0.1', port), Answer).serve_forever()
";

/// The status of the answer of what listens on a port.
pub(super) fn status_of(port: u16) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("it listens");
    stream.write_all(b"GET /health HTTP/1.0\r\n\r\n").expect("written");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("text");
    answer.split(' ').nth(1).unwrap_or_default().to_owned()
}

#[test]
fn what_is_not_well_in_time_or_does_not_stay_so_is_put_back() {
    let Some(mut site) = Site::new("what_is_not_well_in_time_or_does_not_stay_so_is_put_back", 1) else { return };
    let toy = site.world.work().join("toy.py");
    fs::write(&toy, TOY).expect("ours");
    let port = free_port();
    let service = |mode: &str| {
        format!(
            "[services.web]\ncommand = 'python3 {}'\nport = {port}\nhealth = 'http://127.0.0.1:{port}/health'\n\
             health_interval = '300ms'\nhealth_threshold = 1\n[services.web.export]\nMODE = '{mode}'\n",
            toy.display()
        )
    };
    site.services(&service("well"));
    site.deploy("").done();
    let old = site.hosts[0].current();
    let name = format!("web-{port}");
    for mode in ["fails", "deaf", "flaps"] {
        site.services(&service(mode));
        let said = site.world.run("org deploy @dev --healthy-deadline 5s --min-healthy-time 5s").failed(14);
        assert!(said.contains("web-1 was reverted to"), "{mode}: {said}");
        assert_eq!(site.hosts[0].journal().last().map(String::as_str), Some("REVERTED"), "{mode}");
        assert_eq!(site.hosts[0].current(), old, "{mode}");
        assert_eq!(site.hosts[0].variable(&name, "MODE").expect("it runs").1, "well", "{mode}");
        assert_eq!(status_of(port), "200", "{mode}: the old version serves");
    }
    site.services(&service("slow"));
    site.world.run("org deploy @dev --healthy-deadline 30s --min-healthy-time 1s").done();
    assert_eq!(site.hosts[0].variable(&name, "MODE").expect("it runs").1, "slow");
}

/// A restart that ends between its stop and its start leaves a process stopped, as an operator does.
#[test]
fn what_was_stopped_when_the_agent_was_killed_is_started_again() {
    let Some(mut site) = Site::new("what_was_stopped_when_the_agent_was_killed_is_started_again", 1) else { return };
    let go = site.world.work().join("go");
    let service = |mode: &str| {
        let waits = format!("until test -e {}; do sleep 0.02; done; exit 0", go.display());
        format!(
            "[services.web]\ncommand = \"bash -c 'trap \\\"{waits}\\\" TERM; while :; do sleep 0.02; done'\"\n\
             kill_timeout = '60s'\n[services.web.export]\nMODE = '{mode}'\n"
        )
    };
    site.services(&service("one"));
    site.deploy("").done();
    site.services(&service("two"));
    let mut deployer = site.start("--min-healthy-time 0s", Stdio::piped());
    let host = &site.hosts[0];
    let meta = host.tetra().join("tsm/runtime/processes/web/meta.json");
    let state = || -> serde_json::Value {
        serde_json::from_slice::<serde_json::Value>(&fs::read(&meta).unwrap_or_default()).unwrap_or_default()["state"]
            .clone()
    };
    eventually("it is being stopped", || state() == "stopping");
    host.kill(&[b"agent"]);
    fs::write(&go, "").expect("ours");
    let (code, said) = ended(&mut deployer.0);
    assert_eq!(code, 14, "{said}");
    host.runs("one");
}
