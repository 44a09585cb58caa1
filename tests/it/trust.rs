//! What an operator has to be able to trust at the prompt, in a real pseudo-terminal: that it stays sound whatever the terminal
//! says, that secrets are not shown, that nothing but an answer answers a question.

use std::time::{Duration, Instant};

use nix::sys::signal::{self, Signal};
use nix::sys::termios::LocalFlags;
use nix::unistd::Pid;

use crate::pty::{Terminal, TestHome, current_line};
use crate::repl::{CTRL_C, PASTE, UP, leave, run, session, stopped};
use crate::waiting::{eventually, pause};

/// A process that is stopped, in production.
fn production(home: &TestHome) {
    home.write("tetra/org/acme/environments/prod.toml", "");
    stopped(home, "api", 0);
}

/// A prompt there, at a terminal of this name.
fn in_production(term: &str) -> (TestHome, Terminal) {
    let home = TestHome::new();
    production(&home);
    let mut command = home.tetra();
    command.env("TERM", term);
    let terminal = Terminal::start(command);
    terminal.wait_line("acme/PROD>");
    (home, terminal)
}

fn has_state(terminal: &Terminal, state: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", terminal.pid())).unwrap_or_default();
    stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with(state))
}

/// A shell with job control, and in it a job that reads the terminal; gives its process id.
struct Job {
    shell: Terminal,
    pid: i32,
}

impl Job {
    fn start(home: &TestHome, line: &str, shown: &str) -> Self {
        let mut command = home.command("bash");
        command.args(["--norc", "--noprofile", "-i"]);
        command.env("PS1", "shell$ ");
        let mut shell = Terminal::start(command);
        shell.wait_line("shell$");
        shell.send(&format!("{line}\r"));
        shell.wait_for(shown);
        let children = format!("/proc/{0}/task/{0}/children", shell.pid());
        let children = std::fs::read_to_string(children).expect("the children of the shell");
        let pid = children.trim().parse().expect("one child");
        Self { shell, pid }
    }

    /// Stops the job and types what the shell is to do with it then.
    fn stop_and(&mut self, keys: &str) {
        let written = self.shell.written();
        signal::kill(Pid::from_raw(self.pid), Signal::SIGSTOP).expect("a job");
        self.shell.wait_beyond("the shell", written, |text| {
            text.split_once("Stopped").and_then(|(_, text)| text.contains("shell$ ").then_some(()))
        });
        self.shell.send(keys);
    }
}

/// Stops the program, lets the terminal be as a shell leaves it, and lets it go on.
fn stop_and_go_on(terminal: &Terminal) {
    terminal.signal(Signal::SIGSTOP);
    eventually("it is stopped", || has_state(terminal, "T"));
    terminal.change_modes(|flags| flags.insert(LocalFlags::ICANON | LocalFlags::ECHO | LocalFlags::ISIG));
    assert!(terminal.is_cooked());
    terminal.signal(Signal::SIGCONT);
}

#[test]
fn a_cursor_report_that_was_not_asked_for_is_forgotten_at_the_next_prompt() {
    let home = TestHome::new();
    let mut terminal = session(&home);
    run(&mut terminal, "use @dev", "-/dev>");
    // What the terminal says for Shift-F3, three times.
    terminal.send("\x1b[1;2R\x1b[1;2R\x1b[1;2R");
    run(&mut terminal, "version", "-/dev>");
    run(&mut terminal, "use @staging", "-/staging>");
    run(&mut terminal, "help nothere", "-/staging>");
    run(&mut terminal, "use @local", "-/local>");
    terminal.wait("everything in its order", |screen| {
        let text = screen.contents();
        let places = ["> use @dev", "> version", "> use @staging", "-/staging> use @local", "-/local>"];
        let places: Vec<_> = places.iter().map(|line| text.find(line)).collect::<Option<_>>()?;
        (places.is_sorted() && current_line(screen).trim_end() == "-/local>").then_some(())
    });
    leave(terminal);
}

