//! Whole keys out of the bytes that a terminal sends.
//!
//! The parser behind the line editor (crossterm) keeps an escape sequence until its end, however long that takes: after `ESC [ ?`
//! everything typed belongs to a report until there is a `u` or a `c`, and after the begin of a paste until its end. So it only
//! gets sequences that have ended. One that has not ended after [`KeyFilter::patience`] was a key, or is dropped.

use std::time::Duration;

use super::key_queue::KeyQueue;

/// How long the bytes of one key may be apart.
const KEY_PAUSE: Duration = Duration::from_millis(100);

/// How long the parts of one paste may be apart.
const PASTE_PAUSE: Duration = Duration::from_secs(1);

/// No sequence of a terminal is longer (the longest are mouse and attribute reports).
const MAX_SEQUENCE: usize = 64;

/// The longest answer to a query for a text (a colour, a version, a title, the clipboard) that is dropped as one.
const MAX_STRING: usize = 4096;

const PASTE_BEGIN: &[u8] = b"\x1b[200~";
const PASTE_END: &[u8] = b"\x1b[201~";
const ESC: u8 = 0x1b;
const CTRL_C: u8 = 0x03;

/// What a sequence that has begun is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sequence {
    /// A key or a report that the parser knows, or forgets by itself.
    Whole,
    /// More has to follow.
    Partial,
    /// It means nothing to the editor.
    Unknown,
    /// Its last byte is the first of something else.
    Broken,
    /// The same, and what is before it is a key.
    Followed,
}

/// Where in a paste the input is.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Paste {
    #[default]
    Outside,
    Inside,
    /// It was ended for want of an end. More of it may follow, and must not run as if it were typed.
    Overdue,
}

/// Holds back what is not yet a whole key.
#[derive(Debug, Default)]
pub struct KeyFilter {
    held: Vec<u8>,
    paste: Paste,
}

impl KeyFilter {
    /// Takes what the terminal sent at once, and appends what is whole to `keys`. `more` says that the rest was left unread.
    pub fn feed(&mut self, bytes: &[u8], more: bool, keys: &mut KeyQueue) {
        if self.paste == Paste::Overdue {
            self.paste = Paste::Outside;
            if !is_typed(bytes) {
                self.begin_paste(keys);
            }
        }
        for byte in bytes {
            self.held.push(*byte);
            match self.paste {
                Paste::Inside => self.paste(*byte, keys),
                Paste::Outside | Paste::Overdue => self.key(keys),
            }
        }
        // The Esc key sends nothing else.
        if self.paste == Paste::Outside && self.held == [ESC] && !more {
            keys.push(&std::mem::take(&mut self.held));
        }
    }

    /// How long the next byte is waited for; none if nothing has begun.
    #[must_use]
    pub fn patience(&self) -> Option<Duration> {
        match self.paste {
            Paste::Inside => Some(PASTE_PAUSE),
            Paste::Outside | Paste::Overdue => (!self.held.is_empty()).then_some(KEY_PAUSE),
        }
    }

    /// True in a paste, and where one may go on: how much comes at once says whether it is more of it.
    #[must_use]
    pub fn is_in_paste(&self) -> bool {
        self.paste != Paste::Outside
    }

    /// Nothing came within [`Self::patience`].
    pub fn give_up(&mut self, keys: &mut KeyQueue) {
        let held = std::mem::take(&mut self.held);
        if self.paste == Paste::Inside {
            keys.push_text(PASTE_END);
            self.paste = Paste::Overdue;
        } else if let [ESC, letter @ (b'[' | b'O')] = held[..] {
            // Alt-[ and Alt-O send the begin of a sequence; this is their other form.
            keys.push(format!("\x1b[{letter};3u").as_bytes());
        } else if matches!(held[..], [ESC, letter] if is_string(letter)) {
            keys.push(&held);
        }
    }

    fn begin_paste(&mut self, keys: &mut KeyQueue) {
        keys.push_text(PASTE_BEGIN);
        self.paste = Paste::Inside;
    }

    /// The next byte of a paste: given on, with only as much kept as its end is long.
    fn paste(&mut self, byte: u8, keys: &mut KeyQueue) {
        keys.push_text(&[byte]);
        if self.held.ends_with(PASTE_END) {
            self.held.clear();
            self.paste = Paste::Outside;
        } else if self.held.len() >= PASTE_END.len() {
            self.held.remove(0);
        }
    }

