//! Questions in a real terminal: who answers, and what comes of it.

use std::fs;

use crate::program;
use crate::pty::{Terminal, TestHome};

/// Wants to set up a machine in prod: a change, which has to be confirmed there.
struct ConfirmTest {
    terminal: Terminal,
    /// The links go beside the program, so it needs a directory of its own. It is linked there: a file that is written could
    /// be busy in a process that another test starts at this moment.
    _programs: tempfile::TempDir,
}

fn asked(home: &TestHome, shell: &str) -> ConfirmTest {
    let programs = program::directory();
    let program = programs.path().join("tetra");
    program::place(&program);
    let mut command = home.command("sh");
    command.args(["-c", &shell.replace("TETRA", &format!("{} --env prod setup", program.display()))]);
    ConfirmTest { terminal: Terminal::start(command), _programs: programs }
}

#[test]
fn no_is_taken_for_an_answer() {
    let home = TestHome::new();
    let ConfirmTest { mut terminal, _programs } = asked(&home, "TETRA");
    terminal.wait_for("[y/N]");
    terminal.send("n\r");
    assert_eq!(terminal.end(), 4);
    terminal.wait_for("nothing was changed");
    assert!(!home.path("tetra/tetra.sh").exists());
}

#[test]
fn yes_goes_on_and_the_output_may_be_a_file() {
    let home = TestHome::new();
    let ConfirmTest { mut terminal, _programs } = asked(&home, "TETRA >said");
    terminal.wait_for("[y/N]");
    terminal.send("y\r");
    assert_eq!(terminal.end(), 0);
    assert!(home.path("tetra/tetra.sh").exists());
    let said = fs::read_to_string(home.path("home/said")).expect("it was redirected");
    assert!(said.starts_with("STATE"), "{said}");
    assert!(!said.contains("[y/N]"), "questions are no data");
}

#[test]
fn interrupting_is_no() {
    let home = TestHome::new();
    let ConfirmTest { mut terminal, _programs } = asked(&home, "exec TETRA");
    terminal.wait_for("[y/N]");
    terminal.send("\u{3}");
    assert!([4, 130].contains(&terminal.end()), "{}", terminal.contents());
    assert!(!home.path("tetra/tetra.sh").exists());
}

#[test]
fn no_question_is_asked_without_a_terminal() {
    let home = TestHome::new();
    let ConfirmTest { mut terminal, _programs } = asked(&home, "TETRA </dev/null");
    assert_eq!(terminal.end(), 4);
    terminal.wait_for("--yes");
    assert!(!terminal.contents().contains("[y/N]"), "{}", terminal.contents());
}
