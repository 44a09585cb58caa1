//! The rules of the house, held by a test. A broken one is named with its sentence and the place.

use std::fmt::Write as _;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Which rooms a room may import. Strictly down; see the table in `src/lib.rs`.
const LAYERS: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("disk", &[]),
    ("sys", &["base", "disk"]),
    ("supervise", &["base", "disk"]),
    ("config", &["base", "disk", "sys"]),
    ("tsm", &["base", "disk", "sys", "supervise", "config"]),
    ("org", &["base", "disk", "sys", "config"]),
    ("env", &["base", "disk", "sys", "config"]),
    ("tkm", &["base", "disk", "sys", "config"]),
    ("unit", &["base", "disk", "sys", "config"]),
    ("deploy", &["base", "disk", "sys", "config"]),
    ("ops", &["base", "disk", "sys", "supervise", "config", "tsm", "org", "env", "tkm", "unit", "deploy"]),
    ("daemon", &["base", "disk", "sys", "supervise", "config", "tsm", "org", "env", "tkm", "unit", "deploy", "ops"]),
    ("serve", &["base", "disk", "sys", "supervise", "config", "tsm", "org", "env", "ops", "report"]),
    ("report", &["base"]),
    (
        "command",
        &[
            "base",
            "disk",
            "sys",
            "supervise",
            "config",
            "tsm",
            "org",
            "env",
            "tkm",
            "unit",
            "deploy",
            "ops",
            "daemon",
            "serve",
            "report",
        ],
    ),
    ("shell", &["base", "disk", "sys", "ops", "report", "command"]),
    ("ui", &["base", "report"]),
];

/// Foreign crates and the only rooms or files that may name them.
const CRATES: &[(&str, &[&str])] = &[
    ("clap", &["command/", "shell/", "cli.rs"]),
    ("reedline", &["shell/"]),
    ("nu_ansi_term", &["shell/"]),
    ("crossterm", &["shell/"]),
    ("serde_saphyr", &["tsm/import/yaml.rs", "tkm/inventory.rs"]),
    ("ratatui", &["shell/"]),
    ("regex", &["tsm/", "config/", "command/", "serve/", "sys/history_text.rs"]),
    ("toml", &["command/settings_file.rs", "config/", "tsm/ports/", "tkm/"]),
    ("toml_edit", &["config/"]),
    ("sha2", &["env/", "sys/"]),
    ("age", &["env/"]),
    ("annotate_snippets", &["ui/"]),
    ("hyper", &["serve/"]),
    ("hyper_util", &["serve/"]),
    ("tokio", &["serve/"]),
    ("rusqlite", &["sys/"]),
    ("nix", &["sys/", "supervise/"]),
    ("rustix", &["disk/", "sys/", "supervise/"]),
    ("libc", &["sys/", "supervise/"]),
    ("anstyle", &["ui/", "shell/"]),
    ("directories", &["cli.rs", "sys/"]),
];

/// Calls that have one home, and why.
const CALLS: &[(&str, &[&str], &str)] = &[
    ("println!", &[], "commands return reports; `ui::console` writes them"),
    ("print!", &[], "commands return reports; `ui::console` writes them"),
    ("eprintln!", &[], "commands return reports; `ui::console` writes them"),
    ("eprint!", &[], "commands return reports; `ui::console` writes them"),
    ("process::exit", &["main.rs", "supervise/mod.rs"], "an outcome becomes an exit code once, in `main`"),
    ("env::var", &["sys/os_host.rs"], "variables are read once, at the start"),
    ("env::vars", &["sys/os_host.rs"], "variables are read once, at the start"),
    ("env::vars_os", &["sys/os_host.rs"], "variables are read once, at the start"),
    ("env::var_os", &["sys/os_host.rs"], "variables are read once, at the start"),
    ("SystemTime::now", &["sys/", "supervise/"], "the time is an argument or comes from the host"),
    ("thread::sleep", &["sys/", "supervise/"], "waiting is for a condition or an interrupt: `Host::pause`"),
    (".sort()", &["base/sort.rs"], "`base::sort` is compiled once for all types"),
    (".sort_by(", &["base/sort.rs"], "`base::sort` is compiled once for all types"),
    (".sort_by_key(", &["base/sort.rs"], "`base::sort` is compiled once for all types"),
    (".sort_unstable()", &["base/sort.rs"], "`base::sort` is compiled once for all types"),
    (".sort_unstable_by(", &["base/sort.rs"], "`base::sort` is compiled once for all types"),
    (".sort_unstable_by_key(", &["base/sort.rs"], "`base::sort` is compiled once for all types"),
];

