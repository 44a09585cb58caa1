//! What is typed at the prompt: help on the way, what questions take, a session that is left alone.

use std::time::{Duration, Instant};

use crate::pty::{Terminal, TestHome, current_line};
use crate::repl::{CTRL_C, leave, run, session, stopped};
use crate::waiting::eventually;

const F1: &str = "\x1bOP";
const LEFT: &str = "\x1b[D";

#[test]
fn f1_shows_the_help_of_what_the_cursor_is_on_and_keeps_the_line() {
    let home = TestHome::new();
    let mut terminal = session(&home);
    terminal.send("logs api --lines 5");
    terminal.wait_line("> logs api --lines 5");
    terminal.send(&LEFT.repeat(2));
    terminal.send(F1);
    terminal.wait_for("`tsm logs --help` shows the whole command");
    assert!(terminal.contents().contains("-n, --lines"), "{}", terminal.contents());
    terminal.wait_line("> logs api --lines 5");
    // The cursor is where it was.
    terminal.send("=");
    terminal.wait_line("> logs api --lines= 5");
    terminal.send("\x03");
    terminal.wait_line("tetra>");
    terminal.send("use @de");
    terminal.wait_line("> use @de");
    terminal.send("\x15use");
    terminal.wait_line("> use");
    terminal.send(F1);
    terminal.wait_for("Effect: changes only this session");
    terminal.wait_line("> use");
    assert!(terminal.bytes().contains("Usage: use [OPTIONS]"), "{}", terminal.bytes());
    terminal.send(" @dev\r");
    terminal.wait_line("-/dev>");
    leave(terminal);
}

/// A production environment, and one more.
fn production(home: &TestHome, settings: &str) {
    home.write("tetra/org/acme/environments/prod.toml", "");
    home.write("tetra/org/acme/environments/dev.toml", "");
    home.write("config/tetra/config.toml", settings);
}

#[test]
fn a_session_that_is_left_alone_in_production_returns_to_the_default_environment() {
    let home = TestHome::new();
    production(&home, "idle = \"1s\"\n");
    let mut terminal = session(&home);
    terminal.send("use @prod\r");
    terminal.wait_for("this session has left acme/prod for no environment; `use @prod` returns");
    terminal.wait_line("acme/->");
    // What is typed stays.
    terminal.send("set idle off; use @prod\r");
    terminal.wait_line("acme/PROD>");
    terminal.send("set idle 1s\r");
    terminal.wait("the default environment", |screen| current_line(screen).starts_with("acme/->").then_some(()));
    run(&mut terminal, "set idle 15x", "[2] acme/->");
    terminal.wait_for("invalid value `15x` for `idle`");
    leave(terminal);
}

#[test]
fn where_production_is_the_default_a_session_left_alone_goes_to_local_and_keeps_its_line() {
    let home = TestHome::new();
    home.write("tetra/org/acme/environments/prod.toml", "");
    home.write("config/tetra/config.toml", "idle = \"2s\"\n");
    let mut terminal = Terminal::start(home.tetra());
    terminal.wait_line("acme/PROD>");
    terminal.send("version");
    terminal.wait_for("this session has left acme/prod for acme/local");
    terminal.wait_line("acme/local> version");
    terminal.send("\r");
    terminal.wait_for("tetra 0.");
    leave(terminal);
}

#[test]
fn what_is_said_to_a_session_left_alone_is_not_drawn_over() {
    for (keys, seen, line) in [
        ("tsm st\t", "Start all enabled services", "acme/local> tsm st"),
        ("version 'a\r b\x1b[A", "... ", "acme/local> version 'a"),
    ] {
        let home = TestHome::new();
        home.write("tetra/org/acme/environments/prod.toml", "");
        // Longer than a busy machine needs from the prompt to the keys.
        home.write("config/tetra/config.toml", "idle = \"6s\"\n");
        let mut terminal = Terminal::start(home.tetra());
        terminal.wait_line("acme/PROD>");
        terminal.send(keys);
        terminal.wait_for(seen);
        terminal.wait("what is said, and the line below without a menu", |screen| {
            let text = screen.contents();
            let (_, below) = text.split_once("this session has left acme/prod for acme/local")?;
            let is_kept = below.contains(line) && current_line(screen).starts_with(line);
            (is_kept && !below.contains("Start all enabled services")).then_some(())
        });
        terminal.send(CTRL_C);
        leave(terminal);
    }
}

