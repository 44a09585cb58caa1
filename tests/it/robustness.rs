//! Rough surroundings: what others left lying about, what was never text, what is not there.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::chown;
use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tetra::supervise::client;
use tetra::supervise::meta::ProcessState;

use crate::sandbox::CommandOutput;
use crate::world::{PROGRAM, World};

/// The user `nobody`, which every machine has.
const NOBODY: u32 = 65534;

fn said(output: Output) -> CommandOutput {
    output.into()
}

fn tetra(world: &World, words: &[&str]) -> CommandOutput {
    said(world.program(PROGRAM).args(words).output().expect("it starts"))
}

fn process(world: &World, name: &str) -> PathBuf {
    world.paths().processes().join(name)
}

#[test]
fn the_process_of_another_user_is_not_started() {
    let world = World::new();
    let started = tetra(&world, &["tsm", "start", "--name", "theirs", "--", "sleep", "1000"]);
    assert_eq!(started.code, 0, "{}", started.err);
    assert_eq!(tetra(&world, &["tsm", "stop", "theirs"]).code, 0);
    if !nix::unistd::geteuid().is_root() {
        // Only root can give a directory away, and only root could be made to run what another user says. What is our own starts.
        assert_eq!(tetra(&world, &["tsm", "start", "theirs"]).code, 0);
        let _ = writeln!(std::io::stderr(), "not root: not shown that the process of another user is not started");
        return;
    }
    chown(process(&world, "theirs"), Some(NOBODY), None).expect("root may");
    let before = fs::read(process(&world, "theirs").join("meta.json")).expect("a record");
    for line in [&["tsm", "start", "theirs"][..], &["tsm", "start", "--name", "theirs", "sleep", "1"]] {
        let refused = tetra(&world, line);
        assert_eq!(refused.code, 4, "{}{}", refused.out, refused.err);
        assert!(refused.err.contains("`theirs` belongs to user nobody"), "{}", refused.err);
    }
    assert_eq!(fs::read(process(&world, "theirs").join("meta.json")).expect("a record"), before);
}

#[test]
fn variables_that_are_no_text_reach_the_process() {
    let world = World::new();
    let mut start = world.program(PROGRAM);
    start.args(["tsm", "start", "--name", "raw", "--", "sh", "-c", "printf %s \"$RAW\"; exec sleep 1000"]);
    start.env("RAW", OsStr::from_bytes(b"caf\xe9"));
    let started = said(start.output().expect("it starts"));
    assert_eq!(started.code, 0, "{}", started.err);
    assert_eq!(fs::read(process(&world, "raw").join("current.out")).expect("a log"), b"caf\xe9");
}

#[test]
fn a_lost_record_is_named_and_a_command_line_replaces_it() {
    let world = World::new();
    assert_eq!(
        tetra(&world, &["tsm", "start", "--name", "lost", "--", "sh", "-c", "echo one; exec sleep 1000"]).code,
        0
    );
    assert_eq!(tetra(&world, &["tsm", "stop", "lost"]).code, 0);
    // With the record before it gone too, nothing tells what it was.
    tetra::supervise::meta::remove(&process(&world, "lost")).expect("removed");
    fs::write(process(&world, "lost").join("meta.json"), "{\"tsm_id\":").expect("written");
    let refused = tetra(&world, &["tsm", "start", "lost"]);
    assert_eq!(refused.code, 1, "{}{}", refused.out, refused.err);
    assert!(refused.err.contains("the record of `lost` cannot be used"), "{}", refused.err);
    assert!(refused.err.contains("tsm start --name lost COMMAND"), "{}", refused.err);
    let anew = tetra(&world, &["tsm", "start", "--name", "lost", "--", "sh", "-c", "echo two; exec sleep 1000"]);
    assert_eq!(anew.code, 0, "{}", anew.err);
    assert_eq!(fs::read_to_string(process(&world, "lost").join("current.out")).expect("a log"), "one\ntwo\n");
}

#[test]
fn all_of_nothing_is_said_to_be_nothing() {
    let world = World::new();
    for line in ["tsm restart *", "tsm delete all", "tsm kill *", "tsm info *", "tsm logs all", "tsm logs * -f"] {
        let nothing = tetra(&world, &["-c", line]);
        assert_eq!((nothing.code, nothing.out.as_str()), (0, ""), "{line}");
        assert_eq!(nothing.err, "there are no processes\n", "{line}");
    }
}

#[test]
fn a_verb_with_a_slip_and_without_its_group_is_known_again() {
    let world = World::new();
    for (line, near) in [("strat app.js", "tsm start"), ("lst", "tsm list"), ("restrat api", "tsm restart")] {
        let unknown = tetra(&world, &["-c", line]);
        assert_eq!(unknown.code, 2, "{line}");
        assert!(unknown.err.contains(&format!("did you mean `{near}`?")), "{line}: {}", unknown.err);
    }
}

/// What needs no `tsm` at the prompt needs it elsewhere, and what is advised there is the whole line.
#[test]
fn a_line_of_the_prompt_is_named_whole_where_tsm_is_needed() {
    let world = World::new();
    for (line, whole) in [
        ("reload api", "tsm reload api"),
        ("scale api +1", "tsm scale api +1"),
        ("signal api HUP", "tsm signal api HUP"),
        ("logs api -f", "tsm logs api -f"),
        ("start app.js -i 2", "tsm start app.js --instances 2"),
    ] {
        let unknown = tetra(&world, &["-c", line]);
        assert_eq!(unknown.code, 2, "{line}");
        assert!(unknown.err.contains(&format!("`{whole}` is that command here")), "{line}: {}", unknown.err);
    }
    let help = tetra(&world, &["help", "lines"]).out;
    for said in ["`restart api` is `tsm restart api`", "&&"] {
        assert!(help.contains(said), "{said}: {help}");
    }
}

