//! What a session shows in a real pseudo-terminal: marks, menus, colours, and that nothing of it is left behind.

use regex::Regex;
use vt100::Color;

use crate::pty::{Terminal, TestHome, colour_of, current_line};
use crate::repl::{CTRL_C, leave, run, session, stopped};

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
    terminal.wait_written("\x1b]133;D;0\x1b\\", 2);
    terminal.wait("a new prompt", |screen| (current_line(screen).trim_end() == "-/dev>").then_some(()));
    let bytes = terminal.bytes();
    let (_, after) = bytes.split_once("\x1b]133;C\x1b\\").expect("the output begins");
    let (_, failed) = after.split_once("\x1b]133;D;0\x1b\\").expect("it ends");
    assert!(failed.contains("\x1b]2;-/dev\x1b\\"), "{failed:?}");
    let mark = |text: &str| failed.find(text).unwrap_or_else(|| panic!("{text:?} in {failed:?}"));
    let order = ["\x1b]133;A;k=i\x1b\\", "\x1b]133;B\x1b\\", "\x1b]133;C\x1b\\", "\x1b]133;D;2\x1b\\"].map(mark);
    assert!(order.is_sorted(), "{order:?} in {failed:?}");
    assert!(bytes.contains("\x1b]2;-/dev version\x1b\\"), "{bytes:?}");
    terminal.send("use");
    terminal.wait_line("-/dev> use");
    let from = terminal.written();
    terminal.send("\x1bOP");
    terminal.wait_beyond("the help between marks of its own", from, |text| {
        let (_, begun) = text.split_once("\x1b]133;C\x1b\\")?;
        let (shown, _) = begun.split_once("\x1b]133;D;0\x1b\\")?;
        shown.contains("Usage: use").then_some(())
    });
    terminal.wait_line("-/dev> use");
    terminal.send(CTRL_C);
    terminal.wait("a new prompt", |screen| (current_line(screen).trim_end() == "-/dev>").then_some(()));
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

/// The records of `count` stopped processes, `p000` and so on.
fn many(home: &TestHome, count: u32) {
    for number in 0..count {
        stopped(home, &format!("p{number:03}"), number);
    }
}

/// The rows of the screen that show a candidate of [`many`].
fn menu_rows(screen: &vt100::Screen) -> Vec<String> {
    lines(screen).into_iter().filter(|line| line.trim_start_matches("> ").trim_start().starts_with('p')).collect()
}

#[test]
fn a_menu_takes_half_of_the_screen_and_says_how_many_more_there_are() {
    let home = TestHome::new();
    many(&home, 50);
    let mut terminal = session(&home);
    terminal.send("tsm stop p\t");
    terminal.wait_for("… 39 more");
    terminal.wait("eleven of them", |screen| (menu_rows(screen).len() == 11).then_some(()));
    terminal.wait_selected("p000");
    // Back from the first one is the last one, which is shown with those before it.
    terminal.send("\x1b[Z");
    terminal.wait_selected("p049");
    terminal.wait("the last eleven", |screen| (menu_rows(screen).first()?.starts_with("p039")).then_some(()));
    terminal.wait_for("… 39 more");
    terminal.send("\t");
    terminal.wait_selected("p000");
    for _ in 0..11 {
        terminal.send("\x1b[B");
    }
    terminal.wait_selected("p011");
    terminal.wait("it went on by one", |screen| (menu_rows(screen).first()?.starts_with("p001")).then_some(()));
    terminal.send("\r");
    terminal.wait("the chosen one", |screen| current_line(screen).contains("tsm stop p011").then_some(()));
    terminal.wait_gone("more");
    terminal.send(CTRL_C);
    leave(terminal);
}

#[test]
fn a_menu_of_few_says_nothing_of_more() {
    let home = TestHome::new();
    many(&home, 12);
    let mut terminal = session(&home);
    terminal.send("tsm stop p\t");
    terminal.wait("all twelve", |screen| (menu_rows(screen).len() == 12).then_some(()));
    assert!(!terminal.contents().contains("more"), "{}", terminal.contents());
    terminal.send(CTRL_C);
    leave(terminal);
}

#[test]
fn without_colour_the_chosen_row_has_a_mark_and_its_own_letters() {
    let home = TestHome::new();
    many(&home, 3);
    let mut terminal = session_with(&home, &[("NO_COLOR", "1")]);
    terminal.send("tsm stop p\t");
    let marked = |terminal: &Terminal, name: &'static str| {
        terminal.wait(name, |screen| {
            let rows = menu_rows(screen);
            let chosen: Vec<_> = rows.iter().filter(|row| row.starts_with("> ")).collect();
            (rows.len() == 3 && chosen.len() == 1 && chosen[0].starts_with(&format!("> {name} "))).then_some(())
        });
    };
    marked(&terminal, "p000");
    terminal.send("\t");
    marked(&terminal, "p001");
    terminal.send(CTRL_C);
    leave(terminal);
}

