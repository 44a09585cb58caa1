//! Whole keys out of the bytes that a terminal sends.
//!
//! The parser behind the line editor (crossterm) keeps an escape sequence until its end, however long that takes: after `ESC [ ?`
//! everything typed belongs to a report until there is a `u` or a `c`, and after the begin of a paste until its end. So it only
//! gets sequences that have ended. One that has not ended after [`KeyFilter::patience`] was a key, or is dropped.

use std::time::Duration;

/// How long the bytes of one key may be apart.
const KEY_PAUSE: Duration = Duration::from_millis(100);

/// How long the parts of one paste may be apart.
const PASTE_PAUSE: Duration = Duration::from_secs(1);

/// No sequence of a terminal is longer (the longest are mouse and attribute reports).
const MAX_SEQUENCE: usize = 64;

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
    pub fn feed(&mut self, bytes: &[u8], more: bool, keys: &mut Vec<u8>) {
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
            keys.append(&mut self.held);
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

    /// Nothing came within [`Self::patience`].
    pub fn give_up(&mut self, keys: &mut Vec<u8>) {
        let held = std::mem::take(&mut self.held);
        if self.paste == Paste::Inside {
            keys.extend(PASTE_END);
            self.paste = Paste::Overdue;
        } else if let [ESC, letter @ (b'[' | b'O')] = held[..] {
            // Alt-[ and Alt-O send the begin of a sequence; this is their other form.
            keys.extend(format!("\x1b[{letter};3u").into_bytes());
        }
    }

    fn begin_paste(&mut self, keys: &mut Vec<u8>) {
        keys.extend(PASTE_BEGIN);
        self.paste = Paste::Inside;
    }

    /// The next byte of a paste: given on, with only as much kept as its end is long.
    fn paste(&mut self, byte: u8, keys: &mut Vec<u8>) {
        keys.push(byte);
        if self.held.ends_with(PASTE_END) {
            self.held.clear();
            self.paste = Paste::Outside;
        } else if self.held.len() >= PASTE_END.len() {
            self.held.remove(0);
        }
    }

    /// The next byte of a key.
    fn key(&mut self, keys: &mut Vec<u8>) {
        match classify(&self.held) {
            Sequence::Partial if self.held.len() < MAX_SEQUENCE => {}
            Sequence::Whole if self.held == PASTE_BEGIN => {
                self.held.clear();
                self.begin_paste(keys);
            }
            Sequence::Whole => keys.append(&mut self.held),
            Sequence::Partial | Sequence::Unknown => self.held.clear(),
            Sequence::Broken => {
                self.held.drain(..self.held.len() - 1);
                // One byte is never broken.
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

fn classify(held: &[u8]) -> Sequence {
    match held {
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
        let (mut filter, mut keys) = (KeyFilter::default(), Vec::new());
        for chunk in chunks {
            filter.feed(chunk.as_bytes(), false, &mut keys);
            if filter.patience().is_some() {
                filter.give_up(&mut keys);
            }
        }
        String::from_utf8(keys).expect("text")
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
    fn alt_with_the_begin_of_a_sequence_is_a_key() {
        assert_eq!(keys(&["\x1b[", "a"]), "\x1b[91;3ua");
        assert_eq!(keys(&["\x1bO", "a"]), "\x1b[79;3ua");
    }

    #[test]
    fn broken_text_is_dropped() {
        let (mut filter, mut keys) = (KeyFilter::default(), Vec::new());
        filter.feed(b"\xe6\x97x\xff\x80y\xf0\x9f", false, &mut keys);
        filter.give_up(&mut keys);
        filter.feed(b"z", false, &mut keys);
        assert_eq!(keys, b"xyz");
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
        let (mut filter, mut keys) = (KeyFilter::default(), Vec::new());
        for chunk in [&b"\x1b"[..], b"[", b"1;5", b"C"] {
            filter.feed(chunk, true, &mut keys);
        }
        assert_eq!(keys, b"\x1b[1;5C");
    }
}
