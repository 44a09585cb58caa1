//! The application files of the release that an environment's file is part of.

use std::path::{Path, PathBuf};

use super::ApplyRequest;
use crate::base::fault::Fault;
use crate::deploy::release::{APPLICATION, ReleaseId, ReleaseStore};

/// The variable of services that run in the release: the digest of the application files, so that they are restarted when those
/// change, and only then.
pub(super) const APPLICATION_VARIABLE: &str = "TETRA_APPLICATION";

/// As many digits of the digest are given to services.
const DIGITS: usize = 16;

/// The application files of a release.
pub(super) struct Released {
    /// Where they are once the release is current. Services are started by this path, so each start enters the release that is
    /// current then.
    pub(super) dir: PathBuf,
    /// Where they are now.
    root: PathBuf,
    /// What they hold.
    pub(super) digest: String,
}

impl Released {
    /// Those of the release that the file which is applied is in; none if it is in no release, or in one without such files.
    ///
    /// # Errors
    ///
    /// Fails if the release is damaged.
    pub(super) fn of(request: &ApplyRequest) -> Result<Option<Self>, Fault> {
        let releases = ReleaseStore::at(&request.paths.org(request.org));
        let rid = match request.file {
            Some(file) => rid_of(file),
            None if request.paths.environment(request.org, request.env).is_symlink() => releases.current()?,
            None => None,
        };
        let Some(rid) = rid else { return Ok(None) };
        Ok(releases.manifest(&rid)?.application().map(|digest| Self {
            dir: releases.current_link().join(APPLICATION),
            root: releases.release(&rid).join(APPLICATION),
            digest: digest.as_str()[..DIGITS].to_owned(),
        }))
    }

    /// Where a directory of theirs is now.
    pub(super) fn staged(&self, dir: &Path) -> PathBuf {
        dir.strip_prefix(&self.dir).map_or_else(|_| dir.to_owned(), |below| self.root.join(below))
    }
}

/// `releases/RID/environments/dev.toml`
fn rid_of(file: &Path) -> Option<ReleaseId> {
    file.parent()?.parent()?.file_name()?.to_str()?.parse().ok()
}
