//! Logs of real processes: order, ends, following.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::json;

use crate::sandbox::{ChildGuard, Sandbox, assert_fits, signal};
use crate::waiting::PATIENCE;
use crate::waiting::eventually;
use crate::world::World;

/// Writes numbered lines, the odd ones to stdout, the even ones to stderr, each when the one before is in its log: what lies
/// in both pipes at the same time has no order that could be known.
const BOTH: &str = "i=0; while [ $i -lt 40 ]; do i=$((i+1)); if [ $((i%2)) = 1 ]; then s=out; echo \"n $i\"; else s=err; echo \"n $i\" >&2; fi; until grep -qx \"n $i\" \"$TSM_PROCESS_DIR/current.$s\"; do :; done; done; echo end; exec sleep 600";

#[test]
fn both_streams_come_in_the_order_of_time() {
    let sandbox = Sandbox::new();
    sandbox.launch(0, "api", BOTH);
    eventually("it is done", || sandbox.text("api", "current.out").ends_with("end\n"));
    let wanted: Vec<String> = (1..=40).map(|n| format!("n {n}")).chain(["end".to_owned()]).collect();
    let out = sandbox.ok(&["tsm", "logs", "api"]);
    assert_eq!(out.lines().collect::<Vec<_>>(), wanted);
    let out = sandbox.ok(&["tsm", "logs", "api", "-n", "3"]);
    assert_eq!(out, "n 39\nn 40\nend\n");
    assert_eq!(sandbox.ok(&["tsm", "logs", "api", "--lines", "2", "-e"]), "n 38\nn 40\n");
    assert_eq!(sandbox.ok(&["tsm", "logs", "api", "--tail", "2", "-o"]), "n 39\nend\n");
    let rows = sandbox.json_with_schema(&["tsm", "logs", "api", "-n", "2"], "tsm-logs");
    assert_eq!((&rows[0]["stream"], &rows[0]["line"]), (&json!("stderr"), &json!("n 40")));
    assert_eq!((&rows[1]["process"], &rows[1]["complete"]), (&json!("api"), &json!(true)));
    assert!(rows[0]["time"].as_str().is_some_and(|time| time.ends_with('Z')), "{rows}");
}

#[test]
fn fifty_lines_are_shown_and_the_command_returns_also_with_nostream() {
    let sandbox = Sandbox::new();
    sandbox.launch(0, "api", "seq 1 200; exec sleep 600");
    eventually("it is done", || sandbox.text("api", "current.out").ends_with("200\n"));
    let wanted: Vec<String> = (151..=200).map(|n| n.to_string()).collect();
    assert_eq!(sandbox.ok(&["tsm", "logs", "api"]).lines().collect::<Vec<_>>(), wanted);
    assert_eq!(sandbox.ok(&["tsm", "logs", "api", "-f", "--nostream", "-n", "1"]), "200\n");
}

#[test]
fn several_processes_have_their_names_in_front() {
    let sandbox = Sandbox::new();
    sandbox.launch(0, "a", "echo one; exec sleep 600");
    eventually("it has spoken", || sandbox.text("a", "current.out") == "one\n");
    sandbox.launch(1, "bcd", "echo two; exec sleep 600");
    eventually("it has spoken", || sandbox.text("bcd", "current.out") == "two\n");
    assert_eq!(sandbox.ok(&["tsm", "logs", "*"]), "a   | one\nbcd | two\n");
    assert_eq!(sandbox.ok(&["tsm", "logs", "bcd", "a", "-n", "1"]), "a   | one\nbcd | two\n");
}

#[test]
fn what_is_piped_is_as_it_was_written() {
    let sandbox = Sandbox::new();
    sandbox.launch(0, "api", "printf '\\033[31mred\\033[0m\\tx\\n\\nlast'; exec sleep 600");
    eventually("it has spoken", || sandbox.text("api", "current.out").ends_with("last"));
    assert_eq!(sandbox.ok(&["tsm", "logs", "api"]), "\u{1b}[31mred\u{1b}[0m\tx\n\nlast\n");
}

