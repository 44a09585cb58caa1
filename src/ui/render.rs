//! Blocks as text.

use std::borrow::Cow;

use super::style::Styler;
use super::table::{self, RenderOptions};
use super::text;
use super::{diagnostic, sanitize, wrap};
use crate::base::columns;
use crate::report::{Block, Field, Fields, Message, Row, Tone, Visibility};

/// Rendered text with its line ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chunk {
    /// Standard output; the output of programs is passed on byte for byte.
    Output(Vec<u8>),
    /// Standard error.
    Stderr(String),
}

/// Renders a block; none for row streams.
///
/// Without a terminal a [`Block::Text`] or a [`Block::Prose`] is passed on byte for byte.
#[must_use]
pub fn block(block: &Block, options: &RenderOptions, target: OutputTarget) -> Option<Chunk> {
    Some(match block {
        Block::Table(it) if it.rows.is_empty() => {
            Chunk::Stderr(it.empty_text.as_ref().map(|it| line(it)).unwrap_or_default())
        }
        Block::Table(it) if target == OutputTarget::Program => Chunk::Output(table::tab_separated(it, options).into()),
        Block::Table(it) => Chunk::Output(table::render(it, options).into()),
        Block::Fields(it) => Chunk::Output(fields(it, options).into()),
        Block::Message(it) => Chunk::Output(sentence(it, options, target).into()),
        Block::Text(it) | Block::TextWithData { text: it, .. } => {
            Chunk::Output(sanitized_text(it, options.styler, target).into())
        }
        Block::Prose(it) => {
            Chunk::Output(sanitized_text(&wrapped(&it.0, options, target), options.styler, target).into())
        }
        Block::Rows(it) => Chunk::Output(it.iter().flat_map(|it| row(&**it, options.styler, target)).collect()),
        Block::Findings(it) => Chunk::Output(diagnostic::render(it, options.width, options.styler).into()),
        Block::Note(it) => Chunk::Stderr(line(it)),
        Block::RowStream(_) => return None,
    })
}

/// The destination of text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputTarget {
    /// A terminal, for which control characters are escaped.
    Terminal,
    /// A file or pipe.
    NotTerminal,
    /// A program that reads tables: cells are separated by tabs.
    Program,
}

/// A line of a program: escaped, with its colors, on a terminal; byte for byte elsewhere. An empty line is a line.
#[must_use]
pub fn row(row: &dyn Row, styler: Styler, target: OutputTarget) -> Vec<u8> {
    let raw = if target == OutputTarget::Terminal { None } else { row.raw() };
    let mut line = match raw {
        Some(raw) => styler.tone_bytes(row.tone(), &raw),
        None => styler.tone(row.tone(), &sanitize::colored(&row.text(), styler)).into_bytes(),
    };
    line.push(b'\n');
    line
}

/// A note with its line end.
#[must_use]
pub fn line(text: &str) -> String {
    with_newline(sanitize::lines(text).into_owned())
}

fn sentence(sentence: &Message, options: &RenderOptions, target: OutputTarget) -> String {
    let text = if sentence.is_wrapped { wrapped(&sentence.text, options, target) } else { (&*sentence.text).into() };
    with_newline(options.styler.tone(sentence.tone, &sanitize::lines(text.trim_end_matches('\n'))))
}

/// The text in lines as wide as the terminal, if it is for one.
fn wrapped<'a>(text: &'a str, options: &RenderOptions, target: OutputTarget) -> Cow<'a, str> {
    let width = options.width.filter(|_| target == OutputTarget::Terminal);
    width.map_or(Cow::Borrowed(text), |width| wrap::wrap(text, width).into())
}

fn sanitized_text(text: &str, styler: Styler, target: OutputTarget) -> String {
    match target {
        OutputTarget::Terminal => with_newline(sanitize::colored(text, styler)),
        OutputTarget::NotTerminal | OutputTarget::Program => with_newline(text.to_owned()),
    }
}

