//! Rotation while a flood comes and a reader follows.

use crate::sandbox::{Sandbox, signal};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};

use nix::sys::signal::Signal;

use crate::waiting::eventually;

#[test]
fn a_follower_sees_every_line_once_through_twenty_rotations() {
    const LAST: usize = 400_000;
    let sandbox = Sandbox::of_tsm();
    let options = ["--log-size", "100K", "--log-keep", "100"];
    sandbox.shell("p", &options, &format!("echo 0; while [ ! -e go ]; do sleep 0.01; done; exec seq 1 {LAST}"));
    let mut follower = sandbox
        .command(&["logs", "p", "-f", "--out"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("tetra runs");
    let lines = BufReader::new(follower.stdout.take().expect("piped")).lines();
    let mut expected = 0;
    for line in lines {
        let line = line.expect("text");
        let number = line.rsplit(|it: char| !it.is_ascii_digit()).next().unwrap_or_default();
        assert_eq!(number, expected.to_string(), "followed: {line}");
        if expected == 0 {
            // The follower is there: nothing was rotated before it came.
            std::fs::write(sandbox.path("go"), "").expect("a sign");
        }
        if expected == LAST {
            break;
        }
        expected += 1;
    }
    assert_eq!(expected, LAST);
    follower.kill().and_then(|()| follower.wait()).expect("the follower is ended");
    let text = String::from_utf8(sandbox.written("p")).expect("numbers");
    assert_eq!(text, (0..=LAST).map(|n| format!("{n}\n")).collect::<String>());
    assert!(sandbox.dir("p").join("current.out.20").exists(), "twenty rotations");
    for n in 1..=20 {
        let part = std::fs::read(sandbox.dir("p").join(format!("current.out.{n}"))).expect("a rotated log");
        assert!(part.ends_with(b"\n"), "no torn line in {n}");
    }
}

/// Follows a flood, is stopped while more than the kept logs hold goes by, and continues to the end. What the follower printed
/// on stdout and on stderr.
fn overtaken(sandbox: &Sandbox, options: &[&str]) -> (String, String) {
    let log_options = ["--log-size", "64K", "--log-keep", "2"];
    sandbox.shell(
        "p",
        &log_options,
        "echo begin; while [ ! -e go ]; do sleep 0.01; done; seq -f 'line %g of many' 1 60000; \
         while [ ! -e end ]; do sleep 0.01; done; echo end; exec sleep 7000",
    );
    let mut follower: Child = sandbox
        .command(&[&["logs", "p", "-f", "--out"], options].concat())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("tetra runs");
    let mut out = BufReader::new(follower.stdout.take().expect("piped"));
    let mut seen = String::new();
    out.read_line(&mut seen).expect("the first line");
    signal(follower.id(), Signal::SIGSTOP);
    std::fs::write(sandbox.path("go"), "").expect("a file");
    eventually("the flood has gone by", || sandbox.written("p").ends_with(b"line 60000 of many\n"));
    signal(follower.id(), Signal::SIGCONT);
    std::fs::write(sandbox.path("end"), "").expect("a file");
    while !seen.contains("end\n") && !seen.contains("\"end\"") {
        assert!(out.read_line(&mut seen).expect("text") > 0, "it went on to the end: {seen}");
    }
    follower.kill().and_then(|()| follower.wait()).expect("the follower is ended");
    let mut err = String::new();
    follower.stderr.take().expect("piped").read_to_string(&mut err).expect("text");
    (seen, err)
}

/// What the child writes in [`overtaken`], in bytes.
fn all_of_it() -> usize {
    let lines = (1..=60_000).map(|n| format!("line {n} of many\n"));
    lines.map(|line| line.len()).sum::<usize>() + "begin\nend\n".len()
}

#[test]
fn a_follower_that_is_overtaken_says_how_much_it_never_saw() {
    let (out, err) = overtaken(&Sandbox::of_tsm(), &[]);
    let removed: usize = err
        .lines()
        .filter_map(|line| {
            line.strip_prefix("p: ")?.strip_suffix(" bytes of stdout were removed before they were read")
        })
        .map(|number| number.parse::<usize>().expect("a number"))
        .sum();
    assert!(removed > 0, "{err}");
    assert_eq!(out.len() + removed, all_of_it(), "{err}");
}

#[test]
fn in_json_what_was_removed_is_a_row_also_when_no_line_matches() {
    let (out, err) = overtaken(&Sandbox::of_tsm(), &["--json", "--grep", "begin|end"]);
    let rows: Vec<serde_json::Value> = out.lines().map(|row| serde_json::from_str(row).expect("JSON")).collect();
    let removed: u64 = rows.iter().map(|row| row["removed_bytes"].as_u64().expect("a number")).sum();
    let lines: Vec<&str> = rows.iter().filter_map(|row| row["line"].as_str()).collect();
    assert_eq!((lines, removed > 0, err), (vec!["begin", "end"], true, String::new()), "{out}");
}
