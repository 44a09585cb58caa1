//! A flag by which one thread ends what another one waits for, as signals do it for the main thread.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The flag. Not set at first.
#[derive(Debug, Default)]
pub struct Interruption {
    flag: Mutex<bool>,
    changed: Condvar,
}

impl Interruption {
    /// Ends what is waited for, and everything until [`Self::clear`].
    pub fn set(&self) {
        *self.lock() = true;
        self.changed.notify_all();
    }

    /// What comes now is not interrupted.
    pub fn clear(&self) {
        *self.lock() = false;
    }

    /// True from [`Self::set`] to [`Self::clear`].
    #[must_use]
    pub fn is_set(&self) -> bool {
        *self.lock()
    }

    /// Waits until time is up or the flag is set; true if time is up.
    #[must_use]
    pub fn sleep(&self, how_long: Duration) -> bool {
        let waited = self.changed.wait_timeout_while(self.lock(), how_long, |is_set| !*is_set);
        !*waited.unwrap_or_else(PoisonError::into_inner).0
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        // A thread that panicked left a flag, which is whole.
        self.flag.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_ends_when_the_flag_is_set() {
        let flag = Interruption::default();
        let in_time = std::thread::scope(|scope| {
            let waits = scope.spawn(|| flag.sleep(Duration::MAX));
            flag.set();
            waits.join().expect("no panic")
        });
        assert!(!in_time && flag.is_set() && !flag.sleep(Duration::MAX));
        flag.clear();
        assert!(!flag.is_set() && flag.sleep(Duration::from_millis(1)));
    }
}
