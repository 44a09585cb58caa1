//! The signal that stops a process, and whether it ends by itself.

use crate::tsm::definition::Definition;

use super::Unsupported;

/// The signal that asks it to end, where that is another one than usual.
pub(super) fn stop_signal(it: &mut Definition, given: Option<&str>, place: &str, lost: &mut Vec<Unsupported>) {
    let Some(given) = given.filter(|given| !matches!(*given, "TERM" | "SIGTERM" | "15")) else { return };
    it.options.stop_signal = given.parse().ok();
    if it.options.stop_signal.is_none() {
        lost.push(Unsupported { field: place.to_owned(), why: format!("unknown signal `{given}`") });
    }
}

/// It does its work and ends; what needs it waits for that.
pub(super) fn oneshot(it: &mut Definition) {
    it.options.oneshot = Some(true);
}
