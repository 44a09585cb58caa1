//! What a process is told at its end, and whether it has an end.

use crate::tsm::definition::Definition;

use super::Lost;

/// The signal that asks it to end.
pub(super) fn stop_signal(it: &mut Definition, given: Option<&str>, place: &str, lost: &mut Vec<Lost>) {
    let Some(given) = given.filter(|given| !matches!(*given, "TERM" | "SIGTERM" | "15")) else { return };
    let _ = it;
    let why = format!("it is told to end by SIGTERM, and not by {given}");
    lost.push(Lost { field: place.to_owned(), why });
}

/// It does its work and ends; what needs it waits for that.
pub(super) fn oneshot(it: &mut Definition, place: &str, lost: &mut Vec<Lost>) {
    let _ = it;
    lost.push(Lost {
        field: place.to_owned(),
        why: "what needs it waits until it is ready, and not until it ended".to_owned(),
    });
}
