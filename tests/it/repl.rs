//! The prompt in a real pseudo-terminal.

use nix::sys::signal::Signal;
use vt100::Color;

use crate::pty::{Home, Manners, Terminal, colour_of, current_line};

const TAB: &str = "\t";
const ENTER: &str = "\r";
const CTRL_C: &str = "\x03";
const CTRL_D: &str = "\x04";
const CTRL_R: &str = "\x12";
const RED: Color = Color::Idx(1);

/// A session with its first prompt on the screen.
fn session(home: &Home) -> Terminal {
    let terminal = Terminal::start(home.tetra());
    terminal.wait_line(">");
    terminal
}

/// Ends a session in order.
fn leave(mut terminal: Terminal) {
    terminal.send(CTRL_D);
    assert_eq!(terminal.end(), 0, "{}", terminal.contents());
    assert!(terminal.is_cooked());
}

/// Runs a line and waits for its output and the next prompt.
fn run(terminal: &mut Terminal, line: &str, output: &str) {
    terminal.send(line);
    terminal.wait_line(line);
    terminal.send(ENTER);
    terminal.wait_for(output);
    terminal.wait_line(">");
}

#[test]
fn the_first_prompt_shows_the_context_and_control_d_leaves() {
    let home = Home::new();
    let mut terminal = session(&home);
    terminal.wait_line("-/->");
    run(&mut terminal, "use @dev", "-/dev>");
    leave(terminal);
}

#[test]
fn an_unknown_command_is_red_and_its_failure_marks_the_prompt() {
    let home = Home::new();
    let mut terminal = session(&home);
    terminal.send("nothing here");
    terminal.wait("a red word", |screen| (colour_of(screen, "nothing")? == RED).then_some(()));
    terminal.send(ENTER);
    terminal.wait_line("[2] -/->");
    terminal.send("version");
    terminal.wait("a word that is not red", |screen| (colour_of(screen, "version")? == Color::Idx(2)).then_some(()));
    leave_line(&mut terminal);
    leave(terminal);
}

/// Drops what is typed.
fn leave_line(terminal: &mut Terminal) {
    terminal.send(CTRL_C);
    terminal.wait_line(">");
}

#[test]
fn control_c_drops_the_line_and_keeps_the_session() {
    let home = Home::new();
    let mut terminal = session(&home);
    terminal.send("use @pr");
    terminal.wait_line("use @pr");
    leave_line(&mut terminal);
    run(&mut terminal, "use @dev", "-/dev>");
    leave(terminal);
}

#[test]
fn control_c_ends_a_watch_and_comes_back_to_the_prompt() {
    let home = Home::new();
    let mut terminal = session(&home);
    terminal.send("watch -n 20ms version\r");
    terminal.wait("two runs", |screen| (screen.contents().matches("tetra 0").count() >= 2).then_some(()));
    terminal.send(CTRL_C);
    terminal.wait_line("[130] -/->");
    run(&mut terminal, "use @dev", "-/dev>");
    leave(terminal);
}

#[test]
fn tab_completes_a_lone_answer_and_shows_several_with_descriptions() {
    let home = Home::new();
    let mut terminal = session(&home);
    terminal.send("vers\t");
    terminal.wait_line("version");
    leave_line(&mut terminal);
    terminal.send("se\t");
    terminal.wait_for("Show or change the settings");
    terminal.wait_for("Select");
    leave_line(&mut terminal);
    leave(terminal);
}
