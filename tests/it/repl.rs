//! The prompt in a real pseudo-terminal.

use std::os::unix::fs::PermissionsExt;

use nix::sys::signal::Signal;
use vt100::Color;

use crate::ports::free_port;
use crate::program;
use crate::pty::{Terminal, TerminalBehavior, TestHome, colour_of, current_line};
use crate::waiting::eventually;

const ENTER: &str = "\r";
pub(crate) const UP: &str = "\x1b[A";
const RIGHT: &str = "\x1b[C";
pub(crate) const CTRL_C: &str = "\x03";
const CTRL_D: &str = "\x04";
const CTRL_O: &str = "\x0f";
const CTRL_R: &str = "\x12";
const CTRL_X_E: &str = "\x18\x05";
pub(crate) const PASTE: (&str, &str) = ("\x1b[200~", "\x1b[201~");

const RED: Color = Color::Idx(1);
const CYAN: Color = Color::Idx(6);
const BLUE: Color = Color::Idx(4);

/// A session with its first prompt on the screen.
pub(crate) fn session(home: &TestHome) -> Terminal {
    let terminal = Terminal::start(home.tetra());
    terminal.wait_line(">");
    terminal
}

/// Ends a session in order, at its prompt: before it the terminal would take Ctrl-D for the end of a line.
pub(crate) fn leave(mut terminal: Terminal) {
    terminal.wait_line(">");
    terminal.send(CTRL_D);
    assert_eq!(terminal.end(), 0, "{}", terminal.contents());
    assert!(terminal.is_cooked());
}

/// Runs a line and waits until the prompt is as it should be then.
pub(crate) fn run(terminal: &mut Terminal, line: &str, prompt: &str) {
    terminal.send(line);
    terminal.wait_line(line);
    terminal.send(ENTER);
    terminal.wait_line(prompt);
}

/// Drops what is typed.
fn drop_line(terminal: &mut Terminal) {
    terminal.send(CTRL_C);
    terminal.wait_line(">");
}

/// Puts the record of a stopped process into a home.
pub(crate) fn stopped(home: &TestHome, name: &str, id: u32) {
    put_record(home, name, id, "stopped");
}

/// Puts the record of a process into a home, in one step and a new one with its directory: no supervisor reports what is written
/// later.
pub(crate) fn put_record(home: &TestHome, name: &str, id: u32, state: &str) {
    let record = format!(
        r#"{{"tsm_id":{id},"name":"{name}","pid":0,"command":"sleep 9","port":"none","cwd":"/","start_time":0,
        "status":"{state}","restarts":0,"unstable_restarts":0,"state":"{state}"}}"#
    );
    home.write(&format!("made/{name}/meta.json"), &record);
    let (made, process) =
        (home.path(&format!("made/{name}")), home.path(&format!("tetra/tsm/runtime/processes/{name}")));
    std::fs::create_dir_all(process.parent().expect("a directory")).expect("what the test needs");
    let moved = match process.is_dir() {
        true => std::fs::rename(made.join("meta.json"), process.join("meta.json")),
        false => std::fs::rename(made, process),
    };
    moved.expect("what the test needs");
}

/// The last time that each of two texts was written.
fn order(bytes: &str, first: &str, second: &str) -> bool {
    bytes.rfind(first) < bytes.rfind(second)
}

#[test]
fn the_first_prompt_shows_the_context_and_control_d_leaves() {
    let home = TestHome::new();
    let mut terminal = session(&home);
    terminal.wait_line("tetra>");
    run(&mut terminal, "use @dev", "-/dev>");
    leave(terminal);
}

#[test]
fn every_way_to_the_prompt_leads_there() {
    let home = TestHome::new();
    let link = home.path("tmp/tsm");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_tetra"), &link).expect("what the test needs");
    for (program, words) in [
        (env!("CARGO_BIN_EXE_tetra"), &["repl"][..]),
        (env!("CARGO_BIN_EXE_tetra"), &["tsm", "repl"]),
        (env!("CARGO_BIN_EXE_tetra"), &["--env", "dev"]),
        (env!("CARGO_BIN_EXE_tetra"), &["repl", "--env", "dev"]),
        (&link.display().to_string(), &["repl"]),
        (&link.display().to_string(), &["repl", "--env", "dev"]),
    ] {
        let mut command = home.command(program);
        command.args(words);
        let mut terminal = Terminal::start(command);
        terminal.wait_line(if words.contains(&"dev") { "-/dev>" } else { "tetra>" });
        terminal.send("exit\r");
        assert_eq!(terminal.end(), 0);
    }
}

