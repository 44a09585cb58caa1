//! What the prompt shows and understands by itself, in a real pseudo-terminal.

use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use vt100::Color;

use crate::pty::{Terminal, TestHome, colour_of, current_line};
use crate::repl::{CTRL_C, UP, leave, put_record, run, session, stopped};
use crate::world::World;

/// The number at a key of the record of a process.
fn recorded(home: &TestHome, name: &str, key: &str) -> i64 {
    let path = home.path(&format!("tetra/tsm/runtime/processes/{name}/meta.json"));
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let record: serde_json::Value = serde_json::from_str(&text).unwrap_or_default();
    record[key].as_i64().unwrap_or_default()
}

/// Starts a process that lives until it is killed.
pub(crate) fn start(terminal: &mut Terminal, name: &str) {
    terminal.send(&format!("tsm start --name {name} sleep 1000\r"));
    terminal.wait_line("1↑ tetra>");
}

/// Kills the child of a process as the system does.
pub(crate) fn kill_child(home: &TestHome, name: &str) {
    let pid = recorded(home, name, "pid");
    kill(Pid::from_raw(pid.try_into().expect("a pid")), Signal::SIGKILL).expect("what the test needs");
}

#[test]
fn counts_change_while_nothing_is_typed() {
    let home = TestHome::new();
    put_record(&home, "api", 0, "crashed");
    let mut terminal = session(&home);
    terminal.wait_line("1✗ tetra>");
    terminal.wait("it is red", |screen| (colour_of(screen, "1✗")? == Color::Idx(1)).then_some(()));
    terminal.send("use @d");
    terminal.wait_line("1✗ tetra> use @d");
    put_record(&home, "web", 1, "crashed");
    terminal.wait_line("2✗ tetra> use @d");
    for name in ["api", "web"] {
        std::fs::remove_dir_all(home.path(&format!("tetra/tsm/runtime/processes/{name}"))).expect("removed");
    }
    terminal.wait("no counts", |screen| current_line(screen).starts_with("tetra> use @d").then_some(()));
    terminal.send(CTRL_C);
    terminal.wait_line("tetra>");
    leave(terminal);
}

#[test]
fn a_crash_is_said_above_the_line_and_the_line_stays() {
    let home = TestHome::new();
    let mut terminal = session(&home);
    start(&mut terminal, "api");
    terminal.send("use @d");
    terminal.wait_line("tetra> use @d");
    kill_child(&home, "api");
    terminal.wait("the notice above the line", |screen| {
        let text = screen.contents();
        let (notice, line) = (text.find("notice: api crashed (SIGKILL)")?, text.rfind("> use @d")?);
        (notice < line && current_line(screen).contains("> use @d")).then_some(())
    });
    run(&mut terminal, "ev", "-/dev>");
    leave(terminal);
}

#[test]
fn the_answer_of_a_command_is_not_said_again_in_a_notice() {
    let home = TestHome::new();
    let mut terminal = session(&home);
    let script = "sh -c 'test -e ok || exit 3; exec sleep 1000'";
    run(&mut terminal, &format!("tsm start --name api {script}"), "1✗ tetra>");
    terminal.wait_for("process died immediately (exit 3)");
    start_second(&mut terminal, "web");
    kill_child(&home, "web");
    terminal.wait_for("notice: web crashed (SIGKILL)");
    assert!(!terminal.contents().contains("notice: api"), "{}", terminal.contents());
    // What happens to the same process later is another thing.
    run(&mut terminal, "!touch ok", "tetra>");
    run(&mut terminal, "tsm start api", "1↑ 1✗ tetra>");
    kill_child(&home, "api");
    terminal.wait_for("notice: api crashed (SIGKILL)");
    leave(terminal);
}

/// Starts a process that lives until it is killed, beside one that has failed.
fn start_second(terminal: &mut Terminal, name: &str) {
    terminal.send(&format!("tsm start --name {name} sleep 1000\r"));
    terminal.wait_line("1↑ 1✗ tetra>");
}

