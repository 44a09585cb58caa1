//! Keys on their way to a line editor, which gets them up to the end of a line.
//!
//! A line that has ended runs, and its command has the terminal. What was typed behind it must be read after all that is typed while
//! the command runs is known to follow it, and must be dropped with Ctrl-C. So it waits here until the editor asks for more.

use std::collections::VecDeque;

const ENTER: u8 = b'\r';
const CTRL_C: u8 = 0x03;
const CTRL_D: u8 = 0x04;
/// The external editor, which has the terminal then; the second with Ctrl-X before it.
const CTRL_O: u8 = 0x0f;
const CTRL_E: u8 = 0x05;

/// The most bytes that wait behind the end of a line.
const MAX_BEHIND: usize = 1 << 20;

/// Keys for the editor, and those behind a line that may have ended.
#[derive(Debug, Default)]
pub struct KeyQueue {
    ready: Vec<u8>,
    /// Each up to a key that may end a line.
    behind: VecDeque<Vec<u8>>,
    behind_len: usize,
    by_line: bool,
    is_held: bool,
}

impl KeyQueue {
    /// Begins to give keys to another reader. One that reads lines gets the first when it asks ([`Self::release`]), and any other
    /// gets all.
    pub fn begin(&mut self, by_line: bool) {
        self.by_line = by_line;
        self.is_held = by_line;
        if !by_line {
            self.ready.extend(self.behind.drain(..).flatten());
            self.behind_len = 0;
        }
    }

    /// Appends a whole key. A line feed is Enter. Ctrl-C drops what is behind the line, and a cursor report does not wait: the editor
    /// may need it for its answer to the key that may end the line.
    pub(super) fn push(&mut self, key: &[u8]) {
        let key: &[u8] = match key {
            b"\n" => &[ENTER],
            b"\x1b\n" => b"\x1b\r",
            _ => key,
        };
        if key == [CTRL_C] {
            self.drop_behind();
        }
        let ends = matches!(key, [ENTER | CTRL_C | CTRL_D | CTRL_O | CTRL_E]);
        if !self.is_held || is_cursor_report(key) {
            self.ready.extend_from_slice(key);
            self.is_held |= self.by_line && ends;
            return;
        }
        self.push_text(key);
        if ends {
            self.behind.push_back(Vec::new());
        }
    }

    /// Appends a part of a paste, which ends no line.
    pub(super) fn push_text(&mut self, text: &[u8]) {
        if !self.is_held {
            return self.ready.extend_from_slice(text);
        }
        self.behind_len += text.len();
        match self.behind.back_mut() {
            Some(line) => line.extend_from_slice(text),
            None => self.behind.push_back(text.to_vec()),
        }
    }

    /// What the editor gets now.
    #[must_use]
    pub fn ready(&self) -> &[u8] {
        &self.ready
    }

    /// The editor got so many bytes.
    pub fn advance(&mut self, count: usize) {
        self.ready.drain(..count);
    }

    /// The editor has all that it may get before it asks for more.
    #[must_use]
    pub fn is_held(&self) -> bool {
        self.is_held && self.ready.is_empty()
    }

    /// What is ready ends with a key that may end a line.
    #[must_use]
    pub fn ends_line(&self) -> bool {
        self.is_held && !self.ready.is_empty()
    }

    /// The editor goes on: it gets the keys up to the next end of a line.
    pub fn release(&mut self) {
        let Some(line) = self.behind.pop_front() else {
            self.is_held = false;
            return;
        };
        self.behind_len -= line.len();
        // Behind a line that has ended there is another, be it empty.
        self.is_held = !self.behind.is_empty();
        self.ready.extend(line);
    }

    /// Forgets what is behind the line.
    pub fn drop_behind(&mut self) {
        self.behind.clear();
        self.behind_len = 0;
    }

    /// True if nothing more should be read.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.behind_len >= MAX_BEHIND
    }
}

