//! A random walk: one deploy after the other, each with something that goes wrong at a random moment, and a look at every host after
//! each.
//!
//! `DEPLOY_WALK=500 cargo test --test it random_walk -- --nocapture` walks that many steps over five hosts; without the variable it is
//! a short one, the same in every run. The first random number of a long one is printed, and can be given: see `random.rs`.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tetra::deploy::machine::State;
use tetra::deploy::record::{Before, Record};
use tetra::deploy::release::{ContentHash, EntryKind, Manifest};

use super::carried::mode;
use super::secrecy::write_private;
use super::{Host, Site, ended};
use crate::fault_injection::half_written;
use crate::random::Rng;
use crate::sandbox::{self, ChildGuard, kill_hard};
use crate::tkm::contents;
use crate::waiting::{eventually, pause};

/// What says how many steps.
const VARIABLE: &str = "DEPLOY_WALK";

/// What goes wrong in a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Wrong {
    Nothing,
    /// The new release does not live.
    Sick,
    DeployerKilled,
    AgentKilled,
    WatcherKilled,
    /// The agent and the watcher, at the same time.
    BothKilled,
    Cut,
    DiskFull,
    /// All processes of the host end at once, and it starts again.
    Reboot,
}

const ALL: [Wrong; 9] = [
    Wrong::Nothing,
    Wrong::Sick,
    Wrong::DeployerKilled,
    Wrong::AgentKilled,
    Wrong::WatcherKilled,
    Wrong::BothKilled,
    Wrong::Cut,
    Wrong::DiskFull,
    Wrong::Reboot,
];

/// The moments: when the journal of the host has such a line, and a little later.
const MOMENTS: [&str; 9] =
    ["LOCKED", "PREFLIGHT", "STAGING", "STAGED", "ARMED", "SWITCHED", "APPLIED", "HEALTHY", "COMMITTED"];

/// The seed of the short walk, which is the same in every run: four things that go wrong.
const SHORT: u64 = 60;

/// How much there is in what goes with a release: more than is written at once.
const FILLING: usize = 40_000;

/// What goes with a release: the secrets and an env file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Beside {
    secrets: String,
    env_file: String,
}

impl Beside {
    /// Of a step: each changes in some steps, alone or together with the other.
    fn of(number: usize) -> Self {
        let filling = "x".repeat(FILLING);
        let (secret, color) = (number / 2, number - number / 3);
        Self {
            secrets: format!("API_KEY=s{secret}\nFILLING={filling}{secret}\n"),
            env_file: format!("COLOR=c{color}\nMORE={filling}{color}\n"),
        }
    }

    fn write(&self, site: &Site) {
        let tetra = site.world.home().join("tetra");
        write_private(&tetra.join("org/acme/secrets/dev.env"), &self.secrets);
        write_private(&tetra.join("web.env"), &self.env_file);
    }

    /// As a host has it.
    fn found(host: &Host, what: &str) -> Self {
        let read = |path: PathBuf| {
            assert_eq!(mode(&path), 0o600, "{what}: {}", path.display());
            fs::read_to_string(path).expect(what)
        };
        Self { secrets: read(host.secrets("dev.env")), env_file: read(host.tetra().join("web.env")) }
    }

    /// The values that a process has.
    fn values(&self) -> [&str; 2] {
        [&self.secrets, &self.env_file].map(|text| text.lines().next().expect("one").split_once('=').expect("two").1)
    }
}

struct Walk {
    site: Site,
    rng: Rng,
    /// A process of each host that keeps its disk while all others end.
    keepers: Vec<ChildGuard>,
    /// For each host the releases that it had.
    known: Vec<BTreeSet<String>>,
    /// For each host what it has beside its release, with the deploy that ended last.
    beside: Vec<(Option<String>, Beside)>,
}

impl Walk {
    fn new(site: Site, rng: Rng) -> Self {
        let mut keepers = Vec::new();
        for host in &site.hosts {
            host.disk(100);
            let mut keeper = Command::new("nsenter");
            keeper.arg(format!("--mount=/proc/{}/ns/mnt", host.server.pid())).args(["sleep", "100000"]);
            keepers.push(ChildGuard(keeper.spawn().expect("nsenter is there")));
        }
        let known = vec![BTreeSet::new(); keepers.len()];
        site.carry();
        let first = Beside::of(0);
        first.write(&site);
        let beside = vec![(None, first); keepers.len()];
        Self { site, rng, keepers, known, beside }
    }