/// Words that have no place in the project, in two parts so that this file may stand beside the others. Small letters stand
/// for large ones too.
const WORDS: &[(&str, &str)] = &[
    ("TO", "DO"),
    ("FIX", "ME"),
    ("#[ig", "nore]"),
    ("/work/sha", "red"),
    ("/work/w", "t"),
    ("/work/ma", "in"),
    ("../sha", "red"),
];

/// Names that say nothing about what is inside.
const EMPTY_NAMES: &[&str] = &["util", "utils", "common", "helper", "helpers", "manager", "misc"];

/// The longest source file, in lines without its tests.
const LONGEST_FILE: usize = 400;

#[test]
fn imports_go_strictly_down() {
    let mut broken = Broken::default();
    for file in sources() {
        let Some((_, allowed)) = LAYERS.iter().find(|(room, _)| *room == file.room()) else { continue };
        for (offset, target) in rooms_named(&file.code) {
            if target != file.room()
                && LAYERS.iter().any(|(room, _)| *room == target)
                && !allowed.contains(&target.as_str())
            {
                broken.add(&file, offset, format!("`{}` may not use `{target}`", file.room()));
            }
        }
        for (offset, supers) in climbs(&file.code) {
            if supers >= file.depth() {
                broken.add(&file, offset, "`super` leaves the room; write `crate::`".to_owned());
            }
        }
    }
    broken.report("imports go strictly down, as the table in src/lib.rs says");
}

#[test]
fn foreign_crates_are_named_only_in_their_rooms() {
    let mut broken = Broken::default();
    for file in sources() {
        for (name, homes) in CRATES.iter().filter(|(_, homes)| !file.lives_in(homes)) {
            for offset in words(&file.code, name) {
                if file.code[offset + name.len()..].starts_with("::") && !file.code[..offset].ends_with("::") {
                    broken.add(&file, offset, format!("`{name}` lives in {}", homes.join(", ")));
                }
            }
        }
    }
    broken.report("each foreign crate has a home");
}

#[test]
fn printing_ending_variables_and_clocks_have_one_home() {
    let mut broken = Broken::default();
    for file in sources() {
        for (call, _, why) in CALLS.iter().filter(|(_, homes, _)| !file.lives_in(homes)) {
            for offset in words(&file.code, call) {
                broken.add(&file, offset, format!("`{call}`: {why}"));
            }
        }
        for offset in words(&file.code, "allow(unsafe_code)") {
            if !file.lives_in(&["sys/mod.rs", "supervise/mod.rs"]) {
                broken.add(&file, offset, "unsafe code lives in `sys` and `supervise`".to_owned());
            }
        }
    }
    broken.report("printing, ending, variables, clocks and pauses have one home each");
}

/// Calls that open a file by its name.
const OPENERS: &[&str] = &[
    "fs::read",
    "fs::read_to_string",
    "fs::write",
    "fs::copy",
    "File::open",
    "File::create",
    "File::create_new",
    "File::options",
    "OpenOptions::new",
    "openat",
    "openat2",
];

/// Where files are opened that are no operator's: those of the kernel and of the machine, and where output is sent to.
const OPENS_OTHER_FILES: &[&str] = &[
    "disk/",
    // Control groups.
    "supervise/cgroup.rs",
    "supervise/memory_cgroup.rs",
    "supervise/oom.rs",
    "supervise/unit_group.rs",
    // Files below `/proc`, by a path that is made elsewhere.
    "supervise/spawn.rs",
    "supervise/worker/adopt.rs",
    "supervise/sweep.rs",
    "sys/net.rs",
    // A script may come through a pipe: `source <(make-script)`. It is waited for, and can be interrupted.
    "sys/script_file.rs",
    // What an operator writes into, of any kind: `> /dev/null`.
    "shell/redirect.rs",
];

#[test]
fn files_of_operators_are_opened_in_one_place() {
    const KERNEL: [&str; 4] = ["\"/proc", "\"/sys", "\"/dev", "\"/etc"];
    let mut broken = Broken::default();
    for file in sources().iter().filter(|file| !file.lives_in(OPENS_OTHER_FILES)) {
        for call in OPENERS {
            for offset in words(&file.code, call) {
                let end = file.text[offset..].find('\n').map_or(file.text.len(), |length| offset + length);
                if !KERNEL.iter().any(|mark| file.text[offset..end].contains(mark)) {
                    broken.add(file, offset, format!("`{call}`: open it with `crate::disk`"));
                }
            }
        }
    }
    broken.report("files of operators are opened with care, in one place");
}