/// A command that goes on, and its lines.
pub(super) struct Tail {
    process: ChildGuard,
    lines: Receiver<String>,
}

impl Tail {
    pub(super) fn of(sandbox: &Sandbox, words: &[&str]) -> Self {
        let mut process = sandbox.command(words).stdout(Stdio::piped()).spawn().expect("tetra runs");
        let out = BufReader::new(process.stdout.take().expect("piped"));
        let (sender, lines) = channel();
        std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { process: ChildGuard(process), lines }
    }

    pub(super) fn next(&self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("a line in time")
    }

    fn until(&self, last: &str) -> Vec<String> {
        let mut lines = Vec::new();
        while lines.last().map(String::as_str) != Some(last) {
            lines.push(self.next());
        }
        lines
    }

    /// It follows a log: the kernel watches a directory for it.
    pub(super) fn is_waiting(&self) -> bool {
        let open = std::fs::read_dir(format!("/proc/{}/fd", self.process.0.id()));
        open.is_ok_and(|mut open| {
            open.any(|entry| {
                let target = entry.and_then(|entry| std::fs::read_link(entry.path())).unwrap_or_default();
                target.to_string_lossy().contains("inotify")
            })
        })
    }

    /// Ctrl-C; everything that was still to come, and the exit code.
    pub(super) fn interrupt(mut self) -> (Vec<String>, Option<i32>) {
        signal(self.process.0.id(), nix::sys::signal::Signal::SIGINT);
        let code = self.process.0.wait().expect("collected").code();
        (self.lines.iter().collect(), code)
    }
}

#[test]
fn following_goes_on_through_a_restart_and_ends_with_ctrl_c() {
    let sandbox = Sandbox::new();
    sandbox.launch(0, "api", "echo up; echo err >&2; exec sleep 600");
    let tail = Tail::of(&sandbox, &["tsm", "logs", "api", "-f"]);
    let mut first = vec![tail.next(), tail.next()];
    first.sort();
    assert_eq!(first, ["err", "up"]);
    sandbox.ok(&["tsm", "restart", "api"]);
    let mut second = vec![tail.next(), tail.next()];
    second.sort();
    assert_eq!(second, ["err", "up"]);
    let (rest, code) = tail.interrupt();
    assert!(rest.is_empty(), "{rest:?}");
    assert!(matches!(code, Some(0 | 130)), "{code:?}");
}

#[test]
fn following_through_rotation_loses_and_doubles_nothing() {
    let sandbox = Sandbox::new();
    let go = sandbox.path("go");
    let line = format!("while [ ! -e {} ]; do sleep 0.01; done; seq 1 20000; echo end; exec sleep 600", go.display());
    let mut meta = sandbox.record(0, "api", &line);
    (meta.run.log_size, meta.run.log_keep) = (8 * 1024, 100);
    sandbox.start_record(&meta);
    let tail = Tail::of(&sandbox, &["tsm", "logs", "api", "-f", "-n", "0"]);
    std::fs::write(&go, "").expect("a sign");
    let lines = tail.until("end");
    let wanted: Vec<String> = (1..=20000).map(|n| n.to_string()).chain(["end".to_owned()]).collect();
    assert!(sandbox.dir("api").join("current.out.2").exists(), "it was rotated");
    // The follower may have begun after the first lines were written; from there on every line comes once.
    assert_eq!(lines, wanted[wanted.len() - lines.len()..]);
}

#[test]
fn followed_json_is_one_object_a_line() {
    let sandbox = Sandbox::new();
    sandbox.launch(0, "api", "echo up; exec sleep 600");
    let tail = Tail::of(&sandbox, &["tsm", "logs", "api", "-f", "--json"]);
    let row: serde_json::Value = serde_json::from_str(&tail.next()).expect("an object");
    assert_eq!((&row["line"], &row["stream"], &row["process"]), (&json!("up"), &json!("stdout"), &json!("api")));
    assert_fits(&json!([row]), "tsm-logs");
    tail.interrupt();
}

