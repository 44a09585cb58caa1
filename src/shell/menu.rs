//! The menu below the line: candidates in rows, at most half of the screen.
//!
//! The columnar menu of the editor takes what is left of the screen, does not say that there is more, and without colors writes the
//! chosen candidate in upper case. This one is laid out anew at every paint, so that a change of the size of the terminal needs nothing.

use nu_ansi_term::Style;
use reedline::menu_functions::{CompletionDisplay, resolve_completer_input, style_suggestion};
use reedline::{Completer, Editor, Menu, MenuBuilder, MenuEvent, MenuSettings, Painter, ReedlineEvent, Suggestion};

use super::paint;
use super::snapshot::SharedSnapshot;
use crate::base::columns::{truncate, width as columns_of};
use crate::report::theme::{Role, Theme};

/// The columns between candidates beside each other, and between a candidate and its description.
const PADDING: usize = 2;

/// The most candidates beside each other.
const MAX_COLUMNS: usize = 4;

/// A description that would get fewer columns is left out.
const MIN_DESCRIPTION: usize = 8;

/// What marks the chosen candidate where colors do not.
const CHOSEN: &str = "> ";

/// Closes a menu. Not handled without one, unlike [`ReedlineEvent::Esc`].
///
/// The editor decides at once about all keys that arrive together, so only a menu itself knows whether it is open when it is their turn,
/// and only events without a key of their own can be given another meaning. There are two, so the other one begins [`MenuRequest`]s.
pub(super) const CLOSE: ReedlineEvent = ReedlineEvent::MenuPagePrevious;

/// What a menu is asked for where the editor has no event. Not handled without a menu.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MenuRequest {
    /// A menu of candidates is closed; a search in the history goes on to its next line.
    LeaveForSearch,
    /// As many rows on as are shown.
    PageDown,
    /// As many rows back as are shown.
    PageUp,
}

impl MenuRequest {
    /// The events that say so to a menu: one that begins all requests, and one that has another meaning after it.
    pub(super) fn events(self) -> [ReedlineEvent; 2] {
        let event = match self {
            Self::LeaveForSearch => ReedlineEvent::MenuPageNext,
            Self::PageDown => ReedlineEvent::MenuDown,
            Self::PageUp => ReedlineEvent::MenuUp,
        };
        [ReedlineEvent::MenuPageNext, event]
    }

    /// What the second one asks for.
    fn of(event: &MenuEvent) -> Option<Self> {
        match event {
            MenuEvent::NextPage => Some(Self::LeaveForSearch),
            MenuEvent::MoveDown => Some(Self::PageDown),
            MenuEvent::MoveUp => Some(Self::PageUp),
            _ => None,
        }
    }
}

/// What a menu lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MenuKind {
    /// Candidates for the word at the cursor, several in a row if none has a description.
    Candidates,
    /// Lines of the history, one in a row.
    Search,
}

/// A menu of candidates.
pub(super) struct HalfScreenMenu {
    settings: MenuSettings,
    snapshot: SharedSnapshot,
    theme: Theme,
    kind: MenuKind,
    is_active: bool,
    /// The line on the screen was completed: there is something to show.
    is_answered: bool,
    candidates: CompletionDisplay,
    chosen: usize,
    layout: Layout,
    /// Those since the last paint.
    events: Vec<MenuEvent>,
    /// The next event is the second one of a [`MenuRequest`].
    is_asked: bool,
    input: Option<String>,
}

/// Where the candidates are on the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Layout {
    /// The columns of the terminal.
    width: usize,
    /// Those of the widest description.
    about: usize,
    /// Candidates beside each other; at least 1.
    columns: usize,
    /// The rows of candidates that are shown.
    rows: usize,
    /// The rows above these.
    first: usize,
    /// The row that says how many more there are is shown.
    says_more: bool,
}

impl Layout {
    /// The rows of `count` candidates on a screen of so many rows, half of which may be used, and the first that is shown, so that
    /// the chosen one is among them.
    fn place(&mut self, count: usize, screen_rows: usize, chosen: usize) {
        let all = count.div_ceil(self.columns.max(1)).max(1);
        let most = (screen_rows / 2).max(1);
        // A screen of three rows has no place for it.
        self.says_more = all > most && most > 1;
        self.rows = all.min(most - usize::from(self.says_more));
        let row = chosen / self.columns.max(1);
        self.first = self.first.clamp((row + 1).saturating_sub(self.rows), row.min(all.saturating_sub(self.rows)));
    }
}