#[test]
fn a_line_can_end_at_the_prompt_and_nowhere_else_than_at_its_end() {
    let home = TestHome::new();
    let started = |line: &str| {
        let mut command = home.tetra();
        command.args(["-c", line]);
        Terminal::start(command)
    };
    for line in ["use @dev; tsm repl", "alias p='tsm repl'; use @dev; p"] {
        let mut terminal = started(line);
        terminal.wait_line("-/dev>");
        run(&mut terminal, "use -", "tetra>");
        leave(terminal);
    }
    let mut terminal = started("tsm repl; version");
    terminal.wait_for("nothing can be run after the prompt");
    assert_eq!(terminal.end(), 2);
    assert!(!terminal.contents().contains("tetra 0"), "{}", terminal.contents());
}

#[test]
fn an_unknown_command_is_red_and_its_failure_marks_the_prompt() {
    let home = TestHome::new();
    let mut terminal = session(&home);
    let colour = |terminal: &Terminal, word: &'static str, wanted| {
        terminal.wait(word, |screen| (colour_of(screen, word)? == wanted).then_some(()));
    };
    terminal.send("nothing here");
    colour(&terminal, "nothing", RED);
    terminal.send(ENTER);
    terminal.wait_line("[2] tetra>");
    terminal.send("version --json 'text'");
    colour(&terminal, "version", CYAN);
    colour(&terminal, "--json", BLUE);
    colour(&terminal, "'text'", Color::Idx(3));
    drop_line(&mut terminal);
    leave(terminal);
}

#[test]
fn without_colour_nothing_is_coloured() {
    let home = TestHome::new();
    let mut command = home.tetra();
    command.env("NO_COLOR", "1");
    let mut terminal = Terminal::start(command);
    terminal.wait_line("tetra>");
    terminal.send("nothing here");
    terminal.wait_line("nothing here");
    terminal.send("\rset pl\t");
    terminal.wait_line("set plain");
    let bytes = terminal.bytes();
    let sets_colour = |codes: &str| {
        codes.bytes().all(|byte| byte.is_ascii_digit() || byte == b';')
            && ["3", "9", "1;3"].iter().any(|colour| codes.starts_with(colour))
    };
    let coloured = bytes.split("\x1b[").filter_map(|rest| rest.split_once('m')).any(|(codes, _)| sets_colour(codes));
    assert!(!coloured, "{bytes:?}");
    drop_line(&mut terminal);
    leave(terminal);
}

#[test]
fn control_c_drops_the_line_and_keeps_the_session() {
    let home = TestHome::new();
    let mut terminal = session(&home);
    terminal.send("use @pr");
    terminal.wait_line("use @pr");
    drop_line(&mut terminal);
    run(&mut terminal, "use @dev", "-/dev>");
    leave(terminal);
}

#[test]
fn control_c_ends_a_watch_however_often_and_comes_back_to_the_prompt() {
    let home = TestHome::new();
    let mut terminal = session(&home);
    terminal.send("watch -n 20ms version\r");
    terminal.wait_written("run 2: version", 1);
    terminal.send(CTRL_C);
    // Not by the key: that could come to the prompt, which then begins anew while the next line is typed.
    terminal.signal(Signal::SIGINT);
    terminal.wait_line("[130] tetra>");
    run(&mut terminal, "use @dev", "-/dev>");
    leave(terminal);
}

#[test]
fn control_c_ends_following_a_log_and_comes_back_to_the_prompt() {
    let home = TestHome::new();
    stopped(&home, "api", 0);
    home.write("tetra/tsm/runtime/processes/api/current.out", "it began\n");
    let mut terminal = session(&home);
    terminal.send("tsm logs api -f\r");
    terminal.wait_for("it began");
    terminal.send(CTRL_C);
    terminal.wait_line("tetra>");
    run(&mut terminal, "use @dev", "-/dev>");
    leave(terminal);
}

