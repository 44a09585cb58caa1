//! Starting: what runs, in what surroundings, and what is said when it does not.

use std::fs;
use std::process::Command;

use tetra::supervise::client::{self, ControlCommand, LaunchResult, SpawnStep};
use tetra::supervise::meta::{ExitStatus, ProcessState, RestartPolicy};

use super::fixture::SupervisorFixture;
use crate::sandbox::is_running;
use crate::waiting::eventually;

use crate::program;

#[test]
fn children_of_every_kind_run_and_their_output_is_read() {
    for argv in [
        &["python3", "-c", "import time; print('ready', flush=True); time.sleep(1000)"][..],
        &["node", "-e", "console.log('ready'); setInterval(() => {}, 1000)"],
        &["bash", "-c", "echo ready; exec sleep 1000"],
        &["sh", "-c", "echo ready > /dev/stdout; sleep 1000"],
    ] {
        let nest = SupervisorFixture::new(argv);
        let pid = nest.start_child();
        let meta = nest.read();
        assert_eq!((meta.pid, meta.state, meta.restarts), (pid, ProcessState::Online, 0));
        assert_eq!(nest.text("p.pid"), format!("{pid}\n"));
        assert!(client::is_supervised(&nest.dir));
        eventually("the first line", || nest.out() == "ready\n");

        let stopped = nest.stop();
        assert_eq!((stopped.pid, stopped.state), (0, ProcessState::Stopped), "{argv:?}");
        assert!(!is_running(pid) && !nest.dir.join("p.pid").exists());
    }
}

#[test]
fn a_program_that_cannot_be_executed_is_reported_and_not_repeated() {
    let plain = tempfile::NamedTempFile::new().expect("a file that may not be executed");
    let plain = plain.path().to_string_lossy().into_owned();
    for (word, errno) in [("/nowhere/program", libc_enoent()), ("no-such-program-here", libc_enoent()), (&plain, 13)] {
        let nest = SupervisorFixture::new(&[word]).restarting(RestartPolicy::Always);
        assert_eq!(nest.start(), LaunchResult::NotRun { errno, step: SpawnStep::Execute });
        let meta = nest.until_unsupervised();
        assert_eq!((meta.state, meta.pid, meta.restarts), (ProcessState::Crashed, 0, 0));
        assert_eq!(meta.last_exit.expect("an exit").status, ExitStatus::NotRun(errno));
        assert!(meta.run_state.start_error.contains(word), "{}", meta.run_state.start_error);
    }
}

fn libc_enoent() -> i32 {
    nix::Error::ENOENT as i32
}

#[test]
fn a_working_directory_that_is_gone_is_reported() {
    let nest = SupervisorFixture::new(&["true"]).with(|meta| meta.cwd = "/nowhere/at/all".into());
    assert_eq!(nest.start(), LaunchResult::NotRun { errno: libc_enoent(), step: SpawnStep::Directory });
    assert!(nest.until_unsupervised().run_state.start_error.contains("/nowhere/at/all"));
}

#[test]
fn a_script_without_a_first_line_runs_under_sh() {
    let nest = SupervisorFixture::new(&["./script", "word"]);
    let script = nest.work("script");
    program::script(&script, "echo got $1\n");
    nest.start_child();
    nest.until_unsupervised();
    assert_eq!(nest.out(), "got word\n");
}

#[test]
fn the_pre_start_command_comes_first_and_shares_the_logs() {
    let nest = SupervisorFixture::shell("echo main $LAYER; exec sleep 1000")
        .with(|meta| meta.prehook = "echo hook $LAYER".into());
    nest.start_child();
    eventually("both lines", || nest.out() == "hook snapshot\nmain snapshot\n");
    nest.stop();
}

#[test]
fn a_pre_start_command_that_fails_prevents_the_start() {
    let nest = SupervisorFixture::shell("echo main").with(|meta| meta.prehook = "echo no >&2; exit 3".into());
    assert_eq!(nest.start(), LaunchResult::HookFailed { code: 3 });
    let meta = nest.until_unsupervised();
    assert_eq!((meta.state, meta.last_exit.expect("an exit").status), (ProcessState::Crashed, ExitStatus::Hook(3)));
    assert_eq!((nest.out(), nest.text("current.err")), (String::new(), "no\n".to_owned()));
}

#[test]
fn a_stop_ends_a_pre_start_command_at_once() {
    let nest = SupervisorFixture::shell("echo main").with(|meta| meta.prehook = "echo $$ > hook; sleep 1000".into());
    let word = std::thread::scope(|scope| {
        let starter = scope.spawn(|| nest.start());
        let hook = nest.number("hook");
        nest.send(ControlCommand::Stop);
        let word = starter.join().expect("a word");
        assert!(!is_running(hook));
        word
    });
    assert_eq!(word, LaunchResult::Ended);
    assert_eq!((nest.until_unsupervised().state, nest.out()), (ProcessState::Stopped, String::new()));
}

