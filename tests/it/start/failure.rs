//! Starts that fail: what is said, and what is left.

use std::fs;
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use tetra::supervise::meta::{ProcessState, RestartPolicy};

use super::{StartSandbox, read};
use crate::waiting::eventually;

#[test]
fn who_dies_at_once_is_reported_with_its_last_words_and_stays_with_its_logs() {
    let sandbox = StartSandbox::new();
    sandbox.script("boom.sh", "#!/bin/bash\necho out\nfor n in {1..15}; do echo \"line $n\" >&2; done\nexit 3\n");
    let said = sandbox.tsm(&["start", "--name", "boom", "./boom.sh"]);
    assert_eq!((said.code, said.out.as_str()), (1, ""));
    assert!(said.err.contains("process died immediately (exit 3)"), "{}", said.err);
    assert!(
        said.err.contains("  line 6\n") && said.err.contains("  line 15\n") && !said.err.contains("line 5\n"),
        "{}",
        said.err
    );
    assert_eq!(sandbox.meta("boom").state, ProcessState::Crashed);
    assert_eq!(read(&sandbox.dir("boom").join("current.out")), "out\n");
    let again = sandbox.tsm(&["start", "boom"]);
    assert!(again.code == 1 && again.err.matches("line 15").count() == 1, "only what this life said: {}", again.err);
}

#[test]
fn a_signal_is_named_too() {
    let sandbox = StartSandbox::new();
    let said = sandbox.tsm(&["start", "--name", "k", "kill -SEGV $$; exec sleep 1000"]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("process died immediately (SIGSEGV"), "{}", said.err);
}

#[test]
fn who_ends_at_once_with_success_does_not_run_either() {
    let sandbox = StartSandbox::new();
    let said = sandbox.tsm(&["start", "--name", "t", "true"]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("process died immediately (exit 0)"), "{}", said.err);
    assert_eq!(sandbox.meta("t").state, ProcessState::Stopped);
}

#[test]
fn a_program_that_never_ran_leaves_nothing() {
    let sandbox = StartSandbox::new();
    sandbox.script("lost", "#!/no/such/interpreter\n");
    let port = crate::ports::free_port().to_string();
    let said = sandbox.tsm(&["start", "--port", &port, "./lost"]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("No such file or directory"), "{}", said.err);
    let hook = sandbox.tsm(&["start", "--port", &port, "--pre-hook", "echo not ready >&2; exit 4", "sleep", "1000"]);
    assert_eq!(hook.code, 1);
    assert!(hook.err.contains("exit code 4") && hook.err.contains("  not ready\n"), "{}", hook.err);
    assert!(sandbox.processes().is_empty() && sandbox.ports().is_empty());
}