/// What is typed after the begin of a report or of a paste is typed: also Ctrl-C and Enter.
#[test]
fn a_sequence_without_an_end_takes_no_keys_with_it() {
    let home = TestHome::new();
    let mut terminal = session(&home);
    for begin in ["\x1b[?", "\x1b[?1;2", "\x1b[<0;3", "\x1b[", "\x1bO", "\x1b[200~one\rtwo"] {
        // The next key may belong to it.
        terminal.send(begin);
        terminal.send(" ");
        if begin.contains("two") {
            // It is shown when it is over.
            terminal.wait_for("two");
        }
        let written = terminal.written();
        terminal.send(CTRL_C);
        // What comes with Ctrl-C is dropped with the line.
        terminal.wait_beyond("another prompt", written, |text| {
            text.split_once("\x1b[?2004h").filter(|(_, prompt)| prompt.contains("> ")).map(|_| ())
        });
        run(&mut terminal, "use @dev", "-/dev>");
        run(&mut terminal, "use @staging", "-/staging>");
    }
    leave(terminal);
}

#[test]
fn reports_of_places_that_do_not_exist_end_nothing() {
    let home = TestHome::new();
    let mut terminal = session(&home);
    for report in ["\x1b[0;0R", "\x1b[5;0R", "\x1b[999;999R", "\x1b[<0;0;0M", "\x1b[32;0;0M", "\x1b[M \x01\x01"] {
        terminal.send(report);
    }
    run(&mut terminal, "use @staging", "-/staging>");
    leave(terminal);
}

#[test]
fn a_secret_stays_unseen_after_a_stop() {
    let home = TestHome::new();
    home.write("tetra/org/acme/environments/dev.toml", "");
    let mut command = home.tetra();
    command.args(["--org", "acme", "secrets", "set", "dev", "API_KEY"]);
    let mut terminal = Terminal::start(command);
    terminal.wait_for("API_KEY");
    eventually("nothing is shown", || !terminal.shows_what_is_typed());
    for stops in 1..=3 {
        stop_and_go_on(&terminal);
        eventually("nothing is shown again", || !terminal.shows_what_is_typed());
        terminal.wait_written("(not shown):", stops + 1);
    }
    terminal.send("hunter2\r");
    assert_eq!(terminal.end(), 0, "{}", terminal.contents());
    assert!(terminal.is_cooked() && !terminal.bytes().contains("hunter2"), "{}", terminal.bytes());
}

#[test]
fn a_line_can_be_edited_after_a_stop() {
    let home = TestHome::new();
    let mut terminal = session(&home);
    terminal.send("use @d");
    terminal.wait_line("use @d");
    stop_and_go_on(&terminal);
    eventually("the modes of an editor", || !terminal.is_cooked());
    terminal.wait_written("\x1b[?2004h", 2);
    run(&mut terminal, "ev", "-/dev>");
    leave(terminal);
}

/// What is typed for the shell meanwhile wakes who waits for keys: it must neither take them nor be stopped for that, or the shell
/// would give the terminal to a job that is stopped.
#[test]
fn a_session_that_was_in_the_background_goes_on_in_the_foreground() {
    let home = TestHome::new();
    let mut job = Job::start(&home, "tetra", "tetra>");
    for (round, keys) in ["bg\rfg\r", "bg\r", "bg; fg\r", "fg\r"].into_iter().cycle().take(20).enumerate() {
        let written = job.shell.written();
        job.stop_and(keys);
        if keys == "bg\r" {
            job.shell.wait_beyond("the job", written, |text| text.contains("tetra &").then_some(()));
            job.shell.send("fg\r");
        }
        job.shell.wait_beyond("an editor", written, |text| {
            text.rsplit_once("fg\r\n").and_then(|(_, text)| text.contains("\x1b[?2004h").then_some(()))
        });
        eventually("the modes of an editor", || !job.shell.is_cooked());
        let environment = if round % 2 == 0 { "dev" } else { "staging" };
        run(&mut job.shell, &format!("clear; use @{environment}"), &format!("-/{environment}>"));
    }
    job.shell.send("exit\r");
    job.shell.wait_line("shell$");
}

#[test]
fn the_terminal_comes_back_from_a_shell_that_was_killed() {
    let home = TestHome::new();
    let mut terminal = session(&home);
    terminal.send("!PS1='inner> ' bash --norc --noprofile -i\r");
    terminal.wait_line("inner>");
    terminal.send("kill -9 $$\r");
    terminal.wait_line("tetra>");
    run(&mut terminal, "use @staging", "-/staging>");
    leave(terminal);
}

