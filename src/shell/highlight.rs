//! The colours of a line while it is typed.

use std::ops::Range;

use nu_ansi_term::{Color, Style};
use reedline::{Highlighter, StyledText};

use super::editor::Glimpse;
use super::mistake;
use crate::base::environment::Rung;
use crate::base::line::{self, Token, TokenKind};
use crate::command::complete::{Kind, Live};
use crate::command::registry::{self, COMMANDS, GROUPS};

/// What a part of a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Command,
    /// No command begins so.
    Unknown,
    Option,
    Quoted,
    Operator,
    Comment,
    /// What goes to `sh`.
    Shell,
    Environment,
    /// An environment in which mistakes are dear.
    Production,
    Wrong,
    Plain,
}

/// Colours by the same lexer and table that run the line.
pub struct Colours {
    /// What is known of the session.
    pub glimpse: Glimpse,
}

impl Highlighter for Colours {
    fn highlight(&self, line: &str, cursor: usize) -> StyledText {
        let mut text = StyledText::new();
        let mut done = 0;
        for (span, part) in mistake::or(Vec::new(), || parts(line, cursor, &self.glimpse)) {
            text.push((Style::new(), line[done..span.start].to_owned()));
            text.push((style(part), line[span.clone()].to_owned()));
            done = span.end;
        }
        text.push((Style::new(), line[done..].to_owned()));
        text
    }
}

fn style(part: Part) -> Style {
    match part {
        Part::Command => Color::Green.normal(),
        Part::Unknown | Part::Wrong => Color::Red.normal(),
        Part::Option => Color::Cyan.normal(),
        Part::Quoted => Color::Yellow.normal(),
        Part::Operator => Color::Purple.bold(),
        Part::Comment => Color::DarkGray.normal(),
        Part::Shell => Style::new().italic(),
        Part::Environment => Color::Blue.normal(),
        Part::Production => Color::Red.bold(),
        Part::Plain => Style::new(),
    }
}

/// The parts of a line in order; what lies between them is blank.
fn parts(text: &str, cursor: usize, glimpse: &Glimpse) -> Vec<(Range<usize>, Part)> {
    let tokens = line::tokens(text);
    let mut parts = Vec::with_capacity(tokens.len());
    for statement in tokens.split_inclusive(|token| matches!(token.kind, TokenKind::Semicolon | TokenKind::Newline)) {
        let named = named(statement, cursor, glimpse);
        let mut place = 0;
        for token in statement {
            let part = match &token.kind {
                TokenKind::Word { text, quoted, .. } => {
                    place += 1;
                    named.get(place - 1).copied().unwrap_or_else(|| argument(text, *quoted))
                }
                TokenKind::Program => Part::Command,
                TokenKind::Semicolon | TokenKind::Newline | TokenKind::Pipe | TokenKind::Redirect => Part::Operator,
                TokenKind::Append | TokenKind::Bang => Part::Operator,
                TokenKind::Shell { .. } => Part::Shell,
                TokenKind::Comment => Part::Comment,
                TokenKind::Wrong(_) => Part::Wrong,
            };
            parts.push((token.span.clone(), part));
        }
    }
    parts
}

/// What the words are that name the command, with the global options in front of them and behind a group.
fn named(statement: &[Token], cursor: usize, glimpse: &Glimpse) -> Vec<Part> {
    let words: Vec<(&str, bool)> = statement
        .iter()
        .filter_map(|token| match &token.kind {
            TokenKind::Word { text, .. } => Some((text.as_str(), token.span.end == cursor)),
            _ => None,
        })
        .collect();
    let is_option = |(word, _): &&(&str, bool)| word.starts_with('-');
    let options = words.iter().take_while(is_option).count();
    let mut parts = vec![Part::Option; options];
    let Some(&(first, typing)) = words.get(options) else { return parts };
    let names: Vec<&str> = words[options..].iter().map(|(word, _)| *word).collect();
    match registry::resolve(&names) {
        registry::Found::Command(_, count) => parts.extend(vec![Part::Command; count]),
        registry::Found::Group(group, depth) => {
            parts.extend(vec![Part::Command; depth]);
            let rest = &words[options + depth..];
            let inner = rest.iter().take_while(is_option).count();
            parts.extend(vec![Part::Option; inner]);
            if let Some(&(verb, typing)) = rest.get(inner) {
                parts.push(verb_of(group, verb, typing));
            }
        }
        registry::Found::Nothing if first.starts_with('@') => parts.push(argument(first, false)),
        // It may be the value of an option.
        registry::Found::Nothing if options > 0 => {}
        registry::Found::Nothing => parts.push(unnamed(first, typing, glimpse)),
    }
    parts
}