#[test]
fn a_plain_prompt_left_alone_in_production_does_not_run_the_line() {
    let home = TestHome::new();
    home.write("tetra/org/acme/environments/prod.toml", "");
    home.write("config/tetra/config.toml", "idle = \"1s\"\n");
    stopped(&home, "api", 0);
    let mut command = home.tetra();
    command.env("TERM", "dumb");
    let mut terminal = Terminal::start(command);
    terminal.wait_line("acme/PROD>");
    let shown = Instant::now();
    eventually("the time passes", || shown.elapsed() > Duration::from_secs(1));
    terminal.send("tsm delete api\r");
    terminal.wait_for("the line was not run");
    terminal.wait_line("acme/local>");
    assert!(home.path("tetra/tsm/runtime/processes/api").exists());
    terminal.send("\x04");
    assert_eq!(terminal.end(), 0, "{}", terminal.contents());
}

#[test]
fn a_question_left_open_in_production_is_answered_with_no() {
    let home = TestHome::new();
    home.write("tetra/org/acme/environments/prod.toml", "");
    home.write("tetra/org/acme/environments/dev.toml", "");
    stopped(&home, "api", 0);
    for plain in [false, true] {
        let mut command = home.tetra();
        if plain {
            command.env("TERM", "dumb");
        }
        let mut terminal = Terminal::start(command);
        terminal.wait_line("acme/->");
        // Also that of a command that is in production by its option, and of a piped one. The session stays where it is.
        for line in ["tsm delete --env prod api", "tsm delete --env prod api | cat"] {
            let written = terminal.written();
            terminal.send(&format!("set idle 1s; set confirm yes; {line}\r"));
            terminal.wait_beyond("the end of the question", written, |text| {
                text.contains("no answer for 1s, which is taken for a no").then_some(())
            });
            terminal.wait_line("acme/->");
        }
        let written = terminal.written();
        terminal.send("use @prod; tsm delete api\r");
        terminal.wait_beyond("the question", written, |text| text.contains("continue? [y/N]").then_some(()));
        // What was begun of the answer does not begin the next line.
        terminal.send("y");
        terminal.wait_for("`tsm delete` was not confirmed; nothing was changed");
        terminal.wait_for("nothing was typed for 1s: this session has left acme/prod for no environment");
        terminal.wait("the prompt without what was typed", |screen| {
            current_line(screen).trim_end().ends_with("acme/->").then_some(())
        });
        assert!(home.path("tetra/tsm/runtime/processes/api").exists());
        leave(terminal);
    }
}

#[test]
fn how_questions_are_answered_can_be_set() {
    let home = TestHome::new();
    production(&home, "");
    stopped(&home, "api", 0);
    let mut terminal = session(&home);
    run(&mut terminal, "use @prod", "acme/PROD>");
    terminal.send("tsm delete api\r");
    terminal.wait_for("continue?");
    terminal.send("y\r");
    terminal.wait_line("[4] acme/PROD>");
    run(&mut terminal, "set confirm yes", "acme/PROD>");
    terminal.send("tsm delete api\r");
    terminal.wait("a second question", |screen| (screen.contents().matches("continue?").count() == 2).then_some(()));
    terminal.send("y\r");
    terminal.wait_for("deleted api");
    assert!(!home.path("tetra/tsm/runtime/processes/api").exists());
    run(&mut terminal, "set confirm no", "[2] acme/PROD>");
    leave(terminal);
}

const CTRL_Z: &str = "\x1a";

#[test]
fn an_abbreviation_is_written_out_at_a_blank_and_undo_gives_the_word_back() {
    let home = TestHome::new();
    home.write("config/tetra/config.toml", "[abbreviations]\nhl = 'help lines'\n");
    let mut terminal = session(&home);
    terminal.send("hl ");
    terminal.wait_line("> help lines");
    terminal.send(CTRL_Z);
    terminal.wait("the word that was typed", |screen| current_line(screen).trim_end().ends_with("> hl").then_some(()));
    terminal.send("\x03");
    terminal.wait_line("tetra>");
    run(&mut terminal, "abbr ud='use @dev'", "tetra>");
    // In quotes, and as an argument, it is a word like others.
    terminal.send("help 'ud x' ud ud");
    terminal.wait_line("> help 'ud x' ud ud");
    terminal.send("\x03");
    terminal.wait_line("tetra>");
    terminal.send("version; ud");
    terminal.wait_line("> version; ud");
    terminal.send("\r");
    terminal.wait_line("-/dev>");
    run(&mut terminal, "history -n 1", "-/dev>");
    terminal.wait_for("version; use @dev");
    run(&mut terminal, "abbr --remove ud", "-/dev>");
    terminal.send("ud\r");
    terminal.wait_line("[2] -/dev>");
    run(&mut terminal, "abbr cd=version", "[2] -/dev>");
    terminal.wait_for("`cd` is a command");
    leave(terminal);
}

