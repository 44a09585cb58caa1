//! Notices that wait for a moment in which they can be shown above the line that is edited.
//!
//! The editor goes up from the cursor by as many rows as it thinks that the whole line takes: too far where the cursor is not at the end
//! of a line of several rows, and what is there is lost. And it takes each notice for one row: where a menu is below the line, further
//! rows are drawn over. So notices are given to it only while a paint shows where it would go, and those of several rows only without a
//! menu. Where that goes on, the editor is interrupted once nothing was typed for a while, and another one goes on below the notices.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crossterm::terminal;

use super::idle::LastKey;
use super::prompt::ContextPrompt;
use super::snapshot::SharedSnapshot;
use crate::base::columns;
use crate::base::time::Timestamp;
use crate::ops::answers::Answers;
use crate::ops::process_feed;

/// More notices than this are not kept: the last list says it all.
pub(super) const MAX_NOTICES: usize = 20;

/// An editor is interrupted for them only after so long without a key.
const PAUSE: Duration = Duration::from_secs(10);

/// What the editor adds to the length of the first line in place of the prompt.
const ASSUMED_PROMPT: usize = 3;

/// What the editor shows before each further line.
const FURTHER_LINE: &str = "... ";

/// Shows a notice above the line.
type Show = Box<dyn Fn(String) + Send>;

/// Notices that were not shown yet, and the editor of this moment.
#[derive(Clone, Default)]
pub struct Notices(Arc<Mutex<Waiting>>);

struct Notice {
    /// As it is shown, with its colors.
    text: String,
    /// How many columns it takes.
    columns: usize,
    /// The process that it is about, and when it happened.
    about: Option<(String, Timestamp)>,
}

#[derive(Default)]
struct Waiting {
    texts: Vec<Notice>,
    show: Option<Show>,
    /// The row of the cursor in the line, where the last paint had no place for them.
    row: Option<usize>,
    is_overdue: bool,
    /// What the commands of the session said themselves.
    answers: Answers,
}

/// Notices that did not get a place by themselves.
pub(super) struct OverdueNotices {
    /// In their order.
    pub texts: Vec<String>,
    /// How many rows above the cursor the prompt begins.
    pub row: usize,
}

impl Notices {
    /// Adds one, painted by `paint`; it is dropped if too many wait.
    pub(super) fn add(&self, notice: process_feed::Notice, paint: impl FnOnce(String) -> String) {
        let text = format!("notice: {}", notice.text);
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.texts.len() < MAX_NOTICES {
            let columns = columns::width(&text);
            waiting.texts.push(Notice { text: paint(text), columns, about: notice.about });
        }
    }

    /// What these answer is left out from now on.
    pub(super) fn leave_out(&self, answers: Answers) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).answers = answers;
    }

    /// They are shown so from now on.
    pub(super) fn show_with(&self, show: Show) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).show = Some(show);
    }

    /// The line was painted with its cursor at this byte: shows what waits if it comes to be above the line.
    pub(super) fn paint(&self, line: &str, cursor: usize, snapshot: &SharedSnapshot) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Waiting { texts, show: Some(show), row, answers, .. } = &mut *waiting else { return };
        texts.retain(|it| !it.about.as_ref().is_some_and(|(name, at)| answers.cover(name, *at)));
        if texts.is_empty() {
            return;
        }
        let (prompt, has_menu) = {
            let snapshot = snapshot.lock();
            (snapshot.prompt.as_ref().map(ContextPrompt::plain).unwrap_or_default(), snapshot.open_menus > 0)
        };
        let width = terminal::size().map_or(80, |(columns, _)| usize::from(columns.max(1)));
        let has_place = !has_menu || texts.iter().all(|notice| notice.columns < width);
        let Some(missing) = rows_not_gone_up(&prompt, line, cursor, width).filter(|_| has_place) else {
            *row = Some(row_of_cursor(&prompt, &line[..cursor], width));
            return;
        };
        *row = None;
        for (number, Notice { text, .. }) in texts.drain(..).enumerate() {
            let up = if number == 0 && missing > 0 { format!("\x1b[{missing}A\r\x1b[J") } else { String::new() };
            show(up + &text);
        }
    }
}

