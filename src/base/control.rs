//! Characters that a terminal obeys instead of showing them.

use std::borrow::Cow;

/// True for a character that does something to a terminal by itself: moves its cursor, turns the direction of text, or hides in it.
#[must_use]
pub fn is_terminal_control(c: char) -> bool {
    c.is_control() || is_bidi_control(c) || is_invisible(c)
}

/// Characters that make text appear in another order than it is written.
fn is_bidi_control(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{206f}')
}

/// Ends of lines that look like none, marks around text, and what Unicode lets a terminal leave out (`Default_Ignorable_Code_Point`)
/// but for [joiners](is_joiner) and [selectors](is_selector).
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}' | '\u{fff9}'..='\u{fffb}')
        || matches!(
            c,
            '\u{ad}' | '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}' | '\u{200b}'
        )
        || matches!(c, '\u{2060}'..='\u{2065}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fff8}')
        || matches!(c, '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}')
        || matches!(c, '\u{e0000}'..='\u{e00ff}' | '\u{e01f0}'..='\u{e0fff}')
}

/// Joins letters, or keeps them apart: Persian, the scripts of India and emoji are written with them.
fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}')
}

/// Chooses a form of the letter before it.
fn is_selector(c: char) -> bool {
    matches!(c, '\u{180b}'..='\u{180d}' | '\u{180f}' | '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}

/// The characters of a text, each with whether it is harmful there: obeyed by a terminal, or hidden in the text. A joiner means nothing
/// between ASCII letters, a selector nothing behind one (but for the keys `0`-`9`, `#` and `*` of emoji).
pub fn judged(text: &str) -> impl Iterator<Item = (char, bool)> {
    let mut before = None;
    let mut rest = text.chars().peekable();
    std::iter::from_fn(move || {
        let c = rest.next()?;
        let is_harmful = is_harmful_between(before, c, rest.peek().copied());
        before = Some(c);
        Some((c, is_harmful))
    })
}

fn is_harmful_between(before: Option<char>, c: char, after: Option<char>) -> bool {
    if is_joiner(c) {
        !before.is_some_and(is_written) && !after.is_some_and(is_written)
    } else if is_selector(c) {
        let is_key = |it: char| matches!(c, '\u{fe0e}' | '\u{fe0f}') && matches!(it, '0'..='9' | '#' | '*');
        !before.is_some_and(|it| is_written(it) || is_key(it))
    } else {
        is_terminal_control(c)
    }
}

/// What is beside the place where a character is typed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Surroundings {
    before: Option<char>,
    /// The last character before it apart from selectors: a joiner joins a letter together with its form.
    letter: Option<char>,
    after: Option<char>,
}

impl Surroundings {
    /// What is beside this byte of a line.
    #[must_use]
    pub fn at(line: &str, cursor: usize) -> Self {
        let (before, after) = line.split_at_checked(cursor).unwrap_or_default();
        let mut backwards = before.chars().rev().peekable();
        Self {
            before: backwards.peek().copied(),
            letter: backwards.find(|c| !is_selector(*c)),
            after: after.chars().next(),
        }
    }

    /// What is beside the place behind a character that was typed here.
    #[must_use]
    pub fn behind(self, c: char) -> Self {
        Self { before: Some(c), letter: if is_selector(c) { self.letter } else { Some(c) }, after: self.after }
    }

    /// True for a character that would be [harmful](judged) here. What a joiner joins is typed after it, so the letter before is enough.
    #[must_use]
    pub fn make_harmful(self, c: char) -> bool {
        is_harmful_between(if is_joiner(c) { self.letter } else { self.before }, c, self.after)
    }
}

/// True for a character that is not seen by itself, harmful or not.
#[must_use]
pub fn is_unseen(c: char) -> bool {
    is_terminal_control(c) || is_joiner(c) || is_selector(c)
}

/// A letter or sign beyond ASCII that is seen.
fn is_written(c: char) -> bool {
    !c.is_ascii() && !is_unseen(c) && !c.is_whitespace()
}

/// True if something in the text is [harmful](judged).
#[must_use]
pub fn is_harmful(text: &str) -> bool {
    // Nearly all text is this, and on the path of each key.
    let is_plain = text.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    !is_plain && judged(text).any(|(_, is_harmful)| is_harmful)
}

/// The text with what is [harmful](judged) in it as `\u{…}`, `\n`, `\r` and `\t`, but for what `keep` is true for.
#[must_use]
pub fn escape(text: &str, keep: fn(char) -> bool) -> Cow<'_, str> {
    if !is_harmful(text) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 8);
    for (c, is_harmful) in judged(text) {
        if is_harmful && !keep(c) {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
    }
    Cow::Owned(out)
}

