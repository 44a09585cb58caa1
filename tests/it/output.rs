//! What is shown in a real terminal: the pager, and lines that are run again and again.

use crate::program;
use crate::pty::{Terminal, TestHome};
use crate::repl::{CTRL_C, leave, run, session, stopped};
use crate::world::World;

/// A home whose pager says how many lines it got.
fn with_pager(home: &TestHome, words: &[&str]) -> Terminal {
    let pager = home.path("tmp/pager");
    program::script(&pager, "#!/bin/sh\necho \"paged $(wc -l) lines\"\n");
    let mut command = home.tetra();
    command.args(words);
    command.env("TETRA_PAGER", pager);
    Terminal::start(command)
}

#[test]
fn only_what_is_longer_than_the_screen_is_paged() {
    let home = TestHome::new();
    let mut terminal = with_pager(&home, &[]);
    terminal.wait_line(">");
    run(&mut terminal, "help exit-codes", ">");
    terminal.wait_for("paged 24 lines");
    run(&mut terminal, "version", ">");
    run(&mut terminal, "help lines", ">");
    terminal.wait_for("a comment");
    run(&mut terminal, "help exit-codes > list", ">");
    run(&mut terminal, "help exit-codes | cat", ">");
    terminal.wait_for("143");
    run(&mut terminal, "help exit-codes --json | wc -c", ">");
    assert_eq!(terminal.bytes().matches("paged ").count(), 1, "{}", terminal.contents());
    run(&mut terminal, "version --json", ">");
    assert_eq!(terminal.bytes().matches("paged ").count(), 1, "{}", terminal.contents());
    run(&mut terminal, "set --json", ">");
    assert_eq!(terminal.bytes().matches("paged ").count(), 2, "{}", terminal.contents());
    leave(terminal);
}

#[test]
fn a_command_of_a_shell_is_paged_and_a_script_is_not() {
    let home = TestHome::new();
    let mut terminal = with_pager(&home, &["help", "exit-codes"]);
    assert_eq!(terminal.end(), 0);
    assert!(terminal.contents().contains("paged 24 lines"), "{}", terminal.contents());
    let script = home.write("home/s.tetra", "help exit-codes\nhelp exit-codes\n").display().to_string();
    let mut terminal = with_pager(&home, &[&script]);
    assert_eq!(terminal.end(), 0);
    assert!(!terminal.contents().contains("paged"), "{}", terminal.contents());
}

#[test]
fn a_pager_that_does_not_exist_costs_nothing() {
    let home = TestHome::new();
    let mut command = home.tetra();
    command.args(["help", "exit-codes"]);
    command.env_remove("TETRA_PAGER");
    command.env("PATH", home.path("tmp"));
    std::os::unix::fs::symlink("/bin/sh", home.path("tmp/sh")).expect("a link");
    std::os::unix::fs::symlink("/bin/cat", home.path("tmp/cat")).expect("a link");
    let mut terminal = Terminal::start(command);
    assert_eq!(terminal.end(), 0);
    assert!(terminal.contents().contains("143"), "{}", terminal.contents());
}

#[test]
fn what_a_pager_that_cannot_be_run_would_have_shown_is_printed() {
    let home = TestHome::new();
    let file = home.write("tmp/notes", "").display().to_string();
    for pager in ["nosuchpager", &file] {
        let mut command = home.tetra();
        command.args(["help", "exit-codes"]);
        command.env_remove("TETRA_PAGER");
        command.env("PAGER", pager);
        let mut terminal = Terminal::start(command);
        assert_eq!(terminal.end(), 0);
        let said = terminal.contents();
        assert!(said.contains("143") && said.contains("failed to start the pager"), "{said}");
    }
}

