//! The state of the full-screen view and its drawing.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Paragraph, Row, Table as Grid, TableState};

use crate::base::columns::{truncate, width};
use crate::base::control::is_terminal_control;
use crate::report::theme::{Role, Theme};
use crate::report::{Cell, Message, Table, Tone, Value};

/// The columns between two columns of the table.
const SPACING: u16 = 2;

/// Columns that are left out where names would not have their place, the least important first.
const DISPENSABLE: [&str; 9] = ["pid", "restarts", "health", "env", "port", "uptime", "memory", "cpu", "id"];

/// A column that is drawn.
struct ShownColumn {
    /// Which one of the table.
    index: usize,
    width: usize,
}

/// The last snapshot, and the operator's selection and filter.
#[derive(Default)]
pub(super) struct MonitorView {
    theme: Theme,
    table: Table,
    lines: Vec<Message>,
    /// The name of the selected row.
    selected: Option<String>,
    /// Only names that contain this are shown.
    filter: String,
    filtering: bool,
    /// The log is expanded.
    log_expanded: bool,
    state: TableState,
    /// The number of log lines that fit.
    log_height: u16,
}

/// The number of log lines before the size of the screen is known.
const DEFAULT_LOG_LINES: u16 = 50;

const KEYS: &str = " ↑↓ select  Enter log  r restart  s stop  / filter  q quit";

impl MonitorView {
    /// An empty view in a theme.
    pub(super) fn with_theme(theme: Theme) -> Self {
        Self { theme, ..Self::default() }
    }

    /// Shows a new snapshot. The selected row stays selected as long as it exists.
    pub(super) fn update(&mut self, table: Table, lines: Vec<Message>) {
        (self.table, self.lines) = (table, lines);
        self.fix_selection();
    }

    /// The name of the selected row.
    pub(super) fn selected(&self) -> Option<&str> {
        self.selected.as_deref()
    }

    /// The number of log lines to read.
    pub(super) fn log_lines(&self) -> usize {
        usize::from(if self.log_height == 0 { DEFAULT_LOG_LINES } else { self.log_height })
    }

    pub(super) fn move_selection(&mut self, steps: isize) {
        let names = self.names();
        let at = self.selected_index(&names).unwrap_or(0);
        let to = at.saturating_add_signed(steps).min(names.len().saturating_sub(1));
        self.selected = names.get(to).cloned();
        self.lines.clear();
        self.fix_selection();
    }

    pub(super) fn toggle_log(&mut self) {
        self.log_expanded = !self.log_expanded;
        self.log_height = 0;
    }

    pub(super) fn is_filtering(&self) -> bool {
        self.filtering
    }

    pub(super) fn start_filter(&mut self) {
        self.filtering = true;
    }

    pub(super) fn finish_filter(&mut self) {
        self.filtering = false;
    }

    pub(super) fn push_filter_char(&mut self, letter: char) {
        self.filter.push(letter);
        self.fix_selection();
    }

    pub(super) fn pop_filter_char(&mut self) {
        self.filter.pop();
        self.fix_selection();
    }

    pub(super) fn clear_filter(&mut self) {
        self.filter.clear();
        self.filtering = false;
        self.fix_selection();
    }

    /// Selects an existing row if the selected one is gone.
    fn fix_selection(&mut self) {
        let names = self.names();
        let place = self.selected_index(&names).or_else(|| (!names.is_empty()).then_some(0));
        let chosen = place.map(|place| names[place].clone());
        if chosen != self.selected {
            self.lines.clear();
        }
        self.selected = chosen;
        self.state.select(place);
    }

    fn selected_index(&self, names: &[String]) -> Option<usize> {
        names.iter().position(|name| Some(name) == self.selected.as_ref())
    }

    fn names(&self) -> Vec<String> {
        self.rows().map(|row| self.name(row).to_owned()).collect()
    }

    fn rows(&self) -> impl Iterator<Item = &Vec<Cell>> {
        self.table.rows.iter().filter(|row| self.name(row).contains(&self.filter))
    }

