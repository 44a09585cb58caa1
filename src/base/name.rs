//! Names, checked where they come in and trusted from there on.

use std::borrow::Borrow;
use std::fmt;
use std::str::FromStr;

use super::fault::{FaultKind, UserFacingError};

/// Longest name, in bytes. Leaves room for `-65535` and a file suffix within 255.
pub const MAX_NAME_LENGTH: usize = 64;

/// A text that cannot be a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` cannot be the name of {what}", given.escape_debug())]
pub struct InvalidName {
    /// What was given.
    pub given: String,
    /// What it should have named.
    pub what: &'static str,
}

impl UserFacingError for InvalidName {
    fn kind(&self) -> FaultKind {
        FaultKind::Usage
    }

    fn advice(&self) -> Option<String> {
        if is_name(&self.given) {
            return Some("choose another one".to_owned());
        }
        Some(format!(
            "a name begins with a letter (only a-z and A-Z) or digit, goes on with these, `.`, `_` or `-`, \
             has at most {MAX_NAME_LENGTH} characters and is not only digits"
        ))
    }
}

/// True for `[A-Za-z0-9][A-Za-z0-9._-]{0,63}` that is not all digits.
#[must_use]
pub fn is_name(text: &str) -> bool {
    text.len() <= MAX_NAME_LENGTH
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
        && text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric())
        && !text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The nearest legal name: other characters become `-`, what cannot stand at the ends is cut, `or` if nothing is left.
#[must_use]
pub fn sanitize(text: &str, or: &str) -> String {
    let mut name = String::new();
    for character in text.chars() {
        if character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '-') {
            name.push(character);
        } else if !name.ends_with('-') {
            name.push('-');
        }
    }
    let mut name = name.trim_start_matches(['.', '_', '-']).to_owned();
    name.truncate(MAX_NAME_LENGTH);
    let name = name.trim_end_matches('-');
    match name {
        "" => or.to_owned(),
        digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
            let mut named = format!("{or}-{digits}");
            named.truncate(MAX_NAME_LENGTH);
            named
        }
        name => name.to_owned(),
    }
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident is $what:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidName;

            fn from_str(given: &str) -> Result<Self, InvalidName> {
                if is_name(given) {
                    Ok(Self(given.to_owned()))
                } else {
                    Err(InvalidName { given: given.to_owned(), what: $what })
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }
    )*};
}

names! {
    /// An organization: a directory under `org/`.
    OrgName is "an organization";
    /// A managed process: a directory under `tsm/runtime/processes/`.
    ProcessName is "a process";
    /// A service definition: a file `NAME.tsm`.
    ServiceName is "a service";
    /// A name for a line of commands.
    AliasName is "an alias";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_names_that_leave_the_directory() {
        for given in ["", ".", "..", "a/b", "a b", "-a", ".a", "123", "ä", "a\n", &"a".repeat(65)] {
            assert!(given.parse::<ProcessName>().is_err(), "{given:?}");
        }
    }

    #[test]
    fn says_which_letters_are_taken() {
        let refused = "ünï-日本".parse::<ServiceName>().expect_err("refused");
        assert!(refused.advice().expect("advice").contains("a letter (only a-z and A-Z)"), "{refused:?}");
    }

    #[test]
    fn takes_ordinary_names() {
        for given in ["api", "my-api-http-8000", "a.b_c", "3d", "0-1", &"a".repeat(64)] {
            assert!(given.parse::<ProcessName>().is_ok(), "{given:?}");
        }
    }

    #[test]
    fn makes_any_text_a_legal_name() {
        for (given, name) in [
            ("My Api", "My-Api"),
            ("@scope/pkg", "scope-pkg"),
            ("...", "process"),
            ("8000", "process-8000"),
            ("a//b", "a-b"),
            ("", "process"),
        ] {
            assert_eq!(sanitize(given, "process"), name);
            assert!(is_name(name));
        }
    }
}
