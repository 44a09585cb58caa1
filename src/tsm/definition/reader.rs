//! The assignments of a shell file, read one by one with their places.

use std::collections::BTreeMap;
use std::path::Path;

use crate::base::fault::Location;
use crate::base::home;

use super::DefinitionError;
use super::keys::DefinitionKey;
use crate::tsm::options::value::OptionType;

/// `KEY=value`, `KEY=(list)`, either with `export`.
pub(super) struct Assignment {
    pub(super) key: String,
    /// One value, or those of a list.
    pub(super) values: Vec<String>,
    /// They stood in parentheses.
    pub(super) list: bool,
    pub(super) export: bool,
    /// Where the value is.
    at: Location,
}

impl Assignment {
    /// The value; those of a list joined by spaces.
    pub(super) fn value(&self) -> String {
        self.values.join(" ")
    }

    /// An error at the value.
    pub(super) fn error(&self, what: &str) -> DefinitionError {
        DefinitionError::Malformed {
            at: self.at.clone(),
            what: format!("invalid value `{}` for {}: expected {what}", self.value(), self.key),
        }
    }
}

/// Reads a text from its beginning.
pub(super) struct DefinitionReader<'a> {
    text: &'a str,
    file: &'a Path,
    variables: &'a BTreeMap<String, String>,
    /// What earlier lines set; wins over the surroundings.
    set: Vec<(String, String)>,
    /// The next byte.
    at: usize,
}

/// What only a shell that executes could understand.
const OPERATORS: [char; 7] = ['|', '&', '<', '>', '(', ')', ';'];

/// True for a key whose variables belong to the shell that will run its value.
fn is_opaque(key: &str) -> bool {
    DefinitionKey::of_tsm(key).is_some_and(|key| key.value_type == OptionType::Opaque)
}

/// True for a key of paths: their `~` is the home directory in quotes too, as in TOML.
pub(super) fn has_paths(key: &str) -> bool {
    DefinitionKey::of_tsm(key).is_some_and(|key| matches!(key.value_type, OptionType::Path | OptionType::Paths))
}

impl<'a> DefinitionReader<'a> {
    pub(super) fn new(text: &'a str, file: &'a Path, variables: &'a BTreeMap<String, String>) -> Self {
        let at = if text.starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
        Self { text, file, variables, set: Vec::new(), at }
    }

    /// All of them, or the first mistake.
    pub(super) fn assignments(mut self) -> Result<Vec<Assignment>, DefinitionError> {
        let mut all = Vec::new();
        while self.find_statement() {
            let assignment = self.assignment()?;
            self.set.push((assignment.key.clone(), assignment.value()));
            all.push(assignment);
        }
        Ok(all)
    }

    /// Skips to the next statement; false at the end.
    fn find_statement(&mut self) -> bool {
        while let Some(c) = self.peek() {
            match c {
                '#' => self.skip_line(),
                c if c.is_whitespace() || c == ';' => self.at += c.len_utf8(),
                _ => return true,
            }
        }
        false
    }

    fn assignment(&mut self) -> Result<Assignment, DefinitionError> {
        let mut begin = self.at;
        let mut key = self.key();
        let export = key == "export" && matches!(self.peek(), Some(' ' | '\t'));
        if export {
            self.skip_blanks();
            begin = self.at;
            key = self.key();
        }
        let named = key.bytes().next().is_some_and(|byte| !byte.is_ascii_digit());
        if !named || self.peek() != Some('=') {
            let width =
                self.text[begin..].find(|c: char| c.is_whitespace() || c == '=').unwrap_or(self.text.len() - begin);
            let what = "not an assignment; definitions are read, never executed";
            return Err(self.error(begin, begin + width.max(1), what));
        }
        let key = key.to_owned();
        self.at += 1;
        let begin = self.at;
        let list = self.peek() == Some('(');
        let values = if list { self.list(&key)? } else { vec![self.word(&key)?] };
        let at = self.place(begin, self.at);
        self.end_of_statement()?;
        Ok(Assignment { key, values, list, export, at })
    }

