//! Commands killed in the middle: at each of their changes, by injection into the real program.
//!
//! Every command runs once to see which changes it makes, then once for each of them, killed before it. Afterwards either
//! nothing happened or all of it is consistent, and the same command, given again, ends where it would have.

use crate::sandbox::{CommandOutput, Sandbox, is_running};
use crate::waiting::PATIENCE;
use std::collections::BTreeMap;
use std::fs;
use std::process::{Command, Stdio};
use std::time::Instant;

use super::note;
use crate::waiting::eventually;

/// What can change the world: files, names, processes, and waiting for what a process became.
const CHANGES: &str = "write,openat,rename,renameat,renameat2,mkdir,mkdirat,unlink,unlinkat,rmdir,ftruncate,fchmod,\
    chmod,clone,clone3,fork,vfork,execve,pipe2,futex,ppoll,poll,wait4,waitid,pidfd_send_signal,kill";

/// With all threads and forked processes, until they become other programs.
const WATCHED: [&str; 6] = ["strace", "-q", "-f", "-b", "execve", "-o"];

struct Walk {
    /// Brings the sandbox into the state before the command.
    before: fn(&Sandbox),
    words: &'static [&'static str],
    /// True of the sandbox when the command has done its work.
    done: fn(&Sandbox) -> bool,
}

const START: &[&str] = &["start", "--no-wait", "--name", "p", "--", "sleep", "1000"];

fn up(sandbox: &Sandbox) {
    sandbox.ok(START);
}

fn down(sandbox: &Sandbox) {
    sandbox.ok(START);
    sandbox.ok(&["stop", "p"]);
}

fn is_up(sandbox: &Sandbox) -> bool {
    sandbox.children("p").len() == 1 && sandbox.list().iter().any(|it| it["status"] == "online")
}

fn is_down(sandbox: &Sandbox) -> bool {
    sandbox.children("p").is_empty() && sandbox.list().iter().all(|it| it["status"] == "stopped")
}

fn is_gone(sandbox: &Sandbox) -> bool {
    sandbox.children("p").is_empty() && sandbox.list().is_empty()
}

#[test]
fn a_first_start_cut_off_anywhere_is_mended_by_the_next() {
    walk(&Walk { before: |_| (), words: START, done: is_up });
}

#[test]
fn a_second_start_cut_off_anywhere_is_mended_by_the_next() {
    walk(&Walk { before: down, words: &["start", "--no-wait", "p"], done: is_up });
}

#[test]
fn a_stop_cut_off_anywhere_is_mended_by_the_next() {
    walk(&Walk { before: up, words: &["stop", "p"], done: is_down });
}

#[test]
fn a_restart_cut_off_anywhere_is_mended_by_the_next() {
    walk(&Walk { before: up, words: &["restart", "--no-wait", "p"], done: is_up });
}

#[test]
fn a_delete_cut_off_anywhere_is_mended_by_the_next() {
    walk(&Walk { before: up, words: &["delete", "p"], done: is_gone });
}

#[test]
fn a_supervisor_that_cannot_be_executed_leaves_nothing() {
    // The command itself is the first to execute; its thread's child, which becomes the supervisor, counts its own.
    let sandbox = Sandbox::of_tsm();
    for change in ["execve:error=EAGAIN:when=1", "clone3:error=EAGAIN:when=1+"] {
        let call = change.split(':').next().expect("a name");
        let only = [
            "strace",
            "-f",
            "-q",
            "-o",
            "/dev/null",
            "-e",
            &format!("trace={call}"),
            "-e",
            &format!("inject={change}"),
        ];
        let said = CommandOutput::from(sandbox.command_under(&only, START).output().expect("strace runs"));
        assert_ne!(said.code, 0, "{change}: a start without its supervisor is reported");
        sandbox.assert_empty();
    }
}

#[test]
fn a_startup_that_gets_no_thread_starts_one_after_the_other() {
    let sandbox = Sandbox::of_tsm();
    for name in ["a", "b", "c"] {
        let file = sandbox.home().join(format!("tsm/services-available/{name}.tsm"));
        fs::create_dir_all(file.parent().expect("a directory")).expect("a directory");
        fs::write(&file, "TSM_COMMAND=\"sleep 1000\"\nTSM_CWD=/\n").expect("a definition");
        sandbox.ok(&["enable", name]);
    }
    // A thread for each of the three is asked for first; supervisors are made in the same way after them.
    let inject = "inject=clone3:error=EAGAIN:when=1..3";
    let only = ["strace", "-q", "-o", "/dev/null", "-e", "trace=clone3", "-e", inject];
    let said = CommandOutput::from(sandbox.command_under(&only, &["startup"]).output().expect("strace runs"));
    assert_eq!(said.code, 0, "{said:?}");
    let shown = sandbox.list();
    assert_eq!(shown.iter().filter(|it| it["status"] == "online").count(), 3, "{shown:?}");
    sandbox.ok(&["delete", "*"]);
    sandbox.assert_empty();
}

