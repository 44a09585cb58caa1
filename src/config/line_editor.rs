//! A text as its statements, changed one by one and then written again.
//!
//! Each statement has the lines before it, and the rest of its own line. So what happens to one cannot run into what happens to
//! the next, and everything that is not changed stays byte for byte.

use std::collections::BTreeSet;
use std::ops::Range;

use crate::config::document::TomlStatement;

/// A text in pieces.
#[derive(Debug)]
pub struct LineEditor<'a> {
    newline: &'static str,
    /// New lines before everything else.
    top: Vec<String>,
    lines: Vec<EditedLine<'a>>,
    /// What comes after the last statement.
    rest: &'a str,
    /// New lines after everything else.
    bottom: Vec<String>,
}

/// A statement with what is around it.
#[derive(Debug)]
struct EditedLine<'a> {
    /// The lines before it.
    before: &'a str,
    indent: &'a str,
    old: &'a str,
    state: LineEdit,
    /// Blanks and a comment.
    tail: &'a str,
    end: &'a str,
    /// Comments at its end.
    annotations: BTreeSet<&'static str>,
    /// New lines below it.
    below: Vec<String>,
}

/// What becomes of a statement.
#[derive(Debug)]
enum LineEdit {
    Kept,
    Replaced(String),
    Removed,
}

impl<'a> LineEditor<'a> {
    /// A text and the statements in it, in its order.
    #[must_use]
    pub fn of(text: &'a str, statements: &[TomlStatement]) -> Self {
        let mut from = 0;
        let lines = statements.iter().map(|TomlStatement { span, .. }| {
            let start = text[..span.start].rfind('\n').map_or(0, |end| end + 1).max(from);
            let end = text[span.end..].find('\n').map_or(text.len(), |end| span.end + end + 1);
            let whole = &text[span.end..end];
            let tail = whole.trim_end_matches(['\r', '\n']);
            let line = EditedLine {
                before: &text[from..start],
                indent: &text[start..span.start],
                old: &text[span.clone()],
                state: LineEdit::Kept,
                tail,
                end: &whole[tail.len()..],
                annotations: BTreeSet::new(),
                below: Vec::new(),
            };
            from = end;
            line
        });
        let lines = lines.collect();
        let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
        Self { newline, top: Vec::new(), lines, rest: &text[from..], bottom: Vec::new() }
    }

    /// Writes a statement otherwise.
    pub fn replace(&mut self, statement: usize, new: String) {
        self.lines[statement].state = LineEdit::Replaced(new);
    }

    /// Takes a statement away. Comments in and behind it stay.
    pub fn remove(&mut self, statement: usize) {
        self.lines[statement].state = LineEdit::Removed;
    }

    /// True if a statement was taken away.
    #[must_use]
    pub fn is_removed(&self, statement: usize) -> bool {
        matches!(self.lines[statement].state, LineEdit::Removed)
    }

    /// Says something about a statement in a comment at its end; once.
    pub fn annotate(&mut self, statement: usize, word: &'static str) {
        self.lines[statement].annotations.insert(word);
    }

    /// Adds a line below a statement, as far to the right; before everything if none is given.
    pub fn add(&mut self, below: Option<usize>, new: &str) {
        match below.map(|number| &mut self.lines[number]) {
            Some(line) => line.below.push(format!("{}{new}", line.indent)),
            None => self.top.push(new.to_owned()),
        }
    }

    /// Adds lines at the end, with a blank one before.
    pub fn append(&mut self, new: impl IntoIterator<Item = String>) {
        self.bottom.push(String::new());
        self.bottom.extend(new);
    }

    /// The text.
    #[must_use]
    pub fn finish(self) -> String {
        let mut out = EditOutput { text: String::new(), newline: self.newline };
        self.top.iter().for_each(|line| out.line(line));
        for line in self.lines {
            out.text.push_str(line.before);
            out.statement(&line);
            line.below.iter().for_each(|line| out.line(line));
        }
        out.text.push_str(self.rest);
        let first = usize::from(out.text.is_empty());
        self.bottom.iter().skip(first).for_each(|line| out.line(line));
        out.text
    }
}

struct EditOutput {
    text: String,
    newline: &'static str,
}

impl EditOutput {
    /// A line of its own.
    fn line(&mut self, line: &str) {
        if !self.text.is_empty() && !self.text.ends_with('\n') {
            self.text.push_str(self.newline);
        }
        self.text.push_str(line);
        self.text.push_str(self.newline);
    }

    fn statement(&mut self, line: &EditedLine) {
        let new = match &line.state {
            LineEdit::Kept => line.old,
            LineEdit::Replaced(new) => new,
            LineEdit::Removed => "",
        };
        for comment in lost(line.old, new) {
            self.line(comment);
        }
        if matches!(line.state, LineEdit::Removed) {
            let rest = line.tail.trim_start();
            self.text.push_str(rest);
            self.text.push_str(if rest.is_empty() { "" } else { line.end });
            return;
        }
        self.text.push_str(line.indent);
        self.text.push_str(new);
        let words: Vec<&str> = line.annotations.iter().copied().collect();
        let tail = tail(line, new);
        if words.is_empty() {
            self.text.push_str(&tail);
        } else {
            let tail = if tail.trim().is_empty() { "" } else { &tail };
            self.text.push_str(&format!("{tail}  # {}", words.join(", ")));
        }
        self.text.push_str(line.end);
    }
}