impl HalfScreenMenu {
    /// A menu without candidates.
    pub(super) fn new(kind: MenuKind, snapshot: SharedSnapshot) -> Self {
        Self {
            settings: MenuSettings::default(),
            snapshot,
            theme: Theme::default(),
            kind,
            is_active: false,
            is_answered: false,
            candidates: CompletionDisplay::default(),
            chosen: 0,
            layout: Layout::default(),
            events: Vec::new(),
            is_asked: false,
            input: None,
        }
    }

    /// Goes so many candidates on, or back; around at either end.
    fn go(&mut self, by: isize) {
        let count = self.get_values().len();
        let next = self.chosen.checked_add_signed(by).filter(|next| *next < count);
        self.chosen = next.unwrap_or(if by < 0 { count.saturating_sub(1) } else { 0 });
    }

    /// Goes so many rows on, or back, and no further than to the last candidate and the first.
    fn turn_page(&mut self, rows: isize) {
        let columns: isize = self.layout.columns.try_into().unwrap_or(1);
        let last = self.get_values().len().saturating_sub(1);
        self.chosen = self.chosen.saturating_add_signed(rows.saturating_mul(columns)).min(last);
        self.layout.first = self.layout.first.saturating_add_signed(rows);
    }

    fn apply(&mut self, event: MenuEvent, editor: &mut Editor, completer: &mut dyn Completer) {
        let columns = self.layout.columns.try_into().unwrap_or(1);
        match event {
            MenuEvent::Activate(updated) | MenuEvent::Edit(updated) => self.reload(updated, editor, completer),
            MenuEvent::Deactivate => {}
            MenuEvent::NextElement | MenuEvent::MoveRight => self.go(1),
            MenuEvent::PreviousElement | MenuEvent::MoveLeft => self.go(-1),
            MenuEvent::MoveDown => self.go(columns),
            MenuEvent::MoveUp => self.go(-columns),
            MenuEvent::NextPage => self.turn_page(self.layout.rows.try_into().unwrap_or(1)),
            MenuEvent::PreviousPage => self.turn_page(-self.layout.rows.try_into().unwrap_or(1)),
        }
    }

    /// The columns of one candidate with its description. Without one no more than it needs: a terminal that is made narrower wraps
    /// also what is blank, and what it moves off the screen by that is out of reach.
    fn cell_width(&self) -> usize {
        let share = self.layout.width / self.layout.columns.max(1);
        if self.layout.about > 0 { share } else { share.min(self.widest_cell()) }
    }

    /// The columns of the widest candidate with what is beside it.
    fn widest_cell(&self) -> usize {
        self.candidates.longest_suggestion + PADDING + CHOSEN.len()
    }

    fn cell(&self, index: usize, colors: bool) -> String {
        let Some(candidate) = self.get_values().get(index) else { return String::new() };
        let is_chosen = index == self.chosen;
        let mark = match (colors, is_chosen) {
            (true, _) => "",
            (false, true) => CHOSEN,
            (false, false) => "  ",
        };
        // The last column of a row is left free: a terminal that is made narrower would wrap it.
        let available = self.cell_width().saturating_sub(mark.len() + 1);
        let widest = self.name_width(available);
        let about = candidate.description.as_deref().unwrap_or_default();
        let left = available.saturating_sub(widest + PADDING);
        let about = if left < MIN_DESCRIPTION { "".into() } else { truncate(about, left) };
        let name_width = if about.is_empty() { available } else { widest };
        let name = truncate(candidate.display_value(), name_width);
        let blank = " ".repeat((name_width + PADDING).min(available).saturating_sub(columns_of(&name)));
        if !colors {
            return format!("{mark}{name}{blank}{about} ");
        }
        let none = Vec::new();
        let matching = candidate.match_indices.as_ref().unwrap_or(&none);
        let (chosen, matched) = (self.style(Role::Chosen), self.style(Role::Matched));
        if is_chosen {
            let matched = Style { is_bold: true, ..chosen };
            let name = style_suggestion(&name, matching, &Style::new(), &matched, Some(&chosen));
            return format!("{name}\x1b[0m{} ", chosen.paint(format!("{blank}{about}")));
        }
        let name = style_suggestion(&name, matching, &Style::new(), &matched, None);
        format!("{name}\x1b[0m{blank}{} ", self.style(Role::Hint).paint(about))
    }

