//! What undo takes back, for an editor that goes on where another one was.
//!
//! The editor does not show its undo stack, so it is walked through with undo and redo, and edits that lead to the same texts are made.

use reedline::{EditCommand, Reedline};

/// The most changes that are carried over.
const MAX_CHANGES: usize = 200;

/// After so many steps that lead nowhere there are no more: an edit may have changed nothing (Ctrl-W at the beginning).
const MAX_IN_VAIN: usize = 8;

/// Texts longer than this are carried over alone.
const MAX_LENGTH: usize = 16 * 1024;

/// The texts that undo and redo lead to, oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Changes {
    texts: Vec<String>,
    /// How many of them redo leads to.
    undone: usize,
}

impl Changes {
    /// Those of an editor whose line is not needed any more.
    pub(super) fn of(editor: &mut Reedline) -> Self {
        let now = editor.current_buffer_contents().to_owned();
        let undone = walk(editor, &EditCommand::Redo).len();
        let last = editor.current_buffer_contents().to_owned();
        let mut texts = walk(editor, &EditCommand::Undo);
        texts.reverse();
        texts.push(last);
        let is_there = texts.iter().rev().nth(undone) == Some(&now);
        // An editor that was interrupted has forgotten its changes, and its line would be undone.
        if is_there { Self { texts, undone } } else { Self { texts: vec![now], undone: 0 } }
    }

    /// Makes them in an editor with an empty line.
    pub(super) fn replay(&self, editor: &mut Reedline) {
        let now = self.texts.len().saturating_sub(self.undone + 1);
        let all = kept(&self.texts);
        let (texts, undone) = if all.len() > self.undone {
            (all, self.undone)
        } else {
            (kept(self.texts.get(..=now).unwrap_or_default()), 0)
        };
        let mut shown = "";
        for text in texts {
            if text != shown {
                editor.run_edit_commands(&change(shown, text));
            }
            shown = text;
        }
        editor.run_edit_commands(&vec![EditCommand::Undo; undone]);
    }
}

/// The last texts, without a long one that another one follows: the editor would remove it character by character.
fn kept(texts: &[String]) -> &[String] {
    match texts.iter().rposition(|text| text.len() > MAX_LENGTH) {
        Some(long) if long + 1 < texts.len() => &texts[long + 1..],
        Some(long) => &texts[long..],
        None => texts,
    }
}

/// The texts that a command leads to, one after the other, until it leads nowhere.
fn walk(editor: &mut Reedline, step: &EditCommand) -> Vec<String> {
    let mut texts = Vec::new();
    let mut before = editor.current_buffer_contents().to_owned();
    let mut in_vain = 0;
    while texts.len() < MAX_CHANGES && in_vain < MAX_IN_VAIN {
        editor.run_edit_commands(std::slice::from_ref(step));
        let text = editor.current_buffer_contents();
        in_vain += 1;
        if text != before {
            text.clone_into(&mut before);
            texts.push(before.clone());
            in_vain = 0;
        }
    }
    texts
}

