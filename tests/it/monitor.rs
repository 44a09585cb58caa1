//! The full-screen view in a real pseudo-terminal, with real processes.

use std::io::Write;
use std::process::{Command, Output};
use std::time::Duration;

use nix::sys::signal::Signal;
use tetra::base::fault::{Fault, FaultKind};
use tetra::base::time::Timestamp;
use tetra::report::screen::{Screen, ScreenSnapshot, ScreenSource};
use tetra::report::{Cell, Table};
use tetra::shell::panics;
use tetra::sys::signal;

use crate::pty::{Terminal, TerminalBehavior, TestHome};
use crate::schema::{misfits, schema};
use crate::world::World;

const DOWN: &str = "\x1b[B";
const ENTER: &str = "\r";
const CTRL_C: &str = "\x03";

/// Runs the program in a home, without a terminal.
fn tetra(home: &TestHome, words: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tetra"));
    command.args(words).env_clear().envs(home.variables()).current_dir(home.path("home"));
    command.stdin(std::process::Stdio::null()).output().expect("the program starts")
}

fn done(home: &TestHome, words: &[&str]) -> String {
    let output = tetra(home, words);
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

/// A home with two processes, api and web, that said something.
fn two() -> TestHome {
    let home = TestHome::new();
    for name in ["api", "web"] {
        let line = format!("echo {name} is up; exec sleep 600");
        done(&home, &["tsm", "start", "--name", name, "bash", "-c", &line]);
    }
    home
}

fn monitor(home: &TestHome, words: &[&str]) -> Terminal {
    let mut command = home.tetra();
    command.args(words);
    let terminal = Terminal::start(command);
    terminal.wait_for("q quit");
    terminal
}

/// What a process is now.
fn info(home: &TestHome, name: &str) -> serde_json::Value {
    let info: serde_json::Value = serde_json::from_str(&done(home, &["tsm", "info", name, "--json"])).expect("JSON");
    info.get(0).cloned().unwrap_or(info)
}

fn is_left(terminal: &mut Terminal, code: u32) {
    assert_eq!(terminal.end(), code, "{}", terminal.contents());
    assert!(terminal.is_cooked());
    terminal.wait("the ordinary screen", |screen| (!screen.alternate_screen() && !screen.hide_cursor()).then_some(()));
}

#[test]
fn shows_processes_and_what_the_chosen_one_says_and_leaves_the_terminal_clean() {
    let home = two();
    let mut terminal = monitor(&home, &["tsm", "monitor"]);
    terminal.wait_for("2 processes, 2 online");
    terminal.wait_for("api is up");
    terminal.send(DOWN);
    terminal.wait_for("web is up");
    terminal.wait_gone("api is up");
    terminal.wait("the processor", |screen| screen.contents().contains('%').then_some(()));
    terminal.send("q");
    is_left(&mut terminal, 0);
}

#[test]
fn keys_restart_and_stop_the_chosen_process() {
    let home = two();
    let before = info(&home, "web")["pid"].clone();
    let mut terminal = monitor(&home, &["tsm", "top", "-n", "100ms"]);
    terminal.wait_for("2 online");
    terminal.send(DOWN);
    terminal.wait_for("web is up");
    terminal.send("r");
    terminal.wait_for("`tsm restart` changes something: continue? [y/N]");
    terminal.send("y\r");
    terminal.wait_written("restarted", 1);
    terminal.wait_for("2 online");
    assert_ne!(info(&home, "web")["pid"], before);
    // A slip is taken back.
    terminal.send("s");
    terminal.wait_for("`tsm stop` stops or removes something: continue? [y/N]");
    terminal.send("\r");
    terminal.wait_for("press Enter to return");
    terminal.send(ENTER);
    terminal.wait_for("2 online");
    terminal.send("s");
    terminal.wait_written("continue? [y/N]", 3);
    terminal.send("y\r");
    terminal.wait_for("1 online");
    assert_eq!(info(&home, "web")["state"], "stopped");
    assert_eq!(info(&home, "api")["state"], "online");
    terminal.send(CTRL_C);
    is_left(&mut terminal, 0);
}

/// What was typed for something else, or before there was a process to see, ends none.
#[test]
fn what_was_typed_ahead_or_pasted_stops_nothing() {
    let home = two();
    let pids = || ["api", "web"].map(|name| info(&home, name)["pid"].clone());
    let before = pids();
    let mut at_prompt = Terminal::start(home.tetra());
    at_prompt.wait_line(">");
    at_prompt.send("tsm monitor\rsy\rry\r");
    let tetra = home.tetra();
    let mut command = home.tetra();
    let begin = home.path("begin");
    let script = "until [ -e \"$0\" ]; do sleep 0.01; done; exec \"$@\"";
    *command.get_argv_mut() = ["sh", "-c", script].map(Into::into).to_vec();
    command.arg(&begin);
    command.args(tetra.get_argv());
    command.args(["tsm", "monitor"]);
    let mut after_shell = Terminal::start(command);
    after_shell.send("sy\nry\n");
    after_shell.wait_for("ry");
    std::fs::write(&begin, "").expect("ours");
    for terminal in [&mut at_prompt, &mut after_shell] {
        terminal.wait_for("api is up");
        terminal.send("\x1b[200~s\ry\rr\ry\r\x1b[201~");
        // What comes after it is a key again.
        terminal.send(DOWN);
        terminal.wait_for("web is up");
        assert!(!terminal.bytes().contains("continue?"), "{}", terminal.contents());
        // A name may be pasted into the filter.
        terminal.send("/\x1b[200~ap\r\x1b[201~");
        terminal.wait_for("filter: ap");
        terminal.wait_for("api is up");
    }
    assert_eq!(pids(), before);
    at_prompt.send("\r");
    at_prompt.wait_gone("filter: ap");
    at_prompt.send("q");
    at_prompt.wait_line(">");
    assert!(at_prompt.bytes().contains("\x1b[?2004l\x1b[?1049l"));
}

#[test]
fn a_key_that_fails_is_explained_before_the_view_comes_back() {
    let home = two();
    let mut terminal = monitor(&home, &["tsm", "monitor", "--env", "prod"]);
    terminal.wait_for("2 online");
    terminal.send("s");
    // The guard asks, and another answer than the one it wants is a no.
    terminal.wait("a question", |screen| screen.contents().contains('?').then_some(()));
    terminal.send("n\r");
    terminal.wait_for("press Enter to return");
    terminal.send(ENTER);
    terminal.wait_for("2 processes, 2 online");
    terminal.send("q");
    is_left(&mut terminal, 0);
    assert_eq!(info(&home, "api")["state"], "online");
}

#[test]
fn a_filter_and_another_size_change_what_is_shown() {
    let home = two();
    let mut terminal = monitor(&home, &["tsm", "monitor", "-n", "100ms"]);
    terminal.wait_for("api is up");
    terminal.send("/we");
    terminal.wait_for("filter: we");
    terminal.wait_for("web is up");
    terminal.wait_gone("api ");
    terminal.send(ENTER);
    terminal.resize(10, 60);
    terminal.wait("the smaller screen", |screen| {
        let last = screen.rows(0, 60).nth(9)?;
        last.contains("select").then_some(())
    });
    done(&home, &["tsm", "delete", "web"]);
    terminal.wait_for("1 process,");
    terminal.send("q");
    is_left(&mut terminal, 0);
}

#[test]
fn what_happens_to_a_process_is_shown_before_the_next_refresh() {
    let home = two();
    let mut terminal = monitor(&home, &["tsm", "monitor", "-n", "1h"]);
    terminal.wait_for("api is up");
    done(&home, &["tsm", "stop", "api"]);
    terminal.wait_for("stopped");
    terminal.send("q");
    is_left(&mut terminal, 0);
}

#[test]
fn a_signal_ends_it_with_the_terminal_as_it_was() {
    let home = two();
    let mut command = home.tetra();
    command.args(["tsm", "monitor", "-n", "1h"]);
    // Nothing is asked of the terminal, so that it may be one that does not answer.
    let mut terminal = Terminal::with_behavior(command, TerminalBehavior::Silent);
    terminal.wait_for("api is up");
    terminal.signal(Signal::SIGTERM);
    is_left(&mut terminal, 143);
}

#[test]
fn a_hang_up_ends_it_with_the_terminal_as_it_was() {
    let home = two();
    let mut terminal = monitor(&home, &["tsm", "top", "-n", "1h"]);
    terminal.wait_for("api is up");
    terminal.signal(Signal::SIGHUP);
    is_left(&mut terminal, 129);
}

/// The variable that tells the test below that it runs in the terminal of its own.
const INSIDE: &str = "TETRA_TEST_INSIDE";

/// Shows two processes, and then makes a mistake.
struct PanickingSource {
    looks: u32,
}

impl ScreenSource for PanickingSource {
    fn snapshot(&mut self, _: Timestamp, _: Option<&str>, _: usize) -> Result<ScreenSnapshot, Fault> {
        self.looks += 1;
        assert!(self.looks < 3, "one and one is three");
        let mut table = Table::new(&[("name", "NAME")]);
        table.row(vec![Cell::from("api").text("api")]);
        Ok(ScreenSnapshot { table, lines: Vec::new() })
    }
}

#[test]
fn a_mistake_in_the_view_is_reported_with_the_terminal_as_it_was() {
    if std::env::var_os(INSIDE).is_some() {
        panics::install_hook();
        signal::install_handlers().expect("signals");
        let mut world = World::with(&[("TERM", "xterm-256color")]);
        let screen = Screen { interval: Duration::from_millis(50), source: Box::new(PanickingSource { looks: 0 }) };
        let fault = world.shown(screen).expect_err("the scene makes a mistake");
        assert_eq!(
            (fault.kind, fault.to_string().contains("one and one is three")),
            (FaultKind::Internal, true),
            "{fault}"
        );
        writeln!(std::io::stdout(), "fault: {fault}").expect("written");
        return;
    }
    let home = TestHome::new();
    let own = std::env::current_exe().expect("this program");
    let mut command = home.command(own.to_str().expect("text"));
    command.args(["--exact", "monitor::a_mistake_in_the_view_is_reported_with_the_terminal_as_it_was", "--nocapture"]);
    command.env(INSIDE, "1");
    let mut terminal = Terminal::start(command);
    terminal.wait_written("\x1b[?1049h", 1);
    terminal.wait_written("fault: ", 1);
    is_left(&mut terminal, 0);
}

#[test]
fn the_prompt_goes_on_after_it() {
    let home = two();
    let mut terminal = Terminal::start(home.tetra());
    terminal.wait_line(">");
    terminal.send("tsm monitor\r");
    terminal.wait_for("q quit");
    terminal.send("q");
    terminal.wait_gone("q quit");
    terminal.wait_line(">");
    terminal.send("version\r");
    terminal.wait_for("tetra 0");
    terminal.send("exit\r");
    assert_eq!(terminal.end(), 0);
}

#[test]
fn without_a_terminal_it_says_so_and_once_is_data() {
    let home = two();
    let line = "tsm start --name well --health exec:true --health-interval 50ms -- sleep 600";
    done(&home, &line.split(' ').collect::<Vec<_>>());
    let output = tetra(&home, &["tsm", "monitor"]);
    let talk = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1));
    assert!(talk.contains("needs a terminal") && talk.contains("--once"), "{talk}");
    let rows: serde_json::Value =
        serde_json::from_str(&done(&home, &["tsm", "monitor", "api", "--once", "--json"])).expect("JSON");
    assert_eq!(misfits(&rows, &schema("tsm-monitor")), Vec::<String>::new(), "{rows:#}");
    assert_eq!((rows.as_array().map(Vec::len), &rows[0]["name"]), (Some(1), &"api".into()));
    let well: serde_json::Value =
        serde_json::from_str(&done(&home, &["tsm", "top", "well", "--once", "--json"])).expect("JSON");
    assert_eq!((&rows[0]["health"], &well[0]["health"]), (&serde_json::Value::Null, &"healthy".into()));
    assert!(rows[0]["memory"].as_u64().is_some_and(|bytes| bytes > 0), "{rows:#}");
    assert_eq!(tetra(&home, &["tsm", "monitor", "nobody", "--once"]).status.code(), Some(5));
    assert_eq!(tetra(&home, &["tsm", "monitor", "-n", "1ms"]).status.code(), Some(2));
}
