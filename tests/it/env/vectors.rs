//! The table in `tests/vectors/variables.toml`, row by row.

use std::collections::{BTreeMap, HashMap};

use serde::Deserialize;
use tetra::base::diagnostic::SourceText;
use tetra::config::document::Document;
use tetra::config::expand::Resolver;
use tetra::config::expand_error::ExpandError;
use tetra::env::project::scope_of;
use tetra::env::scope::{EnvScope, EnvValue, ProcessEnv, RawValue, ScopeInputs, ValueKind, VariableDefinition};

#[derive(Deserialize)]
struct Table {
    vector: Vec<Vector>,
}

#[derive(Deserialize)]
struct Vector {
    number: u32,
    input: String,
    output: Option<String>,
    error: Option<String>,
    at: Option<String>,
    message: Option<String>,
    kind: Option<String>,
    #[serde(default)]
    strays: Vec<usize>,
    #[serde(default)]
    hermetic: bool,
    #[serde(default)]
    variables: BTreeMap<String, String>,
    #[serde(default)]
    process: BTreeMap<String, String>,
}

const SURROUNDINGS: [(&str, &str); 6] =
    [("SET", "val"), ("EMPTY", ""), ("FOO", "first"), ("BAR", ""), ("JSON", "{\"json\":2}"), ("DOLLAR", "a$SET")];

/// A text in a scope; what becomes of it.
pub(crate) struct Resolved {
    pub(crate) value: Result<EnvValue, ExpandError>,
    pub(crate) strays: Vec<usize>,
    pub(crate) scope: EnvScope,
}

/// Resolves a text that is not in the file, for dev.
pub(crate) fn resolve(mut scope: EnvScope, text: &str) -> Resolved {
    let id = scope.definitions.len();
    let (value, source) = (RawValue::Text(text.to_owned()), scope.sources.len());
    scope.sources.push(SourceText::new("input", text));
    scope.definitions.push(VariableDefinition {
        name: "input".to_owned(),
        value,
        source,
        span: 0..text.len(),
        binding: None,
    });
    let mut resolver = Resolver::new(&scope);
    let value = resolver.value(id).map(|value| value.as_ref().clone());
    let strays = resolver.unmatched_braces.iter().filter(|(of, _)| *of == id).map(|(_, at)| *at).collect();
    Resolved { value, strays, scope }
}

fn scope(vector: &Vector) -> EnvScope {
    let own: HashMap<&str, &String> = vector.variables.iter().map(|(key, value)| (key.as_str(), value)).collect();
    let mut text = "[ports]\ntetra = 4444\n[org]\ndomain = \"pixeljamarcade.com\"\n[environments.dev]\n".to_owned();
    for (key, value) in own {
        text.push_str(&format!("{key} = '{value}'\n"));
    }
    let document = Document::parse("tetra.toml", &text).expect("sound");
    let mut process: BTreeMap<String, String> =
        SURROUNDINGS.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
    process.extend(vector.process.clone());
    let env = "dev".parse().expect("a name");
    let mut scope = scope_of(&document, &env, Some("dev"), ScopeInputs { process, ..ScopeInputs::default() });
    if vector.hermetic {
        scope.inputs.process_env = ProcessEnv::Hermetic;
    }
    scope
}

#[test]
fn every_row_of_the_table_holds() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/variables.toml");
    let text = std::fs::read_to_string(path).expect("there is a table");
    let table: Table = toml::from_str(&text).expect("the table is sound");
    let numbers: Vec<u32> = table.vector.iter().map(|vector| vector.number).collect();
    assert!((1..=64).all(|number| numbers.contains(&number)), "all rows are there");
    let wrong: Vec<String> = table.vector.iter().filter_map(|vector| check(vector).err()).collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

fn check(vector: &Vector) -> Result<(), String> {
    let resolved = resolve(scope(vector), &vector.input);
    let say = |what: String| Err(format!("{}: `{}`: {what}", vector.number, vector.input));
    match (resolved.value, &vector.output, &vector.error) {
        (Ok(value), Some(output), None) => {
            let kind = if value.kind == ValueKind::Integer { "integer" } else { "text" };
            if value.text != *output || resolved.strays != vector.strays {
                return say(format!("{:?}, stray braces at {:?}", value.text, resolved.strays));
            }
            if vector.kind.as_ref().is_some_and(|wanted| wanted != kind) {
                return say(format!("is {kind}"));
            }
            Ok(())
        }
        (Err(trouble), None, Some(code)) => {
            let diagnostic = trouble.diagnostic(&resolved.scope);
            let at = diagnostic.location().map(|place| format!("{}:{}", place.line, place.column));
            let (said, got) = (diagnostic.title, trouble.reason.code());
            let right = got == code
                && vector.message.as_ref().is_none_or(|message| said.contains(message))
                && (vector.at.is_none() || vector.at == at);
            if right { Ok(()) } else { say(format!("{got} at {at:?}: {said}")) }
        }
        (got, ..) => say(format!("{got:?}")),
    }
}
