//! Values with a meaning: the renderer decides how they look, JSON takes them as they are.

use std::time::Duration;

use crate::base::time::Timestamp;

/// One piece of data.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing: `-` for people, `null` in JSON.
    Null,
    /// Yes or no.
    Bool(bool),
    /// A whole number.
    Int(i64),
    /// A number.
    Float(f64),
    /// A text.
    Text(String),
    /// A point in time: local time for people, RFC 3339 UTC in JSON.
    Time(Timestamp),
    /// A span: `2h 5m` for people, seconds in JSON.
    Duration(Duration),
    /// A size: `1.5 MiB` for people, bytes in JSON.
    Bytes(u64),
    /// Several values.
    List(Vec<Value>),
    /// Named values.
    Record(Vec<(String, Value)>),
}

/// What a value means to the operator; the renderer chooses the colour.
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

/// A value, its tone, and its text where the usual one of the value would not do.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// The data.
    pub value: Value,
    /// What it means.
    pub tone: Tone,
    /// How people see it, if not in the usual way.
    pub text: Option<String>,
}

impl Cell {
    /// The same with a tone.
    #[must_use]
    pub fn tone(mut self, tone: Tone) -> Self {
        self.tone = tone;
        self
    }

    /// The same with a text for people.
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
