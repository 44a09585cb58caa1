//! The organization and the environment that the words of a line choose: names of another one do not complete it.

use std::any::TypeId;

use super::options::{ParsedArgs, WordRole};
use super::sources::{CandidateSource, Scope};
use crate::base::environment::EnvName;
use crate::base::name::OrgName;
use crate::command::argument::GeneratedEnv;

impl Scope {
    /// The scope of words that were parsed.
    pub(super) fn of(parsed: &ParsedArgs<'_>, words: &[String]) -> Self {
        let mut scope = Self::default();
        for (role, word) in parsed.roles.iter().zip(words) {
            let (arg, value) = match role {
                WordRole::Value(Some(arg)) => (arg, word.as_str()),
                WordRole::Option(Some(arg)) => match word.split_once('=') {
                    Some((_, value)) => (arg, value),
                    None => continue,
                },
                _ => continue,
            };
            let of = arg.get_value_parser().type_id();
            if of == TypeId::of::<EnvName>() || of == TypeId::of::<GeneratedEnv>() {
                scope.env = value.parse().ok().or(scope.env);
            } else if of == TypeId::of::<OrgName>() && arg.get_id() == "--org" {
                scope.org = value.parse().ok().or(scope.org);
            }
        }
        scope
    }

    /// This scope, where `stronger` does not choose another one.
    pub(super) fn or(self, stronger: Self) -> Self {
        Self { org: stronger.org.or(self.org), env: stronger.env.or(self.env) }
    }

    /// The names of a source in this scope; none if they are those of the session.
    pub(super) fn apply<'a>(&self, source: &'a dyn CandidateSource) -> Option<Box<dyn CandidateSource + 'a>> {
        if *self == Self::default() { None } else { source.scoped(self) }
    }
}
