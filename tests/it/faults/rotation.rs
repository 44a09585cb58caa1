//! Rotation while a flood comes and somebody follows.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use super::field::Field;

#[test]
fn a_follower_sees_every_line_once_through_twenty_rotations() {
    const LAST: usize = 400_000;
    let field = Field::new();
    let options = ["--log-size", "100K", "--log-keep", "100"];
    field.shell("p", &options, &format!("echo 0; while [ ! -e go ]; do sleep 0.01; done; exec seq 1 {LAST}"));
    let mut follower = field
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
            std::fs::write(field.path("go"), "").expect("a sign");
        }
        if expected == LAST {
            break;
        }
        expected += 1;
    }
    assert_eq!(expected, LAST);
    follower.kill().and_then(|()| follower.wait()).expect("the follower is ended");
    let text = String::from_utf8(field.written("p")).expect("numbers");
    assert_eq!(text, (0..=LAST).map(|n| format!("{n}\n")).collect::<String>());
    assert!(field.dir("p").join("current.out.20").exists(), "twenty rotations");
    for n in 1..=20 {
        let part = std::fs::read(field.dir("p").join(format!("current.out.{n}"))).expect("a rotated log");
        assert!(part.ends_with(b"\n"), "no torn line in {n}");
    }
}
