//! What must hold for every command there is, generated over the table.

use std::collections::BTreeSet;
use std::fs;

use tetra::base::line::lex;
use tetra::command::global::{GLOBALS, Globals};
use tetra::command::help::{self, HelpDetail, Listing, TOPICS};
use tetra::command::registry::{COMMANDS, CommandMatch, GROUPS, commands_of, resolve};
use tetra::command::{CommandSpec, Effect};
use tetra::shell::parse::{Parsed, parse};

use crate::pty::{Terminal, TestHome};
use crate::world::World;

/// The words of every statement of a line, without pipes and redirections.
fn statements(line: &str) -> Vec<Vec<String>> {
    let line = lex(line).unwrap_or_else(|error| panic!("`{line}`: {error}"));
    line.statements.iter().map(|it| it.words.iter().map(|word| word.text.clone()).collect()).collect()
}

/// Every example of a command, as its statements.
fn examples(entry: &'static CommandSpec) -> impl Iterator<Item = (&'static str, Vec<Vec<String>>)> {
    entry.examples.iter().map(|example| (*example, statements(example)))
}

#[test]
fn every_parser_is_sound() {
    for entry in COMMANDS {
        entry.full_parser().debug_assert();
    }
}

#[test]
fn every_name_leads_to_its_command_and_to_no_other() {
    let mut all = BTreeSet::new();
    for entry in COMMANDS {
        for name in std::iter::once(entry.name).chain(entry.aliases.iter().copied()) {
            assert!(all.insert(name), "`{name}` names two commands");
            let words: Vec<&str> = name.split(' ').collect();
            let found = resolve(&words);
            assert!(
                matches!(found, CommandMatch::Command(to, count) if to.name == entry.name && count == words.len()),
                "`{name}`"
            );
        }
    }
    for (group, _) in GROUPS {
        assert!(commands_of(group).next().is_some() && !all.contains(group), "`{group}` is a group");
    }
}

#[test]
fn every_command_has_help_with_its_examples_and_its_effect() {
    for entry in COMMANDS {
        assert!(!entry.summary().is_empty(), "`{}` says what it does", entry.name);
        for detail in [HelpDetail::Short, HelpDetail::Long] {
            let text = help::of_command(entry, detail, 100).0;
            assert!(text.contains(&format!("Usage: {}", entry.name)), "{text}");
            assert!(text.contains("Effect: "), "{text}");
            for example in entry.examples {
                assert!(text.contains(example), "{text}");
            }
            assert!(text.lines().all(|line| line.chars().count() <= 110), "{text}");
        }
    }
}

#[test]
fn every_line_of_a_topic_is_one_that_parses() {
    let mut count = 0;
    for topic in TOPICS {
        let text = (topic.text)();
        assert!(text.lines().count() > 3 && text.lines().all(|line| !line.ends_with(' ')), "{}", topic.name);
        for line in text.lines().filter_map(|line| line.strip_prefix("  ")).filter(|line| !line.starts_with(' ')) {
            // Only what begins with a command is one; the rest are keys and what they mean.
            let words = line.split_whitespace().collect::<Vec<_>>();
            if !matches!(resolve(&words), CommandMatch::Command(..)) {
                continue;
            }
            for words in statements(line) {
                if matches!(resolve(&words), CommandMatch::Command(..)) {
                    let parsed = parse(&words, &mut Globals::default(), 100);
                    parsed.unwrap_or_else(|misled| panic!("help {}: `{line}`: {}", topic.name, misled.fault));
                    count += 1;
                }
            }
        }
        assert!(help::of_all(Listing::Folded).0.contains(&format!("  help {} ", topic.name)));
    }
    assert!(count > 25, "{count} lines");
    for entry in COMMANDS.iter().filter(|entry| !entry.is_hidden()) {
        assert!(help::of_all(Listing::Whole).0.contains(&format!(" {} ", entry.name)), "{}", entry.name);
    }
}