#[test]
fn the_beginning_of_a_line_that_is_longer_than_the_screen_is_shown() {
    let home = TestHome::new();
    let mut terminal = session(&home);
    run(&mut terminal, "!seq 3", "tetra>");
    let line = format!("version # {}", "y".repeat(3000));
    terminal.send(&line);
    terminal.wait("its end", |screen| current_line(screen).ends_with("yyy").then_some(()));
    terminal.send("\x01");
    terminal.wait("its beginning with the cursor", |screen| {
        let (row, column) = screen.cursor_position();
        let shown = screen.contents();
        let is_cut = shown.trim_end().ends_with('…');
        (row == 0 && column == 7 && current_line(screen).starts_with("tetra> version # y") && is_cut).then_some(())
    });
    terminal.send("\x1b[C\x1b[C\x1b[C\x1b[CX");
    terminal
        .wait("what is typed there", |screen| current_line(screen).starts_with("tetra> versXion # y").then_some(()));
    terminal.send("\x7f\x05");
    terminal.wait("its end again", |screen| current_line(screen).ends_with("yyy").then_some(()));
    terminal.send("\x01\r");
    terminal.wait_for("tetra 0.");
    terminal.wait_line("tetra>");
    leave(terminal);
}

#[test]
fn the_first_crash_is_said_too_where_it_is_followed_by_a_start_at_once() {
    let home = TestHome::new();
    let mut terminal = session(&home);
    terminal.send("tsm start --name api --restart always sleep 1000\r");
    terminal.wait_line("1↑ tetra>");
    kill_child(&home, "api");
    terminal.wait_for("notice: api crashed (SIGKILL), and is started again");
    run(&mut terminal, "tsm delete api", "tetra>");
    leave(terminal);
}

#[test]
fn the_session_ends_with_the_code_that_exit_is_given() {
    let home = TestHome::new();
    let mut terminal = session(&home);
    terminal.send("exit 256\r");
    terminal.wait_for("invalid value `256`");
    terminal.wait_line("tetra>");
    terminal.send("exit 9\r");
    assert_eq!(terminal.end(), 9, "{}", terminal.contents());
}

#[test]
fn a_setting_that_is_read_at_the_start_of_a_prompt_says_that_it_changes_nothing_here() {
    let home = TestHome::new();
    home.write("config/tetra/rc.tetra", "set history-size 50\n");
    let mut terminal = session(&home);
    assert!(!terminal.contents().contains("note:"), "{}", terminal.contents());
    run(&mut terminal, "set idle 30m", "tetra>");
    assert!(!terminal.contents().contains("no effect"), "{}", terminal.contents());
    run(&mut terminal, "set history-size 5", "tetra>");
    terminal.wait_for("`history-size` is read when a prompt starts");
    leave(terminal);
}

#[test]
fn the_prompt_takes_one_row_of_a_narrow_terminal() {
    let home = TestHome::new();
    put_record(&home, "web-of-shops-18411", 0, "crashed");
    let mut terminal = session(&home);
    terminal.resize(24, 40);
    run(&mut terminal, "use @staging", "-/staging>");
    run(&mut terminal, "set private on", "-/staging private>");
    terminal.send("set readonly on\r");
    terminal.wait_line("-/staging read-only private>");
    terminal.send("select web-of-shops-18411\r");
    terminal.wait("a prompt of one row", |screen| {
        let line = current_line(screen);
        (line.contains("-/staging/web") && line.contains("18411") && line.trim_end().ends_with('>')).then_some(())
    });
    terminal.send("version\r");
    terminal.wait_for("tetra 0.");
    leave(terminal);
}

#[test]
fn a_notice_takes_no_row_from_what_is_above_a_line_of_several_rows() {
    let home = TestHome::new();
    let mut terminal = session(&home);
    start(&mut terminal, "api");
    run(&mut terminal, "!seq 3", "1↑ tetra>");
    let whole = |screen: &vt100::Screen, line: &str| {
        let shown = screen.rows(0, screen.size().1.get()).collect::<Vec<_>>().join("\n");
        let (above, below) = shown.split_once("> !seq 3")?;
        let is_whole = above.contains("started api") && below.starts_with("\n1\n2\n3\n");
        let count = below.replace('\n', "").matches(line).count();
        (is_whole && count == 1).then(|| below.to_owned())
    };
    // At the end of the line it is shown at once, at its beginning as soon as the line is shorter.
    let line = format!("nothing {}", "y".repeat(300));
    terminal.send(&format!("{line}\x01"));
    terminal.wait("the cursor at the beginning", |screen| (current_line(screen).contains("nothing")).then_some(()));
    kill_child(&home, "api");
    terminal.wait("the line alone", |screen| whole(screen, &format!("1✗ tetra> {line}")));
    assert!(!terminal.contents().contains("notice:"), "{}", terminal.contents());
    terminal.send("\x05");
    terminal.wait("the notice and the line", |screen| {
        whole(screen, &format!("1✗ tetra> {line}"))?.contains("notice: api crashed (SIGKILL)").then_some(())
    });
    terminal.send(CTRL_C);
    terminal.wait_line("1✗ tetra>");
    leave(terminal);
}

