//! Whose words are whose: the options of `tsm start` may stand before the program or behind it.

use clap::{Arg, Command};

use crate::base::name::is_name;
use crate::command::global::GLOBALS;
use crate::tsm::detect::detect;
use crate::tsm::port::PortSpec;

/// What separates our options from the program, and the program's words from what it wants to keep.
const SEPARATOR: &str = "--";

/// Global options that are ours also behind a single bare word: that is a service or process much more often than a program.
const ALLOWED_AFTER_NAME: [&str; 3] = ["--json", "--yes", "-y"];

/// Puts the options of `own` first, then `--`, then the program and everything that is its own.
///
/// Before the program every option is ours, the global ones too. Behind it only those of `own` are, and only behind what belongs to
/// an interpreter (`node -e CODE`). Everything behind a `--` is the program's.
pub(in crate::command) fn reorder(words: Vec<String>, own: &Command) -> Vec<String> {
    let begin = program_index(&words, own);
    let (mut ours, rest) = (words[..begin].to_vec(), &words[begin..]);
    let end = rest.iter().position(|word| word == SEPARATOR).unwrap_or(rest.len());
    let (program, kept) = rest.split_at(end);
    let shape = detect(program);
    let settled = if shape.is_interpreter { shape.arguments } else { 1 }.min(program.len());
    let mut theirs = program[..settled].to_vec();
    let mut at = settled;
    while let Some(word) = program.get(at) {
        let count = option_len(word, program.get(at + 1), own);
        let taken = &program[at..(at + count.max(1)).min(program.len())];
        if count > 0 {
            ours.extend_from_slice(taken)
        } else {
            theirs.extend_from_slice(taken)
        }
        at += count.max(1);
    }
    if let [first, options @ ..] = theirs.as_slice()
        && is_name(first)
        && options.iter().all(|word| ALLOWED_AFTER_NAME.contains(&word.as_str()))
    {
        ours.extend_from_slice(options);
        theirs.truncate(1);
    }
    ours.push(SEPARATOR.to_owned());
    ours.extend(theirs);
    ours.extend_from_slice(kept);
    ours
}

/// Where the program begins: at the first word that is neither an option nor the value of one.
pub(in crate::command::tsm) fn program_index(words: &[String], own: &Command) -> usize {
    let mut at = 0;
    while let Some(word) = words.get(at).filter(|word| word.len() > 1 && word.starts_with('-') && *word != SEPARATOR) {
        at += 1 + usize::from(takes_value(word, own));
    }
    at.min(words.len())
}

/// True if the value of an option is the word behind it.
fn takes_value(word: &str, own: &Command) -> bool {
    if let Some(long) = word.strip_prefix("--") {
        return match find(own, long, None) {
            Some(arg) => arg.get_action().takes_values(),
            None => GLOBALS.iter().any(|global| global.long == long && global.value.is_some()),
        };
    }
    let mut letters = word.chars().skip(1);
    let valued = letters.find(|letter| find(own, "", Some(*letter)).is_some_and(|arg| arg.get_action().takes_values()));
    valued.is_some() && letters.next().is_none()
}

/// How many words an option of ours takes behind the program; 0 if the word is the program's.
fn option_len(word: &str, next: Option<&String>, own: &Command) -> usize {
    if let Some(long) = word.strip_prefix("--") {
        let (long, inline) = long.split_once('=').map_or((long, false), |(long, _)| (long, true));
        // Without a path it is the switch of PM2, which the program is given with a note.
        let has_path = inline || next.is_some_and(|next| !next.starts_with('-'));
        let arg = find(own, long, None).filter(|arg| arg.get_id() != "watch" || has_path);
        return arg.map_or(0, |arg| 1 + usize::from(arg.get_action().takes_values() && !inline));
    }
    let mut letters = word.strip_prefix('-').unwrap_or_default().chars();
    let (Some(letter), None) = (letters.next(), letters.next()) else { return 0 };
    match find(own, "", Some(letter)) {
        // `-p 8080:80` is meant for a program that knows it.
        Some(arg) if arg.get_id() == "port" => {
            next.map_or(0, |next| if next.parse::<PortSpec>().is_ok() { 2 } else { 0 })
        }
        Some(_) => next.map_or(0, |_| 2),
        None => 0,
    }
}

