//! Pins: the host keys that are expected, in a `known_hosts` of our own, by the name of the host.
//!
//! Lines that are not of a host that is changed stay as they are.

use super::host::{Host, HostName};
use super::key::{Fingerprint, PublicKey};
use crate::base::environment::EnvName;

const REVOKED: &str = "@revoked ";

/// The keys that a host may show.
#[must_use]
pub fn pinned(known_hosts: &str, name: &HostName) -> Vec<PublicKey> {
    known_hosts.lines().filter_map(|line| key_of(line, name)).collect()
}

/// The text with one more key that a host may show.
#[must_use]
pub fn pin(known_hosts: &str, name: &HostName, key: &PublicKey) -> String {
    let mut text = known_hosts.to_owned();
    if pinned(known_hosts, name).iter().all(|known| known.body() != key.body()) {
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        text += &format!("{name} {}\n", key.body());
    }
    text
}

/// The text with this key as the only one that a host may show; the former ones are revoked, and no longer accepted from it.
#[must_use]
pub fn replace(known_hosts: &str, name: &HostName, key: &PublicKey) -> String {
    let revoked = |line: &str| match key_of(line, name) {
        Some(old) if old.body() == key.body() => format!("{line}\n"),
        Some(_) => format!("{REVOKED}{line}\n"),
        // A key that comes back is trusted again, or ssh would refuse it.
        None if line
            .strip_prefix(REVOKED)
            .and_then(|rest| key_of(rest, name))
            .is_some_and(|old| old.body() == key.body()) =>
        {
            String::new()
        }
        None => format!("{line}\n"),
    };
    pin(&known_hosts.lines().map(revoked).collect::<String>(), name, key)
}

/// The text without a host.
#[must_use]
pub fn forget(known_hosts: &str, name: &HostName) -> String {
    let is_its = |line: &&str| key_of(line.strip_prefix(REVOKED).unwrap_or(line), name).is_some();
    known_hosts.lines().filter(|line| !is_its(line)).map(|line| format!("{line}\n")).collect()
}

/// The line that adds a host with the fingerprint of its key.
#[must_use]
pub fn add_line(host: &Host, fingerprint: Option<&Fingerprint>) -> String {
    format!("{} --fingerprint {}", first_add_line(host), fingerprint.map_or("SHA256:…", Fingerprint::as_str))
}

/// The line that adds a host whose key is to be looked at.
#[must_use]
pub fn first_add_line(host: &Host) -> String {
    let Host { name, address, env, .. } = host;
    let is_named = name.as_str().parse::<EnvName>().is_ok_and(|named| named == *env);
    let env = if is_named { String::new() } else { format!(" --env {env}") };
    format!("tkm host add {name} {address}{env}")
}

/// The key of a line, if it is one of this host alone.
fn key_of(line: &str, name: &HostName) -> Option<PublicKey> {
    let rest = line.strip_prefix(name.as_str())?;
    PublicKey::parse(rest.strip_prefix(' ')?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl";
    const TWO: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";

    #[test]
    fn an_old_key_is_revoked_and_a_foreign_line_stays() {
        let (web, other): (HostName, HostName) = ("web".parse().expect("a name"), "web-2".parse().expect("a name"));
        let (one, two) = (PublicKey::parse(ONE).expect("a key"), PublicKey::parse(TWO).expect("a key"));
        let text = pin("# mine\n", &web, &one);
        assert_eq!(pin(&text, &web, &one), text);
        let text = pin(&text, &other, &one);
        assert_eq!(text, format!("# mine\nweb {ONE}\nweb-2 {ONE}\n"));
        let changed = replace(&text, &web, &two);
        assert_eq!(changed, format!("# mine\n@revoked web {ONE}\nweb-2 {ONE}\nweb {TWO}\n"));
        assert_eq!(pinned(&changed, &web), std::slice::from_ref(&two));
        assert_eq!(replace(&changed, &web, &one), format!("# mine\nweb-2 {ONE}\n@revoked web {TWO}\nweb {ONE}\n"));
        assert_eq!(forget(&changed, &web), format!("# mine\nweb-2 {ONE}\n"));
    }
}
