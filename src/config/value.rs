//! Values of TOML: when two say the same, and how one is written.

use toml::Value;

/// True if both say the same. What is not a number is the same as itself, and zero has a sign.
#[must_use]
pub fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Float(one), Value::Float(other)) => one.is_nan() && other.is_nan() || one.to_bits() == other.to_bits(),
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Value::Table(one), Value::Table(other)) => {
            let there = |(key, value): (&String, &Value)| other.get(key).is_some_and(|it| same(value, it));
            one.len() == other.len() && one.iter().all(there)
        }
        _ => one == other,
    }
}

/// The same for what may not be there.
#[must_use]
pub fn both_same(one: Option<&Value>, other: Option<&Value>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => same(one, other),
        (None, None) => true,
        _ => false,
    }
}

/// A value as it was written, without the blanks and comments around and inside of it: `0x1F`, `1.10` and `1_000` stay so.
#[must_use]
pub fn spelled(text: &str) -> Option<String> {
    let mut value: toml_edit::Value = text.trim().parse().ok()?;
    bare(&mut value);
    Some(value.to_string())
}

fn bare(value: &mut toml_edit::Value) {
    match value {
        toml_edit::Value::Array(items) => {
            items.iter_mut().for_each(bare);
            items.fmt();
        }
        toml_edit::Value::InlineTable(table) => {
            table.iter_mut().for_each(|(_, value)| bare(value));
            table.fmt();
        }
        _ => {}
    }
    value.decor_mut().clear();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_a_number_is_itself() {
        let nan = || Value::Array(vec![Value::Float(f64::NAN)]);
        assert!(same(&nan(), &nan()) && !same(&Value::Float(0.0), &Value::Float(-0.0)));
        assert!(!same(&Value::Integer(1), &Value::Float(1.0)));
        assert!(both_same(None, None) && !both_same(None, Some(&nan())));
    }

    #[test]
    fn a_value_keeps_its_spelling_and_loses_its_looks() {
        for (text, expected) in [
            (" 1.10 ", "1.10"),
            ("0x1F", "0x1F"),
            ("'a\\b'", "'a\\b'"),
            ("[ # one\n  1_000,\n  { a = +1 ,b.c=2 } # two\n]", "[1_000, { a = +1, b.c = 2 }]"),
            ("1979-05-27 07:32:00Z", "1979-05-27 07:32:00Z"),
        ] {
            assert_eq!(spelled(text).as_deref(), Some(expected), "{text}");
        }
        assert_eq!(spelled("1 # x"), None);
        assert_eq!(spelled("hello"), None);
    }
}
