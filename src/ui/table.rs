//! Tables: columns side by side within a width, or one value a line if they do not fit.

use jiff::tz::TimeZone;

use super::style::Styler;
use super::{text, wrap};
use crate::base::columns;
use crate::report::{Table, Tone, Value, Visibility};

/// The options for rendering.
#[derive(Debug, Clone)]
pub struct RenderOptions {
    /// The width in columns; none for no limit.
    pub width: Option<usize>,
    /// With or without colors.
    pub styler: Styler,
    /// The time zone of shown times.
    pub zone: TimeZone,
}

/// The number of blanks between two columns.
const COLUMN_GAP: usize = 2;

/// The least width of a truncated column; below that the table is rendered vertically.
const MIN_COLUMN_WIDTH: usize = 8;

/// The least width of a column whose texts are wrapped.
const MIN_WRAPPED_WIDTH: usize = 20;

/// Renders a table. Empty for a table without rows.
///
/// If it is too wide: columns with [`Visibility::IfWide`] are dropped from the right; then texts with [`Visibility::Wrapped`] take
/// several lines; then the widest texts are truncated, never numbers, the first column last; at last each row is rendered as one
/// value a line.
#[must_use]
pub fn render(table: &Table, options: &RenderOptions) -> String {
    if table.rows.is_empty() {
        return String::new();
    }
    let mut columns: Vec<MeasuredColumn> = measure(table, options);
    let Some(limit) = options.width else { return horizontal(table, &columns, options) };
    while total(&columns) > limit {
        let Some(last) = columns.iter().rposition(|column| column.visibility == Visibility::IfWide) else { break };
        columns.remove(last);
    }
    while total(&columns) > limit {
        let Some(column) = next_to_shrink(&mut columns) else { return vertical(table, &columns, options) };
        column.width -= 1;
    }
    horizontal(table, &columns, options)
}

/// Every column but those that are never shown, a line for each row and one for the headings, with a tab between cells. A cell
/// holds neither a tab nor a line end.
#[must_use]
pub fn tab_separated(table: &Table, options: &RenderOptions) -> String {
    let columns = measure(table, options);
    let titles = columns.iter().map(|it| &*table.columns[it.index].title).collect::<Vec<_>>().join("\t");
    let row = |number: usize| columns.iter().map(|it| it.texts[number].as_str()).collect::<Vec<_>>().join("\t");
    let lines = std::iter::once(titles).chain((0..table.rows.len()).map(row));
    lines.flat_map(|line| [line, "\n".to_owned()]).collect()
}

/// A shown column: its texts, its width and its least width.
struct MeasuredColumn {
    index: usize,
    visibility: Visibility,
    texts: Vec<String>,
    width: usize,
    min_width: usize,
    can_shrink: bool,
    is_numeric: bool,
}

impl MeasuredColumn {
    /// The lines of a cell.
    fn lines_of(&self, row: usize) -> Vec<String> {
        let text = &self.texts[row];
        if self.visibility == Visibility::Wrapped && columns::width(text) > self.width {
            wrap::wrap(text, self.width).lines().map(str::to_owned).collect()
        } else {
            vec![text.clone()]
        }
    }
}

fn measure(table: &Table, options: &RenderOptions) -> Vec<MeasuredColumn> {
    let mut columns = Vec::new();
    for (index, column) in table.columns.iter().enumerate().filter(|(_, column)| column.visibility != Visibility::Never)
    {
        let cells: Vec<_> = table.rows.iter().filter_map(|row| row.get(index)).collect();
        let texts: Vec<String> = cells.iter().map(|cell| text::cell(cell, &options.zone)).collect();
        let heading = columns::width(&column.title);
        let width = texts.iter().map(|text| columns::width(text)).max().unwrap_or(0).max(heading);
        let is_number = |value: &Value| matches!(value, Value::Int(_) | Value::Float(_) | Value::Bytes(_));
        let is_text = |value: &Value| matches!(value, Value::Text(_) | Value::List(_) | Value::Record(_));
        let numbers = cells.iter().any(|cell| is_number(&cell.value))
            && cells.iter().all(|cell| is_number(&cell.value) || cell.value == Value::Null);
        let can_be_cut = cells.iter().any(|cell| is_text(&cell.value));
        let is_wrapped = column.visibility == Visibility::Wrapped;
        let least = if is_wrapped {
            width.min(MIN_WRAPPED_WIDTH)
        } else if can_be_cut {
            width.min(MIN_COLUMN_WIDTH.max(heading))
        } else {
            width
        };
        columns.push(MeasuredColumn {
            index,
            visibility: column.visibility,
            texts,
            width,
            min_width: least,
            can_shrink: can_be_cut,
            is_numeric: numbers,
        });
    }
    columns
}

