//! Keys, pastes and other sizes while a menu is open: nothing is left behind, and nothing is lost.

use vt100::Color;

use crate::pty::{Terminal, TestHome, current_line};
use crate::repl::{CTRL_C, PASTE, UP, leave, run, stopped};

const CTRL_D: &str = "\x04";
const CTRL_G: &str = "\x07";
const CTRL_R: &str = "\x12";
const CTRL_X_E: &str = "\x18\x05";
const DOWN: &str = "\x1b[B";
const ESCAPE: &str = "\x1b";
const F1: &str = "\x1bOP";
const PAGE_DOWN: &str = "\x1b[6~";
const PAGE_UP: &str = "\x1b[5~";

/// The rows of the screen, without blanks at their ends.
fn rows(screen: &vt100::Screen) -> Vec<String> {
    screen.rows(0, screen.size().1.get()).map(|row| row.trim_end().to_owned()).collect()
}

/// Waits until the rows from that of the cursor down are these, and the line was painted.
fn wait_below(terminal: &Terminal, wanted: &[&str]) {
    terminal.wait(&format!("{wanted:?} from the cursor down"), |screen| {
        let below = rows(screen).split_off(screen.cursor_position().0.into());
        let shown = below.iter().rposition(|row| !row.is_empty()).map_or(0, |last| last + 1);
        let is_same = shown == wanted.len() && below.iter().zip(wanted).all(|(row, wanted)| row.contains(wanted));
        (is_same && !screen.hide_cursor()).then_some(())
    });
}

/// Drops the line, wherever the cursor is in it, and waits for the next prompt.
fn drop_line(terminal: &mut Terminal) {
    terminal.send(CTRL_C);
    terminal.wait("a new prompt", |screen| current_line(screen).trim_end().ends_with("tetra>").then_some(()));
}

/// A session with three processes, and lines in its history.
fn filled(home: &TestHome, vi: bool) -> Terminal {
    for (id, name) in ["api", "app", "apt"].into_iter().enumerate() {
        stopped(home, name, u32::try_from(id).expect("small"));
    }
    if vi {
        home.write("config/tetra/config.toml", "edit-mode = \"vi\"\n");
    }
    let mut command = home.tetra();
    command.env("EDITOR", "/nowhere/ed");
    let mut terminal = Terminal::start(command);
    terminal.wait_line("tetra>");
    run(&mut terminal, "# tsm stop app old", "tetra>");
    run(&mut terminal, "# tsm stop apt old", "tetra>");
    terminal.send("\x0c");
    wait_below(&terminal, &["tetra>"]);
    terminal
}

/// Opens the menu of processes behind `tsm stop ap`.
fn open_candidates(terminal: &mut Terminal) {
    terminal.send("tsm stop ap\t");
    wait_below(terminal, &["tetra> tsm stop ap", "api", "app", "apt"]);
}

#[test]
fn control_r_leaves_candidates_for_the_history() {
    for vi in [false, true] {
        let home = TestHome::new();
        let mut terminal = filled(&home, vi);
        open_candidates(&mut terminal);
        terminal.send(CTRL_R);
        wait_below(&terminal, &["(history)> tsm stop ap", "# tsm stop apt old", "# tsm stop app old"]);
        terminal.wait_selected("# tsm stop apt old");
        terminal.send(CTRL_R);
        terminal.wait_selected("# tsm stop app old");
        terminal.send("\r");
        wait_below(&terminal, &["tetra> # tsm stop app old"]);
        drop_line(&mut terminal);
        // All at once.
        terminal.send(&format!("tsm stop ap\t{CTRL_R}{CTRL_R}"));
        terminal.wait_selected("# tsm stop app old");
        drop_line(&mut terminal);
        leave(terminal);
    }
}

#[test]
fn control_d_closes_a_menu_before_it_leaves() {
    for vi in [false, true] {
        let home = TestHome::new();
        let mut terminal = filled(&home, vi);
        terminal.send(CTRL_R);
        terminal.wait_for("(history)>");
        terminal.send(CTRL_D);
        wait_below(&terminal, &["tetra>"]);
        terminal.send(&format!("{CTRL_R}{CTRL_D}# here"));
        wait_below(&terminal, &["tetra> # here"]);
        // On a line it deletes, as without a menu.
        terminal.send("\x01");
        terminal.send(CTRL_D);
        wait_below(&terminal, &["tetra>  here"]);
        drop_line(&mut terminal);
        leave(terminal);
    }
}

