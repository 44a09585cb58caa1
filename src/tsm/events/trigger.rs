//! What is done when something happens: `tsm/config/triggers.conf`.
//!
//! A line is `PATTERN|COMMAND|DESCRIPTION|ENABLED`. The pattern is the name of a known kind of events, or a regular expression
//! for the line (a `|` in it is written `\|`). The command is split into words once, here; what a log says can become a word of
//! it or a part of one, but never a line of a shell or another interpreter. The whole event is on its standard input.

use std::path::{Path, PathBuf};

use regex::Regex;

use super::{ReportedEvent, ReportedKind};
use crate::base::fault::{Location, UserFacingError};
use crate::disk;

/// A rule.
#[derive(Debug, Clone)]
pub struct Trigger {
    /// As it is written.
    pub pattern: String,
    matcher: Matcher,
    /// The program and its arguments, with their placeholders.
    pub command: Vec<String>,
    /// What it is for.
    pub description: String,
    /// Whether it is used.
    pub enabled: bool,
    /// Its line, counted from 1.
    pub line: usize,
}

#[derive(Debug, Clone)]
enum Matcher {
    Kind(ReportedKind),
    Text(Regex),
}

/// The placeholders of a command, and what replaces them.
pub const PLACEHOLDERS: [(&str, &str); 5] = [
    ("{TOKEN}", "the event as CATEGORY:EVENT"),
    ("{DATA}", "its data as JSON"),
    ("{TIMESTAMP}", "its time, RFC 3339 in UTC"),
    ("{PROCESS}", "the name of the process"),
    ("{SESSION}", "the session, or nothing"),
];

/// A file of triggers is invalid or cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum TriggerError {
    /// It cannot be read.
    #[error("failed to read the triggers in `{}`", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A line has not four fields.
    #[error("invalid trigger: expected PATTERN|COMMAND|DESCRIPTION|ENABLED")]
    Fields {
        /// The line.
        at: Box<Location>,
    },
    /// A pattern is invalid.
    #[error("invalid pattern `{pattern}`")]
    Pattern {
        /// As it is written.
        pattern: String,
        /// Why.
        source: Box<regex::Error>,
        /// The line.
        at: Box<Location>,
    },
    /// The last field is neither yes nor no.
    #[error("invalid value `{given}`: expected true or false")]
    Enabled {
        /// As it is written.
        given: String,
        /// The line.
        at: Box<Location>,
    },
    /// A command cannot be split into words, or has none.
    #[error("the command of the trigger is empty or has an unclosed quote")]
    Words {
        /// The line.
        at: Box<Location>,
    },
    /// A command uses what only a shell knows.
    #[error("`{word}` is shell syntax, and triggers run without a shell")]
    Shell {
        /// The word.
        word: String,
        /// The line.
        at: Box<Location>,
    },
    /// Text of a log would become code.
    #[error("{placeholder} after `{option}` would be executed as code")]
    Code {
        /// What would be replaced.
        placeholder: &'static str,
        /// What precedes it.
        option: String,
        /// The line.
        at: Box<Location>,
    },
}

impl UserFacingError for TriggerError {
    fn advice(&self) -> Option<String> {
        match self {
            Self::Shell { .. } => Some("put it into a script, which gets the event on stdin".to_owned()),
            Self::Code { .. } => Some(
                "pass it as an argument after the code (`sh -c 'echo \"$1\"' sh {DATA}`), or read it from stdin"
                    .to_owned(),
            ),
            Self::Unreadable { .. }
            | Self::Fields { .. }
            | Self::Pattern { .. }
            | Self::Enabled { .. }
            | Self::Words { .. } => None,
        }
    }

    fn location(&self) -> Option<Location> {
        match self {
            Self::Unreadable { .. } => None,
            Self::Fields { at }
            | Self::Pattern { at, .. }
            | Self::Enabled { at, .. }
            | Self::Words { at }
            | Self::Shell { at, .. }
            | Self::Code { at, .. } => Some((**at).clone()),
        }
    }
}

/// The triggers of a file, used or not; none if there is no file.
///
/// # Errors
///
/// Fails at the first invalid line: a rule must not be dropped silently.
pub fn read(path: &Path) -> Result<Vec<Trigger>, TriggerError> {
    match disk::read_trusted(path) {
        Ok(text) => parse(&path.display().to_string(), &text),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(source) => Err(TriggerError::Unreadable { path: path.to_owned(), source }),
    }
}

fn parse(file: &str, text: &str) -> Result<Vec<Trigger>, TriggerError> {
    let rules = text.lines().enumerate().map(|(number, line)| (number + 1, line.trim()));
    let rules = rules.filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
    rules.map(|(number, line)| rule(line, number, &|part| place(file, line, part, number))).collect()
}

