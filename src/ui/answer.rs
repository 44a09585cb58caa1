//! Answers to questions.

use std::io::{ErrorKind, Read};

use super::render;
use super::streams::AnswerSource;
use crate::report::{Question, UserAnswer};

/// The longest answer to a question, in bytes; a longer one is a no.
const MAX_ANSWER_LEN: usize = 256;

/// Has the terminal say what is pasted, and no longer.
const MARK_PASTES: [&str; 2] = ["\x1b[?2004h", "\x1b[?2004l"];

/// How a terminal begins what is pasted.
const PASTE: &str = "\x1b[200~";

/// Asks with `write`; none once the question is closed. What is pasted does not answer, be it marked by the terminal or by further lines.
pub(super) fn ask(
    source: AnswerSource,
    question: &Question,
    is_open: &mut dyn FnMut() -> bool,
    marks_pastes: bool,
    write: impl Fn(&str),
) -> Option<UserAnswer> {
    let Ok(mut answers) = (source.open)() else { return Some(UserAnswer::NotInteractive) };
    let [begin, end] = if marks_pastes { MARK_PASTES } else { [""; 2] };
    let hint = question.expected.as_ref().map_or("[y/N] ".to_owned(), |word| format!("[type {word}] "));
    write(&format!("{begin}{} {hint}", render::line(&question.text).trim_end()));
    let given = read_answer(&mut answers, is_open);
    write(end);
    let Some(given) = given else {
        // What follows begins on a line of its own, and the beginning of an answer is not that of a command.
        write("\n");
        let _ = (source.open)();
        return None;
    };
    let given = match given {
        Given::Line(line) => {
            write(if line.ends_with('\n') { "" } else { "\n" });
            Some(line).filter(|line| !line.contains(PASTE))
        }
        Given::SeveralLines => None,
    };
    let Some(given) = given else {
        write("a pasted text is not taken for an answer\n");
        // The rest of it is not a command either.
        let _ = (source.open)();
        return Some(UserAnswer::No);
    };
    let given = given.trim();
    let yes = match &question.expected {
        Some(word) => given == word,
        None => given.eq_ignore_ascii_case("y") || given.eq_ignore_ascii_case("yes"),
    };
    Some(if yes { UserAnswer::Yes } else { UserAnswer::No })
}

/// What was typed at a question.
enum Given {
    /// With its end, if it has one.
    Line(String),
    /// More lines followed at once: where the terminal does not say what is pasted, that does.
    SeveralLines,
}

/// Reads one line with its end, byte by byte so that nothing after it is consumed. Empty on an interrupt, an error and an overlong line;
/// none once the question is closed. Without its end the cursor is still behind the question.
fn read_answer(from: &mut dyn Read, is_open: &mut dyn FnMut() -> bool) -> Option<Given> {
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
            Err(error) if error.kind() == ErrorKind::InvalidData => return Some(Given::SeveralLines),
            Ok(_) | Err(_) => return Some(Given::Line(String::new())),
        }
    }
    Some(Given::Line(String::from_utf8(line).unwrap_or_default()))
}
