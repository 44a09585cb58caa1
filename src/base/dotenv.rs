//! The `.env` line parser: `K=V` or `export K=V`, read and never executed.
//!
//! A value that begins with a quote is a shell word without expansion: `'literal'` and `"with \n escapes"` may follow one another
//! (`'it'\''s'`), and quoted text may span lines. Any other value is taken as it is, with the quotes, backslashes and backticks
//! in it, up to the line end or a `#` that follows a blank; the blanks around it are not part of it. `$` means itself. A later
//! line of the same key replaces the earlier one. `tests/vectors/dotenv.toml` compares this with what other programs read.

use std::collections::HashMap;
use std::collections::hash_map::Entry::{Occupied, Vacant};
use std::fmt;
use std::ops::Range;

/// One line of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvVar {
    /// The variable: a letter or `_`, then letters, digits and `_`.
    pub key: String,
    /// What it is set to, unquoted; may be empty and may hold `=` and newlines.
    pub value: String,
    /// The line of the key, counted from 1.
    pub line: u32,
}

/// A line that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DotenvError {
    /// Counted from 1.
    pub line: u32,
    /// In characters, counted from 1.
    pub column: u32,
    /// What is wrong there.
    pub kind: DotenvErrorKind,
}

/// What can be wrong with a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DotenvErrorKind {
    /// The line does not begin with a name.
    NoKey,
    /// No `=` follows the name.
    NoEquals,
    /// The opening quote at this place has no end.
    Unclosed,
    /// Something other than a comment follows the closing quote.
    AfterQuote,
    /// A NUL byte, which no environment can hold.
    Nul,
    /// More settings than `MAX_ENTRIES`.
    TooMany,
}

impl fmt::Display for DotenvErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoKey => "expected a variable name",
            Self::NoEquals => "expected `=` after the name",
            Self::Unclosed => "unclosed quote",
            Self::AfterQuote => "unexpected text after the closing quote",
            Self::Nul => "a value cannot contain a NUL byte",
            Self::TooMany => "more than 16384 variables",
        })
    }
}

impl fmt::Display for DotenvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.line, self.column, self.kind)
    }
}

impl std::error::Error for DotenvError {}

/// So many settings fit into what the kernel hands to a program, if they are short; a file with more is no env file.
const MAX_ENTRIES: usize = 16_384;

/// A setting with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpannedEnvVar {
    /// What it says.
    pub variable: EnvVar,
    /// All of it in bytes of the text, without the line end; a comment behind it belongs to it.
    pub span: Range<usize>,
    /// What follows the `=`, with its quotes and what is behind them.
    pub value: Range<usize>,
}

/// Reads the text of a whole file, in order, each key once.
///
/// # Errors
///
/// The first line that cannot be read; nothing is skipped silently.
pub fn parse(text: &str) -> Result<Vec<EnvVar>, DotenvError> {
    let mut settings: Vec<EnvVar> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for SpannedEnvVar { variable: setting, .. } in entries(text)? {
        match places.entry(setting.key.clone()) {
            Occupied(place) => settings[*place.get()] = setting,
            Vacant(place) => {
                place.insert(settings.len());
                settings.push(setting);
            }
        }
    }
    Ok(settings)
}

/// Reads the text of a whole file, in order, with places; a key may come more than once.
///
/// # Errors
///
/// The first line that cannot be read; nothing is skipped silently.
pub fn entries(text: &str) -> Result<Vec<SpannedEnvVar>, DotenvError> {
    let bare = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut cursor = LineCursor::new(bare, text.len() - bare.len());
    let mut entries = Vec::new();
    while let Some(entry) = cursor.entry()? {
        if entries.len() == MAX_ENTRIES {
            return Err(cursor.error(DotenvErrorKind::TooMany));
        }
        entries.push(entry);
    }
    Ok(entries)
}

/// What a backslash means inside single quotes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SingleQuoteMode {
    /// Before a quote it takes its meaning away.
    Escapes,
    /// Itself.
    Literal,
}

#[derive(Clone)]
struct LineCursor<'a> {
    rest: std::iter::Peekable<std::str::Chars<'a>>,
    line: u32,
    column: u32,
    /// In bytes of the whole text.
    at: usize,
}

