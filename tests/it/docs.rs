//! The pages below `docs/`: what can be made from the program is made from it, and every command line on them is one that exists.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, Once, PoisonError};

use regex::Regex;
use tetra::base::fault::FaultKind;
use tetra::base::line::lex;
use tetra::command::CommandSpec;
use tetra::command::context::SETTINGS;
use tetra::command::global::{GLOBALS, Globals};
use tetra::command::registry::{COMMANDS, CommandMatch, GROUPS, commands_of, resolve};
use tetra::shell::parse::parse;
use tetra::supervise::meta::Meta;
use tetra::tsm::definition::keys::keys;

use crate::readme::{page, written_page};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every page of the project that shows commands, by its name below the root.
fn pages() -> Vec<String> {
    let below = fs::read_dir(root().join("docs")).expect("there are pages").flatten();
    let mut pages: Vec<String> = below.map(|it| format!("docs/{}", it.file_name().display())).collect();
    pages.extend(["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md"].map(str::to_owned));
    pages.sort();
    pages.retain(|page| Path::new(page).extension().is_some_and(|ending| ending == "md"));
    pages
}

/// A part of a page that is made from the program.
struct Generated {
    page: &'static str,
    part: &'static str,
    text: fn() -> String,
}

const GENERATED: [Generated; 4] = [
    Generated { page: "docs/reference.md", part: "commands", text: reference },
    Generated { page: "docs/formats.md", part: "exit codes", text: exit_codes },
    Generated { page: "docs/formats.md", part: "settings", text: settings },
    Generated { page: "docs/formats.md", part: "keys of a service", text: service_keys },
];

fn is_update() -> bool {
    std::env::var_os("UPDATE").is_some_and(|value| value == "1")
}

/// With `UPDATE=1` writes what is generated, once and before any page is read: tests run at the same time.
pub(crate) fn renew() {
    static ALL: Once = Once::new();
    if is_update() {
        ALL.call_once(|| GENERATED.iter().for_each(|it| hold(it.page, it.part, &(it.text)())));
    }
}

/// Holds a part of a page to what it has to be; with `UPDATE=1` writes it instead.
pub(crate) fn hold(name: &str, part: &str, real: &str) {
    // Two parts of one page are written one after the other.
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(PoisonError::into_inner);
    let written = written_page(name);
    let opening = format!("<!-- {part}: written by `UPDATE=1 cargo test --test it docs` -->\n");
    let closing = format!("<!-- end of {part} -->\n");
    let (before, rest) = written.split_once(&opening).unwrap_or_else(|| panic!("{name} has `{opening}`"));
    let (_, after) = rest.split_once(&closing).unwrap_or_else(|| panic!("{name} has `{closing}`"));
    let whole = format!("{before}{opening}\n{}\n\n{closing}{after}", real.trim());
    if is_update() && written != whole {
        replace(&root().join(name), &whole);
    } else {
        assert!(
            is_update() || written == whole,
            "the {part} of {name} are old; UPDATE=1 cargo test --test it docs writes them anew"
        );
    }
}

/// Writes a page in one step: what is read meanwhile is a whole one.
fn replace(page: &Path, text: &str) {
    let next = page.with_extension("md.next");
    fs::write(&next, text).expect("a page can be written");
    fs::rename(&next, page).expect("a page can be replaced");
}

fn table_of<'a>(entries: impl Iterator<Item = &'a CommandSpec>) -> String {
    let mut table = "| command | does | effect |\n|---|---|---|\n".to_owned();
    for entry in entries {
        let names: Vec<String> =
            [entry.name].iter().chain(entry.aliases.iter()).map(|name| format!("`{name}`")).collect();
        writeln!(table, "| {} | {} | {} |", names.join(", "), entry.summary(), entry.effect.word()).expect("a string");
    }
    table
}

fn reference() -> String {
    let in_a_group = |entry: &CommandSpec| GROUPS.iter().any(|(group, _)| entry.name.starts_with(&format!("{group} ")));
    let mut text = String::new();
    for (group, meaning) in GROUPS {
        write!(text, "## {group}: {meaning}\n\n{}\n", table_of(commands_of(group))).expect("a string");
    }
    let others = table_of(COMMANDS.iter().filter(|entry| !in_a_group(entry)));
    write!(text, "## The shell's own\n\n{others}\n## Options of every command\n\n| option | does |\n|---|---|\n")
        .expect("a string");
    for global in GLOBALS {
        let short = global.short.map_or(String::new(), |short| format!("`-{short}`, "));
        let value = global.value.map_or(String::new(), |value| format!(" {value}"));
        writeln!(text, "| {short}`--{}{value}` | {} |", global.long, global.help).expect("a string");
    }
    for entry in COMMANDS {
        assert!(text.contains(&format!("| `{}`", entry.name)), "`{}` is listed", entry.name);
    }
    text
}

