//! Random and broken texts against everything that reads what people write. Nothing may panic or take for ever.
//!
//! `TETRA_FUZZ_SECONDS` is the time for all of them together; without it a second.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use tetra::base::dotenv;
use tetra::config::document::Document;
use tetra::config::mask;
use tetra::config::secret_scan::{self, Syntax};
use tetra::config::template;
use tetra::env::generate;
use tetra::env::project::Project;
use tetra::env::scope::ScopeInputs;
use tetra::tsm::definition::Definition;

use crate::waiting::PATIENCE;

/// What reads a text.
type Target = (&'static str, fn(&str));

const TARGETS: &[Target] = &[
    ("the grammar", |text| {
        let _ = template::parse(text);
    }),
    ("the resolver", resolve),
    ("the .env parser", |text| {
        let entries = dotenv::entries(text);
        for entry in entries.iter().flatten() {
            assert!(text.get(entry.span.clone()).is_some() && text.get(entry.value.clone()).is_some());
        }
        assert_eq!(dotenv::parse(text).is_ok(), entries.is_ok());
        assert_eq!(mask::env_text(text).len(), text.len());
        let _ = mask::env_values(text);
    }),
    ("the .tsm parser", |text| {
        let _ = Definition::parse(text, Path::new("x.tsm"), &BTreeMap::new());
    }),
    ("the leak scan", |text| {
        for syntax in [Syntax::Toml, Syntax::Env, Syntax::Other] {
            let _ = secret_scan::diagnostics("x", text, &secret_scan::scan("x", text, syntax));
        }
    }),
];

/// A whole project: its TOML is the text, or holds it as values.
fn resolve(text: &str) {
    let quoted = toml::Value::from(text).to_string();
    let written =
        format!("[environments.dev]\na = {quoted}\nb = \"${{A}}\"\n[variables]\nc = {quoted}\na = {quoted}\n");
    for toml in [text, &written] {
        let Ok(document) = Document::parse("tetra.toml", toml) else { continue };
        let project = Project { dir: "/nowhere".into(), document: Some(document) };
        for env in project.environments() {
            if let Ok(plan) = project.plan(&env, ScopeInputs::default()) {
                let _ = generate::generate(&plan, &env);
            }
        }
    }
}

/// Texts that look like what people write, with pieces out of place, and plain noise.
fn texts() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "${",
        "}",
        "$$",
        "{",
        ":-",
        ":?",
        "+",
        "secret:",
        "env:",
        "variables.a",
        "A",
        "\"",
        "'",
        "\\",
        "\n",
        "=",
        "export ",
        "#",
        "(",
        ")",
        "[",
        "]",
        " ",
        "TSM_COMMAND=",
        "TSM_ENV=",
        "PORT",
        "é",
        "\u{feff}",
        "\0",
        "\r\n",
        "1",
        "var.",
        "eyJ",
        "://a:b@",
        "[environments.dev]\n",
        "a = ",
        "-----BEGIN ",
        "PRIVATE KEY-----",
        "`",
        "$(",
        "<<",
        "\u{10ffff}",
        "tetra:allow-secret",
    ]);
    let structured = prop::collection::vec(pieces, 0..60).prop_map(|pieces| pieces.concat());
    let long = ("[${}:=\"'\\n(a-]{1,4}", 1_usize..4_000).prop_map(|(piece, times)| piece.repeat(times));
    prop_oneof![6 => structured, 2 => any::<String>(), 1 => long]
}

#[test]
fn no_text_breaks_what_reads_it() {
    let seconds = std::env::var("TETRA_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(1.0);
    let until = Instant::now() + Duration::from_secs_f64(seconds);
    // Every long run meets other texts; the short one always the same.
    let start: [u8; 32] = if seconds > 1.0 { rand_bytes() } else { [7; 32] };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &start);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let strategy = texts();
    let mut count = 0_u64;
    while Instant::now() < until {
        let text = strategy.new_tree(&mut runner).expect("a text").current();
        for (name, target) in TARGETS {
            let begun = Instant::now();
            let survived = std::panic::catch_unwind(|| target(&text)).is_ok();
            assert!(survived, "{name} broke at {text:?} (beginning {start:?})");
            assert!(begun.elapsed() < PATIENCE, "{name} took {:?} for {text:?}", begun.elapsed());
        }
        count += 1;
    }
    assert!(count > 10, "only {count} texts in {seconds} s");
}

fn rand_bytes() -> [u8; 32] {
    use std::io::Read;

    let mut bytes = [0; 32];
    std::fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes)).expect("there is randomness");
    bytes
}