#[test]
fn tests_wait_in_one_place() {
    let mut broken = Broken::default();
    for file in files("tests/it", &["rs"]).into_iter().map(Source::read) {
        for call in ["thread::sleep", "park_timeout"] {
            let home = usize::from(file.path.ends_with("waiting.rs") && call == "thread::sleep");
            for offset in words(&file.code, call).into_iter().skip(home) {
                broken.add(&file, offset, "wait for a condition: `waiting::eventually`".to_owned());
            }
        }
    }
    broken.report("the tests pause in one function");
}

#[test]
fn files_are_short_and_named_for_what_they_hold() {
    let mut broken = Broken::default();
    for file in sources() {
        let lines = file.code.lines().count();
        if lines > LONGEST_FILE {
            broken.add(&file, 0, format!("{lines} lines without tests; {LONGEST_FILE} is the most"));
        }
        if file.below_src().iter().any(|part| EMPTY_NAMES.contains(&stem(part))) {
            broken.add(&file, 0, "the name does not say what is inside".to_owned());
        }
    }
    broken.report("files fit in the head and are called by what they hold");
}

#[test]
fn every_command_says_in_one_way_what_it_does() {
    let mut broken = Broken::default();
    for file in sources().iter().filter(|file| file.room() == "command") {
        for (offset, _) in file.code.match_indices("impl Command for ") {
            let end = file.code[offset..].find("\n}\n").map_or(file.code.len(), |length| offset + length);
            let is_there = |method: &str| file.code[offset..end].contains(method);
            if is_there("fn run(") == is_there("fn prepare(") {
                broken.add(file, offset, "either `run` or `prepare`".to_owned());
            }
        }
    }
    broken.report("a command that looks before it acts is prepared, and others run");
}

#[test]
fn every_command_is_in_the_table() {
    let mut broken = Broken::default();
    let table = Source::read(root().join("src/command/registry.rs")).code;
    for file in sources().iter().filter(|file| file.room() == "command") {
        for (offset, marker) in file.code.match_indices("impl Command for ") {
            let name = identifier(&file.code[offset + marker.len()..]);
            let row = format!("::{name}>()");
            if !table.contains(&row) {
                broken.add(file, offset, format!("`{name}` has no row in src/command/registry.rs"));
            }
        }
    }
    broken.report("every command is in the table");
}

#[test]
fn the_project_speaks_of_itself_alone_and_finishes_what_it_begins() {
    let mut broken = Broken::default();
    let places = [
        "src",
        "tests",
        "benches",
        "completions",
        "templates",
        "schemas",
        "docs",
        "packaging",
        ".ci",
        ".cargo",
        ".github",
    ];
    let mut all: Vec<PathBuf> = places.iter().flat_map(|place| files(place, &[])).collect();
    all.extend(["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"].map(|file| root().join(file)));
    all.extend(["Cargo.toml", "build.rs", "deny.toml", "justfile", "clippy.toml"].map(|file| root().join(file)));
    for path in all.into_iter().filter(|path| path.exists()) {
        let file = Source::read(path);
        let small = file.text.to_ascii_lowercase();
        for (one, two) in WORDS {
            let word = format!("{one}{two}");
            let text = if word.contains(char::is_uppercase) { &file.text } else { &small };
            for offset in words(text, &word) {
                broken.add(&file, offset, format!("`{word}` has no place here"));
            }
        }
    }
    broken.report("the project speaks of itself alone, and nothing is left for later");
}

#[test]
fn imports_go_in_no_circle() {
    let sources = sources();
    let modules: Vec<Vec<String>> = sources.iter().map(Source::module).collect();
    let mut edges: Vec<Vec<usize>> = Vec::new();
    for (file, own) in sources.iter().zip(&modules) {
        let mut named: Vec<usize> = paths(&file.code).iter().filter_map(|path| target(path, own, &modules)).collect();
        // A module and the files below it are one thing in parts.
        named.retain(|other| !own.starts_with(&modules[*other]) && !modules[*other].starts_with(own));
        edges.push(named);
    }
    let reaches = |from: usize, to: usize| {
        let (mut seen, mut open) = (vec![false; edges.len()], vec![from]);
        while let Some(at) = open.pop() {
            if at == to {
                return true;
            }
            if !std::mem::replace(&mut seen[at], true) {
                open.extend(&edges[at]);
            }
        }
        false
    };
    let mut broken = Broken::default();
    for (at, file) in sources.iter().enumerate() {
        if let Some(next) = edges[at].iter().find(|next| reaches(**next, at)) {
            broken.add(file, 0, format!("`{}` leads back here", modules[*next].join("::")));
        }
    }
    broken.report("files import each other in one direction");
}

