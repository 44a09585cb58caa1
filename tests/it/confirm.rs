//! Questions in a real terminal: who answers, and what comes of it.

use std::fs;

use crate::program;
use crate::pty::{Terminal, TestHome};
use crate::repl::{leave, run, stopped};
use crate::sandbox::Sandbox;

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

/// What a line does where a process runs in no environment, with these variables; whether the process is still there.
fn deleted(sandbox: &Sandbox, variables: &[(&str, &str)], words: &[&str], stdin: &str) -> (Option<i32>, bool) {
    if !sandbox.dir("web").exists() {
        sandbox.ok(&["tsm", "start", "--name", "web", "sleep", "600"]);
    }
    let mut command = sandbox.command(words);
    fs::write(sandbox.path("stdin"), stdin).expect("written");
    command.envs(variables.iter().copied()).stdin(fs::File::open(sandbox.path("stdin")).expect("a file"));
    let said = command.output().expect("tetra runs");
    (said.status.code(), sandbox.dir("web").exists())
}

/// A line that selects an environment is no consent of the one who set the variable.
#[test]
fn a_line_takes_the_guard_of_the_surroundings_not_away() {
    let sandbox = Sandbox::new();
    let prod: &[_] = &[("TETRA_ENV", "prod")];
    let line = "use @dev; tsm delete web";
    fs::write(sandbox.path("lines.tetra"), "use @dev\ntsm delete web\n").expect("a script");
    for (words, stdin) in [
        (&["-c", line][..], ""),
        (&["-c", "use @dev; use @local; tsm delete web"], ""),
        (&["-c", "@dev; tsm delete web"], ""),
        (&["-c", "use @dev; tsm delete web --env local"], ""),
        (&["-c", "source lines.tetra"], ""),
        (&["lines.tetra"], ""),
        (&["--env", "dev", "-c", line], ""),
        (&[], "use @dev\ntsm delete web\n"),
    ] {
        assert_eq!(deleted(&sandbox, prod, words, stdin), (Some(4), true), "{words:?} {stdin}");
    }
    // What a line selects makes it stricter, without variables too; what its caller consents to is done.
    assert_eq!(deleted(&sandbox, &[], &["-c", "use @prod; tsm delete web --env dev"], ""), (Some(4), true));
    assert_eq!(deleted(&sandbox, prod, &["-c", line, "--yes"], ""), (Some(0), false));
    assert_eq!(deleted(&sandbox, prod, &["-c", "use @dev; tsm delete web --yes"], ""), (Some(0), false));
    assert_eq!(deleted(&sandbox, &[], &["-c", line], ""), (Some(0), false));
    assert_eq!(
        deleted(&sandbox, &[("TETRA_ENV", "staging")], &["-c", "use @dev; tsm delete web"], ""),
        (Some(4), true)
    );
}

/// At the prompt `use` is the operator's own choice, which the prompt shows from then on.
#[test]
fn a_choice_at_the_prompt_counts_instead_of_the_variable() {
    let home = TestHome::new();
    stopped(&home, "web", 0);
    let mut command = home.tetra();
    command.env("TETRA_ENV", "prod");
    let mut terminal = Terminal::start(command);
    terminal.wait_line("-/PROD>");
    terminal.send("tsm delete web\r");
    terminal.wait_for("continue?");
    terminal.send("\u{3}");
    terminal.wait_line("-/PROD>");
    run(&mut terminal, "use @dev", "-/dev>");
    run(&mut terminal, "tsm delete web", "-/dev>");
    terminal.wait_for("deleted web");
    leave(terminal);
}