/// The shell edits its own line meanwhile, in modes that must stay.
#[test]
fn a_session_that_is_started_in_the_background_waits_for_the_foreground() {
    let home = TestHome::new();
    let mut command = home.command("bash");
    command.args(["--norc", "--noprofile", "-i"]);
    command.env("PS1", "shell$ ");
    let mut shell = Terminal::start(command);
    for (round, keys) in ["tetra &\rfg\r", "tetra & fg\r", "tetra &\rtrue\rfg\r"].into_iter().enumerate() {
        shell.wait_line("shell$");
        shell.send(keys);
        shell.wait_line("tetra>");
        let environment = if round % 2 == 0 { "dev" } else { "staging" };
        run(&mut shell, &format!("use @{environment}"), &format!("-/{environment}>"));
        shell.send("exit\r");
    }
    shell.wait_line("shell$");
}

#[test]
fn a_secret_stays_unseen_after_a_while_in_the_background() {
    let home = TestHome::new();
    home.write("tetra/org/acme/environments/dev.toml", "");
    let mut job = Job::start(&home, "tetra --org acme secrets set dev API_KEY", "(not shown)");
    for keys in ["bg\rfg\r", "bg; fg\r", "bg\rtrue\rfg\r"].into_iter().cycle().take(9) {
        eventually("nothing is shown", || !job.shell.shows_what_is_typed());
        let written = job.shell.written();
        job.stop_and(keys);
        job.shell.wait_beyond("the job", written, |text| {
            text.rsplit_once("fg\r\n").and_then(|(_, text)| text.contains("(not shown):\r\n").then_some(()))
        });
    }
    eventually("nothing is shown", || !job.shell.shows_what_is_typed());
    job.shell.send("hunter2\r");
    job.shell.wait_line("shell$");
    assert!(!job.shell.bytes().contains("hunter2"), "{}", job.shell.bytes());
}

#[test]
fn the_question_for_a_secret_is_shown_again_after_a_stop() {
    let home = TestHome::new();
    home.write("tetra/org/acme/environments/dev.toml", "");
    let mut job = Job::start(&home, "tetra --org acme secrets set dev API_KEY", "(not shown)");
    eventually("nothing is shown", || !job.shell.shows_what_is_typed());
    let written = job.shell.written();
    job.stop_and("fg\r");
    job.shell.wait_beyond("the question", written, |text| {
        text.rsplit_once("fg\r\n")?.1.contains("the value of API_KEY for dev (not shown):\r\n").then_some(())
    });
    job.shell.send("hunter2\r");
    job.shell.wait_for("added API_KEY of dev (7 characters)");
    job.shell.wait_line("shell$");
}

/// How many bytes a process has read so far.
fn bytes_read(pid: i32) -> usize {
    let io = std::fs::read_to_string(format!("/proc/{pid}/io")).expect("a process");
    io.lines().find_map(|line| line.strip_prefix("rchar: ")?.parse().ok()).expect("a number")
}

#[test]
fn a_secret_that_is_half_typed_goes_to_no_shell() {
    let home = TestHome::new();
    home.write("tetra/org/acme/environments/dev.toml", "");
    let mut job = Job::start(&home, "tetra --org acme secrets set dev API_KEY", "(not shown)");
    eventually("nothing is shown", || !job.shell.shows_what_is_typed());
    let before = bytes_read(job.pid);
    job.shell.send("hunter");
    eventually("it has read them", || bytes_read(job.pid) >= before + "hunter".len());
    let written = job.shell.written();
    job.stop_and("echo mar''ked\rfg\r");
    job.shell.wait_beyond("the question", written, |text| {
        text.rsplit_once("fg\r\n")?.1.contains("the value of API_KEY for dev (not shown):\r\n").then_some(())
    });
    job.shell.wait_for("marked");
    job.shell.send("hunter2\r");
    job.shell.wait_for("added API_KEY of dev (7 characters)");
    job.shell.wait_line("shell$");
    assert!(!job.shell.bytes().contains("hunter"), "{}", job.shell.bytes());
}