#[test]
fn control_g_closes_a_menu() {
    for vi in [false, true] {
        let home = TestHome::new();
        let mut terminal = filled(&home, vi);
        terminal.send(&format!("stop{CTRL_R}"));
        terminal.wait_for("(history)> stop");
        terminal.send(CTRL_G);
        wait_below(&terminal, &["tetra> stop"]);
        drop_line(&mut terminal);
        open_candidates(&mut terminal);
        terminal.send(CTRL_G);
        wait_below(&terminal, &["tetra> tsm stop ap"]);
        // Without a menu it changes nothing that was typed, and leaves no session.
        terminal.send(&format!("{CTRL_G}i"));
        wait_below(&terminal, &["tetra> tsm stop api"]);
        drop_line(&mut terminal);
        terminal.send(&format!("{CTRL_R}{CTRL_G}{CTRL_G}# here"));
        wait_below(&terminal, &["tetra> # here"]);
        drop_line(&mut terminal);
        leave(terminal);
    }
}

#[test]
fn keys_of_vi_with_a_menu_leave_nothing_behind() {
    let home = TestHome::new();
    let mut terminal = filled(&home, true);
    open_candidates(&mut terminal);
    terminal.send(DOWN);
    terminal.wait_selected("app");
    terminal.send(ESCAPE);
    wait_below(&terminal, &["tetra< tsm stop ap"]);
    // In the normal mode too there are candidates, and a command closes or narrows them.
    terminal.send("\t");
    terminal.wait_for("apt");
    terminal.send(ESCAPE);
    wait_below(&terminal, &["tetra< tsm stop ap"]);
    terminal.send("A");
    wait_below(&terminal, &["tetra> tsm stop ap"]);
    terminal.send("\t");
    wait_below(&terminal, &["tetra> tsm stop ap", "api", "app", "apt"]);
    terminal.send(ESCAPE);
    wait_below(&terminal, &["tetra< tsm stop ap"]);
    terminal.send("dd");
    wait_below(&terminal, &["tetra<"]);
    terminal.send("u");
    wait_below(&terminal, &["tetra< tsm stop ap"]);
    terminal.send("cc");
    wait_below(&terminal, &["tetra>"]);
    terminal.send(CTRL_R);
    terminal.wait_for("(history)>");
    terminal.send(DOWN);
    terminal.send(ESCAPE);
    wait_below(&terminal, &["tetra<"]);
    terminal.send("i");
    wait_below(&terminal, &["tetra>"]);
    leave(terminal);
}

#[test]
fn a_paste_ends_the_choice_of_a_candidate_and_narrows_a_search() {
    let home = TestHome::new();
    let mut terminal = filled(&home, false);
    let pasted = |text: &str| format!("{}{text}{}", PASTE.0, PASTE.1);
    open_candidates(&mut terminal);
    terminal.send(&pasted("p --yes\nuse @dev"));
    wait_below(&terminal, &["use @dev"]);
    terminal.wait_for("tetra> tsm stop app --yes\n");
    drop_line(&mut terminal);
    terminal.send("\x0c");
    open_candidates(&mut terminal);
    // Enter runs what was pasted.
    terminal.send(&pasted("i # none; use @dev"));
    wait_below(&terminal, &["tetra> tsm stop api # none; use @dev"]);
    terminal.send("\r");
    terminal.wait_line("tetra>");
    terminal.send("\x0c");
    wait_below(&terminal, &["tetra>"]);
    terminal.send(CTRL_R);
    terminal.wait_for("(history)>");
    terminal.send(&pasted("stop old"));
    wait_below(&terminal, &["(history)> stop old", "# tsm stop apt old", "# tsm stop app old"]);
    terminal.send("\r");
    wait_below(&terminal, &["tetra> # tsm stop apt old"]);
    drop_line(&mut terminal);
    leave(terminal);
}

#[test]
fn resizing_with_an_open_search_leaves_nothing_behind() {
    for vi in [false, true] {
        let home = TestHome::new();
        let mut terminal = filled(&home, vi);
        terminal.send(&format!("stop{CTRL_R}"));
        let shown = ["(history)> stop", "# tsm stop apt old", "# tsm stop app old"];
        wait_below(&terminal, &shown);
        for (lines, columns) in [(24, 40), (24, 120), (10, 100), (40, 60), (12, 30), (24, 100)] {
            terminal.resize_and_wait(lines, columns);
            wait_below(&terminal, &shown);
        }
        terminal.send(ESCAPE);
        let mark = if vi { "tetra< stop" } else { "tetra> stop" };
        wait_below(&terminal, &[mark]);
        drop_line(&mut terminal);
        leave(terminal);
    }
}