#[test]
fn the_environment_is_layered_and_read_again_at_every_start() {
    let nest = SupervisorFixture::shell("echo $LAYER $FILE $SECRET $SET; sleep 1000");
    let (file, secrets) = (nest.work("dev.env"), nest.work("dev.secrets"));
    let nest = nest.with(|meta| {
        meta.env_file = file.to_string_lossy().into_owned();
        meta.run.secrets_file = secrets.to_string_lossy().into_owned();
        meta.run.set = vec![("SET".into(), "command".into())];
    });
    fs::write(&secrets, "SECRET=s FILE\nFILE=hidden\n").expect("secrets");
    fs::write(&file, "export FILE=\"one\"\nLAYER=file\nSET=file\n").expect("an env file");
    nest.start_child();
    eventually("the first life", || nest.out() == "file one s FILE command\n");

    fs::write(&file, "FILE=two\n").expect("an env file");
    fs::remove_file(&secrets).expect("no secrets");
    let first = nest.read().pid;
    nest.send(ControlCommand::Restart);
    let meta = nest.until(|meta| meta.state == ProcessState::Online && meta.pid != first);
    assert_eq!(meta.restarts, 1);
    eventually("the second life", || nest.out().ends_with("snapshot two command\n"));
    nest.stop();
}

#[test]
fn an_env_file_that_is_missing_or_malformed_is_a_failed_start() {
    let nest = SupervisorFixture::shell("echo main").with(|meta| meta.env_file = "/nowhere/dev.env".into());
    assert_eq!(nest.start(), LaunchResult::NotRun { errno: libc_enoent(), step: SpawnStep::Environment });
    assert!(nest.until_unsupervised().run_state.start_error.contains("/nowhere/dev.env"));

    let nest = SupervisorFixture::shell("echo main");
    let file = nest.work("dev.env");
    fs::write(&file, "GOOD=1\nBAD='x\n").expect("an env file");
    let nest = nest.with(|meta| meta.env_file = file.to_string_lossy().into_owned());
    assert!(matches!(nest.start(), LaunchResult::NotRun { step: SpawnStep::Environment, .. }));
    let words = nest.until_unsupervised().run_state.start_error;
    assert!(words.contains("dev.env:2:5:"), "{words}");
    assert_eq!(nest.out(), "");
}

#[test]
fn the_child_inherits_nothing_but_what_it_should() {
    // A wrapper in front of the interpreter would add variables of its own.
    let python = Command::new("python3").args(["-c", "import sys; print(sys.executable, end='')"]).output();
    let python = String::from_utf8(python.expect("python").stdout).expect("a path");
    let nest = SupervisorFixture::new(&[
        &python,
        "-c",
        "import os,signal\n\
         print(sorted(int(f) for f in os.listdir('/proc/self/fd'))[:4])\n\
         print(signal.getsignal(signal.SIGHUP), signal.pthread_sigmask(signal.SIG_BLOCK, []))\n\
         print(os.getsid(0) == os.getpid(), os.path.realpath('/proc/self/fd/0'))\n\
         print(sorted(k for k in os.environ if k != 'LC_CTYPE'))\n\
         print(os.environ['TSM_PROCESS_DIR'], os.environ['TSM_RUN'])",
    ]);
    nest.start_child();
    let meta = nest.until_unsupervised();
    let lines = nest.lines("out");
    assert_eq!(lines[0], "[0, 1, 2, 3]", "the fourth is the listing's own");
    assert_eq!(lines[1], "0 set()");
    assert_eq!(lines[2], "True /dev/null");
    assert_eq!(lines[3], "['HOME', 'LAYER', 'PATH', 'PWD', 'TSM_PROCESS_DIR', 'TSM_RUN']");
    assert_eq!(lines[4], format!("{} 0.{}", nest.dir.display(), meta.run_state.nonce));
}

#[test]
fn of_two_launches_at_once_one_wins() {
    let nest = SupervisorFixture::shell("echo $$; exec sleep 1000");
    tetra::supervise::meta::write(&nest.dir, &nest.meta).expect("a record");
    let words: Vec<LaunchResult> = std::thread::scope(|scope| {
        let starters: Vec<_> = (0..4).map(|_| scope.spawn(|| nest.launch())).collect();
        starters.into_iter().map(|starter| starter.join().expect("a word")).collect()
    });
    let spawned = words.iter().filter(|word| matches!(word, LaunchResult::Spawned { .. })).count();
    let refused = words.iter().filter(|word| **word == LaunchResult::AlreadySupervised).count();
    assert_eq!((spawned, refused), (1, 3), "{words:?}");
    eventually("one line", || !nest.out().is_empty());
    assert_eq!(nest.lines("out").len(), 1);
    nest.stop();
}

#[test]
fn an_order_without_a_supervisor_is_an_error() {
    let nest = SupervisorFixture::shell("true");
    assert!(matches!(client::send(&nest.dir, ControlCommand::Stop), Err(client::SendError::NotSupervised { .. })));
    assert!(!client::is_supervised(&nest.dir));
    nest.start_child();
    nest.until_unsupervised();
    assert!(matches!(client::send(&nest.dir, ControlCommand::Stop), Err(client::SendError::NotSupervised { .. })));
}
