//! Starting: what runs, in what surroundings, and what is said when it does not.

use std::fs;
use std::process::Command;

use tetra::supervise::client::{self, Launched, Order, Step};
use tetra::supervise::meta::{How, Restart, State};

use super::nest::{Nest, lives};
use crate::waiting::eventually;

use crate::program;

#[test]
fn children_of_every_kind_run_and_are_heard() {
    for argv in [
        &["python3", "-c", "import time; print('ready', flush=True); time.sleep(1000)"][..],
        &["node", "-e", "console.log('ready'); setInterval(() => {}, 1000)"],
        &["bash", "-c", "echo ready; exec sleep 1000"],
        &["sh", "-c", "echo ready > /dev/stdout; sleep 1000"],
    ] {
        let nest = Nest::new(argv);
        let pid = nest.up();
        let meta = nest.read();
        assert_eq!((meta.pid, meta.state, meta.restarts), (pid, State::Online, 0));
        assert_eq!(nest.text("p.pid"), format!("{pid}\n"));
        assert!(client::supervised(&nest.dir));
        eventually("the first line", || nest.out() == "ready\n");

        let stopped = nest.stop();
        assert_eq!((stopped.pid, stopped.state), (0, State::Stopped), "{argv:?}");
        assert!(!lives(pid) && !nest.dir.join("p.pid").exists());
    }
}

#[test]
fn a_program_that_cannot_be_executed_is_told_and_not_repeated() {
    let plain = tempfile::NamedTempFile::new().expect("a file that may not be executed");
    let plain = plain.path().to_string_lossy().into_owned();
    for (word, errno) in [("/nowhere/program", libc_enoent()), ("no-such-program-here", libc_enoent()), (&plain, 13)] {
        let nest = Nest::new(&[word]).restarting(Restart::Always);
        assert_eq!(nest.start(), Launched::NotRun { errno, step: Step::Execute });
        let meta = nest.until_free();
        assert_eq!((meta.state, meta.pid, meta.restarts), (State::Crashed, 0, 0));
        assert_eq!(meta.last_exit.expect("an exit").how, How::NotRun(errno));
        assert!(meta.life.start_error.contains(word), "{}", meta.life.start_error);
    }
}

fn libc_enoent() -> i32 {
    nix::Error::ENOENT as i32
}

#[test]
fn a_working_directory_that_is_gone_is_told() {
    let nest = Nest::new(&["true"]).with(|meta| meta.cwd = "/nowhere/at/all".into());
    assert_eq!(nest.start(), Launched::NotRun { errno: libc_enoent(), step: Step::Directory });
    assert!(nest.until_free().life.start_error.contains("/nowhere/at/all"));
}

#[test]
fn a_script_without_a_first_line_runs_under_sh() {
    let nest = Nest::new(&["./script", "word"]);
    let script = nest.work("script");
    program::script(&script, "echo got $1\n");
    nest.up();
    nest.until_free();
    assert_eq!(nest.out(), "got word\n");
}

#[test]
fn the_pre_start_command_comes_first_and_shares_the_logs() {
    let nest = Nest::shell("echo main $LAYER; exec sleep 1000").with(|meta| meta.prehook = "echo hook $LAYER".into());
    nest.up();
    eventually("both lines", || nest.out() == "hook snapshot\nmain snapshot\n");
    nest.stop();
}

#[test]
fn a_pre_start_command_that_fails_prevents_the_start() {
    let nest = Nest::shell("echo main").with(|meta| meta.prehook = "echo no >&2; exit 3".into());
    assert_eq!(nest.start(), Launched::HookFailed { code: 3 });
    let meta = nest.until_free();
    assert_eq!((meta.state, meta.last_exit.expect("an exit").how), (State::Crashed, How::Hook(3)));
    assert_eq!((nest.out(), nest.text("current.err")), (String::new(), "no\n".to_owned()));
}

#[test]
fn a_stop_ends_a_pre_start_command_at_once() {
    let nest = Nest::shell("echo main").with(|meta| meta.prehook = "echo $$ > hook; sleep 1000".into());
    let word = std::thread::scope(|scope| {
        let starter = scope.spawn(|| nest.start());
        let hook = nest.number("hook");
        nest.order(Order::Stop);
        let word = starter.join().expect("a word");
        assert!(!lives(hook));
        word
    });
    assert_eq!(word, Launched::Ended);
    assert_eq!((nest.until_free().state, nest.out()), (State::Stopped, String::new()));
}

