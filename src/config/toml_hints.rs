//! TOML as people write it: their errors explained, and what TOML 1.1 allows and 1.0 does not, which other programs cannot read
//! yet.
//!
//! A text that was read as TOML is gone through once more, token by token: braces over several lines or with a comma at their
//! end, `\e` and `\x41` in texts, times without seconds.

use std::ops::Range;

use crate::base::diagnostic::{Diagnostic, SourceText};
use crate::base::sort::SortExt;

/// What only TOML 1.1 allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Toml11Feature {
    /// `{` and its `}` are not on one line.
    Lines,
    /// A comma before `}`.
    Comma,
    /// `\e` or `\xHH`.
    Escape,
    /// `07:32` for `07:32:00`.
    Time,
}

impl Toml11Feature {
    fn title(self) -> &'static str {
        match self {
            Self::Lines => "inline tables over several lines need TOML 1.1",
            Self::Comma => "a comma before `}` needs TOML 1.1",
            Self::Escape => "this escape needs TOML 1.1",
            Self::Time => "a time without seconds needs TOML 1.1",
        }
    }

    fn help(self) -> &'static str {
        match self {
            Self::Lines => "write them on one line, or as a table of its own: [table]",
            Self::Comma => "remove it",
            Self::Escape => "write \\u001b, or \\u00HH for \\xHH",
            Self::Time => "write the seconds: 07:32:00",
        }
    }
}

/// A warning for each place of a text that only TOML 1.1 allows. `shown` is the text for messages: the same without secrets.
#[must_use]
pub fn compatibility_warnings(text: &str, shown: &SourceText) -> Vec<Diagnostic> {
    let warning =
        |(novelty, span): (Toml11Feature, Range<usize>)| shown.warning(novelty.title(), span, "").help(novelty.help());
    toml_1_1_features(text).into_iter().map(warning).collect()
}

/// What a parser found wrong in a text, in order, one a line: errors that follow from another on the same line are left out. With help
/// for common errors.
#[must_use]
pub fn syntax_errors(text: &str, shown: &SourceText, mut found: Vec<(Range<usize>, String)>) -> Vec<Diagnostic> {
    found.order_by_key(|(span, _)| span.start);
    found.dedup_by_key(|(span, _)| shown.location(span).line);
    found.into_iter().map(|(span, message)| describe(text, shown, span, &message)).collect()
}

fn describe(text: &str, shown: &SourceText, span: Range<usize>, message: &str) -> Diagnostic {
    let message = message.lines().next().unwrap_or_default();
    let (what, expected) = message.split_once(", expected ").map_or((message, ""), |(what, rest)| (what, rest));
    let label = if expected.is_empty() { String::new() } else { format!("expected {expected}") };
    let nothing = text.get(span.clone()).is_none_or(|text| text.trim().is_empty());
    let found = shown.error(what, span.clone(), label);
    match what {
        "string values must be quoted" if nothing => shown.error("missing value", span, "").help("write one"),
        "string values must be quoted" => shown.error("a string must be quoted", span, "").help("write \"…\""),
        "duplicate key" => found.help("keep one of them"),
        _ => found,
    }
}

/// Everything in a text that only TOML 1.1 allows. The text must be sound.
#[must_use]
pub fn toml_1_1_features(text: &str) -> Vec<(Toml11Feature, Range<usize>)> {
    let mut scanner = HintScanner { text, at: 0, open: Vec::new(), comma: None, found: Vec::new() };
    scanner.run();
    scanner.found
}

struct HintScanner<'a> {
    text: &'a str,
    at: usize,
    /// The brackets around, each with its place, and whether it was reported already.
    open: Vec<(u8, usize, bool)>,
    /// A comma with nothing but blanks behind it so far.
    comma: Option<usize>,
    found: Vec<(Toml11Feature, Range<usize>)>,
}

