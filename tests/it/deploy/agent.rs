//! The host's side alone: the agent, asked frame by frame, and killed where a deployer could be.

use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::Value;
use tetra::base::time::Timestamp;
use tetra::deploy::carried::{Carried, Form};
use tetra::deploy::machine::State;
use tetra::deploy::record::{Holder, Record};
use tetra::deploy::release::{ContentHash, Document, EntryPath, Manifest, Payload, Sources};
use tetra::deploy::wire::{Answer, Ask, ProgressKind, Said};
use tetra::supervise::meta;
use tetra::sys::dialogue::{Cutter, Dialogue};
use tetra::sys::host::Host;
use tetra::sys::os_host::OsHost;
use tetra::tkm::agent::protocol::{Reply, Request, frame, next_frame};

use crate::beds::skipped;
use crate::sandbox::{self, ChildGuard, kill_hard};
use crate::sshd;
use crate::waiting::{PATIENCE, eventually};
use crate::world::{PROGRAM, World};

/// A host, with releases that were promoted elsewhere.
struct Site {
    world: World,
    host: tempfile::TempDir,
    /// The `MODE` of the last release that was promoted; what goes with it says the same.
    mode: String,
    /// The process that keeps the disk of the host, which no other program sees; none if it has that of this machine.
    disk: Option<ChildGuard>,
}

/// The agent on it.
struct Agent(Dialogue);

const NONCE: &str = "n";

/// How a deploy ends that is given up in a state.
const ENDS: [(State, State); 5] = [
    (State::Staging, State::Aborted),
    (State::Staged, State::Aborted),
    (State::Armed, State::Aborted),
    (State::Applied, State::Reverted),
    (State::Healthy, State::Reverted),
];

impl Site {
    fn new() -> Self {
        let mut world = World::new();
        world.run("org init acme").done();
        Self { world, host: tempfile::tempdir().expect("a directory"), mode: String::new(), disk: None }
    }

    /// With a disk of so many MiB: a file system in memory.
    fn with_disk(mib: u32) -> Self {
        let mut site = Self::new();
        let line = format!("mount -t tmpfs -o size={mib}m tmpfs \"$0\" && echo && exec sleep 100000");
        let mut keeper = Command::new("unshare");
        keeper.args(["--mount", "--propagation", "private", "sh", "-c", &line]).arg(site.host.path());
        let mut keeper = ChildGuard(keeper.stdout(Stdio::piped()).spawn().expect("unshare is there"));
        let mut mounted = [0];
        keeper.0.stdout.take().expect("piped").read_exact(&mut mounted).expect("mounted");
        site.disk = Some(keeper);
        site
    }

    /// The home of the host, as it sees it itself.
    fn home(&self) -> PathBuf {
        let seen = |keeper: &ChildGuard| format!("/proc/{}/root{}", keeper.0.id(), self.host.path().display());
        self.disk.as_ref().map_or_else(|| self.host.path().to_owned(), |keeper| seen(keeper).into())
    }

    /// Leaves no room on its disk.
    fn fill(&self) {
        let mut file = fs::File::create(self.home().join("filling")).expect("room for a name");
        while file.write_all(&[0; 4096]).is_ok() {}
    }

    fn empty(&self) {
        fs::remove_file(self.home().join("filling")).expect("ours");
    }

    /// The release with this `MODE` of its service.
    fn payload(&mut self, mode: &str) -> Payload {
        self.payload_of(mode, "bash -c 'test $MODE != sick && exec sleep 1000'")
    }

    /// The same with another command.
    fn payload_of(&mut self, mode: &str, command: &str) -> Payload {
        mode.clone_into(&mut self.mode);
        let environments = self.world.home().join("tetra/org/acme/environments");
        let local = environments.join("local.toml");
        let whole = fs::read_to_string(&local).expect("there");
        let whole = whole.split("[overrides.dev]").next().expect("a part").to_owned();
        let (from, to) = (whole.find("[services").expect("there"), whole.find("[resources]").expect("there"));
        let service = format!(
            "[services.web]\ncommand = \"{command}\"\nkill_timeout = '10m'\n[services.web.export]\nMODE = '{mode}'\n\n"
        );
        let user = OsHost::new().user().to_owned();
        let own = format!("[overrides.dev]\n\"deployment.user\" = \"{user}\"\n");
        fs::write(&local, format!("{}{service}{}{own}", &whole[..from], &whole[to..])).expect("written");
        self.world.run("org promote @dev").done();
        let document = Document {
            path: EntryPath::new("environments/dev.toml").expect("a path"),
            bytes: fs::read(environments.join("dev.toml")).expect("promoted"),
        };
        let (org, env) = ("acme".parse().expect("a name"), "dev".parse().expect("a name"));
        let at = Timestamp(1_795_176_000_000);
        Payload::collect(Sources { org, env, at, documents: vec![document], application: None }).expect("a release")
    }