    fn pick<T: Copy>(&mut self, all: &[T]) -> T {
        all[usize::try_from(self.rng.below(all.len() as u64)).expect("an index")]
    }

    fn step(&mut self, number: usize) -> String {
        let wrong = self.pick(&ALL);
        let at = usize::try_from(self.rng.below(self.site.hosts.len() as u64)).expect("an index");
        let moment = self.pick(&MOMENTS);
        let later = Duration::from_millis(self.rng.below(60));
        let options = format!(
            "--min-healthy-time {} --healthy-deadline 20s --canary {} --max-parallel {} --on-failure {}",
            self.pick(&["0s", "0s", "0s", "1s"]),
            self.rng.below(2),
            1 + self.rng.below(5),
            self.pick(&["stop", "revert-all", "continue"]),
        );
        let what = format!("step {number}: {wrong:?} at web-{} after {moment} and {later:?}; {options}", at + 1);
        let version = if wrong == Wrong::Sick { "sick".to_owned() } else { format!("m{number}") };
        self.site.mode(&version);
        let new = Beside::of(number);
        new.write(&self.site);
        let before = self.site.hosts[at].lines();
        let last = self.site.hosts[0].last().map(|it| it.txid);
        let mut deployer = self.site.start(&options, Stdio::piped());
        let until = Instant::now() + Duration::from_secs(60);
        let host = &self.site.hosts[at];
        while !host.lines().iter().skip(before.len()).any(|line| line.contains(&format!("\"to\":\"{moment}\""))) {
            if deployer.0.try_wait().expect("ours").is_some() || Instant::now() >= until {
                break;
            }
            pause();
        }
        let reached = Instant::now();
        while reached.elapsed() < later {
            pause();
        }
        match wrong {
            Wrong::Nothing | Wrong::Sick => {}
            Wrong::DeployerKilled => kill_hard(deployer.0.id()),
            Wrong::AgentKilled => host.kill(&[b"agent"]),
            Wrong::WatcherKilled => host.kill(&[b"deploy-watch"]),
            Wrong::BothKilled => host.kill(&[b"agent", b"deploy-watch"]),
            Wrong::Cut => host.link.cut(),
            Wrong::DiskFull => host.fill(),
            Wrong::Reboot => self.reboot(at),
        }
        let (code, said) = ended(&mut deployer.0);
        let host = &self.site.hosts[at];
        host.link.mend();
        let _ = fs::remove_file(host.tetra().join("filling"));
        let what = format!("{what}\n-> {code}\n{said}");
        self.settles(&what);
        self.has_beside(&new, &what);
        // The first host is the first that is locked.
        let own = self.site.hosts[0].last().map(|it| it.txid).filter(|txid| Some(txid) != last.as_ref());
        self.says_the_truth(code, own.as_deref(), &what);
        what
    }

    fn reboot(&mut self, at: usize) {
        let (host, keeper) = (&mut self.site.hosts[at], self.keepers[at].0.id());
        host.server.cut_power(keeper);
        let line = format!("HOME=/root TETRA_DIR=/root/{} exec /root/bin/tetra -y -c 'tsm startup'", host.dir);
        // As at boot: what is started there comes before the first login.
        let done =
            Command::new("nsenter").arg(format!("--mount=/proc/{keeper}/ns/mnt")).args(["sh", "-c", &line]).output();
        let done = done.expect("nsenter is there");
        assert!(done.status.success(), "startup: {}", String::from_utf8_lossy(&done.stderr));
        host.server.boot(keeper);
    }

    /// Every host comes to rest by itself, without a lock; what lost its agent before there was a watcher is ended by `recover`.
    fn settles(&mut self, what: &str) {
        for host in &self.site.hosts {
            eventually(what, || host.running(&[b"agent", b"deploy-watch"]).is_empty());
        }
        // A login to each host costs more than a look at its files. What a killed watcher left goes with the next deploy.
        if self.site.hosts.iter().any(Host::has_something_open) {
            let done = self.site.world.run("org deploy recover @dev --yes");
            assert_eq!(done.code, 0, "{what}\nrecover: {done:?}");
        }
        for (index, host) in self.site.hosts.iter().enumerate() {
            let name = format!("{what}\nweb-{}", index + 1);
            host.is_whole(&name, &mut self.known[index]);
        }
    }

