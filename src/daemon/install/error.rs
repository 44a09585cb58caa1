//! Why a unit is not installed.

use std::path::PathBuf;

use crate::base::fault::{FaultKind, UserFacingError};

/// Why a unit is not installed.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// There is no directory for the units of this user.
    #[error("cannot determine the home directory, in which the units of a user are")]
    NoHome,
    /// The unit was edited.
    #[error("`{}` was edited by hand", path.display())]
    Edited {
        /// The unit.
        path: PathBuf,
    },
    /// The unit is not ours.
    #[error("`{}` exists and was not written by tetra", path.display())]
    Foreign {
        /// The unit.
        path: PathBuf,
    },
    /// Another user decides what is in the directory of the unit.
    #[error("`{}` belongs to `{owner}`, and the unit runs as `{user}`", path.display())]
    ForeignHome {
        /// `$TETRA_DIR` of the unit.
        path: PathBuf,
        /// To whom it belongs.
        owner: String,
        /// As whom the unit runs.
        user: String,
    },
    /// Only root may.
    #[error("`{name}` can only be installed by root")]
    NotRoot {
        /// The unit.
        name: String,
        /// The environment.
        env: String,
    },
    /// There is no systemd.
    #[error("systemd does not run on this machine: PID 1 is `{first}`")]
    NoSystemd {
        /// The name of the first process.
        first: String,
        /// The environment.
        env: String,
    },
    /// The manager of this user does not run.
    #[error("no systemd manager runs for the user `{user}`")]
    NoUserManager {
        /// Who wants a unit.
        user: String,
    },
    /// Another installation is being made.
    #[error("a unit is being installed on this machine by another command")]
    Locked,
    /// A path below the directory of another user leads elsewhere.
    #[error("`{}` is a link, and what root writes there would be elsewhere", path.display())]
    Link {
        /// The link.
        path: PathBuf,
    },
}

impl UserFacingError for InstallError {
    fn kind(&self) -> FaultKind {
        match self {
            Self::Edited { .. } | Self::Foreign { .. } => FaultKind::HandEdited,
            Self::NotRoot { .. } | Self::ForeignHome { .. } | Self::Link { .. } | Self::Locked => FaultKind::Refused,
            Self::NoHome | Self::NoSystemd { .. } | Self::NoUserManager { .. } => FaultKind::Failed,
        }
    }

    fn advice(&self) -> Option<String> {
        Some(match self {
            Self::NoHome => "set HOME".to_owned(),
            Self::Locked => "run this command again when that one has ended".to_owned(),
            Self::Edited { path } => format!(
                "move what you changed into a drop-in (`systemctl edit {}`), then install with --force, which replaces the unit",
                path.file_name().unwrap_or_default().display()
            ),
            Self::Foreign { .. } => "move it away, or install with --force, which replaces it".to_owned(),
            Self::ForeignHome { path, user, .. } => {
                format!("`chown -R {user} '{}'` if its files are to be trusted", path.display())
            }
            Self::NotRoot { env, .. } => format!(
                "`sudo tetra daemon install @{env}`, or `tetra daemon install @{env} --user` for a unit of your own"
            ),
            Self::NoSystemd { env, .. } => {
                format!("nothing was changed; in a container make `tetra daemon run @{env}` its command")
            }
            Self::NoUserManager { user } => {
                format!("log in as `{user}`, or run `sudo loginctl enable-linger {user}`, then try again")
            }
            Self::Link { .. } => "replace it with a directory".to_owned(),
        })
    }
}
