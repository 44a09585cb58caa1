//! The line of a key in `authorized_keys` of a host: what it allows, and between which marks it is.

use super::agent::words;
use super::authorized_keys::ManagedBlock;
use super::host::Host;
use super::key::PublicKey;
use super::state::{Key, KeyId, Purpose};
use crate::base::environment::{EnvName, EnvRef, Tier};

/// What a line of ours allows, beside the login.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LineOptions {
    /// `from="…"`: addresses that may use the key.
    pub from: Option<String>,
    /// `expiry-time="…"`: `YYYYMMDDHHMMZ`.
    pub expiry: Option<String>,
    /// A terminal may be asked for.
    pub has_terminal: bool,
    /// `command="…"`: what runs instead of anything else.
    pub command: Option<String>,
    /// `cert-authority`: certificates of the key are let in that are made out to this one of `principals="…"`, and not the key.
    pub principal: Option<String>,
}

impl LineOptions {
    /// The line of `authorized_keys`.
    #[must_use]
    pub fn line(&self, key: &PublicKey) -> String {
        let mut words = vec!["restrict".to_owned()];
        words.extend(self.has_terminal.then(|| "pty".to_owned()));
        words.extend(self.command.iter().map(|command| format!("command=\"{command}\"")));
        words.extend(self.from.iter().map(|from| format!("from=\"{from}\"")));
        words.extend(self.expiry.iter().map(|expiry| format!("expiry-time=\"{expiry}\"")));
        words.extend(self.principal.iter().map(|name| format!("cert-authority,principals=\"{name}\"")));
        format!("{} {}", words.join(","), key.line())
    }
}

/// What the line of a key allows.
pub(super) fn options(host: &Host, id: &KeyId, key: &Key) -> LineOptions {
    let of_host = host.rules.expires_days.map(|days| key.created.saturating_add(u64::from(days) * 86_400_000));
    let program = host.rules.agent.as_ref().filter(|_| is_bound(&id.env));
    LineOptions {
        from: host.rules.from.as_ref().map(ToString::to_string),
        expiry: key.expires.into_iter().chain(of_host).min().map(expiry_time),
        has_terminal: !is_bound(&id.env),
        command: program.map(|program| format!("{program} {}", words(&env_of(id)))),
        principal: (id.purpose == Purpose::Ca).then(|| id.principal()),
    }
}

/// A person works in dev. In staging and prod a key does what the agent does; anything else is for the operator's own key.
#[must_use]
pub fn is_bound(env: &EnvName) -> bool {
    env.tier().is_some_and(|tier| tier > Tier::Dev)
}

pub(super) fn env_of(id: &KeyId) -> EnvRef {
    EnvRef { org: id.org.clone(), env: id.env.clone() }
}

/// Where the lines of a key are.
pub(super) fn block_of(id: &KeyId) -> ManagedBlock {
    ManagedBlock::of(&env_of(id))
}

/// `YYYYMMDDHHMMZ`, as `expiry-time` takes it.
fn expiry_time(at: u64) -> String {
    let point = i64::try_from(at)
        .ok()
        .and_then(|at| jiff::Timestamp::from_millisecond(at).ok())
        .unwrap_or(jiff::Timestamp::MAX);
    point.to_zoned(jiff::tz::TimeZone::UTC).strftime("%Y%m%d%H%MZ").to_string()
}
