//! What `--json` prints has the shape that `schemas/` says. A change of shape is a change of a promise.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use tetra::command::registry::{CommandMatch, resolve};
use tetra::report::{json, read};

use crate::transcript::SessionHome;

/// The checked-in schema of a command.
pub(crate) fn schema(name: &str) -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas").join(format!("{name}.json"));
    let text = fs::read(&path).unwrap_or_else(|error| panic!("cannot read {}: {error}", path.display()));
    serde_json::from_slice(&text).unwrap_or_else(|error| panic!("{} is no JSON: {error}", path.display()))
}

/// What does not fit, each with its place in the value. Knows `type`, `enum`, `items`, `properties`,
/// `required`, `additionalProperties` and `format: date-time`.
pub(crate) fn misfits(value: &Value, schema: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare(value, schema, "$", &mut found);
    found
}

fn compare(value: &Value, schema: &Value, place: &str, found: &mut Vec<String>) {
    if let Some(types) = schema.get("type") {
        let named: Vec<&str> = match types {
            Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
            one => one.as_str().into_iter().collect(),
        };
        if !named.iter().any(|name| is_a(value, name)) {
            found.push(format!("{place}: {value} is no {}", named.join(" or ")));
            return;
        }
    }
    if let Some(Value::Array(allowed)) = schema.get("enum")
        && !allowed.contains(value)
    {
        found.push(format!("{place}: {value} is none of {allowed:?}"));
    }
    if let (Some("date-time"), Value::String(text)) = (schema.get("format").and_then(Value::as_str), value)
        && text.parse::<jiff::Timestamp>().is_err()
    {
        found.push(format!("{place}: {text} is no point in time"));
    }
    match value {
        Value::Array(items) => {
            for (number, item) in items.iter().enumerate() {
                compare(item, schema.get("items").unwrap_or(&Value::Null), &format!("{place}[{number}]"), found);
            }
        }
        Value::Object(fields) => {
            for name in schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
            {
                if !fields.contains_key(name) {
                    found.push(format!("{place}: `{name}` is missing"));
                }
            }
            for (name, field) in fields {
                match schema.get("properties").and_then(|known| known.get(name)) {
                    Some(schema) => compare(field, schema, &format!("{place}.{name}"), found),
                    None if schema.get("additionalProperties") == Some(&Value::Bool(false)) => {
                        found.push(format!("{place}: `{name}` is not in the schema"));
                    }
                    None => {
                        if let Some(schema) = schema.get("additionalProperties") {
                            compare(field, schema, &format!("{place}.{name}"), found);
                        }
                    }
                }
            }
        }
        _ => {}
    }
}

fn is_a(value: &Value, name: &str) -> bool {
    match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("the schema names an unknown type {other}"),
    }
}

/// What `--json` printed is the same after it was read and written.
#[track_caller]
pub(crate) fn assert_round_trips(printed: &str) {
    let report = read::report(printed).unwrap_or_else(|error| panic!("{error}: {printed}"));
    let data: Vec<_> = report.blocks.iter().filter_map(json::block).collect();
    assert_eq!(json::document(&data, report.json_shape), printed.trim_end());
}

/// A value of the shape that a schema says; `number` chooses among the types and words that it allows.
fn example(schema: &Value, number: usize) -> Value {
    if let Some(words) = schema.get("enum").and_then(Value::as_array) {
        return words[number % words.len()].clone();
    }
    let name = match schema.get("type") {
        Some(Value::Array(types)) => types[number % types.len()].as_str(),
        Some(one) => one.as_str(),
        None => Some("null"),
    };
    match name.expect("a type is a string") {
        "null" => Value::Null,
        "boolean" => number.is_multiple_of(2).into(),
        "integer" => number.into(),
        "number" => (number as f64 / 8.0).into(),
        "string" if schema.get("format").is_some() => "2026-11-20T12:00:00.5Z".into(),
        "string" => format!("text {number}").into(),
        "array" => {
            let item = |number| example(schema.get("items").unwrap_or(&Value::Null), number);
            (0..number % 3 + 1).map(item).collect()
        }
        "object" => {
            let properties = schema.get("properties").and_then(Value::as_object);
            let fields = properties.into_iter().flatten().map(|(name, it)| (name.clone(), example(it, number)));
            Value::Object(fields.collect())
        }
        other => panic!("the schema names an unknown type {other}"),
    }
}

