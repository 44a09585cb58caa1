//! Sizes as people write them.

use std::fmt;
use std::str::FromStr;

/// A number of bytes, at least one: `1048576B`, `512K`, `10M`, `10MiB`, `1.5G`. Powers of 1024. A bare number is refused, since one
/// means bytes by it and another megabytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Size(pub u64);

/// An invalid size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSize {
    /// It is invalid.
    #[error("invalid size `{0}`: expected a number with a unit, such as 512K, 10M or 1G")]
    Syntax(String),
    /// A bare number.
    #[error("missing unit in size `{0}`: write {0}M, or {0}B for bytes")]
    NoUnit(String),
}

impl FromStr for Size {
    type Err = InvalidSize;

    fn from_str(given: &str) -> Result<Self, InvalidSize> {
        match parse(given) {
            Some(_) if given.bytes().all(|byte| byte.is_ascii_digit()) => Err(InvalidSize::NoUnit(given.to_owned())),
            Some(bytes) => Ok(Self(bytes)),
            None => Err(InvalidSize::Syntax(given.to_owned())),
        }
    }
}

fn parse(given: &str) -> Option<u64> {
    let end = given.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(given.len());
    let number: f64 = given[..end].parse().ok()?;
    let unit = given[end..].trim().to_ascii_uppercase();
    let unit = unit.strip_suffix("IB").or_else(|| unit.strip_suffix('B')).unwrap_or(&unit);
    let factor: u64 = match unit {
        "" => 1,
        "K" => 1 << 10,
        "M" => 1 << 20,
        "G" => 1 << 30,
        "T" => 1 << 40,
        _ => return None,
    };
    let bytes = number * factor as f64;
    // Beyond this a float no longer counts single bytes, and no log grows so large.
    (bytes.fract() == 0.0 || factor > 1)
        .then_some(bytes)
        .filter(|it| (1.0..=2f64.powi(53)).contains(it))
        .map(|it| it as u64)
}

/// Writes a size with the largest unit that leaves a whole number.
impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(40, "T"), (30, "G"), (20, "M"), (10, "K")];
        match units.iter().find(|(shift, _)| self.0 > 0 && self.0.is_multiple_of(1 << shift)) {
            Some((shift, unit)) => write!(f, "{}{unit}", self.0 >> shift),
            None => write!(f, "{}B", self.0),
        }
    }
}

/// A size as people read it, with one digit behind the point: `512 B`, `1.5 MiB`.
#[must_use]
pub fn human_readable(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let power = bytes.ilog2() / 10;
    let tenths = (u128::from(bytes) * 10) >> (10 * power);
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[power as usize - 1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_sizes_as_people_write_them() {
        for (given, bytes) in [
            ("1B", 1),
            ("1048576B", 1_048_576),
            ("512K", 524_288),
            ("10M", 10_485_760),
            ("10MiB", 10_485_760),
            ("10mb", 10_485_760),
            ("1.5k", 1536),
            ("100G", 107_374_182_400),
        ] {
            assert_eq!(given.parse(), Ok(Size(bytes)), "{given}");
        }
        for given in ["1", "200", "1024", "1048576"] {
            assert_eq!(given.parse::<Size>(), Err(InvalidSize::NoUnit(given.to_owned())));
        }
        for given in ["", "0", "M", "-1", "1.5", "10 apples", "1e9", "99999999T", "K10"] {
            assert!(given.parse::<Size>().is_err(), "{given}");
        }
    }

    #[test]
    fn writes_them_back() {
        for (bytes, text) in [(1, "1B"), (10_485_760, "10M"), (1536, "1536B"), (2048, "2K")] {
            assert_eq!(Size(bytes).to_string(), text);
        }
    }
}
