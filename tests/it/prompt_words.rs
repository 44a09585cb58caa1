//! Words of the prompt: variables, directories, the search in the history.

use crate::pty::{Terminal, TestHome, current_line};
use crate::repl::{CTRL_C, leave, run, session, stopped};

const CTRL_R: &str = "\x12";
const ALT_R: &str = "\x1br";

#[test]
fn the_directory_holds_for_what_follows() {
    let home = TestHome::new();
    home.write("home/work/notes.tetra", "version\n");
    let mut terminal = session(&home);
    run(&mut terminal, "cd work", ">");
    run(&mut terminal, "source notes.tetra", ">");
    terminal.wait_for("tetra 0.");
    run(&mut terminal, "!ls > here", ">");
    run(&mut terminal, "cd -; pwd > there", ">");
    assert!(home.path("home/work/here").exists() && home.path("home/there").exists());
    run(&mut terminal, "cd nowhere", "[5] tetra>");
    leave(terminal);
}

#[test]
fn variables_are_shown_as_what_they_are() {
    let home = TestHome::new();
    stopped(&home, "api", 0);
    stopped(&home, "web", 1);
    let mut terminal = session(&home);
    run(&mut terminal, "tsm info $last", "[2] tetra>");
    terminal.wait_for("`$last` has no value");
    run(&mut terminal, "help $?", "[2] tetra>");
    terminal.wait_for("runs `help 2`");
    run(&mut terminal, "tsm list all", "tetra>");
    run(&mut terminal, "tsm delete $last --dry-run", ">");
    terminal.wait_for("runs `tsm delete api web --dry-run`");
    // A list with a note below it counts too: this one has no names.
    run(&mut terminal, "tsm list", ">");
    terminal.wait_for("2 stopped: tsm list all");
    let written = terminal.written();
    run(&mut terminal, "tsm delete $last --dry-run", "[2] tetra>");
    terminal.wait_beyond("the refusal", written, |text| text.contains("`$last` has no value").then_some(()));
    run(&mut terminal, "select web", "-/-/web(stopped)>");
    run(&mut terminal, "info $proc", "-/-/web(stopped)>");
    terminal.wait_for("runs `tsm info web`");
    run(&mut terminal, "use @dev", "-/dev>");
    run(&mut terminal, "alias '$env'", ">");
    assert_eq!(terminal.bytes().matches("runs `").count(), 3, "a quoted word stays: {}", terminal.contents());
    leave(terminal);
}

/// The history has no secrets, so what it gives back is not the line that was typed.
#[test]
fn a_line_with_a_masked_secret_is_not_run() {
    let home = TestHome::new();
    let mut terminal = session(&home);
    let started = |name: &str| home.path(&format!("tetra/tsm/runtime/processes/{name}")).exists();
    run(&mut terminal, "tsm start --oneshot --wait --name job -e TOKEN=hunter2 true", "tetra>");
    assert!(started("job"));
    run(&mut terminal, "tsm delete job", "tetra>");
    for recall in ["\u{1b}[A\u{1b}[A", "!1\r"] {
        terminal.send(recall);
        terminal.wait_line("-e TOKEN=*** true");
        let written = terminal.written();
        terminal.send("\r");
        terminal.wait_beyond("the refusal", written, |text| text.contains("in the place of a secret").then_some(()));
        terminal.wait_line("[4] tetra>");
        assert!(!started("job"), "{}", terminal.contents());
    }
    leave(terminal);
}

#[test]
fn an_alias_and_a_repetition_that_are_typed_need_no_tsm() {
    let home = TestHome::new();
    stopped(&home, "api", 0);
    home.write("home/strict.tetra", "alias short='list all'; short\n");
    let mut terminal = session(&home);
    run(&mut terminal, "alias ll='list all'", "tetra>");
    run(&mut terminal, "ll", "tetra>");
    terminal.wait_for("api");
    run(&mut terminal, "watch -c 1 list all --json", "tetra>");
    terminal.wait_for("\"supervised\"");
    run(&mut terminal, "source strict.tetra", "[2] tetra>");
    terminal.wait_for("unknown command `list");
    leave(terminal);
}