    fn agent(&self) -> Agent {
        let path = std::env::var("PATH").unwrap_or_default();
        let home = self.host.path().display().to_string();
        let variables = BTreeMap::from([("HOME".to_owned(), home), ("PATH".to_owned(), path)]);
        let enter = self.disk.as_ref().map(|it| format!("--mount=/proc/{}/ns/mnt", it.0.id()));
        let before: Vec<&str> = enter.as_deref().map_or(Vec::new(), |mount| vec!["nsenter", mount]);
        let words: Vec<String> =
            [&before, &[PROGRAM, "agent", "acme/dev"][..]].concat().into_iter().map(str::to_owned).collect();
        let mut agent =
            Agent(Dialogue::start(&words[0], &words[1..], &variables, &Cutter::default()).expect("it is there"));
        agent.0.feed().write(&[frame(NONCE, &Request::Session).as_bytes()]).expect("it reads");
        let hello = agent.read();
        assert!(matches!(serde_json::from_slice(&hello), Ok(Reply::Hello { .. })));
        agent
    }

    /// Asks from the beginning until the deploy is in the state `last`.
    fn until(&self, payload: &Payload, txid: &str, last: State) -> Agent {
        let mut agent = self.agent();
        let Said::Facts(facts) = agent.ask(&open()) else { panic!("no facts") };
        let holder = Holder { by: "ann@laptop".to_owned(), pid: 1, txid: txid.to_owned(), since_ms: 0 };
        let begin = Ask::Begin { holder, manifest: payload.manifest.clone(), planned: facts.current };
        let Said::Missing(missing) = agent.ask(&begin) else { panic!("it was not begun") };
        if last == State::Staging {
            return agent;
        }
        for blob in missing {
            let bytes = payload.blobs[&blob.hash].read(0, 1 << 20).expect("in memory");
            agent.put(&blob.hash, &bytes, 0, blob.size);
        }
        if last > State::Staging {
            agent.carry(&Carried::Secrets, &format!("SECRET={}\n", self.mode));
            agent.carry(&env_file(), &format!("FILE={}\n", self.mode));
        }
        let steps =
            [(State::Staged, Ask::Stage), (State::Armed, Ask::Arm { seconds: 300 }), (State::Applied, Ask::Switch)];
        for (state, ask) in steps {
            if state > last {
                return agent;
            }
            let said = agent.ask(&ask);
            assert!(!matches!(said, Said::Failed(_)), "{said:?}");
        }
        if last > State::Applied {
            assert!(matches!(agent.ask(&Ask::Prove), Said::Done));
        }
        agent
    }

    fn org(&self) -> PathBuf {
        self.home().join("tetra/org/acme")
    }

    fn record(&self, txid: &str) -> Record {
        let text = fs::read(self.org().join(format!("deploy/tx/{txid}.json"))).expect("a record");
        serde_json::from_slice(&text).expect("readable")
    }

    #[track_caller]
    fn ends(&self, txid: &str, state: State) {
        eventually(state.word(), || self.record(txid).state == state);
        eventually("no watcher", || !self.org().join(format!("deploy/tx/{txid}.watch")).exists());
        eventually("nothing is kept", || !self.org().join(format!("deploy/tx/{txid}.kept")).exists());
    }

    /// The `MODE` of what runs, and what its env file and its secrets say where that is something else.
    fn mode(&self) -> Option<String> {
        let path = self.home().join("tetra/tsm/runtime/processes/web/meta.json");
        let meta: Value = serde_json::from_slice(&fs::read(path).ok()?).ok()?;
        let environ = fs::read(format!("/proc/{}/environ", meta["pid"].as_u64()?)).ok()?;
        let found = |name: &str| {
            let value = environ.split(|byte| *byte == 0).find_map(|it| it.strip_prefix(name.as_bytes()))?;
            Some(String::from_utf8_lossy(value).into_owned())
        };
        let (mode, file, secret) = (found("MODE=")?, found("FILE="), found("SECRET="));
        let is_same = file.as_ref() == Some(&mode) && secret.as_ref() == Some(&mode);
        Some(if is_same { mode } else { format!("{mode}, {file:?}, {secret:?}") })
    }

    fn commit(&self, txid: &str) -> Said {
        let mut fresh = self.agent();
        fresh.ask(&open());
        fresh.ask(&Ask::Commit { txid: txid.to_owned() })
    }
}

