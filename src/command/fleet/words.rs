//! The words that a host is given.

use crate::command::global::Globals;
use crate::command::registry::{self, CommandMatch};
use crate::command::{CommandSpec, Effect};

/// Options that choose hosts; a host is not given them.
const HOST_OPTIONS: [&str; 2] = ["--on", "--host"];

/// The words of a command as a host gets them, and whether it goes on until it is interrupted. The words were parsed before.
pub(super) fn remote(spec: &CommandSpec, words: &[String], effect: Effect) -> (Vec<String>, bool) {
    let leading = |words: &[String]| Globals::default().parse_leading(words).unwrap_or(0);
    let before = leading(words);
    let (mut options, mut rest) = (words[..before].to_vec(), words[before..].to_vec());
    if let (CommandMatch::Group(..), Some(_)) = (registry::resolve(&rest), rest.get(1)) {
        let inner = leading(&rest[1..]);
        options.extend(rest.drain(1..=inner));
    }
    let count = if let CommandMatch::Command(_, count) = registry::resolve(&rest) { count } else { 0 };
    let arguments = rest.split_off(count);
    let own: Vec<String> =
        (spec.parser)().get_arguments().filter_map(|arg| Some(format!("--{}", arg.get_long()?))).collect();
    let arguments = without(arguments, |option| HOST_OPTIONS.contains(&option) && !own.iter().any(|it| it == option));
    let matches = spec.full_parser().try_get_matches_from((spec.reorder_args)(arguments.clone()));
    let is_set = |id: &str| matches.as_ref().is_ok_and(|it| matches!(it.try_get_one::<bool>(id), Ok(Some(true))));
    let follows = is_set("follow") && !is_set("nostream");
    let mut made = vec!["--json".to_owned()];
    if effect != Effect::Read {
        // It was asked here.
        made.push("--yes".to_owned());
    }
    made.extend(without(options, |option| HOST_OPTIONS.contains(&option)));
    made.extend(spec.name.split(' ').map(str::to_owned));
    made.extend(arguments);
    (made, follows)
}

/// Words without some options and their values; what is behind `--` stays.
fn without(words: Vec<String>, is_dropped: impl Fn(&str) -> bool) -> Vec<String> {
    let mut kept = Vec::new();
    let mut words = words.into_iter();
    while let Some(word) = words.next() {
        if word == "--" {
            kept.push(word);
            kept.extend(words);
            break;
        }
        match word.split_once('=') {
            Some((option, _)) if is_dropped(option) => {}
            None if is_dropped(&word) => drop(words.next()),
            _ => kept.push(word),
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_gets_the_words_without_those_that_choose_it() {
        for (line, expected, goes_on) in [
            ("--on @dev tsm list", "--json tsm list", false),
            ("tsm --host=a,b ls all --json", "--json tsm list all --json", false),
            ("-v --env dev tsm logs web -n 5 --on dev -f", "--json -v --env dev tsm logs web -n 5 -f", true),
            ("tsm logs web -f --nostream --host a", "--json tsm logs web -f --nostream", false),
            ("tsm start --host a -- node --on x", "--json --yes tsm start -- node --on x", false),
        ] {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            let name = expected.split(' ').skip_while(|word| *word != "tsm").take(2).collect::<Vec<_>>().join(" ");
            let spec = registry::COMMANDS.iter().find(|spec| spec.name == name).expect("it is there");
            assert_eq!(remote(spec, &words, spec.effect), (expected.split(' ').map(str::to_owned).collect(), goes_on));
        }
    }
}