impl<'a> LineCursor<'a> {
    fn new(text: &'a str, at: usize) -> Self {
        Self { rest: text.chars().peekable(), line: 1, column: 1, at }
    }

    /// The next setting, or `None` at the end of the text.
    fn entry(&mut self) -> Result<Option<SpannedEnvVar>, DotenvError> {
        self.skip_to_key();
        let begin = self.at;
        if self.peek().is_none() {
            return Ok(None);
        }
        let mut line = self.line;
        let mut key = self.name()?;
        if key == "export" && matches!(self.peek(), Some(' ' | '\t')) {
            self.skip_blanks();
            line = self.line;
            key = self.name()?;
        }
        self.skip_blanks();
        if self.peek() != Some('=') {
            return Err(self.error(DotenvErrorKind::NoEquals));
        }
        self.next();
        let raw = self.at;
        let value = self.value()?;
        Ok(Some(SpannedEnvVar { variable: EnvVar { key, value, line }, span: begin..self.at, value: raw..self.at }))
    }

    fn name(&mut self) -> Result<String, DotenvError> {
        if !self.peek().is_some_and(|c| c.is_ascii_alphabetic() || c == '_') {
            return Err(self.error(DotenvErrorKind::NoKey));
        }
        let mut name = String::new();
        while let Some(c) = self.peek().filter(|c| c.is_ascii_alphanumeric() || *c == '_') {
            name.push(c);
            self.next();
        }
        Ok(name)
    }

    fn value(&mut self) -> Result<String, DotenvError> {
        let before = self.at;
        self.skip_blanks();
        match self.peek() {
            Some('"' | '\'') => self.quoted_value(),
            Some('#') if self.at > before => {
                self.skip_line();
                Ok(String::new())
            }
            _ => self.plain_value(),
        }
    }

    /// A value without quotes around it, up to the line end or a comment.
    fn plain_value(&mut self) -> Result<String, DotenvError> {
        let mut value = String::new();
        let mut blanks = String::new();
        while let Some(c) = self.peek().filter(|c| *c != '\n') {
            match c {
                '\0' => return Err(self.error(DotenvErrorKind::Nul)),
                '#' if blanks.ends_with([' ', '\t']) => {
                    self.skip_line();
                    break;
                }
                // Of the line end, unless more follows.
                ' ' | '\t' | '\r' => blanks.push(c),
                _ => {
                    value.push_str(&std::mem::take(&mut blanks));
                    value.push(c);
                }
            }
            self.next();
        }
        Ok(value)
    }

    /// Libraries let `\'` stand for a quote inside single quotes, for a shell it ends them: what is whole in the first way is read
    /// so, everything else as a shell does.
    fn quoted_value(&mut self) -> Result<String, DotenvError> {
        let begin = self.clone();
        if let Ok(value) = self.pieces(SingleQuoteMode::Escapes) {
            return Ok(value);
        }
        *self = begin;
        self.pieces(SingleQuoteMode::Literal)
    }

    fn pieces(&mut self, single: SingleQuoteMode) -> Result<String, DotenvError> {
        let mut value = String::new();
        let mut blanks = false;
        loop {
            match self.peek() {
                None | Some('\n') => return Ok(value),
                Some('\r') => {
                    self.next();
                    if !matches!(self.peek(), None | Some('\n')) {
                        value.push('\r');
                    }
                }
                Some(' ' | '\t') => {
                    blanks = true;
                    self.next();
                }
                Some('#') if blanks => {
                    self.skip_line();
                    return Ok(value);
                }
                Some('\0') => return Err(self.error(DotenvErrorKind::Nul)),
                Some(_) if blanks => return Err(self.error(DotenvErrorKind::AfterQuote)),
                Some(c) => self.piece(c, &mut value, single)?,
            }
        }
    }

