//! Every way in, through the real program.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::program;
use crate::schema::{misfits, schema};
use crate::waiting;
use crate::world::{PROGRAM, World};

/// The longest that anything here may take, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

fn tetra(world: &World, words: &[&str]) -> Output {
    world.program(PROGRAM).args(words).output().expect("the program starts")
}

/// Runs a line of `sh` with `tetra` in `PATH`.
fn sh(world: &World, line: &str) -> Output {
    let directory = Path::new(PROGRAM).parent().expect("a directory").display().to_string();
    let path = format!("{directory}:{}", std::env::var("PATH").unwrap_or_default());
    world.program("sh").arg("-c").arg(line).env("PATH", path).output().expect("sh starts")
}

fn fed(world: &World, words: &[&str], input: &str) -> Output {
    let mut child = started(world.program(PROGRAM).args(words).stdin(Stdio::piped()));
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("it reads");
    child.wait_with_output().expect("it ends")
}

fn started(command: &mut Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts")
}

#[track_caller]
fn says(output: &Output, code: i32, out: &str, err: &str) {
    let (real_out, real_err) = (text(&output.stdout), text(&output.stderr));
    assert_eq!((output.status.code(), real_out.as_str(), real_err.as_str()), (Some(code), out, err));
}

fn text_of(output: &Output) -> String {
    text(&output.stderr)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

/// Waits for the end of a child, at most [`PATIENCE`]; its exit code.
#[track_caller]
fn ended(mut child: Child) -> Option<i32> {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        if let Some(status) = child.try_wait().expect("it is ours") {
            return status.code();
        }
        waiting::pause();
    }
    child.kill().expect("it is ours");
    panic!("it did not end");
}

/// A link to the program under another name.
fn called(world: &World, name: &str) -> PathBuf {
    let link = world.home().join(name);
    symlink(PROGRAM, &link).expect("a link");
    link
}

const CONTEXT: &str = "version\nuse @dev\ncontext --json > context.json\n";

#[test]
fn the_same_line_runs_from_every_way_in() {
    let version = format!("tetra {}\n", env!("CARGO_PKG_VERSION"));
    for way in ["-c", "file", "stdin", "dash", "shebang"] {
        let world = World::new();
        let script = world.file("a script.tetra", &format!("#!/usr/bin/env tetra\n{CONTEXT}"));
        let output = match way {
            "-c" => tetra(&world, &["-c", CONTEXT]),
            "file" => tetra(&world, &["a script.tetra"]),
            "stdin" => fed(&world, &[], CONTEXT),
            "dash" => fed(&world, &["-"], CONTEXT),
            _ => {
                program::script(&script, &fs::read_to_string(&script).expect("it is ours"));
                sh(&world, "'./a script.tetra'")
            }
        };
        says(&output, 0, &version, "");
        let context: Value =
            serde_json::from_slice(&fs::read(world.work().join("context.json")).expect(way)).expect("JSON");
        assert_eq!(context["env"], "dev", "{way}");
    }
}