#[test]
fn every_example_is_a_line_that_parses() {
    for entry in COMMANDS {
        for (example, statements) in examples(entry) {
            let mut named = false;
            for words in statements {
                let prepared = parse(&words, &mut Globals::default(), 100);
                match prepared {
                    Ok(Parsed::Command(found, _)) => named |= found.name == entry.name,
                    Ok(Parsed::Show(_)) => {}
                    Err(misled) => panic!("`{example}`: {}", misled.fault),
                }
            }
            assert!(named, "`{example}` shows `{}`", entry.name);
        }
    }
}

#[test]
fn every_global_option_reaches_every_command_that_does_not_define_it() {
    for entry in COMMANDS {
        let own = (entry.parser)();
        let full = entry.full_parser();
        for global in GLOBALS {
            let defines = own.get_arguments().any(|arg| arg.get_long() == Some(global.long));
            let taken = full.get_arguments().find(|arg| arg.get_long() == Some(global.long));
            let id = taken.unwrap_or_else(|| panic!("`{}` has `--{}`", entry.name, global.long)).get_id();
            assert_eq!(id == global.id, !defines, "`{}` keeps its own `--{}`", entry.name, global.long);
        }
    }
}

/// Commands of the shell that do nothing but lead on; what they lead to is guarded by itself.
fn leads_on(entry: &CommandSpec) -> bool {
    matches!(entry.name, "repl" | "exit")
}

#[test]
fn what_says_read_leaves_every_file_as_it_was() {
    let mut world = World::new();
    world.org("acme", &[("local", ""), ("dev", ""), ("prod", "")]);
    world.file("app.js", "");
    fs::create_dir_all(world.paths().processes()).expect("a directory");
    let before = world.tree();
    for entry in COMMANDS.iter().filter(|entry| entry.effect == Effect::Read && !leads_on(entry)) {
        for (example, _) in examples(entry).filter(|(example, _)| !follows(example)) {
            let ran = world.run(example);
            assert_ne!(ran.code, 2, "`{example}`: {}", ran.stderr);
            assert_ne!(ran.code, 70, "`{example}`: {}", ran.stderr);
            assert_eq!(world.tree(), before, "`{example}` changed something");
        }
    }
}

/// The error that a command wrote as JSON, which must be the last that it wrote.
fn error_of(line: &str, talk: &str) -> serde_json::Value {
    let last = talk.lines().last().unwrap_or_default();
    let said: serde_json::Value =
        serde_json::from_str(last).unwrap_or_else(|error| panic!("`{line}` is not answered in JSON ({error}): {talk}"));
    assert!(said["error"]["message"].is_string() && said["error"]["kind"].is_string(), "`{line}`: {talk}");
    said
}

#[test]
fn what_cannot_be_understood_is_reported_in_json_if_that_is_wanted() {
    let mut world = World::new();
    let wrong =
        ["nope --json", "tsm nope --json", "--json nope", "org env nope --json", "tsm --json nope x", "--nope --json"];
    let wrong = wrong.map(str::to_owned).into_iter();
    // What follows `watch` is a line of its own.
    for line in wrong.chain(
        COMMANDS.iter().filter(|it| it.name != "watch").map(|entry| format!("{} --json --no-such-option", entry.name)),
    ) {
        let ran = world.run(&line);
        assert_eq!((ran.code, ran.output.as_str()), (2, ""), "`{line}`: {}", ran.stderr);
        assert_eq!(error_of(&line, &ran.stderr)["error"]["kind"], "usage", "`{line}`");
    }
}

#[test]
fn a_text_comes_with_what_it_is_of() {
    let mut world = World::new();
    world.org("acme", &[("local", ""), ("dev", "[org]\nname = \"acme\"\n")]);
    let shown: serde_json::Value =
        serde_json::from_str(&world.run("org env show dev --json --org acme").done()).expect("JSON");
    assert_eq!(crate::schema::misfits(&shown, &crate::schema::schema("org-env-show")), Vec::<String>::new());
    assert!(shown["text"].as_str().is_some_and(|text| text.contains("name = \"acme\"")), "{shown}");
}

