//! Values of the published format as its writers wrote them: numbers as strings, a word where there is no port.

use serde::{Deserialize, Deserializer, Serializer};

/// A port as the published format writes it.
pub(super) fn serialize_port<S: Serializer>(port: &Option<u16>, to: S) -> Result<S::Ok, S::Error> {
    match port {
        Some(port) => to.serialize_u16(*port),
        None => to.serialize_str("none"),
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Tolerant {
    Number(u64),
    Float(f64),
    Text(String),
}

/// A port, also one that is written as a string; what is none is none.
pub(super) fn deserialize_port<'de, D: Deserializer<'de>>(from: D) -> Result<Option<u16>, D::Error> {
    Ok(match Tolerant::deserialize(from)? {
        Tolerant::Number(port) => u16::try_from(port).ok(),
        Tolerant::Float(_) => None,
        Tolerant::Text(text) => text.parse().ok(),
    })
}

/// A number, also when an older writer made a string or a float of it.
pub(super) fn deserialize_number<'de, D: Deserializer<'de>, N: TryFrom<u64>>(from: D) -> Result<N, D::Error> {
    let value = match Tolerant::deserialize(from)? {
        Tolerant::Number(value) => value,
        Tolerant::Float(value) if value >= 0.0 => value as u64,
        Tolerant::Float(_) => return Err(serde::de::Error::custom("negative number")),
        Tolerant::Text(text) => text.trim().parse().map_err(serde::de::Error::custom)?,
    };
    N::try_from(value).map_err(|_| serde::de::Error::custom("number out of range"))
}
