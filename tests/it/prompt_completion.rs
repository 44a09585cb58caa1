//! What Tab offers at the prompt, and what is said about a line before it is run.

use vt100::Color;

use crate::pty::{Terminal, TestHome, colour_of, current_line};
use crate::repl::{CTRL_C, leave, run, session, stopped};

const F1: &str = "\x1bOP";
const RED: Color = Color::Idx(1);

/// Drops the line and waits for the next prompt.
fn drop_line(terminal: &mut Terminal) {
    terminal.send(CTRL_C);
    terminal.wait("a new prompt", |screen| current_line(screen).trim_end().ends_with('>').then_some(()));
}

/// The rows below that of the cursor, once they hold each of these texts.
fn below(terminal: &Terminal, wanted: &[&str]) -> String {
    terminal.wait(&format!("{wanted:?} below the line"), |screen| {
        let rows: Vec<String> = screen.rows(0, screen.size().1.get()).collect();
        let below = rows[usize::from(screen.cursor_position().0) + 1..].join("\n");
        wanted.iter().all(|text| below.contains(text)).then_some(below)
    })
}

#[test]
fn variables_are_offered_with_what_they_are() {
    let home = TestHome::new();
    stopped(&home, "api", 0);
    let mut terminal = session(&home);
    run(&mut terminal, "tsm list all", ">");
    terminal.send("tsm stop $\t");
    below(&terminal, &["$last  api", "$?     0", "$proc  `$proc` has no value"]);
    terminal.send("l\t");
    terminal.wait_line("> tsm stop $last");
    drop_line(&mut terminal);
    leave(terminal);
}

#[test]
fn an_exclamation_mark_offers_lines_and_programs() {
    let home = TestHome::new();
    let mut terminal = session(&home);
    run(&mut terminal, "version", ">");
    run(&mut terminal, "tsm list", ">");
    terminal.send("!\t");
    let rows = below(&terminal, &["tsm list", "version", "program"]);
    assert!(rows.find("tsm list") < rows.find("version"), "the latest first: {rows}");
    drop_line(&mut terminal);
    terminal.send("tsm list | sor\t");
    terminal.wait_line("tsm list | sort");
    drop_line(&mut terminal);
    terminal.send("history --delete \t");
    below(&terminal, &["tsm list", "version"]);
    drop_line(&mut terminal);
    leave(terminal);
}

#[test]
fn versions_are_those_of_the_environment_of_the_line() {
    let home = TestHome::new();
    let mut terminal = session(&home);
    run(&mut terminal, "org init acme; use acme", "acme/local>");
    run(&mut terminal, "org promote @dev -q", "acme/->");
    terminal.send("\x0corg rollback @prod --to \t");
    below(&terminal, &["<ID>"]);
    drop_line(&mut terminal);
    for line in ["org rollback @dev --to ", "org rollback --env dev --to ", "org rollback --to "] {
        terminal.send(&format!("{line}\t"));
        terminal.wait(&format!("a version behind `{line}`"), |screen| {
            current_line(screen).contains(&format!("{line}20")).then_some(())
        });
        drop_line(&mut terminal);
    }
    leave(terminal);
}

#[test]
fn an_example_alone_is_shown_and_not_inserted() {
    let home = TestHome::new();
    let mut terminal = session(&home);
    terminal.send("tsm start --max-memory \t");
    below(&terminal, &["<SIZE, like 300M>"]);
    terminal.wait("the line as it was", |screen| {
        (current_line(screen).trim_end() == "tetra> tsm start --max-memory").then_some(())
    });
    drop_line(&mut terminal);
    terminal.send("watch 'set edit-mode v\t");
    terminal.wait_line("> watch 'set edit-mode vi'");
    drop_line(&mut terminal);
    terminal.send("version; lis\t");
    terminal.wait_line("> version; list");
    drop_line(&mut terminal);
    leave(terminal);
}

#[test]
fn a_search_in_the_history_does_not_find_itself() {
    let home = TestHome::new();
    let mut terminal = session(&home);
    run(&mut terminal, "version", ">");
    for _ in 0..2 {
        run(&mut terminal, "history nosuchtext", ">");
        terminal.wait_for("no lines to show");
        terminal.send("\x0c");
    }
    run(&mut terminal, "history ver", ">");
    terminal.wait_for("version");
    leave(terminal);
}

#[test]
fn a_question_mark_is_help_also_for_the_value_of_an_option() {
    let home = TestHome::new();
    let mut terminal = session(&home);
    for line in ["tsm logs --since ?", "logs --since --help"] {
        run(&mut terminal, line, ">");
        terminal.wait_for("Also called: tsm log");
        terminal.send("\x0c");
        terminal.wait("an empty screen", |screen| (!screen.contents().contains("Also called: tsm log")).then_some(()));
    }
    assert!(!terminal.bytes().contains("requires a value"), "{}", terminal.bytes());
    leave(terminal);
}

#[test]
fn the_help_of_a_line_leaves_no_hint_behind() {
    let home = TestHome::new();
    let mut terminal = session(&home);
    run(&mut terminal, "tsm list all", ">");
    terminal.send("\x0ctsm li");
    terminal.wait_line("> tsm list all");
    terminal.send(F1);
    terminal.wait_for("no help for `tsm li`");
    terminal.wait_line("> tsm list all");
    let left: Vec<String> = terminal
        .contents()
        .lines()
        .filter(|row| row.contains("> tsm li"))
        .map(|row| row.trim_end().to_owned())
        .collect();
    assert!(left[0].ends_with("> tsm li"), "{left:?}");
    drop_line(&mut terminal);
    leave(terminal);
}

#[test]
fn a_value_that_is_not_taken_is_red() {
    let home = TestHome::new();
    let mut terminal = session(&home);
    for (line, word) in [("tsm logs -n x", "x"), ("tsm logs --since 10q", "10q"), ("use bad", "bad"), ("@bad", "@bad")]
    {
        terminal.send(line);
        terminal.wait_line(line);
        terminal.wait(&format!("`{word}` of `{line}` in red"), |screen| {
            (colour_of(screen, word) == Some(RED)).then_some(())
        });
        drop_line(&mut terminal);
        terminal.send("\x0c");
        terminal.wait("an empty screen", |screen| (!screen.contents().contains(line)).then_some(()));
    }
    leave(terminal);
}