impl Notices {
    /// True if they got no place and `pause` is long enough; the editor is to be left for them then.
    fn become_overdue(&self, pause: Duration) -> bool {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.is_overdue = waiting.row.is_some() && !waiting.texts.is_empty() && pause >= PAUSE;
        waiting.is_overdue
    }

    /// Those that the editor was left for.
    pub(super) fn take_overdue(&self) -> Option<OverdueNotices> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !std::mem::take(&mut waiting.is_overdue) {
            return None;
        }
        let row = waiting.row.take()?;
        let texts = waiting.texts.drain(..).map(|notice| notice.text).collect();
        Some(OverdueNotices { texts, row })
    }
}

/// Interrupts an editor for notices that got no place.
#[derive(Clone, Default)]
pub(super) struct NoticeWatch {
    /// The notices.
    pub notices: Notices,
    /// When a key was pressed.
    pub last_key: LastKey,
    /// Interrupts the editor.
    pub give_up: Arc<AtomicBool>,
}

impl NoticeWatch {
    /// Looked at by the editor whenever it has waited for keys.
    pub(super) fn look(&self) {
        if self.notices.become_overdue(self.last_key.age()) {
            self.give_up.store(true, Ordering::Release);
        }
    }
}

/// How many rows above the place that the editor goes up to the prompt begins; none if the editor goes beyond it.
fn rows_not_gone_up(prompt: &str, line: &str, cursor: usize, width: usize) -> Option<usize> {
    let rows = line.lines().enumerate().map(|(number, part)| {
        let assumed = if number == 0 { ASSUMED_PROMPT } else { 0 };
        (part.len() + assumed) / width + 1
    });
    let goes_up = rows.sum::<usize>().saturating_sub(1);
    row_of_cursor(prompt, &line[..cursor], width).checked_sub(goes_up)
}