#[test]
fn an_answer_of_every_shape_can_be_read_back() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
    for path in fs::read_dir(dir).expect("there are schemas").map(|it| it.expect("readable").path()) {
        let name = path.file_stem().and_then(|name| name.to_str()).expect("a text");
        for number in 0..4 {
            let example = example(&schema(name), number);
            assert_eq!(misfits(&example, &schema(name)), Vec::<String>::new(), "{name}");
            let printed = serde_json::to_string_pretty(&example).expect("JSON");
            match name {
                "error" => assert_eq!(read::faults(&serde_json::to_string(&example).expect("JSON")).len(), 1, "{name}"),
                _ => assert_round_trips(&printed),
            }
        }
    }
}

#[test]
fn every_schema_closes_its_objects_and_requires_their_fields() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
    let files: Vec<PathBuf> =
        fs::read_dir(directory).expect("there are schemas").map(|it| it.expect("readable").path()).collect();
    assert!(!files.is_empty());
    for path in files {
        let name = path.file_stem().and_then(|name| name.to_str()).expect("a text");
        check_objects(&schema(name), name);
    }
}

fn check_objects(schema: &Value, place: &str) {
    if let Some(properties) = schema.get("properties").and_then(Value::as_object) {
        assert_eq!(schema["additionalProperties"], false, "{place} takes unknown fields");
        assert!(schema["required"].is_array(), "{place} requires nothing");
        for (name, property) in properties {
            check_objects(property, &format!("{place}.{name}"));
        }
    }
    if let Some(items) = schema.get("items") {
        check_objects(items, &format!("{place}[]"));
    }
}

/// Commands without data of their own: they change the session, run other lines, or print a text.
const WITHOUT_DATA: [&str; 16] = [
    "agent",
    "cd",
    "clear",
    "complete",
    "daemon sweep",
    "deploy-watch",
    "exit",
    "help",
    "repl",
    "select",
    "source",
    "tkm ssh",
    "tour",
    "tsm help",
    "use",
    "watch",
];

/// The commands, with options, that the title of a schema names.
fn lines_in_title(schema: &Value) -> Vec<String> {
    let title =
        schema["title"].as_str().expect("a title").replace(" and ", ", ").replace(": ", ", ").replace("; ", ", ");
    title.split(", ").map(|it| it.trim_start_matches("tetra ").replace("tsm org", "org")).collect()
}

/// True for a schema whose title names a command.
pub(crate) fn names_command(schema: &Value, command: &str) -> bool {
    lines_in_title(schema).iter().any(|line| {
        let words: Vec<&str> = line.split(' ').collect();
        matches!(resolve(&words), CommandMatch::Command(found, _) if found.name == command)
    })
}

#[test]
fn every_command_has_a_schema_that_names_it() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("schemas");
    let read = |entry: std::io::Result<fs::DirEntry>| {
        let text = fs::read_to_string(entry.expect("an entry").path()).expect("readable");
        serde_json::from_str::<Value>(&text).expect("JSON")
    };
    let schemas: Vec<Value> = fs::read_dir(directory).expect("a directory").map(read).collect();
    for command in tetra::command::registry::COMMANDS {
        let exempt = WITHOUT_DATA.contains(&command.name);
        let is_named = schemas.iter().any(|schema| names_command(schema, command.name));
        assert_eq!(is_named, !exempt, "`{}` in the titles of schemas/", command.name);
    }
}

