//! What is beside the cursor of the editor, which its keys are not told.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::painted_line::PaintedLine;
use crate::base::control::Surroundings;

/// What is beside the cursor: as it was painted last, and with what was typed since.
#[derive(Debug, Clone, Default)]
pub struct Caret {
    beside: Arc<Mutex<Surroundings>>,
    /// It was painted at the end of the line, where a hint may be.
    is_at_end: Arc<AtomicBool>,
    /// The line on the screen; none once the terminal has another size.
    painted: Arc<Mutex<Option<PaintedLine>>>,
}

impl Caret {
    /// The line is painted with its cursor at this byte, behind a prompt of so many columns.
    pub(super) fn paint(&self, line: &str, cursor: usize, prompt: usize) {
        *self.painted.lock().unwrap_or_else(PoisonError::into_inner) = PaintedLine::new(line, cursor, prompt);
        self.is_at_end.store(cursor >= line.len(), Ordering::Release);
        self.set(Surroundings::at(line, cursor));
    }

    /// True if nothing of the line on the screen is behind the cursor.
    pub(super) fn is_painted_at_end(&self) -> bool {
        self.is_at_end.load(Ordering::Acquire)
    }

    /// The size of the terminal is another. Of several changes before the next paint the first finds the last size.
    pub(super) fn follow_resize(&self) {
        let painted = self.painted.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(painted) = painted {
            painted.follow_resize();
        }
    }

    /// A character goes into the line: itself, or its escape where it would not be seen.
    pub(super) fn type_char(&self, c: char) -> Option<String> {
        let beside = self.get();
        let escape = beside.make_harmful(c).then(|| c.escape_default().collect::<String>());
        self.set(beside.behind(escape.as_ref().and_then(|it| it.chars().last()).unwrap_or(c)));
        escape
    }

    /// The cursor or the line is another; what is beside it is known when it is painted.
    pub(super) fn forget(&self) {
        self.set(Surroundings::default());
    }

    fn get(&self) -> Surroundings {
        *self.beside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, beside: Surroundings) {
        *self.beside.lock().unwrap_or_else(PoisonError::into_inner) = beside;
    }
}
