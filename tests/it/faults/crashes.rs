//! How children end, and what follows.

use crate::sandbox::{CommandOutput, Sandbox, is_running, kill_hard};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use tetra::supervise::meta::{ExitStatus, OomVerdict, ProcessState};

use super::note;
use super::surroundings::memory_group;
use crate::waiting::eventually;

#[test]
fn a_crash_loop_is_slowed_down_given_up_and_shown() {
    let sandbox = Sandbox::of_tsm();
    let options = ["--restart", "on-failure", "--max-restarts", "5"];
    sandbox.run(
        &[&["start", "--no-wait", "--name", "p"][..], &options, &["--", "sh", "-c", "date +%s%N; exit 7"]].concat(),
    );
    sandbox.until_state("p", ProcessState::Errored);
    sandbox.until_unsupervised("p");
    let text = String::from_utf8(sandbox.written("p")).expect("numbers");
    let times: Vec<u64> = text.lines().map(|line| line.parse().expect("nanoseconds")).collect();
    assert_eq!(times.len(), 5, "no hot loop");
    let gaps: Vec<u64> = times.windows(2).map(|pair| (pair[1] - pair[0]) / 1_000_000).collect();
    assert!(gaps.iter().zip([0, 90, 180, 360]).all(|(gap, least)| *gap >= least), "{gaps:?}");
    let shown = sandbox.list();
    assert_eq!((&shown[0]["state"], &shown[0]["status"]), (&"errored".into(), &"crashed".into()));
    assert!(sandbox.ok(&["list"]).contains("errored"), "also in the short list");
}

#[test]
fn code_signal_and_core_are_distinguished_and_kept() {
    let sandbox = Sandbox::of_tsm();
    let core = std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap_or_default();
    for (name, line, how) in [
        ("code", "exit 42", ExitStatus::Code(42)),
        ("signal", "kill -USR2 $$", ExitStatus::Signal(12)),
        ("core", "ulimit -c unlimited; kill -SEGV $$", ExitStatus::Core(11)),
    ] {
        sandbox.run(&["start", "--no-wait", "--name", name, "--", "sh", "-c", line]);
        sandbox.until_state(name, ProcessState::Crashed);
        sandbox.until_unsupervised(name);
        let kept = sandbox.read(name).last_exit.expect("an exit").status;
        let without = matches!((how, kept), (ExitStatus::Core(11), ExitStatus::Signal(11)));
        assert!(kept == how || without && core.starts_with('|'), "{name}: {kept:?} with core pattern {core}");
    }
    let text = sandbox.ok(&["info", "code", "signal", "core"]);
    for words in ["exit 42", "SIGUSR2", "SIGSEGV"] {
        assert!(text.contains(words), "{words}: {text}");
    }
}

/// The machine counts its out-of-memory kills for everybody, so one at a time.
static MEMORY: Mutex<()> = Mutex::new(());

/// What is said of a child that is killed from outside after `between`.
fn memory_of_the_killed(between: impl Fn(&Sandbox)) -> Option<OomVerdict> {
    let sandbox = Sandbox::of_tsm();
    let pid = sandbox.shell("p", &[], "exec sleep 1000");
    between(&sandbox);
    kill_hard(pid);
    let exit = sandbox.until_state("p", ProcessState::Crashed).last_exit.expect("an exit");
    assert_eq!(exit.status, ExitStatus::Signal(9));
    exit.oom
}

#[test]
fn who_was_killed_with_memory_to_spare_did_not_run_out_of_it() {
    let _alone = MEMORY.lock().unwrap_or_else(PoisonError::into_inner);
    assert_eq!(memory_of_the_killed(|_| ()), None);
}

#[test]
fn out_of_memory_in_a_control_group_is_certain_and_somewhere_else_likely() {
    let _alone = MEMORY.lock().unwrap_or_else(PoisonError::into_inner);
    let Some(group) = memory_group("tetra-test", 64) else {
        note("no memory control group can be made here");
        return;
    };
    let sandbox = Sandbox::of_tsm();
    let enter = format!("echo $$ > {}/cgroup.procs && exec \"$@\"", group.path.display());
    let greedy = ["python3", "-c", "x = bytearray(300_000_000)"];
    let words = [&["start", "--no-wait", "--name", "p", "--"], &greedy[..]].concat();
    let said =
        CommandOutput::from(sandbox.command_under(&["sh", "-c", &enter, "sh"], &words).output().expect("tetra runs"));
    sandbox.until_state("p", ProcessState::Crashed);
    let exit = sandbox.read("p").last_exit.expect("an exit");
    assert_eq!((exit.status, exit.oom), (ExitStatus::Signal(9), Some(OomVerdict::Certain)), "{said:?}");
    let text = sandbox.ok(&["info", "p"]);
    assert!(text.contains("SIGKILL, out of memory"), "{text}");
    sandbox.until_unsupervised("p");

    let elsewhere = |_: &Sandbox| {
        let ended = Command::new("sh").args(["-c", &enter, "sh"]).args(greedy).stderr(Stdio::null()).status();
        assert_eq!(ended.expect("python runs").signal(), Some(9));
    };
    assert_eq!(memory_of_the_killed(elsewhere), Some(OomVerdict::Likely));
}

#[test]
fn an_unseen_end_is_a_failure_and_followed_by_the_policy() {
    let sandbox = Sandbox::of_tsm();
    let pid = sandbox.shell("p", &["--restart", "on-failure"], "exec sleep 1000");
    sandbox.kill_supervisors("p");
    kill_hard(pid);
    eventually("the end", || !is_running(pid));
    // The look itself takes the restart up that its policy asks for.
    let shown = sandbox.list();
    assert_eq!((shown[0]["status"].as_str(), shown[0]["restarts"].as_u64()), (Some("online"), Some(1)), "{shown:?}");
    assert_ne!(shown[0]["pid"], pid, "a process without life is not shown as one");
    assert_eq!(sandbox.until_state("p", ProcessState::Online).restarts, 1);

    let pid = sandbox.shell("q", &["--restart", "never"], "exec sleep 1000");
    sandbox.kill_supervisors("q");
    kill_hard(pid);
    eventually("the end", || !is_running(pid));
    let shown = sandbox.list();
    assert_eq!((&shown[1]["name"], &shown[1]["status"]), (&"q".into(), &"crashed".into()), "{shown:?}");
}