fn walk(walk: &Walk) {
    let changes = changes(walk);
    let steps: usize = changes.values().map(Vec::len).sum();
    assert!(steps > 4, "the changes are seen: {changes:?}");
    let sandbox = Sandbox::of_tsm();
    for (call, places) in &changes {
        for n in places {
            (walk.before)(&sandbox);
            cut(&sandbox, walk.words, call, *n);
            check(&sandbox, walk, &format!("{call} {n} of {places:?}"));
        }
    }
    note(&format!("{:?}: {steps} places", walk.words));
}

/// Which of its calls are changes: in that of its threads which makes them most often, for each counts its own.
fn changes(walk: &Walk) -> BTreeMap<String, Vec<usize>> {
    let sandbox = Sandbox::of_tsm();
    (walk.before)(&sandbox);
    let seen = sandbox.path("seen");
    let trace = format!("trace={CHANGES}");
    let before = [&WATCHED[..], &[seen.to_str().expect("text"), "-e", &trace]].concat();
    let status = sandbox.command_under(&before, walk.words).stdout(Stdio::null()).status().expect("strace runs");
    assert!(status.success(), "{:?} under strace", walk.words);
    let text = fs::read_to_string(seen).expect("a trace");
    let mut calls: BTreeMap<(&str, &str), (usize, Vec<usize>)> = BTreeMap::new();
    for line in text.lines() {
        let (thread, rest) = line.split_once(' ').unwrap_or_default();
        let call = rest.trim_start().split_once('(').map_or("", |(call, _)| call);
        if CHANGES.split(',').any(|known| known.trim() == call) {
            let (count, places) = calls.entry((call, thread)).or_default();
            *count += 1;
            // To look at what other processes are changes nothing, and there are many.
            if !rest.contains("\"/proc/") {
                places.push(*count);
            }
        }
    }
    let mut changes = BTreeMap::new();
    for ((call, _), (_, places)) in calls {
        let most: &mut Vec<usize> = changes.entry(call.to_owned()).or_default();
        if places.len() > most.len() {
            *most = places;
        }
    }
    if !text.contains("O_CREAT") {
        // Looking at what is there is no change.
        changes.remove("openat");
    }
    changes
}

/// Runs the command and kills it before its `n`th call.
fn cut(sandbox: &Sandbox, words: &[&str], call: &str, n: usize) {
    let inject = format!("inject={call}:signal=KILL:when={n}");
    let trace = format!("trace={call}");
    let mut watched = WATCHED.to_vec();
    if call == "execve" {
        // The command's own is not counted; the forked process is killed before it becomes the supervisor.
        watched.retain(|word| !["-b", "execve"].contains(word));
    }
    let before = [&watched[..], &["/dev/null", "-e", &trace, "-e", &inject]].concat();
    let mut command: Command = sandbox.command_under(&before, words);
    // Whether it came that far depends on the moment: less waiting, fewer calls.
    command.stdout(Stdio::null()).stderr(Stdio::null()).status().expect("strace runs");
}

/// The sandbox is consistent, the same command ends where it should, and a delete leaves nothing.
fn check(sandbox: &Sandbox, walk: &Walk, place: &str) {
    let shown = sandbox.list();
    assert!(shown.len() <= 1 && sandbox.children("p").len() <= 1, "{place}: {shown:?} {:?}", sandbox.children("p"));
    if let [only] = shown.as_slice() {
        assert_eq!(only["id"], 0, "{place}: {only}");
        // An order that was given is carried out meanwhile; then the next look shows it.
        eventually(&format!("{place}: who is shown as online lives"), || {
            sandbox.list().iter().all(|only| {
                let pid = only["pid"].as_u64().and_then(|pid| u32::try_from(pid).ok());
                only["status"] != "online" || pid.is_none_or(|pid| pid == 0 || is_running(pid))
            })
        });
    }
    let deadline = Instant::now() + PATIENCE;
    loop {
        let again = sandbox.run(walk.words);
        if (walk.done)(sandbox) {
            break;
        }
        // The first order is still being carried out; nothing else is a reason.
        assert!(Instant::now() < deadline, "{place}: {again:?}, {:?}", sandbox.list());
    }
    sandbox.run(&["delete", "p"]);
    eventually(&format!("{place}: all gone"), || {
        sandbox.children("p").is_empty() && sandbox.supervisors("p").is_empty()
    });
    let left = || fs::read_dir(sandbox.processes()).map(|dir| dir.count()).unwrap_or(0);
    assert_eq!(left(), 0, "{place}: directories left behind");
    sandbox.assert_empty();
}
