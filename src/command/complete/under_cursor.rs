//! What the cursor is on: a command, an option, a value.

use std::any::TypeId;

use clap::Arg;

use super::engine::{self, AfterGlobals};
use super::options::{self, Expected};
use super::{CompletionContext, CursorContext, CursorKind, complete, engine::built};
use crate::base::line::{self, TokenKind};
use crate::command::CommandSpec;
use crate::command::argument::{CommandWord, HelpWord};
use crate::command::registry::{self, CommandMatch};

/// What is at the cursor of a line.
pub enum UnderCursor {
    /// No word yet.
    Nothing,
    /// A command, or a blank after one.
    Command(&'static CommandSpec),
    /// A group of commands.
    Group(String),
    /// An option, or a value.
    Argument {
        /// The command that takes it.
        entry: &'static CommandSpec,
        /// The argument.
        arg: Box<Arg>,
        /// What is known about this very value.
        value: Option<(String, String)>,
    },
    /// A word that no command knows.
    Unknown(String),
}

/// Looks at `cursor` (in bytes) of `text`.
#[must_use]
pub fn under_cursor(text: &str, cursor: usize, known: &CompletionContext<'_>) -> UnderCursor {
    let cursor = text.floor_char_boundary(cursor);
    // The first letter of a word is under a cursor that is before it.
    let ahead =
        text[cursor..].chars().next().filter(|next| !next.is_whitespace() && *next != ';').map_or(0, char::len_utf8);
    let place = CursorContext::find(text, cursor + ahead);
    let word = line::tokens(&text[..place.span.end]).into_iter().find_map(|token| match token.kind {
        TokenKind::Word { text, .. } if token.span.start == place.span.start => Some(text),
        _ => None,
    });
    let word = word.unwrap_or_default();
    let CursorKind::Command(before) = &place.kind else { return UnderCursor::Unknown(place.typed) };
    let globals = built((known.augment)(clap::Command::new("tetra").disable_help_flag(true)));
    let before = match engine::skip_globals(&globals, before) {
        AfterGlobals::Words(words) => words.to_vec(),
        AfterGlobals::Value(_) => return UnderCursor::Nothing,
    };
    let before = engine::expand(known, &before).unwrap_or(before);
    let before = engine::lengthen(known, &before).unwrap_or(before);
    match locate(known, engine::strip_tsm(known, &before), &word) {
        UnderCursor::Argument { entry, arg, .. } => {
            let about = complete(text, place.span.end, known)
                .into_iter()
                .find(|candidate| candidate.display == word && !candidate.is_placeholder)
                .and_then(|candidate| candidate.description.filter(|about| !about.is_empty()));
            UnderCursor::Argument { entry, arg, value: about.map(|about| (word, about)) }
        }
        other => other,
    }
}

fn locate(known: &CompletionContext<'_>, before: &[String], word: &str) -> UnderCursor {
    let named = |words: &[String]| {
        let texts: Vec<&str> = words.iter().map(String::as_str).collect();
        match registry::resolve(&texts) {
            CommandMatch::Command(entry, count) if count == texts.len() => Some(UnderCursor::Command(entry)),
            CommandMatch::Group(group, count) if count == texts.len() => Some(UnderCursor::Group(group.to_owned())),
            _ => None,
        }
    };
    let mut words = before.to_vec();
    if !word.is_empty() {
        words.push(word.to_owned());
    }
    if words.is_empty() {
        return UnderCursor::Nothing;
    }
    let words = engine::lengthen(known, &words).unwrap_or(words);
    if let Some(found) = named(&words) {
        return found;
    }
    match engine::command(known, before) {
        Some((entry, count)) => argument(known, entry, &before[count..], word),
        None => UnderCursor::Unknown(words.join(" ")),
    }
}

/// The argument of `entry` that `word` is, after these words.
fn argument(known: &CompletionContext<'_>, entry: &'static CommandSpec, words: &[String], word: &str) -> UnderCursor {
    let parser = built((known.augment)((entry.parser)()));
    let reading = options::parse_args(&parser, words);
    let found = match reading.expected {
        Expected::Value(arg) => Some(arg),
        _ if word.is_empty() => None,
        Expected::Options | Expected::Positional(_) if word.starts_with('-') => options::named(&parser, word),
        Expected::Options => None,
        Expected::Positional(arg) | Expected::OnlyPositional(arg) => {
            let of = arg.get_value_parser().type_id();
            let takes_command = [TypeId::of::<CommandWord>(), TypeId::of::<HelpWord>()].iter().any(|it| of == *it);
            match takes_command.then(|| locate(known, &reading.earlier, word)) {
                Some(UnderCursor::Unknown(_) | UnderCursor::Nothing) | None => Some(arg),
                Some(found) => return found,
            }
        }
    };
    match found {
        Some(arg) => UnderCursor::Argument { entry, arg: Box::new(arg.clone()), value: None },
        None => UnderCursor::Command(entry),
    }
}
