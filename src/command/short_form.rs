//! Which commands of the prompt need no group in front. Scripts and `-c` are strict: there a line means the same today and after the
//! next version.

use super::registry::{self, CommandMatch};

/// The group whose commands may be typed without it.
pub const GROUP: &str = "tsm";

/// True if `tsm` is understood before these words: no command or group has the first as its name, and `tsm` has a command of it.
#[must_use]
pub fn is_short<S: AsRef<str>>(words: &[S]) -> bool {
    let Some(first) = words.first().map(AsRef::as_ref) else { return false };
    matches!(registry::resolve(&[first]), CommandMatch::Nothing)
        && matches!(registry::resolve(words), CommandMatch::Nothing)
        && !matches!(registry::resolve(&[GROUP, first]), CommandMatch::Nothing | CommandMatch::Group(_, 1))
}
