//! Many processes, with coming and going: no growth, no drift, no zombies.

use crate::random::Rng;
use crate::sandbox::{CommandOutput, Sandbox, is_running, kill_hard, running};
use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

use super::note;
use super::scale;
use crate::waiting::eventually;

#[test]
fn many_with_churn_neither_grow_nor_drift_nor_leave_zombies() {
    let many = scale(60, 1000);
    let asked = std::env::var("SOAK").ok().and_then(|text| text.parse().ok()).filter(|seconds| *seconds > 1);
    let span = Duration::from_secs(asked.unwrap_or(scale(8, 600) as u64));
    let sandbox = Sandbox::of_tsm();
    let script: String = (0..many).map(line).collect();
    fs::write(sandbox.path("all.tetra"), script).expect("a script");
    let mut command = sandbox.command_under(&[], &[]);
    let program = command.get_program().to_owned();
    command = std::process::Command::new(program);
    let script = command.arg(sandbox.path("all.tetra")).env("HOME", sandbox.root()).env("TETRA_DIR", sandbox.home());
    let asked_at = Instant::now();
    let said = CommandOutput::from(script.output().expect("tetra runs"));
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    assert_eq!(sandbox.list().len(), many);
    note(&format!("{many} processes started in {:.1} s", asked_at.elapsed().as_secs_f64()));

    let mut dice = Rng::new();
    let (begun, mut reported) = (Instant::now(), Instant::now());
    let (mut rounds, mut first) = (0u32, None);
    while begun.elapsed() < span || first.is_none() {
        churn(&sandbox, many, &mut dice);
        rounds += 1;
        if rounds == 3 {
            first = Some(Figures::of(&sandbox, many));
        }
        if reported.elapsed() > MINUTE {
            reported = Instant::now();
            note(&format!("{:>5} s: {rounds} rounds; {}", begun.elapsed().as_secs(), Figures::of(&sandbox, many)));
        }
    }
    let (before, after) = (first.expect("three rounds"), Figures::of(&sandbox, many));
    note(&format!("{many} processes, {rounds} rounds in {} s, {}", begun.elapsed().as_secs(), build()));
    note(&format!("  at first: {before}\n  at last:  {after}"));
    assert!(after.memory <= before.memory + before.memory / 4 + 16, "memory grew");
    // An adopted process has one more, the file that will tell how it ended.
    assert!(after.descriptors <= before.descriptors + 2 * many, "descriptors grew");
    assert_eq!(after.of_first, before.of_first, "descriptors of what was restarted {rounds} times");
    // A process that was restarted has one or two files more than a new one.
    assert!(after.files <= before.files + 2 * many, "files grew");
    assert_no_drift(&sandbox, many);
    sandbox.ok(&["delete", "*", "--yes"]);
    sandbox.assert_empty();
    eventually("no supervisor is left", || supervisors(&sandbox).is_empty());
}

const MINUTE: Duration = Duration::from_secs(60);

fn build() -> &'static str {
    if cfg!(debug_assertions) { "debug build" } else { "release build" }
}

/// What could grow.
struct Figures {
    many: usize,
    /// Private memory of a process's guard and worker together, on average, in KiB.
    memory: u64,
    /// Open descriptors of all guards and workers.
    descriptors: usize,
    /// Those of the first process, which is restarted in every round and never loses its supervisors.
    of_first: usize,
    /// Files in all process directories.
    files: usize,
    /// How long a list takes.
    list: Duration,
}

impl Figures {
    fn of(sandbox: &Sandbox, many: usize) -> Self {
        let pids = supervisors(sandbox);
        let entries = |path: String| fs::read_dir(path).map_or(0, Iterator::count);
        let directories = fs::read_dir(sandbox.processes()).expect("processes").flatten();
        let asked = Instant::now();
        sandbox.ok(&["list"]);
        let descriptors = |pids: &[u32]| pids.iter().map(|pid| entries(format!("/proc/{pid}/fd"))).sum();
        Self {
            list: asked.elapsed(),
            many,
            memory: pids.iter().map(|pid| private(*pid)).sum::<u64>() / many as u64,
            descriptors: descriptors(&pids),
            of_first: descriptors(&sandbox.supervisors("p0")),
            files: directories.map(|directory| entries(directory.path().display().to_string())).sum(),
        }
    }
}

impl std::fmt::Display for Figures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let each = |count: usize| count as f64 / self.many as f64;
        let (descriptors, files) = (each(self.descriptors), each(self.files));
        let list = self.list.as_secs_f64() * 1000.0;
        write!(
            f,
            "a process has {} KiB private memory, {descriptors:.2} descriptors, {files:.2} files; ",
            self.memory
        )?;
        write!(f, "list takes {list:.1} ms")
    }
}

/// What is shown is what is: every process once, alive, with a guard and a worker of its own and no dead children.
fn assert_no_drift(sandbox: &Sandbox, many: usize) {
    let shown = sandbox.list();
    let numbers = |key: &str| shown.iter().filter_map(|it| it[key].as_u64()).collect::<BTreeSet<_>>();
    assert_eq!(numbers("id"), (0..many as u64).collect(), "ids unique and without holes");
    assert_eq!(numbers("pid").len(), many, "{shown:?}");
    for it in &shown {
        let pid = it["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok()).expect("a pid");
        assert!(it["status"] == "online" && it["supervised"] == true && is_running(pid), "{it}");
    }
    assert_eq!(supervisors(sandbox).len(), 2 * many, "a guard and a worker each");
    assert_eq!(zombies(sandbox), Vec::<u32>::new());
}

fn line(n: usize) -> String {
    format!("tsm start --no-wait --restart always --name p{n} -- sleep 1000\n")
}

/// The first is restarted, and another one; one is deleted and started, one crashes, one loses its supervisors.
fn churn(sandbox: &Sandbox, many: usize, dice: &mut Rng) {
    let mut one = || format!("p{}", 1 + dice.below(many as u64 - 1));
    sandbox.ok(&["restart", "--no-wait", "p0"]);
    sandbox.ok(&["restart", "--no-wait", &one()]);
    let name = one();
    sandbox.ok(&["delete", &name]);
    sandbox.start(&name, &["--restart", "always"], &["sleep", "1000"]);
    let name = one();
    let pid = sandbox.read(&name).pid;
    if pid != 0 {
        kill_hard(pid);
        sandbox.until(&name, |meta| meta.pid != pid && meta.pid != 0);
    }
    sandbox.kill_supervisors(&one());
    sandbox.ok(&["list"]);
}

fn supervisors(sandbox: &Sandbox) -> Vec<u32> {
    let directory = sandbox.processes().into_os_string().into_encoded_bytes();
    running(|words| words.get(1).is_some_and(|it| it == b"--supervise") && words[2].starts_with(&directory))
}

/// The memory that is a process's own, in KiB.
fn private(pid: u32) -> u64 {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let lines = text.lines().filter(|line| line.starts_with("Private_Dirty"));
    lines.filter_map(|line| line.split_ascii_whitespace().nth(1)?.parse::<u64>().ok()).sum()
}

/// Dead children that a supervisor of ours has not taken from the kernel.
fn zombies(sandbox: &Sandbox) -> Vec<u32> {
    let parents = supervisors(sandbox);
    let entries = fs::read_dir("/proc").expect("processes are seen").flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let mut fields = stat.rsplit(')').next().unwrap_or_default().split_ascii_whitespace();
        fields.next() == Some("Z")
            && fields.next().and_then(|it| it.parse().ok()).is_some_and(|it| parents.contains(&it))
    })
    .collect()
}
