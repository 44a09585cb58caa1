//! How exposed a unit may be, as `systemd-analyze security` counts: from 0, closed, to 10, as open as a shell of root.

use super::settings::{Hardening, Owner, UnitSettings};
use crate::base::environment::Tier;

impl UnitSettings {
    /// The highest exposure with which it is installed, in tenths: what `--threshold=` of `systemd-analyze security` takes. None
    /// for a unit of a user's own manager, whose rights are those of its user.
    #[must_use]
    pub fn highest_exposure(&self) -> Option<u32> {
        match (&self.owner, self.hardening) {
            (Owner::Session, _) => None,
            (Owner::Instance, _) | (_, Hardening::Relaxed) => Some(75),
            (Owner::Account(_), Hardening::Strict) if self.is_root() => Some(35),
            (Owner::Account(_), Hardening::Strict) if self.tier == Tier::Prod && !self.has_low_port => Some(15),
            (Owner::Account(_), Hardening::Strict) => Some(20),
        }
    }
}