    /// The next byte of a key.
    fn key(&mut self, keys: &mut KeyQueue) {
        match classify(&self.held) {
            Sequence::Partial if self.held.len() < max_len(&self.held) => {}
            Sequence::Whole if self.held == PASTE_BEGIN => {
                self.held.clear();
                self.begin_paste(keys);
            }
            Sequence::Whole => keys.push(&std::mem::take(&mut self.held)),
            Sequence::Partial | Sequence::Unknown => self.held.clear(),
            found @ (Sequence::Broken | Sequence::Followed) => {
                // An Esc that does not end a string begins something else.
                let is_escaped = self.held.len() > 3 && self.held[self.held.len() - 2] == ESC;
                let rest = self.held.split_off(self.held.len() - if is_escaped { 2 } else { 1 });
                if found == Sequence::Followed {
                    keys.push(&std::mem::take(&mut self.held));
                }
                self.held = rest;
                // One byte is never broken, nor is Esc with another.
                self.key(keys);
            }
        }
    }
}

/// One press of a key, or Ctrl-C and what follows it: what a paste hardly ever is.
fn is_typed(bytes: &[u8]) -> bool {
    match bytes {
        [_] | [CTRL_C, ..] => true,
        _ => {
            let end = (1..=bytes.len()).find(|end| classify(&bytes[..*end]) != Sequence::Partial);
            end == Some(bytes.len()) && bytes != PASTE_BEGIN
        }
    }
}

/// How long what has begun may become.
fn max_len(held: &[u8]) -> usize {
    match held {
        [ESC, letter, ..] if is_string(*letter) => MAX_STRING,
        [0xc2, c1, ..] | [c1, ..] if is_string(c1.wrapping_sub(0x40)) => MAX_STRING,
        _ => MAX_SEQUENCE,
    }
}

/// What follows Esc where a terminal sends a text (ECMA-48: DCS, SOS, OSC, PM, APC).
fn is_string(letter: u8) -> bool {
    matches!(letter, b'P' | b'X' | b']' | b'^' | b'_')
}

fn classify(held: &[u8]) -> Sequence {
    match held {
        // Terminals send the eight-bit forms as they are, or as text. No key has such a form.
        [0xc2, 0x9b, body @ ..] | [0x9b, body @ ..] => match classify_csi(body) {
            Sequence::Whole => Sequence::Unknown,
            other => other,
        },
        [0xc2, c1, body @ ..] | [c1 @ 0x80..=0x9f, body @ ..] if is_string(c1.wrapping_sub(0x40)) => {
            classify_string(body)
        }
        [ESC, letter, body @ ..] if is_string(*letter) => match body {
            [] => Sequence::Partial,
            // Alt and a letter, and something that is typed.
            [first] if !begins_report(*letter, *first) => Sequence::Followed,
            _ => classify_string(body),
        },
        [ESC] => Sequence::Partial,
        // Twice the Esc key.
        [ESC, ESC] => Sequence::Whole,
        [ESC, b'[', body @ ..] => classify_csi(body),
        [ESC, b'O', body @ ..] => match body {
            [] => Sequence::Partial,
            [b'A'..=b'D' | b'F' | b'H' | b'P'..=b'S'] => Sequence::Whole,
            [byte] if is_printable(*byte) => Sequence::Unknown,
            _ => Sequence::Broken,
        },
        [ESC, letter @ ..] | letter => classify_letter(letter),
    }
}

/// What follows `ESC [` (ECMA-48: parameters, intermediate bytes, one final byte), and two older forms.
fn classify_csi(body: &[u8]) -> Sequence {
    let Some((last, before)) = body.split_last() else { return Sequence::Partial };
    match (before, last) {
        // Function keys of the Linux console; a mouse as X10 reports it, with three bytes of any value.
        ([], b'[') => return Sequence::Partial,
        ([b'['], b'A'..=b'E') => return Sequence::Whole,
        ([b'['], _) if is_printable(*last) => return Sequence::Unknown,
        ([], b'M') => return Sequence::Partial,
        ([b'M', rest @ ..], _) => return if rest.len() < 2 { Sequence::Partial } else { Sequence::Whole },
        _ => {}
    }
    match last {
        b' '..=b'?' => Sequence::Partial,
        b'@'..=b'~' => {
            let known = match body[0] {
                b'?' => *last == b'c' || (*last == b'u' && body.len() > 2),
                b'<' => matches!(last, b'm' | b'M'),
                b'0'..=b'9' | b';' => true,
                _ => before.is_empty(),
            };
            if known { Sequence::Whole } else { Sequence::Unknown }
        }
        _ => Sequence::Broken,
    }
}