/// The widths that a terminal which wraps its lines anew is given.
const WIDTHS: [u16; 6] = [40, 33, 120, 24, 60, 100];

#[test]
fn a_long_input_is_whole_in_a_terminal_that_wraps_its_lines_anew() {
    for vi in [false, true] {
        let home = TestHome::new();
        let mut terminal = filled(&home, vi);
        run(&mut terminal, "!seq 3", "tetra>");
        let words = (0..40).map(|number| format!("w{number}")).collect::<Vec<_>>().join(" ");
        terminal.send(&format!("alias a='{words}\r# second {words}\rthird"));
        terminal.wait_line("... third");
        for (number, columns) in WIDTHS.into_iter().enumerate() {
            terminal.reflow_and_wait(24, columns);
            terminal.send(&format!("{number}"));
            let typed: String = (0..=number).map(|number| number.to_string()).collect();
            let wanted = format!("tetra> alias a='{words}... # second {words}... third{typed}").replace(' ', "");
            terminal.wait(&format!("the input once at {columns} columns"), |screen| {
                let shown = screen.rows(0, columns).collect::<String>();
                let input = shown.split_once("> !seq 3")?.1.replace(' ', "");
                // What the command still takes may be shown behind it.
                let is_whole = input.starts_with(&format!("123{wanted}")) && input.matches("third").count() == 1;
                (is_whole && !screen.hide_cursor()).then_some(())
            });
        }
        drop_line(&mut terminal);
        leave(terminal);
    }
}

#[test]
fn a_menu_below_a_long_input_leaves_nothing_behind_in_a_terminal_that_wraps_its_lines_anew() {
    let home = TestHome::new();
    let mut terminal = filled(&home, false);
    run(&mut terminal, "!seq 3", "tetra>");
    terminal.send(&format!("tsm stop {}ap\t", "x ".repeat(45)));
    terminal.wait("the candidates", |screen| {
        let rows = rows(screen);
        let shown = rows.iter().filter(|row| row.starts_with("ap")).count();
        (shown == 3 && !screen.hide_cursor()).then_some(())
    });
    for columns in WIDTHS {
        terminal.reflow_and_wait(24, columns);
        terminal.wait(&format!("one menu at {columns} columns"), |screen| {
            let (row, _) = screen.cursor_position();
            let rows = rows(screen);
            let below = rows[usize::from(row) + 1..].iter().filter(|row| !row.is_empty()).count();
            let prompts = rows.iter().filter(|row| row.starts_with("tetra> tsm")).count();
            let numbers = rows.iter().filter(|row| ["1", "2", "3"].contains(&row.as_str())).count();
            (below == 3 && prompts == 1 && numbers == 3 && !screen.hide_cursor()).then_some(())
        });
    }
    drop_line(&mut terminal);
    leave(terminal);
}

#[test]
fn a_menu_of_short_names_fits_a_terminal_of_a_third_of_the_width() {
    let home = TestHome::new();
    for number in 0..50 {
        home.write(&format!("home/files/p{number:03}"), "");
    }
    let mut terminal = filled(&home, false);
    terminal.send("source files/p0\t");
    terminal.wait_for("more");
    for columns in [34, 100] {
        terminal.reflow_and_wait(24, columns);
        terminal.wait(&format!("a menu at {columns} columns"), |screen| {
            (screen.contents().contains("more") && !screen.hide_cursor()).then_some(())
        });
        let all = terminal.scrolled_and_shown();
        assert_eq!(all.iter().filter(|row| row.starts_with("tetra> source")).count(), 1, "{}", all.join("\n"));
    }
    terminal.send(ESCAPE);
    terminal.wait_gone("more");
    drop_line(&mut terminal);
    leave(terminal);
}

