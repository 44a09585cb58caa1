//! What an event is in a line of the log.

use super::log::Level;
use crate::supervise::events::{Event, EventKind};
use crate::tsm::exit_text;

/// The line, and how much it matters; none for what is of no interest there.
#[must_use]
pub fn describe(event: &Event) -> Option<(Level, String)> {
    let name = &event.name;
    Some(match &event.kind {
        EventKind::Started { restarts: 0 } => return None,
        EventKind::Started { restarts } => {
            (Level::Info, format!("{name}: started again, PID {}, restarts {restarts}", event.pid))
        }
        EventKind::Exited { status, uptime_ms, cause } => {
            let level = if status.is_success() || cause.is_some() { Level::Info } else { Level::Warning };
            let how = exit_text::describe(*status);
            (level, format!("{name}: ended after {}.{} s: {how}", uptime_ms / 1000, uptime_ms % 1000 / 100))
        }
        EventKind::Restarting { delay_ms } => {
            (Level::Info, format!("{name}: starts again in {}.{} s", delay_ms / 1000, delay_ms % 1000 / 100))
        }
        EventKind::Crashed => (Level::Error, format!("{name}: crashed")),
        EventKind::GaveUp => (Level::Error, format!("{name}: ended too often in a row; it is not started again")),
        EventKind::Ready => (Level::Info, format!("{name}: ready")),
        EventKind::Healthy => (Level::Info, format!("{name}: healthy again")),
        EventKind::Unhealthy { reason } => (Level::Warning, format!("{name}: unhealthy: {reason}")),
        EventKind::Stopping
        | EventKind::Stopped
        | EventKind::Scheduled
        | EventKind::Rotated { .. }
        | EventKind::Unknown => return None,
    })
}
