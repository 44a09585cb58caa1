//! Syntax highlighting of the line while it is typed.

use std::ops::Range;

use crossterm::terminal;
use nu_ansi_term::Style;
use reedline::{AbbrExpandContext, Highlighter, StyledText};

use super::caret::Caret;
use super::notices::Notices;
use super::prompt::ContextPrompt;
use super::short_form;
use super::snapshot::SharedSnapshot;
use super::visible_part::{MORE, ScreenSize, VisiblePart, visible_part};
use super::{abbreviations, paint, panics};
use crate::base::environment::Tier;
use crate::base::line::{self, Token, TokenKind};
use crate::command::CommandSpec;
use crate::command::complete::{ArgumentClass, CandidateSource, NameKind, judge};
use crate::command::registry::{self, COMMANDS, GROUPS};
use crate::report::Tone;
use crate::report::theme::{Role, Theme};

/// The class of a part of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TokenClass {
    Command,
    /// Not the beginning of any command.
    Unknown,
    Option,
    /// The name of something that exists, or one of several values.
    Name,
    Quoted,
    Operator,
    Comment,
    /// Text for `sh`.
    Shell,
    Environment,
    /// A production environment.
    Production,
    /// An option or a value that is not taken.
    Invalid,
    Plain,
}

/// Highlights with the lexer and the command table that run the line.
pub struct CommandHighlighter {
    /// The snapshot of the session.
    pub snapshot: SharedSnapshot,
    /// Gets to know what is beside the cursor.
    pub caret: Caret,
    /// Are shown above the line when they can be.
    pub notices: Notices,
}

impl Highlighter for CommandHighlighter {
    fn highlight(&self, line: &str, cursor: usize) -> StyledText {
        let prompt = self.snapshot.lock().prompt.as_ref().map_or(0, ContextPrompt::width);
        self.caret.paint(line, cursor, prompt);
        panics::catch_or((), || self.notices.paint(line, cursor, &self.snapshot));
        let mut text = StyledText::new();
        let mut done = 0;
        let theme = self.snapshot.lock().theme;
        for (span, part) in panics::catch_or(Vec::new(), || classify(line, cursor, &self.snapshot)) {
            text.push((Style::new(), line[done..span.start].to_owned()));
            text.push((style(theme, part), line[span.clone()].to_owned()));
            done = span.end;
        }
        text.push((Style::new(), line[done..].to_owned()));
        match self.visible_part(line, cursor, prompt) {
            Some(part) => cut(text, part, style(theme, TokenClass::Comment)),
            None => text,
        }
    }

    /// The editor forgets none of its abbreviations, so those of this moment are asked.
    fn should_expand_abbr(&self, line: &str, cursor: usize, _: AbbrExpandContext) -> bool {
        let word = line[cursor..].split(char::is_whitespace).next().unwrap_or_default();
        let is_known = self.snapshot.lock().abbreviations.iter().any(|(name, _)| name == word);
        is_known && panics::catch_or(false, || abbreviations::is_expanded_at(line, cursor))
    }
}

impl CommandHighlighter {
    fn visible_part(&self, line: &str, cursor: usize, prompt: usize) -> Option<VisiblePart> {
        let (columns, rows) = terminal::size().ok()?;
        let (columns, rows) = (usize::from(columns), usize::from(rows));
        let menu_rows = if self.snapshot.lock().open_menus > 0 { rows / 2 + 1 } else { 0 };
        panics::catch_or(None, || visible_part(line, cursor, prompt, ScreenSize { columns, rows, menu_rows }))
    }
}

/// A text up to the end of a part of it.
fn cut(text: StyledText, part: VisiblePart, mark: Style) -> StyledText {
    let mut left = part.end;
    let mut visible = StyledText::new();
    for (style, piece) in text.buffer {
        let end = left.min(piece.len());
        left -= end;
        visible.push((style, piece[..end].to_owned()));
    }
    if part.has_room {
        visible.push((mark, MORE.to_owned()));
    }
    visible
}

fn style(theme: Theme, part: TokenClass) -> Style {
    let role = match part {
        TokenClass::Command => Role::Command,
        TokenClass::Unknown | TokenClass::Invalid => Role::Invalid,
        TokenClass::Option => Role::Option,
        TokenClass::Name | TokenClass::Environment => Role::Name,
        TokenClass::Quoted => Role::Quoted,
        TokenClass::Operator => Role::Operator,
        TokenClass::Comment => Role::Hint,
        TokenClass::Shell => Role::Shell,
        TokenClass::Production => Role::ProductionWord,
        TokenClass::Plain => Role::Output(Tone::Plain),
    };
    paint::style(theme, role)
}

