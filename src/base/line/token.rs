//! Text to tokens. Never fails: what is wrong or not finished is a token too, so that a line can be coloured while it is typed.

use std::iter::Peekable;
use std::ops::Range;
use std::str::CharIndices;

/// A piece of a line. Blanks and continued line ends lie between tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// What it is.
    pub kind: TokenKind,
    /// Where it is, in bytes.
    pub span: Range<usize>,
}

/// What a token is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenKind {
    /// A word.
    Word {
        /// What it means, without quotes and backslashes.
        text: String,
        /// Some of it was quoted or escaped.
        quoted: bool,
        /// What still has to be closed.
        open: Option<OpenQuoting>,
    },
    /// The name of the program at the start of a statement. It is passed over: a line means the same with and without it.
    Program,
    /// `;`, or `&&`: a line stops at the first failure anyway.
    Semicolon,
    /// The end of a line.
    Newline,
    /// `|`
    Pipe,
    /// `>`
    Redirect,
    /// `>>`
    Append,
    /// `!` at the start of a statement.
    Bang,
    /// What goes to `sh` as it is: the text after `|`, up to `;` or the end of the line, or after `!`, up to the end of the line.
    Shell {
        /// What still has to be closed.
        open: Option<OpenQuoting>,
    },
    /// `#` and what follows it on the line.
    Comment,
    /// Something that a line cannot contain, and why.
    Invalid(&'static str),
}

/// What a line waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpenQuoting {
    /// `'`
    Single,
    /// `"`
    Double,
    /// The character after `\`.
    Backslash,
}

impl OpenQuoting {
    /// What is missing, as a sentence without its subject.
    #[must_use]
    pub fn expected(self) -> &'static str {
        match self {
            Self::Single => "unclosed `'`",
            Self::Double => "unclosed `\"`",
            Self::Backslash => "missing character after `\\` at the end of the line",
        }
    }
}

/// The tokens of a text, in order. Spans do not overlap.
#[must_use]
pub fn tokens(text: &str) -> Vec<Token> {
    let mut scanner =
        Scanner { text, rest: text.char_indices().peekable(), tokens: Vec::new(), fresh: true, piped: false };
    while scanner.step() {}
    scanner.tokens
}

struct Scanner<'a> {
    text: &'a str,
    rest: Peekable<CharIndices<'a>>,
    tokens: Vec<Token>,
    /// At the start of a statement.
    fresh: bool,
    /// After `|` or `!`: what follows belongs to `sh`.
    piped: bool,
}

/// How the program is called; also in lines.
const PROGRAM: &str = "tetra";

/// Words that mean something to other shells and would be passed on in silence here.
const UNSUPPORTED: [(&str, &str); 4] = [
    ("&", "`&` is not supported: use `tsm start` to run a program in the background"),
    ("<", "`<` is not supported: input cannot be redirected"),
    ("<<", "`<<` is not supported: input cannot be redirected"),
    ("<<<", "`<<<` is not supported: input cannot be redirected"),
];

