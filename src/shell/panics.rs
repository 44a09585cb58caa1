//! Panics: caught and reported as faults.

use std::any::Any;
use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};

use crate::base::fault::{Fault, FaultKind};

thread_local! {
    /// The source location of the last panic of this thread.
    static PLACE: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Replaces the panic hook by a silent one: [`catch`] reports panics as faults.
pub fn install_hook() {
    set_hook(Box::new(|info| {
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        PLACE.with_borrow_mut(|last| *last = place);
    }));
}

/// Runs `work`; a panic becomes a fault of [`FaultKind::Internal`].
///
/// # Errors
///
/// Fails if `work` panicked.
pub fn catch<T>(work: impl FnOnce() -> T) -> Result<T, Fault> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|panic| to_fault(&*panic))
}

/// Runs an optional part; the fallback if it panicked.
pub fn catch_or<T>(otherwise: T, part: impl FnOnce() -> T) -> T {
    catch(part).unwrap_or(otherwise)
}

fn to_fault(panic: &(dyn Any + Send)) -> Fault {
    let what = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let what = what.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned());
    let place = PLACE.with_borrow_mut(std::mem::take);
    let place = if place.is_empty() { place } else { format!(" ({place})") };
    Fault::new(FaultKind::Internal, format!("internal error: {what}{place}"))
        .with_advice("this is a bug in tetra; please report it with the command that was run")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_fault() {
        let fault = catch(|| -> () { panic!("{} is wrong", "it") }).expect_err("it panics");
        assert_eq!((fault.kind.code(), fault.to_string().contains("it is wrong")), (70, true));
        assert_eq!(catch(|| 1).expect("it does not panic"), 1);
        assert_eq!((catch_or(7, || panic!("again")), catch_or(7, || 8)), (7, 8));
    }
}
