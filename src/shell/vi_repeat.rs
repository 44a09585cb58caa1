//! What the keys of vi do that the editor leaves out: `.` repeats the text of a change too, and `3x` cuts once.

use reedline::{Direction, EditCommand, Granularity, MotionTarget, PromptEditMode, PromptViMode, ReedlineEvent};

/// The last change that text was typed for, and the text.
#[derive(Debug, Default)]
pub(super) struct ViRepeat {
    /// What began it; none if it cannot be repeated with its text.
    change: Option<ReedlineEvent>,
    text: String,
    /// It is being typed.
    is_open: bool,
}

impl ViRepeat {
    /// What a key does, given what the editor made of it, and the modes before and after.
    pub(super) fn see(&mut self, modes: [PromptEditMode; 2], event: ReedlineEvent) -> ReedlineEvent {
        let [PromptEditMode::Vi(before), PromptEditMode::Vi(after)] = modes else { return event };
        match (before, after) {
            (PromptViMode::Normal, PromptViMode::Insert) => {
                // Of what cannot be repeated with its text the editor repeats another event.
                self.is_open = goes_forward(&event);
                if self.is_open {
                    (self.change, self.text) = (Some(event.clone()), String::new());
                }
            }
            (PromptViMode::Insert, PromptViMode::Insert) if event == ReedlineEvent::Enter => self.is_open = false,
            (PromptViMode::Insert, PromptViMode::Insert) if self.is_open && !self.record(&event) => {
                (self.is_open, self.change) = (false, None);
            }
            (PromptViMode::Normal, PromptViMode::Normal) => return self.repeat(event),
            _ => {}
        }
        event
    }

    /// True for a key that types, or takes a letter back that was typed.
    fn record(&mut self, event: &ReedlineEvent) -> bool {
        match event {
            ReedlineEvent::None => true,
            ReedlineEvent::Multiple(events) => events.iter().all(|event| self.record(event)),
            ReedlineEvent::Edit(edits) => edits.iter().all(|edit| match edit {
                EditCommand::InsertChar(c) => {
                    self.text.push(*c);
                    true
                }
                EditCommand::InsertString(text) => {
                    self.text.push_str(text);
                    true
                }
                EditCommand::Backspace => self.text.pop().is_some(),
                _ => false,
            }),
            _ => false,
        }
    }

    fn repeat(&mut self, event: ReedlineEvent) -> ReedlineEvent {
        if self.change.as_ref() == Some(&event) {
            // Another command that does the same without a text.
            self.change = None;
        }
        match (&self.change, &event) {
            (Some(change), ReedlineEvent::Multiple(events)) if events[..] == [change.clone()] => {
                // The text comes first: the cursor cannot be behind the last letter of a line once the change was made.
                let text = ReedlineEvent::Edit(vec![EditCommand::InsertString(self.text.clone())]);
                let back = EditCommand::Move(MotionTarget::Grapheme(Direction::Backward));
                ReedlineEvent::Multiple(vec![text, change.clone(), ReedlineEvent::Edit(vec![back])])
            }
            _ => cut_at_once(event),
        }
    }
}

/// True for what changes nothing but what is from the cursor on: the text can be typed before it.
fn goes_forward(event: &ReedlineEvent) -> bool {
    match event {
        // `i`
        ReedlineEvent::Repaint => true,
        ReedlineEvent::Multiple(events) => events.iter().all(goes_forward),
        ReedlineEvent::Edit(edits) => edits.iter().all(|edit| match edit {
            EditCommand::CutChar | EditCommand::ClearToLineEnd => true,
            EditCommand::Cut { target, granularity: Granularity::CharWise } => is_forward(target),
            _ => false,
        }),
        _ => false,
    }
}

fn is_forward(target: &MotionTarget) -> bool {
    matches!(
        target,
        MotionTarget::Word { direction: Direction::Forward, .. }
            | MotionTarget::Find { direction: Direction::Forward, .. }
            | MotionTarget::LineEdge(Direction::Forward)
    )
}