#[test]
fn what_is_typed_during_a_stop_is_no_part_of_a_secret() {
    let home = TestHome::new();
    home.write("tetra/org/acme/environments/dev.toml", "");
    let mut command = home.tetra();
    command.args(["--org", "acme", "secrets", "set", "dev", "API_KEY"]);
    let mut terminal = Terminal::start(command);
    terminal.wait_for("(not shown):");
    eventually("nothing is shown", || !terminal.shows_what_is_typed());
    terminal.signal(Signal::SIGSTOP);
    eventually("it is stopped", || has_state(&terminal, "T"));
    terminal.send("abc\r");
    let input = std::fs::File::open(format!("/proc/{}/fd/0", terminal.pid())).expect("its terminal");
    eventually("the terminal has it", || crate::pty::is_readable(&input));
    terminal.signal(Signal::SIGCONT);
    terminal.wait_written("(not shown):", 2);
    terminal.send("hunter2\r");
    assert_eq!(terminal.end(), 0, "{}", terminal.contents());
    assert!(terminal.contents().contains("added API_KEY of dev (7 characters)"), "{}", terminal.contents());
    assert!(!terminal.bytes().contains("hunter2") && !terminal.bytes().contains("abc"), "{}", terminal.bytes());
}

/// The terminal gives whole lines for it.
#[test]
fn a_question_is_answered_after_a_while_in_the_background() {
    let home = TestHome::new();
    for keys in ["bg\rfg\r", "bg; fg\r", "bg\rtrue\rfg\r"] {
        production(&home);
        let mut job = Job::start(&home, "tetra --org acme --env prod tsm delete api", "[type acme]");
        let written = job.shell.written();
        job.stop_and(keys);
        job.shell.wait_beyond("the job", written, |text| {
            text.rsplit_once("fg\r\n").and_then(|(_, text)| text.contains("tsm delete").then_some(()))
        });
        job.shell.send("acme\r");
        job.shell.wait_for("deleted api (0)");
        job.shell.wait_line("shell$");
    }
}

/// Answers to queries of a program before, which come when it has ended.
#[test]
fn what_a_terminal_answers_too_late_is_not_typed() {
    let home = TestHome::new();
    let mut terminal = session(&home);
    for answer in
        ["\x1b]11;rgb:0000/0000/0000\x1b\\", "\x1bP>|xterm(370)\x1b\\", "\x1b]52;c;aGVsbG8=\x07", "\u{9b}5;9R"]
    {
        terminal.send(answer);
        run(&mut terminal, "clear; use @staging", "-/staging>");
        terminal.wait_gone("370");
    }
    leave(terminal);
}

#[test]
fn what_is_pasted_is_never_obeyed_by_the_terminal() {
    let home = TestHome::new();
    let mut terminal = session(&home);
    let evil = "a\x1b[31mred\u{9b}32mgreen\u{202e}\x07\u{7f}w\u{200b}e\u{ad}b\u{feff}\u{2060}\u{e0041}\u{200d}";
    terminal.send(&format!("{}{evil}{}", PASTE.0, PASTE.1));
    let shown = r"a\u{1b}[31mred\u{9b}32mgreen\u{202e}\u{7}\u{7f}w\u{200b}e\u{ad}b\u{feff}\u{2060}\u{e0041}\u{200d}";
    terminal.wait_for(&format!("tetra> {shown}")[..100]);
    terminal.send("\u{202e}\u{200b}!");
    terminal.wait_for(r"\u{200d}\u{202e}\u{200b}!");
    terminal.send("\r");
    terminal.wait_line("[2] tetra>");
    let written = terminal.written();
    terminal.send(UP);
    terminal.wait_beyond("the line of the history", written, |text| text.contains(r"\u{202e}\u{200b}!").then_some(()));
    let raw = [
        "\x1b[31mred",
        "\u{9b}",
        "\u{202e}",
        "\x07",
        "\u{7f}",
        "\u{200b}",
        "\u{ad}",
        "\u{feff}",
        "\u{2060}",
        "\u{e0041}",
        "\u{200d}",
    ];
    for raw in raw {
        assert!(!terminal.bytes().contains(raw), "{raw:?}");
    }
    terminal.send(CTRL_C);
    terminal.wait_line("tetra>");
    leave(terminal);
}