/// The widest column that can still shrink: of those that are wrapped, then of the others; the first column only if no other can.
fn next_to_shrink(columns: &mut [MeasuredColumn]) -> Option<&mut MeasuredColumn> {
    let naming = columns.iter().position(|column| column.can_shrink);
    let cuttable = columns.iter_mut().enumerate().filter(|(_, column)| column.width > column.min_width);
    let is_wrapped = |column: &MeasuredColumn| column.visibility == Visibility::Wrapped;
    cuttable
        .max_by_key(|(index, column)| (is_wrapped(column), Some(*index) != naming, column.width))
        .map(|(_, column)| column)
}

fn total(columns: &[MeasuredColumn]) -> usize {
    columns.iter().map(|column| column.width).sum::<usize>() + COLUMN_GAP * columns.len().saturating_sub(1)
}

fn horizontal(table: &Table, columns: &[MeasuredColumn], options: &RenderOptions) -> String {
    let mut out = String::new();
    let headings = columns.iter().map(|it| (&*table.columns[it.index].title, Tone::Strong)).collect();
    line(&mut out, headings, columns, options.styler);
    for (number, row) in table.rows.iter().enumerate() {
        let cells: Vec<Vec<String>> = columns.iter().map(|it| it.lines_of(number)).collect();
        for at in 0..cells.iter().map(Vec::len).max().unwrap_or(0) {
            let texts = cells.iter().map(|lines| lines.get(at).map_or("", String::as_str));
            let texts = texts.zip(columns).map(|(text, it)| (text, row[it.index].tone)).collect();
            line(&mut out, texts, columns, options.styler);
        }
    }
    out
}

/// Writes one line without trailing blanks.
fn line(out: &mut String, cells: Vec<(&str, Tone)>, columns: &[MeasuredColumn], styler: Styler) {
    let mut owed = 0;
    for ((text, tone), column) in cells.into_iter().zip(columns) {
        let text = columns::truncate(text, column.width);
        let blank = column.width - columns::width(&text).min(column.width);
        let (before, after) = if column.is_numeric { (blank, 0) } else { (0, blank) };
        if !text.is_empty() {
            out.extend(std::iter::repeat_n(' ', owed + before));
            out.push_str(&styler.tone(tone, &text));
            owed = 0;
        } else {
            owed += before;
        }
        owed += after + COLUMN_GAP;
    }
    out.push('\n');
}

