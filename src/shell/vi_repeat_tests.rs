use super::*;

fn cut_letters(count: usize) -> ReedlineEvent {
    ReedlineEvent::Multiple(vec![ReedlineEvent::Edit(vec![EditCommand::CutChar]); count])
}

fn typed(c: char) -> ReedlineEvent {
    ReedlineEvent::Edit(vec![EditCommand::InsertChar(c)])
}

fn inserted(text: &str) -> ReedlineEvent {
    ReedlineEvent::Edit(vec![EditCommand::InsertString(text.to_owned())])
}

fn append() -> ReedlineEvent {
    ReedlineEvent::Multiple(vec![ReedlineEvent::Edit(vec![EditCommand::MoveToLineEnd { select: false }])])
}

/// What the editor makes of `.` after a command.
fn dot(last: ReedlineEvent) -> ReedlineEvent {
    ReedlineEvent::Multiple(vec![last])
}

fn undo() -> ReedlineEvent {
    ReedlineEvent::Multiple(vec![ReedlineEvent::Edit(vec![EditCommand::Undo])])
}

fn vi() -> ViRepeat {
    let mode = WorkingMode::default();
    mode.begin(NORMAL);
    ViRepeat::new(mode)
}

/// A command, a text, and Esc.
fn changed(command: ReedlineEvent, text: &str) -> ViRepeat {
    let mut vi = vi();
    vi.see([NORMAL, INSERT], command);
    text.chars().for_each(|c| drop(vi.see([INSERT, INSERT], typed(c))));
    vi.see([INSERT, NORMAL], ReedlineEvent::Esc);
    vi
}

/// What a repetition does besides changing the mode.
fn repeated(vi: &mut ViRepeat, last: ReedlineEvent) -> Vec<ReedlineEvent> {
    let ReedlineEvent::Multiple(events) = vi.see([NORMAL, NORMAL], dot(last)) else { panic!("several") };
    let is_mode = |event: &ReedlineEvent| {
        matches!(event, ReedlineEvent::HistoryHintWordComplete) || *event == ReedlineEvent::Edit(Vec::new())
    };
    events.into_iter().filter(|event| !is_mode(event)).collect()
}

#[test]
fn a_change_is_repeated_with_its_text() {
    for command in [cut_letters(1), append(), ReedlineEvent::Multiple(vec![ReedlineEvent::Repaint])] {
        let mut vi = changed(command.clone(), "ab");
        assert_eq!(repeated(&mut vi, command.clone())[..2], [command.clone(), inserted("ab")]);
        // What moves alone is not the last change, though it does the same.
        vi.see([NORMAL, NORMAL], append());
        assert_eq!(repeated(&mut vi, command.clone())[..2], [command, inserted("ab")]);
        // `x` is the last change now, and `yw` or `u` is none.
        vi.see([NORMAL, NORMAL], cut_letters(1));
        vi.see([NORMAL, NORMAL], undo());
        assert_eq!(repeated(&mut vi, undo()), [cut_letters(1)]);
    }
}

#[test]
fn a_change_is_repeated_in_the_next_line_too() {
    let mut vi = changed(cut_letters(1), "ab");
    let enter = vec![ReedlineEvent::Edit(vec![EditCommand::MoveRight { select: false }]), ReedlineEvent::Enter];
    vi.see([NORMAL, INSERT], ReedlineEvent::Multiple(enter));
    vi.see([INSERT, INSERT], typed('x'));
    vi.see([INSERT, NORMAL], ReedlineEvent::Esc);
    assert_eq!(repeated(&mut vi, cut_letters(1))[1], inserted("ab"));
}

#[test]
fn a_text_that_is_not_known_is_not_repeated() {
    let mut vi = changed(cut_letters(1), "ab");
    vi.see([NORMAL, INSERT], cut_letters(1));
    vi.see([INSERT, INSERT], ReedlineEvent::Menu("completions".to_owned()));
    vi.see([INSERT, NORMAL], ReedlineEvent::Esc);
    assert_eq!(vi.see([NORMAL, NORMAL], dot(cut_letters(1))), dot(cut_letters(1)));
}

#[test]
fn undo_takes_a_repetition_back_at_once_and_redo_does_it_again() {
    let mut vi = changed(cut_letters(1), "ab");
    let steps = |vi: &mut ViRepeat, step: EditCommand| {
        let event = vi.see([NORMAL, NORMAL], ReedlineEvent::Multiple(vec![ReedlineEvent::Edit(vec![step])]));
        let ReedlineEvent::Edit(edits) = event else { panic!("edits") };
        edits.len()
    };
    repeated(&mut vi, cut_letters(1));
    vi.see([NORMAL, NORMAL], cut_letters(1));
    repeated(&mut vi, cut_letters(1));
    assert_eq!([(); 3].map(|()| steps(&mut vi, EditCommand::Undo)), [1, 1, 2]);
    assert_eq!([(); 3].map(|()| steps(&mut vi, EditCommand::Redo)), [2, 1, 1]);
    vi.see([NORMAL, INSERT], append());
    assert_eq!(steps(&mut vi, EditCommand::Undo), 1);
}

#[test]
fn several_letters_are_cut_at_once_and_other_events_stay() {
    let vi = vi();
    let ReedlineEvent::Edit(edits) = vi.cut_at_once(cut_letters(3)) else { panic!("one edit") };
    assert_eq!(edits.len(), 3);
    assert_eq!(edits[2], EditCommand::CutSelection { granularity: Granularity::CharWise });
    assert_eq!(vi.cut_at_once(cut_letters(1)), cut_letters(1));
    assert_eq!(vi.cut_at_once(typed('x')), typed('x'));
}