    fn key(&mut self) -> &'a str {
        let rest = &self.text[self.at..];
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn list(&mut self, key: &str) -> Result<Vec<String>, DefinitionError> {
        let open = self.at;
        self.at += 1;
        let mut values = Vec::new();
        loop {
            match self.peek() {
                None => return Err(self.error(open, open + 1, "unclosed list: `)` is missing")),
                Some(')') => {
                    self.at += 1;
                    return Ok(values);
                }
                Some('#') => self.skip_line(),
                Some(';') => {
                    return Err(self.error(
                        self.at,
                        self.at + 1,
                        "unexpected `;` in a list; quote it if it is part of a value",
                    ));
                }
                Some(c) if c.is_whitespace() => self.at += c.len_utf8(),
                Some(_) => values.push(self.word(key)?),
            }
        }
    }

    /// One shell word: pieces up to a space, an operator or the end of the line.
    fn word(&mut self, key: &str) -> Result<String, DefinitionError> {
        let begin = self.at;
        let mut value = String::new();
        let home = self.text[begin..].strip_prefix('~').filter(|rest| !rest.starts_with(|c: char| c.is_alphanumeric()));
        if let Some(home) = home.filter(|_| !is_opaque(key)).and_then(|_| self.look_up("HOME")) {
            value.push_str(home);
            self.at += 1;
        }
        while let Some(c) = self.peek() {
            match c {
                c if c.is_whitespace() => break,
                '\'' => self.literal(&mut value)?,
                '"' => self.quoted(key, &mut value)?,
                '\\' => self.escaped(&mut value),
                '$' | '`' => self.variable(key, &mut value)?,
                c if OPERATORS.contains(&c) => break,
                c => self.push(c, &mut value),
            }
        }
        if begin == self.at && self.peek().is_some_and(|c| OPERATORS.contains(&c) && c != ';') {
            return Err(self.error(
                begin,
                begin + 1,
                "shell operators are not executed; quote it if it is part of a value",
            ));
        }
        let is_escaped = self.text[begin..].starts_with("\\~");
        Ok(if has_paths(key) && !is_escaped { home::expand(&value, self.look_up("HOME")) } else { value })
    }

    fn literal(&mut self, value: &mut String) -> Result<(), DefinitionError> {
        let inside = self.at + 1;
        let Some(end) = self.text[inside..].find('\'') else {
            return Err(self.error(self.at, inside, "unclosed quote"));
        };
        value.push_str(&self.text[inside..inside + end]);
        self.at = inside + end + 1;
        Ok(())
    }

    fn quoted(&mut self, key: &str, value: &mut String) -> Result<(), DefinitionError> {
        let open = self.at;
        self.at += 1;
        loop {
            match self.peek() {
                None => return Err(self.error(open, open + 1, "unclosed quote")),
                Some('"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some('\\') => match self.text[self.at + 1..].chars().next() {
                    Some('\n') => self.at += 2,
                    // A dollar that is meant for the command's own shell stays guarded there.
                    Some('$') if is_opaque(key) => {
                        value.push_str("\\$");
                        self.at += 2;
                    }
                    Some(c @ ('"' | '\\' | '$' | '`')) => {
                        value.push(c);
                        self.at += 2;
                    }
                    _ => self.push('\\', value),
                },
                Some('$' | '`') => self.variable(key, value)?,
                Some(c) => self.push(c, value),
            }
        }
    }

    /// A backslash outside quotes.
    fn escaped(&mut self, value: &mut String) {
        self.at += 1;
        match self.peek() {
            Some('\n') => self.at += 1,
            Some(c) => self.push(c, value),
            None => value.push('\\'),
        }
    }