impl Agent {
    fn read(&mut self) -> Vec<u8> {
        next_frame(&mut self.0.until(Instant::now() + PATIENCE), NONCE).expect("a frame")
    }

    fn ask(&mut self, ask: &Ask) -> Said {
        self.ask_with(ask, &[])
    }

    fn ask_with(&mut self, ask: &Ask, bytes: &[u8]) -> Said {
        self.0.feed().write(&[frame(NONCE, ask).as_bytes(), bytes]).expect("it reads");
        loop {
            let answer: Answer = serde_json::from_slice(&self.read()).expect("an answer");
            if !matches!(answer.said, Said::Progress(_)) {
                return answer.said;
            }
        }
    }

    fn carry(&mut self, what: &Carried, text: &str) {
        let (sha256, length) = (ContentHash::of(text.as_bytes()), text.len() as u64);
        let said =
            self.ask_with(&Ask::Carry { what: what.clone(), form: Form::Plain, sha256, length }, text.as_bytes());
        assert!(matches!(said, Said::Done), "{said:?}");
    }

    fn put(&mut self, hash: &ContentHash, bytes: &[u8], offset: u64, size: u64) -> Said {
        let length = bytes.len() as u64;
        self.ask_with(&Ask::Put { sha256: hash.clone(), size, offset, length }, bytes)
    }
}

fn open() -> Ask {
    Ask::Open { org: "acme".to_owned(), carried: vec![Carried::Secrets, env_file()] }
}

/// The one that the profile gives to every service.
fn env_file() -> Carried {
    Carried::EnvFile(EntryPath::new("env/dev.env").expect("a path"))
}

impl Drop for Site {
    fn drop(&mut self) {
        let processes = self.home().join("tetra/tsm/runtime/processes");
        let dirs: Vec<PathBuf> = fs::read_dir(processes).into_iter().flatten().flatten().map(|it| it.path()).collect();
        let Some(keeper) = &self.disk else { return sandbox::end_all(&dirs) };
        // Its supervisors listen where only those see who have the same mounts.
        let namespace = format!("--mount=/proc/{}/ns/mnt", keeper.0.id());
        let mut program = Command::new("nsenter");
        program.args([&namespace, PROGRAM, "--dir"]).arg(self.host.path().join("tetra"));
        let _ = program.args(["-y", "-c", "tsm delete all"]).stdout(Stdio::null()).status();
    }
}

fn failure(said: &Said) -> (&str, &str) {
    match said {
        Said::Failed(failure) => (&failure.kind, &failure.message),
        other => panic!("it was done: {other:?}"),
    }
}

/// The deployer would take it for lost otherwise.
#[test]
fn a_host_on_which_a_service_is_long_in_stopping_says_that_it_is_at_work() {
    let mut site = Site::new();
    let go = site.home().join("go");
    let deaf = format!(
        "bash -c 'trap \\\"until test -e {}; do sleep 0.02; done; exit\\\" TERM; while :; do sleep 0.02; done'",
        go.display()
    );
    let first = site.payload_of("one", &deaf);
    let mut agent = site.until(&first, "tx-1", State::Healthy);
    assert!(matches!(site.commit("tx-1"), Said::Done));
    assert!(matches!(agent.ask(&Ask::Settle), Said::Done));
    drop(agent);
    let second = site.payload("two");
    let mut agent = site.until(&second, "tx-2", State::Armed);
    agent.0.feed().write(&[frame(NONCE, &Ask::Switch).as_bytes()]).expect("it reads");
    let mut next = || serde_json::from_slice::<Answer>(&agent.read()).expect("an answer");
    while next().progress != ProgressKind::Beat {}
    fs::write(&go, "").expect("ours");
    let done = std::iter::repeat_with(next).find(|answer| !matches!(answer.said, Said::Progress(_))).expect("endless");
    assert!(matches!(done.said, Said::Done), "{done:?}");
    assert_eq!(site.mode().as_deref(), Some("two"));
}

#[test]
fn a_deployer_that_is_gone_leaves_the_old_release_whatever_it_had_asked() {
    let mut site = Site::new();
    let old = site.payload("one");
    drop(site.until(&old, "first", State::Healthy));
    site.ends("first", State::Reverted);
    assert_eq!(site.mode(), None, "the first deploy leaves nothing");
    assert!(!site.org().join("secrets/dev.env").exists() && !site.home().join("tetra/env/dev.env").exists());
    let agent = site.until(&old, "again", State::Healthy);
    assert!(matches!(site.commit("again"), Said::Done));
    drop(agent);
    site.ends("again", State::Committed);
    assert_eq!(site.mode().as_deref(), Some("one"));

    let new = site.payload("two");
    for (state, end) in ENDS {
        let txid = format!("ends-{}", state.word().to_lowercase());
        drop(site.until(&new, &txid, state));
        site.ends(&txid, end);
        // What was just started may not have its variables yet.
        eventually("it runs as before", || site.mode().as_deref() == Some("one"));
    }
}

