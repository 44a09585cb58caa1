//! Logs of real processes: order, ends, following.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::mpsc::{Receiver, channel};

use serde_json::json;

use super::yard::{Own, PATIENCE, Yard, assert_fits, eventually, signal};

/// Writes numbered lines, the odd ones to stdout, the even ones to stderr, each when the one before stands in its log: what lies
/// in both pipes at the same time has no order that anybody could know.
const BOTH: &str = "i=0; while [ $i -lt 40 ]; do i=$((i+1)); if [ $((i%2)) = 1 ]; then s=out; echo \"n $i\"; else s=err; echo \"n $i\" >&2; fi; until grep -qx \"n $i\" \"$TSM_PROCESS_DIR/current.$s\"; do :; done; done; echo end; exec sleep 600";

#[test]
fn both_streams_come_in_the_order_of_time() {
    let yard = Yard::new();
    yard.start(0, "api", BOTH);
    eventually("it is done", || yard.written("api", "current.out").ends_with("end\n"));
    let wanted: Vec<String> = (1..=40).map(|n| format!("n {n}")).chain(["end".to_owned()]).collect();
    let out = yard.ok(&["tsm", "logs", "api"]);
    assert_eq!(out.lines().collect::<Vec<_>>(), wanted);
    let out = yard.ok(&["tsm", "logs", "api", "-n", "3"]);
    assert_eq!(out, "n 39\nn 40\nend\n");
    assert_eq!(yard.ok(&["tsm", "logs", "api", "--lines", "2", "-e"]), "n 38\nn 40\n");
    assert_eq!(yard.ok(&["tsm", "logs", "api", "--tail", "2", "-o"]), "n 39\nend\n");
    let rows = yard.shaped(&["tsm", "logs", "api", "-n", "2"], "tsm-logs");
    assert_eq!((&rows[0]["stream"], &rows[0]["line"]), (&json!("stderr"), &json!("n 40")));
    assert_eq!((&rows[1]["process"], &rows[1]["complete"]), (&json!("api"), &json!(true)));
    assert!(rows[0]["time"].as_str().is_some_and(|time| time.ends_with('Z')), "{rows}");
}

#[test]
fn fifty_lines_are_shown_and_the_command_returns_also_with_nostream() {
    let yard = Yard::new();
    yard.start(0, "api", "seq 1 200; exec sleep 600");
    eventually("it is done", || yard.written("api", "current.out").ends_with("200\n"));
    let wanted: Vec<String> = (151..=200).map(|n| n.to_string()).collect();
    assert_eq!(yard.ok(&["tsm", "logs", "api"]).lines().collect::<Vec<_>>(), wanted);
    assert_eq!(yard.ok(&["tsm", "logs", "api", "-f", "--nostream", "-n", "1"]), "200\n");
}

#[test]
fn several_processes_have_their_names_in_front() {
    let yard = Yard::new();
    yard.start(0, "a", "echo one; exec sleep 600");
    eventually("it has spoken", || yard.written("a", "current.out") == "one\n");
    yard.start(1, "bcd", "echo two; exec sleep 600");
    eventually("it has spoken", || yard.written("bcd", "current.out") == "two\n");
    assert_eq!(yard.ok(&["tsm", "logs", "*"]), "a   | one\nbcd | two\n");
    assert_eq!(yard.ok(&["tsm", "logs", "bcd", "a", "-n", "1"]), "a   | one\nbcd | two\n");
}

#[test]
fn what_is_piped_is_as_it_was_written() {
    let yard = Yard::new();
    yard.start(0, "api", "printf '\\033[31mred\\033[0m\\tx\\n\\nlast'; exec sleep 600");
    eventually("it has spoken", || yard.written("api", "current.out").ends_with("last"));
    assert_eq!(yard.ok(&["tsm", "logs", "api"]), "\u{1b}[31mred\u{1b}[0m\tx\n\nlast\n");
}

/// A command that goes on, and its lines.
struct Tail {
    process: Own,
    lines: Receiver<String>,
}