/// Fills the screen, so that the prompt is in its last row.
fn at_the_bottom(terminal: &mut Terminal) {
    terminal.send("!seq 30\r");
    terminal.wait("a prompt in the last row", |screen| {
        (screen.cursor_position().0 + 1 == screen.size().0.get() && current_line(screen).contains('>')).then_some(())
    });
}

#[test]
fn a_menu_at_the_bottom_leaves_the_screen_and_what_is_scrolled_back_to_as_they_were() {
    let home = TestHome::new();
    many(&home, 50);
    let mut terminal = session(&home);
    at_the_bottom(&mut terminal);
    for _ in 0..3 {
        terminal.send("tsm stop p\t");
        terminal.wait_for("… 39 more");
        terminal.send("\x1b");
        terminal.wait_gone("more");
        terminal.send(CTRL_C);
        terminal.wait("a new prompt", |screen| (current_line(screen).trim_end() == "tetra>").then_some(()));
    }
    let all = terminal.scrolled_and_shown();
    let numbers: Vec<&str> = all.iter().map(|line| line.trim()).filter(|line| line.parse::<u8>().is_ok()).collect();
    let wanted: Vec<String> = (1..=30).map(|number| number.to_string()).collect();
    assert_eq!(numbers, wanted, "each line of the output once and in order:\n{}", all.join("\n"));
    assert!(!all.iter().any(|line| line.contains("more") || line.starts_with('p')), "{}", all.join("\n"));
    leave(terminal);
}

#[test]
fn a_long_ghost_is_cut_to_the_line_and_accepted_whole() {
    let home = TestHome::new();
    let mut terminal = session(&home);
    let long = format!("version # {}", "y".repeat(150));
    run_wrapped(&mut terminal, &long);
    at_the_bottom(&mut terminal);
    terminal.send("ver");
    terminal.wait("a ghost in one row", |screen| {
        let line = current_line(screen);
        (line.trim_end().ends_with("yy…") && screen.cursor_position().0 == 23).then_some(())
    });
    let before = terminal.scrolled_and_shown().len();
    terminal.send("si");
    terminal.wait("the same", |screen| {
        (screen.cursor_position().1 == 12 && current_line(screen).contains("tetra> version # yy")).then_some(())
    });
    assert_eq!(terminal.scrolled_and_shown().len(), before, "nothing scrolled");
    terminal.send("\x1b[C");
    terminal.wait("all of it", |screen| screen.contents().replace('\n', "").contains(&long).then_some(()));
    terminal.send(CTRL_C);
    leave(terminal);
}

/// Runs a line that is longer than a row.
fn run_wrapped(terminal: &mut Terminal, line: &str) {
    terminal.send(line);
    terminal.wait("the line", |screen| screen.contents().replace('\n', "").contains(line).then_some(()));
    terminal.send("\r");
    terminal.wait("a new prompt", |screen| (current_line(screen).trim_end() == "tetra>").then_some(()));
}

#[test]
fn a_ghost_of_several_lines_shows_its_first() {
    let home = TestHome::new();
    let mut terminal = session(&home);
    terminal.send("version\x1b\r# second");
    terminal.wait_line("... # second");
    terminal.send("\r");
    terminal.wait("a new prompt", |screen| (current_line(screen).trim_end() == "tetra>").then_some(()));
    terminal.send("ver");
    terminal.wait("one row of it", |screen| {
        let (row, _) = screen.cursor_position();
        let (_, columns) = screen.size();
        let below = screen.rows(0, columns.get()).nth(usize::from(row) + 1)?;
        (current_line(screen).trim_end() == "tetra> version…" && below.trim().is_empty()).then_some(())
    });
    terminal.send("\x1b[C");
    terminal.wait_line("... # second");
    terminal.send(CTRL_C);
    leave(terminal);
}

/// The colour and the line below of the first character of a text in the line of the cursor.
fn look_of(screen: &vt100::Screen, text: &str) -> Option<(Color, bool)> {
    let line = current_line(screen);
    let column = line[..line.find(text)?].chars().count();
    let cell = screen.cell(screen.cursor_position().0, column.try_into().ok()?)?;
    Some((cell.fgcolor(), cell.underline()))
}