#[test]
fn a_notice_is_shown_above_a_line_of_several_rows_that_is_left_alone_at_its_beginning() {
    let home = TestHome::new();
    let mut terminal = session(&home);
    start(&mut terminal, "api");
    run(&mut terminal, "!seq 3", "1↑ tetra>");
    let line = format!("nothing {}", "y".repeat(300));
    terminal.send(&format!("{line}\x01"));
    terminal.wait("the cursor at the beginning", |screen| (current_line(screen).contains("nothing")).then_some(()));
    kill_child(&home, "api");
    terminal.wait("the notice above the whole line, with the cursor at its beginning", |screen| {
        let shown = screen.rows(0, screen.size().1.get()).collect::<Vec<_>>().join("\n");
        let (_, below) = shown.split_once("> !seq 3\n1\n2\n3\n")?;
        let (notice, rest) = below.split_once('\n')?;
        let is_whole = rest.replace('\n', "").trim_end() == format!("1✗ tetra> {line}");
        let at_begin = current_line(screen).starts_with("1✗ tetra> nothing");
        (notice.starts_with("notice: api crashed (SIGKILL)") && is_whole && at_begin).then_some(())
    });
    terminal.send("use @dev # \r");
    terminal.wait_line("-/dev>");
    leave(terminal);
}

#[test]
fn a_notice_of_several_rows_is_shown_whole_after_a_menu() {
    let home = TestHome::new();
    let mut terminal = session(&home);
    let name = format!("a-{}", "long".repeat(15));
    terminal.resize_and_wait(24, 70);
    start(&mut terminal, &name);
    run(&mut terminal, "version", "1↑ tetra>");
    terminal.send("tsm s\t");
    terminal.wait_for("Start a service");
    kill_child(&home, &name);
    terminal.wait("the count beside the menu", |screen| screen.contents().contains("1✗ tetra> tsm s").then_some(()));
    assert!(!terminal.contents().contains("notice:"), "{}", terminal.contents());
    terminal.send("\x1b");
    terminal.wait("the notice above the line", |screen| {
        let text = screen.contents().replace('\n', "");
        let (notice, line) = (text.find(&format!("notice: {name} crashed (SIGKILL)"))?, text.rfind("1✗ tetra> tsm s")?);
        (notice < line).then_some(())
    });
    terminal.send(CTRL_C);
    terminal.wait("a new prompt", |screen| current_line(screen).trim_end().ends_with("tetra>").then_some(()));
    leave(terminal);
}

#[test]
fn notices_can_be_turned_off() {
    let home = TestHome::new();
    let mut terminal = session(&home);
    start(&mut terminal, "api");
    run(&mut terminal, "set notices off", "1↑ tetra>");
    kill_child(&home, "api");
    terminal.wait_line("1✗ tetra>");
    run(&mut terminal, "tsm delete api", "tetra>");
    terminal.wait("no counts", |screen| current_line(screen).starts_with("tetra>").then_some(()));
    assert!(!terminal.bytes().contains("notice:"), "{}", terminal.contents());
    leave(terminal);
}

#[test]
fn the_selected_process_has_its_state_and_leaves_with_it() {
    let home = TestHome::new();
    put_record(&home, "api", 0, "crashed");
    let mut terminal = session(&home);
    run(&mut terminal, "select api", "-/-/api(crashed)>");
    stopped(&home, "api", 0);
    run(&mut terminal, "version", "-/-/api(stopped)>");
    std::fs::remove_dir_all(home.path("tetra/tsm/runtime/processes/api")).expect("removed");
    run(&mut terminal, "version", "tetra>");
    terminal.wait_for("process `api` was removed and has been deselected");
    leave(terminal);
}

#[test]
fn a_removed_organization_leaves_the_prompt() {
    let home = TestHome::new();
    for org in ["acme", "other", "third"] {
        home.write(&format!("tetra/org/{org}/environments/dev.toml"), "");
    }
    let mut terminal = session(&home);
    run(&mut terminal, "use acme @dev", "acme/dev>");
    std::fs::remove_dir_all(home.path("tetra/org/acme")).expect("removed");
    run(&mut terminal, "version", "tetra>");
    terminal.wait_for("organization `acme` was removed");
    leave(terminal);
}