/// A word behind a group.
fn verb_of(group: &str, verb: &str, typing: bool) -> Part {
    let begun = format!("{group} {verb}");
    let mut names = COMMANDS.iter().map(|entry| entry.name);
    match registry::resolve(&begun.split(' ').collect::<Vec<_>>()) {
        registry::Found::Command(..) => Part::Command,
        _ if typing && names.any(|name| name.starts_with(&begun)) => Part::Plain,
        _ => Part::Unknown,
    }
}

/// A first word that names no command: an alias, the beginning of something, or a slip.
fn unnamed(first: &str, typing: bool, glimpse: &Glimpse) -> Part {
    let aliases = glimpse.lock().names(Kind::Alias);
    let begins = |name: &str| name.starts_with(first);
    if aliases.iter().any(|alias| alias == first) {
        return Part::Command;
    }
    let mut names = COMMANDS.iter().map(|entry| entry.name).chain(GROUPS.iter().map(|(group, _)| *group));
    if typing && (names.any(begins) || aliases.iter().any(|alias| begins(alias))) { Part::Plain } else { Part::Unknown }
}

fn argument(text: &str, quoted: bool) -> Part {
    match text.strip_prefix('@') {
        _ if quoted => Part::Quoted,
        Some(env) if Rung::of(env) == Some(Rung::Prod) => Part::Production,
        Some(env) if !env.is_empty() => Part::Environment,
        _ if text.len() > 1 && text.starts_with('-') && text.parse::<f64>().is_err() => Part::Option,
        _ => Part::Plain,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seen(text: &str) -> Vec<(String, Part)> {
        let glimpse = Glimpse::default();
        glimpse.lock().aliases.push(("down".to_owned(), "exit".to_owned()));
        parts(text, text.len(), &glimpse).into_iter().map(|(span, part)| (text[span].to_owned(), part)).collect()
    }

    fn first(text: &str) -> Part {
        seen(text)[0].1
    }

    #[test]
    fn an_unknown_command_is_red_once_it_cannot_become_one() {
        assert_eq!(first("exit"), Part::Command);
        assert_eq!(first("exi"), Part::Plain);
        assert_eq!(first("exi now"), Part::Unknown);
        assert_eq!(first("nothing"), Part::Unknown);
        assert_eq!(first("down"), Part::Command);
        assert_eq!(seen("tsm nothing")[1].1, Part::Unknown);
        let parts: Vec<Part> = seen("tsm --json li").into_iter().map(|it| it.1).collect();
        assert_eq!(parts, [Part::Command, Part::Option, Part::Plain]);
        assert_eq!(seen("tsm --json list x")[2].1, Part::Command);
    }

    #[test]
    fn every_piece_has_its_meaning() {
        let parts: Vec<Part> =
            seen("exit --json 'a b' -5 @prod @dev | cat # x; && # y").into_iter().map(|it| it.1).collect();
        let wanted = [
            Part::Command,
            Part::Option,
            Part::Quoted,
            Part::Plain,
            Part::Production,
            Part::Environment,
            Part::Operator,
            Part::Shell,
        ];
        assert_eq!(parts, wanted);
        assert_eq!(seen("exit || x")[1].1, Part::Wrong);
        let parts: Vec<Part> = seen("tetra exit && tetra tsm list").into_iter().map(|it| it.1).collect();
        let (name, then) = (Part::Command, Part::Operator);
        assert_eq!(parts, [name, name, then, name, name, name]);
        assert_eq!(seen("exit # why")[1].1, Part::Comment);
    }

    proptest! {
        #[test]
        fn nothing_is_lost(text in any::<String>(), cursor in 0_usize..64) {
            let colours = Colours { glimpse: Glimpse::default() };
            prop_assert_eq!(colours.highlight(&text, cursor).raw_string(), text);
        }
    }
}
