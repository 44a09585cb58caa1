//! A mistake in one part does not end the session.

use std::cell::{Cell, RefCell};
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use crate::base::fault::{Fault, Kind};

thread_local! {
    static SHIELDED: Cell<bool> = const { Cell::new(false) };
    static LAST: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Makes panics silent where they are caught, and restores the terminal before any other is told.
///
/// Only the first call does anything.
pub fn install(restore: impl Fn() + Send + Sync + 'static) {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if SHIELDED.get() {
                LAST.replace(Some(info.to_string().replace('\n', " ")));
            } else {
                restore();
                before(info);
            }
        }));
    });
}

/// Runs a part; if it panics, a fault that says where.
///
/// # Errors
///
/// Fails if it panics.
pub fn caught<T>(part: impl FnOnce() -> T) -> Result<T, Fault> {
    let outer = SHIELDED.replace(true);
    let result = panic::catch_unwind(AssertUnwindSafe(part));
    SHIELDED.set(outer);
    result.map_err(|_| {
        let what = LAST.take().unwrap_or_else(|| "a part of it panicked".to_owned());
        Fault::new(Kind::Bug, format!("tetra made a mistake: {what}"))
            .advise("the session goes on; what the command had done by then stays done")
    })
}

/// Runs a part of the editor; what it would say otherwise if it panics.
pub fn or<T>(otherwise: T, part: impl FnOnce() -> T) -> T {
    caught(part).unwrap_or(otherwise)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_becomes_a_fault_that_says_where() {
        install(|| {});
        let fault = caught(|| -> u8 { panic!("lost {}", 1) }).expect_err("it panics");
        assert_eq!(fault.kind, Kind::Bug);
        let message = fault.to_string();
        assert!(message.contains("lost 1") && message.contains("shield.rs"), "{message}");
        assert_eq!(or(7, || panic!("again")), 7);
        assert_eq!(or(7, || 8), 8);
    }
}
