//! The shell completions, loaded by the real shells.

use std::io::Write;
use std::path::Path;

use portable_pty::CommandBuilder;

use crate::pty::{Terminal, TestHome, current_line};

const ENTER: &str = "\r";
const CTRL_U: &str = "\x15";

/// A home with two processes and a file whose name has a blank.
fn home() -> TestHome {
    let home = TestHome::new();
    for (id, name) in ["my-api-8000", "my-web"].into_iter().enumerate() {
        let record = format!(
            r#"{{"tsm_id":{id},"name":"{name}","pid":0,"command":"sleep 9","port":"none","cwd":"/","start_time":0,
            "status":"stopped","restarts":0,"unstable_restarts":0,"state":"stopped"}}"#
        );
        home.write(&format!("tetra/tsm/runtime/processes/{name}/meta.json"), &record);
    }
    home.write("home/my notes.tetra", "");
    home
}

/// A shell that has loaded its script and shows its prompt.
fn shell(command: CommandBuilder) -> Terminal {
    let mut terminal = Terminal::start(command);
    terminal.send("echo rea''dy\r");
    // What is typed before the prompt is there would be shown twice.
    terminal.wait("a shell that answers and its prompt", |screen| {
        let answered = screen.contents().lines().any(|line| line == "ready");
        (answered && current_line(screen).trim_end() == "$").then_some(())
    });
    terminal
}

/// Whether a shell is on this machine. One that is not is said aloud, and is a failure where `CI` is set.
fn is_there(shell: &str) -> bool {
    let there =
        ["/bin", "/usr/bin", "/usr/local/bin"].iter().any(|directory| Path::new(directory).join(shell).exists());
    if !there {
        let text = format!("NOT TESTED: {shell} is not on this machine, so its completion was not loaded\n");
        assert!(std::env::var_os("CI").is_none(), "{text}");
        let _ = std::io::stderr().write_all(text.as_bytes());
    }
    there
}

fn script(name: &str) -> String {
    format!("{}/completions/{name}", env!("CARGO_MANIFEST_DIR"))
}

fn bash(home: &TestHome) -> Terminal {
    let rc = home.write(
        "bashrc",
        &format!(
            "PS1='$ '\nbind 'set bell-style none'\nbind 'set show-all-if-ambiguous on'\n. '{}'\n",
            script("tetra.bash")
        ),
    );
    let mut command = home.command("bash");
    command.args(["--noprofile", "--rcfile", &rc.display().to_string(), "-i"]);
    shell(command)
}

fn zsh(home: &TestHome) -> Terminal {
    let text =
        format!("PROMPT='$ '\nsetopt no_beep\nautoload -Uz compinit && compinit -u -D\n. '{}'\n", script("tetra.zsh"));
    home.write("zdot/.zshrc", &text);
    let mut command = home.command("zsh");
    command.env("ZDOTDIR", home.path("zdot"));
    command.args(["-d", "-i"]);
    shell(command)
}

fn fish(home: &TestHome) -> Terminal {
    let mut command = home.command("fish");
    let load =
        format!("function fish_prompt; printf '$ '; end; set -g fish_greeting; source '{}'", script("tetra.fish"));
    command.args(["--no-config", "--private", "-C", &load, "-i"]);
    shell(command)
}

/// Types, completes with Tab, and waits for the line that comes of it.
fn completes(terminal: &mut Terminal, typed: &str, line: &str) {
    terminal.send(typed);
    terminal.wait_for(typed);
    terminal.send("\t");
    terminal.wait_line(line);
    terminal.send(CTRL_U);
    terminal.wait_line("$");
}

/// What holds in every shell: words, options, values, files, and names of processes that there are now.
fn completes_all(terminal: &mut Terminal) {
    completes(terminal, "tetra vers", "tetra version");
    completes(terminal, "tsm resta", "tsm restart");
    completes(terminal, "tsm restart my-a", "tsm restart my-api-8000");
    completes(terminal, "tetra tsm logs my-w", "tetra tsm logs my-web");
    completes(terminal, "tetra --color=al", "tetra --color=always");
    completes(terminal, "tetra use @pro", "tetra use @prod");
    completes(terminal, "tetra source my", "tetra source my\\ notes.tetra");
}

fn ends(mut terminal: Terminal) {
    terminal.send("exit 0");
    terminal.send(ENTER);
    assert_eq!(terminal.end(), 0);
}

#[test]
fn bash_completes_words_options_values_and_live_names() {
    if !is_there("bash") {
        return;
    }
    let home = home();
    let mut terminal = bash(&home);
    completes_all(&mut terminal);
    terminal.send("tsm restart my\t");
    terminal.wait_for("my-api-8000  my-web");
    terminal.send(CTRL_U);
    ends(terminal);
}

#[test]
fn zsh_completes_with_descriptions() {
    if !is_there("zsh") {
        return;
    }
    let home = home();
    let mut terminal = zsh(&home);
    completes_all(&mut terminal);
    terminal.send("tsm restart my\t\t");
    terminal.wait("names with their state", |screen| {
        let text = screen.contents();
        let is_shown = |name: &str| text.lines().any(|line| line.contains(name) && line.contains("stopped"));
        (is_shown("my-api-8000") && is_shown("my-web")).then_some(())
    });
    terminal.send(CTRL_U);
    ends(terminal);
}

#[test]
fn fish_completes_with_descriptions() {
    if !is_there("fish") {
        return;
    }
    let home = home();
    let mut terminal = fish(&home);
    completes_all(&mut terminal);
    terminal.send("tsm restart my\t\t");
    terminal.wait("names with their state", |screen| {
        let text = screen.contents();
        (text.contains("my-api-8000") && text.contains("my-web") && text.matches("(stopped").count() == 2).then_some(())
    });
    terminal.send(CTRL_U);
    ends(terminal);
}