#[test]
fn tab_completes_a_lone_answer_and_shows_several_with_descriptions() {
    let home = TestHome::new();
    let mut terminal = session(&home);
    terminal.send("vers\t");
    terminal.wait_line("version");
    drop_line(&mut terminal);
    terminal.send("se\t");
    terminal.wait_for("Show or change the settings");
    terminal.wait_for("select ");
    drop_line(&mut terminal);
    leave(terminal);
}

#[test]
fn tab_in_the_middle_of_a_line_leaves_one_blank() {
    let home = TestHome::new();
    let mut terminal = session(&home);
    terminal.send("tsm inf api\x1b[D\x1b[D\x1b[D\x1b[D\t");
    terminal.wait("one blank", |screen| current_line(screen).ends_with("tsm info api").then_some(()));
    drop_line(&mut terminal);
    leave(terminal);
}

#[test]
fn tab_leaves_the_quote_around_a_line_open() {
    let home = TestHome::new();
    let mut terminal = session(&home);
    terminal.send("watch 'tsm inf\tap");
    terminal.wait("an open quote", |screen| current_line(screen).contains("watch 'tsm info ap").then_some(()));
    drop_line(&mut terminal);
    leave(terminal);
}

#[test]
fn tab_knows_the_processes_there_are_at_that_moment() {
    let home = TestHome::new();
    stopped(&home, "my-api-8000", 0);
    let mut terminal = session(&home);
    terminal.send("tsm restart m\t");
    terminal.wait_line("my-api-8000");
    drop_line(&mut terminal);
    stopped(&home, "my-web", 1);
    terminal.send("tsm restart m\t");
    terminal.wait("both with their state", |screen| {
        let text = screen.contents();
        let with_state = |name: &str| text.lines().any(|line| line.contains(name) && line.contains("stopped"));
        (with_state("my-api-8000") && with_state("my-web")).then_some(())
    });
    // What both begin with is filled in, and Tab goes through them.
    terminal.wait("the common part", |screen| screen.contents().contains("restart my-").then_some(()));
    terminal.send("\t");
    terminal.wait_selected("my-web");
    terminal.send(ENTER);
    terminal.wait("one of them", |screen| current_line(screen).contains("restart my-web").then_some(()));
    drop_line(&mut terminal);
    leave(terminal);
}

#[test]
fn ghost_text_offers_the_rest_of_an_earlier_line() {
    let home = TestHome::new();
    let mut terminal = session(&home);
    run(&mut terminal, "use @dev", "-/dev>");
    terminal.send("us");
    terminal.wait_line("use @dev");
    terminal.wait("its ghost is grey", |screen| (colour_of(screen, "e @dev")? == Color::Idx(8)).then_some(()));
    terminal.send(RIGHT);
    terminal.send(" -q");
    terminal.wait_line("use @dev -q");
    drop_line(&mut terminal);
    leave(terminal);
}

#[test]
fn control_r_finds_an_earlier_line() {
    let home = TestHome::new();
    let mut terminal = session(&home);
    run(&mut terminal, "use @staging", "-/staging>");
    run(&mut terminal, "version", "-/staging>");
    run(&mut terminal, "use @dev", "-/dev>");
    terminal.send(CTRL_R);
    terminal.wait_for("(history)>");
    terminal.send("use");
    terminal.wait_selected("use @dev");
    terminal.send(CTRL_R);
    terminal.wait_selected("use @staging");
    terminal.send(ENTER);
    terminal.wait_line("-/dev> use @staging");
    terminal.send(ENTER);
    terminal.wait_line("-/staging>");
    leave(terminal);
}

#[test]
fn what_is_pasted_is_not_run() {
    let home = TestHome::new();
    let mut terminal = session(&home);
    terminal.send(&format!("{}use @dev\nuse @local{}", PASTE.0, PASTE.1));
    terminal.wait_line("use @local");
    terminal.wait_for("tetra> use @dev");
    terminal.send(ENTER);
    terminal.wait_line("-/local>");
    leave(terminal);
}