    fn name<'a>(&self, row: &'a [Cell]) -> &'a str {
        let column = self.table.columns.iter().position(|column| column.key == "name");
        match column.and_then(|column| row.get(column)).map(|cell| &cell.value) {
            Some(Value::Text(name)) => name,
            _ => "",
        }
    }

    pub(super) fn draw(&mut self, frame: &mut Frame) {
        let log = if self.log_expanded { Constraint::Percentage(75) } else { Constraint::Percentage(40) };
        let parts = [Constraint::Length(1), Constraint::Min(3), log, Constraint::Length(1)];
        let [head, grid, log, foot] = Layout::vertical(parts).areas(frame.area());
        frame.render_widget(Paragraph::new(self.head()), head);
        self.draw_table(frame, grid);
        self.draw_log(frame, log);
        let foot_text = match (self.filtering, self.filter.is_empty()) {
            (true, _) => format!(" filter: {}▏ (Enter keeps, Esc clears)", self.filter),
            (false, false) => format!("{KEYS}  [{}]", self.filter),
            (false, true) => KEYS.to_owned(),
        };
        frame.render_widget(Paragraph::new(foot_text).style(Style::new().add_modifier(Modifier::DIM)), foot);
    }

    fn head(&self) -> String {
        let column = self.table.columns.iter().position(|column| column.key == "status");
        let is_online = |row: &&Vec<Cell>| {
            column.and_then(|column| row.get(column)).is_some_and(|cell| cell.value == Value::Text("online".to_owned()))
        };
        let (all, online) = (self.table.rows.len(), self.table.rows.iter().filter(is_online).count());
        let processes = if all == 1 { "process" } else { "processes" };
        format!(" tetra monitor: {all} {processes}, {online} online")
    }

    fn draw_table(&mut self, frame: &mut Frame, area: Rect) {
        let text = |cell: &Cell| strip_control(cell.text.as_deref().unwrap_or_default());
        let rows: Vec<Vec<(String, Tone)>> =
            self.rows().map(|row| row.iter().map(|cell| (text(cell), cell.tone)).collect()).collect();
        let columns = self.columns(&rows, usize::from(area.width));
        let titles: Vec<&str> = columns.iter().map(|column| &*self.table.columns[column.index].title).collect();
        let widths = columns.iter().map(|column| Constraint::Length(u16::try_from(column.width).unwrap_or(u16::MAX)));
        let grid = rows.iter().map(|row| {
            let cells = columns.iter().map(|column| {
                let (text, tone) = &row[column.index];
                Span::styled(truncate(text, column.width), style(self.theme, *tone))
            });
            Row::new(cells.collect::<Vec<_>>())
        });
        let grid = Grid::new(grid, widths)
            .header(Row::new(titles).style(Style::new().add_modifier(Modifier::BOLD)))
            .column_spacing(SPACING)
            .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
        frame.render_stateful_widget(grid, area, &mut self.state);
    }

    /// The columns that have their place beside whole names: those that say nothing go first, then the least important ones. What is
    /// too wide even then is the name.
    fn columns(&self, rows: &[Vec<(String, Tone)>], available: usize) -> Vec<ShownColumn> {
        let column = |index: usize| {
            let texts = || rows.iter().map(|row| row[index].0.as_str());
            let widest = texts().map(width).max().unwrap_or(0);
            let is_empty = texts().all(|text| text == "-");
            (ShownColumn { index, width: widest.max(self.table.columns[index].title.len()) }, is_empty)
        };
        let mut all: Vec<(ShownColumn, bool)> = (0..self.table.columns.len()).map(column).collect();
        let excess = |all: &[(ShownColumn, bool)]| {
            let spaces = usize::from(SPACING) * all.len().saturating_sub(1);
            (all.iter().map(|(column, _)| column.width).sum::<usize>() + spaces).saturating_sub(available)
        };
        for only_empty in [true, false] {
            for key in DISPENSABLE {
                if excess(&all) > 0 {
                    all.retain(|(it, is_empty)| self.table.columns[it.index].key != key || only_empty && !is_empty);
                }
            }
        }
        let excess = excess(&all);
        if let Some((name, _)) = all.iter_mut().find(|(it, _)| self.table.columns[it.index].key == "name") {
            name.width = name.width.saturating_sub(excess).max(1);
        }
        all.into_iter().map(|(column, _)| column).collect()
    }

    fn draw_log(&mut self, frame: &mut Frame, area: Rect) {
        let title = self.selected.as_ref().map_or(String::new(), |name| format!(" {name} "));
        let block = Block::new().borders(Borders::TOP).title(title);
        let inner = block.inner(area);
        self.log_height = inner.height;
        let first = self.lines.len().saturating_sub(usize::from(inner.height));
        let lines: Vec<Line> = self.lines[first..]
            .iter()
            .map(|line| Line::styled(strip_control(&line.text), style(self.theme, line.tone)))
            .collect();
        frame.render_widget(block, area);
        frame.render_widget(Paragraph::new(lines), inner);
    }
}

