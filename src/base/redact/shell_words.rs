//! A text as words with the place of each of their bytes, read as a shell does. Nothing is wrong here: what is not closed
//! means itself, since a text may also be a sentence, a header or the half of a line.

use std::iter::Peekable;
use std::ops::Range;
use std::str::CharIndices;

/// A word as it is meant, without its quotes.
#[derive(Debug, Clone, Default)]
pub(super) struct ShellWord {
    pub text: String,
    /// Where each byte of it is written.
    at: Vec<Range<usize>>,
    /// Some of it is quoted.
    pub quoted: bool,
}

impl ShellWord {
    /// A word that is nowhere else.
    pub(super) fn from_argument(text: &str) -> Self {
        Self { text: text.to_owned(), at: Vec::new(), quoted: false }
    }

    /// Where a part of the word is written; quotes lie between the pieces.
    pub(super) fn source_ranges(&self, part: &Range<usize>) -> Vec<Range<usize>> {
        let mut pieces: Vec<Range<usize>> = Vec::new();
        for place in self.at.get(part.clone()).unwrap_or_default() {
            match pieces.last_mut() {
                Some(last) if last.end >= place.start => last.end = last.end.max(place.end),
                _ => pieces.push(place.clone()),
            }
        }
        pieces
    }

    fn push(&mut self, c: char, place: &Range<usize>) {
        self.text.push(c);
        self.at.extend(std::iter::repeat_n(place.clone(), c.len_utf8()));
    }
}

/// A simple command.
#[derive(Debug, Clone, Default)]
pub(super) struct ShellStatement {
    pub words: Vec<ShellWord>,
    /// What it prints goes to the next one.
    pub piped: bool,
    /// It is the first one of its line, and not of the text.
    pub begins_line: bool,
}

/// The simple commands of a text, those of `$(…)` and of both sides of `|` and `&&` too.
pub(super) fn statements(text: &str) -> Vec<ShellStatement> {
    let mut reader = ShellWordReader::new(text);
    while reader.step() {}
    reader.end_statement();
    reader.done.retain(|statement| !statement.words.is_empty());
    reader.done
}

/// Where the word ends that a text begins with: before a blank or an operator outside of quotes.
pub(super) fn first_word_end(text: &str) -> usize {
    let mut reader = ShellWordReader::new(text);
    loop {
        let end = reader.rest.peek().map_or(text.len(), |&(start, _)| start);
        if !reader.step() || reader.word.is_none() {
            return end;
        }
    }
}

struct ShellWordReader<'a> {
    text: &'a str,
    rest: Peekable<CharIndices<'a>>,
    /// The last one is being read.
    done: Vec<ShellStatement>,
    word: Option<ShellWord>,
    /// How many parentheses are open.
    open: usize,
}

impl<'a> ShellWordReader<'a> {
    fn new(text: &'a str) -> Self {
        Self { text, rest: text.char_indices().peekable(), done: Vec::new(), word: None, open: 0 }
    }

    fn step(&mut self) -> bool {
        let Some((start, c)) = self.rest.next() else { return false };
        let next = self.rest.peek().map(|&(_, next)| next);
        let place = start..start + c.len_utf8();
        match c {
            ';' | '`' => self.end_statement(),
            '\n' => {
                self.end_statement();
                self.done.last_mut().expect("one was just begun").begins_line = true;
            }
            '|' if next != Some('|') => self.end_piped_statement(),
            '|' => self.end_statement(),
            // In the middle of a word it is most likely part of a URL or of a password.
            '&' if self.word.is_none() || next.is_none_or(|next| next == '&' || next.is_whitespace()) => {
                self.end_statement();
            }
            '(' if self.word.as_ref().is_none_or(|word| word.text.ends_with(['$', '<', '>'])) => {
                self.open += 1;
                self.end_statement();
            }
            ')' if self.open > 0 => {
                self.open -= 1;
                self.end_statement();
            }
            '!' if self.word.is_none() && self.done.last().is_none_or(|statement| statement.words.is_empty()) => {}
            _ if c.is_whitespace() => self.end_word(),
            '\\' => self.escaped(start),
            '$' if matches!(next, Some('\'' | '"')) && self.closes(start + 1) => {
                let quote = self.rest.next().map_or('\'', |(_, quote)| quote);
                self.quoted_text(quote, "\\'\"");
            }
            '\'' if self.closes(start) => self.quoted_text('\'', ""),
            '"' if self.closes(start) => self.quoted_text('"', "\\\"$`"),
            _ => self.push(c, &place),
        }
        true
    }

