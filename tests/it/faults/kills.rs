//! Supervisors killed at any moment. The child lives, not one byte is lost or doubled, and what follows goes on.

use super::COUNTER;
use crate::random::Rng;
use crate::sandbox::{CommandOutput, Sandbox, is_running, kill_hard};
use crate::waiting::PATIENCE;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use tetra::supervise::meta::{ExitStatus, ProcessState};

use super::scale;
use crate::waiting::eventually;

/// Random kills for each kind of child.
fn kills() -> usize {
    scale(12, 200)
}

#[test]
fn an_idle_child_survives_every_death_above_it() {
    let sandbox = Sandbox::of_tsm();
    let pid = sandbox.shell("p", &["--restart", "on-failure"], "echo 0; exec sleep 1000");
    kill_again_and_again(&sandbox, pid);
    assert_eq!(sandbox.written("p"), b"0\n");
    goes_on(&sandbox, pid);
}

#[test]
fn not_a_byte_of_a_child_that_writes_lines_is_lost() {
    let sandbox = Sandbox::of_tsm();
    let pid = sandbox.start("p", &["--restart", "on-failure"], &["python3", "-c", COUNTER]);
    kill_again_and_again(&sandbox, pid);
    let before = sandbox.size("p");
    eventually("it goes on writing", || sandbox.size("p") > before);
    sandbox.ok(&["stop", "p"]);
    let text = String::from_utf8(sandbox.written("p")).expect("numbers");
    let lines = text.lines().count();
    assert!(lines > 50);
    assert_eq!(text, (0..lines).map(|n| format!("{n}\n")).collect::<String>());
}

/// Lines of a flood for which the kills are enough; a child that has written all waits.
const FLOOD: usize = 9_000_000;

#[test]
fn not_a_byte_of_a_flood_is_lost() {
    let sandbox = Sandbox::of_tsm();
    let mut dice = Rng::new();
    let mut left = kills();
    while left > 0 {
        let options = ["--restart", "on-failure", "--log-size", "8M", "--log-keep", "100"];
        let pid = sandbox.shell("p", &options, &format!("seq 0 {FLOOD}; exec sleep 1000"));
        let seq = || !sandbox.processes_with_argument(&FLOOD.to_string()).is_empty();
        while left > 0 && seq() {
            kill_once(&sandbox, &mut dice);
            left -= 1;
            assert!(is_running(pid) && sandbox.read("p").pid == pid);
        }
        let full = digits(FLOOD);
        eventually("all is written", || sandbox.size("p") >= full);
        assert_same_as_seq(&sandbox, FLOOD);
        goes_on(&sandbox, pid);
        sandbox.ok(&["delete", "p"]);
    }
}

#[test]
fn a_worker_whose_guard_dies_at_its_birth_takes_no_other_process_for_it() {
    let sandbox = Sandbox::of_tsm();
    let mut bystander = Command::new("setsid").args(["sleep", "1013"]).spawn().expect("sleep runs");
    // The worker asks late who its parent is; by then that is the first process.
    let late = ["strace", "-f", "-q", "-o", "/dev/null", "-e", "trace=getppid"];
    let late = [&late[..], &["-e", "inject=getppid:delay_enter=1000000"]].concat();
    let words = ["start", "--no-wait", "--name", "p", "--", "sleep", "1000"];
    let mut start =
        sandbox.command_under(&late, &words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("strace runs");
    // What the command executes is the parent of the guard at first, and looks like one of the two.
    let is_launcher = |pid: u32| parent(pid).and_then(parent) == Some(start.id());
    let mut guard = None;
    eventually("a guard and its worker", || {
        let all = sandbox.supervisors("p");
        let has_worker = |pid: u32| all.iter().any(|other| parent(*other) == Some(pid));
        guard = all.iter().copied().find(|pid| !is_launcher(*pid) && has_worker(*pid));
        guard.is_some()
    });
    kill_hard(guard.expect("it was found"));
    sandbox.until_state("p", ProcessState::Online);
    start.kill().and_then(|()| start.wait()).expect("strace ended");
    eventually("the worker has taken the guard's place", || sandbox.supervisors("p").len() == 2);
    eventually("the record names it", || sandbox.supervisors("p").contains(&sandbox.read("p").run_state.guard_pid));
    let pid = sandbox.read("p").pid;
    sandbox.ok(&["stop", "p"]);
    assert!(!is_running(pid) && is_running(bystander.id()), "no other process was ended");
    bystander.kill().and_then(|()| bystander.wait()).expect("ended");
}

fn parent(pid: u32) -> Option<u32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit(')').next()?.split_ascii_whitespace().nth(1)?.parse().ok()
}