#[test]
fn words_are_not_split_again() {
    let world = World::new();
    let output = tetra(&world, &["alias", "ctx", "a;b", "--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    says(&tetra(&world, &["use", "a b"]), 2, "", &tail(&world, "use 'a b'"));
}

/// What `-c` says about a line, without the place.
fn tail(world: &World, line: &str) -> String {
    let said = text(&tetra(world, &["-c", line]).stderr);
    said.lines()
        .filter(|line| !line.starts_with("  at") && !line.starts_with("  |"))
        .map(|it| format!("{it}\n"))
        .collect()
}

#[test]
fn a_name_of_the_table_wins_over_a_file() {
    let world = World::new();
    world.file("version", "use @nowhere");
    assert_eq!(tetra(&world, &["version"]).status.code(), Some(0));
    assert_eq!(tetra(&world, &["./version"]).status.code(), Some(5));
    world.file("mine", "version");
    assert_eq!(tetra(&world, &["mine"]).status.code(), Some(0));
    for way in ["p", "./p"] {
        let pipe = world.work().join("p");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).expect("a named pipe");
        let writer = std::thread::spawn(move || fs::write(&pipe, "version").and_then(|()| fs::remove_file(&pipe)));
        let output = tetra(&world, &[way]);
        assert_eq!(output.status.code(), Some(0), "{way}: {}", text(&output.stderr));
        writer.join().expect("a writer").expect("a reader");
    }
    fs::create_dir(world.work().join("directory")).expect("a directory");
    assert_eq!(tetra(&world, &["directory"]).status.code(), Some(2));
    let line = "\"$0\" <(echo version; echo slect)";
    let output = world.program("bash").args(["-c", line, crate::world::PROGRAM]).output().expect("bash");
    assert_eq!(text(&output.stdout), text(&tetra(&world, &["version"]).stdout));
    assert!(text(&output.stderr).contains("/dev/fd/63:2:1"), "{}", text(&output.stderr));
    says(
        &tetra(&world, &["not/there"]),
        5,
        "",
        "error: failed to read the script `not/there`\n  because: No such file or directory (os error 2)\n",
    );
}

#[test]
fn links_stand_for_the_first_word() {
    let world = World::new();
    let tsm = called(&world, "tsm");
    let bare = world.program(&tsm).output().expect("it starts");
    let group = tetra(&world, &["tsm"]);
    assert_eq!((bare.status.code(), &bare.stdout), (Some(0), &group.stdout));
    assert!(text(&bare.stdout).starts_with("tsm: "), "{}", text(&bare.stdout));
    let help = world.program(&tsm).args(["help", "exit-codes"]).output().expect("it starts");
    assert!(text(&help.stdout).contains("130  interrupted"), "{}", text(&help.stdout));
    let wrong = world.program(&tsm).args(["hlp"]).output().expect("it starts");
    says(&wrong, 2, "", "error: unknown command `tsm hlp`\n  advice: did you mean `tsm help`?\n");
}

#[test]
fn a_script_stops_at_the_first_failure_and_shows_the_place() {
    let world = World::new();
    world.file("deploy.tetra", "version\n\n  use @dev; slect api # oh\nversion\n");
    let said = "error: unknown command `slect`\n  at deploy.tetra:3:13\n  |   use @dev; slect api # oh\n  |             ^^^^^\n  advice: did you mean `select`?\n";
    let version = format!("tetra {}\n", env!("CARGO_PKG_VERSION"));
    says(&tetra(&world, &["deploy.tetra"]), 2, &version, said);
    says(&tetra(&world, &["--keep-going", "deploy.tetra"]), 2, &version.repeat(2), said);
    says(&tetra(&world, &["deploy.tetra", "--keep-going"]), 2, &version.repeat(2), said);
    let piped = fed(&world, &[], &fs::read_to_string(world.work().join("deploy.tetra")).expect("read"));
    says(&piped, 2, &version, &said.replace("deploy.tetra", "stdin"));
}

#[test]
fn what_fails_while_it_runs_has_a_place_too() {
    let world = World::new();
    world.file("a.tetra", "version > v\nselect \\\n  nobody\n");
    let said = text(&tetra(&world, &["a.tetra"]).stderr);
    assert!(said.contains("at a.tetra:2:1\n  | select \\\n"), "{said}");
}

#[test]
fn nothing_of_a_file_is_run_if_it_makes_no_sense() {
    let world = World::new();
    world.file("a.tetra", "version\nuse 'dev\n");
    says(&tetra(&world, &["a.tetra"]), 2, "", "error: unclosed `'`\n  at a.tetra:2:5\n  | use 'dev\n  |     ^^^^\n");
}

#[test]
fn commands_on_a_stream_run_as_they_arrive() {
    let world = World::new();
    let mut child = started(world.program(PROGRAM).stdin(Stdio::piped()));
    let mut input = child.stdin.take().expect("a pipe");
    let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
    for _ in 0..3 {
        input.write_all(b"version \\\n--json | tr -d '\n'\n").expect("it reads");
        input.flush().expect("it reads");
        let mut answer = [0; 10];
        output.read_exact(&mut answer).expect("it answers before the stream ends");
        let mut rest = vec![0; "{  \"version\": \"\"}".len() + env!("CARGO_PKG_VERSION").len() - answer.len()];
        output.read_exact(&mut rest).expect("it answers");
    }
    drop(input);
    assert_eq!(ended(child), Some(0));
}

#[test]
fn a_line_of_a_stream_goes_on_where_one_of_a_file_does() {
    let world = World::new();
    let version = format!("tetra {}\n", env!("CARGO_PKG_VERSION"));
    let input = |text: &str| {
        world.file("a.tetra", text);
        (tetra(&world, &["a.tetra"]), fed(&world, &["-"], text))
    };
    for text in [
        "version \\\n > v\nversion\n",
        "version \\\r\n > v\r\nversion\r\n",
        "version |\n cat\n",
        "ver\\\nsion",
        "ver\\\r\nsion",
    ] {
        let (file, stream) = input(text);
        says(&file, 0, &version, "");
        says(&stream, 0, &version, "");
    }
    for (text, runs) in [("version &&\nversion\n", 2), ("version && # x\n\nversion", 2)] {
        let (file, stream) = input(text);
        says(&file, 0, &version.repeat(runs), "");
        says(&stream, 0, &version.repeat(runs), "");
    }
    for (line, said) in [
        ("&& version", "missing command before `&&`\n  at -c:1:1\n  | && version\n  | ^^\n"),
        ("version &&", "missing command after `&&`\n  at -c:1:9\n  | version &&\n  |         ^^\n"),
        ("version;;version", "missing command before `;`\n  at -c:1:9\n  | version;;version\n  |         ^\n"),
    ] {
        says(&tetra(&world, &["-c", line]), 2, "", &format!("error: {said}"));
    }
    for text in ["version \\\n --wat\n", "version \\\r\n --wat\r\n"] {
        let (file, stream) = input(text);
        let said = text_of(&file);
        assert!(said.starts_with("error: unknown option `--wat` for `version`\n  at a.tetra:2:2\n"), "{said}");
        says(&file, 2, "", &said);
        says(&stream, 2, "", &said.replace("a.tetra", "stdin"));
    }
    for text in ["use @dev\nversion \\", "use @dev\nversion \\\n", "use @dev\nversion \\\r\n"] {
        let (file, stream) = input(text);
        let said = "error: missing character after `\\` at the end of the line\n";
        for output in [file, stream, tetra(&world, &["-c", text])] {
            let real = text_of(&output);
            assert!(
                output.status.code() == Some(2) && output.stdout.is_empty() && real.starts_with(said),
                "{text:?}: {real}"
            );
        }
    }
}

#[test]
fn a_quote_that_is_never_closed_is_found_in_the_end() {
    let world = World::new();
    let endless = format!("version\n'{}", "a\n".repeat(100_000));
    let file = fs::File::open(world.file("endless", &endless)).expect("it is there");
    let output = world.program(PROGRAM).stdin(file).output().expect("it starts");
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("unclosed `'`\n  at stdin:2:1\n"), "{}", text(&output.stderr));
}