    /// What goes with a release is the new one where the release stayed, and the old one elsewhere: whole, and for its owner alone.
    fn has_beside(&mut self, new: &Beside, what: &str) {
        for (host, (txid, known)) in self.site.hosts.iter().zip(&mut self.beside) {
            let last = host.last();
            let is_other = last.as_ref().map(|it| &it.txid) != txid.as_ref();
            if is_other && last.as_ref().is_some_and(|it| it.state == State::Committed) {
                *known = new.clone();
            }
            *txid = last.map(|it| it.txid);
            let found = Beside::found(host, what);
            assert!(found == *known, "{what}: {:?} and not {:?}", found.values(), known.values());
            eventually(what, || {
                let value = |name| host.variable("web", name).map(|it| it.1);
                [value("API_KEY"), value("COLOR")] == known.values().map(|it| Some(it.to_owned()))
            });
        }
    }

    /// The exit code is that of what the hosts have.
    fn says_the_truth(&mut self, code: i32, txid: Option<&str>, what: &str) {
        let last: Vec<Option<State>> = self
            .site
            .hosts
            .iter()
            .map(|host| host.last().filter(|it| Some(it.txid.as_str()) == txid).map(|it| it.state))
            .collect();
        let committed = last.iter().filter(|state| **state == Some(State::Committed)).count();
        let is_true = match code {
            0 => committed == last.len(),
            13 => committed == 0 && !last.contains(&Some(State::Reverted)),
            14 => committed == 0 && last.contains(&Some(State::Reverted)),
            16 => 0 < committed && committed < last.len(),
            // It was killed, or says that it does not know.
            -1 => what.contains("DeployerKilled"),
            17 => what.contains("Cut") || what.contains("Reboot"),
            _ => false,
        };
        assert!(is_true, "{what}\n{last:?}");
    }
}