/// `ESC [ row ; column R`.
fn is_cursor_report(key: &[u8]) -> bool {
    let body = key.strip_prefix(b"\x1b[").and_then(|rest| rest.strip_suffix(b"R"));
    body.is_some_and(|body| body.contains(&b';') && body.iter().all(|byte| byte.is_ascii_digit() || *byte == b';'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn type_keys(queue: &mut KeyQueue, keys: &[&str]) {
        keys.iter().for_each(|key| queue.push(key.as_bytes()));
    }

    /// What the editor gets until it has to ask again.
    fn take(queue: &mut KeyQueue) -> String {
        let text = String::from_utf8(queue.ready().to_vec()).expect("text");
        queue.advance(text.len());
        text
    }

    fn released(queue: &mut KeyQueue) -> String {
        queue.release();
        take(queue)
    }

    fn by_line() -> KeyQueue {
        let mut queue = KeyQueue::default();
        queue.begin(true);
        queue
    }

    #[test]
    fn each_line_waits_until_it_is_asked_for() {
        let mut queue = by_line();
        type_keys(&mut queue, &["a", "\r", "b", "\n", "\x1b[A", "c"]);
        assert_eq!(take(&mut queue), "");
        assert_eq!(released(&mut queue), "a\r");
        assert!(queue.is_held());
        assert_eq!(released(&mut queue), "b\r");
        assert_eq!(released(&mut queue), "\x1b[Ac");
        assert!(!queue.is_held(), "the line goes on");
        type_keys(&mut queue, &["d", "\r", "e"]);
        assert_eq!(take(&mut queue), "d\r");
        assert_eq!(released(&mut queue), "e");
        type_keys(&mut queue, &["f", "\x04", "g"]);
        assert_eq!(take(&mut queue), "f\x04");
        assert_eq!(released(&mut queue), "g");
    }

    #[test]
    fn an_ended_line_is_held_though_nothing_is_behind_it_yet() {
        let mut queue = by_line();
        type_keys(&mut queue, &["a", "\r"]);
        assert_eq!(released(&mut queue), "a\r");
        assert!(queue.is_held());
        type_keys(&mut queue, &["b"]);
        assert_eq!(take(&mut queue), "");
        assert_eq!(released(&mut queue), "b");
    }

    #[test]
    fn a_paste_ends_no_line() {
        let mut queue = by_line();
        queue.release();
        queue.push(b"\x1b[200~");
        queue.push_text(b"a\rb\r\x1b[201~");
        type_keys(&mut queue, &["\r"]);
        queue.push(b"\x1b[200~");
        queue.push_text(b"c\rd\x1b[201~");
        assert_eq!(take(&mut queue), "\x1b[200~a\rb\r\x1b[201~\r");
        assert_eq!(released(&mut queue), "\x1b[200~c\rd\x1b[201~");
    }

    #[test]
    fn control_c_drops_what_is_behind_the_line() {
        let mut queue = by_line();
        queue.release();
        type_keys(&mut queue, &["a", "\r", "b", "\r", "c", "\r", "\x03", "d"]);
        assert_eq!(take(&mut queue), "a\r");
        assert_eq!(released(&mut queue), "\x03");
        assert_eq!(released(&mut queue), "d");
    }

    #[test]
    fn a_cursor_report_does_not_wait() {
        let mut queue = by_line();
        type_keys(&mut queue, &["a", "\r", "\x1b[5;7R", "\x1b[R", "b"]);
        assert_eq!(take(&mut queue), "\x1b[5;7R");
        assert_eq!(released(&mut queue), "a\r");
        assert_eq!(released(&mut queue), "\x1b[Rb");
    }

    #[test]
    fn a_reader_of_keys_gets_all_of_them() {
        let mut queue = by_line();
        type_keys(&mut queue, &["a", "\r", "b", "\r"]);
        queue.begin(false);
        type_keys(&mut queue, &["c", "\r", "d"]);
        assert_eq!(take(&mut queue), "a\rb\rc\rd");
        assert!(!queue.is_held());
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut queue = by_line();
        queue.push_text(&vec![b'x'; MAX_BEHIND]);
        assert!(queue.is_full());
        queue.drop_behind();
        assert!(!queue.is_full());
    }
}
