//! What is said of a value that was refused: which, where, and what is expected instead.

use std::error::Error;
use std::num::{IntErrorKind, ParseIntError};
use std::str::FromStr;

/// Why a value will not do, in a place if that is not said beside it. Our own parsers name the value; those of numbers leave that to
/// us.
#[must_use]
pub fn explain(value: &str, place: Option<&str>, why: Option<&(dyn Error + 'static)>) -> String {
    let invalid = place.map_or(format!("invalid value `{value}`"), |it| format!("invalid value `{value}` for {it}"));
    let Some(why) = why else { return invalid };
    let said = why.to_string();
    match why.downcast_ref::<ParseIntError>().map(ParseIntError::kind) {
        Some(IntErrorKind::PosOverflow) => format!("{invalid}: too large"),
        Some(IntErrorKind::NegOverflow) => format!("{invalid}: too small"),
        Some(_) => format!("{invalid}: expected a number"),
        None => match said.strip_prefix(&format!("{value} is not in ")) {
            Some(limits) => format!("{invalid}: expected {}", range(limits)),
            // Letters of the value may be in any sentence.
            None if said.contains(&format!("`{value}`")) => said,
            None => format!("{invalid}: {said}"),
        },
    }
}

/// Reads a value.
///
/// # Errors
///
/// Fails with what is said of it.
pub fn parse<T>(value: &str) -> Result<T, String>
where
    T: FromStr,
    T::Err: Error + 'static,
{
    value.parse().map_err(|error: T::Err| explain(value, None, Some(&error)))
}

/// `1..=256` as `1 to 256`, `1..` as `1 or more`.
fn range(of: &str) -> String {
    match of.split_once("..") {
        Some((from, "")) => format!("{from} or more"),
        Some((from, to)) => format!("{from} to {}", to.trim_start_matches('=')),
        None => of.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::size::Size;

    #[derive(Debug, thiserror::Error)]
    #[error("expected a number from 1 to 256")]
    struct NotNamed;

    #[test]
    fn the_value_is_named_once() {
        for value in ["x", "e", "a number", "1", "-3"] {
            let said = explain(value, Some("<N>"), Some(&NotNamed));
            assert_eq!(said, format!("invalid value `{value}` for <N>: expected a number from 1 to 256"));
        }
        let said = parse::<Size>("200").expect_err("no unit");
        assert_eq!(said, "missing unit in size `200`: write 200M, or 200B for bytes");
        assert_eq!(parse::<u16>("99999").expect_err("large"), "invalid value `99999`: too large");
        assert_eq!(parse::<u16>("x").expect_err("none"), "invalid value `x`: expected a number");
        assert_eq!(explain("x", None, None), "invalid value `x`");
    }
}