#[test]
fn options_values_and_names_are_judged_while_they_are_typed() {
    let home = TestHome::new();
    stopped(&home, "api", 0);
    let mut terminal = session(&home);
    let (red, blue, plain) = (Color::Idx(1), Color::Idx(4), Color::Default);
    for (line, word, look) in [
        ("tsm stop api ", "api", (blue, false)),
        ("tsm stop apx ", "apx", (plain, false)),
        ("tsm stop $last ", "$last", (plain, false)),
        ("tsm stop $nosuch ", "$nosuch", (red, true)),
        ("help lines ", "lines", (blue, false)),
        ("help nosuch ", "nosuch", (red, true)),
        ("tsm stop --json", "--json", (blue, false)),
        ("tsm stop --jso", "--jso", (plain, false)),
        ("tsm stop --jsx", "--jsx", (red, true)),
        ("stop --jsx api ", "--jsx", (red, true)),
        ("tsm stop --env prod api", "prod", (red, false)),
        ("tsm stop --env dev api", "dev", (blue, false)),
        ("set edit-mode vi", "vi", (blue, false)),
        ("set edit-mode ed", "ed", (blue, false)),
        ("set edit-mode ex ", "ex", (red, true)),
        ("version --color never", "never", (blue, false)),
        ("version --color nev", "nev", (plain, false)),
        ("version --color now", "now", (red, true)),
    ] {
        terminal.send(line);
        terminal.wait(&format!("{word:?} of {line:?} as {look:?}"), |screen| {
            (look_of(screen, word)? == look).then_some(())
        });
        terminal.send(CTRL_C);
        terminal.wait("a new prompt", |screen| (current_line(screen).trim_end() == "tetra>").then_some(()));
    }
    leave(terminal);
}

#[test]
fn what_a_command_still_takes_is_shown_behind_the_cursor() {
    let home = TestHome::new();
    let mut terminal = session(&home);
    terminal.send("set");
    terminal.wait_line("set [KEY] [VALUE]");
    terminal.wait("it is grey", |screen| (look_of(screen, "[KEY]")?.0 == Color::Idx(8)).then_some(()));
    terminal.send(" edit-mode ");
    terminal.wait_line("set edit-mode [VALUE]");
    // It is not text, and does not go into the line.
    terminal.send("\x1b[C");
    terminal.send("vi");
    terminal
        .wait("nothing is left", |screen| current_line(screen).trim_end().ends_with("set edit-mode vi").then_some(()));
    terminal.send("\r");
    terminal.wait_line("tetra>");
    terminal.send("set pl");
    terminal.wait_line("set pl");
    terminal.send("ain off\r");
    terminal.wait_line("tetra>");
    // A line of the history comes first.
    terminal.send("set");
    terminal.wait("the ghost", |screen| current_line(screen).contains("set plain off").then_some(()));
    terminal.send(CTRL_C);
    leave(terminal);
}

#[test]
fn a_theme_changes_the_colours_of_the_prompt_the_line_and_the_output() {
    let home = TestHome::new();
    home.write("config/tetra/config.toml", "theme = \"blue-orange\"\n");
    let mut terminal = session(&home);
    let is = |terminal: &Terminal, word: &'static str, look| {
        terminal.wait(&format!("{word} as {look:?}"), |screen| (look_of(screen, word)? == look).then_some(()));
    };
    terminal.send("version --x");
    is(&terminal, "version", (Color::Idx(33), false));
    is(&terminal, "--x", (Color::Idx(208), true));
    terminal.send("\r");
    terminal.wait_line("[2] tetra>");
    terminal.wait("the error", |screen| (colour_of(screen, "error")? == Color::Idx(208)).then_some(()));
    run(&mut terminal, "set theme mono", "tetra>");
    let from = terminal.written();
    terminal.send("version --x '1' @prod\r");
    terminal.wait_line("[2] tetra>");
    let after = terminal.wait_beyond("the output", from, |text| text.contains("[2]").then(|| text.to_owned()));
    let codes = Regex::new("\x1b\\[(?:[0-9]*;)*(3[0-8]|4[0-8]|9[0-7])m").expect("a pattern");
    assert!(!codes.is_match(&after), "{after:?}");
    assert!(after.contains("\x1b[4m"), "what is wrong is underlined: {after:?}");
    terminal.send("set theme \t");
    terminal.wait_for("without red and green");
    terminal.send(CTRL_C);
    terminal.wait_line(">");
    run(&mut terminal, "set theme pink", "[2] tetra>");
    terminal.wait_for("expected default, red-green, light, contrast, blue-orange or mono");
    leave(terminal);
}

#[test]
fn the_prompt_without_an_editor_is_offered_once() {
    let home = TestHome::new();
    for times in [1, 0] {
        let terminal = session_with(&home, &[("ACCESSIBILITY_ENABLED", "1")]);
        let offers = terminal.bytes().matches("gives a prompt without an editor").count();
        assert_eq!(offers, times, "{}", terminal.contents());
        leave(terminal);
    }
    assert!(home.path("state/tetra/plain-offered").exists());
}