#[test]
fn the_help_tells_what_the_options_of_the_ways_in_do() {
    let help = tetra(&World::new(), &["help"]).out;
    for option in ["--plain  ", "--norc  ", "--private  ", "--keep-going  "] {
        assert!(help.contains(option), "{option}: {help}");
    }
}

#[test]
fn all_is_not_a_name() {
    let world = World::new();
    for words in [&["--name", "all", "sleep", "1"][..], &["--name", "all", "--port", "18", "sleep", "1"]] {
        let refused = tetra(&world, &[&["tsm", "start"], words].concat());
        assert_eq!(refused.code, 2, "{}", refused.err);
        assert!(refused.err.contains("it means every one"), "{}", refused.err);
        assert!(!refused.err.contains("begins with a letter"), "it does: {}", refused.err);
    }
}

#[test]
fn a_start_that_was_given_up_half_way_is_found_out_by_the_next_command() {
    let world = World::new();
    for name in ["one", "two", "three"] {
        assert_eq!(tetra(&world, &["tsm", "start", "--name", name, "--", "sleep", "1000"]).code, 0);
        assert_eq!(tetra(&world, &["tsm", "stop", name]).code, 0);
        // As if the command had been killed between writing the record and starting the supervisor.
        let record = process(&world, name).join("meta.json");
        let text = fs::read_to_string(&record).expect("a record");
        let mut meta: serde_json::Value = serde_json::from_str(&text).expect("JSON");
        (meta["state"], meta["status"]) = ("starting".into(), "online".into());
        fs::write(&record, meta.to_string()).expect("written");
    }
    let lines: [&[&str]; 3] = [&["restart", "one"], &["kill", "two"], &["delete", "three"]];
    let act = |line: &&[&str]| {
        let mut command = world.program(PROGRAM);
        command.arg("tsm").args(*line).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts")
    };
    let all: Vec<_> = lines.iter().map(act).collect();
    let all: Vec<CommandOutput> = all.into_iter().map(|one| said(one.wait_with_output().expect("it ended"))).collect();
    let words = ["started one (", "killed two", "deleted three"];
    for (said, word) in all.iter().zip(words) {
        assert_eq!(said.code, 0, "{}", said.err);
        assert!(said.out.contains(word), "{}", said.out);
    }
}

#[test]
fn a_record_that_stays_wrong_does_not_keep_kill_waiting() {
    let world = World::new();
    assert_eq!(tetra(&world, &["tsm", "start", "--name", "stale", "--", "sleep", "1000"]).code, 0);
    assert_eq!(tetra(&world, &["tsm", "stop", "stale"]).code, 0);
    let record = process(&world, "stale").join("meta.json");
    let mut meta: serde_json::Value = serde_json::from_slice(&fs::read(&record).expect("a record")).expect("JSON");
    (meta["state"], meta["status"], meta["pid"]) = ("online".into(), "online".into(), 4_194_000.into());
    fs::write(&record, meta.to_string()).expect("written");
    let killed = tetra(&world, &["tsm", "kill", "stale"]);
    assert_eq!((killed.code, killed.out.as_str()), (0, "killed stale (0)\n"), "{}", killed.err);
}

#[test]
fn a_dangling_link_is_not_a_directory() {
    let world = World::new();
    let link = world.work().join("link");
    std::os::unix::fs::symlink("/nowhere/at/all", &link).expect("a link");
    let refused = tetra(&world, &["--dir", link.to_str().expect("a text"), "-c", "tsm start -- sleep 60"]);
    assert!(refused.err.contains("it is not a directory"), "{}", refused.err);
}

#[test]
fn a_number_that_is_none_is_named_with_its_option() {
    let world = World::new();
    for (line, message) in [
        ("tsm logs api -n abc", "invalid value `abc` for `--lines <N>`: expected a number"),
        ("tsm logs api -n 99999999999999999999", "invalid value `99999999999999999999` for `--lines <N>`: too large"),
        ("tsm kill --port 99999", "invalid value `99999` for `--port <PORT>`: expected 1 to 65535"),
    ] {
        let refused = tetra(&world, &["-c", line]);
        assert!(refused.code == 2 && refused.err.contains(message), "{line}: {}", refused.err);
    }
}

#[test]
fn ctrl_c_while_a_process_ends_says_that_it_was_not_removed() {
    let world = World::new();
    let slow = "trap 'sleep 2; exit 0' TERM; echo up; while :; do sleep 0.05; done";
    assert_eq!(tetra(&world, &["tsm", "start", "--name", "slow", "--", "sh", "-c", slow]).code, 0);
    let mut command = world.program(PROGRAM);
    command.args(["tsm", "delete", "slow"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("it starts");
    let dir = process(&world, "slow");
    let deadline = Instant::now() + Duration::from_secs(30);
    let stopping = client::wait(&dir, deadline, |meta| meta.is_some_and(|meta| meta.state == ProcessState::Stopping));
    stopping.expect("it is being stopped");
    kill(Pid::from_raw(i32::try_from(child.id()).expect("a pid")), Signal::SIGINT).expect("signalled");
    let gave_up = said(child.wait_with_output().expect("it ended"));
    assert_eq!(gave_up.code, 130, "{}{}", gave_up.out, gave_up.err);
    assert!(gave_up.err.contains("`slow`: it is still stopping and was not deleted"), "{}", gave_up.err);
    assert!(gave_up.err.contains("run `tsm delete slow` to remove it"), "{}", gave_up.err);
    assert!(dir.exists());
}