/// The place of `part` in a line; the whole line if it is not part of it.
fn place(file: &str, line: &str, part: &str, number: usize) -> Box<Location> {
    let span = line.find(part).map_or(0..line.len(), |start| start..start + part.len());
    Box::new(Location::of(file, line, &span, number))
}

fn rule(line: &str, number: usize, at: &dyn Fn(&str) -> Box<Location>) -> Result<Trigger, TriggerError> {
    let fields = || {
        let (pattern, rest) = line.split_at(pattern_end(line)?);
        let (rest, enabled) = rest[1..].rsplit_once('|')?;
        let (command, description) = rest.rsplit_once('|')?;
        Some([pattern, command, description, enabled].map(str::trim))
    };
    let [pattern, command, description, enabled] = fields().ok_or_else(|| TriggerError::Fields { at: at(line) })?;
    let matches = match ReportedKind::named(pattern) {
        Some(known) => Matcher::Kind(known),
        None => Matcher::Text(Regex::new(pattern).map_err(|source| TriggerError::Pattern {
            pattern: pattern.to_owned(),
            source: Box::new(source),
            at: at(pattern),
        })?),
    };
    let enabled = match enabled.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" | "enabled" => true,
        "false" | "no" | "off" | "0" | "disabled" => false,
        _ => return Err(TriggerError::Enabled { given: enabled.to_owned(), at: at(enabled) }),
    };
    let words = shlex::split(command).filter(|words| !words.is_empty());
    let command = checked(words.ok_or_else(|| TriggerError::Words { at: at(command) })?, command, at)?;
    let (pattern, description) = (pattern.to_owned(), description.to_owned());
    Ok(Trigger { pattern, matcher: matches, command, description, enabled, line: number })
}

/// The place of the first `|` without a `\` before it.
fn pattern_end(line: &str) -> Option<usize> {
    let mut escaped = false;
    line.bytes().position(|byte| {
        let ends = byte == b'|' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    })
}

/// Words that only a shell would understand.
const SHELL_OPERATORS: [&str; 12] = ["|", "||", "&", "&&", ";", ">", ">>", "<", "<<", "2>", "2>&1", "&>"];

/// Programs that make a line for a shell of their arguments.
const SHELL_JOINERS: [&str; 6] = ["ssh", "eval", "watch", "rsh", "parallel", "osascript"];

/// Refuses what would not do what it looks like, and what would make code of a log.
fn checked(words: Vec<String>, command: &str, at: &dyn Fn(&str) -> Box<Location>) -> Result<Vec<String>, TriggerError> {
    if let Some(word) = words.iter().find(|word| SHELL_OPERATORS.contains(&word.as_str())) {
        return Err(TriggerError::Shell { word: word.clone(), at: at(command) });
    }
    let holds = |word: &str| PLACEHOLDERS.iter().find(|(placeholder, _)| word.contains(placeholder)).map(|it| it.0);
    if let Some(placeholder) = holds(&words[0]) {
        return Err(TriggerError::Code { placeholder, option: "the beginning".to_owned(), at: at(placeholder) });
    }
    let joins = words.iter().position(|word| SHELL_JOINERS.contains(&word.rsplit('/').next().unwrap_or(word)));
    if let Some((joins, placeholder)) =
        joins.and_then(|at| Some((&words[at], words[at..].iter().find_map(|it| holds(it))?)))
    {
        return Err(TriggerError::Code { placeholder, option: joins.clone(), at: at(placeholder) });
    }
    for (option, word) in words.iter().zip(&words[1..]) {
        if let (true, Some(placeholder)) = (takes_code(option), holds(word)) {
            return Err(TriggerError::Code { placeholder, option: option.clone(), at: at(placeholder) });
        }
    }
    match words.iter().find_map(|word| holds(word).filter(|_| takes_code(word))) {
        Some(placeholder) => {
            Err(TriggerError::Code { placeholder, option: "an option".to_owned(), at: at(placeholder) })
        }
        None => Ok(words),
    }
}

/// True for `-c`, `-lc`, `-e`, `--eval=…`: what follows is code to a shell or another interpreter.
fn takes_code(word: &str) -> bool {
    let long = ["--eval", "--command", "--execute", "--print"].iter().any(|option| word.starts_with(option));
    let short = word.starts_with('-') && !word.starts_with("--") && word[1..].contains(['c', 'e', 'p', 'r', 'E']);
    long || short
}

impl Trigger {
    /// True if it is used, and an event is what it waits for. `text` is the event's line.
    #[must_use]
    pub fn matches_event(&self, event: &ReportedEvent, text: &str) -> bool {
        self.enabled
            && match &self.matcher {
                Matcher::Kind(known) => known.matches(event),
                Matcher::Text(pattern) => pattern.is_match(text),
            }
    }

