//! Questions in a real terminal: who answers, and what comes of it.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::program;
use crate::pty::{Terminal, TestHome};
use crate::repl::{leave, run, session, stopped};
use crate::sandbox::Sandbox;
use crate::world::PROGRAM;

/// Wants to set up a machine in prod: a change, which has to be confirmed there.
struct ConfirmTest {
    terminal: Terminal,
    /// The links go beside the program, so it needs a directory of its own. It is linked there: a file that is written could
    /// be busy in a process that another test starts at this moment.
    _programs: tempfile::TempDir,
}

fn asked(home: &TestHome, shell: &str) -> ConfirmTest {
    let programs = program::directory();
    let program = programs.path().join("tetra");
    program::place(&program);
    let mut command = home.command("sh");
    command.args(["-c", &shell.replace("TETRA", &format!("{} --env prod setup", program.display()))]);
    ConfirmTest { terminal: Terminal::start(command), _programs: programs }
}

#[test]
fn no_is_taken_for_an_answer() {
    let home = TestHome::new();
    let ConfirmTest { mut terminal, _programs } = asked(&home, "TETRA");
    terminal.wait_for("[y/N]");
    terminal.send("n\r");
    assert_eq!(terminal.end(), 4);
    terminal.wait_for("nothing was changed");
    assert!(!home.path("tetra/tetra.sh").exists());
}

#[test]
fn yes_goes_on_and_the_output_may_be_a_file() {
    let home = TestHome::new();
    let ConfirmTest { mut terminal, _programs } = asked(&home, "TETRA >said");
    terminal.wait_for("[y/N]");
    terminal.send("y\r");
    assert_eq!(terminal.end(), 0);
    assert!(home.path("tetra/tetra.sh").exists());
    let said = fs::read_to_string(home.path("home/said")).expect("it was redirected");
    assert!(said.starts_with("STATE"), "{said}");
    assert!(!said.contains("[y/N]"), "questions are no data");
}

#[test]
fn interrupting_is_no() {
    let home = TestHome::new();
    let ConfirmTest { mut terminal, _programs } = asked(&home, "exec TETRA");
    terminal.wait_for("[y/N]");
    terminal.send("\u{3}");
    assert!([4, 130].contains(&terminal.end()), "{}", terminal.contents());
    assert!(!home.path("tetra/tetra.sh").exists());
}

#[test]
fn no_question_is_asked_without_a_terminal() {
    let home = TestHome::new();
    let ConfirmTest { mut terminal, _programs } = asked(&home, "TETRA </dev/null");
    assert_eq!(terminal.end(), 4);
    terminal.wait_for("--yes");
    assert!(!terminal.contents().contains("[y/N]"), "{}", terminal.contents());
}

/// What a line does where a process runs in no environment, with these variables; whether the process is still there.
fn deleted(sandbox: &Sandbox, variables: &[(&str, &str)], words: &[&str], stdin: &str) -> (Option<i32>, bool) {
    if !sandbox.dir("web").exists() {
        sandbox.ok(&["tsm", "start", "--name", "web", "sleep", "600"]);
    }
    let mut command = sandbox.command(words);
    fs::write(sandbox.path("stdin"), stdin).expect("written");
    command.envs(variables.iter().copied()).stdin(fs::File::open(sandbox.path("stdin")).expect("a file"));
    let said = command.output().expect("tetra runs");
    (said.status.code(), sandbox.dir("web").exists())
}