/// They all have the pid of the prompt.
#[test]
fn what_was_typed_before_a_stop_is_not_said_to_have_stopped_it() {
    let home = TestHome::new();
    let mut terminal = session(&home);
    run(&mut terminal, "tsm start --name api sleep 1000", "1↑ tetra>");
    run(&mut terminal, "alias failed='history --failed' --save", "tetra>");
    run(&mut terminal, "tsm start --name web sleep 1000", "2↑ tetra>");
    run(&mut terminal, "tsm stop web", "1↑ tetra>");
    run(&mut terminal, "tsm stop api", "tetra>");
    // So much later that none of them can have been at work.
    let path = home.path("tetra/tsm/runtime/processes/api/meta.json");
    let text = std::fs::read_to_string(&path).expect("a record");
    let mut record: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    record["last_exit"]["at_ms"] = (record["last_exit"]["at_ms"].as_u64().expect("a time") + 5000).into();
    std::fs::write(&path, record.to_string()).expect("written");
    let from = terminal.written();
    run(&mut terminal, "tsm why api", "tetra>");
    let said = terminal.wait_beyond("its end", from, |text| text.contains("ended: SIGTERM").then(|| text.to_owned()));
    assert!(said.contains(": tsm stop api"), "{said}");
    assert!(!said.contains("alias") && !said.contains("tsm stop web"), "{said}");
    leave(terminal);
}

/// The prompt line while the history is searched.
fn searched(terminal: &Terminal, marker: &str) {
    terminal.wait(marker, |screen| screen.contents().contains(marker).then_some(()));
}

#[test]
fn a_key_walks_through_the_places_where_the_history_is_searched() {
    let home = TestHome::new();
    let mut terminal = session(&home);
    run(&mut terminal, "help lines", "tetra>");
    run(&mut terminal, "use @dev", "-/dev>");
    run(&mut terminal, "version", "-/dev>");
    run(&mut terminal, "help guard", "-/dev>");
    terminal.send(CTRL_R);
    searched(&terminal, "(history)> ");
    terminal.wait_for("help lines  ");
    terminal.send(ALT_R);
    searched(&terminal, "(history of this org)> ");
    terminal.send(ALT_R);
    searched(&terminal, "(history of this env)> ");
    terminal.wait("only lines of the environment", |screen| {
        let rows = screen.contents();
        let below = rows.split("(history of this env)> ").nth(1)?.to_owned();
        (below.contains("help guard") && !below.contains("help lines")).then_some(())
    });
    terminal.send("hgrd");
    terminal.send("\r");
    terminal
        .wait("the line that has these letters", |screen| current_line(screen).contains("> help guard").then_some(()));
    terminal.send(CTRL_C);
    leave(terminal);
}

#[test]
fn a_search_with_one_line_left_goes_on_in_the_next_place() {
    let home = TestHome::new();
    let mut terminal = session(&home);
    run(&mut terminal, "help lines", "tetra>");
    run(&mut terminal, "version", "tetra>");
    terminal.send(CTRL_R);
    searched(&terminal, "(history)> ");
    terminal.send("lines");
    terminal.wait("only that line", |screen| {
        let rows = screen.contents();
        let below = rows.split("(history)> ").nth(1)?.to_owned();
        (below.contains("help lines") && !below.contains("version")).then_some(())
    });
    terminal.send(ALT_R);
    searched(&terminal, "(history of this org)> ");
    terminal.wait_line("(history of this org)> lines");
    terminal.send("\r");
    terminal.wait("the line", |screen| current_line(screen).contains("> help lines").then_some(()));
    terminal.send(CTRL_C);
    leave(terminal);
}

#[test]
fn vi_repeats_the_text_of_a_change_and_cuts_several_letters_at_once() {
    let home = TestHome::new();
    home.write("config/tetra/config.toml", "edit-mode = \"vi\"\n");
    let mut terminal = session(&home);
    terminal.send("!echo aa bb cc");
    terminal.wait_line("> !echo aa bb cc");
    terminal.send("\x1b");
    terminal.wait_line("< !echo aa bb cc");
    terminal.send("bbcw");
    terminal.wait_line("> !echo aa  cc");
    terminal.send("new word");
    terminal.wait_line("> !echo aa new word cc");
    terminal.send("\x1b");
    terminal.wait_line("< !echo aa new word cc");
    terminal.send("w.");
    terminal.wait_line("< !echo aa new word new word");
    terminal.send("0wwcwX");
    terminal.wait_line("> !echo X new word new word");
    terminal.send("\x1b");
    terminal.wait_line("< !echo X new word new word");
    terminal.send("w.w.");
    terminal.wait_line("< !echo X X X new word");
    terminal.send("3xp");
    terminal.wait_line("< !echo X X eX nw word");
    terminal.send("$3x.");
    terminal.wait_line("< !echo X X eX nw wo");
    terminal.send("~");
    terminal.wait_line("< !echo X X eX nw wO");
    terminal.send(CTRL_C);
    leave(terminal);
}

/// In the mode vi.
fn vi_session(home: &TestHome) -> Terminal {
    home.write("config/tetra/config.toml", "edit-mode = \"vi\"\n");
    session(home)
}

