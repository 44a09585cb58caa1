//! The keys of the prompt, as the help tells them; a test of the editor presses each.

use std::fmt::Write;

/// Keys that do the same, or belong together.
#[derive(Debug, Clone, Copy)]
pub struct KeyHelp {
    /// What is pressed: `Tab`, `Ctrl-R`, `Ctrl-X Ctrl-E` for one after the other.
    pub keys: &'static [&'static str],
    /// What it does.
    pub text: &'static str,
}

const fn key(keys: &'static [&'static str], text: &'static str) -> KeyHelp {
    KeyHelp { keys, text }
}

/// Those of both edit modes.
pub const KEYS: &[KeyHelp] = &[
    key(&["Tab", "Shift-Tab"], "completes, or shows what fits here; Tab again goes through it, Shift-Tab back"),
    key(&["PageDown", "PageUp"], "a page on or back in what is longer than half of the screen"),
    key(&["Esc", "Ctrl-G"], "closes what Tab or Ctrl-R shows"),
    key(&["Enter"], "runs the line"),
    key(&["Alt-Enter"], "a further line; an open quote or a `\\` at the end continues the line by itself"),
    key(&["Up", "Down"], "earlier lines, and back"),
    key(&["Ctrl-R"], "finds earlier lines that have each word, or else its letters in order"),
    key(&["Alt-R"], "the same in another place: all lines, those of this organization, those of this environment"),
    key(&["Right"], "at the end of the line: takes the grey rest of an earlier line"),
    key(&["Ctrl-O", "Ctrl-X Ctrl-E"], "the line in $VISUAL or $EDITOR"),
    key(&["F1"], "the help of the command, the option or the value that the cursor is on; the line stays"),
    key(
        &["Ctrl-C"],
        "drops the line or ends what runs, never the session; a second one ends what ignores it behind `watch` or `|`",
    ),
    key(&["Ctrl-D"], "closes what Tab or Ctrl-R shows; on an empty line it ends the session"),
    key(&["Ctrl-L"], "clears the screen; the line stays"),
];

/// Those that move and change the line in the edit mode `emacs`.
pub const EMACS_KEYS: &[KeyHelp] = &[
    key(&["Ctrl-A", "Ctrl-E"], "to the beginning, to the end of the line"),
    key(&["Alt-B", "Alt-F"], "a word back, a word on; at the end of the line Alt-F takes a word of the grey rest"),
    key(&["Ctrl-F"], "a character on; at the end of the line it takes the grey rest"),
    key(&["Ctrl-W", "Alt-D"], "cuts the word before, after the cursor"),
    key(&["Ctrl-U", "Ctrl-K"], "cuts what is before, after the cursor"),
    key(&["Alt-."], "the last argument of the line before; again: of the one before that"),
    key(&["Ctrl-Y"], "puts back what was cut"),
    key(&["Ctrl-Z", "Ctrl-G"], "takes the last change of the line back; does it again, where nothing is to be closed"),
];

/// The topic.
pub(super) fn topic() -> String {
    let mut text = "The keys of the prompt:\n\n".to_owned();
    rows(&mut text, KEYS);
    text.push_str("\nWith `edit-mode = \"emacs\"`, which is how a prompt begins:\n\n");
    rows(&mut text, EMACS_KEYS);
    text.push_str(
        "\n`set edit-mode vi` gives the keys of vi for this session: Esc begins its commands, `i` goes back to typing; there Ctrl-R\n\
         takes back an undo. `config edit` is the place to keep it. A prompt without an editor (`help plain`) has Enter, Ctrl-C and\n\
         Ctrl-D, and the keys that the terminal itself has.\n",
    );
    text
}

fn rows(text: &mut String, keys: &[KeyHelp]) {
    let width = KEYS.iter().chain(EMACS_KEYS).map(|it| it.keys.join(", ").len()).max().unwrap_or(0);
    for key in keys {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{:width$}  {}", key.keys.join(", "), key.text);
    }
}
