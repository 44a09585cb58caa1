//! Deploys, with a real sshd for each host.

use std::fs;
use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use portable_pty::CommandBuilder;

use crate::beds::skipped;
use crate::sandbox::ChildGuard;
use crate::sshd::{self, Server};
use crate::waiting::eventually;
use crate::world::{LineResult, PROGRAM, World};
use link::Link;

mod agent;
mod application;
mod carried;
mod ci;
mod commits;
mod disks;
mod drift;
mod faults;
mod first;
mod health;
mod interrupts;
mod keys;
mod kills;
mod large;
mod lines;
mod link;
mod network;
mod plans;
mod prompts;
mod reach;
mod rows;
mod screen;
mod secrecy;
mod units;
mod uploads;
mod walk;

/// An operator's machine and the hosts of `dev`: `web-1`, `web-2`, …
struct Site {
    world: World,
    env: &'static str,
    hosts: Vec<Host>,
}

/// A host, whose processes end with it.
struct Host {
    server: Server,
    /// The way to it.
    link: Link,
    /// Its `TETRA_DIR`, below `/root`: one of its own, for the processes of all hosts are those of this machine.
    dir: String,
}

/// The number of the next host.
static NEXT: AtomicUsize = AtomicUsize::new(0);

/// One service; `MODE` decides whether it lives.
const SERVICE: &str = "[services.web]\ncommand = \"bash -c 'test $MODE != sick && exec sleep 1000'\"\n\
                       [services.web.export]\nMODE = 'one'\n";

impl Site {
    /// With so many hosts of dev; none where there can be no servers.
    fn new(test: &str, hosts: usize) -> Option<Self> {
        Self::of(test, "dev", hosts)
    }

    /// The same of another environment. What is asked about it is answered with yes.
    fn of(test: &str, env: &'static str, hosts: usize) -> Option<Self> {
        Self::prepared(test, env, hosts, |world| {
            if env == "prod" {
                world.run("tkm generate prod --no-passphrase --yes").done();
            }
        })
    }

    /// The same after something was done on the operator's machine, which has an organization and keys.
    fn prepared(test: &str, env: &'static str, hosts: usize, prepare: impl FnOnce(&mut World)) -> Option<Self> {
        if let Some(why) = sshd::hindrance() {
            skipped(test, why);
            return None;
        }
        let mut world = World::new();
        world.run("org init acme").done();
        world.run("tkm init").done();
        prepare(&mut world);
        let mut site = Self { world, env, hosts: Vec::new() };
        site.services(SERVICE);
        for index in 1..=hosts {
            let dir = format!("tetra-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
            let server = Server::start_with(&format!("web-{index}"), &format!("SetEnv TETRA_DIR=/root/{dir}"));
            // It is sent in `deploy::first`, and where keys are bound.
            server.has_program();
            let (link, fingerprint) = (Link::to(server.port()), server.fingerprint());
            let to = format!("root@127.0.0.1:{}", link.port());
            let add = format!("tkm host add web-{index} {to} --env {env} --fingerprint {fingerprint} --yes");
            site.world.run(&add).done();
            let identity = server.identity();
            site.world.run(&format!("tkm bootstrap web-{index} --yes --identity {}", identity.display())).done();
            site.hosts.push(Host { server, link, dir });
        }
        Some(site)
    }

    fn local(&self) -> PathBuf {
        self.world.home().join("tetra/org/acme/environments/local.toml")
    }

    /// Makes these the services of local.toml.
    fn services(&self, text: &str) {
        let whole = fs::read_to_string(self.local()).expect("there");
        let (from, to) = (whole.find("[services").expect("there"), whole.find("[resources]").expect("there"));
        fs::write(self.local(), format!("{}{text}\n{}", &whole[..from], &whole[to..])).expect("written");
    }

    /// Gives the service another `MODE`.
    fn mode(&self, mode: &str) {
        self.services(&SERVICE.replace("'one'", &format!("'{mode}'")));
    }

    /// The real program, which deploys and then looks at what it deployed for ten minutes.
    fn begin(&self) -> ChildGuard {
        self.start("--min-healthy-time 600s", Stdio::null())
    }

    /// The real program, which deploys.
    fn start(&self, options: &str, stderr: Stdio) -> ChildGuard {
        let mut program = self.world.program(PROGRAM);
        program.args(["-y", "-c", &format!("org deploy @{} {options}", self.env)]).stdin(Stdio::null());
        ChildGuard(program.stdout(Stdio::null()).stderr(stderr).spawn().expect("it is there"))
    }

    /// The real program in a terminal, still without words.
    fn at_terminal(&self) -> CommandBuilder {
        self.at_terminal_by(&[PROGRAM])
    }

    /// The same on a host.
    fn at_terminal_of(&self, host: &Host) -> CommandBuilder {
        let namespace = format!("--mount=/proc/{}/ns/mnt", host.server.pid());
        let dir = format!("/root/{}", host.dir);
        self.at_terminal_by(&["nsenter", &namespace, "/root/bin/tetra", "--dir", &dir])
    }

    fn at_terminal_by(&self, call: &[&str]) -> CommandBuilder {
        let mut command = CommandBuilder::new(call[0]);
        command.args(&call[1..]);
        command.env_clear();
        let program = self.world.program(PROGRAM);
        for (name, value) in program.get_envs().filter_map(|(name, value)| Some((name, value?))) {
            command.env(name, value);
        }
        command.env("TERM", "xterm-256color");
        command.cwd(self.world.work());
        command
    }

    fn deploy(&mut self, options: &str) -> LineResult {
        self.world.run(&format!("org deploy @{} --min-healthy-time 0s {options}", self.env))
    }
}

/// The exit code of a deployer, and what it said.
fn ended(child: &mut Child) -> (i32, String) {
    let mut said = String::new();
    child.stderr.take().expect("piped").read_to_string(&mut said).expect("text");
    (child.wait().expect("ours").code().unwrap_or(-1), said)
}

impl Host {
    fn org(&self) -> PathBuf {
        self.tetra().join("org/acme")
    }