#[test]
fn a_closed_pipe_ends_quietly() {
    let world = World::new();
    let mut child = started(world.program(PROGRAM).args(["watch", "-n", "1ms", "version"]));
    let mut line = String::new();
    let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
    output.read_line(&mut line).expect("a line");
    drop(output);
    let mut said = String::new();
    child.stderr.take().expect("a pipe").read_to_string(&mut said).expect("text");
    assert_eq!((ended(child), said.as_str()), (Some(0), ""));

    let inside = tetra(&world, &["-c", "watch -n 1ms version | head -1; use @dev; version"]);
    let version = format!("tetra {}\n", env!("CARGO_PKG_VERSION"));
    says(&inside, 0, &version.repeat(2), "");
}

#[test]
fn a_change_that_ends_with_a_line_or_a_script_is_said_if_nothing_uses_it() {
    let world = World::new();
    let setting = "the setting is changed for this session only";
    for (line, note) in [
        ("history --private", setting),
        (
            "alias ctx=context",
            "it is defined for this session only, which ends here; `--save` before its name keeps it",
        ),
        ("abbr ctx=context", "it is defined for this session only"),
        ("alias ctx=context; ctx", ""),
        ("version; set edit-mode vi # at last", setting),
        ("use @dev", "the selection ends with this session"),
        ("cd /", "the directory is changed for this session only"),
        ("set private on; version", ""),
        ("use @dev; context", ""),
        ("cd /; version", ""),
        ("version", ""),
    ] {
        let script = world.file("changes.tetra", &format!("{line}\n\n")).display().to_string();
        let ways = [tetra(&world, &["-c", line]), tetra(&world, &[&script]), fed(&world, &["-"], line)];
        for output in ways {
            let said = text(&output.stderr);
            assert_eq!(
                (said.lines().count(), said.starts_with(note)),
                (usize::from(!note.is_empty()), true),
                "{line}: {said}"
            );
        }
    }
    let quiet = tetra(&world, &["--quiet", "-c", "history --private"]);
    says(&quiet, 0, "", "");
}

