//! What is put behind a command of tetra for what was typed behind that of another program.

use std::path::Path;

use clap::Args;

use crate::base::line;
use crate::base::signal::Signal;
use crate::command::registry::{self, CommandMatch};
use crate::command::tsm::logs::Logs;
use crate::tsm::pm2;

/// What `--only` of PM2 is here without the file that its apps are in.
pub(super) const ONLY: &str =
    "`tsm import FILE --only NAME` makes a service of that app of an ecosystem file, and `tsm up NAME` starts it";

const ONLY_SEVERAL: &str =
    "`tsm import FILE --only NAME` makes services of those apps of an ecosystem file, and `tsm up NAME` starts them";

fn value_of_only<'a>(words: &[&'a str]) -> Option<&'a str> {
    let only = words.windows(2).find(|pair| pair[0] == "--only").map(|pair| pair[1]);
    only.or_else(|| words.iter().find_map(|word| word.strip_prefix("--only=")))
}

/// The arguments of a command for processes that `--only` of PM2 names; other names, such as `all`, are left out.
pub(super) fn only_names(command: &str, words: &[&str]) -> Option<Vec<String>> {
    let only = value_of_only(words).filter(|_| command != "start")?;
    let options = words.iter().filter(|word| word.starts_with('-') && word.split('=').next() != Some("--only"));
    Some(only.split(',').chain(options.copied()).filter(|word| !word.is_empty()).map(str::to_owned).collect())
}

/// What to do with a file in which PM2 lists what it runs; none if the line names none, nor
/// apps of one. `words` are those after `pm2`.
#[must_use]
pub fn list_advice(words: &[&str]) -> Option<String> {
    const STARTS: [&str; 4] = ["start", "restart", "reload", "gracefulReload"];
    let (verb, rest) = words.split_first()?;
    let only = value_of_only(rest);
    let Some(file) = rest.iter().find(|word| pm2::has_name_of_list(Path::new(word))) else {
        let only = only.filter(|_| *verb == "start" || verb.starts_with("startOr"))?;
        let line = line::join(["tsm", "import", "FILE", "--only", only]);
        let text = if only.contains(',') { ONLY_SEVERAL } else { ONLY };
        let names = line::join(only.split(',').filter(|name| !name.is_empty()));
        return Some(
            text.replace("FILE --only NAME", "{}")
                .replace("NAME", &bounded(&names))
                .replace("tsm import {}", &bounded(&line)),
        );
    };
    if !STARTS.contains(verb) && !verb.starts_with("startOr") {
        let ends = ["stop", "delete", "del", "kill"].contains(verb);
        return ends.then(|| "a file is not a name here; `tsm list` shows the names of what runs".to_owned());
    }
    let line = line::join(["tsm", "import", file].into_iter().chain(only.into_iter().flat_map(|it| ["--only", it])));
    Some(format!("`{}` makes services of it, and `tsm up NAME` starts one of them", bounded(&line)))
}

/// The arguments of `tsm logs`, with all processes if they name none.
pub(super) fn of_all(words: &[String]) -> Vec<String> {
    let command = Logs::augment_args(clap::Command::new("logs"));
    let takes_value = |word: &str| {
        command.get_opts().filter(|option| option.get_action().takes_values()).any(|option| {
            let is_short = option.get_short().is_some_and(|short| !word.starts_with("--") && word.ends_with(short));
            let mut longs = option.get_long_and_visible_aliases().into_iter().flatten();
            is_short || longs.any(|long| word.strip_prefix("--") == Some(long))
        })
    };
    let is_name = |at: usize| {
        let is_value = at > 0 && words[at - 1].starts_with('-') && takes_value(&words[at - 1]);
        !words[at].starts_with('-') && !is_value
    };
    let all = (!(0..words.len()).any(is_name)).then(|| "*".to_owned());
    words.iter().cloned().chain(all).collect()
}

/// A word of a program in which a process may be called `all`: here that would mean every one.
pub(super) fn by_name(word: &str) -> &str {
    if word.eq_ignore_ascii_case("all") || word == "*" { "NAME" } else { word }
}

/// The words without the options that the command of `template` does not have: `up -d` is `tsm up`.
pub(super) fn known_options(template: &str, words: Vec<String>) -> Vec<String> {
    let name: Vec<&str> = template.split(' ').filter(|word| !word.starts_with('{')).collect();
    let CommandMatch::Command(found, _) = registry::resolve(&name) else { return words };
    let parser = found.full_parser();
    let is_known = |word: &str| {
        let plain = word.split('=').next().unwrap_or(word);
        parser.get_arguments().any(|arg| {
            let long = arg.get_long_and_visible_aliases().unwrap_or_default();
            plain.strip_prefix("--").map_or_else(
                || arg.get_short().is_some_and(|letter| plain.strip_prefix('-') == Some(&*letter.to_string())),
                |plain| long.contains(&plain),
            )
        })
    };
    words.into_iter().filter(|word| !word.starts_with('-') || is_known(word)).collect()
}

/// The arguments of `tsm signal`, if they come as `kill` and PM2 take them: the signal first.
pub(super) fn signal_last(words: &[String]) -> Option<Vec<String>> {
    let [signal, target] = words else { return None };
    let is_signal = |word: &str| word.parse::<Signal>().is_ok();
    (is_signal(signal) && !is_signal(target)).then(|| vec![target.clone(), signal.clone()])
}

/// What to do about the arguments of a command that are not in its order; none if that is not what is wrong.
#[must_use]
pub fn order_advice(name: &str, words: &[String]) -> Option<String> {
    let words = signal_last(words).filter(|_| name == "tsm signal")?;
    Some(format!("the signal comes after the process: `{}`", bounded(&format!("{name} {}", line::join(&words)))))
}

pub(super) fn filled(template: &str, words: &[&str]) -> String {
    let mut line = template.replace("{}", &line::join(words));
    for (at, place) in ["{1}", "{2}"].into_iter().enumerate() {
        let word = words.get(at).map_or(if at == 0 { "SIGNAL" } else { "NAME" }.to_owned(), |word| line::join([word]));
        line = line.replace(place, &word);
    }
    bounded(line.trim_end())
}

/// The line, cut if it is very long.
pub(super) fn bounded(line: &str) -> String {
    const MOST: usize = 300;
    match line.char_indices().nth(MOST) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line.to_owned(),
    }
}
