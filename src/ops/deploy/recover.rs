//! What deployers left behind that are gone.

use super::commit;
use super::give_up::{self, GivenUp, When, give_up};
use super::place::Place;
use crate::base::fault::Fault;
use crate::deploy::machine::State;
use crate::deploy::record::{Holder, Record};
use crate::deploy::wire::Said;
use crate::tsm::progress::{OnProgress, Progress};

/// Deploys that did not end, whose deployers are gone: the caller holds the lock of deploys.
pub(super) fn put_back_unended(place: &Place, but: &str, on_progress: &mut OnProgress) -> Result<Vec<Record>, Fault> {
    let unended = place.files().unended()?;
    let mut ended = Vec::new();
    for record in unended.iter().filter(|record| record.txid != but) {
        // It may be of another environment of the organization, which then ran here.
        let env = record.env.parse().map_err(|error| Fault::usage(format!("{error}")))?;
        let place = Place { env, ..place.clone() };
        let given = GivenUp { txid: &record.txid, why: "the deployer is gone", when: When::Live };
        let done = give_up(&place, given, on_progress)?;
        let note = format!("{} was left {}, and is now {}", done.txid, record.state, done.state);
        on_progress(Progress::Note { service: None, text: note });
        ended.push(done);
    }
    Ok(ended)
}

/// Puts back what has no deployer any more, and tries again what could not be put back.
pub(super) fn recover(place: &Place, on_progress: &mut OnProgress) -> Result<Said, Fault> {
    place.create()?;
    let by = Holder { by: "recover".to_owned(), pid: 0, txid: "recover".to_owned(), since_ms: place.host.now().0 };
    let _lock = place.files().hold(&by)?;
    let mut ended = put_back_unended(place, "", on_progress)?;
    commit::settle_last(place);
    place.files().sweep();
    if let Some(last) = place.files().records()?.into_iter().next().filter(|it| it.state == State::RevertFailed) {
        let _act = place.files().act()?;
        ended.push(give_up::again(place, last, on_progress)?);
    }
    Ok(Said::History(ended))
}