fn exit_codes() -> String {
    let mut table = "| code | word in `--json` | meaning |\n|---|---|---|\n| 0 | | done |\n".to_owned();
    for (_, code, word, meaning) in FaultKind::ALL {
        writeln!(table, "| {code} | `{word}` | {meaning} |").expect("a string");
    }
    table
}

fn settings() -> String {
    let mut table = "| key | default | takes | meaning |\n|---|---|---|---|\n".to_owned();
    for it in SETTINGS {
        writeln!(table, "| `{}` | `{}` | {} | {} |", it.name, it.default, it.accepts.expected(), it.help)
            .expect("a string");
    }
    table
}

fn service_keys() -> String {
    let mut table = "| in `.tsm` | below `[services.NAME]` | value |\n|---|---|---|\n".to_owned();
    for key in keys() {
        let toml: Vec<String> = key.toml.iter().map(|name| format!("`{name}`")).collect();
        writeln!(table, "| `{}` | {} | {} |", key.tsm, toml.join(", "), key.expected.trim_start_matches("write "))
            .expect("a string");
    }
    table
}

#[test]
fn what_is_generated_is_of_today() {
    renew();
    GENERATED.iter().for_each(|it| hold(it.page, it.part, &(it.text)()));
}

/// The page names each of the keys in backquotes.
fn names_all<'a>(part: &str, keys: impl Iterator<Item = &'a str>) {
    let page = page("docs/formats.md");
    let (_, rest) = page.split_once(&format!("\n## {part}\n")).unwrap_or_else(|| panic!("there is a part `{part}`"));
    let text = rest.split("\n## ").next().unwrap_or_default();
    let mut count = 0;
    for key in keys {
        assert!(text.contains(&format!("`{key}`")), "docs/formats.md, {part}: `{key}` is missing");
        count += 1;
    }
    assert!(count > 5, "{part}: keys were found");
}

#[test]
fn the_formats_have_every_field_of_a_record() {
    let least = r#"{"tsm_id": 0, "name": "x", "command": "x", "cwd": "/"}"#;
    let record: Meta = serde_json::from_str(least).expect("a record");
    let record = serde_json::to_value(record).expect("JSON");
    let fields = |part: &serde_json::Value| part.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
    let all = [fields(&record), fields(&record["run"]), fields(&record["life"])].concat();
    names_all("`meta.json`", all.iter().map(String::as_str));
}

/// What a pattern finds in a source file, by its first group.
fn in_source(file: &str, pattern: &str) -> Vec<String> {
    let text = page(file);
    Regex::new(pattern).expect("a pattern").captures_iter(&text).map(|found| found[1].to_owned()).collect()
}

