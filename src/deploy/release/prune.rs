//! What is no longer needed.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::build::read_manifest;
use super::error::ReleaseError;
use super::names::ReleaseId;
use super::store::{ReleaseStore, names, remove_file, remove_tree, sync};
use crate::base::sort::SortExt;
use crate::sys::file::{FileError, TEMPORARY_PREFIX};

/// How many releases are kept that were committed, beside the current and the previous one.
const KEPT: usize = 5;

/// How many are kept that were taken back.
const KEPT_FAILED: usize = 3;

/// What was removed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pruned {
    /// Releases, also failed ones.
    pub releases: Vec<ReleaseId>,
    /// How many contents.
    pub blobs: usize,
    /// How many files and directories that killed runs had left.
    pub leftovers: usize,
}

impl ReleaseStore {
    /// Removes releases but the last five of `committed` (oldest first), those `in_use`, the current and the previous one, and the
    /// last three that failed; contents that none of these has; and what killed runs left. Only under the lock of the organization.
    ///
    /// # Errors
    ///
    /// Fails if something cannot be read or removed. What was not removed is whole.
    pub fn prune(&self, committed: &[ReleaseId], in_use: &[ReleaseId]) -> Result<Pruned, ReleaseError> {
        let mut pruned = Pruned { leftovers: self.remove_leftovers()?, ..Pruned::default() };
        let mut kept: BTreeSet<ReleaseId> = committed.iter().rev().take(KEPT).chain(in_use).cloned().collect();
        kept.extend([self.current()?, self.previous()?].into_iter().flatten());
        for rid in self.list()? {
            if !kept.contains(&rid) {
                self.remove_release(&rid)?;
                pruned.releases.push(rid);
            }
        }
        let mut failed: Vec<ReleaseId> = names(&self.failed())?.iter().filter_map(|name| name.parse().ok()).collect();
        failed.order();
        for rid in failed.iter().rev().skip(KEPT_FAILED) {
            remove_tree(&self.failed().join(rid.as_str()))?;
            pruned.releases.push(rid.clone());
        }
        pruned.blobs = self.prune_blobs()?;
        Ok(pruned)
    }

    /// Removes a release, if it is there. Only under the lock.
    ///
    /// # Errors
    ///
    /// Fails if it is current or previous, or cannot be removed.
    pub fn remove(&self, rid: &ReleaseId) -> Result<(), ReleaseError> {
        self.refuse_in_use(rid)?;
        if self.contains(rid) { self.remove_release(rid) } else { Ok(()) }
    }

    /// Under another name first: a release that is half removed does not count as one.
    fn remove_release(&self, rid: &ReleaseId) -> Result<(), ReleaseError> {
        let (path, gone) = (self.release(rid), self.unfinished(rid));
        remove_tree(&gone)?;
        fs::rename(&path, &gone).map_err(FileError::io("remove", &path))?;
        Ok(remove_tree(&gone)?)
    }

    /// Removes what runs had left that were killed: releases half built, links not yet renamed. Only under the lock. Gives how
    /// many.
    ///
    /// # Errors
    ///
    /// Fails if one cannot be removed.
    pub fn remove_leftovers(&self) -> Result<usize, ReleaseError> {
        let mut count = 0;
        for name in names(&self.releases())?.iter().filter(|name| name.starts_with(TEMPORARY_PREFIX)) {
            remove_tree(&self.releases().join(name))?;
            count += 1;
        }
        for name in names(self.root())? {
            let path = self.root().join(&name);
            let is_ours = name.starts_with("current.") || name.starts_with("previous.");
            if is_ours && is_link_to_release(&path) {
                remove_file(&path)?;
                count += 1;
            }
        }
        Ok(count)
    }

    fn prune_blobs(&self) -> Result<usize, ReleaseError> {
        let mut reachable = BTreeSet::new();
        let kept = self.list()?.into_iter().map(|rid| (self.release(&rid), rid));
        for (dir, rid) in kept {
            // A release whose manifest is damaged needs nothing: its contents would be of no use.
            if let Ok(manifest) = read_manifest(&dir, &rid) {
                reachable.extend(manifest.contents().iter().map(|(hash, _)| hash.as_str().to_owned()));
            }
        }
        let mut count = 0;
        for name in names(&self.blobs())?.iter().filter(|name| !reachable.contains(name.as_str())) {
            remove_file(&self.blobs().join(name))?;
            count += 1;
        }
        if count > 0 {
            sync(&self.blobs())?;
        }
        Ok(count)
    }
}

fn is_link_to_release(path: &Path) -> bool {
    fs::read_link(path).is_ok_and(|target| target.starts_with("releases"))
}
