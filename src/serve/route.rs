//! What a request asks for, by its path and query.

use super::access::Secrecy;

/// What can be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    /// How the machine is: every enabled service.
    Health,
    /// That this server runs.
    Live,
    /// Whether everything has been started and is well.
    Ready,
    /// How one service or process is.
    HealthOf(String),
}

/// The longest path with its query, in bytes.
const MAX_TARGET: usize = 2048;

impl Route {
    /// Reads a path; none if there is nothing there.
    pub(super) fn parse(path: &str) -> Option<Self> {
        if path.len() > MAX_TARGET {
            return None;
        }
        let parts: Vec<String> = path.strip_prefix('/')?.split('/').map(decode).collect::<Option<_>>()?;
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        Some(match parts[..] {
            ["health"] => Self::Health,
            ["health", "live"] => Self::Live,
            ["health", "ready"] => Self::Ready,
            ["health", name] if !name.is_empty() => Self::HealthOf(name.to_owned()),
            _ => return None,
        })
    }

    /// Whether it needs the token.
    pub(super) fn secrecy(&self) -> Secrecy {
        match self {
            Self::Live => Secrecy::Open,
            Self::Health | Self::Ready | Self::HealthOf(_) => Secrecy::Protected,
        }
    }
}

/// Resolves `%41`; none if that is malformed or no text.
fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        if *first == b'%' {
            let digits =
                std::str::from_utf8(rest.get(..2)?).ok().filter(|it| it.bytes().all(|b| b.is_ascii_hexdigit()))?;
            bytes.push(u8::from_str_radix(digits, 16).ok()?);
            rest = &rest[2..];
        } else {
            bytes.push(*first);
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_leads_to_one_thing_or_nothing() {
        for (path, expected) in [
            ("/health", Some(Route::Health)),
            ("/health/live", Some(Route::Live)),
            ("/health/ready", Some(Route::Ready)),
            ("/health/web-3000", Some(Route::HealthOf("web-3000".to_owned()))),
            ("/health/%77eb", Some(Route::HealthOf("web".to_owned()))),
            ("/health/", None),
            ("/health/a/b", None),
            ("/health/%zz", None),
            ("/health/%ff", None),
            ("//health", None),
            ("/../etc/passwd", None),
            ("health", None),
            ("*", None),
        ] {
            assert_eq!(Route::parse(path), expected, "{path}");
        }
        assert_eq!(Route::parse(&format!("/health/{}", "x".repeat(MAX_TARGET))), None);
    }
}
