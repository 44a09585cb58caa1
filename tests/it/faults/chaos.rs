//! Random signals, SIGSTOP among them, to guard, worker, child and command during every verb.
//!
//! A command that is hit may fail. What must hold is what comes after: never two children at once, a state that says what is, and
//! the same verb, given again undisturbed, ends where it should.

use crate::random::Rng;
use crate::sandbox::{CommandOutput, Sandbox, is_running, signal};
use crate::waiting::PATIENCE;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use tetra::supervise::meta;

use super::scale;
use crate::waiting::eventually;

/// What may come from anywhere at any time. The last two end or stop their receiver for certain, and come more often.
const SIGNALS: [Signal; 9] = [
    Signal::SIGTERM,
    Signal::SIGINT,
    Signal::SIGHUP,
    Signal::SIGUSR1,
    Signal::SIGCONT,
    Signal::SIGKILL,
    Signal::SIGKILL,
    Signal::SIGSTOP,
    Signal::SIGSTOP,
];

/// Each leads from where the one before ended, and none asks for more than is there.
const VERBS: [&[&str]; 7] = [
    &["restart", "--no-wait", "p"],
    &["list", "all"],
    &["stop", "p"],
    &["start", "--no-wait", "p"],
    &["info", "p"],
    &["kill", "p", "--yes"],
    &["start", "--no-wait", "--restart", "on-failure", "--kill-timeout", "2s", "--name", "p", "--", "sleep", "6100"],
];

/// Where a verb ends.
fn wanted(words: &[&str]) -> &'static str {
    match words[0] {
        "stop" => "stopped",
        "kill" => "gone",
        _ => "online",
    }
}

#[test]
fn random_signals_during_every_verb_end_in_one_child_or_none() {
    let sandbox = Sandbox::of_tsm();
    let mut dice = Rng::new();
    sandbox.ok(VERBS[6]);
    for round in 0..scale(VERBS.len() * 3, 1000) {
        let words = VERBS[round % VERBS.len()];
        let mut hits = Vec::new();
        let mut order =
            sandbox.command(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("tetra runs");
        let given = Instant::now();
        for _ in 0..=dice.below(3) {
            let moment = given.elapsed() + Duration::from_micros(dice.below(15_000));
            eventually("a random moment", || given.elapsed() >= moment);
            hits.extend(hit(&sandbox, &mut order, &mut dice));
        }
        let said = end_of(order, given);
        let describe = || format!("{round} {words:?} {hits:?}: {said:?}");
        assert_single(&sandbox, &describe);
        settle(&sandbox, words, &describe);
    }
    sandbox.run(&["delete", "p", "--yes"]);
    sandbox.assert_empty();
    eventually("no process is left", || sandbox.supervisors("p").is_empty() && sandbox.children("p").is_empty());
}

/// Sends one signal to one of the four; whom and what.
fn hit(sandbox: &Sandbox, order: &mut Child, dice: &mut Rng) -> Option<(&'static str, u32, Signal)> {
    let meta = meta::read(&sandbox.dir("p")).ok().flatten();
    let pid = |of: fn(&meta::Meta) -> u32| meta.as_ref().map_or(0, of);
    let (who, pid) = match dice.below(4) {
        0 => ("guard", pid(|meta| meta.run_state.guard_pid)),
        1 => ("worker", pid(|meta| meta.run_state.worker_pid)),
        2 => ("child", pid(|meta| meta.pid)),
        // Not yet waited for, so the number is its own.
        _ => ("command", order.id()),
    };
    let which = SIGNALS[usize::try_from(dice.below(SIGNALS.len() as u64)).expect("small")];
    // An old record may name the process that has that number now.
    let is_ours = who == "command" || sandbox.supervisors("p").contains(&pid) || sandbox.children("p").contains(&pid);
    (pid != 0 && is_ours && is_running(pid)).then(|| {
        signal(pid, which);
        (who, pid, which)
    })
}

/// A command that was stopped goes on, as an operator would let it.
fn end_of(mut order: Child, given: Instant) -> CommandOutput {
    while order.try_wait().expect("asked").is_none() {
        assert!(given.elapsed() < 2 * PATIENCE, "it does not end");
        signal(order.id(), Signal::SIGCONT);
        crate::waiting::pause();
    }
    CommandOutput::from(order.wait_with_output().expect("an end"))
}

fn assert_single(sandbox: &Sandbox, describe: &dyn Fn() -> String) {
    let children = sandbox.children("p");
    assert!(children.len() <= 1, "two at once: {children:?}; {}", describe());
}

/// The verb is given again until it has done what it is for.
fn settle(sandbox: &Sandbox, words: &[&str], describe: &dyn Fn() -> String) {
    let wanted = wanted(words);
    let deadline = Instant::now() + PATIENCE;
    loop {
        assert_single(sandbox, describe);
        let shown = sandbox.list();
        let status = shown.first().map_or("gone", |row| row["status"].as_str().unwrap_or_default());
        let pid = shown.first().and_then(|row| row["pid"].as_u64()).and_then(|pid| u32::try_from(pid).ok());
        let children = sandbox.children("p");
        if status == wanted && children == Vec::from_iter(pid) {
            // A child that was stopped is as good as none to who waits for it, and is not meant to be.
            pid.into_iter().for_each(|pid| signal(pid, Signal::SIGCONT));
            return;
        }
        assert!(Instant::now() < deadline, "{}; {shown:?} {children:?}", describe());
        let again: &[&str] = match (wanted, status) {
            ("online", "gone") => VERBS[6],
            ("online", "stopped" | "crashed" | "errored") => &["start", "--no-wait", "p"],
            ("stopped", "gone") => VERBS[6],
            _ if words[0] == "list" || words[0] == "info" => &["list"],
            _ => words,
        };
        let said = sandbox.run(again);
        super::note(&format!("{wanted} {status} {again:?}: {} {}", said.code, said.err));
    }
}
