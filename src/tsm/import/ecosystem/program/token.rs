//! The words of a program.

/// A word and where it begins, in bytes.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct JsToken {
    pub(super) at: usize,
    pub(super) kind: JsTokenKind,
    /// It is the first of its line.
    pub(super) begins_line: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum JsTokenKind {
    Name(String),
    Text(String),
    Number(f64),
    /// The texts of a template, and where the expressions between them begin and end.
    Template(Vec<String>, Vec<(usize, usize)>),
    /// As it is written, with its slashes.
    Pattern(String),
    Sign(&'static str),
    End,
}

/// The longest first.
const SIGNS: [&str; 45] = [
    "...", "===", "!==", "**=", "??=", "||=", "&&=", "=>", "==", "!=", "<=", ">=", "&&", "||", "??", "?.", "++", "--",
    "+=", "-=", "*=", "/=", "**", "{", "}", "(", ")", "[", "]", ";", ",", "<", ">", "+", "-", "*", "/", "%", "&", "|",
    "!", "?", ":", "=", ".",
];

/// Why there are no words: where, and what is wrong there.
pub(super) type TokenError = (usize, &'static str);

/// The words of `text` between two places of it.
pub(super) fn tokens(text: &str, begin: usize, end: usize) -> Result<Vec<JsToken>, TokenError> {
    let mut lexer = Lexer { text: &text[..end], at: begin, tokens: Vec::new(), depth: 0 };
    loop {
        let begins_line = lexer.skip_blanks()?;
        let at = lexer.at;
        let kind = lexer.next()?;
        let done = kind == JsTokenKind::End;
        lexer.tokens.push(JsToken { at, kind, begins_line });
        if done {
            return Ok(lexer.tokens);
        }
    }
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
    tokens: Vec<JsToken>,
    /// How many templates it is within.
    depth: usize,
}

/// How deep templates may be within each other.
const MAX_DEPTH: usize = 8;

impl Lexer<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    /// Skips blanks and comments; true if a line ends among them.
    fn skip_blanks(&mut self) -> Result<bool, TokenError> {
        let begin = self.at;
        loop {
            let rest = self.rest();
            let blanks = rest.len() - rest.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}').len();
            let comment = match &rest[blanks..] {
                comment if comment.starts_with("//") => comment.find('\n').unwrap_or(comment.len()),
                comment if comment.starts_with("/*") => {
                    comment.find("*/").ok_or((self.at + blanks, "an open comment"))? + 2
                }
                _ => 0,
            };
            self.at += blanks + comment;
            if comment == 0 {
                return Ok(begin == 0 || self.text[begin..self.at].contains('\n'));
            }
        }
    }

    fn next(&mut self) -> Result<JsTokenKind, TokenError> {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return Ok(JsTokenKind::End) };
        if first.is_alphabetic() || matches!(first, '_' | '$') {
            let length = rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '$').unwrap_or(rest.len());
            let name = rest[..length].to_owned();
            self.at += length;
            return Ok(JsTokenKind::Name(name));
        }
        match first {
            '\'' | '"' => self.string(),
            '`' => self.template(),
            '0'..='9' => self.number(),
            '/' if !self.follows_value() => self.pattern(),
            _ => {
                let sign = SIGNS.into_iter().find(|sign| rest.starts_with(sign)).ok_or((self.at, "an unknown sign"))?;
                self.at += sign.len();
                Ok(JsTokenKind::Sign(sign))
            }
        }
    }

    /// True where a slash divides.
    fn follows_value(&self) -> bool {
        match self.tokens.last().map(|token| &token.kind) {
            Some(JsTokenKind::Sign(sign)) => matches!(*sign, ")" | "]" | "}"),
            Some(JsTokenKind::Name(name)) => name != "return",
            Some(_) => true,
            None => false,
        }
    }

    /// A text in quotes; JSON5 knows its escapes.
    fn string(&mut self) -> Result<JsTokenKind, TokenError> {
        let unclosed = (self.at, "an open quote");
        let quote = self.rest().chars().next().ok_or(unclosed)?;
        let end = self.unescaped(1, |c| c == quote || c == '\n').filter(|end| self.rest()[*end..].starts_with(quote));
        let length = end.ok_or(unclosed)? + 1;
        let text = json5::from_str(&self.rest()[..length]).map_err(|_| (self.at, "an invalid text"))?;
        self.at += length;
        Ok(JsTokenKind::Text(text))
    }

    /// Where the first letter is, from `begin` on, that is wanted and has no backslash before it.
    fn unescaped(&self, begin: usize, is_wanted: impl Fn(char) -> bool) -> Option<usize> {
        let mut escaped = false;
        self.rest()[begin..].char_indices().find_map(|(at, c)| {
            let found = !escaped && is_wanted(c);
            escaped = c == '\\' && !escaped;
            found.then_some(begin + at)
        })
    }

    fn template(&mut self) -> Result<JsTokenKind, TokenError> {
        let unclosed = (self.at, "an open template");
        let (mut texts, mut expressions) = (Vec::new(), Vec::new());
        self.at += 1;
        loop {
            let length = self.unescaped(0, |c| c == '`' || c == '$').ok_or(unclosed)?;
            let mut end = length;
            // A single sign is text.
            while self.rest()[end..].starts_with('$') && !self.rest()[end..].starts_with("${") {
                end = self.unescaped(end + 1, |c| c == '`' || c == '$').ok_or(unclosed)?;
            }
            let raw =
                self.rest()[..end].replace('"', "\\\"").replace('\n', "\\n").replace("\\`", "`").replace("\\$", "$");
            texts.push(json5::from_str(&format!("\"{raw}\"")).map_err(|_| (self.at, "an invalid text"))?);
            self.at += end + 1;
            if self.text[..self.at].ends_with('`') {
                return Ok(JsTokenKind::Template(texts, expressions));
            }
            let begin = self.at + 1;
            let end = self.closing_brace(begin).ok_or(unclosed)?;
            expressions.push((begin, end));
            self.at = end + 1;
        }
    }

    /// Where the brace closes that was opened before `begin`.
    fn closing_brace(&self, begin: usize) -> Option<usize> {
        if self.depth > MAX_DEPTH {
            return None;
        }
        let mut lexer = Lexer { text: self.text, at: begin, tokens: Vec::new(), depth: self.depth + 1 };
        let mut depth = 0_usize;
        loop {
            lexer.skip_blanks().ok()?;
            let at = lexer.at;
            let kind = lexer.next().ok()?;
            match &kind {
                JsTokenKind::Sign("{") => depth += 1,
                JsTokenKind::Sign("}") if depth == 0 => return Some(at),
                JsTokenKind::Sign("}") => depth -= 1,
                JsTokenKind::End => return None,
                _ => {}
            }
            lexer.tokens.push(JsToken { at, kind, begins_line: false });
        }
    }

    fn number(&mut self) -> Result<JsTokenKind, TokenError> {
        let rest = self.rest();
        let length = rest.find(|c: char| !c.is_alphanumeric() && c != '.' && c != '_').unwrap_or(rest.len());
        let digits = rest[..length].replace('_', "");
        let number = json5::from_str(&digits).map_err(|_| (self.at, "an invalid number"))?;
        self.at += length;
        Ok(JsTokenKind::Number(number))
    }

    fn pattern(&mut self) -> Result<JsTokenKind, TokenError> {
        let unclosed = (self.at, "an open regular expression");
        let mut end = 1;
        loop {
            end = self.unescaped(end, |c| matches!(c, '/' | '[' | '\n')).ok_or(unclosed)?;
            match self.rest().as_bytes()[end] {
                b'/' => break,
                b'[' => end = self.unescaped(end + 1, |c| matches!(c, ']' | '\n')).ok_or(unclosed)?,
                _ => return Err(unclosed),
            }
        }
        let rest = self.rest();
        let flags = rest[end + 1..].find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len() - end - 1);
        let pattern = rest[..end + 1].to_owned();
        self.at += end + 1 + flags;
        Ok(JsTokenKind::Pattern(pattern))
    }
}