#[test]
fn the_environment_is_layered_and_read_again_at_every_start() {
    let nest = Nest::shell("echo $LAYER $FILE $SECRET $SET; sleep 1000");
    let (file, secrets) = (nest.work("dev.env"), nest.work("dev.secrets"));
    let nest = nest.with(|meta| {
        meta.env_file = file.to_string_lossy().into_owned();
        meta.run.secrets_file = secrets.to_string_lossy().into_owned();
        meta.run.set = vec![("SET".into(), "command".into())];
    });
    fs::write(&secrets, "SECRET=s FILE\nFILE=hidden\n").expect("secrets");
    fs::write(&file, "export FILE=\"one\"\nLAYER=file\nSET=file\n").expect("an env file");
    nest.up();
    eventually("the first life", || nest.out() == "file one s FILE command\n");

    fs::write(&file, "FILE=two\n").expect("an env file");
    fs::remove_file(&secrets).expect("no secrets");
    let first = nest.read().pid;
    nest.order(Order::Restart);
    let meta = nest.until("a second life", |meta| meta.state == State::Online && meta.pid != first);
    assert_eq!(meta.restarts, 1);
    eventually("the second life", || nest.out().ends_with("snapshot two command\n"));
    nest.stop();
}

#[test]
fn an_env_file_that_is_missing_or_malformed_is_a_failed_start() {
    let nest = Nest::shell("echo main").with(|meta| meta.env_file = "/nowhere/dev.env".into());
    assert_eq!(nest.start(), Launched::NotRun { errno: libc_enoent(), step: Step::Environment });
    assert!(nest.until_free().life.start_error.contains("/nowhere/dev.env"));

    let nest = Nest::shell("echo main");
    let file = nest.work("dev.env");
    fs::write(&file, "GOOD=1\nBAD='x\n").expect("an env file");
    let nest = nest.with(|meta| meta.env_file = file.to_string_lossy().into_owned());
    assert!(matches!(nest.start(), Launched::NotRun { step: Step::Environment, .. }));
    let words = nest.until_free().life.start_error;
    assert!(words.contains("dev.env:2:5:"), "{words}");
    assert_eq!(nest.out(), "");
}

#[test]
fn the_child_inherits_nothing_but_what_it_should() {
    // A wrapper in front of the interpreter would add variables of its own.
    let python = Command::new("python3").args(["-c", "import sys; print(sys.executable, end='')"]).output();
    let python = String::from_utf8(python.expect("python").stdout).expect("a path");
    let nest = Nest::new(&[
        &python,
        "-c",
        "import os,signal\n\
         print(sorted(int(f) for f in os.listdir('/proc/self/fd'))[:4])\n\
         print(signal.getsignal(signal.SIGHUP), signal.pthread_sigmask(signal.SIG_BLOCK, []))\n\
         print(os.getsid(0) == os.getpid(), os.path.realpath('/proc/self/fd/0'))\n\
         print(sorted(k for k in os.environ if k != 'LC_CTYPE'))\n\
         print(os.environ['TSM_PROCESS_DIR'], os.environ['TSM_RUN'])",
    ]);
    nest.up();
    let meta = nest.until_free();
    let lines = nest.lines("out");
    assert_eq!(lines[0], "[0, 1, 2, 3]", "the fourth is the listing's own");
    assert_eq!(lines[1], "0 set()");
    assert_eq!(lines[2], "True /dev/null");
    assert_eq!(lines[3], "['HOME', 'LAYER', 'PATH', 'PWD', 'TSM_PROCESS_DIR', 'TSM_RUN']");
    assert_eq!(lines[4], format!("{} 0.{}", nest.dir.display(), meta.life.nonce));
}

#[test]
fn of_two_launches_at_once_one_wins() {
    let nest = Nest::shell("echo $$; exec sleep 1000");
    tetra::supervise::meta::write(&nest.dir, &nest.meta).expect("a record");
    let words: Vec<Launched> = std::thread::scope(|scope| {
        let starters: Vec<_> = (0..4).map(|_| scope.spawn(|| nest.launch())).collect();
        starters.into_iter().map(|starter| starter.join().expect("a word")).collect()
    });
    let spawned = words.iter().filter(|word| matches!(word, Launched::Spawned { .. })).count();
    let refused = words.iter().filter(|word| **word == Launched::AlreadySupervised).count();
    assert_eq!((spawned, refused), (1, 3), "{words:?}");
    eventually("one line", || !nest.out().is_empty());
    assert_eq!(nest.lines("out").len(), 1);
    nest.stop();
}

#[test]
fn an_order_to_nobody_is_an_error() {
    let nest = Nest::shell("true");
    assert!(matches!(client::send(&nest.dir, Order::Stop), Err(client::SendError::NobodyThere { .. })));
    assert!(!client::supervised(&nest.dir));
    nest.up();
    nest.until_free();
    assert!(matches!(client::send(&nest.dir, Order::Stop), Err(client::SendError::NobodyThere { .. })));
}
