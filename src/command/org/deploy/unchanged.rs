//! Deploys that change no host: refused before anything is written on this machine, or said with what was written.

use crate::base::environment::EnvName;
use crate::base::fault::{Fault, FaultKind};
use crate::deploy::record::Record;
use crate::ops::deploy::frozen;
use crate::ops::deploy::member::Member;
use crate::ops::deploy::verdict::UNCHANGED;

/// Whether a deploy may begin on a host.
///
/// # Errors
///
/// Fails where none may, with what leads out.
pub(super) fn refuse_frozen(env: &EnvName, member: &Member) -> Result<(), Fault> {
    let Some(freeze) = &member.facts.freeze else { return Ok(()) };
    let is_stuck = member.facts.last.as_ref().is_some_and(Record::is_stuck);
    let why = format!("{env}: {}: frozen by {}: {}; {UNCHANGED}", member.host.name, freeze.by, freeze.why);
    Err(Fault::new(FaultKind::Refused, why).with_advice(frozen::way_out(env.as_str(), is_stuck)))
}

/// The same sentence, unless it says that nothing was changed and `promoted` was written here.
pub(super) fn with_promoted(sentence: &str, promoted: Option<&EnvName>) -> String {
    match (sentence.strip_suffix(UNCHANGED), promoted) {
        (Some(before), Some(env)) => format!("{before}{UNCHANGED} on a host, and {env} was promoted"),
        _ => sentence.to_owned(),
    }
}

/// The same fault, with what was written here if it says that nothing was changed.
pub(super) fn fault_with_promoted(fault: Fault, promoted: Option<&EnvName>) -> Fault {
    let message = with_promoted(&fault.to_string(), promoted);
    if message == fault.to_string() { fault } else { Fault { advice: fault.advice, ..Fault::new(fault.kind, message) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_here_is_said_where_no_host_was_changed() {
        let dev: EnvName = "dev".parse().expect("a name");
        let said = with_promoted("dev: web-1: no room; nothing was changed", Some(&dev));
        assert_eq!(said, "dev: web-1: no room; nothing was changed on a host, and dev was promoted");
        assert_eq!(with_promoted("dev: 1 host runs x", Some(&dev)), "dev: 1 host runs x");
        assert_eq!(with_promoted("interrupted; nothing was changed", None), "interrupted; nothing was changed");
    }
}