/// The parts of a line in order; the gaps are blanks.
fn classify(text: &str, cursor: usize, glimpse: &SharedSnapshot) -> Vec<(Range<usize>, TokenClass)> {
    let tokens = line::tokens(text);
    let mut parts = Vec::with_capacity(tokens.len());
    for statement in tokens.split_inclusive(|token| matches!(token.kind, TokenKind::Semicolon | TokenKind::Newline)) {
        let named = classify_names(statement, cursor, glimpse);
        let mut place = 0;
        for token in statement {
            let part = match &token.kind {
                TokenKind::Word { text, quoted, .. } => {
                    place += 1;
                    let judged = named.get(place - 1).copied().unwrap_or_else(|| classify_argument(text));
                    if *quoted && judged == TokenClass::Plain { TokenClass::Quoted } else { judged }
                }
                TokenKind::Program => TokenClass::Command,
                TokenKind::Semicolon | TokenKind::Newline | TokenKind::Pipe | TokenKind::Redirect => {
                    TokenClass::Operator
                }
                TokenKind::Append | TokenKind::Bang => TokenClass::Operator,
                TokenKind::Shell { .. } => TokenClass::Shell,
                TokenKind::Comment => TokenClass::Comment,
                TokenKind::Invalid(_) => TokenClass::Invalid,
            };
            parts.push((token.span.clone(), part));
        }
    }
    parts
}

/// A word where the name of a command is expected.
struct NameWord<'a> {
    text: &'a str,
    /// The cursor is at its end.
    is_being_typed: bool,
}

/// The classes of the words that name the command, with the global options before them and after a group.
fn classify_names(statement: &[Token], cursor: usize, glimpse: &SharedSnapshot) -> Vec<TokenClass> {
    let words: Vec<NameWord> = statement
        .iter()
        .filter_map(|token| match &token.kind {
            TokenKind::Word { text, .. } => Some(NameWord { text, is_being_typed: token.span.end == cursor }),
            _ => None,
        })
        .collect();
    let is_option = |word: &&NameWord| word.text.starts_with('-');
    let options = words.iter().take_while(is_option).count();
    let mut parts = vec![TokenClass::Option; options];
    let Some(first) = words.get(options) else { return parts };
    let names: Vec<&str> = words[options..].iter().map(|word| word.text).collect();
    match registry::resolve(&names) {
        registry::CommandMatch::Command(entry, count) => {
            parts.extend(vec![TokenClass::Command; count]);
            parts.extend(classify_arguments(entry, &words[options + count..], glimpse));
        }
        registry::CommandMatch::Group(group, depth) => {
            parts.extend(vec![TokenClass::Command; depth]);
            let rest = &words[options + depth..];
            let inner = rest.iter().take_while(is_option).count();
            parts.extend(vec![TokenClass::Option; inner]);
            if let Some(verb) = rest.get(inner) {
                parts.push(classify_verb(group, verb));
            }
        }
        // `@dev` alone is `use @dev`.
        registry::CommandMatch::Nothing if first.text.starts_with('@') => match registry::resolve(&["use"]) {
            registry::CommandMatch::Command(entry, _) => {
                parts.extend(classify_arguments(entry, &words[options..], glimpse));
            }
            _ => parts.push(classify_argument(first.text)),
        },
        registry::CommandMatch::Nothing if short_form::is_short(&names) => {
            let long = [&[short_form::GROUP], &names[..]].concat();
            if let registry::CommandMatch::Command(entry, count) = registry::resolve(&long) {
                parts.extend(vec![TokenClass::Command; count - 1]);
                parts.extend(classify_arguments(entry, &words[options + count - 1..], glimpse));
            } else {
                parts.push(TokenClass::Command);
            }
        }
        // It may be the value of an option.
        registry::CommandMatch::Nothing if options > 0 => {}
        registry::CommandMatch::Nothing => parts.push(classify_unknown(first, glimpse)),
    }
    parts
}

/// The words after a command, as its parser takes them.
fn classify_arguments(entry: &CommandSpec, words: &[NameWord], glimpse: &SharedSnapshot) -> Vec<TokenClass> {
    let texts: Vec<String> = words.iter().map(|word| word.text.to_owned()).collect();
    let typing = words.iter().position(|word| word.is_being_typed);
    let is_name = |kind, name: &str, fit| glimpse.lock().is_name(kind, name, fit);
    let classes = judge(entry, &texts, typing, &is_name);
    let class = |(class, word): (ArgumentClass, &NameWord)| match class {
        ArgumentClass::Option => TokenClass::Option,
        ArgumentClass::Invalid => TokenClass::Invalid,
        ArgumentClass::Known => TokenClass::Name,
        ArgumentClass::Environment => TokenClass::Environment,
        ArgumentClass::Production => TokenClass::Production,
        // An option that is not finished, and `@prod`.
        ArgumentClass::Other => match classify_argument(word.text) {
            TokenClass::Option => TokenClass::Plain,
            other => other,
        },
    };
    classes.into_iter().zip(words).map(class).collect()
}

