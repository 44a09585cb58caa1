//! Prose in lines as wide as the terminal.

use crate::base::columns;
use crate::report::Prose;

/// A text with no line wider than `width` columns, nor than [`Prose::WIDEST`]. What does not fit goes on below the last column of its
/// row; a sentence that goes on in the next line of the text goes on behind it.
#[must_use]
pub(super) fn wrap(text: &str, width: usize) -> String {
    let width = width.clamp(1, Prose::WIDEST);
    let mut all = String::with_capacity(text.len());
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        let indent = hanging_indent(line, width);
        let (mut rest, mut before) = (line.to_owned(), 0);
        while let Some(next) = lines.next_if(|next| columns::width(&rest) > width && goes_on(&rest, next)) {
            rest = format!("{rest} {}", next.trim_start());
        }
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

/// True if the sentence of a line is not over at its end, and the next line begins below its last column.
fn goes_on(line: &str, next: &str) -> bool {
    let (begin, column) = columns_of(line);
    let (next_begin, next_column) = columns_of(next);
    let is_over = line.ends_with(['.', ':', '?']);
    !is_over && next.len() > next_begin && next_column.is_none() && next_begin == column.unwrap_or(begin)
}

/// Where a line begins, and where its last column does, if it has several.
fn columns_of(line: &str) -> (usize, Option<usize>) {
    let begin = line.len() - line.trim_start().len();
    let gap = line[begin..].find("  ").map(|at| begin + at);
    (begin, gap.map(|at| columns::width(line) - columns::width(line[at..].trim_start())))
}

/// Where the rest of a line begins: at its last column, if that leaves room for words.
fn hanging_indent(line: &str, width: usize) -> usize {
    let (begin, column) = columns_of(line);
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
        // What was wrapped in the text at another width is one sentence; a row remains a line.
        assert_eq!(wrap("one two three\nfour five.\nsix", 9), "one two\nthree\nfour\nfive.\nsix\n");
        assert_eq!(wrap("a  one two\n   three.\nb  four\n", 9), "a  one\n   two\n   three.\nb  four\n");
        assert_eq!(wrap("one two three\n\nfour\n  five", 8), "one two\nthree\n\nfour\n  five\n");
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
