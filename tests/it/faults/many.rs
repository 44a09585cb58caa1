//! Many processes, with coming and going: no growth, no drift, no zombies.

use std::fs;
use std::time::{Duration, Instant};

use super::field::{Dice, Field, running};
use super::note;
use super::scale;
use crate::supervise::nest::kill_hard;

#[test]
fn many_with_churn_neither_grow_nor_drift_nor_leave_zombies() {
    let many = scale(60, 1000);
    let asked = std::env::var("SOAK").ok().and_then(|text| text.parse().ok()).filter(|seconds| *seconds > 1);
    let span = Duration::from_secs(asked.unwrap_or(scale(8, 600) as u64));
    let field = Field::new();
    let script: String = (0..many).map(line).collect();
    fs::write(field.path("all.tetra"), script).expect("a script");
    let mut command = field.under(&[], &[]);
    let program = command.get_program().to_owned();
    command = std::process::Command::new(program);
    let script = command.arg(field.path("all.tetra")).env("HOME", field.root()).env("TETRA_DIR", field.home());
    let said = super::field::said(script.output().expect("tetra runs"));
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    assert_eq!(field.list().len(), many);

    let mut dice = Dice::new();
    let end = Instant::now() + span;
    let (mut rounds, mut first) = (0u32, None);
    while Instant::now() < end {
        churn(&field, many, &mut dice);
        rounds += 1;
        if rounds == 3 {
            first = Some(memory(&field));
        }
    }
    let shown = field.list();
    assert_eq!(shown.len(), many);
    assert!(shown.iter().all(|it| it["status"] == "online"), "{shown:?}");
    let (before, after) = (first.expect("three rounds"), memory(&field));
    note(&format!(
        "{rounds} rounds with {many} processes; private memory of a supervisor {before} KiB, then {after} KiB"
    ));
    assert!(after <= before + before / 4 + 16, "memory grew from {before} to {after} KiB a process");
    assert_eq!(supervisors(&field).len(), 2 * many, "a guard and a worker each");
    assert_eq!(zombies(&field), Vec::<u32>::new());
    field.ok(&["delete", "*", "--yes"]);
    field.assert_empty();
}

fn line(n: usize) -> String {
    format!("tsm start --no-wait --restart always --name p{n} -- sleep 1000\n")
}

/// One is restarted, one is deleted and started, one crashes, one loses its supervisors.
fn churn(field: &Field, many: usize, dice: &mut Dice) {
    let mut one = || format!("p{}", dice.below(many as u64));
    field.ok(&["restart", "--no-wait", &one()]);
    let name = one();
    field.ok(&["delete", &name]);
    field.start(&name, &["--restart", "always"], &["sleep", "1000"]);
    let name = one();
    let pid = field.read(&name).pid;
    if pid != 0 {
        kill_hard(pid);
        field.until(&name, "a next life", |meta| meta.pid != pid && meta.pid != 0);
    }
    field.kill_supervisors(&one());
    field.ok(&["list"]);
}

fn supervisors(field: &Field) -> Vec<u32> {
    let folder = field.processes().into_os_string().into_encoded_bytes();
    running(|words| words.get(1).is_some_and(|it| it == b"--supervise") && words[2].starts_with(&folder))
}

/// The private memory of a process's guard and worker together, on average, in KiB.
fn memory(field: &Field) -> u64 {
    let private = |pid: u32| {
        let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
        let lines = text.lines().filter(|line| line.starts_with("Private_Dirty"));
        lines.filter_map(|line| line.split_ascii_whitespace().nth(1)?.parse::<u64>().ok()).sum::<u64>()
    };
    let pids = supervisors(field);
    2 * pids.iter().map(|pid| private(*pid)).sum::<u64>() / pids.len().max(1) as u64
}

/// Dead children that a supervisor of ours has not taken from the kernel.
fn zombies(field: &Field) -> Vec<u32> {
    let parents = supervisors(field);
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