#[test]
fn an_open_quote_goes_on_in_the_next_line() {
    let home = TestHome::new();
    let mut terminal = session(&home);
    terminal.send("alias d='use\r");
    terminal.wait_line("...");
    terminal.send(" @dev'\r");
    terminal.wait_line("tetra>");
    terminal.send("version\x1b\ruse @staging");
    terminal.wait_line("... use @staging");
    terminal.send(ENTER);
    terminal.wait_line("-/staging>");
    leave(terminal);
}

#[test]
fn a_resized_terminal_is_painted_anew() {
    let home = TestHome::new();
    let mut terminal = session(&home);
    terminal.send("use @dev # a remark that is rather long");
    terminal.wait_line("rather long");
    terminal.resize(20, 30);
    terminal.wait("the line in two rows", |screen| {
        (screen.size().1.get() == 30 && current_line(screen).trim_end().ends_with("long")).then_some(())
    });
    terminal.send(" now");
    terminal.wait("more of it", |screen| screen.contents().replace('\n', "").contains("long now").then_some(()));
    terminal.send(ENTER);
    terminal.wait_line("-/dev>");
    leave(terminal);
}

#[test]
fn a_tiny_terminal_is_served_too() {
    let home = TestHome::new();
    stopped(&home, "a-process-with-a-name-that-is-long", 0);
    stopped(&home, "a-process-with-another-name", 1);
    let mut terminal = session(&home);
    terminal.send("aaaaaaaaaa");
    terminal.wait_line("aaaaaaaaaa");
    terminal.resize(3, 12);
    // Only a line that is painted in two rows shows that the editor knows the new width.
    terminal.wait("the line in two rows", |screen| {
        (screen.size().1.get() == 12 && screen.contents().replace('\n', "").contains("aaaaaaaaaa")).then_some(())
    });
    drop_line(&mut terminal);
    terminal.send("se\t");
    terminal.wait("a menu", |screen| screen.contents().contains("secrets").then_some(()));
    drop_line(&mut terminal);
    terminal.send("tsm stop a\t");
    terminal.wait_for("a-process-…");
    drop_line(&mut terminal);
    terminal.send("use @dev\r");
    terminal.wait("the prompt", |screen| screen.contents().contains("-/dev>").then_some(()));
    terminal.resize(24, 100);
    leave(terminal);
}

#[test]
fn keys_are_those_of_vi_if_that_is_set() {
    let home = TestHome::new();
    let mut terminal = session(&home);
    run(&mut terminal, "set edit-mode vi", "tetra>");
    terminal.send("use @devx");
    terminal.wait_line("use @devx");
    terminal.send("\x1b");
    terminal.wait("the mode for moving", |screen| current_line(screen).starts_with("tetra<").then_some(()));
    terminal.send("x");
    terminal.wait_line("tetra< use @dev");
    terminal.send(ENTER);
    terminal.wait_line("-/dev>");
    leave(terminal);
}

