//! What is asked about a unit before it is written.

use crate::base::fault::{FaultKind, UserFacingError};
use crate::sys::host::Host;
use crate::sys::unit_check::{UnitDraft, UnitVerdict};
use crate::unit::UnitSettings;

/// Why a unit is not written.
#[derive(Debug, thiserror::Error)]
pub enum UnitError {
    /// It can do more than its profile allows.
    #[error("`{name}` would be too exposed: {exposure} of 10, and {} is the most for its profile", tenths(*highest))]
    Exposed {
        /// The unit.
        name: String,
        /// As it would be.
        exposure: String,
        /// As it may be, in tenths.
        highest: u32,
    },
    /// systemd cannot load it.
    #[error("systemd rejects the unit, which was not written:\n{text}")]
    Invalid {
        /// What was said.
        text: String,
    },
}

fn tenths(number: u32) -> String {
    format!("{}.{}", number / 10, number % 10)
}

impl UserFacingError for UnitError {
    fn kind(&self) -> FaultKind {
        match self {
            Self::Exposed { .. } => FaultKind::Refused,
            Self::Invalid { .. } => FaultKind::Failed,
        }
    }

    fn advice(&self) -> Option<String> {
        Some(match self {
            Self::Exposed { .. } => {
                "set daemon.hardening = \"strict\" below [overrides] in local.toml, and promote it again".to_owned()
            }
            Self::Invalid { .. } => {
                "nothing else was changed in the unit; `tsm daemon install --dry-run` shows it".to_owned()
            }
        })
    }
}

/// Whether a unit is no more exposed than its profile allows; how exposed it is, from 0 to 10, where that can be found out.
///
/// # Errors
///
/// Fails with [`UnitError::Exposed`].
pub fn check_exposure(
    settings: &UnitSettings,
    draft: &UnitDraft,
    host: &dyn Host,
    notes: &mut Vec<String>,
) -> Result<Option<String>, UnitError> {
    let Some(highest) = settings.highest_exposure() else { return Ok(None) };
    match draft.exposure(host, highest) {
        UnitVerdict::Passed(exposure) => Ok(Some(exposure)),
        UnitVerdict::Refused(exposure) => Err(UnitError::Exposed { name: settings.name.clone(), exposure, highest }),
        UnitVerdict::Unknown => {
            notes
                .push("its exposure was not checked: `systemd-analyze security --offline` is not available".to_owned());
            Ok(None)
        }
    }
}

/// Whether systemd can load a unit, as far as that can be found out.
///
/// # Errors
///
/// Fails with [`UnitError::Invalid`].
pub fn check_syntax(draft: &UnitDraft, host: &dyn Host) -> Result<(), UnitError> {
    match draft.verify(host) {
        UnitVerdict::Refused(text) => Err(UnitError::Invalid { text }),
        UnitVerdict::Passed(_) | UnitVerdict::Unknown => Ok(()),
    }
}