#[test]
fn an_agent_that_is_killed_leaves_its_work_to_the_watcher() {
    let mut site = Site::new();
    let old = site.payload("one");
    let agent = site.until(&old, "first", State::Healthy);
    site.commit("first");
    drop(agent);
    let new = site.payload("two");
    for (state, end) in [(State::Armed, State::Aborted), (State::Applied, State::Reverted)] {
        let txid = format!("killed-{}", state.word().to_lowercase());
        let agent = site.until(&new, &txid, state);
        kill_hard(agent.0.pid());
        site.ends(&txid, end);
        assert_eq!(site.mode().as_deref(), Some("one"));
        assert_eq!(
            fs::read_link(site.org().join("current")).expect("a link"),
            Path::new("releases").join(old.manifest.rid().as_str())
        );
    }
    // Before the watcher begins, the next deploy does it.
    kill_hard(site.until(&new, "killed-staged", State::Staged).0.pid());
    let agent = site.until(&new, "next", State::Healthy);
    assert_eq!(site.record("killed-staged").state, State::Aborted);
    assert!(matches!(site.commit("next"), Said::Done));
    drop(agent);
    assert_eq!(site.mode().as_deref(), Some("two"));
}

#[test]
fn two_deployers_and_an_old_plan_are_refused() {
    let mut site = Site::new();
    let payload = site.payload("one");
    let first = site.until(&payload, "first", State::Staging);
    let mut second = site.agent();
    second.ask(&open());
    let begin = |txid: &str, manifest: &Manifest, planned| Ask::Begin {
        holder: Holder { by: "bob@desk".to_owned(), pid: 2, txid: txid.to_owned(), since_ms: 0 },
        manifest: manifest.clone(),
        planned,
    };
    let said = second.ask(&begin("second", &payload.manifest, None));
    assert_eq!(failure(&said), ("locked", "ann@laptop deploys here: first (PID 1)"));
    drop(first);
    site.ends("first", State::Aborted);
    let other = Some(payload.manifest.rid().clone());
    let said = second.ask(&begin("second", &payload.manifest, other));
    assert_eq!(failure(&said).0, "stale");
    assert!(matches!(second.ask(&begin("third", &payload.manifest, None)), Said::Missing(_)));
    assert_eq!(failure(&second.ask(&Ask::Switch)).0, "stale", "nothing is left out");
    assert_eq!(failure(&second.ask(&Ask::GiveUp { txid: "../third".to_owned(), why: String::new() })).0, "usage");
}

#[test]
fn an_upload_that_is_cut_goes_on_where_it_was() {
    let mut site = Site::new();
    let payload = site.payload("one");
    let (hash, blob) = payload.blobs.first_key_value().expect("one");
    let bytes = blob.read(0, 1 << 20).expect("in memory");
    let half = bytes.len() / 2;
    let mut agent = site.until(&payload, "cut", State::Staging);
    assert!(matches!(agent.put(hash, &bytes[..half], 0, blob.size()), Said::Done));
    kill_hard(agent.0.pid());
    let mut agent = site.agent();
    let Said::Facts(_) = agent.ask(&open()) else { panic!("no facts") };
    let holder = Holder { by: "ann@laptop".to_owned(), pid: 1, txid: "next".to_owned(), since_ms: 0 };
    let said = agent.ask(&Ask::Begin { holder, manifest: payload.manifest.clone(), planned: None });
    let Said::Missing(missing) = said else { panic!("{said:?}") };
    assert_eq!((missing.len(), missing[0].received), (1, half as u64));
    assert!(matches!(agent.put(hash, &bytes[half..], half as u64, blob.size()), Said::Done));
    assert!(matches!(agent.ask(&Ask::Stage), Said::Changes(_)));
    // What arrives damaged is not taken.
    drop(agent);
    site.ends("next", State::Aborted);
    let other = site.payload("two");
    let (hash, blob) = other.blobs.first_key_value().expect("one");
    let mut agent = site.until(&other, "damaged", State::Staging);
    let mut bytes = blob.read(0, 1 << 20).expect("in memory");
    bytes[0] ^= 1;
    assert!(failure(&agent.put(hash, &bytes, 0, blob.size())).1.contains("damaged"));
}

