//! YAML as the readers of these files read it: `yes` and `on` are words, `0755` is octal, and a whole number has no fraction.

use serde_json::{Map, Value};

/// The value of a text, or what is wrong with it.
pub(super) fn read(text: &str) -> Result<Value, String> {
    let parse = |strict: bool| -> Result<Value, String> {
        let options = serde_saphyr::options! { strict_booleans: strict, legacy_octal_numbers: true };
        serde_saphyr::from_str_with_options(text, options).map_err(|error| message(&error))
    };
    Ok(merged(parse(false)?, &parse(true)?))
}

/// What is wrong and where, without the lines around it: secrets may be in them.
fn message(error: &serde_saphyr::Error) -> String {
    error.without_snippet().render_with_formatter(&serde_saphyr::UserMessageFormatter)
}

/// `True` is a boolean to all of them; the other words are only to those of YAML 1.1.
fn merged(value: Value, strict: &Value) -> Value {
    match (value, strict) {
        (Value::Bool(_), Value::String(word)) if !["true", "false"].iter().any(|it| word.eq_ignore_ascii_case(it)) => {
            Value::String(word.clone())
        }
        (Value::Array(items), Value::Array(strict)) => {
            Value::Array(items.into_iter().zip(strict).map(|(item, strict)| merged(item, strict)).collect())
        }
        (Value::Object(fields), Value::Object(strict)) => {
            let each = |(key, value): (String, Value)| {
                let value = merged(value, strict.get(&key).unwrap_or(&Value::Null));
                (key, value)
            };
            Value::Object(fields.into_iter().map(each).collect::<Map<_, _>>())
        }
        (Value::Number(number), _) => whole(&number).map_or(Value::Number(number), Value::from),
        (value, _) => value,
    }
}

/// The number without its fraction, if that is zero.
fn whole(number: &serde_json::Number) -> Option<i64> {
    /// From here on a number has digits that it was not written with.
    const MAX_EXACT: f64 = 9e15;
    let float = number.as_f64().filter(|float| number.is_f64() && float.fract() == 0.0 && float.abs() < MAX_EXACT)?;
    format!("{float:.0}").parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_are_what_they_are_to_compose() {
        let text = "a: [yes, on, Off, y, true, True, FALSE, 'True', 'yes', 0755, 022, 08, 3.0, 1e3, 1.5, 0x1F, 22:22, ~, '0755']";
        let expected = serde_json::json!({"a": [
            "yes", "on", "Off", "y", true, true, false, "True", "yes", 493, 18, 8, 3, 1000, 1.5, 31, "22:22", null, "0755"
        ]});
        assert_eq!(read(text).expect("YAML"), expected);
        for text in ["a: [", "p: hunter2\na: 1\na: 2\n", "p: hunter2\n b: ["] {
            let why = read(text).expect_err(text);
            assert!(why.contains("line") && !why.contains("hunter2") && !why.contains("Policy"), "{why}");
            assert!(!why.contains('\n') && !why.starts_with("error"), "{why}");
        }
    }
}
