//! What a promotion writes says what was meant, whatever local.toml, the profile, the overrides and `--set` look like.
//!
//! Texts are made from a number, so a failure can be had again. `CASES=10000` tries so many; a few seconds' worth otherwise.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use tetra::config::document::{Document, Leaf};
use tetra::config::value::same;
use tetra::org::draft::ProfileChain;
use tetra::org::error::OrgError;
use tetra::org::overrides::{OverrideScope, OverrideValue, write_overrides};
use tetra::org::profile::{Profile, ProfileOrigin};
use tetra::org::promote::{EnvPromotion, PromotionResult, Stamp};
use tetra::org::render::Annotate;
use tetra::org::set_option::{SetOption, parse_set_options};
use tetra::org::variables::Names;
use toml::Value;

/// Numbers that look random and are always the same.
struct Rng(u64);

impl Rng {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((mixed ^ (mixed >> 31)) % sides as u64).unwrap_or(0)
    }

    fn one_in(&mut self, sides: usize) -> bool {
        self.roll(sides) == 0
    }

    fn of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.roll(all.len())]
    }
}

/// Few keys, so that they meet.
const KEYS: [&str; 8] = ["a", "b", "c", "\"x y\"", "d-1", "size", "\"*\"", "\"q.r\""];
const TABLES: [&str; 16] = [
    "own",
    "own.deep",
    "own.deep.er",
    "cache",
    "logging",
    "backup",
    "backup.more",
    "services.web",
    "services.api",
    "security",
    "deployment",
    "list",
    "list.inner",
    "list.more",
    "\"x y\"",
    "overrides.dev",
];
const VALUES: [&str; 20] = [
    "0",
    "0x1F",
    "1_000",
    "1.10",
    "nan",
    "-inf",
    "true",
    "\"text # no comment\"",
    "'~/src/x'",
    "\"$${LIT} and \\u00e9\"",
    "\"\"\"\n  several\n   lines # no comment\n   \"\"\"",
    "'''one ' two '' three'''",
    "[]",
    "[1, 2]",
    "[ # inner\n  \"x # y\", # second\n  # third\n]",
    "[{ k = 1, l = [2] }, { k = 0x2 }]",
    "1979-05-27 07:32:00Z",
    "{}",
    "{ k = 1 , l.m = 'x' }",
    "{ c = { d = { e = 1 } }, k = [2] }",
];

fn key(dice: &mut Rng) -> String {
    let mut key = dice.of(&KEYS).to_owned();
    while dice.one_in(4) {
        let _ = write!(key, "{}{}", dice.of(&[".", " . "]), dice.of(&KEYS));
    }
    key
}

fn statement(dice: &mut Rng) -> String {
    let indent = dice.of(&["", "", "", "  ", "\t"]);
    let (key, value) = (key(dice), dice.of(&VALUES));
    let tail = dice.of(&["", "", "", "   ", " # said", "     # said in its column", "\t#"]);
    let more = dice.of(&["", "", "", "", "\n", "# alone\n", "\n  # two\n\n"]);
    format!("{indent}{key} ={}{value}{tail}\n{more}", dice.of(&[" ", "", "  "]))
}

/// A header with what is below; statements without one if it is the first block.
fn block(dice: &mut Rng, is_first: bool) -> String {
    let mut text = String::new();
    if !is_first {
        let table = dice.of(&TABLES);
        let tail = dice.of(&["", "", "", " # of it", "  "]);
        let _ = match dice.roll(8) {
            0 => writeln!(text, "[[{table}]]{tail}"),
            1 => writeln!(text, " [ {table} ]{tail}"),
            2 => writeln!(text, "[{table}.{}]{tail}", dice.of(&KEYS)),
            _ => writeln!(text, "[{table}]{tail}"),
        };
    } else if dice.one_in(5) {
        text.push_str(dice.of(&[
            "overrides.dev.own.a = 3\n",
            "overrides = { dev = { cache.size = 4 } } # inline\n",
            "overrides.development = { \"own.b\" = 0x5 }\n",
            "services = { web = { command = 'node a.js' } }\n",
        ]));
    }
    for _ in 0..dice.roll(4) {
        text.push_str(&statement(dice));
    }
    if !is_first && dice.one_in(6) {
        text.push_str("command = 'node a.js --env x'\n");
    }
    text
}

/// A sound text: blocks that make it unsound are left out.
fn document(dice: &mut Rng) -> String {
    let mut text = dice.of(&["", "", "# head\n\n"]).to_owned();
    for number in 0..1 + dice.roll(7) {
        let longer = format!("{text}{}", block(dice, number == 0));
        if Document::parse("f", &longer).is_ok() {
            text = longer;
        }
    }
    if dice.one_in(4) {
        text = text.trim_end_matches('\n').to_owned();
    }
    if dice.one_in(4) { text.replace('\n', "\r\n") } else { text }
}

