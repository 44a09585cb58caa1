//! Faults as text.

use unicode_width::UnicodeWidthChar;

use super::style::Styler;
use super::{diagnostic, sanitize};
use crate::base::columns;
use crate::base::control;
use crate::base::fault::{Fault, FaultKind, Location};
use crate::report::Tone;

/// The fault as lines: message, location, causes, advice.
///
/// ```text
/// error: unknown command `tsm strat`
///   at deploy.tetra:3:1
///   | tsm strat api
///   | ^^^^^^^^^
///   because: …
///   advice: did you mean `tsm start`?
/// ```
#[must_use]
pub fn render(fault: &Fault, width: Option<usize>, styler: Styler) -> String {
    let word = if fault.kind == FaultKind::Refused { "refused:" } else { "error:" };
    let mut out = format!("{} {}\n", styler.tone(Tone::Bad, word), indented(&fault.to_string()));
    if !fault.diagnostics.is_empty() {
        out.push_str(&diagnostic::render(&fault.diagnostics, width, styler));
    } else if let Some(place) = &fault.at {
        out.push_str(&format!("  at {}\n", sanitize::one_line(&place.to_string())));
        out.push_str(&snippet(place, width, styler));
    }
    for cause in fault.causes() {
        out.push_str(&format!("  {} {}\n", styler.tone(Tone::Dim, "because:"), indented(&cause)));
    }
    if let Some(advice) = &fault.advice {
        out.push_str(&format!("  {} {}\n", styler.tone(Tone::Strong, "advice:"), indented(advice)));
    }
    out
}

/// Indents further lines of a text below its first word.
fn indented(text: &str) -> String {
    sanitize::lines(text.trim_end()).replace('\n', "\n  ")
}

/// The width of the bar before the line, in columns.
const MARGIN: usize = 4;

/// The line and the marks below it; a long line is truncated around the mark.
fn snippet(place: &Location, width: Option<usize>, styler: Styler) -> String {
    let shown: Vec<String> = control::judged(&place.text).map(|(c, is_harmful)| visible(c, is_harmful)).collect();
    let column = place.column.saturating_sub(1).min(shown.len());
    let mut from = 0;
    let room = width.map_or(usize::MAX, |width| width.saturating_sub(MARGIN).max(20));
    while display_width(&shown[from..column]) > room / 2 && display_width(&shown[from..]) > room {
        from += 1;
    }
    let line = shown[from..].concat();
    let line = columns::truncate(&line, room);
    let before = display_width(&shown[from..column]);
    let marked = display_width(&shown[column..(column + place.width).min(shown.len())]).max(1);
    let marks = styler.tone(Tone::Bad, &"^".repeat(marked.min(room.saturating_sub(before).max(1))));
    format!("{}\n  | {}{marks}\n", format!("  | {line}").trim_end(), " ".repeat(before))
}

/// A character as it is shown, with whether it is harmful.
fn visible(c: char, is_harmful: bool) -> String {
    let c = tab_to_space(c);
    if is_harmful && c != ' ' { c.escape_default().collect() } else { c.to_string() }
}

fn tab_to_space(c: char) -> char {
    if c == '\t' { ' ' } else { c }
}

fn display_width(shown: &[String]) -> usize {
    shown.iter().flat_map(|piece| piece.chars()).map(|c| c.width().unwrap_or(0)).sum()
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::base::fault::UserFacingError;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot run {program}")]
    struct CannotRun {
        program: &'static str,
        source: io::Error,
    }

    impl UserFacingError for CannotRun {}

    fn place(text: &str, column: usize, width: usize) -> Location {
        Location { file: "deploy.tetra".into(), line: 3, column, width, text: text.into() }
    }

    #[test]
    fn says_what_why_and_what_next() {
        let source = io::Error::new(io::ErrorKind::PermissionDenied, "Permission denied (os error 13)");
        let fault =
            Fault::from(CannotRun { program: "./server", source }).with_advice("`chmod +x ./server` lets it run");
        assert_eq!(
            render(&fault, Some(80), Styler::Plain),
            "error: cannot run ./server\n  because: Permission denied (os error 13)\n  advice: `chmod +x ./server` lets it run\n"
        );
    }

    #[test]
    fn the_guard_refuses() {
        let fault = Fault::new(FaultKind::Refused, "`tsm stop` would change prod");
        assert_eq!(render(&fault, None, Styler::Plain), "refused: `tsm stop` would change prod\n");
    }

    #[test]
    fn marks_the_place() {
        let fault = Fault::usage("unknown command `tsm strat`").at(place("\ttsm strat 日本", 6, 5));
        assert_eq!(
            render(&fault, Some(80), Styler::Plain),
            "error: unknown command `tsm strat`\n  at deploy.tetra:3:6\n  |  tsm strat 日本\n  |      ^^^^^\n"
        );
    }

    #[test]
    fn marks_wide_characters_and_the_end_of_a_line() {
        assert_eq!(snippet(&place("日本 xx", 4, 2), None, Styler::Plain), "  | 日本 xx\n  |      ^^\n");
        assert_eq!(snippet(&place("'open", 6, 0), None, Styler::Plain), "  | 'open\n  |      ^\n");
        assert_eq!(snippet(&place("", 9, 9), None, Styler::Plain), "  |\n  | ^\n");
    }

    #[test]
    fn a_long_line_is_shown_around_the_mark() {
        let text = format!("{} bad {}", "a".repeat(300), "z".repeat(300));
        for width in 24..=200 {
            let shown = snippet(&place(&text, 302, 3), Some(width), Styler::Plain);
            assert!(shown.lines().all(|line| columns::width(line) <= width), "{width}: {shown}");
            let (line, marks) = shown.split_once('\n').expect("two lines");
            let at = marks.find('^').expect("a mark");
            assert_eq!(&line[at..at + 3], "bad", "{width}: {shown}");
        }
    }

    #[test]
    fn untrusted_text_is_escaped_and_further_lines_are_indented() {
        let fault = Fault::usage("first\nsecond \u{1b}[2J");
        assert_eq!(render(&fault, None, Styler::Plain), "error: first\n  second \\u{1b}[2J\n");
    }
}
