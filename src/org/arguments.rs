//! Words added to the command of a service, which is a line of a shell.

use std::ops::Range;

/// Where the words go if the command is more than one program with its words.
pub const ARGS_PLACEHOLDER: &str = "{args}";

/// Why words cannot be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCommand {
    /// A quote is open.
    #[error("unclosed quote")]
    UnclosedQuote,
    /// It has pipes or redirections: the place for arguments is unknown.
    #[error("the command has shell operators")]
    HasOperators,
}

/// A word or a flag that is added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Argument {
    /// A word, or a flag without a value.
    Word(String),
    /// A flag that is there once, with this value.
    Flag {
        /// With its dashes.
        name: String,
        /// What follows it.
        value: String,
        /// As one word: `--flag=value`.
        joined: bool,
    },
}

impl Argument {
    /// What the words of a list mean.
    #[must_use]
    pub fn all(words: &[String]) -> Vec<Self> {
        let mut words = words.iter().peekable();
        let mut all = Vec::new();
        while let Some(word) = words.next() {
            let is_flag = word.starts_with('-');
            all.push(match word.split_once('=').filter(|_| is_flag) {
                Some((name, value)) => Self::Flag { name: name.to_owned(), value: value.to_owned(), joined: true },
                None => match words.next_if(|next| is_flag && !next.starts_with('-')) {
                    Some(value) => Self::Flag { name: word.clone(), value: value.clone(), joined: false },
                    None => Self::Word(word.clone()),
                },
            });
        }
        all
    }

    /// The same under another name.
    #[must_use]
    pub fn named(self, other: &str) -> Self {
        match self {
            Self::Word(_) => Self::Word(other.to_owned()),
            Self::Flag { value, joined, .. } => {
                let name = other.strip_suffix('=');
                Self::Flag { name: name.unwrap_or(other).to_owned(), value, joined: joined || name.is_some() }
            }
        }
    }
}

impl std::fmt::Display for Argument {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Word(word) => f.write_str(&shown(word)),
            Self::Flag { name, value, joined } => {
                write!(f, "{}{}{}", shown(name), if *joined { "=" } else { " " }, shown(value))
            }
        }
    }
}

/// The command with `arguments` at its end or at `{args}`. A flag that is there already gets the new value in the form that it
/// has, and is there once.
///
/// # Errors
///
/// Fails if a quote is open, or if there are shell operators and no `{args}`.
pub fn append_arguments(command: &str, arguments: &[Argument]) -> Result<String, InvalidCommand> {
    let mut command = command.to_owned();
    let mut missing = Vec::new();
    for argument in arguments {
        let known = match argument {
            Argument::Flag { name, value, .. } => replace_flag_value(&command, name, value)?,
            Argument::Word(word) => {
                let there = word.starts_with('-') && words(&command)?.iter().any(|it| it.text == *word);
                there.then(|| command.clone())
            }
        };
        match known {
            Some(new) => command = new,
            None => missing.push(argument.to_string()),
        }
    }
    let added = missing.join(" ");
    match command.find(ARGS_PLACEHOLDER) {
        Some(at) if added.is_empty() => {
            let before = command[..at].trim_end().len();
            Ok(format!("{}{}", &command[..before], &command[at + ARGS_PLACEHOLDER.len()..]))
        }
        Some(_) => Ok(command.replacen(ARGS_PLACEHOLDER, &added, 1)),
        None if added.is_empty() => Ok(command),
        None if has_operators(&command) => Err(InvalidCommand::HasOperators),
        None => Ok(format!("{} {added}", command.trim_end())),
    }
}

/// The words of a command, without looking at quotes that are open.
#[must_use]
pub fn first_words(command: &str) -> Vec<String> {
    words(command).unwrap_or_default().into_iter().map(|word| word.text).collect()
}

/// The command in which a flag has this value once; none if it has no such flag.
fn replace_flag_value(command: &str, flag: &str, value: &str) -> Result<Option<String>, InvalidCommand> {
    let all = words(command)?;
    let joined = format!("{flag}=");
    let is_flag = |word: &ArgumentWord| word.text == flag || word.text.starts_with(&joined);
    // What belongs to another program of a pipeline is its own.
    let programs = || all.split(|word| word.is_operator(command));
    let marked = programs().find(|words| words.iter().any(|word| word.text == ARGS_PLACEHOLDER));
    let program = marked.or_else(|| programs().find(|words| words.iter().any(is_flag))).unwrap_or_default();
    let mut edits: Vec<(Range<usize>, String)> = Vec::new();
    for (number, word) in program.iter().enumerate().filter(|(_, word)| is_flag(word)) {
        let next = program.get(number + 1).filter(|_| word.text == flag);
        let next = next.filter(|next| next.text == "-" || !next.text.starts_with('-'));
        let all = word.span.start..next.unwrap_or(word).span.end;
        if has_operators(&command[all.clone()]) {
            return Err(InvalidCommand::HasOperators);
        }
        edits.push(match (edits.is_empty(), next) {
            (false, _) => (command[..all.start].trim_end().len()..all.end, String::new()),
            (true, Some(next)) => (next.span.clone(), shown(value)),
            (true, None) if word.text == flag => (all.end..all.end, format!(" {}", shown(value))),
            (true, None) => (all, format!("{joined}{}", shown(value))),
        });
    }
    let mut made = command.to_owned();
    edits.iter().rev().for_each(|(span, new)| made.replace_range(span.clone(), new));
    Ok((!edits.is_empty()).then_some(made))
}

