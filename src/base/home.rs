//! `~` at the beginning of a path: the home directory of the operator.

/// What follows the tilde of a home directory: nothing, or a path from its slash on. `~user` is none.
#[must_use]
pub fn below(text: &str) -> Option<&str> {
    text.strip_prefix('~').filter(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A path whose `~` is the home directory, if that is known.
#[must_use]
pub fn expand(text: &str, home: Option<&str>) -> String {
    below(text).zip(home).map_or_else(|| text.to_owned(), |(rest, home)| format!("{home}{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_tilde_is_the_home_directory() {
        for (text, expected) in
            [("~", "/h"), ("~/", "/h/"), ("~/a~", "/h/a~"), ("~u/a", "~u/a"), ("a/~", "a/~"), ("", ""), ("~~", "~~")]
        {
            assert_eq!(expand(text, Some("/h")), expected);
            assert_eq!(expand(text, None), text);
        }
    }
}
