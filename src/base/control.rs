//! Characters that a terminal obeys instead of showing them.

/// True for a character that does something to a terminal: moves its cursor, turns the direction of text, or hides in it.
#[must_use]
pub fn is_terminal_control(c: char) -> bool {
    c.is_control() || is_bidi_control(c) || is_invisible(c)
}

/// Characters that make text appear in another order than it is written.
fn is_bidi_control(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{206f}')
}

/// Ends of lines that look like none, marks around text, and invisible letters.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{2028}' | '\u{2029}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// A text as it may stand in a line that is edited: without what a terminal would obey but for line ends; a tab is a blank.
#[must_use]
pub fn sanitize_input(text: &str) -> String {
    let text = text.replace("\r\n", "\n").replace('\r', "\n").replace('\t', " ");
    text.chars().filter(|c| *c == '\n' || !is_terminal_control(*c)).collect()
}

/// JSON with every such character in its texts as `\u…`, which means the same. Line ends between values stay.
#[must_use]
pub fn escape_json(document: &str) -> String {
    let harmful = |c: char| is_terminal_control(c) && c != '\n';
    if !document.contains(harmful) {
        return document.to_owned();
    }
    let mut out = String::with_capacity(document.len() + 16);
    for c in document.chars() {
        if harmful(c) {
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
    fn what_is_typed_is_seen() {
        assert_eq!(sanitize_input("a\u{1b}[31mred\tb\r\nc\u{202e}d\u{9b}1m\u{7f}"), "a[31mred b\ncd1m");
    }

    proptest! {
        #[test]
        fn json_means_the_same_and_does_nothing(text in any::<String>(), more in "[\u{7f}-\u{9f}\u{202a}-\u{202e}\u{e0041}]{0,4}") {
            let value = serde_json::json!({ "text": format!("{text}{more}") });
            let written = escape_json(&format!("{value:#}"));
            prop_assert!(!written.contains(|c| is_terminal_control(c) && c != '\n'));
            prop_assert_eq!(serde_json::from_str::<serde_json::Value>(&written).expect("JSON"), value);
        }
    }
}