#[test]
fn the_history_keeps_no_secrets_and_is_for_the_operator_alone() {
    let home = TestHome::new();
    let mut terminal = session(&home);
    run(&mut terminal, "version --token hunter2", "[2] tetra>");
    run(&mut terminal, " use @staging", "-/staging>");
    run(&mut terminal, "use @dev", "-/dev>");
    run(&mut terminal, "use @dev", "-/dev>");
    terminal.send(UP);
    terminal.wait_line("-/dev> use @dev");
    terminal.send(UP);
    terminal.wait_line("version --token ***");
    drop_line(&mut terminal);
    run(&mut terminal, "!export A_TOKEN='hunter2' && x() { mysql -phunter2; }", "-/dev>");
    run(&mut terminal, "alias x=\"curl -u a:hunter2 h\"", "-/dev>");
    terminal.send(UP);
    terminal.wait_line("alias x=\"curl -u a:*** h\"");
    terminal.send(UP);
    terminal.wait_line("!export A_TOKEN='***' && x() { mysql -p***; }");
    drop_line(&mut terminal);
    terminal.send(" history\r");
    terminal.wait("the same from a command", |screen| {
        let text = screen.contents();
        let is_shown = |line: &str, context: &str| text.lines().any(|row| row.ends_with(line) && row.contains(context));
        (is_shown("version --token ***", "-/-/-") && is_shown("use @dev", "-/dev/-")).then_some(())
    });
    terminal.wait_line("-/dev>");
    for file in ["history.sqlite3", "history.sqlite3-wal", "history.sqlite3-shm"] {
        let path = home.path("state/tetra").join(file);
        assert_eq!(
            std::fs::metadata(&path).expect("what the test needs").permissions().mode() & 0o777,
            0o600,
            "{file}"
        );
    }
    let directory = std::fs::metadata(home.path("state/tetra")).expect("what the test needs");
    assert_eq!(directory.permissions().mode() & 0o777, 0o700);
    leave(terminal);
    for directory in ["state", "config", "tetra", "tmp"] {
        assert_eq!(home.files_with(directory, "hunter2"), Vec::<std::path::PathBuf>::new());
        assert_eq!(home.files_with(directory, "use @staging"), Vec::<std::path::PathBuf>::new());
    }
    let reader = tetra::sys::history::HistoryReader::open(&home.path("state/tetra/history.sqlite3"))
        .expect("what the test needs");
    let wanted = tetra::sys::history::HistoryQuery { limit: 9, ..Default::default() };
    let rows = reader.entries(&wanted).expect("what the test needs");
    let kept: Vec<_> = rows.iter().map(|row| (row.line.as_str(), row.exit_code, row.context.as_deref())).collect();
    assert_eq!(
        kept,
        [
            ("version --token ***", Some(2), Some("-/-/-")),
            ("use @dev", Some(0), Some("-/dev/-")),
            ("!export A_TOKEN='***' && x() { mysql -p***; }", Some(0), Some("-/dev/-")),
            ("alias x=\"curl -u a:*** h\"", Some(0), Some("-/dev/-")),
        ],
        "with what came of them, the same line once"
    );
    assert!(rows.iter().all(|row| row.started_at.is_some() && row.duration.is_some()));
}

#[test]
fn what_is_typed_while_a_command_runs_is_run_after_it() {
    let home = TestHome::new();
    let mut terminal = session(&home);
    terminal.send("!echo beg''un; sleep 0.3\r");
    terminal.wait_for("begun");
    terminal.send("use @dev\ralias s='use @staging\r'\rs\rnot fin");
    terminal.wait_line("-/staging> not fin");
    terminal.send("ished\r");
    terminal.wait_line("[2] -/staging>");
    terminal.send(UP);
    terminal.wait_line("not finished");
    drop_line(&mut terminal);
    leave(terminal);
}

#[test]
fn a_signal_ends_it_with_the_terminal_as_it_was() {
    for (signal, code) in [(Signal::SIGTERM, 143), (Signal::SIGHUP, 129)] {
        let home = TestHome::new();
        let mut terminal = session(&home);
        terminal.send("half a li");
        terminal.wait_line("half a li");
        assert!(!terminal.is_cooked());
        terminal.signal(signal);
        assert_eq!(terminal.end(), code);
        assert!(terminal.is_cooked());
        // What it wrote last may still be on its way.
        eventually("pasting is as it was", || order(&terminal.bytes(), "\x1b[?2004h", "\x1b[?2004l"));
    }
}

#[test]
fn a_signal_ends_a_command_and_the_session() {
    let home = TestHome::new();
    let mut terminal = session(&home);
    terminal.send("watch -n 20ms version\r");
    terminal.wait_for("tetra 0");
    terminal.signal(Signal::SIGTERM);
    assert_eq!(terminal.end(), 143);
    assert!(terminal.is_cooked());
}

#[test]
fn an_interrupt_from_elsewhere_is_not_a_reason_to_leave() {
    let home = TestHome::new();
    let mut terminal = session(&home);
    terminal.send("use @d");
    terminal.wait_line("use @d");
    terminal.signal(Signal::SIGINT);
    terminal.signal(Signal::SIGINT);
    terminal.send("ev\r");
    terminal.wait_line("-/dev>");
    leave(terminal);
}