/// How the answers of terminals go on: digits of a number, what kind it is, the title of a window, an image.
fn begins_report(letter: u8, first: u8) -> bool {
    match letter {
        b'P' => first.is_ascii_digit() || b"!$+=>|".contains(&first),
        b']' => first.is_ascii_digit() || b"lLI".contains(&first),
        b'_' => first == b'G',
        _ => false,
    }
}

/// What is between the begin of a text and its end: `ESC \`, or BEL.
fn classify_string(body: &[u8]) -> Sequence {
    match body {
        [.., 0x07] | [.., ESC, b'\\'] | [.., 0xc2, 0x9c] => Sequence::Unknown,
        // Other letters have this byte too.
        [.., 0x00..0x80, 0x9c] => Sequence::Unknown,
        [.., ESC] => Sequence::Partial,
        [.., ESC, _] => Sequence::Broken,
        [.., last] if last.is_ascii_control() => Sequence::Broken,
        _ => Sequence::Partial,
    }
}

/// A letter in UTF-8 or a control character.
fn classify_letter(letter: &[u8]) -> Sequence {
    let Some((first, rest)) = letter.split_first() else { return Sequence::Partial };
    let follow = match first {
        0x00..=0x7f => return Sequence::Whole,
        0xc2..=0xdf => 1,
        0xe0..=0xef => 2,
        0xf0..=0xf4 => 3,
        _ => return Sequence::Unknown,
    };
    match rest.last() {
        Some(last) if !(0x80..=0xbf).contains(last) => Sequence::Broken,
        _ if rest.len() < follow => Sequence::Partial,
        _ if std::str::from_utf8(letter).is_ok() => Sequence::Whole,
        _ => Sequence::Unknown,
    }
}

