//! Root in the directory of another user.
//!
//! What root would do there, links and records of that user would decide; and what root made there, that user could never change.
//! So root acts there as that user, with no more rights, and for good.

use std::io;
use std::path::Path;
use std::sync::OnceLock;

use nix::unistd::{Gid, Uid, setgroups, setresgid, setresuid};

use super::{net, passwd};
use crate::base::fault::{FaultKind, UserFacingError};
use crate::disk;

/// Set where root stays root even if another user owns the directory.
static STAYS_ROOT: OnceLock<()> = OnceLock::new();

/// The user as whom root acts.
static ACTS_FOR: OnceLock<u32> = OnceLock::new();

/// Root could not become the owner of a directory.
#[derive(Debug, thiserror::Error)]
#[error("failed to act as {owner}, the owner of `{}`", home.display())]
pub struct ActAsOwnerError {
    /// The directory.
    pub home: std::path::PathBuf,
    /// Its owner.
    pub owner: String,
    /// Why.
    pub source: io::Error,
}

impl UserFacingError for ActAsOwnerError {
    fn kind(&self) -> FaultKind {
        FaultKind::Refused
    }

    fn advice(&self) -> Option<String> {
        Some("set TETRA_DIR to a directory of root".to_owned())
    }
}

/// Gives up root's rights for those of the owner of `home`, or of the directory in which it would be made. Does nothing where that
/// is root, or where we are not. To be called before anything is opened.
///
/// # Errors
///
/// Fails if the system does not allow it; then nothing may be done.
pub fn act_as_owner(home: &Path) -> Result<(), ActAsOwnerError> {
    if !nix::unistd::geteuid().is_root() {
        return Ok(());
    }
    let Some((uid, gid)) = disk::nearest_owner(home).filter(|(uid, _)| *uid != 0) else { return Ok(()) };
    become_user(uid, gid).map_err(|source| ActAsOwnerError {
        home: home.to_owned(),
        owner: net::user_name(uid),
        source,
    })?;
    let _ = ACTS_FOR.set(uid);
    Ok(())
}

/// Lets root stay root, also in the directory of another user: for what belongs to the machine, such as its units. To be called
/// instead of [`act_as_owner`].
pub fn stay_root() {
    let _ = STAYS_ROOT.set(());
}

fn become_user(uid: u32, gid: u32) -> io::Result<()> {
    let known = passwd::find(&uid.to_string()).ok().flatten().filter(|user| user.uid == uid);
    let (gid, groups) = known.map_or((gid, vec![gid]), |user| (user.gid, user.groups));
    let groups: Vec<Gid> = groups.into_iter().map(Gid::from_raw).collect();
    let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
    setgroups(&groups)?;
    setresgid(gid, gid, gid)?;
    Ok(setresuid(uid, uid, uid)?)
}

/// The user as whom root acts; none if we are who we were.
#[must_use]
pub fn acts_for() -> Option<u32> {
    ACTS_FOR.get().copied()
}

/// The owner of `home`, if that is neither we nor root. Who is not root may make it in a directory that others share.
#[must_use]
pub fn foreign_owner(home: &Path) -> Option<u32> {
    let own = nix::unistd::geteuid();
    if own.is_root() && STAYS_ROOT.get().is_some() {
        return None;
    }
    let owner = if own.is_root() { disk::nearest_owner(home) } else { disk::owner_of(home) };
    owner.map(|(uid, _)| uid).filter(|uid| *uid != 0 && *uid != own.as_raw())
}
