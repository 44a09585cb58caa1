//! What is typed without being shown, and what comes on the standard input.
//!
//! A secret is read byte by byte and edited here. The system would keep a line until its end, and after a stop (Ctrl-Z, `kill -STOP`)
//! would give what there is of it to the shell, which shows it and keeps it in its history.

use std::fs::{File, OpenOptions};
use std::io::{self, IsTerminal, Read, Write};
use std::os::fd::AsFd;

use nix::poll::PollTimeout;
use nix::sys::termios::{LocalFlags, SetArg, SpecialCharacterIndices, Termios, tcgetattr, tcsetattr};

use super::foreground;
use super::sigcont::{self, TerminalRestore, TerminalRestoreGuard};

/// True if input can be typed.
#[must_use]
pub fn stdin_is_terminal() -> bool {
    io::stdin().is_terminal()
}

/// While it lives the terminal does not show what is typed.
pub struct EchoOff {
    /// First, so that what is needed ends before the terminal is closed.
    _restore_guard: TerminalRestoreGuard,
    terminal: File,
    before: Termios,
}

impl EchoOff {
    /// From now on nothing that is typed is shown; what was typed before is dropped. After a stop `question` is shown again.
    ///
    /// # Errors
    ///
    /// Fails if there is no terminal.
    pub fn disable(question: &str) -> io::Result<Self> {
        let terminal = OpenOptions::new().read(true).write(true).open("/dev/tty")?;
        foreground::wait_for_terminal(terminal.as_fd());
        let before = tcgetattr(&terminal)?;
        let mut silent = before.clone();
        silent.local_flags.remove(LocalFlags::ECHO | LocalFlags::ICANON);
        silent.control_chars[SpecialCharacterIndices::VMIN as usize] = 1;
        silent.control_chars[SpecialCharacterIndices::VTIME as usize] = 0;
        // Only what was set can be had as the system has it.
        tcsetattr(&terminal, SetArg::TCSAFLUSH, &silent)?;
        let needed = TerminalRestore::asking(terminal.as_fd(), silent, format!("{question}\n")).install()?;
        Ok(Self { _restore_guard: needed, terminal, before })
    }

    /// The next line that is typed, without its end. At most one byte more than `limit` is taken, and what was typed before a stop is
    /// dropped.
    ///
    /// # Errors
    ///
    /// Fails if the terminal is gone, and with [`io::ErrorKind::Interrupted`] when the operator presses Ctrl-C.
    pub fn read_line(&self, limit: usize) -> io::Result<Vec<u8>> {
        let mut line = HiddenLine::new(EditKeys::of(&self.before));
        let mut asked = sigcont::asked_again();
        let mut byte = [0];
        while line.typed.len() <= limit {
            let count = foreground::read(self.terminal.as_fd(), &mut byte, PollTimeout::NONE)?;
            if asked != sigcont::asked_again() {
                asked = sigcont::asked_again();
                line.clear();
            }
            if count == 0 || line.press(byte[0]) {
                break;
            }
        }
        // A terminal that is gone shows nothing.
        let _ = (&self.terminal).write_all(b"\n");
        Ok(line.typed)
    }
}

/// The keys of the terminal that edit a line; 0 is none.
#[derive(Debug, Clone, Copy)]
struct EditKeys {
    erase: u8,
    erase_word: u8,
    erase_all: u8,
    /// The key behind it is typed as it is.
    literal: u8,
    end: u8,
}

impl EditKeys {
    fn of(modes: &Termios) -> Self {
        let key = |index: SpecialCharacterIndices| modes.control_chars[index as usize];
        Self {
            erase: key(SpecialCharacterIndices::VERASE),
            erase_word: key(SpecialCharacterIndices::VWERASE),
            erase_all: key(SpecialCharacterIndices::VKILL),
            literal: key(SpecialCharacterIndices::VLNEXT),
            end: key(SpecialCharacterIndices::VEOF),
        }
    }
}

/// A line as the system would edit it.
#[derive(Debug)]
struct HiddenLine {
    keys: EditKeys,
    typed: Vec<u8>,
    is_literal: bool,
    /// The last key was the one that ends the input: pressed again it ends a line too.
    is_ending: bool,
}

impl HiddenLine {
    fn new(keys: EditKeys) -> Self {
        Self { keys, typed: Vec::new(), is_literal: false, is_ending: false }
    }

    fn clear(&mut self) {
        *self = Self::new(self.keys);
    }

    /// Takes a key; true if the line has ended.
    fn press(&mut self, key: u8) -> bool {
        let was_ending = std::mem::take(&mut self.is_ending);
        match key {
            _ if std::mem::take(&mut self.is_literal) => self.typed.push(key),
            b'\n' => return true,
            0 => self.typed.push(key),
            _ if key == self.keys.end => {
                self.is_ending = true;
                return was_ending || self.typed.is_empty();
            }
            _ if key == self.keys.literal => self.is_literal = true,
            _ if key == self.keys.erase => self.erase(),
            _ if key == self.keys.erase_all => self.typed.clear(),
            _ if key == self.keys.erase_word => {
                while self.typed.last() == Some(&b' ') {
                    self.erase();
                }
                while self.typed.last().is_some_and(|last| *last != b' ') {
                    self.erase();
                }
            }
            _ => self.typed.push(key),
        }
        false
    }

    /// Takes a character back, which may be several bytes.
    fn erase(&mut self) {
        while self.typed.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {}
    }
}

/// Everything on the standard input, to its end; at most one byte more than `limit`.
///
/// # Errors
///
/// Fails if it cannot be read.
pub fn read_stdin(limit: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    io::stdin().take(limit + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

impl Drop for EchoOff {
    fn drop(&mut self) {
        // A terminal that is gone shows nothing.
        let _ = tcsetattr(&self.terminal, SetArg::TCSAFLUSH, &self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: EditKeys = EditKeys { erase: 0x7f, erase_word: 0x17, erase_all: 0x15, literal: 0x16, end: 4 };

    /// What is in the line once it has ended.
    fn typed(keys: &str) -> Option<String> {
        let mut line = HiddenLine::new(KEYS);
        let has_ended = keys.bytes().any(|key| line.press(key));
        has_ended.then(|| String::from_utf8(line.typed).expect("text"))
    }

    #[test]
    fn a_hidden_line_is_edited_as_the_system_does_it() {
        for (keys, line) in [
            ("abc\n", "abc"),
            ("abx\x7fc\n", "abc"),
            ("\x7f\x7fa\n", "a"),
            ("aß日\x7f\x7fb\n", "ab"),
            ("one two  \x17x\n", "one x"),
            ("one\x15two\n", "two"),
            ("a\x16\x7f\x16\nb\n", "a\x7f\nb"),
            ("\x04", ""),
            ("ab\x04c\x04\x04", "abc"),
        ] {
            assert_eq!(typed(keys).as_deref(), Some(line), "{keys:?}");
        }
        assert_eq!(typed("ab\x04"), None);
        let none = EditKeys { erase: 0, erase_word: 0, erase_all: 0, literal: 0, end: 0 };
        let mut line = HiddenLine::new(none);
        assert!(!line.press(0) && !line.press(0x7f) && line.press(b'\n'));
        assert_eq!(line.typed, [0, 0x7f]);
    }
}