/// The module of which a path that begins with `crate` or `super` names something, seen from the module `own`.
fn target(path: &[&str], own: &[String], modules: &[Vec<String>]) -> Option<usize> {
    let climbs = path.iter().take_while(|part| **part == "super").count();
    let base = if climbs == 0 { &[] } else { &own[..own.len().checked_sub(climbs)?] };
    let rest = &path[climbs.max(1)..];
    let full: Vec<&str> = base.iter().map(String::as_str).chain(rest.iter().copied()).collect();
    (1..=full.len()).rev().find_map(|length| modules.iter().position(|module| *module == full[..length]))
}

/// Every path that begins with `crate` or `super`; of `crate::{a, b::c}` both.
fn paths(code: &str) -> Vec<Vec<&str>> {
    let mut found = Vec::new();
    for start in ["crate", "super"] {
        for offset in words(code, start) {
            if !code[..offset].ends_with("::") && code[offset + start.len()..].starts_with("::") {
                read_paths(&code[offset..], &mut Vec::new(), &mut found);
            }
        }
    }
    found
}

/// Reads a path, or all of those that end in a group; what follows it comes back.
fn read_paths<'a>(text: &'a str, before: &mut Vec<&'a str>, found: &mut Vec<Vec<&'a str>>) -> &'a str {
    let depth = before.len();
    let mut rest = text;
    loop {
        if let Some(mut group) = rest.strip_prefix('{') {
            while !group.is_empty() && !group.starts_with('}') {
                let after = read_paths(group.trim_start(), before, found);
                group = if after.len() < group.len() { after } else { &group[1..] };
                group = group.trim_start_matches(|c: char| !"{}".contains(c) && !c.is_alphanumeric() && c != '_');
            }
            before.truncate(depth);
            return group.strip_prefix('}').unwrap_or_default();
        }
        let name = &rest[..rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())];
        if name.is_empty() {
            break;
        }
        before.push(name);
        rest = &rest[name.len()..];
        let Some(after) = rest.strip_prefix("::") else { break };
        rest = after;
    }
    found.push(before.clone());
    before.truncate(depth);
    rest
}

#[test]
fn the_reader_of_paths_sees_each_of_a_group() {
    let code = "use crate::{a, b::{c, D}, e::*};\nuse super::super::f::g;\nlet x = crate::h::i(j::k);";
    let found: Vec<String> = paths(code).iter().map(|path| path.join("::")).collect();
    assert_eq!(found, ["crate::a", "crate::b::c", "crate::b::D", "crate::e", "crate::h::i", "super::super::f::g"]);
    let modules = [vec!["a".to_owned()], vec!["b".to_owned(), "c".to_owned()], vec!["b".to_owned(), "f".to_owned()]];
    let own = ["b".to_owned(), "c".to_owned(), "x".to_owned()];
    assert_eq!(target(&["crate", "b", "c", "D"], &own, &modules), Some(1));
    assert_eq!(target(&["super", "super", "f", "g"], &own, &modules), Some(2));
    assert_eq!(target(&["crate", "z"], &own, &modules), None);
}

/// Words that operators do not read: the terms of clap, cargo and systemd are known, these have to be learned.
const DIALECT: &[&str] = &[
    "nobody",
    "somebody",
    "whoever",
    "is no",
    "stands",
    "told",
    "heard",
    "folder",
    "folders",
    "at home",
    "makes no sense",
    "leads nowhere",
];

/// Rooms whose texts are still to be rewritten.
const NOT_YET: &[&str] = &[];

