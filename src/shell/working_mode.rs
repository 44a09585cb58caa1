//! The mode of vi in which the editor does what its keys ask for.
//!
//! The editor parses all keys that came at once before it does anything of them, and would do it all in the mode that the last of them
//! leads to: what was typed before Esc would go where no cursor can be. So the mode changes in the order of what is done. Of
//! our parts the editor calls only its hinter in that order: it is asked for a word here that is always empty.

use std::collections::VecDeque;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use reedline::{Hinter, History, PromptEditMode, ReedlineEvent};

/// The mode that the editor is in, and those that its keys lead to; all copies share them.
#[derive(Debug, Clone, Default)]
pub struct WorkingMode(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    now: PromptEditMode,
    /// What the hinter is asked for next: a change of the mode, or a word.
    asked: VecDeque<Option<PromptEditMode>>,
    /// The next key is the first of those that are parsed together.
    is_parsed: bool,
}

impl WorkingMode {
    /// Another editor begins.
    pub(super) fn begin(&self, mode: PromptEditMode) {
        *self.state() = State { now: mode, ..State::default() };
    }

    /// The mode that the editor is in now. It looks once it has parsed its keys.
    pub(super) fn now(&self) -> PromptEditMode {
        let mut state = self.state();
        state.is_parsed = true;
        state.now.clone()
    }

    /// What changes the mode before the next event; nothing if it is this one then.
    pub(super) fn enter(&self, mode: &PromptEditMode) -> Vec<ReedlineEvent> {
        let mut state = self.state();
        if mem::take(&mut state.is_parsed) {
            // An editor that is left in the midst of its keys does not do the rest.
            state.asked.clear();
        }
        let last = state.asked.iter().rev().flatten().next().unwrap_or(&state.now);
        if last == mode {
            return Vec::new();
        }
        state.asked.push_back(Some(mode.clone()));
        // Without an edit the editor does not look.
        vec![ReedlineEvent::HistoryHintWordComplete, ReedlineEvent::Edit(Vec::new())]
    }

    /// A key that may ask for a word of the hint itself.
    pub(super) fn see(&self, event: &ReedlineEvent) {
        match event {
            ReedlineEvent::HistoryHintWordComplete => self.state().asked.push_back(None),
            ReedlineEvent::Multiple(events) | ReedlineEvent::UntilFound(events) => {
                events.iter().for_each(|event| self.see(event));
            }
            _ => {}
        }
    }

    /// True if it was not a word that was asked for.
    fn change(&self) -> bool {
        let mut state = self.state();
        match state.asked.pop_front().flatten() {
            Some(mode) => {
                state.now = mode;
                true
            }
            None => false,
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A hinter that changes the mode when it is asked for a word by [`WorkingMode::enter`].
pub(super) struct ModeHinter<H> {
    pub(super) inner: H,
    pub(super) mode: WorkingMode,
}

impl<H: Hinter> Hinter for ModeHinter<H> {
    fn handle(&mut self, line: &str, pos: usize, history: &dyn History, use_ansi_coloring: bool, cwd: &str) -> String {
        self.inner.handle(line, pos, history, use_ansi_coloring, cwd)
    }

    fn complete_hint(&self) -> String {
        self.inner.complete_hint()
    }

    fn next_hint_token(&self) -> String {
        if self.mode.change() { String::new() } else { self.inner.next_hint_token() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use reedline::PromptViMode;

    const INSERT: PromptEditMode = PromptEditMode::Vi(PromptViMode::Insert);
    const NORMAL: PromptEditMode = PromptEditMode::Vi(PromptViMode::Normal);

    #[test]
    fn the_mode_changes_when_the_editor_comes_to_it() {
        let mode = WorkingMode::default();
        mode.begin(INSERT);
        assert_eq!(mode.enter(&INSERT), []);
        assert_eq!(mode.enter(&NORMAL).len(), 2);
        assert_eq!(mode.enter(&NORMAL), []);
        mode.see(&ReedlineEvent::UntilFound(vec![ReedlineEvent::HistoryHintWordComplete]));
        assert_eq!(mode.enter(&INSERT).len(), 2);
        assert_eq!(mode.now(), INSERT);
        assert!(mode.change());
        assert_eq!(mode.now(), NORMAL);
        assert!(!mode.change(), "a word is asked for");
        assert!(mode.change());
        assert_eq!(mode.now(), INSERT);
        assert!(!mode.change());
    }

    #[test]
    fn what_was_not_done_is_forgotten_with_the_next_keys() {
        let mode = WorkingMode::default();
        mode.begin(INSERT);
        assert_eq!(mode.enter(&NORMAL).len(), 2);
        assert_eq!(mode.now(), INSERT);
        assert_eq!(mode.enter(&NORMAL).len(), 2);
        assert!(mode.change());
        assert!(!mode.change());
        assert_eq!(mode.now(), NORMAL);
    }
}