/// Several cut letters as one cut: of several the last one alone could be pasted.
fn cut_at_once(event: ReedlineEvent) -> ReedlineEvent {
    let letter = ReedlineEvent::Edit(vec![EditCommand::CutChar]);
    match event {
        ReedlineEvent::Multiple(events) if events.len() > 1 && events.iter().all(|it| *it == letter) => {
            let mut edits = vec![EditCommand::MoveRight { select: true }; events.len() - 1];
            edits.push(EditCommand::CutSelection { granularity: Granularity::CharWise });
            ReedlineEvent::Edit(edits)
        }
        ReedlineEvent::Multiple(events) => ReedlineEvent::Multiple(events.into_iter().map(cut_at_once).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INSERT: PromptEditMode = PromptEditMode::Vi(PromptViMode::Insert);
    const NORMAL: PromptEditMode = PromptEditMode::Vi(PromptViMode::Normal);

    fn cut_letters(count: usize) -> ReedlineEvent {
        ReedlineEvent::Multiple(vec![ReedlineEvent::Edit(vec![EditCommand::CutChar]); count])
    }

    fn typed(c: char) -> ReedlineEvent {
        ReedlineEvent::Edit(vec![EditCommand::InsertChar(c)])
    }

    /// `s`, a text, and Esc.
    fn changed(text: &str) -> ViRepeat {
        let mut vi = ViRepeat::default();
        vi.see([NORMAL, INSERT], cut_letters(1));
        text.chars().for_each(|c| drop(vi.see([INSERT, INSERT], typed(c))));
        vi.see([INSERT, NORMAL], ReedlineEvent::Esc);
        vi
    }

    #[test]
    fn a_change_is_repeated_with_its_text() {
        let dot = ReedlineEvent::Multiple(vec![cut_letters(1)]);
        let mut vi = changed("ab");
        let ReedlineEvent::Multiple(events) = vi.see([NORMAL, NORMAL], dot.clone()) else { panic!("several") };
        assert_eq!(events[0], ReedlineEvent::Edit(vec![EditCommand::InsertString("ab".to_owned())]));
        assert_eq!(events[1], cut_letters(1));
        // `x` is the last change now.
        vi.see([NORMAL, NORMAL], cut_letters(1));
        assert_eq!(vi.see([NORMAL, NORMAL], dot.clone()), dot);
    }

    #[test]
    fn a_change_is_repeated_in_the_next_line_too() {
        let dot = ReedlineEvent::Multiple(vec![cut_letters(1)]);
        let mut vi = changed("ab");
        let enter = vec![ReedlineEvent::Edit(vec![EditCommand::MoveRight { select: false }]), ReedlineEvent::Enter];
        vi.see([NORMAL, INSERT], ReedlineEvent::Multiple(enter));
        vi.see([INSERT, INSERT], typed('x'));
        vi.see([INSERT, NORMAL], ReedlineEvent::Esc);
        let ReedlineEvent::Multiple(events) = vi.see([NORMAL, NORMAL], dot) else { panic!("several") };
        assert_eq!(events[0], ReedlineEvent::Edit(vec![EditCommand::InsertString("ab".to_owned())]));
    }

    #[test]
    fn a_text_that_is_not_known_is_not_repeated() {
        let dot = ReedlineEvent::Multiple(vec![cut_letters(1)]);
        let mut vi = changed("ab");
        vi.see([NORMAL, INSERT], cut_letters(1));
        vi.see([INSERT, INSERT], ReedlineEvent::Menu("completions".to_owned()));
        vi.see([INSERT, NORMAL], ReedlineEvent::Esc);
        assert_eq!(vi.see([NORMAL, NORMAL], dot.clone()), dot);
        let backward = EditCommand::Cut {
            target: MotionTarget::LineEdge(Direction::Backward),
            granularity: Granularity::CharWise,
        };
        assert!(!goes_forward(&ReedlineEvent::Edit(vec![backward])));
    }

    #[test]
    fn several_letters_are_cut_at_once_and_other_events_stay() {
        let ReedlineEvent::Edit(edits) = cut_at_once(cut_letters(3)) else { panic!("one edit") };
        assert_eq!(edits.len(), 3);
        assert_eq!(edits[2], EditCommand::CutSelection { granularity: Granularity::CharWise });
        assert_eq!(cut_at_once(cut_letters(1)), cut_letters(1));
        assert_eq!(cut_at_once(typed('x')), typed('x'));
    }
}