fn with_newline(mut text: String) -> String {
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

fn fields(fields: &Fields, options: &RenderOptions) -> String {
    let shown = || fields.fields.iter().filter(|field| is_visible(field.visibility, options));
    let widest = shown().map(|field| columns::width(&field.title)).max().unwrap_or(0);
    let mut out = String::new();
    let indent = match &fields.title {
        Some(title) => {
            out.push_str(&with_newline(options.styler.heading(&sanitize::one_line(title))));
            "  "
        }
        None => "",
    };
    for Field { title, cell, .. } in shown() {
        let blank = " ".repeat(widest - columns::width(title) + 2);
        let value = options.styler.tone(cell.tone, &text::cell(cell, &options.zone));
        out.push_str(&format!("{indent}{}{blank}{value}\n", options.styler.tone(Tone::Dim, title)));
    }
    out
}

/// Columns with [`Visibility::IfWide`] are left out on a narrower terminal.
const MIN_WIDE_COLUMNS: usize = 100;

fn is_visible(visibility: Visibility, options: &RenderOptions) -> bool {
    match visibility {
        Visibility::Always | Visibility::Wrapped | Visibility::TextOnly => true,
        Visibility::IfWide => options.width.is_none_or(|width| width >= MIN_WIDE_COLUMNS),
        Visibility::Never => false,
    }
}

#[cfg(test)]
mod tests {
    use crate::report::theme::Theme;
    use jiff::tz::TimeZone;

    use super::*;
    use crate::report::{Cell, Prose, Table};

    fn frame() -> RenderOptions {
        RenderOptions { width: Some(80), styler: Styler::Plain, zone: TimeZone::UTC }
    }

    fn shown(it: impl Into<Block>) -> Option<Chunk> {
        block(&it.into(), &frame(), OutputTarget::Terminal)
    }

    #[test]
    fn fields_stand_in_two_columns_under_their_heading() {
        let given = Fields::titled("api").with("pid", 12_i64).with("log_file", "/a").json_only("secret", 1_i64);
        assert_eq!(shown(given), Some(Chunk::Output("api\n  pid       12\n  log file  /a\n".into())));
    }

    #[test]
    fn an_empty_table_is_talk_not_data() {
        assert_eq!(
            shown(Table::new(&[("id", "ID")]).when_empty("nothing runs")),
            Some(Chunk::Stderr("nothing runs\n".into()))
        );
        assert_eq!(shown(Table::new(&[("id", "ID")])), Some(Chunk::Stderr(String::new())));
    }

    #[test]
    fn messages_are_escaped() {
        let said = Message::new("`a\u{1b}]0;x\u{7}` is up\nand well").with("name", Cell::from("a"));
        assert_eq!(shown(said), Some(Chunk::Output("`a\\u{1b}]0;x\\u{7}` is up\nand well\n".into())));
    }

    #[test]
    fn a_text_goes_elsewhere_byte_for_byte() {
        let text = Block::Text("\u{1b}[31mred\u{1b}[0m\u{1b}[2J\n".into());
        let piece = |target| block(&text, &frame(), target);
        assert_eq!(piece(OutputTarget::NotTerminal), Some(Chunk::Output("\u{1b}[31mred\u{1b}[0m\u{1b}[2J\n".into())));
        assert_eq!(piece(OutputTarget::Terminal), Some(Chunk::Output("red\\u{1b}[2J\n".into())));
    }

    #[test]
    fn prose_is_as_wide_as_the_terminal_and_whole_elsewhere() {
        let text = format!("{}.\n", ["word"; 30].join(" "));
        let prose = Block::from(Prose(text.clone()));
        let wrapped =
            text.replacen(&format!("{} ", ["word"; 16].join(" ")), &format!("{}\n", ["word"; 16].join(" ")), 1);
        assert_eq!(block(&prose, &frame(), OutputTarget::Terminal), Some(Chunk::Output(wrapped.into())));
        assert_eq!(block(&prose, &frame(), OutputTarget::Program), Some(Chunk::Output(text.into())));
    }

    #[test]
    fn rows_that_arrive_keep_their_colours_where_there_are_any() {
        let said = Message::new("\u{1b}[32mok");
        assert_eq!(row(&said, Styler::Colors(Theme::Default), OutputTarget::Terminal), b"\x1b[32mok\x1b[0m\n");
        assert_eq!(row(&said, Styler::Plain, OutputTarget::Terminal), b"ok\n");
        let rows = Block::from(vec![Message::new(""), Message::new("a\u{1b}[2J")]);
        assert_eq!(block(&rows, &frame(), OutputTarget::NotTerminal), Some(Chunk::Output("\na\u{1b}[2J\n".into())));
        assert_eq!(block(&rows, &frame(), OutputTarget::Terminal), Some(Chunk::Output("\na\\u{1b}[2J\n".into())));
    }
}