#[test]
fn a_lost_terminal_ends_it_soon() {
    for program in ["exec tetra", "trap '' HUP; exec tetra", "exec tetra --plain", "trap '' HUP; exec tetra --plain"] {
        let home = TestHome::new();
        let mut command = home.command("sh");
        command.args(["-c", program]);
        let mut terminal = Terminal::start(command);
        terminal.wait_line("tetra>");
        terminal.hang_up();
        assert_eq!(terminal.end(), 129, "{program}");
    }
}

#[test]
fn a_terminal_lost_while_a_command_runs_ends_it_soon() {
    let home = TestHome::new();
    let mut terminal = session(&home);
    terminal.send("watch -n 20ms version\r");
    terminal.wait_for("tetra 0");
    terminal.hang_up();
    assert_eq!(terminal.end(), 129);
}

#[test]
fn a_damaged_history_costs_the_history_alone() {
    let home = TestHome::new();
    home.write("state/tetra/history.sqlite3", "this is no database, and it is long enough to be seen as none");
    let mut terminal = session(&home);
    terminal.wait_for("history is disabled");
    run(&mut terminal, "use @dev", "-/dev>");
    leave(terminal);
}

#[test]
fn a_terminal_that_never_says_where_its_cursor_is_works() {
    let home = TestHome::new();
    let mut terminal = Terminal::with_behavior(home.tetra(), TerminalBehavior::Silent);
    terminal.wait_line("tetra>");
    terminal.send("use @dev\r");
    terminal.wait_for("--plain");
    terminal.wait_line("-/dev>");
    terminal.signal(Signal::SIGTERM);
    assert_eq!(terminal.end(), 143);
    assert!(terminal.is_cooked());
}

#[test]
fn a_plain_terminal_gets_a_plain_prompt() {
    for (variable, value) in [("TERM", "dumb"), ("TETRA_PLAIN", "1")] {
        let home = TestHome::new();
        let mut command = home.tetra();
        command.env(variable, value);
        let mut terminal = Terminal::start(command);
        terminal.wait_line("tetra>");
        assert!(terminal.is_cooked());
        // Longer than the screen, and drawn twice.
        run(&mut terminal, "help", "tetra>");
        run(&mut terminal, "watch --count 2 --every 100ms version", "tetra>");
        terminal.send("us");
        terminal.wait_line("us");
        terminal.send(CTRL_C);
        terminal.wait("a new prompt", |screen| (current_line(screen).trim_end() == "tetra>").then_some(()));
        terminal.send("alias d='use\r");
        terminal.wait_line("...");
        terminal.send(" @dev'\r");
        terminal.wait_line("tetra>");
        terminal.send("nothing\r");
        terminal.wait_line("[2] tetra>");
        terminal.send("use @dev\r");
        terminal.wait_line("-/dev>");
        assert!(!terminal.bytes().contains('\x1b'), "{:?}", terminal.bytes());
        leave(terminal);
    }
}

#[test]
fn a_signal_ends_a_plain_prompt() {
    let home = TestHome::new();
    let mut command = home.tetra();
    command.arg("--plain");
    let mut terminal = Terminal::start(command);
    terminal.wait_line("tetra>");
    terminal.signal(Signal::SIGTERM);
    assert_eq!(terminal.end(), 143);
}

#[test]
fn the_prompt_is_sound_in_the_last_row() {
    let home = TestHome::new();
    let mut terminal = session(&home);
    terminal.send("!seq 40\r");
    terminal.wait("a prompt in the last row", |screen| {
        (screen.cursor_position().0 == 23 && current_line(screen).starts_with("tetra>")).then_some(())
    });
    terminal.send("se\t");
    terminal.wait_for("Show or change the settings");
    drop_line(&mut terminal);
    terminal.send("use @dev");
    terminal.wait_line("use @dev");
    let prompts = |screen: &vt100::Screen| screen.contents().lines().filter(|line| line.contains("use @dev")).count();
    assert_eq!(terminal.wait("the screen", |screen| Some(prompts(screen))), 1);
    terminal.send(ENTER);
    terminal.wait_line("-/dev>");
    leave(terminal);
}

