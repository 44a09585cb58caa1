//! The captures of the prompt in the README are what a terminal shows.

use std::fmt::Write;

use crate::docs::hold;
use crate::pty::{Terminal, TestHome, current_line};
use crate::repl::{CTRL_C, leave, run, session, stopped};

/// Waits until the line of the cursor is this prompt and nothing else.
fn at(terminal: &Terminal, prompt: &str) {
    terminal.wait(prompt, |screen| (current_line(screen).trim_end() == prompt).then_some(()));
}

/// Empties the screen.
fn clear(terminal: &mut Terminal) {
    terminal.send("\x0c");
    terminal.wait("an empty screen", |screen| {
        (screen.cursor_position().0 == 0 && screen.contents().trim().lines().count() == 1).then_some(())
    });
}

/// What is on the screen once it is painted, without the blanks at the ends of its lines.
fn capture(terminal: &Terminal, text: &mut String, what: &str) {
    let shown = terminal.wait("a painted screen", |screen| (!screen.hide_cursor()).then(|| screen.contents()));
    let shown: Vec<&str> = shown.trim_end().lines().map(str::trim_end).collect();
    writeln!(text, "{what}\n\n```text\n{}\n```\n", shown.join("\n")).expect("a string");
}

/// The processes, and the environments of an organization.
fn world(home: &TestHome) {
    for env in ["dev", "prod"] {
        home.write(&format!("tetra/org/acme/environments/{env}.toml"), "");
    }
    stopped(home, "web", 1);
    stopped(home, "worker", 2);
    let path = home.path("tetra/tsm/runtime/processes/worker/meta.json");
    let record = std::fs::read_to_string(&path).expect("what the test needs");
    std::fs::write(&path, record.replace(r#"":"stopped""#, r#"":"crashed""#)).expect("what the test needs");
}

#[test]
fn docs_show_the_screens_of_the_prompt() {
    let home = TestHome::new();
    world(&home);
    let mut text = String::new();
    let mut terminal = session(&home);
    terminal.wait_line("1✗ acme/->");
    clear(&mut terminal);
    run(&mut terminal, "list all", "acme/->");
    terminal.send("tsm start --name api sleep 1000\r");
    at(&terminal, "1↑ 1✗ acme/->");
    capture(&terminal, &mut text, "A list, a start, and a prompt that counts: one process runs, one has failed.");
    clear(&mut terminal);
    terminal.send("tsm lo\t");
    terminal.wait_for("[TARGETS]");
    capture(&terminal, &mut text, "A lone candidate is taken; behind the cursor is what the command still takes.");
    terminal.send(CTRL_C);
    terminal.wait_line("acme/->");
    clear(&mut terminal);
    terminal.send("tsm s\t");
    terminal.wait_for(" more");
    let what =
        "A menu takes at most half of the screen and says how many more there are; what is chosen is shown in reverse.";
    capture(&terminal, &mut text, what);
    terminal.send(CTRL_C);
    terminal.wait_line("acme/->");
    clear(&mut terminal);
    terminal.send("help guard\r");
    terminal.wait_for("exit code is 4");
    at(&terminal, "1↑ 1✗ acme/->");
    capture(
        &terminal,
        &mut text,
        "Help has a page for each command and some for what they have in common; F1 shows it while a line is typed.",
    );
    clear(&mut terminal);
    terminal.send("\x12");
    terminal.wait_for("(history)>");
    terminal.send("st");
    terminal.wait_selected("tsm start");
    capture(&terminal, &mut text, "Ctrl-R looks through the history, each line with where it was run.");
    terminal.send(CTRL_C);
    terminal.wait_line("acme/->");
    clear(&mut terminal);
    run(&mut terminal, "use @prod", "acme/PROD>");
    terminal.send("tsm delete web\r");
    terminal.wait_for("continue?");
    terminal.send("no\r");
    terminal.wait_line("[4] acme/PROD>");
    capture(
        &terminal,
        &mut text,
        "Production asks for the name of the organization before anything is stopped or removed.",
    );
    leave(terminal);
    hold("README.md", "screens", &text);
}