/// A key that the document may have, or one beside it, or one around it.
fn path(dice: &mut Rng, local: &Document) -> String {
    if local.leaves.is_empty() || dice.one_in(3) {
        return format!("{}.{}", dice.of(&TABLES), key(dice).replace(' ', "").replace("\"xy\"", "\"x y\""));
    }
    let mut path = local.leaves[dice.roll(local.leaves.len())].path.clone();
    match dice.roll(6) {
        0 => path = path.parent().filter(|it| !it.keys().is_empty()).unwrap_or(path),
        1 => path = path.join("new"),
        2 => path = path.parent().unwrap_or_default().join("new").join("er"),
        _ => {}
    }
    let text = path.to_toml();
    if dice.one_in(4) { format!("services.*.{}", path.last()) } else { text }
}

fn quoted(text: &str) -> String {
    Value::String(text.to_owned()).to_string()
}

fn profile(dice: &mut Rng, local: &Document) -> String {
    let mut text = String::new();
    let gone: Vec<String> = (0..dice.roll(3)).map(|_| quoted(&path(dice, local))).collect();
    let _ = writeln!(text, "unset = [{}]", gone.join(", "));
    let ops = ["set", "set", "default", "rename", "append", "scale", "append_args"];
    for op in &ops {
        if dice.one_in(2) {
            continue;
        }
        let at = quoted(&path(dice, local));
        let rule = match *op {
            "set" | "default" => dice.of(&VALUES).to_owned(),
            "rename" => quoted(&path(dice, local)),
            "append" => "[2, 0x3, 'x']".to_owned(),
            "scale" => "{ factor = 2 }".to_owned(),
            _ => "['--env', 'dev']".to_owned(),
        };
        let more = format!("[{op}]\n{at} = {rule}\n");
        let longer = format!("{text}{more}");
        let read =
            Document::parse("p", &longer).and_then(|it| Profile::read("p", ProfileOrigin::File, &it).map(|_| ()));
        if read.is_ok() {
            text = longer;
        }
    }
    text
}

fn walk(path: &str, value: Value, all: &mut BTreeMap<String, Value>) {
    let below = |key: &str| format!("{path}/{key}");
    match value {
        Value::Table(table) => table.into_iter().for_each(|(key, value)| walk(&below(&key), value, all)),
        // Arrays of tables and arrays of braces are the same for this reader.
        Value::Array(items) if !items.is_empty() && items.iter().all(Value::is_table) => {
            items.into_iter().enumerate().for_each(|(number, item)| walk(&below(&number.to_string()), item, all));
        }
        other => {
            all.insert(path.to_owned(), other);
        }
    }
}

/// Every value of a text, read by another reader.
fn flat(text: &str) -> BTreeMap<String, Value> {
    let mut all = BTreeMap::new();
    walk("", Value::Table(text.parse().unwrap_or_else(|error| panic!("{error}\n{text}"))), &mut all);
    all
}

/// What was meant, in the same form.
fn meant(made: &PromotionResult) -> BTreeMap<String, Value> {
    let cells = made.draft.values.iter().filter_map(|(path, cell)| Some((path, cell.value.clone()?)));
    let mut all = BTreeMap::new();
    for (path, value) in cells {
        let path = path.keys().iter().fold(String::new(), |text, key| format!("{text}/{key}"));
        walk(&path, value, &mut all);
    }
    all
}

fn no_difference(written: &BTreeMap<String, Value>, meant: &BTreeMap<String, Value>) -> Result<(), String> {
    let ours = |path: &str| path.starts_with("/metadata");
    let lost = meant.iter().find(|(path, value)| !written.get(*path).is_some_and(|it| same(it, value)));
    let stray = written.iter().find(|(path, _)| !ours(path) && !meant.contains_key(*path));
    match lost.or(stray) {
        None => Ok(()),
        Some((path, value)) => Err(format!("{path} = {value} is {:?}", written.get(path))),
    }
}

/// Who makes what of what.
struct Case {
    number: u64,
    local: Document,
    chain: ProfileChain,
    options: Vec<SetOption>,
}

impl Case {
    fn new(number: u64) -> Self {
        let mut dice = Rng(number);
        let local = Document::parse("local.toml", &document(&mut dice)).expect("it is sound");
        let text = profile(&mut dice, &local);
        let read =
            |text: &str| Profile::read("dev", ProfileOrigin::File, &Document::parse("dev.toml", text).expect("sound"));
        let own = read(&text).or_else(|_| read("")).expect("a profile");
        let built_in = ["server", "dev"].map(|name| Profile::built_in(name).expect("there"));
        let chain = if dice.one_in(2) { built_in.into_iter().chain([own]).collect() } else { vec![own] };
        let given = (0..dice.roll(3)).map(|_| format!("{}={}", path(&mut dice, &local), dice.of(&VALUES)));
        let options = given.filter_map(|text| parse_set_options(&text).ok()).flatten().collect();
        Self { number, local, chain: ProfileChain { profiles: chain }, options }
    }