impl Scanner<'_> {
    /// Reads one token or skips one blank; false at the end.
    fn step(&mut self) -> bool {
        let Some(&(start, character)) = self.rest.peek() else { return false };
        match character {
            _ if self.blank(start, character) => {}
            '\n' if self.tokens.last().is_some_and(|last| last.kind == TokenKind::Pipe) => {
                self.rest.next();
            }
            '\n' => self.operator(start, 1, TokenKind::Newline),
            _ if self.piped => self.shell(start),
            ';' => self.operator(start, 1, TokenKind::Semicolon),
            '&' if self.text[start..].starts_with("&&") => self.operator(start, 2, TokenKind::Semicolon),
            '|' if self.text[start..].starts_with("||") => {
                self.operator(start, 2, TokenKind::Invalid("`||` is not supported: a line stops at the first failure"));
            }
            '|' => self.operator(start, 1, TokenKind::Pipe),
            '>' if self.text[start..].starts_with(">>") => self.operator(start, 2, TokenKind::Append),
            '>' => self.operator(start, 1, TokenKind::Redirect),
            '#' => self.comment(start),
            '!' if self.fresh => self.operator(start, 1, TokenKind::Bang),
            _ => self.word(start),
        }
        true
    }

    /// Skips a blank or a continued line end, if there is one.
    fn blank(&mut self, start: usize, character: char) -> bool {
        let rest = &self.text[start..];
        let width = match character {
            ' ' | '\t' => 1,
            '\r' if rest.starts_with("\r\n") || rest == "\r" => 1,
            '\\' if rest.starts_with("\\\n") => 2,
            '\\' if rest.starts_with("\\\r\n") => 3,
            _ => return false,
        };
        for _ in 0..width {
            self.rest.next();
        }
        true
    }

    fn operator(&mut self, start: usize, width: usize, kind: TokenKind) {
        for _ in 0..width {
            self.rest.next();
        }
        self.fresh = matches!(kind, TokenKind::Semicolon | TokenKind::Newline);
        self.piped = matches!(kind, TokenKind::Pipe | TokenKind::Bang);
        self.tokens.push(Token { kind, span: start..start + width });
    }

    fn comment(&mut self, start: usize) {
        while self.rest.next_if(|&(_, character)| character != '\n').is_some() {}
        let end = self.position();
        self.tokens.push(Token { kind: TokenKind::Comment, span: start..end });
    }

    fn word(&mut self, start: usize) {
        let fresh = std::mem::take(&mut self.fresh);
        let (mut text, mut quoted, mut open) = (String::new(), false, None);
        let whole = self.text;
        let ends = |&(at, it): &(usize, char)| {
            matches!(it, ' ' | '\t' | '\n' | ';' | '|' | '>') || whole[at..].starts_with("&&")
        };
        while let Some((_, character)) = self.rest.next_if(|next| !ends(next)) {
            match character {
                '\'' => {
                    quoted = true;
                    open = self.single(&mut text);
                }
                '"' => {
                    quoted = true;
                    open = self.double(&mut text);
                }
                '\\' => match self.escaped() {
                    Some((_, '\n')) => {}
                    Some((_, escaped)) => {
                        quoted = true;
                        text.push(escaped);
                    }
                    None => open = Some(OpenQuoting::Backslash),
                },
                '\r' if self.rest.peek().is_none_or(|&(_, next)| next == '\n') => {}
                other => text.push(other),
            }
        }
        let span = start..self.position();
        let wrong = if text.contains('\0') {
            Some("a line cannot contain a NUL character")
        } else if quoted {
            None
        } else {
            self.invalid_redirect(&span, &text)
        };
        let kind = match wrong {
            Some(why) => TokenKind::Invalid(why),
            None if fresh && !quoted && text == PROGRAM => TokenKind::Program,
            None => TokenKind::Word { text, quoted, open },
        };
        self.tokens.push(Token { kind, span });
    }

    /// Why an unquoted word is invalid beside a redirection, if it is.
    fn invalid_redirect(&self, span: &Range<usize>, text: &str) -> Option<&'static str> {
        let before_redirect = self.text[span.end..].starts_with('>');
        if before_redirect && (text == "&" || text.bytes().all(|byte| byte.is_ascii_digit())) {
            return Some("only the standard output can be redirected, with `>` or `>>`");
        }
        let after_redirect = self.tokens.last().is_some_and(|last| last.span.end == span.start);
        if after_redirect && text.starts_with('&') {
            return Some("expected a file after `>`");
        }
        UNSUPPORTED.iter().find(|(foreign, _)| *foreign == text).map(|(_, why)| *why)
    }

    fn single(&mut self, text: &mut String) -> Option<OpenQuoting> {
        for (_, character) in self.rest.by_ref() {
            match character {
                '\'' => return None,
                other => text.push(other),
            }
        }
        Some(OpenQuoting::Single)
    }

    fn double(&mut self, text: &mut String) -> Option<OpenQuoting> {
        while let Some((_, character)) = self.rest.next() {
            match character {
                '"' => return None,
                '\\' => match self.escaped() {
                    Some((_, '\n')) => {}
                    Some((_, escaped @ ('"' | '\\' | '$' | '`'))) => text.push(escaped),
                    Some((_, other)) => text.extend(['\\', other]),
                    None => text.push('\\'),
                },
                other => text.push(other),
            }
        }
        Some(OpenQuoting::Double)
    }

    /// Reads what belongs to `sh`. Quotes, escapes, parentheses and comments are followed as `sh` does, so that `;` and line ends
    /// inside them do not count; nothing is taken away.
    fn shell(&mut self, start: usize) {
        self.piped = false;
        let ends_at_semicolon = self.tokens.last().is_some_and(|last| last.kind == TokenKind::Pipe);
        let (mut open, mut blank, mut depth) = (None, true, 0_usize);
        let mut sink = String::new();
        while let Some((_, character)) =
            self.rest.next_if(|&(_, it)| it != '\n' && !(it == ';' && ends_at_semicolon && depth == 0))
        {
            match character {
                '\'' => open = self.single(&mut sink),
                '"' => open = self.double(&mut sink),
                '\\' if self.escaped().is_none() => open = Some(OpenQuoting::Backslash),
                '(' | '{' => depth += 1,
                ')' | '}' => depth = depth.saturating_sub(1),
                '#' if blank => while self.rest.next_if(|&(_, it)| it != '\n').is_some() {},
                _ => {}
            }
            blank = character.is_whitespace();
        }
        let end = start + self.text[start..self.position()].trim_end().len();
        self.tokens.push(Token { kind: TokenKind::Shell { open }, span: start..end });
    }

    /// The character behind a `\`; of `\r\n` the `\n`.
    fn escaped(&mut self) -> Option<(usize, char)> {
        let next = self.rest.next()?;
        let is_line_end = next.1 == '\r' && self.rest.peek().is_some_and(|&(_, it)| it == '\n');
        if is_line_end { self.rest.next() } else { Some(next) }
    }

    fn position(&mut self) -> usize {
        self.rest.peek().map_or(self.text.len(), |&(index, _)| index)
    }
}