    /// As its processes see it: there may be a file system of its own.
    fn tetra(&self) -> PathBuf {
        self.server.seen().join(&self.dir)
    }

    /// The release that is current.
    fn current(&self) -> Option<String> {
        let target = fs::read_link(self.org().join("current")).ok()?;
        Some(target.file_name()?.to_str()?.to_owned())
    }

    /// What is in the file of the environment.
    fn environment(&self) -> String {
        fs::read_to_string(self.org().join("current/environments/dev.toml")).unwrap_or_default()
    }

    /// The states of the last deploy, as the journal has them.
    fn journal(&self) -> Vec<String> {
        let text = fs::read_to_string(self.org().join("deploy/journal.jsonl")).unwrap_or_default();
        let lines: Vec<serde_json::Value> =
            text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
        let Some(last) = lines.last().map(|line| line["txid"].clone()) else { return Vec::new() };
        let own = lines.into_iter().filter(|line| line["txid"] == last);
        own.map(|line| line["to"].as_str().expect("a word").to_owned()).collect()
    }

    #[track_caller]
    fn reaches(&self, state: &str) {
        eventually(state, || self.journal().last().is_some_and(|last| last == state));
    }

    /// The pid of the service, and its `MODE`.
    fn web(&self) -> Option<(u32, String)> {
        let text = fs::read_to_string(self.tetra().join("tsm/runtime/processes/web/meta.json")).ok()?;
        let meta: serde_json::Value = serde_json::from_str(&text).ok()?;
        let pid = u32::try_from(meta["pid"].as_u64()?).ok().filter(|pid| *pid != 0)?;
        let environ = fs::read(format!("/proc/{pid}/environ")).ok()?;
        let found = environ.split(|byte| *byte == 0).find_map(|it| it.strip_prefix(b"MODE="))?;
        Some((pid, String::from_utf8_lossy(found).into_owned()))
    }

    #[track_caller]
    fn runs(&self, mode: &str) -> u32 {
        let (pid, found) = self.web().expect("it runs");
        assert_eq!(found, mode);
        pid
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let processes = self.tetra().join("tsm/runtime/processes");
        if fs::read_dir(processes).is_ok_and(|mut all| all.next().is_some()) {
            self.server
                .inside(&format!("HOME=/root /root/bin/tetra --dir /root/{} -y -c 'tsm delete all' || true", self.dir));
        }
    }
}

const WAY: [&str; 9] =
    ["LOCKED", "PREFLIGHT", "STAGING", "STAGED", "ARMED", "SWITCHED", "APPLIED", "HEALTHY", "COMMITTED"];

#[test]
fn a_host_has_the_new_release_or_the_old_one() {
    let Some(mut site) = Site::new("a_host_has_the_new_release_or_the_old_one", 1) else { return };
    let plan = site.deploy("--plan --exit-code").failed(2);
    assert!(plan.contains("nothing was changed"), "{plan}");
    assert_eq!(site.hosts[0].current(), None);

    let first = site.deploy("");
    assert_eq!(first.code, 0, "{first:?}");
    assert!(
        first.stderr.trim_end().ends_with(&format!("dev: 1 host runs {}", site.hosts[0].current().expect("one"))),
        "{first:?}"
    );
    assert_eq!(site.hosts[0].journal(), WAY);
    let pid = site.hosts[0].runs("one");

    // The same once more.
    let again = site.deploy("");
    assert!(again.code == 0 && again.stderr.contains("dev is deployed already on 1 host"), "{again:?}");
    assert_eq!(site.hosts[0].runs("one"), pid);

    // Another one.
    site.mode("two");
    let before = site.hosts[0].current();
    let second = site.deploy("");
    assert_eq!(second.code, 0, "{second:?}");
    assert!(second.output.contains("restarts web (MODE)"), "{second:?}");
    site.hosts[0].runs("two");
    let current = site.hosts[0].current();
    assert!(current != before && site.hosts[0].environment().contains("'two'"));

    // One that does not live.
    site.mode("sick");
    let sick = site.deploy("");
    assert_eq!(sick.code, 14, "{sick:?}");
    assert!(sick.stderr.contains("web-1 was reverted to"), "{sick:?}");
    site.hosts[0].runs("two");
    assert_eq!(site.hosts[0].current(), current);
    assert_eq!(site.hosts[0].journal().last().map(String::as_str), Some("REVERTED"));
    let records = fs::read_dir(site.hosts[0].org().join("deploy/tx")).expect("there").flatten();
    let watchers: Vec<PathBuf> =
        records.map(|it| it.path()).filter(|it| it.extension().is_some_and(|it| it == "watch")).collect();
    eventually("no watcher is left", || watchers.iter().all(|path| !path.exists()));
}
