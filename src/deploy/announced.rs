//! A rollout as the machine of its deployer knows it, for prompts there: `org/ORG/deploy/rollouts/ENV.json`, locked while it is at
//! work.

use std::fs::{self, File};
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::record::{Holder, VERSION};
use crate::base::environment::EnvName;
use crate::disk;
use crate::sys::daemonize;
use crate::sys::file::{self, FileError};

/// The directory of rollouts, below that of an organization.
#[must_use]
pub fn directory(org: &Path) -> PathBuf {
    org.join("deploy/rollouts")
}

/// The last rollout of an environment that began on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Announcement {
    version: u32,
    /// Who deploys.
    pub holder: Holder,
    /// What it came to, in a sentence; none while it is at work, and where its deployer was killed.
    pub came_to: Option<String>,
    /// True while it is at work.
    #[serde(skip)]
    pub is_at_work: bool,
}

/// A rollout at work, until this is dropped or its process ends.
#[derive(Debug)]
pub struct Announced {
    file: File,
    announcement: Announcement,
}

impl Announced {
    /// Says that a rollout begins; none where another one of the environment is at work on this machine.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be written.
    pub fn begin(org: &Path, env: &EnvName, holder: &Holder) -> Result<Option<Self>, FileError> {
        let dir = directory(org);
        file::create_private_dir(&org.join("deploy"))?;
        file::create_private_dir(&dir)?;
        let path = dir.join(format!("{env}.json"));
        let fail = FileError::io("write", &path);
        let Some(file) = daemonize::try_lock_exclusive(&path).map_err(FileError::io("lock", &path))? else {
            return Ok(None);
        };
        let announcement = Announcement { version: VERSION, holder: holder.clone(), came_to: None, is_at_work: true };
        let mut announced = Self { file, announcement };
        announced.write().map_err(fail)?;
        Ok(Some(announced))
    }

    /// Says what it came to.
    pub fn end(mut self, sentence: &str) {
        self.announcement.came_to = Some(sentence.to_owned());
        // The lock that ends says that it is over.
        let _ = self.write();
    }

    fn write(&mut self) -> std::io::Result<()> {
        let text = serde_json::to_vec(&self.announcement)?;
        self.file.set_len(0)?;
        self.file.rewind()?;
        self.file.write_all(&text)
    }
}

/// The last rollouts that began on this machine, by their environment. One that is being written is left out.
#[must_use]
pub fn all(org: &Path) -> Vec<(EnvName, Announcement)> {
    let entries = fs::read_dir(directory(org)).into_iter().flatten().flatten();
    let read = |path: PathBuf| {
        let env = path.file_name()?.to_str()?.strip_suffix(".json")?.parse().ok()?;
        let mut found: Announcement = serde_json::from_slice(&disk::read_own(&path).ok()?).ok()?;
        found.is_at_work = found.came_to.is_none() && daemonize::is_locked(&path);
        (found.version == VERSION).then_some((env, found))
    };
    entries.filter_map(|entry| read(entry.path())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rollout_is_at_work_until_it_ended_or_its_deployer_did() {
        let org = tempfile::tempdir().expect("a directory");
        let env: EnvName = "dev".parse().expect("a name");
        let holder = Holder { by: "ann@a".to_owned(), pid: 1, txid: "x".to_owned(), since_ms: 0 };
        assert!(all(org.path()).is_empty());
        let begin = || Announced::begin(org.path(), &env, &holder).expect("written");
        let one = |wanted: (bool, Option<&str>)| {
            let found = all(org.path());
            assert_eq!(found.len(), 1);
            let (of, found) = &found[0];
            assert_eq!((of, (found.is_at_work, found.came_to.as_deref())), (&env, wanted));
        };
        let first = begin().expect("the first");
        assert!(begin().is_none());
        one((true, None));
        drop(first);
        one((false, None));
        begin().expect("the next").end("dev: 1 host runs x");
        one((false, Some("dev: 1 host runs x")));
    }
}