#[test]
fn following_ends_when_the_process_is_deleted() {
    let sandbox = Sandbox::new();
    sandbox.launch(0, "api", "echo up; exec sleep 600");
    let mut tail = Tail::of(&sandbox, &["tsm", "logs", "api", "-f"]);
    assert_eq!(tail.next(), "up");
    sandbox.ok(&["tsm", "delete", "api"]);
    assert_eq!(tail.process.0.wait().expect("it ends").code(), Some(0));
}

#[test]
fn nothing_said_is_said() {
    let sandbox = Sandbox::new();
    sandbox.launch(0, "api", "exec sleep 600");
    let said = sandbox.run(&["tsm", "logs", "api"]);
    assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (0, "", "(empty)\n"));
    assert_eq!(sandbox.run(&["tsm", "logs", "nope"]).code, 5);
}

/// Writes a log and its index: when, in seconds before now, and what.
fn put_log(sandbox: &Sandbox, name: &str, file: &str, lines: &[(u64, &str)]) {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    let (mut text, mut index) = (String::new(), Vec::new());
    for (ago, line) in lines {
        let time = i64::try_from((now - Duration::from_secs(*ago)).as_nanos()).expect("this century");
        index.extend([(text.len() as u64).to_le_bytes(), time.to_le_bytes()].concat());
        text.push_str(line);
        text.push('\n');
    }
    std::fs::write(sandbox.dir(name).join(file), text).expect("a log");
    std::fs::write(sandbox.dir(name).join(format!("{file}.idx")), index).expect("an index");
}

/// Two processes that do not run, with logs of the last hours.
fn with_past() -> Sandbox {
    let sandbox = Sandbox::new();
    for (id, name) in [(0, "api"), (1, "web")] {
        let mut meta = sandbox.record(id, name, "true");
        meta.set_state(tetra::supervise::meta::ProcessState::Stopped);
        sandbox.write_record(&meta);
    }
    put_log(&sandbox, "api", "current.out.1", &[(7300, "old a"), (7200, "old b")]);
    put_log(&sandbox, "api", "current.out", &[(3700, "GET /a 200"), (300, "GET /b 500"), (20, "GET /c 200")]);
    put_log(&sandbox, "api", "current.err", &[(299, "error: no b"), (10, "warning: slow")]);
    put_log(&sandbox, "web", "current.out", &[(3600, "up"), (100, "hit")]);
    sandbox
}

#[test]
fn a_window_of_time_is_cut_out_of_all_parts() {
    let sandbox = with_past();
    let logs = |words: &[&str]| sandbox.ok(&[&["tsm", "logs"], words].concat());
    assert_eq!(logs(&["api", "--since", "1m"]), "GET /c 200\nwarning: slow\n");
    assert_eq!(logs(&["api", "--since", "10m", "-n", "1"]), "warning: slow\n");
    assert_eq!(logs(&["api", "--since", "2h", "--until", "1h"]), "GET /a 200\n");
    assert_eq!(logs(&["api", "--until", "90m", "-n", "1"]), "old b\n");
    assert_eq!(logs(&["api", "--until", "3h"]), "");
    assert_eq!(logs(&["all", "--since", "10m", "-o"]), "api | GET /b 500\nweb | hit\napi | GET /c 200\n");
    let since = sandbox.json(&["tsm", "logs", "api", "--until", "1m", "-n", "1"])[0]["time"].clone();
    let since = since.as_str().expect("a time");
    assert_eq!(logs(&["api", "-e", "--since", since]), "error: no b\nwarning: slow\n");
    assert_eq!(sandbox.run(&["tsm", "logs", "api", "--since", "noon"]).code, 2);
    assert_eq!(sandbox.run(&["tsm", "logs", "api", "--until", "1m", "-f"]).code, 2);
}