#[test]
fn a_line_can_be_edited_elsewhere() {
    let home = TestHome::new();
    let editor = home.path("home/editor");
    program::script(
        &editor,
        "#!/bin/sh\ngrep -q half \"$1\" && stat -c %a \"$1\" > mode && echo 'use @dev' > \"$1\"\n",
    );
    for keys in [CTRL_X_E, CTRL_O] {
        let mut command = home.tetra();
        command.env("EDITOR", editor.display().to_string());
        let mut terminal = Terminal::start(command);
        terminal.wait_line("tetra>");
        terminal.send("half");
        terminal.wait_line("half");
        terminal.send(keys);
        terminal.wait_line("tetra> use @dev");
        terminal.send(ENTER);
        terminal.wait_line("-/dev>");
        leave(terminal);
        assert_eq!(std::fs::read_to_string(home.path("home/mode")).expect("what the test needs"), "600\n");
    }
}

#[test]
fn an_editor_that_is_not_there_costs_nothing() {
    let home = TestHome::new();
    let mut command = home.tetra();
    command.env("EDITOR", "/nowhere/ed");
    let mut terminal = Terminal::start(command);
    terminal.wait_line("tetra>");
    terminal.send("use @dev");
    terminal.wait_line("use @dev");
    terminal.send(CTRL_O);
    terminal.wait_for("failed to start the editor");
    terminal.wait_line("tetra> use @dev");
    terminal.send(ENTER);
    terminal.wait_line("-/dev>");
    leave(terminal);
}

#[test]
fn a_program_that_spoils_the_terminal_does_not_spoil_the_session() {
    let home = TestHome::new();
    let mut terminal = session(&home);
    terminal.send("!stty -icanon -echo; printf 'no line end'\r");
    terminal.wait_for("no line end\ntetra>");
    run(&mut terminal, "use @dev", "-/dev>");
    leave(terminal);
}

#[test]
fn settings_and_lines_are_read_at_the_start() {
    let home = TestHome::new();
    home.write("config/tetra/config.toml", "edit-mode = \"vi\"\n[aliases]\nd = \"use @dev\"\n");
    home.write("config/tetra/rc.tetra", "# at the start\nuse @staging\n");
    let mut terminal = session(&home);
    terminal.wait_line("-/staging>");
    run(&mut terminal, "d", "-/dev>");
    terminal.send("\x1b");
    terminal.wait_line("-/dev<");
    terminal.send("i");
    terminal.wait_line("-/dev>");
    leave(terminal);
    for (option, prompt) in [("--norc", "tetra>"), ("--private", "private>")] {
        let mut command = home.tetra();
        command.arg(option);
        let terminal = Terminal::start(command);
        terminal.wait_line(prompt);
        leave(terminal);
    }
}

#[test]
fn settings_that_make_no_sense_are_said_with_their_place() {
    let home = TestHome::new();
    home.write("config/tetra/config.toml", "plain = false\nedit-mode = \"ed\"\n");
    home.write("config/tetra/rc.tetra", "nothing\n");
    let terminal = session(&home);
    terminal
        .wait_written("config.toml:2:13: invalid value for `edit-mode`: expected emacs or vi; this key is ignored", 1);
    terminal.wait_for("rc.tetra:1:1");
    terminal.wait_line("tetra>");
    leave(terminal);
}

#[test]
fn production_is_loud_and_asks_for_the_name_of_the_organization() {
    let home = TestHome::new();
    home.write("tetra/org/acme/environments/prod.toml", "");
    stopped(&home, "api", 0);
    let mut terminal = session(&home);
    terminal.wait_line("acme/PROD>");
    terminal.wait("white on red", |screen| {
        let (row, _) = screen.cursor_position();
        (screen.cell(row, 5)?.bgcolor() == RED).then_some(())
    });
    terminal.send("tsm delete api\r");
    terminal.wait_for("acme");
    terminal.wait_for("continue?");
    terminal.send("no\r");
    terminal.wait_line("[4] acme/PROD>");
    assert!(home.path("tetra/tsm/runtime/processes/api").exists());
    terminal.send("tsm delete api\r");
    terminal.wait("a second question", |screen| (screen.contents().matches("continue?").count() == 2).then_some(()));
    terminal.send("acme\r");
    terminal.wait("the prompt", |screen| (current_line(screen).trim_end() == "acme/PROD>").then_some(()));
    assert!(!home.path("tetra/tsm/runtime/processes/api").exists());
    leave(terminal);
}