/// A word as a shell reads it.
fn shown(word: &str) -> String {
    shlex::try_quote(word).map_or_else(|_| word.to_owned(), std::borrow::Cow::into_owned)
}

/// A word of a command.
struct ArgumentWord {
    span: Range<usize>,
    /// Without quotes.
    text: String,
}

impl ArgumentWord {
    /// It begins with what a shell does not give to a program: `|`, `&&`, `2>&1`.
    fn is_operator(&self, command: &str) -> bool {
        let written = command[self.span.clone()].trim_start_matches(|c: char| c.is_ascii_digit());
        written.starts_with(['|', '&', ';', '<', '>'])
    }
}

/// The words with their places.
fn words(command: &str) -> Result<Vec<ArgumentWord>, InvalidCommand> {
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
            Some(_) if last => return Err(InvalidCommand::UnclosedQuote),
            _ if c == '\\' => escaped = true,
            Some(_) => {}
            None if c.is_whitespace() => {
                if let Some(from) = start.take() {
                    let text = shlex::split(&command[from..at]).ok_or(InvalidCommand::UnclosedQuote)?.concat();
                    found.push(ArgumentWord { span: from..at, text });
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

    fn added(command: &str) -> Result<String, InvalidCommand> {
        append_arguments(command, &given("--env dev"))
    }

    fn given(words: &str) -> Vec<Argument> {
        Argument::all(&words.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
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
            ("node s.js --env", "node s.js --env dev"),
            ("node s.js --env -x", "node s.js --env dev -x"),
            ("node s.js --env --env", "node s.js --env dev"),
            ("node s.js --env=", "node s.js --env=dev"),
            ("node s.js --env ''", "node s.js --env dev"),
            ("node s.js '--env' \"x\" --env=\"y z\"", "node s.js '--env' dev"),
            ("node s.js --env=a --env b -x --env", "node s.js --env=dev -x"),
            ("node s.js --env a {args}", "node s.js --env dev"),
            ("node s.js --env | tee log", "node s.js --env dev | tee log"),
            ("node s.js --env x 2>&1 | b --env y", "node s.js --env dev 2>&1 | b --env y"),
            ("a --env y | node s.js {args}", "a --env y | node s.js --env dev"),
            ("node s.js -- --env x", "node s.js -- --env dev"),
        ] {
            assert_eq!(added(command).as_deref(), Ok(expected), "{command}");
        }
    }

    #[test]
    fn twice_is_once() {
        for command in ["node s.js", "node s.js --env=x", "a \"b c\"", "a --env", "a --env --env b", "a --env=x --env"]
        {
            let once = added(command).expect("it is a command");
            assert_eq!(added(&once), Ok(once.clone()));
        }
    }

    #[test]
    fn one_profile_after_the_other_gives_one_flag() {
        for command in ["node s.js", "node s.js --env", "node s.js --env=", "node s.js --env a --env=b"] {
            let staging = append_arguments(command, &given("--env staging")).expect("it is a command");
            let prod = append_arguments(&staging, &given("--env production")).expect("it is one");
            assert_eq!(prod.matches("--env").count(), 1, "{prod}");
            assert!(prod.ends_with("production") && !prod.contains("staging"), "{prod}");
        }
    }

    #[test]
    fn the_words_of_a_profile_may_have_any_form() {
        for (command, words, expected) in [
            ("node s.js", "--env=dev", "node s.js --env=dev"),
            ("node s.js --env x", "--env=dev", "node s.js --env dev"),
            ("node s.js -v", "-v --env dev --more", "node s.js -v --env dev --more"),
            ("node s.js", "serve --port 80", "node s.js serve --port 80"),
            ("node s.js", "", "node s.js"),
        ] {
            assert_eq!(append_arguments(command, &given(words)).as_deref(), Ok(expected), "{command} + {words}");
        }
        let named = |flag: &str| given("--env dev")[0].clone().named(flag).to_string();
        assert_eq!((named("--stage").as_str(), named("--stage=").as_str()), ("--stage dev", "--stage=dev"));
    }

    #[test]
    fn nothing_is_guessed_in_a_pipeline_or_an_open_quote() {
        for command in ["a | b", "a && b", "a; b", "a > b", "a &", "a --env x; b"] {
            assert_eq!(added(command), Err(InvalidCommand::HasOperators), "{command}");
        }
        assert_eq!(added("a 'b"), Err(InvalidCommand::UnclosedQuote));
        assert_eq!(added("a \"b"), Err(InvalidCommand::UnclosedQuote));
    }
}