/// A text as it may be in a line that is edited: what a terminal would obey is shown as `\u{…}`, so that it is seen what was pasted and
/// where; line ends stay, a tab is a blank.
#[must_use]
pub fn visible_input(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n").replace('\t', " ");
    escape(&text, |c| c == '\n').into_owned()
}

/// JSON with every such character in its texts as `\u…`, which means the same. Line ends between values stay.
#[must_use]
pub fn escape_json(document: &str) -> String {
    if !is_harmful(document) {
        return document.to_owned();
    }
    let mut out = String::with_capacity(document.len() + 16);
    for (c, is_harmful) in judged(document) {
        if is_harmful && c != '\n' {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                out.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_control_is_obeyed_and_no_letter_is() {
        for c in ('\0'..'\u{20}').chain('\u{7f}'..'\u{a0}').chain("\u{61c}\u{200e}\u{202e}\u{2069}\u{2028}".chars()) {
            assert!(is_terminal_control(c), "{c:?}");
        }
        // The joiner that emoji are made with too.
        for c in "aé日😀 ~\u{200d}".chars() {
            assert!(!is_terminal_control(c), "{c:?}");
        }
    }

    #[test]
    fn what_hides_is_seen() {
        let hidden = "\u{ad}\u{34f}\u{115f}\u{1160}\u{17b4}\u{17b5}\u{180e}\u{200b}\u{2060}\u{2061}\u{2062}\u{2063}\u{2064}\u{206a}\u{206f}\
                      \u{3164}\u{feff}\u{ffa0}\u{fff9}\u{fffb}\u{1d173}\u{e0001}\u{e0020}\u{e007f}";
        for c in hidden.chars().chain("\u{fe0f}\u{fe00}\u{e0100}\u{180b}\u{200c}\u{200d}".chars()) {
            assert_eq!(visible_input(&format!("we{c}b")), format!("we{}b", c.escape_unicode()));
        }
        // Two selectors in a row carry nothing.
        assert_eq!(visible_input("😀\u{fe0f}\u{fe01}"), "😀\u{fe0f}\\u{fe01}");
    }

    #[test]
    fn what_writing_needs_stays() {
        let written = [
            "می\u{200c}خواهم",
            "PDF\u{200c}ها",
            "क्\u{200d}ष",
            "👩\u{200d}🚀",
            "❤\u{fe0f}\u{200d}🔥",
            "1\u{fe0f}\u{20e3}",
            "葛\u{e0100}",
        ];
        for text in written {
            assert_eq!(visible_input(text), text);
            assert!(!is_harmful(text), "{text}");
        }
    }

    #[test]
    fn what_is_typed_is_seen() {
        assert_eq!(
            visible_input("a\u{1b}[31mred\tb\r\nc\u{202e}d\u{9b}1m\u{7f}"),
            "a\\u{1b}[31mred b\nc\\u{202e}d\\u{9b}1m\\u{7f}"
        );
    }

    proptest! {
        #[test]
        fn json_means_the_same_and_does_nothing(text in any::<String>(), more in "[\u{7f}-\u{9f}\u{200b}-\u{200d}\u{202a}-\u{202e}\u{fe0f}\u{e0041}]{0,4}") {
            let value = serde_json::json!({ "text": format!("{text}{more}") });
            let written = escape_json(&format!("{value:#}"));
            prop_assert!(!is_harmful(&written.replace('\n', "")));
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&written).expect("JSON"), value);
        }
    }
}