#[test]
fn only_lines_that_match_are_shown_and_counted() {
    let sandbox = with_past();
    let logs = |words: &[&str]| sandbox.ok(&[&["tsm", "logs", "api"], words].concat());
    assert_eq!(logs(&["--grep", "GET .* [45]\\d\\d$|(?i)^ERROR"]), "GET /b 500\nerror: no b\n");
    assert_eq!(logs(&["--grep", "GET", "-n", "2"]), "GET /b 500\nGET /c 200\n");
    assert_eq!(logs(&["--grep", "nothing"]), "");
    let said = sandbox.run(&["tsm", "logs", "api", "--grep", "(a"]);
    assert_eq!(said.code, 2, "{}", said.err);
}

#[test]
fn times_and_gaps_stand_in_front() {
    let sandbox = with_past();
    let out = sandbox.ok(&["tsm", "logs", "api", "-e", "-t", "--delta"]);
    let lines: Vec<&str> = out.lines().collect();
    let point = |line: &str| line[..23].parse::<jiff::civil::DateTime>().expect("a time in front");
    assert!(point(lines[0]) < point(lines[1]), "{out}");
    assert_eq!(&lines[0][23..], "         - error: no b");
    assert_eq!(&lines[1][23..], "   +4m 49s warning: slow");
    let rows = sandbox.json_with_schema(&["tsm", "logs", "api", "-e"], "tsm-logs");
    assert_eq!((&rows[0]["delta"], rows[1]["delta"].as_f64()), (&json!(null), Some(289.0)));
}

#[test]
fn following_all_finds_what_is_started_later() {
    let sandbox = Sandbox::new();
    sandbox.launch(0, "a", "echo one; echo 1; exec sleep 600");
    let tail = Tail::of(&sandbox, &["tsm", "logs", "*", "-f", "--grep", "^[a-z]"]);
    assert_eq!(tail.next(), "a | one");
    sandbox.launch(1, "bcd", "echo two; exec sleep 600");
    assert_eq!(tail.next(), "bcd | two");
    let (rest, _) = tail.interrupt();
    assert!(rest.is_empty(), "{rest:?}");
}

#[test]
fn rotating_by_hand_loses_nothing_and_the_follower_goes_on() {
    let sandbox = Sandbox::new();
    let go = sandbox.path("go");
    let line = format!("echo one; while [ ! -e {} ]; do sleep 0.01; done; echo two; exec sleep 600", go.display());
    sandbox.launch(0, "api", &line);
    let tail = Tail::of(&sandbox, &["tsm", "logs", "api", "-f"]);
    assert_eq!(tail.next(), "one");
    let rows = sandbox.json_with_schema(&["tsm", "logs", "rotate", "api"], "tsm-logs-rotate");
    assert_eq!((&rows[0]["rotated"][0]["bytes"], &rows[0]["rotated"][1]), (&json!(4), &json!(null)));
    assert_eq!(std::fs::read_to_string(sandbox.dir("api").join("current.out.1")).expect("a part"), "one\n");
    assert_eq!(std::fs::read_to_string(sandbox.dir("api").join("current.out")).expect("a log"), "");
    std::fs::write(&go, "").expect("a sign");
    assert_eq!(tail.next(), "two");
    eventually("it goes to the new log", || {
        std::fs::read_to_string(sandbox.dir("api").join("current.out")).is_ok_and(|text| text == "two\n")
    });
    assert_eq!(sandbox.ok(&["tsm", "logs", "api"]), "one\ntwo\n");
    let cleaned = sandbox.json_with_schema(&["tsm", "logs", "clean", "api"], "tsm-logs-clean");
    assert_eq!(cleaned, json!([{ "name": "api", "parts": 1, "bytes": 4 }]));
    assert_eq!(sandbox.ok(&["tsm", "logs", "api"]), "two\n");
    assert!(!sandbox.dir("api").join("current.out.1.idx").exists());
    tail.interrupt();
}

