//! What to do about a command that could not ask: the line that does the same with `--yes`, as it can be pasted where it came from.

use crate::base::line;
use crate::base::redact::redact;
use crate::command::global::Globals;
use crate::command::registry::{self, CommandMatch};

use super::session::Session;
use super::source::ScriptOrigin;

/// How to confirm a command that was refused because it could not ask. A `-y` at its end did not count: it is the program's.
#[must_use]
pub(super) fn advice(words: &[String], origin: &ScriptOrigin, session: &Session) -> String {
    let is_yes = |word: &String| matches!(word.as_str(), "-y" | "--yes");
    let given = words.last().filter(|word| is_yes(word) && !words.iter().any(|it| it == "--"));
    let meant = given.map_or(words.len(), |_| words.len() - words.iter().rev().take_while(|word| is_yes(word)).count());
    let line = confirmed_line(&words[..meant], origin, session);
    let confirm = format!("pass `--yes` to confirm: `{line}`");
    match given {
        Some(given) => format!("`{given}` behind the program is an argument of the program; {confirm}"),
        None => confirm,
    }
}

/// The words of a command with `--yes` behind its name, for the place it came from: after a shell with the program before it, in
/// scripts and at the prompt by themselves. Words with a secret are left out, as `…`.
fn confirmed_line(words: &[String], origin: &ScriptOrigin, session: &Session) -> String {
    let line = with_yes(words);
    match origin {
        // A link is the first word itself.
        ScriptOrigin::Words if words.first() == Some(&session.called_as) => line,
        ScriptOrigin::Words => format!("{} {line}", program(session)),
        ScriptOrigin::Option => format!("{} -c {}", program(session), line::quote(&line)),
        ScriptOrigin::Prompt | ScriptOrigin::File(_) | ScriptOrigin::Stdin | ScriptOrigin::Nested { .. } => line,
    }
}

fn with_yes(words: &[String]) -> String {
    let (name, arguments) = words.split_at(end_of_name(words));
    let name = line::join(name);
    if redact(words) != words {
        return format!("{name} --yes …");
    }
    let arguments = line::join(arguments);
    format!("{name} --yes {arguments}").trim().to_owned()
}

/// Behind the name of the command, with the options before it and between a group and its verb.
fn end_of_name(words: &[String]) -> usize {
    let options = |words: &[String]| Globals::default().parse_leading(words).unwrap_or(0);
    let before = options(words);
    let mut rest = words[before..].to_vec();
    let between = match registry::resolve(&rest) {
        CommandMatch::Group(..) => options(&rest[1..]),
        CommandMatch::Command(..) | CommandMatch::Nothing => 0,
    };
    rest.drain(rest.len().min(1)..rest.len().min(1 + between));
    match registry::resolve(&rest) {
        CommandMatch::Command(_, count) => before + between + count,
        CommandMatch::Group(..) | CommandMatch::Nothing => before,
    }
}

/// The program and the options before its words that choose what is acted on.
fn program(session: &Session) -> String {
    let Globals { dir, on, hosts, .. } = &session.globals;
    // Also what was selected by lines before it, which are not run again.
    let (org, env) = session.chosen();
    let hosts: Vec<&str> = hosts.iter().map(|host| host.as_str()).collect();
    let options = [
        ("--org", org.map(ToString::to_string)),
        ("--env", env.map(ToString::to_string)),
        ("--dir", dir.clone()),
        ("--on", on.as_ref().map(ToString::to_string)),
        ("--host", (!hosts.is_empty()).then(|| hosts.join(","))),
    ];
    let given = options.into_iter().filter_map(|(option, value)| Some([option.to_owned(), value?])).flatten();
    line::join(std::iter::once(session.called_as.clone()).chain(given))
}
