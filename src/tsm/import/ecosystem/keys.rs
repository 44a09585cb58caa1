//! The fields of an app by their documented names: each has others.

use serde_json::{Map, Value};

/// Other names and the documented one.
const ALIASES: &[(&str, &str)] = &[
    ("exec", "script"),
    ("cmd", "script"),
    ("command", "script"),
    ("exec_interpreter", "interpreter"),
    ("interpreter_args", "node_args"),
    ("cron", "cron_restart"),
    ("combine_logs", "merge_logs"),
    ("user", "uid"),
    ("out", "out_file"),
    ("output", "out_file"),
    ("out_log", "out_file"),
    ("error", "error_file"),
    ("err", "error_file"),
    ("err_file", "error_file"),
    ("err_log", "error_file"),
    ("log", "log_file"),
    ("pid", "pid_file"),
];

/// The app with `maxRestarts` as `max_restarts`, and so on. Where a field has both names, the documented one counts.
pub(super) fn as_documented(app: &Value) -> Value {
    let Value::Object(fields) = app else { return app.clone() };
    let mut documented = Map::new();
    for (key, value) in fields {
        let snake = snake(key);
        let name = ALIASES.iter().find(|(other, _)| *other == snake).map_or(snake.as_str(), |(_, name)| name);
        if name == key || !fields.contains_key(name) && !documented.contains_key(name) {
            documented.insert(name.to_owned(), value.clone());
        }
    }
    Value::Object(documented)
}

/// `env_…` is followed by a name of the operator's own.
fn snake(key: &str) -> String {
    if key.starts_with("env_") {
        return key.to_owned();
    }
    let mut snake = String::new();
    for letter in key.chars() {
        if letter.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}