/// One change for undo that makes one text of another one; the cursor goes where they differ.
fn change(from: &str, to: &str) -> Vec<EditCommand> {
    // What is beside the place that changes must not be a part of a character there.
    let is_plain = |byte: Option<&u8>| byte.is_none_or(|byte| byte.is_ascii() && *byte != b'\r' && *byte != b'\n');
    let (old, new) = (from.as_bytes(), to.as_bytes());
    let mut start = old.iter().zip(new).take_while(|(old, new)| old == new).count();
    while start > 0 && !(is_plain(old.get(start)) && is_plain(new.get(start)) && is_plain(old.get(start - 1))) {
        start -= 1;
    }
    let most = old.len().min(new.len()) - start;
    let same = old.iter().rev().zip(new.iter().rev()).take(most).take_while(|(old, new)| old == new).count();
    let end = old.len() - same;
    // The editor removes characters as they are seen: in other texts all that follows is removed, for more than there is does no harm.
    let is_simple = old[start..].is_ascii() && !old[start..].contains(&b'\r') && new.is_ascii();
    let (removed, written) = if is_simple {
        (end - start, &to[start..new.len() - same])
    } else {
        (from[start..].chars().count(), &to[start..])
    };
    let edit = match removed {
        0 => EditCommand::InsertString(written.to_owned()),
        _ => EditCommand::ReplaceChars(removed, written.to_owned()),
    };
    vec![EditCommand::MoveToPosition { position: start, select: false }, edit]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(texts: &[&str]) -> Reedline {
        let mut editor = Reedline::create();
        let mut shown = "";
        for text in texts {
            let all = vec![
                EditCommand::MoveToStart { select: false },
                EditCommand::ReplaceChars(2 * MAX_LENGTH, (*text).to_owned()),
            ];
            editor.run_edit_commands(&all);
            shown = text;
        }
        assert_eq!(editor.current_buffer_contents(), shown);
        editor
    }

    #[test]
    fn another_editor_has_the_same_changes() {
        let texts = [
            "tsm",
            "tsm stop",
            "tsm stop api",
            "tsm  api",
            "x tsm  api",
            "",
            "日本",
            "日a\u{301}本",
            "日a本",
            "日a\u{301}本 é",
            "a\r\nb",
            "a\nb",
            "a",
            "aaa",
            "aa",
            "👩‍👩‍👧",
            "👩‍👩",
            "tsm",
        ];
        for undone in [0, 1, 5, texts.len()] {
            let mut editor = typed(&texts);
            editor.run_edit_commands(&vec![EditCommand::Undo; undone]);
            let line = editor.current_buffer_contents().to_owned();
            let changes = Changes::of(&mut editor);
            let mut other = Reedline::create();
            changes.replay(&mut other);
            assert_eq!(other.current_buffer_contents(), line);
            assert_eq!(Changes::of(&mut other), changes, "{undone}");
            let mut all = vec![""];
            all.extend(texts);
            assert_eq!(changes.texts, all);
            assert_eq!(changes.undone, undone);
        }
    }

    #[test]
    fn edits_that_change_nothing_hide_no_others() {
        let mut editor = typed(&["tsm", "tsm stop", "tsm stop", "tsm stop", "tsm list", "tsm list"]);
        editor.run_edit_commands(&[EditCommand::Undo, EditCommand::Undo]);
        let changes = Changes::of(&mut editor);
        assert_eq!(
            changes,
            Changes { texts: ["", "tsm", "tsm stop", "tsm list"].map(str::to_owned).into(), undone: 1 }
        );
        let mut other = Reedline::create();
        changes.replay(&mut other);
        assert_eq!(other.current_buffer_contents(), "tsm stop");
    }

    #[test]
    fn what_comes_after_a_long_line_is_carried_over_or_the_line_itself() {
        let long = "x".repeat(MAX_LENGTH + 1);
        for (undone, line, texts) in
            [(0, "tsm list", vec!["", "tsm list"]), (1, &long, vec!["", &long]), (2, "tsm", vec!["", "tsm"])]
        {
            let mut editor = typed(&["tsm", &long, "tsm list"]);
            editor.run_edit_commands(&vec![EditCommand::Undo; undone]);
            let mut other = Reedline::create();
            Changes::of(&mut editor).replay(&mut other);
            assert_eq!(other.current_buffer_contents(), line);
            assert_eq!(Changes::of(&mut other).texts, texts);
        }
    }

    #[test]
    fn many_changes_end_somewhere() {
        let mut editor = Reedline::create();
        for number in 0..MAX_CHANGES + 50 {
            editor.run_edit_commands(&[EditCommand::InsertString(number.to_string())]);
        }
        let line = editor.current_buffer_contents().to_owned();
        let mut other = Reedline::create();
        Changes::of(&mut editor).replay(&mut other);
        assert_eq!(other.current_buffer_contents(), line);
    }
}
