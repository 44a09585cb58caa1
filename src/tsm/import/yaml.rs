//! YAML as the readers of these files read it: `yes` and `on` are words, `0755` is octal. A number with a fraction or an exponent
//! stays as it is written: it is a version more often than an amount, and `1.10` is not `1.1` then.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use serde_saphyr::Spanned;

/// The value of a text, or what is wrong with it.
pub(super) fn read(text: &str) -> Result<Value, String> {
    Ok(merged(parse(text, false)?, &parse(text, true)?, text))
}

fn parse<'a, T: Deserialize<'a>>(text: &'a str, strict: bool) -> Result<T, String> {
    let options = serde_saphyr::options! { strict_booleans: strict, legacy_octal_numbers: true };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| message(&error))
}

/// What is wrong and where, without the lines around it: secrets may be in them.
fn message(error: &serde_saphyr::Error) -> String {
    error.without_snippet().render_with_formatter(&serde_saphyr::UserMessageFormatter)
}

/// `True` is a boolean to all of them; the other words are only to those of YAML 1.1.
fn merged(value: Value, place: &Spanned<Place>, text: &str) -> Value {
    match (value, &place.value) {
        (Value::Bool(_), Place::Word(word)) if !["true", "false"].iter().any(|it| word.eq_ignore_ascii_case(it)) => {
            Value::String(word.clone())
        }
        (Value::Array(items), Place::List(places)) => {
            Value::Array(items.into_iter().zip(places).map(|(item, place)| merged(item, place, text)).collect())
        }
        (Value::Object(fields), Place::Table(places)) => {
            let each = |(key, value): (String, Value)| {
                let value = match places.iter().rfind(|(name, _)| *name == key) {
                    Some((_, place)) => merged(value, place, text),
                    None => value,
                };
                (key, value)
            };
            Value::Object(fields.into_iter().map(each).collect::<Map<_, _>>())
        }
        (Value::Number(number), _) if number.is_f64() => {
            let written = written(place, text).filter(|written| written.parse::<f64>().ok() == number.as_f64());
            written.map_or(Value::Number(number), |written| Value::String(written.to_owned()))
        }
        (value, _) => value,
    }
}

/// A scalar as it is written, where it is defined.
fn written<'t>(place: &Spanned<Place>, text: &'t str) -> Option<&'t str> {
    let span = place.defined.span();
    let begin = usize::try_from(span.byte_offset()?).ok()?;
    text.get(begin..begin + usize::try_from(span.byte_len()?).ok()?).map(str::trim)
}

/// What a value is made of, each with its place in the text.
enum Place {
    Scalar,
    /// A word, which may be a boolean to YAML 1.1.
    Word(String),
    List(Vec<Spanned<Place>>),
    Table(Vec<(String, Spanned<Place>)>),
}

impl<'de> Deserialize<'de> for Place {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PlaceVisitor)
    }
}

struct PlaceVisitor;

impl<'de> Visitor<'de> for PlaceVisitor {
    type Value = Place;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<Place, E> {
        Ok(Place::Scalar)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Place, E> {
        Ok(Place::Scalar)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Place, E> {
        Ok(Place::Scalar)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Place, E> {
        Ok(Place::Scalar)
    }

    fn visit_str<E>(self, word: &str) -> Result<Place, E> {
        Ok(Place::Word(word.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<Place, E> {
        Ok(Place::Scalar)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Place, A::Error> {
        let mut places = Vec::new();
        while let Some(place) = items.next_element()? {
            places.push(place);
        }
        Ok(Place::List(places))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Place, A::Error> {
        let mut places = Vec::new();
        while let Some(field) = fields.next_entry()? {
            places.push(field);
        }
        Ok(Place::Table(places))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_whole_numbers_are_what_they_are_to_compose() {
        let text = "a: [yes, on, Off, y, true, True, FALSE, 'True', 'yes', 0755, 022, 08, 3.0, 1e3, 1.5, 0x1F, 22:22, ~, '0755']";
        let expected = serde_json::json!({"a": [
            "yes", "on", "Off", "y", true, true, false, "True", "yes", 493, 18, "08", "3.0", "1e3", "1.5", 31, "22:22", null, "0755"
        ]});
        assert_eq!(read(text).expect("YAML"), expected);
        for text in ["a: [", "p: hunter2\na: 1\na: 2\n", "p: hunter2\n b: ["] {
            let why = read(text).expect_err(text);
            assert!(why.contains("line") && !why.contains("hunter2") && !why.contains("Policy"), "{why}");
            assert!(!why.contains('\n') && !why.starts_with("error"), "{why}");
        }
    }

    #[test]
    fn what_is_not_a_whole_number_stays_as_it_is_written() {
        let text = "x: &x\n  version: 1.10\n  ä: 2.50\na: {<<: *x, big: 123456789012345678901234567890, also: 1.10}\nb: [1.20, '1.30', *x]\n";
        let anchored = serde_json::json!({"version": "1.10", "ä": "2.50"});
        let expected = serde_json::json!({
            "x": anchored,
            "a": {"version": "1.10", "ä": "2.50", "big": "123456789012345678901234567890", "also": "1.10"},
            "b": ["1.20", "1.30", anchored],
        });
        assert_eq!(read(text).expect("YAML"), expected);
    }
}
