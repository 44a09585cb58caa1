//! What a terminal gets of the session beyond the text: where prompts, lines and output begin (OSC 133), and the title of the
//! window (OSC 2).
//!
//! A terminal that does not know them may show them as text, so only those of a table get them, and only from the editor: never a
//! pipe, a file, or the prompt without an editor.

use std::io::{self, Write};

use reedline::{Osc133Markers, SemanticPromptMarkers};

use super::session::Session;
use super::short_form;
use crate::base::control;
use crate::base::line;
use crate::command::registry::{self, CommandMatch};

/// What a terminal understands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct TerminalMarks {
    /// The marks of OSC 133.
    prompts: bool,
    /// OSC 2, and the stack of titles of xterm (`CSI 22 t`).
    title: bool,
}

const NONE: TerminalMarks = TerminalMarks { prompts: false, title: false };
const BOTH: TerminalMarks = TerminalMarks { prompts: true, title: true };
const TITLE: TerminalMarks = TerminalMarks { prompts: false, title: true };

/// The terminals that are known: a variable, how its value begins, and what such a terminal understands. `TERM_PROGRAM` comes first, for
/// most terminals claim to be an xterm.
const KNOWN: &[(&str, &str, TerminalMarks)] = &[
    ("TERM_PROGRAM", "iTerm.app", BOTH),
    ("TERM_PROGRAM", "WezTerm", BOTH),
    ("TERM_PROGRAM", "ghostty", BOTH),
    ("TERM_PROGRAM", "vscode", BOTH),
    ("TERM_PROGRAM", "rio", BOTH),
    ("TERM_PROGRAM", "tmux", TITLE),
    ("TERM_PROGRAM", "Apple_Terminal", TITLE),
    ("TERM", "xterm-kitty", BOTH),
    ("TERM", "xterm-ghostty", BOTH),
    ("TERM", "wezterm", BOTH),
    ("TERM", "foot", BOTH),
    ("TERM", "contour", BOTH),
    ("TERM", "alacritty", TITLE),
    ("TERM", "rxvt", TITLE),
    ("TERM", "tmux", TITLE),
];

/// The titles are longer than a terminal shows anyway.
const MAX_TITLE: usize = 120;

impl TerminalMarks {
    /// What the terminal of a session understands, or is said to understand.
    pub(super) fn of(session: &Session) -> Self {
        match session.settings.get("terminal-marks") {
            "on" => BOTH,
            "off" => NONE,
            _ => Self::known(|name| session.host.variable(name)),
        }
    }

    fn known<'a>(variable: impl Fn(&str) -> Option<&'a str>) -> Self {
        if variable("TERM").is_none_or(|term| term == "dumb") {
            return NONE;
        }
        let is = |(name, start, _): &&(&str, &str, Self)| variable(name).is_some_and(|value| value.starts_with(start));
        KNOWN.iter().find(is).map_or(NONE, |(_, _, marks)| *marks)
    }

    /// The marks that the editor draws: A before the prompt, B after it.
    pub(super) fn of_editor(self) -> Option<Box<dyn SemanticPromptMarkers>> {
        self.prompts.then(Osc133Markers::boxed)
    }

    /// The output of a line begins.
    pub(super) fn begin_output(self, context: &str, line: &str) {
        if self.title {
            let name = command_name(line).map(|name| format!(" {name}")).unwrap_or_default();
            write(&title(&format!("{context}{name}")));
        }
        self.begin_aside();
    }

    /// The same for what is shown while a line is edited, which is none of its own.
    pub(super) fn begin_aside(self) {
        if self.prompts {
            write("\x1b]133;C\x1b\\");
        }
    }

    /// The output of a line has ended.
    pub(super) fn end_output(self, code: u8) {
        if self.prompts {
            write(&format!("\x1b]133;D;{code}\x1b\\"));
        }
    }

    /// A prompt follows.
    pub(super) fn set_title(self, context: &str) {
        if self.title {
            write(&title(context));
        }
    }
}

/// Keeps the title of the window until it is dropped, then puts it back.
#[derive(Debug)]
pub(super) struct SavedTitle(());

impl SavedTitle {
    /// Keeps the title, if it is going to be changed.
    pub(super) fn save(marks: TerminalMarks) -> Option<Self> {
        marks.title.then(|| {
            write("\x1b[22;2t");
            Self(())
        })
    }
}

impl Drop for SavedTitle {
    fn drop(&mut self) {
        write("\x1b[23;2t");
    }
}

fn title(text: &str) -> String {
    let text: String = text.chars().filter(|it| !control::is_terminal_control(*it)).take(MAX_TITLE).collect();
    format!("\x1b]2;{text}\x1b\\")
}

/// The name of the first command of a line. Its arguments may be secret.
fn command_name(text: &str) -> Option<&'static str> {
    let parsed = line::lex(text).ok()?;
    let words = short_form::expand(&parsed.statements.first()?.words);
    let words: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
    match registry::resolve(&words) {
        CommandMatch::Command(spec, _) => Some(spec.name),
        _ => None,
    }
}

/// A failure to write is that of the editor, which reports it.
fn write(text: &str) {
    let mut output = io::stdout();
    let _ = output.write_all(text.as_bytes()).and_then(|()| output.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_terminal_of_the_table_gets_anything() {
        for (term, program, marks) in [
            (Some("xterm-256color"), Some("iTerm.app"), BOTH),
            (Some("xterm-256color"), Some("vscode"), BOTH),
            (Some("xterm-kitty"), None, BOTH),
            (Some("foot-extra"), None, BOTH),
            (Some("tmux-256color"), Some("tmux"), TITLE),
            (Some("alacritty"), None, TITLE),
            (Some("xterm-256color"), None, NONE),
            (Some("xterm"), Some("something"), NONE),
            (Some("linux"), None, NONE),
            (Some("dumb"), Some("vscode"), NONE),
            (None, Some("vscode"), NONE),
        ] {
            let variable = |name: &str| if name == "TERM" { term } else { program };
            assert_eq!(TerminalMarks::known(variable), marks, "{term:?} {program:?}");
        }
    }

    #[test]
    fn a_title_names_the_command_and_none_of_its_arguments() {
        assert_eq!(command_name("logs api; version"), Some("tsm logs"));
        assert_eq!(command_name("secrets set dev TOKEN=hunter2"), Some("secrets set"));
        assert_eq!(command_name("!curl -u a:hunter2"), None);
        assert_eq!(title("a\x1b]0;b\x07"), "\x1b]2;a]0;b\x1b\\");
    }
}