impl Tail {
    fn of(yard: &Yard, words: &[&str]) -> Self {
        let mut process = yard.command(words).stdout(Stdio::piped()).spawn().expect("tetra runs");
        let out = BufReader::new(process.stdout.take().expect("piped"));
        let (sender, lines) = channel();
        std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { process: Own(process), lines }
    }

    fn next(&self) -> String {
        self.lines.recv_timeout(PATIENCE).expect("a line in time")
    }

    fn until(&self, last: &str) -> Vec<String> {
        let mut lines = Vec::new();
        while lines.last().map(String::as_str) != Some(last) {
            lines.push(self.next());
        }
        lines
    }

    /// Ctrl-C; everything that was still to come, and the exit code.
    fn interrupt(mut self) -> (Vec<String>, Option<i32>) {
        signal(self.process.0.id(), nix::sys::signal::Signal::SIGINT);
        let code = self.process.0.wait().expect("collected").code();
        (self.lines.iter().collect(), code)
    }
}

#[test]
fn following_goes_on_through_a_restart_and_ends_with_ctrl_c() {
    let yard = Yard::new();
    yard.start(0, "api", "echo up; echo err >&2; exec sleep 600");
    let tail = Tail::of(&yard, &["tsm", "logs", "api", "-f"]);
    let mut first = vec![tail.next(), tail.next()];
    first.sort();
    assert_eq!(first, ["err", "up"]);
    yard.ok(&["tsm", "restart", "api"]);
    let mut second = vec![tail.next(), tail.next()];
    second.sort();
    assert_eq!(second, ["err", "up"]);
    let (rest, code) = tail.interrupt();
    assert!(rest.is_empty(), "{rest:?}");
    assert!(matches!(code, Some(0 | 130)), "{code:?}");
}

#[test]
fn following_through_rotation_loses_and_doubles_nothing() {
    let yard = Yard::new();
    let go = yard.path("go");
    let line = format!("while [ ! -e {} ]; do sleep 0.01; done; seq 1 20000; echo end; exec sleep 600", go.display());
    let mut meta = yard.record(0, "api", &line);
    (meta.run.log_size, meta.run.log_keep) = (8 * 1024, 100);
    yard.start_record(&meta);
    let tail = Tail::of(&yard, &["tsm", "logs", "api", "-f", "-n", "0"]);
    std::fs::write(&go, "").expect("a sign");
    let lines = tail.until("end");
    let wanted: Vec<String> = (1..=20000).map(|n| n.to_string()).chain(["end".to_owned()]).collect();
    assert!(yard.dir("api").join("current.out.2").exists(), "it was rotated");
    // The follower may have begun after the first lines were written; from there on every line comes once.
    assert_eq!(lines, wanted[wanted.len() - lines.len()..]);
}

#[test]
fn followed_json_is_one_object_a_line() {
    let yard = Yard::new();
    yard.start(0, "api", "echo up; exec sleep 600");
    let tail = Tail::of(&yard, &["tsm", "logs", "api", "-f", "--json"]);
    let row: serde_json::Value = serde_json::from_str(&tail.next()).expect("an object");
    assert_eq!((&row["line"], &row["stream"], &row["process"]), (&json!("up"), &json!("stdout"), &json!("api")));
    assert_fits(&json!([row]), "tsm-logs");
    tail.interrupt();
}

#[test]
fn following_ends_when_the_process_is_deleted() {
    let yard = Yard::new();
    yard.start(0, "api", "echo up; exec sleep 600");
    let mut tail = Tail::of(&yard, &["tsm", "logs", "api", "-f"]);
    assert_eq!(tail.next(), "up");
    yard.ok(&["tsm", "delete", "api"]);
    assert_eq!(tail.process.0.wait().expect("it ends").code(), Some(0));
}

#[test]
fn nothing_said_is_said() {
    let yard = Yard::new();
    yard.start(0, "api", "exec sleep 600");
    let said = yard.run(&["tsm", "logs", "api"]);
    assert_eq!((said.code, said.out.as_str(), said.err.as_str()), (0, "", "(empty)\n"));
    assert_eq!(yard.run(&["tsm", "logs", "nope"]).code, 5);
}
