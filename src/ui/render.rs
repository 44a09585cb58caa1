//! Blocks as people read them.

use super::style::Paint;
use super::table::{self, Frame};
use super::text;
use super::{diagnostic, harmless};
use crate::report::{Block, Fields, Row, Sentence, Show, Tone};

/// A block as text with its line ends: to the output, or beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// Data: of programs as they wrote it, else UTF-8.
    Output(Vec<u8>),
    /// Talk.
    Talk(String),
}

/// What people see of a block; none for rows that arrive over time.
///
/// Anywhere but on a terminal a [`Block::Text`] is passed on byte for byte.
#[must_use]
pub fn block(block: &Block, frame: &Frame, target: Target) -> Option<Piece> {
    Some(match block {
        Block::Table(it) if it.rows.is_empty() => Piece::Talk(it.empty.as_ref().map(|it| line(it)).unwrap_or_default()),
        Block::Table(it) => Piece::Output(table::render(it, frame).into()),
        Block::Fields(it) => Piece::Output(fields(it, frame).into()),
        Block::Sentence(it) => Piece::Output(sentence(it, frame.paint).into()),
        Block::Text(it) | Block::Written { text: it, .. } => Piece::Output(whole(it, frame.paint, target).into()),
        Block::Rows(it) => Piece::Output(it.iter().flat_map(|it| row(it, frame.paint, target)).collect()),
        Block::Findings(it) => Piece::Output(diagnostic::render(it, frame.width, frame.paint).into()),
        Block::Note(it) => Piece::Talk(line(it)),
        Block::Follow(_) => return None,
    })
}

/// Where text goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Target {
    /// A terminal, which obeys control characters.
    Terminal,
    /// A file or pipe.
    Elsewhere,
}

/// A line that a program wrote: harmless and in its colours on a terminal, elsewhere as it is. An empty one is a line too.
#[must_use]
pub fn row(row: &Row, paint: Paint, target: Target) -> Vec<u8> {
    let Sentence { text, tone, .. } = &row.sentence;
    match (target, &row.written) {
        (Target::Elsewhere, Some(written)) => [&paint.tone_bytes(*tone, written)[..], b"\n"].concat(),
        _ => format!("{}\n", paint.tone(*tone, &harmless::colored(text, paint == Paint::Colors))).into_bytes(),
    }
}

/// A line of talk.
#[must_use]
pub fn line(text: &str) -> String {
    ended(harmless::lines(text).into_owned())
}

fn sentence(sentence: &Sentence, paint: Paint) -> String {
    ended(paint.tone(sentence.tone, &harmless::lines(&sentence.text)))
}

fn whole(text: &str, paint: Paint, target: Target) -> String {
    match target {
        Target::Terminal => ended(harmless::colored(text, paint == Paint::Colors)),
        Target::Elsewhere => ended(text.to_owned()),
    }
}

fn ended(mut text: String) -> String {
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text
}

fn fields(fields: &Fields, frame: &Frame) -> String {
    let shown = || fields.fields.iter().filter(|(_, _, _, show)| wanted(*show, frame));
    let widest = shown().map(|(_, title, ..)| harmless::width(title)).max().unwrap_or(0);
    let mut out = String::new();
    let indent = match &fields.title {
        Some(title) => {
            out.push_str(&ended(frame.paint.heading(&harmless::one_line(title))));
            "  "
        }
        None => "",
    };
    for (_, title, cell, _) in shown() {
        let blank = " ".repeat(widest - harmless::width(title) + 2);
        let value = frame.paint.tone(cell.tone, &text::cell(cell, &frame.zone));
        out.push_str(&format!("{indent}{}{blank}{value}\n", frame.paint.tone(Tone::Dim, title)));
    }
    out
}

/// A terminal narrower than this leaves out what is only for wide ones.
const WIDE: usize = 100;

fn wanted(show: Show, frame: &Frame) -> bool {
    match show {
        Show::Always => true,
        Show::IfWide => frame.width.is_none_or(|width| width >= WIDE),
        Show::Never => false,
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::report::{Cell, Table};

    fn frame() -> Frame {
        Frame { width: Some(80), paint: Paint::Plain, zone: TimeZone::UTC }
    }

    fn shown(it: impl Into<Block>) -> Option<Piece> {
        block(&it.into(), &frame(), Target::Terminal)
    }

    #[test]
    fn fields_stand_in_two_columns_under_their_heading() {
        let given = Fields::titled("api").with("pid", 12_i64).with("log_file", "/a").hidden("secret", 1_i64);
        assert_eq!(shown(given), Some(Piece::Output("api\n  pid       12\n  log file  /a\n".into())));
    }

    #[test]
    fn an_empty_table_is_talk_not_data() {
        assert_eq!(
            shown(Table::new(&[("id", "ID")]).when_empty("nothing runs")),
            Some(Piece::Talk("nothing runs\n".into()))
        );
        assert_eq!(shown(Table::new(&[("id", "ID")])), Some(Piece::Talk(String::new())));
    }

    #[test]
    fn sentences_are_harmless() {
        let said = Sentence::new("`a\u{1b}]0;x\u{7}` is up\nand well").with("name", Cell::from("a"));
        assert_eq!(shown(said), Some(Piece::Output("`a\\u{1b}]0;x\\u{7}` is up\nand well\n".into())));
    }

    #[test]
    fn a_text_goes_elsewhere_byte_for_byte() {
        let text = Block::Text("\u{1b}[31mred\u{1b}[0m\u{1b}[2J\n".into());
        let piece = |target| block(&text, &frame(), target);
        assert_eq!(piece(Target::Elsewhere), Some(Piece::Output("\u{1b}[31mred\u{1b}[0m\u{1b}[2J\n".into())));
        assert_eq!(piece(Target::Terminal), Some(Piece::Output("red\\u{1b}[2J\n".into())));
    }

    #[test]
    fn rows_that_arrive_keep_their_colours_where_there_are_any() {
        let said = Row::from(Sentence::new("\u{1b}[32mok"));
        assert_eq!(row(&said, Paint::Colors, Target::Terminal), b"\x1b[32mok\x1b[0m\n");
        assert_eq!(row(&said, Paint::Plain, Target::Terminal), b"ok\n");
        let rows = Block::Rows(vec![Sentence::new("").into(), Sentence::new("a\u{1b}[2J").into()]);
        assert_eq!(block(&rows, &frame(), Target::Elsewhere), Some(Piece::Output("\na\u{1b}[2J\n".into())));
        assert_eq!(block(&rows, &frame(), Target::Terminal), Some(Piece::Output("\na\\u{1b}[2J\n".into())));
    }
}
