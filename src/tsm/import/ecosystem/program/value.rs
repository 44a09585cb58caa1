//! Values of a program.

use std::cell::RefCell;
use std::rc::Rc;

use serde_json::{Map, Number, Value as Json};

use super::syntax::{Function, Unread};

pub(super) type Evaluated = Result<JsValue, Unread>;

/// Names and what is bound to them, within those of what is around them.
#[derive(Debug, Clone, Default)]
pub(super) struct JsScope(Rc<ScopeNames>);

#[derive(Debug, Default)]
struct ScopeNames {
    names: RefCell<Vec<(String, Evaluated)>>,
    around: Option<JsScope>,
}

impl JsScope {
    pub(super) fn within(&self) -> Self {
        Self(Rc::new(ScopeNames { names: RefCell::default(), around: Some(self.clone()) }))
    }

    pub(super) fn bind(&self, name: String, value: Evaluated) {
        self.0.names.borrow_mut().push((name, value));
    }

    pub(super) fn get(&self, name: &str) -> Option<Evaluated> {
        let own = self.0.names.borrow().iter().rfind(|(bound, _)| bound == name).map(|(_, value)| value.clone());
        own.or_else(|| self.0.around.as_ref()?.get(name))
    }
}

/// A value.
#[derive(Debug, Clone)]
pub(super) enum JsValue {
    Undefined,
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<JsValue>),
    Object(Vec<(String, JsValue)>),
    /// What a program calls so wherever it runs: `path.join`, `process.env`, `require`.
    Known(String),
    Function(Rc<Function>, JsScope),
}

impl JsValue {
    /// Its member; none where it has none that is known.
    pub(super) fn member(&self, key: &str) -> Option<Self> {
        match self {
            Self::Object(pairs) => {
                Some(pairs.iter().rfind(|(name, _)| name == key).map_or(Self::Undefined, |(_, value)| value.clone()))
            }
            Self::List(items) if key == "length" => Some(Self::Number(items.len() as f64)),
            Self::List(items) => Some(items.get(key.parse::<usize>().ok()?).cloned().unwrap_or(Self::Undefined)),
            Self::Text(text) if key == "length" => Some(Self::Number(text.chars().count() as f64)),
            _ => None,
        }
    }

    /// Puts a pair into an object, in the place of an older one.
    pub(super) fn insert(pairs: &mut Vec<(String, Self)>, key: String, value: Self) {
        match pairs.iter_mut().find(|(name, _)| *name == key) {
            Some((_, old)) => *old = value,
            None => pairs.push((key, value)),
        }
    }

    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Undefined | Self::Null => false,
            Self::Bool(yes) => *yes,
            Self::Number(number) => *number != 0.0 && !number.is_nan(),
            Self::Text(text) => !text.is_empty(),
            Self::List(_) | Self::Object(_) | Self::Known(_) | Self::Function(..) => true,
        }
    }

    pub(super) fn is_nothing(&self) -> bool {
        matches!(self, Self::Undefined | Self::Null)
    }

    /// As a text; none for what has no text of its own.
    pub(super) fn text(&self) -> Option<String> {
        match self {
            Self::Undefined => Some("undefined".to_owned()),
            Self::Null => Some("null".to_owned()),
            Self::Bool(yes) => Some(yes.to_string()),
            Self::Number(number) => Some(number_text(*number)),
            Self::Text(text) => Some(text.clone()),
            Self::List(_) | Self::Object(_) | Self::Known(_) | Self::Function(..) => None,
        }
    }

    /// As a number, which may be none that counts.
    pub(super) fn number(&self) -> f64 {
        match self {
            Self::Number(number) => *number,
            Self::Bool(yes) => f64::from(u8::from(*yes)),
            Self::Text(text) if text.trim().is_empty() => 0.0,
            Self::Text(text) => text.trim().parse().unwrap_or(f64::NAN),
            Self::Null => 0.0,
            _ => f64::NAN,
        }
    }

    /// True for the same value; `strict` where `1` and `'1'` are two.
    pub(super) fn equals(&self, other: &Self, strict: bool) -> Option<bool> {
        match (self, other) {
            (Self::Text(one), Self::Text(other)) => Some(one == other),
            (Self::Number(one), Self::Number(other)) => Some(one == other),
            (Self::Bool(one), Self::Bool(other)) => Some(one == other),
            (one, other) if one.is_nothing() && other.is_nothing() => {
                Some(!strict || std::mem::discriminant(one) == std::mem::discriminant(other))
            }
            (one, other) if one.text().is_some() && other.text().is_some() => {
                Some(!strict && !one.is_nothing() && !other.is_nothing() && one.number() == other.number())
            }
            _ => None,
        }
    }

    /// As JSON writes it: what it has no word for is left out. Fails with the name of what is known and is not a value.
    pub(super) fn json(&self) -> Result<Option<Json>, String> {
        Ok(Some(match self {
            Self::Undefined | Self::Function(..) => return Ok(None),
            Self::Null => Json::Null,
            Self::Bool(yes) => Json::Bool(*yes),
            Self::Number(number) if number.is_nan() => return Err("NaN".to_owned()),
            Self::Number(number) => json_number(*number),
            Self::Text(text) => Json::String(text.clone()),
            Self::List(items) => Json::Array(
                items.iter().map(|item| Ok(item.json()?.unwrap_or(Json::Null))).collect::<Result<_, String>>()?,
            ),
            Self::Object(pairs) => {
                let mut map = Map::new();
                for (key, value) in pairs {
                    if let Some(value) = value.json()? {
                        map.insert(key.clone(), value);
                    }
                }
                Json::Object(map)
            }
            Self::Known(name) => return Err(name.clone()),
        }))
    }

    /// What JSON says.
    pub(super) fn of_json(json: &Json) -> Self {
        match json {
            Json::Null => Self::Null,
            Json::Bool(yes) => Self::Bool(*yes),
            Json::Number(number) => Self::Number(number.as_f64().unwrap_or(f64::NAN)),
            Json::String(text) => Self::Text(text.clone()),
            Json::Array(items) => Self::List(items.iter().map(Self::of_json).collect()),
            Json::Object(map) => {
                Self::Object(map.iter().map(|(key, value)| (key.clone(), Self::of_json(value))).collect())
            }
        }
    }
}

/// The most that a number holds without loss.
const MAX_WHOLE: f64 = 9_007_199_254_740_991.0;

fn json_number(number: f64) -> Json {
    #[expect(clippy::cast_possible_truncation, reason = "it is whole and within the limits")]
    if number.fract() == 0.0 && number.abs() <= MAX_WHOLE {
        return Json::from(number as i64);
    }
    Number::from_f64(number).map_or(Json::Null, Json::Number)
}

/// A number as a program writes it.
pub(super) fn number_text(number: f64) -> String {
    match json_number(number) {
        Json::Null => "NaN".to_owned(),
        number => number.to_string(),
    }
}
