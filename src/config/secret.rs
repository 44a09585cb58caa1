//! What must not be shown: the one rule for it.
//!
//! The name of a key says so (`base::redact`), unless its value only refers to another; or the value itself looks like a secret,
//! whatever its name.

use toml::Value;

use super::template::{self, TemplatePart, is_variable_name};
use crate::base::redact;

/// True if the value of a key must not be shown.
#[must_use]
pub fn is_secret(key: &str, value: &Value) -> bool {
    match value {
        Value::String(text) => is_secret_text(key, text),
        Value::Array(items) => {
            let words: Vec<&str> = items.iter().filter_map(Value::as_str).collect();
            redact::is_secret_name(key) || redact::redact(&words) != words
        }
        _ => redact::is_secret_name(key),
    }
}

/// The same for a text.
#[must_use]
pub fn is_secret_text(key: &str, text: &str) -> bool {
    if is_reference(text) {
        return false;
    }
    redact::is_secret_name(key) || !text.starts_with("${") && redact::text(text) != text
}

/// True for a text of nothing but `${NAME}` and `var.NAME`, which can be shown: what they mean is not in it.
#[must_use]
pub fn is_reference(text: &str) -> bool {
    let refers = |part: &TemplatePart| matches!(part, TemplatePart::Expansion(it) if it.operation.is_none());
    text.strip_prefix("var.").is_some_and(is_variable_name)
        || template::parse(text).is_ok_and(|template| template.parts.iter().all(refers))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_hidden_for_its_name_or_for_its_looks() {
        for (key, text) in [
            ("password", "x"),
            ("api_key", "${A:-x}"),
            ("api_key", "x${A}"),
            ("url", "pg://u:hunter2@h/db"),
            ("note", "ghp_abcdefghijklmnopqrstuvwxyz123456"),
        ] {
            assert!(is_secret(key, &Value::String(text.to_owned())), "{key} {text}");
        }
        for (key, text) in [("port", "80"), ("api_key", "${A}${secret:B}"), ("api_key", "var.KEY"), ("password", "")] {
            assert!(!is_secret(key, &Value::String(text.to_owned())), "{key} {text}");
        }
        let words = ["--token", "hunter2"].map(|it| Value::String(it.to_owned())).to_vec();
        assert!(is_secret("token", &Value::Integer(1)) && is_secret("args", &Value::Array(words)));
    }
}
