//! Words added to the command of a service, which is a line of a shell.

use std::ops::Range;

/// Where the words go if the command is more than one program with its words.
pub const MARK: &str = "{args}";

/// Why words cannot be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadCommand {
    /// A quote is open.
    #[error("a quote is not closed")]
    Open,
    /// It has pipes or redirections, so nobody knows where words belong.
    #[error("the command has shell operators")]
    Operators,
}

/// The command with `arguments` at its end or at `{args}`. A flag that is there already gets the new value.
///
/// # Errors
///
/// Fails if a quote is open, or if there are shell operators and no `{args}`.
pub fn with_arguments(command: &str, arguments: &[String]) -> Result<String, BadCommand> {
    let words = words(command)?;
    let added = arguments.iter().map(|word| shown(word)).collect::<Vec<_>>().join(" ");
    if let [flag, value] = arguments
        && let Some(place) = value_of(&words, flag)
    {
        let (span, new) = match place {
            Place::Next(span) => (span, shown(value)),
            Place::Joined(span) => (span, format!("{flag}={}", shown(value))),
        };
        return Ok(format!("{}{new}{}", &command[..span.start], &command[span.end..]));
    }
    if command.contains(MARK) {
        return Ok(command.replacen(MARK, &added, 1));
    }
    if has_operators(command) {
        return Err(BadCommand::Operators);
    }
    Ok(format!("{} {added}", command.trim_end()))
}

/// The words of a command, without looking at quotes that are open.
#[must_use]
pub fn first_words(command: &str) -> Vec<String> {
    words(command).unwrap_or_default().into_iter().map(|(_, word)| word).collect()
}

enum Place {
    /// The word behind the flag.
    Next(Range<usize>),
    /// `--flag=value`
    Joined(Range<usize>),
}

fn value_of(words: &[(Range<usize>, String)], flag: &str) -> Option<Place> {
    let joined = format!("{flag}=");
    words.iter().enumerate().find_map(|(number, (span, word))| {
        if word == flag {
            let next = words.get(number + 1);
            return next.map(|(span, _)| Place::Next(span.clone()));
        }
        word.starts_with(&joined).then(|| Place::Joined(span.clone()))
    })
}

/// A word as a shell reads it.
fn shown(word: &str) -> String {
    shlex::try_quote(word).map_or_else(|_| word.to_owned(), std::borrow::Cow::into_owned)
}

/// The words with their places.
fn words(command: &str) -> Result<Vec<(Range<usize>, String)>, BadCommand> {
    let mut found = Vec::new();
    let mut start = None;
    let mut quote = None;
    let mut escaped = false;
    let ends = command.char_indices().chain([(command.len(), ' ')]);
    for (at, c) in ends {
        let last = at == command.len();
        match quote {
            _ if escaped => escaped = false,
            Some(q) if c == q && !last => quote = None,
            Some('\'') if !last => {}
            Some(_) if last => return Err(BadCommand::Open),
            _ if c == '\\' => escaped = true,
            Some(_) => {}
            None if c.is_whitespace() => {
                if let Some(from) = start.take() {
                    let word = shlex::split(&command[from..at]).ok_or(BadCommand::Open)?.concat();
                    found.push((from..at, word));
                }
                continue;
            }
            None if matches!(c, '\'' | '"') => quote = Some(c),
            None => {}
        }
        start = start.or((!last).then_some(at));
    }
    Ok(found)
}

/// True if a shell would do more than run one program.
fn has_operators(command: &str) -> bool {
    let mut quote = None;
    let mut escaped = false;
    command.chars().any(|c| {
        match quote {
            _ if escaped => escaped = false,
            Some(q) if c == q => quote = None,
            Some('\'') => {}
            _ if c == '\\' => escaped = true,
            None if matches!(c, '\'' | '"') => quote = Some(c),
            None if matches!(c, '|' | '&' | ';' | '<' | '>' | '`' | '\n') => return true,
            _ => {}
        }
        false
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn added(command: &str) -> Result<String, BadCommand> {
        with_arguments(command, &["--env".to_owned(), "dev".to_owned()])
    }

    #[test]
    fn a_flag_is_added_or_gets_its_new_value() {
        for (command, expected) in [
            ("node server.js", "node server.js --env dev"),
            ("node  'my server.js'  ", "node  'my server.js' --env dev"),
            ("node s.js --env local -x", "node s.js --env dev -x"),
            ("node s.js --env=local -x", "node s.js --env=dev -x"),
            ("node s.js --env 'a b'", "node s.js --env dev"),
            ("node s.js --environment x", "node s.js --environment x --env dev"),
            ("node s.js {args} | tee log", "node s.js --env dev | tee log"),
            ("echo 'a;b'", "echo 'a;b' --env dev"),
        ] {
            assert_eq!(added(command).as_deref(), Ok(expected), "{command}");
        }
    }

    #[test]
    fn twice_is_once() {
        for command in ["node s.js", "node s.js --env=x", "a \"b c\""] {
            let once = added(command).expect("it is a command");
            assert_eq!(added(&once), Ok(once.clone()));
        }
    }

    #[test]
    fn nothing_is_guessed_in_a_pipeline_or_an_open_quote() {
        for command in ["a | b", "a && b", "a; b", "a > b", "a &"] {
            assert_eq!(added(command), Err(BadCommand::Operators), "{command}");
        }
        assert_eq!(added("a 'b"), Err(BadCommand::Open));
        assert_eq!(added("a \"b"), Err(BadCommand::Open));
    }
}