/// The row that is reached behind a prompt and a text, as terminals wrap them.
fn row_of_cursor(prompt: &str, text: &str, width: usize) -> usize {
    let (mut row, mut column) = (0, 0);
    let shown = format!("{prompt}{}", text.replace('\n', &format!("\n{FURTHER_LINE}")));
    for c in shown.chars() {
        if c == '\n' {
            (row, column) = (row + 1, 0);
            continue;
        }
        let taken = columns::width(c.encode_utf8(&mut [0; 4]));
        if column + taken > width {
            (row, column) = (row + 1, 0);
        }
        column += taken;
    }
    // A full row is followed by the next one at once.
    row + usize::from(column >= width)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn notice(text: impl Into<String>) -> process_feed::Notice {
        process_feed::Notice { text: text.into(), about: None }
    }

    fn missing(prompt: &str, line: &str, cursor: usize) -> Option<usize> {
        rows_not_gone_up(prompt, line, cursor, 20)
    }

    #[test]
    fn a_notice_waits_while_it_would_be_shown_above_the_prompt() {
        let long = "y".repeat(50);
        assert_eq!(missing("tetra> ", "", 0), Some(0));
        assert_eq!(missing("tetra> ", "tsm list", 3), Some(0));
        // The row is known, and the editor goes up by two.
        assert_eq!(missing("tetra> ", &long, 50), Some(0));
        assert_eq!(missing("tetra> ", &long, 33), Some(0));
        assert_eq!(missing("tetra> ", &long, 32), None);
        assert_eq!(missing("tetra> ", &long, 0), None);
        assert_eq!(missing("tetra> ", "a\nb\nc", 5), Some(0));
        assert_eq!(missing("tetra> ", "a\nb\nc", 3), None);
        // It takes bytes for columns.
        assert_eq!(missing("tetra> ", "日本語日本語", 18), None);
        assert_eq!(missing("tetra> ", "日本", 6), Some(0));
    }

    #[test]
    fn a_long_prompt_is_counted() {
        assert_eq!(missing("acme/staging/api> ", "tsm list", 8), Some(1));
        assert_eq!(missing("acme/staging/api> ", "tsm", 3), Some(1));
        assert_eq!(missing("acme/staging/api> ", "ts", 2), Some(1));
        assert_eq!(missing("acme/staging/api> ", "t", 1), Some(0));
    }

    #[test]
    fn an_editor_is_left_for_what_gets_no_place() {
        let notices = Notices::default();
        notices.show_with(Box::new(drop));
        let long = "y".repeat(5000);
        notices.paint(&long, 0, &SharedSnapshot::default());
        assert!(!notices.become_overdue(PAUSE), "nothing waits");
        notices.add(notice("api crashed"), |text| text);
        assert!(!notices.become_overdue(PAUSE), "it was not painted yet");
        notices.paint(&long, 0, &SharedSnapshot::default());
        assert!(!notices.become_overdue(PAUSE / 2));
        assert!(notices.take_overdue().is_none());
        assert!(notices.become_overdue(PAUSE));
        let overdue = notices.take_overdue().expect("it waits");
        assert_eq!((overdue.row, overdue.texts), (0, vec!["notice: api crashed".to_owned()]));
        assert!(!notices.become_overdue(PAUSE) && notices.take_overdue().is_none());
        notices.add(notice("api crashed"), |text| text);
        notices.paint(&long, 0, &SharedSnapshot::default());
        notices.paint("", 0, &SharedSnapshot::default());
        assert!(!notices.become_overdue(PAUSE), "it was shown");
    }

    #[test]
    fn what_takes_several_rows_waits_for_the_end_of_a_menu() {
        let (notices, snapshot) = (Notices::default(), SharedSnapshot::default());
        let shown = Arc::new(Mutex::new(Vec::new()));
        let list = Arc::clone(&shown);
        notices.show_with(Box::new(move |text| list.lock().unwrap_or_else(PoisonError::into_inner).push(text)));
        let count = || shown.lock().expect("the list").len();
        snapshot.lock().open_menus = 1;
        notices.add(notice("short"), |text| format!("{}{text}", "\x1b[1m".repeat(200)));
        notices.paint("", 0, &snapshot);
        assert_eq!(count(), 1, "colors take no columns");
        notices.add(notice("y".repeat(5000)), |text| text);
        notices.paint("", 0, &snapshot);
        assert_eq!(count(), 1);
        snapshot.lock().open_menus = 0;
        notices.paint("", 0, &snapshot);
        assert_eq!(count(), 2);
    }

    #[test]
    fn what_a_command_answered_is_left_out_even_if_it_was_seen_before() {
        let (notices, answers) = (Notices::default(), Answers::default());
        let shown = Arc::new(Mutex::new(Vec::new()));
        let list = Arc::clone(&shown);
        notices.show_with(Box::new(move |text| list.lock().unwrap_or_else(PoisonError::into_inner).push(text)));
        notices.leave_out(answers.clone());
        for (name, at) in [("api", 15), ("web", 15), ("api", 25)] {
            let about = Some((name.to_owned(), Timestamp(at)));
            notices.add(process_feed::Notice { about, ..notice(format!("{name} crashed at {at}")) }, |text| text);
        }
        answers.add("api", Timestamp(10), Timestamp(20));
        notices.paint("", 0, &SharedSnapshot::default());
        assert_eq!(*shown.lock().expect("the list"), ["notice: web crashed at 15", "notice: api crashed at 25"]);
    }

    #[test]
    fn too_many_are_dropped() {
        let notices = Notices::default();
        for number in 0..MAX_NOTICES + 5 {
            notices.add(notice(number.to_string()), |text| text);
        }
        let shown = Arc::new(Mutex::new(Vec::new()));
        let list = Arc::clone(&shown);
        notices.show_with(Box::new(move |text| {
            list.lock().unwrap_or_else(PoisonError::into_inner).push(text);
        }));
        notices.paint("", 0, &SharedSnapshot::default());
        notices.paint("", 0, &SharedSnapshot::default());
        assert_eq!(shown.lock().expect("the list").len(), MAX_NOTICES);
    }
}
