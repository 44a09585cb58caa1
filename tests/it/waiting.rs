//! The one place where tests wait: for a condition, at most for so long, on a machine however busy.

use std::thread;
use std::time::{Duration, Instant};

/// No wait of a test takes longer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// Looks again and again.
#[track_caller]
pub(crate) fn eventually(what: &str, mut is: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is() {
        assert!(Instant::now() < deadline, "never: {what}");
        pause();
    }
}

/// Between two looks at something that cannot be waited for otherwise.
pub(crate) fn pause() {
    thread::sleep(Duration::from_millis(5));
}