/// How often each row of the screen that is not blank is there.
fn prompts(screen: &vt100::Screen) -> usize {
    lines(screen).iter().filter(|line| line.contains("tetra> use")).count()
}

/// The sizes a terminal is given while a line is edited.
const SIZES: [(u16, u16); 6] = [(24, 40), (24, 120), (10, 100), (40, 100), (12, 30), (24, 100)];

#[test]
fn resizing_leaves_nothing_behind() {
    for fill in [false, true] {
        let home = TestHome::new();
        let mut terminal = session(&home);
        if fill {
            at_the_bottom(&mut terminal);
        }
        terminal.send("use @dev");
        terminal.wait_line("use @dev");
        for (number, (rows, columns)) in SIZES.into_iter().enumerate() {
            terminal.resize_and_wait(rows, columns);
            terminal.send(&number.to_string());
            terminal.wait(&format!("one prompt at {rows} rows and {columns} columns, filled: {fill}"), |screen| {
                let typed: String = (0..=number).map(|number| number.to_string()).collect();
                let has_line = current_line(screen).contains(&format!("tetra> use @dev{typed}"));
                (has_line && prompts(screen) == 1 && !screen.hide_cursor()).then_some(())
            });
        }
        terminal.send(CTRL_C);
        leave(terminal);
    }
}

#[test]
fn resizing_a_line_of_several_rows_leaves_nothing_behind() {
    let words: Vec<String> = (10..60).map(|number| format!("w{number}")).collect();
    let line = format!("use {}", words.join(" "));
    for (fill, reflows) in [(false, false), (true, false), (false, true), (true, true)] {
        let home = TestHome::new();
        let mut terminal = session(&home);
        if fill {
            at_the_bottom(&mut terminal);
        }
        terminal.send(&line);
        terminal.wait("the line", |screen| (screen.contents().contains("w59") && !screen.hide_cursor()).then_some(()));
        for (rows, columns) in [(24, 70), (24, 120), (24, 170), (24, 90), (24, 100)] {
            match reflows {
                true => terminal.reflow_and_wait(rows, columns),
                false => terminal.resize_and_wait(rows, columns),
            }
            terminal.wait(&format!("each word once at {columns} columns, filled: {fill}, {reflows}"), |screen| {
                let shown: String = lines(screen).concat();
                let is_once = |word: &&str| shown.matches(word).count() == 1;
                let is_whole = ["tetra>", "w10", "w59"].iter().all(is_once);
                (is_whole && !screen.hide_cursor()).then_some(())
            });
        }
        terminal.send(CTRL_C);
        leave(terminal);
    }
}

#[test]
fn resizing_with_an_open_menu_leaves_nothing_behind() {
    for fill in [false, true] {
        let home = TestHome::new();
        many(&home, 50);
        let mut terminal = session(&home);
        if fill {
            at_the_bottom(&mut terminal);
        }
        terminal.send("tsm stop p\t");
        terminal
            .wait("a menu", |screen| (screen.contents().contains("… 39 more") && !screen.hide_cursor()).then_some(()));
        for (rows, columns) in SIZES {
            terminal.resize_and_wait(rows, columns);
            let half = usize::from(rows) / 2;
            terminal.wait(&format!("a menu of half of {rows} rows and {columns} columns, filled: {fill}"), |screen| {
                let shown = lines(screen);
                let more = shown.iter().filter(|line| line.contains(&format!("… {} more", 50 - (half - 1)))).count();
                let prompts = shown.iter().filter(|line| line.contains("> tsm stop")).count();
                let is_painted = !screen.hide_cursor();
                (menu_rows(screen).len() == half - 1 && more == 1 && prompts == 1 && is_painted).then_some(())
            });
        }
        terminal.send("\x1b");
        terminal.wait("no menu", |screen| {
            (menu_rows(screen).is_empty() && !screen.contents().contains("more")).then_some(())
        });
        terminal.send(CTRL_C);
        leave(terminal);
    }
}

#[test]
fn what_is_typed_at_any_moment_after_enter_is_on_the_next_prompt() {
    let home = TestHome::new();
    let mut terminal = session(&home);
    for number in 0..20 {
        // The second part comes while the modes of the terminal change.
        terminal.send("version\r");
        terminal.wait("it runs", |screen| (!current_line(screen).contains("tetra> v")).then_some(()));
        terminal.send(&format!("# part {number}"));
        terminal.wait_line(&format!("tetra> # part {number}"));
        terminal.send(CTRL_C);
        terminal.wait("a new prompt", |screen| (current_line(screen).trim_end() == "tetra>").then_some(()));
    }
    leave(terminal);
}