    /// One character, escape or quoted part, of which `first` is the beginning.
    fn piece(&mut self, first: char, value: &mut String, single: SingleQuoteMode) -> Result<(), DotenvError> {
        let open = self.error(DotenvErrorKind::Unclosed);
        self.next();
        match first {
            '\'' => loop {
                match self.next() {
                    None => return Err(open),
                    Some('\'') => return Ok(()),
                    Some('\0') => return Err(self.error(DotenvErrorKind::Nul)),
                    Some('\\') if single == SingleQuoteMode::Escapes && self.escapes_a_quote() => {
                        self.next();
                        value.push('\'');
                    }
                    Some(c) => value.push(c),
                }
            },
            '"' => loop {
                match self.next() {
                    None => return Err(open),
                    Some('"') => return Ok(()),
                    Some('\0') => return Err(self.error(DotenvErrorKind::Nul)),
                    Some('\\') => self.escape(value).ok_or_else(|| open.clone())?,
                    Some(c) => value.push(c),
                }
            },
            '\\' => match self.peek() {
                None | Some('\r' | '\n' | '\0') => value.push('\\'),
                Some(c) => {
                    value.push(c);
                    self.next();
                }
            },
            c => value.push(c),
        }
        Ok(())
    }

    /// Behind a backslash inside single quotes: here is a quote, and a later one on the line can close.
    fn escapes_a_quote(&self) -> bool {
        let mut rest = self.rest.clone();
        rest.next() == Some('\'') && rest.take_while(|c| *c != '\n').any(|c| c == '\'')
    }

    /// What a backslash inside double quotes means; unknown escapes stay as they are.
    fn escape(&mut self, value: &mut String) -> Option<()> {
        match self.next()? {
            'n' => value.push('\n'),
            'r' => value.push('\r'),
            't' => value.push('\t'),
            c @ ('"' | '\\' | '$' | '`') => value.push(c),
            '\n' => {}
            other => value.extend(['\\', other]),
        }
        Some(())
    }

    fn skip_to_key(&mut self) {
        while let Some(c) = self.peek() {
            match c {
                ' ' | '\t' | '\r' | '\n' => {
                    self.next();
                }
                '#' => self.skip_line(),
                _ => return,
            }
        }
    }

    fn skip_blanks(&mut self) {
        while matches!(self.peek(), Some(' ' | '\t')) {
            self.next();
        }
    }

    fn skip_line(&mut self) {
        while !matches!(self.peek(), None | Some('\n')) {
            self.next();
        }
    }

    fn peek(&mut self) -> Option<char> {
        self.rest.peek().copied()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.rest.next()?;
        self.at += c.len_utf8();
        if c == '\n' {
            self.line += 1;
            self.column = 1;
        } else {
            self.column += 1;
        }
        Some(c)
    }

