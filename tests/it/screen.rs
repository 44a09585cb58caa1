//! What a session shows in a real pseudo-terminal: marks, menus, colours, and that nothing of it is left behind.

use crate::pty::{Terminal, TestHome};
use crate::repl::{leave, run, session, stopped};

/// A session of a terminal with these variables.
fn session_with(home: &TestHome, variables: &[(&str, &str)]) -> Terminal {
    let mut command = home.tetra();
    for (name, value) in variables {
        command.env(name, value);
    }
    let terminal = Terminal::start(command);
    terminal.wait_line(">");
    terminal
}

/// The lines of the screen.
fn lines(screen: &vt100::Screen) -> Vec<String> {
    screen.contents().lines().map(|line| line.trim_end().to_owned()).collect()
}

#[test]
fn a_session_that_asks_nothing_is_marked_and_asks_in_production() {
    let home = TestHome::new();
    for env in ["staging", "prod"] {
        home.write(&format!("tetra/org/acme/environments/{env}.toml"), "");
    }
    stopped(&home, "api", 0);
    stopped(&home, "web", 1);
    let mut command = home.tetra();
    command.args(["-y", "--org", "acme", "--env", "staging"]);
    let mut terminal = Terminal::start(command);
    terminal.wait_for("this session asks nothing outside production");
    terminal.wait_line("acme/staging asks nothing>");
    terminal.send("tsm delete api\r");
    terminal.wait_for("deleted api");
    terminal.wait_line("acme/staging asks nothing>");
    assert!(!terminal.bytes().contains("continue?"), "{}", terminal.contents());
    run(&mut terminal, "use @prod", "acme/PROD>");
    terminal.send("tsm delete web\r");
    terminal.wait_for("continue?");
    terminal.send("no\r");
    terminal.wait_line("[4] acme/PROD>");
    assert!(home.path("tetra/tsm/runtime/processes/web").exists());
    leave(terminal);
}

#[test]
fn a_prompt_shrinks_to_its_mark_when_its_line_is_run_and_keeps_its_context_from_staging_on() {
    let home = TestHome::new();
    let mut terminal = session(&home);
    run(&mut terminal, "use @dev", "-/dev>");
    run(&mut terminal, "use @staging", "-/staging>");
    run(&mut terminal, "use @prod", "-/PROD>");
    run(&mut terminal, "set transient-prompt off", "-/PROD>");
    run(&mut terminal, "use @local", "-/local>");
    run(&mut terminal, "use @dev", "-/dev>");
    let shown = terminal.wait("the screen", |screen| Some(lines(screen)));
    let typed: Vec<&str> = shown.iter().map(String::as_str).filter(|line| line.contains("> ")).collect();
    assert_eq!(
        typed,
        [
            "> use @dev",
            "> use @staging",
            "-/staging> use @prod",
            "-/PROD> set transient-prompt off",
            "-/PROD> use @local",
            "-/local> use @dev"
        ]
    );
    leave(terminal);
}

#[test]
fn a_line_of_two_rows_shrinks_too() {
    let home = TestHome::new();
    let mut terminal = session(&home);
    terminal.send("version # a remark\r");
    terminal.wait_line("tetra>");
    terminal.send(&format!("use @dev # {}", "x".repeat(100)));
    terminal.wait_line("xxx");
    terminal.send("\r");
    terminal.wait_line("-/dev>");
    let shown = terminal.wait("the screen", |screen| Some(screen.contents().replace('\n', "")));
    assert!(shown.contains(&format!("> use @dev # {}", "x".repeat(100))), "{shown}");
    assert!(!shown.contains("tetra>"), "{shown}");
    leave(terminal);
}

#[test]
fn a_terminal_that_is_known_gets_marks_and_a_title() {
    let home = TestHome::new();
    let mut terminal = session_with(&home, &[("TERM_PROGRAM", "WezTerm")]);
    terminal.wait_written("\x1b]2;tetra\x1b\\", 1);
    run(&mut terminal, "use @dev", "-/dev>");
    terminal.send("nothing\r");
    terminal.wait_line("[2] -/dev>");
    terminal.send("version\r");
    terminal.wait_line("-/dev>");
    terminal.wait_written("\x1b]133;D;0\x1b\\", 2);
    let bytes = terminal.bytes();
    let (_, after) = bytes.split_once("\x1b]133;C\x1b\\").expect("the output begins");
    let (_, failed) = after.split_once("\x1b]133;D;0\x1b\\").expect("it ends");
    assert!(failed.contains("\x1b]2;-/dev\x1b\\"), "{failed:?}");
    let mark = |text: &str| failed.find(text).unwrap_or_else(|| panic!("{text:?} in {failed:?}"));
    let order = ["\x1b]133;A;k=i\x1b\\", "\x1b]133;B\x1b\\", "\x1b]133;C\x1b\\", "\x1b]133;D;2\x1b\\"].map(mark);
    assert!(order.is_sorted(), "{order:?} in {failed:?}");
    assert!(bytes.contains("\x1b]2;-/dev version\x1b\\"), "{bytes:?}");
    terminal.send("\x04");
    assert_eq!(terminal.end(), 0);
    let bytes = terminal.bytes();
    assert!(bytes.find("\x1b[22;2t") < bytes.find("\x1b]2;"), "the title is kept before it is changed: {bytes:?}");
    assert!(bytes.rfind("\x1b]2;") < bytes.rfind("\x1b[23;2t"), "the title is as it was: {bytes:?}");
}

#[test]
fn a_terminal_that_is_not_known_gets_neither_marks_nor_a_title() {
    let home = TestHome::new();
    for (variables, setting) in [
        (&[][..], "auto"),
        (&[("TERM_PROGRAM", "something")][..], "auto"),
        (&[("TERM_PROGRAM", "WezTerm"), ("TERM", "dumb")][..], "auto"),
        (&[("TERM_PROGRAM", "WezTerm"), ("TETRA_PLAIN", "1")][..], "on"),
        (&[("TERM_PROGRAM", "WezTerm")][..], "off"),
    ] {
        home.write("config/tetra/config.toml", &format!("terminal-marks = \"{setting}\"\n"));
        let mut terminal = session_with(&home, variables);
        run(&mut terminal, "use @dev", "-/dev>");
        assert!(!terminal.bytes().contains("\x1b]"), "{variables:?}: {:?}", terminal.bytes());
        leave(terminal);
    }
    home.write("config/tetra/config.toml", "terminal-marks = \"on\"\n");
    let terminal = session(&home);
    terminal.wait_written("\x1b]133;A", 1);
    leave(terminal);
    let mut command = home.tetra();
    command.args(["-c", "version"]);
    command.env("TERM_PROGRAM", "WezTerm");
    let mut terminal = Terminal::start(command);
    assert_eq!(terminal.end(), 0);
    assert!(!terminal.bytes().contains("\x1b]"), "not after -c: {:?}", terminal.bytes());
}