#[test]
fn help_that_is_asked_for_with_an_open_menu_stays_on_the_screen() {
    let home = TestHome::new();
    let mut terminal = filled(&home, false);
    terminal.send("nothing ap\t");
    wait_below(&terminal, &["tetra> nothing ap", "no candidates"]);
    terminal.send(F1);
    wait_below(&terminal, &["tetra> nothing ap"]);
    assert!(terminal.contents().contains("no help for `nothing ap`"), "{}", terminal.contents());
    drop_line(&mut terminal);
    terminal.send("\x0c");
    open_candidates(&mut terminal);
    terminal.send(F1);
    wait_below(&terminal, &["tetra> tsm stop ap"]);
    terminal.wait_for("`tsm stop --help` shows the whole command");
    terminal.send("i\r");
    terminal.wait_for("api");
    terminal.wait_line("tetra>");
    leave(terminal);
}

#[test]
fn help_of_a_line_of_several_rows_stays_on_the_screen() {
    let home = TestHome::new();
    let mut terminal = filled(&home, false);
    let long = format!("nothing {}", "y".repeat(300));
    terminal.send(&format!("{long}\x01"));
    terminal
        .wait("four rows", |screen| (screen.cursor_position() == (0, 7) && rows(screen)[3].len() > 2).then_some(()));
    terminal.send(F1);
    terminal.wait("the help, and the line below it", |screen| {
        let rows = rows(screen);
        let help = rows.iter().position(|row| row.contains("no help for `nothing`"))?;
        (rows[help + 1].starts_with("tetra> nothing yy") && rows[help + 4].ends_with("yy")).then_some(())
    });
    drop_line(&mut terminal);
    leave(terminal);
}

#[test]
fn an_editor_that_fails_with_an_open_menu_is_explained_below_the_line() {
    let home = TestHome::new();
    let mut terminal = filled(&home, false);
    open_candidates(&mut terminal);
    terminal.send(CTRL_X_E);
    terminal.wait_for("failed to start the editor");
    wait_below(&terminal, &["tetra> tsm stop ap"]);
    let contents = terminal.contents();
    assert!(contents.lines().any(|row| row.starts_with("error: failed to start the editor")), "{contents}");
    drop_line(&mut terminal);
    leave(terminal);
}

#[test]
fn a_notice_appears_above_a_line_with_an_open_menu() {
    let home = TestHome::new();
    let mut terminal = filled(&home, false);
    crate::prompt::start(&mut terminal, "web");
    terminal.send("\x0c");
    open_candidates(&mut terminal);
    crate::prompt::kill_child(&home, "web");
    terminal.wait_for("notice: ");
    wait_below(&terminal, &["tetra> tsm stop ap", "api", "app", "apt"]);
    terminal.send(ESCAPE);
    wait_below(&terminal, &["tetra> tsm stop ap"]);
    assert_eq!(terminal.contents().matches("tsm stop ap").count(), 1, "{}", terminal.contents());
    drop_line(&mut terminal);
    leave(terminal);
}

#[test]
fn up_in_a_menu_chooses_and_does_not_go_through_the_history() {
    let home = TestHome::new();
    let mut terminal = filled(&home, false);
    open_candidates(&mut terminal);
    terminal.send(UP);
    terminal.wait_selected("apt");
    terminal.send("\r");
    terminal.wait("the chosen one", |screen| current_line(screen).contains("> tsm stop apt").then_some(()));
    drop_line(&mut terminal);
    leave(terminal);
}

#[test]
fn pages_of_a_long_menu_are_turned_and_end_at_its_ends() {
    for vi in [false, true] {
        let home = TestHome::new();
        let mut terminal = filled(&home, vi);
        for number in 10..40 {
            stopped(&home, &format!("web{number}"), number);
        }
        // Without a menu there is nothing to turn.
        terminal.send(&format!("{PAGE_DOWN}{PAGE_UP}tsm stop web\t"));
        terminal.wait_selected("web10");
        terminal.wait_for("… 19 more");
        let shows = |terminal: &Terminal, first: &str, chosen: &str, last: &str| {
            terminal.wait_selected(chosen);
            terminal.wait(&format!("{first} to {last}"), |screen| {
                let rows = rows(screen);
                let shown: Vec<_> = rows.iter().filter(|row| row.starts_with("web")).collect();
                let is_page = shown.len() == 11 && shown[0].starts_with(first) && shown[10].starts_with(last);
                is_page.then_some(())
            });
        };
        terminal.send(PAGE_DOWN);
        shows(&terminal, "web21", "web21", "web31");
        terminal.send(DOWN);
        terminal.send(PAGE_DOWN);
        shows(&terminal, "web29", "web33", "web39");
        terminal.send(PAGE_DOWN);
        shows(&terminal, "web29", "web39", "web39");
        terminal.send(PAGE_UP);
        shows(&terminal, "web18", "web28", "web28");
        // All at once.
        terminal.send(&format!("{PAGE_UP}{PAGE_UP}{PAGE_UP}{PAGE_DOWN}{DOWN}"));
        shows(&terminal, "web21", "web22", "web31");
        terminal.send("\r");
        terminal.wait("the chosen one", |screen| current_line(screen).contains("> tsm stop web22").then_some(()));
        drop_line(&mut terminal);
        leave(terminal);
    }
}