#[test]
fn words_operators_read_are_plain() {
    let mut broken = Broken::default();
    for file in sources().into_iter().filter(|file| !file.lives_in(NOT_YET)) {
        let end = file.code.len();
        // The help of a command is its doc comment.
        let helps = file.room() == "command";
        for (range, kind) in blanks(&file.text).into_iter().filter(|(range, _)| range.end <= end) {
            if kind == Blank::Comment && !(helps && file.text[range.clone()].starts_with("///")) {
                continue;
            }
            let small = file.text[range.clone()].to_ascii_lowercase();
            for word in DIALECT {
                for offset in words(&small, word) {
                    broken.add(
                        &file,
                        range.start + offset,
                        format!("`{word}`: say it in the terms of clap, cargo and systemd"),
                    );
                }
            }
        }
    }
    broken.report("what operators read is plain English");
}

#[test]
fn the_reader_of_code_sees_code_only() {
    let text = "a // \"b\n\"c\\\"d\" 'e' r#\"f\"g\"# 'h: /* i /* j */ k */ b'l' '\\'' m\n#[cfg(test)]\nmod tests {}\n";
    let code = code_of(text);
    let left: String = code.chars().filter(|c| c.is_alphanumeric()).collect();
    assert_eq!(left, "arhbm", "only names, prefixes and lifetimes are left of {code:?}");
    assert_eq!(code.lines().count(), 2, "tests are cut off, line ends stay");
    let rooms: Vec<_> =
        rooms_named("use crate::{ui::a, base::{b, c}};\ncrate::sys::d").into_iter().map(|it| it.1).collect();
    assert_eq!(rooms, ["ui", "base", "sys"]);
    assert_eq!(climbs("super::super::x super::y"), [(0, 2), (16, 1)]);
}

/// Every source file of the program; files of unit tests aside.
fn sources() -> Vec<Source> {
    let is_code = |path: &PathBuf| !path.file_name().is_some_and(|name| name.as_encoded_bytes().ends_with(b"tests.rs"));
    let sources: Vec<_> = files("src", &["rs"]).into_iter().filter(is_code).map(Source::read).collect();
    assert!(sources.len() > 20, "the sources were found");
    sources
}

struct Source {
    path: PathBuf,
    text: String,
    /// The text without comments, literals and unit tests; every offset is as in `text`.
    code: String,
}

impl Source {
    fn read(path: PathBuf) -> Self {
        // Vectors of formats are not always text.
        let bytes = fs::read(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
        let text = String::from_utf8_lossy(&bytes).into_owned();
        Self { code: code_of(&text), text, path }
    }

    fn below_src(&self) -> &Path {
        self.path.strip_prefix(root().join("src")).unwrap_or(&self.path)
    }

    /// The directory right below `src`, or the file there.
    fn room(&self) -> &str {
        let first = self.below_src().components().next().expect("a file has a name");
        stem(first.as_os_str())
    }

    /// The module that the file is.
    fn module(&self) -> Vec<String> {
        let path = self.below_src().with_extension("");
        let parts: Vec<String> = path.iter().map(|part| part.to_string_lossy().into_owned()).collect();
        parts.strip_suffix(&["mod".to_owned()]).map_or(parts.clone(), <[String]>::to_vec)
    }

    /// How many modules the file is below the crate: 1 for `src/ui/mod.rs`.
    fn depth(&self) -> usize {
        let parts = self.below_src().components().count();
        if self.path.ends_with("mod.rs") { parts - 1 } else { parts }
    }

    fn lives_in(&self, homes: &[&str]) -> bool {
        let path = self.below_src().to_string_lossy();
        homes.iter().any(|home| if home.ends_with('/') { path.starts_with(home) } else { path == *home })
    }
}

#[derive(Default)]
struct Broken(String);

impl Broken {
    fn add(&mut self, file: &Source, offset: usize, what: String) {
        let line = file.text[..offset].matches('\n').count() + 1;
        let path = file.path.strip_prefix(root()).unwrap_or(&file.path).display();
        writeln!(self.0, "  {path}:{line}: {what}").expect("a string takes everything");
    }