/// A line that selects an environment does not replace what the variable says.
#[test]
fn a_line_takes_the_guard_of_the_surroundings_not_away() {
    let sandbox = Sandbox::new();
    let prod: &[_] = &[("TETRA_ENV", "prod")];
    let line = "use @dev; tsm delete web";
    fs::write(sandbox.path("lines.tetra"), "use @dev\ntsm delete web\n").expect("a script");
    for (words, stdin) in [
        (&["-c", line][..], ""),
        (&["-c", "use @dev; use @local; tsm delete web"], ""),
        (&["-c", "@dev; tsm delete web"], ""),
        (&["-c", "use @dev; tsm delete web --env local"], ""),
        (&["-c", "source lines.tetra"], ""),
        (&["lines.tetra"], ""),
        (&["--env", "dev", "-c", line], ""),
        (&[], "use @dev\ntsm delete web\n"),
    ] {
        assert_eq!(deleted(&sandbox, prod, words, stdin), (Some(4), true), "{words:?} {stdin}");
    }
    // What a line selects makes it stricter, without variables too; what its caller consents to is done.
    assert_eq!(deleted(&sandbox, &[], &["-c", "use @prod; tsm delete web --env dev"], ""), (Some(4), true));
    assert_eq!(deleted(&sandbox, prod, &["-c", line, "--yes"], ""), (Some(0), false));
    assert_eq!(deleted(&sandbox, prod, &["-c", "use @dev; tsm delete web --yes"], ""), (Some(0), false));
    assert_eq!(deleted(&sandbox, &[], &["-c", line], ""), (Some(0), false));
    assert_eq!(
        deleted(&sandbox, &[("TETRA_ENV", "staging")], &["-c", "use @dev; tsm delete web"], ""),
        (Some(4), true)
    );
}

/// The settings, lines and history of an operator are in no environment: a question about prod would be a false one.
#[test]
fn what_is_only_the_operators_own_is_not_asked_for() {
    let home = TestHome::new();
    home.write("tetra/org/acme/environments/prod.toml", "[environment]\nreadonly = true\n");
    home.write("config/tetra/config.toml", "");
    stopped(&home, "web", 0);
    let mut command = home.tetra();
    command.args(["--org", "acme", "--env", "prod"]);
    command.env("EDITOR", "sh -c 'echo \"theme = \\\"mono\\\"\" >>\"$0\"'");
    let mut terminal = Terminal::start(command);
    terminal.wait_line("acme/PROD read-only>");
    for line in [
        "alias --save failed='history --failed'",
        "abbr --save cs='config show'",
        "history --export lines.tetra",
        "abbr --remove --save cs",
        "unalias --save failed",
        "config edit",
        "history --delete 1",
        "history --clear",
    ] {
        run(&mut terminal, line, "acme/PROD read-only>");
    }
    terminal.wait_for("lines from the history");
    let said = terminal.scrolled_and_shown().join("\n");
    assert!(!said.contains("continue?") && !said.contains("is read-only"), "{said}");
    assert!(home.path("home/lines.tetra").exists());
    let config = fs::read_to_string(home.path("config/tetra/config.toml")).expect("the settings");
    assert!(config.contains("theme = \"mono\"") && !config.contains("failed"), "{config}");
    // Who cleared a history is seen all the same.
    let record = fs::read_to_string(home.path("tetra/logs/tetra.jsonl")).expect("the record of changes");
    assert!(record.contains("alias --save 'failed=") && record.contains("history --clear"), "{record}");
    // What is not only that is guarded as before; a read-only session changes nothing at all.
    run(&mut terminal, "org use acme", "acme/PROD read-only>");
    terminal.wait_for("environment prod is read-only");
    run(&mut terminal, "set readonly on", "read-only>");
    run(&mut terminal, "history --clear", "read-only>");
    terminal.wait_for("`history` changes something, and this session is read-only");
    leave(terminal);
}

/// The same in a script, where no terminal could answer.
#[test]
fn what_is_only_the_operators_own_needs_no_terminal() {
    let sandbox = Sandbox::new();
    let run = |line: &str| {
        let mut command = sandbox.command(&["-c", line]);
        command.env("TETRA_ENV", "prod").stdin(std::process::Stdio::null());
        command.output().expect("tetra runs").status.code()
    };
    for line in ["alias --save a=version", "unalias --save a", "abbr --save a=version", "history --clear"] {
        assert_eq!(run(line), Some(0), "{line}");
    }
    for line in ["tsm ports set api 3456", "tsm save api sleep 9", "org init acme", "setup", "manual made"] {
        assert_eq!(run(line), Some(4), "{line}");
    }
}

/// At the prompt `use` is the operator's own choice, which the prompt shows from then on.
#[test]
fn a_choice_at_the_prompt_counts_instead_of_the_variable() {
    let home = TestHome::new();
    stopped(&home, "web", 0);
    let mut command = home.tetra();
    command.env("TETRA_ENV", "prod");
    let mut terminal = Terminal::start(command);
    terminal.wait_line("-/PROD>");
    terminal.send("tsm delete web\r");
    terminal.wait_for("continue?");
    terminal.send("\u{3}");
    terminal.wait_line("-/PROD>");
    run(&mut terminal, "use @dev", "-/dev>");
    run(&mut terminal, "tsm delete web", "-/dev>");
    terminal.wait_for("deleted web");
    leave(terminal);
}

