//! The history where its database is locked, or its lines become a script.

use std::path::Path;

use rusqlite::Connection;

use crate::pty::TestHome;
use crate::repl::{UP, leave, run, session};

fn lines(path: &Path) -> Vec<(String, Option<i64>)> {
    let database = Connection::open(path).expect("the history");
    let mut rows = database.prepare("select command_line, exit_status from history order by id").expect("the table");
    let rows = rows.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).expect("the rows");
    rows.map(|row| row.expect("a row")).collect()
}

fn of_ok(lines: &[&str]) -> Vec<(String, Option<i64>)> {
    lines.iter().map(|line| ((*line).to_owned(), Some(0))).collect()
}

#[test]
fn a_locked_history_holds_nothing_up_and_gets_its_lines_later() {
    let home = TestHome::new();
    let path = home.path("state/tetra/history.sqlite3");
    let mut terminal = session(&home);
    run(&mut terminal, "use @dev", "-/dev>");
    let other = Connection::open(&path).expect("the history");
    other.execute_batch("begin immediate").expect("the lock");
    run(&mut terminal, "use @staging", "-/staging>");
    terminal.wait_for("lines are kept in memory until it can be written");
    run(&mut terminal, "use @local", "-/local>");
    assert_eq!(lines(&path), of_ok(&["use @dev"]), "the lock was held all the time");
    // They are found and offered as if they were stored.
    terminal.send("\x12stag");
    terminal.wait("the line below the search", |screen| {
        let shown = screen.contents();
        let (_, below) = shown.rsplit_once("(history)> stag")?;
        below.contains("use @staging").then_some(())
    });
    terminal.send("\x03");
    terminal.wait_line("-/local>");
    terminal.send(UP);
    terminal.wait_line("> use @local");
    terminal.send(UP);
    terminal.wait_line("> use @staging");
    terminal.send(UP);
    terminal.wait_line("> use @dev");
    terminal.send("\x03");
    terminal.wait_line("-/local>");
    run(&mut terminal, "history -n 2 USE", "-/local>");
    terminal.wait_for("not written into the history yet, and without an ID: 2 lines");
    let shown = terminal.contents();
    let (_, table) = shown.rsplit_once("LINE").expect("a table");
    assert!(table.contains("use @staging") && table.contains("use @local") && !table.contains("USE"), "{shown}");
    run(&mut terminal, "history --export all.tetra", "[5] -/local>");
    terminal.wait_for("left out 3 lines not written into the history yet");
    other.execute_batch("rollback").expect("the end of the lock");
    run(&mut terminal, "version", "-/local>");
    leave(terminal);
    let mut wanted = of_ok(&["use @dev", "use @staging", "use @local", "history -n 2 USE"]);
    wanted.push(("history --export all.tetra".to_owned(), Some(5)));
    wanted.extend(of_ok(&["version"]));
    assert_eq!(lines(&path), wanted);
}

#[test]
fn a_history_that_is_locked_at_the_start_and_at_the_end_is_named() {
    let home = TestHome::new();
    let path = home.path("state/tetra/history.sqlite3");
    let mut terminal = session(&home);
    run(&mut terminal, "use @dev", "-/dev>");
    leave(terminal);
    let other = Connection::open(&path).expect("the history");
    other.execute_batch("begin immediate").expect("the lock");
    let mut terminal = session(&home);
    terminal.wait_for("the history cannot be opened: another process has locked it");
    run(&mut terminal, "use @staging", "-/staging>");
    terminal.send("\x04");
    terminal.wait_for("1 lines of this session are not in the history");
    assert_eq!(terminal.end(), 0, "{}", terminal.contents());
    let mut terminal = session(&home);
    run(&mut terminal, "use @local", "-/local>");
    other.execute_batch("rollback").expect("the end of the lock");
    run(&mut terminal, "version", "-/local>");
    terminal.send(UP);
    terminal.wait_line("> version");
    terminal.send("\x03");
    leave(terminal);
    assert_eq!(lines(&path), of_ok(&["use @dev", "use @local", "version"]));
}