/// Waits until the line is as it should be, with nothing behind it.
fn wait_whole(terminal: &Terminal, line: &str) {
    terminal
        .wait(&format!("the line {line:?}"), |screen| current_line(screen).trim_end().ends_with(line).then_some(()));
}

/// Types keys, each at a prompt of its own, and waits for the lines that they give.
fn each_gives(terminal: &mut Terminal, lines: &[(&str, &str)]) {
    for (keys, line) in lines {
        terminal.send(keys);
        wait_whole(terminal, line);
        terminal.send(CTRL_C);
        terminal.wait_line("tetra>");
    }
}

#[test]
fn keys_of_vi_that_come_at_once_do_what_they_do_one_by_one() {
    let home = TestHome::new();
    let mut terminal = vi_session(&home);
    let lines = [
        ("!tsm list\x1b", "< !tsm list"),
        ("!tsm list\x1bxiu\x1b", "< !tsm lius"),
        ("!tsm list\x1b$iX", "> !tsm lisXt"),
        ("!tsm list\x1b$aX\x1b0xiY", "> Ytsm listX"),
        ("!aa bb\x1bbvlcX", "> !aa X"),
        ("!aa bb\x1bbcwcc dd\x1bb.", "< !aa cc cc dd"),
    ];
    each_gives(&mut terminal, &lines);
    leave(terminal);
}

#[test]
fn vi_repeats_every_change_with_its_text_and_undoes_it_at_once() {
    let home = TestHome::new();
    let mut terminal = vi_session(&home);
    let lines = [
        ("!aa bb\x1b0aX\x1b.", "< !XXaa bb"),
        ("!aa bb\x1b0AX\x1b0.", "< !aa bbXX"),
        ("!aa bb\x1bIX\x1b.", "< XX!aa bb"),
        ("!aa bb cc\x1bbbciwX\x1bw.", "< !aa X X"),
        ("!aa bb cc\x1bbcbX\x1bw.", "< !aa Xc"),
        ("!aa\x1bAy\x1b3.", "< !aayyyy"),
        ("!aa bb cc\x1b0wwcwX\x1bw.", "< !aa X X"),
        ("!aa bb cc\x1b0wwcwX\x1bw.u", "< !aa X cc"),
        ("!aa bb cc\x1b0wwcwX\x1bw.u\x12", "< !aa X X"),
        ("!aa bb cc dd\x1b0wwcwX\x1bw.w.uu\x12", "< !aa X X dd"),
        // What changes nothing is not repeated.
        ("!aa bb cc\x1b0wwdwyw0w.", "< !cc"),
        ("!aa bb cc dd\x1b0wwdwu.", "< !aa cc dd"),
    ];
    each_gives(&mut terminal, &lines);
    // A line below.
    terminal.send("!aa 'b\x1boX\x1b.");
    terminal.wait("two lines more", |screen| {
        let text: Vec<String> = screen.contents().lines().map(|line| line.trim_end().to_owned()).collect();
        (text.len() > 2 && text[text.len() - 2..] == ["... X", "... X"]).then_some(())
    });
    terminal.send(CTRL_C);
    terminal.wait_line("tetra>");
    leave(terminal);
}

#[test]
fn vi_pastes_all_of_several_words_that_were_cut() {
    let home = TestHome::new();
    let mut terminal = vi_session(&home);
    let lines = [
        ("!aa bb cc dd ee\x1b0ww3dwp", "< !aa ebb cc dd e"),
        ("!aa bb cc dd ee\x1b0wwd3wp", "< !aa ebb cc dd e"),
        ("!aa bb cc dd ee\x1b3db$p", "< !aa bb ecc dd e"),
        ("!aa bb cc dd ee\x1b0ww2cwX\x1b$p", "< !aa X dd eebb cc"),
        ("!aa bb cc dd ee\x1b0ww3dwu", "< !aa bb cc dd ee"),
        ("!aa bb cc dd ee ff\x1b0ww2dw.", "< !aa ff"),
    ];
    each_gives(&mut terminal, &lines);
    leave(terminal);
}

#[test]
fn in_the_normal_mode_of_vi_control_r_does_again_what_u_undid() {
    let home = TestHome::new();
    home.write("config/tetra/config.toml", "edit-mode = \"vi\"\n");
    let mut terminal = session(&home);
    terminal.send("version");
    terminal.wait_line("> version");
    terminal.send("\x1b");
    terminal.wait_line("< version");
    terminal.send("dd");
    terminal.wait_gone("< version");
    terminal.send("u");
    terminal.wait_line("< version");
    terminal.send(CTRL_R);
    terminal.wait_gone("< version");
    terminal.send(CTRL_C);
    leave(terminal);
}