#[test]
fn an_order_whose_supervisors_are_killed_ends_in_one_child_or_none() {
    let sandbox = Sandbox::of_tsm();
    let mut dice = Rng::new();
    sandbox.start("p", &["--restart", "on-failure", "--kill-timeout", "2s"], &["sleep", "1000"]);
    for round in 0..scale(15, 300) {
        let words: &[&str] =
            [&["restart", "--no-wait", "p"][..], &["stop", "p"], &["start", "--no-wait", "p"]][round % 3];
        let moment = Duration::from_micros(dice.below(20_000));
        let order = sandbox.command(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("tetra runs");
        let given = Instant::now();
        eventually("a random moment", || given.elapsed() >= moment);
        let mut victims = sandbox.supervisors("p");
        if let which @ 1.. = dice.below(3) {
            victims = victims.get(usize::try_from(which - 1).expect("small")).copied().into_iter().collect();
        }
        victims.iter().for_each(|pid| kill_hard(*pid));
        let mut said = CommandOutput::from(order.wait_with_output().expect("an end"));
        if given.elapsed() > Duration::from_secs(1) {
            super::note(&format!("{round} {words:?} took {} ms: {said:?}", given.elapsed().as_millis()));
        }
        // Given again it ends where it should. A start is refused when the first one had come that far.
        let wanted = usize::from(words[0] != "stop");
        let deadline = Instant::now() + PATIENCE;
        loop {
            let (shown, children) = (sandbox.list(), sandbox.children("p"));
            assert!(children.len() <= 1, "{round} {words:?}: two at once: {children:?} {shown:?}");
            let status = if wanted == 1 { "online" } else { "stopped" };
            if children.len() == wanted && shown[0]["status"] == status {
                break;
            }
            assert!(Instant::now() < deadline, "{round} {words:?}: {said:?} {shown:?} {children:?}");
            // A child that was not yet its program looks like a supervisor, and may have been among the victims.
            if said.code != 0 || shown[0]["status"] == "crashed" {
                said = sandbox.run(words);
            }
        }
        eventually("who is shown is the child", || {
            let shown = sandbox.list();
            let pid = shown[0]["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok()).filter(|pid| *pid != 0);
            sandbox.children("p") == Vec::from_iter(pid)
        });
    }
    sandbox.ok(&["delete", "p"]);
    sandbox.assert_empty();
    eventually("no supervisor is left", || sandbox.supervisors("p").is_empty());
}

/// The bytes that `seq 0 last` writes.
fn digits(last: usize) -> u64 {
    let (mut bytes, mut from, mut width) = (2, 1, 2);
    while from <= last {
        let to = last.min(from * 10 - 1);
        bytes += (to - from + 1) as u64 * width;
        (from, width) = (from * 10, width + 1);
    }
    bytes
}

fn assert_same_as_seq(sandbox: &Sandbox, last: usize) {
    let line = "seq 0 \"$1\" | cmp - <(cat $(ls -v -r current.out.* | grep -v idx) current.out)";
    let mut command = Command::new("bash");
    command.args(["-c", line, "bash", &last.to_string()]).current_dir(sandbox.dir("p")).stdin(Stdio::null());
    let said = CommandOutput::from(command.output().expect("bash runs"));
    assert_eq!((said.code, said.out.as_str()), (0, ""), "{}", said.err);
}

fn kill_again_and_again(sandbox: &Sandbox, pid: u32) {
    let mut dice = Rng::new();
    for _ in 0..kills() {
        kill_once(sandbox, &mut dice);
        assert!(is_running(pid), "the child lives");
        let seen = sandbox.read("p");
        assert_eq!((seen.pid, seen.restarts, seen.state), (pid, 0, ProcessState::Online));
    }
}

/// After a random moment kills the guard, the worker or both, and lets the next command see to it.
fn kill_once(sandbox: &Sandbox, dice: &mut Rng) {
    let moment = Instant::now() + Duration::from_micros(dice.below(25_000));
    eventually("a random moment", || Instant::now() >= moment);
    let mut victims = sandbox.supervisors("p");
    if let which @ 1.. = dice.below(3) {
        victims = victims.get(usize::try_from(which - 1).expect("small")).copied().into_iter().collect();
    }
    victims.iter().for_each(|pid| kill_hard(*pid));
    // One that dies slowly, in the middle of a copy, still holds its lock for a moment.
    eventually("the killed are dead", || !victims.iter().any(|pid| is_running(*pid)));
    let shown = sandbox.list();
    assert_eq!(shown[0]["status"], "online", "{shown:?}");
    let dir = sandbox.dir("p");
    if !tetra::supervise::client::is_supervised(&dir) {
        // Killed between two commands: the next one sees to it.
        sandbox.ok(&["list"]);
        eventually("it is supervised", || tetra::supervise::client::is_supervised(&dir));
    }
}

/// The end is seen, the restart is made and counted, and a stop ends it.
fn goes_on(sandbox: &Sandbox, pid: u32) {
    eventually("it is supervised", || tetra::supervise::client::is_supervised(&sandbox.dir("p")));
    kill_hard(pid);
    let meta = sandbox.until("p", |meta| meta.state == ProcessState::Online && meta.pid != pid);
    assert_eq!(meta.restarts, 1);
    assert!(matches!(meta.last_exit.expect("an exit").status, ExitStatus::Signal(9) | ExitStatus::Unknown));
    sandbox.ok(&["stop", "p"]);
    assert!(!is_running(meta.pid));
    assert_eq!(sandbox.read("p").state, ProcessState::Stopped);
    eventually("no supervisor is left", || sandbox.supervisors("p").is_empty());
}
