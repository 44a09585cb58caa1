//! The signal in a line of `kill`, and the line of tetra that sends it.

use super::arguments::{bounded, by_name};
use super::verbs::{DOCKER, SYSTEMD};
use crate::base::line;
use crate::base::signal::Signal;

/// What is advised for the words of `kill`, `killall` and `pkill`, and for ours that send signals, if there is a signal among them.
pub(super) fn of_unix(words: &[&str]) -> Option<String> {
    let (verb, rest) = words.split_first()?;
    if let ("kill", ["-l" | "-L" | "--list"]) = (*verb, rest) {
        return Some("`!kill -l` at the prompt lists the signals".to_owned());
    }
    match *verb {
        "kill" | "signal" => advice(rest, None),
        "killall" | "pkill" => advice(&rest.iter().map(|word| by_name(word)).collect::<Vec<_>>(), None),
        _ => None,
    }
}

/// The same for a `kill` of systemd or docker, which sends a signal in any case.
pub(super) fn of_program(of: &str, words: &[&str]) -> Option<String> {
    let (verb, rest) = words.split_first()?;
    let usual = match of {
        SYSTEMD => "TERM",
        DOCKER => "KILL",
        _ => return None,
    };
    (*verb == "kill").then(|| advice(rest, Some(usual))).flatten()
}

/// The lines that send the signal among the arguments to all the processes among them.
fn advice(words: &[&str], usual: Option<&str>) -> Option<String> {
    let (signal, targets) = signal_and_targets(words);
    let signal = signal.or(usual)?;
    let send = |target: &&str| format!("`{}`", line::join(["tsm", "signal", target, signal]));
    let lines: Vec<String> = if targets.is_empty() { &["NAME"] } else { &targets[..] }.iter().map(send).collect();
    let lines = bounded(&lines.join(" and "));
    Some(if targets.len() > 1 {
        format!("{lines} send the signal to the processes themselves, not to what they started")
    } else {
        format!("{lines} sends the signal to the process itself, not to what it started")
    })
}

/// The signal and the processes among the arguments of `kill`; other options are left out.
fn signal_and_targets<'a>(words: &[&'a str]) -> (Option<&'a str>, Vec<&'a str>) {
    let (mut signal, mut targets) = (None, Vec::new());
    let known = |word: &'a str| Some(word).filter(|word| word.parse::<Signal>().is_ok());
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        let joined = ["--signal=", "-s", "-n", "-"].iter().find_map(|start| known(word.strip_prefix(start)?));
        match *word {
            "-s" | "-n" | "--signal" => signal = rest.next().copied().and_then(known).or(signal),
            "--kill-who" | "--kill-whom" | "--kill-value" => drop(rest.next()),
            option if option.starts_with('-') => signal = joined.or(signal),
            target => targets.push(target),
        }
    }
    (signal, targets)
}
