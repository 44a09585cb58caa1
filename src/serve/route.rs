//! What a request asks for, by its path and query.

use std::collections::BTreeMap;

use super::access::Secrecy;

/// What can be asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum HttpRoute {
    /// How the machine is: every enabled service.
    Health,
    /// That this server runs.
    Live,
    /// Whether everything has been started and is well.
    Ready,
    /// How one service or process is.
    HealthOf(String),
    /// Measurements, for Prometheus.
    Metrics,
    /// All processes.
    Processes,
    /// All about one process.
    Process(String),
    /// What one process said.
    Logs(String),
    /// What happens to processes, as it happens.
    Events,
    /// What can be asked for, for programs.
    Description,
    /// The page for people.
    Page,
    /// Its style.
    Style,
    /// What it does.
    Script,
}

/// The longest path with its query, in bytes.
const MAX_TARGET: usize = 2048;

impl HttpRoute {
    /// Reads a path; none if it does not exist.
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
            ["metrics"] => Self::Metrics,
            ["api", "processes"] => Self::Processes,
            ["api", "processes", name] if !name.is_empty() => Self::Process(name.to_owned()),
            ["api", "logs", name] if !name.is_empty() => Self::Logs(name.to_owned()),
            ["api", "events"] => Self::Events,
            [""] => Self::Page,
            ["style.css"] => Self::Style,
            ["app.js"] => Self::Script,
            ["api", "openapi.json"] => Self::Description,
            ["health", name] if !name.is_empty() => Self::HealthOf(name.to_owned()),
            _ => return None,
        })
    }

    /// Whether it needs the token.
    pub(super) fn secrecy(&self) -> Secrecy {
        match self {
            Self::Live | Self::Description | Self::Page | Self::Style | Self::Script => Secrecy::Open,
            Self::Health | Self::Ready | Self::HealthOf(_) | Self::Metrics => Secrecy::Protected,
            Self::Processes | Self::Process(_) | Self::Logs(_) | Self::Events => Secrecy::Protected,
        }
    }
}

/// The parts of a query by name; of a name that is there twice the last one. None if it is malformed.
pub(super) fn parse_query(query: &str) -> Option<BTreeMap<String, String>> {
    let parts = query.split('&').filter(|part| !part.is_empty());
    let pair = |part: &str| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        Some((decode(&name.replace('+', " "))?, decode(&value.replace('+', " "))?))
    };
    parts.map(pair).collect()
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
            ("/health", Some(HttpRoute::Health)),
            ("/health/live", Some(HttpRoute::Live)),
            ("/health/ready", Some(HttpRoute::Ready)),
            ("/health/web-3000", Some(HttpRoute::HealthOf("web-3000".to_owned()))),
            ("/health/%77eb", Some(HttpRoute::HealthOf("web".to_owned()))),
            ("/health/", None),
            ("/health/a/b", None),
            ("/health/%zz", None),
            ("/health/%ff", None),
            ("//health", None),
            ("/../etc/passwd", None),
            ("health", None),
            ("*", None),
        ] {
            assert_eq!(HttpRoute::parse(path), expected, "{path}");
        }
        assert_eq!(HttpRoute::parse(&format!("/health/{}", "x".repeat(MAX_TARGET))), None);
    }

    #[test]
    fn a_query_is_read_as_browsers_write_it() {
        let query = parse_query("lines=5&grep=a+b%26c&follow&lines=6").expect("a query");
        let pairs: Vec<(&str, &str)> = query.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        assert_eq!(pairs, [("follow", ""), ("grep", "a b&c"), ("lines", "6")]);
        assert_eq!(parse_query("").map(|query| query.len()), Some(0));
        for query in ["a=%", "a=%4", "a=%+1", "%f0=1"] {
            assert_eq!(parse_query(query), None, "{query}");
        }
    }
}
