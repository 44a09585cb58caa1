//! Environments and how careful to be in them.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use super::name::{InvalidName, OrgName, is_name};

/// An environment: local, dev, staging, prod, or one of the operator's own.
///
/// `@` in front is accepted and dropped; `production`, `stage` and `development` are read as their short names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EnvName(String);

/// How careful to be. Ordered: a later one is stricter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// The operator's own machine.
    Local,
    /// A shared server where mistakes are cheap.
    Dev,
    /// What production will be: destroying asks.
    Staging,
    /// The real thing: every change asks.
    Prod,
}

/// The built-in environments, least strict first.
pub const BUILT_IN: [(&str, Tier); 4] =
    [("local", Tier::Local), ("dev", Tier::Dev), ("staging", Tier::Staging), ("prod", Tier::Prod)];

impl EnvName {
    /// The name as text, without `@`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The rung of a built-in environment; none for one of the operator's own.
    #[must_use]
    pub fn tier(&self) -> Option<Tier> {
        Tier::of(&self.0)
    }
}

impl Tier {
    /// The rung of a name, alias or environment type.
    #[must_use]
    pub fn of(word: &str) -> Option<Self> {
        let word = short(word);
        BUILT_IN.iter().find(|(name, _)| *name == word).map(|(_, rung)| *rung)
    }
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(BUILT_IN[*self as usize].0)
    }
}

impl FromStr for EnvName {
    type Err = InvalidName;

    fn from_str(given: &str) -> Result<Self, InvalidName> {
        let name = short(given.strip_prefix('@').unwrap_or(given));
        if is_name(name) {
            Ok(Self(name.to_owned()))
        } else {
            Err(InvalidName { given: given.to_owned(), what: "an environment" })
        }
    }
}

impl fmt::Display for EnvName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// An environment and the organization that it is one of, if that is known: `acme/prod`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EnvRef {
    /// The organization.
    pub org: Option<OrgName>,
    /// The environment.
    pub env: EnvName,
}

impl EnvRef {
    /// What two choices amount to; none without an environment.
    #[must_use]
    pub fn of(org: Option<&OrgName>, env: Option<&EnvName>) -> Option<Self> {
        Some(Self { org: org.cloned(), env: env?.clone() })
    }

    /// The built-in environment that an env file is named after: `prod` of `env/prod.env`. For the guard: such a file is not in
    /// an environment, but what runs with it is as much worth asking for.
    #[must_use]
    pub fn of_env_file(file: &Path) -> Option<Self> {
        let name = file.file_name()?.to_str()?;
        let env: EnvName = env_file_word(name).parse().ok()?;
        env.tier().map(|_| Self { org: None, env })
    }
}

impl fmt::Display for EnvRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.org {
            Some(org) => write!(f, "{org}/{}", self.env),
            None => self.env.fmt(f),
        }
    }
}

impl FromStr for EnvRef {
    type Err = InvalidName;

    fn from_str(given: &str) -> Result<Self, InvalidName> {
        match given.split_once('/') {
            Some((org, env)) => Ok(Self { org: Some(org.parse()?), env: env.parse()? }),
            None => Ok(Self { org: None, env: given.parse()? }),
        }
    }
}

/// An env file as it is named in a service and in a record: a `-` before it says that it may be missing, as in a unit of systemd.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EnvFileName<'a> {
    /// Without the mark.
    pub path: &'a str,
    /// It need not exist.
    pub optional: bool,
}

impl<'a> EnvFileName<'a> {
    /// The file that a text names.
    #[must_use]
    pub fn of(given: &'a str) -> Self {
        match given.strip_prefix('-') {
            Some(path) => Self { path, optional: true },
            None => Self { path: given, optional: false },
        }
    }
}

impl fmt::Display for EnvFileName<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", if self.optional { "-" } else { "" }, self.path)
    }
}

/// The word that an env file is called by: `dev` of `dev.env`.
#[must_use]
pub fn env_file_word(name: &str) -> &str {
    name.strip_suffix(".env").unwrap_or(name)
}

fn short(word: &str) -> &str {
    match word {
        "development" => "dev",
        "stage" => "staging",
        "production" => "prod",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn aliases_mean_the_short_names() {
        for (given, rung) in [("@production", Tier::Prod), ("stage", Tier::Staging), ("@development", Tier::Dev)] {
            assert_eq!(given.parse::<EnvName>().map(|name| name.tier()), Ok(Some(rung)));
        }
    }

    #[test]
    fn an_environment_is_written_behind_its_organization() {
        for (given, written) in [("acme/production", "acme/prod"), ("qa", "qa")] {
            assert_eq!(given.parse::<EnvRef>().map(|it| it.to_string()).as_deref(), Ok(written));
        }
        assert!("a/b/c".parse::<EnvRef>().is_err() && "/prod".parse::<EnvRef>().is_err());
    }

    #[test]
    fn an_environment_of_ones_own_has_no_rung_by_name() {
        assert_eq!("qa".parse::<EnvName>().map(|name| name.tier()), Ok(None));
    }
}