/// Of many rows a screen shows the last ones, so the question says how many there are; without a plan it repeats the line.
#[test]
fn a_question_says_how_many_processes_there_are_and_what_has_no_plan() {
    let home = TestHome::new();
    home.write("tetra/org/acme/environments/prod.toml", "");
    stopped(&home, "web", 0);
    stopped(&home, "api", 1);
    home.write("tetra/org/acme/secrets/prod.env", "A_KEY=1\nB_KEY=2\n");
    for (path, mode) in [("tetra/org/acme/secrets", 0o700), ("tetra/org/acme/secrets/prod.env", 0o600)] {
        fs::set_permissions(home.path(path), fs::Permissions::from_mode(mode)).expect("ours");
    }
    for service in ["api", "web"] {
        home.write(&format!("tetra/tsm/services-available/{service}.tsm"), "TSM_COMMAND=\"sleep 1\"\n");
    }
    let mut terminal = session(&home);
    run(&mut terminal, "use acme @prod", "acme/PROD>");
    for (line, question) in [
        ("tsm delete all", "`tsm delete` stops or removes 2 processes in prod: continue?"),
        ("tsm delete web", "`tsm delete` stops or removes something in prod: continue?"),
        ("secrets rm prod A_KEY B_KEY", "`secrets rm` stops or removes 2 secrets in prod: continue?"),
        ("tsm rm api web", "`tsm rm` stops or removes 2 services in prod: continue?"),
        ("tsm enable api", "`tsm enable` changes prod: continue?"),
        ("org use acme", "`org use acme` changes prod: continue?"),
    ] {
        terminal.send(&format!("{line}\r"));
        terminal.wait_for(question);
        terminal.send("\u{3}");
        terminal.wait_line("acme/PROD>");
    }
    leave(terminal);
}

#[test]
fn what_is_pasted_at_a_question_is_no_answer() {
    let home = TestHome::new();
    stopped(&home, "web", 0);
    let mut terminal = session(&home);
    run(&mut terminal, "use @prod", "-/PROD>");
    for pasted in ["prod\rversion\r", "prod"] {
        terminal.send("tsm delete web\r");
        // The terminal says what is pasted.
        terminal.wait("the question", |screen| {
            (screen.bracketed_paste() && crate::pty::current_line(screen).contains("[type prod]")).then_some(())
        });
        terminal.send(&format!("\u{1b}[200~{pasted}\u{1b}[201~"));
        if !pasted.contains('\r') {
            terminal.send("\r");
        }
        terminal.wait_for("a pasted text is not taken for an answer");
        terminal.wait_line("[4] -/PROD>");
        assert!(home.path("tetra/tsm/runtime/processes/web").exists());
        run(&mut terminal, "use @prod", "-/PROD>");
    }
    leave(terminal);
}

/// A program that the prompt starts may be this program again: it asks what the prompt would ask.
#[test]
fn a_program_of_the_prompt_acts_where_the_prompt_is() {
    let home = TestHome::new();
    stopped(&home, "web", 0);
    let tetra = home.path("t").display().to_string();
    std::os::unix::fs::symlink(PROGRAM, &tetra).expect("a link");
    let mut terminal = session(&home);
    run(&mut terminal, "use @prod", "-/PROD>");
    terminal.send(&format!("!{tetra} tsm delete web\r"));
    terminal.wait_for("continue?");
    terminal.send("\u{3}");
    terminal.wait_line("-/PROD>");
    run(&mut terminal, &format!("version | xargs -I. {tetra} tsm delete web"), "[123] -/PROD>");
    terminal.wait_for("confirmation needed, and stdin is not a terminal");
    assert!(home.path("tetra/tsm/runtime/processes/web").exists());
    run(&mut terminal, "use -", "tetra>");
    run(&mut terminal, &format!("!{tetra} tsm delete web"), "tetra>");
    terminal.wait_for("deleted web");
    leave(terminal);
}