fn is_printable(byte: u8) -> bool {
    (b' '..=b'~').contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What comes of chunks with a pause after each.
    fn keys(chunks: &[&str]) -> String {
        let (mut filter, mut keys) = (KeyFilter::default(), KeyQueue::default());
        for chunk in chunks {
            filter.feed(chunk.as_bytes(), false, &mut keys);
            if filter.patience().is_some() {
                filter.give_up(&mut keys);
            }
        }
        String::from_utf8(keys.ready().to_vec()).expect("text")
    }

    #[test]
    fn whole_keys_are_given_on_as_they_are() {
        for key in [
            "a",
            "ä日👩",
            "\r",
            "\x1b",
            "\x1br",
            "\x1bä",
            "\x1b[A",
            "\x1b[[A",
            "\x1b[1;5C",
            "\x1b[3~",
            "\x1bOP",
            "\x1b[5;7R",
            "\x1b[?1;2c",
            "\x1b[?1u",
            "\x1b[<0;3;3M",
            "\x1b[M !!",
            "\x1b[200~a\nb\x1b[2J\x1b[201~c",
        ] {
            assert_eq!(keys(&[key]), key);
        }
    }

    #[test]
    fn what_does_not_end_takes_no_key_with_it() {
        for begin in ["\x1b[?", "\x1b[?1;2", "\x1b[<0;3", "\x1b[1;", "\x1b[>", "\x1b[M", "\x1b[[", "\x1b[ "] {
            assert_eq!(keys(&[begin, "exit", "\r"]), "exit\r", "{begin:?}");
        }
        // Reports that nothing asked for.
        for report in ["\x1b[?2026;1$y", "\x1b[?62n", "\x1b[>0;276;0c", "\x1b[?u", "\x1b[!p"] {
            assert_eq!(keys(&[&format!("{report}list")]), "list", "{report:?}");
        }
        // Another key comes before the end.
        assert_eq!(keys(&["\x1b[?\x1b[A\x1b[1\x03\x1bO\r"]), "\x1b[A\x03\r");
        assert_eq!(keys(&[&format!("\x1b[{}b", "1".repeat(100))]), format!("{}b", "1".repeat(38)));
    }

    #[test]
    fn texts_that_a_terminal_answers_with_are_no_keys() {
        for report in [
            "\x1b]11;rgb:0000/0000/0000\x07",
            "\x1b]4;1;rgb:ab/cd/ef\x1b\\",
            "\x1b]52;c;aGVsbG8=\x07",
            "\x1b]lthe titlÜ is\x1b\\",
            "\x1bP>|xterm(370)\x1b\\",
            "\x1bP!|00000000\x1b\\",
            "\x1bP1+r544e=787465726d\x1b\\",
            "\x1b_Gi=31;OK\x1b\\",
            "\u{9b}5;9R",
            "\u{9b}?62;22c",
            "\u{9d}11;rgb:0/0/0\x07",
            "\u{90}>|xterm\x1b\\",
        ] {
            assert_eq!(keys(&[&format!("a{report}list")]), "alist", "{report:?}");
            assert_eq!(keys(&[&report[..report.len() - 1], "list", "\r"]), "list\r", "{report:?} without its end");
        }
        assert_eq!(keys(&[&format!("\x1b]52;c;{}\x07list", "a".repeat(3000))]), "list");
        // Another key comes before the end.
        assert_eq!(keys(&["\x1b]11;rgb\x03\x1bP>|x\x1b[A\x1b]0;\rb"]), "\x03\x1b[A\rb");
        let (mut filter, mut keys) = (KeyFilter::default(), KeyQueue::default());
        filter.feed(b"\x9b5;9Ra\x9d11;x\x07b\x9d11;x\x9cc", false, &mut keys);
        assert_eq!(keys.ready(), b"abc");
    }

    #[test]
    fn alt_with_the_begin_of_a_text_is_a_key() {
        for letter in ["P", "X", "]", "^", "_"] {
            assert_eq!(keys(&[&format!("\x1b{letter}"), "a"]), format!("\x1b{letter}a"));
            assert_eq!(keys(&[&format!("\x1b{letter}ab")]), format!("\x1b{letter}ab"));
        }
        assert_eq!(keys(&["\x1b]\x1b[A"]), "\x1b]\x1b[A");
    }

    #[test]
    fn alt_with_the_begin_of_a_sequence_is_a_key() {
        assert_eq!(keys(&["\x1b[", "a"]), "\x1b[91;3ua");
        assert_eq!(keys(&["\x1bO", "a"]), "\x1b[79;3ua");
    }

    #[test]
    fn broken_text_is_dropped() {
        let (mut filter, mut keys) = (KeyFilter::default(), KeyQueue::default());
        filter.feed(b"\xe6\x97x\xff\x80y\xf0\x9f", false, &mut keys);
        filter.give_up(&mut keys);
        filter.feed(b"z", false, &mut keys);
        assert_eq!(keys.ready(), b"xyz");
    }

    #[test]
    fn a_paste_without_an_end_is_ended_and_does_not_run() {
        // What follows at once is a part of it still; a single key is typed.
        assert_eq!(
            keys(&["\x1b[200~one\n", "two\rthree\r", "x", "\r"]),
            "\x1b[200~one\n\x1b[201~\x1b[200~two\rthree\r\x1b[201~x\r"
        );
        assert_eq!(
            keys(&["\x1b[200~one\n", "two\n\x1b[201~list\r"]),
            "\x1b[200~one\n\x1b[201~\x1b[200~two\n\x1b[201~list\r"
        );
        assert_eq!(keys(&["\x1b[200~", "\x03exit\r"]), "\x1b[200~\x1b[201~\x03exit\r");
    }

    #[test]
    fn a_chunk_may_end_within_a_key() {
        let (mut filter, mut keys) = (KeyFilter::default(), KeyQueue::default());
        for chunk in [&b"\x1b"[..], b"[", b"1;5", b"C"] {
            filter.feed(chunk, true, &mut keys);
        }
        assert_eq!(keys.ready(), b"\x1b[1;5C");
    }
}