#[test]
fn a_long_text_arrives_whole_without_another_key() {
    let home = TestHome::new();
    let mut terminal = session(&home);
    for length in [1_023, 1_024, 1_025, 4_000] {
        terminal.send(&format!("#{}end", "a".repeat(length)));
        terminal.wait_line("aend");
        terminal.send(CTRL_C);
        terminal.wait_line("tetra>");
    }
    leave(terminal);
}

#[test]
fn what_was_pasted_behind_a_command_answers_nothing() {
    for term in ["dumb", "xterm"] {
        let (home, mut terminal) = in_production(term);
        terminal.send("tsm delete api\nacme\nacme\n");
        terminal.wait_for("continue?");
        terminal.send("no\n");
        terminal.wait_line("acme/PROD>");
        assert!(home.path("tetra/tsm/runtime/processes/api").exists(), "{term}: {}", terminal.contents());
    }
}

#[test]
fn several_lines_at_a_question_answer_nothing_and_run_nothing() {
    for term in ["dumb", "xterm"] {
        let (home, mut terminal) = in_production(term);
        terminal.send("tsm delete api\n");
        terminal.wait_for("continue?");
        terminal.send("acme\nuse @dev\n");
        terminal.wait_for("a pasted text is not taken for an answer");
        terminal.wait_line("acme/PROD>");
        assert!(home.path("tetra/tsm/runtime/processes/api").exists(), "{term}: {}", terminal.contents());
        // One line is an answer.
        terminal.send("tsm delete api\n");
        terminal.wait("another question", |screen| (screen.contents().matches("continue?").count() == 2).then_some(()));
        terminal.send("acme\n");
        terminal.wait_for("deleted api");
        terminal.wait_line("acme/PROD>");
        assert!(!terminal.contents().contains("acme/dev"), "{term}: {}", terminal.contents());
    }
}

/// As a paste comes over a slow line: a byte now and then.
#[test]
fn no_question_is_asked_while_a_paste_still_comes() {
    // Less than the pause that is taken for the end of a paste: a longer one may be taken for that, and the round does not count.
    const PAUSE: Duration = Duration::from_millis(50);
    for _ in 0..50 {
        let (home, mut terminal) = in_production("dumb");
        terminal.send("tsm delete api\n");
        let (mut last, mut longest) = (Instant::now(), Duration::ZERO);
        for byte in "acme\n".chars().cycle().take(60) {
            terminal.send(&byte.to_string());
            pause();
            longest = longest.max(last.elapsed());
            last = Instant::now();
        }
        let is_asked = terminal.contents().contains("continue?");
        if longest >= PAUSE {
            continue;
        }
        assert!(!is_asked, "{}", terminal.contents());
        terminal.wait_for("continue?");
        assert!(home.path("tetra/tsm/runtime/processes/api").exists(), "{}", terminal.contents());
        terminal.send("acme\n");
        terminal.wait_for("deleted api");
        return;
    }
}

#[test]
fn yes_at_the_start_is_not_an_answer_for_a_whole_session() {
    let home = TestHome::new();
    production(&home);
    let mut command = home.tetra();
    command.arg("-y");
    let mut terminal = Terminal::start(command);
    terminal.wait_for("asks nothing outside production");
    terminal.wait_line("acme/PROD>");
    terminal.send("tsm delete api\r");
    terminal.wait_for("continue?");
    terminal.send("no\r");
    terminal.wait_line("[4] acme/PROD>");
    terminal.send("tsm delete api --yes\r");
    terminal.wait_for("deleted api (0)");
    terminal.wait("the prompt", |screen| (current_line(screen).trim_end() == "acme/PROD>").then_some(()));
    leave(terminal);
}

#[test]
fn a_full_screen_comes_back_after_a_stop() {
    let home = TestHome::new();
    production(&home);
    let mut command = home.tetra();
    command.args(["tsm", "monitor"]);
    let mut terminal = Terminal::start(command);
    terminal.wait_for("api");
    eventually("keys are read as they are pressed", || !terminal.is_cooked());
    stop_and_go_on(&terminal);
    terminal.wait_written("\x1b[?1049h", 2);
    eventually("and are so again", || !terminal.is_cooked());
    terminal.wait_for("api");
    terminal.send("q");
    assert_eq!(terminal.end(), 0, "{}", terminal.contents());
    assert!(terminal.is_cooked());
}
