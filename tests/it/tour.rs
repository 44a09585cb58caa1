//! The tour: typed from its first step to its last, left in the middle, and cut off.

use std::fs;
use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;
use tetra::command::shell::tour::steps::STEPS;

use crate::pty::{Terminal, TestHome};
use crate::waiting::eventually;

/// The tour with its first step on the screen.
fn tour(home: &TestHome) -> Terminal {
    let mut command = home.tetra();
    command.arg("tour");
    let terminal = Terminal::start(command);
    at_step(&terminal, 1);
    terminal
}

fn at_step(terminal: &Terminal, number: usize) {
    terminal.wait_for(&format!("Step {number} of {}", STEPS.len()));
    terminal.wait_line(">");
}

/// Empties the screen, so that what is waited for is of the next line.
fn clear(terminal: &mut Terminal) {
    terminal.send("\x0c");
    terminal.wait("an empty screen", |screen| (screen.contents().trim().lines().count() == 1).then_some(()));
    terminal.wait_line(">");
}

fn scratch_dirs(home: &TestHome) -> Vec<PathBuf> {
    let entries = fs::read_dir(home.path("tmp")).expect("the temporary directory of the test");
    entries.map(|entry| entry.expect("an entry").path()).collect()
}

/// The process directories of a tour, as its files say; a running one is known by its pid.
fn pids(scratch: &Path) -> Vec<u64> {
    let processes = scratch.join("tetra/tsm/runtime/processes");
    let records = fs::read_dir(processes).expect("processes of the tour").map(|entry| {
        let text = fs::read_to_string(entry.expect("an entry").path().join("meta.json")).expect("a record");
        serde_json::from_str::<serde_json::Value>(&text).expect("a record")["pid"].as_u64().unwrap_or_default()
    });
    records.filter(|pid| *pid > 0).collect()
}

/// Nothing is left: no directory, no process, nothing in the operator's own.
fn is_clean(home: &TestHome, pids: &[u64]) {
    assert_eq!(scratch_dirs(home), [] as [PathBuf; 0]);
    for pid in pids {
        assert!(!Path::new(&format!("/proc/{pid}")).exists(), "{pid} runs");
    }
    for own in ["tetra/tsm", "tetra/org", "state/tetra/history.sqlite3", "home/.config"] {
        assert!(!home.path(own).exists(), "{own}");
    }
}

#[test]
fn every_step_can_be_typed_and_nothing_is_left() {
    let home = TestHome::new();
    let mut terminal = tour(&home);
    for (number, step) in STEPS.iter().enumerate() {
        clear(&mut terminal);
        terminal.send(step.line);
        terminal.wait_line(step.line);
        terminal.send("\r");
        if step.command == "secrets set" {
            terminal.wait_for("(not shown)");
            terminal.send("sesame\r");
        }
        let done = step.after.lines().next().expect("words");
        terminal.wait_for(done);
        if number + 1 < STEPS.len() {
            at_step(&terminal, number + 2);
        }
    }
    terminal.wait_for("That was the tour.");
    terminal.wait_line(">");
    let [scratch] = &scratch_dirs(&home)[..] else { panic!("one directory") };
    let pids = pids(scratch);
    assert!(pids.len() >= 2, "{pids:?}");
    terminal.send("quit\r");
    assert_eq!(terminal.end(), 0, "{}", terminal.contents());
    assert!(terminal.is_cooked());
    is_clean(&home, &pids);
}

#[test]
fn another_line_is_run_and_the_step_stays() {
    let home = TestHome::new();
    let mut terminal = tour(&home);
    terminal.send("tsm list\r");
    terminal.wait_for("No running services found");
    terminal.wait_line(">");
    assert!(!terminal.contents().contains("not done yet"), "it was no attempt: {}", terminal.contents());
    terminal.send("tsm stat sh clock.sh --name clock\r");
    terminal.wait_for("the step is not done yet; type: tsm start sh clock.sh --name clock");
    terminal.wait_line(">");
    terminal.send("hint\r");
    terminal.wait_for("Without `--name`");
    terminal.wait_line(">");
    terminal.send("daemon install --system\r");
    terminal.wait_for("refused: `daemon install` changes this machine, which the tour does not");
    terminal.wait_line(">");
    terminal.send("\x04");
    assert_eq!(terminal.end(), 0, "{}", terminal.contents());
    is_clean(&home, &[]);
}

#[test]
fn a_step_is_skipped_and_taken_again_and_ctrl_d_stops_what_was_started() {
    let home = TestHome::new();
    let mut terminal = tour(&home);
    terminal.send("skip\r");
    terminal.wait_for("later steps need this one; the tour runs: tsm start sh clock.sh --name clock");
    at_step(&terminal, 2);
    clear(&mut terminal);
    terminal.send("back\r");
    at_step(&terminal, 1);
    terminal.send("tour\r");
    terminal.wait_for("already in the tour");
    terminal.wait_line(">");
    let [scratch] = &scratch_dirs(&home)[..] else { panic!("one directory") };
    let pids = pids(scratch);
    assert_eq!(pids.len(), 1);
    terminal.send("\x04");
    assert_eq!(terminal.end(), 0, "{}", terminal.contents());
    is_clean(&home, &pids);
}