#[test]
fn with_json_what_is_said_is_data() {
    let mut world = World::new();
    world.org("acme", &[("local", ""), ("dev", "[org]\nname = \"acme\"\n"), ("prod", "")]);
    world.file("app.js", "");
    fs::create_dir_all(world.paths().processes()).expect("a directory");
    for entry in COMMANDS.iter().filter(|entry| entry.effect == Effect::Read && !leads_on(entry)) {
        for (example, statements) in examples(entry).filter(|(example, _)| !follows(example)) {
            let plain = statements.len() == 1 && !example.contains(['|', '>']);
            // The text of a page is what help is; what is completed is read by shells.
            if !plain
                || matches!(
                    entry.name,
                    "help" | "tsm help" | "agent" | "cd" | "clear" | "complete" | "watch" | "source"
                )
            {
                continue;
            }
            let line = format!("--json {example}");
            let ran = world.run(&line);
            if ran.code != 0 && ran.output.is_empty() {
                error_of(&line, &ran.stderr);
                continue;
            }
            let data = serde_json::Deserializer::from_str(&ran.output).into_iter::<serde_json::Value>();
            for value in data {
                let value = value.unwrap_or_else(|error| panic!("`{line}` is no JSON ({error}): {}", ran.output));
                assert!(value.is_object() || value.is_array() || value.is_null(), "`{line}`: {value}");
            }
        }
    }
}

/// A line that goes on until it is ended.
fn follows(line: &str) -> bool {
    line.starts_with("serve") || line.split(' ').any(|word| matches!(word, "-f" | "--follow"))
}

#[test]
fn what_changes_something_is_refused_in_prod_without_a_terminal() {
    let mut world = World::with(&[("TETRA_ORG", "acme"), ("TETRA_ENV", "prod")]);
    world.org("acme", &[("prod", "")]);
    world.file("app.js", "");
    let before = world.tree();
    for entry in COMMANDS.iter().filter(|entry| entry.effect.is_guarded()) {
        for (example, statements) in examples(entry) {
            // An example may show a dry run, or set the scene with other commands first.
            let changes = statements.iter().all(|words| {
                matches!(parse(words, &mut Globals::default(), 100),
                    Ok(Parsed::Command(_, ready)) if ready.effect().is_guarded())
            });
            if !changes || statements.iter().flatten().any(|word| word == "--yes" || word == "-y") {
                continue;
            }
            let ran = world.run(example);
            assert_eq!(ran.code, 4, "`{example}`: {}{}", ran.output, ran.stderr);
            assert!(ran.stderr.contains("--yes"), "`{example}`: {}", ran.stderr);
            assert_eq!(world.tree(), before, "`{example}` changed something");
        }
    }
}

/// The schemas of a command: those whose titles name it.
fn schemas_of(command: &str) -> Vec<(String, serde_json::Value)> {
    let dir = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
    let read = |entry: std::io::Result<fs::DirEntry>| {
        let path = entry.expect("an entry").path();
        let name = path.file_stem().and_then(|name| name.to_str()).expect("a text").to_owned();
        let schema = crate::schema::schema(&name);
        crate::schema::names_command(&schema, command).then_some((name, schema))
    };
    fs::read_dir(dir).expect("a directory").filter_map(read).collect()
}

