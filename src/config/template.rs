//! The grammar of `${…}`: one pass over a text, every part with its place.
//!
//! ```text
//! text      = { literal | dollars | expansion }
//! expansion = "${" ref [ op word ] "}"
//! op        = ":-" | "-" | ":?" | "?" | ":+" | "+"
//! ref       = [ space ":" ] ( var | seg "." seg { "." seg } )
//! seg       = letters, digits and "_", or anything between double quotes
//! word      = a text with balanced braces
//! ```
//!
//! Only `${` begins an expansion: `$NAME`, `$5` and a lone `$` are themselves. Of *n* dollars before `{` half are kept; if *n*
//! is odd the last one opens an expansion.

use std::borrow::Cow;
use std::ops::Range;

/// How deep expansions may be nested.
pub const MAX_DEPTH: usize = 64;

/// The longest result, in bytes.
pub const MAX_VALUE_BYTES: usize = 1 << 20;

/// All results of a file together, in bytes.
pub const MAX_TOTAL_BYTES: usize = 16 << 20;

/// The most expansions of a file.
pub const MAX_EXPANSIONS: usize = 10_000;

/// A text, taken apart.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Template<'a> {
    /// In the order of the text.
    pub parts: Vec<TemplatePart<'a>>,
    /// Unmatched closing braces.
    pub unmatched_braces: Vec<usize>,
}

/// A piece of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TemplatePart<'a> {
    /// Itself.
    Literal(Cow<'a, str>),
    /// An expansion.
    Expansion(Expansion<'a>),
}

/// `${…}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expansion<'a> {
    /// All of it, in bytes of the text.
    pub span: Range<usize>,
    /// What it refers to.
    pub reference: Reference<'a>,
    /// What to do when that is set or not.
    pub operation: Option<(Operator, Template<'a>)>,
}

/// What an expansion refers to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reference<'a> {
    /// Where to look, if not in the usual places.
    pub namespace: Option<Namespace>,
    /// One name for a variable, several for a path into a TOML file.
    pub path: Vec<&'a str>,
}

impl Reference<'_> {
    /// As it is written, without quotes.
    #[must_use]
    pub fn name(&self) -> String {
        let path = self.path.join(".");
        self.namespace.map_or_else(|| path.clone(), |space| format!("{}:{path}", space.word()))
    }
}

/// A place to look that is named before a colon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Namespace {
    /// The environment of this program.
    Env,
    /// What the operator wrote for local, before any promotion.
    Local,
    /// The secrets of the environment.
    Secret,
    /// The table `[infrastructure]`.
    Infra,
    /// The table `[hosts]`.
    Host,
}

impl Namespace {
    /// Every one.
    pub const ALL: [Self; 5] = [Self::Env, Self::Local, Self::Secret, Self::Infra, Self::Host];

    /// The word before the colon.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Env => "env",
            Self::Local => "local",
            Self::Secret => "secret",
            Self::Infra => "infra",
            Self::Host => "host",
        }
    }
}

/// An operator between a name and a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Operator {
    /// Its meaning.
    pub kind: OperatorKind,
    /// With a colon: empty counts as unset.
    pub empty_is_unset: bool,
}

/// The meaning of an operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OperatorKind {
    /// `-`: the word, if unset.
    Default,
    /// `?`: a failure with the word as its message, if unset.
    Require,
    /// `+`: the word, if set.
    Alternative,
}

/// What is wrong with a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TemplateErrorKind {
    /// `${` without its `}`.
    Unterminated,
    /// `${}`.
    EmptyName,
    /// A name that is none.
    InvalidName,
    /// Something other than an operator or `}` behind the name.
    InvalidOperator,
    /// More than [`MAX_DEPTH`] expansions in each other.
    TooDeep,
}

/// A flaw and where it is, in bytes of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateError {
    /// What.
    pub kind: TemplateErrorKind,
    /// Where.
    pub span: Range<usize>,
}

/// Takes a text apart.
///
/// # Errors
///
/// The first flaw. Words that will not be used are read as carefully as the others.
pub fn parse(text: &str) -> Result<Template<'_>, TemplateError> {
    let mut scanner = TemplateScanner { text, at: 0 };
    scanner.template(0)
}

/// Writes a text so that resolving it gives the text back.
#[must_use]
pub fn encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut dollars = 0;
    for c in text.chars() {
        if c == '{' {
            out.extend(std::iter::repeat_n('$', dollars));
        }
        dollars = if c == '$' { dollars + 1 } else { 0 };
        out.push(c);
    }
    out
}