fn find<'a>(own: &'a Command, long: &str, short: Option<char>) -> Option<&'a Arg> {
    let fits = |arg: &&Arg| match short {
        Some(short) => arg.get_short() == Some(short),
        None => arg.get_long().is_some_and(|own| own == long),
    };
    own.get_arguments().find(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arranged(line: &str) -> String {
        let own = <super::super::Start as clap::Args>::augment_args(Command::new("x"));
        reorder(shlex::split(line).expect("words"), &own).join(" ")
    }

    #[test]
    fn our_options_may_stand_before_or_behind_the_program() {
        for (line, expected) in [
            ("--env dev ./x.sh my-app", "--env dev -- ./x.sh my-app"),
            ("./x.sh my-app --env dev", "--env dev -- ./x.sh my-app"),
            ("x.sh --name a --port 4001", "--name a --port 4001 -- x.sh"),
            ("node server.js --port=4000 --verbose", "--port=4000 -- node server.js --verbose"),
            ("./x.sh -p 4001 -N a", "-p 4001 -N a -- ./x.sh"),
            ("-p4001 -e dev sleep 30", "-p4001 -e dev -- sleep 30"),
            ("./app.js --watch . --port 4001", "--watch . --port 4001 -- ./app.js"),
            ("./app.js --watch --name a", "--name a -- ./app.js --watch"),
            ("sleep 30 --no-wait", "--no-wait -- sleep 30"),
            ("--json -qv --org acme sleep 30", "--json -qv --org acme -- sleep 30"),
        ] {
            assert_eq!(arranged(line), expected, "{line}");
        }
    }

    #[test]
    fn what_is_not_ours_behind_the_program_is_the_programs() {
        for line in [
            "node server.js --verbose -x --json -q -v --help",
            "node -e code",
            "python3 -m http.server -b 127.0.0.1 8000",
            "bash -e -c 'a b'",
            "docker run -p 8080:80 x",
            "ls -e",
            "x --ports 3",
            "./app.js --watch",
            "./app.js --watch -x",
        ] {
            let words = shlex::split(line).expect("words").join(" ");
            assert_eq!(arranged(line), format!("-- {words}"), "{line}");
        }
    }

    #[test]
    fn behind_a_single_bare_word_json_and_yes_are_ours() {
        assert_eq!(arranged("tetra --yes --json"), "--yes --json -- tetra");
        assert_eq!(arranged("tetra --port 1 -y"), "--port 1 -y -- tetra");
        for line in ["./tetra --json", "tetra --json x", "node x.js --json", "tetra --verbose"] {
            assert_eq!(arranged(line), format!("-- {line}"), "{line}");
        }
        assert_eq!(arranged("tetra -- --json"), "-- tetra -- --json");
    }

    proptest::proptest! {
        #[test]
        fn no_word_is_lost_and_none_is_made(words in proptest::collection::vec("(--?[a-z]{0,5}(=x)?|[a-z./0-9]{0,6}|node|--port|-e|--)", 0..8)) {
            let own = <crate::command::tsm::start::Start as clap::Args>::augment_args(Command::new("x"));
            let mut given = words.clone();
            let mut arranged = reorder(words, &own);
            let at = arranged.iter().position(|word| word == SEPARATOR).expect("there is one");
            arranged.remove(at);
            given.sort();
            arranged.sort();
            assert_eq!(arranged, given);
        }
    }

    #[test]
    fn everything_behind_two_hyphens_is_the_programs() {
        assert_eq!(arranged("--env dev -- node x.js --port 1"), "--env dev -- -- node x.js --port 1");
        assert_eq!(arranged("node x.js --port 1 -- --env 2"), "--port 1 -- node x.js -- --env 2");
        assert_eq!(arranged(""), "--");
        assert_eq!(arranged("--env"), "--env --", "the parser will say that its value is missing");
    }
}
