//! Escapes control characters of untrusted text.

use std::borrow::Cow;

use super::style::Styler;
use crate::base::control;

/// Escapes every control character, line ends too: for a cell or a word in a message.
#[must_use]
pub fn one_line(text: &str) -> Cow<'_, str> {
    control::escape(text, |_| false)
}

/// Escapes every control character except line ends and tabs.
#[must_use]
pub fn lines(text: &str) -> Cow<'_, str> {
    control::escape(text, |c| matches!(c, '\n' | '\t'))
}

/// Keeps or drops color sequences and escapes every other control character: for the output of programs.
#[must_use]
pub fn colored(text: &str, styler: Styler) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut painted = false;
    while let Some(start) = rest.find("\u{1b}[") {
        let (before, sequence) = rest.split_at(start);
        out.push_str(&lines(before));
        let Some(length) = color_sequence(sequence) else {
            out.push_str("\\u{1b}");
            rest = &sequence[1..];
            continue;
        };
        if styler != Styler::Plain {
            out.push_str(&sequence[..length]);
            painted = true;
        }
        rest = &sequence[length..];
    }
    out.push_str(&lines(rest));
    if painted {
        out.push_str("\u{1b}[0m");
    }
    out
}

/// The length of a color sequence (`ESC [ digits and ; m`) at the start of `text`.
fn color_sequence(text: &str) -> Option<usize> {
    let end = text.find('m')?;
    text[2..end].bytes().all(|byte| byte.is_ascii_digit() || byte == b';').then_some(end + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::theme::Theme;

    #[test]
    fn spells_out_what_a_terminal_would_obey() {
        assert_eq!(one_line("a\u{1b}]0;title\u{7}b"), "a\\u{1b}]0;title\\u{7}b");
        assert_eq!(one_line("two\nlines\tand\rmore"), "two\\nlines\\tand\\rmore");
        assert_eq!(lines("two\nlines\r\n"), "two\nlines\\r\n");
        assert_eq!(one_line("abc\u{202e}txt.exe"), "abc\\u{202e}txt.exe");
        assert_eq!(one_line("größe 日本"), "größe 日本");
    }

    #[test]
    fn keeps_or_drops_colours_but_nothing_else() {
        let given = "\u{1b}[1;32mok\u{1b}[0m \u{1b}[2Jgone";
        assert_eq!(colored(given, Styler::Colors(Theme::Default)), "\u{1b}[1;32mok\u{1b}[0m \\u{1b}[2Jgone\u{1b}[0m");
        assert_eq!(colored(given, Styler::Plain), "ok \\u{1b}[2Jgone");
        assert_eq!(colored("\u{1b}[", Styler::Colors(Theme::Default)), "\\u{1b}[");
    }
}
