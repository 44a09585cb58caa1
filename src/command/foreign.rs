//! Words that people of PM2, systemd and Unix type, and the command of tetra that does the same.
//!
//! A row may only lead to a command that does no more to the world than its word means; a test holds every row to that.

mod answer;
mod arguments;
mod moments;
mod signals;
mod verbs;

use super::Effect;
use crate::base::line;
use crate::base::name::is_name;
pub use crate::tsm::pm2::options::Counterpart;
use crate::tsm::pm2::options::{OPTIONS, WATCH, fill};

pub use answer::answer;
use arguments::{ONLY, bounded, by_name, filled, known_options, of_all, only_names, signal_last};
pub use arguments::{list_advice, order_advice};
pub use verbs::{AFTER_PROGRAM, VERBS};
use verbs::{DOCKER, HAVE_ALL, PM2, PROGRAMS, SYSTEMD, UNIX};

/// A verb of another program.
#[derive(Debug, Clone, Copy)]
pub struct ForeignVerb {
    /// The word.
    pub word: &'static str,
    /// Whose it is.
    pub of: &'static str,
    /// The least number of arguments with which it means this.
    pub least: usize,
    /// The most that it may do there.
    pub effect: Effect,
    /// What does it here.
    pub here: Counterpart,
}

use Counterpart::{Line, Text};
use Effect::{Destroy, Read};

/// The verb and its arguments in a line of another program, and whose it is; none if the line is of none.
#[must_use]
pub fn after_program<'a>(words: &[&'a str]) -> Option<(&'static str, Vec<&'a str>)> {
    let (first, rest) = words.split_first()?;
    let (program, of) = PROGRAMS.iter().find(|(program, _)| program == first)?;
    let is_part = |word: &str| *of == DOCKER && matches!(word, "compose" | "container");
    let rest = rest.iter().skip_while(|word| word.starts_with('-') || is_part(word));
    let mut rest: Vec<&str> = rest.map(|word| word.strip_suffix(".service").unwrap_or(word)).collect();
    if *program == "service" && rest.len() > 1 {
        rest.swap(0, 1);
    }
    if !HAVE_ALL.contains(of) {
        rest = rest.into_iter().map(by_name).collect();
    }
    Some((of, rest))
}

/// An option of another program.
#[derive(Debug, Clone, Copy)]
pub struct ForeignOption {
    /// The command here, without its group.
    pub command: &'static str,
    /// The option.
    pub option: &'static str,
    /// Whose it is.
    pub of: &'static str,
    /// True if the next word is its value.
    pub takes_value: bool,
    /// What does it here: `{}` is its value.
    pub here: Counterpart,
}

impl ForeignOption {
    /// What is typed before it in its own program.
    #[must_use]
    pub fn typed_after(&self) -> &'static str {
        match (self.of, self.command) {
            (SYSTEMD, "start") => "systemd-run",
            (SYSTEMD, "logs") => "journalctl",
            (SYSTEMD, "signal") => "kill",
            (SYSTEMD, "info") => "show",
            (_, command) => command,
        }
    }

    /// The whole command that does it here, or what to know instead.
    #[must_use]
    pub fn in_whole(&self) -> String {
        let object = if self.command == "start" { "PROGRAM" } else { "NAME" };
        let tsm = |line: &str| format!("tsm {} {line}", self.command);
        match self.here {
            Text(text) => text.replace("{}", "NAME"),
            Line("") => format!("is not needed: `{}`", tsm(object)),
            // A value that is not that of a long option is the process itself.
            Line(line) if !line.starts_with("--") => tsm(&line.replace("{}", object)),
            Line(line) => tsm(&format!("{} {object}", line.replace("{}", "VALUE"))),
        }
    }
}

const fn option(
    command: &'static str,
    option: &'static str,
    of: &'static str,
    takes_value: TakesValue,
    here: Counterpart,
) -> ForeignOption {
    ForeignOption { command, option, of, takes_value: matches!(takes_value, TakesValue::Yes), here }
}

enum TakesValue {
    Yes,
    No,
}
use TakesValue::{No, Yes};

const ELSEWHERE: Counterpart =
    Text("nothing is sent to a service elsewhere; `tsm monitor` shows processes, and `tetra serve` has a page of them");