#[test]
fn ctrl_c_ends_a_pre_start_command_and_with_it_the_start() {
    let sandbox = StartSandbox::new();
    let mark = sandbox.world.work().join("hooking");
    let hook = format!("touch {}; exec sleep 1000", mark.display());
    let mut command = sandbox.command(&["start", "--pre-hook", &hook, "sleep", "1000"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("tetra runs");
    eventually("the hook runs", || mark.exists());
    kill(Pid::from_raw(i32::try_from(child.id()).expect("a pid")), Signal::SIGINT).expect("signalled");
    let said = super::said(child.wait_with_output().expect("it ended"));
    assert_eq!(said.code, 130, "{}{}", said.out, said.err);
    assert!(said.err.contains("was interrupted"), "{}", said.err);
    assert!(sandbox.processes().is_empty(), "nothing is left");
}

#[test]
fn a_failed_start_of_what_there_was_leaves_it_as_it_was() {
    let sandbox = StartSandbox::new();
    let script = sandbox.script("api.sh", "#!/bin/bash\necho life\nexec sleep 1000\n");
    sandbox.start(&["--name", "api", script.to_str().expect("text")]);
    eventually("it wrote", || read(&sandbox.dir("api").join("current.out")) == "life\n");
    assert_eq!(sandbox.tsm(&["stop", "api"]).code, 0);
    let before = sandbox.meta("api");
    let said = sandbox.tsm(&["start", "api", "--pre-hook", "exit 9"]);
    assert_eq!(said.code, 1, "{}", said.err);
    assert_eq!(sandbox.meta("api"), before);
    assert_eq!(read(&sandbox.dir("api").join("current.out")), "life\n");
}

#[test]
fn a_script_that_is_missing_or_not_executable_is_said_before_anything_is_made() {
    let sandbox = StartSandbox::new();
    let missing = sandbox.tsm(&["start", "script.sh"]);
    assert_eq!(missing.code, 5);
    assert!(missing.err.contains("tsm: 'script.sh' not found or not executable"), "{}", missing.err);
    sandbox.world.file("script.sh", "#!/bin/bash\n");
    let locked = sandbox.tsm(&["start", "script.sh"]);
    assert_eq!(locked.code, 1);
    assert!(locked.err.contains("tsm: 'script.sh' not found or not executable"), "{}", locked.err);
    assert!(locked.err.contains("chmod +x script.sh"), "{}", locked.err);
    assert!(!sandbox.world.paths().runtime().exists());
}

#[test]
fn a_working_directory_that_was_removed_is_said() {
    let sandbox = StartSandbox::new();
    let gone = sandbox.world.work().join("gone");
    fs::create_dir(&gone).expect("a directory");
    let shell = "rmdir ../gone && exec \"$0\" tsm start sleep 1000".to_owned();
    let mut command = sandbox.world.program("/bin/sh");
    let output = command.args(["-c", &shell, crate::world::PROGRAM]).current_dir(&gone).output().expect("it runs");
    let said = super::said(output);
    assert_eq!(said.code, 5, "{}{}", said.out, said.err);
    assert!(said.err.contains("cannot run in") && said.err.contains("gone"), "{}", said.err);
    assert!(sandbox.processes().is_empty());
}

#[test]
fn a_malformed_definition_shows_the_line() {
    let sandbox = StartSandbox::new();
    sandbox.service("bad", "TSM_COMMAND=\"sleep 9\"\nTSM_CWD=$(pwd)\n");
    let said = sandbox.tsm(&["start", "bad"]);
    assert_eq!(said.code, 1);
    assert!(
        said.err.contains("bad.tsm:2:9") && said.err.contains("TSM_CWD=$(pwd)") && said.err.contains("^^"),
        "{}",
        said.err
    );
}

#[test]
fn who_dies_at_once_and_is_kept_is_started_again_and_the_operator_knows() {
    let sandbox = StartSandbox::new();
    sandbox.script("flaky.sh", "#!/bin/bash\n[ -e ok ] || { touch ok; exit 1; }\nexec sleep 1000\n");
    let said = sandbox.tsm(&["start", "--restart", "on-failure", "--name", "f", "./flaky.sh"]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("being restarted"), "{}", said.err);
    assert_eq!(sandbox.meta("f").run.restart, RestartPolicy::OnFailure);
    eventually("it is up", || sandbox.meta("f").state == ProcessState::Online);
}

#[test]
fn ids_that_are_being_given_out_are_waited_for_and_then_it_is_locked() {
    let sandbox = StartSandbox::new();
    let runtime = sandbox.world.paths().runtime();
    fs::create_dir_all(&runtime).expect("a directory");
    let lock = fs::File::create(sandbox.world.paths().id_lock()).expect("the lock");
    lock.lock().expect("locked");
    let said = sandbox.tsm(&["start", "sleep", "1000"]);
    assert_eq!(said.code, 10, "{}", said.err);
    assert!(said.err.contains(".id_allocation_lock"), "{}", said.err);
    assert!(sandbox.processes().is_empty());
}

#[test]
fn a_damaged_record_is_not_an_obstacle() {
    let sandbox = StartSandbox::new();
    for (number, garbage) in ["", "{{{", "\0\0\0"].iter().enumerate() {
        let name = format!("d{number}");
        fs::create_dir_all(sandbox.dir(&name)).expect("a directory");
        fs::write(sandbox.dir(&name).join("meta.json"), garbage).expect("written");
        let started = sandbox.start(&["--name", &name, "sleep", "1000"]);
        assert_eq!(started["id"], number);
        assert_eq!(sandbox.meta(&name).name, name);
    }
}

#[test]
fn what_cannot_be_meant_is_wrong_usage() {
    let sandbox = StartSandbox::new();
    sandbox.service("api", "TSM_COMMAND='sleep 9'\n");
    for words in [
        &["start"][..],
        &["start", "api", "web"],
        &["start", "--name", "a b", "sleep", "9"],
        &["start", "--name", "all", "sleep", "9"],
        &["start", "--restart", "sometimes", "sleep", "9"],
        &["start", "--log-size", "lots", "sleep", "9"],
        &["start", "--kill-timeout", "soon", "sleep", "9"],
        &["start", "--unknown", "sleep", "9"],
        &["start", "echo 'open"],
    ] {
        let said = sandbox.tsm(words);
        assert_eq!(said.code, 2, "{words:?}: {}{}", said.out, said.err);
    }
    assert!(sandbox.processes().is_empty());
}

#[test]
fn the_record_keeps_what_the_flags_say() {
    let sandbox = StartSandbox::new();
    let flags = ["--max-restarts", "3", "--kill-timeout", "1m", "--log-size", "100G", "--log-keep", "2"];
    sandbox.start(&[&["--name", "k"], &flags[..], &["sleep", "1000"]].concat());
    let run = sandbox.meta("k").run;
    assert_eq!((run.max_restarts, run.kill_timeout_ms, run.log_size, run.log_keep), (3, 60_000, 100 << 30, 2));
}

#[test]
fn a_secret_is_shown_neither_in_a_plan_nor_as_last_words() {
    let sandbox = StartSandbox::new();
    let plan =
        sandbox.tsm(&["start", "--dry-run", "--name", "x", "--pre-hook", "login --password hunter2", "sleep", "5"]);
    assert!(plan.code == 0 && plan.out.contains("--password ***") && !plan.out.contains("hunter2"), "{}", plan.out);
    sandbox.tsm(&["start", "--name", "y", "--no-wait", "--", "sh", "-c", "echo url pg://u:hunter2@h/db >&2; exit 3"]);
    let log = sandbox.dir("y").join("current.err");
    eventually("it is written", || fs::read_to_string(&log).is_ok_and(|text| text.contains("hunter2")));
    let why = sandbox.tsm(&["why", "y"]);
    assert!(why.out.contains("pg://u:***@h/db") && !why.out.contains("hunter2"), "{}", why.out);
}
