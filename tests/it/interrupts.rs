//! Ctrl-C ends what waits at the prompt at once, and a second one changes nothing about that.

use nix::sys::signal::Signal;

use crate::pty::{Terminal, TestHome};
use crate::repl::{CTRL_C, PASTE, leave, run, session, stopped};
use crate::waiting::eventually;

/// Interrupts twice. The second comes as a signal: as a key it could reach the prompt, which then begins anew while the next line
/// is typed.
fn interrupt(terminal: &mut Terminal) {
    terminal.send(CTRL_C);
    terminal.signal(Signal::SIGINT);
    terminal.wait_line("tetra>");
    run(terminal, "use @dev", "-/dev>");
    run(terminal, "use -", "tetra>");
}

#[test]
fn what_waits_at_the_prompt_ends_at_once() {
    let home = TestHome::new();
    stopped(&home, "api", 0);
    home.write("tetra/tsm/runtime/processes/api/current.out", "it began\n");
    let mut terminal = session(&home);
    for (line, sign) in
        [("tsm logs api -f", "it began"), ("watch -n 1h version", "run 1: version"), ("tsm monitor", "q quit")]
    {
        terminal.send("\x0c");
        terminal.wait_gone(sign);
        terminal.wait_line("tetra>");
        terminal.send(&format!("{line}\r"));
        terminal.wait_for(sign);
        interrupt(&mut terminal);
    }
    leave(terminal);
}

/// As in other shells: the key ends what runs, with the signal that programs keep for it, and not the session.
#[test]
fn ctrl_backslash_ends_what_runs_and_not_the_session() {
    const CTRL_BACKSLASH: &str = "\x1c";
    let home = TestHome::new();
    stopped(&home, "api", 0);
    home.write("tetra/tsm/runtime/processes/api/current.out", "it began\n");
    let mut terminal = session(&home);
    for (line, sign) in [
        ("tsm logs api -f", "it began"),
        ("tsm logs api -f | cat", "it began"),
        ("watch -n 1h version", "run 1: version"),
        ("!echo be''gun; exec sleep 1000", "begun"),
        ("tsm --env prod delete api", "[type prod]"),
    ] {
        terminal.send("\x0c");
        terminal.wait_gone(sign);
        terminal.wait_line("tetra>");
        terminal.send(&format!("{line}\r"));
        terminal.wait_for(sign);
        terminal.send(CTRL_BACKSLASH);
        terminal.wait_line("tetra>");
        run(&mut terminal, "use @dev", "-/dev>");
        run(&mut terminal, "use -", "tetra>");
    }
    terminal.send(CTRL_BACKSLASH);
    run(&mut terminal, "use @dev", "-/dev>");
    leave(terminal);
}

#[test]
fn what_is_said_of_an_interruption_begins_on_a_line_of_its_own() {
    let home = TestHome::new();
    let mut terminal = session(&home);
    terminal.send("tsm start --notify --name web sleep 600\r");
    terminal.wait_for("waiting for it to report that it is ready");
    terminal.send(CTRL_C);
    terminal.wait_for("it keeps running");
    run(&mut terminal, "tsm delete web", "tetra>");
    terminal.wait_for("deleted web");
    let shown = terminal.contents();
    assert!(shown.contains("^C\nstarted web (0)\nerror: stopped waiting for `web`; it keeps running\n"), "{shown}");
    leave(terminal);
}

#[test]
fn a_pasted_block_stops_at_the_line_that_fails_and_says_which() {
    let home = TestHome::new();
    let mut terminal = session(&home);
    terminal.send(&format!("{}use @dev\nuse nowhere\nuse @local{}", PASTE.0, PASTE.1));
    terminal.wait_line("use @local");
    terminal.send("\r");
    terminal.wait_for("prompt:2:1");
    terminal.wait_line("-/dev>");
    leave(terminal);
}

#[test]
fn a_named_pipe_that_is_a_script_is_waited_for_until_ctrl_c() {
    let home = TestHome::new();
    let pipe = home.path("lines");
    nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).expect("a named pipe");
    let mut terminal = session(&home);
    let is_open = |terminal: &Terminal| {
        let open = std::fs::read_dir(format!("/proc/{}/fd", terminal.pid())).into_iter().flatten().flatten();
        open.into_iter().any(|file| std::fs::read_link(file.path()).is_ok_and(|file| file == pipe))
    };
    let line = format!("source {}", pipe.display());
    terminal.send(&format!("{line}\r"));
    eventually("the pipe is read", || is_open(&terminal));
    interrupt(&mut terminal);
    terminal.send(&format!("{line}\r"));
    eventually("the pipe is read", || is_open(&terminal));
    std::fs::write(&pipe, "use @staging\n").expect("a reader");
    terminal.wait_line("-/staging>");
    leave(terminal);
}

/// The process that wrote its number into this file is there.
fn lives(file: &std::path::Path) -> Option<bool> {
    let number: i32 = std::fs::read_to_string(file).ok()?.trim().parse().ok()?;
    Some(nix::sys::signal::kill(nix::unistd::Pid::from_raw(number), None).is_ok())
}

#[test]
fn a_second_one_wins_over_a_program_that_ignores_it() {
    let home = TestHome::new();
    stopped(&home, "api", 0);
    home.write("tetra/tsm/runtime/processes/api/current.out", "it began\n");
    let mut terminal = session(&home);
    let number = home.path("number");
    let text = format!("trap '' INT TERM\necho $$ > {}\ncat\nexec sleep 600\n", number.display());
    let script = home.write("ignore.sh", &text).display().to_string();
    for line in [
        format!("watch -n 1h \"!sh {script}\""),
        format!("logs -f api | sh {script}"),
        format!("watch -n 1h \"logs api | sh {script}\""),
    ] {
        let _ = std::fs::remove_file(&number);
        terminal.send("\x0c");
        terminal.send(&format!("{line}\r"));
        eventually("the program runs", || lives(&number) == Some(true));
        terminal.send(CTRL_C);
        terminal.wait_for("^C");
        // The signals of two keys may become one.
        eventually("the program has ended", || {
            terminal.signal(Signal::SIGINT);
            lives(&number) == Some(false)
        });
        terminal.wait_line("tetra>");
        run(&mut terminal, "use @dev", "-/dev>");
        run(&mut terminal, "use -", "tetra>");
    }
    leave(terminal);
}

#[test]
fn a_program_that_has_the_terminal_hears_each_one_and_goes_on() {
    let home = TestHome::new();
    let mut terminal = session(&home);
    let (begun, go) = (home.path("begun"), home.path("go"));
    let text = format!(
        "trap 'echo heard $((6*7))' INT\ntouch {}\nuntil test -e {}; do sleep 0.05; done\necho at $((6*8))\n",
        begun.display(),
        go.display()
    );
    let script = home.write("hear.sh", &text);
    terminal.send(&format!("!sh {}\r", script.display()));
    eventually("the program runs", || begun.exists());
    for times in 1..=3 {
        terminal.send(CTRL_C);
        terminal.wait_written("heard 42", times);
    }
    std::fs::write(&go, "").expect("ours");
    terminal.wait_for("at 48");
    leave(terminal);
}

#[test]
fn what_does_not_end_is_not_watched() {
    let home = TestHome::new();
    let mut terminal = session(&home);
    for line in ["watch 'tsm logs x -f'", "watch tsm logs --follow x", "watch 'use @dev; tsm monitor'"] {
        run(&mut terminal, "clear", "tetra>");
        terminal.send(&format!("{line}\r"));
        terminal.wait_for("does not end");
        terminal.wait_line("tetra>");
    }
    leave(terminal);
}