#[test]
fn aliases_and_abbreviations_that_are_saved_are_there_in_the_next_session() {
    let home = TestHome::new();
    let config =
        home.write("config/tetra/config.toml", "# mine\nplain = false # as it is\n[aliases]\nold = \"version\"\n");
    let mut terminal = session(&home);
    run(&mut terminal, "alias --save d='use @dev'", "tetra>");
    run(&mut terminal, "abbr --save us='use @staging'", "tetra>");
    run(&mut terminal, "alias here=version", "tetra>");
    terminal.send("alias\r");
    terminal.wait_for("config.toml:5");
    terminal.wait_for("this session");
    leave(terminal);
    let text = std::fs::read_to_string(&config).expect("what the test needs");
    assert!(text.starts_with("# mine\nplain = false # as it is\n[aliases]\nold = \"version\"\n"), "{text}");
    let mut terminal = session(&home);
    run(&mut terminal, "d", "-/dev>");
    terminal.send("us\r");
    terminal.wait_line("-/staging>");
    run(&mut terminal, "unalias here", "[5] -/staging>");
    run(&mut terminal, "unalias old", "-/staging>");
    terminal.wait_for("it is back at the next start");
    run(&mut terminal, "unalias --save old", "-/staging>");
    run(&mut terminal, "unalias --save d", "-/staging>");
    run(&mut terminal, "abbr --save --remove us", "-/staging>");
    leave(terminal);
    let text = std::fs::read_to_string(&config).expect("what the test needs");
    assert!(!["old", "@dev", "@staging"].iter().any(|gone| text.contains(gone)), "{text}");
    assert!(text.starts_with("# mine\nplain = false # as it is\n"), "{text}");
    let terminal = session(&home);
    leave(terminal);
}

#[test]
fn a_plain_prompt_shows_what_an_abbreviation_is() {
    let home = TestHome::new();
    home.write("config/tetra/config.toml", "[abbreviations]\nud = 'use @dev'\n");
    let mut command = home.tetra();
    command.env("TERM", "dumb");
    let mut terminal = Terminal::start(command);
    terminal.wait_line("tetra>");
    terminal.send("ud\r");
    terminal.wait_for("runs `use @dev`");
    terminal.wait_line("-/dev>");
    terminal.send("\x04");
    assert_eq!(terminal.end(), 0, "{}", terminal.contents());
}

#[test]
fn a_joiner_that_is_typed_is_kept_at_letters_and_seen_elsewhere() {
    let home = TestHome::new();
    let mut terminal = session(&home);
    // All at once, as an input method gives a word.
    terminal.send("a\u{200d}b\u{fe0f}!");
    terminal.wait_line(r"tetra> a\u{200d}b\u{fe0f}!");
    // A key at a time.
    for (key, line) in [("\u{200d}", r"b\u{fe0f}!\u{200d}"), ("\u{fe0f}", r"!\u{200d}\u{fe0f}"), ("z", r"\u{fe0f}z")] {
        terminal.send(key);
        terminal.wait_line(line);
    }
    for raw in ["\u{200d}", "\u{fe0f}"] {
        assert!(!terminal.bytes().contains(raw), "{raw:?}");
    }
    terminal.send(CTRL_C);
    terminal.wait_line("tetra>");
    for whole in ["👩\u{200d}🚀", "❤\u{fe0f}\u{200d}🔥", "1\u{fe0f}", "क\u{94d}\u{200d}ष"] {
        let from = terminal.written();
        terminal.send(&format!("{whole}!"));
        terminal.wait_beyond(whole, from, |text| text.contains(&format!("{whole}!")).then_some(()));
    }
    let from = terminal.written();
    terminal.send("日x");
    terminal.wait_beyond("the letters", from, |text| text.contains("日x").then_some(()));
    terminal.send(LEFT);
    terminal.wait("the cursor on the last letter", |screen| {
        let (row, column) = screen.cursor_position();
        (screen.cell(row, column)?.contents() == "x").then_some(())
    });
    let from = terminal.written();
    terminal.send("\u{200c}");
    terminal.wait_beyond("the letter before is known", from, |text| text.contains("日\u{200c}").then_some(()));
    terminal.send(CTRL_C);
    terminal.wait_line("tetra>");
    leave(terminal);
}