#[test]
fn the_formats_have_every_key_of_an_environment_and_every_rule_of_a_profile() {
    let keys = in_source("src/org/known_keys.rs", r#"\("([a-z_.*]+)", \w+::\w"#);
    names_all("`local.toml`", keys.iter().map(String::as_str));
    let mut rules = in_source("src/org/profile/keys.rs", r#"\("([a-z_]+)", Key::\w"#);
    rules.extend(in_source("src/org/profile.rs", r#"\("([a-z_]+)", Constraint::\w"#));
    names_all("Profiles", rules.iter().map(String::as_str));
}

/// The simple commands of a line of a shell, without what they read and write.
fn commands(line: &str) -> Vec<String> {
    let (mut all, mut now, mut quote, mut cut) = (Vec::new(), String::new(), None, false);
    let mut letters = line.chars().peekable();
    while let Some(c) = letters.next() {
        match (quote, c) {
            (Some(open), _) => quote = quote.filter(|_| c != open),
            (None, '\'' | '"') => quote = Some(c),
            (None, '#') if now.is_empty() || now.ends_with(' ') => break,
            (None, '|' | ';' | '(' | ')') => {
                all.push(std::mem::take(&mut now));
                cut = false;
                continue;
            }
            (None, '&') if letters.peek() == Some(&'&') || letters.peek().is_none() => {
                letters.next();
                all.push(std::mem::take(&mut now));
                cut = false;
                continue;
            }
            (None, '>' | '<') => {
                cut = true;
                now.truncate(now.trim_end_matches(|c: char| c.is_ascii_digit()).len());
            }
            _ => {}
        }
        if !cut {
            now.push(c);
        }
    }
    all.push(now);
    all.iter().map(|it| it.trim().trim_end_matches('$').trim().to_owned()).filter(|it| !it.is_empty()).collect()
}

/// Why a command of a shell is none of tetra's; nothing if it is one, or is another program.
fn complaint(command: &str) -> Option<String> {
    let mut words = shlex::split(command).unwrap_or_default();
    let before = words.iter().take_while(|word| *word == "sudo" || *word == "exec" || word.contains('=')).count();
    words.drain(..before);
    match words.first().map(String::as_str) {
        Some("tetra") => {
            words.remove(0);
        }
        Some("tsm" | "org") => {}
        _ => return None,
    }
    if let Some(at) = words.iter().position(|word| word == "-c")
        && !words[..at].iter().any(|it| !it.starts_with('-'))
    {
        let line = lex(words.get(at + 1).map_or("", String::as_str)).expect("a line of tetra");
        let lines = line.statements.iter().map(|it| it.words.iter().map(|word| word.text.clone()).collect::<Vec<_>>());
        return lines.filter(|words| words != &["LINE"]).find_map(|words| misled(&words));
    }
    let script = words.last().is_some_and(|word| word.ends_with(".tetra") || word == "FILE" || word == "-");
    if words.is_empty() || words.len() == 1 && script { None } else { misled(&words) }
}

fn misled(words: &[String]) -> Option<String> {
    parse(words, &mut Globals::default(), 100).err().map(|it| it.fault.to_string())
}

/// True for the bare name of a command, as a text mentions it.
fn is_name(text: &str) -> bool {
    let words: Vec<&str> = text.split(' ').skip_while(|word| *word == "tetra").collect();
    matches!(resolve(&words), CommandMatch::Command(_, count) if count == words.len())
}

/// The lines of a page that are typed into a shell, and what its text says in backquotes.
fn typed(page: &str) -> Vec<String> {
    let page = page.replace("\\\n", " ");
    let mut found = Vec::new();
    let (mut block, mut text) = (None, String::new());
    for line in page.lines() {
        match (block, line.strip_prefix("```")) {
            (Some(_), Some(_)) => block = None,
            (None, Some(kind)) => block = Some(kind),
            (Some("console"), None) => found.extend(line.strip_prefix("$ ").map(str::to_owned)),
            (Some("sh"), None) => found.push(line.to_owned()),
            (Some(_), None) => {}
            (None, None) => text += &format!("{line}\n"),
        }
    }
    let quoted = text.split('`').skip(1).step_by(2).map(|it| it.replace('\n', " "));
    found.extend(quoted.filter(|it| !it.contains('…') && !is_name(it)));
    found
}

#[test]
fn every_command_line_is_one_that_exists() {
    let mut wrong = String::new();
    let mut count = 0;
    for name in pages() {
        for line in typed(&page(&name)) {
            for command in commands(&line) {
                count += usize::from(["tetra ", "tsm ", "org "].iter().any(|it| command.starts_with(it)));
                if let Some(why) = complaint(&command) {
                    writeln!(wrong, "  {name}: `{command}`: {why}").expect("a string");
                }
            }
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
    assert!(count > 100, "command lines were found: {count}");
}

#[test]
fn a_line_of_a_shell_is_its_commands() {
    for (line, all) in [
        ("a 'x | y' && tsm list > f; b 2>&1 | c # d", vec!["a 'x | y'", "tsm list", "b", "c"]),
        ("kill $(tsm info a | jq .pid)", vec!["kill", "tsm info a", "jq .pid"]),
        ("A=1 tsm up &", vec!["A=1 tsm up"]),
    ] {
        assert_eq!(commands(line), all, "{line}");
    }
    for (command, exists) in [
        ("sudo tetra setup --system", true),
        ("tetra -c 'tsm list; tsm stop a'", true),
        ("tetra -c 'tsm list; tsm stpo a'", false),
        ("TETRA_ORG=x tsm lsit", false),
        ("tsm list --no-such-option", false),
        ("tetra again.tetra", true),
        ("tetra", true),
        ("systemctl tsm", true),
    ] {
        assert_eq!(complaint(command).is_none(), exists, "{command}");
    }
}

#[test]
fn every_link_leads_to_a_file_and_every_page_is_linked() {
    let link = Regex::new(r"\]\(([^)#:]+)(#[^)]*)?\)").expect("a pattern");
    let mut linked = Vec::new();
    for name in pages() {
        let directory = Path::new(&name).parent().unwrap_or(Path::new(""));
        for found in link.captures_iter(&page(&name)) {
            let target: PathBuf = root().join(directory).join(&found[1]);
            let target = target.canonicalize().unwrap_or_else(|_| panic!("{name} leads to {}", &found[1]));
            linked.push(target);
        }
    }
    for name in pages().iter().filter(|name| *name != "README.md") {
        let page = root().join(name).canonicalize().expect("it is there");
        assert!(linked.contains(&page), "no page leads to {name}");
    }
}

#[test]
fn the_maps_have_every_room() {
    let (contributing, library) = (page("CONTRIBUTING.md"), page("src/lib.rs"));
    let entries = fs::read_dir(root().join("src")).expect("sources").flatten();
    let rooms: Vec<String> =
        entries.filter(|it| it.path().is_dir()).map(|it| it.file_name().display().to_string()).collect();
    assert!(rooms.len() > 10, "{rooms:?}");
    for room in rooms {
        assert!(contributing.contains(&format!("src/{room}/ ")), "{room} is missing in the map of CONTRIBUTING.md");
        assert!(library.contains(&format!("`{room}` ")), "{room} is missing in the layers of src/lib.rs");
    }
}