#[test]
fn the_comparison_finds_what_does_not_fit() {
    let schema = serde_json::json!({
        "type": "array",
        "items": {
            "type": "object",
            "properties": { "pid": { "type": "integer" }, "at": { "type": ["string", "null"], "format": "date-time" } },
            "required": ["pid"],
            "additionalProperties": false,
        },
    });
    let misfits = |value| misfits(&value, &schema).len();
    assert_eq!(misfits(serde_json::json!([{ "pid": 1, "at": null }, { "pid": 2, "at": "2026-11-20T13:00:00Z" }])), 0);
    for wrong in [
        serde_json::json!({}),
        serde_json::json!([{ "pid": "1" }]),
        serde_json::json!([{}]),
        serde_json::json!([{ "pid": 1, "at": "noon" }]),
        serde_json::json!([{ "pid": 1, "more": 1 }]),
    ] {
        assert_eq!(misfits(wrong.clone()), 1, "{wrong}");
    }
}

#[test]
fn what_json_prints_fits_the_schemas() {
    let home = SessionHome::new();
    let json = |line: &str| -> Value {
        let (said, _) = home.bash(&format!("{line} 2>/dev/null"));
        if !said.contains("\"error\"") {
            assert_round_trips(&said);
        }
        serde_json::from_str(&said).unwrap_or_else(|error| panic!("`{line}` said no JSON: {error}\n{said}"))
    };
    let start = "tsm start --name chatty --json bash -c 'echo one; echo two >&2; exec sleep 1000'";
    let crash = "tsm start --no-wait --name short bash -c 'exit 3' >/dev/null; \
                 until tsm list 2>&1 | grep -q crashed; do :; done; tsm list --json";
    for (line, name) in [
        ("tetra setup --json", "setup"),
        (start, "tsm-start"),
        ("tsm list --json", "tsm-list"),
        ("tsm list all -v --json", "tsm-list"),
        ("tsm info chatty --json", "tsm-info"),
        ("tsm info chatty -v --json", "tsm-info"),
        ("tsm logs chatty --json", "tsm-logs"),
        ("tsm restart chatty --json", "tsm-restart"),
        ("tsm stop chatty --json", "tsm-stop"),
        ("tsm list all --json", "tsm-list"),
        ("tsm info chatty -v --json", "tsm-info"),
        (crash, "tsm-list"),
        ("tsm info short -v --json", "tsm-info"),
        ("tsm save chatty --json", "tsm-save"),
        ("tsm show chatty --json", "tsm-show"),
        ("tsm enable chatty --json", "tsm-enable"),
        ("tsm services --json", "tsm-list-available"),
        ("tsm save broken --cwd / --json -- /no/such/program", "tsm-save"),
        ("tsm show broken --json", "tsm-show"),
        ("tsm list available -v --json", "tsm-list-available"),
        ("tsm startup --json", "tsm-startup"),
        ("tsm stack list --json", "tsm-stack-list"),
        ("mkdir -p tetra/tsm/stacks; echo chatty > tetra/tsm/stacks/s.stack; tsm stack list --json", "tsm-stack-list"),
        ("tsm stack start s --json", "tsm-startup"),
        ("tsm stack status s --json", "tsm-stack-status"),
        ("tsm enable broken --json", "tsm-enable"),
        ("echo 'web: sleep 9' > Procfile; tsm import Procfile --dry-run --json", "tsm-import"),
        ("tsm startup --dry-run --json", "tsm-startup-plan"),
        ("tsm startup --json", "tsm-startup"),
        ("tsm disable chatty --json", "tsm-enable"),
        ("tsm rm broken --json", "tsm-rm"),
        ("tsm kill chatty --json", "tsm-kill"),
        ("tsm delete short --json", "tsm-stop"),
        ("{ tsm stop nobody --json 2>&1 >/dev/null; }", "error"),
    ] {
        let value = json(line);
        assert_eq!(misfits(&value, &schema(name)), Vec::<String>::new(), "`{line}` printed\n{value:#}");
    }
}