#[test]
fn less_is_the_pager_where_it_is() {
    let home = TestHome::new();
    let less = home.path("tmp/less");
    program::script(&less, "#!/bin/sh\necho \"less $* $(wc -l)\"\n");
    let mut command = home.tetra();
    command.args(["help", "exit-codes"]);
    command.env_remove("TETRA_PAGER");
    command.env("PATH", format!("{}:/usr/bin:/bin", home.path("tmp").display()));
    let mut terminal = Terminal::start(command);
    assert_eq!(terminal.end(), 0);
    assert!(terminal.contents().contains("less -FRSX 24"), "{}", terminal.contents());
}

#[test]
fn what_differs_between_two_runs_is_in_reverse() {
    let home = TestHome::new();
    home.write("home/value", "state one\nsame\n");
    let mut terminal = session(&home);
    terminal.send("watch -n 20ms '!cat value'\r");
    terminal.wait_for("state one");
    terminal.wait("the line that is run, with a time", |screen| {
        let title = screen.contents().lines().next()?.to_owned();
        (title.contains(" every 20ms, run ") && title.as_bytes().get(2) == Some(&b':')).then_some(())
    });
    home.write("home/value", "state two\nsame\n");
    terminal.wait_written("\x1b[7mtwo\x1b[27m", 1);
    terminal.wait_for("state two");
    terminal.send(CTRL_C);
    terminal.wait_line(">");
    leave(terminal);
}

#[test]
fn a_watched_line_ends_at_what_it_waits_for() {
    let home = TestHome::new();
    stopped(&home, "api", 0);
    home.write("home/value", "one\n");
    let mut terminal = session(&home);
    terminal.send("watch -n 20ms --until change 'tsm list all | cat - value'\r");
    terminal.wait_for("api");
    home.write("home/value", "two\n");
    terminal.wait_line("tetra>");
    terminal.wait_for("two");
    run(&mut terminal, "watch -n 1ms --until 5 tsm info nothing", "tetra>");
    terminal.wait_for("nothing");
    run(&mut terminal, "watch -n 1ms -c 3 --until 5 version", "[3] tetra>");
    terminal.wait_for("did not happen in 3 runs");
    leave(terminal);
}

#[test]
fn what_hides_in_text_is_shown() {
    let home = TestHome::new();
    let hidden = "w\u{200b}b\u{feff}\u{200d}";
    let shown = r"w\u{200b}b\u{feff}\u{200d}";
    home.write("tetra/tsm/services-available/web.tsm", &format!("TSM_NAME=web\nTSM_COMMAND=\"node {hidden}\"\n"));
    home.write(
        "tetra/tsm/services-available/bad.tsm",
        &format!("TSM_NAME=bad\nTSM_COMMAND=\"node {hidden}\nX={hidden}\n"),
    );
    home.write("tetra/org/acme/environments/dev.toml", &format!("name = \"{hidden}\" \"\n"));
    stopped(&home, "api", 1);
    let record = home.path("tetra/tsm/runtime/processes/api/meta.json");
    let text = std::fs::read_to_string(&record).expect("what the test needs");
    std::fs::write(&record, text.replace("sleep 9", &format!("sleep {hidden}"))).expect("what the test needs");
    for words in [
        &["tsm", "services"][..],
        &["tsm", "info", "api"],
        &["tsm", "show", "bad"],
        &["org", "env", "validate", "dev", "--org", "acme"],
        &["tsm", "info", hidden],
    ] {
        let mut command = home.tetra();
        command.args(words);
        let mut terminal = Terminal::start(command);
        terminal.end();
        let seen = terminal.bytes();
        assert!(seen.replace("\r\n", "").contains(shown), "{words:?}: {seen}");
        assert!(!hidden.chars().any(|c| !c.is_ascii() && seen.contains(c)), "{words:?}: {seen:?}");
    }
}

#[test]
fn help_of_what_the_prompt_understands_is_the_help_of_what_it_means() {
    let mut world = World::new();
    let long = world.run("help tsm list").done();
    assert_eq!(world.run("help list").done(), long);
    world.run("alias mine=list").done();
    assert_eq!(world.run("help mine").done(), format!("`mine` is an alias for `list`\n\n{long}"));
}
