//! What holds for every text: nothing of a template is left, what was encoded comes back, and a shell agrees.

use std::collections::BTreeMap;
use std::io::Write;
use std::process::{Command, Stdio};

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use tetra::config::template::encode;
use tetra::env::format::EnvFormat;
use tetra::env::scope::{EnvScope, ScopeInputs};

use super::vectors::resolve;

fn scope(process: &BTreeMap<String, String>) -> EnvScope {
    EnvScope { inputs: ScopeInputs { process: process.clone(), ..ScopeInputs::default() }, ..EnvScope::default() }
}

/// Names, operators and words without `$NAME`, quotes and backslashes: what every shell and tetra understand alike.
fn shared() -> impl Strategy<Value = String> {
    let literal = "[a-z0-9 :/._-]{0,6}";
    let leaf = (prop::sample::select(vec!["SET", "EMPTY", "UNSET"]), literal)
        .prop_map(|(name, text)| format!("{text}${{{name}-}}"));
    leaf.prop_recursive(4, 24, 3, |inner| {
        let operators = prop::sample::select(vec![":-", "-", ":+", "+"]);
        let names = prop::sample::select(vec!["SET", "EMPTY", "UNSET", "FOO"]);
        let one = (names, operators, prop::collection::vec(inner, 0..3))
            .prop_map(|(name, operator, words)| format!("${{{name}{operator}{}}}", words.concat()));
        (one, "[a-z0-9 :/._-]{0,4}").prop_map(|(expansion, text)| format!("{text}{expansion}{text}"))
    })
}

/// What dash prints for each of the scripts, in one process.
fn dash(scripts: &[String]) -> Vec<String> {
    let script: String = scripts.iter().map(|line| format!("{line}\nprintf '%s\\0' \"$R\"\n")).collect();
    let mut command = Command::new("dash");
    command
        .env_clear()
        .env("SET", "val")
        .env("EMPTY", "")
        .env("FOO", "a$b")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = command.spawn().expect("dash is there");
    let mut input = child.stdin.take().expect("a pipe");
    let writer = std::thread::spawn(move || input.write_all(script.as_bytes()));
    let output = child.wait_with_output().expect("dash ends");
    writer.join().expect("written").expect("dash reads");
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).expect("text");
    said.split_terminator('\0').map(str::to_owned).collect()
}

fn surroundings() -> BTreeMap<String, String> {
    [("SET", "val"), ("EMPTY", ""), ("FOO", "a$b")].map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}

fn samples(strategy: impl Strategy<Value = String>, count: usize) -> Vec<String> {
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    (0..count).map(|_| strategy.new_tree(&mut runner).expect("a sample").current()).collect()
}

#[test]
fn a_real_shell_resolves_the_shared_part_alike() {
    let texts = samples(shared(), 2_000);
    let said = dash(&texts.iter().map(|text| format!("R=\"{text}\"")).collect::<Vec<_>>());
    assert_eq!(said.len(), texts.len());
    let scope = scope(&surroundings());
    for (text, said) in texts.iter().zip(said) {
        let value = resolve(scope.clone(), text).value;
        assert_eq!(value.as_ref().map(|value| &value.text), Ok(&said), "{text}");
    }
}

#[test]
fn a_real_shell_reads_back_what_is_written_for_it() {
    let values = samples("[ -~éß\n\t]{0,30}", 2_000);
    let lines: Vec<String> = values.iter().map(|value| EnvFormat::Export.line("R", value).expect("writable")).collect();
    assert_eq!(dash(&lines), values);
}

proptest! {
    #[test]
    fn nothing_of_a_template_is_left(texts in prop::collection::vec(shared(), 1..4)) {
        let text = texts.concat();
        let value = resolve(scope(&surroundings()), &text).value.expect("every name has a default");
        prop_assert!(!value.text.contains("${"), "{} became {}", text, value.text);
    }

    #[test]
    fn what_was_encoded_comes_back(text in "[${}a-z:\"'\\\\ -]{0,40}|\\PC{0,60}") {
        let value = resolve(EnvScope::default(), &encode(&text)).value.expect("there is nothing to resolve");
        prop_assert_eq!(value.text, text);
    }

    #[test]
    fn data_is_never_looked_into(value in "[${}A-Z:-]{0,20}") {
        let process = BTreeMap::from([("DATA".to_owned(), value.clone())]);
        let resolved = resolve(scope(&process), "${DATA}").value.expect("it is set");
        prop_assert_eq!(resolved.text, value);
    }
}

#[test]
fn work_grows_with_the_text_and_laughs_at_bombs() {
    use tetra::config::document::Document;
    use tetra::config::{expand::Resolver, path::KeyPath, template::MAX_EXPANSIONS};
    use tetra::env::project::scope_of;

    let mut bomb = "[variables]\na0 = \"haha\"\n".to_owned();
    for level in 1..40 {
        let before = format!("${{variables.a{}}}", level - 1);
        bomb.push_str(&format!("a{level} = \"{}\"\n", before.repeat(8)));
    }
    let env = "dev".parse().expect("a name");
    let document = Document::parse("tetra.toml", &bomb).expect("sound");
    let scope = scope_of(&document, &env, None, ScopeInputs::default());
    let mut resolver = Resolver::new(&scope);
    let last = scope.paths[&KeyPath::of(&["variables", "a39"])];
    assert_eq!(resolver.value(last).expect_err("too large").reason.code(), "E-SIZE");

    let many = format!("[variables]\na = \"x\"\nb = \"{}\"\n", "${variables.a}".repeat(MAX_EXPANSIONS));
    let document = Document::parse("tetra.toml", &many).expect("sound");
    let scope = scope_of(&document, &env, None, ScopeInputs::default());
    let value =
        Resolver::new(&scope).value(scope.paths[&KeyPath::of(&["variables", "b"])]).expect("as many as allowed");
    assert_eq!(value.text.len(), MAX_EXPANSIONS);
}