#[test]
fn a_read_only_session_reads_and_changes_nothing() {
    let home = TestHome::new();
    stopped(&home, "api", 0);
    let mut terminal = session(&home);
    run(&mut terminal, "set readonly on", "tetra read-only>");
    run(&mut terminal, "tsm delete --yes api", "[4] tetra read-only>");
    terminal.wait_for("`set readonly off` allows changes");
    assert!(home.path("tetra/tsm/runtime/processes/api").exists());
    run(&mut terminal, "tsm list all", "tetra read-only>");
    run(&mut terminal, "set readonly off", "tetra>");
    run(&mut terminal, "tsm delete api", "tetra>");
    assert!(!home.path("tetra/tsm/runtime/processes/api").exists());
    leave(terminal);
}

#[test]
fn a_read_only_session_has_read_only_programs() {
    let home = TestHome::new();
    // Short enough for one row of the screen.
    let tetra = home.path("t").display().to_string();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_tetra"), &tetra).expect("a link");
    let is_there = |name: &str| home.path(&format!("tetra/tsm/runtime/processes/{name}")).exists();
    stopped(&home, "api", 0);
    stopped(&home, "web", 1);
    let mut terminal = session(&home);
    run(&mut terminal, "set readonly on", "tetra read-only>");
    run(&mut terminal, &format!("!{tetra} tsm delete --yes api"), "[4] tetra read-only>");
    terminal.wait_for("this session is read-only by TETRA_READONLY");
    terminal.wait_for("`set readonly off` at the prompt that started this allows changes");
    run(&mut terminal, &format!("version | xargs -I. {tetra} tsm delete --yes api"), "[123] tetra read-only>");
    assert!(is_there("api"));
    // A prompt inside of it says so, and may be left to write; what it starts then may too.
    terminal.send(&format!("!{tetra}\r"));
    terminal.wait_for("this session is read-only, as TETRA_READONLY says; `set readonly off` allows changes");
    run(&mut terminal, "tsm delete --yes api", "[4] tetra read-only>");
    run(&mut terminal, "set readonly off", "tetra>");
    run(&mut terminal, &format!("!{tetra} tsm delete --yes api"), "tetra>");
    assert!(!is_there("api"));
    run(&mut terminal, "exit", "tetra read-only>");
    run(&mut terminal, "set readonly off", "tetra>");
    run(&mut terminal, &format!("!{tetra} tsm delete --yes web"), "tetra>");
    assert!(!is_there("web"));
    leave(terminal);
}

#[test]
fn a_variable_makes_commands_read_only_and_is_not_for_processes() {
    let home = TestHome::new();
    stopped(&home, "api", 0);
    let tetra = |words: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_tetra"));
        command.args(words).env_clear().envs(home.variables()).env("TETRA_READONLY", "1").stdin(Stdio::null());
        let output = command.output().expect("tetra runs");
        (output.status.code(), [output.stdout, output.stderr].concat().iter().map(|byte| char::from(*byte)).collect())
    };
    let (code, said): (_, String) = tetra(&["tsm", "delete", "--yes", "api"]);
    assert_eq!(code, Some(4), "{said}");
    assert!(said.contains("or `unset TETRA_READONLY` in the shell that has it"), "{said}");
    let (_, said) = tetra(&["config", "show", "readonly", "--origin"]);
    assert!(said.contains("readonly  on     TETRA_READONLY"), "{said}");
    let (code, said) = tetra(&["-c", "set readonly off; tsm start --oneshot --name web -- true; tsm delete --yes api"]);
    assert_eq!(code, Some(0), "{said}");
    let environ = std::fs::read(home.path("tetra/tsm/runtime/processes/web/environ")).expect("a snapshot");
    assert!(!String::from_utf8_lossy(&environ).contains("TETRA_READONLY"));
    // The file is for prompts, and `config show` does not say that it holds here.
    home.write("config/tetra/config.toml", "readonly = true\nedit-mode = 'vi'\n");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_tetra"));
    command.args(["config", "show", "--origin"]).env_clear().envs(home.variables());
    let said = command.output().expect("tetra runs");
    let (table, notes) = (String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
    assert!(table.contains("on       config.toml:1, from the next prompt on"), "{table}");
    assert!(
        notes.contains("`edit-mode`, `readonly` of config.toml hold at prompts that start from now on, not here"),
        "{notes}"
    );
}