/// Each row as one value a line, with a blank line between rows.
fn vertical(table: &Table, columns: &[MeasuredColumn], options: &RenderOptions) -> String {
    let title = |column: &MeasuredColumn| &*table.columns[column.index].title;
    let widest = columns.iter().map(|column| columns::width(title(column))).max().unwrap_or(0);
    let mut out = String::new();
    for (number, row) in table.rows.iter().enumerate() {
        if number > 0 {
            out.push('\n');
        }
        for column in columns {
            let blank = " ".repeat(widest - columns::width(title(column)) + COLUMN_GAP);
            let title = options.styler.tone(Tone::Strong, title(column));
            let text = options.styler.tone(row[column.index].tone, &column.texts[number]);
            out.push_str(&format!("{title}{blank}{text}\n"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Cell;
    use crate::report::theme::Theme;

    fn frame(width: impl Into<Option<usize>>) -> RenderOptions {
        RenderOptions { width: width.into(), styler: Styler::Plain, zone: TimeZone::UTC }
    }

    fn processes() -> Table {
        let mut table = Table::new(&[
            ("id", "ID"),
            ("name", "NAME"),
            ("state", "STATE"),
            ("pid", "PID"),
            ("port", "PORT"),
            ("command", "COMMAND"),
        ])
        .with_visibility("pid", Visibility::IfWide)
        .with_visibility("command", Visibility::IfWide);
        for (id, name, pid, port) in [(0_i64, "my-api-http-8000", 12345_i64, Some(8000_i64)), (10, "日本", 7, None)] {
            let state = Cell::from("online").tone(Tone::Good);
            let command = "/usr/bin/python3 -m http.server 8000";
            table.row(vec![id.into(), name.into(), state, pid.into(), port.into(), command.into()]);
        }
        table
    }

    #[test]
    fn what_is_wrapped_is_read_whole() {
        let mut table = Table::new(&[("key", "SETTING"), ("accepts", "ACCEPTS"), ("help", "MEANING")])
            .with_visibility("help", Visibility::Wrapped);
        table.row(vec!["rc".into(), "on or off".into(), "off: `rc.tetra` is not run at the start of it".into()]);
        table.row(vec!["plain".into(), "on or off".into(), "a prompt without an editor".into()]);
        assert_eq!(
            render(&table, &frame(48)),
            "\
SETTING  ACCEPTS    MEANING
rc       on or off  off: `rc.tetra` is not run
                    at the start of it
plain    on or off  a prompt without an editor
"
        );
        // Other texts are cut where that is not enough.
        assert_eq!(
            render(&table, &frame(39)),
            "\
SETTING  ACCEPTS   MEANING
rc       on or o…  off: `rc.tetra` is
                   not run at the
                   start of it
plain    on or o…  a prompt without an
                   editor
"
        );
        assert!(render(&table, &frame(30)).starts_with("SETTING  rc\nACCEPTS  on or off\nMEANING  off: "));
    }

    #[test]
    fn without_a_limit_every_column_is_whole() {
        assert_eq!(
            render(&processes(), &frame(None)),
            "\
ID  NAME              STATE     PID  PORT  COMMAND
 0  my-api-http-8000  online  12345  8000  /usr/bin/python3 -m http.server 8000
10  日本              online      7     -  /usr/bin/python3 -m http.server 8000
"
        );
    }

    #[test]
    fn a_program_gets_cells_between_tabs() {
        let mut table =
            Table::new(&[("name", "NAME"), ("note", "NOTE"), ("x", "X")]).with_visibility("x", Visibility::Never);
        table.row(vec!["a b".into(), "c\td\ne".into(), "no".into()]);
        let narrow = RenderOptions { width: Some(5), ..frame(None) };
        assert_eq!(tab_separated(&table, &narrow), "NAME\tNOTE\na b\tc\\td\\ne\n");
    }

    #[test]
    fn columns_for_wide_terminals_go_first_then_texts_are_cut() {
        assert_eq!(
            render(&processes(), &frame(40)),
            "ID  NAME              STATE   PORT\n 0  my-api-http-8000  online  8000\n10  日本              online     -\n"
        );
        assert_eq!(
            render(&processes(), &frame(28)),
            "ID  NAME        STATE   PORT\n 0  my-api-ht…  online  8000\n10  日本        online     -\n"
        );
    }

    #[test]
    fn too_narrow_for_columns_is_one_value_a_line() {
        assert_eq!(
            render(&processes(), &frame(20)),
            "\
ID     0
NAME   my-api-http-8000
STATE  online
PORT   8000

ID     10
NAME   日本
STATE  online
PORT   -
"
        );
    }

    #[test]
    fn what_names_the_row_is_cut_last() {
        let mut table = Table::new(&[("name", "NAME"), ("command", "COMMAND")]);
        table.row(vec!["a-name-of-a-process".into(), "node app.js".into()]);
        assert_eq!(render(&table, &frame(30)), "NAME                 COMMAND\na-name-of-a-process  node app…\n");
        assert_eq!(render(&table, &frame(20)), "NAME        COMMAND\na-name-of…  node ap…\n");
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for width in 26..=200 {
            for line in render(&processes(), &frame(width)).lines() {
                assert!(columns::width(line) <= width, "{width}: {line}");
                assert_eq!(line, line.trim_end());
            }
        }
    }

    #[test]
    fn values_cannot_break_out_of_their_cell() {
        let mut table = Table::new(&[("name", "NAME"), ("note", "NOTE")]);
        table.row(vec!["a\nb\u{1b}[2J".into(), "x".into()]);
        assert_eq!(render(&table, &frame(None)), "NAME           NOTE\na\\nb\\u{1b}[2J  x\n");
    }

    #[test]
    fn colour_does_not_move_columns() {
        let colored = render(&processes(), &RenderOptions { styler: Styler::Colors(Theme::Default), ..frame(40) });
        assert!(colored.contains("\u{1b}[36monline\u{1b}[0m"), "{colored}");
        assert_eq!(crate::ui::sanitize::colored(&colored, Styler::Plain), render(&processes(), &frame(40)));
    }
}