struct TemplateScanner<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> TemplateScanner<'a> {
    /// The whole text at depth 0; deeper, a word up to the brace that ends it, which is not consumed.
    fn template(&mut self, depth: usize) -> Result<Template<'a>, TemplateError> {
        let mut template = Template::default();
        let mut literal = self.at;
        let mut open = 0_usize;
        while let Some(byte) = self.peek() {
            match byte {
                b'$' => {
                    let dollars = self.text[self.at..].bytes().take_while(|byte| *byte == b'$').count();
                    let (begin, brace) = (self.at, self.at + dollars);
                    self.at = brace;
                    if self.peek() != Some(b'{') {
                        continue;
                    }
                    template.push(&self.text[literal..begin + dollars / 2]);
                    literal = brace;
                    if dollars % 2 == 1 {
                        self.at = brace - 1;
                        template.parts.push(TemplatePart::Expansion(self.expansion(depth + 1)?));
                        literal = self.at;
                    }
                }
                b'{' => {
                    open += 1;
                    self.at += 1;
                }
                b'}' if open > 0 => {
                    open -= 1;
                    self.at += 1;
                }
                b'}' if depth > 0 => break,
                b'}' => {
                    template.unmatched_braces.push(self.at);
                    self.at += 1;
                }
                _ => self.at += 1,
            }
        }
        template.push(&self.text[literal..self.at]);
        Ok(template)
    }

    fn expansion(&mut self, depth: usize) -> Result<Expansion<'a>, TemplateError> {
        let begin = self.at;
        let opening = begin..begin + 2;
        if depth > MAX_DEPTH {
            return Err(TemplateError { kind: TemplateErrorKind::TooDeep, span: opening });
        }
        self.at += 2;
        let reference = self.reference(&opening)?;
        let operation = match self.peek() {
            None => return Err(TemplateError { kind: TemplateErrorKind::Unterminated, span: opening }),
            Some(b'}') => None,
            Some(_) => {
                let operator = self.operator(begin)?;
                Some((operator, self.template(depth)?))
            }
        };
        if self.peek() != Some(b'}') {
            return Err(TemplateError { kind: TemplateErrorKind::Unterminated, span: opening });
        }
        self.at += 1;
        Ok(Expansion { span: begin..self.at, reference, operation })
    }

    fn reference(&mut self, opening: &Range<usize>) -> Result<Reference<'a>, TemplateError> {
        let mut begin = self.at;
        let first = self.segment(opening)?;
        let space = Namespace::ALL.into_iter().find(|space| space.word() == first);
        let colon =
            self.peek() == Some(b':') && !matches!(self.text.as_bytes().get(self.at + 1), Some(b'-' | b'?' | b'+'));
        let (space, first) = match space.filter(|_| colon) {
            Some(space) => {
                self.at += 1;
                begin = self.at;
                (Some(space), self.segment(opening)?)
            }
            None => (None, first),
        };
        let mut path = vec![first];
        while self.peek() == Some(b'.') {
            self.at += 1;
            path.push(self.segment(opening)?);
        }
        if path.len() == 1 && !is_variable_name(first) {
            return Err(TemplateError { kind: TemplateErrorKind::InvalidName, span: begin..self.at });
        }
        Ok(Reference { namespace: space, path })
    }

    /// A name, or a text in double quotes.
    fn segment(&mut self, opening: &Range<usize>) -> Result<&'a str, TemplateError> {
        let rest = &self.text[self.at..];
        if let Some(quoted) = rest.strip_prefix('"') {
            let Some(end) = quoted.find('"') else {
                return Err(TemplateError { kind: TemplateErrorKind::Unterminated, span: opening.clone() });
            };
            self.at += end + 2;
            return Ok(&quoted[..end]);
        }
        let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len());
        let next = rest[end..].chars().next();
        self.at += end;
        match next {
            None if end == 0 => Err(TemplateError { kind: TemplateErrorKind::Unterminated, span: opening.clone() }),
            Some(c) if c.is_whitespace() => {
                Err(TemplateError { kind: TemplateErrorKind::InvalidName, span: self.at - end..self.at + c.len_utf8() })
            }
            Some('}' | ':') if end == 0 && self.at == opening.end => {
                Err(TemplateError { kind: TemplateErrorKind::EmptyName, span: opening.start..self.at + 1 })
            }
            Some(c) if end == 0 => {
                Err(TemplateError { kind: TemplateErrorKind::InvalidName, span: self.at..self.at + c.len_utf8() })
            }
            _ => Ok(&rest[..end]),
        }
    }

    fn operator(&mut self, begin: usize) -> Result<Operator, TemplateError> {
        let rest = &self.text.as_bytes()[self.at..];
        let empty_is_unset = rest.first() == Some(&b':');
        let action = match rest.get(usize::from(empty_is_unset)) {
            Some(b'-') => OperatorKind::Default,
            Some(b'?') => OperatorKind::Require,
            Some(b'+') => OperatorKind::Alternative,
            _ => {
                let width = self.text[self.at..].chars().next().map_or(0, char::len_utf8);
                let span = if width == 0 { begin..begin + 2 } else { self.at..self.at + width };
                return Err(TemplateError { kind: TemplateErrorKind::InvalidOperator, span });
            }
        };
        self.at += 1 + usize::from(empty_is_unset);
        Ok(Operator { kind: action, empty_is_unset })
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }
}

