//! Answers to questions.

use std::io::{ErrorKind, Read};

/// The longest answer to a question, in bytes; a longer one is a no.
const MAX_ANSWER_LEN: usize = 256;

/// Reads one line with its end, byte by byte so that nothing after it is consumed. Empty on an interrupt, an error and an overlong line;
/// none once the question is closed. Without its end the cursor is still behind the question.
pub(super) fn read_answer(from: &mut dyn Read, is_open: &mut dyn FnMut() -> bool) -> Option<String> {
    let mut line = Vec::new();
    let mut byte = [0];
    while line.len() < MAX_ANSWER_LEN {
        match from.read(&mut byte) {
            Ok(1) => {
                line.push(byte[0]);
                if byte[0] == b'\n' {
                    break;
                }
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                if !is_open() {
                    return None;
                }
            }
            Ok(_) | Err(_) => return Some(String::new()),
        }
    }
    Some(String::from_utf8(line).unwrap_or_default())
}
