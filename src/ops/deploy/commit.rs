//! The end of a deploy that stays. A host keeps the release, and can still put the old one back while its deployer is there; once
//! all hosts keep it, that is final.
//!
//! Whatever is the last word from one machine to several others can be lost for some of them, so no order of words makes all hosts
//! end alike in every case. What is left is a deployer or a way that breaks within the round trip of the commits; each host then
//! has one of the two releases, whole.

use super::give_up::{self, GivenUp, When, give_up};
use super::place::Place;
use crate::base::fault::Fault;
use crate::deploy::machine::{Event, State};
use crate::deploy::record::{Before, Record};
use crate::deploy::release::ReleaseId;
use crate::tsm::progress::{OnProgress, Progress};

/// Lets a release stay; once more is as once.
///
/// # Errors
///
/// Fails if that cannot be written down, or the old release was put back meanwhile.
pub(super) fn commit(place: &Place, txid: &str) -> Result<(), Fault> {
    let files = place.files();
    let _act = files.act()?;
    let mut record = files.read(txid)?;
    if record.state == State::Committed {
        return Ok(());
    }
    if record.state.has_ended() {
        return Err(give_up::outcome(&record));
    }
    files.advance(&mut record, Event::Commit, None, place.host.now())?;
    Ok(())
}

/// Puts the old release back on a host that keeps the new one, for another host does not; only under the lock of deploys, and before
/// the deploy is final. What has not been committed is given up. What it came to.
///
/// # Errors
///
/// As [`give_up()`].
pub(super) fn undo(place: &Place, txid: &str, why: &str, on_progress: &mut OnProgress) -> Result<Record, Fault> {
    let files = place.files();
    let act = files.act()?;
    let mut record = files.read(txid)?;
    if record.state != State::Committed {
        drop(act);
        return give_up(place, GivenUp { txid, why, when: When::Live }, on_progress);
    }
    files.end_reserve();
    files.advance(&mut record, Event::Undo, Some(why), place.host.now())?;
    give_up::again(place, record, on_progress)
}

/// Makes a deploy final that was committed and is the last one: what would put its old release back goes, and the unit is that of
/// the release. Its record.
///
/// The unit only now: a daemon that puts a release back at boot cannot write one, for its own unit makes that directory read-only.
///
/// # Errors
///
/// Fails if records cannot be read, or another process is at it. What is not removed today is removed by the next deploy.
pub(super) fn settle(place: &Place, txid: &str, on_progress: &mut OnProgress) -> Result<Record, Fault> {
    let files = place.files();
    let _act = files.act()?;
    let record = files.read(txid)?;
    let records = files.records()?;
    if record.state != State::Committed || records.first().is_none_or(|last| last.txid != txid) {
        return Ok(record);
    }
    files.forget_all_kept();
    let releases = place.releases();
    // One that holds the same is not what a rollback is for: only env files or secrets changed.
    if let Before::Release(before) = &record.before
        && before.content8() != record.rid.content8()
    {
        releases.set_previous(before, txid)?;
    }
    let committed = records.into_iter().rev().filter(|record| record.state == State::Committed);
    let committed: Vec<ReleaseId> = committed.map(|record| record.rid).collect();
    let _ = releases.prune(&committed, &place.entered());
    if record.env == place.env.as_str()
        && let Err(fault) = place.write_unit()
    {
        on_progress(Progress::Note { service: None, text: fault.in_full() });
    }
    // Last: while it is there, the deploy is not final.
    files.end_reserve();
    Ok(record)
}

/// The same for what was killed before it did so.
pub(super) fn settle_last(place: &Place) {
    let files = place.files();
    let last = files.records().ok().and_then(|records| records.into_iter().next());
    if let Some(last) = last.filter(|_| files.has_reserve()) {
        let _ = settle(place, &last.txid, &mut |_| {});
    }
}
