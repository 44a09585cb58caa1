//! Prose in lines as wide as the terminal.

use crate::base::columns;
use crate::report::Prose;

/// A text with no line wider than `width` columns, nor than [`Prose::WIDEST`]. What does not fit goes on below the last column of its row.
#[must_use]
pub(super) fn wrap(text: &str, width: usize) -> String {
    let width = width.clamp(1, Prose::WIDEST);
    let mut all = String::with_capacity(text.len());
    for line in text.lines() {
        let indent = hanging_indent(line, width);
        let (mut rest, mut before) = (line.to_owned(), 0);
        while columns::width(&rest) > width {
            let end = break_before(&rest, before, width);
            all.push_str(rest[..end].trim_end());
            all.push('\n');
            rest = format!("{:indent$}{}", "", rest[end..].trim_start());
            before = indent;
        }
        all.push_str(&rest);
        all.push('\n');
    }
    all
}

/// Where the rest of a line begins: at its last column, if that leaves room for words.
fn hanging_indent(line: &str, width: usize) -> usize {
    let begin = line.len() - line.trim_start().len();
    let gap = line[begin..].find("  ").map(|at| begin + at);
    let column = gap.map(|at| columns::width(line) - columns::width(line[at..].trim_start()));
    match column {
        Some(column) if column <= width / 2 => column,
        Some(_) => (begin + 4).min(width / 2),
        None => begin.min(width / 2),
    }
}

/// The byte at which a line is broken: behind the last blank that fits, or in a word that is too wide by itself.
fn break_before(line: &str, indent: usize, width: usize) -> usize {
    let mut end = 0;
    let mut blank = None;
    for (at, letter) in line.char_indices() {
        if columns::width(&line[..at + letter.len_utf8()]) > width {
            blank = blank.or((letter == ' ').then_some(at));
            break;
        }
        end = at + letter.len_utf8();
        if letter == ' ' && !line[..at].trim().is_empty() && at >= indent {
            blank = Some(end);
        }
    }
    blank.unwrap_or(end.max(line.chars().next().map_or(0, char::len_utf8)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_go_on_below_their_last_column() {
        let text = "Words that are shown to people.\n\n  tsm stop  Stop processes and all\n";
        assert_eq!(wrap(text, 100), text);
        assert_eq!(
            wrap(text, 24),
            "Words that are shown to\npeople.\n\n  tsm stop  Stop\n            processes\n            and all\n"
        );
        assert_eq!(wrap("0123456789", 4), "0123\n4567\n89\n");
        assert_eq!(wrap("", 4), "");
    }

    #[test]
    fn no_line_is_wider_than_it_may_be() {
        let text =
            "  a row  with two columns, of which one is long\n`a-long-word-without-any-blank` ‘ü’ 日本語日本語\n";
        for width in 2..120 {
            let wrapped = wrap(text, width);
            assert!(wrapped.lines().all(|line| columns::width(line) <= width), "{width}: {wrapped}");
            let letters = |text: &str| text.split_whitespace().collect::<String>();
            assert_eq!(letters(&wrapped), letters(text), "{width}");
        }
    }
}