#[test]
fn rotating_under_a_flood_loses_and_doubles_nothing() {
    let sandbox = Sandbox::new();
    let mut meta = sandbox.record(0, "api", "seq 1 60000; echo end; exec sleep 600");
    (meta.run.log_size, meta.run.log_keep) = (16 * 1024, 500);
    sandbox.start_record(&meta);
    for _ in 0..20 {
        sandbox.ok(&["tsm", "logs", "rotate", "api"]);
    }
    eventually("it is done", || sandbox.text("api", "current.out").ends_with("end\n"));
    // Rotating by hand may cut a line in two.
    let digits = |text: &str| {
        let mut digits = [0_u32; 10];
        text.bytes().filter(u8::is_ascii_digit).for_each(|digit| digits[usize::from(digit - b'0')] += 1);
        digits
    };
    let wanted: String = (1..=60000).map(|n| n.to_string()).collect();
    let out = sandbox.ok(&["tsm", "logs", "api", "-n", "100000"]);
    assert_eq!(digits(&out), digits(&wanted), "{} lines", out.lines().count());
}

#[test]
fn an_export_has_every_line_with_its_time_and_replaces_nothing() {
    let sandbox = with_past();
    let file = sandbox.path("all.log");
    let to = file.to_str().expect("text");
    let said = sandbox.json_with_schema(&["tsm", "logs", "export", "api", "web", "--to", to], "tsm-logs-export");
    assert_eq!((&said["lines"], &said["processes"]), (&json!(9), &json!(["api", "web"])));
    let text = std::fs::read_to_string(&file).expect("a file");
    let lines: Vec<&str> = text.lines().map(|line| line.split_once(' ').expect("a time").1).collect();
    assert_eq!(lines[..2], ["api stdout | old a", "api stdout | old b"]);
    assert_eq!(lines[7..], ["api stdout | GET /c 200", "api stderr | warning: slow"]);
    assert!(text.lines().is_sorted(), "{text}");
    let again = sandbox.run(&["tsm", "logs", "export", "api", "--to", to]);
    assert_eq!(again.code, 1, "{}", again.err);
    assert_eq!(std::fs::read_to_string(&file).expect("a file"), text);
    sandbox.ok(&["tsm", "logs", "export", "api", "--to", to, "--force", "--format", "json", "--since", "1m", "-e"]);
    let row: serde_json::Value = serde_json::from_slice(&std::fs::read(&file).expect("a file")).expect("one object");
    assert_eq!((&row["line"], &row["stream"]), (&json!("warning: slow"), &json!("stderr")));
}

#[test]
fn a_process_called_like_a_subcommand_is_shown_behind_two_dashes() {
    let sandbox = Sandbox::new();
    sandbox.launch(0, "rotate", "echo one; exec sleep 600");
    eventually("it has spoken", || sandbox.text("rotate", "current.out") == "one\n");
    assert_eq!(sandbox.ok(&["tsm", "logs", "--", "rotate"]), "one\n");
    assert_eq!(sandbox.ok(&["tsm", "logs", "0"]), "one\n");
    assert!(sandbox.ok(&["tsm", "logs", "rotate", "rotate"]).starts_with("rotated stdout"));
}

#[test]
fn of_a_silent_program_that_holds_back_its_output_it_is_said_so() {
    let mut world = World::new();
    world.run("tsm start --name a -- bash -c 'while sleep 0.1; do echo x; done | tr x y'").done();
    let said = world.run("tsm logs a").stderr;
    assert!(said.contains("a runs `tr`, which holds back its output") && said.contains("stdbuf -oL"), "{said}");
    world.run("tsm start --name b -- bash -c 'while sleep 0.1; do echo x; done | grep --line-buffered z'").done();
    assert_eq!(world.run("tsm logs b").stderr.trim(), "(empty)");
}
