//! Hosts: what they are called, and how they are reached.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::base::environment::EnvName;
use crate::base::fault::{FaultKind, UserFacingError};
use crate::base::name::{InvalidName, is_name};

/// What an operator calls a host; also its `HostKeyAlias`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HostName(String);

impl HostName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for HostName {
    type Err = InvalidName;

    fn from_str(given: &str) -> Result<Self, InvalidName> {
        if is_name(given) {
            Ok(Self(given.to_owned()))
        } else {
            Err(InvalidName { given: given.to_owned(), what: "a host" })
        }
    }
}

impl TryFrom<String> for HostName {
    type Error = InvalidName;

    fn try_from(given: String) -> Result<Self, InvalidName> {
        given.parse()
    }
}

impl From<HostName> for String {
    fn from(name: HostName) -> Self {
        name.0
    }
}

impl fmt::Display for HostName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// A text that is not the address of a host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid address `{}`: {why}", given.escape_debug())]
pub struct InvalidAddress {
    /// What was given.
    pub given: String,
    /// What is wrong.
    pub why: &'static str,
}

impl UserFacingError for InvalidAddress {
    fn kind(&self) -> FaultKind {
        FaultKind::Usage
    }

    fn advice(&self) -> Option<String> {
        Some("write HOST, USER@HOST:PORT, or [IPV6]:PORT; HOST may be a name of ~/.ssh/config".to_owned())
    }
}

/// Where a host is: `[USER@]HOST[:PORT]`. What is not given comes from `~/.ssh/config`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The login name.
    pub user: Option<String>,
    /// A name, an IP address, or a name of `~/.ssh/config`.
    pub host: String,
    /// The port.
    pub port: Option<u16>,
}

impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(given: &str) -> Result<Self, InvalidAddress> {
        let fail = |why| InvalidAddress { given: given.to_owned(), why };
        let text = given.strip_prefix("ssh://").unwrap_or(given);
        let (user, rest) = text.rsplit_once('@').map_or((None, text), |(user, rest)| (Some(user), rest));
        let (host, port) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, "")) => (host, None),
            Some((host, port)) => {
                (host, Some(port.strip_prefix(':').ok_or(fail("expected `:` and a port after `]`"))?))
            }
            // More than one colon is an IPv6 address without a port.
            None if rest.matches(':').count() == 1 => rest.split_once(':').map_or((rest, None), |(h, p)| (h, Some(p))),
            None => (rest, None),
        };
        let is_digits = |port: &str| port.bytes().all(|byte| byte.is_ascii_digit());
        let port = match port.map(|port| port.parse::<u16>().ok().filter(|number| *number > 0 && is_digits(port))) {
            Some(None) => return Err(fail("the port is not a number from 1 to 65535")),
            Some(port) => port,
            None => None,
        };
        if user.is_some_and(|user| !is_word(user, b"._-$\\")) {
            return Err(fail("the user may have letters, digits, `.`, `_` and `-`, and does not begin with `-`"));
        }
        if !is_word(host, b"._-:%") {
            return Err(fail("the host may have letters, digits, `.`, `_`, `-` and `:`, and does not begin with `-`"));
        }
        let plain = host.split_once('%').map_or(host, |(address, _zone)| address);
        if host.contains(':') && plain.parse::<Ipv6Addr>().is_err() {
            return Err(fail("the host is not an IPv6 address; one with a port has brackets: `[::1]:22`"));
        }
        Ok(Self { user: user.map(str::to_owned), host: host.to_owned(), port })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        match self.port {
            Some(port) if self.host.contains(':') => write!(f, "[{}]:{port}", self.host),
            Some(port) => write!(f, "{}:{port}", self.host),
            None => f.write_str(&self.host),
        }
    }
}

/// Letters and digits with some signs; at most 255, and no option.
fn is_word(text: &str, signs: &[u8]) -> bool {
    (1..=255).contains(&text.len())
        && !text.starts_with('-')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || signs.contains(&byte))
}

/// A host of an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Its name.
    pub name: HostName,
    /// Where it is.
    pub address: Address,
    /// The environment that it belongs to.
    pub env: EnvName,
    /// What the lines of its keys say there.
    pub rules: HostRules,
}

/// What the lines of keys in `authorized_keys` of a host are limited by.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HostRules {
    /// Addresses that may use a key: `from=`.
    pub from: Option<FromPatterns>,
    /// How many days after it was made a key is no longer let in: `expiry-time=`.
    pub expires_days: Option<u16>,
    /// The program that keys of staging and prod are bound to, by its path on the host.
    pub agent: Option<RemotePath>,
}

/// Patterns of `from=`, which are written between quotes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FromPatterns(String);

/// A path on a host, of which no shell reads anything but a word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RemotePath(String);

impl TryFrom<String> for FromPatterns {
    type Error = String;

    fn try_from(given: String) -> Result<Self, String> {
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || ".:*?,!/-_".contains(c);
        if (1..=1024).contains(&given.len()) && given.chars().all(is_allowed) {
            Ok(Self(given))
        } else {
            Err("expected addresses or patterns, with commas between them".to_owned())
        }
    }
}

impl TryFrom<String> for RemotePath {
    type Error = String;

    fn try_from(given: String) -> Result<Self, String> {
        let is_allowed = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
        if given.starts_with('/') && given.len() <= 1024 && given.chars().all(is_allowed) {
            Ok(Self(given))
        } else {
            Err(format!("`{}` has other characters than letters, digits, `/`, `.`, `_` and `-`", given.escape_debug()))
        }
    }
}

impl FromStr for FromPatterns {
    type Err = String;

    fn from_str(given: &str) -> Result<Self, String> {
        given.to_owned().try_into()
    }
}

impl From<FromPatterns> for String {
    fn from(patterns: FromPatterns) -> Self {
        patterns.0
    }
}

impl From<RemotePath> for String {
    fn from(path: RemotePath) -> Self {
        path.0
    }
}

impl fmt::Display for FromPatterns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Display for RemotePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_and_shown_in_one_way() {
        for (given, user, host, port) in [
            ("web", None, "web", None),
            ("root@10.0.0.5:2222", Some("root"), "10.0.0.5", Some(2222)),
            ("2001:db8::1", None, "2001:db8::1", None),
            ("ann@[2001:db8::1]:22", Some("ann"), "2001:db8::1", Some(22)),
            ("fe80::1%eth0", None, "fe80::1%eth0", None),
        ] {
            let address: Address = given.parse().expect("an address");
            let seen = (address.user.as_deref(), address.host.as_str(), address.port);
            assert_eq!(seen, (user, host, port), "{given}");
            assert_eq!(address.to_string(), given);
        }
        assert_eq!("ssh://ann@web:22".parse::<Address>().expect("an address").to_string(), "ann@web:22");
    }

    #[test]
    fn what_ssh_or_a_shell_could_misread_is_refused() {
        for given in [
            "",
            "-oProxyCommand=reboot",
            "root@-x",
            "-l@web",
            "a b",
            "a\nb",
            "a\u{1b}[2J",
            "web:",
            "web:0",
            "web:99999",
            "web:22x",
            "[::1]22",
            "[::1",
            "a;b",
            "$(id)",
            "@web",
            "root@",
            "käse",
        ] {
            assert!(given.parse::<Address>().is_err(), "{given:?}");
        }
    }
}
