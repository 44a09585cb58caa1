//! Hosts that were found in a file of another program.

use super::host::Host;
use crate::base::environment::{EnvName, Tier};

/// The keys of `[infrastructure]` with the environment that each server is of.
pub const SERVERS: [(&str, &str); 4] = [("dev", "dev"), ("qa", "staging"), ("staging", "staging"), ("prod", "prod")];

/// Hosts that were found, and what of their file has no meaning here.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ImportedKey {
    /// The hosts, each with a name of its own.
    pub hosts: Vec<Host>,
    /// What is not carried over, in words.
    pub ignored: Vec<String>,
}

impl ImportedKey {
    /// Adds a host, unless one of its name is there.
    pub fn add(&mut self, host: Host) {
        if self.hosts.iter().all(|known| known.name != host.name) {
            self.hosts.push(host);
        }
    }

    /// Adds what was found elsewhere; what is here stays.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        other.hosts.into_iter().for_each(|host| self.add(host));
        self.ignored.extend(other.ignored);
        self
    }
}

/// Whether a key of `[infrastructure]` names a server, or is the address of one: `dev_server`, `dev_ip`, `dev_server_ip`.
#[must_use]
pub fn is_server_key(key: &str) -> bool {
    let parts = SERVERS.iter().find_map(|(word, _)| key.strip_prefix(word)?.strip_prefix('_'));
    parts.is_some_and(|rest| ["server", "ip", "server_ip"].contains(&rest))
}

/// The environment that a group of servers is called after: `qa` is staging.
#[must_use]
pub fn known_environment(word: &str) -> Option<EnvName> {
    let word = SERVERS.iter().find(|(known, _)| *known == word).map_or(word, |(_, env)| env);
    word.parse().ok().filter(|env: &EnvName| env.tier().is_some_and(|tier| tier > Tier::Local))
}
