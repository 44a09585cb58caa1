//! The README says what the program does: its table of commands is generated, its commands are those of the gate.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use tetra::command::registry::COMMANDS;

use crate::transcript::{SessionHome, free_port};

const OPENING: &str = "<!-- commands: written by `UPDATE=1 cargo test --test it readme` -->\n";
const CLOSING: &str = "<!-- end of commands -->\n";

#[test]
fn readme_lists_every_command() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let written = fs::read_to_string(&path).expect("there is a README");
    let (before, rest) = written.split_once(OPENING).expect("the table has an opening mark");
    let (_, after) = rest.split_once(CLOSING).expect("the table has a closing mark");
    let real = format!("{before}{OPENING}{}{CLOSING}{after}", table());
    if std::env::var_os("UPDATE").is_some_and(|value| value == "1") {
        fs::write(path, real).expect("the README can be written");
    } else {
        assert!(written == real, "the table of commands is old; UPDATE=1 cargo test --test it readme writes it anew");
    }
}

#[test]
fn readme_and_gate_run_the_same_tests() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).expect("there is a README");
    let gate = fs::read_to_string(root.join(".ci/run")).expect("there is a gate");
    let command = "cargo test --locked\n";
    assert!(readme.contains(command), "the README tells how to run the tests");
    assert!(gate.contains(command), "the gate runs what the README tells");
}

fn table() -> String {
    let mut table = "\n| command | does | effect |\n|---|---|---|\n".to_owned();
    for entry in COMMANDS {
        let mut name = format!("`{}`", entry.name);
        for alias in entry.aliases {
            write!(name, ", `{alias}`").expect("a string takes everything");
        }
        writeln!(table, "| {name} | {} | {} |", entry.summary(), entry.effect.word())
            .expect("a string takes everything");
    }
    table + "\n"
}

#[test]
fn readme_names_what_the_gate_installs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |name: &str| fs::read_to_string(root.join(name)).expect("it is there");
    let gate = read(".ci/run");
    let (_, list) = gate.split_once("needed=(").expect("the gate has a list");
    let (list, _) = list.split_once(')').expect("the list ends");
    let readme = read("README.md");
    let (_, line) = readme.split_once("apt-get install -y").expect("the README tells what to install");
    let (line, _) = line.split_once('`').expect("the line ends");
    let always_there = ["bash", "binutils"];
    for package in list.split_whitespace().filter_map(|pair| pair.split_once(':')).map(|(_, package)| package) {
        let named = line.split_whitespace().any(|word| word == package);
        assert!(named || always_there.contains(&package), "{package} is not in the README");
    }
}

#[test]
fn the_session_with_environments_works_as_it_stands() {
    let readme =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("there is a README");
    let (_, rest) = readme.split_once("```sh\ntsm org init").expect("the session begins with an organization");
    let (session, _) = rest.split_once("```").expect("the session ends");
    for shell in ["bash", "zsh"] {
        let home = SessionHome::new();
        let (said, code) = home.spawn("tetra", &["setup", "-q"]);
        assert_eq!(code, 0, "{said}");
        let session = format!("set -e\nsource ~/tetra/tetra.sh\ntsm org init{session}");
        let (said, code) = home.spawn(shell, &["-c", &session]);
        assert_eq!(code, 0, "{shell}: {said}");
        for expected in ["tetra serve --env dev", "KEY   ***", "serving http://localhost:8000", "killed 'shop'"] {
            assert!(said.contains(expected), "{shell}: {expected:?} was not said:\n{said}");
        }
    }
}

#[test]
fn the_first_session_works_as_it_stands() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).expect("there is a README");
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