    /// The words of the command for an event of a process.
    #[must_use]
    pub fn words(&self, event: &ReportedEvent, process: &str) -> Vec<String> {
        let json = event.to_json(process);
        let values = [
            event.title(),
            json["data"].to_string(),
            json["time"].as_str().unwrap_or_default().to_owned(),
            process.to_owned(),
            event.session().unwrap_or_default(),
        ];
        self.command.iter().map(|word| fill_placeholders(word, &values)).collect()
    }
}

/// A word with its placeholders replaced, each once: what a log says is not looked through for more.
fn fill_placeholders(word: &str, values: &[String; PLACEHOLDERS.len()]) -> String {
    let mut out = String::new();
    let mut rest = word;
    while let Some(start) = rest.find('{') {
        out.push_str(&rest[..start]);
        rest = &rest[start..];
        let found = PLACEHOLDERS.iter().position(|(placeholder, _)| rest.starts_with(placeholder));
        let (value, length) = found.map_or(("{", 1), |number| (values[number].as_str(), PLACEHOLDERS[number].0.len()));
        // No argument of a program can hold a zero byte.
        out.extend(value.chars().filter(|letter| *letter != '\0'));
        rest = &rest[length..];
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::super::tests::event;
    use super::*;

    fn wrong(line: &str) -> String {
        let error = parse("triggers.conf", line).expect_err(line);
        format!("{error} at {}", error.location().expect("a place"))
    }

    #[test]
    fn reads_rules_and_skips_comments() {
        let text = "# what\n\nAPI_ERROR|notify --title {TOKEN} 'a b'|Tell me|true\nTETRA:(A\\|B):.*|/bin/x|x|FALSE\n";
        let all = parse("triggers.conf", text).expect("rules");
        assert_eq!(all[0].command, ["notify", "--title", "{TOKEN}", "a b"]);
        assert_eq!((all[0].description.as_str(), all[0].enabled, all[0].line), ("Tell me", true, 3));
        assert_eq!((all[1].pattern.as_str(), all[1].enabled, all[1].line), ("TETRA:(A\\|B):.*", false, 4));
    }

    #[test]
    fn an_invalid_trigger_is_reported_with_its_place() {
        for (line, wanted) in [
            ("API_ERROR|x|y", "invalid trigger: expected PATTERN|COMMAND|DESCRIPTION|ENABLED at triggers.conf:1:1"),
            ("(|x|y|true", "invalid pattern `(` at triggers.conf:1:1"),
            ("A|x|y|maybe", "invalid value `maybe`: expected true or false at triggers.conf:1:7"),
            ("A||y|true", "the command of the trigger is empty or has an unclosed quote at triggers.conf:1:1"),
            ("A|x 'y|z|true", "the command of the trigger is empty or has an unclosed quote at triggers.conf:1:3"),
            ("A|echo x >> f|y|true", "`>>` is shell syntax, and triggers run without a shell at triggers.conf:1:3"),
        ] {
            assert_eq!(wrong(line), wanted, "{line}");
        }
    }

    #[test]
    fn a_log_never_becomes_code() {
        for command in [
            "sh -c 'echo {DATA}'",
            "bash -lc 'echo \"{DATA}\"'",
            "python3 -c {DATA}",
            "node --eval={DATA}",
            "perl -e 'print q({TOKEN})'",
            "php -r {DATA}",
            "env ssh host logger {DATA}",
            "/usr/bin/watch {DATA}",
            "{TOKEN} x",
        ] {
            assert!(wrong(&format!("A|{command}|x|true")).contains("would be executed as code"), "{command}");
        }
        for command in ["sh -c 'echo \"$1\"' sh {DATA}", "notify-send {TOKEN} {DATA}", "curl --data {DATA} http://x"] {
            assert!(parse("f", &format!("A|{command}|x|true")).is_ok(), "{command}");
        }
    }

    #[test]
    fn words_are_filled_in_and_stay_words() {
        let rule = &parse("f", "API|x {TOKEN} a-{SESSION}-{PROCESS} {DATA} {NONE}|d|1").expect("a rule")[0];
        let it = event(r#"TETRA:API:HIT {"session":"$(reboot) {DATA}; 'x"}"#);
        assert!(rule.matches_event(&it, "TETRA:API:HIT"));
        assert_eq!(
            rule.words(&it, "api"),
            ["x", "API:HIT", "a-$(reboot) {DATA}; 'x-api", r#"{"session":"$(reboot) {DATA}; 'x"}"#, "{NONE}"]
        );
    }
}