#[test]
fn a_program_waits_for_what_is_typed_for_it() {
    let home = TestHome::new();
    let mut terminal = session(&home);
    terminal.send("!echo be''gun; read it; echo got-$it; cat\r");
    terminal.wait_for("begun");
    terminal.send("words\r");
    terminal.wait_for("got-words");
    terminal.send("more\r");
    terminal.wait_for("more\nmore");
    terminal.send(CTRL_D);
    leave(terminal);
}

#[test]
fn control_c_is_not_an_answer_to_a_question() {
    let home = TestHome::new();
    home.write("tetra/org/acme/environments/prod.toml", "");
    stopped(&home, "api", 0);
    let mut terminal = session(&home);
    terminal.send("tsm delete api\r");
    terminal.wait_for("continue?");
    terminal.send(CTRL_C);
    terminal.wait("the prompt", |screen| current_line(screen).contains("] acme/PROD>").then_some(()));
    assert!(terminal.contents().contains("^C\nrefused: "), "{}", terminal.contents());
    assert!(home.path("tetra/tsm/runtime/processes/api").exists());
    run(&mut terminal, "use @local", "acme/local>");
    leave(terminal);
}

/// What the web server of a test answers.
fn fetch(port: u16) -> std::io::Result<String> {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(std::time::Duration::from_secs(30)))?;
    stream.write_all(b"GET /hello.txt HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[test]
fn a_newcomer_starts_follows_restarts_and_stops_a_server_by_typing() {
    let home = TestHome::new();
    home.write("home/my-api/hello.txt", "hello newcomer\n");
    let port = free_port();
    let name = format!("my-api-http-{port}");
    let mut command = home.tetra();
    command.cwd(home.path("home/my-api"));
    let mut terminal = Terminal::start(command);
    terminal.wait_line("tetra>");
    terminal.send(&format!("tsm start python3 -m http.server --bind 127.0.0.1 {port}\r"));
    terminal.wait_for(&name);
    terminal.wait_line("tetra>");
    eventually("it serves", || fetch(port).is_ok_and(|text| text.contains("hello newcomer")));
    terminal.send("tsm list\r");
    terminal.wait("it is online", |screen| {
        screen.contents().lines().any(|line| line.contains(&name) && line.contains("online")).then_some(())
    });
    // The name that was made is known to Tab at once.
    terminal.send("tsm logs my\t");
    terminal.wait_line(&format!("tsm logs {name}"));
    terminal.send(ENTER);
    terminal.wait_for("GET /hello.txt");
    terminal.send(&format!("tsm logs {name} -f\r"));
    terminal.wait("the log again", |screen| (screen.contents().matches("GET /hello.txt").count() >= 2).then_some(()));
    assert!(fetch(port).is_ok());
    terminal
        .wait("what came meanwhile", |screen| (screen.contents().matches("GET /hello.txt").count() >= 3).then_some(()));
    terminal.send(CTRL_C);
    terminal.wait_line("tetra>");
    terminal.send("!clear\r");
    terminal.wait_gone("GET");
    terminal.send(&format!("tsm restart {name}\r"));
    terminal.wait_for(&format!("restarted {name}"));
    terminal.wait_line("1↑ tetra>");
    eventually("it serves", || fetch(port).is_ok_and(|text| text.contains("hello newcomer")));
    terminal.send(&format!("tsm stop {name}; tsm delete {name}; !echo do''ne\r"));
    terminal.wait_for("done");
    terminal.wait_line("tetra>");
    assert!(fetch(port).is_err());
    leave(terminal);
}
