//! Hosts on which no deploy begins: an operator says so, or the old release could not be put back there.

use super::place::Place;
use crate::base::fault::{Fault, FaultKind};
use crate::deploy::record::Freeze;
use crate::deploy::wire::Said;

/// Whether a deploy may begin.
///
/// # Errors
///
/// Fails where none may, with what leads out.
pub(super) fn refuse(place: &Place) -> Result<(), Fault> {
    let files = place.files();
    let Some(Freeze { why, by, .. }) = files.freeze() else { return Ok(()) };
    let advice = way_out(place.env.as_str(), files.stuck().is_some());
    Err(Fault::new(FaultKind::Refused, format!("frozen by {by}: {why}")).with_advice(advice))
}

/// What lets deploys begin again; where the old release could not be put back (`is_stuck`) that is tried first.
#[must_use]
pub fn way_out(env: &str, is_stuck: bool) -> String {
    if !is_stuck {
        return format!("`org deploy unfreeze @{env}` lets deploys begin again");
    }
    format!(
        "`org deploy recover @{env}` tries that again; where the old release is lost, `org deploy unfreeze @{env}` lets deploys \
         begin without it"
    )
}

/// Lets no deploy begin, or lets them again without a reason.
///
/// # Errors
///
/// Fails if it cannot be written.
pub(super) fn set(place: &Place, by: String, why: Option<String>) -> Result<Said, Fault> {
    place.create()?;
    let freeze = why.map(|why| Freeze { why, by, at_ms: place.host.now().0 });
    place.files().set_freeze(freeze.as_ref())?;
    Ok(Said::Done)
}