#[test]
fn what_is_said_of_edited_settings_is_true_of_each_key() {
    for (text, code, holds) in [
        ("readonly = true", 0, Some("\nit holds from the next start")),
        ("readonly = true\nreadonli = true", 2, Some("\nthe other keys hold from the next start")),
        ("readonly = true\nreadonly = true", 2, None),
    ] {
        let edits = format!("sh -c 'printf \"{}\" >\"$0\"'", text.replace('\n', "\\n"));
        let mut world = World::with(&[("EDITOR", &edits)]);
        world.answers(&[]);
        let said = world.run("config edit");
        assert_eq!(said.code, code, "{}", said.stderr);
        let notes = format!("\n{}", said.stderr);
        assert_eq!(notes.contains("from the next start"), holds.is_some(), "{text}: {notes}");
        assert!(holds.is_none_or(|holds| notes.contains(holds)), "{text}: {notes}");
    }
}

#[test]
fn an_environment_can_be_read_only_whatever_the_session_says() {
    let home = TestHome::new();
    home.write("tetra/org/acme/environments/dev.toml", "[environment]\nreadonly = true\n");
    stopped(&home, "api", 0);
    let mut terminal = session(&home);
    terminal.wait_line("acme/dev read-only>");
    run(&mut terminal, "tsm delete --yes api", "[4] acme/dev read-only>");
    terminal.wait_for("remove `readonly = true` from");
    assert!(home.path("tetra/tsm/runtime/processes/api").exists());
    // Another environment by an option does not get around it.
    run(&mut terminal, "tsm delete --yes --env local api", "[4] acme/dev read-only>");
    // Nor does a program that does not know what was selected here.
    let tetra = home.path("t").display().to_string();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_tetra"), &tetra).expect("a link");
    for line in [
        format!("!{tetra} tsm delete -y --env local api"),
        format!("version | xargs -I. {tetra} tsm delete -y --env local api"),
    ] {
        let written = terminal.written();
        terminal.send(&format!("{line}\r"));
        terminal.wait_beyond("the refusal", written, |text| {
            text.contains("the environment of the prompt that started this is read-only").then_some(())
        });
        terminal.wait_line("acme/dev read-only>");
        assert!(home.path("tetra/tsm/runtime/processes/api").exists(), "{line}");
    }
    // Without a terminal the advice is not `--yes`, which would not help.
    home.write("tetra/org/acme/environments/qa.toml", "[environment]\nreadonly = true\n");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_tetra"));
    command.args(["tsm", "delete", "api", "--env", "qa"]).env_clear().envs(home.variables()).stdin(Stdio::null());
    let said = command.output().expect("tetra runs");
    assert!(String::from_utf8_lossy(&said.stderr).contains("environment qa is read-only"), "{said:?}");
    // The advice names the file that says so.
    home.write("tetra/org/acme/environments/qa.toml", "");
    home.write("tetra/org/acme/manifest.toml", "[environments.qa]\nreadonly = true\n");
    let said = command.output().expect("tetra runs");
    let expected = format!("below `[environments.qa]` from `{}`", home.path("tetra/org/acme/manifest.toml").display());
    assert!(String::from_utf8_lossy(&said.stderr).contains(&expected), "{said:?}");
    run(&mut terminal, "use @local", "acme/local>");
    run(&mut terminal, &format!("!{tetra} tsm delete --env local api"), "acme/local>");
    assert!(!home.path("tetra/tsm/runtime/processes/api").exists());
    leave(terminal);
}

#[test]
fn commands_of_tsm_need_no_tsm_at_the_prompt() {
    let home = TestHome::new();
    stopped(&home, "my-api", 0);
    let mut terminal = session(&home);
    terminal.send("restart m\t");
    terminal.wait_line("restart my-api");
    terminal.wait("it is known", |screen| (colour_of(screen, "restart")? == Color::Idx(6)).then_some(()));
    terminal.send(CTRL_C);
    terminal.wait_line("tetra>");
    run(&mut terminal, "list all", "tetra>");
    terminal.wait("a list", |screen| screen.contents().lines().any(|row| row.contains("my-api")).then_some(()));
    run(&mut terminal, "lst", "[2] tetra>");
    leave(terminal);
    let mut command = home.tetra();
    command.args(["-c", "list"]);
    let mut strict = Terminal::start(command);
    assert_eq!(strict.end(), 2, "{}", strict.contents());
}