/// A comment behind a statement stays in its column, as far as the new text leaves room.
fn tail(line: &EditedLine, new: &str) -> String {
    let comment = line.tail.trim_start_matches(' ');
    let gap = line.tail.len() - comment.len();
    if gap < 2 || !comment.starts_with('#') || new.contains('\n') || line.old.contains('\n') {
        return line.tail.to_owned();
    }
    let wanted = (line.old.chars().count() + gap).saturating_sub(new.chars().count()).max(2);
    format!("{}{comment}", " ".repeat(wanted))
}

/// The comments inside of a statement that its new text does not have.
fn lost<'a>(old: &'a str, new: &str) -> Vec<&'a str> {
    let mut kept = comments(new);
    let mut is_lost = |comment: &Range<usize>| match kept.iter().position(|it| new[it.clone()] == old[comment.clone()])
    {
        Some(at) => {
            kept.swap_remove(at);
            false
        }
        None => true,
    };
    comments(old).into_iter().filter(|comment| is_lost(comment)).map(|comment| &old[comment]).collect()
}

/// Where comments are inside of a statement that is written on several lines.
pub(crate) fn comments(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        at += match first {
            '#' => {
                let end = rest.find('\n').unwrap_or(rest.len());
                found.push(at..at + rest[..end].trim_end_matches('\r').len());
                end
            }
            '"' | '\'' => text_length(rest, first),
            other => other.len_utf8(),
        };
    }
    found
}

/// The length of a text with its quotes.
fn text_length(rest: &str, quote: char) -> usize {
    let long = quote.to_string().repeat(3);
    let close = if rest.starts_with(&long) { long } else { quote.to_string() };
    let mut at = close.len();
    while let Some(c) = rest[at..].chars().next() {
        if rest[at..].starts_with(&close) {
            at += close.len();
            // A long text may end with one or two quotes of its own.
            let more = rest[at..].chars().take_while(|c| *c == quote && close.len() == 3).take(2).count();
            return at + more;
        }
        at += c.len_utf8();
        if c == '\\' && quote == '"' {
            at += rest[at..].chars().next().map_or(0, char::len_utf8);
        }
    }
    rest.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::document::Document;

    fn changed(text: &str, change: impl FnOnce(&mut LineEditor)) -> String {
        let document = Document::parse("f", text).expect("TOML");
        let mut sheet = LineEditor::of(&document.source.text, &document.statements);
        change(&mut sheet);
        sheet.finish()
    }

    #[test]
    fn what_is_not_changed_stays_byte_for_byte() {
        for text in ["", "\n", "# c", "a = 1", " a = 1\t# c \r\n\r\n[t]\n  b = [\n1] # x\r\n# end", "[[s]]\n[[s]]"] {
            assert_eq!(changed(text, |_| {}), text);
        }
    }

    #[test]
    fn whatever_meets_at_one_place_stays_apart() {
        let all = |sheet: &mut LineEditor| {
            sheet.remove(0);
            sheet.add(Some(0), "b = 2");
            sheet.add(Some(0), "c = 3");
            sheet.remove(1);
            sheet.replace(2, "d = 5".to_owned());
            sheet.annotate(2, "Changed");
            sheet.append(["[e]".to_owned()]);
        };
        assert_eq!(
            changed("\ta = 1 # a\n[t] # t\nd = 4", all),
            "# a\n\tb = 2\n\tc = 3\n# t\nd = 5  # Changed\n\n[e]\n"
        );
        let windows = changed("a = 1\r\n[t]\r\nd = 4\r\n", all);
        assert_eq!(windows, "b = 2\r\nc = 3\r\nd = 5  # Changed\r\n\r\n[e]\r\n");
    }

    #[test]
    fn an_added_line_begins_where_the_statement_does_and_not_where_its_text_ends() {
        let text = "[t]\n  a = \"\"\"\n      \"\"\"   \n";
        let made = changed(text, |sheet| {
            sheet.add(Some(1), "b = 1");
            sheet.annotate(1, "Changed");
        });
        assert_eq!(made, "[t]\n  a = \"\"\"\n      \"\"\"  # Changed\n  b = 1\n");
    }

    #[test]
    fn comments_are_distinguished_from_texts() {
        let text = "a = [ # one\n '# no', \"\\\" # no\", \"\"\"x\"\"\"\"\" , # two\r\n '''# no'''] # three";
        let found: Vec<&str> = comments(text).into_iter().map(|span| &text[span]).collect();
        assert_eq!(found, ["# one", "# two", "# three"]);
        assert_eq!(lost("[ # a\n # b\n]", "[ # b\n]"), ["# a"]);
    }
}