/// Those of systemd, and of other verbs of PM2; all of `pm2 start` are in [`OPTIONS`].
const OTHERS: &[ForeignOption] = &[
    option("enable", "--now", SYSTEMD, No, Text("`tsm enable {}` is for the next boot, `tsm start {}` for now")),
    option("disable", "--now", SYSTEMD, No, Text("`tsm disable {}` is for the next boot, `tsm stop {}` for now")),
    option("start", "--only", PM2, Yes, Text(ONLY)),
    option("restart", "--only", PM2, Yes, Line("{}")),
    option("reload", "--only", PM2, Yes, Line("{}")),
    option("stop", "--only", PM2, Yes, Line("{}")),
    option("delete", "--only", PM2, Yes, Line("{}")),
    option("list", "--watch", PM2, No, Text("`watch tsm list` shows it again and again")),
    option("start", "--unit", SYSTEMD, Yes, Line("--name {}")),
    option("info", "-p", SYSTEMD, Yes, Line("")),
    option("info", "--property", SYSTEMD, Yes, Line("")),
    option("info", "--value", SYSTEMD, No, Line("")),
    option("logs", "-u", SYSTEMD, Yes, Line("{}")),
    option("logs", "--unit", SYSTEMD, Yes, Line("{}")),
    option("logs", "-fu", SYSTEMD, Yes, Line("-f {}")),
    option("logs", "-g", SYSTEMD, Yes, Line("--grep {}")),
    option("logs", "-xe", SYSTEMD, No, Line("")),
    option("logs", "-xeu", SYSTEMD, Yes, Line("{}")),
    option("logs", "--no-pager", SYSTEMD, No, Line("")),
    option("logs", "--raw", PM2, No, Line("")),
    option("up", "-d", DOCKER, No, Line("")),
    option("signal", "-s", SYSTEMD, Yes, Text("the signal comes after the process: `tsm signal NAME HUP`")),
];

/// All of them.
pub fn foreign_options() -> impl Iterator<Item = ForeignOption> + Clone {
    let of_start = OPTIONS.iter().map(|it| ForeignOption {
        command: "start",
        option: it.option,
        of: PM2,
        takes_value: it.takes_value,
        here: it.here,
    });
    of_start.chain(OTHERS.iter().copied())
}

/// What a line of another program is here; none if it is of none. `words` are those after `tsm`.
#[must_use]
pub fn verb_advice(words: &[&str]) -> Option<String> {
    signals::of_unix(words).or_else(|| verb_among(words, VERBS.iter()))
}

/// The same for words after the name of a program, which is `of`: its own rows come first.
#[must_use]
pub fn program_verb_advice(of: &str, words: &[&str]) -> Option<String> {
    let all = || AFTER_PROGRAM.iter().filter(|verb| verb.of == of).chain(VERBS);
    signals::of_program(of, words)
        .or_else(|| verb_among(words, all().filter(|verb| verb.of == of)))
        .or_else(|| verb_among(words, all()))
}

fn verb_among(words: &[&str], mut rows: impl Iterator<Item = &'static ForeignVerb>) -> Option<String> {
    let (first, rest) = words.split_first()?;
    let named = rest.iter().filter(|word| !word.starts_with('-')).count();
    let found = rows.find(|verb| verb.word == *first && named >= verb.least)?;
    Some(match found.here {
        Line(template) => {
            // Its options are put into ours as well.
            let command = template.strip_prefix("tsm ").and_then(|line| line.strip_suffix(" {}"));
            let words = command.and_then(|command| translated(command, rest));
            let words = words.unwrap_or_else(|| rest.iter().map(|&word| word.to_owned()).collect());
            let words = if template.starts_with("tsm logs ") && found.effect == Read { of_all(&words) } else { words };
            let is_by_name = found.of != PM2 && found.effect > Read && !template.starts_with("tsm start");
            let words = if is_by_name { words.iter().map(|word| by_name(word).to_owned()).collect() } else { words };
            let words = match (found.of, found.effect) {
                (DOCKER, _) => known_options(template, words),
                // They mean something else there: `pkill -f`.
                (UNIX, Destroy) => words.into_iter().filter(|word| !word.starts_with('-')).collect(),
                _ => words,
            };
            let line = filled(template, &words.iter().map(String::as_str).collect::<Vec<_>>());
            format!("`{line}` does what `{first}` does in {}", found.of)
        }
        Text(text) => {
            let names: Vec<&&str> = rest.iter().filter(|word| !word.starts_with('-')).collect();
            // Files are no processes, and a pattern or `all` would be more than was meant. A number is an id.
            let is_id = |name: &str| name.parse::<u32>().is_ok();
            let is_plain = |name: &&&str| (is_name(name) || is_id(name)) && !name.eq_ignore_ascii_case("all");
            let is_meant = named > 0 && names.iter().all(is_plain);
            text.replace("{}", &if is_meant { bounded(&line::join(names)) } else { "NAME".to_owned() })
        }
    })
}

