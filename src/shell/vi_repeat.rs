//! What the keys of vi do that the editor leaves out: those that come at once do what they do one by one, `.` repeats the text of a
//! change too, `u` takes a repetition back at once, and `3x` and `3dw` cut once.

use reedline::{
    Direction, EditCommand, Granularity, MotionTarget, PromptEditMode, PromptViMode, ReedlineEvent, WordEdge,
};

use super::working_mode::WorkingMode;

const INSERT: PromptEditMode = PromptEditMode::Vi(PromptViMode::Insert);
const NORMAL: PromptEditMode = PromptEditMode::Vi(PromptViMode::Normal);

/// The last change, and what undo takes back.
#[derive(Debug)]
pub(super) struct ViRepeat {
    mode: WorkingMode,
    /// None if it cannot be repeated as it was.
    change: Option<Change>,
    /// Its text is being typed.
    is_open: bool,
    /// How many changes of the editor each of the last commands made, and those that were undone.
    done: Vec<usize>,
    undone: Vec<usize>,
}

/// A command that changes the line.
#[derive(Debug)]
struct Change {
    /// What the editor made of it.
    event: ReedlineEvent,
    /// What was typed for it; none for a command that takes no text.
    text: Option<String>,
}

impl ViRepeat {
    /// For an editor in this mode.
    pub(super) fn new(mode: WorkingMode) -> Self {
        Self { mode, change: None, is_open: false, done: Vec::new(), undone: Vec::new() }
    }

    /// The mode that the editor is in.
    pub(super) fn mode(&self) -> PromptEditMode {
        self.mode.now()
    }

    /// What a key does, given what the editor made of it, and the modes before and after: the editor is in the right mode for each part.
    pub(super) fn in_its_mode(&mut self, [before, after]: [PromptEditMode; 2], event: ReedlineEvent) -> ReedlineEvent {
        let mut events = Vec::new();
        let (escape, event) = split_escape(event);
        let before = match escape {
            Some(escape) => {
                events.extend(self.mode.enter(&NORMAL));
                events.push(self.see([before, NORMAL], escape));
                NORMAL
            }
            None => before,
        };
        events.extend(self.mode.enter(&after));
        self.mode.see(&event);
        let event = self.see([before, after], event);
        if events.is_empty() {
            return event;
        }
        events.push(event);
        ReedlineEvent::Multiple(events)
    }

    /// What a key does, given what the editor made of it, and the modes before and after. The editor is in the latter then.
    fn see(&mut self, modes: [PromptEditMode; 2], event: ReedlineEvent) -> ReedlineEvent {
        let [PromptEditMode::Vi(before), PromptEditMode::Vi(after)] = modes else { return event };
        match (before, after) {
            (PromptViMode::Normal, PromptViMode::Normal) => return self.command(event),
            (PromptViMode::Normal, PromptViMode::Insert) => {
                // Enter, a search and Ctrl-C lead there too.
                self.is_open = is_edit_alone(&event);
                if self.is_open {
                    self.change = Some(Change { event: event.clone(), text: Some(String::new()) });
                }
                self.forget_done();
                return self.cut_at_once(event);
            }
            (PromptViMode::Insert, PromptViMode::Insert) => {
                if event == ReedlineEvent::Enter {
                    self.is_open = false;
                } else if self.is_open && !self.record(&event) {
                    (self.is_open, self.change) = (false, None);
                }
                self.forget_done();
            }
            (PromptViMode::Visual, _) if changes(&event) > 0 => {
                (self.is_open, self.change) = (false, None);
                self.forget_done();
            }
            _ => self.is_open = false,
        }
        event
    }

    /// True for a key that types, or takes a letter back that was typed.
    fn record(&mut self, event: &ReedlineEvent) -> bool {
        let Some(Change { text: Some(typed), .. }) = &mut self.change else { return false };
        let mut edits = Vec::new();
        leaves(event, &mut |leaf| edits.push(leaf.clone()));
        edits.iter().all(|event| match event {
            ReedlineEvent::None => true,
            ReedlineEvent::Edit(edits) => edits.iter().all(|edit| match edit {
                EditCommand::InsertChar(c) => {
                    typed.push(*c);
                    true
                }
                EditCommand::InsertString(text) => {
                    typed.push_str(text);
                    true
                }
                EditCommand::Backspace => typed.pop().is_some(),
                _ => false,
            }),
            _ => false,
        })
    }

    /// A command that stays in the mode for commands.
    fn command(&mut self, event: ReedlineEvent) -> ReedlineEvent {
        if let ReedlineEvent::Multiple(events) = &event
            && !events.is_empty()
            && events.iter().all(|event| matches!(event, ReedlineEvent::Multiple(_)))
        {
            // Nothing else repeats a command.
            return self.repeat(events.len(), event);
        }
        for (step, is_undo) in [(EditCommand::Undo, true), (EditCommand::Redo, false)] {
            let times = count(&event, |edit| *edit == step);
            if times > 0 {
                return ReedlineEvent::Edit(vec![step; self.steps(times, is_undo)]);
            }
        }
        match changes(&event) {
            0 if is_harmless(&event) => {}
            made if made > 0 && is_edit_alone(&event) => {
                self.change = Some(Change { event: event.clone(), text: None });
                let event = self.cut_at_once(event);
                self.push_done(changes(&event));
                return event;
            }
            _ => self.forget_done(),
        }
        event
    }

