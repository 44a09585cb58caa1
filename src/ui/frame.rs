//! Runs of a line that is repeated, on one screen: what differs from the run before is marked.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthChar;

use super::sanitize;
use super::style::Styler;
use crate::base::columns;

/// The rows of a terminal that does not say how many it has.
pub(super) const DEFAULT_HEIGHT: usize = 24;

/// The rows that a text takes on a screen of so many columns.
pub(super) fn rows(text: &str, columns: usize) -> usize {
    text.lines().map(|line| visible_width(line).div_ceil(columns).max(1)).sum()
}

/// The columns that a line with colors takes.
pub(super) fn visible_width(line: &str) -> usize {
    columns::width(&sanitize::colored(line, Styler::Plain))
}

/// A screen with a title and as much of `frame` as there is room for. Written over the screen before,
/// so that nothing flickers.
pub(super) fn screen(title: &str, frame: &[u8], before: Option<&[u8]>, columns: usize, rows: usize) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (now, before) = (text(frame), before.map(text));
    let old: Option<Vec<&str>> = before.as_deref().map(|it| it.lines().collect());
    let lines: Vec<&str> = now.lines().collect();
    // The title, and the row of the cursor.
    let room = rows.saturating_sub(2).max(1);
    let shown = if lines.len() > room { room.saturating_sub(1) } else { lines.len() };
    let mut out = format!("\x1b[H{}\x1b[K\n", columns::truncate(title, columns));
    for (number, line) in lines.iter().take(shown).enumerate() {
        let old = old.as_ref().map(|lines| lines.get(number).copied().unwrap_or_default());
        let _ = writeln!(out, "{}\x1b[K", marked(line, old, columns));
    }
    if shown < lines.len() {
        let _ = writeln!(out, "… {} more lines\x1b[K", lines.len() - shown);
    }
    out.push_str("\x1b[J");
    out
}

/// A line as wide as the screen, its letters in reverse where they differ from the line that was there. One without a change
/// keeps its colors.
fn marked(line: &str, old: Option<&str>, columns: usize) -> String {
    let plain = sanitize::colored(line, Styler::Plain);
    let old = old.map(|old| sanitize::colored(old, Styler::Plain));
    if old.as_ref().is_none_or(|old| *old == plain) {
        return if columns::width(&plain) <= columns {
            line.to_owned()
        } else {
            columns::truncate(&plain, columns).into()
        };
    }
    let old: Vec<char> = old.unwrap_or_default().chars().collect();
    let (mut out, mut is_reverse, mut width) = (String::new(), false, 0);
    for (number, letter) in plain.chars().enumerate() {
        width += letter.width().unwrap_or(0);
        if width > columns {
            break;
        }
        let differs = old.get(number) != Some(&letter);
        if differs != is_reverse {
            out.push_str(if differs { "\x1b[7m" } else { "\x1b[27m" });
            is_reverse = differs;
        }
        out.push(letter);
    }
    if is_reverse {
        out.push_str("\x1b[27m");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_in_reverse_and_the_rest_keeps_its_colors() {
        let now = b"\x1b[32mup\x1b[0m\nn 12\nnew\n";
        let shown = screen("t", now, Some(b"\x1b[32mup\x1b[0m\nn 13\n"), 20, 10);
        assert_eq!(
            shown,
            "\x1b[Ht\x1b[K\n\x1b[32mup\x1b[0m\x1b[K\nn 1\x1b[7m2\x1b[27m\x1b[K\n\x1b[7mnew\x1b[27m\x1b[K\n\x1b[J"
        );
        assert!(!screen("t", now, None, 20, 10).contains("[7m"), "nothing is new in the first one");
    }

    #[test]
    fn a_screen_is_never_longer_or_wider_than_the_terminal() {
        let long: String = (0..50).map(|number| format!("line {number} of many\n")).collect();
        let shown = screen("a long title", long.as_bytes(), None, 8, 10);
        assert_eq!(shown.lines().count(), 10, "{shown}");
        assert!(shown.contains("… 43 more lines"), "{shown}");
        for line in shown.lines().take(8) {
            assert!(visible_width(line.trim_start_matches("\x1b[H").trim_end_matches("\x1b[K")) <= 8, "{line:?}");
        }
    }
}
