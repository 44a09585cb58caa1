//! Moments in the words of `journalctl`.

use crate::base::time::HumanDuration;
use crate::base::time_spec::TimeSpec;

const OPTIONS: [&str; 2] = ["--since", "--until"];

/// The same in one letter, which `tsm logs` does not have.
const LETTERS: [&str; 2] = ["-S", "-U"];

/// The words with each moment as `tsm logs` takes it; none if all of them are so.
pub(super) fn translated(words: &[&str]) -> Option<Vec<String>> {
    let mut found: Vec<String> = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let is_value = at > 0 && [OPTIONS, LETTERS].concat().contains(&words[at - 1]);
        let letter = LETTERS.iter().position(|letter| letter == word);
        found.push(match (word.split_once('='), letter) {
            _ if is_value => moment(word),
            (_, Some(letter)) => OPTIONS[letter].to_owned(),
            (Some((option, value)), _) if OPTIONS.contains(&option) => format!("{option}={}", moment(value)),
            _ => (*word).to_owned(),
        });
    }
    (found != words).then_some(found)
}

/// A moment as we write it: `1 hour ago` and `-1h` are `1h`. What is none here is `TIME`.
fn moment(given: &str) -> String {
    if given.parse::<TimeSpec>().is_ok() {
        return given.to_owned();
    }
    if given == "now" {
        return "0s".to_owned();
    }
    if let Some(Ok(seconds)) = given.strip_prefix('@').map(str::parse) {
        return jiff::Timestamp::from_second(seconds).map_or_else(|_| "TIME".to_owned(), |point| point.to_string());
    }
    let span = given.strip_prefix('-').or_else(|| given.strip_suffix("ago"));
    span.and_then(short).unwrap_or_else(|| "TIME".to_owned())
}

/// A span with units of one letter: `2 days 3 hours` is `2d3h`.
fn short(span: &str) -> Option<String> {
    let mut written = String::new();
    for part in span.split_whitespace() {
        let unit = part.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(part.len());
        written.push_str(&part[..unit]);
        written.push_str(match &part[unit..] {
            "" => "",
            "s" | "sec" | "second" | "seconds" => "s",
            "m" | "min" | "minute" | "minutes" => "m",
            "h" | "hr" | "hour" | "hours" => "h",
            "d" | "day" | "days" => "d",
            "w" | "week" | "weeks" => "w",
            _ => return None,
        });
    }
    written.parse::<HumanDuration>().is_ok().then_some(written)
}