#[test]
fn a_full_disk_is_a_failure() {
    let world = World::new();
    let output = sh(&world, "tetra version > /dev/full");
    says(&output, 1, "", "error: failed to write the output\n  because: No space left on device (os error 28)\n");
    assert_eq!(tetra(&world, &["-c", "version > /dev/full"]).status.code(), Some(1));
}

#[test]
fn closed_streams_are_no_mistake() {
    let world = World::new();
    for (line, code) in [
        ("tetra version <&-", 0),
        ("tetra version >&-", 0),
        ("tetra versio >&- 2>&-", 2),
        ("tetra <&-", 0),
        ("tetra < /dev/null", 0),
    ] {
        assert_eq!(sh(&world, line).status.code(), Some(code), "{line}");
    }
}

#[test]
fn signals_end_it_with_their_codes() {
    let world = World::new();
    for (signal, code) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143), (Signal::SIGHUP, 129)] {
        for line in ["watch -n 1h version", "watch -n 1h version; version", "watch -n 1h version > out; version"] {
            // The caller of the tests may ignore SIGHUP, as `nohup` does; so would the program then.
            let mut child = started(world.program("env").args(["--default-signal=HUP", PROGRAM, "-c", line]));
            let pid = Pid::from_raw(child.id().try_into().expect("a pid"));
            let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
            if line.contains("> out") {
                let until = Instant::now() + PATIENCE;
                while fs::read(world.work().join("out")).unwrap_or_default().is_empty() && Instant::now() < until {
                    waiting::pause();
                }
                fs::remove_file(world.work().join("out")).expect("it wrote");
            } else {
                output.read_line(&mut String::new()).expect("a line");
            }
            kill(pid, signal).expect("it runs");
            let mut rest = String::new();
            output.read_to_string(&mut rest).expect("text");
            assert_eq!((ended(child), rest.as_str()), (Some(code), ""), "{signal} {line}");
        }
    }
}

#[test]
fn a_program_that_reads_the_output_ends_with_it() {
    let world = World::new();
    let mut child = started(world.program(PROGRAM).args(["-c", "version | { head -1; exec sleep 1000; }; version"]));
    let mut output = BufReader::new(child.stdout.take().expect("a pipe"));
    output.read_line(&mut String::new()).expect("a line");
    kill(Pid::from_raw(child.id().try_into().expect("a pid")), Signal::SIGTERM).expect("it runs");
    let mut rest = String::new();
    output.read_to_string(&mut rest).expect("text");
    assert_eq!((ended(child), rest.as_str()), (Some(143), ""));
}

#[test]
fn signals_end_the_wait_for_a_command() {
    let world = World::new();
    for (signal, code) in [(Signal::SIGINT, 130), (Signal::SIGTERM, 143)] {
        let mut child = started(world.program(PROGRAM).arg("-").stdin(Stdio::piped()));
        let mut input = child.stdin.take().expect("a pipe");
        input.write_all(b"version\n").expect("it reads");
        BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut String::new()).expect("a line");
        kill(Pid::from_raw(child.id().try_into().expect("a pid")), signal).expect("it runs");
        let mut said = String::new();
        child.stderr.take().expect("a pipe").read_to_string(&mut said).expect("text");
        assert_eq!((ended(child), said.as_str()), (Some(code), ""), "{signal}");
    }
}