/// The line in the advice.
fn advised(err: &str) -> String {
    let advice = err.lines().find_map(|line| line.split_once("to confirm: `")).unwrap_or_else(|| panic!("{err}")).1;
    advice.trim_end().trim_end_matches('`').to_owned()
}

/// What a shell is given as advice runs there, and does what was refused.
#[test]
fn the_advised_line_runs_as_pasted() {
    let sandbox = Sandbox::new();
    let bin = sandbox.path("bin");
    fs::create_dir_all(&bin).expect("a directory");
    for name in ["tetra", "tsm"] {
        std::os::unix::fs::symlink(PROGRAM, bin.join(name)).expect("a link");
    }
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").expect("a PATH"));
    let shell = |line: &str, prod: bool| {
        let mut command = std::process::Command::new("sh");
        command.args(["-c", line]).env("PATH", &path).env("HOME", sandbox.root()).env("TETRA_DIR", sandbox.home());
        command.env_remove("TETRA_ENV").envs(prod.then_some(("TETRA_ENV", "prod")));
        let said = command.current_dir(sandbox.root()).stdin(std::process::Stdio::null()).output().expect("sh runs");
        (said.status.code(), String::from_utf8_lossy(&said.stderr).into_owned())
    };
    let nested = r#"tetra -c "tsm start --name b sh -c 'sleep 600; :'""#;
    let nested_confirmed = r"tetra -c 'tsm start --yes --name b sh -c '\''sleep 600; :'\'''";
    for (line, prod, expected) in [
        ("tsm delete a", true, "tsm delete --yes a"),
        ("tetra tsm delete a", true, "tetra tsm delete --yes a"),
        ("tsm --env prod delete a", false, "tsm --env prod delete --yes a"),
        ("tetra tsm -q delete a", true, "tetra tsm -q delete --yes a"),
        ("tetra -c 'tsm delete a'", true, "tetra -c 'tsm delete --yes a'"),
        ("tetra --env prod tsm delete a", false, "tetra --env prod tsm delete --yes a"),
        ("tetra --env prod -c 'tsm delete a'", false, "tetra --env prod -c 'tsm delete --yes a'"),
        ("tetra -c 'use @prod; tsm delete a'", false, "tetra --env prod -c 'tsm delete --yes a'"),
        ("tetra -c '--env prod tsm delete a'", false, "tetra -c '--env prod tsm delete --yes a'"),
        ("tetra -c 'tsm delete a --env prod'", false, "tetra -c 'tsm delete --yes a --env prod'"),
        ("tsm start --name b sh -c 'sleep 600; :'", true, "tsm start --yes --name b sh -c 'sleep 600; :'"),
        ("tsm start --name b sleep 600 -y", true, "tsm start --yes --name b sleep 600"),
        ("tetra -c 'tsm save b sleep 600 --yes'", true, "tetra -c 'tsm save --yes b sleep 600'"),
        ("tsm start --name b sh -c 'sleep 600' -- -y", true, "tsm start --yes --name b sh -c 'sleep 600' -- -y"),
        (nested, true, nested_confirmed),
    ] {
        sandbox.ok(&["tsm", "start", "--name", "a", "sleep", "600"]);
        let (code, err) = shell(line, prod);
        assert_eq!(code, Some(4), "{line}: {err}");
        assert_eq!(advised(&err), expected, "{line}");
        let (code, err) = shell(expected, prod);
        assert_eq!(code, Some(0), "{expected}: {err}");
        sandbox.run(&["tsm", "delete", "*", "--yes"]);
        sandbox.run(&["tsm", "rm", "b", "--yes"]);
    }
    fs::write(sandbox.path("lines.tetra"), "tsm delete a\n").expect("a script");
    sandbox.ok(&["tsm", "start", "--name", "a", "sleep", "600"]);
    // A script is edited, so the command is named by itself; a secret is not repeated.
    for (line, expected) in [
        ("tetra lines.tetra", "tsm delete --yes a"),
        ("tetra <lines.tetra", "tsm delete --yes a"),
        ("tetra secrets set dev API_TOKEN=hunter2-hunter2", "tetra secrets set --yes …"),
    ] {
        let (code, err) = shell(line, true);
        assert_eq!(code, Some(4), "{line}: {err}");
        assert_eq!(advised(&err), expected, "{line}");
        assert!(!err.contains("hunter2"), "{err}");
    }
}
