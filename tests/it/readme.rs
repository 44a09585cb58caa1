//! The README and the pages behind it say what the program does: their sessions work as they stand, their commands are those of
//! the gate, and what they compare is what was measured.

use std::fs;
use std::path::Path;

use regex::Regex;

use crate::docs;
use crate::ports::free_port;
use crate::transcript::SessionHome;

/// A page, with what is generated in it as it is to be.
pub(crate) fn page(name: &str) -> String {
    docs::renew();
    written_page(name)
}

/// A page as it is now.
pub(crate) fn written_page(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("cannot read {name}: {error}"))
}

#[test]
fn readme_and_gate_run_the_same_tests() {
    let command = "cargo test --locked\n";
    assert!(page("README.md").contains(command), "the README tells how to run the tests");
    assert!(page(".ci/run").contains(command), "the gate runs what the README tells");
}

#[test]
fn readme_names_what_the_gate_installs() {
    let gate = page(".ci/run");
    let (_, list) = gate.split_once("needed=(").expect("the gate has a list");
    let (list, _) = list.split_once(')').expect("the list ends");
    let readme = page("README.md");
    let (_, line) = readme.split_once("apt-get install -y").expect("the README tells what to install");
    let (line, _) = line.split_once('`').expect("the line ends");
    let always_there = ["bash", "binutils"];
    for package in list.split_whitespace().filter_map(|pair| pair.split_once(':')).map(|(_, package)| package) {
        let named = line.split_whitespace().any(|word| word == package);
        assert!(named || always_there.contains(&package), "{package} is not in the README");
    }
}

#[test]
fn the_session_with_environments_works_as_written() {
    let environments = page("docs/environments.md");
    let (_, rest) = environments.split_once("```sh\ntsm org init").expect("the session begins with an organization");
    let (session, _) = rest.split_once("```").expect("the session ends");
    for shell in ["bash", "zsh"] {
        let home = SessionHome::new();
        let (said, code) = home.spawn("tetra", &["setup", "-q"]);
        assert_eq!(code, 0, "{said}");
        let session = format!("set -e\nsource ~/tetra/tetra.sh\ntsm org init{session}");
        let (said, code) = home.spawn(shell, &["-c", &session]);
        assert_eq!(code, 0, "{shell}: {said}");
        for expected in ["tetra serve --env dev", "KEY   ***", "serving http://localhost:8000", "killed shop (0)"] {
            assert!(said.contains(expected), "{shell}: {expected:?} was not said:\n{said}");
        }
    }
}

#[test]
fn the_first_session_works_as_written() {
    let readme = page("README.md");
    let (_, rest) = readme.split_once("```sh\nsource ").expect("the session begins with the shell file");
    let (session, _) = rest.split_once("```").expect("the session ends");
    assert!(
        !session.lines().any(|line| line.contains(" # ") && !line.contains("printf")),
        "zsh takes comments for words"
    );
    for shell in ["bash", "zsh"] {
        let ports = [free_port().to_string(), free_port().to_string()];
        let session = format!("set -e\nsource {session}").replace("8000", &ports[0]).replace("3000", &ports[1]);
        let home = SessionHome::new();
        let (said, code) = home.spawn("tetra", &["setup", "-q"]);
        assert_eq!(code, 0, "{said}");
        let (said, code) = home.spawn(shell, &["-c", &session]);
        assert_eq!(code, 0, "{shell}: {said}");
        let names = [format!("my-api-http-{}", ports[0]), format!("backend-app-{}", ports[1])];
        for expected in names.iter().map(String::as_str).chain(["tick\n", "hello\n"]) {
            assert!(said.contains(expected), "{shell}: {expected:?} was not said:\n{said}");
        }
    }
}

/// What has to be so before the next line of the capture: a person waits as long as it takes to type it.
fn awaited(line: &str) -> &'static str {
    let started = "until [ \"$(tsm logs ticker 2>/dev/null | wc -l)\" -gt 2 ]; do :; done";
    let again = "until tsm info ticker --json | jq -e '.restarts == 1 and .state == \"online\"' >/dev/null; do :; done";
    match line {
        _ if line.contains("--name ticker") => started,
        _ if line.starts_with("kill") && line.contains("ticker") => again,
        _ => ":",
    }
}

/// The text with one word for each pid, span and path of a program, and one blank between words.
fn shape(text: &str) -> String {
    let rules = [
        (r"PID: \d+", "PID: N"),
        (r"PID \d+", "PID N"),
        (r"(-  +)\d+( )", "${1}N$2"),
        (r"\b\d+(ms|s|m)\b", "SPAN"),
        (r"/\S*/python3", "python3"),
        (r" {2,}", "  "),
    ];
    rules.iter().fold(text.to_owned(), |text, (pattern, word)| {
        Regex::new(pattern).expect("a pattern").replace_all(&text, *word).into_owned()
    })
}

#[test]
fn the_capture_is_what_is_said() {
    let readme = page("README.md");
    let (_, rest) = readme.split_once("```console\n").expect("there is a capture");
    let (capture, _) = rest.split_once("```").expect("the capture ends");
    let port = free_port().to_string();
    let home = SessionHome::new();
    let mut lines = "mkdir my-api && cd my-api || exit\n\
                     printf '#!/bin/bash\\nwhile sleep 0.1; do echo tick; done\\n' > tick.sh && chmod +x tick.sh\n"
        .to_owned();
    for step in capture.lines().filter_map(|line| line.strip_prefix("$ ")) {
        let step = step.replace("8000", &port);
        lines +=
            &format!("printf '$ %s\\n' {}\n{step}\n{}\n", shlex::try_quote(&step).expect("a line"), awaited(&step));
    }
    let (said, code) = home.bash(&lines);
    assert_eq!(code, 0, "{said}");
    assert_eq!(shape(&said.replace(&port, "8000")), shape(capture), "\n{said}");
}

/// The cells of each row of the tables of a page, by the first one; and the head of its table.
fn rows(page: &str) -> Vec<(Vec<String>, Vec<String>)> {
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let mut head = Vec::new();
    let mut found = Vec::new();
    let mut before = "";
    for line in page.lines() {
        match (line.starts_with('|'), before.starts_with('|')) {
            (true, false) => head = cells(line),
            (true, true) if !line.starts_with("|---") => found.push((head.clone(), cells(line))),
            _ => {}
        }
        before = line;
    }
    found
}

#[test]
fn the_comparison_says_what_was_measured() {
    let readme = page("README.md");
    let (_, rest) = readme.split_once("\n## How it compares\n").expect("there is a comparison");
    let compared = rows(rest.split("\n## ").next().expect("it ends"));
    assert_eq!(compared.len(), 5, "five rows");
    let measured = rows(&(page("docs/guarantees.md") + &page("benches/README.md")));
    for (head, row) in compared {
        let source = measured.iter().find(|(_, it)| it[0] == row[0]);
        let (names, values) = source.unwrap_or_else(|| panic!("`{}` was not measured", row[0]));
        for (name, value) in head.iter().zip(&row).skip(1) {
            let at = names.iter().position(|it| it == name).unwrap_or_else(|| panic!("{name} was not measured"));
            assert_eq!(&values[at], value, "{}: {name}", row[0]);
        }
    }
}