#[test]
fn the_first_line_runs_while_a_history_without_tables_is_locked() {
    let home = TestHome::new();
    let path = home.write("state/tetra/history.sqlite3", "");
    let other = Connection::open(&path).expect("the history");
    other.execute_batch("begin exclusive").expect("the lock");
    let mut terminal = session(&home);
    terminal.wait_for("the history cannot be opened: another process has locked it");
    run(&mut terminal, "use @dev", "-/dev>");
    terminal.wait_for("lines are kept in memory until it can be written");
    assert!(!other.is_autocommit(), "the lock was held all the time");
    // The words of the editor, which waits for a lock.
    assert!(!terminal.bytes().contains("database is locked"), "{}", terminal.contents());
    other.execute_batch("rollback").expect("the end of the lock");
    run(&mut terminal, "version", "-/dev>");
    leave(terminal);
    assert_eq!(lines(&path), of_ok(&["use @dev", "version"]));
}

#[test]
fn an_exported_history_is_a_script_that_runs() {
    let home = TestHome::new();
    home.write("tetra/org/acme/environments/dev.toml", "");
    home.write("tetra/org/acme/environments/staging.toml", "");
    let mut terminal = session(&home);
    run(&mut terminal, "use acme @dev", "acme/dev>");
    run(&mut terminal, "list all > first", "acme/dev>");
    run(&mut terminal, "use @staging", "acme/staging>");
    run(&mut terminal, "context > second", "acme/staging>");
    run(&mut terminal, "nothing", "[2] acme/staging>");
    run(&mut terminal, "nothing else", "[2] acme/staging>");
    run(&mut terminal, "!printf '%s' --token hunter2 > third", "acme/staging>");
    run(&mut terminal, "help lines > fourth # --token hunter2", "acme/staging>");
    run(&mut terminal, "history --export all.tetra", "acme/staging>");
    terminal.wait_for("exported 2 lines to all.tetra");
    terminal.wait_for("left out lines 5, 6: failed");
    terminal.wait_for("left out lines 7, 8: a secret is not in the history");
    terminal.wait_for("left out line 9: not ended");
    run(&mut terminal, "history --export all.tetra", "[4] acme/staging>");
    leave(terminal);
    let text = std::fs::read_to_string(home.path("home/all.tetra")).expect("the script");
    assert!(!text.contains("hunter2"), "{text}");
    let second = std::fs::read_to_string(home.path("home/second")).expect("what was typed");
    assert!(second.contains("staging"), "{second}");
    for name in ["first", "second", "third", "fourth"] {
        std::fs::remove_file(home.path("home").join(name)).expect("what the test needs");
    }
    let mut script = std::process::Command::new(env!("CARGO_BIN_EXE_tetra"));
    let ran = script.arg("all.tetra").current_dir(home.path("home")).env_clear().envs(home.variables()).output();
    let ran = ran.expect("tetra");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    assert!(home.path("home/first").exists() && !home.path("home/third").exists());
    assert_eq!(std::fs::read_to_string(home.path("home/second")).expect("what the script wrote"), second);
}

#[test]
fn a_private_session_keeps_no_line_until_it_is_ended() {
    let home = TestHome::new();
    let path = home.path("state/tetra/history.sqlite3");
    let mut terminal = session(&home);
    run(&mut terminal, "use @dev", "-/dev>");
    run(&mut terminal, "history --private", "-/dev private>");
    run(&mut terminal, "use @staging", "-/staging private>");
    run(&mut terminal, "set private off", "-/staging>");
    run(&mut terminal, "version", "-/staging>");
    leave(terminal);
    let stored = lines(&path);
    assert!(!stored.iter().any(|(line, _)| line.contains("@staging")), "{stored:?}");
    assert!(stored.iter().any(|(line, _)| line == "version"), "{stored:?}");
}