    /// `$NAME`, `${NAME}`, `${NAME:-default}`; a `$` before anything else is itself.
    fn variable(&mut self, key: &str, value: &mut String) -> Result<(), DefinitionError> {
        let begin = self.at;
        let rest = &self.text[begin..];
        if is_opaque(key) {
            let sign = self.peek().unwrap_or('$');
            self.push(sign, value);
            return Ok(());
        }
        if rest.starts_with('`') || rest.starts_with("$(") {
            let width = if rest.starts_with('`') { 1 } else { 2 };
            return Err(self.error(begin, begin + width, "command substitutions are not executed"));
        }
        self.at += 1;
        let braced = self.peek() == Some('{');
        self.at += usize::from(braced);
        let name = self.key();
        let mut fallback = None;
        if braced {
            let tail = &self.text[self.at..];
            let Some(end) = tail.find('}') else {
                return Err(self.error(begin, begin + 2, "unclosed `${`"));
            };
            fallback = tail[..end].strip_prefix(":-");
            if name.is_empty() || (end != 0 && fallback.is_none()) {
                let what = "unsupported expansion: expected ${NAME} or ${NAME:-default}";
                return Err(self.error(begin, self.at + end + 1, what));
            }
            self.at += end + 1;
        } else if name.is_empty() {
            value.push('$');
            return Ok(());
        }
        let found = self.look_up(name).filter(|found| fallback.is_none() || !found.is_empty());
        match found.or(fallback) {
            Some(found) => value.push_str(found),
            None => return Err(self.error(begin, self.at, &format!("${name} is not set"))),
        }
        Ok(())
    }

    fn look_up(&self, name: &str) -> Option<&str> {
        let earlier = self.set.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        earlier.or_else(|| self.variables.get(name).map(String::as_str))
    }

    /// Only blanks and a comment may follow a value, up to `;` or the end of the line.
    fn end_of_statement(&mut self) -> Result<(), DefinitionError> {
        let before = self.at;
        self.skip_blanks();
        match self.peek() {
            None | Some('\n' | '\r' | ';') => Ok(()),
            Some('#') if self.at > before => {
                self.skip_line();
                Ok(())
            }
            Some(_) => {
                let rest = &self.text[self.at..];
                let word = rest.find(char::is_whitespace).unwrap_or(rest.len());
                let operators = rest.find(|c| !OPERATORS.contains(&c)).filter(|end| *end > 0);
                let end = self.at + operators.unwrap_or(word);
                Err(self.error(
                    self.at,
                    end,
                    "unexpected text after the value; quote the whole value if it is part of it",
                ))
            }
        }
    }

    fn skip_blanks(&mut self) {
        while let Some(c @ (' ' | '\t')) = self.peek() {
            self.at += c.len_utf8();
        }
    }

    fn skip_line(&mut self) {
        self.at = self.text[self.at..].find('\n').map_or(self.text.len(), |end| self.at + end);
    }

    fn push(&mut self, c: char, value: &mut String) {
        value.push(c);
        self.at += c.len_utf8();
    }

    fn peek(&self) -> Option<char> {
        self.text[self.at..].chars().next()
    }

    fn error(&self, begin: usize, end: usize, what: &str) -> DefinitionError {
        DefinitionError::Malformed { at: self.place(begin, end), what: what.to_owned() }
    }

    fn place(&self, begin: usize, end: usize) -> Location {
        let start = self.text[..begin].rfind('\n').map_or(0, |newline| newline + 1);
        let stop = self.text[begin..].find('\n').map_or(self.text.len(), |newline| begin + newline);
        Location {
            file: self.file.display().to_string(),
            line: self.text[..begin].matches('\n').count() + 1,
            column: self.text[start..begin].chars().count() + 1,
            width: self.text[begin..self.text.ceil_char_boundary(end).min(stop).max(begin)].chars().count().max(1),
            text: self.text[start..stop].trim_end_matches('\r').to_owned(),
        }
    }
}
