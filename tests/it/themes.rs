//! A theme of `config.toml` is that of everything that has colors: commands outside of the prompt, notices, the full-screen view.

use vt100::Color;

use crate::prompt::{kill_child, start};
use crate::pty::{Terminal, TestHome, colour_of};
use crate::repl::{leave, session};

/// Good and worth a look in the theme.
const BLUE: Color = Color::Idx(33);
const AMBER: Color = Color::Idx(220);

fn themed() -> TestHome {
    let home = TestHome::new();
    home.write("config/tetra/config.toml", "theme = \"blue-orange\"\n");
    home
}

/// Waits until a text has a color.
fn has_color(terminal: &Terminal, text: &str, color: Color) {
    terminal.wait(&format!("{text:?} in {color:?}"), |screen| (colour_of(screen, text)? == color).then_some(()));
}

#[test]
fn commands_outside_of_the_prompt_and_the_full_screen_view_have_it() {
    let home = themed();
    let mut prompt = session(&home);
    start(&mut prompt, "api");
    for words in [&["tsm", "list"][..], &["tsm", "monitor"]] {
        let mut command = home.tetra();
        command.args(words);
        let mut terminal = Terminal::start(command);
        has_color(&terminal, "online ", BLUE);
        terminal.try_send("q");
        assert_eq!(terminal.end(), 0, "{}", terminal.contents());
    }
    leave(prompt);
}

#[test]
fn a_notice_has_it() {
    let home = themed();
    let mut terminal = session(&home);
    start(&mut terminal, "api");
    kill_child(&home, "api");
    has_color(&terminal, "notice: api crashed", AMBER);
    leave(terminal);
}

#[test]
fn without_colors_the_full_screen_view_has_none() {
    let home = themed();
    let mut prompt = session(&home);
    start(&mut prompt, "api");
    let mut command = home.tetra();
    command.args(["tsm", "monitor"]);
    command.env("NO_COLOR", "1");
    let mut terminal = Terminal::start(command);
    has_color(&terminal, "online ", Color::Default);
    terminal.send("q");
    assert_eq!(terminal.end(), 0, "{}", terminal.contents());
    leave(prompt);
}