    /// The columns of the widest candidate; a line of the history leaves room for where it was run, and how it ended.
    fn name_width(&self, available: usize) -> usize {
        let widest = self.candidates.longest_suggestion;
        if self.kind == MenuKind::Candidates {
            return widest;
        }
        widest.min(available.saturating_sub(self.layout.about.min(available / 2) + PADDING))
    }

    fn style(&self, role: Role) -> Style {
        paint::style(self.theme, role)
    }

    fn lay_out(&mut self, width: usize, screen_rows: usize) {
        let widest = self.widest_cell();
        let is_described = self.get_values().iter().any(|candidate| candidate.description.is_some());
        let is_one_a_row = is_described || self.kind == MenuKind::Search;
        let columns = if is_one_a_row { 1 } else { (width / widest.max(1)).clamp(1, MAX_COLUMNS) };
        (self.layout.width, self.layout.columns) = (width, columns);
        let about = self.get_values().iter().filter_map(|it| it.description.as_deref());
        self.layout.about = about.map(columns_of).max().unwrap_or_default();
        self.layout.place(self.get_values().len(), screen_rows, self.chosen);
    }
}

impl MenuBuilder for HalfScreenMenu {
    fn settings_mut(&mut self) -> &mut MenuSettings {
        &mut self.settings
    }
}

impl Menu for HalfScreenMenu {
    fn settings(&self) -> &MenuSettings {
        &self.settings
    }

    fn is_active(&self) -> bool {
        self.is_active
    }

    fn set_active(&mut self, active: bool) {
        if active != self.is_active {
            let mut snapshot = self.snapshot.lock();
            let open = snapshot.open_menus;
            snapshot.open_menus = if active { open + 1 } else { open.saturating_sub(1) };
        }
        self.is_active = active;
    }

    fn clear_input(&mut self) {
        self.input = None;
    }

    fn on_activate(&mut self) {
        self.candidates = CompletionDisplay::default();
        self.is_answered = false;
    }

    fn menu_event(&mut self, event: MenuEvent) {
        let request = if std::mem::take(&mut self.is_asked) { MenuRequest::of(&event) } else { None };
        let event = match (request, event, self.kind) {
            (Some(MenuRequest::LeaveForSearch), _, MenuKind::Candidates) => MenuEvent::Deactivate,
            (Some(MenuRequest::LeaveForSearch), _, MenuKind::Search) => MenuEvent::NextElement,
            (Some(MenuRequest::PageDown), ..) => MenuEvent::NextPage,
            (Some(MenuRequest::PageUp), ..) => MenuEvent::PreviousPage,
            (None, MenuEvent::NextPage, _) => {
                self.is_asked = true;
                return;
            }
            (None, MenuEvent::PreviousPage, _) => MenuEvent::Deactivate,
            (None, event, _) => event,
        };
        self.handle_menu_event(&event);
        match event {
            // A closed menu does nothing more, and each line that ends closes all of them.
            MenuEvent::Deactivate => self.events.clear(),
            event => self.events.push(event),
        }
    }

    /// A search that opens is shown, also with one line only: the next key may look elsewhere.
    fn can_quick_complete(&self) -> bool {
        self.kind == MenuKind::Candidates || self.is_answered
    }

    fn can_partially_complete(&mut self, updated: bool, editor: &mut Editor, completer: &mut dyn Completer) -> bool {
        // The editor takes what it did not ask a search that opens for as asked.
        if !updated || !self.is_answered {
            self.update_values(editor, completer);
        }
        if self.kind == MenuKind::Search {
            return false;
        }
        let has_changed = self.candidates.common_prefix(editor);
        if has_changed {
            self.update_values(editor, completer);
        }
        has_changed
    }