/// Lines that write their number.
fn numbered(count: usize) -> String {
    (0..count).fold(String::new(), |text, number| text + &format!("!echo {number} >>out\r"))
}

/// What those lines wrote.
fn written(home: &TestHome) -> Vec<usize> {
    let text = std::fs::read_to_string(home.path("home/out")).unwrap_or_default();
    text.lines().map(|line| line.parse().expect("a number")).collect()
}

#[test]
fn lines_that_come_faster_than_they_run_run_in_order() {
    let home = TestHome::new();
    let mut terminal = session(&home);
    terminal.send(&numbered(300));
    eventually("all have run", || written(&home).len() >= 300);
    assert!(written(&home).into_iter().eq(0..300), "{:?}", written(&home));
    // The screen may be behind, with an earlier prompt on it.
    terminal.wait("the prompt below the last line", |screen| {
        let text = screen.contents();
        let mut rows = text.lines().rev().filter(|row| !row.trim().is_empty());
        (rows.next()?.trim_end() == "tetra>" && rows.next()?.contains("!echo 299")).then_some(())
    });
    leave(terminal);
}

/// Waits for a line of output.
fn wait_shown(terminal: &Terminal, line: &str) {
    terminal.wait("a line of output", |screen| screen.contents().lines().any(|row| row == line).then_some(()));
}

#[test]
fn control_c_drops_the_lines_behind_it() {
    let home = TestHome::new();
    let mut terminal = session(&home);
    // While lines run one after the other, and while one command runs, for which the terminal makes a signal of it.
    for (last, behind) in [("", 300), ("!echo now; exec sleep 60\r", 50)] {
        terminal.send(&format!("{}{last}", numbered(20)));
        match last {
            "" => eventually("some have run", || !written(&home).is_empty()),
            _ => wait_shown(&terminal, "now"),
        }
        terminal.send(&numbered(behind));
        terminal.send(CTRL_C);
        terminal.send("!echo aft''er\r");
        wait_shown(&terminal, "after");
        terminal.wait_line("tetra>");
        assert!(written(&home).len() < 20 + behind, "{:?}", written(&home));
        run(&mut terminal, "!rm out; clear", "tetra>");
    }
    leave(terminal);
}

#[test]
fn a_program_gets_the_lines_that_are_pasted_behind_it() {
    let home = TestHome::new();
    let mut terminal = session(&home);
    // What is typed before the editor asks for keys is its own.
    terminal.send("!");
    terminal.wait_line("tetra> !");
    terminal.send("read first; read second; echo got-$first-$second\rone\rtwo\r!echo aft''er\r");
    wait_shown(&terminal, "got-one-two");
    wait_shown(&terminal, "after");
    leave(terminal);
}

#[test]
fn a_command_that_could_ask_and_does_not_leaves_the_lines_behind_it() {
    let home = TestHome::new();
    stopped(&home, "api", 0);
    let mut terminal = session(&home);
    for number in 0..10 {
        terminal.send(&format!("!sleep 0.05\rtsm delete nothere\r!echo aft''er {number}\r"));
        wait_shown(&terminal, &format!("after {number}"));
        terminal.wait_line("tetra>");
    }
    leave(terminal);
}

#[test]
fn alt_dot_inserts_the_last_argument_of_earlier_lines() {
    const ALT_DOT: &str = "\x1b.";
    let home = TestHome::new();
    let mut terminal = session(&home);
    run(&mut terminal, "use @dev", "-/dev>");
    run(&mut terminal, "help 'search'", "-/dev>");
    terminal.send("watch x");
    terminal.wait_line("> watch x");
    terminal.send(&format!(" {ALT_DOT}"));
    terminal.wait_line("> watch x 'search'");
    terminal.send(ALT_DOT);
    terminal.wait("the one before", |screen| current_line(screen).trim_end().ends_with("> watch x @dev").then_some(()));
    // Only these two lines have an argument.
    terminal.send(ALT_DOT);
    terminal.send("!");
    terminal.wait_line("> watch x @dev!");
    terminal.send(ALT_DOT);
    terminal.wait_line("> watch x @dev!'search'");
    terminal.send(CTRL_C);
    terminal.wait_line(">");
    leave(terminal);
}