    fn error(&self, problem: DotenvErrorKind) -> DotenvError {
        DotenvError { line: self.line, column: self.column, kind: problem }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pairs(text: &str) -> Vec<(String, String)> {
        parse(text).expect("well formed").into_iter().map(|s| (s.key, s.value)).collect()
    }

    fn value(text: &str) -> String {
        pairs(text).pop().expect("one setting").1
    }

    #[test]
    fn reads_both_spellings_and_comments() {
        let text = "# head\nexport A=1\n\n  B = two words # note\r\nC=\nexport=x\n";
        let expected = [("A", "1"), ("B", "two words"), ("C", ""), ("export", "x")];
        assert_eq!(pairs(text), expected.map(|(k, v)| (k.to_owned(), v.to_owned())));
    }

    #[test]
    fn unquotes_as_a_shell_would_but_expands_nothing() {
        for (text, expected) in [
            ("K='a \\n $x'", "a \\n $x"),
            (r#"K="a\n\"b\" \$x ${HOME} \q""#, "a\n\"b\" $x ${HOME} \\q"),
            (r"K='it'\''s'", "it's"),
            ("K=a=b==", "a=b=="),
            ("K=x#y", "x#y"),
            ("K=\"x\" # note", "x"),
            ("K='#'", "#"),
            ("K=\"two\nlines\"", "two\nlines"),
            (r"K=a\ b\", r"a\ b\"),
            ("K=#hunter2x", "#hunter2x"),
            ("K= # open", ""),
            ("K=a # b", "a"),
            (r#"K={"a": ["b", 'c'], "d#": 1} # x"#, r#"{"a": ["b", 'c'], "d#": 1}"#),
            ("K=`date` it's \"x\"", "`date` it's \"x\""),
            (r"K='it\'s'", "it's"),
            (r"K='C:\'", r"C:\"),
            (r#"K='a\'"'"'b'"#, r"a\'b"),
            ("K='x'#y", "x#y"),
            ("K=$(rm -rf /)", "$(rm -rf /)"),
            ("K=\"crlf\"\r\n", "crlf"),
            ("\u{feff}K=bom", "bom"),
        ] {
            assert_eq!(value(text), expected, "{text:?}");
        }
    }

    #[test]
    fn the_last_of_a_key_wins_in_the_first_place() {
        assert_eq!(pairs("A=1\nB=2\nA=3"), [("A", "3"), ("B", "2")].map(|(k, v)| (k.to_owned(), v.to_owned())));
    }

    #[test]
    fn says_where_it_is_malformed() {
        for (text, line, column, problem) in [
            ("A=1\n=2", 2, 1, DotenvErrorKind::NoKey),
            ("A=1\n\nexport B", 3, 9, DotenvErrorKind::NoEquals),
            ("1A=x", 1, 1, DotenvErrorKind::NoKey),
            ("A='x\nB=2", 1, 3, DotenvErrorKind::Unclosed),
            ("A=\"x", 1, 3, DotenvErrorKind::Unclosed),
            ("A=\"x\" y", 1, 7, DotenvErrorKind::AfterQuote),
            ("A=x\0", 1, 4, DotenvErrorKind::Nul),
            ("echo hi", 1, 6, DotenvErrorKind::NoEquals),
        ] {
            assert_eq!(parse(text), Err(DotenvError { line, column, kind: problem }), "{text:?}");
        }
    }

    #[test]
    fn more_variables_than_a_program_can_be_given_are_refused() {
        let text = |count: usize| (0..count).map(|n| format!("A{n}=x\n")).collect::<String>();
        assert_eq!(parse(&text(MAX_ENTRIES)).expect("as many as that").len(), MAX_ENTRIES);
        let line = u32::try_from(MAX_ENTRIES).expect("small") + 1;
        let refused = parse(&text(1_000_000)).expect_err("too many");
        assert_eq!((refused.line, refused.kind), (line, DotenvErrorKind::TooMany));
    }

    #[test]
    fn entries_have_their_places_and_keep_every_one() {
        let text = "\u{feff}# é\nexport A=\"x\ny\" # z\n B = 1\r\nA=2";
        let found: Vec<(&str, &str)> = entries(text)
            .expect("well formed")
            .iter()
            .map(|entry| (&text[entry.span.clone()], &text[entry.value.clone()]))
            .collect();
        assert_eq!(
            found,
            [("export A=\"x\ny\" # z", "\"x\ny\" # z"), ("B = 1\r", " 1\r"), ("A=2", "2")],
            "a key that comes twice is there twice"
        );
    }

    #[test]
    fn keeps_the_line_of_each_key() {
        let lines: Vec<u32> = parse("A=\"x\ny\"\nB=1").expect("well formed").iter().map(|s| s.line).collect();
        assert_eq!(lines, [1, 3]);
    }

    fn quoted(value: &str) -> String {
        let escaped: String = value
            .chars()
            .flat_map(|c| match c {
                '"' | '\\' => vec!['\\', c],
                '\r' => vec!['\\', 'r'],
                c => vec![c],
            })
            .collect();
        format!("\"{escaped}\"")
    }

    proptest::proptest! {
        #[test]
        fn any_quoted_value_comes_back(value in "[^\0]*") {
            let text = format!("export KEY={} # note\nNEXT=1", quoted(&value));
            proptest::prop_assert_eq!(pairs(&text), [("KEY".to_owned(), value), ("NEXT".to_owned(), "1".to_owned())]);
        }

        #[test]
        fn no_text_is_too_strange(text in ".*") {
            // Either settings or a place in the text; never a panic.
            if let Err(malformed) = parse(&text) {
                proptest::prop_assert!(malformed.line >= 1 && malformed.column >= 1);
            }
        }
    }
}