/// What is wrong with the answer to a line: what it printed has to fit a schema of its command, or else the error that it ended
/// with has to fit that of errors.
fn misfits_of_answer(entry: &CommandSpec, line: &str, ran: &crate::world::LineResult) -> Vec<String> {
    let mut found = Vec::new();
    // What changes the session says nothing, as in a shell.
    if ran.output.trim().is_empty() && ran.code == 0 && !matches!(entry.name, "alias" | "unalias" | "abbr" | "set") {
        found.push(format!("`{line}` printed nothing: {}", ran.stderr));
    }
    if ran.code != 0 && !ran.stderr.trim().is_empty() {
        let misfits = crate::schema::misfits(&error_of(line, &ran.stderr), &crate::schema::schema("error"));
        found.extend(misfits.into_iter().map(|misfit| format!("`{line}`: error {misfit}")));
    }
    for value in serde_json::Deserializer::from_str(&ran.output).into_iter::<serde_json::Value>() {
        let value = match value {
            Ok(value) => value,
            Err(error) => {
                found.push(format!("`{line}` is no JSON ({error}): {}", ran.output));
                break;
            }
        };
        let fits = |(name, schema): (String, serde_json::Value)| (name, crate::schema::misfits(&value, &schema));
        let misfits: Vec<_> = schemas_of(entry.name).into_iter().map(fits).collect();
        if !misfits.iter().any(|(_, found)| found.is_empty()) {
            found.push(format!("`{line}`: {misfits:?}\n{value:#}"));
        }
    }
    found
}

/// Commands that are not run with their examples: they end what is outside of the sandbox, or go on until they are ended.
const NOT_RUN: [&str; 4] = ["tsm kill", "tsm doctor kill", "tsm start", "setup"];

#[test]
fn every_command_answers_in_the_shape_of_its_schema() {
    let mut world = World::new();
    world.org("acme", &[("local", ""), ("dev", "[org]\nname = \"acme\"\n"), ("prod", "")]);
    world.file("app.js", "");
    world.file("Procfile", "web: sleep 1000\n");
    fs::create_dir_all(world.paths().processes()).expect("a directory");
    for name in ["api", "web"] {
        world.run(&format!("tsm start --name {name} --no-wait -- sleep 1000")).done();
        world.run(&format!("tsm save {name}")).done();
    }
    let mut found = Vec::new();
    // What changes something comes after what only looks.
    let (reads, others): (Vec<_>, Vec<_>) = COMMANDS.iter().partition(|entry| entry.effect == Effect::Read);
    for entry in reads.into_iter().chain(others) {
        let is_page = matches!(
            entry.name,
            "help" | "tsm help" | "agent" | "cd" | "clear" | "complete" | "watch" | "source" | "select" | "use"
        );
        if is_page || leads_on(entry) || NOT_RUN.contains(&entry.name) {
            continue;
        }
        for (example, statements) in examples(entry).filter(|(example, _)| !follows(example)) {
            if statements.len() != 1 || example.contains(['|', '>', '*']) {
                continue;
            }
            let line = format!("--json --yes {example}");
            let ran = world.run(&line);
            found.extend(misfits_of_answer(entry, &line, &ran));
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

/// What a line shows in a terminal of so many columns.
fn shown_at(home: &TestHome, columns: usize, line: &str) -> String {
    let mut command = home.command("sh");
    command.args(["-c", &format!("stty cols {columns}; exec tetra -c \"$0\""), line]);
    let mut terminal = Terminal::start(command);
    assert_eq!(terminal.end(), 0, "{}", terminal.contents());
    terminal.bytes()
}

#[test]
fn no_line_of_the_help_is_wider_than_the_terminal() {
    let home = TestHome::new();
    let topics = TOPICS.iter().map(|topic| format!("help {}", topic.name));
    let groups = GROUPS.iter().map(|(group, _)| (*group).to_owned());
    let commands = COMMANDS.iter().map(|entry| format!("{} --help", entry.name));
    let all = ["help".to_owned(), "help all".to_owned()].into_iter().chain(topics).chain(groups).chain(commands);
    let line = all.collect::<Vec<_>>().join("; ");
    for (columns, widest) in [(40, 40), (80, 80), (200, 100)] {
        let text = shown_at(&home, columns, &line);
        assert!(text.lines().count() > 3000, "{text}");
        let wide = text.lines().filter(|line| line.trim_end().chars().count() > widest).collect::<Vec<_>>();
        assert!(wide.is_empty(), "at {columns} columns: {wide:#?}");
    }
}