    /// What is made of a local.toml, and its text; none if it is refused with a reason.
    fn made(&self, local: &Document, options: &[SetOption]) -> Option<(String, BTreeMap<String, Value>)> {
        let (org, env) = ("acme".parse().expect("a name"), "dev".parse().expect("a name"));
        let names = Names::new();
        let recipe =
            EnvPromotion { org: &org, env: &env, local, chain: &self.chain, options, names: &names, home: None };
        let made = recipe.run().ok()?;
        let stamp = Stamp { at: "2026-11-20T12:00:00Z".into(), by: "me".into(), commit: None };
        let annotate = if self.number.is_multiple_of(2) { Annotate::Yes } else { Annotate::No };
        match recipe.text(&made, &stamp, annotate) {
            Ok(text) => Some((text, meant(&made))),
            Err(error @ OrgError::RoundTripMismatch { .. }) => panic!("{error}\n{}", self.description()),
            Err(error) => panic!("{error}"),
        }
    }

    /// True if all lines end as those of local.toml do. Values that came with lines of their own aside.
    fn ends_lines_alike(&self, text: &str) -> bool {
        let windows = self.local.source.text.contains("\r\n");
        let given: String = self.options.iter().map(SetOption::to_string).collect();
        let own = self.chain.profiles.last().map(|it| it.source.text.contains("\"\"\"")).unwrap_or_default();
        own || given.contains("\"\"\"") || windows != text.replace("\r\n", "").contains('\n')
    }

    /// A comment of local.toml that is not in a text any more.
    fn lost_comment(&self, text: &str) -> Option<&'static str> {
        let all = ["# said", "# alone", "# two", "# of it", "# head", "# inner", "# second", "# third", "# inline"];
        let count = |text: &str, comment: &str| text.matches(comment).count();
        all.into_iter().find(|comment| count(text, comment) < count(&self.local.source.text, comment))
    }

    fn description(&self) -> String {
        let options: Vec<String> = self.options.iter().map(SetOption::to_string).collect();
        let own = &self.chain.profiles[self.chain.profiles.len() - 1].source.text;
        format!(
            "case {} ({} profiles)\n--- local.toml\n{}\n--- profile\n{own}\n--- set {options:?}",
            self.number,
            self.chain.profiles.len(),
            self.local.source.text
        )
    }

    /// An edit of what was generated becomes an override, and the next promotion makes the same again.
    fn keeps(&self, text: &str) {
        let mut dice = Rng(self.number ^ 7);
        let generated = Document::parse("dev.toml", text).expect("sound");
        let ours = |leaf: &&Leaf| leaf.path.keys()[0] != "metadata" && leaf.path.keys()[0] != "environment";
        let leaves: Vec<&Leaf> = generated.leaves.iter().filter(ours).collect();
        if leaves.is_empty() {
            return;
        }
        let leaf = leaves[dice.roll(leaves.len())];
        let edited = format!("{}\"edit ${{X}}\"{}", &text[..leaf.span.start], &text[leaf.span.end..]);
        let edited = Document::parse("dev.toml", &edited).expect("one value is another");
        let there = edited.leaf(&leaf.path).expect("there");
        let env = "dev".parse().expect("a name");
        let whose = OverrideScope { env: &env, profile: &self.chain.profiles[self.chain.profiles.len() - 1] };
        let local = match write_overrides(&self.local, whose, &[OverrideValue::of(&edited, there)]) {
            Ok(local) => local,
            Err(error @ OrgError::RoundTripMismatch { .. }) => panic!("{}: {error}\n{}", leaf.path, self.description()),
            Err(_) => return,
        };
        if let Some((_, meant)) = self.made(&local, &[]) {
            let path = leaf.path.keys().iter().fold(String::new(), |text, key| format!("{text}/{key}"));
            assert_eq!(meant.get(&path), Some(&there.value), "{path}\n{}\n{}", local.source.text, self.description());
        }
    }
}

#[test]
fn a_promotion_says_what_was_meant_and_never_writes_wrong_toml() {
    let cases: u64 = std::env::var("CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(600);
    let mut written = 0;
    for number in 0..cases {
        let case = Case::new(number);
        let Some((text, meant)) = case.made(&case.local, &case.options) else { continue };
        written += 1;
        if let Err(wrong) = no_difference(&flat(&text), &meant) {
            panic!("{wrong}\n{}\n--- made\n{text}", case.description());
        }
        assert_eq!(case.lost_comment(&text), None, "{}\n--- made\n{text}", case.description());
        assert!(case.ends_lines_alike(&text), "{}\n--- made\n{text}", case.description());
        case.keeps(&text);
    }
    assert!(written * 3 > cases, "only {written} of {cases} were written, the others refused");
}