/// What to do about an option that a command of tetra does not have, given all the words after its name.
#[must_use]
pub fn option_advice(name: &str, option: &str, words: &[String]) -> Option<String> {
    let command = name.strip_prefix("tsm ")?;
    let line: Vec<&str> = [command].into_iter().chain(words.iter().map(String::as_str)).collect();
    let only = (option == "--only").then(|| list_advice(&line)).flatten();
    if let Some(advice) = only.or_else(|| signals::of_unix(&line)) {
        return Some(advice);
    }
    // Of `-xe` and `-fu` the parser names one letter only.
    let letter = option.strip_prefix('-').filter(|letter| letter.len() == 1);
    let is_part = |of: &str| of == option || letter.is_some_and(|letter| !of.starts_with("--") && of.contains(letter));
    let whole = |row: &ForeignOption| is_part(row.option) && words.iter().any(|word| word == row.option);
    let mut rows = foreign_options().filter(|row| row.command == command);
    let row = rows.clone().find(whole).or_else(|| rows.find(|row| row.option == option))?;
    let option = row.option;
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    if let Text(text) = row.here {
        let others: Vec<&str> = words.into_iter().filter(|word| *word != option).collect();
        return Some(text.replace("{}", &bounded(&line::join(others))));
    }
    let words = translated(command, &words)?;
    Some(format!(
        "`{}` does what `{option}` does in {}",
        bounded(format!("{name} {}", line::join(&words)).trim_end()),
        row.of
    ))
}

/// A line of a program whose verb is that of a command of tetra as well, and what to know about options that have no counterpart.
#[must_use]
pub fn same_verb_advice(name: &str, words: &[&str]) -> String {
    let command = name.strip_prefix("tsm ").unwrap_or(name);
    let rows = || foreign_options().filter(|row| row.command == command);
    let (mut kept, mut texts) = (Vec::new(), Vec::new());
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        let option = word.split_once('=').map_or(*word, |(option, _)| option);
        match rows().find(|row| row.option == option && matches!(row.here, Text(_))) {
            Some(row) => {
                texts.push(row.here);
                if row.takes_value && option == *word {
                    rest.next();
                }
            }
            None => kept.push(*word),
        }
    }
    let line = translated(command, &kept).unwrap_or_else(|| kept.iter().map(|&word| word.to_owned()).collect());
    let line = match command {
        "logs" => of_all(&line),
        "signal" => signal_last(&line).unwrap_or(line),
        _ => line,
    };
    let line = line::join(&line);
    let mut said = format!("`{}` is that command here", bounded(format!("{name} {line}").trim_end()));
    for text in texts {
        if let Text(text) = text {
            said.push_str("; ");
            said.push_str(&text.replace("{}", &bounded(&line)));
        }
    }
    said
}

/// The words with every option of another program put into ours; none if there is none of them.
fn translated(command: &str, words: &[&str]) -> Option<Vec<String>> {
    let timed = if command == "logs" { moments::translated(words) } else { None };
    let words: Vec<&str> = timed.as_ref().map_or_else(|| words.to_vec(), |it| it.iter().map(String::as_str).collect());
    if let Some(only) = only_names(command, &words) {
        return Some(only);
    }
    let mut found = Vec::new();
    let mut changed = timed.is_some();
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        let (name, joined) = word.split_once('=').map_or((*word, None), |(name, value)| (name, Some(value)));
        let is_ours =
            name == WATCH && (joined.is_some() || rest.clone().next().is_some_and(|next| !next.starts_with('-')));
        let row = foreign_options().find(|row| row.command == command && row.option == name && !is_ours);
        let Some(ForeignOption { here: Line(template), takes_value, .. }) = row else {
            found.push((*word).to_owned());
            continue;
        };
        changed = true;
        let value = if takes_value { joined.or_else(|| rest.next().copied()).unwrap_or("VALUE") } else { "" };
        found.extend(fill(template, name, value));
    }
    changed.then_some(found)
}