    /// The quote at `start` has an end.
    fn closes(&self, start: usize) -> bool {
        let (quote, inner) = self.text[start..].split_at(1);
        let dollar = self.text[..start].ends_with('$');
        let mut escaped = false;
        inner.chars().any(|c| {
            let ends = !escaped && quote.starts_with(c);
            escaped = !escaped && c == '\\' && (quote == "\"" || dollar);
            ends
        })
    }

    /// Reads to the end of a quoted part; a backslash before one of `escapes` only says that this one means itself.
    fn quoted_text(&mut self, quote: char, escapes: &str) {
        self.word.get_or_insert_default().quoted = true;
        while let Some((start, c)) = self.rest.next() {
            let next = self.rest.peek().map(|&(_, next)| next);
            match (c, next) {
                _ if c == quote => return,
                ('\\', Some(next)) if escapes.contains(next) => {
                    self.rest.next();
                    self.push(next, &(start..start + 1 + next.len_utf8()));
                }
                _ => self.push(c, &(start..start + c.len_utf8())),
            }
        }
    }

    fn escaped(&mut self, start: usize) {
        match self.rest.next() {
            Some((_, '\n')) => {}
            Some((_, c)) => {
                self.push(c, &(start..start + 1 + c.len_utf8()));
                self.word.get_or_insert_default().quoted = true;
            }
            None => self.push('\\', &(start..start + 1)),
        }
    }

    fn push(&mut self, c: char, place: &Range<usize>) {
        self.word.get_or_insert_default().push(c, place);
    }

    fn end_word(&mut self) {
        let Some(word) = self.word.take() else { return };
        if self.done.is_empty() {
            self.done.push(ShellStatement::default());
        }
        self.done.last_mut().expect("there is one now").words.push(word);
    }

    fn end_statement(&mut self) {
        self.end_word();
        self.done.push(ShellStatement::default());
    }

    fn end_piped_statement(&mut self) {
        self.end_word();
        if let Some(last) = self.done.last_mut() {
            last.piped = true;
        }
        self.done.push(ShellStatement::default());
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Vec<Vec<String>> {
        let words = |statement: ShellStatement| statement.words.into_iter().map(|word| word.text).collect();
        statements(text).into_iter().map(words).collect()
    }

    #[test]
    fn words_mean_what_they_mean_to_a_shell() {
        assert_eq!(read(r#"a 'b c'"d\"e"\ f"#), [["a", "b cd\"e f"]]);
        assert_eq!(read("a;b|c&&d"), [["a"], ["b"], ["c"], ["d"]]);
        assert_eq!(read("!a x=$(b c) d"), [vec!["a", "x=$"], vec!["b", "c"], vec!["d"]]);
        assert_eq!(read("it's http://h?a=1&b=2 (x)"), [vec!["it's", "http://h?a=1&b=2"], vec!["x"]]);
        assert_eq!(read(r"a=$'b\'c' d"), [["a=b'c", "d"]]);
    }

    #[test]
    fn a_word_ends_where_a_shell_ends_it() {
        for (text, word) in [
            ("a;b", "a"),
            ("a b", "a"),
            ("'a;b';c", "'a;b'"),
            ("a\\;b;c", "a\\;b"),
            ("a&b&& c", "a&b"),
            ("", ""),
            (";", ""),
        ] {
            assert_eq!(&text[..first_word_end(text)], word, "{text}");
        }
    }

    #[test]
    fn a_part_of_a_word_is_where_it_is_written() {
        let text = r#"A_TOKEN="a"'b'\ c"#;
        let word = &statements(text)[0].words[0];
        assert_eq!(word.text, "A_TOKEN=ab c");
        let pieces: Vec<&str> = word.source_ranges(&(8..12)).into_iter().map(|piece| &text[piece]).collect();
        assert_eq!(pieces, ["a", "b", "\\ c"]);
    }

    proptest! {
        #[test]
        fn every_byte_has_its_place(text in any::<String>()) {
            for word in statements(&text).iter().flat_map(|statement| &statement.words) {
                prop_assert_eq!(word.at.len(), word.text.len());
                for piece in word.source_ranges(&(0..word.text.len())) {
                    prop_assert!(text.get(piece).is_some());
                }
            }
        }
    }
}
