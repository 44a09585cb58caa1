//! The old release is put back, by what finds that a deploy did not end: the agent, the watcher, an operator, or the next boot.

use super::place::Place;
use super::{frozen, preflight};
use crate::base::fault::{Fault, FaultKind};
use crate::base::name::OrgName;
use crate::deploy::files::DeployDir;
use crate::deploy::machine::{Duty, Event, State};
use crate::deploy::record::{Before, Record};
use crate::ops::apply::Starts;
use crate::org::store::organizations;
use crate::sys::host::Host;
use crate::sys::paths::Paths;
use crate::tsm::progress::OnProgress;
use crate::tsm::store::Process;

/// What runs when a deploy is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// What the environment runs is there, and takes the old release over.
    Live,
    /// The host was just started: only files are put back, and what is started later is the old release.
    Boot,
}

/// A deploy that does not stay.
#[derive(Debug, Clone, Copy)]
pub struct GivenUp<'a> {
    /// The deploy.
    pub txid: &'a str,
    /// Why.
    pub why: &'a str,
    /// What runs.
    pub when: When,
}

/// Gives a deploy up; where it has ended, nothing is done. What it came to.
///
/// # Errors
///
/// Fails if that could not be written down, or another process is at it. That the old release could not be put back is no failure
/// of this, and in the record.
pub fn give_up(place: &Place, given: GivenUp, on_progress: &mut OnProgress) -> Result<Record, Fault> {
    let files = place.files();
    let _act = files.act()?;
    let mut record = files.read(given.txid)?;
    make_room(place, &record);
    if !record.state.has_ended() {
        // No other deploy begins before this one has ended.
        files.remove_half_written();
    }
    match files.advance(&mut record, Event::GiveUp, Some(given.why), place.host.now())? {
        Duty::Revert => finish(place, &mut record, given.when, on_progress)?,
        Duty::Discard => discard(place, &record),
        Duty::Work | Duty::Nothing => {}
    }
    Ok(record)
}

/// Frees what is needed to write the end of a deploy down. On a full disk what was sent goes too.
fn make_room(place: &Place, record: &Record) {
    place.files().end_reserve();
    if record.state < State::Switched && preflight::is_full(place) {
        let _ = place.releases().remove_parts();
    }
}

/// Tries once more to put the old release back where that failed. The caller holds the lock.
///
/// # Errors
///
/// As [`give_up`].
pub fn again(place: &Place, mut record: Record, on_progress: &mut OnProgress) -> Result<Record, Fault> {
    finish(place, &mut record, When::Live, on_progress)?;
    Ok(record)
}

/// Removes a release that was staged and not switched to, unless an earlier deploy brought it. What was sent is kept for the next
/// one.
fn discard(place: &Place, record: &Record) {
    // What is not removed here is removed by the next deploy that stays.
    let _ = place.files().forget_kept(&record.txid);
    if is_brought_only_by(place, record, |state| state != State::Aborted) {
        let _ = place.releases().remove(&record.rid);
    }
}

/// True if no other deploy whose state is one of these brought the release: a rollback brings one again, and what holds the same has
/// one name within a second. False where that is not known.
fn is_brought_only_by(place: &Place, record: &Record, counts: fn(State) -> bool) -> bool {
    let is_of_another = |it: &Record| it.rid == record.rid && it.txid != record.txid && counts(it.state);
    place.files().records().is_ok_and(|all| !all.iter().any(is_of_another))
}

fn finish(place: &Place, record: &mut Record, when: When, on_progress: &mut OnProgress) -> Result<(), Fault> {
    let (files, now) = (place.files(), || place.host.now());
    match put_back(place, record, when, on_progress) {
        Ok(()) => {
            files.advance(record, Event::PutBack, None, now())?;
            // It is kept to be looked at; where it cannot be moved, or stayed once before, it remains where it is.
            if is_brought_only_by(place, record, |state| state == State::Committed) {
                let _ = place.releases().move_to_failed(&record.rid);
            }
            let _ = files.forget_kept(&record.txid);
        }
        Err(fault) => {
            let why = format!("{}; putting back: {}", record.why.as_deref().unwrap_or_default(), fault.in_full());
            files.advance(record, Event::Stuck, Some(&why), now())?;
        }
    }
    Ok(())
}

fn put_back(place: &Place, record: &Record, when: When, on_progress: &mut OnProgress) -> Result<(), Fault> {
    place.files().put_back_kept(&record.txid)?;
    if record.before == Before::Absent {
        place.clear()?;
        return place.put_back(&record.before, &record.txid);
    }
    place.put_back(&record.before, &record.txid)?;
    match when {
        When::Live => {
            // First, for the old release of what was stopped may not be able to run; and again, for what had ended by itself
            // takes it over.
            place.stop_again(&record.stopped)?;
            place.apply(Starts::Always, on_progress)?;
            place.start_again(&record.ran, on_progress)?;
            place.stop_again(&record.stopped)
        }
        When::Boot => place.install(),
    }
}

/// What a record that ended without staying is as a fault.
#[must_use]
pub fn outcome(record: &Record) -> Fault {
    let why = record.why.as_deref().unwrap_or("it was given up");
    match record.state {
        State::RevertFailed => Fault::new(FaultKind::RevertFailed, why).with_advice(format!(
            "on the host: `tsm org apply @{}` after a look at `tsm list`; then {}",
            record.env,
            frozen::way_out(&record.env, true)
        )),
        State::Reverted => Fault::new(FaultKind::Reverted, why),
        _ => Fault::new(FaultKind::Preflight, why),
    }
}

/// Puts back what did not end and has no deployer any more, in every organization: before anything is started. What was done, in
/// lines.
#[must_use]
pub fn at_boot(paths: &Paths, host: &dyn Host) -> Vec<String> {
    organizations(paths).into_iter().flat_map(|org| of_org(paths, host, &org)).collect()
}

fn of_org(paths: &Paths, host: &dyn Host, org: &OrgName) -> Vec<String> {
    let files = DeployDir::of(&paths.org(org));
    if files.holder().is_some() {
        return Vec::new();
    }
    let unended = match files.unended() {
        Ok(unended) => unended,
        Err(error) => return vec![format!("deploys of {org}: {error}")],
    };
    let mut lines = Vec::new();
    for record in unended {
        let Ok(env) = record.env.parse() else { continue };
        let place = Place { paths, host, org: org.clone(), env };
        // A daemon that was killed leaves its processes. Where these were killed too, in the same boot, a start would resume them
        // as they were: with the new release.
        let is_live = |it: &Process| it.is_running() || it.live.needs_supervisor();
        let is_live = place.processes().is_ok_and(|all| all.iter().any(is_live));
        let when = if is_live { When::Live } else { When::Boot };
        let given = GivenUp { txid: &record.txid, why: "the host was started before it was committed", when };
        lines.push(match give_up(&place, given, &mut |_| {}) {
            Ok(done) => format!("deploy {} of {org}/{} is {}", done.txid, done.env, done.state),
            Err(fault) => format!("deploy {} of {org}/{}: {}", record.txid, record.env, fault.in_full()),
        });
    }
    lines
}