    fn report(self, rule: &str) {
        assert!(self.0.is_empty(), "\n{rule}:\n{}", self.0);
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn stem(name: &std::ffi::OsStr) -> &str {
    Path::new(name).file_stem().and_then(|stem| stem.to_str()).expect("names here are text")
}

/// All files below a directory of the project that end in one of the given ways; any way if none is given.
fn files(below: &str, endings: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![root().join(below)];
    while let Some(directory) = open.pop() {
        let Ok(entries) = fs::read_dir(&directory) else { continue };
        for entry in entries {
            let path = entry.expect("a directory of the project can be read").path();
            let ending = path.extension().and_then(|ending| ending.to_str());
            if path.is_dir() {
                open.push(path);
            } else if endings.is_empty() || ending.is_some_and(|ending| endings.contains(&ending)) {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Where `word` stands alone in `text`.
fn words(text: &str, word: &str) -> Vec<usize> {
    let inside = |c: char| c.is_alphanumeric() || c == '_';
    let alone = |offset: usize| {
        let opens = !word.starts_with(inside) || !text[..offset].ends_with(inside);
        opens && (!word.ends_with(inside) || !text[offset + word.len()..].starts_with(inside))
    };
    text.match_indices(word).map(|(offset, _)| offset).filter(|offset| alone(*offset)).collect()
}

fn identifier(text: &str) -> &str {
    let text = text.trim_start();
    &text[..text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len())]
}

/// The rooms named after `crate::`, each with its place.
fn rooms_named(code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for offset in words(code, "crate") {
        let Some(rest) = code[offset..].strip_prefix("crate::") else { continue };
        let Some(group) = rest.strip_prefix('{') else {
            found.push((offset, identifier(rest).to_owned()));
            continue;
        };
        let mut depth = 0;
        let mut expects = true;
        for (at, c) in group.char_indices() {
            match c {
                '}' if depth == 0 => break,
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 0 => expects = true,
                c if expects && c.is_alphanumeric() => {
                    found.push((offset, identifier(&group[at..]).to_owned()));
                    expects = false;
                }
                _ => {}
            }
        }
    }
    found
}

/// Chains of `super::`, each with its place and length.
fn climbs(code: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    for offset in words(code, "super") {
        if code[..offset].ends_with("super::") {
            continue;
        }
        let mut rest = &code[offset..];
        let mut length = 0;
        while let Some(after) = rest.strip_prefix("super::") {
            length += 1;
            rest = after;
        }
        found.push((offset, length));
    }
    found
}

/// Blanks out comments and literals and cuts off the unit tests at the end. Keeps line ends and offsets.
fn code_of(text: &str) -> String {
    let mut code = text.as_bytes().to_vec();
    for (range, _) in blanks(text) {
        for byte in &mut code[range] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
    }
    let code = String::from_utf8(code).expect("only whole characters were blanked out");
    let end = code.find("#[cfg(test)]\nmod ").unwrap_or(code.len());
    code[..end].to_owned()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Blank {
    Comment,
    Literal,
}

/// Where the comments and literals of a text are.
fn blanks(text: &str) -> Vec<(Range<usize>, Blank)> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let (length, kind) = if rest.starts_with("//") {
            (rest.find('\n').unwrap_or(rest.len()), Blank::Comment)
        } else if rest.starts_with("/*") {
            (nested_comment(rest), Blank::Comment)
        } else if rest.starts_with('"') {
            (literal(rest, '"'), Blank::Literal)
        } else if let Some(hashes) = raw_literal(text, at) {
            let end = format!("\"{}", "#".repeat(hashes));
            let opening = hashes + 2;
            at += 1;
            (rest[opening..].find(&end).map_or(rest.len(), |found| opening + found + end.len()) - 1, Blank::Literal)
        } else if rest.starts_with('\'') && is_character(rest) {
            (literal(rest, '\''), Blank::Literal)
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
            continue;
        };
        found.push((at..at + length, kind));
        at += length;
    }
    found
}

fn nested_comment(rest: &str) -> usize {
    let mut depth = 0;
    let mut at = 0;
    while at < rest.len() {
        if rest.as_bytes()[at..].starts_with(b"/*") {
            depth += 1;
            at += 2;
        } else if rest.as_bytes()[at..].starts_with(b"*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += 1;
        }
    }
    rest.len()
}

fn literal(rest: &str, end: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            c if c == end => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// The number of `#` if a raw literal begins at `at`.
fn raw_literal(text: &str, at: usize) -> Option<usize> {
    let rest = text[at..].strip_prefix('r')?;
    let before = text[..at].chars().next_back();
    if before.is_some_and(|c| (c.is_alphanumeric() && c != 'b') || c == '_') {
        return None;
    }
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    rest[hashes..].starts_with('"').then_some(hashes)
}

/// True for a character, false for a lifetime.
fn is_character(rest: &str) -> bool {
    let mut after = rest.chars().skip(1);
    let first = after.next();
    first == Some('\\') || after.next() == Some('\'')
}