/// The word after a group.
fn classify_verb(group: &str, verb: &NameWord) -> TokenClass {
    let begun = format!("{group} {}", verb.text);
    let mut names = COMMANDS.iter().map(|entry| entry.name);
    match registry::resolve(&begun.split(' ').collect::<Vec<_>>()) {
        registry::CommandMatch::Command(..) => TokenClass::Command,
        _ if verb.is_being_typed && names.any(|name| name.starts_with(&begun)) => TokenClass::Plain,
        _ => TokenClass::Unknown,
    }
}

/// A first word that is not a command: an alias, the beginning of a name, or unknown.
fn classify_unknown(first: &NameWord, glimpse: &SharedSnapshot) -> TokenClass {
    let aliases = glimpse.lock().names(NameKind::Alias);
    let begins = |name: &str| name.starts_with(first.text);
    if aliases.iter().any(|alias| alias == first.text) {
        return TokenClass::Command;
    }
    let mut names = COMMANDS.iter().map(|entry| entry.name).chain(GROUPS.iter().map(|(group, _)| *group));
    if first.is_being_typed && (names.any(begins) || aliases.iter().any(|alias| begins(alias))) {
        TokenClass::Plain
    } else {
        TokenClass::Unknown
    }
}

fn classify_argument(text: &str) -> TokenClass {
    match text.strip_prefix('@') {
        Some(env) if Tier::of(env) == Some(Tier::Prod) => TokenClass::Production,
        Some(env) if !env.is_empty() => TokenClass::Environment,
        _ if text.len() > 1 && text.starts_with('-') && text.parse::<f64>().is_err() => TokenClass::Option,
        _ => TokenClass::Plain,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seen(text: &str) -> Vec<(String, TokenClass)> {
        let glimpse = SharedSnapshot::default();
        glimpse.lock().aliases.push(("down".to_owned(), "exit".to_owned()));
        classify(text, text.len(), &glimpse).into_iter().map(|(span, part)| (text[span].to_owned(), part)).collect()
    }

    fn first(text: &str) -> TokenClass {
        seen(text)[0].1
    }

    #[test]
    fn an_unknown_command_is_red_once_it_cannot_become_one() {
        assert_eq!(first("exit"), TokenClass::Command);
        assert_eq!(first("exi"), TokenClass::Plain);
        assert_eq!(first("exi now"), TokenClass::Unknown);
        assert_eq!(first("nothing"), TokenClass::Unknown);
        assert_eq!(first("down"), TokenClass::Command);
        assert_eq!(seen("tsm nothing")[1].1, TokenClass::Unknown);
        let parts: Vec<TokenClass> = seen("tsm --json li").into_iter().map(|it| it.1).collect();
        assert_eq!(parts, [TokenClass::Command, TokenClass::Option, TokenClass::Plain]);
        assert_eq!(seen("tsm --json list x")[2].1, TokenClass::Command);
    }

    #[test]
    fn every_piece_has_its_meaning() {
        let parts: Vec<TokenClass> =
            seen("version --json 'a b' -5 @prod @dev | cat # x; && # y").into_iter().map(|it| it.1).collect();
        let wanted = [
            TokenClass::Command,
            TokenClass::Option,
            TokenClass::Quoted,
            TokenClass::Plain,
            TokenClass::Production,
            TokenClass::Environment,
            TokenClass::Operator,
            TokenClass::Shell,
        ];
        assert_eq!(parts, wanted);
        assert_eq!(first("@dev"), TokenClass::Environment);
        assert_eq!(first("@prod"), TokenClass::Production);
        assert_eq!(first("@pr"), TokenClass::Environment, "it may become one");
        assert_eq!(first("@bad"), TokenClass::Invalid);
        assert_eq!(seen("logs -n x")[2].1, TokenClass::Invalid);
        assert_eq!(seen("exit || x")[1].1, TokenClass::Invalid);
        let parts: Vec<TokenClass> = seen("tetra exit && tetra tsm list").into_iter().map(|it| it.1).collect();
        let (name, then) = (TokenClass::Command, TokenClass::Operator);
        assert_eq!(parts, [name, name, then, name, name, name]);
        assert_eq!(seen("exit # why")[1].1, TokenClass::Comment);
    }

    proptest! {
        #[test]
        fn nothing_is_lost(text in any::<String>(), cursor in 0_usize..64) {
            let colours = CommandHighlighter { snapshot: SharedSnapshot::default(), caret: Caret::default(), notices: Notices::default() };
            prop_assert_eq!(colours.highlight(&text, cursor).raw_string(), text);
        }
    }
}