    fn update_values(&mut self, editor: &mut Editor, completer: &mut dyn Completer) {
        let (input, pos) = resolve_completer_input(editor, &mut self.input, &self.settings);
        let (result, bases) = completer.complete_with_base_ranges(&input, pos);
        if let Some(candidates) = CompletionDisplay::from_result(result, &bases, editor) {
            self.candidates = candidates;
            self.is_answered = true;
            self.reset_position();
        }
    }

    fn reset_position(&mut self) {
        (self.chosen, self.layout.first) = (0, 0);
    }

    fn update_working_details(&mut self, editor: &mut Editor, completer: &mut dyn Completer, painter: &Painter) {
        for event in std::mem::take(&mut self.events) {
            self.apply(event, editor, completer);
        }
        self.theme = self.snapshot.lock().theme;
        self.lay_out(painter.screen_width().into(), painter.screen_height().into());
    }

    fn replace_in_buffer(&self, editor: &mut Editor) {
        self.candidates.accept(self.chosen, editor, None);
    }

    fn menu_required_lines(&self, _: u16) -> u16 {
        (self.layout.rows + usize::from(self.layout.says_more)).try_into().unwrap_or(u16::MAX)
    }

    fn menu_string(&self, available_lines: u16, colors: bool) -> String {
        if self.get_values().is_empty() {
            return "no candidates".to_owned();
        }
        let mut layout = self.layout;
        let available = usize::from(available_lines).max(1);
        if available < layout.rows + usize::from(layout.says_more) {
            layout.place(self.get_values().len(), available * 2, self.chosen);
        }
        let shown = layout.first * layout.columns..(layout.first + layout.rows) * layout.columns;
        let shown = shown.start..shown.end.min(self.get_values().len());
        let mut rows: Vec<String> = shown
            .clone()
            .step_by(layout.columns)
            .map(|row| (row..(row + layout.columns).min(shown.end)).map(|index| self.cell(index, colors)).collect())
            .collect();
        if layout.says_more {
            let more = format!("… {} more", self.get_values().len() - shown.len());
            let more = truncate(&more, layout.width.saturating_sub(1));
            rows.push(if colors { self.style(Role::Hint).paint(more).to_string() } else { more.into_owned() });
        }
        rows.join("\r\n")
    }

    fn min_rows(&self) -> u16 {
        self.menu_required_lines(0).min(3)
    }

    fn get_values(&self) -> &[Suggestion] {
        self.candidates.suggestions()
    }

    fn is_awaiting_first_answer(&self) -> bool {
        !self.is_answered
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(columns: usize, count: usize, screen: usize, chosen: usize, first: usize) -> (usize, usize, bool) {
        let mut layout = Layout { width: 80, columns, first, ..Layout::default() };
        layout.place(count, screen, chosen);
        (layout.rows, layout.first, layout.says_more)
    }

    #[test]
    fn a_menu_that_stays_closed_remembers_nothing() {
        let mut menu = HalfScreenMenu::new(MenuKind::Candidates, SharedSnapshot::default());
        menu.menu_event(MenuEvent::Activate(false));
        menu.menu_event(MenuEvent::NextElement);
        for _line in 0..1000 {
            menu.menu_event(MenuEvent::Deactivate);
        }
        assert!(menu.events.is_empty() && !menu.is_active(), "{} events", menu.events.len());
    }

    #[test]
    fn half_of_the_screen_is_the_most_and_the_chosen_one_is_seen() {
        assert_eq!(place(1, 12, 24, 0, 0), (12, 0, false));
        assert_eq!(place(1, 13, 24, 0, 0), (11, 0, true));
        assert_eq!(place(1, 1000, 24, 11, 0), (11, 1, true));
        assert_eq!(place(1, 1000, 24, 999, 0), (11, 989, true));
        assert_eq!(place(1, 1000, 24, 0, 989), (11, 0, true));
        assert_eq!(place(4, 48, 24, 47, 0), (12, 0, false));
        assert_eq!(place(4, 49, 24, 48, 0), (11, 2, true));
        assert_eq!(place(1, 9, 3, 4, 0), (1, 4, false));
        // No row is left empty at the end.
        assert_eq!(place(1, 30, 24, 25, 22), (11, 19, true));
        assert_eq!(place(1, 0, 0, 0, 0), (1, 0, false));
    }
}
