//! Files whose change restarts a process.

use std::io;
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use crate::supervise::meta::Meta;
use crate::sys::tree_watch::TreeWatcher;

use super::glob::matches;
use super::health::Health;
use super::watcher::{Now, RestartReason, Watcher};

/// A change counts once nothing more has changed for so long.
const DEBOUNCE: Duration = Duration::from_millis(300);

/// Who never stops changing is not waited for longer.
const MAX_DEBOUNCE: Duration = Duration::from_secs(3);

/// Directories that hold no sources.
const IGNORED_DIRECTORIES: [&str; 3] = [".git", "node_modules", "__pycache__"];

/// The files whose change restarts a process.
pub(super) struct FileWatcher {
    notices: TreeWatcher,
    filter: WatchFilter,
    /// What changed, when first and when last.
    change: Option<(PathBuf, Instant, Instant)>,
}

/// What is passed over.
struct WatchFilter {
    roots: Vec<PathBuf>,
    ignore: Vec<String>,
    /// The directories of ours: nothing there is a source, least of all a log.
    internal_paths: Vec<PathBuf>,
}

impl WatchFilter {
    fn is_ignored(&self, path: &Path) -> bool {
        // The longest root: one may lie in another.
        let root = self.roots.iter().filter(|root| path.starts_with(root)).max_by_key(|root| root.as_os_str().len());
        let below = root.and_then(|root| path.strip_prefix(root).ok()).unwrap_or(path);
        self.internal_paths.iter().any(|ours| path.starts_with(ours))
            || below.iter().any(|name| IGNORED_DIRECTORIES.iter().any(|never| name == *never))
            || self.ignore.iter().any(|pattern| matches(pattern, below))
    }
}

/// What this program writes to: the process directory and all beside it, registries, logs.
fn internal_paths(dir: &Path) -> Vec<PathBuf> {
    let mut ours: Vec<PathBuf> = dir.parent().map(Path::to_owned).into_iter().collect();
    if let Some(home) = dir.ancestors().nth(4).filter(|home| dir.starts_with(home.join("tsm/runtime/processes"))) {
        ours.extend(["tsm", "logs"].map(|name| home.join(name)));
    }
    ours
}

impl FileWatcher {
    pub(super) fn new(dir: &Path, meta: &Meta) -> io::Result<Self> {
        let care = &meta.run.monitor;
        let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let roots: Vec<PathBuf> = care.watch.iter().map(|path| real(Path::new(path))).collect();
        let rule = WatchFilter { roots, ignore: care.ignore.clone(), internal_paths: internal_paths(&real(dir)) };
        let mut notices = TreeWatcher::on(dir)?;
        for root in &rule.roots {
            notices.watch(root, &|path| rule.is_ignored(path))?;
        }
        Ok(Self { notices, filter: rule, change: None })
    }

    /// Waits until something happens, at most `limit`; shorter while a change is becoming quiet.
    pub(super) fn wait(&mut self, limit: Duration, others: &[BorrowedFd]) {
        let limit = if self.change.is_some() { limit.min(DEBOUNCE) } else { limit };
        let rule = &self.filter;
        let told = self.notices.wait(limit, others, &|path| rule.is_ignored(path));
        if let Some(path) = told.into_iter().find(|path| !rule.is_ignored(path)) {
            let now = Instant::now();
            let (path, first) = self.change.take().map_or((path, now), |(path, first, _)| (path, first));
            self.change = Some((path, first, now));
        }
    }
}

impl Watcher for FileWatcher {
    /// [`wait`](Self::wait) knows by itself.
    fn due(&self, _: Now) -> Option<Duration> {
        None
    }

    /// What changed counts once nothing more has changed for a while.
    fn check(&mut self, _: &Meta, _: &mut Health, now: Now) -> Option<RestartReason> {
        let (_, first, last) = self.change.as_ref()?;
        let quiet = now.at.saturating_duration_since(*last) >= DEBOUNCE;
        if !quiet && now.at.saturating_duration_since(*first) < MAX_DEBOUNCE {
            return None;
        }
        self.change.take().map(|(path, ..)| RestartReason::FileChanged(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ours_or_holds_no_sources_is_passed_over() {
        let rule = WatchFilter {
            roots: vec![PathBuf::from("/srv/app"), PathBuf::from("/home/u")],
            ignore: vec!["*.log".to_owned(), "dist/**".to_owned()],
            internal_paths: internal_paths(Path::new("/home/u/tetra/tsm/runtime/processes/api")),
        };
        for (path, skipped) in [
            ("/srv/app/src/a.js", false),
            ("/srv/app/.git/index", true),
            ("/srv/app/a.log", true),
            ("/srv/app/dist/x/y.js", true),
            ("/srv/app/src/dist/y.js", false),
            ("/home/u/tetra/logs/tetra.jsonl", true),
            ("/home/u/tetra/tsm/ports", true),
            ("/home/u/tetra/org/acme/manifest.toml", false),
        ] {
            assert_eq!(rule.is_ignored(Path::new(path)), skipped, "{path}");
        }
    }
}
