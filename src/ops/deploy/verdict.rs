//! What a rollout came to, in one sentence and one kind of failure.

use crate::base::fault::{Fault, FaultKind};
use crate::base::plural::pluralize;
use crate::deploy::machine::State;

/// What came of a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostEnd {
    /// The host.
    pub host: String,
    /// Where the deploy is on it.
    pub state: State,
    /// The release that it has now, as far as is known.
    pub release: Option<String>,
    /// Why it has no other, with the kind of that.
    pub fault: Option<(FaultKind, String)>,
}

/// What a rollout came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The kind of failure; none if all hosts have the release.
    pub kind: Option<FaultKind>,
    /// The sentence.
    pub sentence: String,
}

/// How the sentence ends where no host was changed; a host may have said it already.
pub const UNCHANGED: &str = "nothing was changed";

/// What hosts came to that were to have the release `rid` of an environment.
#[must_use]
pub fn verdict(env: &str, rid: &str, ends: &[HostEnd]) -> Verdict {
    let committed = ends.iter().filter(|end| end.state == State::Committed).count();
    // One that was lost and found again is known.
    let is_lost = |end: &HostEnd| end.fault.as_ref().is_some_and(|fault| fault.0 == FaultKind::Unknown);
    let is_unknown = |end: &HostEnd| is_lost(end) && !end.state.has_ended();
    let any = |is: &dyn Fn(&HostEnd) -> bool| ends.iter().any(is);
    let kind = if committed == ends.len() {
        None
    } else if any(&|end| end.state == State::RevertFailed) {
        Some(FaultKind::RevertFailed)
    } else if any(&is_unknown) {
        Some(FaultKind::Unknown)
    } else if committed > 0 {
        Some(FaultKind::Mixed)
    } else if any(&|end| end.state == State::Reverted) {
        Some(FaultKind::Reverted)
    } else {
        let known = ends.iter().filter(|end| !is_lost(end)).find_map(|end| end.fault.as_ref());
        Some(known.map_or(FaultKind::Preflight, |fault| fault.0))
    };
    let mut parts = Vec::new();
    if committed > 0 {
        let verb = if ends.len() == 1 { "runs" } else { "run" };
        let hosts = pluralize(ends.len(), "host");
        parts.push(if committed == ends.len() {
            format!("{hosts} {verb} {rid}")
        } else {
            let names: Vec<&str> =
                ends.iter().filter(|end| end.state == State::Committed).map(|end| end.host.as_str()).collect();
            format!("{committed} of {hosts} {verb} {rid} ({})", names.join(", "))
        });
    }
    let others = ends.iter().filter(|end| end.state != State::Committed);
    parts.extend(others.filter_map(|end| part(end, is_unknown(end), committed > 0)));
    if committed == 0
        && !any(&|end| end.state >= State::Switched && end.state != State::Aborted)
        && kind != Some(FaultKind::Unknown)
        && !parts.iter().any(|part| part.ends_with(UNCHANGED))
    {
        parts.push(UNCHANGED.to_owned());
    }
    Verdict { kind, sentence: format!("{env}: {}", parts.join("; ")) }
}

/// What is said of a host that does not have the new release; of one that is as it was, only if others are not (`is_mixed`).
fn part(end: &HostEnd, is_unknown: bool, is_mixed: bool) -> Option<String> {
    let release = end.release.as_deref().unwrap_or("no release");
    let why = end.fault.as_ref().map(|(_, why)| without_host(&end.host, why));
    let because = why.map_or_else(String::new, |why| format!(": {why}"));
    Some(match end.state {
        _ if is_unknown => format!("{} is unknown{because}", end.host),
        State::Reverted => format!("{} was reverted to {release}{because}", end.host),
        State::RevertFailed => format!("{} could not be reverted{because}", end.host),
        // It was given up for the sake of others.
        _ if why.is_none() => return is_mixed.then(|| format!("{} keeps {release}", end.host)),
        _ => format!("{}{because}", end.host),
    })
}

/// A cause without the name of its host, for where that is said already.
pub(super) fn without_host<'a>(host: &str, why: &'a str) -> &'a str {
    why.strip_prefix(host).and_then(|rest| rest.strip_prefix(": ")).unwrap_or(why)
}

impl Verdict {
    /// As a fault, if it is one.
    #[must_use]
    pub fn into_fault(self, advice: Option<String>) -> Option<Fault> {
        // It is said once.
        let is_said = self.sentence.contains(UNCHANGED);
        let shorter = |advice: &str| advice.strip_suffix(UNCHANGED)?.strip_suffix("; ").map(str::to_owned);
        let advice = advice.map(|advice| shorter(&advice).filter(|_| is_said).unwrap_or(advice));
        let fault = Fault::new(self.kind?, self.sentence);
        Some(Fault { advice, ..fault })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(host: &str, state: State, fault: Option<(FaultKind, &str)>) -> HostEnd {
        let release = (state != State::Committed).then(|| "old".to_owned());
        HostEnd { host: host.to_owned(), state, release, fault: fault.map(|(kind, why)| (kind, why.to_owned())) }
    }

    fn of(ends: &[HostEnd]) -> (Option<u8>, String) {
        let Verdict { kind, sentence } = verdict("dev", "new", ends);
        (kind.map(FaultKind::code), sentence)
    }

    #[test]
    fn the_worst_counts_and_every_host_is_accounted_for() {
        let (well, sick) = (end("a", State::Committed, None), Some((FaultKind::Reverted, "b: web ended")));
        assert_eq!(of(std::slice::from_ref(&well)), (None, "dev: 1 host runs new".into()));
        assert_eq!(of(&[well.clone(), well.clone()]), (None, "dev: 2 hosts run new".into()));
        let sick = end("b", State::Reverted, sick);
        assert_eq!(of(std::slice::from_ref(&sick)), (Some(14), "dev: b was reverted to old: web ended".into()));
        assert_eq!(
            of(&[well.clone(), sick.clone()]),
            (Some(16), "dev: 1 of 2 hosts run new (a); b was reverted to old: web ended".into())
        );
        let spared = end("e", State::Aborted, None);
        let of_three = [well.clone(), sick.clone(), spared];
        let all = "dev: 1 of 3 hosts run new (a); b was reverted to old: web ended; e keeps old";
        assert_eq!(of(&of_three), (Some(16), all.into()));
        let lost = end("c", State::Switched, Some((FaultKind::Unknown, "c: lost")));
        assert_eq!(of(&[well.clone(), lost.clone()]).0, Some(17));
        let found = end("g", State::Aborted, Some((FaultKind::Unknown, "g: lost")));
        assert_eq!(of(std::slice::from_ref(&found)), (Some(13), "dev: g: lost; nothing was changed".into()));
        let stuck = end("d", State::RevertFailed, Some((FaultKind::RevertFailed, "no")));
        assert_eq!(of(&[well, sick, lost, stuck]).0, Some(15));
        let full = end("e", State::Aborted, Some((FaultKind::Preflight, "e: no room")));
        let fault =
            verdict("dev", "new", std::slice::from_ref(&found)).into_fault(Some("look; nothing was changed".into()));
        assert_eq!(fault.and_then(|it| it.advice).as_deref(), Some("look"), "it is said once");
        let refused = end("h", State::Aborted, Some((FaultKind::Refused, "h: no; nothing was changed")));
        assert_eq!(of(&[refused]), (Some(4), "dev: h: no; nothing was changed".into()));
        let with = end("f", State::Aborted, None);
        assert_eq!(of(&[with, full]), (Some(13), "dev: e: no room; nothing was changed".into()));
    }
}