/// A tour after its first step, and its directory.
fn tour_with_a_process(home: &TestHome) -> (Terminal, PathBuf) {
    let mut terminal = tour(home);
    terminal.send("skip\r");
    at_step(&terminal, 2);
    let [scratch] = &scratch_dirs(home)[..] else { panic!("one directory") };
    (terminal, scratch.clone())
}

#[test]
fn a_lost_terminal_stops_what_was_started() {
    let home = TestHome::new();
    let (mut terminal, scratch) = tour_with_a_process(&home);
    let pids = pids(&scratch);
    terminal.hang_up();
    eventually("the directory is removed", || scratch_dirs(&home).is_empty());
    is_clean(&home, &pids);
}

#[test]
fn what_a_killed_tour_left_behind_is_removed_by_the_next_one() {
    let home = TestHome::new();
    let (mut terminal, scratch) = tour_with_a_process(&home);
    let pids = pids(&scratch);
    // A tour beside it leaves it alone.
    let mut second = tour(&home);
    assert_eq!(scratch_dirs(&home).len(), 2);
    second.send("\x04");
    assert_eq!(second.end(), 0, "{}", second.contents());
    terminal.signal(Signal::SIGKILL);
    terminal.hang_up();
    let mark = fs::File::open(scratch.join(".tetra-tour")).expect("the mark");
    eventually("its prompt has ended too", || mark.try_lock().is_ok_and(|()| mark.unlock().is_ok()));
    assert!(scratch.exists());
    let mut next = tour(&home);
    next.wait_for("which a tour that was killed had left behind");
    assert!(!scratch.exists());
    next.send("\x04");
    assert_eq!(next.end(), 0, "{}", next.contents());
    is_clean(&home, &pids);
}

#[test]
fn a_step_about_a_process_that_was_removed_says_how_to_make_it_again() {
    let home = TestHome::new();
    let mut terminal = tour(&home);
    let first = STEPS[0].line;
    terminal.send(&format!("{first}\r"));
    at_step(&terminal, 2);
    terminal.send("skip\rskip\rskip\rskip\r");
    at_step(&terminal, 6);
    terminal.send("tsm delete clock\r");
    terminal.wait_for("deleted clock");
    terminal.wait_line(">");
    terminal.send(&format!("{}\r", STEPS[5].line));
    terminal.wait_for(&format!("the step needs `clock`, which was removed; first type: {first}"));
    terminal.wait_line(">");
    terminal.send(&format!("{first}\r"));
    terminal.wait_line("1↑ 1✗ tetra>");
    terminal.send(&format!("{}\r", STEPS[5].line));
    at_step(&terminal, 7);
    terminal.send("\x04");
    assert_eq!(terminal.end(), 0, "{}", terminal.contents());
}

#[test]
fn nothing_is_used_before_it_is_explained_and_titles_are_wrapped_between_words() {
    let home = TestHome::new();
    let mut terminal = tour(&home);
    terminal.resize_and_wait(40, 40);
    terminal.send(&format!("{}\r", STEPS[0].line));
    at_step(&terminal, 2);
    assert!(!terminal.contents().contains("dev.env"), "{}", terminal.contents());
    terminal.send("skip\rskip\rskip\rskip\r");
    at_step(&terminal, 6);
    let shown = terminal.contents();
    let (_, title) = shown.split_once("Step 6 of 14: ").expect("the step");
    let title: Vec<&str> = title.lines().take(2).map(str::trim_end).collect();
    assert_eq!(title.join(" "), STEPS[5].title, "{shown}");
    terminal.send("\x04");
    assert_eq!(terminal.end(), 0, "{}", terminal.contents());
}

/// The shell and the kernel send more than one SIGHUP.
#[test]
fn a_lost_terminal_of_a_shell_stops_what_was_started() {
    let home = TestHome::new();
    let mut command = home.command("bash");
    command.args(["--norc", "--noprofile", "-i"]);
    command.env("PS1", "shell$ ");
    let mut terminal = Terminal::start(command);
    terminal.wait_line("shell$");
    terminal.send("tetra tour\r");
    at_step(&terminal, 1);
    terminal.send("skip\r");
    at_step(&terminal, 2);
    let [scratch] = &scratch_dirs(&home)[..] else { panic!("one directory") };
    let pids = pids(scratch);
    terminal.hang_up();
    eventually("the directory is removed", || scratch_dirs(&home).is_empty());
    is_clean(&home, &pids);
}

#[test]
fn the_tour_works_at_a_prompt_without_an_editor_and_from_a_prompt() {
    let home = TestHome::new();
    let mut command = home.tetra();
    command.arg("--plain");
    let mut terminal = Terminal::start(command);
    terminal.wait_line("tetra>");
    terminal.send("tour\r");
    at_step(&terminal, 1);
    terminal.send("skip\r");
    at_step(&terminal, 2);
    terminal.send("quit\r");
    terminal.wait_for("left the tour");
    terminal.wait_line("tetra>");
    assert_eq!(scratch_dirs(&home), [] as [PathBuf; 0]);
    terminal.send("\x04");
    assert_eq!(terminal.end(), 0);
}
