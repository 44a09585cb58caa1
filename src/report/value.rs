//! Typed values of reports: formatted by the renderer, unchanged in JSON.

use std::time::Duration;

use crate::base::time::Timestamp;

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// No value: `-` in text, `null` in JSON.
    Null,
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// A text.
    Text(String),
    /// A point in time: local time in text, RFC 3339 in UTC in JSON.
    Time(Timestamp),
    /// A duration: `2h 5m` in text, seconds in JSON.
    Duration(Duration),
    /// A size: `1.5 MiB` in text, bytes in JSON.
    Bytes(u64),
    /// Several values.
    List(Vec<Value>),
    /// Named values.
    Record(Vec<(String, Value)>),
}

/// The meaning of a value; the renderer chooses the color.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Tone {
    /// Nothing special.
    #[default]
    Plain,
    /// As it should be.
    Good,
    /// Worth a look.
    Warn,
    /// Wrong.
    Bad,
    /// Less important than the rest.
    Dim,
    /// More important than the rest.
    Strong,
}

/// A value, its tone, and its text if it differs from the usual one.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// The data.
    pub value: Value,
    /// What it means.
    pub tone: Tone,
    /// The text, if not the usual one.
    pub text: Option<String>,
}

impl Cell {
    /// The same with a tone.
    #[must_use]
    pub fn tone(mut self, tone: Tone) -> Self {
        self.tone = tone;
        self
    }

    /// The same with a text.
    #[must_use]
    pub fn text(mut self, text: impl Into<String>) -> Self {
        self.text = Some(text.into());
        self
    }
}

impl<V: Into<Value>> From<V> for Cell {
    fn from(value: V) -> Self {
        Self { value: value.into(), tone: Tone::Plain, text: None }
    }
}

macro_rules! values {
    ($($from:ty => |$it:ident| $make:expr;)*) => {$(
        impl From<$from> for Value {
            fn from($it: $from) -> Self {
                $make
            }
        }
    )*};
}

values! {
    bool => |it| Value::Bool(it);
    i64 => |it| Value::Int(it);
    i32 => |it| Value::Int(it.into());
    u32 => |it| Value::Int(it.into());
    u16 => |it| Value::Int(it.into());
    u8 => |it| Value::Int(it.into());
    u64 => |it| Value::Int(i64::try_from(it).unwrap_or(i64::MAX));
    usize => |it| Value::Int(i64::try_from(it).unwrap_or(i64::MAX));
    f64 => |it| Value::Float(it);
    String => |it| Value::Text(it);
    &str => |it| Value::Text(it.to_owned());
    &String => |it| Value::Text(it.clone());
    Timestamp => |it| Value::Time(it);
    Duration => |it| Value::Duration(it);
    Vec<Value> => |it| Value::List(it);
    Vec<String> => |it| Value::List(it.into_iter().map(Value::Text).collect());
}

impl<V: Into<Value>> From<Option<V>> for Value {
    fn from(it: Option<V>) -> Self {
        it.map_or(Self::Null, Into::into)
    }
}

/// Converts to jiff's type; none outside its range (year 9999).
#[must_use]
pub fn to_jiff_timestamp(time: Timestamp) -> Option<jiff::Timestamp> {
    jiff::Timestamp::from_millisecond(i64::try_from(time.0).ok()?).ok()
}