#[test]
fn a_second_interrupt_ends_even_a_command_that_does_not_listen() {
    let world = World::new();
    assert!(tetra(&world, &["-c", "org init acme"]).status.success());
    let (reader, mut writer) = std::io::pipe().expect("a pipe");
    let seen = reader.try_clone().expect("a descriptor");
    let mut child = started(world.program(PROGRAM).args(["-c", "secrets set dev A"]).stdin(reader));
    // What is in the pipe is gone once it reads, and then it waits for the rest.
    writer.write_all(b"begun").expect("it holds that");
    let is_read = || {
        let mut fds = [PollFd::new(seen.as_fd(), PollFlags::POLLIN)];
        poll(&mut fds, PollTimeout::ZERO).expect("a descriptor") == 0
    };
    waiting::eventually("it reads the secret", is_read);
    signalled_until_ended(&mut child, Signal::SIGINT);
    let status = child.wait().expect("it is ours");
    assert_eq!(status.signal(), Some(Signal::SIGINT as i32), "{status}");
}

/// Sends a signal again and again until the program has ended.
fn signalled_until_ended(child: &mut Child, signal: Signal) {
    let until = Instant::now() + PATIENCE;
    while child.try_wait().expect("it is ours").is_none() {
        assert!(Instant::now() < until, "it did not end");
        kill(Pid::from_raw(child.id().try_into().expect("a pid")), signal).expect("it is ours");
        waiting::pause();
    }
}

#[test]
fn faults_are_json_when_asked_for() {
    let world = World::new();
    world.file("a.tetra", "version --jsn --json\n");
    world.file("tetra.sh", "");
    for words in [
        &["--json", "versio"][..],
        &["version", "--json", "--wat"],
        &["--json", "--wat"],
        &["--json", "-c", "use 'x"],
        &["use", "@nowhere", "--json"],
        &["a.tetra"],
        &["--json", "./tetra.sh"],
    ] {
        let output = tetra(&world, words);
        let said = text(&output.stderr);
        let fault: Value = serde_json::from_str(&said).unwrap_or_else(|error| panic!("{words:?}: {error}: {said}"));
        assert_eq!(misfits(&fault, &schema("error")), Vec::<String>::new(), "{said}");
        assert!(output.stdout.is_empty());
    }
    let placed: Value = serde_json::from_slice(&tetra(&world, &["a.tetra"]).stderr).expect("JSON");
    assert_eq!(placed["error"]["at"], serde_json::json!({"file": "a.tetra", "line": 1, "column": 9}));
}

#[test]
fn colour_is_decided_by_the_option_then_the_variables() {
    let world = World::new();
    let coloured = |words: &[&str], variables: &[(&str, &str)]| {
        let mut command = world.program(PROGRAM);
        command.args(words).envs(variables.iter().copied());
        command.output().expect("it starts").stderr.contains(&0x1b)
    };
    assert!(!coloured(&["nothing"], &[]));
    assert!(coloured(&["nothing"], &[("CLICOLOR_FORCE", "1")]));
    assert!(!coloured(&["nothing"], &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
    assert!(coloured(&["--color", "always", "nothing"], &[("NO_COLOR", "1")]));
    assert!(!coloured(&["--color=never", "use", "@nowhere"], &[("CLICOLOR_FORCE", "1")]));
}

#[test]
fn words_that_are_no_text_are_refused() {
    let world = World::new();
    let output = world.program(PROGRAM).arg(OsStr::from_bytes(b"a\xff")).output().expect("it starts");
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn the_prompt_needs_a_terminal() {
    let world = World::new();
    let version = format!("tetra {}\n", env!("CARGO_PKG_VERSION"));
    for words in [&["repl"][..], &["tsm", "repl"]] {
        says(&fed(&world, words, "version\n"), 0, &version, "");
    }
    let said = "error: the prompt needs a terminal\n  advice: run `tetra` in a terminal\n";
    says(&tetra(&world, &["-c", "tsm repl"]), 1, "", said);
}

#[test]
fn the_home_may_be_elsewhere_or_nowhere() {
    let world = World::new();
    let dir = |output: Output| {
        let context: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        context["dir"].as_str().unwrap_or_default().to_owned()
    };
    let work = world.work().display().to_string();
    assert_eq!(dir(tetra(&world, &["context", "--json", "--dir", "x"])), format!("{work}/x"));
    assert_eq!(dir(tetra(&world, &["--dir", "x", "-c", "context --json"])), format!("{work}/x"));
    let bare = world.program(PROGRAM).args(["context", "--json"]).env_remove("TETRA_DIR").output().expect("it starts");
    assert_eq!(dir(bare), world.home().join("tetra").display().to_string());
}