impl<'a> Template<'a> {
    fn push(&mut self, text: &'a str) {
        if text.is_empty() {
            return;
        }
        match self.parts.last_mut() {
            Some(TemplatePart::Literal(literal)) => literal.to_mut().push_str(text),
            _ => self.parts.push(TemplatePart::Literal(Cow::Borrowed(text))),
        }
    }

    /// The only part, if it is an expansion.
    #[must_use]
    pub fn as_single_expansion(&self) -> Option<&Expansion<'a>> {
        match &self.parts[..] {
            [TemplatePart::Expansion(expansion)] => Some(expansion),
            _ => None,
        }
    }
}

/// True for `[A-Za-z_][A-Za-z0-9_]*`.
#[must_use]
pub fn is_variable_name(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && name.bytes().next().is_some_and(|byte| !byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn flaw(text: &str) -> (TemplateErrorKind, Range<usize>) {
        let flawed = parse(text).expect_err(text);
        (flawed.kind, flawed.span)
    }

    #[test]
    fn says_what_is_wrong_and_where() {
        assert_eq!(flaw("a ${"), (TemplateErrorKind::Unterminated, 2..4));
        assert_eq!(flaw("${a:-${b}"), (TemplateErrorKind::Unterminated, 0..2));
        assert_eq!(flaw("${a:-{x}"), (TemplateErrorKind::Unterminated, 0..2));
        assert_eq!(flaw("${}"), (TemplateErrorKind::EmptyName, 0..3));
        assert_eq!(flaw("${:-x}"), (TemplateErrorKind::EmptyName, 0..3));
        assert_eq!(flaw("${ a}"), (TemplateErrorKind::InvalidName, 2..3));
        assert_eq!(flaw("${a }"), (TemplateErrorKind::InvalidName, 2..4));
        assert_eq!(flaw("${1a}"), (TemplateErrorKind::InvalidName, 2..4));
        assert_eq!(flaw("${\"é\"\""), (TemplateErrorKind::InvalidName, 2..6));
        assert_eq!(flaw("${a..b}"), (TemplateErrorKind::InvalidName, 4..5));
        assert_eq!(flaw("${connectors.@dev}"), (TemplateErrorKind::InvalidName, 13..14));
        assert_eq!(flaw("${a!}"), (TemplateErrorKind::InvalidOperator, 3..4));
        assert_eq!(flaw("${a:b}"), (TemplateErrorKind::InvalidOperator, 3..4));
    }

    #[test]
    fn a_space_is_named_before_a_colon_and_a_colon_may_also_be_an_operator() {
        let reference = |text| match &parse(text).expect(text).parts[..] {
            [TemplatePart::Expansion(expansion)] => (expansion.reference.namespace, expansion.reference.path.join("/")),
            other => panic!("{other:?}"),
        };
        assert_eq!(reference("${secret:KEY}"), (Some(Namespace::Secret), "KEY".to_owned()));
        assert_eq!(reference("${secret:-x}"), (None, "secret".to_owned()));
        assert_eq!(reference("${local:ports.web:-1}"), (Some(Namespace::Local), "ports/web".to_owned()));
        assert_eq!(reference("${services.\"web-api\".port}"), (None, "services/web-api/port".to_owned()));
    }

    #[test]
    fn closing_braces_that_close_nothing_are_reported() {
        assert_eq!(parse("${a:-x}} {b} }").expect("sound").unmatched_braces, [7, 13]);
        assert_eq!(parse("{\"a\":{}} $${x}").expect("sound").unmatched_braces, [0_usize; 0]);
    }

    #[test]
    fn a_long_text_takes_time_in_proportion() {
        let begun = std::time::Instant::now();
        for text in ["${U:-".repeat(20_000), "${U:-a}".repeat(20_000), "$".repeat(100_000), "{".repeat(100_000)] {
            let _ = parse(&text);
        }
        assert!(begun.elapsed() < std::time::Duration::from_secs(5), "{:?}", begun.elapsed());
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text in any::<String>()) {
            let _ = parse(&text);
        }

        #[test]
        fn no_near_miss_breaks_it(text in "[${}:a.\\-?+\"é \\\\]{0,40}") {
            if let Err(flawed) = parse(&text) {
                prop_assert!(text.get(flawed.span.clone()).is_some(), "{:?} in {:?}", flawed, text);
            }
        }

        #[test]
        fn what_was_encoded_is_literal(text in "[${}a-z\\\\\"]{0,40}|\\PC{0,40}") {
            let encoded = encode(&text);
            let template = parse(&encoded).expect("there is no expansion");
            let literal: String = template.parts.iter().map(|part| match part {
                TemplatePart::Literal(text) => text.as_ref(),
                TemplatePart::Expansion(_) => "?",
            }).collect();
            prop_assert_eq!(literal, text);
        }
    }
}