#[test]
fn a_question_mark_asks_for_help() {
    let home = TestHome::new();
    let mut terminal = session(&home);
    for (line, times) in [("use ?", 1), ("use --help", 2)] {
        run(&mut terminal, line, "tetra>");
        terminal.wait_written("Usage: use", times);
    }
    leave(terminal);
}

#[test]
fn a_number_puts_an_earlier_line_on_the_prompt_and_runs_nothing() {
    let home = TestHome::new();
    let mut terminal = session(&home);
    run(&mut terminal, "use @dev", "-/dev>");
    run(&mut terminal, "use @staging", "-/staging>");
    terminal.send("!1\r");
    terminal.wait_line("-/staging> use @dev");
    terminal.send(CTRL_C);
    terminal.wait_line("-/staging>");
    terminal.send("!-1\r");
    terminal.wait_line("-/staging> use @staging");
    terminal.send(CTRL_C);
    terminal.wait_line("-/staging>");
    terminal.send("!99\r");
    terminal.wait_for("the history has no line 99");
    terminal.wait_line("-/staging>");
    terminal.send(UP);
    terminal.wait_line("-/staging> use @staging");
    terminal.send(CTRL_C);
    terminal.wait_line("-/staging>");
    leave(terminal);
}

#[test]
fn lines_can_be_kept_out_of_the_history_and_taken_out_of_it() {
    let home = TestHome::new();
    let mut terminal = session(&home);
    run(&mut terminal, "use @dev # hunter2", "-/dev>");
    run(&mut terminal, "set private on", "-/dev private>");
    run(&mut terminal, "use @staging # hunter3", "-/staging private>");
    run(&mut terminal, "history --delete 1", "-/staging private>");
    terminal.wait_for("removed line 1 from the history");
    run(&mut terminal, "history --delete 1", "[5] -/staging private>");
    run(&mut terminal, "set private off", "-/staging>");
    terminal.send(UP);
    terminal.wait_line("-/staging> set private on");
    terminal.send(CTRL_C);
    terminal.wait_line("-/staging>");
    run(&mut terminal, " history --clear", "-/staging>");
    terminal.wait_for("from the history");
    leave(terminal);
    for text in ["hunter2", "hunter3"] {
        assert_eq!(home.files_with("state", text), Vec::<std::path::PathBuf>::new(), "{text}");
    }
}

#[test]
fn use_and_select_alone_show_what_there_is() {
    let home = TestHome::new();
    home.write("tetra/org/acme/environments/qa.toml", "");
    stopped(&home, "api", 0);
    let mut terminal = session(&home);
    run(&mut terminal, "use", ">");
    terminal.wait("environments", |screen| {
        let text = screen.contents();
        let row = |words: [&str; 2]| text.lines().any(|line| words.iter().all(|word| line.contains(word)));
        (row(["acme", "@qa"]) && text.contains("@prod")).then_some(())
    });
    run(&mut terminal, "select", ">");
    terminal.wait("processes", |screen| {
        screen.contents().lines().any(|line| line.contains("api") && line.contains("stopped")).then_some(())
    });
    terminal.send("use @dev @prod\r");
    terminal.wait_for("`@dev` and `@prod` are two environments");
    terminal.send("use - -\r");
    terminal.wait_for("`-` takes no other word");
    leave(terminal);
}

#[test]
fn a_number_at_a_plain_prompt_shows_an_earlier_line_and_runs_nothing() {
    let home = TestHome::new();
    let mut terminal = session(&home);
    run(&mut terminal, "use @dev", "-/dev>");
    leave(terminal);
    let mut command = home.tetra();
    command.arg("--plain");
    let mut terminal = Terminal::start(command);
    terminal.wait_line("tetra>");
    for line in ["!1", "!-1", "!!"] {
        terminal.send(&format!("{line}\r"));
        terminal.wait(line, |screen| {
            let text = screen.contents();
            let (_, after) = text.split_once(&format!("> {line}\n"))?;
            (after.contains("is `use @dev`; type it to run it") && current_line(screen).trim_end() == "tetra>")
                .then_some(())
        });
    }
    terminal.send("!77\r");
    terminal.wait_for("the history has no line 77");
    leave(terminal);
}