impl Host {
    pub(super) fn lines(&self) -> Vec<String> {
        let text = fs::read_to_string(self.org().join("deploy/journal.jsonl")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// Its processes that have one of these words.
    pub(super) fn running(&self, any: &[&[u8]]) -> Vec<u32> {
        let own = self.server.processes();
        let is = |words: &[Vec<u8>]| words.iter().any(|word| any.contains(&word.as_slice()));
        sandbox::running(is).into_iter().filter(|pid| own.contains(pid)).collect()
    }

    pub(super) fn kill(&self, any: &[&[u8]]) {
        self.running(any).into_iter().for_each(kill_hard);
    }

    fn fill(&self) {
        let Ok(mut file) = fs::File::create(self.tetra().join("filling")) else { return };
        while file.write_all(&[0; 4096]).is_ok() {}
    }

    /// The records of its deploys, the newest first.
    pub(super) fn records(&self) -> Vec<Record> {
        let files = fs::read_dir(self.org().join("deploy/tx")).into_iter().flatten().flatten().map(|it| it.path());
        let files = files.filter(|path| path.extension().is_some_and(|it| it == "json"));
        let read = |path: PathBuf| serde_json::from_slice(&fs::read(path).expect("there")).expect("a record");
        let mut all: Vec<Record> = files.map(read).collect();
        all.sort_by(|one, other| (other.at_ms, &other.txid).cmp(&(one.at_ms, &one.txid)));
        all
    }

    fn has_something_open(&self) -> bool {
        let is_watch = |name: &String| name.ends_with(".watch");
        self.records().iter().any(|it| !it.state.has_ended()) || self.stray().iter().any(is_watch)
    }

    fn last(&self) -> Option<Record> {
        self.records().into_iter().next()
    }

    /// Every file of a release is as its manifest has it, and there is no other.
    #[track_caller]
    fn is_as_in_manifest(&self, rid: &str, what: &str) {
        let root = self.org().join("releases").join(rid);
        let manifest = Manifest::read(&fs::read(root.join("manifest.json")).expect(what)).expect(what);
        assert_eq!(manifest.rid().as_str(), rid, "{what}");
        for entry in manifest.entries() {
            let path = root.join(entry.path.as_str());
            if let EntryKind::File { sha256, .. } = &entry.kind {
                assert_eq!(ContentHash::of(&fs::read(&path).expect(what)), *sha256, "{what}: {}", path.display());
            }
        }
        let files = contents(&root).len();
        assert_eq!(files, manifest.entries().iter().filter(|it| matches!(it.kind, EntryKind::File { .. })).count() + 1);
    }

    /// One release whole, which the last record names; what runs is of it; nothing is left over.
    #[track_caller]
    fn is_whole(&self, what: &str, known: &mut BTreeSet<String>) {
        assert!(self.records().iter().all(|it| it.state.has_ended()), "{what}: a deploy is open");
        let Some(last) = self.last() else {
            assert_eq!(self.current(), None, "{what}");
            return;
        };
        let current = self.current();
        let expected = match (last.state, &last.before) {
            (State::Committed, _) => Some(last.rid.to_string()),
            (State::Aborted | State::Reverted, Before::Release(before)) => Some(before.to_string()),
            (State::Aborted | State::Reverted, Before::Absent) => None,
            other => panic!("{what}: {other:?}: {:?}", last.why),
        };
        assert_eq!(current, expected, "{what}: the record is true");
        let mut names: BTreeSet<String> = fs::read_dir(self.org().join("releases"))
            .map(|all| all.flatten().map(|it| it.file_name().to_string_lossy().into_owned()).collect())
            .unwrap_or_default();
        if let Some(rid) = current {
            self.is_as_in_manifest(&rid, what);
            known.insert(rid);
            let mode = self.environment().split_once("MODE = ").expect("a mode").1[1..]
                .split(['\'', '"'])
                .next()
                .map(str::to_owned);
            eventually(&format!("{what}: what runs is {mode:?}, and not {:?}", self.web()), || {
                self.web().map(|it| it.1) == mode
            });
        }
        names.retain(|name| !known.contains(name));
        assert!(names.is_empty(), "{what}: stray releases: {names:?}");
        let stray = self.stray();
        assert!(stray.is_empty(), "{what}: {stray:?}");
    }

    /// What only a deploy that is at work has.
    pub(super) fn stray(&self) -> Vec<String> {
        let mut found: Vec<String> =
            half_written(&self.tetra()).into_iter().map(|path| path.display().to_string()).collect();
        for dir in ["", "deploy", "deploy/tx", "deploy/blobs"] {
            for entry in fs::read_dir(self.org().join(dir)).into_iter().flatten().flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                let is_link = name.starts_with("current.") || name.starts_with("previous.");
                if [".watch", ".part", ".kept"].iter().any(|end| name.ends_with(end)) || name == "reserve" || is_link {
                    found.push(format!("{dir}/{name}"));
                }
            }
        }
        found
    }
}

#[test]
#[allow(clippy::print_stderr, reason = "a long walk says where it is")]
fn random_walk() {
    let given = std::env::var(VARIABLE).ok().map(|text| text.parse::<usize>().expect("a number"));
    let Some(site) = Site::new("random_walk", if given.is_some() { 5 } else { 2 }) else { return };
    let mut walk = Walk::new(site, if given.is_some() { Rng::new() } else { Rng::of(SHORT) });
    walk.site.deploy("--max-parallel 5").done();
    walk.settles("the beginning");
    walk.has_beside(&Beside::of(0), "the beginning");
    for number in 1..=given.unwrap_or(4) {
        let what = walk.step(number);
        if given.is_some() {
            eprintln!("{}", what.lines().take(2).collect::<Vec<_>>().join(" "));
        }
    }
    // In the end all are on one.
    walk.site.mode("end");
    let last = Beside::of(1_000_000);
    last.write(&walk.site);
    let (code, said) = ended(&mut walk.site.start("--min-healthy-time 0s --max-parallel 5", Stdio::piped()).0);
    assert_eq!(code, 0, "{said}");
    walk.settles("the end");
    walk.has_beside(&last, "the end");
    for host in &walk.site.hosts {
        host.runs("end");
    }
}