#[test]
fn pages_of_a_search_in_the_history_are_turned() {
    let home = TestHome::new();
    let mut terminal = filled(&home, false);
    for number in 10..30 {
        run(&mut terminal, &format!("# line {number}"), "tetra>");
    }
    terminal.send(&format!("\x0cline{CTRL_R}"));
    terminal.wait_selected("# line 29");
    terminal.send(PAGE_DOWN);
    terminal.wait_selected("# line 18");
    terminal.send(CTRL_R);
    terminal.wait_selected("# line 17");
    terminal.send(PAGE_UP);
    terminal.wait_selected("# line 28");
    terminal.send("\r");
    wait_below(&terminal, &["tetra> # line 28"]);
    drop_line(&mut terminal);
    leave(terminal);
}

#[test]
fn a_long_line_of_the_history_leaves_room_for_where_lines_were_run() {
    let home = TestHome::new();
    let mut terminal = filled(&home, false);
    run(&mut terminal, "use @staging", "-/staging>");
    run(&mut terminal, "use nowhere", "-/staging>");
    terminal.send(&format!("pwd # {}\r", "long ".repeat(46)));
    terminal.wait_line("-/staging>");
    terminal.send(&format!("\x0c{CTRL_R}"));
    terminal.wait("the context of each line", |screen| {
        let rows = rows(screen);
        let has =
            |line: &str, about: &str| rows.iter().any(|row| row.contains(line) && row.trim_end().ends_with(about));
        (has("pwd # long", "-/staging/-") && has("use nowhere", "-/staging/- [5]") && has("use @staging", "-/-/-"))
            .then_some(())
    });
    terminal.send(CTRL_C);
    terminal.wait_line("-/staging>");
    leave(terminal);
}

/// Waits until the line of the cursor is this one, without what is shown in grey behind it.
fn wait_typed(terminal: &Terminal, line: &str) {
    terminal.wait(&format!("{line:?} alone"), |screen| {
        let row = screen.cursor_position().0;
        let cells = (0..screen.size().1.get()).filter_map(|column| screen.cell(row, column));
        let typed: String = cells
            .filter(|cell| cell.fgcolor() != Color::Idx(8))
            .map(|cell| cell.contents())
            .map(|text| if text.is_empty() { " " } else { text })
            .collect();
        (typed.trim_end() == line.trim_end()).then_some(())
    });
}

#[test]
fn help_that_is_looked_at_takes_no_change_from_undo() {
    for vi in [false, true] {
        let home = TestHome::new();
        let mut terminal = filled(&home, vi);
        let (undo, redo, mark) = if vi { ("u", "\x12", "tetra<") } else { ("\x1a", "\x07", "tetra>") };
        for key in ["tsm stop", " ", "api", "\x17", "web"] {
            terminal.send(key);
        }
        wait_typed(&terminal, "tetra> tsm stop web");
        for times in 1..3 {
            terminal.send(F1);
            terminal.wait_written("`tsm stop --help` shows the whole command", times);
            wait_typed(&terminal, "tetra> tsm stop web");
        }
        if vi {
            terminal.send(ESCAPE);
            wait_typed(&terminal, "tetra< tsm stop web");
        }
        for line in ["tsm stop", "tsm stop api", "tsm stop", "tsm", ""] {
            terminal.send(undo);
            wait_typed(&terminal, &format!("{mark} {line}"));
        }
        terminal.send(F1);
        terminal.wait_for("`help search WORD` finds commands");
        wait_typed(&terminal, mark);
        for line in ["tsm", "tsm stop", "tsm stop api", "tsm stop", "tsm stop web"] {
            terminal.send(redo);
            wait_typed(&terminal, &format!("{mark} {line}"));
        }
        drop_line(&mut terminal);
        leave(terminal);
    }
}