    /// The last change so many times; `event` is what the editor would repeat.
    fn repeat(&mut self, times: usize, event: ReedlineEvent) -> ReedlineEvent {
        let Some(Change { event: change, text }) = &self.change else {
            self.forget_done();
            return event;
        };
        let (change, text) = (change.clone(), text.clone());
        let mut events = Vec::new();
        for _ in 0..times {
            let Some(text) = &text else {
                events.push(self.cut_at_once(change.clone()));
                continue;
            };
            events.extend(self.mode.enter(&INSERT));
            events.push(self.cut_at_once(change.clone()));
            if !text.is_empty() {
                events.push(ReedlineEvent::Edit(vec![EditCommand::InsertString(text.clone())]));
            }
            events.extend(self.mode.enter(&NORMAL));
            let back = EditCommand::Move(MotionTarget::Grapheme(Direction::Backward));
            events.push(ReedlineEvent::Edit(vec![back]));
        }
        let event = ReedlineEvent::Multiple(events);
        self.push_done(changes(&event));
        event
    }

    fn push_done(&mut self, made: usize) {
        self.undone.clear();
        if made > 0 {
            self.done.push(made);
        }
    }

    /// The changes of the editor are not known one by one from here on.
    fn forget_done(&mut self) {
        self.done.clear();
        self.undone.clear();
    }

    /// How many changes of the editor are to be undone, or done again, for so many commands.
    fn steps(&mut self, commands: usize, is_undo: bool) -> usize {
        let (from, to) = if is_undo { (&mut self.done, &mut self.undone) } else { (&mut self.undone, &mut self.done) };
        let steps = (0..commands).map(|_| {
            let made = from.pop();
            to.extend(made);
            made.unwrap_or(1)
        });
        steps.sum()
    }

    /// Several cuts as one: of several the last one alone could be pasted.
    fn cut_at_once(&self, event: ReedlineEvent) -> ReedlineEvent {
        let ReedlineEvent::Multiple(events) = &event else { return event };
        // `3cw` shows its mode after each cut.
        let mut cuts = events.iter().filter(|event| **event != ReedlineEvent::Repaint);
        let (Some(ReedlineEvent::Edit(edits)), times) = (cuts.clone().next(), cuts.clone().count()) else {
            return event;
        };
        let is_deletion = times == events.len();
        if times < 2 || !cuts.all(|cut| matches!(cut, ReedlineEvent::Edit(same) if same == edits)) {
            return event;
        }
        let cut = EditCommand::CutSelection { granularity: Granularity::CharWise };
        match edits[..] {
            [EditCommand::CutChar] if is_deletion => {
                let mut edits = vec![EditCommand::MoveRight { select: true }; times - 1];
                edits.push(cut);
                ReedlineEvent::Edit(edits)
            }
            [
                EditCommand::Cut {
                    target: target @ MotionTarget::Word { edge, .. },
                    granularity: Granularity::CharWise,
                },
            ] if edge == WordEdge::Start || !is_deletion => {
                // A selection that is made in the mode for commands has the letter of the cursor too.
                let mut events = self.mode.enter(&INSERT);
                let mut edits = vec![EditCommand::Extend(target); times];
                edits.push(cut);
                events.push(ReedlineEvent::Edit(edits));
                if is_deletion {
                    events.extend(self.mode.enter(&NORMAL));
                }
                ReedlineEvent::Multiple(events)
            }
            _ => event,
        }
    }
}

/// Esc, and what another key does then, where a terminal sent both as one key: Alt and that key.
fn split_escape(event: ReedlineEvent) -> (Option<ReedlineEvent>, ReedlineEvent) {
    match event {
        ReedlineEvent::Multiple(mut events) if events.first() == Some(&ReedlineEvent::Esc) => match events.pop() {
            Some(then) if events.last() == Some(&ReedlineEvent::Repaint) => {
                (Some(ReedlineEvent::Multiple(events)), then)
            }
            last => {
                events.extend(last);
                (None, ReedlineEvent::Multiple(events))
            }
        },
        other => (None, other),
    }
}

/// Goes through the events that an event is made of.
fn leaves(event: &ReedlineEvent, see: &mut dyn FnMut(&ReedlineEvent)) {
    match event {
        ReedlineEvent::Multiple(events) => events.iter().for_each(|event| leaves(event, see)),
        leaf => see(leaf),
    }
}

fn all_leaves(event: &ReedlineEvent, is: impl Fn(&ReedlineEvent) -> bool) -> bool {
    let mut all = true;
    leaves(event, &mut |leaf| all &= is(leaf));
    all
}

/// A command of vi that does something with the line and nothing else.
fn is_edit_alone(event: &ReedlineEvent) -> bool {
    matches!(event, ReedlineEvent::Multiple(_))
        && all_leaves(event, |leaf| matches!(leaf, ReedlineEvent::Edit(_) | ReedlineEvent::Repaint))
}

/// What changes no line.
fn is_harmless(event: &ReedlineEvent) -> bool {
    all_leaves(event, |leaf| {
        matches!(leaf, ReedlineEvent::Edit(_) | ReedlineEvent::Repaint | ReedlineEvent::None | ReedlineEvent::Esc)
    })
}

fn count(event: &ReedlineEvent, is: impl Fn(&EditCommand) -> bool) -> usize {
    let mut count = 0;
    leaves(event, &mut |leaf| {
        if let ReedlineEvent::Edit(edits) = leaf {
            count += edits.iter().filter(|edit| is(edit)).count();
        }
    });
    count
}

/// How often it changes the text.
fn changes(event: &ReedlineEvent) -> usize {
    count(event, |edit| edit.edit_type() == EditCommand::Delete.edit_type())
}

#[cfg(test)]
#[path = "vi_repeat_tests.rs"]
mod tests;