fn style(theme: Theme, tone: Tone) -> Style {
    let look = theme.look(Role::Output(tone));
    let mut style =
        Style { fg: look.color.map(Color::Indexed), bg: look.background.map(Color::Indexed), ..Style::new() };
    for (is, modifier) in [
        (look.bold, Modifier::BOLD),
        (look.dim, Modifier::DIM),
        (look.underline, Modifier::UNDERLINED),
        (look.italic, Modifier::ITALIC),
        (look.reverse, Modifier::REVERSED),
    ] {
        style = if is { style.add_modifier(modifier) } else { style };
    }
    style
}

/// The text without escape sequences and control characters.
fn strip_control(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            '\u{1b}' if letters.next_if_eq(&'[').is_some() => {
                // Up to the letter that ends the sequence.
                while letters.next().is_some_and(|letter| !('@'..='~').contains(&letter)) {}
            }
            '\t' => out.push_str("    "),
            letter if is_terminal_control(letter) => out.push('·'),
            letter => out.push(letter),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;

    fn view() -> MonitorView {
        let mut table = Table::new(&[("name", "NAME"), ("status", "STATUS")]);
        for (name, status) in [("api", "online"), ("web", "crashed")] {
            table.row(vec![Cell::from(name).text(name), Cell::from(status).text(status)]);
        }
        let mut view = MonitorView::default();
        view.update(table, Vec::new());
        view.update(view.table.clone(), vec![Message::new("\u{1b}[31mone\u{1b}[0m\ttwo\u{7}")]);
        view
    }

    fn drawn(view: &mut MonitorView, width: u16, height: u16) -> String {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).expect("a screen");
        terminal.draw(|frame| view.draw(frame)).expect("drawn");
        terminal.backend().to_string()
    }

    #[test]
    fn shows_the_rows_the_log_and_the_keys() {
        let shown = drawn(&mut view(), 60, 12);
        for wanted in
            ["2 processes, 1 online", "NAME  STATUS", "api   online", "web   crashed", "one    two·", "q quit"]
        {
            assert!(shown.contains(wanted), "{wanted}: {shown}");
        }
    }

    #[test]
    fn whole_names_come_before_figures() {
        let mut table = Table::new(&[("id", "ID"), ("name", "NAME"), ("env", "ENV"), ("pid", "PID"), ("cpu", "CPU")]);
        let row = ["0", "a-long-name-of-a-process", "-", "1234567", "99.9%"];
        table.row(row.map(|text| Cell::from(text).text(text)).to_vec());
        let mut view = MonitorView::default();
        view.update(table, Vec::new());
        let mut shown = |width| {
            let drawn = drawn(&mut view, width, 8);
            let rows = drawn.lines().skip(1).take(2).map(|row| row.trim_matches(['"', ' ']).to_owned());
            rows.collect::<Vec<_>>()
        };
        assert_eq!(shown(50)[0], "ID  NAME                      ENV  PID      CPU", "all have their place");
        assert_eq!(shown(45)[0], "ID  NAME                      PID      CPU", "what says nothing goes first");
        assert_eq!(shown(40), ["ID  NAME                      CPU", "0   a-long-name-of-a-process  99.9%"]);
        assert_eq!(shown(24), ["NAME", "a-long-name-of-a-process"]);
        assert_eq!(shown(12), ["NAME", "a-long-name…"]);
        assert!(drawn(&mut view, 40, 8).contains("1 process, 0 online"));
    }

    #[test]
    fn any_size_can_be_drawn() {
        for (width, height) in [(1, 1), (3, 2), (20, 4), (300, 100)] {
            drawn(&mut view(), width, height);
        }
    }

    #[test]
    fn the_chosen_row_stays_chosen_while_it_is_there() {
        let mut view = view();
        view.move_selection(1);
        assert_eq!(view.selected(), Some("web"));
        let mut table = view.table.clone();
        table.rows.reverse();
        view.update(table, Vec::new());
        assert_eq!((view.selected(), view.state.selected()), (Some("web"), Some(0)));
        view.push_filter_char('p');
        assert_eq!(view.selected(), Some("api"));
        view.push_filter_char('x');
        assert_eq!(view.selected(), None);
        view.clear_filter();
        assert_eq!(view.selected(), Some("web"));
    }

    #[test]
    fn nothing_a_process_says_reaches_the_terminal_as_an_order() {
        assert_eq!(strip_control("a\u{1b}[2Jb\u{1b}]0;x\u{7}c\r"), "ab·]0;x·c·");
        assert_eq!(strip_control("\u{1b}["), "");
    }
}