#[test]
fn a_silent_deployer_loses_the_host() {
    let mut site = Site::new();
    let payload = site.payload("one");
    let agent = site.until(&payload, "silent", State::Armed);
    // Nothing is said for longer than an agent waits; its input stays open.
    eventually("it ends", || site.record("silent").state == State::Aborted);
    drop(agent);
}

#[test]
fn what_was_not_committed_is_put_back_at_the_next_start() {
    let mut site = Site::new();
    let old = site.payload("one");
    let agent = site.until(&old, "first", State::Healthy);
    site.commit("first");
    drop(agent);
    let new = site.payload("two");
    let agent = site.until(&new, "boot", State::Applied);
    // As where a unit of systemd is killed: the agent, its watcher and all processes are gone at once, and nothing wrote it down.
    let web = site.host.path().join("tetra/tsm/runtime/processes/web");
    let watchers = sandbox::running(|words| {
        words.iter().any(|word| word == b"deploy-watch") && words.iter().any(|word| word == b"boot")
    });
    let supervisors = sandbox::running(|words| words.iter().any(|word| word == web.as_os_str().as_encoded_bytes()));
    let child = meta::read(&web).expect("readable").expect("a record").pid;
    watchers.into_iter().chain(supervisors).chain([agent.0.pid(), child]).for_each(kill_hard);
    eventually("nothing runs", || !sandbox::is_running(child));
    let mut startup = std::process::Command::new(PROGRAM);
    startup.env_clear().env("HOME", site.host.path()).env("PATH", std::env::var("PATH").unwrap_or_default());
    let done = startup.args(["-y", "-c", "tsm startup"]).output().expect("it is there");
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(said.contains("deploy boot of acme/dev is REVERTED"), "{said}");
    assert_eq!(site.mode().as_deref(), Some("one"));
    assert_eq!(site.record("boot").state, State::Reverted);
}

#[test]
fn a_disk_that_becomes_full_leaves_the_old_release_and_no_parts() {
    if let Some(why) = sshd::hindrance() {
        return skipped("a_disk_that_becomes_full_leaves_the_old_release_and_no_parts", why);
    }
    let mut site = Site::with_disk(80);
    let old = site.payload("one");
    let agent = site.until(&old, "first", State::Healthy);
    assert!(matches!(site.commit("first"), Said::Done));
    drop(agent);
    let new = site.payload("two");
    let (hash, blob) = new.blobs.first_key_value().expect("one");
    let bytes = blob.read(0, 1 << 20).expect("in memory");
    for (state, end) in ENDS {
        let txid = format!("full-{}", state.word().to_lowercase());
        let mut agent = site.until(&new, &txid, state);
        site.fill();
        let said = match state {
            State::Staging => Some(agent.put(hash, &bytes, 0, blob.size())),
            State::Staged => Some(agent.ask(&Ask::Arm { seconds: 300 })),
            State::Armed => Some(agent.ask(&Ask::Switch)),
            _ => None,
        };
        if let Some(said) = said {
            let (kind, why) = failure(&said);
            assert!(kind == "preflight" && why.contains("No space left"), "{state}: {said:?}");
        }
        drop(agent);
        site.ends(&txid, end);
        site.empty();
        assert_eq!(site.mode().as_deref(), Some("one"), "{state}");
        let names = |dir: &str| fs::read_dir(site.org().join(dir)).into_iter().flatten().flatten().map(|it| it.path());
        let parts: Vec<_> = names("deploy/blobs").filter(|it| it.extension().is_some()).collect();
        assert!(parts.is_empty() && !site.org().join("deploy/reserve").exists(), "{state}: {parts:?}");
    }
    let agent = site.until(&new, "room", State::Healthy);
    assert!(matches!(site.commit("room"), Said::Done));
    drop(agent);
    assert_eq!(site.mode().as_deref(), Some("two"));
    assert!(!site.org().join("deploy/reserve").exists());
}

#[test]
fn a_watcher_ends_when_there_is_nothing_to_put_back_any_more() {
    let mut site = Site::new();
    let payload = site.payload("one");
    let agent = site.until(&payload, "gone", State::Armed);
    let home = site.home().display().to_string();
    let watchers = || {
        let is = |words: &[Vec<u8>]| {
            words.iter().any(|word| word == b"deploy-watch")
                && words.iter().any(|word| word.starts_with(home.as_bytes()))
        };
        sandbox::running(is)
    };
    assert_eq!(watchers().len(), 1);
    kill_hard(agent.0.pid());
    fs::rename(site.home().join("tetra"), site.home().join("away")).expect("ours");
    eventually("it ends", || watchers().is_empty());
}