impl HintScanner<'_> {
    fn run(&mut self) {
        while let Some(byte) = self.text.as_bytes().get(self.at).copied() {
            let before = self.at;
            self.at += 1;
            match byte {
                b'#' => self.at = self.text[before..].find('\n').map_or(self.text.len(), |end| before + end),
                b'"' | b'\'' => self.string(before, byte),
                b'{' | b'[' => self.open.push((byte, before, false)),
                b'}' | b']' => self.close(byte),
                b'\n' => self.line(),
                b',' => self.comma = Some(before),
                b'0'..=b'9' => self.number(before),
                _ => {}
            }
            if !matches!(byte, b',' | b' ' | b'\t' | b'\r' | b'\n' | b'#') {
                self.comma = None;
            }
        }
    }

    fn line(&mut self) {
        if let Some((b'{', begin, reported)) = self.open.last_mut()
            && !*reported
        {
            *reported = true;
            self.found.push((Toml11Feature::Lines, *begin..*begin + 1));
        }
    }

    fn close(&mut self, byte: u8) {
        self.open.pop();
        if let Some(comma) = self.comma.filter(|_| byte == b'}') {
            self.found.push((Toml11Feature::Comma, comma..comma + 1));
        }
    }

    /// From the opening quote to behind the closing one.
    fn string(&mut self, begin: usize, quote: u8) {
        let rest = &self.text[begin..];
        let long = [quote; 3];
        let close: &[u8] = if rest.as_bytes().starts_with(&long) { &long } else { &long[..1] };
        self.at = begin + close.len();
        while self.at < self.text.len() && !self.text.as_bytes()[self.at..].starts_with(close) {
            let escaped = quote == b'"' && self.text.as_bytes()[self.at] == b'\\';
            if escaped && matches!(self.text.as_bytes().get(self.at + 1), Some(b'e' | b'x')) {
                self.found.push((Toml11Feature::Escape, self.at..self.at + 2));
            }
            self.at += if escaped { 2 } else { 1 };
        }
        self.at = (self.at + close.len()).min(self.text.len());
        // A text may end with quotes of its own: `""""x"""""`.
        while close.len() == 3 && self.text.as_bytes().get(self.at) == Some(&quote) {
            self.at += 1;
        }
    }

    /// A key or a value that begins with a digit, as far as digits, signs and colons go.
    fn number(&mut self, begin: usize) {
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '-' | '+' | '.' | '_');
        let rest = &self.text[begin..];
        let word = &rest[..rest.find(|c| !is_part(c)).unwrap_or(rest.len())];
        self.at = begin + word.len();
        let Some(colon) = word.find(':') else { return };
        // Hours are before the first colon, minutes behind it; the zone may have a colon too.
        if word.as_bytes().get(colon + 3) != Some(&b':') {
            self.found.push((Toml11Feature::Time, begin + colon.saturating_sub(2)..(begin + colon + 3).min(self.at)));
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(text: &str) -> Vec<(Toml11Feature, &str)> {
        assert!(text.parse::<toml::Table>().is_ok(), "it is TOML: {text}");
        toml_1_1_features(text).into_iter().map(|(novelty, span)| (novelty, &text[span])).collect()
    }

    #[test]
    fn what_is_new_is_found_with_its_place() {
        assert_eq!(found("a = { b = 1,\n c = 2 }\n"), [(Toml11Feature::Lines, "{")]);
        assert_eq!(found("a = { b = 1, } # ,}\n"), [(Toml11Feature::Comma, ",")]);
        assert_eq!(found("a = {\n b = [1,\n2,],\n}\n"), [(Toml11Feature::Lines, "{"), (Toml11Feature::Comma, ",")]);
        assert_eq!(
            found("a = \"\\e[1m\\x41\\\\x\"\n"),
            [(Toml11Feature::Escape, "\\e"), (Toml11Feature::Escape, "\\x")]
        );
        assert_eq!(
            found("a = 07:32\nb = 1979-05-27 07:32Z\n"),
            [(Toml11Feature::Time, "07:32"), (Toml11Feature::Time, "07:32")]
        );
    }

    #[test]
    fn what_was_always_allowed_is_not_reported() {
        for text in [
            "a = { b = [1,\n 2,\n], c = \"x,}\" }\n[t] # {\nk = [\n { a = 1 },\n]\n",
            "a = '\\e \\x41'\nb = '''\n\\x\n'''\nc = \"\"\"\n{,}\n\\\\e\"\"\"\"\n",
            "a = 07:32:00\nb = 1979-05-27T07:32:00.5-07:00\nc = 1979-05-27\n07-32 = 1\nd = 0x41\n\"07:32\" = 1\n",
            "# it's { here\n[[x]]\n\"a'b\" = 1\n",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_text_breaks_it(text in "[\\[\\]{}\"'#,:0-9\\\\exé\n =]{0,60}") {
            for (_, span) in toml_1_1_features(&text) {
                prop_assert!(text.get(span).is_some());
            }
        }
    }
}
